from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import BrokenPowerLaw

VALUES = {"level": 2.0, "reducible": 0.7, "early": 0.1, "alpha_D": 0.6, "place": 2.0, "width": 0.3, "memory": 0.1}
D0 = 1e9


def above_floor(D, **changes):
    values = {**VALUES, **changes}
    floor = values["level"] * (1 - values["reducible"])
    return np.asarray(BrokenPowerLaw().mean(np.asarray(D), D0, **values)) - floor


def exponent(D):
    near, far = above_floor([D, 1.01 * D])
    return -np.log(far / near) / np.log(1.01)


def test_the_exponent_is_one_before_the_break_and_another_after_it():
    assert exponent(D0 / 1e3) == pytest.approx(0.1, abs=1e-3)
    assert exponent(D0 * 1e3) == pytest.approx(0.6, abs=1e-3)
    assert exponent(2 * D0) == pytest.approx(0.35, abs=0.01)  # half-way at the break


def test_it_is_the_equation_of_the_paper():
    D = np.geomspace(1e7, 1e12, 9)
    papers = D**-0.1 * (1 + (D / (2 * D0)) ** (1 / 0.3)) ** (-0.5 * 0.3)
    at_centre = D0**-0.1 * (1 + (1 / 2.0) ** (1 / 0.3)) ** (-0.5 * 0.3)
    np.testing.assert_allclose(above_floor(D), 1.4 * papers / at_centre, rtol=1e-5)


def test_equal_exponents_are_a_power_law():
    D = np.geomspace(1e7, 1e12, 9)
    np.testing.assert_allclose(above_floor(D, early=0.6), 1.4 * (D / D0) ** -0.6, rtol=1e-5)


def test_a_break_that_was_seen_carries_the_forecast():
    D = np.geomspace(1e7, 1e10, 60)
    law = BrokenPowerLaw()
    frame = pd.DataFrame({"tokens": D, "loss": 3.0, "run": [str(i) for i in range(len(D))]})
    study = bs.simulate(law, frame, {**VALUES, "place": 1.0, "memory": 0.05, "sigma": 0.003}, seed=0)
    posterior = bs.fit(law, study, seed=0, draws=250, patience=60)
    centre = float(law.arrays(study)[0]["D0"])
    truth = float(law.mean(1e11, centre, **{**VALUES, "place": 1.0}))
    found = posterior.forecast({"D": 1e11}, allow_unconverged=True).intervals().iloc[0]
    assert found["q05"] < truth < found["q95"]
    assert found["q95"] / found["q05"] < 1.6
    early, late = (np.median(posterior.draws[name]) for name in ("early", "alpha_D"))
    assert early < 0.3 < late
