from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.pairs import NAMES, Pairs, caveats_of, print_pairs, write_pairs
from bayes_scaling.study.pairing import pair
from tests import worlds


def made(name, left_out=0):
    frame = pd.DataFrame({"N": np.geomspace(1e7, 1e9, 8)}).assign(C=lambda t: 1e10 * t["N"], loss=np.linspace(4, 3, 8))
    return bs.Study.from_frame(frame.assign(run=[f"{name}{i}" for i in range(8)]).iloc[left_out:], name=name)


@pytest.fixture(scope="module")
def pairs():
    """A target whose outcome is one per cent above its median, and a target whose outcome nobody knows."""
    posterior = worlds.chinchilla()
    middle = posterior.forecast({"N": 7e9, "D": 4e12}).intervals()["median"][0]
    known = {"target": "7B", "N": 7e9, "D": 4e12, "loss": middle * 1.01}
    forecast = posterior.forecast([known, {**known, "target": "7B again", "loss": np.nan}])
    return Pairs.of("mine", "a law", 3, [pair(made("a"), made("b", left_out=1))], [posterior], [forecast])


def test_the_median_is_called_median_in_both_files(pairs, tmp_path):
    write_pairs(pairs, tmp_path / "out", tmp_path / "one.json")
    assert {p.stem for p in (tmp_path / "out").iterdir() if p.suffix != ".png"} == {*NAMES}
    table, text = pd.read_csv(tmp_path / "out" / "pairs.csv"), (tmp_path / "out" / "pairs.json").read_text()
    assert {"q05", "q25", "median", "q75", "q95"} <= set(table) and "q50" not in table and "q50" not in text
    assert (tmp_path / "one.json").read_text() == text
    document = json.loads(text)
    assert (document["study"], document["seed"]) == ("mine", 3)
    assert document["rows"][0]["median"] == pytest.approx(table["median"][0])


def test_each_target_carries_the_counts_of_its_pair(pairs):
    rows = pairs.rows
    assert rows["paired"].tolist() == [7, 7] and rows["left_out"].tolist() == [1, 1]
    assert rows["target"].tolist() == ["7B", "7B again"] and np.isnan(rows["actual"][1])


def test_the_screen_counts_what_was_held_and_what_was_left_out(pairs, capsys):
    print_pairs(pairs)
    said = " ".join(capsys.readouterr().out.split())
    assert "actual" in said and "1 of 1 inside the 90 % interval; mean absolute error 0.99 %." in said
    assert "1 run was left out for want of a partner." in said
    print_pairs(dataclasses.replace(pairs, rows=pairs.rows.iloc[1:], pairings=[pair(made("a"), made("b"))]))
    said = capsys.readouterr().out
    assert "Every run has a partner." in said and "inside" not in said and "actual" not in said


def test_names_in_brackets_are_shown_as_they_are(pairs, capsys):
    rows = pairs.rows.assign(target=["7B [/v2]", "8B [bold]"], pair="[a] -> [/b]", unit="[nats]")
    print_pairs(dataclasses.replace(pairs, rows=rows, law="[mine]"))
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said for name in ("7B [/v2]", "8B [bold]", "[a] -> [/b]", "another ([nats])", "; [mine], seed"))


def test_what_speaks_against_a_pair_is_on_the_screen_and_in_the_file(pairs, tmp_path, capsys):
    assert "few-runs" in pairs.caveats.codes
    print_pairs(pairs)
    said = " ".join(capsys.readouterr().out.split())
    assert "Caveat: a -> b: There are 7 runs (at least 10): the prior will do much of the work" in said
    assert "Converged: R-hat 1.000, effective draws 400, 0 divergences; a law, seed 3." in said
    write_pairs(pairs, None, tmp_path / "one.json")
    document = json.loads((tmp_path / "one.json").read_text())
    assert [c["code"] for c in document["caveats"]] == [p.code for p in pairs.caveats]
    assert document["caveats"][-1]["text"].startswith("a -> b: ")
    assert document["law"] == "a law" and document["diagnostics"]["converged"] is True


def test_pairs_that_did_not_converge_are_told(pairs, capsys):
    print_pairs(dataclasses.replace(pairs, diagnostics={**pairs.diagnostics, "converged": False, "max_rhat": 1.5}))
    assert "NOT CONVERGED, do not rely on this: R-hat 1.500" in capsys.readouterr().out


def test_what_speaks_against_several_pairs_is_said_once_the_worst_first():
    few = Problem("few-runs", "There are 8 runs", "add runs", 8.0)
    modes = Problem("modes", "There are two modes", "tighten priors", 0.5)
    found = caveats_of({"a -> b": Problems([few]), "b -> a": Problems([few, modes]), "a -> c": Problems([few])})
    assert [str(p) for p in found] == [
        "b -> a: There are two modes: tighten priors.",
        "All 3 pairs: There are 8 runs: add runs.",
    ]
    (some,) = caveats_of({"a -> b": Problems([few]), "b -> a": Problems([few]), "a -> c": Problems()})
    assert some.sentence == "a -> b and b -> a: There are 8 runs"
