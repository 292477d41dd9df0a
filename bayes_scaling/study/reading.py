"""From what a user has, a file or a Python object, to a table with the package's column names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import FileError, StudyError, suggest
from bayes_scaling.study.validation import NUMERIC, shown

__all__ = ["SYMBOLS", "as_rows", "as_table", "column_of", "one_row_a_run", "read_table", "remedy", "renamed"]

SYMBOLS = {"N": "n_params", "D": "tokens", "C": "flops", "D_F": "finetune_data", "D_P": "pretrain_data"}
"""The symbols of the field and their columns: parameters, tokens, FLOPs, data of fine-tuning and pre-training."""


def column_of(symbol: str) -> str:
    """Return the column of an input: of a symbol of the field its long name, of any other input the input itself.

    Examples
    --------
    >>> column_of("N"), column_of("steps")
    ('n_params', 'steps')
    """
    return SYMBOLS.get(symbol, symbol)


def as_table(given: Any) -> pd.DataFrame:
    """Return what a user gave as a table.

    Raises
    ------
    StudyError
        It is not one.
    """
    if isinstance(given, pd.DataFrame):
        return given
    try:
        return pd.DataFrame(given)
    except (TypeError, ValueError) as error:
        raise StudyError(
            f"The runs are a {type(given).__name__} that does not make a table ({' '.join(str(error).split())}); "
            "give a DataFrame, or columns of equal length by name."
        ) from error


def as_rows(given: Any) -> pd.DataFrame:
    """Return runs in any form a user may give them as a new table with our column names; its values are not checked.

    Parameters
    ----------
    given : Study, DataFrame, mapping, or sequence of mappings
        A mapping of numbers is one run, a mapping of columns several.

    Raises
    ------
    StudyError
        It makes no table.

    Examples
    --------
    >>> as_rows({"N": 7e9, "D": 4e12}).columns.tolist(), len(as_rows([{"N": 1e9}, {"N": 7e9}]))
    (['n_params', 'tokens'], 2)
    """
    table = getattr(given, "frame", given)  # a study holds its table
    if isinstance(table, Mapping) and not any(np.ndim(values) for values in table.values()):
        table = [table]
    return as_table(table).rename(columns=SYMBOLS).copy()


def one_row_a_run(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each run; every row where runs have no names."""
    return table.drop_duplicates("run") if "run" in table else table


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of runs from a file: UTF-8 CSV (also compressed) or parquet, told by the name.

    Raises
    ------
    FileError
        There is no such file, or it cannot be read as a table.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"There is no file {str(path)!r}; give a CSV or parquet table of runs.")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except ImportError as error:
        raise FileError(
            f"Reading {str(path)!r} needs pyarrow; install it (pip install pyarrow), or give CSV."
        ) from error
    except Exception as error:  # pandas, pyarrow and the codecs each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{str(path)!r} cannot be read as a table ({reason}); give UTF-8 CSV or parquet.") from error


def remedy(column: str, known: Iterable[Any]) -> str:
    """Return the end of a sentence about a column that is missing: how to give it."""
    if column == "flops":
        return "give FLOPs, or say flops='6ND'."
    return f"say which of yours it is, as in {column}=YOURS; {suggest(column, map(str, known))}"


def renamed(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with our names: those of the mapping (ours: theirs), then the symbols of the field."""
    for ours, theirs in columns.items():
        if theirs not in table:
            turned = ours in table and NUMERIC.fullmatch(theirs) and not NUMERIC.fullmatch(ours)
            cure = f"our name comes first, as in {theirs}={ours}." if turned else suggest(theirs, table.columns)
            raise StudyError(f"The table has no column {theirs!r} to use as {ours!r}; {cure}")
    table = table.drop(columns=[ours for ours, theirs in columns.items() if ours in table and ours != theirs])
    table = table.rename(columns={theirs: ours for ours, theirs in columns.items()})
    symbols = {s: full for s, full in SYMBOLS.items() if s in table and full not in table}
    table = table.rename(columns=symbols)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise StudyError(f"The column {shown(twice[0])} appears twice in the table; keep one.")
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, encoding="utf-8")
    if len(table.columns) == 1 and (mark := next((m for m in ";\t|" if m in str(table.columns[0])), None)):
        raise ValueError(f"its columns are separated by {mark!r} instead of commas")
    return table
