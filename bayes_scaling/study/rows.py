"""Rows and entries of a table of runs in the words of a message: by run, and by the number in the file."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "MOST_NAMES",
    "PLACE",
    "absent",
    "comparable",
    "is_text",
    "keys",
    "numbered",
    "repeated",
    "row_name",
    "row_number",
    "run_names",
    "shown",
    "task_name",
]

MOST_NAMES = 12
"""Of runs or targets, that a sentence gives."""
PLACE = "TASK"
"""Stands for the name of a task in a rule such as ``accuracy_TASK``."""
ABSENT = ("", "nan", "na", "n/a", "none", "null", "-", "--", "–", "—")


def row_number(table: pd.DataFrame, place: int | np.integer) -> int:
    """Return the number of a row in the file it comes from; rows of data count from 1, the heading does not."""
    label = table.index[place]
    return int(label) + 1 if isinstance(label, (int, np.integer)) else int(place) + 1


def numbered(table: pd.DataFrame) -> list[str]:
    """Return names of rows whose runs have none: by their numbers in the file.

    Examples
    --------
    >>> numbered(pd.DataFrame({"N": [1e9, 2e9]}))
    ['row 1', 'row 2']
    """
    return [f"row {row_number(table, place)}" for place in range(len(table))]


def row_name(table: pd.DataFrame, place: int | np.integer) -> str:
    """Return what a message calls a row: its run, where runs have names, and its number in the file.

    Where there is a row for each run and task, the task is named too.

    Examples
    --------
    >>> row_name(pd.DataFrame({"run": ["a", "b"]}), 1), row_name(pd.DataFrame({"N": [1e9]}), 0)
    ("run 'b' (row 2)", 'row 1')
    """
    number = f"row {row_number(table, place)}"
    if "run" not in table or absent(run := table["run"].iloc[place]):
        return number
    task = table["task"].iloc[place] if "task" in table else None
    on = "" if absent(task) else f" on {shown(task, 40)}"
    return f"run {shown(run, 40)}{on} ({number})"


def run_names(runs: pd.DataFrame, chosen: np.ndarray) -> str:
    """Return the names of some runs, the first few of many."""
    names = [str(name) for name in (runs["run"] if "run" in runs else "row " + (runs.index + 1).astype(str))[chosen]]
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def absent(value: Any) -> bool:
    """Say whether an entry is empty, or text that stands for nothing."""
    if isinstance(value, str):
        return value.strip().lower() in ABSENT
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def is_text(value: str) -> bool:
    """Say whether text can be written to a file."""
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def comparable(values: Iterable[Any]) -> Iterator[Any]:
    """Yield entries to find repeats by: empty ones are alike, lists by what is in them."""
    for value in values:
        try:
            hash(value)
        except TypeError:
            yield repr(value)
        else:
            yield None if not isinstance(value, str) and absent(value) else value


def keys(table: pd.DataFrame, columns: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return of each row what stands in some columns, to find repeats by; a column may hold anything.

    Examples
    --------
    >>> keys(pd.DataFrame({"N": [1e9], "tags": [["a", "b"]]}), ["N", "tags"])
    [(1000000000.0, "['a', 'b']")]
    """
    return list(zip(*(comparable(table[column]) for column in columns), strict=True))


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand in a list before, in their order.

    Examples
    --------
    >>> repeated(["a", "b", "a"])
    ['a']
    """
    every = list(names)
    return [name for place, name in enumerate(every) if name in every[:place]]


def task_name(value: Any) -> Any:
    """Return what a study calls a task: text without blanks around it, also of one with a number.

    Examples
    --------
    >>> task_name(" MMLU"), task_name(5), task_name(5.0), task_name(np.float64(0.5))
    ('MMLU', '5', '5', '0.5')
    """
    if not isinstance(value, (numbers.Real, np.bool_)):
        return value.strip() if isinstance(value, str) else value
    return str(int(value) if isinstance(value, (float, np.floating)) and value.is_integer() else value)


def shown(value: Any, most: int = 60) -> str:
    """Return an entry as a few words for an error; numbers of NumPy as those of Python.

    Examples
    --------
    >>> shown("a"), shown(np.int64(126)), shown(np.float64(0.5))
    ("'a'", '126', '0.5')
    """
    value = value.item() if isinstance(value, (np.number, np.bool_, np.str_)) else value
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of too many digits
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
    return text if len(text) <= most else f"{text[: most - 3]}..."
