from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import averaging, weighing
from bayes_scaling.evaluation.averaging import AveragedFit, average_laws, average_problems, fit_laws, named_laws
from bayes_scaling.models import Chinchilla, PowerLaw, Superset, TwoStep
from tests import worlds
from tests.evaluation.test_weighing import CONSTANTS, LEARNT, made_by


def test_forecasts_do_not_hang_on_the_seed():
    few = bs.Study.from_frame(made_by(Chinchilla(), **CONSTANTS).frame.iloc[:10])
    laws = {"chinchilla": Superset(coupling=1.0), "superset": Superset()}
    options = {**LEARNT, "draws": 200, "adapt": False, "allow_unconverged": True}
    rows = [average_laws(laws, few, {"N": 8e9, "D": 1.6e11}, seed=s, **options).intervals().iloc[0] for s in (0, 1)]
    width = rows[0]["q95"] - rows[0]["q05"]
    assert all(abs(rows[0][level] - rows[1][level]) < 0.3 * width for level in ("q05", "median", "q95"))


def test_what_cannot_be_averaged_is_refused_in_a_sentence():
    study = made_by(Chinchilla(), **CONSTANTS)
    with pytest.raises(bs.TargetError, match="needs D"):
        average_laws({"one": Superset()}, study, {"N": 1e9}, seed=0, **LEARNT)


@pytest.mark.parametrize(
    ("laws", "seed", "message"),
    [
        ({"a": Chinchilla}, 0, r"which is a type and no law; write Chinchilla\(\)"),
        ([Chinchilla], 0, r"which is a type and no law; write Chinchilla\(\)"),
        (Chinchilla, 0, r"which is a type and no law; write Chinchilla\(\)"),
        ([], 0, "no law to average"),
        ([Chinchilla()], -1, "seed is -1; give a whole number of at least 0"),
        ({"a": Chinchilla()}, "x", "seed is 'x'; give a whole number of at least 0"),
    ],
)
def test_what_is_no_law_and_no_seed_is_refused_before_the_backtests(laws, seed, message, monkeypatch):
    monkeypatch.setattr(weighing, "hold_out", lambda *_, **__: pytest.fail("backtests are made"))
    study, target = made_by(Chinchilla(), **CONSTANTS), {"N": 8e9, "D": 1.6e11}
    for average in (
        lambda: average_laws(laws, study, target, seed=seed, **LEARNT),
        lambda: fit_laws(laws, study, seed=seed, **LEARNT),
    ):
        with pytest.raises(bs.BayesScalingError, match=message):
            average()


def test_laws_without_names_have_their_own():
    one, other = Chinchilla(), Superset()
    assert named_laws([one]) == named_laws(one) == {"Chinchilla": one}
    assert named_laws((one, other)) == {"Chinchilla (1)": one, "Superset (2)": other}
    assert named_laws({"a": one}) == {"a": one}
    assert list(named_laws([TwoStep(), TwoStep(pool=None)])) == ["TwoStep (task_loss, 1)", "TwoStep (task_loss, 2)"]
    laws = {"a": one, "b": other}  # whatever holds them
    assert named_laws(laws.values()) == named_laws(iter([one, other])) == named_laws([one, other])
    for odd in (None, "chinchilla", 3):
        with pytest.raises(bs.LawError, match=r"and no law; write Chinchilla\(\)"):
            named_laws(odd)


def average_of(inside, outside=0, left_out=()):
    tests = pd.DataFrame({"inside": [True] * inside + [False] * outside})
    tests = tests.assign(run=[f"r{i}" for i in range(len(tests))], cut=1e18)
    return AveragedFit(pd.Series(dtype=float), tests, {}, tuple(left_out))


def test_backtests_that_miss_speak_against_an_average():
    (problem,) = average_problems(average_of(4, 5))
    assert problem.code == "backtests" and problem.value == pytest.approx(4 / 9)
    assert str(problem).startswith(
        "Of the 9 runs forecast in the backtests 4 lay inside the 90 % interval (about 8 where"
    )
    assert "runs of one study err alike" in problem.sentence
    assert "make a larger run first" in problem.remedy
    assert not average_problems(average_of(0)) and not average_problems(average_of(7, 2))


def test_a_run_beyond_several_cuts_counts_once_as_the_last_of_them_forecasts_it():
    one = average_of(3, 2)
    cuts = [one.backtests.assign(cut=cut) for cut in (1e18, 2e18, 4e18)]
    assert not average_problems(one)  # that two of five runs miss may be chance
    assert not average_problems(dataclasses.replace(one, backtests=pd.concat(cuts, ignore_index=True)))
    right = average_of(9).backtests.assign(cut=2e18)
    both = pd.concat([average_of(4, 5).backtests, right], ignore_index=True)
    assert not average_problems(dataclasses.replace(one, backtests=both))
    assert average_problems(dataclasses.replace(one, backtests=both.iloc[::-1])).codes == ["backtests"]


@pytest.mark.parametrize(("noise", "left_out"), [(1e-3, ("kaplan",)), (1e-7, ())])
def test_no_law_is_left_out_for_what_is_wrong_with_the_runs(monkeypatch, noise, left_out):
    fits = {}
    for name, rhat in (("chinchilla", 1.0), ("kaplan", 3.0)):
        fit = worlds.chinchilla()
        diagnostics = dataclasses.replace(fit.diagnostics, max_rhat=rhat, noise=noise)
        fits[name] = dataclasses.replace(fit, diagnostics=diagnostics)
    monkeypatch.setattr(averaging, "fit_each", lambda *_, **__: fits.items())
    laws = {"chinchilla": Chinchilla(), "kaplan": Chinchilla()}
    found = averaging.fit_laws(laws, made_by(Chinchilla(), **CONSTANTS), seed=0, **LEARNT)
    assert found.left_out == left_out and found.weights.sum() == pytest.approx(1)
    assert list(found.posteriors) == [name for name in fits if name not in left_out]


class Kinked(PowerLaw):
    """A power law that is no number where its floor is below 1.65."""

    def mean(self, C, C0, *, E, reducible, alpha_C):
        return super().mean(C, C0, E=E, reducible=reducible, alpha_C=alpha_C) + jnp.sqrt((E > 1.65) - 0.5) * 0


def test_a_law_whose_forecast_is_refused_leaves_its_weight_to_the_others(monkeypatch):
    table = pd.DataFrame({"C": np.geomspace(1e18, 1e20, 10)})
    draws = {name: np.full(100, v) for name, v in {"E": 1.7, "reducible": 0.5, "alpha_C": 0.15, "sigma": 0.01}.items()}
    odd = draws | {"E": np.where(np.arange(100) == 3, 1.6, 1.7)}  # one draw of a hundred
    fits = {"a": worlds.known(PowerLaw(), draws, table), "b": worlds.known(Kinked(), odd, table)}
    found = AveragedFit(pd.Series({"a": 0.6, "b": 0.4}), pd.DataFrame(), fits)
    monkeypatch.setattr(averaging, "fit_laws", lambda *_, **__: found)
    laws, study = {name: one.law for name, one in fits.items()}, fits["a"].study
    far = {"target": "far; x", "C": 1e21}
    made = average_laws(laws, study, far, seed=0, **LEARNT)
    assert made.left_out == ("b",) and made.refused == {"b": 0.4}
    assert made.weights.to_dict() == {"a": 1.0} and list(made.posteriors) == ["a"]
    assert made.intervals().equals(bs.forecast(fits["a"], far).intervals())
    (problem,) = average_problems(made)
    assert problem.code == "left-out" and problem.sentence.startswith(
        "b (weight 0.40) was left out of the average, because its forecast is no number at a target"
    )
    assert problem.sentence.endswith("(b says a loss that is NaN at target 'far; x' in 1.0% of its draws)")
    assert problem.remedy == "the forecast does not hold what it says, so forecast nearer targets"
    tested = dataclasses.replace(made, backtests=pd.DataFrame({"run": ["a"], "inside": [True]}))
    assert "what backtests gave weight, so" in average_problems(tested).only("left-out")[0].remedy
    found = AveragedFit(pd.Series({"b": 1.0}), pd.DataFrame(), {"b": fits["b"]})
    with pytest.raises(bs.LawError, match=r"^b says a loss that is NaN at target"):
        average_laws({"b": Kinked()}, study, {"C": 1e21}, seed=0, **LEARNT)


def test_laws_left_out_speak_against_an_average():
    (problem,) = average_problems(average_of(9, left_out=["kaplan"]))
    assert problem.code == "left-out" and problem.value == 1
    assert str(problem).startswith("kaplan was left out of the average, because its chains did not converge: take more")
    assert problem.remedy == "take more draws, so that the forecast holds what it says too"
    (both,) = average_problems(average_of(9, left_out=["kaplan", "superset"]))
    assert both.sentence.startswith("kaplan and superset were left out")


def test_of_many_laws_of_equal_weight_none_is_too_light(monkeypatch):
    fit, laws = worlds.chinchilla(count=4), {f"law {i}": Chinchilla() for i in range(60)}
    equal = weighing.Weighing(laws, pd.Series(1 / 60, list(laws)), average_of(9).backtests)
    monkeypatch.setattr(averaging, "weigh", lambda *_, **__: equal)
    monkeypatch.setattr(averaging, "fit_each", lambda laws, *_, **__: dict.fromkeys(laws, fit).items())
    assert len(fit_laws(laws, fit.study, seed=0, **LEARNT).weights) == 60
