"""Where one recipe reaches what another reaches: scales, ways to grow from there, and the crossing, draw by draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from bayes_scaling.decisions.allocation import optimal_size
from bayes_scaling.decisions.inputs import one_number, positive, reads_compute_alone, require_size_and_data
from bayes_scaling.decisions.solvers import first_crossing
from bayes_scaling.decisions.surface import Surface
from bayes_scaling.errors import COMMAND_LINE, DecisionError
from bayes_scaling.study.reading import symbol_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law

__all__ = ["MAX_FACTOR", "Path", "cost_of", "inputs_of", "needed_for", "point_of", "read_scale", "routes"]

MAX_FACTOR = 1e12  # how many times more, or less, of A's amount is looked for; B never gets there beyond
DECADES = int(np.log10(MAX_FACTOR))
Path = Callable[[np.ndarray], dict[str, np.ndarray]]


def read_scale(at: Any, laws: Iterable[Law]) -> list[dict[str, float]]:
    """Return the scales asked for, each ``{"C": ...}`` or ``{"N": ..., "D": ...}``, checked.

    Parameters
    ----------
    at : float, sequence of float, or mapping of str to float
        Training FLOPs, or a run.
    laws : iterable of Law
        The laws that are to be read there.

    Raises
    ------
    DecisionError
        One is no positive number, or names neither FLOPs nor both of size and data.
    LawError
        A law reads neither FLOPs nor both of size and data, or a run is given where a law reads FLOPs alone.
    """
    laws = list(laws)
    for law in laws:
        if not reads_compute_alone(law):
            require_size_and_data(law, "A speedup")
    if not isinstance(at, Mapping):
        return [{"C": float(budget)} for budget in positive(at, "scale", "1e24 FLOPs")]
    named = {symbol_of(str(name)): value for name, value in at.items() if name != "target"}
    named = {name: one_number(value, f"scale's {name}", "7e9") for name, value in named.items()}
    if set(named) == {"N", "D"}:
        for law in laws:
            require_size_and_data(law, "A run of given size and data")
        return [named]
    if set(named) == {"C"}:
        return [named]
    told = COMMAND_LINE.get()
    budget, run = ("--target C=1e24", "--target N=7e9,D=4e12") if told else ("at=1e24", "at={'N': 7e9, 'D': 4e12}")
    raise DecisionError(
        f"{'The target' if told else 'The scale'} gives {', '.join(named) or 'nothing'}; give training FLOPs, as in "
        f"{budget}, or a run, as in {run}."
    )


def point_of(surface: Surface, scale: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return N, D and C of A at a scale, each of shape (sample, 1), as far as there are such.

    Parameters
    ----------
    surface : Surface
        That of A.
    scale : mapping of str to float
        One of :func:`read_scale`: at a budget A has its best size.
    """
    count = (len(surface), 1)
    if "N" in scale:
        return {name: np.full(count, value) for name, value in scale.items()}
    C = np.array([scale["C"]])
    if surface.by_compute:
        return {"C": np.full(count, scale["C"])}
    N = optimal_size(surface, C)
    return {"N": N, "D": surface.rule.tokens(N, C)}


def routes(a: Surface, b: Surface, start: Mapping[str, np.ndarray], scale: Mapping[str, float]) -> dict[str, Path]:
    """Return by resource how B is made larger: its inputs at a logarithmic factor, of shape (sample, point).

    Parameters
    ----------
    a, b : Surface
        The recipe that sets the outcome, and the one that is to reach it.
    start : mapping of str to array, shape (sample, 1)
        Where A stands, by :func:`point_of`.
    scale : mapping of str to float
        The scale that this is.
    """
    if b.by_compute:
        paid = cost_of(a, start)
        return {"flops": lambda t: {"C": paid * np.exp(t)}}
    if "N" not in start:
        return {"flops": _optimum(b, scale["C"])}
    N, D = start["N"], start["D"]

    def along(t: np.ndarray) -> dict[str, np.ndarray]:  # the same tokens per parameter
        return {"N": N * np.exp(t / 2), "D": D * np.exp(t / 2)}

    return {
        "flops": _optimum(b, scale["C"]) if "C" in scale else along,
        "tokens": lambda t: {"N": np.broadcast_to(N, t.shape), "D": D * np.exp(t)},
        "n_params": lambda t: {"N": N * np.exp(t), "D": np.broadcast_to(D, t.shape)},
    }


def _optimum(surface: Surface, C: float) -> Path:
    """Return the best size and data over the budget, draw by draw: interpolated between budgets solved exactly.

    Where exponents err, each budget is solved by itself: the best size turns at every step of theirs, and between far
    budgets an interpolated one is so much worse than the best that factors come out some per cent too low.
    """

    def solved(t: np.ndarray) -> dict[str, np.ndarray]:
        budget = np.broadcast_to(C * np.exp(t), (len(surface), t.shape[1]))
        N = optimal_size(surface, budget)
        return {"N": N, "D": surface.rule.tokens(N, budget)}

    if surface.bent:
        return solved
    nodes = np.linspace(-np.log(MAX_FACTOR), np.log(MAX_FACTOR), DECADES + 5)
    sizes = np.log(optimal_size(surface, C * np.exp(nodes)))
    parts = PchipInterpolator(nodes, sizes, axis=1).c  # (power, node, sample)
    rows = np.arange(len(surface))[:, None]

    def inputs(t: np.ndarray) -> dict[str, np.ndarray]:
        t = np.broadcast_to(t, (len(surface), t.shape[1]))
        node = np.clip(np.searchsorted(nodes, t, side="right") - 1, 0, len(nodes) - 2)
        step, cubic = t - nodes[node], parts[:, node, rows]
        N = np.exp(((cubic[0] * step + cubic[1]) * step + cubic[2]) * step + cubic[3])
        return {"N": N, "D": surface.rule.tokens(N, C * np.exp(t))}

    return inputs


def needed_for(surface: Surface, goal: np.ndarray, route: Path) -> dict[str, np.ndarray]:
    """Return where B first reaches the outcome along a route, each of shape (sample, 1); infinite where never.

    Parameters
    ----------
    surface : Surface
        That of B.
    goal : array, shape (sample, 1)
        The outcome.
    route : callable
        One of :func:`routes`.
    """

    def shortfall(t: np.ndarray) -> np.ndarray:
        return surface.sign * (surface.at(**inputs_of(surface, route(t))) - goal)

    ends = [np.full((len(surface), 1), sign * np.log(MAX_FACTOR)) for sign in (-1.0, 1.0)]
    t = first_crossing(shortfall, *ends, nodes=2 * DECADES + 1)
    found = np.isfinite(t)
    inputs = route(np.where(found, t, 0.0))
    amounts = {**inputs, "C": cost_of(surface, inputs)}
    return {name: np.where(found, value, np.inf) for name, value in amounts.items()}


def cost_of(surface: Surface, point: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the training FLOPs of a point."""
    return point["C"] if "C" in point else surface.rule.cost(point["N"], point["D"])


def inputs_of(surface: Surface, point: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the inputs of scale that a law reads of a point."""
    return {"C": cost_of(surface, point)} if surface.by_compute else {name: point[name] for name in "ND"}
