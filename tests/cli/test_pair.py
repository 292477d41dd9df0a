"""The command ``pair``: what it forecasts, what it writes and what it refuses."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bayes_scaling.errors import StudyError
from tests.cli.running import call, refused
from tests.conftest import DRAWS

A_TO_B = ("--from", "loss_a", "--to", "loss_b")


def test_writes_a_table_and_json(tmp_path, capsys):
    code = call(
        "pair", "loss_to_loss", "--from", "fineweb_edu:train_loss", "--to", "smollm:train_loss", "--out", tmp_path,
        "--draws", DRAWS, "--allow-unconverged", "--json", tmp_path / "more" / "one.json",
    )  # fmt: skip
    assert code == 0
    table = pd.read_csv(tmp_path / "pairs.csv")
    assert table["paired"].tolist() == [8]
    assert table["q05"][0] < table["median"][0] < table["q95"][0]
    document = json.loads((tmp_path / "pairs.json").read_text())
    assert document["rows"][0]["actual"] == pytest.approx(table["actual"][0], rel=1e-6)
    assert (tmp_path / "more" / "one.json").read_text() == (tmp_path / "pairs.json").read_text()
    said = capsys.readouterr()
    assert "of 1 inside the 90 % interval" in said.out and "Caveat: fineweb_edu:train_loss -> smollm" in said.out
    assert "R-hat" in said.out and "Fitting 1 pair of losses" in said.err
    assert "few-runs" in [caveat["code"] for caveat in document["caveats"]]
    said = refused(capsys, "score", tmp_path / "pairs.json", tmp_path / "pairs.csv")
    assert "pairs.json' holds forecasts of pairs, which are not kept for scores; add what came to the table of" in said


def test_a_loss_that_no_run_can_have_is_told_of(two_losses, tmp_path, capsys):
    command = [
        "pair",
        two_losses,
        *A_TO_B,
        "--target",
        "0.5",
        "--json",
        tmp_path / "a.json",
    ]
    assert call(*command, "--draws", DRAWS, "--allow-unconverged") == 0
    assert "is a factor of 4.44 beyond the smallest loss fitted, 2.218" in " ".join(capsys.readouterr().out.split())
    codes = [caveat["code"] for caveat in json.loads((tmp_path / "a.json").read_text())["caveats"]]
    assert [code for code in codes if code != "rhat"][:2] == ["below-floor", "far-loss"]  # the fit is a short one


def test_a_mistake_leaves_nothing_behind(tmp_path, capsys):
    out = tmp_path / "out"
    said = refused(capsys, "pair", "loss_to_loss", "--from", "x:y", "--to", "smollm:train_loss", "--out", out)
    assert "no train_data 'x'" in said
    assert not out.exists()


def test_a_folder_whose_result_would_replace_the_losses_is_refused(two_losses, capsys):
    said = refused(capsys, "pair", two_losses, *A_TO_B, "--target", "2.1", "--out", two_losses.parent)
    assert "pairs.csv' is read, and a result of that name" in said


def test_a_pair_without_targets_says_how_to_give_them(two_losses, capsys):
    said = refused(capsys, "pair", two_losses, *A_TO_B)
    assert "names no run to forecast; give --target with a value of loss_a, --target-run" in said
    said = refused(capsys, "pair", two_losses, "--from", "loss_c", "--to", "loss_b")
    assert "did you mean 'loss_a' or 'loss_b'" in said or "did you mean 'loss_b' or 'loss_a'" in said


@pytest.mark.slow
def test_a_pair_end_to_end(two_losses, tmp_path, capsys):
    command = ["pair", two_losses, *A_TO_B, "--target", "1.9", "--out", tmp_path / "out"]
    assert call(*command, "--draws", DRAWS, "--allow-unconverged") == 0
    assert "loss_a=1.9" in capsys.readouterr().out
    row = pd.read_csv(tmp_path / "out" / "pairs.csv").iloc[0]
    assert row["q05"] < row["median"] < row["q95"]
    (picture,) = (tmp_path / "out").glob("*.png")
    assert picture.name == "01_pairs_loss_a_pairs_loss_b.png" and picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_run_is_forecast_by_its_name_and_not_fitted(two_losses, tmp_path, capsys):
    file = tmp_path / "pairs.json"
    command = [
        "pair",
        two_losses,
        *A_TO_B,
        "--target-run",
        "r9",
        "--unit",
        "bits per byte",
    ]
    options = ["--prior", "sigma=LogNormal(-5, 1)", "--json", file]
    assert call(*command, *options, "--draws", DRAWS, "--allow-unconverged") == 0
    said = capsys.readouterr().out
    assert "A loss from another (bits per byte)" in said and "1 of 1 inside the 90 % interval" in said
    (row,) = json.loads(file.read_text())["rows"]
    assert (row["target"], row["paired"], row["unit"]) == ("r9", 9, "bits per byte")
    assert row["q05"] < row["actual"] < row["q95"]


def test_a_run_whose_loss_is_to_come_is_forecast_by_its_name(two_losses, tmp_path, capsys):
    table = pd.read_csv(two_losses)
    table.loc[table["run"] == "r9", "loss_b"] = float("nan")
    table.to_csv(tmp_path / "own.csv", index=False)
    said = refused(capsys, "pair", tmp_path / "own.csv", *A_TO_B, "--target", "2.1")
    assert (
        "'r9' (row 10); fill it in, drop such runs with --drop-missing, or say with --target-run which is to be" in said
    )
    options = ["--draws", DRAWS, "--allow-unconverged", "--quiet", "--json", tmp_path / "own.json"]
    assert call("pair", tmp_path / "own.csv", *A_TO_B, "--target-run", "r9", *options) == 0
    (row,) = json.loads((tmp_path / "own.json").read_text())["rows"]
    assert row["target"] == "r9" and row["actual"] is None and row["q05"] < row["median"] < row["q95"]


def test_a_run_without_a_loss_is_left_out_where_the_user_says_so(two_losses, tmp_path, capsys, monkeypatch):
    def stop(law, pairings, *_, **__):
        raise StudyError(f"{pairings[0][0].paired} pairs")

    monkeypatch.setattr("bayes_scaling.cli.pair.fit_pairs", stop)
    table = pd.read_csv(two_losses)
    table.loc[3, "loss_b"] = float("nan")
    table.to_csv(tmp_path / "own.csv", index=False)
    command = ["pair", tmp_path / "own.csv", *A_TO_B, "--target", "2.1"]
    assert "'r3' (row 4); fill it in, drop such runs with --drop-missing" in refused(capsys, *command)
    assert call(*command, "--drop-missing") == 2
    said = capsys.readouterr()
    assert "1 of 10 rows, in which loss_b is missing or infinite, was left out: run 'r3'" in " ".join(said.out.split())
    assert said.err == "bayes-scaling: 9 pairs\n"


def test_a_prior_of_no_parameter_is_refused_before_the_fit(two_losses, capsys):
    said = refused(capsys, "pair", two_losses, *A_TO_B, "--target", "2", "--prior", "x=1")
    assert "--prior 'x=1' is of no parameter of ShiftedPowerLaw" in said


def test_a_law_that_bends_is_one_option_away(two_losses, tmp_path):
    options = [*A_TO_B, "--target-run", "r9", "--draws", DRAWS, "--allow-unconverged"]
    medians = []
    for law in ("shifted_power_law", "bent_power_law"):
        assert call("pair", two_losses, *options, "--law", law, "--json", tmp_path / "one.json", "--quiet") == 0
        medians.append(json.loads((tmp_path / "one.json").read_text())["rows"][0]["median"])
    assert medians[0] != medians[1]
    assert medians[0] == pytest.approx(medians[1], rel=0.05)


def test_a_law_of_other_columns_is_refused(two_losses, capsys):
    said = refused(capsys, "pair", two_losses, *A_TO_B, "--target", "2", "--law", "kaplan")
    assert "give shifted_power_law or bent_power_law" in said or "give bent_power_law or shifted_power_law" in said


@pytest.mark.parametrize("option", [["--map", "loss=val"], ["--drop-missing"]])
def test_what_only_a_users_table_takes_is_refused_beside_full(option, capsys):
    said = refused(capsys, "pair", "loss_to_loss", "--full", *option, "--from", "a:x_loss", "--to", "b:x_loss")
    assert f"{option[0]} is for tables of your own, and --full takes 'loss_to_loss' as it is" in said
