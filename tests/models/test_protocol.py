"""What every law must do, whoever wrote it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.flatten_util import ravel_pytree

import bayes_scaling as bs
from bayes_scaling import models
from bayes_scaling.evaluation.conditionals import conditionals, counted, factorises
from bayes_scaling.inference import nuts
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.pooling import derived_names
from bayes_scaling.law.priors import unconstrained
from bayes_scaling.law.trace import run_model, values_of
from bayes_scaling.models import TwoStep

from .examples import law_of, study_for

ROOT = Path(__file__).parent.parent.parent
LOWER = {"loss": True, "error": True, "accuracy": False, "unigram_normalised_loss": True}  # is better
SIZE_AND_DATA = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha_N": 0.35, "alpha_D": 0.37}
TEXTBOOK = {
    "Chinchilla": SIZE_AND_DATA,
    "HeteroscedasticChinchilla": SIZE_AND_DATA,
    "JointExperts": {**SIZE_AND_DATA, "worth": 0.5, "gain": 0.3},
    "Kaplan": SIZE_AND_DATA,
    "Overfitting": SIZE_AND_DATA,
    "PowerLaw": {"E": 1.8, "A": 480.0, "alpha_C": 0.15},
    "Rectified": {"E": 1.0, "B": 200.0, "D_l": 300.0, "beta": 0.6},
    "RepeatedData": SIZE_AND_DATA,
    "Scratch": {"E": 0.5, "A": 6.4e13, "B": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    "StepLaw": SIZE_AND_DATA,
}
every_law = pytest.mark.parametrize("name", sorted(models.LAWS))


def trace(law, seed=0, observed=True):
    runs, outcomes = law.arrays(study_for(law))
    with double_precision():
        model = numpyro.handlers.trace(numpyro.handlers.seed(law, seed))
        return model.get_trace(runs, outcomes if observed else None)


def drawn(law, seed):
    """Return the inputs of a study, and one draw of every site from the priors with the parameters that are fixed."""
    runs, _ = law.arrays(study_for(law))
    fixed = {name: own for name, own in law.priors.items() if not isinstance(own, dist.Distribution)}
    with double_precision():
        return runs, {**fixed, **values_of(run_model(law, runs, key=seed))}


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


def changed(law):
    """Return a law with another number among its priors."""
    if isinstance(law, TwoStep):
        return law.replace(step2=changed(law.step2))
    return law.replace(discrepancy=0.123 if isinstance(law.discrepancy, float) else dist.LogNormal(-2.1, 0.3))


@every_law
def test_equal_laws_are_equal_and_frozen(name):
    law = law_of(name)
    assert law == law_of(name) and hash(law) == hash(law_of(name))
    assert law != changed(law)
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.sigma = 1.0


@every_law
def test_priors_are_data_of_the_program(name):
    law = law_of(name)
    leaves, structure = jax.tree.flatten(law)
    assert jax.tree.unflatten(structure, leaves) == law
    other = changed(law)
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


# -- hooks ----------------------------------------------------------------------------------------------------------


@every_law
def test_says_which_way_each_quantity_is_better(name):
    law = law_of(name)
    assert {quantity: law.lower_is_better(quantity) for quantity in law.quantities} == {
        quantity: LOWER[quantity] for quantity in law.quantities
    }
    with pytest.raises(bs.LawError, match="does not say which way 'reward' is better"):
        law.lower_is_better("reward")


@every_law
def test_no_outcome_is_better_than_the_irreducible_one(name):
    law = law_of(name)
    for seed in range(3):
        runs, values = drawn(law, seed)
        with double_precision():
            floor, mean = np.asarray(law.irreducible(runs, values)), np.asarray(values[f"{law.outcome}_mean"])
        assert np.isfinite(mean).all()
        sign = 1.0 if law.lower_is_better(law.outcome) else -1.0
        assert (sign * floor <= sign * mean + 1e-9 * abs(mean)).all()
        assert (floor >= 0).all() or law.outcome in law.signed


@every_law
def test_every_input_of_a_run_has_a_column(name):
    law = law_of(name)
    study = study_for(law)
    runs, _ = law.arrays(study)
    assert tuple(law.input_arrays(study.frame)) == law.run_inputs != ()
    assert law.columns and (tuple(law.columns) == law.run_inputs or type(law).input_arrays is not bs.Law.input_arrays)
    assert set(law.columns.values()) <= set(study.frame.columns)
    assert set(law.run_inputs) <= runs.keys() and {*law.indicators, *law.shares} <= set(law.run_inputs)
    assert set(law.signed) <= {*law.run_inputs, *law.quantities}


@every_law
def test_every_task_stands_for_a_series_of_each_quantity(name):
    law = law_of(name)
    study = study_for(law)
    dims, coords = law.dims(study)
    assert law.by_task == any(dims.get(quantity) for quantity in law.quantities)
    for quantity in law.quantities if law.by_task else ():
        labels = [str(label) for label in coords[dims[quantity][-1]]]
        assert {law.series_of(task, labels) for task in study.tasks} <= set(labels)


@every_law
def test_a_route_is_one_of_the_series(name):
    law = law_of(name)
    assert law.route is None or law.route in law.series


@every_law
def test_a_law_of_transfer_says_what_pretraining_is_worth_and_no_other_law_does(name):
    law = law_of(name)
    runs, values = drawn(law, 0)
    if not law.transfers:
        for ask in (law.transferred, law.enough) if name != "scratch" else (law.transferred,):
            with pytest.raises(bs.LawError, match="says nothing of transfer; fit one of the laws of transfer"):
                ask(runs, values)
        return
    centre = {own: float(unconstrained(prior)[0]) for own, prior in law.priors.items() if own in law.free_parameters}
    with double_precision():
        middle = {own: dist.biject_to(law.priors[own].support)(u) for own, u in centre.items()}
        values = {**values, **middle}
        pretrained = {**runs, **{indicator: np.full(len(runs["N"]), 1.0) for indicator in law.indicators}}
        scratch = {**runs, **{indicator: np.zeros(len(runs["N"])) for indicator in law.indicators}}
        for found in (law.transferred(pretrained, values), law.enough(runs, values)):
            assert np.shape(found) == runs["N"].shape
            assert np.isfinite(np.asarray(found)).all() and (np.asarray(found) > 0).all()
        assert (np.asarray(law.transferred(scratch, values)) == 0).all()


@every_law
def test_textbook_constants_become_parameters(name):
    law = law_of(name)
    runs, _ = law.arrays(study_for(law))
    constants = {**TEXTBOOK.get(law.name, {}), **law.published} or dict.fromkeys(law.free_parameters, 1.0)
    found = law.centred(runs, **constants)
    assert set(found) <= set(law.priors)
    assert all(np.isfinite(value) for value in found.values())


def test_constants_that_are_published_give_the_parameters_back():
    for name in ("chinchilla", "joint_experts", "kaplan", "power_law", "repeated_data", "step_law"):
        law = law_of(name)
        runs, values = drawn(law, 0)
        parameters = {p: float(values[p]) for p in law.free_parameters}
        constants = {p: value for p, value in parameters.items() if p not in ("reducible", "split")}
        constants |= {c: float(values[c]) for c in ("A", "B") if c in law.relations}
        with double_precision():
            found = law.centred(runs, **constants)
        assert {p: float(value) for p, value in found.items()} == pytest.approx(parameters, rel=1e-4), name


@every_law
def test_what_relates_parameters_to_constants_speaks_of_constants_that_are_published(name):
    law = law_of(name)
    assert set(law.relations) <= set(trace(law))
    assert set(law.relations) == set(derived_names(law))


@every_law
def test_every_field_says_what_it_is(name):
    law = law_of(name)
    assert list(law.notes) == [*(n for n in law.fields if n not in ("sigma", "discrepancy")), "sigma", "discrepancy"]
    for field, note in law.notes.items():
        assert note.kind == "prior" if field in law.priors else note.kind in ("option", "data")
        assert note.reason.endswith(".") and bool(note.unit) == (field in law.priors), field


@every_law
def test_options_shape_the_program_and_data_do_not(name):
    law = law_of(name)
    leaves, structure = jax.tree.flatten(law)
    for field, note in law.notes.items():
        value = law.fields[field]
        if note.kind == "option":
            assert jax.tree.structure(law.replace(**{field: another(field, value)})) != structure, field
            continue
        moved = value.replace(discrepancy=0.123) if isinstance(value, bs.Law) else 0.123
        if field == "discrepancy" and isinstance(law, TwoStep):  # its steps have their own
            continue
        other = law.replace(**{field: moved})
        if isinstance(value, dist.Distribution):  # a number in the place of a prior is another structure
            other = law.replace(**{field: jax.tree.map(lambda number: number + 0.125, value)})
        assert jax.tree.structure(other) == structure, field
        assert jax.tree.leaves(other) != leaves, field


def another(field, value):
    """Return another value of an option."""
    if isinstance(value, bool):
        return not value
    if field == "reference" and value:
        return tuple(2 * number for number in value)
    if field == "own":
        return "share_two"
    return {int: 3, str: "c4_loss", tuple: ("task_loss",), type(None): 5.0}[type(value)]


def test_nobody_asks_a_law_for_what_the_protocol_does_not_name():
    asked = re.compile(r"\b(getattr|hasattr)\((\w+\.)?law,")
    files = [path for folder in ("bayes_scaling", "models") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 80
    assert [str(path) for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
