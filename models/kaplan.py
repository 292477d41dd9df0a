"""The law of Kaplan et al. above a floor: size and data share one bottleneck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, LogStudentT, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor, slope_for_exponent

__all__ = ["Kaplan"]


class Kaplan(Law):
    r"""Loss falls with parameters and tokens through one bracket, above a floor.

    .. math:: L(N, D) = E + \left[ \left(\frac{A}{N}\right)^{\alpha_N / \alpha_D} + \frac{B}{D} \right]^{\alpha_D}
              = E \left[ 1 + \rho \left( \psi (N/N_0)^{-\alpha_N / \alpha_D}
              + (1 - \psi) (D/D_0)^{-1} \right)^{\alpha_D} \right]

    with N in parameters, D in tokens, L and E in nats per token (or any unit of loss), and N0, D0 the geometric means
    of the fitted runs.  Unlike in :class:`Chinchilla`, the two shortages add inside the power.  A (in parameters) and B
    (in tokens) are published with the posterior.

    References
    ----------
    .. [1] Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, equation 1.5 (without E).
    .. [2] Brandfonbrener et al. 2024, arXiv 2411.12925, equation 2 (with E).

    Examples
    --------
    >>> law = Kaplan()
    >>> round(float(law.mean(1e9, 2e10, 1e9, 2e10, E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3)), 6)
    2.7
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(1.7), 0.7),
        unit="unit of the loss",
        reason="Irreducible loss.  Wide: a factor of four either way around 1.7 nats per token.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(-0.5, 0.6),
        unit="multiple of E",
        reason="Reducible loss at (N0, D0), as a multiple of E; as in :class:`Chinchilla`.",
    )
    split: Prior = prior(
        default=LogitNormal(0.0, 0.8),
        unit="share",
        reason="Share of the bracket at (N0, D0) that more parameters would remove.  Weak, around one half.",
    )
    alpha_N: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12),
        unit="pure number",
        reason="Exponents of the reducible loss in N with endless data, and in D with endless size.  Near 0.3, as in "
        ":class:`Chinchilla`, once a floor is taken off.",
    )
    alpha_D: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12),
        unit="pure number",
        reason="As ``alpha_N``, in D with endless size.",
    )

    pooling: ClassVar = {"reducible": 0.3, "split": 0.4, "alpha_N": 0.2, "alpha_D": 0.2}
    equation = r"L = E + ((A / N)^{\alpha_N / \alpha_D} + B / D)^{\alpha_D}"
    relations: ClassVar = {
        "A": r"N_0 \cdot ((E \cdot \text{reducible})^{1 / \alpha_D} \cdot \text{split})^{\alpha_D / \alpha_N}",
        "B": r"D_0 \cdot (E \cdot \text{reducible})^{1 / \alpha_D} \cdot (1 - \text{split})",
    }

    def mean(self, N, D, N0, D0, *, E, reducible, split, alpha_N, alpha_D):  # noqa: D102
        shortage = split * jnp.exp(-alpha_N / alpha_D * jnp.log(N / N0)) + (1 - split) * D0 / D
        return E * (1 + reducible * jnp.exp(alpha_D * jnp.log(shortage)))

    def derived(self, runs: Arrays, *, E, reducible, split, alpha_N, alpha_D) -> dict[str, jax.Array]:  # noqa: D102
        scale = jnp.exp(jnp.log(E * reducible) / alpha_D)
        return {
            "A": runs["N0"] * jnp.exp(jnp.log(scale * split) * alpha_D / alpha_N),
            "B": scale * (1 - split) * runs["D0"],
        }

    def centred(self, runs: Arrays, *, E, A, B, alpha_N, alpha_D, **others) -> dict[str, Any]:  # type: ignore[override]
        """Return the parameters of this law at the references of ``runs`` from textbook constants."""
        by_size, by_data = (A / runs["N0"]) ** (alpha_N / alpha_D), B / runs["D0"]
        shortage = by_size + by_data
        share = {"reducible": shortage**alpha_D / E, "split": by_size / shortage}
        return {**others, "E": E, **share, "alpha_N": alpha_N, "alpha_D": alpha_D}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(slope_for_exponent(u, bottleneck=1.0))
