"""Loss from parameters and tokens, with a penalty for runs of few optimiser steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, LogStudentT, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import level_for_floor, slope_for_exponent

__all__ = ["ENDLESS", "FewSteps", "of_steps"]

ENDLESS: Mapping[str, float] = {"steps": math.inf}
"""Steps of a run that few of them do not hold back: beyond the data the error is one of the law, not of the penalty."""


class FewSteps(Law):
    r"""Loss falls with parameters and tokens above a floor; a run of few steps has not yet got there.

    .. math:: L(N, D, S) = \left( 1 + p \left( \tfrac{1000}{S} \right)^{2} \right) E \left[ 1 + \rho \left(
              \psi (N/N_0)^{-\alpha_N / g} + (1 - \psi) (D/D_0)^{-\alpha_D / g} \right)^{g} \right]

    with N in parameters, D in tokens, S in optimiser steps, L and E in nats per token (or any unit of loss), and N0, D0
    the geometric means of the fitted runs.  With g = 1 and p = 0 it is :class:`Chinchilla`; g below one makes the
    scarcer of size and data count for more, as in :class:`Kaplan`.  Without the penalty the short runs of a sweep's
    smallest budgets bend the whole law.  N should leave embeddings out.

    References
    ----------
    .. [1] Hoffmann et al. 2022, arXiv 2203.15556, equation 2, for the two terms.
    .. [2] Kaplan et al. 2020, arXiv 2001.08361, section 5, for loss as a function of the number of steps.

    Examples
    --------
    >>> values = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, coupling=0.8, penalty=0.02)
    >>> round(float(FewSteps().mean(1e9, 2e10, 1000.0, 1e9, 2e10, **values)), 6)
    2.754
    """

    E: Prior = prior(
        default=dist.LogNormal(math.log(1.7), 0.7),
        unit="unit of the loss",
        reason="Irreducible loss.  Wide: a factor of four either way around 1.7 nats per token.",
    )
    reducible: Prior = prior(
        default=dist.LogNormal(-0.5, 0.6),
        unit="multiple of E",
        reason="Reducible loss at (N0, D0), as a multiple of E; as in :class:`Chinchilla`.",
    )
    split: Prior = prior(
        default=LogitNormal(0.0, 0.8),
        unit="share",
        reason="Share of the bracket at (N0, D0) that more parameters would remove.  Weak, around one half.",
    )
    alpha_N: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12),
        unit="pure number",
        reason="Exponents, as in :class:`Chinchilla`.",
    )
    alpha_D: Prior = prior(
        default=LogStudentT(3.0, math.log(0.3), 0.12), unit="pure number", reason="As ``alpha_N``, for tokens."
    )
    coupling: Prior = prior(
        default=dist.LogNormal(0.0, 0.3),
        unit="pure number",
        reason="g.  Around one, the usual sum of two terms; a factor of 0.55 to 1.8 holds 95 % of the prior.",
    )
    penalty: Prior = prior(
        default=dist.LogNormal(math.log(0.02), 1.0),
        unit="fraction",
        reason="p, the relative excess of a run of 1000 steps.  A few per cent; it falls with the square of the "
        "steps, faster than any power of the law, so that long runs are free of it.",
    )

    pooling: ClassVar = {
        "reducible": 0.3,
        "split": 0.4,
        "alpha_N": 0.2,
        "alpha_D": 0.2,
        "coupling": 0.1,
        "penalty": 0.3,
    }
    equation = r"L = (1 + p (1000 / S)^2) (E + (A N^{-\alpha_N / g} + B D^{-\alpha_D / g})^g)"

    def mean(self, N, D, steps, N0, D0, *, E, reducible, split, alpha_N, alpha_D, coupling, penalty):  # noqa: D102
        by_size = jnp.log(split) - alpha_N / coupling * jnp.log(N / N0)
        by_data = jnp.log1p(-split) - alpha_D / coupling * jnp.log(D / D0)
        shortage = jnp.exp(coupling * jnp.logaddexp(by_size, by_data))
        return of_steps(penalty, steps) * E * (1 + reducible * shortage)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        return level_for_floor(slope_for_exponent(u, jnp.exp(u["coupling"]) if "coupling" in u else 1.0))

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:  # noqa: D102
        law = super().extrapolated({**runs, **ENDLESS}, {**fitted, **ENDLESS}, parameters, slope_error)
        return law * of_steps(parameters["penalty"], runs["steps"])


def of_steps(penalty: Any, steps: Any) -> jax.Array:
    """Return what a run of so many optimiser steps has of the loss of an endless one, ``1 + p (1000 / S)^2``."""
    return 1 + penalty * jnp.square(1000 / steps)
