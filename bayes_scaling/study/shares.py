"""Whether the shares of a mixture of training data are shares: none negative, and one in sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import listed
from bayes_scaling.problems import Problem
from bayes_scaling.study.rows import row_name
from bayes_scaling.study.validation import number_of

__all__ = ["by_run", "no_mixtures", "not_shares"]

MOST_ROWS = 3  # that a sentence names
ROUNDING = 0.01  # by which a sum of shares may be off
REMEDY = "give fractions that sum to 1, with a column for the other domains where these are not all"


def not_shares(columns: Mapping[str, np.ndarray], shares: Sequence[str], name: Callable[[Any], str]) -> Problem | None:
    """Return what is wrong with the shares of a law; None where they are shares, or the law reads none.

    Parameters
    ----------
    columns : mapping of str to array, shape (row,)
        The shares by name; NaN where one is not known.
    shares : sequence of str
        Their names.
    name : callable
        Returns what the row at a place is called.

    Examples
    --------
    >>> not_shares({"web": np.array([70.0]), "code": np.array([30.0])}, ["web", "code"], "run {}".format).sentence
    'The shares web and code of run 0 sum to 100'
    """
    if not shares:
        return None
    table = np.stack([columns[share] for share in shares])
    total = table.sum(axis=0)
    if (off := np.flatnonzero(np.abs(total - 1) > ROUNDING * (1 + 1e-9))).size:
        rows, sums = listed(map(name, off), MOST_ROWS), dict.fromkeys(f"{total[place]:.4g}" for place in off)
        sentence = f"The shares {listed(shares)} of {rows} sum to {listed(sums, MOST_ROWS)}"
        return Problem("no-mixture", sentence, REMEDY, float(total[off[0]]), shares[0])
    if (table < 0).any():
        share, place = np.argwhere(table < 0)[0]
        sentence = f"The share {shares[share]} of {name(place)} is {table[share, place]:.4g}"
        return Problem("no-mixture", sentence, REMEDY, float(table[share, place]), shares[share])
    return None


def by_run(rows: pd.DataFrame) -> Callable[[Any], str]:
    """Return how to call a row of a table by its run: whatever the task, its mixture is one."""
    return lambda place: row_name(rows.drop(columns="task", errors="ignore"), place)


def no_mixtures(runs: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether the shares that a law reads, if it reads any, are shares."""
    names = [] if law is None else [law.columns[share] for share in law.shares]
    if set(names) <= set(runs):
        known = {column: np.array([number_of(value) for value in runs[column]]) for column in names}
        if problem := not_shares(known, names, by_run(runs)):
            yield problem
