"""The register of forecasts that were scored: a CSV file that grows, and says nothing twice."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import FileError, listed
from bayes_scaling.files import write_text
from bayes_scaling.forecasts.registered import DIGITS, RegisteredForecast
from bayes_scaling.study.rows import shown

__all__ = ["IDENTITY", "append", "read_register"]

IDENTITY = ["made", "law", "checksum", "target", "task", "quantity"]
"""Columns that together say which row of which forecast was scored, beside what was said there."""

SAID = ["q05", "median", "q95"]
"""What tells forecasts apart that one law made in the same second."""

KEPT = 10.0 ** (1 - DIGITS)  # relative precision to which a file of a forecast keeps what it says


def append(said: RegisteredForecast, scores: pd.DataFrame, path: str | Path) -> int:
    """Add scores to a register and return how many rows are new; what is there already is not added again.

    Parameters
    ----------
    said : RegisteredForecast
        What was scored.
    scores : DataFrame
        What :func:`bayes_scaling.score` returned.
    path : str or Path
        A CSV file; written whole or not at all.

    Raises
    ------
    FileError
        It is no register, or holds another outcome of the same run.
    """
    path = Path(path)
    rows = scores.assign(
        scored=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        task=scores["task"].fillna(""),
        **{name: getattr(said, name) for name in ("made", "version", "law", "study", "seed", "checksum")},
    )
    first = ["made", "scored", "version", "law", "study", "checksum", "seed"]
    rows = rows[[*first, *(name for name in scores if name not in first)]]
    if not path.exists():
        write_text(rows.to_csv(index=False), path)
        return len(rows)
    before = read_register(path)
    records = rows.to_dict("records")
    again = [_again(row, before) for row in records]
    for row, known in zip(records, again, strict=True):
        if not np.isclose(known, row["actual"], rtol=1e-9).all():
            raise FileError(
                f"The register {str(path)!r} says that {row['quantity']} of {row['target']!r} came to {known[0]:g}, "
                f"and {row['actual']:g} is given; mend the register by hand if that was wrong."
            )
    new = rows[[not known.size for known in again]]
    write_text(pd.concat([before, new], ignore_index=True).to_csv(index=False), path)
    return len(new)


def _again(row: Mapping[str, Any], register: pd.DataFrame) -> np.ndarray:
    """Return the outcomes that a register has of one row of a forecast: none where it was not scored."""
    same = (register[IDENTITY] == [str(row[name]) for name in IDENTITY]).all(axis=1)
    said = np.isclose(register.loc[same, SAID], [row[name] for name in SAID], rtol=KEPT).all(axis=1)
    return register.loc[same, "actual"].to_numpy(dtype=float)[said]


def read_register(path: str | Path) -> pd.DataFrame:
    """Read a register of scored forecasts.

    Raises
    ------
    FileError
        It is none, or an outcome there, or what was said of it, is no number.
    """
    try:
        table = pd.read_csv(
            path, dtype={name: str for name in IDENTITY}, keep_default_na=False, na_values={"distance": [""]}
        )
        missing = [name for name in (*IDENTITY, *SAID, "actual", "in90", "pit") if name not in table]
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise FileError(
            f"{str(path)!r} cannot be read as a register ({type(error).__name__}); name another."
        ) from error
    if missing:
        raise FileError(f"{str(path)!r} is no register of forecasts: it lacks {listed(missing)}; name another file.")
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in (*SAID, "actual")}
    for name, values in numbers.items():
        if values.isna().any():
            place = int(values.isna().argmax())
            raise FileError(
                f"The register {str(path)!r} has {name} = {shown(table[name].iloc[place])} in row {place + 1}, which "
                "is no number; mend it by hand, or name another."
            )
    return table.assign(**numbers)
