"""One training run's learning curve: loss from data seen, between the loss of guessing and a floor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.checkpoints import Checkpoints

__all__ = ["LearningCurve"]

NEWTON = 10  # steps; the equation is monotone and bends one way, so that they close in from one side
THROUGH = 2  # more, through which derivatives go: from a solution, two steps have its first and its second


class LearningCurve(Checkpoints):
    r"""A learning curve leaves the loss of guessing, follows a power of data, and ends at a floor.

    .. math:: \frac{L - E}{(L_0 - L)^{a}} = B D^{-c}, \qquad
              \log s - a \log (1 - s) = \zeta - c \log \tfrac{D}{D_0}, \quad s = \frac{L - E}{L_0 - E}

    with D the data that one run has seen (tokens, images, or any unit; column ``tokens``), L0 the loss of guessing
    (``top``) and E the floor, both published with the posterior; zeta makes s at D0 the logistic of ``begun``.  The
    points are checkpoints of one run, and their errors last: they are an Ornstein-Uhlenbeck process in log D, so that
    neighbours say nearly the same, and a forecast beyond the last checkpoint starts from it.

    Notes
    -----
    The law is M4 of the paper, which is implicit in L; it is solved by Newton's method in logit s.  Derivatives go
    through the last steps alone, because they are those of the solution, whatever led to it.

    References
    ----------
    .. [1] Alabdulmohsin et al. 2022, "Revisiting Neural Scaling Laws in Language and Vision", arXiv 2209.06640, M4.

    Examples
    --------
    >>> values = dict(level=2.5, reducible=0.6, begun=0.0, bend=1.0, alpha_D=0.5, memory=0.1)
    >>> [round(float(LearningCurve().mean(D, 1e9, **values)), 3) for D in (1.0, 1e9, 1e30)]
    [4.0, 2.5, 1.0]
    """

    begun: Prior = prior(
        default=dist.Normal(-1.0, 1.5),
        unit="logit",
        reason="Share of the way from E to L0 that is left at D0, on the logit scale.  Mostly less than a half: most "
        "checkpoints lie in the power law, not before it.",
    )
    bend: Prior = prior(
        default=dist.LogNormal(0.0, 0.5),
        unit="pure number",
        reason="a, how late the curve leaves the loss of guessing; around one, the logistic curve in log D.",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.4), 0.5),
        unit="pure number",
        reason="c, the exponent of data once guessing is left.  Around 0.4, wide: few-shot error rates fall faster "
        "than losses of language.",
    )

    relations: ClassVar = {**Checkpoints.relations, "top": r"\text{level} (1 + \text{reducible} \, e^{-\text{begun}})"}
    equation = r"(L - E) / (L_0 - L)^a = B D^{-c}"

    def mean(self, D, D0, *, level, reducible, begun, bend, alpha_D, memory):  # noqa: D102
        wanted = _curve(begun, bend) - alpha_D * jnp.log(D / D0)
        start = jnp.where(wanted < 0, wanted, wanted / bend)
        logit = _closer(*jax.lax.stop_gradient((start, wanted, bend)), steps=NEWTON)
        logit = _closer(logit, wanted, bend, steps=THROUGH)
        left = jnp.exp(jax.nn.log_sigmoid(logit) - jax.nn.log_sigmoid(begun))
        return level * (1 - reducible + reducible * left)

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        p, above = parameters, super().derived(runs, **parameters)
        return {**above, "top": above["E"] + p["level"] * p["reducible"] / jax.nn.sigmoid(p["begun"])}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the slope of the log loss at D0 in place of the exponent: the data fix it."""
        if not {"reducible", "begun", "bend", "alpha_D"} <= u.keys():
            return dict(u)
        share, bend = jax.nn.sigmoid(u["begun"]), jnp.exp(u["bend"])
        slope = jax.nn.log_sigmoid(u["reducible"]) + jnp.log1p(-share) - jnp.log(1 - share + bend * share)
        return {**u, "alpha_D": u["alpha_D"] - 1.5 - slope}


def _curve(logit: jax.Array, bend: jax.Array) -> jax.Array:
    """Return the right side of the equation of the paper at a share of the way, given by its logit."""
    log_share = jax.nn.log_sigmoid(logit)
    return log_share - bend * (log_share - logit)


def _closer(logit: jax.Array, wanted: jax.Array, bend: jax.Array, steps: int) -> jax.Array:
    """Take steps of Newton's method to where the right side is what is wanted."""
    for _ in range(steps):
        share = jnp.exp(jax.nn.log_sigmoid(logit))
        logit = logit - (_curve(logit, bend) - wanted) / (1 - share + bend * share)
    return logit
