"""The blocks of README.md run as its reader runs them: in a process of their own, compiled with the default flags."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bayes_scaling.models import LAWS

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
RUN = """
import json, re, sys
blocks, seeds = json.loads(sys.stdin.read())
for seed in seeds:
    names = {}
    for block in blocks:
        exec(re.sub(r"seed=\\d+", f"seed={seed}", block), names)
    assert names["posterior"].diagnostics.converged, f"seed {seed}"
"""


def run(blocks, seeds):
    """Return what the blocks print, with each of the seeds in place of their own."""
    plain = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    text = json.dumps([blocks, list(seeds)])
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_run_one_after_another():
    assert run(BLOCKS, [0]).count("median") == 3


def test_the_fits_converge_at_every_seed():
    quick = [block for block in BLOCKS if "choose_law" not in block]
    assert run(quick, range(10)).count("median") == 20


def test_the_custom_law_is_ten_lines_at_most():
    law = next(block for block in BLOCKS if "class Saturating" in block)
    body = law[law.index("class") : law.index("\n\n\nposterior")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_in_the_table(name):
    assert f"`{name}`" in README.read_text(encoding="utf-8")
