"""Accuracy straight from size and data: minus its logarithm, above chance, falls as a power of each."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays, extrapolate
from bayes_scaling.models.accuracy_curve import AccuracyCurve

__all__ = ["DirectAccuracy", "DirectCurve"]

TINY = 1e-12  # accuracy above chance below which a run is as good as guessing


class DirectCurve(AccuracyCurve):
    """Accuracy that goes through no loss; beyond the runs the power of minus its logarithm may be wrong."""

    level: Prior = prior(
        default=dist.LogNormal(0.0, 1.0),
        unit="pure number",
        reason="Minus the logarithm of accuracy above chance, as a share of what is left above it, at the references.  "
        "Wide: from tasks that are nearly solved there (0.1) to tasks that are guessed (8).",
    )
    discrepancy: Prior = prior(
        default=0.22,
        unit="fraction",
        reason="How wrong the slope may be beyond the best fitted run (a fraction, standard deviation).  That of both "
        "steps of :class:`TwoStep` together (0.15 and 0.16, independent), because it goes the way of both at once.",
    )

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the accuracy with endless size and data: all questions."""
        return jnp.ones_like(parameters["level"])

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:  # noqa: D102
        lacking, edge = (_lacking(self.at(x, parameters), x["chance"]) for x in (runs, fitted))
        return above(extrapolate(lacking, edge, self.error_of(runs, slope_error)), runs["chance"])


class DirectAccuracy(DirectCurve):
    r"""Accuracy straight from size and data: minus its logarithm, above chance, falls as a power of each.

    .. math:: a(N, D) = c_0 + (1 - c_0)\, e^{-A N^{-\alpha_N} - B D^{-\alpha_D}}

    with c0 the accuracy of guessing (column ``chance``), N in parameters and D in tokens.  It needs no loss, and
    fits one task.  In backtests inside two ladders it is as close as the two-step law, which goes through losses; at
    their targets its intervals hold less (``benchmarks/results/ladder_rivals.md``).

    References
    ----------
    .. [1] Krajewski et al. 2025, "Revisiting the Scaling Properties of Downstream Metrics in Large Language Model
       Training", arXiv 2512.08894.

    Examples
    --------
    >>> law = DirectAccuracy()
    >>> at = {"level": 1.0, "split": 0.5, "alpha_N": 0.4, "alpha_D": 0.4}
    >>> round(float(law.mean(1e9, 2e10, 0.25, 1e9, 2e10, **at)), 4)  # a quarter, and 1/e of the rest
    0.5259
    """

    split: Prior = prior(
        default=LogitNormal(0.0, 0.8),
        unit="share",
        reason="Share of ``level`` that more parameters would remove.  Weak, around one half.",
    )
    alpha_N: Prior = prior(
        default=dist.LogNormal(math.log(0.4), 0.5),
        unit="pure number",
        reason="Exponent in parameters.  Wide: tasks differ, and where a curve begins late it is steep.",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.4), 0.5),
        unit="pure number",
        reason="As ``alpha_N``, in tokens.",
    )

    equation = r"a = c_0 + (1 - c_0) e^{-A N^{-\alpha_N} - B D^{-\alpha_D}}"
    relations: ClassVar = {
        "A": r"\text{level} \cdot \text{split} \cdot N_0^{\alpha_N}",
        "B": r"\text{level} \cdot (1 - \text{split}) \cdot D_0^{\alpha_D}",
    }

    def mean(self, N, D, chance, N0, D0, *, level, split, alpha_N, alpha_D):  # noqa: D102
        by_size, by_data = jnp.exp(-alpha_N * jnp.log(N / N0)), jnp.exp(-alpha_D * jnp.log(D / D0))
        return above(level * (split * by_size + (1 - split) * by_data), chance)

    def derived(self, runs: Arrays, *, level, split, alpha_N, alpha_D) -> dict[str, jax.Array]:  # noqa: D102
        return {
            "A": level * split * jnp.exp(alpha_N * jnp.log(runs["N0"])),
            "B": level * (1 - split) * jnp.exp(alpha_D * jnp.log(runs["D0"])),
        }


def above(lacking: jax.Array, chance: jax.Array) -> jax.Array:
    """Return the accuracy whose share above chance has this minus logarithm."""
    return chance + (1 - chance) * jnp.exp(-lacking)


def _lacking(accuracy: jax.Array, chance: jax.Array) -> jax.Array:
    """Return minus the logarithm of the share above chance."""
    return -jnp.log(jnp.maximum((accuracy - chance) / (1 - chance), TINY))
