import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from tests.worlds import by_compute, chinchilla, transfer


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
    with pytest.raises(bs.TargetError, match=r"^No outcome is of a run that was forecast"):  # near both
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


def test_a_name_that_a_file_turned_into_a_number_is_found():
    forecast = bs.forecast(
        chinchilla(count=20), [{"target": "1e21", "N": 7e9, "D": 4e12}, {"target": "x", "N": 1e9, "D": 1e12}]
    )
    assert list(bs.score(forecast, pd.DataFrame({"target": [1e21], "loss": [2.0]}))["target"]) == ["1e21"]


def test_one_run_needs_no_name():
    forecast = bs.forecast(chinchilla(count=50), {"N": 7e9, "D": 4e12})
    assert len(bs.score(forecast, {"loss": 2.1})) == 1


def test_inputs_that_differ_little_are_told_in_as_many_digits_as_they_need():
    two = [{"target": "a", "N": 1.17676e9, "D": 1e12}, {"target": "b", "N": 1.176764416e9, "D": 1e12}]
    forecast = bs.forecast(chinchilla(count=30), two)
    with pytest.raises(bs.TargetError, match=r"has N = 1\.176764e\+09, where the forecast of 'a' is at N = 1\.17676e"):
        bs.score(forecast, {**two[1], "target": "a", "loss": 2.2})
    with pytest.raises(bs.TargetError, match=r"N = 1\.176763e\+09 is .* % off its 1\.17676\d?e\+09"):
        bs.score(forecast, {"N": 1.176763e9, "D": 1e12, "loss": 2.2})


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        (
            {"params": 1e9, "tokens_seen": 1e10, "loss": 2.15},
            r"^No outcome is of a run .*, or give its inputs, as in names=\{'n_params': 'params', 'tokens': 'tokens_",
        ),
        (
            {"N": 7e9, "train_tokens": 1e11, "loss": 2.6},
            r"^By N alone row 1 would be scored as 'far': D is not given; say .* names=\{'tokens': 'train_tokens'\}\.$",
        ),
        ({"run": "smoke-test", "loss": 2.6}, r"^No outcome is of a run .* given: 'smoke-test' \(row 1\)"),
        ({"target": "smoke-test", "loss": 2.6}, r"^No outcome is of a run .* given: 'smoke-test' \(row 1\)"),
    ],
)
def test_a_run_that_is_not_told_is_not_taken_for_the_only_target(outcomes, message):
    forecast = bs.forecast(chinchilla(count=50), {"target": "far", "N": 7e9, "D": 4e12})
    with pytest.raises(bs.TargetError, match=message):
        bs.score(forecast, outcomes)


@pytest.mark.parametrize(
    ("outcomes", "remarks"),
    [
        ({"N": "7B", "loss": 2.1}, ["By N alone row 1 is scored as 'far': D is not given."]),
        ({"Name": "far", "loss": 2.1}, []),
        ({"run": "far", "N": 7e9, "train_tokens": 4e12, "loss": 2.1}, []),
        ({"n_params": 7e9, "train/tokens": 4e12, "loss": 2.1}, []),
        ({"role": "target", "seed": 3, "loss": 2.1, "loss_se": 0.1}, []),
        ({"Unnamed: 0": 0, "loss": 2.1}, ["For want of a name or inputs row 1 is scored as 'far', the only target."]),
        ({"N": 7e9, "D": "4T", "lr": 1e-3, "loss": 2.1}, []),
        ({"N": 7e9, "d": 4096, "loss": 2.1}, ["By N alone row 1 is scored as 'far': D is not given."]),
        (
            {"loss": 2.1, "n": 1000},
            ["For want of a name or inputs row 1 is scored as 'far', the only target."],
        ),
    ],
)
def test_a_run_that_is_told_in_part_is_scored_with_a_remark(outcomes, remarks):
    forecast = bs.forecast(chinchilla(count=50), {"target": "far", "N": 7e9, "D": 4e12, "flops": 1.7e23})
    found = bs.score(forecast, outcomes)
    assert list(found["target"]) == ["far"] and found.attrs["remarks"][: len(remarks) or None] == remarks


def test_only_sizes_that_say_a_run_are_missing():
    table = pd.DataFrame({"run": ["far"], "N": 7e9, "D": 4e12, "batch": 512, "lr": 1e-3, "wall": 9.0})
    found = bs.score(bs.forecast(chinchilla(count=50), table), {"N": 7e9, "D": 4e12, "loss": 2.0})
    assert list(found["target"]) == ["far"] and not [said for said in found.attrs["remarks"] if "alone" in said]
    forecast = bs.forecast(by_compute(count=50), {"target": "far", "C": 1.68e23, "N": 7e9, "D": 4e12})
    for outcomes in ({"C": 1.68e23, "loss": 2.0}, {"C": 1.68e23, "params": 7e9, "loss": 2.0}):
        found = bs.score(forecast, outcomes)
        assert list(found["target"]) == ["far"] and not [said for said in found.attrs["remarks"] if "alone" in said]


@pytest.mark.parametrize(
    "outcomes",
    [
        pd.DataFrame({"loss": [2.1]}, index=["final"]),
        pd.DataFrame({"Unnamed: 0": ["final"], "loss": [2.1]}),
        {"Name": "final", "loss": 2.1},
    ],
    ids=["index", "nameless", "Name"],
)
def test_a_label_that_nobody_called_a_run_does_not_speak_against_the_only_target(outcomes):
    forecast = bs.forecast(chinchilla(count=50), {"target": "far", "N": 7e9, "D": 4e12})
    found = bs.score(forecast, outcomes)
    told = "For want of a name or inputs run 'final' (row 1) is scored as 'far', the only target."
    assert found["actual"].tolist() == [2.1] and found.attrs["remarks"][0] == told
    with pytest.raises(bs.TargetError, match=r"given: 'small' \(row 1\)"):
        bs.score(forecast, pd.DataFrame([{"mine": "small", "loss": 2.1}], ["final"]), names={"run": "mine"})
    two = bs.forecast(chinchilla(count=50), [{"target": "far", "N": 7e9, "D": 4e12}, {"target": "b", "N": 1e9, "D": 1}])
    with pytest.raises(bs.TargetError, match=r"given: 'final' \(row 1\)"):
        bs.score(two, outcomes)


@pytest.mark.parametrize("kind", [bool, int, object])
def test_arms_may_be_yes_and_no(kind):
    arms = pd.DataFrame({"N": 1e9, "D_F": 1e8, "pretrained": [True, False]})
    forecast = bs.forecast(transfer(), arms)
    found = bs.score(forecast, arms.assign(pretrained=arms["pretrained"].astype(kind), loss=[1.0, 1.1]))
    assert found["actual"].tolist() == [1.0, 1.1] and not found.attrs["remarks"]


@pytest.mark.parametrize("name", ["Tokens", "Training Tokens (B)", "train_tokens"])
def test_a_run_of_other_tokens_is_not_scored_by_its_size_alone_whatever_they_are_called(said, name, command):
    with pytest.raises(bs.TargetError, match=rf"By N alone .*, as in --map .?tokens={re.escape(name)}"):
        bs.score(said, {"N": 7e9, name: 2.5e11, "loss": 2.08})
    with pytest.raises(bs.TargetError, match=r"n_params=Params and .*tokens="):
        bs.score(said, {"Params": 7e9, name: 2.5e11, "loss": 2.08})
