"""The command line, run within the tests."""

from __future__ import annotations

import pytest

from bayes_scaling.cli import app as cli
from tests.conftest import DRAWS

MAP = ["--map", "n_params=N,tokens=D,loss=val_loss"]
TARGET = ["--target", "N=7e9,D=4e12"]
EXPORTED = ["--map", "n_params=params", "--map", "loss=eval/loss"]


def call(*arguments):
    """Return the exit code."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return stopped.value.code


def refused(capsys, *arguments, code=2):
    """Return the one sentence a refused command says."""
    assert call(*arguments) == code
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("bayes-scaling: "), said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    return lines[0]


def short(command, *arguments):
    """Return a command whose fit is too short to converge, and may be."""
    return [command, *arguments, "--draws", DRAWS, "--allow-unconverged"]
