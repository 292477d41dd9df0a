"""What laws read of a run's scale (parameters, tokens, FLOPs), and the numbers that users give for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import DecisionError, LawError, listed
from bayes_scaling.study.rows import row_name, shown

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law

__all__ = ["SCALE", "positive", "require_size_and_data", "scale_columns"]

SCALE = ("N", "D", "C")


def scale_columns(law: Law) -> dict[str, str]:
    """Return the inputs of scale that a law reads, N, D or C, with the names of their columns.

    Raises
    ------
    LawError
        The law makes one of them of other columns.
    """
    read = [name for name in SCALE if name in law.run_inputs]
    made = [name for name in read if name not in law.columns]
    if made:
        raise LawError(
            f"{law.name} makes {' and '.join(made)} of {', '.join(law.columns.values())}, so no decision is taken on "
            "it; fit a law that reads parameters and tokens, or FLOPs."
        )
    return {name: law.columns[name] for name in read}


def require_size_and_data(law: Law, purpose: str) -> None:
    """Refuse a law that does not weigh parameters against tokens.

    Raises
    ------
    LawError
        It does not read both N and D.
    """
    if not {"N", "D"} <= set(law.run_inputs):
        raise LawError(
            f"{purpose} weighs parameters against tokens, and {law.name} reads {', '.join(law.run_inputs)}; "
            "fit a law of N and D."
        )


def positive(values: Any, what: str, example: str, *, of: pd.DataFrame | None = None) -> np.ndarray:
    """Return numbers as an array of shape (point,), or say which of them is not positive and finite.

    Parameters
    ----------
    values : number or sequence of numbers
        What the user gave.
    what, example : str
        What it is called, and an example of it, for the message.
    of : pandas.DataFrame, optional
        The table that it is a column of: its rows are named.

    Raises
    ------
    DecisionError
        One is not.
    """
    try:
        array = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        array = np.empty(0)
    bad = ~(np.isfinite(array) & (array > 0))
    if array.ndim == 1 and array.size and not bad.any():
        return array
    if array.ndim != 1 or not array.size or np.ndim(values) == 0:
        said = f"is {shown(values)}"
    else:
        where = "is" if of is None else f"in {listed(row_name(of, place) for place in np.flatnonzero(bad))} is"
        said = f"{where} {listed(f'{value:g}' for value in array[bad])}"
    raise DecisionError(f"The {what} {said}; give positive numbers, such as {example}.")
