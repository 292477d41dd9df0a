"""What laws are written with inside a NumPyro model: sites that sample, observe and extrapolate."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import LawError
from bayes_scaling.law.priors import Prior
from bayes_scaling.study.validation import LOSS_ERROR

__all__ = [
    "Arrays",
    "extrapolate",
    "observe",
    "sample_or_fix",
    "sample_slope_error",
    "stretch",
]

Arrays = Mapping[str, Any]
"""Columns, outcomes or parameters by name, as a law's model passes them around."""

ASKS_FOR_A_VALUE = re.compile("converted to Python scalars|truth value of an array|cannot be interpreted as an int")
EDGE_QUANTILE = 0.05  # the frontier of the fitted runs is this quantile of their reducible loss
FEW = 2048  # fitted runs up to which their frontier is found sooner without sorting them


def _made_whole(package: Any) -> None:
    """Give a package of NumPyro its modules where it lacks them, which NumPyro itself looks up there.

    Python makes ``numpyro.distributions`` twice where another package left NumPyro to be loaded at its first use, as
    ArviZ does from 1.0 on, and the one that stays lacks them.
    """
    for path in [path for path in sys.modules if path.startswith(f"{package.__name__}.")]:
        name = path.rpartition(".")[2]
        if not hasattr(package, name):
            setattr(package, name, sys.modules[path])


_made_whole(dist)


@contextmanager
def told_plainly(what: str) -> Iterator[None]:
    """Say in one sentence where an equation asks for the value of an array that JAX has not computed yet.

    Raises
    ------
    LawError
        It calls ``float()``, ``math`` or NumPy, or branches, on a column or a parameter.
    """
    try:
        yield
    except (jax.errors.JAXTypeError, TypeError, ValueError) as error:
        if not (isinstance(error, jax.errors.JAXTypeError) or ASKS_FOR_A_VALUE.search(str(error))):
            raise
        raise LawError(
            f"{what} asks for the value of a column or a parameter (by float(), if, math or NumPy), which JAX computes "
            "later; write it with jax.numpy, as in jnp.exp(x) and jnp.where(x > 1, a, b)."
        ) from error


def observe(site: str, likelihood: dist.Distribution, observed: Arrays | None) -> jax.Array:
    """Sample an outcome that is not observed, or condition on it where it is finite; NaN marks a missing or padded one.

    An outcome with several entries (an event) is left out as a whole when one of them is NaN.
    """
    if observed is None or site not in observed:
        return numpyro.sample(site, likelihood)
    present = jnp.isfinite(observed[site])
    values = jnp.where(present, observed[site], 1.0)
    if likelihood.event_dim:
        present = present.all(axis=tuple(range(-likelihood.event_dim, 0)))
    with numpyro.handlers.mask(mask=present):
        return numpyro.sample(site, likelihood, obs=values)


def without_known_errors(observed: Arrays) -> dict[str, Any]:
    """Return the outcomes among what a law observes: all but the standard errors that stand beside its losses."""
    return {name: values for name, values in observed.items() if name != LOSS_ERROR}


def with_known_error(
    sigma: jax.Array,
    mean: jax.Array,
    observed: Arrays | None,
    known_noise: Callable[[jax.Array, jax.Array], jax.Array],
    likelihood: Callable[[jax.Array, jax.Array], dist.Distribution],
) -> jax.Array:
    """Return the noise of fitted losses: ``sigma`` and what their known standard errors add, in quadrature.

    ``sigma`` is a scale, and the standard deviation of a Student t is larger than its scale (1.29 times at 5 degrees of
    freedom): what is added to that scale is so much smaller than the standard errors, and variances add up.

    Parameters
    ----------
    sigma : array
        Noise that is learnt, broadcast against ``mean``.
    mean : array
        Expected losses.
    observed : mapping of str to array, optional
        Outcomes; ``loss_se``, where it is there, in the unit of the loss, NaN where it is not known.
    known_noise, likelihood : callable
        Those of the law: from expected losses and standard errors, the noise these make; from expected losses and
        noise, the distribution of losses.
    """
    if observed is None or LOSS_ERROR not in observed:
        return sigma
    noise = likelihood(mean, sigma)
    while hasattr(noise, "base_dist"):
        noise = noise.base_dist
    share = 1 - 2 / noise.df if isinstance(noise, dist.StudentT) else 1.0  # of the variance: scale squared over it
    return jnp.sqrt(sigma**2 + jnp.maximum(share, 0.0) * known_noise(mean, jnp.nan_to_num(observed[LOSS_ERROR])) ** 2)


def sample_or_fix(site: str, prior: Prior) -> jax.Array:
    """Sample a parameter from its prior, or return the number it is fixed at."""
    return numpyro.sample(site, prior) if isinstance(prior, dist.Distribution) else jnp.asarray(prior, float)


def sample_slope_error(
    discrepancy: Prior, shape: tuple[int, ...] = (), site: str = "discrepancy", together: float | None = None
) -> jax.Array:
    """Sample the relative error of the slope beyond the fitted runs; its sites exist in forecasts only.

    Parameters
    ----------
    discrepancy : Prior
        Its scale.
    shape : tuple of int
        One error for each series.
    site : str
        Name of the scale's site, with which those of the errors begin.
    together : float, optional
        Share of the variance that all series have in common; None: each errs by itself.
    """
    scale = sample_or_fix(site, discrepancy)
    each = dist.Normal(0.0, 1.0).expand(shape).to_event(len(shape))
    if together is None:
        return scale * numpyro.sample(f"{site}_slope", each)
    common, own = numpyro.sample(f"{site}_common", dist.Normal(0.0, 1.0)), numpyro.sample(f"{site}_slope", each)
    return scale * (jnp.sqrt(together) * common + jnp.sqrt(1 - together) * own)


def extrapolate(
    reducible: jax.Array, fitted: jax.Array, slope_error: jax.Array, growing_up_to: float | None = None
) -> jax.Array:
    """Stretch the step in log reducible loss beyond the edge of the fitted runs by ``1 + slope_error``.

    Parameters
    ----------
    reducible, fitted : array, shape (run, ...) and (fitted run, ...)
        Reducible outcome at the targets and at the fitted runs.
    slope_error : array
        Relative error of the slope, broadcast against the targets.
    growing_up_to : float, optional
        Step up to which the error grows in proportion, and from which it is ``slope_error``; by default it is that
        everywhere.

    Returns
    -------
    array
        The reducible outcome, unchanged inside the data; beyond its edge e it is ``e * exp(-d (1 + slope_error))``
        with ``d = log(e / reducible)``.
    """
    edge = _edge(fitted)
    usable = (reducible > 0) & (edge > 0)
    step = jnp.where(usable, jnp.log(jnp.where(usable, edge, 1.0) / jnp.where(usable, reducible, 1.0)), 0.0)
    step = jnp.maximum(step, 0.0)
    growth = 1.0 if growing_up_to is None else jnp.minimum(step / growing_up_to, 1.0)
    return jnp.where(step > 0, reducible * jnp.exp(-step * growth * slope_error), reducible)


def stretch(outcome: jax.Array, fitted: jax.Array, slope_error: jax.Array) -> jax.Array:
    """Stretch what an outcome without a limit gains beyond the edge of the fitted runs by ``1 + slope_error``.

    Parameters
    ----------
    outcome, fitted : array, shape (run, ...) and (fitted run, ...)
        Outcome at the targets and at the fitted runs, with the sign that makes it better lower.
    slope_error : array
        Relative error of the slope, broadcast against the targets.

    Returns
    -------
    array
        The outcome, unchanged inside the data; beyond its edge e it is ``e - (e - outcome) (1 + slope_error)``.
    """
    edge = _edge(fitted)
    return outcome - jnp.maximum(edge - outcome, 0.0) * slope_error


def _edge(fitted: jax.Array) -> jax.Array:
    """Return the frontier of the fitted runs, shape (...): a low quantile of those that are no padding.

    Decisions ask for it thousands of times.  The lowest values are found one after another, which takes a tenth of the
    time of a sort where they are few.
    """
    if len(fitted) > FEW:
        return jnp.nanquantile(fitted, EDGE_QUANTILE, axis=0)
    place = EDGE_QUANTILE * (jnp.sum(~jnp.isnan(fitted), axis=0) - 1)
    first = jnp.floor(place)
    values = jnp.where(jnp.isnan(fitted), jnp.inf, fitted)

    def next_lowest(_: int, found: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        last, below, low, high = found
        lowest = jnp.min(jnp.where(values > last, values, jnp.inf), axis=0)
        up_to = jnp.sum(values <= lowest, axis=0)
        low = jnp.where((below <= first) & (first < up_to), lowest, low)
        high = jnp.where((below <= first + 1) & (first + 1 < up_to), lowest, high)
        return lowest, up_to, low, high

    none = jnp.full(place.shape, jnp.nan, values.dtype)
    start = (jnp.full_like(none, -jnp.inf), jnp.zeros_like(none, dtype=int), none, none)
    passes = math.floor(EDGE_QUANTILE * (len(fitted) - 1)) + 2
    _, _, low, high = jax.lax.fori_loop(0, passes, next_lowest, start)
    share = place - first
    return jnp.where(share > 0, low * (1 - share) + high * share, low)
