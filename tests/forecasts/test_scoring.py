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


def test_an_outcome_among_equal_quantiles_is_in_the_middle_of_them(said):
    quantiles = np.where(LEVELS <= 0.9, 0.0, said.quantiles)
    found = bs.score(dataclasses.replace(said, quantiles=quantiles), [{"target": t, "loss": 0.0} for t in "ab"])
    np.testing.assert_allclose(found["pit"], (0.005 + 0.9) / 2)


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
        (
            {"run": "b", "N": 7e9, "D": 4e12, "loss": 2.0},
            r"Row 1 of the outcomes is called 'b' and has N = 7e\+09 and D = 4e\+12, where the forecast of 'b' is at "
            r"N = 1e\+09 and D = 2e\+10 \(its inputs are those of 'a'\); mend the name or the inputs",
        ),
        (
            {"target": "b", "N": 1e9, "D": "3e10", "loss": 2.0},
            r"'b' and has D = 3e\+10, where .* 'b' is at D = 2e\+10;",
        ),
        ({"target": "b", "D": "3e10", "loss": 2.0}, r"'b' and has D = 3e\+10, where"),
    ],
)
def test_a_run_with_the_name_of_one_target_and_other_inputs_is_refused(outcomes, message, said):
    with pytest.raises(bs.TargetError, match=message):
        bs.score(said, outcomes)


@pytest.mark.parametrize(
    "outcomes",
    [
        {"run": "a", "N": 7.1e9, "D": 3.9e12, "loss": 2.0},  # a run differs a little from plan
        {"run": "a", "N": 7e9, "D": np.nan, "loss": 2.0},
        {"run": "a", "N": 7e9, "D": 4e12, "seed": 3, "sd": 9.0, "loss_sd": 0.2, "loss": 2.0},
    ],
)
def test_a_run_with_the_name_and_about_the_inputs_of_its_target_is_scored(outcomes, said):
    told = dataclasses.replace(said, rows=said.rows.assign(seed=0.0, loss_sd=0.1))
    found = bs.score(told, outcomes)
    assert list(found["target"]) == ["a"] and found.attrs["remarks"] == []


def test_the_name_decides_between_targets_that_lie_near_each_other_but_not_against_their_very_inputs(said):
    close = dataclasses.replace(said, rows=said.rows.assign(n_params=[7e9, 7.1e9], tokens=4e12))
    assert list(bs.score(close, {"run": "a", "N": 7.05e9, "D": 4e12, "loss": 2.0})["target"]) == ["a"]
    with pytest.raises(bs.TargetError, match="those of 'b'"):
        bs.score(close, {"run": "a", "N": 7.1e9, "D": 4e12, "loss": 2.0})
    with pytest.raises(bs.TargetError, match="None of the 1 outcomes"):  # near both
        bs.score(close, {"N": 7.05e9, "D": 4e12, "loss": 2.0})


def test_inputs_of_one_task_alone_do_not_speak_against_a_name(said):
    rows = said.rows.assign(target="a", task=["x", "y"], shots=[5.0, 0.0], n_params=7e9, tokens=4e12)
    outcomes = {"run": ["a", "a"], "task": ["x", "y"], "N": 7e9, "shots": [5, 0], "task_loss": [2.0, 2.1]}
    assert len(bs.score(dataclasses.replace(said, rows=rows), outcomes)) == 2


def test_inputs_near_those_of_one_target_find_it_and_a_remark_says_so(said):
    found = bs.score(said, {"N": 7.001e9, "D": 4e12, "loss": 2.0})
    assert list(found["target"]) == ["a"]
    assert found.attrs["remarks"] == ["By inputs alone row 1 is scored as 'a': N is 0.014 % off that of the forecast."]
    table = pd.DataFrame({"run": ["a", "c"], "N": [7e9, 7.001e9], "D": 4e12, "loss": [2.0, 2.3]})
    assert bs.score(said, table)["actual"].tolist() == [2.0]  # a run of another name is none where its target is there


def test_rows_of_one_run_are_told_together(said):
    rows = said.rows.assign(target="a", task=["x", "y"], n_params=7e9, tokens=4e12)
    outcomes = {"task": ["x", "y"], "N": 7.07e9, "D": 4e12, "task_loss": [2.0, 2.1]}
    found = bs.score(dataclasses.replace(said, rows=rows), pd.DataFrame(outcomes))
    assert found.attrs["remarks"] == [
        "By inputs alone row 1 and row 2 are scored as 'a': N is 1 % off that of the forecast."
    ]


def test_outcomes_of_no_target_are_told(said):
    table = pd.DataFrame(
        {
            "run": ["a", "bb", "small", "open"],
            "N": [7e9, np.nan, 9e8, 3e9],
            "D": [4e12, np.nan, 2e10, 1e10],
            "loss": [2.0, 3.0, 3.1, np.nan],
        }
    )
    assert bs.score(said, table).attrs["remarks"] == [
        "Not scored, because it is of no run that was forecast: 'bb' (row 2), where 'b' is nearest and 'small' "
        "(row 3), where 'b' is nearest and N = 9e+08 is 10 % off its 1e+09."
    ]
    with pytest.raises(bs.TargetError, match=r"; given: row 1, where 'a' is nearest and N = 9e\+09 is 29 % off"):
        bs.score(said, {"N": 9e9, "D": 4e12, "loss": 2.0})


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


def test_inputs_that_differ_little_are_told_in_as_many_digits_as_they_need():
    two = [{"target": "a", "N": 1.17676e9, "D": 1e12}, {"target": "b", "N": 1.176764416e9, "D": 1e12}]
    forecast = bs.forecast(chinchilla(count=30), two)
    with pytest.raises(bs.TargetError, match=r"has N = 1\.176764e\+09, where the forecast of 'a' is at N = 1\.17676e"):
        bs.score(forecast, {**two[1], "target": "a", "loss": 2.2})
    with pytest.raises(bs.TargetError, match=r"N = 1\.176763e\+09 is .* % off its 1\.17676\d?e\+09"):
        bs.score(forecast, {"N": 1.176763e9, "D": 1e12, "loss": 2.2})
