import jax
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import LearningCurve

VALUES = {"level": 2.5, "reducible": 0.6, "begun": 0.0, "bend": 1.6, "alpha_D": 0.4}  # from 4 to 1, half-way at D0
D = np.geomspace(1e8, 1e11, 40)


def curve(law=None, **changes):
    return np.asarray((law or LearningCurve()).mean(D, 1e9, **{**VALUES, "memory": 0.1, **changes}))


@pytest.mark.parametrize("bend", [0.5, 1.0, 2.5])
def test_it_solves_the_equation_of_the_paper(bend):
    loss = curve(bend=bend)
    left = np.log((loss - 1.0) / 3.0) - bend * np.log((4.0 - loss) / 3.0)
    half = (bend - 1) * np.log(2)
    np.testing.assert_allclose(left, half - 0.4 * np.log(D / 1e9), atol=1e-3)
    assert (np.diff(loss) < 0).all()


@pytest.mark.parametrize("name", ["begun", "bend", "alpha_D"])
def test_derivatives_are_those_of_the_solution(name):
    def loss(value):
        return LearningCurve().mean(D, 1e9, **{**VALUES, "memory": 0.1, name: value})

    at, step = VALUES[name], 1e-4
    with double_precision():
        below, here, above = (np.asarray(loss(at + move)) for move in (-step, 0.0, step))
        first, second = jax.jacfwd(loss)(at), jax.jacfwd(jax.jacfwd(loss))(at)
    np.testing.assert_allclose(first, (above - below) / (2 * step), atol=1e-6)
    np.testing.assert_allclose(second, (above - 2 * here + below) / step**2, atol=1e-5)


def test_far_out_it_is_a_power_law_above_the_floor():
    near, far = (float(LearningCurve().mean(x, 1e9, **VALUES, memory=0.1)) - 1.0 for x in (1e16, 1e18))
    assert near / far == pytest.approx(100**0.4, rel=1e-2)


def test_a_fit_finds_the_curve():
    frame = pd.DataFrame({"tokens": D, "loss": 3.0, "run": [f"{i}" for i in range(len(D))]})
    study = bs.simulate(LearningCurve(), frame, {**VALUES, "memory": 0.1, "sigma": 0.005}, seed=1)
    posterior = bs.fit(LearningCurve(), study, seed=0, draws=200)
    expected = float(LearningCurve().mean(D[-1] * 4, LearningCurve().arrays(study)[0]["D0"], **VALUES, memory=0.1))
    row = posterior.forecast({"D": D[-1] * 4}).intervals().iloc[0]
    assert row["q05"] < expected < row["q95"]
