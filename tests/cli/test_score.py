"""The command ``score``: a forecast written by the command ``forecast``, scored against what came."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

import bayes_scaling as bs
from tests.cli.running import MAP, TARGET, call, refused, short
from tests.worlds import chinchilla


@pytest.fixture
def outcomes(tmp_path):
    path = tmp_path / "outcomes.csv"
    pd.DataFrame({"N": [7e9], "D": [4e12], "val_loss": [2.2]}).to_csv(path, index=False)
    return path


def test_forecast_then_score(csv, outcomes, tmp_path, capsys):
    file, scores = tmp_path / "forecast.json", tmp_path / "scores.json"
    assert call(*short("forecast", csv, *MAP, *TARGET, "--law", "chinchilla", "--json", file, "--quiet")) == 0
    command = ["score", file, outcomes, "--map", "loss=val_loss", "--json", scores]
    for new in (1, 0):
        assert call(*command) == 0
        said = capsys.readouterr().out
        assert "N=7e9,D=4e12" in said and "PIT" in said and "CRPS" in said and "Forecast of 20" in said
        assert f"{new} row" in said and max(map(len, said.splitlines())) <= 100
    register = pd.read_csv(tmp_path / "register.csv")
    (row,) = json.loads(scores.read_text())["rows"]
    assert len(register) == 1 and register["z"].iloc[0] == pytest.approx(row["z"])
    assert register["law"].iloc[0] == "Chinchilla" and len(register["checksum"].iloc[0]) == 64


def test_what_is_open_is_named_and_nothing_is_appended_where_not_wanted(tmp_path, outcomes, capsys):
    targets = [{"target": "first", "N": 7e9, "D": 4e12}, {"target": "second", "N": 8e9, "D": 4e12}]
    file = bs.forecast(chinchilla(count=50), targets).save(tmp_path / "saved.json")
    assert call("score", file, outcomes, "--map", "loss=val_loss", "--no-register") == 0
    assert "Not scored yet: second." in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outcomes.csv", "saved.json"]


def test_a_label_without_a_heading_does_not_speak_against_the_only_target(tmp_path, capsys):
    file = bs.forecast(chinchilla(count=50), {"target": "far", "N": 7e9, "D": 4e12}).save(tmp_path / "saved.json")
    path = tmp_path / "labelled.csv"
    path.write_text(",loss\nfinal,2.0\n")
    assert call("score", file, path, "--no-register") == 0
    assert "scored as 'far', the only target" in " ".join(capsys.readouterr().out.split())


def test_a_bad_command_is_one_sentence(tmp_path, outcomes, capsys):
    file = bs.forecast(chinchilla(count=50), {"N": 7e9, "D": 4e12}).save(tmp_path / "saved.json")
    assert "no file" in refused(capsys, "score", tmp_path / "none.json", outcomes)
    assert "holds no registered forecast" in refused(capsys, "score", outcomes, outcomes)
    assert "as in --map loss=mine" in refused(capsys, "score", file, outcomes)
    assert "no column 'vla_loss'" in refused(capsys, "score", file, outcomes, "--map", "loss=vla_loss")
    posterior = chinchilla(count=50)
    stated = dataclasses.replace(posterior, study=posterior.study.in_units(loss="nats per token"))
    other = bs.forecast(stated, {"N": 7e9, "D": 4e12}).save(tmp_path / "stated.json")
    bad = ["--map", "loss=val_loss", "--unit", "bits per byte"]
    assert "in bits per byte, and the forecast is in nats per token" in refused(capsys, "score", other, outcomes, *bad)
    both = ["--register", tmp_path / "r.csv", "--no-register"]
    assert "at once; give one of them" in refused(capsys, "score", file, outcomes, *both)
