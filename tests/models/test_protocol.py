"""What every law must do, whoever wrote it."""

from __future__ import annotations

import dataclasses
import inspect
import re

import jax
import numpy as np
import numpyro
import pytest
from jax.flatten_util import ravel_pytree

from bayes_scaling import models
from bayes_scaling.evaluation.conditionals import conditionals, counted, factorises
from bayes_scaling.inference import nuts
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.priors import unconstrained

from .examples import law_of, study_for

every_law = pytest.mark.parametrize("name", sorted(models.LAWS))


def trace(law, seed=0, observed=True):
    runs, outcomes = law.arrays(study_for(law))
    with double_precision():
        model = numpyro.handlers.trace(numpyro.handlers.seed(law, seed))
        return model.get_trace(runs, outcomes if observed else None)


@every_law
def test_states_its_equation_citation_and_a_reason_for_each_prior(name):
    law = law_of(name)
    text = inspect.getdoc(type(law))
    assert law.equation
    assert "References" in text and "arXiv" in text
    assert "Examples" in text and ">>>" in text
    named = {
        word.strip()
        for line in text.splitlines()
        if re.search(r" : Prior(, |$)", line)
        for word in line.split(":")[0].split(",")
    }
    assert set(law.priors) - {"sigma", "discrepancy"} <= named


@every_law
def test_equal_laws_are_equal_and_frozen(name):
    law = law_of(name)
    assert law == law_of(name) and hash(law) == hash(law_of(name))
    assert law != law.replace(discrepancy=0.123)
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.sigma = 1.0


@every_law
def test_priors_are_data_of_the_program(name):
    law = law_of(name)
    leaves, structure = jax.tree.flatten(law)
    assert jax.tree.unflatten(structure, leaves) == law
    other = law.replace(discrepancy=0.123)
    assert jax.tree.structure(other) == structure


@every_law
def test_prior_draws_give_finite_densities_and_outcomes(name):
    law = law_of(name)
    for seed in range(5):
        sites = trace(law, seed)
        for site in sites.values():
            if site["type"] == "sample":
                with double_precision():
                    density = np.asarray(site["fn"].log_prob(site["value"]))
                assert np.isfinite(density).all(), site["name"]
    predicted = trace(law, observed=False)
    for quantity in law.quantities:
        assert np.isfinite(np.asarray(predicted[quantity]["value"])).all()
        assert np.isfinite(np.asarray(predicted[f"{quantity}_mean"]["value"])).all()


@every_law
def test_straightening_keeps_volume(name):
    law = law_of(name)
    runs, observed = law.arrays(study_for(law))
    with double_precision():
        centres = {site: unconstrained(fn)[0] for site, fn in nuts.latent_sites(law, runs, observed).items()}
        z, unravel = ravel_pytree(centres)
        move = jax.jacfwd(lambda z: ravel_pytree({k: law.straighten(unravel(z), runs)[k] for k in centres})[0])
        sign, log_volume = np.linalg.slogdet(np.asarray(move(z + 0.1)))
    assert sign == 1.0
    assert log_volume == pytest.approx(0.0, abs=1e-8)


@every_law
def test_outcome_left_out_as_nan_does_not_count(name):
    law = law_of(name)
    runs, observed = law.arrays(study_for(law))

    def log_density(observed):
        sites = numpyro.handlers.trace(numpyro.handlers.seed(law, 0)).get_trace(runs, observed)
        scored = (s for s in sites.values() if s["type"] == "sample" and s["is_observed"])
        return sum(np.asarray(site["fn"].log_prob(site["value"])).sum() for site in scored)

    without = {k: np.array(v, dtype=float) for k, v in observed.items()}
    for values in without.values():
        values[-1] = np.nan
    with double_precision():
        assert np.isfinite(log_density(without))
        assert log_density(without) != pytest.approx(log_density(observed))


@every_law
def test_every_outcome_has_a_density_of_its_own(name):
    law = law_of(name)
    runs, observed = law.arrays(study_for(law))
    with double_precision():
        sites = numpyro.handlers.trace(numpyro.handlers.seed(law, 0)).get_trace(runs, observed)
        for site in (s for s in sites.values() if s["type"] == "sample" and s["is_observed"]):
            fn, value = site["fn"], site["value"]
            single = np.asarray(conditionals(fn, value).log_prob(value))
            counts = np.broadcast_to(counted(fn), value.shape)
            assert single.shape == value.shape and np.isfinite(single[counts]).all()
            if factorises(fn):
                assert np.sum(single[counts]) == pytest.approx(float(np.sum(fn.log_prob(value))))
