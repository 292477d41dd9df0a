"""Scores of predictive draws against outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["crps", "of_outcome", "pit", "score_table", "summarise"]


def crps(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the continuous ranked probability score of draws, in the unit of the outcome; smaller is better.

    Parameters
    ----------
    draws : array, shape (sample, outcome)
        Predictive draws.
    actual : array, shape (outcome,)
        Outcomes.

    References
    ----------
    .. [1] Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", equation 21.

    Examples
    --------
    >>> crps(np.array([[0.0], [1.0]]), np.array([0.0]))
    array([0.25])
    """
    ordered = np.sort(np.asarray(draws, dtype=float), axis=0)
    n = len(ordered)
    rank = np.arange(1, n + 1).reshape(-1, *([1] * (ordered.ndim - 1)))
    spread = ((2 * rank - n - 1) * ordered).sum(axis=0) / n**2
    return np.abs(ordered - actual).mean(axis=0) - spread


def of_outcome(values: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return values as multiples of the size of outcomes; NaN where one is 0, of which nothing is a multiple.

    Examples
    --------
    >>> of_outcome(np.array([1.0, 1.0, 2.0]), np.array([4.0, -4.0, 0.0])).tolist()
    [0.25, 0.25, nan]
    """
    size = np.abs(np.asarray(outcome, dtype=float))
    return np.divide(values, size, out=np.full(np.shape(size), np.nan), where=size != 0)


def pit(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the place of outcomes among draws: the share of these below, and half of those that are equal.

    Parameters
    ----------
    draws : array, shape (sample, outcome)
        Predictive draws.
    actual : array, shape (outcome,)
        Outcomes.

    Examples
    --------
    >>> pit(np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0.0]))
    array([0.375])
    """
    return (draws < actual).mean(axis=0) + (draws == actual).mean(axis=0) / 2


def score_table(draws: np.ndarray, actual: np.ndarray) -> pd.DataFrame:
    """Return one row of scores per outcome.

    Parameters
    ----------
    draws : array, shape (sample, outcome)
        Predictive draws.
    actual : array, shape (outcome,)
        Outcomes; ``relative_error`` is NaN where one is 0.
    """
    median = np.median(draws, axis=0)
    table = pd.DataFrame({"actual": actual, "median": median, "error": median - actual})
    table["relative_error"] = of_outcome(table["error"].to_numpy(), actual)
    table["crps"] = crps(draws, actual)
    table["pit"] = pit(draws, actual)
    for level in (50, 80, 90):
        low, high = np.quantile(draws, [0.5 - level / 200, 0.5 + level / 200], axis=0)
        table[f"in{level}"] = (low <= actual) & (actual <= high)
        table[f"width{level}"] = high - low
    return table


def summarise(scores: pd.DataFrame, by: list[str] | None = None) -> pd.DataFrame:
    """Average a table of scores: MAE, MAPE, signed bias, CRPS, coverage and width, over all or by group.

    Relative errors and widths of outcomes of exactly 0 are not defined, and are left out of their means.

    Parameters
    ----------
    scores : DataFrame
        What :func:`score_table` returned, or :meth:`Forecast.score <bayes_scaling.Forecast.score>`.
    by : list of str, optional
        Columns whose values make a group each; by default all are one.

    Returns
    -------
    pandas.DataFrame
        ``n``, ``mae``, ``mape`` and ``bias`` (fractions of the actual), ``crps``, ``cover50``, ``cover80``,
        ``cover90`` (fractions), ``width90`` (unit of the outcome) and ``relative_width90``.
    """
    rows = scores.assign(
        abs_error=scores["error"].abs(),
        abs_relative=scores["relative_error"].abs(),
        relative_width=of_outcome(scores["width90"].to_numpy(), scores["actual"].to_numpy()),
        everything="all",
    )
    grouped = rows.groupby(by or ["everything"], sort=False)
    return grouped.agg(
        n=("actual", "size"),
        mae=("abs_error", "mean"),
        mape=("abs_relative", "mean"),
        bias=("relative_error", "mean"),
        crps=("crps", "mean"),
        cover50=("in50", "mean"),
        cover80=("in80", "mean"),
        cover90=("in90", "mean"),
        width90=("width90", "mean"),
        relative_width90=("relative_width", "mean"),
    )
