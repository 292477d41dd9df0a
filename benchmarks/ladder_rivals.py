r"""Rival laws of accuracy on both ladders, beside the two-step law: inside the training runs, and at the targets.

*Direct*: each task by itself, by :class:`.DirectAccuracyInFlops` and, with terms of parameters and tokens, by
:class:`.DirectLadder` (both Krajewski et al. 2025, arXiv 2512.08894).  *Average*: the two-step law through each loss of
the ladder (the default forecast) and the direct law of parameters and tokens, each counting the same.  *Exponential
decay*: the error averaged over the tasks is :math:`\epsilon - k e^{-\gamma L}` (Gadre et al. 2024, arXiv 2403.08540),
a point fit as in that paper; at runs to forecast, L is the median of our own step 1.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayes_scaling as bs
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.models import DirectAccuracyInFlops, DirectLadder
from bayes_scaling.models.defaults import default_laws
from benchmarks.ladders import LADDERS, ladder_of, parts_of
from benchmarks.markdown import show

STEPS, BY_COMPUTE, DIRECT, AVERAGE = "two steps", "direct", "direct, N and D", "average"


def exponential(loss: np.ndarray, error: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the mean error at other losses, by exponential decay fitted with least squares; nats and fractions."""

    def law(parameters: np.ndarray, loss: np.ndarray) -> np.ndarray:
        ceiling, log_k, log_gamma = parameters
        return ceiling - np.exp(np.clip(log_k - np.exp(log_gamma) * (loss - loss_0), -30, 30))

    loss_0 = loss.min()
    starts = [(error.max(), np.log(np.ptp(error) + 1e-3), np.log(gamma)) for gamma in (0.5, 1.0, 2.0)]
    fits = [least_squares(lambda p: law(p, loss) - error, start) for start in starts]
    return law(min(fits, key=lambda fit: fit.cost).x, at)


def compare(fitted: bs.Study, later: bs.Study, seed: int, draws: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores of single accuracies, by law, run and task, and errors of their mean over tasks, by run."""
    fits = [bs.fit(law, fitted, seed=seed, draws=draws) for law in (*default_laws(fitted)[1], DirectLadder())]
    *steps, straight = (bs.forecast(fit, later, allow_unconverged=True) for fit in fits)
    forecasts = {STEPS: average(steps, seed=seed), DIRECT: straight, AVERAGE: average([*steps, straight], seed=seed)}
    scores = {law: forecast.score() for law, forecast in forecasts.items()}
    found = {law: rows[rows["quantity"] == "accuracy"].set_index(["target", "task"]) for law, rows in scores.items()}
    found[BY_COMPUTE] = direct(DirectAccuracyInFlops(), fitted, later, seed, draws)
    single = pd.concat({law: rows.reindex(found[STEPS].index) for law, rows in found.items()}, names=["law"])
    return single, _means(forecasts, fitted)


def direct(law: bs.Law, fitted: bs.Study, later: bs.Study, seed: int, draws: int) -> pd.DataFrame:
    """Return the scores of a law of one task's accuracy, fitted to each task by itself; index target and task."""
    known = fitted.frame[np.isfinite(fitted.frame["accuracy"])]
    tasks = [str(task) for task in known["task"].unique()]
    studies = [dataclasses.replace(fitted, frame=known[known["task"] == task].reset_index(drop=True)) for task in tasks]
    batch = bs.fit_many(law, studies, seed=seed, draws=draws, progress=False)
    blocks = []
    for task, member in zip(tasks, batch, strict=True):
        if member.posterior is None:
            raise RuntimeError(f"{task}: {member.error}")
        forecast = bs.forecast(member.posterior, later.select(task=task), allow_unconverged=True)
        blocks.append(forecast.score().assign(task=task, converged=member.verdict == "converged"))
    return pd.concat(blocks).set_index(["target", "task"])


def _means(forecasts: dict[str, bs.Forecast], fitted: bs.Study) -> pd.DataFrame:
    """Return relative errors of the mean error over tasks; exponential decay takes the loss that tasks share."""
    through_loss = forecasts[STEPS]
    actual = 1 - through_loss.actual["accuracy"].mean("task").to_series()
    loss = through_loss.draws["loss_mean"].sel(series="c4_loss").median("sample").to_series()
    error = 1 - fitted.frame.groupby("run", sort=False)["accuracy"].mean()
    own_loss = fitted.runs.set_index("run")["c4_loss"].reindex(error.index)
    decay = exponential(own_loss.to_numpy(), error.to_numpy(), loss.to_numpy())
    columns = {
        law: 1 - one.draws["accuracy_run"].mean("task").median("sample").to_series() for law, one in forecasts.items()
    }
    columns["exponential decay"] = pd.Series(decay, loss.index)
    return pd.DataFrame({name: values / actual - 1 for name, values in columns.items()})


def figures(seed: int = 0, draws: int = 500, *, targets: bool = True) -> dict[str, float]:
    """Run the rivals on both ladders, print tables of their errors and intervals and return backtest errors by name."""
    singles, means = {}, {}
    for name in LADDERS:
        for part, (fitted, later) in parts_of(ladder_of(name), targets=targets).items():
            singles[name, part], means[name, part] = compare(fitted, later, seed, draws)
    rows = pd.concat(singles, names=["ladder", "runs"])
    errors = rows["error"].unstack("law")[[STEPS, BY_COMPUTE, DIRECT, AVERAGE]]
    table = 100 * errors.abs().groupby(["ladder", "runs"], sort=False).mean()
    show("Mean absolute error of accuracies, points", table.reset_index())
    held = 100 * rows.groupby(["ladder", "runs", "law"], sort=False)[["in50", "in90", "width90", "crps"]].mean()
    show("Intervals: per cent inside, width and CRPS in points", held.reset_index())
    of_means = pd.DataFrame({at: 100 * errors.abs().mean() for at, errors in means.items()}).T
    of_means = of_means.rename_axis(["ladder", "runs"]).reset_index()
    show("Mean absolute relative error of the error averaged over tasks, per cent", of_means)
    inside = table[table.index.get_level_values("runs") != "targets"].groupby(level="ladder").mean().mean()
    return {f"backtest_mae_{'_'.join(re.findall('[a-z]+', law.lower()))}": float(v) for law, v in inside.items()}
