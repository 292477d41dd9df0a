"""What each part of the recommended forecast gains: it is made again without one of them, on every collection.

As in ``benchmarks.collections``, what is learnt comes from the other collections; a part left out is

- priors: those of the papers (``benchmarks.population.WEAK``) in place of the learnt ones;
- priors, and what is learnt with them: the same, with errors of the slope, scatter and weights learnt under these;
- averaging: the superset law alone;
- drift: the error of the slope has mean zero, and the spread that then has the same second moment;
- own cuts: the study's backtests neither weigh the laws nor move the error of the slope;
- scatter: new runs scatter as the fitted ones do.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.models.population import Population
from bayes_scaling.models.recommended import candidates
from benchmarks.cases import cases
from benchmarks.collections import averaged, collection_means, scores_of
from benchmarks.markdown import as_markdown
from benchmarks.population import WEAK, learn

REPORT = Path(__file__).parent / "results" / "ablation.md"

RELEARNT = "priors, and what is learnt with them"

Laws = Mapping[str, bs.Law]


def first(laws: Laws) -> Laws:
    """Return the superset law alone; in compute per sample where runs differ in that."""
    name = next((n for n in laws if n == "superset, compute per sample"), next(iter(laws)))
    return {name: laws[name]}


def everything(laws: Laws) -> Laws:
    """Return all laws."""
    return laws


def without_drift(learnt: Population) -> dict[str, object]:
    """Return an error of the slope of mean zero with the same second moment, and the same doubt about its spread."""
    centre, doubt = learnt.parameters["discrepancy"]
    spread = math.hypot(learnt.drift, math.exp(centre + doubt**2))
    return {"drift": 0.0, "parameters": {**learnt.parameters, "discrepancy": (math.log(spread) - doubt**2, doubt)}}


WITHOUT: dict[str, tuple[Callable[[Population], dict[str, object]], Callable[[Laws], Laws]]] = {
    "nothing left out": (lambda learnt: {}, everything),
    "priors": (lambda learnt: {"parameters": {**learnt.parameters, **WEAK}}, everything),
    RELEARNT: (lambda learnt: {}, everything),
    "averaging": (lambda learnt: {}, first),
    "drift": (without_drift, everything),
    "own cuts": (lambda learnt: {"own_cuts": {0.0: 1.0}, "sharpness": {0.0: 1.0}}, everything),
    "scatter": (lambda learnt: {"scatter": 1.0}, everything),
}


def figures(seed: int = 0) -> dict[str, float]:
    """Score the forecast without each part, print and store the table and return interval scores over that with all."""
    found = cases()
    blocks = []
    for part, (change, kept) in WITHOUT.items():
        learnt = learn(found, seed, papers=part == RELEARNT)
        for case in track(found, part, transient=True):
            population = dataclasses.replace(learnt[case.collection], **change(learnt[case.collection]))
            laws = kept(candidates(case.study, population))
            forecast = averaged(case.study, case.study.targets, population, seed, laws=laws)
            blocks.append(scores_of(case, part, forecast))
    means = collection_means(pd.concat(blocks, ignore_index=True))
    table = means.groupby("method", sort=False).mean().rename_axis("left out")
    text = as_markdown((100 * table).reset_index())
    print(text)
    REPORT.write_text(f"# {__doc__}\n## Means over collections, per cent\n\n{text}\n", encoding="utf-8")
    whole = table.loc["nothing left out", "interval_score"]
    return {
        f"without_{part.replace(',', '').replace(' ', '_')}": table.loc[part, "interval_score"] / whole
        for part in list(WITHOUT)[1:]
    }
