import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling.forecasts.registered import LEVELS
from tests.worlds import ladder


@pytest.mark.parametrize(
    ("outcomes", "options", "message"),
    [
        ({"target": "a", "los": 2.0}, {}, "have no column loss, only target and los; name it, as in names="),
        ({"target": "z", "loss": 2.0}, {}, r"^No outcome is of a run that was forecast \('a' and 'b'\); given: 'z'"),
        ({"loss": 2.0}, {}, "name the run as the forecast does, in a column target or run"),
        ({"target": "a", "loss": np.nan}, {}, r"^Row 1 has no loss, so there is nothing to score; fill in what came"),
        ({"run": list("ab"), "loss": ["", None]}, {}, r"^Run 'a' \(row 1\) and run 'b' \(row 2\) have no loss, so"),
        (
            {"target": "a", "loss": "many"},
            {},
            "Row 1 has loss = 'many', which is not a number; .*, or leave empty what",
        ),
        ({"target": "a", "loss": np.inf}, {}, "an infinite loss in row 1; leave empty what did not come"),
        (
            {"run": list("ab"), "loss": ["2", "diverged"]},
            {},
            r"Run 'b' \(row 2\) has loss = 'diverged', which is not a n",
        ),
        (
            {"run": list("ba"), "v": ["2.2.9", "2"]},
            {"names": {"loss": "v"}},
            r"Run 'b' \(row 1\) has loss \('v'\) = '2.2",
        ),
        (
            [{"target": "a", "loss": 2.0}] * 2,
            {},
            "loss of 'a' twice, in rows 1 and 2, and .*; give it once: keep the row",
        ),
        ({"target": "a", "loss": 2.0}, {"unit": "bits per byte"}, "in bits per byte, and the forecast is in nats per"),
    ],
)
def test_outcomes_of_nothing_are_refused(outcomes, options, message, said):
    with pytest.raises(bs.TargetError, match=message):
        bs.score(said, outcomes, **options)


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ({"run": "a", "ARC_acc": 0.5, "PIQA_acc": 0.6}, "no column accuracy, .*; say accuracy_columns='TASK_acc'"),
        ({"run": "a", "ARC": 0.5, "PIQA": 0.6}, "no column accuracy, .*; say accuracy_columns='ARC,PIQA'"),
    ],
)
def test_accuracies_of_a_wide_table_that_are_not_named_are_explained(outcomes, message, said):
    rows = said.rows.assign(target="a", task=["ARC", "PIQA"], quantity="accuracy", unit="fraction")
    with pytest.raises(bs.TargetError, match=message):
        bs.score(dataclasses.replace(said, rows=rows), outcomes)


def test_a_loss_of_a_wide_table_is_not_advised_as_an_accuracy(said):
    rows = said.rows.assign(target="a", task=["ARC", "loss"], quantity=["accuracy", "loss"], unit="fraction")
    with pytest.raises(bs.TargetError, match=r"; say accuracy_columns='ARC', since a column is called as a task\.$"):
        bs.score(dataclasses.replace(said, rows=rows), {"run": "a", "ARC": 0.5, "the_loss": 2.0})


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


def test_numbered_tasks_are_called_as_a_study_calls_them(said):
    numbered = of_a_ladder(said, [])
    numbered = dataclasses.replace(numbered, rows=numbered.rows.assign(task=["5", "10"]))
    table = pd.DataFrame({"target": "a", "task": [5.0, 10.0], "accuracy": [0.3, 0.4]})
    assert bs.score(numbered, table)["actual"].tolist() == [0.3, 0.4]


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


def test_error_rates_are_fractions_as_accuracies_are(said):
    quantiles = np.stack([norm.ppf(LEVELS, 0.3, 0.05)] * 2)
    rows = said.rows.assign(quantity="error", unit="fraction")
    errors = dataclasses.replace(said, rows=rows, quantiles=quantiles)
    assert bs.score(errors, {"target": "a", "error": "12.5 %"})["actual"].tolist() == [0.125]
    assert bs.score(errors, {"target": "a", "error": 0.0})["actual"].tolist() == [0.0]
    with pytest.raises(bs.TargetError, match=r"error = 12\.3, which no run has; give a fraction between 0 and 1"):
        bs.score(errors, {"target": "a", "error": 12.3})


def test_outcomes_of_a_task_that_was_not_forecast_are_told(said):
    table = pd.DataFrame({"target": "a", "task": ["x", "y", "z", "w"], "accuracy": [0.6, 0.6, 0.5, np.nan]})
    found = bs.score(of_a_ladder(said, []), table)
    assert found["task"].tolist() == ["x", "y"]
    assert found.attrs["remarks"] == ["Not scored, because it is of no task that was forecast: 'z' of 'a' (row 3)."]
    for absent in ("", None):
        unsaid = table.assign(task=["x", "y", absent, "w"])
        assert bs.score(of_a_ladder(said, []), unsaid).attrs["remarks"] == []


def test_an_outcome_of_any_sign_is_scored_where_all_that_was_said_is_positive(said):
    score = dataclasses.replace(said, rows=said.rows.assign(quantity="score"))
    assert bs.score(score, {"target": "a", "score": -2})["actual"].tolist() == [-2.0]
    with pytest.raises(bs.TargetError, match="loss = -2, which no run has; give a positive number"):
        bs.score(said, {"target": "a", "loss": -2})


def test_outcomes_of_the_tasks_of_a_mean_are_averaged(said):
    of_mean = dataclasses.replace(
        said, rows=said.rows.assign(quantity="accuracy"), quantiles=said.quantiles / 10, averaged=("one", "two")
    )
    came = pd.DataFrame({"run": ["a", "a", "b", "b", "a"], "task": ["one", "two", "two", "one", "else"],
                         "accuracy": [0.1, "30 %", 0.4, 0.2, 0.9], "chance": 0.0})  # fmt: skip
    assert bs.score(of_mean, came)["actual"].tolist() == pytest.approx([0.2, 0.3])
    assert bs.score(of_mean, came.iloc[[0, 1]].drop(columns="run").assign(N=7e9, D=4e12))["actual"].tolist() == [0.2]
    assert bs.score(of_mean, {"run": "a", "accuracy": 0.5})["actual"].tolist() == [0.5]
    for rows in (came.iloc[:1], came.iloc[[0, 0, 1]]):
        with pytest.raises(bs.TargetError, match=r"is of the mean of one and two, and the outcomes of .* are of one"):
            bs.score(of_mean, rows)
    with pytest.raises(bs.TargetError, match="No outcome is of the tasks whose mean is forecast, one and two"):
        bs.score(of_mean, came.iloc[4:])


def test_a_mean_over_tasks_is_scored_from_its_file(tmp_path):
    mean = bs.forecast(ladder(), {"target": "far", "N": 7e9, "D": 4e12}).over_tasks()
    outcomes = pd.DataFrame({"target": "far", "task": ["one", "two"], "accuracy": [0.5, 0.7]})
    file = mean.save(tmp_path / "forecast.json")
    assert (
        bs.score(file, outcomes)["actual"].tolist()
        == bs.score(mean, outcomes)["actual"].tolist()
        == [pytest.approx(0.6)]
    )
    assert repr(bs.load_forecast(file)).startswith("RegisteredForecast(TwoStep on 'known': far; made 20")
