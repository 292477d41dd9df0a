import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import PowerLaw, ShiftedCompute

VALUES = {"E": 1.8, "reducible": 0.5, "alpha_C": 0.15}


@pytest.fixture
def runs():
    study = bs.Study.from_frame(pd.DataFrame({"C": np.geomspace(1e18, 1e20, 8), "loss": np.geomspace(4, 3, 8)}))
    return ShiftedCompute().arrays(study)[0]


def test_the_shift_of_compute_lies_below_every_run(runs):
    assert runs["least_C"] < runs["C"].min()
    assert np.isfinite(ShiftedCompute().at(runs, {**VALUES, "wasted": 1.0})).all()


def test_without_waste_it_is_the_power_law(runs):
    bare = ShiftedCompute().at(runs, {**VALUES, "wasted": 0.0})
    np.testing.assert_allclose(bare, PowerLaw().at(runs, VALUES), rtol=1e-6)
    wasteful = ShiftedCompute().at(runs, {**VALUES, "wasted": 0.9})
    assert wasteful[0] > bare[0]  # the shortest run has learnt least


def test_published_constants_are_the_equation(runs):
    p = {**VALUES, "wasted": 0.4}
    made = ShiftedCompute().derived(runs, **p)
    expected = p["E"] + float(made["A"]) * (runs["C"] - float(made["C_shift"])) ** -p["alpha_C"]
    np.testing.assert_allclose(ShiftedCompute().at(runs, p), expected, rtol=1e-5)


@pytest.mark.parametrize("unit", [1e18, 1e21])
def test_the_unit_of_compute_is_anybodys(runs, unit):
    scaled = {name: np.asarray(values) / unit for name, values in runs.items()}
    expected = ShiftedCompute().at(runs, {**VALUES, "wasted": 0.4})
    np.testing.assert_allclose(ShiftedCompute().at(scaled, {**VALUES, "wasted": 0.4}), expected, rtol=1e-5)
