from __future__ import annotations

import numpy as np
import pytest

from benchmarks.point_fits import bootstrap_forecast, huber_fit, log_loss


@pytest.mark.parametrize("exponents", [(0.3,), (0.3, 0.4), (0.3, 0.4, 0.2)])
def test_a_sum_of_power_laws_is_found_again(exponents):
    rng = np.random.default_rng(0)
    inputs = np.exp(rng.uniform(0, 6, (len(exponents), 40)))
    theta = np.array([*[1.0] * len(exponents), 0.5, *exponents])
    found = huber_fit(inputs, np.exp(log_loss(theta, np.log(inputs))), start=theta + 0.3)
    new = np.exp(rng.uniform(6, 7, (len(exponents), 3)))
    np.testing.assert_allclose(log_loss(found, np.log(new)), log_loss(theta, np.log(new)), atol=0.01)


def test_resamples_scatter_as_the_residuals_do():
    rng = np.random.default_rng(0)
    inputs = np.exp(rng.uniform(0, 6, (1, 60)))
    loss = np.exp(log_loss(np.array([1.0, 0.5, 0.3]), np.log(inputs)) + rng.normal(0, 0.01, 60))
    point, drawn = bootstrap_forecast(inputs, loss, inputs[:, :2], resamples=100, seed=0)
    assert drawn.shape == (100, 2)
    assert np.std(np.log(drawn / point)) == pytest.approx(0.01, rel=0.3)
