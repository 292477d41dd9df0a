import numpy as np
import pytest

from bayes_scaling.models import PowerLaw
from tests.worlds import by_compute

RUNS = {"C": np.geomspace(1e18, 1e22, 5), "C0": 1e20}
VALUES = {"E": 1.8, "reducible": 0.5, "alpha_C": 0.15}


def test_published_constants_are_the_equation():
    A = float(PowerLaw().derived(RUNS, **VALUES)["A"])
    np.testing.assert_allclose(PowerLaw().at(RUNS, VALUES), 1.8 + A / RUNS["C"] ** 0.15, rtol=1e-5)


def test_the_reference_is_the_geometric_mean_of_the_compute():
    runs, _ = PowerLaw().arrays(by_compute(count=2).study)
    assert runs["C0"] == pytest.approx(np.sqrt(1e18 * 1e21), rel=1e-9)


def test_the_sampler_moves_the_level_in_place_of_the_floor():
    u = {"E": 0.3, "reducible": -0.2, "alpha_C": -1.9}
    moved = PowerLaw().straighten(u, RUNS)
    level = np.exp(float(moved["E"])) * (1 + np.exp(u["reducible"]))
    assert level == pytest.approx(np.exp(u["E"]), rel=1e-6)
    assert PowerLaw(E=1.7).straighten({"reducible": -0.2}, RUNS) == {"reducible": -0.2}
