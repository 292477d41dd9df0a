"""The question ``--against``, asked of known posteriors and, once, from the command line."""

from __future__ import annotations

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.against import Against
from bayes_scaling.cli.planning import doubts, planned, with_rival
from bayes_scaling.models import Chinchilla, PowerLaw
from bayes_scaling.study.flops import six_n_d
from tests.cli.running import MAP, call, refused, short
from tests.worlds import GRID, by_compute, chinchilla, exact, known, ladder, on_the_curve


def against(at, posterior=None, **options):
    posterior = posterior or chinchilla(seed=2, count=60, reducible=0.5)
    return Against(posterior.study, at, 0, Chinchilla(), posterior, **options)


def test_the_answer_names_factor_chance_and_assumptions():
    surface = bs.Surface.of(chinchilla(seed=1, count=60))
    answer = against({"flops": 1e22}).answer(surface)
    said = " ".join(answer.sentences)
    assert "times (90 %: " in said and "less compute than A for what A reaches at 1e+22 FLOPs (a loss of" in said
    assert "if each law errs by itself" in said and "if both laws are exact" in said
    assert "for data and" in said and "for parameters." in said
    assert list(answer.tables) == list(Against.tables) == ["plan"] and set(answer.pictures) == {"plan", "scale"}
    assert answer.aims["flops"].tolist() == [1e22]


def test_a_run_has_no_picture_over_the_budget():
    answer = against({"n_params": 7e9, "tokens": 4e12}).answer(exact(chinchilla(count=60)))
    assert set(answer.pictures) == {"plan"} and "assumes" not in " ".join(answer.sentences)


def test_what_is_not_drawn_is_not_computed_over_the_budget():
    answer = against({"flops": 1e22}, pictures=False).answer(exact(chinchilla(count=60)))
    assert set(answer.pictures) == {"plan"} and answer.aims["flops"].tolist() == [1e22]


@pytest.mark.parametrize("at", [1e16, 1e22, 1e26])
def test_the_picture_over_the_budget_holds_the_scale_asked_for(at):
    draw = against({"flops": at}).answer(bs.Surface.of(chinchilla(seed=1, count=60))).pictures["scale"]
    (least, *_, most) = draw.args[0].flops
    assert least <= at * (1 + 1e-9) and most >= at * (1 - 1e-9)


def test_never_is_said():
    worse = chinchilla(seed=2, count=60, E=2.6)
    answer = against({"flops": 1e24}, worse).answer(exact(chinchilla(count=60, E=1.4)))
    assert answer.sentences[0].startswith("B more likely than not never reaches what A reaches at 1e+24 FLOPs")
    assert "never times" not in " ".join(answer.sentences)


def test_the_picture_over_the_budget_says_the_chance_that_the_answer_says():
    answer = against({"flops": 1e24}, chinchilla(seed=2, count=900, reducible=0.5)).answer(
        bs.Surface.of(chinchilla(seed=1, count=900))
    )
    chance = answer.sentences[0].rpartition("probability ")[2].rstrip(".")
    assert any(f"{chance} that B takes less at 1e+24" in t.get_text() for t in answer.pictures["scale"]().texts)
    plt.close("all")


def test_what_speaks_against_both_fits_is_said_once():
    a, b = chinchilla(seed=1, count=60), chinchilla(seed=2, count=60, reducible=0.5)
    answer = against({"flops": 1e24}, b).answer(bs.Surface.of(a))
    named = dataclasses.replace(b, study=bs.Study.from_frame(b.study.frame, card=bs.Card("new")))
    for rival, both in ((b, "A and B: "), (named, "known and new: ")):
        found = doubts(a, answer, rival)
        (far,) = found.only("far-target")
        assert far.sentence.startswith(f"{both}Target '1e+24 FLOPs'")
    worse = dataclasses.replace(named, diagnostics=dataclasses.replace(b.diagnostics, max_rhat=1.2))
    (severe,) = doubts(a, answer, worse).only("rhat")
    assert severe.sentence.startswith("new: ")


def test_runs_of_both_are_pointed_out():
    table = on_the_curve(0.005)
    same = chinchilla(seed=2, count=60, table=table)
    answer = against({"flops": 1e22}, same).answer(exact(chinchilla(count=60, table=table)))
    assert "Both fits saw 16 runs" in answer.sentences[-1]


def test_b_is_decided_by_the_task_that_was_asked_for(monkeypatch):
    """Where the outcome has other series than tasks, a place among them names another task."""
    fit = ladder(count=20)
    surface = dataclasses.replace(bs.Surface.of(fit, quantity="loss", series="two"), series_index=(0,))
    compared = []

    def stop(a, b, *_, **__):
        compared.append(b.series_index)
        raise StopIteration

    monkeypatch.setattr("bayes_scaling.cli.against.speedup", stop)
    with pytest.raises(StopIteration):
        Against(fit.study, {"flops": 1e22}, 0, fit.law, fit, task="two").answer(surface)
    assert compared == [(1,)]


def test_what_cannot_be_compared_is_refused_before_the_fit():
    study = chinchilla(count=2).study
    nats = bs.Study.from_frame(GRID.assign(loss=3.0), name="nats", unit="nats per token")
    bits = bs.Study.from_frame(GRID.assign(loss=3.0), name="bits", unit="bits per byte")
    few = bs.Study.from_frame(GRID.assign(loss=3.0).head(3), name="few")
    with pytest.raises(bs.DecisionError, match="'nats' and 'bits' differ in the unit of 'loss'"):
        Against(bits, {"flops": 1e22}, 0, Chinchilla()).check(Chinchilla(), nats, six_n_d)
    Against(bits, {"flops": 1e22}, 0, Chinchilla()).check(Chinchilla(), study, six_n_d)  # a unit that nobody states
    with pytest.raises(bs.StudyError, match="'few' has 3 runs"):
        Against(few, {"flops": 1e22}, 0, Chinchilla()).check(Chinchilla(), study, six_n_d)
    with pytest.raises(bs.DecisionError, match="gives N"):
        Against(study, {"n_params": 1e9}, 0, Chinchilla()).check(Chinchilla(), study, six_n_d)


def test_flops_of_another_count_are_those_of_other_models_until_the_answer_tells():
    """A table without FLOPs has them by 6ND, and the other may have its own."""
    own = bs.Study.from_frame(on_the_curve(0.005).assign(C=9 * GRID["N"] * GRID["D"]), name="own")
    none = bs.Study.from_frame(on_the_curve(0.005), name="none")
    for table, other in ((own, none), (none, own), (none, none)):
        study, name, law = planned(table, Against(other, {"flops": 1e22}, 0), "power_law", None)
        with_rival(Against(other, {"flops": 1e22}, 0), name, None, None).check(law, study, six_n_d)


def test_a_count_that_no_column_tells_is_said():
    runs = GRID.assign(C=6 * GRID["N"] * GRID["D"])
    alone = by_compute(seed=1, count=60)
    draws = dict(by_compute(seed=2, count=60).draws)
    counted, other = (known(PowerLaw(), draws, table) for table in (runs, runs[["C"]]))
    answers = [against({"flops": 1e22}, b).answer(exact(a)) for a, b in ((alone, counted), (alone, other))]
    said = "That A and B count FLOPs alike is assumed, since their columns do not tell"
    assert [answer.sentences[-1] for answer in answers] == [f"{said}; those of B are 6ND.", f"{said}."]
    told = against({"flops": 1e22}, counted).answer(exact(counted))
    assert not any("count FLOPs alike" in sentence or "FLOPs of B" in sentence for sentence in told.sentences)


def test_counts_that_differ_for_as_many_parameters_and_tokens_are_said():
    dense, sparse = (
        known(PowerLaw(), dict(by_compute(seed=1, count=60).draws), GRID.assign(C=per * GRID["N"] * GRID["D"]))
        for per in (6, 1.5)
    )
    assert against({"flops": 1e22}, sparse).answer(exact(dense)).sentences[-1] == (
        "The FLOPs of B are 0.25 times those of A for as many parameters and tokens: right if the models differ so, "
        "wrong if they are counted otherwise."
    )


def test_two_files_end_to_end(csv, runs, tmp_path, capsys):
    other, out = tmp_path / "better.csv", tmp_path / "out"
    runs.assign(val_loss=1.8 + 0.9 * (runs["val_loss"] - 1.8), steps=500).to_csv(other, index=False)  # too few
    command = ["plan", csv, *MAP, "--against", other, "--target", "C=1e23", "--out", out]
    assert call(*short(*command)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "less compute than runs for what runs reaches at 1e+23 FLOPs" in said
    names = ["plan.csv", "plan.json", "plan.png", "posterior.nc", "posterior_against.nc", "scale.png"]
    assert sorted(p.name for p in out.iterdir()) == names
    document = json.loads((out / "plan.json").read_text())
    rows = pd.DataFrame(document["tables"]["plan"]).set_index(["resource", "error"])
    assert rows.at[("flops", "shared"), "median"] > 1 and document["question"] == "against"
    assert any(caveat["text"].startswith("better: ") for caveat in document["caveats"])
    assert np.isfinite(rows["probability"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"val_loss": "loss_v"}}, "The table has no column 'val_loss' to use as 'loss'; "),
        ({"columns": {"D": "seen"}}, "The table has no column 'D' to use as 'tokens'; "),
        ({"index": [0, 1, 2]}, "Study 'runs' has 3 runs, and Chinchilla needs at least 6"),
    ],
)
@pytest.mark.parametrize("odd", [0, 1])
def test_of_two_files_a_message_says_which(odd, change, message, csv, runs, tmp_path, capsys, no_fit):
    (tmp_path / "new").mkdir()
    other = tmp_path / "new" / "runs.csv"
    changed = runs.rename(columns=change.get("columns", {})).iloc[change.get("index", slice(None))]
    changed.to_csv(other, index=False)
    files = [other, csv] if odd == 0 else [csv, other]
    said = refused(capsys, "plan", files[0], *MAP, "--against", files[1], "--target", "C=1e23")
    assert said.startswith(f"bayes-scaling: {other}: {message}")


def test_of_two_files_without_a_column_for_the_law_a_message_says_which(csv, runs, tmp_path, capsys, no_fit):
    other = tmp_path / "other.csv"
    runs.drop(columns="D").to_csv(other, index=False)
    options = ["--map", "N=N", "--map", "loss=val_loss", "--target", "C=1e23"]
    said = refused(capsys, "plan", csv, "--against", other, *options)
    assert said.startswith(f"bayes-scaling: {other}: Chinchilla needs the column 'tokens' (D), which the table lacks")


def test_a_bad_command_is_one_sentence(csv, capsys, no_fit):
    said = refused(capsys, "plan", csv, *MAP, "--against", csv)
    assert "--against needs a scale to compare at; give --target C=1e24" in said
    assert "--target C=1e24, or a run" in refused(capsys, "plan", csv, *MAP, "--against", csv, "--target", "N=7e9")
    assert "--budget and --against" in refused(capsys, "plan", csv, *MAP, "--against", csv, "--budget", "1e22")
    assert "no file 'no.csv'" in refused(capsys, "plan", csv, *MAP, "--against", "no.csv", "--target", "C=1e22")
