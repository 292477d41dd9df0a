"""Intervals on collections that had no part in what is learnt: each is scored with what the others taught.

The recommended forecast (:func:`bayes_scaling.forecast_runs`) is made for every collection with the population learnt
on all others (``benchmarks.population`` states the rule) and held against its larger runs.  Beside it stand the
Chinchilla law with the fixed discrepancy, which was the default before, and what a user would do instead: a log-Huber
fit and a residual bootstrap.  Means are over collections, so that a large one does not count more; the sets of the
sweep count as one, and so do the losses of the ladder.  Outcomes of one collection err alike, so the doubt about a
coverage comes from a bootstrap of whole collections.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.evaluation.averaging import AveragedForecast, average_laws
from bayes_scaling.evaluation.weights import mean_over
from bayes_scaling.forecasts.scores import score_table
from bayes_scaling.models import Chinchilla, PowerLaw
from bayes_scaling.models.population import Population
from bayes_scaling.models.recommended import candidates
from benchmarks.cases import Case, cases
from benchmarks.markdown import show
from benchmarks.point_fits import RESAMPLES, bootstrap_forecast
from benchmarks.population import NUMBERS, WEIGHTS, learn

OURS, FIXED, RIVAL = "average of laws", "Chinchilla, fixed discrepancy", "log-Huber, bootstrap"
MANY = 6  # targets from which the coverage of one collection is a figure
REDRAWN = 10_000  # times that collections are drawn anew


def figures(seed: int = 0) -> dict[str, float]:
    """Score every method on every collection, print the tables and return the figures by name."""
    from benchmarks import large_ladders, off_direction  # which forecast as is done here

    found = cases()
    learnt = learn(found, seed)
    blocks = []
    for case in track(found, "Forecasting", transient=True):
        forecast = averaged(case.study, case.study.targets, learnt[case.collection], seed)
        weak = [name for name, fit in forecast.posteriors.items() if not fit.diagnostics.converged]
        blocks.append(scores_of(case, OURS, forecast).assign(not_converged=len(weak)))
        blocks.append(
            scores_of(case, FIXED, bs.forecast(_fixed(case, seed), case.study.targets, allow_unconverged=True))
        )
        blocks.append(_bootstrap(case, seed))
    scored = report(pd.concat(blocks, ignore_index=True), learnt)
    return scored | off_direction.figures(found, learnt, seed) | large_ladders.figures(seed)


def averaged(
    training: bs.Study,
    targets: bs.Study,
    population: Population,
    seed: int,
    laws: Mapping[str, bs.Law] | None = None,
) -> AveragedForecast:
    """Forecast as :func:`bayes_scaling.forecast_runs` does, with a population of one's own, or laws made of it."""
    return average_laws(
        candidates(training, population) if laws is None else laws,
        training,
        targets,
        seed=seed,
        own_cuts=population.own_cuts,
        sharpness=population.sharpness,
        allow_unconverged=True,
    )


def scores_of(case: Case, method: str, forecast: bs.Forecast) -> pd.DataFrame:
    """Score a forecast of the targets of a case, an outcome a row."""
    draws = forecast.draws["loss_run"].to_numpy()
    table = score_table(draws, case.study.targets.column("loss"))
    return _labelled(case, method, table, draws)


def _labelled(case: Case, method: str, table: pd.DataFrame, draws: np.ndarray) -> pd.DataFrame:
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    actual = case.study.targets.column("loss")
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    score = (high - low + missed * 2 / 0.1) / actual  # Winkler 1972, relative to the outcome
    return table.assign(method=method, collection=case.collection, case=case.name, interval_score=score)


def _fixed(case: Case, seed: int) -> bs.Posterior:
    """Fit what was the default before: Chinchilla, or a power law where one of its inputs is missing or constant."""
    columns = case.study.training.frame
    varies = [name for name in ("n_params", "tokens") if name in columns and columns[name].nunique() > 1]
    if len(varies) == 2:
        return bs.fit(Chinchilla(), case.study, seed=seed)
    return bs.fit(PowerLaw(column=varies[0] if varies else "flops"), case.study, seed=seed)


def _bootstrap(case: Case, seed: int) -> pd.DataFrame:
    law = next(iter(candidates(case.study).values()))

    def inputs(study: bs.Study) -> tuple[np.ndarray, np.ndarray]:
        columns = law.input_arrays(study.frame)
        return columns["N"], columns["D"]

    training, targets = case.study.training, case.study.targets
    loss, actual = training.column("loss"), targets.column("loss")
    point, drawn = bootstrap_forecast(*inputs(training), loss, *inputs(targets), resamples=RESAMPLES, seed=seed)
    table = score_table(drawn, actual).assign(median=point, error=point - actual, relative_error=point / actual - 1)
    return _labelled(case, RIVAL, table, drawn)


def collection_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores of each collection by each method, every case of a collection counting the same."""
    scores = scores.assign(
        mape=scores["relative_error"].abs(), bias=scores["relative_error"], width=scores["width90"] / scores["actual"]
    )
    shown = {"in90": "cover90", "in50": "cover50", "mape": "mape", "bias": "bias", "width": "width",
             "interval_score": "interval_score"}  # fmt: skip
    by_case = scores.groupby(["method", "collection", "case"], sort=False)[list(shown)].mean()
    return by_case.groupby(["collection", "method"], sort=False).mean().rename(columns=shown)


def redrawn(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 90 % interval of a mean over collections, from a bootstrap that draws whole collections anew.

    Parameters
    ----------
    values : array, shape (collection,)
        One value of each collection, such as its coverage.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> redrawn(np.ones(3))
    (1.0, 1.0)
    """
    drawn = np.random.default_rng(seed).integers(len(values), size=(REDRAWN, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.05, 0.95])
    return float(low), float(high)


def report(scores: pd.DataFrame, learnt: dict) -> dict[str, float]:
    """Print the tables, in Markdown, and return the figures."""
    by_collection = collection_means(scores)
    counts = scores[scores["method"] == OURS].groupby("collection").size().rename("targets")
    show("By collection, per cent", (100 * by_collection).join(counts, on="collection").reset_index())
    overall = by_collection.groupby("method").mean()
    show(f"Means over {len(counts)} collections, per cent", (100 * overall).reset_index())
    show("What was learnt without each", pd.DataFrame([_learnt(n, p) for n, p in learnt.items() if n is not None]))
    ours, fixed, rival = (by_collection.xs(method, level="method") for method in (OURS, FIXED, RIVAL))
    enough = counts[counts >= MANY].index
    low, high = redrawn(ours["cover90"].to_numpy())
    return {
        "cover90": ours["cover90"].mean(),
        "cover90_low": low,
        "cover90_high": high,
        "cover50": ours["cover50"].mean(),
        "worst_cover90": ours.loc[enough, "cover90"].min(),
        "mape_ratio": (ours["mape"] / rival["mape"]).mean(),
        "interval_score_ratio": ours["interval_score"].mean() / rival["interval_score"].mean(),
        "interval_score_ratio_fixed": ours["interval_score"].mean() / fixed["interval_score"].mean(),
        "width": ours["width"].mean(),
        "n_collections": float(len(counts)),
        "n_outcomes": float(counts.sum()),
        "fits_not_converged": float(scores.drop_duplicates("case")["not_converged"].sum()),
    }


def _learnt(name: str, population: Population) -> dict[str, object]:
    centre, spread = population.parameters["discrepancy"]
    numbers = {value: getattr(population, value) for value in NUMBERS}
    weights = {value: getattr(population, value) for value in WEIGHTS}
    middles = {value: np.expm1(mean_over(np.log1p, weight)) for value, weight in weights.items()}
    return {"without": name, **numbers, **middles, "discrepancy": np.exp(centre), "of its log": spread}
