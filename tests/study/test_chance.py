from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.chance import above_chance, at_chance

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
