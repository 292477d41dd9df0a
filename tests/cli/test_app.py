"""The command line as a whole: its lists, its exit codes, its one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bayes_scaling import data
from bayes_scaling.models import LAWS
from bayes_scaling.version import __version__
from tests.cli.running import call, refused


def test_the_lists(capsys):
    assert call("laws") == 0
    laws = capsys.readouterr().out
    assert all(name in laws for name in LAWS)
    assert call("studies") == 0
    studies = capsys.readouterr().out
    assert "olmo_ladder" in studies and "Apache-2.0" in studies and "256" in studies


def test_a_law_alone_is_listed_with_its_priors(capsys):
    assert call("laws", "chinchilla") == 0
    assert "alpha_N" in capsys.readouterr().out
    assert "'average' is no law but the average of several, which forecast makes" in refused(capsys, "laws", "average")
    assert "no law 'chinchila'; did you mean 'chinchilla'" in refused(capsys, "laws", "chinchila")


def test_the_version(capsys):
    assert call("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "bayes_scaling", "forecast", "no_such"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "no study and no file 'no_such'" in done.stderr and done.stdout == ""


def test_a_command_that_does_not_exist_is_named(capsys):
    assert "No such command 'forcast'" in refused(capsys, "forcast")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("plan", "--budget", "1e22", "--budget=1e24"),
            "--budget is given twice, and plan reads it once; give",
        ),
        (
            ("plan", "--next", "c.csv", "--target", "N=1,D=1", "--target", "N=2,D=2"),
            "--target is given twice, and",
        ),
        (("plan", "--no-such", "1", "--budget", "1", "--budget", "2"), "No such option: --no-such"),
        (("forecast", "no_such", "--target", "a", "--target", "b", "-q", "-q"), "There is no study and no file"),
        (("forecast", "no_such", "--law", "kaplan", "--law", "kaplan"), "--law is given twice, and forecast reads"),
        (("pair", "no_such", "--from", "a:b", "--to", "c:d", "--from", "a:c"), "--from is given twice, and pair reads"),
        (("score", "a.json", "b.csv", "--unit", "nats", "--unit", "bits"), "--unit is given twice, and score reads"),
    ],
)
def test_an_option_that_is_read_once_is_given_once(words, said, capsys):
    assert said in refused(capsys, *words)


def test_what_nobody_foresaw_is_one_sentence_too(capsys, monkeypatch):
    def broken():
        raise RuntimeError("one line\nand another")

    monkeypatch.setattr(data, "available", broken)
    said = refused(capsys, "studies", code=1)
    assert said == (
        "bayes-scaling: Unforeseen RuntimeError: one line and another "
        "(python -X dev -m bayes_scaling studies shows where)."
    )


def test_an_interruption_has_its_own_exit_code(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "available", interrupted)
    assert refused(capsys, "studies", code=130) == "bayes-scaling: Interrupted; nothing was written."


def test_what_the_shell_has_torn_apart_is_told_how_to_be_written(capsys):
    said = refused(capsys, "forecast", "olmo_ladder", "--task", "ARC", "Challenge")
    assert said.endswith('into quotes, as in --task "ARC Challenge".') and "comma" not in said
    said = refused(capsys, "forecast", "x.csv", "--target", "N=7e9", "D=4e12")
    assert said.endswith("Join pairs by a comma, as in --target N=7e9,D=4e12.") and "quotes" not in said
    said = refused(capsys, "forecast", "x.csv", "--prior", "E=1.69", "sigma=0.01")
    assert said.endswith("Give each its own --prior, as in --prior sigma=0.01.")
    for option, pairs in (("--at", ["N=7e9", "D=1e12"]), ("--reach", ["loss=2.1", "accuracy=.6"])):
        said = refused(capsys, "plan", "x.csv", option, *pairs)
        assert said.endswith(f"Give {option} one pair, as in {option} {pairs[0]}.")
    assert "into quotes" in refused(capsys, "forecast", "x.csv", "--where", "State == 'a'", "a==1")
    assert refused(capsys, "forecast", "x.csv", "--map", "tokens=D,", "loss=val").endswith(
        "Leave no space after a comma."
    )
