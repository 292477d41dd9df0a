"""Whether what is in the columns of a table of runs can be used."""

from __future__ import annotations

import decimal
import numbers
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError

__all__ = ["FRACTION", "NUMERIC", "POSITIVE", "checked", "floats", "shown"]

KEYS = ("run", "task", "target", "checkpoint", "role")
POSITIVE = re.compile(r"n_params.*|tokens|flops|steps|.*loss|.*_ce")
FRACTION = re.compile(r"(.*_)?accuracy|chance|error")
NUMERIC = re.compile(f"{POSITIVE.pattern}|{FRACTION.pattern}")


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its numeric columns as floats, or say in one sentence what is wrong with it.

    Raises
    ------
    StudyError
        There is no row, a value is not a number, not finite or outside its range, a run is not named or appears twice.
    """
    if table.empty:
        raise StudyError("The table has no rows; give at least one run.")
    table = table.reset_index(drop=True).copy()
    for column in table.columns:
        if NUMERIC.fullmatch(str(column)):
            table[column] = _in_range(table, column)
    for key in (k for k in KEYS if k in table):
        for row, value in enumerate(table[key]):
            if not pd.api.types.is_scalar(value) or (isinstance(value, str) and not _is_text(value)):
                raise StudyError(f"Row {row} has {key} = {shown(value)}, which is no name; give text or a number.")
            if key != "role" and pd.isna(value):
                raise StudyError(f"Row {row} has no {key}; name it or drop the row.")
    identity = [k for k in ("run", "task", "checkpoint") if k in table] if "run" in table else list(table.columns)
    repeat = _first_repeat(zip(*(map(_comparable, table[k]) for k in identity), strict=True))
    if repeat is not None:
        what = ", ".join(f"{k} {shown(table.at[repeat, k])}" for k in identity[:3])
        raise StudyError(
            f"Row {repeat} repeats an earlier run ({what}); keep one, or tell repeats apart in a 'run' column."
        )
    return table


def _in_range(table: pd.DataFrame, column: str) -> pd.Series:
    if table[column].dtype == bool:
        raise StudyError(f"The column {column!r} holds true and false where numbers are needed; give numbers.")
    values = floats(table, column)
    tests = [
        (values.isna(), "missing", "fill it in or drop the row"),
        (np.isinf(values), "infinite", "drop the run or repair it"),
    ]
    if POSITIVE.fullmatch(str(column)):
        tests.append((values <= 0, "not positive", "drop the run or repair it"))
    else:
        tests.append((values < 0, "negative", "give a fraction between 0 and 1"))
        tests.append((values > 1, "above 1", "give a fraction between 0 and 1 (is it in percent?)"))
    for failed, what, remedy in tests:
        if failed.any():
            row = int(failed.idxmax())
            raise StudyError(f"Row {row} has {column} = {values[row]:g}, which is {what}; {remedy}.")
    return values


def floats(table: pd.DataFrame, column: str, *, finite: bool = False) -> pd.Series:
    """Return one column as floats, NaN where it is empty.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    column : str
        One of its columns.
    finite : bool
        Refuse empty and infinite entries too.

    Raises
    ------
    StudyError
        An entry is not a number.
    """
    values = table[column]
    plain = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
    found = values.to_numpy(dtype=float, na_value=np.nan) if plain else np.array([_number(v) for v in values], float)
    wrong = np.isnan(found) & [not _absent(value) for value in values]
    if finite:
        wrong |= ~np.isfinite(found)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise StudyError(
            f"Row {row} has {column} = {shown(values.iloc[row])}, which is not a number; give a plain number."
        )
    return pd.Series(found, values.index)


def _number(value: Any) -> float:
    """Return one entry as a float; NaN where it is none."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (str, numbers.Real, decimal.Decimal)):
        return np.nan
    try:
        return np.nan if isinstance(value, str) and "_" in value else float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]
    except ValueError:
        return np.nan


def _absent(value: Any) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _first_repeat(rows: Iterable[tuple[Any, ...]]) -> int | None:
    """Return the place of the first row that is like an earlier one."""
    seen = set()
    for place, row in enumerate(rows):
        if row in seen:
            return place
        seen.add(row)
    return None


def _comparable(value: Any) -> Any:
    """Return an entry to find repeats by: empty ones are alike, lists by what is in them."""
    if _absent(value):
        return None
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def shown(value: Any) -> str:
    """Return an entry as a few words for an error."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of too many digits
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
