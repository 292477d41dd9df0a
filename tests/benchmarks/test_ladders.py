from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from benchmarks.ladders import CUTS, SPAN, cuts, report


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


def test_the_rule_takes_the_smallest_interval_score_with_each_ladder_alike(capsys):
    rows = [
        (ladder, 10.0, "t", one, 0.1, "accuracy", score, score > 1, 0.2)
        for ladder, scores in (("olmo_ladder", (1.0, 2.0)), ("ladder_c4", (3.0, 1.0)))
        for one, score in zip((0.1, 0.2), scores, strict=True)
        for _ in range(4 if ladder == "ladder_c4" else 1)
    ]
    names = ["ladder", "ratio", "task", "step1", "step2", "quantity", "interval_score", "guessed", "actual"]
    scores = pd.DataFrame(rows, columns=names).assign(error=0.1, in50=True, in90=True, width90=0.3, crps=0.1)
    found = report(scores)
    assert (found["step1"], found["step2"], found["cover90"]) == (0.2, 0.1, pytest.approx(1.0))
    assert "Tasks at chance in all fitted runs" in capsys.readouterr().out
