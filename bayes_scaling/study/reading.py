"""From what a user has, a file or a Python object, to a table with the package's column names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError, listed, mapped, option, suggest
from bayes_scaling.study.formats import read_file
from bayes_scaling.study.rows import absent, repeated, row_name, shown
from bayes_scaling.study.validation import (
    CANONICAL,
    LOSS_ERROR,
    MOST_ROWS,
    NUMERIC,
    SIZES,
    SYMBOLS,
    TWICE,
    column_of,
    is_ours,
    number_of,
    require_once,
    where_known,
)

__all__ = [
    "LABELS",
    "SAME_INPUT",
    "SYMBOLS",
    "as_rows",
    "as_table",
    "by_column",
    "called",
    "column_of",
    "contradicted",
    "error_of_another",
    "in_letters",
    "labelled",
    "last_checkpoints",
    "one_row_a_run",
    "read_table",
    "recognised",
    "remedy",
    "renamed",
    "set_aside",
    "symbol_of",
    "under_our_names",
    "with_least_abscissa",
]

SAME_INPUT = 1e-6
"""Relative difference up to which the inputs of two runs are the same."""

USUAL = {
    "run": ("Name",),
    "tokens": ("train/tokens", "train/tokens_seen", "train/total_tokens"),
    "steps": ("_step", "trainer/global_step", "train/global_step"),
    "unique_tokens": ("unique_samples", "unique_examples"),
}
"""What exports of experiment trackers, and tables of images, call our columns; read where ours is not there."""

NAMELESS = "Unnamed: 0"
"""What pandas calls a first column without a name."""

LABELS = "labels"
"""Under which ``attrs`` of a table say that its runs are called by labels of rows, which no column was said to be."""

SYNONYMS = {
    "n_params": ("params", "parameters", "nparameters", "numparams", "numparameters", "modelsize", "n"),
    "tokens": ("ntokens", "numtokens", "traintokens", "trainingtokens", "tokensseen", "totaltokens", "d"),
    "loss": ("valloss", "evalloss", "validationloss", "testloss", "finalloss"),
}
"""How people call our columns, in small letters alone: told where ours is missing, and read only where it is said."""

COUNT = re.compile(r"(\d+(?:\.\d+)?(?:[kmbt](?![a-z]))?)", re.IGNORECASE)  # in the name of a checkpoint
PANEL = re.compile(r".+ - .+")  # 'run - metric', a column of the export of one picture


def symbol_of(column: str) -> str:
    """Return the symbol of a column: of one that the field has a letter for, that, of any other the column itself.

    Examples
    --------
    >>> symbol_of("n_params"), symbol_of("steps")
    ('N', 'steps')
    """
    return next((symbol for symbol, name in SYMBOLS.items() if name == column), column)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of runs from a file; names of columns lose the spaces around them.

    Suffix and content say how: CSV, TSV, or text between semicolons or bars (also compressed), JSON records or lines,
    Excel (one sheet; needs openpyxl), parquet (needs pyarrow).

    Raises
    ------
    FileError
        There is no such file, or it cannot be read as a table.
    """
    return as_table(read_file(Path(path)))


def as_table(given: Any) -> pd.DataFrame:
    """Return what a user gave as a table: pandas, polars and other data frames, records, or columns by name.

    What its index holds under a name is a column; text there names the runs, where no column does, and the index has no
    name or one that is none of our columns.

    Raises
    ------
    StudyError
        It is not one.
    """
    try:
        table = given if isinstance(given, pd.DataFrame) else _frame_of(given)
    except Exception as error:  # each library of data frames raises its own
        raise StudyError(
            f"The runs are a {type(given).__name__} that does not make a table ({' '.join(str(error).split())[:300]}); "
            "give a DataFrame, or columns of equal length by name."
        ) from error
    if table.columns.nlevels > 1:
        raise StudyError(
            f"The columns have {table.columns.nlevels} levels, such as {shown(table.columns[0])}; give each one name, "
            "as in table.columns = ['_'.join(name) for name in table.columns]."
        )
    label = table.index.name.strip() if isinstance(table.index.name, str) else table.index.name
    if any(name is not None for name in table.index.names):  # pandas keeps columns there
        table = table.reset_index(level=[name for name in table.index.names if name not in (None, *table.columns)])
    return _with_names(table.rename(columns=lambda name: name.strip() if isinstance(name, str) else name), label)


def _with_names(table: pd.DataFrame, label: Any = None) -> pd.DataFrame:
    """Return a table with the names of its runs, also those in an index or a first column that has no name itself.

    ``label`` is the name of the index, whose entries are a column by now.
    """
    if not {"run", *USUAL["run"]}.isdisjoint(table.columns):
        return table
    empty = table.isna().all(axis=1).to_numpy()
    filled = table[~empty]
    if table.index.nlevels == 1 and table.index.name is None and _are_names(list(filled.index), filled):
        table = table.rename_axis(index="run").reset_index()
        table["run"] = table["run"].mask(empty)  # so that the whole row stays empty
    elif label is not None and not is_ours(str(label)) and _are_names(table[label].tolist(), table):
        table = table.assign(run=table[label])
    elif len(table.columns) and table.columns[0] == NAMELESS and _are_names(table[NAMELESS].tolist(), table):
        table = table.assign(run=table[NAMELESS])
    else:
        return table
    table.attrs[LABELS] = True
    return table


def _are_names(given: Sequence[Any], table: pd.DataFrame) -> bool:
    """Say whether entries are names of the runs: text that is not of numbers alone, and tells the rows apart."""
    if not given or not all(isinstance(name, str) and not absent(name) for name in given):
        return False
    return any(np.isnan(number_of(name)) for name in given) and _told_apart(table.assign(run=given))


def _told_apart(table: pd.DataFrame) -> bool:
    """Say whether runs have names, and with their tasks, checkpoints and seeds are told apart by these."""
    identity = [c for c in ("run", "task", "checkpoint", "seed") if c in table]
    return bool(table["run"].notna().all()) and not table[identity].astype(str).duplicated().any()


def _frame_of(given: Any) -> pd.DataFrame:
    if isinstance(given, (str, bytes)):
        raise TypeError("a name of a file is read by from_file")
    if hasattr(given, "collect") and hasattr(given, "collect_schema"):  # a lazy frame of polars
        given = given.collect()
    if hasattr(given, "to_pandas"):
        try:
            return given.to_pandas()
        except ImportError:  # polars goes through pyarrow
            return pd.DataFrame(given.to_dict(as_series=False))
    if hasattr(given, "__dataframe__"):
        return pd.api.interchange.from_dataframe(given)
    return pd.DataFrame(given)


def as_rows(given: Any, names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return runs in any form a user may give them as a new table with our column names; its values are not checked.

    Parameters
    ----------
    given : Study, DataFrame, Series, mapping, or sequence of mappings
        A mapping of numbers, or a row of a table, is one run, a mapping of columns several.
    names : mapping of str to str, optional
        The user's own names by ours, as a study remembers them.

    Raises
    ------
    StudyError
        It makes no table.

    Examples
    --------
    >>> as_rows({"N": 7e9, "D": 4e12}).columns.tolist(), len(as_rows([{"N": "1B"}, {"N": "7B"}]))
    (['n_params', 'tokens'], 2)
    """
    table = getattr(given, "frame", given)  # a study holds its table
    if isinstance(table, pd.Series):
        table = table.to_dict()
    if isinstance(table, Mapping) and not any(np.ndim(values) for values in table.values()):
        table = [table]
    table = under_our_names(_each_once(as_table(table)), names or {}).copy()
    for column in table.columns:
        if table[column].dtype == object:
            table[column] = [_item(value) for value in table[column]]
        if SIZES.fullmatch(str(column)) and not pd.api.types.is_numeric_dtype(table[column].dtype):
            table[column] = [_size_or_self(value) for value in table[column]]
    return table


def _item(value: Any) -> Any:
    """Return what an array without dimensions holds, or any other value itself."""
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def _size_or_self(value: Any) -> Any:
    found = number_of(value, size=True) if isinstance(value, (str, int)) else np.nan  # also one of more than 64 bits
    return value if np.isnan(found) else found


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Return runs to forecast by their names: the column ``target`` or ``run``, or else what their inputs say.

    Examples
    --------
    >>> labelled(as_rows([{"N": 7e9, "D": 4e12}])).index.tolist(), labelled(as_rows({"run": "7B"})).index.tolist()
    (['N=7e+09, D=4e+12'], ['7B'])
    """
    label = next((name for name in ("target", "run") if name in table), None)
    if label and table[label].notna().all():
        return table.set_index(label)
    inputs = table.drop(columns=label) if label else table
    said = pd.Series([_in_words(row) for _, row in inputs.iterrows()], index=table.index, dtype=object)
    return inputs.set_axis(table[label].where(table[label].notna(), said) if label else said)


def _in_words(row: pd.Series) -> str:
    known = {k: v for k, v in row.items() if isinstance(v, (int, float)) and v == v}
    return ", ".join(f"{symbol_of(str(k))}={v:.4g}" for k, v in known.items())


def last_checkpoints(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last checkpoint of each run; every row where runs or checkpoints are not named.

    Checkpoints are in the order of their numbers.  Where some have none, that of most tokens or steps is the last, and
    of several such the one that appears last in the rows of its run.

    Examples
    --------
    >>> last_checkpoints(pd.DataFrame({"run": ["a", "a", "b"], "checkpoint": [2, 1, 1]}))["checkpoint"].tolist()
    [2, 1]
    """
    if not {"run", "checkpoint"} <= set(table):
        return table
    numbers = _numbers_of(table["checkpoint"].tolist())
    if numbers is None:
        checkpoints = table["checkpoint"].map(str).to_numpy(dtype=object)
        progress = [where_known(table, column) for column in ("tokens", "steps") if column in table]
        seen = pd.Series(np.arange(len(table))).groupby([table["run"].to_numpy(), checkpoints]).transform("first")
        order = np.lexsort([seen, *(each for each in progress[::-1] if np.isfinite(each).all())])
    else:
        checkpoints, order = numbers, np.argsort(numbers, kind="stable")
    last = pd.Series(checkpoints[order]).groupby(table["run"].to_numpy()[order]).last()
    return table[checkpoints == table["run"].map(last).to_numpy()]


def _numbers_of(checkpoints: Sequence[Any]) -> np.ndarray | None:
    """Return the numbers of checkpoints: what they are, or what stands in text that is otherwise the same in all.

    Examples
    --------
    >>> _numbers_of(["step900", "step10k"]), _numbers_of(["step1", "final"]), _numbers_of(["step1 of 9"])
    (array([  900., 10000.]), None, None)
    """
    numbers = np.array([number_of(value, size=True) for value in checkpoints])
    if np.isfinite(numbers).all():
        return numbers
    parts = [COUNT.split(str(value)) for value in checkpoints]
    if {len(part) for part in parts} != {3} or len({(before, after) for before, _, after in parts}) > 1:
        return None
    return np.array([number_of(count, size=True) for _, count, _ in parts])


def with_least_abscissa(table: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of losses with the smallest abscissa of all of them, or of their task, below which its floor lies.

    Examples
    --------
    >>> with_least_abscissa(pd.DataFrame({"source_loss": [3.0, 2.5]}))["least_source_loss"].tolist()
    [2.5, 2.5]
    """
    if "source_loss" not in table or "least_source_loss" in table:
        return table
    known = pd.to_numeric(table["source_loss"], errors="coerce")
    return table.assign(
        least_source_loss=known.groupby(table["task"]).transform("min") if "task" in table else known.min()
    )


def one_row_a_run(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each run, at its last checkpoint; every row where runs have no names."""
    return last_checkpoints(table).drop_duplicates("run") if "run" in table else table


# -- names of columns -----------------------------------------------------------------------------------------------


def remedy(column: str, known: Iterable[Any]) -> str:
    """Return the end of a sentence about a column that is missing: how to give it."""
    known = list(map(str, known))
    if column == "flops":
        return f"give FLOPs, or say {option('flops', '6ND')}."
    if column == "tokens" and {"unique_tokens", "epochs"} <= {*known}:
        return "give all tokens seen, unique_tokens x epochs."
    likely = {ours: theirs for ours in SYNONYMS if ours not in known and (theirs := _likely(ours, known))}
    if column in likely:
        which = "they are" if len(likely) > 1 else "it is"
        return f"say which of yours {which}, as in {listed(mapped(*both) for both in likely.items())}."
    panel = next((name for name in known if PANEL.fullmatch(name)), None)
    near = suggest(column, (name for name in known if name not in CANONICAL or panel is None))
    if panel is None:
        return f"say which of yours it is, as in {mapped(column, 'YOURS')}; {near}"
    return f"give one row per run, while columns like {panel!r} are of one run each, a row per step; {near}"


def in_letters(name: str) -> str:
    """Return the name of a column in small letters and digits alone, as :data:`SYNONYMS` has it.

    Examples
    --------
    >>> in_letters("Train/Tokens_seen"), in_letters("Val loss (nats)")
    ('traintokensseen', 'valloss')
    """
    return re.sub(r"\(.*?\)|\[.*?\]|[\W_]", "", name.lower())


def _likely(ours: str, known: Sequence[str]) -> str:
    """Return the one column whose name usually stands for ours; nothing where there is none, or several."""
    found = [name for name in known if in_letters(name) in called(ours)]
    return found[0] if len(found) == 1 else ""


def called(ours: str) -> tuple[str, ...]:
    """Return what people call a column of ours, in small letters alone, its own name first.

    Examples
    --------
    >>> called("flops"), called("loss")[:2]
    (('flops',), ('loss', 'valloss'))
    """
    return in_letters(ours), *SYNONYMS.get(ours, ())


def under_our_names(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with our names for the user's own (ours: theirs) and for the symbols, where ours are free."""
    require_once(table, [*names.values(), *filter(is_ours, table.attrs.get(TWICE, ()))])
    theirs = {theirs: ours for ours, theirs in names.items() if theirs in table and ours not in table}
    table = table.rename(columns=theirs)
    return table.rename(columns={s: full for s, full in SYMBOLS.items() if s in table and full not in table})


def recognised(table: pd.DataFrame) -> dict[str, str]:
    """Return {ours: theirs} for columns under the usual names of an export, where there is no doubt."""
    found = {}
    for ours, names in USUAL.items():
        present = [name for name in names if name in table]
        if len(present) == 1 and ours not in table:
            found[ours] = present[0]
    if "run" in found and not _told_apart(table.assign(run=table[found["run"]])):
        del found["run"]
    return found


def set_aside(
    table: pd.DataFrame, found: Mapping[str, str], given: Collection[str], heading: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the columns that nobody said to read and that are not whole, where runs do without, and a remark on each.

    Parameters
    ----------
    table : pandas.DataFrame
        The rows that are kept, under our names.
    found : mapping of str to str
        What was taken for ours without being told (ours: theirs).
    given : collection of str
        What the user said is one of ours.
    heading : collection of str
        The columns as the user has them.
    """
    sized = {"n_params", "tokens"} <= set(table) and all(_whole(table[c]).all() for c in ("n_params", "tokens"))
    optional = [ours for ours in found if ours in ("steps", "unique_tokens")]
    optional += ["flops"] if sized and "flops" in table and "flops" not in given else []
    columns, said = [], []
    for ours in optional:
        fitted = table["role"] != "target" if "role" in table else pd.Series(True, table.index)
        gaps = ~_whole(table[ours])
        if (gaps & fitted).any() and all(_no_number(value) for value in table[ours][gaps]):
            theirs = found.get(ours, ours if ours in heading else symbol_of(ours))
            rows = listed((row_name(table, place) for place in np.flatnonzero(gaps)), MOST_ROWS)
            columns.append(ours)
            said.append(
                f"Not read: {theirs!r}, of which {rows} {'has' if gaps.sum() == 1 else 'have'} none; to read it fill "
                f"it in and say {mapped(ours, theirs)}."
            )
    name = next((name for name in USUAL["run"] if name in table and "run" not in (*table, *found)), None)
    if name is not None and table[name].dropna().duplicated().any():
        said.append(
            f"Not read: {name!r} as the names of runs, since some stand in several rows; if these are of one run, say "
            f"{mapped('run', name)}."
        )
    return columns, said


def _whole(values: pd.Series) -> pd.Series:
    """Say of each entry whether it is a positive number."""
    return values.map(partial(number_of, size=True)) > 0


def _no_number(value: Any) -> bool:
    """Say whether an entry is missing or zero, and not text that should be a number."""
    return absent(value) or number_of(value) == 0


def contradicted(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each symbol of the field that stands beside our own column and says otherwise.

    Examples
    --------
    >>> contradicted(pd.DataFrame({"n_params": [1e9, 7e9], "N": [1e9, 8e9]}))
    ["Column 'N' is not read, since 'n_params' is there too and says otherwise; read it with n_params='N'."]
    """
    said = []
    for symbol, ours in SYMBOLS.items():
        if {symbol, ours} <= set(table.columns):
            given, used = (table[name].map(partial(number_of, size=True)) for name in (symbol, ours))
            ratio = given / used
            if (ratio.notna() & ~np.isclose(ratio, 1.0, rtol=0.01)).any():
                said.append(
                    f"Column {symbol!r} is not read, since {ours!r} is there too and says otherwise; "
                    f"read it with {mapped(ours, symbol)}."
                )
    return said


def error_of_another(table: pd.DataFrame, columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the standard error of a column ``loss`` in whose place another is read, which is not its, and a remark.

    Examples
    --------
    >>> table = pd.DataFrame({"loss": [3.0], "loss_se": [0.1], "c4_loss": [3.2]})
    >>> error_of_another(table, {"loss": "c4_loss"})[0], error_of_another(table, {})[0]
    (['loss_se'], [])
    """
    theirs = columns.get("loss", "loss")
    if theirs == "loss" or not {"loss", LOSS_ERROR} <= set(table) or LOSS_ERROR in (*columns, *columns.values()):
        return [], []
    said = (
        f"Not read: {LOSS_ERROR!r}, which is of the column 'loss' and not of {theirs!r}; if it is of that, say "
        f"{mapped(LOSS_ERROR, LOSS_ERROR)}."
    )
    return [LOSS_ERROR], [said]


def by_column(columns: Mapping[str, str]) -> dict[str, str]:
    """Return which of the user's columns is which of ours (ours: theirs), with our long names for the symbols.

    Raises
    ------
    StudyError
        A symbol and the name of its column are given two.

    Examples
    --------
    >>> by_column({"N": "params", "loss": "val_loss"})
    {'n_params': 'params', 'loss': 'val_loss'}
    """
    for ours, theirs in columns.items():
        if (full := column_of(ours)) != ours and full in columns:
            raise StudyError(
                f"{mapped(ours, theirs)} and {mapped(full, columns[full])} are about the same column; give one of them."
            )
    return {column_of(ours): theirs for ours, theirs in columns.items()}


def renamed(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with our names: those of the mapping (ours: theirs), then the symbols of the field.

    Raises
    ------
    StudyError
        A column is missing, or is to have two names, or two columns one.
    """
    require_once(table, columns.values())
    for ours, theirs in columns.items():
        if theirs not in table:
            turned = ours in table and NUMERIC.fullmatch(str(theirs)) and not NUMERIC.fullmatch(ours)
            cure = f"our name comes first, as in {mapped(theirs, ours)}." if turned else suggest(theirs, table.columns)
            raise StudyError(f"The table has no column {theirs!r} to use as {ours!r}; {cure}")
    if again := repeated(columns.values()):
        both = listed(ours for ours, name in columns.items() if name == again[0])
        raise StudyError(f"The column {shown(again[0])} is to be both {both}; give each a column of its own.")
    given = by_column(columns)
    taken = {*columns, *given} - {*columns.values()}
    table = table.drop(columns=[name for name in table.columns if name in taken])
    if TWICE in table.attrs:  # of another column by its name, which is not read
        table.attrs[TWICE] = [name for name in table.attrs[TWICE] if column_of(name) not in given]
    table = under_our_names(table.rename(columns={theirs: ours for ours, theirs in given.items()}), {})
    return _each_once(table)


def _each_once(table: pd.DataFrame) -> pd.DataFrame:
    """Refuse a table that has a column twice."""
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise StudyError(f"The column {shown(twice[0])} appears twice in the table; keep one.")
    return table
