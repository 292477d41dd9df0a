from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.reporting.pairs import pair_rows, print_pairs, write_pairs
from bayes_scaling.study.pairing import pair
from tests import worlds


def made(name, left_out=0):
    frame = pd.DataFrame({"N": np.geomspace(1e7, 1e9, 8)}).assign(C=lambda t: 1e10 * t["N"], loss=np.linspace(4, 3, 8))
    return bs.Study.from_frame(frame.assign(run=[f"{name}{i}" for i in range(8)]).iloc[left_out:], name=name)


@pytest.fixture(scope="module")
def rows():
    """A target whose outcome is one per cent above its median, and a target whose outcome nobody knows."""
    posterior = worlds.chinchilla()
    middle = posterior.forecast({"N": 7e9, "D": 4e12}).intervals()["median"][0]
    known = {"target": "7B", "N": 7e9, "D": 4e12, "loss": middle * 1.01}
    forecast = posterior.forecast([known, {**known, "target": "7B again", "loss": np.nan}])
    return pair_rows(pair(made("a"), made("b", left_out=1)), forecast)


def test_the_median_is_called_median_in_both_files(rows, tmp_path):
    write_pairs(rows, "mine", 3, tmp_path / "out", tmp_path / "one.json")
    table, text = pd.read_csv(tmp_path / "out" / "pairs.csv"), (tmp_path / "out" / "pairs.json").read_text()
    assert {"q05", "q25", "median", "q75", "q95"} <= set(table) and "q50" not in table and "q50" not in text
    assert (tmp_path / "one.json").read_text() == text
    document = json.loads(text)
    assert (document["study"], document["seed"]) == ("mine", 3)
    assert document["rows"][0]["median"] == pytest.approx(table["median"][0])


def test_each_target_carries_the_counts_of_its_pair(rows):
    assert rows["paired"].tolist() == [7, 7] and rows["left_out"].tolist() == [1, 1]
    assert rows["target"].tolist() == ["7B", "7B again"] and np.isnan(rows["actual"][1])


def test_the_screen_counts_what_was_held_and_what_was_left_out(rows, capsys):
    print_pairs(rows, [pair(made("a"), made("b", left_out=1))])
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 inside the 90 % interval; mean absolute error 0.99 %." in said
    assert "1 run was left out for want of a partner." in said
    print_pairs(rows.iloc[1:], [pair(made("a"), made("b"))])
    said = capsys.readouterr().out
    assert "Every run has a partner." in said and "inside" not in said
