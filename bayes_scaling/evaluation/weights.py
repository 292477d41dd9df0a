"""What backtests say of laws: the weight of each in an average, and of each error of its slope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from bayes_scaling.evaluation.held_out import SLOPES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["WORST", "Learnt", "cut_scores", "law_weights", "mean_over", "slope_weights", "slopes_after"]

Learnt: TypeAlias = float | Mapping[float, float]
"""A number, or the numbers that it may be, each with its weight."""

WORST = -3.0  # a log density below counts as this: one run that went wrong does not decide between laws
BOOTSTRAPS = 200  # of the outcomes, over which weights are averaged


def cut_scores(densities: Sequence[np.ndarray], moments: tuple[float, float]) -> list[np.ndarray]:
    """Return the log predictive density of each outcome of each cut, under the prior of the error of the slope.

    Where a density is NaN, because the law is no number there, it counts as none.

    Parameters
    ----------
    densities : sequence of array, shape (slope, run)
        Log densities for each error in ``SLOPES``, a cut each.
    moments : (float, float)
        Mean and standard deviation of the error.
    """
    prior = slope_weights(*moments)[:, None]
    numbers = (np.where(np.isnan(density), -np.inf, density) for density in densities)
    return [np.maximum(logsumexp(density, b=prior, axis=0), WORST) for density in numbers]


def law_weights(scores: Sequence[Sequence[np.ndarray]], sharpness: ArrayLike) -> np.ndarray:
    """Return the weight of each law, shape (law,), from the scores of its outcomes, a list of cuts for each law.

    An array of sharpness, of shape (value, 1, 1), gives weights of shape (value, law).

    The weights are averaged over Bayesian bootstraps of the outcomes: a difference that hangs on a few of them decides
    little (pseudo-BMA+, Yao et al. 2018, "Using stacking to average Bayesian predictive distributions", section 3).
    """
    if not scores[0]:
        return np.full((*np.shape(sharpness)[:-2], len(scores)), 1 / len(scores))
    each = np.array([np.concatenate(list(cuts)) for cuts in scores])
    even = np.concatenate([np.full(len(cut), 1 / len(cut)) for cut in scores[0]])
    share = np.random.default_rng(0).exponential(size=(BOOTSTRAPS, each.shape[1])) * even
    share /= share.sum(axis=1, keepdims=True)
    return softmax(sharpness * (share @ each.T), axis=-1).mean(axis=-2)


def slope_weights(mean: float, spread: float) -> np.ndarray:
    """Return the weight of each error in ``SLOPES`` under a normal prior, shape (slope,)."""
    return softmax(_log_prior(mean, spread))


def _log_prior(mean: float, spread: float) -> np.ndarray:
    return norm.logpdf(SLOPES, mean, max(spread, 1e-3))


def slopes_after(densities: Sequence[np.ndarray], moments: tuple[float, float], own_cuts: ArrayLike) -> np.ndarray:
    """Return the weight of each error in ``SLOPES`` given the cuts of a study, shape (slope,).

    Parameters
    ----------
    densities, moments
        As for :func:`cut_scores`; without cuts the prior stays.  An outcome with a density that is NaN tells nothing.
    own_cuts : float or array, shape (value, 1)
        Observations that all cuts together count for; an array gives weights of shape (value, slope).
    """
    if not densities:
        return slope_weights(*moments)
    told = (np.where(np.isnan(density).any(axis=0), 0.0, density) for density in densities)
    evidence = np.mean([density.mean(axis=1) for density in told], axis=0)
    return softmax(_log_prior(*moments) + own_cuts * evidence, axis=-1)


def mean_over(found: Callable[[np.ndarray], np.ndarray], learnt: Learnt) -> np.ndarray:
    """Return what follows from a number that is known up to a distribution, averaged over it.

    Parameters
    ----------
    found : callable
        Takes numbers, shape (value,), and returns what follows from each, of shape (value, ...).
    learnt : float or mapping of float to float
        The number, or its values with their weights.

    Examples
    --------
    >>> mean_over(lambda values: values**2, {1.0: 0.5, 3.0: 0.5}), mean_over(lambda values: values**2, 2.0)
    (np.float64(5.0), np.float64(4.0))
    """
    weights = learnt if isinstance(learnt, Mapping) else {learnt: 1.0}
    return np.average(found(np.array([*weights])), axis=0, weights=[*weights.values()])
