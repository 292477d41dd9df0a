from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from benchmarks.ladders import BOTH, CUTS, SPAN, STEPS, chosen, cuts, report


def test_no_cut_holds_a_target_and_no_fit_sees_a_later_run(ladder):
    targets = set(ladder.targets.frame["run"])
    largest = ladder.training.frame["flops"].max()
    for ratio, fitted, later in cuts(ladder):
        assert fitted.frame["flops"].max() <= 1.01 * largest / ratio < later.frame["flops"].min()
        assert later.frame["flops"].max() <= SPAN * 1.01 * largest / ratio
        assert not targets & {*fitted.frame["run"], *later.frame["run"]}
    assert len(CUTS) >= 2


def test_a_study_without_roles_is_cut_as_it_is():
    runs = pd.DataFrame({"N": np.geomspace(1e7, 1e10, 8), "D": 2e10, "loss": np.linspace(4, 3, 8)})
    assert [len(fitted) for _, fitted, _ in cuts(bs.Study.from_frame(runs, flops="6ND"))] == [5, 4]


def test_the_rule_takes_the_least_error_that_holds_nine_tenths():
    cover = {0.0: 8, 0.14: 9, 0.3: 10}
    rows = [(size, i < held) for size, held in cover.items() for i in range(10)]
    table = pd.DataFrame(rows, columns=["size", "in90"]).assign(ladder="one")
    assert chosen(table) == 0.14
    tied = pd.DataFrame({"size": 10 * [0.5], "in90": 9 * [True] + [False], "ladder": "one"})  # as many as with 0.14
    assert chosen(pd.concat([table.replace({"size": {0.3: 1.0}}), tied])) == 0.14
    other = pd.DataFrame({"size": [0.0, 0.14, 0.3], "in90": [False, False, True], "ladder": "other"})
    between = 0.14 + 0.16 * (0.9 - 0.45) / (1.0 - 0.45)  # ladders count the same, however many outcomes they have
    assert chosen(pd.concat([table, other])) == pytest.approx(between, abs=1e-3)
    assert chosen(table[table["size"] == 0.0]) == 0.0  # none is enough: the largest there is


def test_the_report_names_what_each_ladder_chooses_and_how_tasks_left_chance(capsys):
    common = {"error": 0.1, "in50": True, "width90": 0.3, "crps": 0.1, "ratio": 10.0}
    rows = [
        {"ladder": ladder, "step": step, "size": size, "in90": size >= enough, **common}
        for ladder, enough in (("one", 0.0), ("two", 0.3))
        for step in (*STEPS, BOTH)
        for size in (0.0, 0.3)
    ]
    tasks = pd.DataFrame(
        {"ladder": ["one", "two"], "task": ["a", "b"], "gain": 1.0, "left": [True, False], "in90": [0.5, 1.0]}
    )
    found = report(pd.DataFrame(rows), tasks)
    assert (found["step1_one"], found["step1_two"], found["step2_two"]) == (0.0, 0.27, 0.27)
    assert found["departure"] == pytest.approx(1 / np.log(2), rel=1e-3)  # half of the tasks by a gain of one
    assert found["departure_one"] < 0.1 and found["departure_two"] > 10
    assert (found["at_chance"], found["left"], found["in90"]) == (2.0, 1.0, pytest.approx(0.75))
    assert "Tasks at chance in all fitted runs" in capsys.readouterr().out
