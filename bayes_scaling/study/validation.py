"""Whether what is in the columns of a table of runs can be used."""

from __future__ import annotations

import dataclasses
import decimal
import numbers
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError, listed, mapped, option
from bayes_scaling.study.rows import absent, is_text, row_name, row_number, shown, task_name

__all__ = [
    "CANONICAL",
    "FINISHED",
    "FRACTION",
    "KEYS",
    "LOSS_ERROR",
    "NUMERIC",
    "OF_TASKS",
    "OUTCOME",
    "POSITIVE",
    "SIZES",
    "SYMBOLS",
    "TWICE",
    "always_read",
    "as_fractions",
    "checked",
    "column_of",
    "floats",
    "in_per_cent",
    "in_shares",
    "is_ours",
    "number_of",
    "numeric",
    "require_once",
    "small_shares",
    "unfit",
    "where_known",
    "with_numbers",
]

SYMBOLS = {"N": "n_params", "D": "tokens", "C": "flops", "D_F": "finetune_data", "D_P": "pretrain_data"}
"""The symbols of the field and their columns: parameters, tokens, FLOPs, data of fine-tuning and pre-training."""

ROLES = ("train", "target", "extra")
KEYS = ("run", "task", "target", "checkpoint", "role")
LOSS_ERROR = "loss_se"
"""The column of the standard error of each loss: a part of its noise that is known, where it is."""
CANONICAL = ("n_params", "tokens", "flops", "loss", LOSS_ERROR)
"""The columns that are checked wherever they are: what runs cost and came to is read under any law."""
OF_TASKS = ("accuracy", "chance")
"""The columns that are checked besides in a table of runs by tasks."""

SIZES = re.compile(r"n_params.*|(unique_)?tokens|flops|finetune_data|pretrain_data")
# A normalised loss may be negative.
POSITIVE = re.compile(r"n_params.*|(unique_)?tokens|flops|steps|questions|(?!.*normalised_).*loss|.*_ce")
FRACTION = re.compile(r"(.*_)?accuracy|chance|error")
OUTCOME = re.compile(r".*loss|.*_ce|(.*_)?accuracy|error")  # what a target may not have yet
NUMERIC = re.compile(f"{POSITIVE.pattern}|{FRACTION.pattern}|{LOSS_ERROR}")
GROUPED = re.compile(r"[1-9]\d{0,2}(,\d{3})+")  # a count in groups of three digits
SUFFIXED = re.compile(r"(.*\d\.?)\s?([kmbt])", re.IGNORECASE)
SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
PER_CENT = 100.0
TWICE = "twice"
"""Under which ``attrs`` of a table name the columns that its heading has more than once; the first keeps the name."""
FINISHED = "State == 'finished'"
MOST_ROWS, MOST_COMPLAINTS = 6, 4  # that a sentence names
MOST_WORDS = 2  # kinds of words for numbers that a query leaves out
PLAIN_WORDS = re.compile(r"(?!\d)[\w .()/-]*[^\W\d][\w .()/-]*")  # that need no escape in a query, and are no numbers


def column_of(symbol: str) -> str:
    """Return the column of an input: of a symbol of the field its long name, of any other input the input itself.

    Examples
    --------
    >>> column_of("N"), column_of("steps")
    ('n_params', 'steps')
    """
    return SYMBOLS.get(symbol, symbol)


def is_ours(name: str) -> bool:
    """Say whether a column is one of ours by its name, so that it is read wherever it is.

    Examples
    --------
    >>> is_ours("N"), is_ours("loss"), is_ours("val_loss")
    (True, True, False)
    """
    return (ours := column_of(name)) in (*CANONICAL, *OF_TASKS, *KEYS) or bool(SIZES.fullmatch(ours))


# -- numbers --------------------------------------------------------------------------------------------------------


def number_of(value: Any, *, size: bool = False, share: bool = False) -> float:
    """Return one entry as a float; NaN where it is none.

    Parameters
    ----------
    value : object
        A number, or text that says one.
    size : bool
        Read 32.0K, 210M, 7B and 4T as thousands, millions, billions and trillions, and 22,800,000 as a count.
    share : bool
        Read 63 % as a fraction.

    Examples
    --------
    >>> number_of("1.3B", size=True), number_of("2.5"), number_of("7B"), number_of("63.5 %", share=True)
    (1300000000.0, 2.5, nan, 0.635)
    >>> number_of("22,800,000", size=True), number_of("2,8", size=True)
    (22800000.0, nan)
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (str, numbers.Real, decimal.Decimal)):
        return np.nan
    try:
        if isinstance(value, str):
            if share and _has_sign(value):
                return number_of(value.rstrip()[:-1]) / PER_CENT
            value = value.replace(",", "") if size and GROUPED.fullmatch(value.strip()) else value
            suffixed = SUFFIXED.fullmatch(value.strip()) if size else None
            factor = SUFFIXES[suffixed[2].lower()] if suffixed else 1.0
            return np.nan if "_" in value else factor * float(suffixed[1] if suffixed else value)
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
    except ValueError:
        return np.nan


def _read(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return one column as floats, NaN where there is no number, and where an entry is neither number nor empty."""
    values = table[column]
    plain = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
    if plain:
        found = values.to_numpy(dtype=float, na_value=np.nan)
    else:
        kind = {"size": bool(SIZES.fullmatch(str(column))), "share": bool(FRACTION.fullmatch(str(column)))}
        found = np.array([number_of(value, **kind) for value in values], dtype=float)
    return found, np.isnan(found) & np.array([not absent(value) for value in values], dtype=bool)


def floats(table: pd.DataFrame, column: str, names: Mapping[str, str] | None = None) -> pd.Series:
    """Return one column as floats, NaN where it is empty; sizes may be written as 7B.

    ``names`` are the user's of our columns, for messages.

    Raises
    ------
    StudyError
        An entry is not a number.
    """
    found, wrong = _read(table, column)
    if wrong.any():
        raise StudyError(_sentence(table, [_not_numbers(table, column, wrong)], names or {}))
    return pd.Series(found, table.index)


def require_once(table: pd.DataFrame, read: Collection[str]) -> None:
    """Refuse a column that the heading of a file has twice, where it is one of those that are read.

    Raises
    ------
    StudyError
        It is.
    """
    for name in table.attrs.get(TWICE, ()):
        if name in read:
            raise StudyError(f"The column {shown(name)} appears twice in the table; keep one.")


def where_known(runs: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column that nothing has checked, NaN where it holds no number."""
    return np.array([number_of(value, size=True) for value in runs[column]], dtype=float)


def numeric(
    table: pd.DataFrame,
    column: str,
    names: Mapping[str, str] | None = None,
    *,
    signed: bool = False,
    partial: bool = False,
) -> pd.Series:
    """Return one column as floats that a fit can use: finite, and positive or a fraction where its name says so.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    column : str
        One of its columns.
    names : mapping of str to str, optional
        The user's names of our columns, for messages.
    signed : bool
        Take numbers of any sign, whatever the name says: the law that reads the column asks for them.
    partial : bool
        Some entries may be missing: the law that reads the column leaves them out.

    Raises
    ------
    StudyError
        An entry cannot be used; all such entries are named in one sentence.
    """
    require_once(table, [column])
    values, bad = _looked_at(table, column, signed, partial)
    if bad:
        raise StudyError(_sentence(table, bad, names or {}))
    return values


def with_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with floats in the columns that should hold numbers and hold nothing else."""
    found = {}
    for column in table.columns:
        if NUMERIC.fullmatch(str(column)) or SIZES.fullmatch(str(column)):
            values, wrong = _read(table, column)
            if not wrong.any() and table[column].dtype != bool:
                found[column] = values
    return table.assign(**found)


def as_fractions(table: pd.DataFrame, read: Collection[str] = ()) -> pd.DataFrame:
    """Return the table with accuracies, error rates and chances as fractions, from those in per cent.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``accuracy``, ``chance`` or ``error`` in per cent.
    read : collection of str
        Further columns that may be in per cent; those are meant whose names say that they hold fractions.  An
        ``error`` that is none of them is in per cent where it is above 1.

    Raises
    ------
    StudyError
        There is none, or a column holds nothing above 1: fractions already, or less than one per cent throughout.

    Examples
    --------
    >>> as_fractions(pd.DataFrame({"accuracy": [63.5, 71.0], "chance": 25.0})).iloc[0].tolist()
    [0.635, 0.25]
    """
    given = in_per_cent(table, read)
    return table.assign(**{column: values / PER_CENT for column, values in given.items()})


def in_per_cent(table: pd.DataFrame, read: Collection[str] = ()) -> dict[str, pd.Series]:
    """Return the columns that :func:`as_fractions` makes fractions of by their names, as numbers still in per cent.

    Examples
    --------
    >>> in_per_cent(pd.DataFrame({"accuracy": [63.5, "71 %"]}))["accuracy"].tolist()
    [63.5, 71.0]
    """
    shares = in_shares(table, read)
    if not shares:
        raise StudyError(f"{option('percent')} is about accuracies, and the table has none; leave it out.")
    found = {}
    for column in shares:
        plain = [value.rstrip()[:-1] if _has_sign(value) else value for value in table[column]]
        found[column] = floats(table.assign(**{column: plain}), column)
        if 0 < (most := found[column].max()) <= 1:
            raise StudyError(
                f"{column} is {most:g} at most, which is no percentage unless all are below one; give it in per cent "
                f"like the others, or leave {option('percent')} out."
            )
        small = found[column].between(0, 1, inclusive="neither") & ~table[column].map(_has_sign).astype(bool)
        if column == "chance" and small.any():
            value = found[column][small].iloc[0]
            raise StudyError(
                f"{row_name(table, int(np.argmax(small)))} has the chance {value:g}, which is no percentage unless "
                f"below one; give {PER_CENT * value:g}, or '{value:g}%' in a column chance to mean that."
            )
    return found


def small_shares(table: pd.DataFrame, shares: Collection[str]) -> list[str]:
    """Return a sentence on the tasks whose accuracies, in per cent like those of others, are all below one.

    ``shares`` are the columns that were in per cent, of which the table has fractions.

    Examples
    --------
    >>> table = pd.DataFrame({"task": ["a", "b"], "accuracy": [0.6, 0.0025]})
    >>> small_shares(table, ["accuracy"])[0].partition(";")[0]
    'Read as per cent: the accuracies of b, of which none is above 1'
    """
    if "accuracy" not in shares or not {"task", "accuracy"} <= set(table):
        return []
    most = table["accuracy"].groupby(table["task"]).max()
    small = most.index[(most > 0) & (most <= 1 / PER_CENT)]
    if not len(small):
        return []
    return [
        f"Read as per cent: the accuracies of {listed(map(str, small), MOST_ROWS)}, of which none is above 1; if these "
        "are fractions, give them in per cent like the others."
    ]


def in_shares(table: pd.DataFrame, read: Collection[str] = ()) -> list[Any]:
    """Return the columns of which :func:`as_fractions` makes fractions.

    Examples
    --------
    >>> in_shares(pd.DataFrame({"chance": [25.0], "error": [37.0], "tokens": [1e9]}))
    ['chance', 'error']
    """
    return [
        name
        for name in table
        if name in OF_TASKS
        or (name in read and FRACTION.fullmatch(str(name)))
        or (name == "error" and _above_one(table, name))
    ]


def _above_one(table: pd.DataFrame, column: str) -> bool:
    """Say whether a column, which may hold anything, holds numbers of which one is above 1."""
    found, wrong = _read(table, column)
    return not wrong.any() and bool((found > 1).any())


def _has_sign(value: Any) -> bool:
    return isinstance(value, str) and value.rstrip().endswith("%")


def unfit(table: pd.DataFrame, column: str) -> np.ndarray:
    """Say of each row whether an entry is missing, or infinite as the loss of a run that diverged."""
    found, wrong = _read(table, column)
    return (np.isinf(found) | (np.isnan(found) & ~_may_be_missing(table, column))) & ~wrong


# -- the whole table ------------------------------------------------------------------------------------------------


def always_read(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the columns that are checked when a table becomes a study; others are when something reads them."""
    return (*CANONICAL, *OF_TASKS) if "task" in table else CANONICAL


def checked(table: pd.DataFrame, read: Iterable[str], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the table with the columns that are read as floats, or say in one sentence what is wrong with it.

    Parameters
    ----------
    table : pandas.DataFrame
        Its index plus one is the number of each row in the file.
    read : iterable of str
        Columns to check besides those that always are.
    names : mapping of str to str, optional
        The user's names of our columns, for messages.

    Raises
    ------
    StudyError
        There is no row, a value is not a number, not finite or outside its range, a run is not named or appears twice.
    """
    if table.empty:
        raise StudyError("The table has no rows; give at least one run.")
    table, bad = table.copy(), []
    told = ~_silent(table) if "task" in table else False  # on some task; whether on all is for the law to say
    for column in dict.fromkeys((*always_read(table), *(c for c in read if NUMERIC.fullmatch(c)))):
        if column in table:
            values, complaints = _looked_at(table, column, partial=told if OUTCOME.fullmatch(column) else False)
            bad += complaints
            table[column] = values if not complaints else table[column]
    if bad:
        raise StudyError(_sentence(table, bad, names or {}, without=_without_words(table, bad)))
    for key in (k for k in KEYS if k in table):
        for place, value in enumerate(table[key]):
            if not pd.api.types.is_scalar(value) or (isinstance(value, str) and not is_text(value)):
                raise StudyError(
                    f"Row {row_number(table, place)} has {key} = {shown(value)}, which is no name; "
                    "give text or a number."
                )
        if key != "role" and (empty := np.flatnonzero(table[key].isna())).size:
            rows = listed((str(row_number(table, place)) for place in empty), MOST_ROWS)
            cure = "name them or drop the rows" if len(empty) > 1 else "name it or drop the row"
            verb = "Rows {} have" if len(empty) > 1 else "Row {} has"
            raise StudyError(f"{verb.format(rows)} no {key}; {cure}.")
        if key != "role":
            table[key] = _of_one_kind(table[key].map(task_name) if key == "task" else table[key])
    if "role" in table and (odd := np.flatnonzero(~table["role"].isin(ROLES) & table["role"].notna())).size:
        who = f"{listed((row_name(table, place) for place in odd), MOST_ROWS)} {'have' if len(odd) > 1 else 'has'}"
        raise StudyError(
            f"{who[0].upper()}{who[1:]} the role {shown(table['role'].iloc[odd[0]])}, which is none of {listed(ROLES)} "
            "(fitted, forecast, neither); say which, or call the column otherwise."
        )
    return table


def _of_one_kind(names: pd.Series) -> pd.Series:
    """Return names as they are where all are text or all are numbers, otherwise as text."""
    if names.dtype == np.float16:  # by which pandas cannot look up
        return names.astype(float)
    if names.dtype != object or all(isinstance(name, str) for name in names):
        return names
    return names.map(str)


@dataclasses.dataclass(frozen=True)
class _Bad:
    """Entries of one column with one fault."""

    column: str
    places: np.ndarray
    values: list[str]
    what: str
    cure: str


def _not_numbers(table: pd.DataFrame, column: str, wrong: np.ndarray) -> _Bad:
    places = np.flatnonzero(wrong)
    like = "such as 7e9 or 7B" if SIZES.fullmatch(str(column)) else "with a point for decimals"
    values = [shown(value) for value in table[column].iloc[places]]
    return _Bad(column, places, values, "not a number", f"give plain numbers, {like}")


def _may_be_missing(table: pd.DataFrame, column: str) -> np.ndarray:
    """Say of which rows a column need not be known: errors of a loss, scores on a task, and outcomes of targets."""
    if column == LOSS_ERROR:
        return np.ones(len(table), dtype=bool)
    if column == "accuracy" and "task" in table:
        return ~_silent(table)
    if "role" in table and OUTCOME.fullmatch(str(column)):
        return np.array([isinstance(role, str) and role == "target" for role in table["role"]], dtype=bool)
    return np.zeros(len(table), dtype=bool)


def _silent(table: pd.DataFrame) -> np.ndarray:
    """Say which rows are of a run that has no outcome on any task, and no role by which it needs none."""
    known = np.zeros(len(table), dtype=bool)
    for column in (name for name in table if OUTCOME.fullmatch(str(name))):
        known |= [not absent(value) for value in table[column]]
    if "run" in table:
        runs = [repr(name) for name in table["run"]]
        heard = {run for run, told in zip(runs, known, strict=True) if told}
        known |= [run in heard for run in runs]
    if "role" in table:
        known |= [isinstance(role, str) and role != "train" for role in table["role"]]
    return ~known


def _looked_at(
    table: pd.DataFrame, column: str, signed: bool = False, partial: bool | np.ndarray = False
) -> tuple[pd.Series, list[_Bad]]:
    """Return one column as floats, and what is wrong with its entries; ``numeric`` says what is not."""
    if table[column].dtype == bool and NUMERIC.fullmatch(str(column)):
        raise StudyError(f"The column {column!r} holds true and false where numbers are needed; give numbers.")
    values, wrong = _read(table, column)
    bad = [_not_numbers(table, column, wrong)] if wrong.any() else []
    complete = ~(partial | _may_be_missing(table, column))
    tests = [
        (np.isnan(values) & ~wrong & complete, "missing", "fill in what is missing"),
        (np.isinf(values), "infinite", "repair what is infinite"),
    ]
    if POSITIVE.fullmatch(str(column)):
        tests.append(((values <= 0) & (not signed), "not positive", "repair the entries or drop the rows"))
    elif column == LOSS_ERROR:
        tests.append((values < 0, "negative", "give standard errors"))
        if "loss" in table:
            above = values > _read(table, "loss")[0]
            tests.append((above, "above the loss itself", "give standard errors in the unit of the loss"))
    elif FRACTION.fullmatch(str(column)):
        tests.append((values < 0, "negative", "give fractions between 0 and 1"))
        tests.append((values > 1, "above 1", f"give fractions between 0 and 1, or say {option('percent')}"))
    seen = wrong.copy()
    for failed, what, cure in tests:
        if (places := np.flatnonzero(failed & ~seen)).size:
            bad.append(_Bad(column, places, [f"{values[i]:g}" for i in places], what, cure))
            seen |= failed
    return pd.Series(values, table.index), bad


def _without_words(table: pd.DataFrame, bad: Iterable[_Bad]) -> str:
    """Return a query that leaves out the rows with words for numbers, where one column of them tells these rows.

    Words of more than two kinds, or in every row, are no signs of runs that failed or of a heading that is repeated.
    """
    wrong = [one for one in bad if one.what == "not a number"]
    rows = {place for one in wrong for place in one.places}
    for one in wrong if len(rows) < len(table) else ():
        found = table[one.column].iloc[one.places]
        plain = all(isinstance(word, str) and PLAIN_WORDS.fullmatch(word) for word in found)
        if plain and rows == {*one.places} and len(words := dict.fromkeys(found)) <= MOST_WORDS:
            name = one.column if one.column.isidentifier() else f"`{one.column}`"
            return " and ".join(f"{name} != '{word}'" for word in words)
    return ""


def _sentence(table: pd.DataFrame, bad: list[_Bad], names: Mapping[str, str], without: str = "") -> str:
    """Return what is wrong with a table as one sentence that names every row; ``without`` leaves words out."""
    clauses = [_clause(table, one, names) for one in bad[:MOST_COMPLAINTS]]
    if len(bad) > MOST_COMPLAINTS:
        clauses.append(f"and there are {len(bad) - MOST_COMPLAINTS} faults more")
    cures = _cures(bad)
    rows = np.unique(np.concatenate([one.places for one in bad]))
    if all(one.what == "missing" and OUTCOME.fullmatch(str(one.column)) for one in bad):
        cures.append("say in a column role which runs are to be forecast ('train' or 'target')")
    if any(one.what in ("missing", "infinite") for one in bad):
        known = {*always_read(table), *names}
        named = dict.fromkeys(mapped(one.column, one.column) for one in bad if one.column not in known)
        ways = [option("drop_missing"), *named, *([option("where", without)] if without else [])]
        cures.append(f"or leave the rows out with {' and '.join(ways)}")
    elif without:
        cures.append(f"or leave the {'row' if len(rows) == 1 else 'rows'} out with {option('where', without)}")
    if "State" in table and (stopped := sum(str(s) != "finished" for s in table["State"].iloc[rows])):
        all_of_them = "these rows" if stopped > 1 else "this row"
        whom = f"{stopped} of these {len(rows)} rows" if stopped < len(rows) else all_of_them
        cures.append(f"or with {option('where', FINISHED)}, which leaves out {whom}")
    text = f"{', '.join(clauses)}; {', '.join(cures)}."
    return text[0].upper() + text[1:]


def _cures(bad: Iterable[_Bad]) -> list[str]:
    """Return what to do, each once: behind what several cures begin with, up to a comma, stands what each adds."""
    found: dict[str, dict[str, None]] = {}
    for one in bad:
        start, _, more = one.cure.partition(", ")
        found.setdefault(start, {})[more] = None
    return [", ".join((start, *filter(None, more))) for start, more in found.items()]


def _clause(table: pd.DataFrame, bad: _Bad, names: Mapping[str, str]) -> str:
    theirs = names.get(bad.column, bad.column)
    column = bad.column if theirs == bad.column else f"{bad.column} ({shown(theirs)})"
    rows = listed((row_name(table, place) for place in bad.places), MOST_ROWS)
    several = len(bad.places) > 1
    if bad.what == "missing":
        return f"{rows} {'have' if several else 'has'} no {column}"
    values = listed(bad.values, MOST_ROWS)
    if several:
        return f"{rows} have {column} of {values}, which are {bad.what}".replace("are not a number", "are no numbers")
    return f"{rows} has {column} = {values}, which is {bad.what}"
