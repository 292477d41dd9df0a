"""What the two-step law reads from a study of runs by tasks: arrays with a row per run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_scaling.errors import COMMAND_LINE, StudyError
from bayes_scaling.models.accuracy_curve import CHANCE, of_tasks
from bayes_scaling.study.losses import loss_columns
from bayes_scaling.study.panel import Panel, series_parts
from bayes_scaling.study.rows import shown

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["LATENT", "labels", "require_two_runs", "task_arrays"]

NO_LOSS = (
    "without a loss, single_step() of bayes_scaling.models.two_step goes straight to accuracy, as the commands do "
    "where no --law is given"
)

LATENT = (1.7, 2.0, 2.4)  # best, middle and worst of the latent index of a single step, with a floor of 1


def task_arrays(
    name: str, study: Study, inputs: Iterable[str], series: tuple[str, ...], feature: str | None, windows: int
) -> tuple[Panel, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (panel, runs, observed) of a study: losses of shape (run, series), accuracies of shape (run, task).

    Parameters
    ----------
    name : str
        Of the law, for messages.
    study : Study
        A row per run and task; a task that a run lacks, or that has no accuracy, is NaN, and so is an accuracy where
        the loss that step 2 reads is missing.
    inputs : iterable of str
        Its columns that belong to a run, whatever the task.
    series : tuple of str
        Its loss columns that step 1 describes.
    feature : str or None
        That which step 2 reads; None for a latent index.
    windows : int
        Window means per run.

    Raises
    ------
    StudyError
        A column is missing, an entry is not usable, or a run or a task has several values in a column of its own.
    """
    panel = _panel(name, study, inputs, series)
    chance = panel.tasks["chance"].to_numpy(dtype=float)
    observed = {"accuracy": panel.wide("accuracy")}
    if feature is None:
        level, place = np.full(len(chance), LATENT[1]), np.arange(len(chance))
        extent = np.stack([np.full(len(chance), LATENT[0]), np.full(len(chance), LATENT[2])])
        reached = extent[:1]
    else:
        found = panel.series(series)
        own = np.array([i for i, (column, _) in enumerate(found.values()) if column == feature])
        place = np.broadcast_to(own, chance.shape)
        losses = observed["loss"] = np.stack([values for _, values in found.values()], axis=1)
        observed["accuracy"] = np.where(np.isnan(losses[:, place]), np.nan, observed["accuracy"])
        level = np.exp(np.nanmean(np.log(losses), axis=0))
        extent = np.stack([np.nanmin(losses, axis=0), np.nanmax(losses, axis=0)])
        scored = np.where(np.isfinite(observed["accuracy"]), losses[:, place], np.inf).min(axis=0, keepdims=True)
        reached = np.where(np.isfinite(scored), scored, extent[:1, place])
    for column in ("accuracy", feature) if windows else ():
        steps = [panel.wide(f"{column}_window{i}") for i in range(1, windows + 1)]
        observed[f"{'accuracy' if column == 'accuracy' else 'loss'}_windows"] = np.stack(steps, axis=-1)
    runs = {"loss0": level, "chance": chance, "feature": place, "range": extent, "reached": reached, **of_tasks(study)}
    return panel, runs, observed


def _panel(name: str, study: Study, inputs: Iterable[str], series: tuple[str, ...]) -> Panel:
    needed = ["run", "task", "chance", "accuracy", *series]
    if missing := [column for column in needed if column not in study.frame]:
        others = loss_columns(study.frame)
        cure = f"chance: {CHANCE}"
        if set(missing) <= set(series):
            cure = _through(others[0]) if others else NO_LOSS
        raise StudyError(
            f"{name} needs {', '.join(needed)} in one row per run and task, and study {study.name!r} lacks "
            f"{', '.join(missing)} ({cure})."
        )
    for column in ("chance", "accuracy"):
        study.column(column)  # refuses entries that no fit can use
    for column in series:
        study.column(column, partial=True)
    return Panel.of(study, of_runs=[c for c in inputs if c in study.frame], of_tasks=["chance"])


def _through(loss: str) -> str:
    """Return the law that goes through one loss, in the words of the interface in use."""
    law = f"--law two_step:{loss}" if COMMAND_LINE.get() else f"TwoStep(feature={loss!r}, jointly=())"
    return f"{law} goes through {loss!r}"


def require_two_runs(name: str, study: Study, series: tuple[str, ...], feature: str | None, values: np.ndarray) -> None:
    """Refuse a series that a single one of several runs has: nothing tells how it goes with size and data.

    Parameters
    ----------
    name : str
        Of the law, for messages.
    study : Study
        The runs.
    series, feature
        As for :func:`.labels`.
    values : array, shape (run, series)
        Its outcomes; NaN where a run has none.

    Raises
    ------
    StudyError
        There is one.
    """
    alone = np.isfinite(values).sum(axis=0) == 1
    if len(values) > 1 and alone.any():
        column, task = series_parts(labels(study, series, feature)["series"][int(np.argmax(alone))])
        what = f"the {column} of {shown(task)}" if task else f"an outcome of {shown(column)}"
        raise StudyError(
            f"A single one of the {len(values)} runs of study {study.name!r} has {what}, from which {name} learns no "
            "curve; give that of more runs, or leave it out."
        )


def labels(study: Study, series: tuple[str, ...], feature: str | None) -> dict[str, Any]:
    """Return the names of the series and of the tasks of a study."""
    panel = Panel.of(study)
    tasks = list(panel.tasks.index)
    return {"series": tasks if feature is None else list(panel.series(series)), "task": tasks}
