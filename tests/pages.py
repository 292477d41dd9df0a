"""The blocks of a page, run as its reader runs them: in a process of their own, compiled with the default flags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.seeds import blocks

__all__ = ["blocks", "run", "run_script"]

RUN = """
import json, re, sys
for blocks, seeds in json.loads(sys.stdin.read()):
    for seed in seeds:
        names = {}
        for block in blocks:
            exec(re.sub(r"seed=\\d+", f"seed={seed}", block), names)
        assert names["posterior"].diagnostics.converged, f"seed {seed}"
"""


def run(*rounds: tuple[Iterable[str], Iterable[int]]) -> str:
    """Return what rounds of blocks print in one process, each with every one of its seeds in place of their own."""
    return _output([sys.executable, "-c", RUN], json.dumps([[list(blocks), list(seeds)] for blocks, seeds in rounds]))


def run_script(text: str, folder: Path) -> str:
    """Return what a text prints as a script of its own."""
    path = folder / "page.py"
    path.write_text(text, encoding="utf-8")
    return _output([sys.executable, str(path)])


def _output(command: list[str], given: str = "") -> str:
    plain = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    plain["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent.parent), plain.get("PYTHONPATH"))))
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr
    return done.stdout
