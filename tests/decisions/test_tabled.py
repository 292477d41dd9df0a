from __future__ import annotations

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.decisions.tabled import Tabled
from tests import worlds


class Two(Tabled):
    def table(self):
        return pd.DataFrame({"flops": [1.23456e24, np.inf], "along": ["optimum", "N = 7e9"]})


def test_an_answer_is_shown_as_its_table():
    shown = repr(Two()).splitlines()
    assert shown[0] == "Two" and shown[1].split() == ["flops", "along"]
    assert shown[2].split() == ["1.235e+24", "optimum"] and shown[3].split()[0] == "inf"
    assert "<b>Two</b>" in Two()._repr_html_() and "<td>optimum</td>" in Two()._repr_html_()


def test_decisions_are_shown_without_their_draws():
    posterior = worlds.chinchilla(count=40)
    surface = bs.Surface.of(posterior)
    near, far = {"N": 1e9, "D": 2e10}, {"N": 7e9, "D": 4e12}
    for answer in (
        bs.allocate(surface, 1e24),
        bs.regret(surface, 1e24),
        bs.reach(surface, 2.1),
        bs.cheapest(surface, 2.2, [0.0, 1e13]),
        bs.superiority(surface, surface, far, near),
    ):
        assert repr(answer).startswith(type(answer).__name__ + "\n") and "array" not in repr(answer)
        assert len(repr(answer).splitlines()) < 25
