"""Regret: what a chosen size costs against the compute-optimal one, in outcome and in compute."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.decisions.allocation import optimal_size
from bayes_scaling.decisions.inputs import one_number, positive, require_size_and_data
from bayes_scaling.decisions.solvers import first_crossing
from bayes_scaling.decisions.surface import Surface, as_surface
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.methods import RegretMethods

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Regret", "regret"]

AROUND = 30.0  # by default, sizes from this many times smaller than the median optimum to as many times larger
SIZES = 41
LEAST = 1e-9  # share of the budget below which a size counts as worth nothing


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Regret(Tabled, RegretMethods):
    """The price of a size at one budget, draw by draw.

    Attributes
    ----------
    surface : Surface
        What it was found on.
    flops : float
        The budget in FLOPs.
    N : array, shape (size,)
        Sizes, in parameters.
    best : array, shape (sample,)
        The optimal size.
    outcome : array, shape (sample, size)
        How much worse the expected outcome is than at the optimum; at least 0.
    waste : array, shape (sample, size)
        Budget over the least budget with the same outcome: 1 at the optimum, 2 where half would have done.
    """

    surface: Surface
    flops: float
    N: np.ndarray
    best: np.ndarray
    outcome: np.ndarray
    waste: np.ndarray

    def table(self) -> pd.DataFrame:
        """Return one row per size and kind of regret.

        Returns
        -------
        pandas.DataFrame
            ``flops``, ``n_params``, ``tokens``, ``quantity`` (the outcome, or ``compute`` as a factor), ``q05``,
            ``q25``, ``median``, ``q75``, ``q95``, and ``mean``, which the least expected regret goes by.
        """
        D = self.surface.rule.tokens(self.N, self.flops)
        place = {"flops": self.flops, "n_params": self.N, "tokens": D}
        blocks = [
            pd.DataFrame({**place, "quantity": name, **quantile_columns(draws), "mean": draws.mean(0)})
            for name, draws in ((self.surface.quantity, self.outcome), ("compute", self.waste))
        ]
        return pd.concat(blocks).sort_index(kind="stable").reset_index(drop=True)

    @property
    def choice(self) -> float:
        """The size of least expected regret in the outcome, among ``N``."""
        return float(self.N[np.argmin(self.outcome.mean(0))])


def regret(source: Posterior | Surface, budget: float, sizes: Any = None) -> Regret:
    """Return what each size costs against the compute-optimal one, draw by draw.

    Parameters
    ----------
    source : Posterior or Surface
        A converged fit; a surface to choose the FLOP convention, the outcome or the discrepancy.
    budget : float
        Training FLOPs, spent at every size.
    sizes : sequence of float, optional
        Parameters; by default 41 sizes around the median optimum.

    Returns
    -------
    Regret

    Raises
    ------
    DecisionError
        The budget, or a size, is not one positive number.
    ConvergenceError
        The fit did not converge.
    LawError
        The law does not read both N and D.

    Notes
    -----
    The discrepancy moves losses of equal expected value alike, so the compute-equivalent does not depend on it.
    Besiroglu et al. 2024 (arXiv 2404.10102, section 4) plot the optimum with its band; the regret says what missing it
    costs, which near the optimum is little.
    """
    surface = as_surface(source)
    require_size_and_data(surface.posterior.law, "A regret")
    C = np.array([one_number(budget, "budget", "1e24 FLOPs")])
    best = optimal_size(surface, C)
    middle = float(np.median(best))
    N = np.geomspace(middle / AROUND, middle * AROUND, SIZES) if sizes is None else positive(sizes, "size", "7e9")
    D = surface.rule.tokens(N, C)
    worse = surface.sign * (surface.at(N, D) - surface.at(best, surface.rule.tokens(best, C)))
    return Regret(surface, float(C[0]), N, best[:, 0], np.maximum(worse, 0.0), _waste(surface, C, N, D))


def _waste(surface: Surface, C: np.ndarray, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Return by how much the budget exceeds the least one with the same outcome: a column of crossings per size."""
    values = surface.ranked(N, D)
    low, high = np.log(C * LEAST), np.log(C * (1 + 1e-9))
    nodes = np.linspace(low[0], high[0], 28)
    # The frontier of each draw on a common grid; what lies between its nodes is found on the law itself.
    path = None if surface.bent else np.log(optimal_size(surface, np.exp(nodes)))

    def frontier(log_C: np.ndarray) -> np.ndarray:
        if path is None:  # best sizes are not smooth
            N = optimal_size(surface, np.broadcast_to(np.exp(log_C), (len(surface), log_C.shape[1])))
        else:
            N = np.exp(np.stack([np.interp(x, nodes, y) for x, y in zip(log_C, path, strict=True)]))
        return surface.ranked(N, surface.rule.tokens(N, np.exp(log_C)))

    columns = []
    for value in values.T:
        level = value[:, None] + 1e-12

        def above(log_C: np.ndarray, level: np.ndarray = level) -> np.ndarray:
            return frontier(log_C) - level

        start, stop = (np.full((len(surface), 1), end[0]) for end in (low, high))
        log_C = first_crossing(above, start, stop, nodes=len(nodes))
        columns.append(np.exp(np.log(C) - np.minimum(log_C, np.log(C)))[:, 0])
    return np.stack(columns, axis=1)
