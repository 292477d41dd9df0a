"""Intervals on runs nobody fitted: three collections of runs, fitted on the small, scored on the large.

Each study chooses its law among :data:`LAWS`, and learns its discrepancy, by backtests inside the runs it may fit
(:func:`bayes_scaling.choose_laws`).  Beside it stand the chosen law as if it were exact and with the fixed default
discrepancy, the Chinchilla law for every study, and what a user would pick instead: a log-Huber point fit of the
Chinchilla law with a residual bootstrap.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.evaluation.backtest import expanding_window
from bayes_scaling.forecasts.scores import score_table, summarise
from bayes_scaling.models import Chinchilla, FewSteps, Kaplan
from benchmarks.loss_to_loss import CUTS, HELD_OUT, LARGEST, SETS, one_set
from benchmarks.markdown import show
from benchmarks.point_fits import bootstrap_forecast

RESAMPLES = 200
CHOSEN, RIVAL = "chosen law, learnt discrepancy", "log-Huber, bootstrap"
LAWS = (Chinchilla(), Kaplan(), FewSteps())


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


def figures(seed: int = 0, draws: int = 500) -> dict[str, float]:
    """Run every method on every split, print the tables and return the figures by name."""
    parts = splits()
    training = [p.training for p in parts]
    chosen = bs.choose_laws(LAWS, training, seed=seed, draws=draws)
    plain = bs.learn_discrepancy(Chinchilla(), training, seed=seed, draws=draws)
    blocks = [
        *_forecasts(parts, chosen, seed, draws, {"law as if exact": 0.0, "fixed discrepancy": 0.2, CHOSEN: None}),
        *_forecasts(parts, plain, seed, draws, {"Chinchilla, learnt discrepancy": None}),
    ]
    for part in track(parts, "bootstrap", transient=True):
        blocks.append(_bootstrap(part, seed).assign(method=RIVAL, collection=part.collection))
    return report(pd.concat(blocks, ignore_index=True), parts, chosen)


def _forecasts(
    parts: list[Split], laws: list[bs.Law], seed: int, draws: int, methods: dict[str, bs.Prior | None]
) -> Iterator[pd.DataFrame]:
    """Fit each split by its law and score its forecasts, by the name of each discrepancy (None: the law's own)."""
    for form in {type(law) for law in laws}:
        own = [(part, law) for part, law in zip(parts, laws, strict=True) if type(law) is form]
        batch = bs.fit_many(form(), [part.training for part, _ in own], seed=seed, draws=draws)
        for (part, law), member in zip(own, batch, strict=True):
            if member.posterior is None:
                raise RuntimeError(f"{member.name}: {member.error}")
            for method, discrepancy in methods.items():
                used = law if discrepancy is None else law.replace(discrepancy=discrepancy)
                posterior = dataclasses.replace(member.posterior, law=used)
                scores = posterior.forecast(part.held_out, allow_unconverged=True).score()
                yield scores.assign(method=method, collection=part.collection, verdict=member.verdict)


def _bootstrap(part: Split, seed: int) -> pd.DataFrame:
    n, d, loss = (part.training.column(c) for c in ("n_params", "tokens", "loss"))
    n_new, d_new, actual = (part.held_out.column(c) for c in ("n_params", "tokens", "loss"))
    point, drawn = bootstrap_forecast(n, d, loss, n_new, d_new, resamples=RESAMPLES, seed=seed)
    scores = score_table(drawn, actual)
    error = point - actual  # the point fit itself is what its users report
    return scores.assign(median=point, error=error, relative_error=error / actual)


def report(scores: pd.DataFrame, parts: list[Split], chosen: list[bs.Law]) -> dict[str, float]:
    """Print the tables, in Markdown, and return the figures."""
    names = pd.Series([law.name for law in chosen], name="chosen law")
    collections = pd.Series([part.collection for part in parts], name="collection")
    show("Splits by the law their own backtests chose", pd.crosstab(collections, names).reset_index())
    shown = ["n", "mape", "bias", "cover50", "cover90", "relative_width90"]
    by_part = summarise(scores, ["collection", "method"])[shown]
    overall = summarise(scores, ["method"])[shown]
    for title, table in (("By collection", by_part), ("Over all held-out outcomes", overall)):
        show(f"{title}, per cent", _percent(table).reset_index())
    ours, theirs = overall.loc[CHOSEN], overall.loc[RIVAL]
    weak = scores[(scores["method"] == CHOSEN) & (scores["verdict"] == "not converged")]
    return {
        "n": float(ours["n"]),
        "cover90": ours["cover90"],
        "cover50": ours["cover50"],
        "width_ratio": ours["relative_width90"] / theirs["relative_width90"],
        "mape_ratio": ours["mape"] / theirs["mape"],
        "not_converged": float(len(weak)),
    }


def _percent(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{c: (100 * table[c]) for c in table.columns if c != "n"})
