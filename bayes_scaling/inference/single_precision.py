"""What single precision costs: how far rounding can have moved a posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpyro.infer.util import potential_energy, unconstrain_fn

from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.inference.precision import as_numpy, double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.trace import latent_names

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["largest_shift"]

COMPARED = 200  # draws


def largest_shift(law: Law, draws: Arrays, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> float:
    r"""Bound the shift of posterior means by single precision, in posterior standard deviations.

    Chains in single precision sample from :math:`e^{-U_s}`, where :math:`U_s` is the potential with its rounding
    errors, instead of :math:`e^{-U}`.  The weights :math:`w \propto e^{U_s - U}`, of mean 1, would put them right; and
    because the mean of any function f is off by the covariance of w and f, no posterior mean is off by more than the
    standard deviation of w times its own.  That standard deviation is returned, over 200 draws at which both
    potentials are computed, the data rounded in one and not in the other.  It costs 400 evaluations, against some
    ten thousand gradients of a fit.

    Parameters
    ----------
    law : Law
        The law that was fitted.
    draws : mapping of str to array, shape (chain, draw, ...)
        Posterior draws, made in single precision.
    runs, observed : mapping of str to array
        The study, as the law takes it.

    Returns
    -------
    float
        At least 0; infinite where a potential is not finite.  It is an estimate: near 1 and above, a few draws carry
        all the weight, and the true shift may be larger.
    """
    runs, observed = pad_study(law, runs, observed)
    flat = {name: np.asarray(v, dtype=float).reshape(-1, *v.shape[2:]) for name, v in draws.items()}
    count = len(next(iter(flat.values())))
    chosen = evenly_spaced(count, COMPARED)
    with double_precision():
        names = latent_names(law, runs, observed)
        places = _coordinates(law.program, {n: flat[n][chosen] for n in names}, runs, observed)
        places = jax.tree.map(lambda x: np.asarray(x, dtype=np.float32), places)
        exact = np.asarray(_potentials(law.program, as_numpy(places), runs, observed))
    with double_precision(False):
        rounded = np.asarray(_potentials(law.program, places, runs, observed), dtype=float)
    with np.errstate(all="ignore"):  # a potential that is not finite
        log_weights = rounded - exact
        weights = np.exp(log_weights - log_weights.max())
        shift = weights.std() / weights.mean()
    return float(shift) if np.isfinite(shift) else np.inf


@jit
def _coordinates(law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> dict[str, jax.Array]:
    return jax.vmap(lambda values: unconstrain_fn(law, (runs, observed), {}, values))(draws)


@jit
def _potentials(law: Law, places: Arrays, runs: Arrays, observed: Arrays) -> jax.Array:
    """Return the potential at each place, one after another: a study may have a million rows."""
    return lax.map(lambda place: jnp.asarray(potential_energy(law, (runs, observed), {}, place)), places)
