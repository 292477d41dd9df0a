from __future__ import annotations

import dataclasses
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bayes_scaling.problems import Problem
from bayes_scaling.reporting.plan import Answer, Beyond, Plan, cell, print_plan, write_plan_file, write_plan_folder
from bayes_scaling.reporting.screen import output
from tests import worlds

TABLE = pd.DataFrame({"flops": [1e21, np.inf], "probability": [0.5, 0.9], "n_params": [7.05e10, np.nan]})


def planned(posterior=None, table=TABLE):
    answer = Answer(("It is reached.",), {"plan": table}, {"plan": lambda: plt.subplots()[1]})
    return Plan("reach", "known" if posterior else "", "chinchilla", "6ND", 0, 1.23456, posterior, answer)


def shown(plan, **options):
    file = io.StringIO()
    print_plan(plan, Console(file=file, width=100), **options)
    return " ".join(file.getvalue().split())


def test_never_and_unknown_are_words_on_the_screen_and_none_in_files():
    said = shown(planned(worlds.chinchilla()))
    assert "1.00e+21 50 % 70.5B never 90 % -" in said and "Converged: R-hat 1.000; chinchilla, FLOPs: 6ND" in said
    document = planned(worlds.chinchilla()).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["tables"]["plan"][1] == {"flops": None, "probability": 0.9, "n_params": None}


def test_names_in_brackets_are_shown_as_they_are(capsys):
    plan = planned(table=pd.DataFrame({"run": ["7B [/v2]", "8B [bold]"], "[red]": 1.0}))
    print_plan(dataclasses.replace(plan, answer=plan.answer.with_sentences(["Run [/b] next."])), output())
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said for name in ("7B [/v2]", "8B [bold]", "[red]", "Run [/b] next."))


def test_a_plan_from_priors_alone_says_so():
    document = planned().document()
    assert document["study"] is document["converged"] is document["max_rhat"] is None
    assert "Priors alone; chinchilla" in shown(planned())


def test_an_unconverged_fit_is_said_and_written():
    posterior = worlds.chinchilla()
    bad = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.5))
    assert "NOT CONVERGED, do not rely on this: R-hat 1.500" in shown(planned(bad))
    assert planned(bad).document()["converged"] is False


def test_a_long_table_is_cut_on_the_screen_alone(tmp_path):
    long = pd.DataFrame({"run": [f"run {i}" for i in range(25)]})
    said = shown(planned(table=long))
    assert "run 19" in said and "run 20" not in said and "... and 5 more rows; --out writes them all." in said
    write_plan_folder(planned(table=long), tmp_path)
    assert len(pd.read_csv(tmp_path / "plan.csv")) == 25


def test_tables_pictures_and_posterior_are_written_under_their_names(tmp_path):
    write_plan_folder(planned(worlds.chinchilla()), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "plan.csv", "plan.json", "plan.png", "posterior.nc",
    ]  # fmt: skip
    write_plan_file(planned(worlds.chinchilla()), tmp_path / "plan.json")
    assert (tmp_path / "plan.json").read_text() == (tmp_path / "out" / "plan.json").read_text()


def test_sentences_are_added_at_the_end():
    assert planned().answer.with_sentences(["But."]).sentences == ("It is reached.", "But.")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [(0.123, "error", "12.3 %"), (2e22, "best_flops", "2.00e+22"), (None, "flops", "None"), (True, "never", "True")],
)
def test_a_cell_is_written_as_its_kind(value, kind, text):
    assert cell(value, kind) == text


@pytest.mark.parametrize(
    ("beyond", "said", "far"),
    [
        (Beyond(), "FLOPs: 6ND, seed 0", "widened for that by a rule of thumb"),
        (
            Beyond(discrepancy=False),
            "6ND, the law exact beyond the runs, seed",
            "the law is taken as exact, so trust it",
        ),
        (Beyond(True, 0.25), "6ND, exponents off by 0.25 beyond the runs, seed", "exponents err there by no more than"),
        (
            Beyond(given={"unique_tokens": 1e11}),
            "6ND, unique_tokens 1e+11, seed",
            "widened for that by a rule of thumb",
        ),
    ],
)
def test_what_is_taken_for_granted_beyond_the_runs_is_said_and_kept(beyond, said, far):
    plan = dataclasses.replace(planned(worlds.chinchilla()), beyond=beyond)
    assert said in shown(plan)
    document = plan.document()
    assert [document[name] for name in ("discrepancy", "exponent_error", "given")] == list(vars(beyond).values())
    remedy = "its interval is widened for that by a rule of thumb, so trust it less"
    assert far in beyond.in_its_words(Problem("far-target", "Far", remedy, 200.0)).remedy
    other = Problem("below-runs", "Near", remedy, 0.1)
    assert beyond.in_its_words(other) == other
