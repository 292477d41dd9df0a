"""Compute-optimal allocation: how a FLOP budget is best split between parameters and tokens."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import DecisionError
from bayes_scaling.frontier import at_edge, optimal_size
from bayes_scaling.intervals import quantile_columns
from bayes_scaling.scale import positive, require_size_and_data
from bayes_scaling.surface import Surface, as_surface

if TYPE_CHECKING:
    from bayes_scaling.posterior import Posterior

__all__ = ["Allocation", "allocate"]


@dataclasses.dataclass(frozen=True, eq=False)
class Allocation:
    """The best split of each budget, draw by draw.

    Attributes
    ----------
    surface : Surface
        What it was found on.
    flops : array, shape (budget,)
        Budgets in FLOPs, by the surface's rule.
    N, D : array, shape (sample, budget)
        Optimal parameters and tokens.
    outcome : array, shape (sample, budget)
        Expected outcome there, with the discrepancy unless it was switched off.
    edge : array of bool, shape (sample, budget)
        Where a draw has no optimum: its outcome gets better to the end of the range searched.
    """

    surface: Surface
    flops: np.ndarray
    N: np.ndarray
    D: np.ndarray
    outcome: np.ndarray
    edge: np.ndarray

    @property
    def tokens_per_parameter(self) -> np.ndarray:
        """Optimal tokens per parameter, shape (sample, budget)."""
        return self.D / self.N

    def table(self) -> pd.DataFrame:
        """Return one row per budget and quantity.

        Returns
        -------
        pandas.DataFrame
            ``flops``, ``quantity`` (``n_params``, ``tokens``, ``tokens_per_parameter`` and the outcome), ``unit``,
            ``q05``, ``q25``, ``median``, ``q75``, ``q95``, and ``no_optimum``, the share of draws without one.
        """
        units = self.surface.posterior.study.card.units
        blocks = [
            ("n_params", units.get("n_params", "parameters"), self.N),
            ("tokens", "tokens", self.D),
            ("tokens_per_parameter", "tokens per parameter", self.tokens_per_parameter),
            (self.surface.quantity, self.surface.unit, self.outcome),
        ]
        rows = [
            pd.DataFrame({"flops": self.flops, "quantity": name, "unit": unit, **quantile_columns(draws)})
            for name, unit, draws in blocks
        ]
        table = pd.concat([r.assign(no_optimum=self.edge.mean(0)) for r in rows]).sort_index(kind="stable")
        return table.reset_index(drop=True)

    def exponents(self) -> pd.DataFrame:
        """Return the exponents of N*(C) and D*(C): slopes in the logarithms over the budgets, per draw.

        Returns
        -------
        pandas.DataFrame
            One row per exponent (``n_params``, ``tokens``): ``q05``, ``q25``, ``median``, ``q75``, ``q95``.

        Raises
        ------
        DecisionError
            There is a single budget.
        """
        rows = [{"quantity": name, **quantile_columns(draws)} for name, draws in self.slopes().items()]
        return pd.DataFrame(rows)

    def slopes(self) -> dict[str, np.ndarray]:
        """Return the draws of the exponents, each of shape (sample,); raises as :meth:`exponents`."""
        x = np.log(self.flops)
        if np.ptp(x) == 0:
            raise DecisionError(f"An exponent needs two budgets, and {self.flops[0]:g} is the only one; give another.")
        x = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        return {"n_params": np.log(self.N) @ x, "tokens": np.log(self.D) @ x}

    def plot(self, ax: Any = None) -> Any:
        """Draw the optimal size over the budget; see :func:`bayes_scaling.decision_plots.plot_frontier`."""
        from bayes_scaling.decision_plots import plot_frontier

        return plot_frontier(self, ax)


def allocate(source: Posterior | Surface, budgets: Any) -> Allocation:
    r"""Split FLOP budgets between parameters and tokens as well as the law allows, draw by draw.

    .. math:: N^*(C), D^*(C) = \arg\min_{\mathrm{FLOPs}(N, D) = C} L(N, D)

    found numerically, so for any law of N and D.  For the Chinchilla law with C = 6ND it is
    :math:`N^* = G (C/6)^{a}`, :math:`D^* = G^{-1} (C/6)^{b}`, :math:`a = \alpha_D / (\alpha_N + \alpha_D)`,
    :math:`G = (\alpha_N A / \alpha_D B)^{1/(\alpha_N + \alpha_D)}` [1]_.

    Parameters
    ----------
    source : Posterior or Surface
        A converged fit; a surface to choose the FLOP convention, the outcome or the discrepancy.
    budgets : float or sequence of float
        Training FLOPs.

    Returns
    -------
    Allocation

    Raises
    ------
    DecisionError
        A budget is not a positive number.
    LawError
        The law does not read both N and D.
    ConvergenceError
        The fit did not converge.

    References
    ----------
    .. [1] Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556, equation 4.
    .. [2] Besiroglu et al. 2024, "Chinchilla Scaling: A replication attempt", arXiv 2404.10102, section 4.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> posterior = bs.fit(law, study, seed=0)  # doctest: +SKIP
    >>> bs.allocate(posterior, [1e21, 1e24]).table()  # doctest: +SKIP
    """
    surface = as_surface(source)
    require_size_and_data(surface.posterior.law, "A compute-optimal allocation")
    C = positive(budgets, "budget", "1e24 FLOPs")
    N = optimal_size(surface, C)
    D = surface.rule.tokens(N, C)
    return Allocation(surface, C, N, D, surface.at(N, D), at_edge(N, C))
