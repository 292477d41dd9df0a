"""Which rows of a table become runs: those a query keeps, those without gaps, and repeats told apart by their seed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError, listed, option, suggest
from bayes_scaling.study.losses import loss_columns
from bayes_scaling.study.reading import SYMBOLS, symbol_of
from bayes_scaling.study.rows import comparable, keys, row_name, row_number, shown
from bayes_scaling.study.validation import FINISHED, OUTCOME, SIZES, number_of, unfit, where_known

__all__ = [
    "SETS",
    "asked_for",
    "infinite_losses",
    "kept_by",
    "left_by",
    "named_apart",
    "other_inputs",
    "other_run",
    "replicates",
    "unfinished",
    "without_gaps",
    "without_role",
]

SEED, SETS = "seed", "train_data"
STATE = "State"
PROGRESS = ("tokens", "steps")  # what the checkpoints of one run differ in
QUOTED = re.compile(r"""'(\\.|[^'\\])*'|"(\\.|[^"\\])*"|`[^`]*`""")
MOST = 6  # rows or runs that a sentence names


def kept_by(table: pd.DataFrame, query: str, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows that a pandas query keeps; it may speak of our columns and of the user's own names of them.

    Parameters
    ----------
    table : pandas.DataFrame
        The table, with our column names.
    query : str
        Which rows to keep.
    names : mapping of str to str
        The user's names of our columns.

    Raises
    ------
    StudyError
        The query cannot be read, speaks of a column that is not there, or keeps no row.
    """
    return table[asked_for(table, query, names)]


def asked_for(table: pd.DataFrame, query: str, names: Mapping[str, str], *, of_others: bool = False) -> np.ndarray:
    """Say of each row whether a pandas query keeps it, as :func:`kept_by` reads it.

    Where the query is ``of_others`` first, all rows of a table that lacks a column of which it speaks are kept.
    """
    given = f"The query {option('where', query)}"
    like = f"write it like {option('where', FINISHED)}, with backticks around names that are no words"
    if not isinstance(query, str):
        raise StudyError(f"{given} is no text; {like}.")
    both = [*((symbol, ours) for symbol, ours in SYMBOLS.items()), *((names[ours], ours) for ours in names)]
    named = {theirs: ours for theirs, ours in both if theirs not in table and ours in table}
    known = table.assign(**{theirs: table[ours] for theirs, ours in named.items()})
    if "@" in QUOTED.sub("", query):
        raise StudyError(f"{given} speaks of a variable, and only columns are known; {like}.")
    try:
        kept = known.eval(query, engine="python")
    except pd.errors.UndefinedVariableError as error:
        if of_others:
            return np.ones(len(table), dtype=bool)
        lacking = str(error).split("'")[1]
        if lacking.startswith("BACKTICK_QUOTED_STRING"):  # what pandas makes of a name in backticks
            lacking = next(name for name in re.findall("`([^`]*)`", query) if name not in known)
        raise StudyError(f"{given} speaks of {lacking!r}, which is no column; {suggest(lacking, known)}") from error
    except SyntaxError as error:
        raise StudyError(f"{given} is not a whole comparison; {like}.") from error
    except Exception as error:  # the columns' types each raise their own
        reason = " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
        raise StudyError(f"{given} cannot be read ({reason}); {like}.") from error
    if not isinstance(kept, pd.Series) or len(kept) != len(table) or not pd.api.types.is_bool_dtype(kept.dtype):
        raise StudyError(f"{given} does not say of each row whether to keep it; {like}.")
    rows = kept.fillna(False).to_numpy(dtype=bool)
    if not rows.any():
        raise StudyError(f"{given} keeps none of {len(table)} rows; loosen it.")
    return rows


def left_by(table: pd.DataFrame, kept: np.ndarray, query: str) -> list[str]:
    """Return a sentence on the rows of a table that a query does not keep."""
    return [] if kept.all() else [_left_out(table, ~kept, by=f" by {option('where', query)}")]


def other_run(runs: pd.DataFrame, place: int | np.integer) -> str:
    """Return a query that leaves one run out of the table it comes from, where its name may not be the one it has here.

    There, a seed or a training set is not in the name, and one that is text here may be a number.

    Examples
    --------
    >>> other_run(pd.DataFrame({"run": ["7B (seed 1)"], "seed": [1]}), 0)
    "run != '7B' or seed != 1"
    >>> other_run(pd.DataFrame({"run": [4]}), 0), other_run(pd.DataFrame({"run": ["4"]}), 0)
    ('run != 4', "run not in [4, '4']")
    """
    name, clauses = runs["run"].iloc[place], []
    for column in (SETS, SEED):  # what was put into the name last comes off first
        value = runs[column].iloc[place] if column in runs else None
        if isinstance(name, str) and column in runs and name.endswith(end := named_apart("", value, column)):
            name = name.removesuffix(end)
            clauses.append(f"{column} != {_literal(value)}")
    number = number_of(name) if isinstance(name, str) else np.nan
    own = f"run != {_literal(name)}" if np.isnan(number) else f"run not in [{_literal(number)}, {name!r}]"
    return " or ".join([own, *reversed(clauses)])


def other_inputs(runs: pd.DataFrame, inputs: Sequence[str]) -> str:
    """Return a query that leaves out all runs with the inputs of some; FLOPs by sizes, as they may be counted later.

    Examples
    --------
    >>> other_inputs(pd.DataFrame({"n_params": [8e8, 8e8], "tokens": [2e9, 4e9]}), ["n_params"])
    'n_params != 8e+08'
    """
    sizes = ["n_params", "tokens"]
    named = [*(sizes if {*sizes} <= set(runs) else ["flops"])] if "flops" in inputs else []
    columns = [*dict.fromkeys([*(column for column in inputs if column != "flops"), *named])]
    rows = dict.fromkeys(zip(*(where_known(runs, column) for column in columns), strict=True))
    words = [column if column.isidentifier() else f"`{column}`" for column in columns]
    clauses = [
        " or ".join(f"{word} != {_literal(value)}" for word, value in zip(words, row, strict=True)) for row in rows
    ]
    return clauses[0] if len(clauses) == 1 else " and ".join(f"({clause})" for clause in clauses)


def _literal(value: Any) -> str:
    """Return a value as a query writes it: a number as short as it is exact."""
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, float):
        return repr(value)
    return short if float(short := f"{value:g}") == value else repr(value)


def without_gaps(table: pd.DataFrame, read: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows in which nothing that is read is missing or infinite, and a sentence on those left out.

    Raises
    ------
    StudyError
        No row is left.
    """
    gaps = {column: unfit(table, column) for column in read if column in table}
    out = np.any(list(gaps.values()), axis=0) if gaps else np.zeros(len(table), dtype=bool)
    if not out.any():
        return table, []
    columns = " or ".join(column for column, missing in gaps.items() if missing.any())
    if out.all():
        raise StudyError(f"In each of {len(table)} rows {columns} is missing; give another column, or fill it in.")
    return table[~out], [_left_out(table, out, which=f", in which {columns} is missing or infinite,")]


def infinite_losses(table: pd.DataFrame) -> list[str]:
    """Return the losses of a ladder of which one is infinite, as that of a run that diverged."""
    losses = loss_columns(table) if "task" in table else []
    return [column for column in losses if np.isinf(pd.to_numeric(table[column], errors="coerce")).any()]


def _left_out(table: pd.DataFrame, out: np.ndarray, which: str = "", by: str = "") -> str:
    """Return a sentence that names the rows left out."""
    rows = listed((row_name(table, place) for place in np.flatnonzero(out)), MOST)
    return f"{out.sum()} of {len(table)} rows{which} {'were' if out.sum() > 1 else 'was'} left out{by}: {rows}."


def unfinished(table: pd.DataFrame) -> list[str]:
    """Return a sentence where some runs are not finished, by the column ``State`` of experiment trackers."""
    if STATE not in table:
        return []
    states = table[STATE].astype(str)
    stopped = states[states != "finished"]
    if stopped.empty or len(stopped) == len(table):
        return []
    what = listed(stopped.drop_duplicates(), MOST)
    verb, them = ("are", "them") if len(stopped) > 1 else ("is", "it")
    return [f"{len(stopped)} of {len(table)} rows {verb} {what}; {option('where', FINISHED)} leaves {them} out."]


def without_role(table: pd.DataFrame) -> list[str]:
    """Return a sentence where some rows have no role beside others that have one.

    Examples
    --------
    >>> without_role(pd.DataFrame({"run": ["a", "b", "c"], "role": ["train", None, "target"]}))
    ["1 of 3 rows has no role and is neither fitted nor forecast: run 'b' (row 2)."]
    """
    blank = table["role"].isna().to_numpy() if "role" in table else np.zeros(len(table), dtype=bool)
    if not blank.any() or blank.all():
        return []
    have, are = ("have", "are") if blank.sum() > 1 else ("has", "is")
    rows = listed((row_name(table, place) for place in np.flatnonzero(blank)), MOST)
    return [f"{blank.sum()} of {len(table)} rows {have} no role and {are} neither fitted nor forecast: {rows}."]


def replicates(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with runs that differ in seed or training set under own names, and sentences that say so.

    Raises
    ------
    StudyError
        Rows are alike, or are of one run and nothing tells them apart.
    """
    said: list[str] = []
    if "run" not in table:
        identity = list(table.columns)
    else:
        identity = [k for k in ("run", "task", "checkpoint") if k in table]
        for column in (SEED, SETS):
            # Checkpoints of two seeds need not coincide; two training sets may be stages of one run.
            apart = [k for k in identity if k != "checkpoint" or column != SEED]
            table, remarks = _told_apart(table, apart, column)
            said += remarks
    places: dict[tuple, list[int]] = {}
    for place, key in enumerate(keys(table, identity)):
        places.setdefault(key, []).append(place)
    repeats = [rows for rows in places.values() if len(rows) > 1]
    if repeats:
        raise StudyError(_repeated(table, identity, repeats))
    return table, said if "run" in table else said + _equal_inputs(table)


def _equal_inputs(table: pd.DataFrame) -> list[str]:
    """Return a sentence where rows without names have equal inputs, and so count as repeats of a run."""
    inputs = [column for column in table if SIZES.fullmatch(str(column))]
    if not inputs or "task" in table or "checkpoint" in table:
        return []
    factors = [c for c in table if c not in inputs and _is_factor(str(c), table[c])]
    repeated = np.flatnonzero(pd.Series(keys(table, [*inputs, *factors])).duplicated(keep=False))
    if not repeated.size:
        return []
    rows = listed((str(row_number(table, place)) for place in repeated), MOST)
    what = listed(map(symbol_of, map(str, inputs)))
    own = f"each counts as a run of its own, a repeat to a law of {what}"
    return [f"Rows {rows} have the same {what} as another row; {own}."]


def _is_factor(name: str, values: pd.Series) -> bool:
    """Say whether a column looks like one by which the runs were designed: no outcome, and its values come again."""
    return not OUTCOME.fullmatch(name) and name != SEED and 1 < values.map(str).nunique() <= len(values) / 2


def _told_apart(table: pd.DataFrame, identity: list[str], column: str) -> tuple[pd.DataFrame, list[str]]:
    """Put the seed, or the training set, into the name of each run that has several."""
    if column not in table or not table.astype({k: str for k in identity}).duplicated(identity).any():
        return table, []
    values = table.groupby(table["run"].map(str), sort=False)[column].transform(lambda s: s.map(str).nunique())
    several = (values > 1).to_numpy()
    count = table.loc[several, "run"].nunique()
    if not count:
        return table, []
    names = [
        named_apart(run, value, column) if many else str(run)
        for run, value, many in zip(table["run"], table[column], several, strict=True)
    ]
    runs = f"{count} runs were" if count > 1 else "1 run was"
    said = {SEED: f"{runs} repeated with several seeds; each repeat", SETS: f"{runs} trained on several sets; each"}
    return table.assign(run=names), [f"{said[column]} counts as a run of its own."]


def named_apart(run: object, value: object, column: str) -> str:
    """Return the name of one of the runs that a seed or a training set tells apart.

    Examples
    --------
    >>> named_apart("7B", 1.0, "seed"), named_apart("7B", "web", "train_data")
    ('7B (seed 1)', '7B (web)')
    """
    return f"{run} (seed {_plain(value)})" if column == SEED else f"{run} ({value})"


def _plain(seed: object) -> object:
    return int(seed) if isinstance(seed, (float, np.floating)) and float(seed).is_integer() else seed


def _repeated(table: pd.DataFrame, identity: list[str], repeats: list[list[int]]) -> str:
    """Return what to do about rows of one run."""
    if "run" not in table:
        rows = listed((str(row_number(table, place)) for place in repeats[0]), MOST)
        return f"Rows {rows} are alike; keep one, or tell repeats apart in a column 'run' or 'seed'."
    clauses = []
    for places in repeats[:MOST]:
        what = " on ".join(shown(table[k].iloc[places[0]], 40) for k in identity[:2])
        rows = listed((str(row_number(table, place)) for place in places), MOST)
        clauses.append(f"run {what} stands in rows {rows}")
    if len(repeats) > MOST:
        clauses.append(f"{len(repeats) - MOST} more are repeated")
    text = f"{', '.join(clauses)}; keep one row of each, or tell repeats apart by a column 'seed'"
    first = table.iloc[repeats[0]]
    alike = {column for column in ("n_params", *PROGRESS) if column in first and len({*comparable(first[column])}) == 1}
    if later := [column for column in PROGRESS if column in first and column not in alike and "n_params" in alike]:
        text = (
            f"{', '.join(clauses)}, at several {listed(map(symbol_of, later))}; keep the last checkpoint of each, or "
            "number them in a column 'checkpoint'"
        )
    elif "task" not in table:
        text += f", training sets by {SETS!r}, tasks by 'task', and checkpoints by 'checkpoint'"
    return f"{text[0].upper()}{text[1:]}."
