"""One training run's learning curve as a power law that breaks: another exponent after the break than before."""

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

__all__ = ["BrokenPowerLaw"]


class BrokenPowerLaw(Checkpoints):
    r"""A learning curve is a power of data above a floor, with one exponent before a break and another after it.

    .. math:: L(D) = E + b\, D^{-\alpha} \left[ 1 + (D / D_b)^{1/f} \right]^{-(\alpha_D - \alpha) f}

    with D the data that one run has seen (tokens, images, or any unit; column ``tokens``), alpha the exponent before
    the break (``early``), alpha_D the one after it, and f, in e-folds of data, how gradual the break at D_b is.  E and
    D_b are published with the posterior.  The points are checkpoints of one run, and their errors last, as those of
    :class:`LearningCurve`.

    Notes
    -----
    The paper's law has any number of breaks; this one has one.  It falls all along: both exponents are positive.
    Where the runs do not reach the break, the exponent after it comes from its prior, and intervals say so.

    References
    ----------
    .. [1] Caballero et al. 2023, "Broken Neural Scaling Laws", arXiv 2210.14891, equation 1 with n = 1.

    Examples
    --------
    >>> values = dict(level=2.5, reducible=0.6, early=0.1, alpha_D=0.4, place=1.0, width=0.5, memory=0.1)
    >>> [round(float(BrokenPowerLaw().mean(D, 1e9, **values)), 3) for D in (1e8, 1e9, 1e30)]
    [3.092, 2.5, 1.0]
    """

    early: Prior = prior(
        default=dist.LogNormal(math.log(0.2), 0.8),
        unit="pure number",
        reason="Exponent of data before the break.  Around 0.2, wide: curves leave the loss of guessing slowly, or "
        "fall steeply at first.",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.4), 0.5),
        unit="pure number",
        reason="Exponent of data after the break.  As in :class:`LearningCurve`: around 0.4, wide.",
    )
    place: Prior = prior(
        default=dist.LogNormal(0.0, 1.5),
        unit="multiple of D0",
        reason="Where the break is.  Anywhere along the run, or a few e-folds beyond its ends.",
    )
    width: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.5),
        unit="e-folds of data",
        reason="f, how gradual the break is.  Half an e-fold, within a factor of two: a break that takes decades is no "
        "break.",
    )

    adapts = True
    relations: ClassVar = {**Checkpoints.relations, "D_b": r"\text{place} \cdot D_0"}
    equation = r"L = E + b D^{-\alpha} (1 + (D / D_b)^{1/f})^{-(\alpha_D - \alpha) f}"

    def mean(self, D, D0, *, level, reducible, early, alpha_D, place, width, memory):  # noqa: D102
        x, at = jnp.log(D / D0), jnp.log(place)
        beyond = jax.nn.softplus((x - at) / width) - jax.nn.softplus(-at / width)
        left = jnp.exp(-early * x - (alpha_D - early) * width * beyond)
        return level * (1 - reducible + reducible * left)

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        return {**super().derived(runs, **parameters), "D_b": parameters["place"] * runs["D0"]}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the slope of the log loss at D0, which data fix, and the ratio of the exponents, which may be free.

        Where the break lies beyond an end of the run, that end decides which exponent is not fixed.
        """
        if not {"reducible", "early", "alpha_D", "place", "width"} <= u.keys():
            return dict(u)
        after = jax.nn.sigmoid(-u["place"] * jnp.exp(-u["width"]))  # how far the break is over at D0
        ratio = u["alpha_D"] - math.log(0.2)  # of the exponents, in logs; 2 at the centre of the priors
        share = jax.nn.log_sigmoid(u["reducible"]) - math.log(0.5)
        early = u["early"] - share - jnp.log(1 - after + after * jnp.exp(ratio))
        return {**u, "early": early, "alpha_D": early + ratio}
