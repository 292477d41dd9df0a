from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.screen import (
    forecast_table,
    inside,
    output,
    print_remarks,
    print_result,
    status,
    to_one_side,
    verdict,
)
from tests import worlds

FAR = {"target": "7B-4T", "N": 7e9, "D": 4e12}
INTERVAL = {"q05": 0.60, "q25": 0.62, "median": 0.63, "q75": 0.64, "q95": 0.66}


def shown(draw) -> str:
    """Return what is drawn on a screen of 100 columns, with single spaces."""
    file = io.StringIO()
    draw(Console(file=file, width=100))
    assert max(map(len, file.getvalue().splitlines())) <= 100
    return " ".join(file.getvalue().split())


def rows(*outcomes, unit="fraction"):
    return pd.DataFrame([{**INTERVAL, "actual": x, "unit": unit, "target": "7B", "task": None} for x in outcomes])


def test_an_error_is_printed_in_per_cent():
    result = worlds.result(worlds.wrong(0.123), {**FAR, "error": 0.133})
    said = shown(lambda console: print_result(result, console))
    assert "error (%)" in said and "7B-4T 12.3 12.3 to 12.3 12.3 to 12.3 13.3 outside" in said
    assert "mean absolute error 1.0 points" in said and "0.123" not in said


def test_the_task_whose_own_runs_a_target_is_furthest_beyond_is_named():
    said = shown(lambda console: print_result(worlds.result(worlds.pooled(), FAR), console))
    assert "over those of the largest fitted run: 7B-4T: 547 x (math: 7e+04 x)." in said


def test_small_losses_are_not_rounded_to_nothing():
    posterior = worlds.chinchilla(count=60, E=2e-5)
    said = shown(lambda console: print_result(worlds.result(posterior, [{**FAR, "loss": 2.3e-5}]), console))
    assert "0.0000230" in said and " 0.000 " not in said


def test_accuracies_are_in_per_cent_and_a_ladder_names_each_task_once():
    posterior = worlds.ladder(count=60)
    said = shown(lambda console: print_result(worlds.result(posterior, [FAR, {**FAR, "target": "13B"}]), console))
    accuracy, _, loss = said.partition("loss (as given)")
    assert "accuracy (%)" in accuracy and loss
    assert accuracy.count("one") == accuracy.count("two") == accuracy.count("mean of 2") == 1
    assert accuracy.count("13B") == 3 and "mean of" not in loss
    assert "actual" not in said and "inside" not in said


def test_a_loss_keeps_its_unit():
    assert verdict(rows(0.63, 0.64, unit="nats per token")).endswith("mean absolute error 0.005 nats per token.")


def test_a_verdict_counts_what_both_intervals_hold():
    assert verdict(rows(0.63, 0.655, 0.9)) == (
        "2 of 3 inside the 90 % interval, 1 inside the 50 %; mean absolute error 9.8 points."
    )


@pytest.mark.parametrize(
    ("actual", "word"), [(0.63, "in 50 %"), (0.62, "in 50 %"), (0.65, "in 90 %"), (0.67, "outside"), (np.nan, "-")]
)
def test_a_word_says_where_the_outcome_fell(actual, word):
    assert inside({**INTERVAL, "actual": actual}).plain == word


def test_an_outcome_that_is_not_known_among_known_ones_is_a_dash():
    said = shown(lambda console: console.print(forecast_table(rows(0.63, np.nan), "accuracy")))
    assert said.endswith("in 50 % 7B 63.0 62.0 to 64.0 60.0 to 66.0 - -")


def test_what_speaks_against_a_result_is_printed():
    posterior = worlds.wrong()
    bad = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.5))
    caveats = Problems([Problem("few-runs", "There are 8 runs", "add runs", 8.0)])
    result = worlds.result(posterior, FAR, posteriors=(posterior, bad), design=caveats)
    said = shown(lambda console: print_result(result, console))
    assert "Caveat: There are 8 runs: add runs." in said
    assert "NOT CONVERGED, do not rely on this: R-hat 1.500" in said
    assert "largest fitted run: 7B-4T: 547 x." in said


def test_without_a_terminal_a_table_has_a_hundred_columns():
    assert output().width == 100


MARKED = ["7B [/v2]", "8B [bold]", ":fire: [red]"]


def test_names_and_units_in_brackets_are_shown_as_they_are(capsys):
    posterior = worlds.chinchilla(count=50)
    unit = "nats [C4]"
    stated = dataclasses.replace(posterior, study=posterior.study.in_units(loss=unit))
    targets = [{**FAR, "target": name, "loss": 2.0} for name in MARKED]
    written = [Path("[out]/:fire:")]
    print_result(worlds.result(stated, targets, law="[bold]mine"), output(), written)
    print_remarks(MARKED, quiet=False)
    said = " ".join(capsys.readouterr().out.split())
    assert all(said.count(name) == 3 for name in MARKED)  # in the table, by distance, as remark
    assert f"loss ({unit})" in said and f" {unit}." in said and "[bold]mine, seed 0" in said
    assert "Written to [out]/:fire:." in said


def test_what_is_being_done_in_brackets_is_shown_as_it_is(capsys, monkeypatch):
    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    with status(quiet=False) as say:
        say("Fitting [/v2] ...")
    assert "Fitting [/v2] ..." in capsys.readouterr().err


def test_what_is_being_done_goes_to_the_error_stream_unless_quiet(capsys):
    for quiet, said in ((True, ""), (False, "Fitting ...\n")):
        with status(quiet) as say:
            say("Fitting ...")
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("errors", "words"),
    [([0.01, 0.02], ", every forecast too high"), ([-0.01, -0.02], ", every forecast too low"), ([-0.01, 0.02], "")],
)
def test_backtests_that_all_err_to_one_side_are_said_to(errors, words):
    assert to_one_side(pd.DataFrame({"error": errors})) == words
