"""Parameters and further inputs chosen together at a budget, within bounds and a limit such as memory."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bayes_scaling.decisions.solvers import bisect, minimise
from bayes_scaling.errors import DecisionError, LawError

if TYPE_CHECKING:
    from bayes_scaling.decisions.surface import Surface

__all__ = ["MAX_SIZE_STEP", "JointOptimum", "size_range"]

Place: TypeAlias = Mapping[str, np.ndarray]
"""Logarithms of N and of each further input, each of shape (sample, budget)."""

MAX_SIZE_STEP = np.log(1e5)  # how far N may be from the size with as many parameters as tokens, either way
ROUNDS = 12  # in which N and further inputs are chosen in turn
SETTLED = 1e-5  # movement, in logarithms, below which they are chosen
ROUNDING = 1e-9  # of log N, by which the largest size there is room for stays below the limit


def size_range(C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest log N that is looked at for budgets in FLOPs, each of their shape."""
    centre = 0.5 * np.log(C / 6)
    return centre - MAX_SIZE_STEP, centre + MAX_SIZE_STEP


class JointOptimum:
    """The best N and further inputs of every draw at every budget.

    Parameters
    ----------
    surface : Surface
        Of a law of N, D and the further inputs.
    C : array, shape (budget,)
        Training FLOPs.
    bounds : mapping of str to (float, float)
        Of each further input.
    within : callable or None
        Says for which models there is room; where there is for a model, there is for every smaller one.
    """

    def __init__(
        self,
        surface: Surface,
        C: np.ndarray,
        bounds: Mapping[str, tuple[float, float]],
        within: Callable[..., Any] | None,
    ) -> None:
        self.surface, self.bounds, self.within = surface, bounds, within
        self.C = np.broadcast_to(C, (len(surface), C.shape[-1]))
        self.ends = {"N": size_range(self.C)}
        for name, (low, high) in bounds.items():
            self.ends[name] = np.full(self.C.shape, np.log(low)), np.full(self.C.shape, np.log(high))

    def find(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return N and the further inputs, each of shape (sample, budget).

        One after the other, given the rest, from each corner of the bounds and until none moves; the best corner
        counts.

        Raises
        ------
        DecisionError
            There is no room for any model.
        LawError
            There is, and what the law expects of it is no number.
        """
        lost = np.zeros(self.C.shape, bool)
        best, lowest = {name: low for name, (low, _) in self.ends.items()}, np.full(self.C.shape, np.inf)
        for corner in itertools.product((0, 1), repeat=len(self.bounds)):
            start = {name: self.ends[name][side] for name, side in zip(self.bounds, corner, strict=True)}
            place = self._from({**start, "N": np.mean(self.ends["N"], axis=0)})
            value = self._outcome(place)
            better, lost = value < lowest, lost | np.isnan(value)
            best = {name: np.where(better, place[name], best[name]) for name in self.ends}
            lowest = np.where(better, value, lowest)
        if (lost & ~np.isfinite(lowest)).any():
            budget = self.C[lost & ~np.isfinite(lowest)][0]
            raise LawError(
                f"{self.surface.laws} expects no {self.surface.quantity} that is a number of any model at {budget:g} "
                "FLOPs; decide on nearer budgets, or on a law that has a number there."
            )
        if not np.isfinite(lowest).all():
            raise DecisionError(
                "There is no room for any model within the bounds of over=; let within= allow more, or lower bounds."
            )
        return np.exp(best["N"]), {name: np.exp(best[name]) for name in self.bounds}

    def _from(self, place: Place) -> Place:
        """Return where choosing one after the other ends that starts here."""
        place = {**place, "N": self._size(place)}
        for _ in range(ROUNDS):
            before = place
            for name in self.bounds:
                place = {**place, name: self._input(name, place)}
                place = {**place, "N": self._size(place)}
            if max(np.abs(place[name] - before[name]).max() for name in self.ends) < SETTLED:
                break
        return place

    def _size(self, place: Place) -> np.ndarray:
        """Return the best log N, the rest as it is."""
        return minimise(lambda x: self._outcome({**place, "N": x}), self.ends["N"][0], self._largest(place))

    def _input(self, name: str, place: Place) -> np.ndarray:
        """Return the best value of one input, with the N so far or the largest that there is room for beside it."""

        def tried(x: np.ndarray) -> np.ndarray:
            there = {**place, name: x}
            if self.within is None:
                return self._outcome(there)
            most = self._largest(there)
            smaller = {**there, "N": np.minimum(place["N"], most)}
            return np.fmin(self._outcome(smaller), self._outcome({**there, "N": most}))

        return minimise(tried, *self.ends[name])

    def _outcome(self, place: Place) -> np.ndarray:
        """Return the expected outcome, with the sign that makes it better lower; infinite where there is no room."""
        N, inputs = np.exp(place["N"]), {name: np.exp(place[name]) for name in self.bounds}
        found = self.surface.ranked(N, self.surface.rule.tokens(N, self.C), given=inputs)
        return np.where(self._allowed(place), found, np.inf)

    def _largest(self, place: Place) -> np.ndarray:
        """Return the log of the largest N there is room for."""
        low, high = self.ends["N"]
        free = self._allowed({**place, "N": high})
        if free.all():
            return high
        limit = bisect(lambda x: self._allowed({**place, "N": x}), low, high) - ROUNDING
        return np.where(free, high, np.maximum(limit, low))

    def _allowed(self, place: Place) -> np.ndarray:
        """Say of which models there is room for.

        Raises
        ------
        DecisionError
            The limit does not take the inputs by name, or does not answer with true and false.
        """
        if self.within is None:
            return np.ones(self.C.shape, bool)
        model = {name: np.exp(place[name]) for name in self.ends}
        _require_takes(self.within, model)
        said = np.asarray(self.within(**model))
        if said.dtype != bool or said.shape not in ((), self.C.shape):
            raise DecisionError(
                "The limit within= does not say true or false of each model; compare with a number, as in "
                f"lambda {', '.join(model)}: 2 * N <= 80e9."
            )
        return np.broadcast_to(said, self.C.shape)


def _require_takes(within: Callable[..., Any], model: Mapping[str, Any]) -> None:
    """Refuse a limit that does not take the inputs by name; what is raised inside it is its own."""
    try:
        signature = inspect.signature(within)
    except (TypeError, ValueError):  # of some functions that are compiled nothing is known
        return
    try:
        signature.bind(**model)
    except TypeError as error:
        raise DecisionError(
            f"The limit within= does not take {', '.join(model)} by name ({error}); give a function of these."
        ) from error
