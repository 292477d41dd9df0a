"""Intervals on runs nobody fitted: three collections of runs, fitted on the small, scored on the large.

Every method fits the Chinchilla law to the same training runs.  Ours learns each study's discrepancy from backtests
inside those runs (:func:`bayes_scaling.learn_discrepancy`); beside it stand the law as if it were exact, the fixed
default discrepancy, and what a user would pick instead: a log-Huber point fit with a residual bootstrap.
"""

from __future__ import annotations

import dataclasses

import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.backtesting import expanding_window
from bayes_scaling.models import Chinchilla
from bayes_scaling.scores import score_table, summarise
from benchmarks.loss_to_loss import CUTS, HELD_OUT, LARGEST, SETS, one_set
from benchmarks.markdown import show
from benchmarks.point_fits import bootstrap_forecast

RESAMPLES = 200


@dataclasses.dataclass(frozen=True)
class Split:
    """Runs to fit and runs to forecast, of one collection, cut at one place."""

    collection: str
    training: bs.Study
    held_out: bs.Study


def splits() -> list[Split]:
    """Return every study with the runs held out of it."""
    points = bs.Study.load("chinchilla", progress=False)
    found = [Split("Chinchilla points", a, b) for _, a, b in expanding_window(points, "flops")]
    sweep = bs.Study.load("loss_to_loss", full=True, progress=False).training.rename(n_params="n_params_body")
    for name in SETS:
        for loss in HELD_OUT:
            one = one_set(sweep, name).rename(loss=loss)
            small, large = one.select(f"flops <= {max(CUTS)}"), one.select(f"flops >= {LARGEST}")
            found.append(Split("loss-to-loss sweep", small, large))
    ladder = bs.Study.load("olmo_ladder")
    for task in ladder.tasks:
        one = ladder.select(task=task).rename(loss="task_loss")
        train, extra = one.training, one.select("role == 'extra' and size == '3.2B'")
        found.append(Split("task ladder", train.select("size != '1.3B'"), train.select("size == '1.3B'")))
        found.append(Split("task ladder", train, extra))
    return found


def figures(seed: int = 0, draws: int = 250) -> dict[str, float]:
    """Run every method on every split, print the table and return the figures by name."""
    parts = splits()
    batch = bs.fit_many(Chinchilla(), [p.training for p in parts], seed=seed, draws=draws)
    learnt = bs.learn_discrepancy(Chinchilla(), [p.training for p in parts], seed=seed, draws=draws)
    blocks = []
    for part, member, law in track(list(zip(parts, batch, learnt, strict=True)), "forecasting", transient=True):
        if member.posterior is None:
            raise RuntimeError(f"{member.name}: {member.error}")
        for method, own in (
            ("law as if exact", Chinchilla(discrepancy=0.0)),
            ("fixed discrepancy", Chinchilla()),
            ("learnt discrepancy", law),
        ):
            posterior = dataclasses.replace(member.posterior, law=own)
            scores = posterior.forecast(part.held_out, allow_unconverged=True).score()
            blocks.append(scores.assign(method=method, collection=part.collection, verdict=member.verdict))
        blocks.append(_bootstrap(part, seed).assign(method="log-Huber, bootstrap", collection=part.collection))
    return report(pd.concat(blocks, ignore_index=True))


def _bootstrap(part: Split, seed: int) -> pd.DataFrame:
    n, d, loss = (part.training.column(c) for c in ("n_params", "tokens", "loss"))
    n_new, d_new, actual = (part.held_out.column(c) for c in ("n_params", "tokens", "loss"))
    point, drawn = bootstrap_forecast(n, d, loss, n_new, d_new, resamples=RESAMPLES, seed=seed)
    scores = score_table(drawn, actual)
    error = point - actual  # the point fit itself is what its users report
    return scores.assign(median=point, error=error, relative_error=error / actual)


def report(scores: pd.DataFrame) -> dict[str, float]:
    """Print the table by collection and over all, in Markdown, and return the figures."""
    shown = ["n", "mape", "bias", "cover50", "cover90", "relative_width90"]
    by_part = summarise(scores, ["collection", "method"])[shown]
    overall = summarise(scores, ["method"])[shown]
    for title, table in (("By collection", by_part), ("Over all held-out outcomes", overall)):
        show(f"{title}, per cent", _percent(table).reset_index())
    ours, theirs = overall.loc["learnt discrepancy"], overall.loc["log-Huber, bootstrap"]
    weak = scores[scores["verdict"] == "not converged"]
    return {
        "n": float(ours["n"]),
        "cover90": ours["cover90"],
        "cover50": ours["cover50"],
        "width_ratio": ours["relative_width90"] / theirs["relative_width90"],
        "mape_ratio": ours["mape"] / theirs["mape"],
        "not_converged": float(len(weak) / 3),
    }


def _percent(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{c: (100 * table[c]) for c in table.columns if c != "n"})
