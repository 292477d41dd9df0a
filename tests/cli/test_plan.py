"""The command ``plan``: what it writes and what it refuses."""

from __future__ import annotations

import json
import re
import sys

import pandas as pd
import pytest

from bayes_scaling.cli.answering import Asked
from bayes_scaling.inference import diagnostics
from tests.cli.running import EXPORTED, MAP, TARGET, call, refused, short
from tests.conftest import DRAWS


@pytest.fixture
def candidates(tmp_path):
    path = tmp_path / "candidates.csv"
    pd.DataFrame({"run": ["a", "b", "c"], "N": [1e9, 2e9, 4e9], "D": [2e10, 4e10, 8e10]}).to_csv(path, index=False)
    return path


def test_a_budget_end_to_end(csv, tmp_path, capsys):
    out, file = tmp_path / "out", tmp_path / "plan.json"
    assert call(*short("plan", csv, *MAP, "--budget", "1e21,1e23", "--out", out, "--json", file, "--seed", 2)) == 0
    said = capsys.readouterr().out
    assert "1e+23 FLOPs are best spent on" in said and "6ND" in said
    assert max(map(len, said.splitlines())) <= 100
    tables = ["exponents.csv", "plan.csv", "regret.csv"]
    pictures = ["plan.png", "regret_1e+21.png", "regret_1e+23.png"]
    assert sorted(p.name for p in out.iterdir()) == sorted([*tables, *pictures, "plan.json", "posterior.nc"])
    document = json.loads(file.read_text())
    assert document == json.loads((out / "plan.json").read_text())
    assert "far-target" in [caveat["code"] for caveat in document["caveats"]]
    assert "Caveat: Target '1e+23 FLOPs' has 326 times the training FLOPs" in " ".join(said.split())
    assert (document["question"], document["flops"], document["seed"]) == ("budget", "6ND", 2)
    assert pd.read_csv(out / "plan.csv")["median"][0] == pytest.approx(document["tables"]["plan"][0]["median"])


@pytest.mark.slow
def test_an_average_of_laws_decides_too(csv, tmp_path, capsys):
    file = tmp_path / "plan.json"
    assert call(*short("plan", csv, *MAP, "--budget", "1e23", "--law", "average", "--json", file)) == 0
    assert "Laws by weight: " in " ".join(capsys.readouterr().out.split())
    document = json.loads(file.read_text())
    assert document["law"] == "average" and document["tables"]["plan"][0]["median"] > 1e9


def test_a_target_end_to_end(csv, tmp_path, capsys):
    file = tmp_path / "plan.json"
    command = short("plan", csv, *MAP, "--reach", "loss=2.2", "--prob", "0.8", "--serve", "1e12", "--json", file)
    assert call(*command) == 0
    said = capsys.readouterr().out
    assert "with probability 80 %" in said and "With 1T tokens to serve" in said
    assert set(json.loads(file.read_text())["tables"]) == {"plan", "intervals", "lifetime", "model"}
    assert call(*short("plan", csv, *MAP, "--reach", "loss=0.1", "--json", file)) == 0
    assert "No budget reaches a loss of 0.1" in capsys.readouterr().out
    rows = json.loads(file.read_text())["tables"]["plan"]
    assert all(row["flops"] is None and row["never"] == 1.0 for row in rows)


def test_the_next_run_end_to_end(csv, candidates, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(*short("plan", csv, *MAP, "--next", candidates, *TARGET, "--count", 2, "--out", out)) == 0
    assert re.search("Run [abc], [abc] ", capsys.readouterr().out)
    assert len(pd.read_csv(out / "batch.csv")) == 2 and (out / "plan.png").stat().st_size > 10_000


BAD = {
    "nothing asked": ([], "nothing is asked; give one of --budget"),
    "two questions": (["--budget", "1e21", "--reach", "loss=2"], "--budget and --reach are asked at once"),
    "budget not positive": (["--budget", "0"], "give positive numbers"),
    "budget not a number": (["--budget", "1e21,many"], "'many' is not a number"),
    "not an outcome": (["--reach", "accuracy=0.5"], "does not forecast 'accuracy'"),
    "not a pair": (["--reach", "2.1"], "not a list of pairs"),
    "not a probability": (["--reach", "loss=2.1", "--prob", "1.5"], "--prob is 1.5"),
    "not a percentage": (["--reach", "loss=2.1", "--prob", "150%"], "--prob is 1.5; .* such as 0.9 or 90%"),
    "at something else": (["--reach", "loss=2.1", "--at", "L=3"], "not one of N or D"),
    "no target": (["--next", "CANDIDATES"], "needs a run to forecast; give --target"),
    "no such candidates": (["--next", "no.csv", *TARGET], "no file 'no.csv'"),
    "target without D": (["--next", "CANDIDATES", "--target", "N=7e9"], "needs D"),
    "no such rule": (["--budget", "1e21", "--flops", "5ND"], "'5ND' is unknown"),
    "law without N": (["--budget", "1e21", "--law", "power_law"], "PowerLaw reads C"),
    "unknown law": (["--budget", "1e21", "--law", "chinchila"], "did you mean 'chinchilla'"),
    "task of none": (["--budget", "1e21", "--task", "MMLU"], "has no tasks"),
    "an error in words": (
        ["--budget", "1e21", "--exponent-error", "abc"],
        "'abc' is not a number; give one such as 0.25",
    ),
    "no error": (["--budget", "1e21", "--exponent-error", "0"], "--exponent-error.*0.25"),
    "an error too large": (
        ["--budget", "1e21", "--exponent-error", "2"],
        "--exponent-error is 2, .* 7.39 times .* at most 1",
    ),
    "exact and not": (["--budget", "1e21", "--exact", "--exponent-error", "0.25"], "give one of them"),
    "an option of another question": (
        ["--budget", "1e22", "--at", "N=7e9"],
        "--at goes with --reach, and --budget does",
    ),
    "another at its default": (["--budget", "1e22", "--count", "3"], "--count goes with --next, and --budget does"),
    "a budget and a target": (["--budget", "1e22", *TARGET], "--target goes with --next, --ladder and --against"),
    "two ways to end a batch": (
        ["--next", "CANDIDATES", *TARGET, "--spend", "1e21", "--count", "2"],
        "give one of them",
    ),
    "an input of none": (["--budget", "1e21", "--given", "steps=1e5"], "has no further input 'steps'"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_command_writes_nothing(options, message, csv, candidates, tmp_path, capsys, no_fit):
    options = [candidates if o == "CANDIDATES" else o for o in options]
    said = refused(capsys, "plan", csv, *MAP, *options, "--out", tmp_path / "out")
    assert re.search(message, said), said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["candidates.csv", "runs.csv"]


def test_a_folder_whose_answer_would_replace_the_candidates_is_refused(csv, candidates, tmp_path, capsys, no_fit):
    batch = candidates.rename(tmp_path / "batch.csv")
    said = refused(capsys, "plan", csv, *MAP, "--next", batch, *TARGET, "--out", tmp_path)
    assert "batch.csv' is read, and a result of that name" in said


def test_a_target_and_candidates_are_in_per_cent_as_the_table_is(runs, tmp_path, capsys, monkeypatch):
    table = runs.assign(task="PIQA", accuracy=100 - 25 * runs["val_loss"], chance=25.0)
    table.to_csv(tmp_path / "scores.csv", index=False)
    table[["N", "D", "chance"]].to_csv(tmp_path / "next.csv", index=False)
    command = ["plan", tmp_path / "scores.csv", "--law", "direct_accuracy", "--percent", "--given", "chance=25"]
    command += ["--next", tmp_path / "next.csv"]
    asked = []
    monkeypatch.setattr(Asked, "answered", lambda self, *_, **__: asked.append(self) or sys.exit(0))
    assert call(*command, "--target", "N=7e9,D=4e12,chance=25") == 0
    (found,) = asked
    assert found.question.target["chance"] == 0.25 and set(found.question.candidates["chance"]) == {0.25}
    assert found.beyond.given == {"chance": 0.25} and set(found.study.frame["chance"]) == {0.25}
    said = refused(capsys, *command, "--target", "N=7e9,D=4e12,chance=0.25")
    assert "chance = 0.25, which is no percentage unless below one; give it in per cent, or as 0.25% to mean" in said


def test_candidates_with_a_missing_column(csv, tmp_path, capsys, no_fit):
    pd.DataFrame({"N": [1e9]}).to_csv(tmp_path / "half.csv", index=False)
    assert "lack D" in refused(capsys, "plan", csv, *MAP, "--next", tmp_path / "half.csv", *TARGET)


@pytest.mark.parametrize(
    ("table", "target", "message"),
    [
        ({"N": [1e9]}, "N=7e9,D=4e12", "needs the column 'tokens'"),
        ({"N": [1e9], "D": ["many"]}, "N=7e9,D=4e12", "which is not a number"),
        ({"N": [1e9], "D": [-1.0]}, "N=7e9,D=4e12", "not positive"),
        ({"N": [1e9], "D": [2e10]}, "N=7e9", "needs D of the run to forecast"),
        ({"N": [1e9], "D": [2e10]}, "N=7e9,D=0", "target's D is 0"),
    ],
)
def test_a_ladder_that_cannot_be_simulated(table, target, message, tmp_path, capsys):
    pd.DataFrame(table).to_csv(tmp_path / "ladder.csv", index=False)
    said = refused(capsys, "plan", "--ladder", tmp_path / "ladder.csv", "--target", target, "--out", tmp_path / "out")
    assert message in said and not (tmp_path / "out").exists()


def test_what_is_fitted_is_not_asked_of_a_ladder_alone(candidates, capsys):
    said = refused(capsys, "plan", "--ladder", candidates, *TARGET, "--draws", 200)
    assert "--draws is about runs that are fitted, and no study is given" in said
    said = refused(capsys, "plan", "--ladder", candidates, *TARGET, "--flops", "study")
    assert "--flops study reads FLOPs per token off the runs of a study, and no study is given" in said


def test_many_tasks_need_a_choice(capsys):
    assert "choose one with --task" in refused(capsys, "plan", "olmo_ladder", "--budget", "1e22")
    assert "No study is given" in refused(capsys, "plan", "--budget", "1e22")


def test_an_unconverged_fit_exits_3(csv, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(diagnostics, "MAX_RHAT", 0.5)
    command = ["plan", csv, *MAP, "--budget", "1e22", "--draws", DRAWS, "--out", tmp_path / "out", "--quiet"]
    assert "--allow-unconverged" in refused(capsys, *command, code=3)
    assert not (tmp_path / "out").exists()


def test_a_ladder_of_an_export_is_read_and_filtered(export, capsys):
    command = ["plan", "--ladder", export, "--map", "n_params=params", "--target", "N=7e9,D=0"]
    assert "keeps none of 16 rows" in refused(capsys, *command, "--where", "State == 'planned'")
    assert "'Stat', which is no column" in refused(capsys, *command, "--where", "Stat == 'finished'")
    assert "target's D is 0" in refused(capsys, *command, "--where", "State == 'finished'")  # the ladder was read


@pytest.mark.parametrize("option", ["--next", "--ladder"])
def test_the_same_file_is_read_by_plans(option, export, capsys, no_fit):
    command = ["plan", export, *EXPORTED, "--drop-missing", option, export, "--target", "params=7B"]
    assert "needs D" in refused(capsys, *command)
