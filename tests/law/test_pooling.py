from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import handlers
from scipy.special import expit, logit

from bayes_scaling.law.pooling import SEEN, assemble, edge_by_series, move, pooled
from bayes_scaling.law.priors import LogitNormal
from bayes_scaling.models import Pooled


def sites_of(*arguments):
    sites = handlers.trace(handlers.seed(pooled, 0)).get_trace(*arguments)
    return {name: np.asarray(site["value"]) for name, site in sites.items()}


def values_of(values, *arguments):
    return np.asarray(handlers.seed(handlers.substitute(pooled, values), 0)(*arguments))


def test_a_number_is_the_same_for_every_series_and_no_site():
    assert sites_of("alpha", 0.3, 0.2, 4) == {}
    assert np.asarray(pooled("alpha", 0.3, 0.2, 4)) == pytest.approx(np.full(4, 0.3))


def test_without_a_spread_every_series_draws_from_the_prior_alone():
    found = sites_of("E", dist.LogNormal(0.0, 1.0), None, 5)
    assert list(found) == ["E"] and len(np.unique(found["E"])) == 5


def test_the_spread_is_on_the_unconstrained_scale():
    offsets = jnp.array([-1.0, 0.0, 2.0])
    positive = values_of({"a_mean": 0.3, "a_offset": offsets}, "a", dist.LogNormal(0.0, 1.0), 0.2, 3)
    assert positive == pytest.approx(0.3 * np.exp([-0.2, 0.0, 0.4]), rel=1e-5)
    share = values_of({"s_mean": 0.4, "s_offset": offsets}, "s", LogitNormal(), 0.5, 3)
    assert share == pytest.approx(expit(logit(0.4) + np.array([-0.5, 0.0, 1.0])), rel=1e-5)


def test_coordinates_give_the_values_that_the_model_has():
    found = sites_of("a", dist.LogNormal(0.0, 1.0), 0.2, 3)
    u = {"a_mean": np.log(found["a_mean"]), "a_offset": found["a_offset"]}
    assert np.exp(assemble(u, "a", 0.2)) == pytest.approx(found["a"], rel=1e-5)


def test_what_is_not_pooled_is_taken_as_it_is_and_what_is_fixed_is_none():
    u = {"E": jnp.arange(3.0)}
    assert assemble(u, "E", None) is u["E"] and assemble(u, "E", 0.2) is u["E"]
    assert assemble(u, "alpha", 0.2) is None


def test_a_pooled_value_moves_by_its_offset_and_a_fixed_one_does_not():
    u = {"E": np.array(1.0), "a_mean": np.array(0.5), "a_offset": np.array([1.0, -1.0])}
    where = np.array([0.9, 0.1])
    assert assemble(u | move(u, "a", 0.2, where), "a", 0.2) == pytest.approx(where)
    assert move(u, "E", 0.2, where) == {"E": where} and move(u, "alpha", 0.2, where) == {}


def test_a_series_ends_with_the_runs_that_have_an_outcome_of_it():
    law, seen = Pooled(), np.array([[True, True], [True, False]])
    edge = edge_by_series(
        law, {"N": np.array([1e8, 1e9]), "D": np.array([2e9, 2e10]), "N0": 3e8, "D0": 6e9, SEEN: seen}
    )
    assert edge["N"].shape == (2, 2) and np.isnan(edge["D"][1, 1]) and np.isfinite(edge["N"]).sum() == 3
    assert edge["N0"] == 3e8
