"""Posterior draws by adaptive importance sampling: for backtests, which are many, short, and scored and thrown away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax
from numpyro.infer.util import constrain_fn

from bayes_scaling.inference.mode import search
from bayes_scaling.inference.nuts import coordinates, potential_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["approximate"]

STARTS = 3  # of the mode search
ROUNDS = 3  # proposals, each with the mean and the covariance that the one before it found
TAILS = 5.0  # degrees of freedom of the proposals
WIDER = 1.1  # than the covariance found
PROPOSED = 8  # points for each draw kept
TRUSTED = 10.0  # effective points for each coordinate with which a covariance found counts for half


@partial(jax.jit, static_argnames=("size",))
def approximate(law: Law, key: jax.Array, runs: Arrays, observed: Arrays, size: int = 512) -> dict[str, Any]:
    """Draw from the posterior of one law on one study, without a Markov chain.

    Points of a Student t at the mode, with the curvature there as its covariance, are weighted by posterior over
    proposal; the next proposal has their mean and covariance.  The weights of the last are truncated and resampled.
    Fixed shapes and no loop of unknown length: many studies and many priors run side by side.

    Parameters
    ----------
    law, key, runs, observed
        As for :func:`bayes_scaling.inference.nuts.sample`.
    size : int
        Draws to return.

    Returns
    -------
    dict of str to array, shape (draw, ...)
        Parameters and derived constants.

    References
    ----------
    .. [1] Ionides 2008, "Truncated Importance Sampling", Journal of Computational and Graphical Statistics 17.
    .. [2] Cappe et al. 2008, "Adaptive importance sampling in general mixture classes", Statistics and Computing 18.
    """
    study = (runs, observed)
    centre, spread, unravel = coordinates(law, study)
    potential = potential_of(law, unravel)
    start_key, pick_key, order_key, *keys = jax.random.split(key, 3 + ROUNDS)
    mode, _, hessian, _ = search(lambda z: potential(z, *study), centre, spread, start_key, STARTS)
    curvatures, directions = jnp.linalg.eigh(hessian)
    covariance = (directions / jnp.maximum(curvatures, 1e-2)) @ directions.T

    def propose(proposal: tuple[jax.Array, jax.Array], key: jax.Array) -> tuple[Any, Any]:
        place, covariance = proposal
        points = dist.MultivariateStudentT(TAILS, place, WIDER * jnp.linalg.cholesky(covariance))
        z = points.sample(key, (PROPOSED * size,))
        log_weight = -jax.vmap(lambda z: potential(z, *study))(z) - points.log_prob(z)
        share = jax.nn.softmax(jnp.where(jnp.isfinite(log_weight), log_weight, -jnp.inf))
        share = jnp.minimum(share, 1 / jnp.sqrt(len(share)))
        share = share / share.sum()
        effective = 1 / jnp.sum(jnp.square(share))
        mean = share @ z
        found = ((z - mean) * share[:, None]).T @ (z - mean)
        trust = effective / (effective + TRUSTED * place.size)
        return (mean, trust * found + (1 - trust) * covariance), (z, share)

    _, rounds = lax.scan(propose, (mode, covariance), jnp.stack(keys))
    z, share = jax.tree.map(lambda x: x[-1], rounds)
    evenly = (jnp.arange(size) + jax.random.uniform(pick_key)) / size
    chosen = z[jnp.clip(jnp.searchsorted(jnp.cumsum(share), evenly), 0, len(share) - 1)]

    fixed = {name: jnp.asarray(own, float) for name, own in law.fixed_parameters.items()}

    def publish(z: jax.Array) -> dict[str, Any]:
        sites = constrain_fn(law, study, {}, law.straighten(unravel(z), runs), return_deterministic=True)
        return {**fixed, **sites}

    return jax.vmap(publish)(jax.random.permutation(order_key, chosen))
