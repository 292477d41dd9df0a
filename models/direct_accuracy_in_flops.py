"""Accuracy straight from compute: minus its logarithm, above chance, falls as a power of it."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.direct_accuracy import DirectCurve, above

__all__ = ["DirectAccuracyInFlops"]


class DirectAccuracyInFlops(DirectCurve):
    r"""Accuracy straight from compute: minus its logarithm, above chance, falls as a power of it.

    .. math:: a(C) = c_0 + (1 - c_0)\, e^{-A C^{-\alpha_C}}

    so that log(-log) of the accuracy above chance is linear in the logarithm of compute C, in FLOPs; c0 is the accuracy
    of guessing.

    References
    ----------
    .. [1] Krajewski et al. 2025, "Revisiting the Scaling Properties of Downstream Metrics in Large Language Model
       Training", arXiv 2512.08894.

    Examples
    --------
    >>> round(float(DirectAccuracyInFlops().mean(1e21, 0.0, 1e20, level=1.0, alpha_C=0.2)), 4)
    0.5321
    """

    alpha_C: Prior = prior(
        default=dist.LogNormal(math.log(0.2), 0.5),
        unit="pure number",
        reason="Exponent.  Both exponents near 0.4 along a compute-optimal path give about 0.2 in FLOPs.",
    )

    equation = r"a = c_0 + (1 - c_0) e^{-A C^{-\alpha_C}}"
    relations: ClassVar = {"A": r"\text{level} \cdot C_0^{\alpha_C}"}

    def mean(self, C, chance, C0, *, level, alpha_C):  # noqa: D102
        return above(level * jnp.exp(-alpha_C * jnp.log(C / C0)), chance)

    def derived(self, runs: Arrays, *, level, alpha_C) -> dict[str, jax.Array]:  # noqa: D102
        return {"A": level * jnp.exp(alpha_C * jnp.log(runs["C0"]))}
