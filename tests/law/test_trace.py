from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from bayes_scaling.law.trace import (
    is_latent,
    latent_names,
    latent_sites,
    observed_sites,
    run_model,
    values_of,
    with_unseen,
)
from bayes_scaling.models import PowerLaw, SigmoidAccuracy

RUNS = {"C": jnp.array([1e18, 1e19, 1e20]), "C0": jnp.array(1e19)}
LOSS = {"loss": jnp.array([3.0, 2.8, jnp.nan])}
VALUES = {"E": 1.8, "reducible": 0.5, "alpha_C": 0.15, "sigma": 1e-6}


def test_given_values_are_kept_and_the_others_drawn():
    values = values_of(run_model(PowerLaw(), RUNS, latent=VALUES))
    assert {name: float(values[name]) for name in VALUES} == pytest.approx(VALUES)
    assert np.asarray(values["loss_mean"]) == pytest.approx(np.asarray(PowerLaw().at(RUNS, VALUES)), rel=1e-5)
    assert np.asarray(values["loss"]) == pytest.approx(np.asarray(values["loss_mean"]), rel=1e-3)
    part = values_of(run_model(PowerLaw(), RUNS, latent={"E": 1.8}))
    assert float(part["E"]) == pytest.approx(1.8) and float(part["alpha_C"]) != pytest.approx(0.15)


def test_a_key_decides_what_is_drawn():
    one, same, other = (run_model(PowerLaw(), RUNS, key=key)["E"]["value"] for key in (1, jax.random.key(1), 2))
    assert float(one) == float(same) != float(other)


def test_parameters_are_latent_and_outcomes_are_not():
    assert set(latent_sites(PowerLaw(alpha_C=0.15), RUNS, LOSS)) == {"E", "reducible", "sigma"}
    assert latent_names(PowerLaw(alpha_C=0.15), RUNS, LOSS) == {"E", "reducible", "sigma"}
    assert latent_names(PowerLaw(), RUNS, LOSS) == {"E", "reducible", "alpha_C", "sigma"}
    sites = run_model(PowerLaw(), RUNS, LOSS)
    assert not is_latent(sites["loss"]) and not is_latent(sites["A"])
    (name, (likelihood, value)), *rest = observed_sites(sites).items()
    assert (name, rest) == ("loss", [])
    assert np.isfinite(value).all() and np.asarray(likelihood.log_prob(value))[2] == 0.0
    assert observed_sites(run_model(PowerLaw(), RUNS)) == {}


def test_constants_are_among_the_values_and_plates_are_not():
    values = values_of(run_model(PowerLaw(), RUNS))
    assert {"A", "loss_mean"} <= set(values) and "run" not in values


def test_the_discrepancy_is_a_site_of_forecasts_alone():
    plain, beyond = (run_model(PowerLaw(), RUNS, fitted=fitted) for fitted in (None, RUNS))
    assert set(beyond) - set(plain) == {"discrepancy_slope"}


def test_a_further_handler_sees_the_sites():
    seen = []

    class Watch(handlers.trace):
        def postprocess_message(self, message):
            seen.append(message["name"])

    run_model(PowerLaw(), RUNS, handler=Watch)
    assert {"E", "loss"} <= set(seen)


def test_what_no_fitted_run_tells_is_drawn_for_each_draw_where_a_law_has_it():
    draws, key = {"slope": np.ones(2000)}, jax.random.key(0)
    assert with_unseen(PowerLaw(), draws, key) is draws
    found = with_unseen(SigmoidAccuracy(departure=3.0), draws, key)
    assert set(found) == {"slope", "departure"} and found["departure"].shape == (2000,)
    assert float(found["departure"].mean()) == pytest.approx(3.0, rel=0.1)
    assert np.array_equal(with_unseen(SigmoidAccuracy(departure=3.0), draws, key)["departure"], found["departure"])
