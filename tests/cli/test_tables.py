"""Tables on the command line: how they are read, what is said, and the words of its own options."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.cli.arguments import open_study, parse_columns, parse_inputs
from bayes_scaling.cli.pairings import Aim, read_pairings
from bayes_scaling.errors import StudyError, TargetError
from bayes_scaling.inference import fit as fitting
from bayes_scaling.study.study import Study
from tests.cli.test_app import call, refused, short
from tests.conftest import DRAWS

TARGET = ["--target", "N=7e9,D=4e12"]


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch):
    """Fits are too short to converge; do not repeat them with adaptation."""
    monkeypatch.setattr(fitting, "fit", partial(fitting.fit, adapt=False))


@pytest.fixture
def export(runs, tmp_path):
    """Return the file of an export: names of its own, and runs that are not finished."""
    table = runs.rename(columns={"run": "Name", "N": "params", "D": "train/tokens", "val_loss": "eval/loss"})
    table["State"] = ["finished"] * 13 + ["crashed", "failed", "finished"]
    table.loc[13:14, "eval/loss"] = np.nan
    table["params"] = [f"{n / 1e6:g}M" for n in table["params"]]
    path = tmp_path / "export.csv"
    table.to_csv(path, index=False, sep=";")
    return path


OWN = ["--map", "n_params=params", "--map", "loss=eval/loss"]


def test_an_export_says_how_to_read_it(export, capsys):
    said = refused(capsys, "forecast", export, *OWN, *TARGET)
    assert "Run 'run 13' (row 14) and run 'run 14' (row 15) have no loss ('eval/loss')" in said
    assert "--drop-missing" in said and "--where \"State == 'finished'\"" in said and "drop_missing" not in said


def test_an_export_end_to_end(export, capsys):
    aim = ["--target", "params=7B,train/tokens=4T"]
    assert call(*short(export, *OWN, *aim, "--where", "State == 'finished'")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "params=7B,train/tokens=4T" in said and "'Name' as run" in said and "--map run=YOURS" in said


@pytest.mark.parametrize("option", ["--next", "--ladder"])
def test_the_same_file_is_read_by_plans(option, export, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "fit", lambda *_, **__: pytest.fail("it fitted first"))
    command = ["plan", export, *OWN, "--drop-missing", option, export, "--target", "params=7B"]
    assert re.search("needs D", refused(capsys, *command))


def test_columns_of_a_map():
    known = ["loss, final", "a=b", "N"]
    assert parse_columns(["loss=loss, final", "N=N,D=d"], known) == {"loss": "loss, final", "N": "N", "D": "d"}
    assert parse_columns(["loss=a=b"], known) == {"loss": "a=b"}
    for given, message in (
        (["loss=x", "loss=y"], "gives loss twice"),
        (["where=x"], "no law reads"),
        (["loss"], "pairs"),
    ):
        with pytest.raises(StudyError, match=message):
            parse_columns(given, known)


def test_targets_by_own_names_and_sizes():
    found = parse_inputs("params=1.3B,D=32.0K", names={"n_params": "params"})
    assert (found["n_params"], found["tokens"]) == (1.3e9, 32e3)
    with pytest.raises(TargetError, match="gives n_params twice"):
        parse_inputs("params=1B,N=1B", names={"n_params": "params"})


def test_a_carried_study_takes_the_same_options():
    few = open_study("olmo_ladder", where="n_params < 4e8", columns=["loss=task_loss"])
    assert few.frame["n_params"].max() < 4e8 and few.card.units["loss"] == few.card.units["task_loss"]


# -- pairs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_losses(tmp_path):
    """Return the file of ten runs with two losses, without roles and of one set."""
    N = np.geomspace(2e7, 1e9, 10)
    table = pd.DataFrame({"run": [f"r{i}" for i in range(10)], "n_params": N, "flops": 120 * N**2})
    table["loss_a"] = 1.8 + 0.6 * (N / 3e8) ** -0.3
    table["loss_b"] = 2.0 + 0.65 * (N / 3e8) ** -0.3
    path = tmp_path / "pairs.csv"
    table.to_csv(path, index=False)
    return path


def test_a_pair_without_targets_says_how_to_give_them(two_losses, capsys):
    said = refused(capsys, "pair", two_losses, "--from", "loss_a", "--to", "loss_b")
    assert "names no run to forecast; give --target with a value of loss_a, --target-run" in said
    said = refused(capsys, "pair", two_losses, "--from", "loss_c", "--to", "loss_b")
    assert "did you mean 'loss_a' or 'loss_b'" in said or "did you mean 'loss_b' or 'loss_a'" in said


def test_values_and_runs_to_forecast(two_losses):
    study = Study.from_file(two_losses)
    options = {"sets": "train_data", "by": "n_params,flops"}
    ((pairing, aims),) = read_pairings(study, "loss_a", "loss_b", **options, aim=Aim.read(["1.9"], ["r9"]))
    assert aims["target"].tolist() == ["loss_a=1.9", "r9"] and aims["source_loss"][0] == 1.9
    assert aims["loss"][1] == pytest.approx(study.frame["loss_b"][9])
    assert pairing.paired == 9 and "r9" not in set(pairing.study.frame["run"])
    with pytest.raises(TargetError, match="no run 'r10'; did you mean"):
        read_pairings(study, "loss_a", "loss_b", **options, aim=Aim.read([], ["r10"]))
    with pytest.raises(TargetError, match="not a loss on the axis"):
        Aim.read(["low"], [])


@pytest.mark.slow
def test_a_pair_end_to_end(two_losses, tmp_path, capsys):
    command = ["pair", two_losses, "--from", "loss_a", "--to", "loss_b", "--target", "1.9", "--out", tmp_path / "out"]
    assert call(*command, "--draws", DRAWS, "--allow-unconverged") == 0
    assert "loss_a=1.9" in capsys.readouterr().out
    row = pd.read_csv(tmp_path / "out" / "pairs.csv").iloc[0]
    assert row["q05"] < row["median"] < row["q95"]
