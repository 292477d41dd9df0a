"""The Chinchilla law: loss from parameters and tokens."""

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

__all__ = ["Chinchilla"]


LOG_EXPONENT = math.log(0.3)  # where priors of exponents are centred


class Chinchilla(Law):
    r"""Loss falls as a power of parameters and as a power of tokens, above a floor.

    .. math:: L(N, D) = E + \frac{A}{N^{\alpha_N}} + \frac{B}{D^{\alpha_D}}
              = E \left[ 1 + \rho \left( \psi (N/N_0)^{-\alpha_N} + (1 - \psi) (D/D_0)^{-\alpha_D} \right) \right]

    with N in parameters, D in tokens, L and E in nats per token (or any unit of loss), and N0, D0 the geometric means
    of the fitted runs.  A and B are published with the posterior.

    References
    ----------
    .. [1] Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556, equation 2.
    .. [2] Besiroglu et al. 2024, "Chinchilla Scaling: A replication attempt", arXiv 2404.10102.

    Examples
    --------
    >>> law = Chinchilla(E=1.82, alpha_N=dist.LogNormal(-1.06, 0.05))
    >>> law.inputs
    ('N', 'D', 'N0', 'D0')
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
        reason="Reducible loss at (N0, D0), as a multiple of E.  It falls with scale: about half of the loss is "
        "reducible at the centre of ladders of 1e7 to 1e9 parameters, a sixth at that of 1e9 to 3e10.  Wide enough "
        "for both: nine tenths between 0.23 and 1.6.",
    )
    split: Prior = prior(
        default=LogitNormal(0.0, 0.8),
        unit="share",
        reason="Share of the reducible loss at (N0, D0) that more parameters would remove.  Weak, around one half.",
    )
    alpha_N: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12),
        unit="pure number",
        reason="Exponent of parameters.  Across public collections both lie near 0.3, but not in all: losses on text "
        "of another kind than the training set's fall at other rates.  Half of the prior lies between 0.27 and "
        "0.33, nine tenths between 0.23 and 0.40, and its tails are heavy, so that runs that say otherwise are "
        "believed.",
    )
    alpha_D: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12), unit="pure number", reason="As ``alpha_N``, for tokens."
    )

    pooling: ClassVar = {"reducible": 0.3, "split": 0.4, "alpha_N": 0.2, "alpha_D": 0.2}
    equation = r"L = E + A / N^{\alpha_N} + B / D^{\alpha_D}"
    relations: ClassVar = {
        "A": r"E \cdot \text{reducible} \cdot \text{split} \cdot N_0^{\alpha_N}",
        "B": r"E \cdot \text{reducible} \cdot (1 - \text{split}) \cdot D_0^{\alpha_D}",
    }

    def mean(self, N, D, N0, D0, *, E, reducible, split, alpha_N, alpha_D):  # noqa: D102
        by_size, by_data = left(split, alpha_N, N, N0), left(1 - split, alpha_D, D, D0)
        return E * (1 + reducible * (by_size + by_data))

    def derived(self, runs: Arrays, *, E, reducible, split, alpha_N, alpha_D, **others) -> dict[str, jax.Array]:  # noqa: D102
        return textbook(runs, E, reducible, split, alpha_N, alpha_D)

    def centred(self, runs: Arrays, *, E, A, B, alpha_N, alpha_D, **others) -> dict[str, Any]:  # type: ignore[override]
        """Return the parameters of this law at the references of ``runs`` from textbook constants."""
        by_size, by_data = A * runs["N0"] ** -alpha_N, B * runs["D0"] ** -alpha_D
        reducible = by_size + by_data
        share = {"reducible": reducible / E, "split": by_size / reducible}
        return {**others, "E": E, **share, "alpha_N": alpha_N, "alpha_D": alpha_D}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(slope_for_exponent(u))


def left(share: Any, exponent: Any, size: Any, reference: Any) -> jax.Array:
    """Return what is left at a size of its share of the reducible loss at the reference."""
    return share * jnp.exp(-exponent * jnp.log(size / reference))


def slope_for_exponent(
    u: Mapping[str, jax.Array], coupling: Any = 1.0, bottleneck: float = 0.0
) -> dict[str, jax.Array]:
    r"""Sample what a ladder fixes: slope and curvature of the log loss, in place of exponents and reducible loss.

    Where D is proportional to N, with q the reducible share of the loss at the centre, psi the split, the log loss has
    the slope -q a along log N, where a = psi alpha_N + (1 - psi) alpha_D, and the curvature (q a)^2 ((1 + v) / q - 1),
    where v = psi (1 - psi) (alpha_N - alpha_D)^2 / (g a^2), for a bracket with the outer exponent g.  The sampler moves
    in log (q a), in the ratio of the exponents, and in log reducible less 2 log (1 + v), which is what holds the
    curvature where q is about one half.

    Parameters
    ----------
    u : mapping of str to array
        The sampler's coordinates.
    coupling : float or array
        The outer exponent g, or what multiplies alpha_D to make it.
    bottleneck : float
        Power of alpha_D in the outer exponent: 1 for the law of Kaplan.
    """
    if not {"reducible", "split", "alpha_N", "alpha_D"} <= u.keys():
        return dict(u)
    ratio = u["alpha_N"] - LOG_EXPONENT
    by_size, by_data = jax.nn.log_sigmoid(u["split"]) + ratio, jax.nn.log_sigmoid(-u["split"])
    mean = jnp.logaddexp(by_size, by_data)
    outer = coupling * jnp.exp(bottleneck * (u["alpha_D"] - mean))  # alpha_D where q is one half: it keeps volume
    spread = jnp.exp(by_size + by_data - ratio - 2 * mean) * jnp.square(jnp.expm1(ratio)) / outer
    reducible = u["reducible"] + 2.0 * jnp.log1p(spread)
    alpha_D = u["alpha_D"] - jax.nn.log_sigmoid(reducible) + math.log(0.5) - mean
    return {**u, "reducible": reducible, "alpha_D": alpha_D, "alpha_N": alpha_D + ratio}


def level_for_floor(u: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Sample the log level of the loss at the centre, E (1 + reducible), in place of log E: the data fix the level."""
    if "E" not in u or "reducible" not in u:
        return dict(u)
    return {**u, "E": u["E"] - jnp.logaddexp(0.0, u["reducible"])}


def textbook(
    runs: Arrays, E: jax.Array, reducible: jax.Array, split: jax.Array, alpha_N: jax.Array, alpha_D: jax.Array
) -> dict[str, jax.Array]:
    """Return A and B of A/N^alpha_N + B/D^alpha_D, from what a law with these two terms says of the runs' centre."""
    return {
        "A": E * reducible * split * jnp.exp(alpha_N * jnp.log(runs["N0"])),
        "B": E * reducible * (1 - split) * jnp.exp(alpha_D * jnp.log(runs["D0"])),
    }
