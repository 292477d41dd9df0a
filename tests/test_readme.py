"""The blocks of README.md run as its reader runs them: in a process of their own, compiled with the default flags."""

import re
from pathlib import Path

import pytest

from bayes_scaling.models import LAWS
from tests.pages import blocks, run

README = Path(__file__).parent.parent / "README.md"
BLOCKS = blocks(README)


@pytest.mark.slow
def test_the_examples_run_one_after_another_and_their_fits_converge_at_every_seed():
    first, average, own = BLOCKS
    assert "forecast_runs" in average
    said = run((BLOCKS, [0]), ((first, own), (1, 2)), ((first,), range(3, 10)))
    assert said.count("median") == 3 + 2 * 2 + 7


def test_the_custom_law_is_ten_lines_at_most():
    law = next(block for block in BLOCKS if "class Saturating" in block)
    body = law[law.index("class") : law.index("\n\n\nposterior")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_in_the_table(name):
    assert f"`{name}`" in README.read_text(encoding="utf-8")


def test_every_table_of_the_commands_is_made_before_it_is_read():
    made = set()
    for block in blocks(README, "bash"):
        for line in block.splitlines():
            made |= set(re.findall(r"^cat > (\S+\.csv)", line))
            assert set(re.findall(r"(?<!> )\b\w+\.csv\b", line)) <= made, line
    assert {"runs.csv", "candidates.csv", "planned.csv"} <= made
