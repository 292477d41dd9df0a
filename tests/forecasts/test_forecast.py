from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
from tests import worlds


@pytest.fixture(scope="module")
def posterior():
    study = bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="c4_loss")
    return bs.fit(Chinchilla(), study, seed=0)


FAR = {"N": 7e9, "D": 4e12}


def width(forecast, band):
    row = forecast.intervals(band).iloc[0]
    return row["q95"] - row["q05"]


def test_bands_nest_from_law_to_new_run(posterior):
    forecast = posterior.forecast(FAR)
    assert width(forecast, "law") < width(forecast, "mean") < width(forecast, "run")


def test_discrepancy_can_be_switched_off_and_grows_with_distance(posterior):
    assert width(posterior.forecast(FAR, discrepancy=False), "mean") == pytest.approx(
        width(posterior.forecast(FAR), "law")
    )
    near = posterior.forecast({"N": 3e9, "D": 3e10})
    far = posterior.forecast(FAR)
    assert width(near, "mean") / width(near, "law") < width(far, "mean") / width(far, "law")
    inside = posterior.forecast({"N": 4e8, "D": 1e10})
    assert width(inside, "mean") == pytest.approx(width(inside, "law"))


def test_extrapolation_distance_is_a_ratio_of_flops(posterior):
    largest = posterior.study.frame["n_params"] * posterior.study.frame["tokens"]
    assert posterior.forecast(FAR).targets["distance"].iloc[0] == pytest.approx(7e9 * 4e12 / largest.max())


def test_seed_decides_the_draws(posterior):
    a, b, c = (posterior.forecast(FAR, seed=s).draws["loss_run"].to_numpy() for s in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_known_outcomes_are_scored(posterior):
    targets = pd.DataFrame({"N": [2e9, 3e9], "D": [1e11, 1e11], "loss": [2.6, 2.5]}, index=["a", "b"])
    scores = posterior.forecast(targets).score()
    assert list(scores["actual"]) == [2.6, 2.5]
    assert (scores["error"] == scores["median"] - scores["actual"]).all()


def test_outcomes_are_found_by_their_labels():
    posterior = worlds.chinchilla(count=20)
    table = pd.DataFrame({"N": [2e9, 3e9], "D": [1e11, 1e11], "loss": [2.6, 2.5]}, index=["a", "b"])
    forecast = posterior.forecast(table.rename_axis("target").reset_index())
    pd.testing.assert_frame_equal(forecast.score(forecast.actual.isel(target=[1, 0])), forecast.score())
    assert list(forecast.score(forecast.actual.isel(target=[1]))["target"]) == ["b"]
    for odd, said in (
        (
            forecast.actual.assign_coords(target=["a", "c"]),
            "have the target 'c', and those of the forecast are",
        ),
        (forecast.actual.isel(target=[0, 0]), "have the target 'a' twice, and those of the forecast are 'a' and 'b';"),
        (forecast.actual.drop_vars("target"), "have the target 0, and those of the forecast are 'a' and 'b';"),
        (forecast.actual.rename(loss="error"), r"have no loss by target; give it as the forecast does in actual\.$"),
        (forecast.actual.isel(target=0), "have no loss by target;"),
    ):
        with pytest.raises(bs.TargetError, match=f"^The outcomes {said}"):
            forecast.score(odd)


def test_outcomes_may_have_their_dimensions_in_any_order(ladder_forecast):
    turned = ladder_forecast.actual.transpose("task", "target", ...)
    pd.testing.assert_frame_equal(ladder_forecast.score(turned), ladder_forecast.score())


@pytest.mark.parametrize("names", [(5, 10), ("mmlu: stem", "mmlu: other")])
def test_numbered_tasks_and_those_with_a_colon_are_forecast_by_their_names(names):
    ladder = worlds.ladder(count=20)
    table = ladder.study.frame.assign(task=lambda t: t["task"].map(dict(zip(("one", "two"), names, strict=True))))
    forecast = worlds.known(ladder.law, ladder.thin(None), table).forecast({"N": 7e9, "D": 4e12})
    own, tasks = forecast.intervals(), list(map(str, names))
    assert list(own["task"]) == tasks * 2 and set(own["quantity"]) == {"loss", "accuracy"}
    mean = forecast.over_tasks(names).intervals()["mean"]
    assert mean.tolist() == pytest.approx([own["mean"][own["quantity"] == "accuracy"].mean()])


def test_a_score_of_what_is_no_dataset_says_what_reads_it(posterior):
    forecast = posterior.forecast({**FAR, "loss": 2.0})
    with pytest.raises(bs.TargetError, match=r"The outcomes are a dict, .* bs\.score\(forecast, outcomes\) reads"):
        forecast.score({"loss": 2.0})
    with pytest.raises(bs.TargetError, match="There is no band 'runs'; did you mean 'run'"):
        forecast.score(band="runs")


def test_a_mean_over_tasks_is_that_of_the_draws():
    both = bs.forecast(worlds.ladder(), [{**FAR, "target": "far"}, {"target": "near", "N": 2e9, "D": 4e10}])
    actual = both.actual.assign(accuracy=both.actual["accuracy"].fillna(0.5))
    actual["accuracy"][dict(zip(actual["accuracy"].dims, (1, 1), strict=True))] = np.nan
    mean = dataclasses.replace(both, actual=actual).over_tasks()
    draws = both.draws["accuracy_run"].mean("task").sel(target="far").to_numpy()
    row = mean.intervals().set_index("target").loc["far"]
    assert list(mean.units) == ["accuracy"] and row["q05"] == pytest.approx(np.quantile(draws, 0.05))
    assert mean.intervals()["actual"].isna().sum() == 1  # of the target of which one task is not known
    assert both.over_tasks(["one", "two", "one"]).draws.equals(both.over_tasks().draws)
    one = both.over_tasks("two").draws["accuracy_mean"]
    np.testing.assert_allclose(one, both.draws["accuracy_mean"].sel(task="two").transpose(*one.dims))
    for tasks, message in (
        ("three", "The forecast has no task 'three'; known: one, two"),
        (3, "The forecast has no task '3'; known: one, two"),
        ([], "is asked for no task"),
    ):
        with pytest.raises(bs.TargetError, match=message):
            both.over_tasks(tasks)
    with pytest.raises(bs.TargetError, match="by Chinchilla has no tasks to average; it is of loss"):
        bs.forecast(worlds.chinchilla(count=20), FAR).over_tasks()


def test_a_second_loss_of_one_task_is_called_by_its_column():
    one = bs.forecast(worlds.ladder(count=20), FAR)
    labels = {"task": ["one"], "series": ["task_loss:one", "loss:one"]}
    draws = one.draws.sel(task=["one"]).assign_coords(series=labels["series"])
    actual = one.actual.sel(task=["one"]).assign_coords(series=labels["series"])
    rows = dataclasses.replace(one, draws=draws, actual=actual).intervals()
    assert rows.loc[rows["quantity"] == "loss", "task"].tolist() == ["one", "loss"]


def test_the_distance_is_from_the_largest_run_of_each_task():
    forecast = bs.forecast(worlds.pooled(), FAR)
    whole, own = 7e9 * 4e12 / (8e8 * 6.4e10), 7e9 * 4e12 / (1e8 * 4e9)
    assert forecast.targets["distance"].tolist() == pytest.approx([whole])
    assert forecast.intervals().set_index("task")["distance"].to_dict() == pytest.approx({"web": whole, "math": own})
    assert forecast.score(forecast.actual.fillna(2.0)).set_index("task")["distance"]["math"] == pytest.approx(own)
    assert bs.average([forecast, forecast]).intervals()["distance"].tolist() == pytest.approx([whole, own])
    assert forecast.over_tasks().intervals()["distance"].tolist() == pytest.approx([own])
    assert forecast.over_tasks("web").intervals()["distance"].tolist() == pytest.approx([whole])
    # FLOPs that the target does not give are counted for all runs.
    assert bs.forecast(worlds.ladder(count=5), FAR).intervals()["distance"].tolist() == pytest.approx([whole] * 4)


def test_a_draw_that_is_no_number_is_not_passed_over():
    forecast = bs.forecast(worlds.ladder(count=20), FAR)
    draws = forecast.draws.copy(deep=True)
    for band in ("run", "mean", "law"):
        draws[f"accuracy_{band}"].loc[{"sample": 3, "task": "one"}] = np.nan
    holed = dataclasses.replace(forecast, draws=draws)
    rows = holed.intervals().set_index(["quantity", "task"])[["mean", "sd", "q05", "median", "q95"]]
    assert rows.loc[("accuracy", "one")].isna().all() and rows.drop(("accuracy", "one")).notna().all(axis=None)
    assert holed.over_tasks().intervals()["median"].isna().all()
