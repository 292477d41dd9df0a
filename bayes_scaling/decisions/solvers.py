"""Minima and crossings of many functions of one variable at once, without derivatives.

Every function takes and gives arrays of shape (sample, point): one problem per entry, all of them solved side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

__all__ = ["Curve", "bisect", "first_crossing", "minimise"]

Curve: TypeAlias = Callable[[np.ndarray], np.ndarray]
GOLDEN = (np.sqrt(5) - 1) / 2
QUIET = np.errstate(over="ignore", invalid="ignore")  # curves are looked at where numbers end, too
TOLERANCE = 1e-9


@QUIET
def minimise(curve: Curve, low: np.ndarray, high: np.ndarray, *, nodes: int = 33, steps: int = 36) -> np.ndarray:
    """Return where each curve is lowest: the best of a grid, then golden sections around it.

    Parameters
    ----------
    curve : callable
        Values at x, both of shape (sample, point); infinite, or NaN, where x is not allowed.
    low, high : array, shape (sample, point)
        Where to look.
    nodes, steps : int
        Grid points, and sections of the two grid cells around the best one: each leaves 0.618 of them.

    Returns
    -------
    array, shape (sample, point)
        The place of the minimum, precise to about 1e-7 of the curve's own scale; ``low`` or ``high`` themselves where
        the curve falls to the end.

    Examples
    --------
    >>> centres = np.array([[0.3], [0.71]])
    >>> minimise(lambda x: (x - centres) ** 2, np.zeros((2, 1)), np.ones((2, 1))).round(6).ravel().tolist()
    [0.3, 0.71]
    """

    def value_at(x: np.ndarray) -> np.ndarray:
        values = curve(x)
        return np.where(np.isnan(values), np.inf, values)  # nothing is less than NaN, which would be the minimum

    cell = (high - low) / (nodes - 1)
    best, lowest = low, value_at(low)
    for k in range(1, nodes):
        x = low + k * cell
        value = value_at(x)
        better = value < lowest
        best, lowest = np.where(better, x, best), np.where(better, value, lowest)
    a, b = np.maximum(best - cell, low), np.minimum(best + cell, high)
    left, right = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    at_left, at_right = value_at(left), value_at(right)
    for _ in range(steps):
        go_left = at_left < at_right
        a, b = np.where(go_left, a, left), np.where(go_left, right, b)
        new = np.where(go_left, b - GOLDEN * (b - a), a + GOLDEN * (b - a))
        value = value_at(new)
        left, right = np.where(go_left, new, right), np.where(go_left, left, new)
        at_left, at_right = np.where(go_left, value, at_right), np.where(go_left, at_left, value)
    found = (a + b) / 2
    return np.where(best == low, np.where(found - low < cell / 1e3, low, found),
                    np.where((best == high) & (high - found < cell / 1e3), high, found))  # fmt: skip


@QUIET
def first_crossing(curve: Curve, low: np.ndarray, high: np.ndarray, *, nodes: int, steps: int = 60) -> np.ndarray:
    """Return the first place where each curve is no longer positive: a grid, then the Illinois rule in its cell.

    Parameters
    ----------
    curve : callable
        Values at x, of the shape of x: (sample, nodes) for the grid and (sample, 1) within a cell.
    low, high : array, shape (sample, 1)
        Where to look.
    nodes, steps : int
        Grid points, and the most steps within a cell.

    Returns
    -------
    array, shape (sample, 1)
        ``low`` where the curve starts at or below zero, infinity where it stays positive.

    Examples
    --------
    >>> levels = np.array([[0.25], [4.0]])
    >>> first_crossing(lambda x: levels - x**2, np.zeros((2, 1)), np.ones((2, 1)), nodes=4).ravel().tolist()
    [0.5, inf]
    """
    grid = low + (high - low) * np.linspace(0, 1, nodes)
    values = curve(grid)
    down = values <= 0
    reached, first = down.any(1, keepdims=True), down.argmax(1)[:, None]
    before = np.maximum(first - 1, 0)
    a, b = np.take_along_axis(grid, before, 1), np.take_along_axis(grid, first, 1)
    at_a, at_b = np.take_along_axis(values, before, 1), np.take_along_axis(values, first, 1)
    x, moved = b, np.zeros(b.shape)  # which end moved last: -1 the positive one, 1 the other
    for _ in range(steps):
        with np.errstate(invalid="ignore", divide="ignore"):
            secant = (a * at_b - b * at_a) / (at_b - at_a)
        new = np.where(np.isfinite(secant), secant, (a + b) / 2)
        settled = np.abs(new - x).max() < TOLERANCE
        x = new
        if settled:
            break
        value = curve(x)
        above = value > 0
        side = np.where(above, -1.0, 1.0)
        again = np.where(side == moved, 0.5, 1.0)  # Illinois: an end that stays twice running counts half
        at_a, at_b = np.where(above, value, at_a * again), np.where(above, at_b * again, value)
        a, b, moved = np.where(above, x, a), np.where(above, b, x), side
    return np.where(reached, np.where(first == 0, low, x), np.inf)


@QUIET
def bisect(
    below: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, *, steps: int = 60
) -> np.ndarray:
    """Return where a condition that holds for small x ceases to hold, by halving.

    Parameters
    ----------
    below : callable
        Whether the condition holds at x, of the shape of x.
    low, high : array
        Where it holds and where it does not.
    steps : int
        Halvings.

    Returns
    -------
    array
        The smallest x found at which it does not hold.

    Examples
    --------
    >>> bisect(lambda x: x**2 < 2, np.zeros(1), np.full(1, 2.0)).round(6).tolist()
    [1.414214]
    """
    for _ in range(steps):
        middle = (low + high) / 2
        holds = below(middle)
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return high
