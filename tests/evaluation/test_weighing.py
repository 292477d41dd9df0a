from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import weighing
from bayes_scaling.evaluation.held_out import SLOPES, HeldOut
from bayes_scaling.evaluation.weighing import split_by_compute, weigh
from bayes_scaling.models import Chinchilla, Kaplan, LearningCurve, Pooled, Superset

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
        assert beyond["run"].tolist() == [f"row {i + 1}" for i in runs.index[flops > cut]]
        assert beyond["actual"].tolist() == runs["loss"][flops > cut].tolist()
        assert (beyond["fitted"] == (flops <= cut).sum()).all()
    assert table["error"].abs().max() < 0.05 and (table["q95"] - table["q05"]).between(0.001, 1.0).all()


@pytest.mark.parametrize(("silent", "rows"), [({"Kaplan": 80}, 3), ({"Kaplan": 80, "Chinchilla": 256}, 2)])
def test_a_law_that_says_nan_of_a_run_has_no_say_in_its_backtest(silent, rows, monkeypatch):
    """And a run of which no law says a number has no row, so that it is no miss."""

    def held_out(windows, *, seed):
        rng, found = np.random.default_rng(seed), []
        for one in windows:
            actual = one.law.outcomes_of(one.held_out)
            outcomes = actual * (1 + 0.01 * rng.normal(size=(len(SLOPES), 256, len(actual))))
            density = np.full((len(SLOPES), len(actual)), 3.0)
            if count := silent.get(one.law.name, 0):
                outcomes[:, :count, -1], density[:, -1] = np.nan, np.nan
            found.append(HeldOut(density, outcomes))
        return found

    monkeypatch.setattr(weighing, "hold_out", held_out)
    laws = {"chinchilla": Chinchilla(), "kaplan": Kaplan()}
    found = weigh(laws, made_by(Chinchilla(), **CONSTANTS), seed=0, own_cuts=4.0, sharpness=0.0)
    last = found.backtests[found.backtests["cut"] == found.backtests["cut"].max()]
    assert len(last) == rows and found.backtests["inside"].all() and not found.backtests.isna().any(axis=None)
    assert last["fitted"].nunique() == 1 and last["error"].abs().max() < 0.01


def test_without_sharpness_all_weigh_alike_and_without_cuts_nothing_is_learnt():
    law = Superset()
    found = weigh({"a": law, "b": law.replace(bottleneck=1.0)}, made_by(Chinchilla(), **CONSTANTS), seed=0,
                  own_cuts=0.0, sharpness=0.0)  # fmt: skip
    assert found.weights.tolist() == [0.5, 0.5]
    drift, spread = found.laws["a"].slope_moments
    assert drift == pytest.approx(law.drift, abs=0.02) and spread == pytest.approx(law.slope_moments[1], abs=0.03)


def test_doubt_about_how_much_cuts_count_widens_what_they_say():
    laws, study = {"a": Superset(), "b": Superset(bottleneck=1.0)}, made_by(Chinchilla(), **CONSTANTS)
    several = {"own_cuts": {0.0: 0.5, 8.0: 0.5}, "sharpness": {0.0: 0.5, 16.0: 0.5}}
    none, all_of_it, doubtful = (
        weigh(laws, study, seed=0, **one)
        for one in ({"own_cuts": 0.0, "sharpness": 0.0}, {"own_cuts": 8.0, "sharpness": 16.0}, several)
    )
    assert np.allclose(doubtful.weights, (none.weights + all_of_it.weights) / 2)
    (mean0, spread0), (mean1, spread1), (mean, spread) = (
        each.laws["a"].slope_moments for each in (none, all_of_it, doubtful)
    )
    assert mean == pytest.approx((mean0 + mean1) / 2, abs=1e-3)
    apart = (mean0 - mean1) / 2
    assert spread == pytest.approx(np.sqrt((spread0**2 + spread1**2) / 2 + apart**2), abs=0.02) and spread > spread1


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


def test_weights_do_not_hang_on_the_seed():
    few = bs.Study.from_frame(made_by(Chinchilla(), **CONSTANTS).frame.iloc[:10])
    laws = {"chinchilla": Superset(coupling=1.0), "superset": Superset()}
    weights = np.array([weigh(laws, few, seed=seed, **LEARNT).weights.to_numpy() for seed in range(4)])
    assert np.ptp(weights, axis=0).max() < 0.3


def test_what_cannot_be_weighed_is_refused_in_a_sentence():
    with pytest.raises(bs.LawError, match="no law to average"):
        weigh({}, made_by(Chinchilla(), **CONSTANTS), seed=0, **LEARNT)
    for law in (LearningCurve(), Pooled()):
        with pytest.raises(bs.LawError, match=f"{law.name} has a model of its own, and laws are weighed by the noise"):
            weigh({"a": law}, made_by(Chinchilla(), **CONSTANTS), seed=0, **LEARNT)
    with pytest.raises(bs.StudyError, match="cannot be ordered by compute"):
        split_by_compute(bs.Study.from_frame({"N": [1e8, 2e8], "loss": [4.0, 3.5]}), ())


def test_a_law_that_is_there_twice_weighs_the_same_both_times_wherever_it_stands():
    study = made_by(Chinchilla(), **CONSTANTS)
    one = weigh({"a": Chinchilla(), "b": Kaplan(), "c": Chinchilla()}, study, seed=3, **LEARNT).weights
    other = weigh({"c": Chinchilla(), "a": Chinchilla(), "b": Kaplan()}, study, seed=3, **LEARNT).weights
    assert one["a"] == pytest.approx(one["c"]) and one.to_dict() == pytest.approx(other[one.index].to_dict())
