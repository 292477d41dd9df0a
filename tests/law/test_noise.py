from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.noise import ClippedNormal, SharedNoise


def test_density_is_that_of_the_full_covariance():
    rng = np.random.default_rng(0)
    loc, scale, shared, y = rng.normal(size=5), rng.uniform(0.5, 2, 5), 0.7, rng.normal(size=(3, 5))
    exact = stats.multivariate_normal(loc, np.diag(scale**2) + shared**2).logpdf(y)
    with double_precision():
        ours = SharedNoise(jnp.broadcast_to(loc, (3, 5)), shared, scale).log_prob(y)
    assert np.allclose(ours, exact)


def test_the_student_t_is_that_of_the_full_scale_matrix():
    rng = np.random.default_rng(2)
    loc, scale, y = rng.normal(size=5), rng.uniform(0.5, 2, 5), 3 * rng.normal(size=(3, 5))
    exact = stats.multivariate_t(loc, np.diag(scale**2) + 0.7**2, df=4).logpdf(y)
    with double_precision():
        ours = SharedNoise(jnp.broadcast_to(loc, (3, 5)), 0.7, scale, df=4.0).log_prob(y)
        normal, endless = (SharedNoise(loc, 0.7, scale, df=df).log_prob(y) for df in (None, 1e7))
    np.testing.assert_allclose(ours, exact)
    np.testing.assert_allclose(endless, normal, rtol=1e-5)


@pytest.mark.parametrize("df", [None, 5.0])
def test_no_outcome_is_likely_because_a_scale_is_tiny(df):
    with double_precision():
        scale = jnp.array([0.005, 0.01, np.exp(-150.0)])
        outcomes = 0.3 * jax.random.normal(jax.random.key(0), (100, 3))
        found = float(SharedNoise(jnp.zeros((100, 3)), 0.003, scale, df=df).log_prob(outcomes).max())
    assert found < 20.0  # no more than where all outcomes are the mean


@pytest.mark.parametrize("df", [None, 5.0])
def test_what_is_missing_is_integrated_out(df):
    rng = np.random.default_rng(3)
    loc, scale, y = rng.normal(size=4), rng.uniform(0.5, 2, 4), rng.normal(size=4)
    present = np.array([True, False, True, True])
    with double_precision():
        ours = SharedNoise(jnp.asarray(loc), 0.7, scale, df=df, present=present).log_prob(np.where(present, y, 1e9))
        others = SharedNoise(jnp.asarray(loc[present]), 0.7, scale[present], df=df).log_prob(y[present])
        nothing = SharedNoise(jnp.asarray(loc), 0.7, scale, df=df, present=np.zeros(4, bool)).log_prob(y)
    assert float(ours) == pytest.approx(float(others)) and float(nothing) == pytest.approx(0.0, abs=1e-12)


def test_draws_of_a_student_t_are_odd_together():
    draws = np.asarray(SharedNoise(jnp.zeros(2), 1e-9, jnp.ones(2), df=5.0).sample(jax.random.key(0), (50_000,)))
    assert stats.kstest(draws[:, 0], stats.t(5).cdf).pvalue > 1e-3
    assert np.corrcoef(np.abs(draws).T)[0, 1] > 0.1  # one scale for both, though neither leans the other's way
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.05


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


def test_a_clipped_normal_has_all_its_mass_between_zero_and_one():
    inside = np.linspace(0, 1, 20_001)[1:-1]
    for loc, scale in ((0.0, 0.02), (0.3, 0.1), (0.98, 0.05), (-0.1, 0.05), (0.5, 2.0)):
        with double_precision():
            noise = ClippedNormal(loc, scale)
            density = np.exp(np.asarray(noise.log_prob(inside)))
            ends = np.exp(np.asarray(noise.log_prob(np.array([0.0, 1.0]))))
            draws = np.asarray(noise.sample(jax.random.key(0), (4000,)))
        assert ends == pytest.approx([stats.norm(loc, scale).cdf(0), stats.norm(loc, scale).sf(1)], rel=1e-6)
        assert density.sum() * (inside[1] - inside[0]) + ends.sum() == pytest.approx(1.0, abs=2e-3)
        assert draws.min() >= 0 and draws.max() <= 1
        assert (draws == 0).mean() == pytest.approx(ends[0], abs=0.04)


def test_far_from_its_bounds_a_clipped_normal_is_a_normal():
    y = np.linspace(0.3, 0.7, 5)
    with double_precision():
        noise = ClippedNormal(jnp.full(5, 0.5), 0.02)
        np.testing.assert_allclose(noise.log_prob(y), stats.norm(0.5, 0.02).logpdf(y))
        np.testing.assert_allclose(noise.cdf(y), stats.norm(0.5, 0.02).cdf(y))
        np.testing.assert_allclose(noise.mid_cdf(y), noise.cdf(y))


def test_the_place_of_a_bound_is_the_middle_of_its_mass():
    with double_precision():
        low, high = ClippedNormal(0.0, 0.1), ClippedNormal(1.0, 0.1)
        assert float(low.mid_cdf(0.0)) == pytest.approx(0.25) and float(low.cdf(0.0)) == pytest.approx(0.5)
        assert float(high.mid_cdf(1.0)) == pytest.approx(0.75) and float(high.cdf(1.0)) == 1.0


@pytest.mark.parametrize("value", [0.0, 1.0, 0.4])
def test_a_clipped_normal_has_finite_gradients_far_from_its_outcome(value):
    with double_precision():
        slope = jax.grad(lambda m: ClippedNormal(m, 0.001).log_prob(value))
        assert np.isfinite([float(slope(m)) for m in (0.0, 0.3, 0.97)]).all()
