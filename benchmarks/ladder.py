"""The 7B-4T and 13B-5T models from the 16 ladder runs, beside the published point forecasts."""

from __future__ import annotations

import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.models.two_step import routes
from benchmarks.markdown import show

DRAWS = 1000

# Mean absolute errors over the eight tasks of the procedures of Bhagia et al. 2024 (arXiv 2412.04403), run on their
# data: accuracy in points (7B, 13B) and intermediate loss in per cent (7B, 13B).
PUBLISHED = {
    "two steps, N and D, task loss (the paper's main result)": (3.82, 4.17, 5.15, 6.56),
    "two steps, N and D, C4 loss": (2.00, 3.45, 1.98, 3.83),
    "two steps, N and D, task cross-entropy": (5.11, 5.24, 1.77, 1.94),
    "two steps, FLOPs, task loss": (3.27, 3.54, 4.35, 5.84),
    "one step, N and D": (3.95, 4.36, float("nan"), float("nan")),
}


def figures(seed: int = 0, draws: int = DRAWS) -> dict[str, float]:
    """Fit both routes, forecast the targets, print the comparison and return the figures by name."""
    study = bs.load_study("olmo_ladder")
    posteriors = [bs.fit(law, study, seed=seed, draws=draws) for law in routes()]
    forecast = bs.average([p.forecast(study.targets) for p in posteriors], seed=seed)
    scores = forecast.score()
    accuracy = scores[scores["quantity"] == "accuracy"]
    loss = scores[(scores["quantity"] == "loss") & scores["task"].isin(study.tasks)]
    by_target = accuracy.groupby("target")["error"].agg(lambda e: 100 * e.abs().mean())
    loss_by_target = loss.groupby("target")["relative_error"].agg(lambda e: 100 * e.abs().mean())
    overall = summarise(accuracy).iloc[0]
    diagnostics = [p.diagnostics for p in posteriors]
    result = {
        "acc_mae_7b": by_target["7B-4T"],
        "acc_mae_13b": by_target["13B-5T"],
        "acc_cover90": int(accuracy["in90"].sum()),
        "acc_cover50": int(accuracy["in50"].sum()),
        "acc_width90": 100 * overall["width90"],
        "acc_crps": 100 * overall["crps"],
        "loss_mae_pct": 100 * loss["relative_error"].abs().mean(),
        "loss_cover90": int(loss["in90"].sum()),
        "loss_width90_pct": 100 * (loss["width90"] / loss["actual"]).mean(),
        "max_rhat": max(d.max_rhat for d in diagnostics),
        "min_ess": min(min(d.min_ess_bulk, d.min_ess_tail) for d in diagnostics),
        "divergences_pct": 100 * max(d.divergences / d.draws for d in diagnostics),
    }
    show("Mean absolute error at the targets, eight tasks", _table(result, loss_by_target))
    return {name: float(value) for name, value in result.items()}


def _table(result: dict[str, float], loss: pd.Series) -> pd.DataFrame:
    """Return ours below the published: errors of accuracies in points, of losses in per cent."""
    ours = (result["acc_mae_7b"], result["acc_mae_13b"], loss["7B-4T"], loss["13B-5T"])
    rows = {f"published: {name}": (*values, "") for name, values in PUBLISHED.items()}
    rows["ours: both routes, posterior median"] = (*ours, f"{result['acc_cover90']:.0f} of 16")
    columns = ["accuracy 7B", "accuracy 13B", "loss 7B", "loss 13B", "inside 90 % intervals"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("forecast").reset_index()
