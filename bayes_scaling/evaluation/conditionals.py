"""Each outcome given the others: what a likelihood says of single entries, also where it does not factorise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions.distribution import ExpandedDistribution, Independent, MaskedDistribution

from bayes_scaling.errors import LawError
from bayes_scaling.law.noise import ClippedNormal, SharedNoise

__all__ = ["conditionals", "counted", "factorises", "places"]

WRAPPERS = (ExpandedDistribution, Independent, MaskedDistribution)


def conditionals(fn: dist.Distribution, value: jax.Array) -> dist.Distribution:
    """Return the distribution of each entry of ``value`` given the other entries of its event.

    Where entries are independent that is their own distribution.  A distribution over vectors of its own kind brings a
    method ``conditionals(value)``, as :class:`bayes_scaling.law.noise.SharedNoise` does; transformations entry by entry
    are carried along, their Jacobian included.

    Parameters
    ----------
    fn : numpyro.distributions.Distribution
        The likelihood of one site; masks are looked through.
    value : array
        The outcomes, of the shape of batch and event together.

    Returns
    -------
    numpyro.distributions.Distribution
        Univariate, its batch shape broadcast against ``value``.

    Raises
    ------
    LawError
        The distribution is a joint one and does not say its conditionals.

    References
    ----------
    .. [1] Bürkner, Gabry and Vehtari 2021, "Efficient leave-one-out cross-validation for Bayesian non-factorized
       normal and Student-t models", Computational Statistics 36, arXiv 1810.10559.

    Examples
    --------
    >>> conditionals(dist.Normal(jnp.zeros(3), 1.0).to_event(1), jnp.ones(3)).event_shape
    ()
    """
    if isinstance(fn, WRAPPERS):
        return conditionals(fn.base_dist, value)
    if fn.event_dim == 0:
        return fn
    if isinstance(fn, dist.TransformedDistribution) and all(t.domain.event_dim == 0 for t in fn.transforms):
        for transform in reversed(fn.transforms):
            value = transform.inv(value)
        return dist.TransformedDistribution(conditionals(fn.base_dist, value), fn.transforms)
    if not hasattr(fn, "conditionals"):
        raise LawError(
            f"A likelihood of type {type(fn).__name__} does not say what each outcome is given the others; "
            "give it a method conditionals(value), as SharedNoise has."
        )
    return fn.conditionals(value)


def counted(fn: dist.Distribution) -> jax.Array | bool:
    """Return which entries count, broadcast against the value; False where one is missing or masked."""
    if isinstance(fn, SharedNoise):
        return fn.present
    if not isinstance(fn, (*WRAPPERS, dist.TransformedDistribution)):
        return True
    inner = counted(fn.base_dist)
    if not isinstance(fn, MaskedDistribution):
        return inner
    return jnp.reshape(fn._mask, jnp.shape(fn._mask) + (1,) * fn.event_dim) & inner


def factorises(fn: dist.Distribution) -> bool:
    """Say whether the entries of an event are independent given the parameters."""
    return factorises(fn.base_dist) if isinstance(fn, WRAPPERS) else fn.event_dim == 0


def places(fn: dist.Distribution, value: jax.Array) -> jax.Array:
    """Return where outcomes lie in their distributions, between 0 and 1; where a value has mass, the middle of it.

    Parameters
    ----------
    fn : numpyro.distributions.Distribution
        Univariate, as :func:`conditionals` returns it.
    value : array
        The outcomes.
    """
    return fn.mid_cdf(value) if isinstance(fn, ClippedNormal) else fn.cdf(value)
