"""Loss from training compute: a power whose exponent changes along the way."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.models.bent_power_law import bent

__all__ = ["BentCompute"]


class BentCompute(Law):
    r"""Loss falls as a power of training compute, with an exponent that grows or shrinks with the compute.

    .. math:: L(C) = m \exp\left(-s\,\frac{e^{\beta u} - 1}{\beta}\right), \qquad u = \log \frac{C}{C_0}

    with C in FLOPs, L and m in the unit of the loss, and C0 the geometric mean of the fitted runs.  The exponent there
    is s, and an e-fold further on :math:`s e^{\beta}`: with a positive bend the curve steepens, as the loss of a task
    does that models begin to solve; with none it is a power law without floor; with a negative one it flattens towards
    the floor :math:`m e^{s / \beta}`.  It is :class:`BentPowerLaw` with compute in the place of the other loss.

    References
    ----------
    .. [1] Box and Cox 1964, "An Analysis of Transformations", Journal of the Royal Statistical Society B 26, equation
       1: the transformation of the compute.
    .. [2] Brandfonbrener et al. 2024, "Loss-to-Loss Prediction: Scaling Laws for All Datasets", arXiv 2411.12925,
       section 6 (FLOPs-to-loss), where one exponent forecasts losses of tasks worst.

    Examples
    --------
    >>> law = BentCompute()
    >>> [round(float(law.mean(1e20, 1e18, slope=0.07, bend=b, level=4.0)), 3) for b in (-0.1, 0.0, 0.1)]
    [3.089, 2.898, 2.656]
    """

    slope: Prior = prior(
        default=dist.LogNormal(math.log(0.07), 0.6),
        unit="pure number",
        reason="s, the exponent at the centre.  Of :class:`BentPowerLaw`, 0.5, where the reducible loss falls as the "
        "power 0.15 of compute.",
    )
    bend: Prior = prior(
        default=dist.Normal(0.0, 0.075),
        unit="pure number",
        reason="beta, the growth of the log exponent per e-fold of compute.  Of :class:`BentPowerLaw`, 0.5 per e-fold "
        "of the reducible loss, which takes some seven e-folds of compute: at one standard deviation the exponent "
        "changes by a fifth with every tenfold compute.",
    )
    level: Prior = prior(
        default=dist.LogNormal(math.log(2.7), 0.7),
        unit="unit of the loss",
        reason="m, the loss at C0.  Wide: a factor of four either way around 2.7.",
    )

    equation = r"L = m \exp(-s (e^{\beta u} - 1) / \beta), u = \log(C / C_0)"
    pooling: ClassVar = {"slope": 0.2, "bend": 0.05}

    def mean(self, C, C0, *, slope, bend, level):  # noqa: D102
        return level * bent(jnp.log(C / C0), slope, bend)
