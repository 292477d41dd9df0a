"""What came of a registered forecast: inside or not, z, PIT and CRPS, and a register of all that were scored."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, FileError, TargetError, listed, mapped, option
from bayes_scaling.files import write_text
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.registered import LEVELS, RegisteredForecast, load_forecast, register
from bayes_scaling.forecasts.scores import crps
from bayes_scaling.study.reading import SAME_INPUT, as_rows
from bayes_scaling.study.validation import as_fractions, number_of
from bayes_scaling.study.wide import lengthened, rules_of

__all__ = ["IDENTITY", "append", "read_register", "score"]

IDENTITY = ["made", "law", "checksum", "target", "task", "quantity"]
"""Columns that together say which row of which forecast was scored."""


def score(
    forecast: str | Path | Forecast | RegisteredForecast,
    outcomes: Any,
    *,
    names: Mapping[str, str] | None = None,
    unit: str | None = None,
    accuracy_columns: str | Sequence[str] | None = None,
    percent: bool = False,
    to: str | Path | None = None,
) -> pd.DataFrame:
    r"""Score a forecast against what came, one row per target, task and quantity whose outcome is known.

    Parameters
    ----------
    forecast : str, Path, Forecast or RegisteredForecast
        A file that ``forecast.save`` or the command ``forecast`` wrote, or the forecast itself.
    outcomes : Study, DataFrame, mapping, or sequence of mappings
        A column ``target`` (or ``run``) says which run, as the forecast calls it; without one, the inputs do.  A column
        for each quantity, such as ``loss``; ``task``, where the forecast has tasks.
    names : mapping of str to str, optional
        Your own names of our columns, as in ``{"loss": "val_loss"}``.
    unit : str, optional
        Unit of the outcomes; refused where the forecast has another.
    accuracy_columns : str or sequence of str, optional
        Of a wide table, the columns that hold the accuracy of a task each, as in
        :meth:`bayes_scaling.Study.from_frame`.
    percent : bool
        Accuracies are in per cent: 63.5, not 0.635.
    to : str or Path, optional
        A register, a CSV file, to which the rows are appended; made where it is not there.

    Returns
    -------
    pandas.DataFrame
        ``target``, ``task``, ``quantity``, ``unit``, ``actual``, ``median``, ``q05``, ``q95``, ``in50``, ``in90``,
        ``error`` (median less outcome), ``z`` (outcome less mean, over the standard deviation), ``pit`` (share of the
        forecast below the outcome: 0.5 is its median; at least 0.005 and at most 0.995, the ends of what is kept),
        ``crps`` (in the unit of the outcome, smaller is better), and ``distance``.  What is not among the outcomes is
        left out.

    Raises
    ------
    TargetError
        No outcome is of a run that was forecast, one is given twice or is no number, or the units differ.
    StudyError
        The columns of accuracies are not there.
    FileError
        The forecast cannot be read, or the register holds another outcome of the same run.

    Examples
    --------
    >>> bs.score("forecast.json", {"target": "7B", "loss": 2.31}, to="register.csv")  # doctest: +SKIP
    """
    if isinstance(forecast, (str, Path)):
        forecast = load_forecast(forecast)
    said = register(forecast) if isinstance(forecast, Forecast) else forecast
    if unit is not None and (odd := set(said.rows["unit"]) - {unit}):
        raise TargetError(
            f"The outcomes are in {unit}, and the forecast is in {listed(sorted(odd))}; convert them first."
        )
    came = as_rows(outcomes, names)
    if accuracy_columns is not None:
        came, _ = lengthened(came, accuracy_columns, rules=rules_of(names or {}, came))
    came = as_fractions(came) if percent else came
    actual = _actual(said.rows, came, np.asarray(said.quantiles).min(axis=1))
    table = said.rows[["target", "task", "quantity", "unit"]].assign(actual=actual, median=said.level(0.5))
    low, high = said.level(0.25), said.level(0.75)
    table["q05"], table["q95"] = said.level(0.05), said.level(0.95)
    table["in50"] = (low <= actual) & (actual <= high)
    table["in90"] = (table["q05"] <= actual) & (actual <= table["q95"])
    table["error"] = table["median"] - actual
    table["z"] = (actual - said.rows["mean"]) / said.rows["sd"]
    table["pit"] = [float(np.interp(y, own, LEVELS)) for y, own in zip(actual, said.quantiles, strict=True)]
    table["crps"] = crps(said.quantiles.T, actual)
    table["distance"] = said.rows["distance"]
    table = table[np.isfinite(actual)].reset_index(drop=True)
    if to is not None:
        append(said, table, to)
    return table


def append(said: RegisteredForecast, scores: pd.DataFrame, path: str | Path) -> int:
    """Add scores to a register and return how many rows are new; what is there already is not added again.

    Parameters
    ----------
    said : RegisteredForecast
        What was scored.
    scores : DataFrame
        What :func:`score` returned.
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
    known = before.set_index(IDENTITY)["actual"].to_dict()
    places = [tuple(row) for row in rows[IDENTITY].itertuples(index=False)]
    for place, value in zip(places, rows["actual"], strict=True):
        if place in known and not np.isclose(known[place], value, rtol=1e-9):
            raise FileError(
                f"The register {str(path)!r} says that {place[-1]} of {place[3]!r} came to {known[place]:g}, and "
                f"{value:g} is given; mend the register by hand if that was wrong."
            )
    new = rows[[place not in known for place in places]]
    write_text(pd.concat([before, new], ignore_index=True).to_csv(index=False), path)
    return len(new)


def read_register(path: str | Path) -> pd.DataFrame:
    """Read a register of scored forecasts.

    Raises
    ------
    FileError
        It is none.
    """
    try:
        table = pd.read_csv(
            path, dtype={name: str for name in IDENTITY}, keep_default_na=False, na_values={"distance": [""]}
        )
        missing = [name for name in (*IDENTITY, "actual", "in90", "pit") if name not in table]
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise FileError(
            f"{str(path)!r} cannot be read as a register ({type(error).__name__}); name another."
        ) from error
    if missing:
        raise FileError(f"{str(path)!r} is no register of forecasts: it lacks {listed(missing)}; name another file.")
    return table


def _actual(rows: pd.DataFrame, outcomes: pd.DataFrame, said_least: np.ndarray) -> np.ndarray:
    """Return the outcome of each row of a forecast, NaN where none is given, shape (row,).

    Where the least that a forecast says is positive (``said_least``), its outcome is, too.
    """
    targets = np.array(_places(rows, outcomes), dtype=object)
    columns = _columns(rows, outcomes, targets)
    if not any(columns):
        wanted, given = listed(dict.fromkeys(rows["quantity"])), listed(map(str, outcomes.columns))
        ours = str(rows["quantity"].iloc[0])
        example = mapped(ours, "mine") if COMMAND_LINE.get() else f"names={{{ours!r}: 'mine'}}"
        raise TargetError(f"The outcomes have no column {wanted}, only {given}; name it, as in {example}.")
    _require_tasks(rows, outcomes, columns)
    tasks = outcomes["task"].astype(str).to_numpy() if "task" in outcomes else None
    found = np.full(len(rows), np.nan)
    for i, (column, own) in enumerate(zip(columns, rows.to_dict("records"), strict=True)):
        if column is None:
            continue
        # A loss that the tasks of a run share has a row of its own, or is repeated in each.
        of_run = column == own["task"] and (tasks is None or own["task"] not in tasks)
        of_it = (targets == own["target"]) & (tasks is None or own["task"] is None or of_run or tasks == own["task"])
        share = own["quantity"] == "accuracy"
        values = [number_of(value, share=share) for value in outcomes.loc[of_it, column]]
        values = list(dict.fromkeys(values)) if of_run else values
        if np.isfinite(values).sum() > 1:
            raise TargetError(f"The outcomes give {column} of {own['target']!r} twice; give it once.")
        for value in values:
            if not np.isnan(value) and (not 0 <= value <= 1 if share else value <= 0 < said_least[i]):
                fraction = f"a fraction between 0 and 1, or say {option('percent')}"
                raise TargetError(
                    f"The outcomes give {own['target']!r} {column} = {value:g}, which no run has; give "
                    f"{fraction if share else 'a positive number'}."
                )
            if np.isfinite(value):
                found[i] = value
    if not np.isfinite(found).any():
        raise TargetError(
            f"None of the {len(outcomes)} outcomes is a number of a run that was forecast; that were "
            f"{listed(map(repr, rows['target'].unique()))}, and a column target or run says which one an outcome is of."
        )
    return found


def _columns(rows: pd.DataFrame, outcomes: pd.DataFrame, targets: np.ndarray) -> list[str | None]:
    """Return the column that holds the outcome of each row of a forecast, None where there is none.

    The loss of a task is ``task_loss``, or ``loss`` where that is not the one loss of the run; a loss that tasks share
    is in the forecast under its own name, as a task.
    """
    run_has_one = "loss" in set(rows["task"])
    if {"task", "loss"} <= set(outcomes):
        by_run = outcomes["loss"].groupby(targets).agg(["size", "nunique"])
        run_has_one |= bool((by_run["size"] > 1).any() and (by_run["nunique"] <= 1).all())
    own_loss = next((n for n in ("task_loss", *(() if run_has_one else ("loss",))) if n in outcomes), None)
    found: list[str | None] = []
    for quantity, task in zip(rows["quantity"], rows["task"], strict=True):
        if quantity == "loss" and task is not None:
            found.append(task if task in outcomes else own_loss)
        else:
            found.append(quantity if quantity in outcomes else None)
    return found


def _require_tasks(rows: pd.DataFrame, outcomes: pd.DataFrame, columns: list[str | None]) -> None:
    """Refuse outcomes that do not say of which task they are, or name one nearly as the forecast does."""
    read = [column is not None and column != task for column, task in zip(columns, rows["task"], strict=True)]
    tasks = list(dict.fromkeys(rows.loc[read, "task"].dropna()))
    if "task" not in outcomes:
        if len(tasks) > 1:
            raise TargetError(
                f"The outcomes do not say of which task they are, and the forecast is of {listed(tasks)}; add a column "
                f"'task', or say {option('accuracy_columns', 'TASK_acc')} for a column of each."
            )
        return
    given = set(outcomes["task"].astype(str))
    for task in (task for task in tasks if task not in given):
        if near := [other for other in given - set(tasks) if other.lower() == task.lower()]:
            raise TargetError(f"The outcomes are of task {near[0]!r}, and the forecast of {task!r}; name it alike.")


def _places(rows: pd.DataFrame, outcomes: pd.DataFrame) -> list[str | None]:
    """Return the target of each outcome: the one it names, or whose inputs it has; None where it is of no target."""
    known = list(rows["target"].unique())
    named: list[str | None] = [None] * len(outcomes)
    for column in ("target", "run"):
        if column in outcomes:
            read = {
                number: name for name in known if np.isfinite(number := number_of(name))
            }  # a file may turn the name 1e21 into a number
            own = [name if name in known else read.get(number_of(name)) for name in map(str, outcomes[column])]
            named = [one or name for one, name in zip(named, own, strict=True)]
    inputs = [c for c in rows if c in outcomes and c not in ("target", "task", "quantity", "unit", *rows["quantity"])]
    if inputs:
        each = rows.drop_duplicates("target").set_index("target")[inputs].astype(float)
        for i, values in enumerate(outcomes[inputs].to_numpy()):
            asked = np.array([number_of(value) for value in values])
            near = np.isclose(each, asked, rtol=SAME_INPUT, atol=0).all(axis=1)
            if named[i] is None and near.sum() == 1:
                named[i] = str(each.index[np.argmax(near)])
    elif len(known) == len(outcomes) == 1 and not {"target", "run"} & set(outcomes):
        named = [known[0]]
    return named
