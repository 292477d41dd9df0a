"""Accuracy from loss: a sigmoid between a floor near chance and a ceiling near one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from bayes_scaling.law.fields import data_field, prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.accuracy_curve import AccuracyCurve
from bayes_scaling.study.chance import MAX_ABOVE_CHANCE

__all__ = ["SigmoidAccuracy"]


class SigmoidAccuracy(AccuracyCurve):
    r"""Accuracy rises along a sigmoid as the loss falls.

    .. math:: \mathrm{acc}(L) = f + (c - f)\, \mathrm{sigmoid}\!\left(b - k\, \frac{(L/L_0)^\lambda - 1}{\lambda}\right)

    with L a task loss in bits per byte or a language-model loss in nats per token, L0 its geometric mean over the
    fitted runs, and accuracies as fractions.  ``bend`` 1 is a sigmoid in L, 0 a sigmoid in log L.  The floor f is
    chance c0 shifted on the logit scale, :math:`f = c_0 e^s / (1 - c_0 + c_0 e^s)`; where guessing is never right
    (chance 0: exact match, pass rates) it is 0.  Outcomes are normal around the curve, and those below 0 or above 1
    are 0 or 1: an accuracy of exactly 0 is one that noise could not lower further.

    A task that the best fitted runs still guess may leave chance anywhere beyond them: in a forecast its log odds are
    at least those of a curve of its slope that begins an exponential distance beyond the data (``departure``).

    References
    ----------
    .. [1] Bhagia et al. 2024, "Establishing Task Scaling Laws via Compute-Efficient Model Ladders", arXiv 2412.04403,
       equation 2 (there a sigmoid in L with free asymptotes).

    Examples
    --------
    >>> law = SigmoidAccuracy()
    >>> round(float(law.mean(1.0, 0.25, 1.0, floor=0.0, ceiling=1.0, centre=0.0, slope=4.0, bend=1.0)), 3)
    0.625
    """

    floor: Prior = prior(
        default=dist.Normal(0.0, 0.25),
        unit="log odds",
        reason="Shift of the floor f from chance, on the logit scale.  Small models sit a little above or below "
        "chance; a floor fixed at chance makes the curve steep where it should be flat.",
    )
    ceiling: Prior = prior(
        default=LogitNormal(3.5, 0.4),
        unit="fraction",
        reason="Accuracy c at zero loss.  Near one: labels are not perfect.",
    )
    centre: Prior = prior(
        default=dist.Normal(-2.0, 3.0),
        unit="log odds",
        reason="b, the log odds between floor and ceiling at L0.  Weak: from tasks solved by all runs to tasks that "
        "runs of a tenth of the loss would still guess.  A narrower prior promises a curve where all runs guess.",
    )
    slope: Prior = prior(
        default=dist.LogNormal(math.log(5.0), 0.5),
        unit="log odds per log loss",
        reason="k, how fast the log odds rise as the log loss falls, at L0.  Between 2 and 12 for losses of tasks and "
        "of text: tasks of one ladder differ by a factor of three.",
    )
    bend: Prior = prior(
        default=dist.Normal(0.0, 0.25),
        unit="pure number",
        reason="lambda, the shape of the abscissa.  Centred on a sigmoid in log L: in backtests inside the task "
        "ladder, accuracy given loss is forecast as closely with a bend near 0.75, at more bias (-0.9 % for -0.3 %).",
    )

    departure: float = data_field(
        default=1.8,
        wanted="number of zero or more",
        about="Of a task whose fitted runs of most compute still guess, how much further the log odds of a task with "
        "its slope rise before it leaves chance (is "
        f"{100 * MAX_ABOVE_CHANCE:g} points above), on average: an exponential in forecasts, because no fitted run "
        "tells the place of such a curve.  Likeliest for what became of the tasks at chance in backtests inside two "
        "ladders.",
    )

    equation = r"a = f + (c - f)\, \mathrm{sigmoid}(b - k ((L / L_0)^\lambda - 1) / \lambda)"
    pooling: ClassVar = {"slope": 0.3, "bend": 0.2}

    def mean(self, loss, chance, loss0, *, floor, ceiling, centre, slope, bend):  # noqa: D102
        odds = centre - slope * box_cox(jnp.log(loss / loss0), bend)
        return between(odds, chance, floor, ceiling)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the log odds at the best fitted loss in place of b, and about the accuracy at the worst for f."""
        if not {"floor", "centre", "slope", "bend"} <= u.keys():
            return dict(u)
        slope, bend = jnp.exp(u["slope"]), u["bend"]
        best, worst = (jnp.log(edge(runs["loss"], axis=0) / runs["loss0"]) for edge in (jnp.min, jnp.max))
        centre = u["centre"] + slope * box_cox(best, bend)
        chance = runs["chance"] if jnp.shape(runs["chance"]) == jnp.shape(slope) else runs["chance"][0]
        above = chance + (1 - chance) * jax.nn.sigmoid(centre - slope * box_cox(worst, bend))
        guessed = chance > 0  # a floor at 0 does not move
        shift = logit(jnp.where(guessed, above, 0.5)) - logit(jnp.where(guessed, chance, 0.5))
        return {**u, "centre": centre, "floor": u["floor"] - shift}

    def unseen(self, shape: tuple[int, ...] = (), prefix: str = "") -> dict[str, jax.Array]:
        """Sample where tasks that all fitted runs guess leave chance."""
        away = dist.Exponential(1 / jnp.asarray(self.departure, float)).expand(shape).to_event(len(shape))
        return {"departure": numpyro.sample(f"{prefix}departure", away)}

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the accuracy at zero loss."""
        return parameters["ceiling"]

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:  # noqa: D102
        p = parameters
        step = jnp.maximum(jnp.log(jnp.nanmin(fitted["loss"], axis=0) / runs["loss"]), 0.0)
        odds = p["centre"] - p["slope"] * box_cox(jnp.log(runs["loss"] / runs["loss0"]), p["bend"])
        slope = p["slope"] * (1 + self.error_of(runs, slope_error))
        odds += (slope - p["slope"]) * step
        since = slope * step - p.get("departure", jnp.inf)
        leaving = jnp.log(MAX_ABOVE_CHANCE) - jnp.log1p(-runs["chance"])
        left = runs["guessed"] & (since > 0)
        odds = jnp.where(left, jnp.maximum(odds, leaving + since), odds)
        return between(odds, runs["chance"], p["floor"], p["ceiling"])


def box_cox(log_ratio: jax.Array, bend: jax.Array) -> jax.Array:
    """Return ``(exp(bend * log_ratio) - 1) / bend``, smooth through ``bend = 0``."""
    x = bend * log_ratio
    small = jnp.abs(x) < 1e-6
    x = jnp.where(small, 1.0, x)
    return log_ratio * jnp.where(small, 1.0, jnp.expm1(x) / x)


def between(odds: jax.Array, chance: jax.Array, floor: jax.Array, ceiling: jax.Array) -> jax.Array:
    """Return the accuracy at given log odds between a floor near chance and a ceiling."""
    odds_of_floor = chance * jnp.exp(floor)
    low = odds_of_floor / (1 - chance + odds_of_floor)
    return low + (ceiling - low) * jax.nn.sigmoid(odds)


def logit(share: jax.Array) -> jax.Array:
    """Return the log odds of a share."""
    return jnp.log(share) - jnp.log1p(-share)
