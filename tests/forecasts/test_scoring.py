import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling.forecasts.registered import LEVELS, RegisteredForecast
from bayes_scaling.forecasts.scoring import append, read_register
from tests.worlds import chinchilla, ladder


@pytest.fixture(scope="module")
def said():
    """Two runs whose losses are forecast as normal: 2 and 3, standard deviation 0.1."""
    rows = pd.DataFrame({"target": ["a", "b"], "task": [None, None], "quantity": "loss", "unit": "nats per token",
                         "mean": [2.0, 3.0], "sd": 0.1, "distance": 10.0,
                         "n_params": [7e9, 1e9], "tokens": [4e12, 2e10]})  # fmt: skip
    quantiles = np.stack([norm.ppf(LEVELS, mean, 0.1) for mean in (2.0, 3.0)])
    fits = ({"law": "Chinchilla()", "checksum": "abc"},)
    return RegisteredForecast(rows, quantiles, "2026-01-01T00:00:00+00:00", "0.1.0", "Chinchilla", "mine", 0, fits)


def test_scores_of_a_normal_forecast_are_the_textbooks(said):
    found = bs.score(said, [{"target": "b", "loss": 3.12}, {"target": "a", "loss": 1.8}]).set_index("target")
    np.testing.assert_allclose(found["z"], [-2.0, 1.2], rtol=1e-9)
    np.testing.assert_allclose(found["pit"], norm.cdf([-2.0, 1.2]), atol=2e-4)
    z = np.array([-2.0, 1.2])
    textbook = 0.1 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(found["crps"], textbook, rtol=0.02)
    assert found["in90"].tolist() == [False, True] and found["in50"].tolist() == [False, False]
    np.testing.assert_allclose(found["error"], [0.2, -0.12], atol=1e-6)


@pytest.mark.parametrize(
    "outcomes",
    [
        {"N": 7e9, "D": 4e12, "loss": 2.0},
        {"run": "a", "loss": "2.0"},
        {"N": "7B", "D": "4T", "loss": 2.0},
        {"run": "named otherwise since", "N": 7e9, "D": 4e12, "loss": 2.0},
        pd.DataFrame({"target": ["a", "c"], "loss": [2.0, 9.0]}),
        pd.DataFrame({"target": ["a", "b"], "loss": [2.0, np.nan]}),
    ],
)
def test_an_outcome_finds_its_run_by_name_or_by_inputs(outcomes, said):
    found = bs.score(said, outcomes)
    assert list(found["target"]) == ["a"] and found["pit"].iloc[0] == pytest.approx(0.5)


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


@pytest.mark.parametrize(
    ("outcomes", "options", "message"),
    [
        ({"target": "a", "los": 2.0}, {}, "have no column loss, only target and los; name it, as in names="),
        ({"target": "z", "loss": 2.0}, {}, "None of the 1 outcomes is a number of a run that was forecast"),
        ({"loss": 2.0}, {}, "column target or run says which one"),
        ({"target": "a", "loss": "many"}, {}, "None of the 1 outcomes is a number"),
        ([{"target": "a", "loss": 2.0}] * 2, {}, "loss of 'a' twice"),
        ({"target": "a", "loss": 2.0}, {"unit": "bits per byte"}, "in bits per byte, and the forecast is in nats per"),
    ],
)
def test_outcomes_of_nothing_are_refused(outcomes, options, message, said):
    with pytest.raises(bs.TargetError, match=message):
        bs.score(said, outcomes, **options)


def test_tasks_are_told_apart_and_the_same_scores_come_of_the_forecast_itself():
    forecast = bs.forecast(ladder(count=100), {"target": "7B", "N": 7e9, "D": 4e12})
    outcomes = pd.DataFrame({"run": "7B", "task": ["one", "two"], "accuracy": [0.7, 0.6]})
    found = bs.score(forecast, outcomes)
    assert list(found["task"]) == ["one", "two"] and list(found["actual"]) == [0.7, 0.6]
    forecast.actual["accuracy"].data = np.array([[0.7, 0.6]])
    draws = forecast.score(forecast.actual)
    np.testing.assert_allclose(found["crps"], draws.loc[draws["quantity"] == "accuracy", "crps"], rtol=0.05)
    np.testing.assert_allclose(found["pit"], draws.loc[draws["quantity"] == "accuracy", "pit"], atol=0.02)


def of_a_ladder(said, losses):
    """A forecast of two accuracies and of some losses of one run, the labels of the losses given."""
    tasks = ["x", "y", *losses]
    kinds = ["accuracy"] * 2 + ["loss"] * len(losses)
    units = ["fraction"] * 2 + ["as given"] * len(losses)
    rows = pd.DataFrame({"target": "a", "task": tasks, "quantity": kinds, "unit": units, "mean": 0.6, "sd": 0.1})
    quantiles = np.stack([norm.ppf(LEVELS, 0.6, 0.05)] * len(rows))
    return dataclasses.replace(said, rows=rows.assign(distance=10.0), quantiles=quantiles)


@pytest.mark.parametrize(
    ("losses", "outcomes", "actual"),
    [
        (["x", "y", "loss"], {"task_loss": [0.5, 0.7], "loss": 2.0}, [0.3, 0.4, 0.5, 0.7, 2.0]),
        (["x", "y"], {"task_loss": [0.5, 0.7], "loss": 2.0}, [0.3, 0.4, 0.5, 0.7]),
        (["x", "y"], {"loss": [0.5, 0.7]}, [0.3, 0.4, 0.5, 0.7]),
        (["x", "y"], {"loss": 2.0}, [0.3, 0.4]),  # the one loss of the run is none of its tasks
        (["c4_loss"], {"c4_loss": 2.0, "loss": 3.0}, [0.3, 0.4, 2.0]),
        (["loss"], {"loss": [2.0, np.nan]}, [0.3, 0.4, 2.0]),
    ],
)
def test_losses_of_tasks_and_of_the_run_are_told_apart(losses, outcomes, actual, said):
    table = pd.DataFrame({"target": "a", "task": ["x", "y"], "accuracy": [0.3, 0.4], **outcomes})
    assert bs.score(of_a_ladder(said, losses), table)["actual"].tolist() == actual


def test_the_one_loss_of_each_of_several_runs_is_none_of_its_tasks(said):
    one = of_a_ladder(said, ["x", "y"])
    rows = pd.concat([one.rows, one.rows.assign(target="b")], ignore_index=True)
    both = dataclasses.replace(one, rows=rows, quantiles=np.concatenate([one.quantiles] * 2))
    table = pd.DataFrame(
        {"target": list("aabb"), "task": ["x", "y"] * 2, "accuracy": 0.3, "loss": [2.0, 2.0, 3.0, 3.0]}
    )
    assert set(bs.score(both, table)["quantity"]) == {"accuracy"}


def test_a_loss_that_tasks_share_may_have_a_row_of_its_own(said):
    table = pd.DataFrame({"target": "a", "task": ["x", "loss"], "accuracy": [0.3, np.nan], "loss": [np.nan, 2.0]})
    assert bs.score(of_a_ladder(said, ["loss"]), table)["actual"].tolist() == [0.3, 2.0]


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ({"accuracy": 0.3}, r"do not say of which task they are, and the forecast is of x and y; add a column 'task'"),
        ({"task": "X", "accuracy": 0.3}, "are of task 'X', and the forecast of 'x'; name it alike"),
        ({"task": ["x", "y"], "loss": [2.0, 3.0]}, "give loss of 'a' twice"),
    ],
)
def test_outcomes_of_no_task_or_of_several_are_refused(outcomes, message, said):
    with pytest.raises(bs.TargetError, match=message):
        bs.score(of_a_ladder(said, ["loss"]), outcomes | {"target": ["a"] * np.size(next(iter(outcomes.values())))})


def test_a_name_that_a_file_turned_into_a_number_is_found():
    forecast = bs.forecast(
        chinchilla(count=20), [{"target": "1e21", "N": 7e9, "D": 4e12}, {"target": "x", "N": 1e9, "D": 1e12}]
    )
    assert list(bs.score(forecast, pd.DataFrame({"target": [1e21], "loss": [2.0]}))["target"]) == ["1e21"]


def test_one_run_needs_no_name():
    forecast = bs.forecast(chinchilla(count=50), {"N": 7e9, "D": 4e12})
    assert len(bs.score(forecast, {"loss": 2.1})) == 1


def test_a_register_grows_and_keeps_what_it_says(said, tmp_path):
    path = tmp_path / "register.csv"
    bs.score(said, {"target": "a", "loss": 2.0}, to=path)
    bs.score(said, {"target": "a", "loss": 2.0}, to=path)
    found = bs.score(said, [{"target": "a", "loss": 2.0}, {"target": "b", "loss": 3.0}], to=path)
    table = read_register(path)
    assert list(table["target"]) == ["a", "b"] and set(table["checksum"]) == {"abc"} and set(table["seed"]) == {0}
    assert append(said, found, path) == 0
    before = path.read_text()
    with pytest.raises(bs.FileError, match="says that loss of 'a' came to 2, and"):
        bs.score(said, {"target": "a", "loss": 2.1}, to=path)
    assert path.read_text() == before


def test_another_table_is_no_register(said, tmp_path):
    (tmp_path / "runs.csv").write_text("run,loss\na,2\n")
    with pytest.raises(bs.FileError, match="is no register of forecasts: it lacks made"):
        bs.score(said, {"target": "a", "loss": 2.0}, to=tmp_path / "runs.csv")


def test_an_outcome_that_no_run_has_is_refused(said, tmp_path):
    with pytest.raises(bs.TargetError, match="give 'a' loss = -1, which no run has; give a positive number"):
        bs.score(said, {"target": "a", "loss": -1.0}, to=tmp_path / "register.csv")
    assert not (tmp_path / "register.csv").exists()
    accuracy = dataclasses.replace(said, rows=said.rows.assign(quantity="accuracy"), quantiles=said.quantiles / 4)
    with pytest.raises(bs.TargetError, match="accuracy = 60, which no run has; give a fraction between 0 and 1"):
        bs.score(accuracy, {"target": "b", "accuracy": 60})
    assert bs.score(accuracy, {"target": "b", "accuracy": 0.0})["actual"].tolist() == [0.0]
    signed = dataclasses.replace(said, quantiles=said.quantiles - 3)
    assert bs.score(signed, {"target": "a", "loss": -1.0})["in90"].tolist() == [True]
