"""The compute-optimal size: for each draw and budget, the N at which the law's outcome is best."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from bayes_scaling.solvers import minimise
from bayes_scaling.surface import Surface

__all__ = ["optimal_size"]

SPAN = np.log(1e5)  # how far N may be from the size with as many parameters as tokens, either way
NODES = 17  # budgets solved exactly; beyond them a cubic spline in log C


def optimal_size(surface: Surface, C: np.ndarray) -> np.ndarray:
    """Return the compute-optimal N of each draw at each budget.

    The extrapolation discrepancy stretches outcomes and keeps their order, so the law alone decides.  More than
    ``NODES`` budgets that are the same for all draws are read off a cubic spline of log N* over log C, whose error
    is far below what the outcome, flat at its optimum, can show.

    Parameters
    ----------
    surface : Surface
        Of a law of N and D.
    C : array, shape (budget,) or (sample, budget)
        Budgets in FLOPs.

    Returns
    -------
    array, shape (sample, budget)
        Parameters; at an end of the range searched, 1e5 times more or fewer than the root of C / 6, where the outcome
        gets better up to there.
    """
    if C.ndim == 1 and len(C) > NODES:
        nodes = np.linspace(np.log(C.min()), np.log(C.max()), NODES)
        if nodes[-1] > nodes[0]:
            spline = CubicSpline(nodes, np.log(optimal_size(surface, np.exp(nodes))), axis=1)
            return np.exp(spline(np.log(C)))
    C = np.broadcast_to(C, (len(surface), C.shape[-1]))
    centre = 0.5 * np.log(C / 6)

    def outcome(log_N: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return surface.sign * surface.at(N, surface.rule.tokens(N, C), exact=True)

    return np.exp(minimise(outcome, centre - SPAN, centre + SPAN))


def at_edge(N: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Say where an optimum lies at an end of the range searched: there the law has none, shape (sample, budget)."""
    return np.abs(np.log(N) - 0.5 * np.log(C / 6)) > SPAN * (1 - 1e-6)
