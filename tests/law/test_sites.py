from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import handlers

import bayes_scaling as bs
from bayes_scaling.law.sites import (
    EDGE_QUANTILE,
    FEW,
    extrapolate,
    observe,
    sample_or_fix,
    sample_slope_error,
    stretch,
    told_plainly,
    with_known_error,
)
from bayes_scaling.models import Chinchilla


def sites_of(function, *arguments):
    return handlers.trace(handlers.seed(function, 0)).get_trace(*arguments)


def test_discrepancy_leaves_the_data_alone_and_stretches_the_step_beyond():
    fitted = jnp.linspace(1.0, 2.0, 101)
    edge = float(jnp.quantile(fitted, 0.05))
    inside, beyond = extrapolate(jnp.array([1.5, edge / 2]), fitted, jnp.array(0.2))
    assert float(inside) == pytest.approx(1.5)
    assert float(beyond) == pytest.approx(edge * 0.5**1.2, rel=1e-5)


def test_padding_does_not_move_the_edge_of_the_data():
    fitted = jnp.linspace(1.0, 2.0, 41)
    padded = jnp.concatenate([fitted, jnp.full(23, jnp.nan)])
    target = jnp.array([0.3])
    assert float(extrapolate(target, padded, 0.2)[0]) == pytest.approx(float(extrapolate(target, fitted, 0.2)[0]))


@pytest.mark.parametrize("runs", [0, 1, 2, 5, 21, 41, 64])
def test_the_edge_is_the_quantile_of_what_is_no_padding(runs):
    values = np.full((64, 3), np.nan)
    values[:runs] = np.random.default_rng(runs).integers(1, 9, (runs, 3))  # some are equal
    values[: runs // 2] = values[: runs // 2][::-1] * np.pi
    there = np.full(3, 0.1)
    expected = there * (there / np.nanquantile(values[:runs], EDGE_QUANTILE, axis=0)) if runs else there
    assert np.asarray(extrapolate(jnp.array(there), jnp.array(values), 1.0)) == pytest.approx(expected, rel=1e-5)


def test_the_edge_of_many_runs_is_no_other():
    values = np.random.default_rng(0).lognormal(size=FEW + 1)
    few, many = (float(extrapolate(jnp.array(0.01), jnp.array(v), 1.0)) for v in (values[:FEW], values))
    assert few == pytest.approx(1e-4 / np.quantile(values[:FEW], EDGE_QUANTILE), rel=1e-5)
    assert many == pytest.approx(1e-4 / np.quantile(values, EDGE_QUANTILE), rel=1e-5)


def test_each_series_has_an_edge_and_a_slope_error_of_its_own():
    fitted = jnp.stack([jnp.full(9, 1.0), jnp.full(9, 4.0)], axis=1)
    found = extrapolate(jnp.array([[0.5, 2.0]]), fitted, jnp.array([0.0, 1.0]))
    assert np.asarray(found)[0] == pytest.approx([0.5, 1.0], rel=1e-5)


def test_an_outcome_at_or_below_its_floor_is_left_as_it_is():
    reducible = jnp.array([0.0, -0.1])
    assert np.array_equal(extrapolate(reducible, jnp.ones(5), 0.3), reducible)
    assert np.array_equal(extrapolate(jnp.array([0.5]), -jnp.ones(5), 0.3), jnp.array([0.5]))


def test_what_is_gained_without_a_limit_is_stretched_beyond_the_data_alone():
    fitted = jnp.concatenate([jnp.linspace(-1.0, 1.0, 101), jnp.full(7, jnp.nan)])
    edge = float(jnp.nanquantile(fitted, 0.05))
    found = stretch(jnp.array([0.5, edge - 2.0]), fitted, jnp.array(0.1))
    assert np.asarray(found) == pytest.approx([0.5, edge - 2.2], rel=1e-5)


def test_what_is_missing_is_left_out_of_the_density():
    def model(values):
        with numpyro.plate("run", 3):
            observe("loss", dist.Normal(jnp.zeros(3), 1.0), {"loss": values})

    whole, part = (
        np.asarray(s["fn"].log_prob(s["value"]))
        for values in ([1.0, 2.0, 3.0], [1.0, jnp.nan, 3.0])
        for s in [sites_of(model, jnp.array(values))["loss"]]
    )
    assert part[1] == 0.0 and whole[1] != 0.0
    assert np.array_equal(part[[0, 2]], whole[[0, 2]])


def test_an_event_with_a_missing_entry_is_left_out_as_a_whole():
    def model(values):
        with numpyro.plate("run", 2):
            observe("accuracy", dist.Normal(jnp.zeros((2, 3)), 1.0).to_event(1), {"accuracy": values})

    site = sites_of(model, jnp.array([[1.0, jnp.nan, 0.5], [1.0, 2.0, 3.0]]))["accuracy"]
    density = np.asarray(site["fn"].log_prob(site["value"]))
    assert density.shape == (2,) and density[0] == 0.0 and density[1] < -2


def test_nothing_observed_is_drawn():
    site = sites_of(lambda: observe("loss", dist.Normal(2.0, 1e-6), None))["loss"]
    assert not site["is_observed"] and float(site["value"]) == pytest.approx(2.0, abs=1e-4)


def test_a_number_is_no_site():
    assert set(sites_of(lambda: sample_or_fix("E", 1.69))) == set()
    assert float(sample_or_fix("E", 1.69)) == pytest.approx(1.69)
    assert set(sites_of(lambda: sample_or_fix("E", dist.Normal(0.0, 1.0)))) == {"E"}


def test_the_slope_error_is_a_standard_normal_times_the_discrepancy():
    sites = sites_of(lambda: sample_slope_error(0.2, (3,)))
    assert set(sites) == {"discrepancy_slope"} and sites["discrepancy_slope"]["value"].shape == (3,)
    held = handlers.substitute(lambda: sample_slope_error(0.2, (3,)), {"discrepancy_slope": jnp.arange(3.0)})
    assert np.asarray(handlers.seed(held, 0)()) == pytest.approx([0.0, 0.2, 0.4])
    learnt = sites_of(lambda: sample_slope_error(dist.LogNormal(-2.0, 0.1), site="other"))
    assert set(learnt) == {"other", "other_slope"}


class Impatient(bs.Law):
    E: bs.Prior = dist.LogNormal(0.5, 0.5)

    def mean(self, N, *, E):
        return float(E) + 0 * N


class Branching(Impatient):
    def mean(self, N, *, E):
        return E * N if E > 1 else E / N


class OfOldSchool(Impatient):
    def mean(self, N, *, E):
        return E * math.log(N)


class OfNumpy(Impatient):
    def mean(self, N, *, E):
        return np.exp(E) + 0 * N


@pytest.mark.parametrize("law", [Impatient(), Branching(), OfOldSchool(), OfNumpy()], ids=lambda law: law.name)
def test_an_equation_that_leaves_jax_is_told_in_one_sentence(law):
    study = bs.Study.from_frame(pd.DataFrame({"N": np.geomspace(1e8, 1e9, 8), "loss": 3.0}))
    with pytest.raises(bs.LawError, match=f"{law.name}.mean asks for the value of a column or a parameter .* jnp.exp"):
        bs.fit(law, study, seed=0, draws=20)


def test_other_mistakes_of_an_equation_keep_their_words():
    with pytest.raises(TypeError, match="unsupported operand"), told_plainly("mean"):
        raise TypeError("unsupported operand")


class Even(Chinchilla):
    """A law with normal noise."""

    def likelihood(self, mean, sigma):
        return dist.LogNormal(jnp.log(mean), sigma)


@pytest.mark.parametrize("law", [Chinchilla(), Even()], ids=["Student t", "normal"])
def test_a_known_standard_error_is_one_whatever_the_noise(law):
    """Where nothing else is noise, losses drawn from the model scatter by their standard errors."""
    mean, error = jnp.array([2.0, 3.0]), jnp.array([0.02, 0.006])
    sigma = with_known_error(jnp.array(1e-6), mean, {"loss_se": error}, law.known_noise, law.likelihood)
    drawn = law.likelihood(mean, sigma).sample(jax.random.key(0), (100_000,))
    np.testing.assert_allclose(jnp.log(drawn).std(axis=0), error / mean, rtol=0.02)
    unknown = {"loss_se": jnp.full(2, jnp.nan)}
    assert np.allclose(with_known_error(jnp.array(0.01), mean, unknown, law.known_noise, law.likelihood), 0.01)
