import re
from pathlib import Path

import numpy as np
import pytest

from bayes_scaling.models import LAWS

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_run(capsys):
    names: dict = {}
    for block in BLOCKS:
        exec(block, names)
    assert names["posterior"].law.name == "Saturating"
    assert names["posterior"].diagnostics.converged
    assert np.isfinite(names["forecast"].intervals()["median"]).all()
    assert capsys.readouterr().out.count("median") == 3


def test_the_custom_law_is_ten_lines_at_most():
    law = next(block for block in BLOCKS if "class Saturating" in block)
    body = law[law.index("class") : law.index("\n\n\nposterior")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_in_the_table(name):
    assert f"`{name}`" in README.read_text(encoding="utf-8")
