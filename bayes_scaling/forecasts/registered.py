"""A forecast as it was said: what is kept of it in one small file, so that it can be scored when the runs are made."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, FileError, listed
from bayes_scaling.files import as_json, atomic_file, one_line_lists, write_text
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.version import __version__

__all__ = ["DIGITS", "LEVELS", "RegisteredForecast", "load_forecast", "save", "set_aside"]

LEVELS = np.arange(1, 200) / 200
"""The levels of the quantiles that are kept: 0.5 to 99.5 per cent."""

OWN = ["target", "task", "quantity", "unit", "mean", "sd", "distance"]
"""Columns of a row that are the forecast's own, beside the inputs of its target."""

KEY = "registered"  # under which a larger document holds a registered forecast
DIGITS = 6
"""Significant digits that are kept of what is forecast."""

ROUNDED = ("mean", "sd")  # beside the quantiles; inputs are kept as they are, so that outcomes find their targets
MOST_NAMED = 6  # targets
FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RegisteredForecast:
    """What was said of runs before they were made.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row per target, task and quantity: ``target``, ``task`` (None where there are none), ``quantity``,
        ``unit``, ``distance``, ``mean`` and ``sd`` of a new run, and the inputs that the target was given.
    quantiles : array, shape (row, level)
        Quantiles of a new run at :data:`.LEVELS`.
    made : str
        When, UTC.
    version : str
        Version of the package.
    law, study, seed : str, str, int
        What made it.
    fits : tuple of mapping
        What each fit behind it remembers: law with priors, study, checksum of the runs, version, weight.
    averaged : tuple of str
        The tasks of which it forecasts the mean; empty where it is of single tasks, or of none.
    """

    rows: pd.DataFrame
    quantiles: np.ndarray
    made: str
    version: str
    law: str
    study: str
    seed: int
    fits: tuple[Mapping[str, Any], ...]
    averaged: tuple[str, ...] = ()

    def __repr__(self) -> str:
        targets = listed(dict.fromkeys(self.rows["target"]), MOST_NAMED)
        return f"RegisteredForecast({self.law} on {self.study!r}: {targets}; made {self.made})"

    @classmethod
    def of(cls, forecast: Forecast) -> RegisteredForecast:
        """Return what is kept of a forecast: quantiles of a new run, and how it was made.

        Parameters
        ----------
        forecast : Forecast
            Draws at targets.

        Examples
        --------
        >>> bs.forecast(posterior, {"N": 7e9, "D": 4e12}).save("forecast.json")  # doctest: +SKIP
        """
        table = forecast.intervals()
        blocks = []
        for quantity in forecast.units:
            draws = forecast.draws[f"{quantity}_run"]
            levels = draws.quantile(LEVELS, "sample", skipna=False)
            blocks.append(levels.stack(row=[d for d in draws.dims if d != "sample"]).transpose("row", "quantile"))
        numbers = forecast.targets.select_dtypes("number", exclude=["timedelta", "complexfloating"])
        inputs = numbers.drop(columns=[*OWN, "quantiles", *forecast.units], errors="ignore")
        rows = table[OWN].assign(target=table["target"].map(str))
        rows = rows.merge(inputs.set_axis(inputs.index.map(str)), left_on="target", right_index=True, how="left")
        return cls(
            rows=rows.reset_index(drop=True),
            quantiles=np.concatenate([np.asarray(block.to_numpy()) for block in blocks]),
            made=forecast.made,
            version=__version__,
            law=forecast.law,
            study=forecast.study,
            seed=forecast.seed,
            fits=forecast.fits,
            averaged=forecast.averaged,
        )

    @property
    def checksum(self) -> str:
        """SHA-256 of the runs that were fitted; empty where it is not known."""
        return str(self.fits[0].get("checksum", "")) if self.fits else ""

    def level(self, share: float) -> np.ndarray:
        """Return the quantile of each row at a level, between those kept by interpolation; shape (row,)."""
        return np.array([np.interp(share, LEVELS, own) for own in self.quantiles])

    def repeats(self, other: RegisteredForecast) -> bool:
        """Say whether another says the same, number for number and made in the same way; its time may be another."""
        return {**self._as_kept(), "made": ""} == {**other._as_kept(), "made": ""}

    def _as_kept(self) -> dict[str, Any]:
        """Return what is read again of its file, rounded as that is."""
        return json.loads(as_json(RegisteredForecast.from_document(self.document()).document()))

    def document(self) -> dict[str, Any]:
        """Return what a file holds of it, in plain Python values."""
        records = []
        for row, own in zip(self.rows.to_dict("records"), self.quantiles, strict=True):
            known = {str(name): value for name, value in row.items() if not _missing(value)}
            short = {name: _short(value) if name in ROUNDED else value for name, value in known.items()}
            records.append({**short, "quantiles": [_short(value) for value in own]})
        head = {name: getattr(self, name) for name in ("made", "version", "law", "study", "seed")}
        head |= {"averaged": list(self.averaged)} if self.averaged else {}
        levels = [float(LEVELS[0]), float(LEVELS[-1]), len(LEVELS)]  # first, last, how many
        return {"format": FORMAT, **head, "fits": [dict(f) for f in self.fits], "levels": levels, "rows": records}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RegisteredForecast:
        """Return the forecast of such values, or of a larger document that holds them under ``registered``.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is something else.
        """
        own = document.get(KEY, document)
        if own["format"] != FORMAT:
            raise ValueError(f"format {own['format']}")
        quantiles = np.array([row["quantiles"] for row in own["rows"]], dtype=float)
        if quantiles.shape != (len(own["rows"]), len(LEVELS)) or (np.diff(quantiles) < 0).any():
            raise ValueError("quantiles")
        rows = pd.DataFrame(
            [{name: value for name, value in row.items() if name != "quantiles"} for row in own["rows"]]
        )
        for name in ("task", "distance", *ROUNDED):  # what is no number is not written
            rows[name] = rows[name] if name in rows else None if name == "task" else np.nan
        rows["task"] = [value if isinstance(value, str) else None for value in rows["task"]]
        rows["target"] = rows["target"].astype(str)
        head = {name: str(own[name]) for name in ("made", "version", "law", "study")}
        averaged = tuple(map(str, own.get("averaged", ())))
        return cls(rows, quantiles, seed=int(own["seed"]), fits=tuple(own["fits"]), averaged=averaged, **head)


def set_aside(path: Path, new: RegisteredForecast) -> tuple[RegisteredForecast, Path | None]:
    """Keep what is registered in a file that is about to be replaced, under the first free name beside it.

    Parameters
    ----------
    path : Path
        The file, ``forecast.json``; the names beside it are ``forecast_1.json``, ``forecast_2.json`` and so on.
    new : RegisteredForecast
        What will be registered in its place.

    Returns
    -------
    registered : RegisteredForecast
        The new one; where it repeats the one that is there, that, which was made before.
    kept : Path or None
        Where the one that is there is kept, as a copy; None where there is none, or where it is repeated.

    Raises
    ------
    FileError
        The copy cannot be written.
    """
    try:
        earlier = load_forecast(path)
    except FileError:
        return new, None
    if new.repeats(earlier):
        return earlier, None
    names = (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in itertools.count(1))
    kept = next(name for name in names if not name.exists())
    with atomic_file(kept) as part:
        shutil.copy2(path, part)
    return new, kept


def save(forecast: Forecast, path: str | Path) -> Path:
    """Write what a forecast says to one small JSON file, to be scored later (:func:`bayes_scaling.score`).

    Parameters
    ----------
    forecast : Forecast
        Draws at targets.
    path : str or Path
        The file.

    Raises
    ------
    FileError
        The file cannot be written, or is there already: what was registered is not written over.
    """
    path = Path(path)
    if path.exists():
        raise FileError(
            f"{str(path)!r} is there already, and what was registered is not written over; choose a new name."
        )
    write_text(one_line_lists(as_json(RegisteredForecast.of(forecast).document())), path)
    return path


def load_forecast(path: str | Path) -> RegisteredForecast:
    """Read a registered forecast: what ``forecast.save`` wrote, or ``forecast.json`` of the command ``forecast``.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    FileError
        There is no such file, or it holds something else.
    """
    path = Path(path)
    if path.is_dir():
        within = sorted(each.name for each in path.glob("forecast*.json"))
        one = f"name the file in it, as {str(path / within[0])!r}" if within else _wanted()
        raise FileError(f"{str(path)!r} is a folder, and a registered forecast is a file; {one}.")
    if not path.is_file():
        raise FileError(f"There is no file {str(path)!r}; save a forecast there first.")
    document = None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return RegisteredForecast.from_document(document)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FileError(f"{str(path)!r} holds no registered forecast, since it is no JSON; {_wanted()}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if _is_of_pairs(document):
            raise FileError(
                f"{str(path)!r} holds forecasts of pairs, which are not kept for scores; {_again()}."
            ) from error
        why = f"it lacks {error}" if isinstance(error, KeyError) else "what it holds is something else"
        raise FileError(f"{str(path)!r} holds no registered forecast, since {why}; {_wanted()}.") from error


def _wanted() -> str:
    """Return the end of a sentence on what holds a registered forecast, in the words of the interface in use."""
    if COMMAND_LINE.get():
        return "give the forecast.json of bayes-scaling forecast --out, or a file of its --json, before the outcomes"
    return "give a file that forecast.save, or bayes-scaling forecast --json, wrote"


def _is_of_pairs(document: Any) -> bool:
    """Say whether a document is that of the command ``pair``, whose rows say of which pair of losses they are."""
    rows = document.get("rows") if isinstance(document, Mapping) else None
    return isinstance(rows, list) and bool(rows) and all(isinstance(row, Mapping) and "pair" in row for row in rows)


def _again() -> str:
    """Return how to hold a pair against what came, in the words of the interface in use."""
    if COMMAND_LINE.get():
        return (
            "add what came to the table of losses, and run bayes-scaling pair on it again with --target-run for each "
            "new run, which fits as before and says what came beside its forecast"
        )
    return "save a forecast of the fit to one pair, as in bs.forecast(bs.fit(law, bs.pair(...).study, seed=0), targets)"


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not np.isfinite(value))
