from __future__ import annotations

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.fittable import check_learns, check_size, refusal
from bayes_scaling.models import (
    Chinchilla,
    DirectLadder,
    Kaplan,
    LearningCurve,
    Pooled,
    PowerLaw,
    SigmoidAccuracy,
    Superset,
    TwoStep,
)
from tests import worlds

TABLE = worlds.on_the_curve(0.01)


def refused(table, law):
    return str(refusal(law, bs.Study.from_frame(table)) or "")


def test_too_few_runs_are_refused():
    assert "has 5 runs, and Chinchilla needs at least 6 (" in refused(TABLE.head(5), Chinchilla())
    assert not refused(TABLE, Chinchilla()) and not refused(TABLE.head(3), Superset())  # which rests on priors
    with pytest.raises(bs.StudyError, match=r"has 2 runs, and Superset needs at least 3; add runs\.$"):
        check_size(Superset(), study := bs.Study.from_frame(TABLE.head(2)), *Superset().arrays(study))
    ladder = worlds.ladder(count=2)
    few = ladder.study.select(run=ladder.study.frame["run"].unique()[:3])
    with pytest.raises(bs.StudyError, match=r"has 3 runs, and TwoStep needs at least 4; add runs\.$"):
        check_size(ladder.law, few, *ladder.law.arrays(few))


@pytest.mark.parametrize(
    ("world", "law"),
    [
        (worlds.pooled, Pooled(sigma=0.01)),
        (worlds.ladder, TwoStep(jointly=("task_loss",), sigma=0.01, tau=0.005, wander=0.006, anneal=0.0)),
    ],
)
def test_what_a_held_law_leaves_to_learn_counts(world, law):
    study = world(count=2).study
    assert not law.free_parameters
    check_learns(law, *law.arrays(study))


def test_a_law_that_holds_a_fixed_one_has_nothing_to_learn():
    fixed = Chinchilla(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3)  # its own sigma is not read
    law, study = Pooled(sigma=0.01, curve=fixed), worlds.pooled(count=2).study
    with pytest.raises(bs.LawError, match="All parameters of Pooled are fixed, so there is nothing to fit"):
        check_learns(law, *law.arrays(study))
    with pytest.raises(bs.LawError, match="All parameters of Pooled are fixed, so there is nothing to fit"):
        bs.fit_many(law, [study], seed=0, progress=False)


def test_one_distinct_size_is_refused():
    assert "has N = 1e+09, so Chinchilla cannot learn its effect" in refused(TABLE.assign(N=1e9), Chinchilla())


def test_a_study_that_the_law_cannot_read_is_refused():
    assert "needs the column 'tokens'" in refused(TABLE.drop(columns="D"), Chinchilla())


def test_a_task_without_any_accuracy_is_refused_by_name(ladder):
    frame = ladder.training.frame
    blank = frame.assign(accuracy=frame["accuracy"].mask(frame["task"] == "PIQA"))
    error = refusal(TwoStep(), dataclasses.replace(ladder, frame=blank))
    assert "No run of study 'olmo_ladder' has accuracy of 'PIQA'; give that of some" in str(error)


def test_a_task_whose_accuracies_are_one_is_refused_by_name_unless_its_noise_is_known_or_clipped(ladder):
    frame = ladder.training.frame.drop(columns="questions")
    piqa = frame["task"] == "PIQA"

    def said(level, law=None, **changes):
        table = dataclasses.replace(ladder, frame=frame.assign(**changes, accuracy=level))
        return str(refusal(law or TwoStep(), table) or "")

    same = frame["accuracy"].mask(piqa, 0.25)
    told = r"The accuracy of 'PIQA' is the same, 0.25, in all 16 runs of study 'olmo_ladder' that have one, as if runs"
    assert said(same).startswith(told) and said(same, DirectLadder()).startswith(told)
    assert not said(same, questions=1838) and not said(frame["accuracy"].mask(piqa, 0.0))
    few = frame["run"].isin(frame["run"].unique()[:2])
    assert not said(same.mask(piqa & ~few, np.nan))  # the prior of the noise holds two runs


class Rewarded(bs.Law):
    """A reward below a ceiling."""

    outcome, unit, better = "reward", "points", {"reward": "higher"}
    E: bs.Prior = dist.LogNormal(3.0, 1.0)
    share: bs.Prior = dist.Uniform(0.0, 1.0)

    def mean(self, C, *, E, share):
        return E * share + 0 * C


def test_an_outcome_beyond_a_limit_that_is_fixed_is_refused_on_its_own_side():
    assert "fixes its floor E at 30, and study 'runs' has a loss of 2.45" in refused(TABLE, Chinchilla(E=30.0))
    rewards = pd.DataFrame({"C": np.geomspace(1e18, 1e21, 6), "reward": np.linspace(5.0, 10.0, 6)})
    assert not refused(rewards, Rewarded(E=10.0))
    said = "Rewarded fixes its ceiling E at 9, and study 'runs' has a reward of 10; fix it above every outcome"
    assert refused(rewards, Rewarded(E=9.0)).startswith(said)
    tasks = pd.concat([TABLE.assign(run=range(len(TABLE)), task=task) for task in "ab"])
    assert "Chinchilla fixes its floor E at 30" in refused(tasks, Pooled(curve=Chinchilla(E=30.0)))
    assert not refused(tasks, Pooled(curve=Chinchilla(E=1.0))) and not refused(tasks, Pooled())


class Climbing(bs.Law):
    """An accuracy without a ceiling, above a floor E."""

    outcome, unit = "accuracy", "fraction"
    E: bs.Prior = dist.Uniform(0.0, 1.0)
    gain: bs.Prior = dist.LogNormal(-1.0, 1.0)

    def mean(self, C, C0, *, E, gain):
        return E + gain * (C / C0) ** 0.1

    def irreducible(self, runs, parameters):
        return None


def test_a_fixed_parameter_is_a_limit_only_where_the_law_says_so():
    table = pd.DataFrame({"C": np.geomspace(1e18, 1e21, 6), "accuracy": np.linspace(0.3, 0.51, 6)})
    assert not refused(table, Climbing(E=0.25))

    class Limited(Climbing):
        def irreducible(self, runs, parameters):
            return parameters["E"]

    said = "Limited fixes its ceiling E at 0.25, and study 'runs' has an accuracy of 0.51; fix it above every outcome"
    assert refused(table, Limited(E=0.25)).startswith(said)

    class Learnt(Climbing):
        def irreducible(self, runs, parameters):
            return parameters["E"] + parameters["gain"]

    assert not refused(table, Learnt(E=0.25))


def test_a_floor_of_nothing_is_refused_where_all_is_a_multiple_of_it():
    for law in (Chinchilla(E=0.0), Kaplan(E=0.0)):
        assert refused(TABLE, law).startswith(
            f"{law.name} fixes its floor E at 0, and its reducible loss is a multiple"
        )
    law = PowerLaw(E=1e-6, reducible=dist.LogNormal(14.0, 3.0))  # as is advised
    assert not refused(pd.DataFrame({"C": np.geomspace(1e18, 1e21, 12), "loss": np.geomspace(3.3, 2.2, 12)}), law)


def test_the_floor_below_a_ceiling_is_compared_in_the_unit_of_the_outcome():
    """A loss E of 0.5 is an error rate of 0.393."""
    rates = TABLE.assign(loss=np.linspace(0.99, 0.45, len(TABLE)))
    tasks = pd.concat([rates.assign(run=range(len(rates)), task=task) for task in "ab"])
    law = Superset(ceiling=True, E=0.5)
    for table, one in ((rates, law), (tasks, Pooled(curve=law))):
        assert not refused(table, one)
        said = (
            "Superset fixes its floor E at 0.5, a loss of 0.393469, and study 'runs' has a loss of 0.39; fix it below"
        )
        assert refused(table.assign(loss=table["loss"].clip(upper=0.39)), one).startswith(said)


def test_accuracies_of_one_task_that_are_one_are_refused_unless_their_noise_is_known():
    table = pd.DataFrame({"loss": np.linspace(2.0, 1.0, 8), "accuracy": 0.4, "chance": 0.25})
    said = "The accuracy is the same, 0.4, in all 8 runs of study 'runs' that have one, as if runs had no noise; "
    questions = "give the number of its questions in a column 'questions'."
    assert refused(table, SigmoidAccuracy()) == said + questions
    assert not refused(table.assign(questions=100), SigmoidAccuracy())
    assert not refused(table, SigmoidAccuracy(sigma=0.01))
    assert not refused(table.assign(accuracy=[0.4] * 7 + [0.41]), SigmoidAccuracy())

    class Plain(bs.Law):
        outcome, unit = "accuracy", "fraction"
        level: bs.Prior = dist.Uniform(0.0, 1.0)

        def mean(self, loss, *, level):
            return level + 0 * loss

    assert refused(table, Plain()) == said + "fix the noise of Plain, sigma, at a positive number."


def two_curves():
    curve = pd.DataFrame(
        {"tokens": np.geomspace(1e9, 1e10, 8), "loss": np.linspace(3.5, 3.0, 8), "checkpoint": range(8)}
    )
    both = pd.concat(
        [curve.assign(run="small"), curve.assign(run="large", loss=curve["loss"] - 0.3)], ignore_index=True
    )
    return bs.Study.from_frame(both)


def test_the_checkpoints_of_several_runs_are_no_learning_curve():
    law, study = LearningCurve(), two_curves()
    said = "LearningCurve describes the checkpoints of one run, and study 'runs' has those of 2; choose one of them"
    assert str(refusal(law, study)) == f"{said}, as in study.select(run='small')."
    assert refusal(law, study.select(run="large")) is None and refusal(PowerLaw(column="tokens"), study) is None


def test_a_command_chooses_one_of_several_curves_by_where(command):
    assert str(refusal(LearningCurve(), two_curves())).endswith("""as in --where "run == 'small'".""")
