"""Loss from training compute, with a shift of the compute: the few-run baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["ShiftedCompute"]

LEAST = 1e-9  # of the smallest budget: what is left of less than the shift, so that its logarithm exists


class ShiftedCompute(Law):
    r"""Loss falls as a power of training compute less a part that taught nothing, above a floor.

    .. math:: L(C) = E + A (C - C_s)^{-\alpha_C}
              = E \left[ 1 + \rho \left( \frac{C - C_s}{C_0 - C_s} \right)^{-\alpha_C} \right], \quad C_s = w\, C_{min}

    with C in FLOPs, L and E in the unit of the loss, C0 the geometric mean and C_min 0.98 times the smallest of the
    fitted budgets, so the shift lies below every run by construction.  A and the shift are published with the
    posterior.

    References
    ----------
    .. [1] Brandfonbrener et al. 2024, arXiv 2411.12925, section 6 (FLOPs-to-loss baseline).

    Examples
    --------
    >>> law = ShiftedCompute()
    >>> round(float(law.mean(1e20, 1e20, 1e18, E=1.8, reducible=0.5, alpha_C=0.15, wasted=0.1)), 6)
    2.7
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(1.7), 0.7),
        unit="unit of the loss",
        reason="Irreducible loss.  Wide: a factor of four either way around 1.7.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(-0.5, 0.6),
        unit="multiple of E",
        reason="Reducible loss at C0, as a multiple of E; as in :class:`Chinchilla`.",
    )
    alpha_C: Prior = prior(
        default=dist.LogNormal(math.log(0.15), 0.25),
        unit="pure number",
        reason="Exponent.  Both exponents near 0.3 along a compute-optimal path give about 0.15 in FLOPs.",
    )
    wasted: Prior = prior(
        default=LogitNormal(-1.0, 1.0),
        unit="share",
        reason="w, the shift as a share of the smallest budget.  Mostly below one half: even the shortest run learns.",
    )

    equation = r"L = E + A (C - C_s)^{-\alpha_C}"
    relations: ClassVar = {
        "A": r"E \cdot \text{reducible} \cdot (C_0 - C_s)^{\alpha_C}",
        "C_shift": r"C_s = \text{wasted} \cdot \text{least}_C",
    }
    pooling: ClassVar = {"reducible": 0.3, "alpha_C": 0.2, "wasted": 0.3}

    def mean(self, C, C0, least_C, *, E, reducible, alpha_C, wasted):  # noqa: D102
        shift = wasted * least_C
        useful = jnp.maximum(C - shift, LEAST * least_C)
        return E * (1 + reducible * jnp.exp(-alpha_C * jnp.log(useful / (C0 - shift))))

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The compute of a run; its centre and smallest value belong to the fitted runs as a whole."""
        return ("C",)

    def derived(self, runs: Arrays, *, E, reducible, alpha_C, wasted) -> dict[str, jax.Array]:  # noqa: D102
        shift = wasted * runs["least_C"]
        return {"A": E * reducible * jnp.exp(alpha_C * jnp.log(runs["C0"] - shift)), "C_shift": shift}

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:  # noqa: D102
        runs, observed = super().arrays(study)
        return runs | {"least_C": np.asarray(0.98 * runs["C"].min())}, observed

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(u)
