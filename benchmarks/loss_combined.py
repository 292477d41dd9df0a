"""One loss of a large run from several others: from its own training loss, and from the same loss of other sets' runs.

A team that has trained large runs on older sets may forecast a loss on a new one in several ways, and these err
differently.  Here every set in turn is the new one: the 1e21 runs of the five others are known, which the pairs of a
kind, one by one, do not use together.

The rule, stated before a target is combined: of the forecast from the own training loss, the average of those from the
five other sets, and the average of both halves, that way is taken whose medians have the smallest mean absolute
relative error in the backtests of both cuts (every third outcome; runs of which a source lacks the partner are left
out).  Laws and discrepancies are those of each kind (``benchmarks.loss_to_loss``).  A training loss has no own
training loss to come from: its forecasts are those of the other sets, averaged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

import bayes_scaling as bs
from benchmarks.loss_to_loss import CUTS, LAWS, WAYS, Axis, as_backtest, forecasts, paired, pairs_of
from benchmarks.markdown import show

__all__ = ["KINDS", "combined", "outcomes_of", "report", "weights_of"]

KINDS = {
    "train_to_train": (None, "train_to_train"),
    "held_out": ("train_to_held_out", "test_to_held_out"),
    "downstream": ("train_to_downstream", "test_to_downstream"),
}
"""Kinds of pairs whose forecasts of one outcome are combined: from its own training loss, and from other sets."""

COMBINATIONS = {"own": (1.0, 0.0), "others": (0.0, 1.0), "all": (0.5, 0.5)}
"""Weights of the forecast from the own training loss, and of those from the other sets together."""

EVERY = 3  # outcomes of which one is tried: no divisor in common with the 5 or 11 of a set, so that every loss occurs

Pair = tuple[Axis, Axis]


def outcomes_of(kind: str) -> dict[Axis, list[tuple[str, Pair]]]:
    """Return the pairs that forecast each outcome, with their kinds; first that from its own training loss."""
    own, others = KINDS[kind]
    known = pairs_of(others if own is None else own)
    found: dict[Axis, list[tuple[str, Pair]]] = {y: [] for _, y in known}
    for name in (own, others):
        for pair in [] if name is None else pairs_of(name):
            if pair[1] in found:
                found[pair[1]].append((name, pair))
    return found


def tried_of(kind: str) -> dict[Axis, list[tuple[str, Pair]]]:
    """Return the outcomes that the backtests of a kind take, every loss among them."""
    own, _ = KINDS[kind]
    return dict(list(outcomes_of(kind).items())[:: EVERY if own else 1])


def weights_of(kinds: list[str], combination: str) -> list[float]:
    """Return the weight of each forecast of an outcome, from the kinds of its pairs.

    Examples
    --------
    >>> weights_of(["train_to_held_out", "test_to_held_out", "test_to_held_out"], "all")
    [0.5, 0.25, 0.25]
    """
    own = [kind in [first for first, _ in KINDS.values()] for kind in kinds]
    one, rest = COMBINATIONS[combination]
    return [one if mine else rest / own.count(False) for mine in own]


def combined(
    table: bs.Study,
    scores: Mapping[str, pd.DataFrame],
    made: Mapping[str, Mapping[Pair, bs.Forecast]],
    seed: int = 0,
    draws: int = 500,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine the forecasts of every outcome at 1e21 FLOPs.

    Parameters
    ----------
    table : Study
        The sweep.
    scores : mapping of str to pandas.DataFrame
        Of each kind of pairs, with the law and the discrepancy that were chosen.
    made : mapping of str to mapping
        The forecasts of each kind by pair.

    Returns
    -------
    (pandas.DataFrame, pandas.DataFrame)
        Errors of the medians in the backtests, per cent, a row per kind and a column per combination; and scores at
        the targets, a row per outcome and combination, with ``chosen``.
    """
    tried, rows = [], []
    for kind, (own, _) in KINDS.items():
        outcomes = outcomes_of(kind)
        ways = [name for name in COMBINATIONS if own is not None or name == "others"]
        errors = _backtest(table, list(tried_of(kind).values()), ways, scores, seed, draws)
        chosen = min(errors, key=lambda name: errors[name])
        tried.append({"kind": kind, **{way: 100 * error for way, error in errors.items()}})
        for y, pairs in outcomes.items():
            each = [made[name][pair] for name, pair in pairs]
            for way in ways:
                found = bs.average(each, weights_of([name for name, _ in pairs], way), seed=seed).score()
                rows.append(
                    found.assign(kind=kind, train_data=y.train_data, loss=y.loss, way=way, chosen=way == chosen)
                )
    return pd.DataFrame(tried), pd.concat(rows, ignore_index=True)


def report(tried: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    """Print what several forecasts of one outcome make together, and return the figures of the chosen combinations."""
    show("Several forecasts of one outcome, in the backtests: mean absolute relative error in per cent", tried)
    rows = rows.assign(mape=rows["relative_error"].abs(), width90=rows["width90"] / rows["actual"])
    by = rows.groupby(["kind", "way", "chosen"])
    means = 100 * by[["mape", "in50", "in90", "width90"]].mean()
    table = means.assign(outcomes=by.size()).reset_index()
    show("The same at 1e21 FLOPs, where the large runs of the five other sets are known, in per cent", table)
    result = {}
    for kind, own in rows[rows["chosen"]].groupby("kind"):
        result |= {
            f"{kind}_combined_mape": 100 * own["mape"].mean(),
            f"{kind}_combined_outcomes": len(own),
            f"{kind}_combined_cover90": int(own["in90"].sum()),
            f"{kind}_combined_cover50": int(own["in50"].sum()),
            f"{kind}_combined_width90": 100 * own["width90"].mean(),
        }
    return result


def _backtest(
    table: bs.Study,
    outcomes: list[list[tuple[str, Pair]]],
    ways: list[str],
    scores: Mapping[str, pd.DataFrame],
    seed: int,
    draws: int,
) -> dict[str, float]:
    """Return the mean absolute relative error of the medians of each combination, inside the sweep."""
    inside = [as_backtest(table, cut) for cut in CUTS]
    names = [name for pairs in outcomes for name, _ in pairs] * len(inside)
    groups = [_with_common_targets([paired(t, pair).study for _, pair in pairs]) for t in inside for pairs in outcomes]
    studies = [study for group in groups for study in group]
    made: dict[int, bs.Forecast] = {}
    for kind in dict.fromkeys(names):
        own = [i for i, name in enumerate(names) if name == kind]
        first = scores[kind].iloc[0]
        batches = [
            bs.fit_many(LAWS[law], [studies[i] for i in own], seed=seed, draws=draws) for law in WAYS[first["way"]]
        ]
        found = forecasts(batches, [studies[i] for i in own], first["discrepancy"])
        made |= {i: forecast for i, (forecast, _) in zip(own, found, strict=True)}
    errors: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    start = 0
    for group in groups:
        places = range(start, start := start + len(group))
        for way in ways:
            weights = weights_of([names[i] for i in places], way)
            score = bs.average([made[i] for i in places], weights, seed=seed).score()
            errors[way].append(score["relative_error"].abs().to_numpy())
    return {way: float(np.concatenate(found).mean()) for way, found in errors.items()}


def _with_common_targets(studies: list[bs.Study]) -> list[bs.Study]:
    """Return pairs of one outcome with the targets that all of them have."""
    common = set.intersection(*(set(study.targets.frame["run"]) for study in studies))
    kept = [
        study.frame[(study.frame["role"] == "train") | study.frame["run"].isin(common)].reset_index(drop=True)
        for study in studies
    ]
    return [dataclasses.replace(study, frame=frame) for study, frame in zip(studies, kept, strict=True)]
