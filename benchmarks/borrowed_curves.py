"""Step 2 of the ladders learnt on another family's models, as published models would teach it.

Both ladders report the loss on C4 in nats per token, and share five tasks.  Accuracies of one ladder are forecast from
the actual losses, so that step 1 has no part, in three ways: by the curve of its own fitted runs; by that of all models
of the other ladder, as it is; and by its own runs with the slope, bend and ceiling of the other's curve as priors
(normal on the scale they are sampled on, as wide as its posterior and the spread between tasks together), so that the
place of the curve is its own.
"""

from __future__ import annotations

import math

import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.law.priors import LogitNormal
from bayes_scaling.models import SigmoidAccuracy
from benchmarks.ladders import LADDERS, ladder_of, parts_of
from benchmarks.markdown import show

__all__ = ["SHARED", "figures", "narrowed"]

SHARED = {
    "HellaSwag": "hellaswag",
    "ARC-Easy": "arc_easy",
    "PIQA": "piqa",
    "OpenBookQA": "openbook_qa",
    "CommonsenseQA": "commonsense_qa",
}
"""Tasks of both ladders, by their names in the first."""
LOSS = "c4_loss"
OWN, AS_IT_IS, PRIORS = "own runs", "curve of the other family", "its shape as a prior"
SHAPE = {**SigmoidAccuracy.pooling, "ceiling": 0.3}
"""Parameters that are borrowed, and the spread between tasks on the scale they are sampled on."""


def narrowed(posterior: bs.Posterior) -> SigmoidAccuracy:
    """Return the law with the shape of another family's curve as its priors."""
    unconstrained = {"slope": np.log, "bend": np.asarray, "ceiling": lambda share: np.log(share / (1 - share))}
    families = {"slope": dist.LogNormal, "bend": dist.Normal, "ceiling": LogitNormal}
    priors = {}
    for name, spread in SHAPE.items():
        values = unconstrained[name](posterior.draws[name])
        priors[name] = families[name](float(values.mean()), math.hypot(float(values.std()), spread))
    return SigmoidAccuracy(**priors)


def curve_of(study: bs.Study, task: str) -> bs.Study:
    """Return the runs of one task as loss and accuracy."""
    rows = study.frame.loc[study.frame["task"] == task, ["run", LOSS, "accuracy", "chance"]]
    return bs.Study.from_frame(rows.rename(columns={LOSS: "loss"}).reset_index(drop=True), name=study.name)


def compare(name: str, parts: dict[str, tuple[bs.Study, bs.Study]], seed: int, draws: int) -> pd.DataFrame:
    """Return the scores of every accuracy of the shared tasks of a ladder, by part, task and way."""
    other = ladder_of(next(ladder for ladder in LADDERS if ladder != name))
    blocks = []
    for pair in SHARED.items():
        own_task, theirs = pair if name == LADDERS[0] else reversed(pair)
        borrowed = bs.fit(SigmoidAccuracy(), curve_of(other, theirs), seed=seed, draws=draws, progress=False)
        for part, (fitted, later) in parts.items():
            runs, targets = curve_of(fitted, own_task), curve_of(later, own_task)
            fits = {OWN: SigmoidAccuracy(), PRIORS: narrowed(borrowed)}
            fits = {way: bs.fit(law, runs, seed=seed, draws=draws, progress=False) for way, law in fits.items()}
            for way, fit in {AS_IT_IS: borrowed, **fits}.items():
                scores = bs.forecast(fit, targets, allow_unconverged=True).score()
                converged = fit.diagnostics.converged
                blocks.append(scores.assign(part=part, task=own_task, way=way, converged=converged))
    return pd.concat(blocks, ignore_index=True)


def figures(seed: int = 0, draws: int = 500, *, targets: bool = True) -> dict[str, float]:
    """Score the ways on both ladders, print the table and return backtest errors by name."""
    rows = {name: compare(name, parts_of(ladder_of(name), targets=targets), seed, draws) for name in LADDERS}
    every = pd.concat(rows, names=["ladder"]).reset_index("ladder").reset_index(drop=True)
    errors = 100 * every.pivot(index=["ladder", "part", "task", "target"], columns="way", values="error")
    errors = errors[[OWN, AS_IT_IS, PRIORS]].abs()
    table = errors.groupby(["ladder", "part"], sort=False).mean()
    show("Mean absolute error of accuracies given the losses, points", table.reset_index())
    by_task = errors.groupby(["ladder", "task"], sort=False).mean()
    show("By task, cuts and targets together", by_task.reset_index())
    held = 100 * every.groupby(["ladder", "part", "way"], sort=False)[["in50", "in90", "width90"]].mean()
    show("Intervals: per cent inside, and width in points", held.reset_index())
    inside = table[table.index.get_level_values("part") != "targets"].groupby("ladder").mean().mean()
    found = {f"backtest_mae_{way.replace(' ', '_')}": float(value) for way, value in inside.items()}
    return found | {"converged": float(every["converged"].mean())}
