"""What accuracies of tasks do not tell: at chance in every run, falling with compute, or known of few runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayes_scaling.errors import counted, listed
from bayes_scaling.problems import Problem
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.validation import floats

__all__ = [
    "MAX_ABOVE_CHANCE",
    "above_chance",
    "at_chance",
    "best_runs",
    "by_accident",
    "falling",
    "few_scores",
    "outcome_of",
    "unvaried",
]

MAX_ABOVE_CHANCE = 0.03
"""Accuracy above chance, a fraction, up to which the best runs count as guessing."""
BEST = 4  # one in four runs, those of most compute, are looked at
FEWEST = 3  # runs that are looked at
MAX_FALL, DEVIATIONS = 0.5, 2.0  # rank correlation with compute by which accuracy falls; in standard deviations
FEW_SCORES = 5  # accuracies of a task
MIN_REACH = 0.5  # of the compute of all runs that a task's runs have to reach
MAX_NAMED = 6


def above_chance(rows: pd.DataFrame) -> pd.Series:
    """Return how far above chance the runs of most compute are, by task: a fraction, the median over a quarter of them.

    Parameters
    ----------
    rows : pandas.DataFrame
        A row per run and task, with ``task``, ``accuracy``, ``chance`` and what tells compute: FLOPs, or parameters and
        tokens; without it those of the lowest loss, and without that all runs are looked at.
    """
    best = best_runs(rows)
    above = floats(best, "accuracy") - floats(best, "chance")
    return above.groupby(best["task"], sort=False).median()


def best_runs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of most compute of each task, a quarter of those with an accuracy and three at least.

    Those that share the compute of the last of them are among them.

    Parameters
    ----------
    rows : pandas.DataFrame
        As for :func:`above_chance`.
    """
    compute, scored = training_flops(rows), floats(rows, "accuracy").notna()
    known = rows[scored]
    if compute is None and "loss" in rows:
        compute = -floats(rows, "loss").to_numpy()
    if compute is None:
        return known
    by_task = pd.Series(compute, rows.index)[scored].groupby(known["task"].to_numpy())
    enough = (by_task.transform("size") // BEST).clip(lower=FEWEST)
    return known[by_task.rank("min", ascending=False, na_option="bottom") <= enough]


def at_chance(rows: pd.DataFrame) -> Iterator[Problem]:
    """Name the tasks of which the best runs guess, or do worse; nothing where no task has accuracies and chance."""
    if not {"task", "accuracy", "chance"} <= set(rows):
        return
    above = above_chance(rows)
    guessed = above[above.abs() <= MAX_ABOVE_CHANCE]
    if len(guessed):
        yield Problem(
            "at-chance",
            f"The runs of most compute are at chance in {listed(map(str, guessed.index), MAX_NAMED)} (at most "
            f"{100 * MAX_ABOVE_CHANCE:g} points above)",
            "nothing in them says where such a task leaves chance, so read its interval as what may be, not as a curve",
            float(guessed.max()),
            "accuracy",
        )
    wrong = above[above < -MAX_ABOVE_CHANCE]
    if len(wrong):
        yield Problem(
            "below-chance",
            f"The runs of most compute are below chance in {listed(map(str, wrong.index), MAX_NAMED)} (by "
            f"{-100 * wrong.min():.0f} points at most)",
            "the law's curve does not fall below it, so see what chance is there, or leave the task out",
            float(wrong.min()),
            "accuracy",
        )


def unvaried(rows: pd.DataFrame) -> Iterator[Problem]:
    """Name the tasks of which every run has the same accuracy, other than chance, such as 1; nothing without chance."""
    if not {"task", "accuracy", "chance"} <= set(rows):
        return
    accuracy = floats(rows, "accuracy").groupby(rows["task"], sort=False).agg(["count", "min", "max"])
    same = accuracy[(accuracy["count"] > 1) & (accuracy["min"] == accuracy["max"])]["min"]
    same = same[above_chance(rows).reindex(same.index) > MAX_ABOVE_CHANCE]
    if len(same):
        named = [f"{task} ({value:g})" for task, value in same.items()]
        yield Problem(
            "unvaried",
            f"Every run has the same accuracy in {listed(named, MAX_NAMED)}",
            "neither a curve nor its noise follows from that, and the interval of such a task is the priors', so leave "
            "it out",
            float(same.iloc[0]),
            "accuracy",
        )


def falling(rows: pd.DataFrame) -> Iterator[Problem]:
    """Name the tasks whose accuracies fall with compute; nothing where the columns do not tell it."""
    runs = _by_task(rows)
    trend = {task: _trend(own["compute"], own["accuracy"]) for task, own in runs.items()}
    falls = [task for task, own in runs.items() if trend[task] < -by_accident(len(own))]
    if falls:
        worst = min(trend[task] for task in falls)
        yield Problem(
            "wrong-way",
            f"The accuracy falls with compute in {listed(falls, MAX_NAMED)} (rank correlation {worst:+.2f}, at least "
            f"{-MAX_FALL})",
            "the law's curve rises with a better loss, so leave such a task out; of an error rate forecast 1 - error",
            worst,
            "accuracy",
        )


def by_accident(runs: int) -> float:
    """Return the rank correlation up to which an outcome of one of many tasks may get worse with compute."""
    return max(MAX_FALL, DEVIATIONS / max(runs, 2) ** 0.5)


def few_scores(rows: pd.DataFrame) -> Iterator[Problem]:
    """Name the tasks of which few runs, or only small ones, have an accuracy, or a loss, where others have more."""
    outcome = outcome_of(rows)
    runs = _by_task(rows, outcome)
    if not runs or rows.groupby("task").size().max() <= FEW_SCORES:  # it is the runs that are few
        return
    largest = max((own["compute"].max() for own in runs.values() if len(own)), default=np.nan)
    said = [
        f"{task} ({counted(len(own), 'run')}, up to {own['compute'].max() / largest:.2g} times the most compute)"
        if len(own)
        else f"{task} (no run)"
        for task, own in runs.items()
        if len(own) < FEW_SCORES or own["compute"].max() < MIN_REACH * largest
    ]
    if said:
        yield Problem(
            "few-scores",
            f"Few or only small runs have {'an accuracy' if outcome == 'accuracy' else 'a loss'} in "
            f"{listed(said, MAX_NAMED)}",
            "a target is further beyond their runs than beyond those of the others, so trust the forecasts of these "
            "tasks less",
            float(len(said)),
            outcome,
        )


def outcome_of(rows: pd.DataFrame) -> str:
    """Return the column that says which runs a task has: accuracy where there are such, otherwise the loss."""
    return "accuracy" if "accuracy" in rows else "loss"


def _by_task(rows: pd.DataFrame, outcome: str = "accuracy") -> dict[str, pd.DataFrame]:
    """Return compute and outcome of the runs that have one, by task; none where the columns do not tell them."""
    if not {"task", outcome} <= set(rows) or (compute := training_flops(rows)) is None:
        return {}
    runs = pd.DataFrame({"compute": np.asarray(compute), outcome: floats(rows, outcome).to_numpy()})
    return {str(task): own.dropna() for task, own in runs.groupby(rows["task"].to_numpy(), sort=False)}


def _trend(compute: pd.Series, accuracy: pd.Series) -> float:
    """Return the rank correlation of accuracy with compute, 0 where there is none to tell."""
    if min(compute.nunique(), accuracy.nunique()) < FEWEST:
        return 0.0
    return float(compute.corr(accuracy, method="spearman"))
