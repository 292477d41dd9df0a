"""Loss from parameters and tokens, where tokens are seen more than once and parameters outgrow them."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.models.chinchilla import Chinchilla

__all__ = ["RepeatedData"]


class RepeatedData(Chinchilla):
    r"""Loss falls with effective parameters and effective tokens, which saturate as tokens are repeated.

    .. math:: L(N, D, U) = E + \frac{A}{N_e^{\alpha_N}} + \frac{B}{D_e^{\alpha_D}}, \qquad
              D_e = U + U R \left( 1 - e^{-(D / U - 1) / R} \right), \qquad
              N_e = U_N + U_N R_N \left( 1 - e^{-(N / U_N - 1) / R_N} \right)

    with N in parameters, D in tokens seen and U in different ones (column ``unique_tokens``), L and E in nats per token
    (or any unit of loss).  U_N is the size that U different tokens can teach: where one more per cent of compute is
    worth as much in parameters as in tokens.  Smaller models count in full.  With one pass of a model that the tokens
    can teach it is :class:`Chinchilla`.  It never rises: where more passes harm, see :class:`Overfitting`.

    References
    ----------
    .. [1] Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", arXiv 2305.16264, equations 5 and 6.

    Examples
    --------
    >>> centre = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, repeats=15.0, excess=5.0)
    >>> round(float(RepeatedData().mean(1e9, 2e10, 2e10, 1e9, 2e10, **centre)), 6)
    2.7
    """

    repeats: Prior = prior(
        default=dist.LogNormal(math.log(15.0), 0.7),
        unit="repeats",
        reason="R, how many passes endless repeats are worth.  Published 15.4, from one collection; nine tenths of the "
        "prior lie between 5 and 47.",
    )
    excess: Prior = prior(
        default=dist.LogNormal(math.log(5.3), 0.7),
        unit="multiple of U_N",
        reason="R_N, how many times U_N endless parameters are worth.  Published 5.3, from the same collection.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.02), 1.0),
        unit="fraction",
        reason="Relative noise.  Two per cent, wide: runs of many passes scatter more than those of one.",
    )

    equation = (
        r"L = E + A / N_e^{\alpha_N} + B / D_e^{\alpha_D}, D_e = U (1 + R (1 - e^{-(D / U - 1) / R})), "
        r"N_e = U_N (1 + R_N (1 - e^{-(N / U_N - 1) / R_N}))"
    )
    pooling: ClassVar = {**Chinchilla.pooling, "repeats": 0.2, "excess": 0.2}
    published: ClassVar = {"repeats": 15.387756, "excess": 5.309743}

    def mean(self, N, D, unique_tokens, N0, D0, *, E, reducible, split, alpha_N, alpha_D, repeats, excess):  # noqa: D102
        unique = jnp.minimum(unique_tokens, D)
        tokens = jnp.log(unique / D0) + saturating(D / unique, repeats)
        even = jnp.log(alpha_N * split / (alpha_D * (1 - split)))  # N_e and D_e are worth the same at U_N and U
        taught = (even + alpha_D * jnp.log(unique / D0)) / alpha_N
        size = jnp.log(N / N0)
        beyond = jnp.exp(jnp.maximum(size - taught, 0.0))
        size = jnp.minimum(size, taught) + saturating(beyond, excess)
        bracket = split * jnp.exp(-alpha_N * size) + (1 - split) * jnp.exp(-alpha_D * tokens)
        return E * (1 + reducible * bracket)


def saturating(times: jax.Array, most: jax.Array) -> jax.Array:
    """Return the log of what ``times`` times the first is worth, when endlessly many are worth ``most`` more.

    Parameters
    ----------
    times : array
        How many there are, in multiples of the first: at least one.
    most : array
        What the second to the last are worth together, in the same multiple.
    """
    return jnp.log1p(-most * jnp.expm1(-(times - 1) / most))
