from __future__ import annotations

import ast
import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, Pooled, PowerLaw, Superset, SupersetInFlops
from bayes_scaling.study.design import design_check
from tests.study.designs import GOOD


@pytest.mark.parametrize(
    "target",
    [{"N": 7e9, "D": 4e12}, [{"target": "7B", "N": 7e9, "D": 4e12}], pd.DataFrame({"N": [7e9], "D": [4e12]})],
)
def test_a_far_target_is_measured_in_flops(target):
    (problem,) = design_check(bs.Study.from_frame(GOOD), target).only("far-target")
    assert problem.value == pytest.approx(7e9 * 4e12 / (8e8 * 6.4e10))
    assert problem.where == ("7B" if isinstance(target, list) else "N=7e+09, D=4e+12")


def test_targets_may_have_the_names_of_the_users_study():
    mine = bs.Study.from_frame(GOOD.rename(columns={"N": "size", "D": "seen"}), n_params="size", tokens="seen")
    assert design_check(mine, {"size": 1e11, "seen": 4e12}).codes == ["far-target"]


def test_where_the_distance_cannot_be_told_that_is_said():
    study = bs.Study.from_frame(GOOD)
    (found,) = design_check(study, [{"target": "a", "N": 1e11}, {"target": "b", "N": 1e11}])
    assert found.code == "unknown-distance" and found.value == 2
    assert str(found).startswith(
        "The distance of 'a' and 'b' from the runs cannot be told, since the columns of the target"
    )
    assert design_check(study, {"N": 1e11}, law=PowerLaw(column="n_params")).codes == ["far-target"]
    sizes = bs.Study.from_frame(GOOD.drop(columns="D"))
    (found,) = design_check(sizes, {"N": 1e11, "D": 1e12}).only("unknown-distance")
    assert "the columns of the runs do not tell training FLOPs: give parameters and tokens, or FLOPs" in str(found)
    pairs = bs.Study.from_frame(GOOD.assign(source_loss=GOOD["loss"]).drop(columns=["N", "D"]))
    assert not design_check(pairs, {"source_loss": 2.0}, law=PowerLaw(column="source_loss")).only("unknown-distance")


def test_a_target_that_gives_no_flops_is_far_though_another_gives_them():
    study = bs.Study.from_frame(GOOD.assign(C=6 * GOOD["N"] * GOOD["D"]))
    aims = [{"target": "a", "N": 7e9, "D": 1e12, "C": 4.2e22}, {"target": "b", "N": 7e9, "D": 4e12}]
    found = design_check(study, aims, law=Chinchilla())
    assert found.codes == ["far-target"] and [one.where for one in found] == ["a", "b"]
    assert found[1].value == pytest.approx(4 * found[0].value)


def test_a_far_target_of_a_study_without_names_is_told_by_its_row():
    rows = pd.concat([GOOD, pd.DataFrame({"N": [7e9], "D": [4e12], "loss": [2.0]})]).drop(columns="run")
    study = bs.Study.from_frame(rows.assign(role=["train"] * 16 + ["target"]))
    (problem,) = design_check(study).only("far-target")
    assert problem.where == "row 17"


def test_a_far_target_is_told_in_plain_words():
    (problem,) = design_check(bs.Study.from_frame(GOOD), {"N": 7e9, "D": 4e12}).only("far-target")
    assert str(problem) == (
        "Target 'N=7e+09, D=4e+12' has 547 times the training FLOPs of the largest run fitted, and beyond 100 times "
        "no run shows that the law still holds: its interval is widened for that by a rule of thumb, so trust it less, "
        "or make a larger run first."
    )


def test_a_far_target_is_measured_from_the_task_whose_largest_run_is_smallest():
    web, code = GOOD.assign(task="web"), GOOD.assign(task="code").head(4)
    study = bs.Study.from_frame(pd.concat([web, code], ignore_index=True))
    (problem,) = design_check(study, {"N": 7e9, "D": 1e11}, law=Pooled()).only("far-target")
    assert problem.value == pytest.approx(7e9 * 1e11 / (code["N"] * code["D"]).max())
    assert "times the training FLOPs of the largest run fitted in code, and beyond 100 times" in problem.sentence
    alike = bs.Study.from_frame(pd.concat([web, GOOD.assign(task="code")], ignore_index=True))
    assert not design_check(alike, {"N": 7e9, "D": 1e11}, law=Pooled()).only("far-target")


def test_the_ladder_says_how_far_its_targets_are(ladder):
    found = design_check(ladder)
    assert found.codes == ["far-target"]
    assert [p.where for p in found] == ["13B-5T"]
    assert 100 < found[0].value < 400


def test_a_target_that_is_fitted_is_no_forecast():
    study = bs.Study.from_frame(GOOD)
    (found,) = design_check(study, {"N": 4e8, "D": 4e9})
    assert found.code == "fitted-target" and "has the N and D of r8, which is fitted" in found.sentence
    assert found.remedy.endswith("""where="run != 'r8'\"""")
    assert not design_check(study, {"N": 4e8, "D": 4.1e9}).only("fitted-target")
    assert design_check(study, {"N": 4e8, "D": 9e9}, law=PowerLaw(column="n_params")).codes == ["fitted-target"]


def test_a_size_that_a_law_does_not_read_is_told():
    study = bs.Study.from_frame(GOOD.assign(share=np.linspace(0.1, 0.8, 16)))
    law = PowerLaw(column="share")
    (found,) = design_check(study, {"N": 4e8, "share": 0.9}, law=law).only("unread-size")
    assert found.value == 4 and "keep the runs of one size, as by where='n_params == 8e+08'" in str(found)
    assert not design_check(study, {"share": 0.9}, law=law).only("unread-size")
    assert not design_check(study, {"N": 4e8, "D": 9e9, "C": 1e19}, law=PowerLaw()).only("unread-size")


@pytest.mark.parametrize(("left", "other", "symbol"), [("n_params", "tokens", "N"), ("tokens", "n_params", "D")])
def test_a_size_that_is_not_read_for_want_of_the_other_is_told(left, other, symbol):
    study = bs.Study.from_frame(GOOD, flops="6ND")
    alone = dataclasses.replace(study, frame=study.frame.drop(columns=other))
    (found,) = design_check(alone, {symbol: 4e9, "C": 1e22}, law=SupersetInFlops()).only("unread-size")
    assert found.where == left and f"the runs have no {other}" in found.sentence
    assert f"give {other} too, which is flops / (6 x {left})" in found.remedy
    assert not design_check(alone, {"C": 1e22}, law=SupersetInFlops()).only("unread-size")
    assert not design_check(study, {symbol: 4e9, "C": 1e22}, law=SupersetInFlops()).only("unread-size")


def test_tokens_that_are_seen_often_are_told_where_law_or_target_does_not_know():
    study = bs.Study.from_frame(GOOD.assign(unique_tokens=GOOD["D"] / np.linspace(1, 9, 16)))
    target = {"N": 4e9, "D": 9e11}
    (found,) = design_check(study, target, law=Chinchilla()).only("unread-repeats")
    assert found.value == 9 and "10 of 16 runs see their tokens more than 4 times (up to 9)" in found.sentence
    (found,) = design_check(study, target, law=Superset()).only("unknown-repeats")
    assert found.sentence.endswith("and of the target unique_tokens are not given")
    both = [target, {"target": "told", **target, "unique_tokens": 1e11}]
    (found,) = design_check(study, both, law=Superset()).only("unknown-repeats")
    assert found.sentence.endswith("and of 'N=4e+09, D=9e+11' unique_tokens are not given")
    told = design_check(study, {**target, "unique_tokens": 1e11}, law=Superset()).codes
    once = design_check(bs.Study.from_frame(GOOD.assign(unique_tokens=GOOD["D"])), target, law=Chinchilla()).codes
    assert not {"unread-repeats", "unknown-repeats"} & {*told, *once}


def test_a_column_of_epochs_is_told_where_no_column_says_the_same():
    study = bs.Study.from_frame(GOOD.assign(epochs=np.linspace(1, 9, 16)))
    (found,) = design_check(study, {"N": 4e9, "D": 9e11}, law=Superset()).only("unread-repeats")
    assert found.value == 9 and "10 of 16 runs" in found.sentence and "unique_tokens" in found.remedy
    few = bs.Study.from_frame(GOOD.assign(epochs=["1", "two"] * 8))
    assert not design_check(few, {"N": 4e9, "D": 9e11}, law=Superset()).only("unread-repeats")


@pytest.mark.parametrize("given", [{"N": "lots"}, {"D": "lots"}, {"flops": "lots"}])
@pytest.mark.parametrize("law", [None, Chinchilla()])
def test_a_size_of_a_target_that_is_no_number_is_unknown(given, law):
    study = bs.Study.from_frame(GOOD.assign(flops=6 * GOOD["N"] * GOOD["D"]))
    target = {"N": "7B", "D": 1e11, "flops": 4.2e21, **given}
    assert ("unknown-distance" in design_check(study, target, law=law).codes) == ("flops" in given)


def test_a_task_that_no_fitted_run_has_is_told(ladder):
    assert not design_check(ladder).only("unfitted-task")
    frame = ladder.frame
    missing = (frame["role"] != "target") & frame["task"].isin(["MMLU", "PIQA"])
    study = dataclasses.replace(ladder, frame=frame[~missing])
    (problem,) = design_check(study).only("unfitted-task")
    assert str(problem).startswith("No fitted run is scored on 'MMLU' and 'PIQA', as targets are: what no run")
    (problem,) = design_check(study.select(role="train"), ladder.select(task=["MMLU", "HellaSwag"])).only(
        "unfitted-task"
    )
    assert str(problem).startswith("No fitted run is scored on 'MMLU', as targets are: what no run shows is not")


@pytest.mark.parametrize(
    ("changes", "options", "query"),
    [
        ({"run": range(16)}, {}, "run != 8"),
        ({"run": [*range(15), "r15"]}, {}, "run not in [8, '8']"),
        ({"run": [*"aab", *range(3, 16)], "seed": [0, 1, *[0] * 14]}, {}, "run not in [8, '8']"),
        ({"run": [*range(8), "a", "a", *range(10, 16)], "seed": [0, 1] * 8}, {}, "run != 'a' or seed != 0"),
        ({"run": [*range(8), "a@b", *range(9, 16)]}, {}, "run != 'a@b'"),
        ({"run": [*range(8), 8, 8, *range(10, 16)], "seed": [0, 1] * 8}, {}, "run not in [8, '8'] or seed != 0"),
        ({"run": None}, {}, "n_params != 4e+08 or tokens != 4e+09"),
        ({"run": None, "N": np.geomspace(1.23456789e8, 1e9, 16)}, {}, None),
    ],
)
def test_a_fitted_run_is_held_out_by_the_words_that_are_said(changes, options, query):
    table = GOOD.assign(**changes).dropna(axis=1)
    study = bs.Study.from_frame(table, **options)
    target = study.frame.iloc[8][["n_params", "tokens"]].to_dict()
    (found,) = design_check(study, target).only("fitted-target")
    said = found.remedy.partition("where=")[2]
    assert query is None or ast.literal_eval(said) == query
    rest = bs.Study.from_frame(table, where=ast.literal_eval(said), **options)
    assert rest.frame.index.tolist() == [*range(8), *range(9, 16)]


def test_all_fitted_runs_with_the_inputs_of_a_target_are_held_out():
    study = bs.Study.from_frame(GOOD, flops="6ND")
    (found,) = design_check(study, {"N": 4e8}, law=PowerLaw(column="n_params")).only("fitted-target")
    assert found.remedy.endswith("as by where='n_params != 4e+08'")
    (found,) = design_check(study, {"C": 6 * 4e8 * 1.6e10}, law=PowerLaw()).only("fitted-target")
    both = "(n_params != 4e+08 or tokens != 1.6e+10) and (n_params != 8e+08 or tokens != 8e+09)"
    assert found.remedy.endswith(f"as by where={both!r}")
    assert len(bs.Study.from_frame(GOOD, where=both)) == 14
