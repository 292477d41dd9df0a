"""Studies with one row per run and task, as arrays with one row per run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError, listed
from bayes_scaling.study.rows import shown

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Panel", "one_row_each", "one_value", "series_label", "series_parts"]

BETWEEN = ":"  # a column and its task in the label of a series


def one_value(study: Study, key: str, columns: Iterable[str]) -> None:
    """Refuse runs, or tasks, that have several values in a column of their own.

    Parameters
    ----------
    study : Study
        A row per run and task.
    key : {"run", "task"}
        What the columns belong to.
    columns : iterable of str
        Columns of numbers.

    Raises
    ------
    StudyError
        There is such a run or task.
    """
    frame = study.frame
    for column in columns:
        several = frame.groupby(key, sort=False)[column].nunique() > 1
        if several.any():
            name = several.idxmax()
            values = listed(f"{v:g}" for v in frame.loc[frame[key] == name, column].unique())
            raise StudyError(
                f"The {key} {shown(name)} of study {study.name!r} has {column} {values}; give one number in "
                f"all its rows, or each a {key} of its own."
            )


def one_row_each(study: Study) -> None:
    """Refuse several rows of one run and task, such as checkpoints.

    Raises
    ------
    StudyError
        There are such rows.
    """
    frame = study.frame
    if (twice := frame.duplicated(["run", "task"])).any():
        run, task = frame.loc[twice, ["run", "task"]].iloc[0]
        remedy = "fit study.last_checkpoints" if "checkpoint" in frame else "give one row per run and task"
        raise StudyError(
            f"Study {study.name!r} has several rows of the run {shown(run)} for the task {shown(task)}, and a law of "
            f"several series reads one; {remedy}."
        )


def series_label(column: str, task: str = "") -> str:
    """Return what a series is called: its column, and its task where each has one of its own."""
    return f"{column}{BETWEEN}{task}" if task else column


def series_parts(label: str) -> tuple[str, str]:
    """Return the column and the task that a label names, an empty task where tasks share the series.

    Examples
    --------
    >>> series_parts(series_label("task_loss", "mmlu: stem")), series_parts("c4_loss")
    (('task_loss', 'mmlu: stem'), ('c4_loss', ''))
    """
    column, _, task = str(label).partition(BETWEEN)
    return column, task


@dataclasses.dataclass(frozen=True)
class Panel:
    """A study of runs by tasks.

    Attributes
    ----------
    runs : pandas.DataFrame
        One row per run, with the columns that do not depend on the task.
    tasks : pandas.DataFrame
        One row per task, index its name.
    rows : pandas.DataFrame
        The study's table, indexed by run and task.
    """

    runs: pd.DataFrame
    tasks: pd.DataFrame
    rows: pd.DataFrame

    @classmethod
    def of(cls, study: Study, of_runs: Iterable[str] = (), of_tasks: Iterable[str] = ()) -> Panel:
        """Read a study as a panel.

        Parameters
        ----------
        study : Study
            A row per run and task.
        of_runs, of_tasks : iterable of str
            Columns that all rows of a run, or of a task, have one value in.

        Raises
        ------
        StudyError
            The study has no column ``run`` or ``task``, several rows of one run and task, or a run or a task has
            several values in a column of its own.
        """
        frame = study.frame
        for key in ("run", "task"):
            if key not in frame:
                raise StudyError(f"Study {study.name!r} has no column {key!r}; give one row per run and task.")
        one_row_each(study)
        one_value(study, "run", of_runs)
        one_value(study, "task", of_tasks)
        runs, tasks = frame.drop_duplicates("run"), frame.drop_duplicates("task").set_index("task")
        return cls(runs, tasks, frame.set_index(["run", "task"]))

    def wide(self, column: str) -> np.ndarray:
        """Return one column as an array, shape (run, task); NaN where the table has no entry, or no such row."""
        table = self.rows[column].unstack("task")
        return table.reindex(index=self.runs["run"], columns=self.tasks.index).to_numpy(dtype=float)

    def shared(self, column: str) -> bool:
        """Say whether a column is a property of the run: the same for all of several tasks that have an entry.

        Raises
        ------
        StudyError
            It is in most runs, and in others it is not.
        """
        by_run = self.rows.groupby(level="run")[column]
        alike, several = (by_run.nunique() == 1) & (by_run.count() > 1), by_run.nunique() > 1
        if 0 < several.sum() < alike.sum():
            name = several.idxmax()
            given = listed(map(shown, self.rows[column].loc[[name]].dropna().unique().tolist()))
            raise StudyError(
                f"The run {shown(name)} has {column} {given}, and the tasks of other runs share one; give one number "
                "in all its rows."
            )
        return bool(alike.any() and not several.any())

    def series(self, columns: tuple[str, ...]) -> dict[str, tuple[str, np.ndarray]]:
        """Return {label: (column, values of shape (run,))}: one series per task, or a single one if it is shared.

        What a run lacks is NaN.

        Raises
        ------
        StudyError
            No run has the loss of a task, or a column has a colon in its name, which labels divide.
        """
        found = {}
        for column in columns:
            if BETWEEN in column:
                raise StudyError(
                    f"The column {column!r} of losses has a colon in its name, which stands between column and task in "
                    "the name of a series; rename it."
                )
            if self.shared(column):
                by_run = self.rows[column].groupby(level="run").first()
                found[column] = (column, by_run.loc[self.runs["run"]].to_numpy(dtype=float))
                continue
            by_task = self.wide(column)
            for place, task in enumerate(self.tasks.index):
                values = by_task[:, place]
                if np.isnan(values).all():
                    raise StudyError(
                        f"No run has a {column} of task {shown(task)}; give that of some runs, leave the task out, or "
                        "use a loss that the tasks of a run share."
                    )
                found[series_label(column, task)] = (column, values)
        return found
