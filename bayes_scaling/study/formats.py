"""From a file to a table with the file's own column names: CSV and its kin, JSON, Excel and parquet."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import FileError, listed
from bayes_scaling.study.rows import repeated
from bayes_scaling.study.validation import GROUPED, OUTCOME, TWICE, is_ours, number_of

__all__ = ["KINDS", "read_file"]

KINDS = "CSV, TSV, JSON, JSON lines, Excel or parquet"
SEPARATORS = ",;\t|"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
NEEDS = {".parquet": "pyarrow", ".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd"}
REMARKS = re.compile(r"(\s*#[^\n]*\n)+")
SEPARATED = re.compile(r"sep=(.)\r?\n")  # by which Excel is told how to read a text
RULE = re.compile(r"[\s|:+-]*-[\s|:+-]*")  # below the heading of a table for people
SIZED = re.compile(r"\d+,\d+\s?[kmbt]", re.IGNORECASE)
COUNTED = re.compile(r"\(\d+ rows?\)")  # below a table of a database
HEAD = 20  # lines that a separator is looked for in
MOST_WORDS = 2  # columns of a sheet that tells of the others, and may stand before that of the runs
SHEETS = "sheets"  # under which a table remembers those of its file, the first of which it is


def read_file(path: Path) -> pd.DataFrame:
    """Read a table from a file; suffix and content say how.

    Raises
    ------
    FileError
        There is no such file, or it cannot be read as a table.
    """
    try:
        exists = path.is_file() or path.is_fifo()  # /dev/stdin, too, where another command writes to it
    except ValueError:  # a null byte
        exists = False
    if not exists and path.is_dir():
        raise FileError(f"{str(path)!r} is a folder; give a table of runs in it, as {KINDS}.")
    if not exists:
        raise FileError(f"There is no file {str(path)!r}; give a table of runs as {KINDS}.")
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        if suffix in NEEDS:
            return _from_sheet(path)
        return _from_text(_text_of(path), suffix)
    except ImportError as error:
        needed = NEEDS.get(suffix, "another package")
        raise FileError(
            f"Reading {str(path)!r} needs {needed}; install it (pip install {needed}), or give CSV."
        ) from error
    except UnicodeDecodeError as error:
        raise FileError(
            f"{str(path)!r} is not text in UTF-8; save it as CSV in UTF-8, or name it after what it is, such as "
            ".parquet or .xlsx."
        ) from error
    except Exception as error:  # pandas, pyarrow and the codecs each raise their own
        reason = " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__
        raise FileError(f"{str(path)!r} cannot be read as a table ({reason}); give {KINDS}, text in UTF-8.") from error


def _text_of(path: Path) -> str:
    """Return a text file, unpacked where its suffix says that it is compressed."""
    if path.suffix.lower() in PACKED:
        from pandas.io.common import get_handle

        with get_handle(path, "rb", compression="infer", is_text=False) as opened:
            content: Any = opened.handle.read()
    else:
        content = path.read_bytes()  # once, since a pipe cannot be read again
    return io.TextIOWrapper(io.BytesIO(content), "utf-16" if content[:2] in UTF_16 else "utf-8-sig").read()


def _remembering(table: pd.DataFrame, heading: Iterable[str]) -> pd.DataFrame:
    """Return a table that remembers which names stand twice in its heading, of which pandas keeps one."""
    if twice := repeated(name.strip() for name in heading if name.strip()):
        table.attrs[TWICE] = twice
    return table


def _from_sheet(path: Path) -> pd.DataFrame:
    with pd.ExcelFile(path) as book:
        sheets = [str(name) for name in book.sheet_names]
        if len(sheets) > 1:
            heads = {name: [str(column) for column in pd.read_excel(book, name, nrows=0)] for name in sheets}
            runs = [name for name, head in heads.items() if sum(map(is_ours, head)) > 1]
            words = len(heads[sheets[0]]) <= MOST_WORDS and not any(map(is_ours, heads[sheets[0]]))
            read = runs[0] if words and len(runs) == 1 else sheets[0]
            sheets = [read, *(name for name in sheets if name != read)]
        table, first = (pd.read_excel(book, sheets[0], **how) for how in ({}, {"header": None, "nrows": 1}))
        first = first.to_numpy().ravel()
    named = ["" if pd.isna(name) else str(name) for name in first]
    heading = [*named, *[""] * (table.shape[1] - len(named))]  # which ends with its last name
    _require_names(heading)
    table = _remembering(table, heading)
    table.attrs |= {SHEETS: sheets} if len(sheets) > 1 else {}
    return table


def _from_text(text: str, suffix: str) -> pd.DataFrame:
    start = text.lstrip()[:1]
    if suffix in (".json", ".jsonl", ".ndjson") or start in ("{", "["):
        try:
            return _from_json(text)
        except json.JSONDecodeError as error:
            raise ValueError("it is no valid JSON") from error
    return _from_csv(text, "\t" if suffix == ".tsv" else None)


# -- text in columns ------------------------------------------------------------------------------------------------


def _from_csv(text: str, separator: str | None) -> pd.DataFrame:
    text = _without_remarks(text)
    if told := SEPARATED.match(text):
        text, separator = text[told.end() :], told[1]
    separator = separator or _separator(text)
    text = _without_rules(text) if separator == "|" else text
    heading = next(_rows(text, separator), [])
    _require_names(heading)
    _require_separator(heading, text)
    decimal = "," if _decimal_commas(text, separator) else "."
    try:
        table = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True, decimal=decimal)
    except pd.errors.ParserError as error:
        longer = [
            f"row {place} has {len(row)}" for place, row in enumerate(_rows(text, separator)) if row[len(heading) :]
        ]
        why = f"its heading has {len(heading)} fields, and {longer[0]}" if longer else "a quotation mark is not closed"
        raise ValueError(why) from error
    table = _remembering(_without_blanks(table), heading)
    table = table.map(_with_point) if decimal == "," else table
    if isinstance(table.index, pd.RangeIndex):
        return table
    # Rows have more fields than the heading, and what is over was taken for their names.
    if table.iloc[:, -1].isna().all():  # each row ends with a separator
        return table.reset_index().iloc[:, : table.shape[1]].set_axis(table.columns, axis=1)
    names, extra = list(table.index), table.index.nlevels
    numbered = any(names == list(range(first, len(table) + first)) for first in (0, 1))
    if extra == 1 and (numbered or all(isinstance(name, str) for name in names)):
        return table
    raise ValueError(f"its heading has {table.shape[1]} fields, and its rows have {table.shape[1] + extra}")


def _without_rules(text: str) -> str:
    r"""Return a table between bars without what is there for the eye: the rule below its heading, and outer bars.

    Examples
    --------
    >>> _without_rules("| N | D |\n|---|:-:|\n| 1 | 2 |\n")
    'N | D \n1 | 2 '
    """
    lines = [line for line in text.splitlines() if line.strip()]
    lines = [line for place, line in enumerate(lines) if not (place == 1 and RULE.fullmatch(line))]
    lines = [line for line in lines if not COUNTED.fullmatch(line.strip())]
    if all(line.strip()[:1] == line.strip()[-1:] == "|" for line in lines):
        lines = [line.strip()[1:-1].lstrip() for line in lines]
    return "\n".join(lines)


def _without_blanks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text has no blanks around it, which a separator may leave behind."""
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name].dtype)]
    table = table.assign(**{name: table[name].map(_bare) for name in texts})
    return table if isinstance(table.index, pd.RangeIndex) else table.rename(index=_bare)


def _with_point(value: Any) -> Any:
    """Return 1,3B as 1.3B, which pandas takes for words."""
    return value.replace(",", ".") if isinstance(value, str) and SIZED.fullmatch(value) else value


def _bare(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the rows of a text that are not blank, the heading first, so that rows of data count from 1."""
    rows = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    return (row for row in rows if row not in ([], [""]))


def _without_remarks(text: str) -> str:
    r"""Return text without the lines above its heading that begin with ``#``; that is the last of them, if it may be.

    Examples
    --------
    >>> _without_remarks("# made today\nN,D\n1,2"), _without_remarks("# N,D\n1,2")
    ('N,D\n1,2', 'N,D\n1,2')
    """
    if not (remarks := REMARKS.match(text)):
        return text
    rest, last = text[remarks.end() :], remarks[0].strip().rpartition("\n")[2]
    mark = _separator(rest)
    is_heading = last.count(mark) >= rest.partition("\n")[0].count(mark)
    return f"{last.lstrip('# ')}\n{rest}" if is_heading else rest


def _require_names(heading: Sequence[str]) -> None:
    """Refuse a table whose first row does not name its columns."""
    if not heading:
        raise ValueError("it is empty")
    names = [name for name in heading if name.strip()]
    if names and all(np.isfinite(number_of(name)) for name in names):
        raise ValueError("its first row holds numbers alone, and the first row must name the columns")
    if len(heading) > 2 and names in ([], list(heading[:1])):
        title = f", {names[0].strip()[:60]!r}, names one" if names else " names none"
        raise ValueError(
            f"its first row{title} of {len(heading)} columns, and the first row must name them all: leave out what "
            "stands above that row"
        )


def _require_separator(heading: Sequence[str], text: str) -> None:
    """Refuse a text of which nothing says where its columns end."""
    words = {len(line.split()) for line in text.splitlines()[:HEAD] if line.strip()}
    if len(heading) == 1 and len(words) == 1 and words != {1}:
        raise ValueError("its columns are separated by blanks, and commas, semicolons, tabs and bars are read")


def _separator(text: str) -> str:
    """Return what separates the columns: what splits the heading into most fields, and the first rows into as many."""
    lines = [line for line in text.splitlines() if line.strip()][:HEAD]
    best, most = ",", 1
    for mark in SEPARATORS:
        try:
            counts = [len(fields) for fields in csv.reader(lines, delimiter=mark, skipinitialspace=True)]
        except csv.Error:
            continue
        agree = len(set(counts)) == 1
        if counts and counts[0] > 1 and (fields := counts[0] + 1000 * agree) > most:
            best, most = mark, fields
    return best


def _decimal_commas(text: str, separator: str) -> bool:
    """Say whether numbers between semicolons or tabs have decimal commas: some do, and none has a point.

    Between tabs all may be counts in groups of three digits instead, as an export in English has them.
    """
    if separator not in (";", "\t"):
        return False
    rows = itertools.islice(_rows("\n".join(text.splitlines()[:HEAD]), separator), 1, None)
    cells = [cell.strip() for row in rows for cell in row]
    found = [cell for cell in cells if re.fullmatch(r"[-+]?\d*[.,]\d+(e[-+]?\d+)?", cell, re.IGNORECASE)]
    told = found if separator == ";" else [cell for cell in found if not GROUPED.fullmatch(cell)]
    return bool(told) and all("," in cell for cell in found)


# -- JSON -----------------------------------------------------------------------------------------------------------


def _from_json(text: str) -> pd.DataFrame:
    """Read records, a record a line, columns by name, or records under one key; nested records get names with ``/``."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or error.msg != "Extra data":
            raise
        found = [json.loads(line) for line in lines]
    return _table_of(found)


def _table_of(found: Any) -> pd.DataFrame:
    if isinstance(found, Mapping):
        values = list(found.values())
        lists = [value for value in values if isinstance(value, list)]
        if len(lists) == 1 and lists[0] and all(isinstance(record, Mapping) for record in lists[0]):
            found = lists[0]  # the records under one key, beside what is said of them
        elif {"columns", "data"} <= set(found):  # as pandas splits them
            names = found.get("index")
            if (
                not isinstance(names, list)
                or len(names) != len(found["data"])
                or any(isinstance(n, list) for n in names)
            ):
                names = None  # as of several levels: it names no rows
            return pd.DataFrame(found["data"], columns=found["columns"], index=names)
        elif lists and _are_columns(found):
            if len(lengths := {len(column) for column in lists}) > 1:
                raise ValueError(f"its columns have {listed(map(str, sorted(lengths)))} entries")
            return pd.DataFrame(found)
        elif values and all(isinstance(value, Mapping) for value in values):
            rows = {str(key) for value in values for key in value}
            if all(key.isdigit() for key in rows) or _are_columns_by_row(found, rows):
                return pd.DataFrame(found)  # columns of values by row, as pandas writes them
            found = [{"run": name, **record} for name, record in found.items()]
        else:
            found = [found]
    if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
        raise ValueError("it holds neither records nor columns")
    return pd.json_normalize(found, sep="/")


def _are_columns_by_row(found: Collection[str], rows: Collection[str]) -> bool:
    """Say whether values by two names are those of columns by row: most of the outer names are ours, no inner so many.

    Runs may be called like our columns; what is in each then has a name of an outcome.

    Examples
    --------
    >>> _are_columns_by_row(["N", "D", "loss"], ["a", "b"]), _are_columns_by_row(["C", "D"], ["tokens", "val_loss"])
    (True, False)
    """
    ours = sum(map(is_ours, found))
    most = ours > 1 and 2 * ours > len(found)
    return most and ours > sum(map(is_ours, rows)) and not any(map(OUTCOME.fullmatch, rows))


def _are_columns(found: Mapping[str, Any]) -> bool:
    """Say whether values by name are columns: all lists, or lists under our names and what is the same in all rows.

    Examples
    --------
    >>> _are_columns({"N": [1e8, 2e8], "loss": [3.0, 2.9], "name": "x"}), _are_columns({"N": 1e8, "tags": ["a", "b"]})
    (True, False)
    """
    lists = [name for name, value in found.items() if isinstance(value, list)]
    if len(lists) == len(found):
        return True
    return len(lists) > 1 and any(map(is_ours, lists)) and not any(isinstance(v, Mapping) for v in found.values())
