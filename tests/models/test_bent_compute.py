from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import BentCompute

LEVEL, SLOPE, BEND = 4.0, 0.06, 0.1
C0 = 1e18


def truth(compute):
    return LEVEL * np.exp(-SLOPE * np.expm1(BEND * np.log(compute / C0)) / BEND)


@pytest.fixture(scope="module")
def posterior():
    compute = np.geomspace(C0 / 30, C0 * 30, 24)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.005, 24))
    runs = pd.DataFrame({"flops": compute, "loss": truth(compute) * noise})
    return bs.fit(BentCompute(), bs.Study.from_frame(runs, name="task"), seed=1)


def mean(compute, bend):
    return np.asarray(BentCompute().mean(compute, C0, slope=SLOPE, bend=bend, level=LEVEL))


def test_without_a_bend_it_is_a_power_law():
    compute = np.array([1e16, 1e18, 1e21])
    assert mean(compute, 0.0) == pytest.approx(LEVEL * (compute / C0) ** -SLOPE, rel=1e-2)


def test_the_exponent_grows_by_the_bend_with_every_e_fold():
    for bend in (-0.1, 0.1):
        for folds in (-2.0, 0.0, 3.0):
            around = C0 * np.exp(folds + np.array([-1e-3, 1e-3]))
            exponent = -np.diff(np.log(mean(around, bend)))[0] / 2e-3
            assert exponent == pytest.approx(SLOPE * np.exp(bend * folds), rel=1e-2)


def test_a_negative_bend_has_a_floor():
    assert mean(1e36, -0.3) == pytest.approx(LEVEL * np.exp(-SLOPE / 0.3), rel=1e-2)


def test_finds_a_curve_that_steepens_and_its_future(posterior):
    assert posterior.diagnostics.converged
    assert np.quantile(posterior.draws["bend"], 0.05) > 0
    far = C0 * 3e3
    forecast = posterior.forecast({"C": far}, discrepancy=False).intervals()["median"].iloc[0]
    straight = truth(C0 * 30) * 100 ** -(SLOPE * 30**BEND)  # on along the tangent at the largest run
    assert forecast == pytest.approx(truth(far), rel=0.05)
    assert straight > 1.05 * truth(far)
