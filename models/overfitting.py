"""Loss from parameters and tokens with a penalty for tokens that a large model sees again and again."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.models.chinchilla import Chinchilla, left

__all__ = ["Overfitting"]

PER_TOKEN = (
    0.05  # parameters per different token at which the penalty speaks: one to twenty, as in compute-optimal runs
)


class Overfitting(Chinchilla):
    r"""Loss falls with parameters and tokens seen, and rises with passes over the same tokens, the more the larger N/U.

    .. math:: L(N, D, U) = E + \frac{A}{N^{\alpha_N}} + \frac{B}{D^{\alpha_D}}
              + E\, P \left( \ln \frac{D}{U} \right)^2 \left( \frac{N / U}{0.05} \right)^{\kappa}

    with N in parameters, D in tokens seen and U in different ones (column ``unique_tokens``), L and E in nats per token
    (or any unit of loss).  After one pass it is :class:`Chinchilla`.  Unlike :class:`RepeatedData` it knows that more
    passes can harm.

    Notes
    -----
    The paper adds a penalty to the law of Chinchilla, too, which grows as a power of the passes.  A power runs away
    beyond the passes that were fitted; the square of their logarithm held better in backtests, and is this package's.

    References
    ----------
    .. [1] Lovelace et al. 2026, "Prescriptive Scaling Laws for Data Constrained Training", arXiv 2605.01640: a penalty
       that is added.
    .. [2] Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", arXiv 2305.16264: the runs.

    Examples
    --------
    >>> centre = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, penalty=0.01, crowding=0.7)
    >>> round(float(Overfitting().mean(1e9, 2e10, 2e10, 1e9, 2e10, **centre)), 6)
    2.7
    """

    penalty: Prior = prior(
        default=dist.LogNormal(math.log(0.001), 1.5),
        unit="multiple of E",
        reason="P, the excess after e passes with one parameter for twenty tokens.  A tenth of a per cent, within a "
        "factor of twelve either way: four passes are nearly as good as fresh tokens, a thousand are not.",
    )
    crowding: Prior = prior(
        default=dist.LogNormal(math.log(0.7), 0.5),
        unit="pure number",
        reason="kappa, how the penalty grows with parameters per different token.  Below one or near it: a model of "
        "twice the size learns the same tokens by heart sooner, but not in half the passes.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.02), 1.0),
        unit="fraction",
        reason="Relative noise.  Two per cent, wide: runs of many passes scatter more than those of one.",
    )

    equation = r"L = E + A / N^{\alpha_N} + B / D^{\alpha_D} + E P (\ln (D / U))^2 (N / (0.05 U))^\kappa"
    pooling: ClassVar = {**Chinchilla.pooling, "penalty": 0.5, "crowding": 0.2}

    def mean(self, N, D, unique_tokens, N0, D0, *, E, reducible, split, alpha_N, alpha_D, penalty, crowding):  # noqa: D102
        by_size, by_data = left(split, alpha_N, N, N0), left(1 - split, alpha_D, D, D0)
        passes = jnp.log(jnp.maximum(D / unique_tokens, 1.0))
        crowded = jnp.exp(crowding * jnp.log(N / (PER_TOKEN * unique_tokens)))
        return E * (1 + reducible * (by_size + by_data) + penalty * jnp.square(passes) * crowded)
