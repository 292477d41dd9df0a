"""The command ``pair``: what it forecasts, what it writes and what it refuses."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli import app as cli
from bayes_scaling.cli.pairings import read_pairings
from bayes_scaling.errors import StudyError


def names(source="fineweb_edu:train_loss", target="smollm:train_loss", sets="train_data"):
    found = read_pairings(bs.load_study("loss_to_loss"), source, target, sets=sets, by="n_params,flops")
    return [pairing.study.name for pairing, _ in found]


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["pair", *arguments])
    return stop.value.code


def test_all_pairs_of_sets_and_the_losses_of_one_model():
    assert len(names(source="all:train_loss", target="all:train_loss")) == 30
    own = names(source="all:train_loss", target="same:hellaswag_ce")
    assert own[0] == "fineweb:train_loss -> fineweb:hellaswag_ce" and len(own) == 6
    assert names(target="smollm:starcoder_loss") == ["fineweb_edu:train_loss -> smollm:starcoder_loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "fineweb_edu"}, "not a set and a loss"),
        ({"source": "fineweb_edo:train_loss"}, "fineweb_edu"),
        ({"target": "fineweb_edu:train_loss"}, "one axis"),
        ({"target": "smollm:train_los"}, "train_loss"),
        ({"sets": "corpus"}, "no column 'corpus'"),
    ],
)
def test_mistakes_are_one_sentence(changes, message):
    with pytest.raises(StudyError, match=message):
        names(**changes)


def test_writes_a_table_and_json(tmp_path, capsys):
    code = run(
        "loss_to_loss", "--from", "fineweb_edu:train_loss", "--to", "smollm:train_loss", "--out", str(tmp_path),
        "--draws", "500", "--json", str(tmp_path / "more" / "one.json"),
    )  # fmt: skip
    assert code == 0
    table = pd.read_csv(tmp_path / "pairs.csv")
    assert table["paired"].tolist() == [8]
    assert table["q05"][0] < table["q50"][0] < table["q95"][0]
    document = json.loads((tmp_path / "pairs.json").read_text())
    assert document["rows"][0]["actual"] == pytest.approx(table["actual"][0], rel=1e-6)
    assert (tmp_path / "more" / "one.json").read_text() == (tmp_path / "pairs.json").read_text()
    assert "of 1 inside the 90 % interval" in capsys.readouterr().out


def test_a_mistake_leaves_nothing_behind(tmp_path, capsys):
    out = tmp_path / "out"
    assert run("loss_to_loss", "--from", "x:y", "--to", "smollm:train_loss", "--out", str(out)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
