"""Three collections of our own, each cut into runs to fit and runs to forecast."""

from __future__ import annotations

import dataclasses

import bayes_scaling as bs
from bayes_scaling.evaluation.cuts import expanding_window
from benchmarks.loss_to_loss import CUTS, HELD_OUT, LARGEST, SETS, one_set

__all__ = ["Split", "splits"]


@dataclasses.dataclass(frozen=True)
class Split:
    """Runs to fit and runs to forecast, of one collection, cut at one place."""

    collection: str
    training: bs.Study
    held_out: bs.Study


def splits() -> list[Split]:
    """Return every study with the runs held out of it."""
    points = bs.load_study("chinchilla", progress=False)
    found = [Split("Chinchilla points", a, b) for _, a, b in expanding_window(points, "flops")]
    sweep = bs.load_study("loss_to_loss", full=True, progress=False).training.rename(n_params="n_params_body")
    for name in SETS:
        for loss in HELD_OUT:
            one = one_set(sweep, name).rename(loss=loss)
            small, large = one.select(f"flops <= {max(CUTS)}"), one.select(f"flops >= {LARGEST}")
            found.append(Split("loss-to-loss sweep", small, large))
    ladder = bs.load_study("olmo_ladder")
    for task in ladder.tasks:
        one = ladder.select(task=task).rename(loss="task_loss")
        train, extra = one.training, one.select("role == 'extra' and size == '3.2B'")
        found.append(Split("task ladder", train.select("size != '1.3B'"), train.select("size == '1.3B'")))
        found.append(Split("task ladder", train, extra))
    return found
