"""Partial pooling: one parameter for several series that resemble each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import biject_to

from bayes_scaling.errors import LawError
from bayes_scaling.law.priors import Prior, RunScaled

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["SEEN", "assemble", "by_series", "derived_names", "edge_by_series", "move", "pooled", "spread_of"]

SEEN = "seen"
"""Which fitted runs have an outcome of which series, beside their inputs, where some lack one; shape (run, series)."""


def pooled(name: str, prior: Prior, spread: float | None, size: int) -> jax.Array:
    """Sample one value per series, inside a NumPyro model.

    Parameters
    ----------
    name : str
        Site of the values, shape (size,); ``{name}_mean`` holds what the series share.
    prior : Prior
        Prior of the shared value, or of every value where nothing is pooled.
    spread : float or None
        Standard deviation between series on the unconstrained scale (log of a positive parameter, logit of a share).
        It is fixed: a learnt scale makes the joint mode a bad guide to the posterior.  None: no pooling.
    size : int
        Number of series.

    Raises
    ------
    LawError
        The prior follows the runs of one series.
    """
    if isinstance(prior, RunScaled):
        raise LawError(
            f"The prior of {name!r} follows the runs of one series, and {size} are fitted together; give the law of a "
            f"series a prior of its own, as in {name}=dist.LogNormal(0.0, 0.7)."
        )
    if not isinstance(prior, dist.Distribution):
        return jnp.full(size, prior, dtype=float)
    if spread is None:
        return numpyro.sample(name, prior.expand([size]).to_event(1))
    link = biject_to(prior.support)
    shared = numpyro.sample(f"{name}_mean", prior)
    offset = numpyro.sample(f"{name}_offset", dist.Normal(0.0, 1.0).expand([size]).to_event(1))
    return numpyro.deterministic(name, link(link.inv(shared) + spread * offset))


def spread_of(law: Law, name: str, pool: float | None) -> float | None:
    """Return the spread between series that a law states for a parameter, times ``pool``; None where none is pooled."""
    spread = law.pooling.get(name)
    return None if spread is None or pool is None else spread * pool


def by_series(law: Law, runs: Arrays) -> Arrays:
    """Return the inputs of a law of several series: columns of shape (run, 1), and references as they are."""
    return {name: runs[name][:, None] if name in law.run_inputs else runs[name] for name in law.inputs}


def edge_by_series(law: Law, fitted: Arrays) -> Arrays:
    """Return the inputs of fitted runs as :func:`by_series`, NaN where a run has no outcome of a series.

    A series ends where its own runs end: beyond them its slope may be off, however far the runs of others go.
    """
    columns = by_series(law, fitted)
    if SEEN not in fitted:
        return columns
    own = {name: jnp.where(fitted[SEEN], columns[name], jnp.nan) for name in law.run_inputs if name in columns}
    return {**columns, **own}


def derived_names(law: Law) -> list[str]:
    """Return the names of the constants that a law of one series publishes (``derived``)."""
    runs = {name: jnp.ones(1) for name in law.inputs}
    own = (name for name in law.priors if name not in (*law.noise, "discrepancy"))
    return list(law.derived(runs, **{name: jnp.ones(1) for name in own}))


def assemble(u: Mapping[str, jax.Array], name: str, spread: float | None) -> jax.Array | None:
    """Return the unconstrained values of :func:`.pooled` from the sampler's coordinates; None where it is fixed."""
    if spread is None or f"{name}_mean" not in u:
        return u.get(name)
    return u[f"{name}_mean"] + spread * u[f"{name}_offset"]


def move(u: Mapping[str, jax.Array], name: str, spread: float | None, value: jax.Array) -> dict[str, jax.Array]:
    """Return the sampler's coordinates that change where the unconstrained values of :func:`.pooled` become others.

    A pooled value moves by its offset; what the series share stays.
    """
    if spread is None or f"{name}_mean" not in u:
        return {name: value} if name in u else {}
    return {f"{name}_offset": (value - u[f"{name}_mean"]) / spread}
