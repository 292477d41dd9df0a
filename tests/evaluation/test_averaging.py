from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import averaging
from bayes_scaling.evaluation.averaging import (
    AveragedFit,
    average_laws,
    average_problems,
    cut_scores,
    law_weights,
    slope_weights,
    slopes_after,
    split_by_compute,
    weigh,
)
from bayes_scaling.evaluation.held_out import SLOPES
from bayes_scaling.models import Chinchilla, Kaplan, Superset
from tests import worlds

LEARNT = {"own_cuts": 4.0, "sharpness": 16.0}


def made_by(law: bs.Law, **constants: float) -> bs.Study:
    rng = np.random.default_rng(1)
    runs = pd.DataFrame([(n, r * n) for n in (1e8, 2e8, 4e8, 8e8) for r in (5, 20, 80, 320)], columns=["N", "D"])
    mean = law.mean(runs["N"].to_numpy(), runs["D"].to_numpy(), 3e8, 1e10, **constants)
    runs["loss"] = np.asarray(mean) * np.exp(rng.normal(0, 0.001, len(runs)))
    return bs.Study.from_frame(runs)


CONSTANTS = {"E": 1.7, "reducible": 0.6, "split": 0.5, "alpha_N": 0.35, "alpha_D": 0.35}


@pytest.fixture(scope="module")
def weighed():
    laws = {"chinchilla": Chinchilla(), "kaplan": Kaplan()}
    return {type(law): weigh(laws, made_by(law, **CONSTANTS), seed=0, **LEARNT) for law in laws.values()}


def test_the_law_that_made_the_runs_weighs_most(weighed):
    assert weighed[Chinchilla].weights["chinchilla"] > 0.5
    assert weighed[Kaplan].weights["kaplan"] > 0.5


def test_backtests_are_forecasts_of_larger_runs_from_smaller(weighed):
    table, runs = weighed[Chinchilla].backtests, made_by(Chinchilla(), **CONSTANTS).frame
    flops = 6 * runs["n_params"] * runs["tokens"]
    assert table["cut"].nunique() == 2  # the half and the four fifths; two thirds end at the size of one of them
    for cut, beyond in table.groupby("cut"):
        assert beyond["run"].tolist() == runs.index[flops > cut].tolist()
        assert beyond["actual"].tolist() == runs["loss"][flops > cut].tolist()
        assert (beyond["fitted"] == (flops <= cut).sum()).all()
    assert table["error"].abs().max() < 0.05 and (table["q95"] - table["q05"]).between(0.001, 1.0).all()


def test_without_sharpness_all_weigh_alike_and_without_cuts_nothing_is_learnt():
    law = Superset()
    found = weigh({"a": law, "b": law.replace(bottleneck=1.0)}, made_by(Chinchilla(), **CONSTANTS), seed=0,
                  own_cuts=0.0, sharpness=0.0)  # fmt: skip
    assert found.weights.tolist() == [0.5, 0.5]
    drift, spread = found.laws["a"].slope_moments
    assert drift == pytest.approx(law.drift, abs=0.02) and spread == pytest.approx(law.discrepancy, abs=0.03)


def test_several_counts_of_evidence_give_what_each_gives():
    rng = np.random.default_rng(0)
    cuts = [rng.normal(-1, 1, (len(SLOPES), runs)) for runs in (4, 7)]
    counts = np.array([0.0, 2.0])
    each = [slopes_after(cuts, (0.1, 0.2), count) for count in counts]
    assert np.allclose(slopes_after(cuts, (0.1, 0.2), counts[:, None]), each)
    scores = [cut_scores(cuts, (mean, 0.2)) for mean in (0.0, 0.4)]
    both = law_weights(scores, counts[:, None, None])
    assert np.allclose(both, [law_weights(scores, count) for count in counts]) and np.allclose(both[0], 0.5)


def test_a_study_whose_slope_bends_moves_the_error():
    straight = made_by(Chinchilla(), **CONSTANTS)
    flops = 6 * straight.column("n_params") * straight.column("tokens")
    bent = straight.frame.assign(loss=straight.frame["loss"] * np.exp(-0.004 * np.log(flops / flops.min()) ** 1.5))
    laws = {"one": Superset()}
    found = [weigh(laws, study, seed=0, **LEARNT) for study in (straight, bs.Study.from_frame(bent))]
    assert found[1].laws["one"].slope_moments[0] > found[0].laws["one"].slope_moments[0]


def test_too_few_runs_for_backtests_leave_equal_weights():
    three = pd.DataFrame({"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.9, 3.6, 3.3]})
    laws = {"a": Superset(), "b": Superset(bottleneck=1.0)}
    found = weigh(laws, bs.Study.from_frame(three), seed=0, **LEARNT)
    assert found.backtests.empty and found.weights.tolist() == [0.5, 0.5]
    assert found.laws["a"].slope_moments == laws["a"].slope_moments


def test_cuts_fit_at_least_as_many_runs_as_the_laws_have_parameters():
    study = made_by(Chinchilla(), **CONSTANTS)
    few = bs.Study.from_frame(study.frame.iloc[:10])
    counts = [[len(small) for _, small, _ in split_by_compute(few, (law,))] for law in (Chinchilla(), Superset())]
    assert counts == [[6, 9], [9]]  # of five and of seven


def test_weights_and_forecasts_do_not_hang_on_the_seed():
    few = bs.Study.from_frame(made_by(Chinchilla(), **CONSTANTS).frame.iloc[:10])
    laws = {"chinchilla": Superset(coupling=1.0), "superset": Superset()}
    weights = np.array([weigh(laws, few, seed=seed, **LEARNT).weights.to_numpy() for seed in range(4)])
    assert np.ptp(weights, axis=0).max() < 0.3
    options = {**LEARNT, "draws": 200, "adapt": False, "allow_unconverged": True}
    rows = [average_laws(laws, few, {"N": 8e9, "D": 1.6e11}, seed=s, **options).intervals().iloc[0] for s in (0, 1)]
    width = rows[0]["q95"] - rows[0]["q05"]
    assert all(abs(rows[0][level] - rows[1][level]) < 0.3 * width for level in ("q05", "median", "q95"))


def test_what_cannot_be_averaged_is_refused_in_a_sentence():
    study = made_by(Chinchilla(), **CONSTANTS)
    with pytest.raises(bs.LawError, match="no law to average"):
        weigh({}, study, seed=0, **LEARNT)
    with pytest.raises(bs.TargetError, match="needs D"):
        average_laws({"one": Superset()}, study, {"N": 1e9}, seed=0, **LEARNT)
    with pytest.raises(bs.StudyError, match="cannot be ordered by compute"):
        split_by_compute(bs.Study.from_frame({"N": [1e8, 2e8], "loss": [4.0, 3.5]}), ())


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


def test_laws_left_out_speak_against_an_average():
    (problem,) = average_problems(average_of(9, left_out=["kaplan"]))
    assert problem.code == "left-out" and problem.value == 1
    assert str(problem).startswith("kaplan was left out of the average, because its chains did not converge: take more")
    assert problem.remedy == "take more draws, so that the forecast holds what it says too"
    (both,) = average_problems(average_of(9, left_out=["kaplan", "superset"]))
    assert both.sentence.startswith("kaplan and superset were left out")


def test_weights_of_slopes_have_the_moments_asked_for():
    weight = slope_weights(0.3, 0.2)
    assert weight.sum() == pytest.approx(1) and weight @ SLOPES == pytest.approx(0.3, abs=0.02)
