from __future__ import annotations

import rich.console

from bayes_scaling.inference.progress import progress_bar


def test_a_hidden_bar_says_nothing_and_can_be_moved(capsys):
    with progress_bar(False, "Fitting", 3) as advance:
        advance(2)
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_a_bar_is_shown_on_the_error_stream_alone(capsys, monkeypatch):
    monkeypatch.setattr(rich.console.Console, "is_terminal", property(lambda _: True))
    with progress_bar(True, "Fitting PowerLaw", 3) as advance:
        advance(2)
    said = capsys.readouterr()
    assert said.out == "" and "Fitting PowerLaw" in said.err and "2/3" in said.err


def test_a_bar_without_a_total_counts_nothing(capsys, monkeypatch):
    monkeypatch.setattr(rich.console.Console, "is_terminal", property(lambda _: True))
    with progress_bar(True, "Fitting"):
        pass
    said = capsys.readouterr()
    assert "Fitting" in said.err and "/" not in said.err.replace("0:00:00", "")
