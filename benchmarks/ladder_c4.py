"""The two large models of a second ladder from its 32 small ones: 17 tasks, five of free answers, one loss.

Runs, tasks and targets are those of Gadre et al. 2024 (arXiv 2403.08540).  The law is the package's own, through the
public calls; the error of its second step comes from ``benchmarks.ladders``, which reads no target, that of the first
from the first ladder.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.models.defaults import default_laws
from benchmarks.ladders import second_ladder
from benchmarks.markdown import show

DRAWS = 1000
SEEDS = 10  # at which the fit has to converge
LARGEST = "open_lm_7b"  # the beginning of the name of the 6.9B model

PUBLISHED = {"open_lm_1b": 3.6, LARGEST: 0.05}
"""Relative errors, per cent, of the error averaged over 17 tasks of their own that Gadre et al. forecast (table 2)."""


def figures(seed: int = 0, draws: int = DRAWS) -> dict[str, float]:
    """Fit the ladder, forecast the targets, print the comparison and return the figures by name."""
    study = second_ladder()
    (law,) = default_laws(study)[1]
    posterior = bs.fit(law, study, seed=seed, draws=draws)
    others = [bs.fit(law, study, seed=seed + i, draws=draws).diagnostics.converged for i in range(1, SEEDS)]
    forecast = bs.forecast(posterior, study.targets)
    scores = forecast.score()
    accuracy, loss = (scores[scores["quantity"] == name] for name in ("accuracy", "loss"))
    show("Accuracies in points", _by_task(accuracy))
    means = mean_error(forecast)
    show("Error averaged over the tasks", beside_published(means))
    overall = summarise(accuracy).iloc[0]
    return {
        "acc_mae": 100 * overall["mae"],
        "acc_cover90": float(accuracy["in90"].sum()),
        "acc_cover50": float(accuracy["in50"].sum()),
        "acc_width90": 100 * overall["width90"],
        "acc_crps": 100 * overall["crps"],
        "loss_cover90": float(loss["in90"].sum()),
        "loss_mae_pct": 100 * loss["relative_error"].abs().mean(),
        "mean_error_abs": float(means.loc[means["target"].str.startswith(LARGEST), "relative_error_pct"].abs().iloc[0]),
        "mean_error_in90": float(means["in90"].sum()),
        "converged": float(posterior.diagnostics.converged + sum(others)),
    }


def mean_error(forecast: bs.Forecast) -> pd.DataFrame:
    """Return the forecast of 1 - accuracy averaged over the tasks, a row per target, with the relative error in %."""
    mean = forecast.over_tasks().intervals()
    low, median, high, actual = (1 - mean[name] for name in ("q95", "median", "q05", "actual"))
    table = pd.DataFrame({"target": mean["target"], "q05": low, "median": median, "q95": high, "actual": actual})
    table["relative_error_pct"] = 100 * (median / actual - 1)
    return table.assign(in90=(low <= actual) & (actual <= high))


def beside_published(means: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of the mean error with the published relative error in %, which has no sign, by model."""
    published = [
        next(error for model, error in PUBLISHED.items() if name.startswith(model)) for name in means["target"]
    ]
    return means.assign(published_error_pct=published)


def _by_task(scores: pd.DataFrame) -> pd.DataFrame:
    shown = ["actual", "median", "error", "width90"]
    table = scores.assign(**{name: 100 * scores[name] for name in shown})[["target", "task", *shown, "in50", "in90"]]
    return table.assign(**{name: np.round(table[name], 2) for name in shown})
