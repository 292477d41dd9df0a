"""What laws of accuracy share: noise within [0, 1], the error of many questions, and tasks that are guessed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd

from bayes_scaling.errors import StudyError
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import data_field, prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.study.chance import MAX_ABOVE_CHANCE, above_chance
from bayes_scaling.study.rows import shown
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["CHANCE", "AccuracyCurve", "of_tasks"]

CHANCE = "the accuracy of guessing, 0.25 for four choices, 0 where answers are written freely"


class AccuracyCurve(Law):
    """Accuracy of one task, a fraction above chance: outcomes are normal around the curve, and within [0, 1]."""

    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.008), 1.0),
        unit="fraction",
        reason="Scatter of accuracy between runs of equal inputs, a fraction (0.008 is 0.8 points).  Wide: from a "
        "tenth of a point, where all runs guess, to the scatter of tasks that some runs answer with yes throughout.",
    )
    discrepancy: Prior = prior(
        default=0.16,
        unit="fraction",
        reason="How wrong the slope may be beyond the best fitted run (a fraction, standard deviation).  The least "
        "with which 90 % intervals hold nine tenths of the accuracies given the losses, in backtests inside two "
        "ladders, each counting the same.",
    )
    shared_questions: float = data_field(
        default=0.8,
        wanted="share between 0 and 1",
        about="Share of the binomial variance that is not noise, because all models answer the same questions; the "
        "rest is known to be noise, where a column ``questions`` says how many there are.  Runs of the first ladder "
        "scatter around their curves by at least 0.45 of the binomial standard deviation, a fifth of the variance.",
    )
    emergence: float = data_field(
        default=2.5,
        wanted="number of zero or more",
        about="Multiplies ``discrepancy`` for a task whose fitted runs of most compute still guess (at most "
        f"{100 * MAX_ABOVE_CHANCE:g} points above chance): nothing in them tells how steep its curve is.  The least "
        "with which 90 % intervals hold nine tenths of such tasks in backtests inside two ladders, each counting the "
        "same.",
    )

    outcome = "accuracy"
    indicators: ClassVar = ("chance",)  # may be zero
    unit = "fraction"

    def error_of(self, runs: Arrays, slope_error: jax.Array) -> jax.Array:
        """Return the error of the slope, larger where the fitted runs guess."""
        return slope_error * jnp.where(runs["guessed"], self.emergence, 1.0)

    def noise_of(self, runs: Arrays, mean: jax.Array, sigma: jax.Array) -> jax.Array:
        """Return the noise of each accuracy: what is learnt, and its part of the binomial error of its questions."""
        known = (1 - self.shared_questions) * mean * (1 - mean) * runs["per_question"]
        return jnp.sqrt(sigma**2 + known)

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed) for this law from a study, with what :func:`of_tasks` tells of its task."""
        runs, observed = super().arrays(study)
        return {**runs, **{name: values[0] for name, values in of_tasks(study).items()}}, observed


def of_tasks(study: Study) -> dict[str, np.ndarray]:
    """Return what the law reads of each task beside its runs, in the order of the table.

    Returns
    -------
    dict of str to array, shape (task,)
        ``per_question``, one over the number of questions, 0 where no column tells; and ``guessed``, whether the runs
        of most compute are at chance.

    Raises
    ------
    StudyError
        A task has different numbers of questions, or one that is not positive, or a chance of 1.
    """
    if (sure := study.frame["chance"] >= 1).any():
        rows = study.frame[sure]
        whose = f"task {shown(rows['task'].iloc[0])}" if "task" in rows else f"study {study.name!r}"
        raise StudyError(f"The chance of {whose} is 1, and nobody guesses right always; give {CHANCE}.")
    table = study.frame if "task" in study.frame else study.frame.assign(task="accuracy")
    guessed = above_chance(table).reindex(table["task"].unique()) <= MAX_ABOVE_CHANCE
    return {"per_question": _per_question(table, study.name), "guessed": guessed.to_numpy()}


def _per_question(table: pd.DataFrame, name: str) -> np.ndarray:
    numbers = floats(table if "questions" in table else table.assign(questions=np.nan), "questions")
    found = []
    for task, known in numbers.groupby(table["task"], sort=False):
        given = known.dropna().unique()
        if len(given) > 1 or (given <= 0).any():
            raise StudyError(
                f"The task {task!r} of study {name!r} has {', '.join(f'{n:g}' for n in given[:4])} questions; "
                "give one positive number for all its runs, or leave the column out."
            )
        found.append(float((1 / given).sum()))
    return np.asarray(found)
