from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.chance import above_chance, at_chance, falling, few_scores, unvaried

GRID = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8) for d in (10, 20, 40, 80)]
RUNS = pd.DataFrame(GRID, columns=["n_params", "tokens"]).assign(run=[f"r{i}" for i in range(16)])
RISING = np.linspace(0.25, 0.6, 16)


def rows(**accuracies):
    blocks = [RUNS.assign(task=task, accuracy=values, chance=0.25) for task, values in accuracies.items()]
    return pd.concat(blocks, ignore_index=True)


def test_the_quarter_of_most_compute_says_whether_a_task_has_left_chance():
    compute = RUNS["n_params"] * RUNS["tokens"]
    late = np.where(compute >= compute.nlargest(4).min(), 0.5, 0.25)
    found = above_chance(rows(easy=RISING, late=late, flat=0.26))
    assert found["late"] == pytest.approx(0.25) and found["flat"] == pytest.approx(0.01) and found["easy"] > 0.2


def test_a_missing_score_says_nothing():
    table = rows(easy=RISING)
    table.loc[15, "accuracy"] = np.nan
    assert np.isfinite(above_chance(table)["easy"])


def test_tasks_at_chance_are_named_among_what_speaks_against_a_design():
    study = bs.Study.from_frame(rows(easy=RISING, flat=0.26, hard=0.24), name="mine")
    (problem,) = bs.design_check(study).only("at-chance")
    assert "at chance in flat and hard (at most 3 points above)" in str(problem)
    assert not bs.design_check(study.select(task="easy")).only("at-chance")


def test_tables_without_tasks_have_none():
    assert list(at_chance(RUNS.assign(loss=3.0))) == []


def test_tasks_below_chance_are_named_as_such():
    study = bs.Study.from_frame(rows(easy=RISING, falling=np.linspace(0.25, 0.12, 16)), name="mine")
    (problem,) = bs.design_check(study).only("below-chance")
    assert "below chance in falling (by 1" in str(problem) and not bs.design_check(study).only("at-chance")


def tasks(**accuracies):
    """Twelve runs of growing size, with the accuracies of some tasks."""
    N = np.geomspace(1e8, 4e9, 12)
    wide = pd.DataFrame({"N": N, "D": 20 * N, "c4_loss": np.linspace(3.2, 2.5, 12), **accuracies})
    return bs.Study.from_frame(wide, accuracy_columns=list(accuracies), chance=0.25).frame


UP = np.linspace(0.3, 0.6, 12)


def test_accuracies_that_fall_with_compute_are_named():
    (found,) = falling(tasks(up=UP, down=UP[::-1], noise=0.25 + 0.01 * np.cos(7.0 * np.arange(12))))
    assert found.code == "wrong-way" and found.value == pytest.approx(-1.0)
    assert str(found).startswith("The accuracy falls with compute in down (rank correlation -1.00, at least -0.5): the")


def test_few_scores_are_named():
    few, small = np.where(np.arange(12) < 9, np.nan, UP), np.where(np.arange(12) > 7, np.nan, UP)
    (found,) = few_scores(tasks(up=UP, few=few, small=small, none=np.full(12, np.nan)))
    assert found.code == "few-scores" and found.value == 3
    assert "in few (3 runs, up to 1 times the most compute), small (8 runs, up to 0.0" in found.sentence
    assert "none (no run)" in found.sentence
    (found,) = few_scores(tasks(up=UP, few=few).rename(columns={"accuracy": "loss"}))
    assert found.where == "loss" and found.sentence.startswith(
        "Few or only small runs have a loss in few (3 runs, up to"
    )
    short = pd.concat([tasks(up=UP), tasks(one=UP).head(1)])  # a run that a task lacks may have no row
    assert "in one (1 run, up to" in next(iter(few_scores(short))).sentence
    assert not [*few_scores(tasks(up=UP).head(3))]  # it is the runs that are few
    assert not [*few_scores(tasks(up=UP).drop(columns="tokens"))] and not [*falling(pd.DataFrame({"N": [1e8]}))]


@pytest.mark.parametrize(("accuracy", "chance", "said"), [(1.0, 0.25, ["easy (1)"]), (0.0, 0.0, []), (0.25, 0.25, [])])
def test_a_task_of_one_accuracy_in_every_run_is_named_where_it_is_not_at_chance(accuracy, chance, said):
    rows = pd.DataFrame({"N": [1e8, 2e8, 4e8], "D": 1e10, "task": "easy", "accuracy": accuracy, "chance": chance})
    named = [str(problem) for problem in unvaried(bs.Study.from_frame(rows).frame)]
    assert all(
        f"Every run has the same accuracy in {one}: neither" in text for one, text in zip(said, named, strict=True)
    )
    assert len(named) == len(said) == len(bs.design_check(bs.Study.from_frame(rows)).only("unvaried"))
    assert not list(unvaried(bs.Study.from_frame(rows.assign(accuracy=[0.5, 0.5, 0.6])).frame))


def test_runs_of_equal_compute_count_together_whatever_their_order():
    tied = [0.25, 0.25, 0.25, 0.26, 0.5, 0.55]
    table = pd.DataFrame({"flops": [1e18, 1e19] + [1e20] * 4, "accuracy": tied, "chance": 0.25, "task": "one"})
    found = [above_chance(rows)["one"] for rows in (table, table[::-1])]
    assert found[0] == found[1] == pytest.approx(np.median([0.0, 0.01, 0.25, 0.3]))


def test_without_compute_the_runs_of_the_lowest_loss_say_whether_a_task_has_left_chance():
    late = [0.25] * 6 + [0.35, 0.5, 0.65, 0.8]
    table = pd.DataFrame({"loss": np.linspace(4, 2.2, 10), "accuracy": late, "chance": 0.25, "task": "one"})
    assert above_chance(table)["one"] == pytest.approx(0.4)
    assert above_chance(table.drop(columns="loss"))["one"] == pytest.approx(0.0)
