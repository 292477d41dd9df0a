"""One loss from another: a power of the reducible loss whose exponent changes along the way."""

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
from bayes_scaling.models.shifted_power_law import anchors_of, with_noise_floor

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["BentPowerLaw"]

STRAIGHT = 1e-4  # a smaller bend is none, in double precision
REACH = 1.5  # the ridge of bend and floor is followed this far from no bend


def bent(u: jax.Array, slope: jax.Array, bend: jax.Array) -> jax.Array:
    """Return the loss at a distance u from the centre, over that there, along a curve whose exponent is not constant.

    The exponent is ``slope`` at the centre and grows by the factor e^bend with every unit of u.
    """
    beta = jnp.where(jnp.abs(bend) < STRAIGHT, STRAIGHT, bend)
    return jnp.exp(-slope * jnp.expm1(beta * u) / beta)


class BentPowerLaw(Law):
    r"""One loss is a power of another above its floor, with an exponent that grows or shrinks as the loss falls.

    .. math:: L_1 = m\,\bar L_1 \exp\left(-s\,\frac{e^{\beta u} - 1}{\beta}\right), \qquad
              u = \log \frac{\bar L_0 - E_0}{L_0 - E_0}

    with both losses in nats per token (or any unit of loss) and the centre (L0-bar, L1-bar) a point of a smooth curve
    through the fitted pairs.  The exponent at the centre is s, and a distance u further :math:`s e^{\beta u}`: with a
    positive bend the curve steepens, as the loss of a task does that models begin to solve; with none it is a power
    law without floor; with a negative one it flattens towards the floor :math:`m \bar L_1 e^{s / \beta}`.

    References
    ----------
    .. [1] Box and Cox 1964, "An Analysis of Transformations", Journal of the Royal Statistical Society B 26, equation
       1: the transformation of the reducible loss.
    .. [2] Brandfonbrener et al. 2024, "Loss-to-Loss Prediction: Scaling Laws for All Datasets", arXiv 2411.12925,
       section 5: losses of tasks, where one exponent forecasts worst.

    Examples
    --------
    >>> centre = {"cap0": 2.0, "centre0": 3.0, "centre1": 4.0}
    >>> law, shape = BentPowerLaw(), {"floor0": 0.5, "slope": 0.5, "level": 1.0}
    >>> [round(float(law.mean(2.0, *centre.values(), bend=b, **shape)), 3) for b in (-1.0, 0.0, 1.0)]
    [3.115, 2.828, 2.426]
    """

    floor0: Prior = prior(
        default=LogitNormal(0.4, 0.3),
        unit="share",
        reason="E0 as a share of 0.98 times the smallest loss of the abscissa: around 0.6.  The bend takes up what "
        "another floor would change, so the pairs say little of it.",
    )
    slope: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.6),
        unit="pure number",
        reason="s, the exponent at the centre.  Losses of one family fall in proportion, those of tasks by a third of "
        "that: between 0.2 and 1.6.",
    )
    bend: Prior = prior(
        default=dist.Normal(0.0, 0.5),
        unit="pure number",
        reason="beta, the growth of the log exponent per e-fold of the reducible loss: around none; at one standard "
        "deviation the exponent is 1.4 times larger or smaller once the reducible loss has halved.",
    )
    level: Prior = prior(
        default=dist.LogNormal(0.0, 0.05),
        unit="ratio",
        reason="m, the loss at the centre over that of the smooth curve: one, up to its error.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.003), 1.0),
        unit="fraction",
        reason="Relative scatter of a pair around the curve; a floor of 0.0005 is added in quadrature.",
    )
    discrepancy: Prior = prior(
        default=0.15,
        unit="fraction",
        reason="As in :class:`bayes_scaling.Law`, on the step in log loss beyond the fitted pairs.  Backtests on the "
        "losses of tasks in one public sweep of six training sets hold 90 % with it.",
    )

    equation = r"L_1 = m \bar L_1 \exp(-s (e^{\beta u} - 1) / \beta), u = \log((\bar L_0 - E_0) / (L_0 - E_0))"
    relations: ClassVar = {"E0": r"\text{cap}_0 \cdot \text{floor}_0"}
    pooling: ClassVar = {"floor0": 0.1, "slope": 0.2, "bend": 0.3}

    def mean(self, source_loss, cap0, centre0, centre1, *, floor0, slope, bend, level):  # noqa: D102
        low0 = cap0 * floor0
        above = jnp.maximum(source_loss - low0, 1e-9)  # only a target that is no run of the study can lie below
        u = jnp.log((centre0 - low0) / above)
        return level * centre1 * bent(u, slope, bend)

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The abscissa; cap and centre belong to the fitted pairs as a whole."""
        return ("source_loss",)

    def derived(self, runs, *, floor0, slope, bend, level) -> dict[str, jax.Array]:  # noqa: D102
        return {"E0": runs["cap0"] * floor0}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample what the data fix: slope and curvature of the logarithms at the centre, whatever the floor.

        With r = L0 / (L0 - E0) there, the slope is s r and the curvature over it 1 - r - beta r: log s is shifted by
        -log r, and beta by its value on the ridge of the smooth curve's curvature.
        """
        if not {"floor0", "slope", "bend"} <= u.keys():
            return dict(u)
        r = runs["centre0"] / (runs["centre0"] - runs["cap0"] * jax.nn.sigmoid(u["floor0"]))
        curvature = runs["bend"] * runs["centre0"] - runs["slope"] * runs["centre0"] / runs["centre1"] + 1
        ridge = REACH * jnp.tanh(((1 - curvature) / r - 1) / REACH)
        return {**u, "slope": u["slope"] - jnp.log(r), "bend": u["bend"] + ridge}

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:  # noqa: D102
        return super().likelihood(mean, with_noise_floor(sigma))

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed), with the cap of the floor and the centre of the pairs as scalars."""
        runs, observed = super().arrays(study)
        return runs | anchors_of(study, runs["source_loss"], observed[self.outcome]), observed
