from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.noise import SharedNoise


def test_density_is_that_of_the_full_covariance():
    rng = np.random.default_rng(0)
    loc, scale, shared, y = rng.normal(size=5), rng.uniform(0.5, 2, 5), 0.7, rng.normal(size=(3, 5))
    exact = stats.multivariate_normal(loc, np.diag(scale**2) + shared**2).logpdf(y)
    with double_precision():
        ours = SharedNoise(jnp.broadcast_to(loc, (3, 5)), shared, scale).log_prob(y)
    assert np.allclose(ours, exact)


def test_draws_share_their_effect():
    draws = SharedNoise(jnp.zeros(2), 2.0, jnp.ones(2)).sample(jax.random.key(0), (20_000,))
    assert np.cov(np.asarray(draws).T) == pytest.approx(np.array([[5.0, 4.0], [4.0, 5.0]]), rel=0.05)


def test_a_tilt_is_integrated_out_too():
    rng = np.random.default_rng(1)
    loc, x, y = rng.normal(size=(2, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    shared, scale = np.array([0.5, 0.7]), np.array([[0.8], [1.1]])
    with double_precision():
        noise = SharedNoise(jnp.asarray(loc), shared, scale, jnp.asarray(x))
        ours = noise.log_prob(y)
        draws = np.asarray(noise.sample(jax.random.key(0), (20_000,)))
    for i in range(2):
        tilt = x[i] - x[i].mean()
        covariance = scale[i] ** 2 * np.eye(4) + shared[i] ** 2 * (1 + np.outer(tilt, tilt))
        assert ours[i] == pytest.approx(stats.multivariate_normal(loc[i], covariance).logpdf(y[i]))
        np.testing.assert_allclose(np.cov(draws[:, i].T), covariance, atol=0.05)
