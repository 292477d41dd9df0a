"""Ladders of which FLOPs are all that is known of size and data: through a loss, or straight to accuracy.

Parameters and tokens of both ladders are left out.  *Two steps*: losses from FLOPs, accuracies from the losses.
*Single step*: accuracies straight from FLOPs, the default before this was measured.  The rule: the law of less CRPS at
the cuts inside the training runs, ladders counting the same, is what ladders without sizes are forecast with.
"""

from __future__ import annotations

import dataclasses

import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.models.two_step import routes, single_step
from benchmarks.ladders import LADDERS, LOSSES, ladder_of, parts_of
from benchmarks.markdown import show

__all__ = ["compare", "figures"]

SHOWN = ["mae", "in50", "in90", "width90", "crps"]


def compare(name: str, seed: int, draws: int, *, targets: bool = True) -> pd.DataFrame:
    """Return the scores of the accuracies beyond every cut of a ladder, and at its targets, by either law."""
    laws = {
        "two steps": routes(LOSSES[name], by_compute=True),
        "single step": (single_step(lean=True, by_compute=True),),
    }
    blocks = []
    for part, both in parts_of(ladder_of(name), targets=targets).items():
        fitted, later = map(_without_sizes, both)
        for law, variants in laws.items():
            fits = [bs.fit(one, fitted, seed=seed, draws=draws) for one in variants]
            scores = average([bs.forecast(fit, later, allow_unconverged=True) for fit in fits], seed=seed).score()
            converged = all(fit.diagnostics.converged for fit in fits)
            found = scores[scores["quantity"] == "accuracy"]
            blocks.append(found.assign(ladder=name, runs=part, law=law, converged=converged))
    return pd.concat(blocks, ignore_index=True)


def _without_sizes(study: bs.Study) -> bs.Study:
    return dataclasses.replace(study, frame=study.frame.drop(columns=["n_params", "tokens"]))


def figures(seed: int = 0, draws: int = 500) -> dict[str, float]:
    """Compare the laws on both ladders, print the table and return the CRPS in backtests by law, in points."""
    scores = pd.concat([compare(name, seed, draws) for name in LADDERS], ignore_index=True)
    scores = scores.assign(mae=scores["error"].abs())
    by = ["ladder", "runs", "law"]
    table = 100 * scores.groupby(by, sort=False)[[*SHOWN, "converged"]].mean()
    show("Accuracies: points, and per cent inside", table.reset_index())
    inside = table["crps"].drop("targets", level="runs").groupby(["law", "ladder"]).mean().groupby("law").mean()
    return {f"ladder_flops_crps_{law.replace(' ', '_')}": float(value) for law, value in inside.items()}
