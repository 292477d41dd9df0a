"""Ladders of large models, whose sizes are far from those of the collections that priors were learnt from.

Simulated families of 12 runs between 1 and 30 billion parameters, of which the published Chinchilla law is exactly
true, are forecast at 10 and 100 times the FLOPs of their largest run.  A prior of what is reducible at the centre of
*small* ladders is wrong there by several of its standard deviations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import score_table, summarise
from bayes_scaling.models import Chinchilla

__all__ = ["DISTANCES", "figures", "published_loss", "targets_beyond", "worlds"]

STUDIES = 40
SIZES = (1e9, 3e9, 10e9, 30e9)
RATIOS = (10, 20, 60)  # tokens per parameter
DISTANCES = (10, 100)  # times the FLOPs of the largest run
RATIO = 20
E, A, B, ALPHA_N, ALPHA_D = 1.8172, 482.01, 2085.43, 0.3478, 0.3658  # Besiroglu et al. 2024, arXiv 2404.10102
NOISE = 0.004  # of a run, as a fraction


def figures(seed: int = 0, studies: int = STUDIES) -> dict[str, float]:
    """Return how often 90 % intervals hold, and fits converge: of the recommended forecast, and of one law."""
    rows = []
    for i, (study, targets) in enumerate(track(worlds(studies, seed), "Large ladders", transient=True)):
        average = bs.forecast_runs(study, targets, seed=seed + i, allow_unconverged=True)
        sound = not average.left_out and all(fit.diagnostics.converged for fit in average.posteriors.values())
        rows.append({"way": "large_ladder", "converged": sound, **_scores(average, targets)})
        fit = bs.fit(Chinchilla(), study, seed=seed + i)
        one = fit.forecast(targets, allow_unconverged=True)
        rows.append({"way": "large_ladder_chinchilla", "converged": fit.diagnostics.converged, **_scores(one, targets)})
    found = {}
    for way, part in pd.DataFrame(rows).groupby("way"):
        found |= {f"{way}_{name}": float(part[name].mean()) for name in part.columns.drop("way")}
    return found


def worlds(studies: int, seed: int) -> list[tuple[bs.Study, pd.DataFrame]]:
    """Return simulated families and the runs to forecast, with the outcomes these would have."""
    found = []
    for i in range(studies):
        rng = np.random.default_rng(seed + i)
        runs = pd.DataFrame([(n, r * n) for n in SIZES for r in RATIOS], columns=["n_params", "tokens"])
        targets = targets_beyond(runs)
        for table in (runs, targets):
            table["flops"] = 6 * table["n_params"] * table["tokens"]
            expected = published_loss(table["n_params"], table["tokens"])
            table["loss"] = expected * np.exp(rng.normal(0, NOISE, len(table)))
        found.append((bs.Study.from_frame(runs, name=f"large ladder {i}"), targets))
    return found


def targets_beyond(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs to forecast, of one ratio of tokens to parameters, at the distances from the largest run."""
    sizes = np.sqrt(np.array(DISTANCES) * (runs["n_params"] * runs["tokens"]).max() / RATIO)
    return pd.DataFrame({"target": [f"{d}x" for d in DISTANCES], "n_params": sizes, "tokens": RATIO * sizes})


def published_loss(N: Any, D: Any) -> Any:
    """Return the loss that the published law expects, in nats per token."""
    return E + A / N**ALPHA_N + B / D**ALPHA_D


def _scores(forecast: bs.Forecast, targets: pd.DataFrame) -> dict[str, float]:
    """Return how a forecast fared at all targets."""
    (mean,) = summarise(score_table(forecast.draws["loss_run"].to_numpy(), targets["loss"].to_numpy())).to_dict(
        "records"
    )
    return {
        "cover90": mean["cover90"],
        "bias_pct": 100 * mean["bias"],
        "width90_pct": 100 * mean["relative_width90"],
    }
