"""Loss of a mixture of experts: each expert more counts as some more parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, LogStudentT, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor

__all__ = ["Experts"]


class Experts(Law):
    r"""Loss falls as a power of effective parameters: those of the dense model, times what its experts are worth.

    .. math:: L(N, X) = E + \frac{A}{N_e^{\alpha}}, \qquad N_e = N \left( 1 + w (X - 1) \right)^{g}

    with N in parameters of the dense model that is widened, which are those active for a token, X experts per layer
    (column ``num_experts``; 1 is the dense model), L and E in nats per token (or any unit of loss).  The number of
    tokens is that of the fitted runs; :class:`JointExperts` reads it.  Several routers, each partially its own:
    ``Pooled(curve=Experts())`` with the router in the column ``task``.

    Notes
    -----
    The paper's law is a power law in both, with an interaction of their logarithms and no floor.  Like the paper's, a
    few experts count for less than the power of many (there E_start, here 1 / w).  A floor says what the interaction
    says, that experts gain less on larger models, and stays sane beyond the fitted sizes.

    References
    ----------
    .. [1] Clark et al. 2022, "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169, equations 1 to 6 and
       section 5.2 (effective parameter count).
    .. [2] Ludziejewski et al. 2025, "Joint MoE Scaling Laws", arXiv 2502.05172: the same with a floor and tokens.

    Examples
    --------
    >>> values = dict(E=1.8, reducible=0.5, alpha_N=0.3, worth=0.5, gain=0.5)
    >>> round(float(Experts().mean(1e9, 16.0, 1e9, 16.0, **values)), 6)  # at the centre of the runs
    2.7
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(1.7), 0.7),
        unit="unit of the loss",
        reason="Irreducible loss, with the tokens of these runs.  Wide: a factor of four around 1.7 nats per token.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(math.log(0.7), 0.5),
        unit="multiple of E",
        reason="Reducible loss at (N0, X0), as a multiple of E.  Less than E: all runs have the same tokens, and what "
        "more of them would remove is in E.",
    )
    alpha_N: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.3),
        unit="pure number",
        reason="Exponent of effective parameters, as in :class:`Chinchilla` and wider: with fixed tokens it is lower.",
    )
    worth: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.7),
        unit="experts",
        reason="w, how far one more expert than one counts as another of many.  Near a half: routers waste some of "
        "a few experts.",
    )
    gain: Prior = prior(
        default=LogitNormal(0.0, 0.7),
        unit="share",
        reason="g, the power of many experts: parameters that rest are worth less than active ones.  Around a half: "
        "twice the experts as root two the parameters.",
    )

    equation = r"L = E + A / (N (1 + w (X - 1))^g)^\alpha"
    relations: ClassVar = {
        "A": r"E \cdot \text{reducible} \cdot (N_0 (1 + \text{worth} (X_0 - 1))^{\text{gain}})^{\alpha_N}"
    }
    pooling: ClassVar = {"reducible": 0.2, "alpha_N": 0.1, "worth": 0.5, "gain": 0.3}

    def mean(self, N, num_experts, N0, num_experts0, *, E, reducible, alpha_N, worth, gain):  # noqa: D102
        effective = jnp.log(N / N0) + gain * (log_count(num_experts, worth) - log_count(num_experts0, worth))
        return E * (1 + reducible * jnp.exp(-alpha_N * effective))

    def derived(self, runs: Arrays, *, E, reducible, alpha_N, worth, gain) -> dict[str, jax.Array]:  # noqa: D102
        centre = jnp.log(runs["N0"]) + gain * log_count(runs["num_experts0"], worth)
        return {"A": E * reducible * jnp.exp(alpha_N * centre)}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(u)


def log_count(number: jax.Array, worth: jax.Array) -> jax.Array:
    """Return the log of what this number of experts counts as."""
    return jnp.log1p(worth * (number - 1))
