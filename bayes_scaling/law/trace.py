"""A law's model run once: the one place where NumPyro's handlers substitute, seed and trace it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpyro.distributions as dist
from numpyro import handlers

if TYPE_CHECKING:
    from jax import Array

    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = [
    "is_latent",
    "latent_names",
    "latent_priors",
    "latent_sites",
    "observed_sites",
    "run_model",
    "values_of",
    "with_unseen",
]

Sites = dict[str, Any]
"""NumPyro's record of each site of a model, by its name."""


def run_model(
    law: Callable[..., None],
    runs: Arrays,
    observed: Arrays | None = None,
    fitted: Arrays | None = None,
    *,
    latent: Arrays | None = None,
    key: Array | int = 0,
    handler: Callable[..., Any] = lambda model: model,
) -> Sites:
    """Run the model of a law and return its sites.

    Parameters
    ----------
    law : Law
        The law; its arguments are ``runs``, ``observed`` and ``fitted``, as ``Law.__call__`` takes
        them.
    runs, observed, fitted : mapping of str to array
        Columns of the runs; outcomes to condition on, or None to draw them; runs beyond which the discrepancy counts.
    latent : mapping of str to array, optional
        Values of sites; what it lacks is drawn.
    key : array or int
        JAX random key, or its seed.
    handler : callable, optional
        A further effect handler, put around the seeded model.
    """
    model = handlers.substitute(law, dict(latent)) if latent else law
    model = handler(handlers.seed(model, key))
    return handlers.trace(model).get_trace(runs, observed, fitted)


def latent_sites(law: Callable[..., None], runs: Arrays, observed: Arrays) -> dict[str, dist.Distribution]:
    """Return the prior of every latent site of a law on a study."""
    sites = run_model(law, runs, observed)
    return {name: site["fn"] for name, site in sites.items() if is_latent(site)}


def with_unseen(law: Law, draws: Arrays, key: Array) -> Arrays:
    """Return draws of the parameters with what no fitted run tells of later ones (``unseen``), drawn anew for each.

    Parameters
    ----------
    law : Law
        The law; draws are returned as they are where it has nothing of the kind.
    draws : mapping of str to array, shape (sample, ...)
        Parameters.
    key : array
        JAX random key.
    """

    def one(key: Array) -> dict[str, Array]:
        return handlers.seed(law.unseen, key)()

    if not jax.eval_shape(one, key):
        return draws
    keys = jax.random.split(jax.random.fold_in(key, 1), len(next(iter(draws.values()))))
    return {**draws, **jax.vmap(one)(keys)}


@jax.jit
def latent_priors(law: Law, runs: Arrays, observed: Arrays) -> dict[str, dist.Distribution]:
    """Return what :func:`latent_sites` does, for reading: one small program, in which nothing is drawn."""
    return latent_sites(law, runs, observed)


_NAMES: dict[Any, frozenset[str]] = {}


def latent_names(law: Law, runs: Arrays, observed: Arrays) -> frozenset[str]:
    """Return the names of the sampled sites, which depend on the law's structure and on what was observed."""
    structure = (jax.tree.structure(law.program), tuple(sorted(runs)), tuple(sorted(observed)))
    if structure not in _NAMES:
        _NAMES[structure] = frozenset(jax.eval_shape(latent_sites, law.program, runs, observed))
    return _NAMES[structure]


def is_latent(site: dict[str, Any]) -> bool:
    """Say whether a site is a parameter: sampled and not observed."""
    return site["type"] == "sample" and not site["is_observed"]


def observed_sites(sites: Sites) -> dict[str, tuple[dist.Distribution, Any]]:
    """Return (likelihood, outcomes) of every observed site of a model that was run."""
    return {name: (s["fn"], s["value"]) for name, s in sites.items() if s["type"] == "sample" and s["is_observed"]}


def values_of(sites: Sites) -> dict[str, Any]:
    """Return the value of every site of a model that was run, deterministic ones included."""
    kept = ("sample", "deterministic")
    return {name: site["value"] for name, site in sites.items() if site["type"] in kept}
