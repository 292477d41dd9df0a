"""One loss from another: a power law between two reducible losses."""

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

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["ShiftedPowerLaw", "anchors_of", "with_noise_floor"]

BELOW = 0.98  # an irreducible loss lies at least two per cent below the smallest loss seen on its axis
REACH = 4.0  # the ridge of the floors is followed this far from the prior's centre, on the logit scale
NOISE_FLOOR = 0.0005  # evaluation noise that no run is free of, relative


class ShiftedPowerLaw(Law):
    r"""One loss is a power of another, each above its own floor.

    .. math:: L_1 = E_1 + K (L_0 - E_0)^{\kappa}
              = E_1 + m\,(\bar L_1 - E_1) \left( \frac{L_0 - E_0}{\bar L_0 - E_0} \right)^{\kappa}

    with both losses in nats per token (or any unit of loss) and the centre (L0-bar, L1-bar) a point of a smooth curve
    through the fitted pairs.  The floors are shares of the smallest loss seen on their axis, so they lie below it by
    construction.  The abscissa of a run to be forecast is known, and counts where the study names the run (role
    ``target``); that of another may lie below the floor of some draws, and its outcome there is at the floor.  E0, E1
    and K are published with the posterior.  Noise of the abscissa acts along the slope, so one ``sigma`` stands for the
    noise of both axes.

    References
    ----------
    .. [1] Brandfonbrener et al. 2024, "Loss-to-Loss Prediction: Scaling Laws for All Datasets", arXiv 2411.12925,
       equations 4 to 6.

    Examples
    --------
    >>> law = ShiftedPowerLaw()
    >>> constants = dict(zip(("cap0", "cap1", "centre0", "centre1"), (2.0, 2.0, 3.0, 3.0)))
    >>> round(float(law.mean(4.0, *constants.values(), floor0=0.5, floor1=0.5, kappa=1.0, level=1.0)), 6)
    4.0
    """

    floor0: Prior = prior(
        default=LogitNormal(0.8, 0.6),
        unit="share",
        reason="E0 and E1 as shares of 0.98 times the smallest loss of their axis.  On public sweeps floors fitted to "
        "size and data lie at 0.5 to 0.9 of it; the forecast is insensitive to this choice.",
    )
    floor1: Prior = prior(default=LogitNormal(0.8, 0.6), unit="share", reason="E1, in the same way.")
    kappa: Prior = prior(
        default=dist.LogNormal(0.0, 0.25),
        unit="pure number",
        reason="Exponent.  Two losses of one family fall nearly in proportion: around one.",
    )
    level: Prior = prior(
        default=dist.LogNormal(0.0, 0.05),
        unit="ratio",
        reason="m, the reducible loss at the centre over that of the smooth curve: one, up to its error.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.003), 1.0),
        unit="fraction",
        reason="Relative scatter of a pair around the curve; a floor of 0.0005 is added in quadrature.",
    )
    discrepancy: Prior = prior(
        default=0.04,
        unit="fraction",
        reason="As in :class:`bayes_scaling.Law`, on the step in log reducible ordinate beyond the fitted pairs.",
    )

    equation = r"L_1 = E_1 + K (L_0 - E_0)^\kappa"
    relations: ClassVar = {
        "E0": r"\text{cap}_0 \cdot \text{floor}_0",
        "E1": r"\text{cap}_1 \cdot \text{floor}_1",
        "K": r"\text{level} \cdot (\text{centre}_1 - E_1) (\text{centre}_0 - E_0)^{-\kappa}",
    }
    pooling: ClassVar = {"floor0": 0.2, "floor1": 0.4, "kappa": 0.1}

    def mean(self, source_loss, cap0, cap1, centre0, centre1, *, floor0, floor1, kappa, level):  # noqa: D102
        low0, low1 = cap0 * floor0, cap1 * floor1
        above = jnp.maximum(source_loss - low0, 1e-9)  # only a target that is no run of the study can lie below
        return low1 + level * (centre1 - low1) * jnp.exp(kappa * jnp.log(above / (centre0 - low0)))

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The abscissa; caps and centre belong to the fitted pairs as a whole."""
        return ("source_loss",)

    def derived(self, runs: Arrays, *, floor0, floor1, kappa, level) -> dict[str, jax.Array]:  # noqa: D102
        low0, low1 = runs["cap0"] * floor0, runs["cap1"] * floor1
        scale = level * (runs["centre1"] - low1) * jnp.exp(-kappa * jnp.log(runs["centre0"] - low0))
        return {"E0": low0, "E1": low1, "K": scale}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample what the data fix: slope and curvature at the centre, in place of kappa and of one of the floors.

        With R the reducible losses at the centre, the slope is s = kappa R1 / R0 and the curvature over the slope
        c = s / R1 - 1 / R0.  The pairs fix s and c better than any floor: log kappa is shifted by log(R0 / R1), the
        logit of floor1 by its value on the ridge R1 = s / (c + 1 / R0) of the smooth curve, as far as c is known.
        """
        if not {"floor0", "floor1", "kappa"} <= u.keys():
            return dict(u)
        above0 = runs["centre0"] - runs["cap0"] * jax.nn.sigmoid(u["floor0"])
        bend = runs["bend"] + 1 / above0
        ridge = runs["slope"] * 2 / (bend + jnp.hypot(bend, 0.05))
        share = jnp.clip((runs["centre1"] - ridge) / runs["cap1"], -1.0, 2.0)
        logit = jnp.log(jax.nn.softplus(20 * share) / jax.nn.softplus(20 * (1 - share)))
        floor1 = u["floor1"] + runs["trust"] * REACH * jnp.tanh((logit - 0.8) / REACH)
        above1 = runs["centre1"] - runs["cap1"] * jax.nn.sigmoid(floor1)
        return {**u, "floor1": floor1, "kappa": u["kappa"] + jnp.log(runs["slope"] * above0 / above1)}

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:  # noqa: D102
        return super().likelihood(mean, with_noise_floor(sigma))

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        return runs["cap1"] * parameters["floor1"]

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed), with the caps of the floors and the centre of the pairs as scalars."""
        runs, observed = super().arrays(study)
        return runs | anchors_of(study, runs["source_loss"], observed[self.outcome]), observed


def with_noise_floor(sigma: jax.Array) -> jax.Array:
    """Return the noise of a pair of losses: what is learnt, and the noise of evaluation, in quadrature."""
    return jnp.sqrt(sigma**2 + NOISE_FLOOR**2)


def anchors_of(study: Study, source_loss: np.ndarray, loss: np.ndarray) -> dict[str, np.ndarray]:
    """Return the :func:`anchors` of a study's pairs; the smallest abscissa that it knows of bounds the floor."""
    known = study.column("least_source_loss") if "least_source_loss" in study.frame else source_loss
    return anchors(source_loss, loss, float(np.min(known)))


def anchors(source_loss: np.ndarray, loss: np.ndarray, least: float) -> dict[str, np.ndarray]:
    """Return the caps of both floors and what a quadratic in logs says of the pairs.

    ``centre0``, ``centre1``, the ``slope`` dL1 / dL0 there, ``bend``, curvature over slope (per unit of L0), and
    ``trust``, between 0 and 1: how well the curvature is known.
    """
    x, y = np.log(source_loss), np.log(loss)
    centre = x.mean()
    quadratic, slope, level, error = 0.0, 1.0, y.mean(), np.inf
    if len(np.unique(x)) > 4:
        (quadratic, slope, level), covariance = np.polyfit(x - centre, y, 2, cov=True)
        error = 2 * np.sqrt(covariance[0, 0])
    slope = max(slope, 0.05)  # a loss that does not fall with the other leaves the coordinates where they are
    scalars = {
        "cap0": BELOW * min(least, source_loss.min()),
        "cap1": BELOW * loss.min(),
        "centre0": np.exp(centre),
        "centre1": np.exp(level),
        "slope": slope * np.exp(level - centre),
        "bend": (slope + 2 * quadratic / slope - 1) * np.exp(-centre),
        "trust": 1 / (1 + (error / (0.2 * slope)) ** 2),
    }
    return {name: np.asarray(value) for name, value in scalars.items()}
