import re

import numpy as np
import pytest

from bayes_scaling.models import Scratch
from tests.models.examples import CENTRE, RUNS

forms = pytest.mark.parametrize("bottleneck", [True, False])
sharp = pytest.mark.parametrize("sharpness", [1.0, 2.0])


@forms
@sharp
@pytest.mark.parametrize("turn", [1.0, 2.0])
def test_enough_data_are_within_a_per_cent_of_the_limit(bottleneck, sharpness, turn):
    law, p = Scratch(bottleneck=bottleneck), {**CENTRE, "head": 0.1, "turn": turn, "sharpness": sharpness}
    enough = law.enough(RUNS, p)
    limit = law.at({**RUNS, "D_F": RUNS["D_F"] * 1e30}, p)
    np.testing.assert_allclose(limit / law.at({**RUNS, "D_F": enough}, p), 0.99, rtol=1e-3)


@forms
@sharp
def test_textbook_constants_give_back_the_equation(bottleneck, sharpness):
    law, (A, B, a, d) = Scratch(bottleneck=bottleneck), (1e5, 2e5, 0.2, 0.3)
    p = law.centred(RUNS, E=0.5, A=A, B=B, alpha_N=a, alpha_D=d, sharpness=sharpness)
    size, data = A / RUNS["N"], B / RUNS["D_F"]
    kappa = d / sharpness if bottleneck else 1 / sharpness
    reducible = (size ** (a / kappa) + data ** (d / kappa)) ** kappa
    np.testing.assert_allclose(law.at(RUNS, p), 0.5 + reducible, rtol=1e-5)
    derived = law.derived(RUNS, **p)
    assert [float(derived[name]) for name in ("E", "A", "B")] == pytest.approx([0.5, A, B], rel=1e-3)


@forms
@sharp
def test_what_a_report_says_of_the_constants_is_what_they_are(bottleneck, sharpness):
    """The LaTeX of each relation, read as Python, gives the constant that is published."""
    law, p = Scratch(bottleneck=bottleneck), {**CENTRE, "head": 0.2, "turn": 1.5, "sharpness": sharpness}
    names = {**p, "N0": RUNS["N0"], "D0": RUNS["D_F0"]}
    derived = law.derived(RUNS, **p)
    assert set(law.relations) == {"A", "B", "E"} == set(derived)
    for name, latex in law.relations.items():
        text = latex.replace("\\left", "").replace("\\right", "").replace(r"\,", "").replace(r"\cdot", " ")
        text = (
            re.sub(r"\\text\{(\w+)\}", r"\1", text)
            .replace("N_0", "N0")
            .replace("D_0", "D0")
            .replace("\\alpha", "alpha")
        )
        text = text.replace("^", "**").replace("{", "(").replace("}", ")")
        text = re.sub(r"(?<=[\w)])\s+(?=[\w(])", " * ", text)
        assert eval(text, {}, names) == pytest.approx(float(derived[name]), rel=1e-3), text
    assert set(Scratch(floor=0.0).relations) == {"A", "B"}


def test_a_floor_that_is_held_is_not_published():
    assert "E" not in Scratch(floor=0.0).derived(RUNS, **CENTRE)


def test_what_guessing_is_worth_makes_a_ceiling():
    law = Scratch()
    losses = law.at({**RUNS, "N": np.full(2, 1e7), "D_F": np.array([1e-3, 1.0])}, {**CENTRE, "head": 0.1})
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-3)
    endless = law.at({**RUNS, "N": np.full(2, 1e7), "D_F": np.array([1e-3, 1.0])}, CENTRE)
    assert float(endless[0]) > 2 * float(endless[1])
