"""Accuracy from loss: a sigmoid between a floor near chance and a ceiling near one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd

from bayes_scaling.errors import StudyError
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import data_field, prior
from bayes_scaling.law.noise import ClippedNormal
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.study.chance import MAX_ABOVE_CHANCE, above_chance
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["SigmoidAccuracy", "of_tasks"]


class SigmoidAccuracy(Law):
    r"""Accuracy rises along a sigmoid as the loss falls.

    .. math:: \mathrm{acc}(L) = f + (c - f)\, \mathrm{sigmoid}\!\left(b - k\, \frac{(L/L_0)^\lambda - 1}{\lambda}\right)

    with L a task loss in bits per byte or a language-model loss in nats per token, L0 its geometric mean over the
    fitted runs, and accuracies as fractions.  ``bend`` 1 is a sigmoid in L, 0 a sigmoid in log L.  The floor f is
    chance c0 shifted on the logit scale, :math:`f = c_0 e^s / (1 - c_0 + c_0 e^s)`; where guessing is never right
    (chance 0: exact match, pass rates) it is 0.  Outcomes are normal around the curve, and those below 0 or above 1
    are 0 or 1: an accuracy of exactly 0 is one that noise could not lower further.

    References
    ----------
    .. [1] Bhagia et al. 2024, "Establishing Task Scaling Laws via Compute-Efficient Model Ladders", arXiv 2412.04403,
       equation 2 (there a sigmoid in L with free asymptotes).

    Examples
    --------
    >>> law = SigmoidAccuracy()
    >>> round(float(law.mean(1.0, 0.25, 1.0, floor=0.0, ceiling=1.0, centre=0.0, slope=4.0, bend=1.0)), 3)
    0.625
    """

    floor: Prior = prior(
        default=dist.Normal(0.0, 0.25),
        unit="log odds",
        reason="Shift of the floor f from chance, on the logit scale.  Small models sit a little above or below "
        "chance; a floor fixed at chance makes the curve steep where it should be flat.",
    )
    ceiling: Prior = prior(
        default=LogitNormal(3.5, 0.4),
        unit="fraction",
        reason="Accuracy c at zero loss.  Near one: labels are not perfect.",
    )
    centre: Prior = prior(
        default=dist.Normal(-2.0, 3.0),
        unit="log odds",
        reason="b, the log odds between floor and ceiling at L0.  Weak: from tasks solved by all runs to tasks that "
        "runs of a tenth of the loss would still guess.  A narrower prior promises a curve where all runs guess.",
    )
    slope: Prior = prior(
        default=dist.LogNormal(math.log(5.0), 0.5),
        unit="log odds per log loss",
        reason="k, how fast the log odds rise as the log loss falls, at L0.  Between 2 and 12 for losses of tasks and "
        "of text: tasks of one ladder differ by a factor of three.",
    )
    bend: Prior = prior(
        default=dist.Normal(0.0, 0.25),
        unit="pure number",
        reason="lambda, the shape of the abscissa.  Centred on a sigmoid in log L: in backtests inside the task "
        "ladder, accuracy given loss is forecast best there, and too low with a sigmoid in L.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.008), 1.0),
        unit="fraction",
        reason="Scatter of accuracy between runs of equal loss, a fraction (0.008 is 0.8 points).  Wide: from a tenth "
        "of a point, where all runs guess, to the scatter of tasks that some runs answer with yes throughout.",
    )
    discrepancy: Prior = prior(
        default=0.15,
        unit="fraction",
        reason="How wrong the slope may be below the smallest fitted loss (a fraction, standard deviation).  The least "
        "with which 90 % intervals hold nine tenths in backtests inside two ladders, each counting the same.",
    )

    shared_questions: float = data_field(
        default=0.8,
        about="Share of the binomial variance that is not noise, because all models answer the same questions; the "
        "rest is known to be noise, where a column ``questions`` says how many there are.  Runs of the first ladder "
        "scatter around their curves by at least 0.45 of the binomial standard deviation, a fifth of the variance.",
    )

    emergence: float = data_field(
        default=3.3,
        about="Multiplies ``discrepancy`` for a task whose fitted runs of most compute still guess (at most "
        f"{100 * MAX_ABOVE_CHANCE:g} points above chance): nothing in them tells how steep its curve is.  The least "
        "with which 90 % intervals hold nine tenths of such tasks in backtests inside two ladders, each counting the "
        "same.",
    )

    outcome = "accuracy"
    indicators: ClassVar = ("chance",)  # may be zero
    unit = "fraction"
    equation = r"a = f + (c - f)\, \mathrm{sigmoid}(b - k ((L / L_0)^\lambda - 1) / \lambda)"
    pooling: ClassVar = {"slope": 0.3, "bend": 0.2}

    def mean(self, loss, chance, loss0, *, floor, ceiling, centre, slope, bend):  # noqa: D102
        odds = centre - slope * box_cox(jnp.log(loss / loss0), bend)
        return between(odds, chance, floor, ceiling)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample the log odds at the best fitted loss in place of b, and about the accuracy at the worst for f."""
        if not {"floor", "centre", "slope", "bend"} <= u.keys():
            return dict(u)
        slope, bend = jnp.exp(u["slope"]), u["bend"]
        best, worst = (jnp.log(edge(runs["loss"], axis=0) / runs["loss0"]) for edge in (jnp.min, jnp.max))
        centre = u["centre"] + slope * box_cox(best, bend)
        chance = runs["chance"] if jnp.ndim(runs["chance"]) == jnp.ndim(slope) else runs["chance"][0]
        above = chance + (1 - chance) * jax.nn.sigmoid(centre - slope * box_cox(worst, bend))
        guessed = chance > 0  # a floor at 0 does not move
        shift = logit(jnp.where(guessed, above, 0.5)) - logit(jnp.where(guessed, chance, 0.5))
        return {**u, "centre": centre, "floor": u["floor"] - shift}

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the accuracy at zero loss."""
        return parameters["ceiling"]

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:  # noqa: D102
        p = parameters
        step = jnp.maximum(jnp.log(jnp.nanmin(fitted["loss"], axis=0) / runs["loss"]), 0.0)
        odds = p["centre"] - p["slope"] * box_cox(jnp.log(runs["loss"] / runs["loss0"]), p["bend"])
        slope_error = slope_error * jnp.where(runs["guessed"], self.emergence, 1.0)
        return between(odds + slope_error * p["slope"] * step, runs["chance"], p["floor"], p["ceiling"])

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:
        """Return a normal around the curve, clipped to 0 and 1."""
        return ClippedNormal(mean, sigma)

    def noise_of(self, runs: Arrays, mean: jax.Array, sigma: jax.Array) -> jax.Array:
        """Return the noise of each accuracy: what is learnt, and its part of the binomial error of its questions."""
        known = (1 - self.shared_questions) * mean * (1 - mean) * runs["per_question"]
        return jnp.sqrt(sigma**2 + known)

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed) for this law from a study, with what :func:`of_tasks` tells of its task."""
        runs, observed = super().arrays(study)
        return {**runs, **{name: values[0] for name, values in of_tasks(study).items()}}, observed


def box_cox(log_ratio: jax.Array, bend: jax.Array) -> jax.Array:
    """Return ``(exp(bend * log_ratio) - 1) / bend``, smooth through ``bend = 0``."""
    x = bend * log_ratio
    small = jnp.abs(x) < 1e-6
    x = jnp.where(small, 1.0, x)
    return log_ratio * jnp.where(small, 1.0, jnp.expm1(x) / x)


def between(odds: jax.Array, chance: jax.Array, floor: jax.Array, ceiling: jax.Array) -> jax.Array:
    """Return the accuracy at given log odds between a floor near chance and a ceiling."""
    odds_of_floor = chance * jnp.exp(floor)
    low = odds_of_floor / (1 - chance + odds_of_floor)
    return low + (ceiling - low) * jax.nn.sigmoid(odds)


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
        A task has different numbers of questions, or one that is not positive.
    """
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


def logit(share: jax.Array) -> jax.Array:
    """Return the log odds of a share."""
    return jnp.log(share) - jnp.log1p(-share)
