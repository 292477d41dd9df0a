from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import transforms
from scipy import stats
from scipy.special import logit

from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.priors import EXACT, LogitNormal, LogStudentT, describe, pack, unconstrained, unpack

SHARES = np.array([0.05, 0.4, 0.9])
POSITIVE = np.array([0.1, 0.7, 3.0])
SCALAR = [
    dist.Normal(0.3, 0.5),
    dist.LogNormal(-1.0, 0.2),
    LogitNormal(0.8, 0.6),
    LogStudentT(3.0, -1.2, 0.12),
    dist.HalfNormal(2.0),
    dist.Beta(2.0, 3.0),
    dist.TruncatedNormal(1.0, 0.5, low=0.0),
    dist.Uniform(0.5, 1.0),
]


def test_the_density_of_a_share_is_that_of_its_log_odds():
    with double_precision():
        ours = LogitNormal(0.8, 0.6).log_prob(SHARES)
    assert np.allclose(ours, stats.norm(0.8, 0.6).logpdf(logit(SHARES)) - np.log(SHARES * (1 - SHARES)))


def test_the_density_of_heavy_tails_is_that_of_the_logarithm():
    with double_precision():
        ours = LogStudentT(3.0, -0.4, 0.3).log_prob(POSITIVE)
    assert np.allclose(ours, stats.t(3.0, -0.4, 0.3).logpdf(np.log(POSITIVE)) - np.log(POSITIVE))


def test_heavy_tails_have_the_quantiles_of_their_draws():
    prior = LogStudentT(3.0, 0.2, 0.3)
    draws = np.asarray(prior.sample(jax.random.key(0), (20_000,)))
    assert stats.kstest(np.log(draws), stats.t(3.0, 0.2, 0.3).cdf).pvalue > 1e-3
    for q in (0.1, 0.5, 0.9):
        assert (draws < float(prior.icdf(q))).mean() == pytest.approx(q, abs=0.02)


@pytest.mark.parametrize("prior", SCALAR, ids=lambda prior: type(prior).__name__)
def test_a_prior_is_taken_apart_and_put_together(prior):
    data, structure = unpack(prior)
    again = pack(data, structure)
    assert type(again) is type(prior) and describe(again) == describe(prior)
    hash(structure)  # it is part of the identity of a compiled program
    value = prior.sample(jax.random.key(1))
    assert float(again.log_prob(value)) == pytest.approx(float(prior.log_prob(value)))


def test_another_prior_of_the_same_family_has_the_same_structure():
    one, other = (unpack(dist.LogNormal(loc, 0.5)) for loc in (0.0, 1.0))
    assert one[1] == other[1] and one[0] != other[0]
    assert unpack(dist.Normal(0.0, 0.5))[1] != one[1]
    assert unpack(1.69) == (1.69, None)


def test_equal_priors_read_alike_and_others_do_not():
    assert describe(dist.Normal(0.0, 0.5)) == describe(dist.Normal(jnp.array(0.0), np.float64(0.5)))
    assert describe(LogitNormal(0.8, 0.6)) == "LogitNormal(loc=0.8, scale=0.6)"
    texts = {describe(prior) for prior in (*SCALAR, dist.Normal(0.3, 0.6), 0.3, dist.Normal(jnp.arange(2.0), 1.0))}
    assert len(texts) == len(SCALAR) + 3
    assert describe(np.float64(1.69)) == describe(1.69) == "1.69"


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            dist.TruncatedNormal(0.3, 0.1, low=0.0),
            dist.TruncatedNormal(0.9, 0.1, low=0.0),
            "LeftTruncatedDistribution(low=0, base_dist=Normal(loc=0.3, scale=0.1))",
        ),
        (
            dist.TruncatedNormal(0.3, 0.1, low=0.0, high=1.0),
            dist.TruncatedCauchy(0.3, 0.1, low=0.0, high=1.0),
            "TwoSidedTruncatedDistribution(low=0, high=1, base_dist=Normal(loc=0.3, scale=0.1))",
        ),
        (
            dist.FoldedDistribution(dist.Normal(0.0, 1.0)),
            dist.FoldedDistribution(dist.Cauchy(0.0, 1.0)),
            "FoldedDistribution(base_dist=Normal(loc=0, scale=1), transforms=[AbsTransform()])",
        ),
        (
            dist.TransformedDistribution(dist.Normal(0.0, 1.0), transforms.AffineTransform(0.0, 2.0)),
            dist.TransformedDistribution(dist.Normal(0.0, 1.0), transforms.AffineTransform(0.0, 3.0)),
            "TransformedDistribution(base_dist=Normal(loc=0, scale=1), transforms=[AffineTransform(0, 2)])",
        ),
        (
            dist.TransformedDistribution(dist.Beta(2.0, 3.0), transforms.SigmoidTransform().inv),
            dist.TransformedDistribution(dist.Beta(2.0, 3.0), transforms.ExpTransform().inv),
            "TransformedDistribution(base_dist=Beta(concentration1=2, concentration0=3), "
            "transforms=[_InverseTransform(SigmoidTransform())])",
        ),
    ],
)
def test_a_prior_that_truncates_or_transforms_another_says_which(one, other, said):
    assert describe(one) == said != describe(other)


def test_six_digits_are_read_and_all_of_them_tell_numbers_apart():
    prior = dist.Normal(math.log(0.01), 0.1)
    assert describe(prior) == "Normal(loc=-4.60517, scale=0.1)"
    assert describe(prior, EXACT) == describe(dist.Normal(np.float64(math.log(0.01)), 0.1), EXACT)
    assert describe(prior, EXACT) != describe(dist.Normal(-4.60517, 0.1), EXACT)
    assert describe(1.6900001) == describe(1.69) and describe(1.6900001, EXACT) != describe(1.69, EXACT)


@pytest.mark.parametrize(
    ("prior", "centre", "spread"),
    [
        (dist.Normal(0.3, 0.5), 0.3, 0.5),
        (dist.LogNormal(-1.0, 0.2), -1.0, 0.2),
        (LogitNormal(0.8, 0.6), 0.8, 0.6),
        (LogStudentT(3.0, -1.2, 0.12), -1.2, 0.12),
        (dist.HalfNormal(2.0), np.log(2.0 * np.sqrt(2 / np.pi)), 1.0),
        (dist.Cauchy(5.0, 1.0), 0.0, 1.0),  # without a mean
    ],
)
def test_a_search_starts_at_the_centre_of_a_prior(prior, centre, spread):
    found = unconstrained(prior)
    assert [float(value) for value in found] == pytest.approx([centre, spread], rel=1e-5)
    several = unconstrained(prior.expand([3]).to_event(1))
    assert [value.shape for value in several] == [(3,), (3,)]
    assert float(several[0][2]) == pytest.approx(centre, rel=1e-5)
