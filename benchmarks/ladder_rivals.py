r"""Rival laws of accuracy on both ladders, beside the two-step law: inside the training runs, and at the targets.

Rivals are point fits, as their papers make them.  *Direct*: log(-log q) is linear in log compute, with q the accuracy
above chance over what is left above chance, :math:`a = c + (1 - c) \exp(-A C^{-\alpha})`; and with terms of parameters
and tokens, :math:`a = c + (1 - c) \exp(-A N^{-\alpha} - B D^{-\beta})` (both Krajewski et al. 2025, arXiv 2512.08894).
*Exponential decay*: the error averaged over the tasks is :math:`\epsilon - k e^{-\gamma L}` (Gadre et al. 2024, arXiv
2403.08540); at runs to forecast, L is the median of our own step 1.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayes_scaling as bs
from bayes_scaling.forecasts.forecast import average
from bayes_scaling.models.two_step import routes
from benchmarks.ladders import LADDERS, LOSSES, cuts, ladder_of
from benchmarks.markdown import show

DIRECT = {"direct": ["flops"], "direct, N and D": ["n_params", "tokens"]}
STARTS = ((0.5, 0.1), (1.5, 0.1), (1.5, 0.3), (3.0, 0.3))  # -log q at the middle of the runs, exponent
FEW, MANY = 1e-12, 30.0  # bounds of -log q, so that no power overflows


def direct(inputs: np.ndarray, accuracy: np.ndarray, chance: float, at: np.ndarray) -> np.ndarray:
    """Return accuracies at other runs by the direct law, fitted by least squares.

    Parameters
    ----------
    inputs, at : array, shape (run, input)
        Compute in FLOPs; or parameters and tokens, each with a term of its own.
    accuracy : array, shape (run,)
        Fractions, NaN where missing.
    chance : float
        Accuracy of guessing.
    """
    known, middle, terms = np.isfinite(accuracy), np.log(inputs).mean(axis=0), inputs.shape[1]

    def law(parameters: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        log_a, alpha = parameters[:terms], parameters[terms:]
        power = np.clip(log_a - alpha * (np.log(inputs) - middle), np.log(FEW), np.log(MANY))
        return chance + (1 - chance) * np.exp(-np.exp(power).sum(axis=1))

    fits = [
        least_squares(
            lambda p: law(p, inputs[known]) - accuracy[known], [*[np.log(level / terms)] * terms, *[alpha] * terms]
        )
        for level, alpha in STARTS
    ]
    return law(min(fits, key=lambda fit: fit.cost).x, at)


def exponential(loss: np.ndarray, error: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the mean error at other losses, by exponential decay fitted with least squares; nats and fractions."""

    def law(parameters: np.ndarray, loss: np.ndarray) -> np.ndarray:
        ceiling, log_k, log_gamma = parameters
        return ceiling - np.exp(np.clip(log_k - np.exp(log_gamma) * (loss - loss_0), -30, 30))

    loss_0 = loss.min()
    starts = [(error.max(), np.log(np.ptp(error) + 1e-3), np.log(gamma)) for gamma in (0.5, 1.0, 2.0)]
    fits = [least_squares(lambda p: law(p, loss) - error, start) for start in starts]
    return law(min(fits, key=lambda fit: fit.cost).x, at)


def compare(name: str, fitted: bs.Study, later: bs.Study, seed: int, draws: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return errors of single accuracies, a row per outcome, and of their mean over tasks, a row per run."""
    fits = [bs.fit(law, fitted, seed=seed, draws=draws) for law in routes(LOSSES[name])]
    parts = [bs.forecast(fit, later, allow_unconverged=True) for fit in fits]
    forecast = average(parts, seed=seed)
    scores = forecast.score()
    accuracy = scores[scores["quantity"] == "accuracy"].set_index(["target", "task"])
    errors = {"two steps": accuracy["error"]}
    for law, columns in DIRECT.items():
        errors[law] = _direct(fitted, later, columns).reindex(accuracy.index) - accuracy["actual"]
        errors[f"middle of both ({law})"] = (accuracy["error"] + errors[law]) / 2
    single = pd.DataFrame(errors)
    return single, _means(forecast, accuracy["actual"] + single["direct, N and D"], fitted, later)


def _direct(fitted: bs.Study, later: bs.Study, columns: list[str]) -> pd.Series:
    """Return the forecasts of a direct law by run and task."""
    runs = later.runs.set_index("run")[columns]
    found = {}
    for task, own in fitted.frame.groupby("task", sort=False):
        known = (own[columns].to_numpy(float), own["accuracy"].to_numpy(float), own["chance"].iloc[0])
        values = direct(*known, runs.to_numpy(float))
        found |= {(run, task): value for run, value in zip(runs.index, values, strict=True)}
    return pd.Series(found)


def _means(forecast: bs.Forecast, by_direct: pd.Series, fitted: bs.Study, later: bs.Study) -> pd.DataFrame:
    """Return relative errors of the mean error over tasks, through the loss that the tasks of a run share."""
    actual = 1 - forecast.actual["accuracy"].mean("task").to_series()
    ours = 1 - forecast.draws["accuracy_run"].mean("task").median("sample").to_series()
    loss = forecast.draws["loss_mean"].sel(series="c4_loss").median("sample").to_series()
    error = 1 - fitted.frame.groupby("run", sort=False)["accuracy"].mean()
    own_loss = fitted.runs.set_index("run")["c4_loss"].reindex(error.index)
    decay = exponential(own_loss.to_numpy(), error.to_numpy(), loss.to_numpy())
    through_direct = 1 - by_direct.groupby(level="target").mean().reindex(actual.index)
    columns = {"two steps": ours, "direct, N and D": through_direct, "exponential decay": pd.Series(decay, loss.index)}
    return pd.DataFrame({name: values / actual - 1 for name, values in columns.items()})


def figures(seed: int = 0, draws: int = 500, *, targets: bool = True) -> dict[str, float]:
    """Run the rivals on both ladders, print one table of errors and return them by name."""
    singles, means = {}, {}
    for name in LADDERS:
        study = ladder_of(name)
        parts = {f"cut at 1/{ratio:g}": (fitted, later) for ratio, fitted, later in cuts(study)}
        parts |= {"targets": (study.training, study.targets)} if targets else {}
        for part, (fitted, later) in parts.items():
            singles[name, part], means[name, part] = compare(name, fitted, later, seed, draws)
    table = pd.DataFrame({at: 100 * errors.abs().mean() for at, errors in singles.items()}).T
    show("Mean absolute error of accuracies, points", _named(table))
    of_means = pd.DataFrame({at: 100 * errors.abs().mean() for at, errors in means.items()}).T
    show("Mean absolute relative error of the error averaged over tasks, per cent", _named(of_means))
    inside = table[table.index.get_level_values(1) != "targets"].groupby(level=0).mean().mean()
    return {f"backtest_mae_{'_'.join(re.findall('[a-z]+', law.lower()))}": float(v) for law, v in inside.items()}


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename_axis(["ladder", "runs"]).reset_index()
