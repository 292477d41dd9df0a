"""Quantiles of draws that may be infinite (every quantile is itself a draw), and counts in the words of the trade."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayes_scaling.forecast import QUANTILES

__all__ = ["QUANTILES", "quantile", "quantile_columns", "short"]


def quantile(draws: Any, level: float) -> np.ndarray:
    """Return the smallest draw that at least a share ``level`` of the draws do not exceed.

    Parameters
    ----------
    draws : array, shape (sample, ...)
        Draws; infinite ones are the largest.
    level : float
        Between 0 and 1.

    Examples
    --------
    >>> float(quantile([3.0, 1.0, 2.0, np.inf], 0.75)), float(quantile([1.0, np.inf], 0.9))
    (3.0, inf)
    """
    return _pick(np.sort(np.asarray(draws, dtype=float), axis=0), level)


def quantile_columns(draws: Any) -> dict[str, np.ndarray]:
    """Return the columns ``q05``, ``q25``, ``median``, ``q75`` and ``q95`` of draws of shape (sample, ...)."""
    ordered = np.sort(np.asarray(draws, dtype=float), axis=0)
    return {name: _pick(ordered, level) for name, level in QUANTILES.items()}


def short(value: float) -> str:
    """Return a count in words of the trade.

    Examples
    --------
    >>> short(7.05e10), short(1.4e12), short(2.5e4)
    ('70.5B', '1.4T', '25k')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _pick(ordered: np.ndarray, level: float) -> np.ndarray:
    return ordered[max(int(np.ceil(level * len(ordered) - 1e-9)) - 1, 0)]
