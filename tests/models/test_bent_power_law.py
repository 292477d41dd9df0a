from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import BentPowerLaw

CENTRE = {"cap0": 2.0, "centre0": 3.0, "centre1": 4.0}
SHAPE = {"floor0": 0.6, "slope": 0.4, "level": 1.1}
E0, SLOPE, BEND = 1.2, 0.3, 0.6


def truth(source_loss):
    return 5.0 * np.exp(-SLOPE * np.expm1(BEND * np.log((3.1 - E0) / (source_loss - E0))) / BEND)


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    source_loss = np.geomspace(4.0, 2.4, 40)
    runs = pd.DataFrame({"source_loss": source_loss, "loss": truth(source_loss) * np.exp(rng.normal(0, 0.005, 40))})
    return bs.Study.from_frame(runs, name="pairs")


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(BentPowerLaw(), study, seed=1)


def mean(source_loss, bend):
    return np.asarray(BentPowerLaw().mean(source_loss, *CENTRE.values(), bend=bend, **SHAPE))


def test_without_a_bend_it_is_a_power_law():
    losses = np.array([4.0, 3.0, 2.5])
    power = 1.1 * 4.0 * ((losses - 1.2) / (3.0 - 1.2)) ** 0.4
    assert mean(losses, 0.0) == pytest.approx(power, rel=1e-3)


def test_all_curves_meet_at_the_centre_with_one_slope():
    near = np.array([3.0 - 1e-3, 3.0, 3.0 + 1e-3])
    curves = [mean(near, bend) for bend in (-0.8, 0.0, 0.8)]
    for curve in curves:
        assert curve[1] == pytest.approx(4.4)
        assert np.log(curve[2] / curve[0]) / np.log((near[2] - 1.2) / (near[0] - 1.2)) == pytest.approx(0.4, rel=1e-3)


def test_a_negative_bend_has_a_floor_and_a_positive_one_none():
    floor = 1.1 * 4.0 * np.exp(0.4 / -0.8)
    assert mean(1.2 + 1e-8, -0.8) == pytest.approx(floor, rel=1e-3)
    assert mean(1.2 + 1e-8, 0.8) < 1e-3


def test_finds_a_curve_that_steepens_beyond_the_pairs(posterior):
    assert posterior.diagnostics.converged
    rows = posterior.forecast({"source_loss": 2.0}, discrepancy=False).intervals().iloc[0]
    assert rows["q05"] < truth(2.0) < rows["q95"]
    assert np.quantile(posterior.draws["bend"], 0.05) > 0


def test_the_floor_lies_below_the_smallest_abscissa(posterior, study):
    assert (posterior.draws["E0"] < study.column("source_loss").min()).all()


def test_the_discrepancy_acts_beyond_the_pairs_only(posterior):
    wide, plain = (posterior.forecast({"source_loss": [3.0, 2.0]}, discrepancy=d) for d in (True, False))
    spread = [f.draws["loss_mean"].std("sample").to_numpy() for f in (wide, plain)]
    assert spread[0][0] == pytest.approx(spread[1][0])
    assert spread[0][1] > spread[1][1]
