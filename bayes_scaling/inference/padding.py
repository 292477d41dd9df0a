"""Rows are padded to a few lengths, so that one compiled program serves studies of many sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_scaling.law.pooling import SEEN

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law

__all__ = ["bucket", "edge_of_data", "pad", "pad_study"]


def bucket(rows: int) -> int:
    """Return the padded number of rows: a power of two, or three quarters of one, and at least 16.

    Examples
    --------
    >>> [bucket(n) for n in (1, 9, 13, 100, 240)]
    [16, 16, 16, 128, 256]
    """
    size = 16
    while size < rows:
        size *= 2
    return size * 3 // 4 if size > 16 and rows <= size * 3 // 4 else size


def pad(arrays: Mapping[str, Any], rows: int, names: tuple[str, ...], fill: float | None = None) -> dict[str, Any]:
    """Lengthen the named arrays to ``rows``: by repeating the last row, or with ``fill`` (NaN leaves a row out)."""
    padded = dict(arrays)
    for name in names:
        array = np.asarray(arrays[name], dtype=float)
        tail = np.repeat(array[-1:], rows - len(array), axis=0)
        padded[name] = np.concatenate([array, tail if fill is None else np.full_like(tail, fill)])
    return padded


def pad_study(
    law: Law, runs: Mapping[str, Any], observed: Mapping[str, Any], rows: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lengthen the arrays of a study to the bucket of their rows, or of more ``rows``; what is added is left out."""
    size = bucket(rows or len(next(iter(observed.values()))))
    return pad(runs, size, law.run_inputs), pad(observed, size, tuple(observed), np.nan)


def edge_of_data(law: Law, runs: Mapping[str, Any], observed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the fitted runs, padded with NaN: beyond them the discrepancy of the law counts.

    Parameters
    ----------
    law : Law
        The law.
    runs : mapping of str to array
        Its inputs of the fitted runs, and references.
    observed : mapping of str to array, optional
        Their outcomes: where several series are not known of all runs, each ends with its own.  Runs beyond those with
        outcomes, to be made, count in all.
    """
    count = len(runs[law.run_inputs[0]])
    edge = pad(runs, bucket(count), law.run_inputs, np.nan)
    known = np.isfinite((observed or {}).get(next(iter(law.quantities)), 0.0))
    if known.ndim == 2 and not known.all():
        edge[SEEN] = np.ones((bucket(count), known.shape[1]), dtype=bool)
        edge[SEEN][: len(known)] = known
    return edge
