"""Intervals on collections that had no part in what is learnt: each is scored with what the others taught.

The recommended forecast (:func:`bayes_scaling.forecast_runs`) is made for every collection with the population learnt
on all others but those of its group (``benchmarks.population`` states the rule) and held against its larger runs.
Beside it stand the Chinchilla law with the fixed discrepancy, which was the default before, and what a user would do
instead: a log-Huber fit of a sum of power laws, in the inputs that our laws read, and a residual bootstrap.  (It read
parameters and tokens alone at first, also where compute per sample, repeats or FLOPs are what tells runs apart.)  Means
are over collections, so that a large one does not count more; the sets of the sweep count as one, and so do the losses
of the ladder.  Outcomes of one collection err alike, and collections of one group may, so the doubt about a coverage
comes from a bootstrap of whole groups.
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
from benchmarks.cases import Case, cases, sisters
from benchmarks.markdown import show
from benchmarks.point_fits import RESAMPLES, bootstrap_forecast
from benchmarks.population import NUMBERS, WEIGHTS, learn, superset_of

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
    training, targets = case.study.training, case.study.targets
    loss, actual = training.column("loss"), targets.column("loss")
    inputs, new = point_inputs(training, targets)
    point, drawn = bootstrap_forecast(inputs, loss, new, resamples=RESAMPLES, seed=seed)
    table = score_table(drawn, actual).assign(median=point, error=point - actual, relative_error=point / actual - 1)
    return _labelled(case, RIVAL, table, drawn)


def point_inputs(training: bs.Study, targets: bs.Study) -> tuple[np.ndarray, np.ndarray]:
    """Return what a point fit reads of the runs and of the targets, a row for each input.

    Parameters, or compute per sample where runs differ in what parameters do not count; tokens; unique tokens where
    they are repeated; FLOPs alone where nothing else is known.  What does not vary is left out.
    """
    law = superset_of(candidates(training))
    parts = [(study.frame, law.input_arrays(study.frame)) for study in (training, targets)]
    first = training.frame
    rows = [[arrays["N"] for _, arrays in parts]]  # of FLOPs alone it is a power of them
    if "tokens" in first:
        rows.append([arrays["D"] for _, arrays in parts])
    if "unique_tokens" in first and (first["tokens"] > first["unique_tokens"]).any():
        rows.append([frame["unique_tokens"].to_numpy(float) for frame, _ in parts])
    kept = [row for row in rows if np.ptp(row[0]) > 0]
    return np.stack([row[0] for row in kept]), np.stack([row[1] for row in kept])


def collection_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores of each collection by each method, every case of a collection counting the same."""
    scores = scores.assign(
        mape=scores["relative_error"].abs(), bias=scores["relative_error"], width=scores["width90"] / scores["actual"]
    )
    shown = {"in90": "cover90", "in50": "cover50", "mape": "mape", "bias": "bias", "width": "width",
             "interval_score": "interval_score"}  # fmt: skip
    by_case = scores.groupby(["method", "collection", "case"], sort=False)[list(shown)].mean()
    return by_case.groupby(["collection", "method"], sort=False).mean().rename(columns=shown)


def redrawn(values: pd.Series, seed: int = 0) -> tuple[float, float]:
    """Return the 90 % interval of a mean over collections, from a bootstrap that draws whole groups anew.

    Parameters
    ----------
    values : pandas.Series
        One value of each collection, such as its coverage, by its name.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> redrawn(pd.Series(1.0, index=["task ladder", "xlstm_llama", "xlstm_mlstm"]))
    (1.0, 1.0)
    """
    groups = values.groupby([sisters(name)[0] for name in values.index]).agg(["sum", "size"]).to_numpy()
    drawn = groups[np.random.default_rng(seed).integers(len(groups), size=(REDRAWN, len(groups)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.05, 0.95])
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
    low, high = redrawn(ours["cover90"])
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
        "n_groups": float(len({sisters(name) for name in counts.index})),
        "n_outcomes": float(counts.sum()),
        "fits_not_converged": float(scores.drop_duplicates("case")["not_converged"].sum()),
    }


def _learnt(name: str, population: Population) -> dict[str, object]:
    centre, spread = population.parameters["discrepancy"]
    numbers = {value: getattr(population, value) for value in NUMBERS}
    weights = {value: getattr(population, value) for value in WEIGHTS}
    middles = {value: np.expm1(mean_over(np.log1p, weight)) for value, weight in weights.items()}
    return {"without": name, **numbers, **middles, "discrepancy": np.exp(centre), "of its log": spread}
