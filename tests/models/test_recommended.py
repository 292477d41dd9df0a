from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import averaging
from bayes_scaling.evaluation.averaging import average_problems
from bayes_scaling.models import RepeatedData, Superset, SupersetInCompute, SupersetInFlops
from bayes_scaling.models.population import POPULATION
from bayes_scaling.models.recommended import candidates, fit_runs
from tests import worlds


def laws(**columns: list[float]) -> set[type]:
    study = bs.Study.from_frame({"loss": [4.0, 3.5, 3.2], **columns})
    return {type(law) for law in candidates(study).values()}


SIZES = {"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9]}


def test_columns_decide_on_the_candidates():
    assert laws(**SIZES) == {Superset}
    assert laws(flops=[1e18, 1e19, 1e20]) == {SupersetInFlops}
    assert laws(**SIZES, flops=[1.2e18, 4.8e18, 1.92e19]) == {Superset}
    assert laws(**SIZES, flops=[1.2e18, 9.6e18, 1.92e19]) == {Superset, SupersetInCompute}
    with pytest.raises(bs.StudyError, match="neither FLOPs nor both of n_params and tokens"):
        laws(N=[1e8, 2e8, 4e8])


def test_error_rates_are_bounded_and_losses_are_not():
    for unit in ("error rate", "error rate (top-1)", "fraction (1 - accuracy)"):
        study = bs.Study.from_frame({"loss": [0.4, 0.35, 0.3], **SIZES}, unit=unit)
        assert all(law.ceiling for law in candidates(study).values())
    assert not any(law.ceiling for law in candidates(bs.Study.from_frame({"loss": [4.0, 3.5, 3.2], **SIZES})).values())


def test_what_is_learnt_comes_from_the_population_given():
    other = dataclasses.replace(POPULATION, drift=0.05, scatter=1.2)
    study = bs.Study.from_frame({"loss": [4.0, 3.5, 3.2], **SIZES})
    assert all((law.drift, law.scatter) == (0.05, 1.2) for law in candidates(study, other).values())


@pytest.fixture(scope="module")
def forecast():
    rng = np.random.default_rng(0)
    table = pd.DataFrame([(n, r * n) for n in (5e7, 1e8, 2e8, 4e8) for r in (10, 20, 40, 80)], columns=["N", "D"])

    def loss(N, D):
        return 1.8 + 406 / N**0.34 + 410 / D**0.28

    table["loss"] = loss(table["N"], table["D"]) * np.exp(rng.normal(0, 0.003, len(table)))
    target = {"N": 4e9, "D": 2e11, "loss": loss(4e9, 2e11)}
    return bs.forecast_runs(bs.Study.from_frame(table), target, seed=0, draws=500)


def test_a_simulated_study_is_forecast(forecast):
    (row,) = forecast.score().to_dict("records")
    assert abs(row["relative_error"]) < 0.1 and row["width90"] < 0.5


def test_it_says_what_its_weights_rest_on(forecast):
    assert forecast.weights.sum() == pytest.approx(1)
    assert list(forecast.weights.index) == list(forecast.posteriors)
    assert all(fit.diagnostics.converged for fit in forecast.posteriors.values())
    tests = forecast.backtests
    assert len(set(tests["fitted"])) == 3 and min(tests["fitted"]) >= 8
    assert len(tests) == sum(16 - fitted for fitted in set(tests["fitted"]))
    assert tests["inside"].mean() > 0.7


def test_a_ladder_is_forecast_as_the_command_does_it(ladder):
    said = []
    how = {"draws": 25, "chains": 2, "adapt": False, "allow_unconverged": True}
    some = ladder.select(task=["PIQA", "MMLU"])
    found = bs.forecast_runs(some, seed=0, say=said.append, **how)
    assert list(found.weights.index) == ["TwoStep (task_loss)", "TwoStep (c4_loss)"]
    assert found.weights.tolist() == [0.5, 0.5]
    assert said[0].startswith("Fitting TwoStep (task_loss) (1 of 2) to ") and found.backtests.empty
    assert set(found.intervals()["task"]) >= set(some.tasks) and "\n" not in repr(found)
    one = ladder.select(task="PIQA")
    assert "accuracy" in bs.forecast_runs(one, seed=0, **how).units
    assert list(bs.forecast_runs(one.rename(loss="task_loss"), seed=0, **how).units) == ["loss"]


NO_NUMBER = "TwoStep says an accuracy that is NaN at target 'a' in 1.0% of its draws; go nearer."


def test_a_refused_forecast_of_a_ladder_is_named_by_the_loss_it_goes_through(ladder, monkeypatch):
    def refused(posterior, targets, **_):
        raise bs.LawError(NO_NUMBER)

    fits = [(name, worlds.ladder(count=20)) for name in ("TwoStep (task_loss)", "TwoStep (c4_loss)")]
    monkeypatch.setattr(averaging, "fit_each", lambda *_, **__: iter(fits))
    monkeypatch.setattr(averaging, "forecast", refused)
    with pytest.raises(
        bs.LawError, match=r"^TwoStep \(task_loss\) says an accuracy that is NaN at target 'a' in 1\.0%"
    ):
        bs.forecast_runs(ladder, seed=0, allow_unconverged=True)


def test_a_loss_through_which_the_forecast_is_refused_is_left_out_with_its_reason(ladder, monkeypatch):
    fits = {f"TwoStep ({loss})": worlds.ladder(seed, count=20) for seed, loss in enumerate(("a_loss", "b_loss", "c"))}
    monkeypatch.setattr(averaging, "fit_each", lambda *_, **__: iter(fits.items()))

    def some(posterior, targets, **how):
        if posterior is fits["TwoStep (b_loss)"]:
            raise bs.LawError(NO_NUMBER)
        return bs.forecast(posterior, targets, **how)

    monkeypatch.setattr(averaging, "forecast", some)
    target = {"N": 7e9, "D": 4e12}
    made = bs.forecast_runs(ladder, target, seed=0, allow_unconverged=True)
    assert made.weights.to_dict() == {"TwoStep (a_loss)": 0.5, "TwoStep (c)": 0.5}
    assert made.left_out == ("TwoStep (b_loss)",) and list(made.posteriors) == list(made.weights.index)
    left = bs.average([fits[name].forecast(target, allow_unconverged=True) for name in made.weights.index], seed=0)
    assert made.intervals().equals(left.intervals())
    (problem,) = average_problems(made)
    assert problem.code == "left-out" and "(TwoStep (b_loss) says an accuracy that is NaN at" in problem.sentence


def test_losses_of_several_tasks_are_sent_to_the_pooled_law():
    study = worlds.pooled().study
    for refused in (bs.fit_runs, partial(bs.forecast_runs, targets={"N": 7e9, "D": 4e12})):
        with pytest.raises(bs.StudyError, match=r"'known' has 2 tasks, and laws .*, as in bs.fit\(Pooled\(\), study, "):
            refused(study, seed=0)


def test_a_table_in_place_of_a_study_is_refused():
    with pytest.raises(bs.StudyError, match="The study is a DataFrame; make it one with"):
        bs.forecast_runs(pd.DataFrame({"loss": [4.0, 3.5], "N": [1e8, 2e8]}), seed=0)
    for laws in (None, {"one": Superset()}):
        with pytest.raises(bs.StudyError, match="The study is a DataFrame; make it one with"):
            fit_runs(pd.DataFrame({"loss": [4.0, 3.5], "N": [1e8, 2e8]}), seed=0, laws=laws)


def test_what_repeats_are_worth_is_learnt_where_different_tokens_are_known():
    once, again = (bs.Study.from_frame({"loss": [4.0, 3.5, 3.2], **SIZES, **more})
                   for more in ({}, {"unique_samples": [1e9, 1e9, 1e9]}))  # fmt: skip
    assert all("repeats" not in law.free_parameters for law in candidates(once).values())
    assert all(law.repeats is RepeatedData().repeats for law in candidates(again).values())
