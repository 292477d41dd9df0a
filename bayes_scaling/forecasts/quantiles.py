"""Quantiles of draws that may be infinite: every quantile is itself a draw."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["QUANTILES", "inside", "quantile", "quantile_columns"]

QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
"""The columns of every table of intervals, and the levels they hold."""


ENDS = {50: ("q25", "q75"), 90: ("q05", "q95")}


def inside(table: Any, actual: Any, level: int = 90) -> Any:
    """Return whether outcomes lie inside the interval of 50 or of 90 per cent of a table with these columns.

    Parameters
    ----------
    table : DataFrame, Series or mapping
        With the columns of :data:`QUANTILES`.
    actual : float, array or Series
        The outcome, or one for each row.
    level : {90, 50}
        Which interval.

    Examples
    --------
    >>> columns = quantile_columns(np.arange(100.0))
    >>> [bool(inside(columns, 10.0, level)) for level in (90, 50)]
    [True, False]
    """
    low, high = ENDS[level]
    return (table[low] <= actual) & (actual <= table[high])


def quantile(draws: Any, level: Any) -> np.ndarray:
    """Return the smallest draw that at least a share ``level`` of the draws do not exceed.

    Parameters
    ----------
    draws : array, shape (sample, ...)
        Draws; infinite ones are the largest.
    level : float or sequence of float
        Between 0 and 1.

    Examples
    --------
    >>> float(quantile([3.0, 1.0, 2.0, np.inf], 0.75)), float(quantile([1.0, np.inf], 0.9))
    (3.0, inf)
    """
    return np.quantile(np.asarray(draws, dtype=float), level, axis=0, method="inverted_cdf")


def quantile_columns(draws: Any) -> dict[str, np.ndarray]:
    """Return the columns ``q05``, ``q25``, ``median``, ``q75`` and ``q95`` of draws of shape (sample, ...)."""
    return dict(zip(QUANTILES, quantile(draws, list(QUANTILES.values())), strict=True))
