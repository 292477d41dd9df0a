"""The recommended intervals on single runs of our own three collections, fitted on the small, scored on the large.

Every split is forecast by the average of laws (:func:`bayes_scaling.forecast_runs`), with what the other collections
taught (``benchmarks.population``): none was learnt from the collection that is scored.  Beside it stand the law that
backtests inside the runs choose (:func:`bayes_scaling.choose_laws`), with the discrepancy they teach,
as if it were exact and with the fixed default discrepancy; the Chinchilla law for every study; and what a user would
pick instead: a log-Huber point fit of the Chinchilla law with a residual bootstrap.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import score_table, summarise
from bayes_scaling.models import Chinchilla, FewSteps, Kaplan
from benchmarks.cases import cases
from benchmarks.collections import OURS, averaged
from benchmarks.markdown import show
from benchmarks.point_fits import RESAMPLES, bootstrap_forecast
from benchmarks.population import learn
from benchmarks.splits import Split, splits

CHOSEN, RIVAL = "chosen law, learnt discrepancy", "log-Huber, bootstrap"
LAWS = (Chinchilla(), Kaplan(), FewSteps())


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
    learnt = learn(cases(), seed)
    for part in track(parts, "average", transient=True):
        forecast = averaged(part.training, part.held_out, learnt[part.collection], seed)
        weak = not all(fit.diagnostics.converged for fit in forecast.posteriors.values())
        scores = score_table(forecast.draws["loss_run"].to_numpy(), part.held_out.column("loss"))
        blocks.append(scores.assign(method=OURS, collection=part.collection, weak=weak))
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
                yield scores.assign(method=method, collection=part.collection)


def _bootstrap(part: Split, seed: int) -> pd.DataFrame:
    inputs, new = (np.stack([s.column(c) for c in ("n_params", "tokens")]) for s in (part.training, part.held_out))
    loss, actual = part.training.column("loss"), part.held_out.column("loss")
    point, drawn = bootstrap_forecast(inputs, loss, new, resamples=RESAMPLES, seed=seed)
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
    ours, theirs = overall.loc[OURS], overall.loc[RIVAL]
    weak = scores[(scores["method"] == OURS) & scores["weak"].eq(True)]
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
