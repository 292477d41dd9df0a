"""The command ``forecast``: what it writes, what it refuses, and what it leaves behind where it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_scaling import plots
from bayes_scaling.cli.forecast import fit_and_forecast, only_tasks
from bayes_scaling.errors import LawError
from bayes_scaling.evaluation import averaging
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.inference import diagnostics
from bayes_scaling.models.two_step import routes
from bayes_scaling.reporting.assessment import Assessment
from bayes_scaling.reporting.page import write_report
from bayes_scaling.reporting.result import Result
from bayes_scaling.reporting.screen import weighed
from tests import worlds
from tests.cli.running import EXPORTED, MAP, TARGET, call, refused, short
from tests.conftest import DRAWS
from tests.study.test_study import BAD, GOOD

# -- what it does ---------------------------------------------------------------------------------------------------


def test_a_users_table_end_to_end(csv, tmp_path, capsys):
    out, file, page = tmp_path / "new" / "out", tmp_path / "answer.json", tmp_path / "page" / "report.html"
    assert call(*short("forecast", csv, *MAP, *TARGET, "--law", "chinchilla", "--out", out, "--json", file,
                       "--report", page, "--seed", 3)) == 0  # fmt: skip
    said = capsys.readouterr()
    assert "90 % interval" in said.out and "N=7e9,D=4e12" in said.out
    assert max(map(len, said.out.splitlines())) <= 100

    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and "bayes-scaling forecast " in text and "--seed 3" in text
    assert sorted(p.name for p in out.iterdir()) == ["forecast.csv", "forecast.json", "forecast.png", "posterior.nc"]
    document = json.loads(file.read_text())
    assert document == json.loads((out / "forecast.json").read_text())
    assert list(document) == ["study", "law", "seed", "seconds", "diagnostics", "caveats", "rows", "registered"]
    assert "far-target" in [c["code"] for c in document["caveats"]]
    assert all(" ".join(c["text"].split()[:6]) in " ".join(said.out.split()) for c in document["caveats"])
    assert (document["study"], document["law"], document["seed"]) == ("runs", "chinchilla", 3)
    assert list(document["diagnostics"]) == ["max_rhat", "min_ess_bulk", "min_ess_tail", "divergences", "converged"]
    (row,) = document["rows"]
    numbers = ["mean", "sd", "q05", "q25", "median", "q75", "q95", "actual"]
    assert list(row) == ["target", "task", "quantity", "unit", *numbers, "distance"]
    assert row["actual"] is None and row["task"] is None
    assert row["quantity"] == "loss" and row["unit"] == "as given"
    assert 1.8 < row["q05"] < row["q25"] < row["median"] < row["q75"] < row["q95"] < 2.6
    assert pd.read_csv(out / "forecast.csv")["median"][0] == pytest.approx(row["median"])
    assert (out / "posterior.nc").stat().st_mode == (out / "forecast.csv").stat().st_mode
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_another_forecast_into_the_same_folder_keeps_the_first_and_says_so(csv, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = short("forecast", csv, *MAP, "--law", "chinchilla", "--out", "out", "--json", "one.json")
    for _ in range(2):  # the second says the same, and keeps nothing
        assert call(*command, *TARGET) == 0
        assert "is kept in" not in capsys.readouterr().out
    first = {name: Path(name).read_text() for name in ("out/forecast.json", "one.json")}
    assert call(*command, "--target", "target=late,N=7e9,D=2e12") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "The forecast that was registered in out/forecast.json is kept in out/forecast_1.json.",
        "The forecast that was registered in one.json is kept in one_1.json.",
    ]
    assert Path("out/forecast_1.json").read_text() == first["out/forecast.json"]
    assert Path("one_1.json").read_text() == first["one.json"]
    pd.DataFrame({"N": [7e9], "D": [4e12], "loss": [2.2]}).to_csv("came.csv", index=False)
    assert call("score", "out/forecast_1.json", "came.csv", "--quiet") == 0
    assert pd.read_csv("out/register.csv")["target"].tolist() == ["N=7e9,D=4e12"]


def test_the_ladder_end_to_end(tmp_path, capsys):
    assert call(*short("forecast", "olmo_ladder", "--out", tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "of 16 inside the 90 % interval" in said and "MMLU" in said and "points" in said
    assert "does not expect" not in said
    assert max(map(len, said.splitlines())) <= 100
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    pictures, posteriors = ["forecast.png", "ladder.png"], ["posterior_c4_loss.nc", "posterior_task_loss.nc"]
    assert names == sorted(["forecast.csv", "forecast.json", *pictures, *posteriors])
    rows = pd.DataFrame(json.loads((tmp_path / "out" / "forecast.json").read_text())["rows"])
    assert len(rows) == 34
    assert set(rows["target"]) == {"7B-4T", "13B-5T"}
    assert rows["task"].tolist()[-2:] == ["c4_loss"] * 2  # which the tasks share
    by_task = rows.iloc[:-2]
    assert by_task.groupby("quantity")["task"].nunique().to_dict() == {"accuracy": 8, "loss": 8}
    units = dict(zip(by_task["quantity"], by_task["unit"], strict=True))
    assert units == {"accuracy": "fraction", "loss": "bits per byte"}
    assert by_task["actual"].between(0.4, 1.4).all() and rows["actual"].iloc[-2:].between(2, 3).all()


def test_one_task_and_one_target(tmp_path, capsys):
    file = tmp_path / "one.json"
    choice = ["--task", "MMLU", "--target", "7B-4T", "--law", "chinchilla", "--map", "loss=task_loss"]
    assert call(*short("forecast", "olmo_ladder", *choice, "--json", file, "--quiet")) == 0
    said = capsys.readouterr()
    assert said.out == said.err == ""
    (row,) = json.loads(file.read_text())["rows"]
    assert (row["task"], row["target"], row["quantity"]) == ("MMLU", "7B-4T", "loss")


# -- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "options", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_table_writes_nothing(table, options, message, tmp_path, capsys):
    table.to_csv(tmp_path / "bad.csv", index=False)
    before = sorted(tmp_path.iterdir())
    flops = ["--flops", options["flops"]] if "flops" in options else []
    columns = ["--map", ",".join(f"{k}={v}" for k, v in options.items())] if options and not flops else []
    said = refused(capsys, "forecast", tmp_path / "bad.csv", *TARGET, *columns, *flops, "--out", tmp_path / "out")
    assert re.search(message, said), said
    assert sorted(tmp_path.iterdir()) == before


BAD_COMMANDS = {
    "unknown law": (["--law", "chinchila", *TARGET], "no law 'chinchila'; did you mean 'chinchilla'"),
    "no target": ([], "give --target N=7e9,D=4e12"),
    "unknown target": (["--target", "7B"], "names no runs to forecast"),
    "missing input": (["--target", "N=7e9"], "needs D \\(tokens\\)"),
    "negative target": (["--target", "N=-1,D=4e12"], "give a positive number"),
    "target not a number": (["--target", "N=7Q,D=4e12"], "N = '7Q', which is not a number"),
    "target not a pair": (["--target", "N=,D=4e12"], "is not a list of pairs"),
    "target by name among inputs": ([*TARGET, "--target", "7B"], "'7B' is a name"),
    "space after a comma": ([*TARGET[:1], "N=7e9,", "D=4e12"], "Leave no space after a comma"),
    "target twice": ([*TARGET, *TARGET], "is given twice"),
    "no tasks": ([*TARGET, "--task", "MMLU"], "has no tasks"),
    "law without its column": ([*TARGET, "--law", "power_law"], "needs the column 'flops'"),
    "map without pairs": ([*TARGET, "--map", "loss"], "--map 'loss' is not a list of pairs"),
    "map of nothing": ([*TARGET, "--map", "loss=vall_loss"], "did you mean 'val_loss'"),
    "unknown option": ([*TARGET, "--lwa", "chinchilla"], "No such option"),
    "option not a number": ([*TARGET, "--draws", "many"], "--draws"),
    "too few draws": ([*TARGET, "--draws", "1"], "--draws"),
    "negative seed": ([*TARGET, "--seed", "-1"], "--seed"),
}


@pytest.mark.parametrize(("options", "message"), BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
def test_a_bad_command_writes_nothing(options, message, csv, tmp_path, capsys, no_fit):
    columns = [] if "--map" in options else MAP
    said = refused(capsys, "forecast", csv, *columns, *options, "--out", tmp_path / "out")
    assert re.search(message, said), said
    assert [p.name for p in tmp_path.iterdir()] == ["runs.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["olmo_lader"], "did you mean 'olmo_ladder'"),
        (["missing.csv"], "There is no file 'missing.csv'"),
        (["olmo_ladder", "--target", "7B"], "no target '7B'; known: 13B-5T, 7B-4T"),
        (["olmo_ladder", "--task", "MMLUU"], "no task 'MMLUU'; did you mean 'MMLU'"),
        (["olmo_ladder", "--law", "chinchilla", "--map", "loss=task_loss"], "choose one with --task"),
        (["olmo_ladder", "--target", "7B-4T", "--target", "N=7e9,D=4e12"], "one way"),
        ([], "STUDY_OR_FILE"),
    ],
)
def test_what_does_not_exist_is_named(arguments, message, capsys, no_fit):
    assert message in refused(capsys, "forecast", *arguments)


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80", b"N,D,loss\n", b"N;D;loss\n", b'run,N\n"a,1\n'])
def test_a_damaged_file_is_one_sentence(content, tmp_path, capsys):
    (tmp_path / "bad.csv").write_bytes(content)
    refused(capsys, "forecast", tmp_path / "bad.csv", *TARGET, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_runs_and_one_size(tmp_path, capsys):
    pd.DataFrame(GOOD).head(2).to_csv(tmp_path / "few.csv", index=False)
    assert "has 2 runs" in refused(capsys, "forecast", tmp_path / "few.csv", *TARGET, "--quiet")
    one = pd.DataFrame({"N": [1e8] * 9, "D": [i * 1e9 for i in range(1, 10)], "loss": [4 - 0.1 * i for i in range(9)]})
    one.to_csv(tmp_path / "one.csv", index=False)
    chinchilla = ("--law", "chinchilla", "--quiet")
    assert "has N = 1e+08" in refused(capsys, "forecast", tmp_path / "one.csv", *TARGET, *chinchilla)


def test_one_loss_is_forecast_by_an_average(csv, tmp_path, capsys):
    file, page = tmp_path / "answer.json", tmp_path / "report.html"
    assert call(*short("forecast", csv, *MAP, *TARGET, "--json", file, "--report", page)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Laws, weighed by backtests on these runs" in said and "average, seed" in said
    document = json.loads(file.read_text())
    assert document["law"] == "average" and sum(document["weights"].values()) == pytest.approx(1)
    assert {"cut", "run", "median", "error", "inside"} <= document["backtests"][0].keys()
    assert "Larger runs forecast from smaller ones".lower() in page.read_text(encoding="utf-8").lower()


def test_an_average_is_of_one_loss_and_of_no_prior(csv, capsys):
    assert "calls for the law two_step" in refused(capsys, "forecast", "olmo_ladder", "--law", "average")
    said = refused(capsys, "forecast", csv, *MAP, *TARGET, "--law", "average", "--prior", "E=1.7")
    assert "--prior speaks of one law" in said


def test_a_wrong_checksum_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BAYES_SCALING_DATA", str(tmp_path))
    (tmp_path / "chinchilla").mkdir()
    (tmp_path / "chinchilla" / "svg_extracted_data.csv").write_text("not what was published\n")
    assert "SHA-256" in refused(capsys, "forecast", "chinchilla", *TARGET)


@pytest.mark.parametrize("option", ["--out", "--json", "--report"])
def test_an_output_that_cannot_be_written_stops_before_the_fit(option, csv, tmp_path, capsys, no_fit):
    assert "is a file" in refused(capsys, "forecast", csv, *MAP, *TARGET, option, csv / "below")


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_file_that_is_a_folder_is_refused(option, csv, tmp_path, capsys):
    assert "is a folder" in refused(capsys, "forecast", csv, *MAP, *TARGET, option, tmp_path)


def test_a_folder_whose_result_would_replace_the_runs_is_refused(csv, tmp_path, capsys, no_fit):
    runs = csv.rename(tmp_path / "forecast.csv")
    said = refused(capsys, "forecast", runs, *MAP, *TARGET, "--out", tmp_path)
    assert "forecast.csv' is read, and a result of that name" in said


def test_two_outputs_in_one_file_are_refused(csv, tmp_path, capsys):
    file = tmp_path / "one"
    said = refused(capsys, "forecast", csv, *MAP, *TARGET, "--json", file, "--report", file)
    assert "is given for two outputs" in said and not file.exists()


# -- what goes wrong on the way -------------------------------------------------------------------------------------


def test_an_unconverged_fit_exits_3_and_writes_nothing(csv, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(diagnostics, "MAX_RHAT", 0.5)  # which no fit can reach
    out = ["--out", tmp_path / "out", "--report", tmp_path / "out" / "report.html"]
    command = ["forecast", csv, *MAP, *TARGET, "--draws", DRAWS, *out, "--quiet"]
    assert "--allow-unconverged" in refused(capsys, *command, code=3)
    assert not (tmp_path / "out").exists()
    assert call(*command, "--allow-unconverged") == 0
    assert json.loads((tmp_path / "out" / "forecast.json").read_text())["diagnostics"]["converged"] is False
    assert "NOT CONVERGED" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_route_whose_forecast_is_refused_is_left_out_and_the_last_one_ends_the_command(tmp_path, monkeypatch):
    fits = {f"TwoStep ({name})": worlds.ladder(seed, count=60) for seed, name in enumerate("abc")}
    no_number = {"TwoStep (a)"}

    def some(posterior, targets, **how):
        if any(posterior is fits[name] for name in no_number):
            raise LawError("TwoStep says an accuracy that is NaN at target 'far' in 1.0% of its draws; go nearer.")
        return forecast(posterior, targets, **how)

    monkeypatch.setattr(averaging, "fit_each", lambda *_, **__: iter(fits.items()))
    monkeypatch.setattr(averaging, "forecast", some)
    study, far = fits["TwoStep (a)"].study, {"target": "far", "N": 7e9, "D": 4e12}

    def made():
        how = {"seed": 0, "allow_unconverged": True}
        return fit_and_forecast(study, routes(["a", "b", "c"]), far, lambda words: None, **how)

    mixed, posteriors = made()
    assert posteriors == [fits["TwoStep (b)"], fits["TwoStep (c)"]]
    result = Result.of(study, "two_step", posteriors, mixed, seed=0, seconds=1.0)
    assert result.document()["left_out"] == ["TwoStep (a)"] and "left-out" in result.caveats.codes
    assert weighed(mixed) == "Laws, with equal weights: TwoStep (b) 0.50, TwoStep (c) 0.50."
    page = write_report(Assessment.of(result), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "left out of the average" in page and "an equal mixture of 2 fits" in page
    assert "weights, for want of runs" not in page and "with priors and settings of its own" not in page
    no_number.add("TwoStep (b)")
    mixed, _ = made()
    assert weighed(mixed) == "Law: TwoStep (c), the only one of 3 that has a forecast."
    no_number.add("TwoStep (c)")
    with pytest.raises(LawError, match=r"^TwoStep \(a\) says an accuracy"):
        made()
    no_number.clear()
    mixed, posteriors = made()
    assert len(posteriors) == 3
    assert weighed(mixed) == "Laws, with equal weights: TwoStep (a) 0.33, TwoStep (b) 0.33, TwoStep (c) 0.33."


@pytest.mark.parametrize("where", ["fit", "plot"])
def test_an_interruption_leaves_nothing_behind(where, csv, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(*((averaging, "fit") if where == "fit" else (plots, "plot_fit")), interrupt)
    line = ("forecast", csv, *MAP, *TARGET, "--law", "chinchilla", "--out", tmp_path / "out", "--quiet")
    refused(capsys, *short(*line), code=130)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.csv"]


def test_a_full_disk_changes_nothing(csv, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plots, "plot_fit", full)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "forecast.json").write_text("old")
    said = refused(capsys, *short("forecast", csv, *MAP, *TARGET, "--out", tmp_path / "out", "--quiet"))
    assert "No space left" in said
    assert [p.read_text() for p in (tmp_path / "out").iterdir()] == ["old"]


# -- exports of experiment trackers ---------------------------------------------------------------------------------


def test_an_export_says_how_to_read_it(export, capsys):
    said = refused(capsys, "forecast", export, *EXPORTED, *TARGET)
    assert "Run 'run 13' (row 14) and run 'run 14' (row 15) have no loss ('eval/loss')" in said
    assert "--drop-missing" in said and "--where \"State == 'finished'\"" in said and "drop_missing" not in said


def test_an_export_end_to_end(export, capsys):
    aim = ["--target", "params=7B,train/tokens=4T"]
    assert call(*short("forecast", export, *EXPORTED, *aim, "--where", "State == 'finished'")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "params=7B,train/tokens=4T" in said and "'Name' as run" in said and "--map run=YOURS" in said


def test_a_prior_that_leaves_one_law_for_the_average_is_told(csv, capsys):
    prior = [*MAP, *TARGET, "--prior", "sigma=0.01"]
    assert call(*short("forecast", csv, *prior)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Fitted is chinchilla alone, and not the average of laws, since --prior speaks of one law;")
    assert call(*short("forecast", csv, *prior, "--law", "chinchilla")) == 0
    assert "alone" not in capsys.readouterr().out


# -- laws in a column, priors, units --------------------------------------------------------------------------------


def test_a_law_in_a_column_of_any_name_with_a_prior_and_a_unit(tmp_path, capsys):
    size = np.geomspace(1e3, 1e5, 12)
    noise = np.exp(np.random.default_rng(0).normal(0.0, 0.01, 12))
    table = pd.DataFrame({"examples": size, "val": (0.05 + 0.1 * (size / 1e4) ** -0.4) * noise})
    table.to_csv(tmp_path / "curve.csv", index=False)
    command = short("forecast", tmp_path / "curve.csv", "--law", "power_law:examples", "--map", "loss=val", "--adapt")
    aim = ["--target", "examples=2e7", "--prior", "alpha_C=LogNormal(-1, 0.3)", "--unit", "share of errors"]
    assert call(*command, *aim, "--json", tmp_path / "one.json") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "loss (share of errors)" in said and "has 200 times the examples of the largest run fitted" in said
    assert "Examples over those of the largest fitted run: examples=2e7: 200 x." in said
    document = json.loads((tmp_path / "one.json").read_text())
    assert document["law"] == "power_law:examples" and document["rows"][0]["unit"] == "share of errors"


def test_a_law_in_flops_is_not_advised_to_be_one(tmp_path, capsys):
    N = np.geomspace(2e7, 2e9, 12)
    pd.DataFrame({"N": N, "D": 20 * N, "loss": 1.8 + (N / 1e8) ** -0.3}).to_csv(tmp_path / "one.csv", index=False)
    command = ["forecast", tmp_path / "one.csv", *TARGET, "--flops", "6ND", "--law"]
    assert call(*short(*command, "power_law", "--json", tmp_path / "one.json")) == 0
    codes = {caveat["code"] for caveat in json.loads((tmp_path / "one.json").read_text())["caveats"]}
    assert "one-ratio" not in codes and "far-target" in codes


@pytest.mark.slow
def test_accuracies_without_a_loss_are_forecast_in_a_single_step(tmp_path, capsys):
    rows = []
    for i, N in enumerate(np.geomspace(1e8, 3e9, 8)):
        for D, task, steep in ((2e10, "one", 1.0), (2e11, "two", 1.4)):
            odds = steep * np.log(N / 1e9) + 0.3 * np.log(D / 1e11)
            rows += [(f"r{i}", t, N, D, 0.25 + 0.7 / (1 + np.exp(-odds * f)), 0.25) for t, f in ((task, 1.0),)]
    table = pd.DataFrame(rows, columns=["run", "task", "N", "D", "accuracy", "chance"])
    table["D"] = table.groupby("run")["D"].transform("first") * (1 + table.groupby("run").ngroup() % 3)
    table.to_csv(tmp_path / "tasks.csv", index=False)
    assert call(*short("forecast", tmp_path / "tasks.csv", *TARGET, "--json", tmp_path / "one.json")) == 0
    document = json.loads((tmp_path / "one.json").read_text())
    assert document["law"] == "two_step in a single step"
    assert {(row["task"], row["quantity"]) for row in document["rows"]} == {("one", "accuracy"), ("two", "accuracy")}
    assert "two_step in a single step" in " ".join(capsys.readouterr().out.split())


def test_a_task_may_be_asked_for_twice_and_with_blanks():
    kept = only_tasks(worlds.ladder(count=20).forecast({"N": 7e9, "D": 4e12}), (" two", "two"))
    assert kept.intervals()["task"].tolist() == ["two"] * 2 and set(kept.units) == {"loss", "accuracy"}


def test_a_task_that_only_targets_have_is_left_out():
    forecast = worlds.ladder(count=10).forecast({"N": 7e9, "D": 4e12})
    kept = only_tasks(forecast, ("two", "three"))
    assert kept.draws["task"].to_numpy().tolist() == ["two"]
