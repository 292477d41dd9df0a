"""The rectified law of fine-tuning: pre-training counts as data already learnt."""

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
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor
from bayes_scaling.models.scratch import check_sizes

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Rectified"]


class Rectified(Law):
    r"""Fine-tuning loss falls as a power of data, once they outweigh what pre-training was worth.

    .. math:: L(D_F) = E + \frac{B}{D_l + D_F^{\,\beta}}
              = E \left[ 1 + \rho\, \frac{1 + \lambda}{\lambda + (D_F / D_{F0})^{\beta}} \right]

    with D_F in examples (or any unit of data), L and E in nats per token, and D_F0 the geometric mean of the fitted
    sizes.  D_l, B and ``learnt`` = D_l^(1 / beta), what pre-training is worth in units of D_F, are published with the
    posterior.  Unlike D_T, D_l needs no from-scratch arm, and says nothing of one.

    References
    ----------
    .. [1] Lin et al. 2024, "Selecting Large Language Model to Fine-tune via Rectified Scaling Law", arXiv 2402.02314,
       equation 4.

    Examples
    --------
    >>> round(float(Rectified().mean(1e4, 1e4, E=1.0, reducible=1.0, beta=0.5, head=1.0)), 6)
    2.0
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.7),
        unit="unit of the loss",
        reason="Loss with endless fine-tuning data.  Wide: a factor of four either way around half a nat per token.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(math.log(2.0), 0.5),
        unit="multiple of E",
        reason="Reducible loss at D_F0, as a multiple of E.  Around two: fine-tuning starts high, and a floor put "
        "higher made forecasts too high in backtests inside the fitted sizes.",
    )
    beta: Prior = prior(
        default=dist.LogNormal(math.log(0.4), 0.3),
        unit="pure number",
        reason="Exponent of fine-tuning data.  Around 0.4, wide: the source's curves lie between 0.2 and 0.7.",
    )
    head: Prior = prior(
        default=dist.LogNormal(0.0, 1.0),
        unit="multiple of D_F0^beta",
        reason="lambda = D_l / D_F0^beta, how far pre-training outweighs fine-tuning at D_F0.  Very wide around one.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.007), 0.7),
        unit="fraction",
        reason="Relative noise.  Half a per cent to one, for a loss on a large test set.",
    )

    equation = r"L = E + B / (D_l + D_F^\beta)"
    relations: ClassVar = {
        "D_l": r"\text{head} \cdot D_{F0}^{\beta}",
        "B": r"E \cdot \text{reducible} \cdot (1 + \text{head}) \cdot D_{F0}^{\beta}",
        "learnt": r"D_{F0} \cdot \text{head}^{1 / \beta}",
    }
    pooling: ClassVar = {"reducible": 0.5, "beta": 0.3, "head": 1.0}

    def mean(self, D_F, D_F0, *, E, reducible, beta, head):  # noqa: D102
        return E * (1 + reducible * (1 + head) / (head + jnp.exp(beta * jnp.log(D_F / D_F0))))

    def derived(self, runs: Arrays, *, E, reducible, beta, head) -> dict[str, jax.Array]:  # noqa: D102
        unit = jnp.exp(beta * jnp.log(runs["D_F0"]))
        learnt = runs["D_F0"] * jnp.exp(jnp.log(head) / beta)
        return {"D_l": head * unit, "B": E * reducible * (1 + head) * unit, "learnt": learnt}

    def centred(self, runs: Arrays, *, E, B, D_l, beta, **others) -> dict[str, jax.Array]:  # type: ignore[override]
        """Return the parameters of this law at the reference of ``runs`` from textbook constants."""
        unit = runs["D_F0"] ** beta
        return {**others, "E": E, "reducible": B / (E * (D_l + unit)), "beta": beta, "head": D_l / unit}

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed).

        Raises
        ------
        StudyError
            A column is missing, a size is not positive, or the study holds several series.
        """
        check_sizes(self.name, study)
        return super().arrays(study)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the loss and its slope on log data, both at D_F0, in place of E and beta: the data fix these two."""
        flat = level_for_floor(u)
        if not {"beta", "reducible", "head"} <= u.keys():
            return flat
        share = jax.nn.log_sigmoid(u["reducible"])  # log of the reducible share of the loss at D_F0
        return {**flat, "beta": u["beta"] - 1.0 - share + jnp.logaddexp(0.0, u["head"])}
