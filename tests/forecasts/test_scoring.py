import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling.forecasts.registered import LEVELS
from tests.worlds import chinchilla, ladder


def test_scores_of_a_normal_forecast_are_the_textbooks(said):
    found = bs.score(said, [{"target": "b", "loss": 3.12}, {"target": "a", "loss": 1.8}]).set_index("target")
    np.testing.assert_allclose(found["z"], [-2.0, 1.2], rtol=1e-9)
    np.testing.assert_allclose(found["pit"], norm.cdf([-2.0, 1.2]), atol=2e-4)
    z = np.array([-2.0, 1.2])
    textbook = 0.1 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(found["crps"], textbook, rtol=0.02)
    assert found["in90"].tolist() == [False, True] and found["in50"].tolist() == [False, False]
    np.testing.assert_allclose(found["error"], [0.2, -0.12], atol=1e-6)


def test_an_outcome_among_equal_quantiles_is_in_the_middle_of_them(said):
    quantiles = np.where(LEVELS <= 0.9, 0.0, said.quantiles)
    found = bs.score(dataclasses.replace(said, quantiles=quantiles), [{"target": t, "loss": 0.0} for t in "ab"])
    np.testing.assert_allclose(found["pit"], (0.005 + 0.9) / 2)


@pytest.mark.parametrize(
    ("outcomes", "options"),
    [
        ({"target": ["a", "a"], "task": ["x", "y"], "accuracy": [63.0, "4 %"]}, {"percent": True}),
        ({"target": "a", "x_acc": 63.0, "y_acc": 4.0}, {"percent": True, "accuracy_columns": "TASK_acc"}),
        ({"target": "a", "x": "63%", "y": 0.04}, {"accuracy_columns": ["x", "y"]}),
    ],
)
def test_accuracies_may_be_wide_and_in_per_cent(outcomes, options, said):
    rows = said.rows.assign(target="a", task=["x", "y"], quantity="accuracy", unit="fraction", mean=[0.6, 0.1])
    of_tasks = dataclasses.replace(said, rows=rows, quantiles=said.quantiles / 10)
    found = bs.score(of_tasks, outcomes, **options)
    assert found["actual"].tolist() == [0.63, 0.04] and found["task"].tolist() == ["x", "y"]


def test_your_own_names_are_read(said):
    found = bs.score(said, {"target": "a", "val": 2.0}, names={"loss": "val"}, unit="nats per token")
    assert found["actual"].tolist() == [2.0]


def test_names_that_a_study_was_read_by_are_no_other_columns(said):
    study = bs.Study.from_frame({"run": ["a", "x"], "N": [7e9, 1e9], "D": [4e12, 1e11], "val": [2.0, 3.0]}, loss="val")
    assert bs.score(said, study, names={"loss": "val"})["actual"].tolist() == [2.0]
    with pytest.raises(bs.StudyError, match="no column 'vla' to use as 'loss'"):
        bs.score(said, study, names={"loss": "vla"})


@pytest.mark.parametrize(
    ("outcomes", "names"),
    [
        ({"target": "a", "loss": 2.9, "val": 2.0}, {"loss": "val"}),
        ({"target": "a", "loss": 2.0, "N": 7e9, "n_params": 1e3}, {"n_params": "N"}),
        ({"params": "7B", "N": 1e9, "D": "4T", "loss": 2.0}, {"N": "params", "tokens": "D"}),
    ],
)
def test_your_own_names_come_before_ours_of_other_columns(outcomes, names, said):
    found = bs.score(said, outcomes, names=names)
    assert found["target"].tolist() == ["a"] and found["actual"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("units", "unit"),
    [
        (["as given"] * 2, "nats per token"),
        (["fraction", "nats per token"], "nats per token"),
        (["bits per byte", "nats per token"], "nats per token (C4)"),
        (["nats per token"] * 2, "as given"),
        (["fraction"] * 2, "fraction"),
    ],
)
def test_a_unit_is_of_the_losses_and_agrees_with_none(units, unit, said):
    of_units = dataclasses.replace(said, rows=said.rows.assign(unit=units))
    scored = bs.score(of_units, {"target": "a", "loss": 2.0}, unit=unit)
    assert scored["actual"].tolist() == [2.0]
    silent = set(units) <= {"as given", "fraction"} and unit not in ("as given", "fraction")
    assert [remark[:30] for remark in scored.attrs["remarks"]] == ["The forecast states no unit, s"] * silent


@pytest.mark.parametrize("units", [["fraction", "nats per token"], ["as given", "nats per token"]])
def test_losses_in_another_unit_are_refused(units, said):
    of_units = dataclasses.replace(said, rows=said.rows.assign(unit=units))
    with pytest.raises(bs.TargetError, match="in bits per byte, and the forecast is in nats per token; convert"):
        bs.score(of_units, {"target": "a", "loss": 2.0}, unit="bits per byte")


def test_a_name_of_no_column_is_refused(said):
    with pytest.raises(bs.StudyError, match="has no column 'vla' to use as 'loss'; did you mean 'val'"):
        bs.score(said, {"target": "a", "loss": 2.9, "val": 2.0}, names={"loss": "vla"})


def test_a_name_may_be_a_rule_of_a_wide_table(said):
    rows = said.rows.assign(target="a", task=["x", "y"], unit="bits per byte")
    of_tasks = dataclasses.replace(said, rows=rows)
    wide = {"target": "a", "x": 0.6, "y": 0.1, "x_bpb": 2.0, "y_bpb": 3.0, "mine": 1.0}
    names = {"task_loss": "TASK_bpb", "chance": "mine"}
    found = bs.score(of_tasks, wide, names=names, accuracy_columns=["x", "y"])
    assert found["actual"].tolist() == [2.0, 3.0]


def test_tasks_are_told_apart_and_the_same_scores_come_of_the_forecast_itself():
    forecast = bs.forecast(ladder(count=100), {"target": "7B", "N": 7e9, "D": 4e12})
    outcomes = pd.DataFrame({"run": "7B", "task": ["one", "two"], "accuracy": [0.7, 0.6]})
    found = bs.score(forecast, outcomes)
    assert list(found["task"]) == ["one", "two"] and list(found["actual"]) == [0.7, 0.6]
    forecast.actual["accuracy"].data = np.array([[0.7, 0.6]])
    draws = forecast.score(forecast.actual)
    np.testing.assert_allclose(found["crps"], draws.loc[draws["quantity"] == "accuracy", "crps"], rtol=0.05)
    np.testing.assert_allclose(found["pit"], draws.loc[draws["quantity"] == "accuracy", "pit"], atol=0.02)


def test_an_outcome_that_may_be_in_another_unit_is_scored_and_told(said):
    found = bs.score(said, [{"target": "a", "loss": 218.0}, {"target": "b", "loss": 3.9}])
    assert found["target"].tolist() == ["a", "b"]
    assert found.attrs["remarks"] == [
        "Far outside: loss of 'a' came to 218, where 2 was forecast (2160 standard deviations off, at most 10); see "
        "whether it is in the forecast's unit (nats per token) before it counts as a miss."
    ]


def test_the_steps_of_an_export_are_no_inputs_of_a_run():
    row = {"Name": "a", "N": 7e9, "D": 4e12, "loss": 2.0, "_step": 20000}
    forecast = bs.forecast(chinchilla(count=50), bs.Study.from_frame(pd.DataFrame([row])))
    assert bs.score(forecast, pd.DataFrame([{**row, "_step": 100000}]))["actual"].tolist() == [2.0]


def test_what_is_no_forecast_is_not_scored():
    with pytest.raises(bs.TargetError, match="A Posterior is given where a forecast is scored; make one with"):
        bs.score(chinchilla(count=50), {"N": 7e9, "D": 4e12, "loss": 2.0})


def test_a_study_counts_by_its_last_checkpoints():
    runs = pd.DataFrame({"run": ["7B", "70B"], "N": [7e9, 7e10], "D": 1.4e11})
    came = pd.concat([runs.assign(D=runs["D"] / 2, loss=2.4, checkpoint=1), runs.assign(loss=[2.2, 2.1], checkpoint=2)])
    found = bs.score(bs.forecast(chinchilla(count=30), runs), bs.Study.from_frame(came))
    assert found["actual"].tolist() == [2.2, 2.1]


@pytest.mark.parametrize("nothing", [[], None, pd.DataFrame()])
def test_where_nothing_came_it_says_so(said, nothing):
    with pytest.raises(bs.TargetError, match="There is no outcome to score; give what came"):
        bs.score(said, nothing)
