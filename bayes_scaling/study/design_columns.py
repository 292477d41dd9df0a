"""What speaks against the columns of runs before any fit: FLOPs, losses, steps and annealing that bend every law."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import counted, listed, option
from bayes_scaling.problems import Problem
from bayes_scaling.study.card import AS_GIVEN, Card
from bayes_scaling.study.chance import by_accident
from bayes_scaling.study.flops import SIX_N_D, training_flops
from bayes_scaling.study.reading import one_row_a_run
from bayes_scaling.study.rows import MOST_NAMES, keys, run_names
from bayes_scaling.study.validation import LOSS_ERROR, floats, where_known

__all__ = [
    "contradicting_flops",
    "copied_runs",
    "counted_embeddings",
    "evenly_spaced",
    "few_steps",
    "missing_losses",
    "not_annealed",
    "odd_losses",
    "unread_errors",
    "unused_accuracies",
]

MAX_SHARE, MAX_SHARE_CHANGE = 0.2, 0.1  # of embeddings in the parameters
MIN_STEPS = 2000
MAX_FLOPS_RATIO = 1.9  # between a column of FLOPs and 6ND, or two runs: twice is a factor that one of them forgot
SAME_RATIO = 1.1  # up to which runs agree on it
MAX_NATS = 15.0  # per token: the logarithm of a vocabulary of three millions
MIN_NATS = 1.0  # per token of text, of the worst of several runs
NATS = ("nats", "nats per token")
MAX_TREND, MIN_TREND = 0.5, 5  # rank correlation of a loss with scale, and runs to tell it from
WITHOUT_EMBEDDING = re.compile(r"n_params_(body|non_?embedding|without_embeddings?)|non_?embedding_params")
CHECKPOINTS, EVEN = 5, 1.02  # rows of one size whose steps in tokens are alike up to this factor: finals are rarely so
FALSE = {"0", "0.0", "false", "no"}


def contradicting_flops(runs: pd.DataFrame) -> Iterator[Problem]:
    """Hold the column of FLOPs against 6ND."""
    counted = training_flops(runs, convention=SIX_N_D)
    if counted is None or "flops" not in runs:
        return
    ratio = floats(runs, "flops").to_numpy() / counted
    off, usual = np.abs(np.log(ratio)), _usual(ratio)
    odd = off > np.log(MAX_FLOPS_RATIO)
    if np.ptp(np.log(ratio)) > np.log(MAX_FLOPS_RATIO):  # a contradiction, whatever the runs count
        odd |= np.abs(np.log(ratio / usual)) > np.log(MAX_FLOPS_RATIO) / 2
    if odd.any():
        low, high = (
            f"{bound:.2g}" if bound < 100 else f"{bound:.0f}" for bound in (ratio[odd].min(), ratio[odd].max())
        )
        others = f", those of most runs {usual:.2g} times" if f"{usual:.1f}" != "1.0" and not odd.all() else ""
        yield Problem(
            "flops-6nd",
            f"The FLOPs of {run_names(runs, odd)} are {low if low == high else f'{low} to {high}'} times 6ND{others} "
            f"(at most a factor of {MAX_FLOPS_RATIO:g} off)",
            "parameters, tokens or FLOPs are not what their columns say, so check their units and what they count",
            float(np.exp(off.max())),
            "flops",
        )


def _usual(ratio: np.ndarray) -> float:
    """Return the ratio of FLOPs to 6ND on which more than half of the runs agree; one where there is none."""
    middle = float(np.median(ratio))
    agree = np.abs(np.log(ratio / middle)) < np.log(SAME_RATIO)
    return middle if agree.mean() > 1 / 2 else 1.0


def odd_losses(rows: pd.DataFrame, card: Card, series: Sequence[str]) -> Iterator[Problem]:
    """Look at whether losses can be losses: their size, and which way they go.

    Parameters
    ----------
    rows : pandas.DataFrame
        The runs; with tasks, a row per run and task.
    card : Card
        Units.
    series : sequence of str
        Losses that the law reads beside or in place of ``loss``; without a law, all that are there.
    """
    known = [column for column in dict.fromkeys(("loss", *series)) if column in rows]
    for column in known:
        yield from _odd_sizes(rows, column, card.unit(column), named_by_unit=column == known[0])
        yield from _rising(rows, column)


def _odd_sizes(rows: pd.DataFrame, column: str, unit: str, *, named_by_unit: bool) -> Iterator[Problem]:
    """Look at whether a loss is as large as a perplexity or as small as an error rate."""
    values = where_known(one_row_a_run(rows) if column == "loss" else rows, column)
    if not np.isfinite(values).any():
        return
    largest = float(np.nanmax(values))
    if "perplexit" in unit.lower():
        remedy = "laws are of its logarithm, so give the logarithms of these losses, which are in nats"
        yield Problem("perplexity", f"The unit of the {column} is {unit}", remedy, largest, column)
    elif largest > MAX_NATS and unit in (AS_GIVEN, *NATS):
        sentence = f"The largest {column} is {largest:.4g} ({unit}; one in nats per token is at most {MAX_NATS:g})"
        unit_of = f", and if not, say which unit they are in with {option('unit', 'UNIT')}" if named_by_unit else ""
        remedy = f"if these are perplexities, give their logarithms{unit_of}"
        yield Problem("perplexity", sentence, remedy, largest, column)
    if largest < MIN_NATS and unit in NATS and column != "task_loss":  # answers may well be likely
        sentence = f"The largest {column} is {largest:.4g} {unit} (at least {MIN_NATS:g} for text)"
        error_rates = f"say so with {option('unit', 'fraction')}" if named_by_unit else "leave them out"
        remedy = f"if these are error rates, {error_rates}"
        yield Problem("error-rate", sentence, remedy, largest, column)


def _rising(rows: pd.DataFrame, column: str) -> Iterator[Problem]:
    """Look at whether a loss rises with the scale of runs; where each task has one, in which tasks."""
    scale = next((c for c in ("flops", "tokens", "n_params") if c in rows), None)
    if scale is None:
        return
    by_task = "task" in rows and column != "loss" and not _shared(rows, column)
    parts = rows.groupby("task", sort=False) if by_task else [("", rows)]
    trends = {task: _trend(one_row_a_run(part), column, scale) for task, part in parts}
    limits = {task: by_accident(runs) if by_task else MAX_TREND for task, (_, runs) in trends.items()}
    rising = {task: trend for task, (trend, _) in trends.items() if trend > limits[task]}
    if not rising:
        return
    if column == "loss":
        remedy = (
            "a loss falls; if these are accuracies, forecast the error, 1 - accuracy, or give their columns in place "
            f"of a loss, as in {option('accuracy_columns', 'MMLU')} and {option('chance', 0.25)} (that of guessing)"
        )
    else:
        what = "the task" if by_task else "it"
        remedy = f"a loss falls, so see whether this is one, and leave {what} out if not"
    where, most = f" in {listed(map(str, rising))}" if by_task else "", max(rising.values())
    limit = min(limits[task] for task in rising)
    yield Problem(
        "wrong-way",
        f"The {column} rises with {scale}{where} (rank correlation {most:+.2f}, at most {limit:.2g})",
        remedy,
        most,
        column,
    )


def _trend(runs: pd.DataFrame, column: str, scale: str) -> tuple[float, int]:
    """Return the rank correlation of a column with the scale of runs, and the number of runs that have both.

    It is NaN where these are few, or one of the two stays.
    """
    both = pd.DataFrame({name: where_known(runs, name) for name in (column, scale)}).dropna()
    if len(both) < MIN_TREND or both.nunique().min() < 2:
        return float("nan"), len(both)
    return float(both[column].corr(both[scale], method="spearman")), len(both)


def _shared(rows: pd.DataFrame, column: str) -> bool:
    """Say whether the tasks of a run share a loss."""
    return "run" in rows and bool((rows.groupby("run", sort=False)[column].nunique() <= 1).all())


def missing_losses(rows: pd.DataFrame, series: Sequence[str]) -> Iterator[Problem]:
    """Name the runs of a ladder that lack a loss."""
    for column in (c for c in series if c in rows):
        known = rows.groupby("run", sort=False)[column]
        lacking = known.count() == 0 if _shared(rows, column) else known.count() < known.size()  # one entry is enough
        if lacking.any():
            names = listed(map(str, lacking.index[lacking]), MOST_NAMES)
            yield Problem(
                "missing-loss",
                f"{counted(int(lacking.sum()), 'run')} of {len(lacking)} without {column}: {names}",
                "accuracies that are read off it are not used there, so fill it in where it is known",
                float(lacking.sum()),
                column,
            )


def unread_errors(runs: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether losses have known errors of which the law does not know."""
    if law is None or law.reads_loss_error or "loss" not in law.quantities or LOSS_ERROR not in runs:
        return
    known = int(np.isfinite(where_known(runs, LOSS_ERROR)).sum())
    if known:
        yield Problem(
            "unread-error",
            f"{law.name} does not read {LOSS_ERROR}, the standard error of the loss, which {known} of {len(runs)} runs "
            "have",
            "it counts all runs as equally sure, so use a law that reads it where they are not",
            float(known),
            LOSS_ERROR,
        )


def copied_runs(rows: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether runs are the same as others in all but their name, as where two exports were put together."""
    others = [column for column in rows if column != "run"]
    if "run" not in rows or not others:  # rows that are the same are refused
        return
    copies = pd.Series(keys(rows, others), rows.index).duplicated().groupby(rows["run"], sort=False).all()
    if copies.any():
        names = listed(map(str, copies.index[copies]), MOST_NAMES)
        yield Problem(
            "copied-run",
            f"{copies.sum()} of {len(copies)} runs are the same as others in every column but their name: {names}",
            "copies count as runs and make every interval too narrow, so leave them out, or give repeated runs a "
            "column seed",
            float(copies.sum()),
            "run",
        )


def counted_embeddings(runs: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether embeddings, which bend a law of size, are much of N in some runs."""
    body = next((c for c in runs if WITHOUT_EMBEDDING.fullmatch(str(c))), None)
    if body is not None and "n_params" in runs:
        share = 1 - where_known(runs, body) / where_known(runs, "n_params")
        if np.isfinite(share).all() and share.max() > MAX_SHARE and np.ptp(share) > MAX_SHARE_CHANGE:
            yield Problem(
                "embedding-share",
                f"Embeddings are {share.min():.0%} to {share.max():.0%} of N (at most {MAX_SHARE:.0%}, or a change of "
                f"{MAX_SHARE_CHANGE:.0%})",
                f"this bends a law of size, so fit {body} as N, or leave the smallest models out",
                float(share.max()),
                str(body),
            )


def few_steps(runs: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether runs had enough optimiser steps to learn from their tokens."""
    if "steps" in runs and (few := (steps := where_known(runs, "steps")) < MIN_STEPS).any():
        if law is not None and ("steps" in law.inputs or "steps" in law.columns.values()):
            remedy = "the law has a penalty for that, so see whether the forecast stays when they are left out"
        else:
            remedy = "they have learnt less from their tokens, so leave them out or use a law with a penalty"
        yield Problem(
            "few-steps",
            f"{few.sum()} of {len(runs)} runs have fewer than {MIN_STEPS} optimiser steps "
            f"(the fewest {np.nanmin(steps):.0f}): {run_names(runs, few)}",
            remedy,
            float(np.nanmin(steps)),
            "steps",
        )


def unused_accuracies(rows: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether there are accuracies without tasks, which no law reads."""
    if "accuracy" in rows and "task" not in rows:
        yield Problem(
            "unused-accuracy",
            "There are accuracies, but no column 'task'",
            "the two-step law reads them from one row per run and task: run, task, task_loss, accuracy and chance",
            float(len(rows)),
            "accuracy",
        )


def not_annealed(rows: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether learning rates decayed, and whether rows are of checkpoints before the last."""
    early = rows["annealed"].astype(str).str.lower().isin(FALSE) if "annealed" in rows else pd.Series([False])
    if early.any():
        yield Problem(
            "not-annealed",
            f"{early.sum()} of {len(rows)} rows are of runs whose learning rate did not decay",
            "their loss is above that of a finished run, so leave them out",
            float(early.sum()),
            "annealed",
        )
    identity = [c for c in ("run", "task") if c in rows]
    if "checkpoint" in rows and "run" in rows and (repeats := rows.duplicated(identity)).any():
        yield Problem(
            "not-annealed",
            f"{repeats.sum()} of {len(rows)} rows are further checkpoints of a run",
            "checkpoints before the last are no finished runs and not independent, so keep the last of each",
            float(repeats.sum()),
            "checkpoint",
        )


def evenly_spaced(runs: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether rows of one size are evenly spaced in tokens, as checkpoints of one run are."""
    if not {"n_params", "tokens"} <= set(runs) or {"annealed", "checkpoint"} & set(runs):
        return
    steps = {size: np.diff(np.sort(seen)) for size, seen in runs.groupby("n_params")["tokens"]}
    even = [n for n, step in steps.items() if len(step) + 1 >= CHECKPOINTS and 0 < step.max() <= EVEN * step.min()]
    if even:
        count = int(runs["n_params"].isin(even).sum())
        yield Problem(
            "not-annealed",
            f"{count} of {len(runs)} rows are evenly spaced in tokens at their size, as checkpoints of one run are",
            "if they are, keep the last of each size, because the others are no finished runs and not independent",
            float(count),
            "tokens",
        )
