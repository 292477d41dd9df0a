"""One loss of a large run from several others: from its own training loss, and from the same loss of other sets' runs.

A team that has trained large runs on older sets may forecast a loss on a new one in several ways, and these err
differently.  Here every set in turn is the new one: the 1e21 runs of the five others are known, which the pairs of a
kind, one by one, do not use together.

The rule, stated before a target is combined: of the forecast from the own training loss, the average of those from the
five other sets, and the average of both halves, that way is taken whose medians have the smallest mean absolute
relative error in the backtests of both cuts (runs of which a source lacks the partner are left out).  Laws and
discrepancies are those of each kind (``benchmarks.loss_to_loss``).  A training loss has no own
training loss to come from: its forecasts are those of the other sets, averaged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

import bayes_scaling as bs
from benchmarks.loss_to_loss import CUTS, Axis, Result, as_backtest, forecasts, paired, pairs_of
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


def combined(table: bs.Study, found: Mapping[str, Result], seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Combine the forecasts of every outcome at 1e21 FLOPs.

    Parameters
    ----------
    table : Study
        The sweep.
    found : mapping of str to Result
        Of each kind of pairs, with its fits and forecasts.

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
        errors = _backtest(table, outcomes, ways, found, seed)
        chosen = min(errors, key=lambda name: errors[name])
        tried.append({"kind": kind, **{way: 100 * error for way, error in errors.items()}})
        for y, pairs in outcomes.items():
            each = [found[name].made[pair] for name, pair in pairs]
            for way in ways:
                scores = bs.average(each, weights_of([name for name, _ in pairs], way), seed=seed).score()
                rows.append(
                    scores.assign(kind=kind, train_data=y.train_data, loss=y.loss, way=way, chosen=way == chosen)
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
    outcomes: Mapping[Axis, list[tuple[str, Pair]]],
    ways: list[str],
    found: Mapping[str, Result],
    seed: int,
) -> dict[str, float]:
    """Return the mean absolute relative error of the medians of each combination, inside the sweep."""
    errors: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for cut in CUTS:
        inside = as_backtest(table, cut)
        for y, pairs in outcomes.items():
            studies = _with_common_targets([paired(inside, pair).study for _, pair in pairs])
            each = []
            for (name, pair), study in zip(pairs, studies, strict=True):
                result = found[name]
                batches = [[member] for member in result.backtests[cut, pair]]
                each += forecasts(batches, [study], [result.rule.discrepancies[y.canonical[1]]])
            for way in ways:
                weights = weights_of([name for name, _ in pairs], way)
                scores = bs.average([forecast for forecast, _ in each], weights, seed=seed).score()
                errors[way].append(scores["relative_error"].abs().to_numpy())
    return {way: float(np.concatenate(missed).mean()) for way, missed in errors.items()}


def _with_common_targets(studies: list[bs.Study]) -> list[bs.Study]:
    """Return pairs of one outcome with the targets that all of them have."""
    common = set.intersection(*(set(study.targets.frame["run"]) for study in studies))
    kept = [
        study.frame[(study.frame["role"] == "train") | study.frame["run"].isin(common)].reset_index(drop=True)
        for study in studies
    ]
    return [dataclasses.replace(study, frame=frame) for study, frame in zip(studies, kept, strict=True)]
