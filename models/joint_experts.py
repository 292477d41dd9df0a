"""Loss of a mixture of experts from parameters, tokens and experts."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import Chinchilla, left
from bayes_scaling.models.experts import log_count

__all__ = ["JointExperts"]


class JointExperts(Chinchilla):
    r"""Loss falls as a power of effective parameters and as a power of tokens; experts add to the parameters.

    .. math:: L(N, D, X) = E + \frac{A}{N_e^{\alpha_N}} + \frac{B}{D^{\alpha_D}}, \qquad
              N_e = N \left( 1 + w (X - 1) \right)^{g}

    with N in parameters of the dense model that is widened, which are those active for a token, D in tokens, X experts
    per layer (column ``num_experts``; 1 is the dense model), L and E in nats per token (or any unit of loss).  With one
    expert it is :class:`Chinchilla`, with tokens that do not vary :class:`Experts`.  Priors that speak of the
    centre of the runs speak of (N0, D0, X0).

    Notes
    -----
    Experts cost memory and hardly any FLOPs, so without a limit more of them are always better.  How many to take where
    all of them must fit is ``bs.allocate(posterior, budget, over={"num_experts": (1, 256)}, within=...)``.  The law of
    [1]_ lets coefficients and exponents of N and D depend on log X, six constants in place of two; the effective count
    is that of [2]_.

    References
    ----------
    .. [1] Ludziejewski et al. 2025, "Joint MoE Scaling Laws: Mixture of Experts Can Be Memory Efficient",
       arXiv 2502.05172, equation 5.
    .. [2] Clark et al. 2022, "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169, section 5.2.

    Examples
    --------
    >>> values = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, worth=0.5, gain=0.5)
    >>> round(float(JointExperts().mean(1e9, 2e10, 16.0, 1e9, 2e10, 16.0, **values)), 6)  # at the centre of the runs
    2.7
    """

    worth: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.7),
        unit="experts",
        reason="w, how far one more expert than one counts as another of many, as in :class:`Experts`.",
    )
    gain: Prior = prior(
        default=LogitNormal(0.0, 0.7),
        unit="share",
        reason="g, the power of many experts, as in :class:`Experts`: around a half, twice the experts as root two the "
        "parameters.",
    )

    equation = r"L = E + A / (N (1 + w (X - 1))^g)^{\alpha_N} + B / D^{\alpha_D}"
    relations: ClassVar = {
        **Chinchilla.relations,
        "A": r"E \cdot \text{reducible} \cdot \text{split} \cdot "
        r"(N_0 (1 + \text{worth} (X_0 - 1))^{\text{gain}})^{\alpha_N}",
    }
    pooling: ClassVar = {**Chinchilla.pooling, "worth": 0.5, "gain": 0.3}

    def mean(self, N, D, num_experts, N0, D0, num_experts0, *, E, reducible, split, alpha_N, alpha_D, worth, gain):  # noqa: D102
        effective = jnp.log(N / N0) + gain * (log_count(num_experts, worth) - log_count(num_experts0, worth))
        by_size = split * jnp.exp(-alpha_N * effective)
        return E * (1 + reducible * (by_size + left(1 - split, alpha_D, D, D0)))

    def derived(self, runs: Arrays, *, E, reducible, split, alpha_N, alpha_D, worth, gain) -> dict[str, jax.Array]:  # noqa: D102
        book = super().derived(runs, E=E, reducible=reducible, split=split, alpha_N=alpha_N, alpha_D=alpha_D)
        return {**book, "A": book["A"] * jnp.exp(alpha_N * gain * log_count(runs["num_experts0"], worth))}

    def centred(self, runs: Arrays, *, A, alpha_N, worth, gain, **others) -> dict[str, Any]:
        """Return the parameters of this law at the references of ``runs`` from textbook constants."""
        dense = A * jnp.exp(-alpha_N * gain * log_count(runs["num_experts0"], worth))
        return super().centred(runs, A=dense, alpha_N=alpha_N, worth=worth, gain=gain, **others)
