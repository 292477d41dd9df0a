import dataclasses
import io
import json

from rich.console import Console

import bayes_scaling as bs
from bayes_scaling.forecasts.registered import RegisteredForecast
from bayes_scaling.reporting.scored import print_scores, score_rows, write_scores
from bayes_scaling.reporting.screen import output
from tests.worlds import chinchilla, ladder


def test_tasks_stand_in_rows_and_fractions_in_per_cent(tmp_path):
    said = RegisteredForecast.of(bs.forecast(ladder(count=60), {"target": "7B", "N": 7e9, "D": 4e12}))
    scores = bs.score(said, {"target": "7B", "task": "two", "accuracy": 0.7})
    console = Console(file=io.StringIO(), width=100)
    print_scores(said, scores, console)
    text = console.file.getvalue()
    assert "accuracy (%)" in text and "70.0" in text and "1 of 1 inside the 90 % interval" in text
    assert "Not scored yet: 7B (loss in one, loss in two and accuracy in one)." in " ".join(text.split())
    assert score_rows(said, scores).row_count == 1
    write_scores(said, scores, tmp_path / "scores.json")
    document = json.loads((tmp_path / "scores.json").read_text())
    assert document["rows"][0]["actual"] == 0.7 and document["checksum"] == said.checksum


def test_headings_stay_short_where_the_unit_is_long_and_remarks_are_told(tmp_path):
    said = RegisteredForecast.of(bs.forecast(chinchilla(count=60), {"target": "7B", "N": 7e9, "D": 4e12}))
    long = dataclasses.replace(said, rows=said.rows.assign(unit="nats per token of the validation text"))
    scores = bs.score(long, [{"target": "7B", "loss": 2.0}, {"target": "8B", "loss": 2.0}])
    console = Console(file=io.StringIO(), width=80)
    print_scores(long, scores, console)
    heading = next(line for line in console.file.getvalue().splitlines() if "median" in line)
    assert heading.split() == ["target", "median", "90", "%", "interval", "actual", "inside", "z", "PIT", "CRPS"]
    assert "Not scored, because it is of no run that was forecast: '8B' (row 2)" in console.file.getvalue()
    write_scores(long, scores, tmp_path / "scores.json")
    assert len(json.loads((tmp_path / "scores.json").read_text())["remarks"]) == 1


def test_names_in_brackets_are_shown_as_they_are(capsys):
    names = ["7B [/v2]", "8B [bold]", "9B [red]"]
    forecast = bs.forecast(chinchilla(count=60), [{"target": name, "N": 7e9, "D": 4e12} for name in names])
    said = dataclasses.replace(RegisteredForecast.of(forecast), study="[mine]")
    print_scores(said, bs.score(said, [{"target": name, "loss": 2.0} for name in names[:2]]), output())
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in names) and "Chinchilla on [mine], version" in text


def test_losses_of_two_units_have_a_table_and_a_verdict_each():
    said = RegisteredForecast.of(bs.forecast(ladder(count=60), {"target": "7B", "N": 7e9, "D": 4e12}))
    of_second = (said.rows["task"] == "two") & (said.rows["quantity"] == "loss")
    units = said.rows["unit"].mask(of_second, "nats per token")
    said = dataclasses.replace(said, rows=said.rows.assign(unit=units))
    given = [{"target": "7B", "task": task, "task_loss": 0.7} for task in ("one", "two")]
    console = Console(file=io.StringIO(), width=120)
    print_scores(said, bs.score(said, given), console)
    text = console.file.getvalue()
    assert text.count("mean absolute error") == 2
    assert "loss (as given)" in text and "loss (nats per token)" in text
