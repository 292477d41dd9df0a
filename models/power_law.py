"""A power law above a floor in one input: FLOPs, parameters, tokens, or any other column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import option, prior
from bayes_scaling.law.priors import Prior, RunScaled
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor
from bayes_scaling.study.reading import column_of, symbol_of

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["PowerLaw"]

FLOPS = "flops"
FOLLOWING = {
    "E": RunScaled(math.log(0.5), 0.7),
    "reducible": dist.LogNormal(0.0, 1.0),
    "alpha_C": RunScaled(0.0, 0.7),
}
"""Priors in a column that is not FLOPs: floors and exponents differ, so they follow the range of the runs.

The floor is a multiple of the loss at C0, the exponent one over the log range of the column: along the runs the
reducible loss falls by a factor of e, give or take (nine tenths of the prior: by 1.4 to 24).
"""
LIKELY = (0.1, 0.6)  # exponents that a range of the column may speak for


class PowerLaw(Law):
    r"""Loss falls as a power of training compute, or of any other column, above a floor.

    .. math:: L(C) = E + A / C^{\alpha_C} = E \left[ 1 + \rho (C/C_0)^{-\alpha_C} \right]

    with C in FLOPs (or ``column``), L and E in the unit of the loss, C0 the geometric mean of the fitted runs.

    Notes
    -----
    The priors are those of language models in FLOPs.  In another column, such as examples or parameters, each that is
    not given follows the runs: E is log-normal around half of the loss at C0 (scale 0.7), ``reducible`` around 1 (scale
    1), and ``alpha_C`` around one over the log range of the column, between 0.1 and 0.6 (scale 0.7).

    References
    ----------
    .. [1] Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, equation 1.3.
    .. [2] Bhagia et al. 2024, arXiv 2412.04403, section 5 (the FLOPs variant of step 1).

    Examples
    --------
    >>> round(float(PowerLaw().mean(1e20, 1e20, E=1.8, reducible=0.5, alpha_C=0.15)), 6)
    2.7
    >>> PowerLaw(column="examples").inputs
    ('examples', 'examples0')
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

    column: str = option(
        default=FLOPS, about="The column that the law is in: ``flops``, or any other of positive numbers."
    )

    equation = r"L = E + A / C^{\alpha_C}"
    relations: ClassVar = {"A": r"E \cdot \text{reducible} \cdot C_0^{\alpha_C}"}
    pooling: ClassVar = {"reducible": 0.3, "alpha_C": 0.2}

    def __post_init__(self) -> None:
        object.__setattr__(self, "column", column_of(self.column))
        super().__post_init__()

    @classmethod
    def own_priors(cls, fields: Mapping[str, Any]) -> dict[str, Prior]:
        """Return the priors of the column that the law is in, without those that a subclass has of its own."""
        own, in_flops = cls.__dataclass_fields__, PowerLaw.__dataclass_fields__
        if column_of(fields.get("column", own["column"].default)) == FLOPS:
            return {}
        return {name: prior for name, prior in FOLLOWING.items() if own[name].default is in_flops[name].default}

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The column of the law, by its symbol where it has one, and its reference."""
        symbol = symbol_of(self.column)
        return symbol, f"{symbol}0"

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:  # noqa: D102
        runs, observed = super().arrays(study)
        if not any(isinstance(own, RunScaled) for own in self.priors.values()):
            return runs, observed
        spread = np.ptp(np.log(runs[self.inputs[0]]))
        level = np.exp(np.log(observed[self.outcome]).mean())
        return runs | {"E_scale": level, "alpha_C_scale": np.clip(1 / max(spread, 1e-9), *LIKELY)}, observed

    def mean(self, C, C0, *, E, reducible, alpha_C):  # noqa: D102
        return E * (1 + reducible * jnp.exp(-alpha_C * jnp.log(C / C0)))

    def derived(self, runs: Arrays, *, E, reducible, alpha_C) -> dict[str, jax.Array]:  # noqa: D102
        return {"A": E * reducible * jnp.exp(alpha_C * jnp.log(runs[self.inputs[1]]))}

    def centred(self, runs: Arrays, *, E, A, alpha_C, **others) -> dict[str, Any]:  # type: ignore[override]
        """Return the parameters of this law at the reference of ``runs`` from textbook constants."""
        return {**others, "E": E, "reducible": A * runs[self.inputs[1]] ** -alpha_C / E, "alpha_C": alpha_C}

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample level and slope of the log loss at the centre, which the data fix, in place of floor and exponent."""
        if {"reducible", "alpha_C"} <= u.keys():
            u = {**u, "alpha_C": u["alpha_C"] - jax.nn.log_sigmoid(u["reducible"]) + math.log(0.5)}
        return level_for_floor(u)
