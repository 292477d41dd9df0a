"""A power law above a floor in one input: FLOPs, parameters, tokens, or any other column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor

__all__ = ["PowerLaw"]


class PowerLaw(Law):
    r"""Loss falls as a power of training compute, above a floor.

    .. math:: L(C) = E + A / C^{\alpha_C} = E \left[ 1 + \rho (C/C_0)^{-\alpha_C} \right]

    with C in FLOPs, L and E in the unit of the loss, C0 the geometric mean of the fitted runs.  For another input,
    rename the column: ``study.rename(flops="tokens")``.

    References
    ----------
    .. [1] Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, equation 1.3.
    .. [2] Bhagia et al. 2024, arXiv 2412.04403, section 5 (the FLOPs variant of step 1).

    Examples
    --------
    >>> round(float(PowerLaw().mean(1e20, 1e20, E=1.8, reducible=0.5, alpha_C=0.15)), 6)
    2.7
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(1.7), 0.7),
        unit="unit of the loss",
        reason="Irreducible loss.  Wide: a factor of four either way around 1.7.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(0.0, 0.3),
        unit="multiple of E",
        reason="Reducible loss at C0, as a multiple of E; as in :class:`Chinchilla`.",
    )
    alpha_C: Prior = prior(
        default=dist.LogNormal(math.log(0.15), 0.25),
        unit="pure number",
        reason="Exponent.  Both exponents near 0.3 along a compute-optimal path give about 0.15 in FLOPs.",
    )

    equation = r"L = E + A / C^{\alpha_C}"
    relations: ClassVar = {"A": r"E \cdot \text{reducible} \cdot C_0^{\alpha_C}"}
    pooling: ClassVar = {"reducible": 0.3, "alpha_C": 0.2}

    def mean(self, C, C0, *, E, reducible, alpha_C):  # noqa: D102
        return E * (1 + reducible * jnp.exp(-alpha_C * jnp.log(C / C0)))

    def derived(self, runs: Arrays, *, E, reducible, alpha_C) -> dict[str, jax.Array]:  # noqa: D102
        return {"A": E * reducible * jnp.exp(alpha_C * jnp.log(runs["C0"]))}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(u)
