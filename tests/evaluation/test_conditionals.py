from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

from bayes_scaling.errors import LawError
from bayes_scaling.evaluation.conditionals import conditionals, counted, factorises, places
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.noise import ClippedNormal, SharedNoise


def given_others(y, loc, covariance):
    """Each entry's log density given the rest, by conditioning the covariance."""
    densities = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, i])
        mean = loc[i] + gain @ (y - loc)[rest]
        densities.append(stats.norm(mean, np.sqrt(covariance[i, i] - gain @ covariance[rest, i])).logpdf(y[i]))
    return np.array(densities)


def test_shared_noise_gives_each_entry_given_the_others():
    rng = np.random.default_rng(0)
    loc, scale, y = rng.normal(size=5), rng.uniform(0.5, 2, 5), rng.normal(size=(3, 5))
    with double_precision():
        ours = SharedNoise(jnp.broadcast_to(loc, (3, 5)), 0.7, scale).conditionals(jnp.asarray(y)).log_prob(y)
    for i in range(3):
        np.testing.assert_allclose(ours[i], given_others(y[i], loc, np.diag(scale**2) + 0.49), rtol=1e-10)


def test_an_entry_of_tiny_scale_is_given_the_others_like_any():
    loc, scale, y = np.zeros(3), np.array([1e-6, 0.01, 0.02]), np.array([0.004, 0.011, -0.008])
    ours = SharedNoise(*(jnp.asarray(v, jnp.float32) for v in (loc, 0.005, scale))).conditionals(jnp.asarray(y))
    expected = given_others(y, loc, np.diag(scale**2) + 0.005**2)
    np.testing.assert_allclose(ours.log_prob(jnp.asarray(y, jnp.float32)), expected, rtol=1e-3)


@pytest.mark.parametrize("df", [None, 5.0])
def test_with_entries_missing_each_is_given_the_others_there_are(df):
    """By the definition: the density of all that is there over that of all but one."""
    rng = np.random.default_rng(4)
    loc, scale, y = rng.normal(size=5), rng.uniform(0.5, 2, 5), 2 * rng.normal(size=5)
    present = np.array([True, True, False, True, True])

    def noise(there):
        return SharedNoise(jnp.asarray(loc), 0.7, scale, df=df, present=jnp.asarray(there))

    with double_precision():
        ours = np.asarray(noise(present).conditionals(jnp.asarray(y)).log_prob(y))
        whole = float(noise(present).log_prob(y))
        for i in np.flatnonzero(present):
            without = float(noise(present & (np.arange(5) != i)).log_prob(y))
            assert ours[i] == pytest.approx(whole - without), i
        transformed = dist.TransformedDistribution(noise(present), dist.transforms.ExpTransform())
    assert np.array_equal(counted(noise(present)), present) and np.array_equal(counted(transformed), present)


def test_shared_noise_with_a_tilt_gives_each_entry_given_the_others():
    rng = np.random.default_rng(1)
    loc, x, y = rng.normal(size=(3, 2, 4))
    shared, scale = np.array([0.5, 0.7]), np.array([[0.8], [1.1]])
    with double_precision():
        ours = SharedNoise(jnp.asarray(loc), shared, scale, jnp.asarray(x)).conditionals(jnp.asarray(y)).log_prob(y)
    for i in range(2):
        tilt = x[i] - x[i].mean()
        covariance = scale[i] ** 2 * np.eye(4) + shared[i] ** 2 * (1 + np.outer(tilt, tilt))
        np.testing.assert_allclose(ours[i], given_others(y[i], loc[i], covariance), rtol=1e-10)


def test_the_jacobian_of_a_transformation_is_carried_along():
    loc, scale, y = np.array([0.1, -0.2, 0.3]), np.array([0.5, 0.8, 1.0]), np.array([1.2, 0.7, 2.0])
    with double_precision():
        noise = dist.TransformedDistribution(SharedNoise(loc, 0.6, scale), dist.transforms.ExpTransform())
        ours = conditionals(noise, jnp.asarray(y)).log_prob(y)
        plain = conditionals(SharedNoise(loc, 0.6, scale), jnp.log(y)).log_prob(np.log(y))
    ours, plain = np.asarray(ours), np.asarray(plain)
    np.testing.assert_allclose(ours, plain - np.log(y), rtol=1e-12)
    assert not np.allclose(ours, plain)


def test_independent_entries_keep_their_own_distribution():
    with double_precision():
        fn = dist.LogNormal(jnp.zeros((2, 3)), 1.0).to_event(1).mask(jnp.array([True, False]))
        y = jnp.full((2, 3), 1.5)
        assert np.allclose(conditionals(fn, y).log_prob(y), stats.lognorm(1.0).logpdf(1.5))
    assert np.array_equal(np.broadcast_to(counted(fn), (2, 3)).any(axis=1), [True, False])
    assert factorises(fn) and not factorises(SharedNoise(jnp.zeros(2), 1.0, jnp.ones(2)))


def test_a_joint_distribution_without_conditionals_is_refused():
    fn = dist.MultivariateNormal(jnp.zeros(2), jnp.eye(2))
    with pytest.raises(LawError, match=r"MultivariateNormal does not say .* conditionals\(value\)"):
        conditionals(fn, jnp.zeros(2))


def test_a_place_is_that_of_the_distribution_function_and_of_a_mass_its_middle():
    y = np.array([0.2, 0.5])
    assert np.allclose(places(dist.Normal(0.4, 0.1), y), stats.norm(0.4, 0.1).cdf(y), atol=1e-6)
    masked = dist.Independent(ClippedNormal(jnp.zeros(2), 0.1), 1)
    found = np.asarray(places(conditionals(masked, y), np.array([0.0, 0.1])))
    assert found == pytest.approx([0.25, stats.norm.cdf(1.0)], abs=1e-6)
