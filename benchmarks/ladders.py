"""The two public task ladders, cut inside their training runs: what constants of the two-step law are chosen by.

The rule was written down before a target of either ladder was loaded, and reads none (:func:`backtests` refuses rows of
role ``target``).  Every ladder is cut at a tenth and at a thirtieth of its largest training compute; runs up to the cut
are fitted, larger ones (to twenty times the cut) are forecast.  Of a grid, the errors of the two slopes are those with
the smallest interval score (Winkler 1972, 90 %) of the accuracies, each ladder counting alike; what the *other* ladder
alone would choose stands beside them.  The same outcomes tell how often a task at chance in all fitted runs has
left it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.forecast import average
from bayes_scaling.models.two_step import routes
from bayes_scaling.study.chance import MAX_ABOVE_CHANCE, above_chance
from benchmarks.markdown import show

__all__ = ["LADDERS", "backtests", "figures", "scored", "second_ladder"]

CUTS = (10.0, 30.0)  # the largest compute over that of the largest fitted run
SPAN = 20.0  # the largest compute of a forecast over that of the cut
STEP1 = (0.05, 0.15, 0.25)
STEP2 = (0.0, 0.14, 0.3, 0.5, 0.8)
LOSSES = {"olmo_ladder": ("task_loss", "c4_loss"), "ladder_c4": ("c4_loss",)}
LADDERS = tuple(LOSSES)


def second_ladder() -> bs.Study:
    """Return the ladder of Gadre et al. 2024 (arXiv 2403.08540), whose table lies beside the studies' raw files."""
    path = Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "ladder_c4" / "ladder.csv"
    card = bs.Card("ladder_c4", units={"c4_loss": "nats per token", "accuracy": "fraction"})
    return bs.Study.from_file(path, card=card, flops="6ND")


def ladder_of(name: str) -> bs.Study:
    """Return a ladder by its name."""
    return second_ladder() if name == "ladder_c4" else bs.load_study(name, progress=False)


def cuts(study: bs.Study) -> Iterator[tuple[float, bs.Study, bs.Study]]:
    """Yield (ratio, runs to fit, runs to forecast) inside the training runs of a ladder."""
    training = study.training
    assert "role" not in training.frame or (training.frame["role"] == "train").all()
    largest = training.frame["flops"].max()
    for ratio in CUTS:
        edge = 1.01 * largest / ratio
        later = training.select(f"flops > {edge} and flops <= {SPAN * edge}")
        yield ratio, training.select(f"flops <= {edge}"), later


def backtests(name: str, seed: int = 0, draws: int = 500) -> pd.DataFrame:
    """Return the scores of every outcome beyond every cut of a ladder, for each pair of slope errors."""
    blocks = []
    for ratio, fitted, later in cuts(ladder_of(name)):
        fits = [bs.fit(law, fitted, seed=seed, draws=draws) for law in routes(LOSSES[name])]
        above = above_chance(fitted.frame)
        for one, two in itertools.product(STEP1, STEP2):
            parts = [bs.forecast(_with(fit, one, two), later, allow_unconverged=True) for fit in fits]
            scores = scored(average(parts, seed=seed) if len(parts) > 1 else parts[0])
            guessed = scores["task"].map(above) <= MAX_ABOVE_CHANCE
            blocks.append(scores.assign(ladder=name, ratio=ratio, step1=one, step2=two, guessed=guessed))
        print(name, ratio, len(fitted.runs), len(later.runs), [fit.diagnostics.converged for fit in fits], flush=True)
    return pd.concat(blocks, ignore_index=True)


def _with(fit: bs.Posterior, step1: float, step2: float) -> bs.Posterior:
    law = fit.law
    own = {name: law.fields[name].replace(discrepancy=size) for name, size in (("step1", step1), ("step2", step2))}
    return dataclasses.replace(fit, law=law.replace(**own))


def scored(forecast: bs.Forecast) -> pd.DataFrame:
    """Return the scores of known outcomes, with the interval score at 90 % (Winkler 1972) of accuracies."""
    scores = forecast.score()
    draws = forecast.draws["accuracy_run"]
    keys = pd.MultiIndex.from_frame(scores[["target", "task"]])
    low, high = (draws.quantile(q, "sample").to_series().reindex(keys).to_numpy() for q in (0.05, 0.95))
    missed = np.maximum(low - scores["actual"], 0) + np.maximum(scores["actual"] - high, 0)
    scores["interval_score"] = np.where(scores["quantity"] == "accuracy", high - low + missed * 2 / 0.1, np.nan)
    return scores[scores["actual"].notna()]


def figures(seed: int = 0) -> dict[str, float]:
    """Run the backtests of both ladders, print what the rule chooses, and return it by name."""
    scores = pd.concat([backtests(name, seed) for name in LADDERS], ignore_index=True)
    return report(scores)


def report(scores: pd.DataFrame) -> dict[str, float]:
    """Print the tables, in Markdown, and return what the rule chooses."""
    accuracy = scores[scores["quantity"] == "accuracy"].copy()
    accuracy["mae"] = accuracy["error"].abs()
    shown = ["mae", "in50", "in90", "width90", "crps", "interval_score"]
    by_size = accuracy.groupby(["ladder", "step1", "step2"])[shown].mean()
    overall = by_size.groupby(["step1", "step2"]).mean()
    show("Accuracies by slope errors, both ladders alike, per cent", (100 * overall).reset_index())
    best = overall["interval_score"].idxmin()
    for name in LADDERS:
        alone = by_size.loc[name]
        show(f"{name}, per cent", (100 * alone.loc[[best, alone["interval_score"].idxmin()]]).reset_index())
    chosen = accuracy[(accuracy["step1"] == best[0]) & (accuracy["step2"] == best[1])]
    guessed = chosen[chosen["guessed"]]
    left = guessed.groupby(["ladder", "ratio", "task"]).agg(
        largest=("actual", "max"), widest=("width90", "max"), in90=("in90", "mean")
    )
    show("Tasks at chance in all fitted runs, and the largest accuracy beyond the cut", left.reset_index())
    return {"step1": best[0], "step2": best[1], "guessed": float(len(left)), "cover90": chosen["in90"].mean()}
