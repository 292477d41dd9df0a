"""Tasks that no run has left chance at: where nothing in the runs tells when a curve begins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayes_scaling.errors import listed
from bayes_scaling.problems import Problem
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.validation import floats

__all__ = ["MAX_ABOVE_CHANCE", "above_chance", "at_chance"]

MAX_ABOVE_CHANCE = 0.03
"""Accuracy above chance, a fraction, up to which the best runs count as guessing."""
BEST = 4  # one in four runs, those of most compute, are looked at
FEWEST = 3  # runs that are looked at
MAX_NAMED = 6


def above_chance(rows: pd.DataFrame) -> pd.Series:
    """Return how far above chance the runs of most compute are, by task: a fraction, the median over a quarter of them.

    Parameters
    ----------
    rows : pandas.DataFrame
        A row per run and task, with ``task``, ``accuracy``, ``chance`` and what tells compute: FLOPs, or parameters and
        tokens; without it all runs are looked at.
    """
    compute = training_flops(rows)
    known = rows.assign(
        compute=np.ones(len(rows)) if compute is None else compute,
        above=floats(rows, "accuracy") - floats(rows, "chance"),
    ).dropna(subset="above")

    def best(task: pd.DataFrame) -> float:
        count = len(task) if compute is None else max(len(task) // BEST, FEWEST)
        return float(task.nlargest(count, "compute")["above"].median())

    return pd.Series({task: best(own) for task, own in known.groupby("task", sort=False)}, dtype=float)


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
