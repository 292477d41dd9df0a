import numpy as np
import pytest

from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import DirectAccuracyInFlops


def test_the_double_logarithm_is_linear_in_that_of_compute():
    runs = {"C": np.geomspace(1e19, 1e23, 5), "C0": 1e21, "chance": 0.25}
    with double_precision():
        accuracy = np.asarray(DirectAccuracyInFlops().at(runs, {"level": 0.8, "alpha_C": 0.2}))
    log_lacking = np.log(-np.log((accuracy - 0.25) / 0.75))
    assert np.diff(log_lacking) == pytest.approx(-0.2 * np.log(10))
    assert np.exp(log_lacking[2]) == pytest.approx(0.8)


def test_the_published_constant_is_the_equation():
    made = DirectAccuracyInFlops().derived({"C0": 1e20}, level=0.8, alpha_C=0.2)
    assert float(made["A"]) == pytest.approx(0.8 * 1e20**0.2, rel=1e-5)
