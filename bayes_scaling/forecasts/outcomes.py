"""The outcomes of runs that were forecast, in any table a user may give: read, and refused where they are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, StudyError, TargetError, listed, mapped, option
from bayes_scaling.forecasts.matching_runs import Apart, places, strays, to_map
from bayes_scaling.study.rows import PLACE, absent, row_name, row_number, shown, task_name
from bayes_scaling.study.validation import FRACTION, MOST_ROWS, OUTCOME, POSITIVE, floats, number_of
from bayes_scaling.study.wide import BESIDE

__all__ = ["actual_outcomes"]


class _Place(NamedTuple):
    """Where the outcome of one row of a forecast stands.

    Attributes
    ----------
    target : str
        The run that was forecast.
    column : str or None
        The column of the outcomes; None where there is none.
    share : bool
        Whether it is a fraction.
    of_run : bool
        Whether it is one of the run, which may stand beside each of its tasks.
    rows : array, shape (outcome,)
        Which rows of the outcomes it may stand in.
    """

    target: str
    column: str | None
    share: bool
    of_run: bool
    rows: np.ndarray

    @classmethod
    def of(cls, own: Mapping[str, Any], column: str | None, targets: np.ndarray, tasks: np.ndarray | None) -> _Place:
        """Find one row of a forecast among outcomes of these targets and tasks."""
        task = own["task"]
        of_run = column is not None and column == task and (tasks is None or task not in tasks)
        rows = (targets == own["target"]) & (tasks is None or task is None or of_run or tasks == task)
        return cls(
            own["target"], column, bool(FRACTION.fullmatch(own["quantity"])), of_run, rows & (column is not None)
        )

    def read(self, outcomes: pd.DataFrame, positive: bool) -> float:
        """Return the outcome, NaN where there is none; whether it has to be positive is the forecast's to say."""
        if self.column is None:
            return np.nan
        each = np.array([number_of(value, share=self.share) for value in outcomes[self.column]])
        values = [value for value in each[self.rows] if np.isfinite(value)]
        positive &= bool(POSITIVE.fullmatch(self.column))
        if len(dict.fromkeys(values) if self.of_run else values) > 1:
            again = (str(row_number(outcomes, k)) for k in np.flatnonzero(self.rows & np.isfinite(each)))
            raise TargetError(
                f"The outcomes give {self.column} of {self.target!r} twice, in rows {listed(again, MOST_ROWS)}, and "
                "the forecast is of one run; give it once: keep the row of one run, or give the mean of several, which "
                "is less noisy than one."
            )
        value = values[0] if values else np.nan
        if values and (not 0 <= value <= 1 if self.share else positive and value <= 0):
            fraction = f"a fraction between 0 and 1, or say {option('percent')}"
            raise TargetError(
                f"The outcomes give {self.target!r} {self.column} = {value:g}, which no run has; give "
                f"{fraction if self.share else 'a positive number'}."
            )
        return value


def actual_outcomes(
    rows: pd.DataFrame, outcomes: pd.DataFrame, said_least: np.ndarray, names: Mapping[str, str]
) -> tuple[np.ndarray, list[str]]:
    """Return the outcome of each row of a forecast, NaN where none is given, shape (row,), and remarks.

    Parameters
    ----------
    rows : pandas.DataFrame
        Those of a registered forecast.
    outcomes : pandas.DataFrame
        With our column names.
    said_least : array, shape (row,)
        The least that the forecast says: where it is positive, the outcome is, too.
    names : mapping of str to str
        The user's own names by ours.

    Raises
    ------
    TargetError
        No outcome is of a run that was forecast, one is given twice or is no number, or a run has the name of one
        target and other inputs.
    """
    apart = Apart.of(rows, outcomes)
    named, remarks = places(apart, outcomes)
    targets = np.array(named, dtype=object)
    columns = _columns(rows, outcomes, targets)
    if not any(columns):
        raise TargetError(_no_column(rows, outcomes))
    _require_tasks(rows, outcomes, columns)
    tasks = _tasks(outcomes).to_numpy() if "task" in outcomes else None
    found = [
        _Place.of(own, column, targets, tasks) for own, column in zip(rows.to_dict("records"), columns, strict=True)
    ]
    _require_numbers(outcomes, found, names)
    actual = np.array([one.read(outcomes, least > 0) for one, least in zip(found, said_least, strict=True)])
    known = ~outcomes[[*dict.fromkeys(c for c in columns if c)]].map(absent).all(axis=1).to_numpy()
    of_target = np.array([name is not None for name in named])
    others = strays(apart, outcomes, np.flatnonzero(known & ~of_target))
    if not np.isfinite(actual).any():
        if of_target.any() and not (known & of_target).any():
            rows_of = [row_name(outcomes, place) for place in np.flatnonzero(of_target)]
            who = f"{listed(rows_of, MOST_ROWS)} {'have' if rows_of[1:] else 'has'}"
            raise TargetError(
                f"{who[0].upper()}{who[1:]} no {' or '.join(dict.fromkeys(c for c in columns if c))}, so there is "
                "nothing to score; fill in what came."
            )
        told = f"; given: {others}" if others else ""
        cure = to_map(apart, outcomes)
        raise TargetError(
            f"No outcome is of a run{' and task' if tasks is not None else ''} that was forecast "
            f"({listed(map(repr, rows['target'].unique()))}){told}; name the run as the forecast does, in a column "
            f"target or run, or give its inputs{f', as in {cure}' if cure else ''}."
        )
    left = [f"Not scored, because it is of no run that was forecast: {others}."] if others else []
    used = np.any([one.rows for one in found if one.column is not None], axis=0)
    if tasks is not None:
        unread = known & of_target & ~used & ~outcomes["task"].map(absent).to_numpy(dtype=bool)
        odd = [f"{shown(tasks[i])} of {named[i]!r} (row {row_number(outcomes, i)})" for i in np.flatnonzero(unread)]
        left += [f"Not scored, because it is of no task that was forecast: {listed(odd, MOST_ROWS)}."] if odd else []
    return actual, [*remarks, *left]


def over_tasks(outcomes: pd.DataFrame, averaged: Sequence[str], quantities: Sequence[str]) -> pd.DataFrame:
    """Return outcomes by task as their means, a row per run, for a forecast of the mean of some tasks.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        With our column names.
    averaged : sequence of str
        The tasks whose mean is forecast; where there are none, or no column says the task, nothing changes.
    quantities : sequence of str
        What is forecast.

    Raises
    ------
    TargetError
        A run lacks one of the tasks, or has one twice.
    """
    if not averaged or "task" not in outcomes:
        return outcomes
    own = outcomes[_tasks(outcomes).isin(averaged)]
    inputs = [c for c in own if c not in ("task", *BESIDE) and not OUTCOME.fullmatch(str(c))]
    by = [c for c in ("target", "run") if c in own][:1] or inputs
    runs, means = [], []
    for _, run in own.groupby(by, sort=False, dropna=False) if by else [(None, own)]:
        tasks = list(_tasks(run))
        if sorted(tasks) != sorted(averaged):
            raise TargetError(
                f"The forecast is of the mean of {listed(averaged)}, and the outcomes of {row_name(run, 0)} are of "
                f"{listed(tasks)}; give each of the tasks once, or the mean itself without a task."
            )
        runs.append(run.iloc[:1])
        known = [c for c in quantities if c in run]
        means.append({c: np.mean([number_of(v, share=bool(FRACTION.fullmatch(c))) for v in run[c]]) for c in known})
    if not runs:
        raise TargetError(f"No outcome is of the tasks whose mean is forecast, {listed(averaged)}; name them alike.")
    found = pd.concat(runs).drop(columns="task")
    return found.assign(**{c: [mean.get(c) for mean in means] for c in means[0]})


def _tasks(outcomes: pd.DataFrame) -> pd.Series:
    """Return the task of each outcome, as a study calls it."""
    return outcomes["task"].map(task_name).astype(str)


def _no_column(rows: pd.DataFrame, outcomes: pd.DataFrame) -> str:
    """Say that no column holds an outcome, and how to give one."""
    wanted, given = listed(dict.fromkeys(rows["quantity"])), [str(name) for name in outcomes.columns]
    tasks = rows.loc[rows["quantity"] == "accuracy", "task"].dropna().unique()
    wide = [(task, name) for task in tasks for name in given if str(task) in name]
    if "accuracy" in set(rows["quantity"]) and wide:
        rules = dict.fromkeys(name.replace(str(task), PLACE, 1) for task, name in wide)
        rule = ",".join(name for _, name in wide) if PLACE in rules else next(iter(rules))
        cure = f"say {option('accuracy_columns', rule)}, since a column is called as a task"
    else:
        ours = str(rows["quantity"].iloc[0])
        example = mapped(ours, "mine") if COMMAND_LINE.get() else f"names={{{ours!r}: 'mine'}}"
        cure = f"name it, as in {example}"
    return f"The outcomes have no column {wanted}, only {listed(given)}; {cure}."


def _require_numbers(outcomes: pd.DataFrame, found: Sequence[_Place], names: Mapping[str, str]) -> None:
    """Refuse entries that are to be scored and are neither numbers nor empty, by row and column."""
    for column in dict.fromkeys(one.column for one in found if one.column is not None):
        of_it = np.any([one.rows for one in found if one.column == column], axis=0)
        entries = outcomes[column].astype(object).where(of_it, None)
        try:
            values = floats(outcomes.drop(columns="State", errors="ignore").assign(**{column: entries}), column, names)
        except StudyError as error:
            raise TargetError(f"{str(error)[:-1]}, or leave empty what did not come.") from None
        if (endless := np.flatnonzero(np.isinf(values))).size:
            where = listed((row_name(outcomes, place) for place in endless), MOST_ROWS)
            raise TargetError(f"The outcomes have an infinite {column} in {where}; leave empty what did not come.")


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
    given = set(_tasks(outcomes))
    for task in (task for task in tasks if task not in given):
        if near := [other for other in given - set(tasks) if other.lower() == task.lower()]:
            raise TargetError(f"The outcomes are of task {near[0]!r}, and the forecast of {task!r}; name it alike.")
