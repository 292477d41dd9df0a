"""Compute-optimal allocation: how a FLOP budget is best split between parameters and tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sized
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from bayes_scaling.decisions.inputs import check_inputs, positive, require_size_and_data
from bayes_scaling.decisions.joint_optimum import MAX_SIZE_STEP, JointOptimum, size_range
from bayes_scaling.decisions.solvers import bisect, minimise
from bayes_scaling.decisions.surface import Surface
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.inference.posterior import require_posterior
from bayes_scaling.methods import AllocationMethods
from bayes_scaling.study.rows import shown

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Allocation", "allocate", "budget_range", "optimal_size"]

SPLINE_NODES = 17  # budgets solved exactly; beyond them a cubic spline in log C

RULE_OF_THUMB = 20.0  # tokens per parameter, Hoffmann et al. 2022
MARGIN = 0.06  # of the range of budgets that a picture shows, on either side


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Allocation(Tabled, AllocationMethods):
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
    inputs : mapping of str to array, shape (sample, budget)
        The best values of further inputs, where they were asked for; at a bound where more, or less, is always better.
    """

    surface: Surface
    flops: np.ndarray
    N: np.ndarray
    D: np.ndarray
    outcome: np.ndarray
    edge: np.ndarray
    inputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def tokens_per_parameter(self) -> np.ndarray:
        """Optimal tokens per parameter, shape (sample, budget)."""
        return self.D / self.N

    def table(self) -> pd.DataFrame:
        """Return one row per budget and quantity.

        Returns
        -------
        pandas.DataFrame
            ``flops``, ``quantity`` (``n_params``, ``tokens``, ``tokens_per_parameter``, further inputs, the outcome),
            ``unit``, ``q05``, ``q25``, ``median``, ``q75``, ``q95``, and ``no_optimum``, the share of draws without.
        """
        units = self.surface.posterior.study.card.units
        blocks = [
            ("n_params", units.get("n_params", "parameters"), self.N),
            ("tokens", units.get("tokens", "tokens"), self.D),
            ("tokens_per_parameter", "tokens per parameter", self.tokens_per_parameter),
            *((name, self.surface.posterior.study.card.unit(name), draws) for name, draws in self.inputs.items()),
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
        """Return the draws of the exponents, each of shape (sample,).

        Raises
        ------
        DecisionError
            There is a single budget.
        """
        x = np.log(self.flops)
        if np.ptp(x) == 0:
            raise DecisionError(f"An exponent needs two budgets, and {self.flops[0]:g} is the only one; give another.")
        x = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        return {"n_params": np.log(self.N) @ x, "tokens": np.log(self.D) @ x}

    @property
    def rule_of_thumb(self) -> np.ndarray:
        """The size at which each budget pays for 20 tokens per parameter, shape (budget,)."""
        rule = self.surface.rule

        def cheaper(log_N: np.ndarray) -> np.ndarray:
            return rule.cost(np.exp(log_N), RULE_OF_THUMB * np.exp(log_N)) < self.flops

        return np.exp(bisect(cheaper, np.full(len(self.flops), -10.0), np.full(len(self.flops), 60.0)))


def allocate(
    source: Posterior | Surface,
    budgets: Any,
    *,
    over: Mapping[str, tuple[float, float]] | None = None,
    within: Callable[..., Any] | None = None,
) -> Allocation:
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
    over : mapping of str to (float, float), optional
        Further inputs of the law to choose as well, each with its bounds, as in ``{"steps": (1e4, 1e6)}``.  They do not
        cost FLOPs.  An input that is what it is, such as the unique tokens at hand, is given to the surface instead
        (``Surface.of(posterior, given={"unique_tokens": 2e11})``): D over U then says how often to repeat them.
    within : callable, optional
        Which models there is room for, as in ``lambda N, num_experts: 2 * N * num_experts <= 80e9`` (bytes): called
        with N and the inputs of ``over`` as arrays, by name, it returns booleans.  Where it allows a size, it must
        allow every smaller one.

    Returns
    -------
    Allocation

    Raises
    ------
    DecisionError
        A budget is not a positive number, ``over`` names inputs without bounds, bounds are not two of them in order, or
        ``within`` allows nothing or says something else than true and false.
    LawError
        The law, or one of several that are mixed, does not read both N and D, or not an input of ``over``.
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

    How many experts, where all of them must fit into memory:

    >>> bs.allocate(posterior, 1e22, over={"num_experts": (1, 256)},
    ...             within=lambda N, num_experts: 2 * N * num_experts <= 640e9)  # doctest: +SKIP
    """
    bounds = _bounds(over)
    fits = [m.posterior for m in source.members] if isinstance(source, Surface) else [require_posterior(source)]
    for law in (fit.law for fit in fits):
        require_size_and_data(law, "A compute-optimal allocation")
        check_inputs((law,), bounds, purpose=" to choose")
    middle = {name: float(np.sqrt(low * high)) for name, (low, high) in bounds.items()}
    if isinstance(source, Surface):
        surface = dataclasses.replace(source, given={**source.given, **middle})
    else:
        surface = Surface.of(source, given=middle)
    C = positive(budgets, "budget", "1e24 FLOPs")
    if bounds or within:
        N, inputs = JointOptimum(surface, C, bounds, within).find()
    else:
        N, inputs = optimal_size(surface, C), {}
    D = surface.rule.tokens(N, C)
    return Allocation(surface, C, N, D, surface.at(N, D, given=inputs), at_edge(N, C), inputs)


def _bounds(over: Mapping[str, tuple[float, float]] | None) -> dict[str, tuple[float, float]]:
    """Return the bounds of each further input as two numbers; nothing chooses nothing, whatever its type."""
    if over is None or (isinstance(over, Sized) and not len(over)):
        return {}
    if not isinstance(over, Mapping):
        raise DecisionError(
            f"The inputs to choose are {shown(over)}; give each with its bounds, as in over={{'steps': (1e4, 1e6)}}."
        )
    found = {}
    for name, ends in over.items():
        both = positive(ends, f"bound of {name}", "over={'steps': (1e4, 1e6)}")
        if len(both) != 2 or both[0] >= both[1]:
            raise DecisionError(f"The bounds of {name} are {ends!r}; give the lower and the upper one, as (1e4, 1e6).")
        found[name] = (float(both[0]), float(both[1]))
    return found


def budget_range(surface: Surface, budgets: Any, points: int = 48) -> np.ndarray:
    """Return budgets from the smallest fitted run to the largest of ``budgets``: the abscissa of a picture.

    Parameters
    ----------
    surface : Surface
        Of a law of N and D.
    budgets : float or sequence of float
        Training FLOPs to be shown.
    points : int
        How many, evenly spaced in their logarithms.

    Examples
    --------
    >>> path = bs.allocate(surface, budget_range(surface, [1e22, 1e24]))  # doctest: +SKIP
    >>> bs.plots.plot_frontier(bs.allocate(surface, [1e22, 1e24]), path)  # doctest: +SKIP
    """
    shown = np.append(surface.fitted_flops, positive(budgets, "budget", "1e24 FLOPs"))
    margin = (shown.max() / shown.min()) ** MARGIN
    return np.geomspace(shown.min() / margin, shown.max() * margin, points)


def optimal_size(surface: Surface, C: np.ndarray) -> np.ndarray:
    """Return the compute-optimal N of each draw at each budget.

    The extrapolation discrepancy stretches outcomes and keeps their order, so the law alone decides, with its exponents
    off where the surface has them so.  Where they are not, more than ``SPLINE_NODES`` budgets that are the same for all
    draws are read off a cubic spline of log N* over log C, whose error is far below what the outcome, flat at its
    optimum, can show.

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
    if C.ndim == 1 and len(C) > SPLINE_NODES and not surface.bent:
        nodes = np.linspace(np.log(C.min()), np.log(C.max()), SPLINE_NODES)
        if nodes[-1] > nodes[0]:
            spline = CubicSpline(nodes, np.log(optimal_size(surface, np.exp(nodes))), axis=1)
            return np.exp(spline(np.log(C)))
    C = np.broadcast_to(C, (len(surface), C.shape[-1]))

    def outcome(log_N: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return surface.ranked(N, surface.rule.tokens(N, C))

    return np.exp(minimise(outcome, *size_range(C)))


def at_edge(N: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Say where an optimum lies at an end of the range searched: there the law has none, shape (sample, budget)."""
    low, high = size_range(C)
    return np.minimum(np.log(N) - low, high - np.log(N)) < MAX_SIZE_STEP * 1e-6
