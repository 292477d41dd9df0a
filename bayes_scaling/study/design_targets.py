"""What speaks against a target before any fit: out of reach, fitted already, or of inputs that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import listed, option
from bayes_scaling.problems import Problem
from bayes_scaling.study.chance import outcome_of
from bayes_scaling.study.flops import distances, measure_of, measured
from bayes_scaling.study.reading import SAME_INPUT, symbol_of
from bayes_scaling.study.rows import MOST_NAMES, run_names, shown
from bayes_scaling.study.selection import other_inputs, other_run
from bayes_scaling.study.validation import floats, where_known

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["SIZES", "already_fitted", "out_of_reach", "repeated_tokens", "unfitted_tasks", "unread_sizes"]

SIZES = ("n_params", "tokens")
COUNTED = frozenset(("tokens", "flops"))  # a law that reads one of them is far from a target in FLOPs
MAX_DISTANCE = 100.0  # FLOPs of a target over the largest fitted
MIN_SHARE = 0.5  # of what the smallest fitted run took
MAX_PASSES = 4.0  # over the same tokens, up to which repeats are nearly as good (Muennighoff et al. 2023)


def out_of_reach(training: Study, targets: pd.DataFrame, inputs: Sequence[str], law: Any = None) -> Iterator[Problem]:
    """Look at how far the targets are, and whether the law's interval is wider for it."""
    if targets.empty:
        return
    what, far = measured(measure_of(inputs)), distances(training, targets, inputs)
    smallest = np.nanmin(distances(training, training.frame, inputs), initial=np.inf)
    if (unknown := np.isnan(far)).any() and not COUNTED.isdisjoint(inputs):
        names = listed((repr(str(name)) for name in targets.index[unknown]), MOST_NAMES)
        yield Problem(
            "unknown-distance",
            f"The distance of {names} from the runs cannot be told, since the columns of "
            f"{'the runs' if np.isinf(smallest) else 'the target'} do not tell {what}",
            "give parameters and tokens, or FLOPs, of runs and target",
            float(unknown.sum()),
        )
    task, behind = _furthest_behind(training, targets, inputs)
    for name, distance in zip(targets.index, far, strict=True):
        if distance < MIN_SHARE * smallest < np.inf:
            yield Problem(
                "below-runs",
                f"Target {str(name)!r} has {distance / smallest:.2g} times the {what} of the smallest run fitted "
                f"(at least {MIN_SHARE:g})",
                "the law may be off below the runs as well as beyond them, and its interval is not widened there, so "
                "trust it less",
                float(distance / smallest),
                str(name),
            )
        if distance * behind > MAX_DISTANCE:
            yield Problem(
                "far-target",
                f"Target {str(name)!r} has {distance * behind:.3g} times the {what} of the largest run "
                f"fitted{task}, and beyond "
                f"{MAX_DISTANCE:.0f} times no run shows that the law still holds",
                f"its interval is {_widened(law)}, so trust it less, or make a larger run first",
                float(distance * behind),
                str(name),
            )


def _widened(law: Any) -> str:
    """Say how a law's interval is widened beyond its runs: on the side where outcomes get better."""
    if law is None or (law.outcome in law.better and law.discrepancy != 0):
        return "widened for that by a rule of thumb"
    if law.discrepancy == 0:
        return "not widened for that"
    return (
        f"widened for that by a rule of thumb if {law.outcome} falls, and not if it rises, since the law does not say "
        "that higher is better"
    )


def _furthest_behind(training: Study, targets: pd.DataFrame, inputs: Sequence[str]) -> tuple[str, float]:
    """Return of which task the largest run is smallest, in words, and by how much that of all exceeds it.

    Nothing and 1 where each task has the largest run, or the columns do not tell it.
    """
    rows = training.frame
    if "task" not in rows or (outcome := outcome_of(rows)) not in rows:
        return "", 1.0
    reach = pd.Series(distances(training, rows[[c for c in rows if c in targets]], inputs), rows.index)
    largest = reach.where(floats(rows, outcome).notna()).groupby(rows["task"]).max().dropna()
    if largest.empty or not 0 < largest.min() < largest.max():
        return "", 1.0
    return f" in {largest.idxmin()}", float(1 / largest.min())


def unfitted_tasks(study: Study, targets: Any) -> Iterator[Problem]:
    """Name the tasks of targets, the study's own and those given as another, that no fitted run has."""
    fitted = study.training.tasks
    asked = dict.fromkeys([*study.tasks, *getattr(targets, "tasks", ())]) if fitted else {}
    if lacking := [task for task in asked if task not in fitted]:
        yield Problem(
            "unfitted-task",
            f"No fitted run is scored on {listed(map(shown, lacking), MOST_NAMES)}, as targets are",
            "what no run shows is not forecast, so score some of the fitted runs on it, or leave it out",
            float(len(lacking)),
        )


def already_fitted(runs: pd.DataFrame, targets: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether targets are among the fitted runs."""
    read = [column for column in inputs if column in runs]
    if targets.empty or not read or not set(read) <= set(targets):
        return
    known = np.stack([where_known(runs, column) for column in read], axis=1)
    for name, values in zip(
        targets.index, np.stack([where_known(targets, column) for column in read], axis=1), strict=True
    ):
        same = np.isclose(known, values, rtol=SAME_INPUT, atol=0).all(axis=1)
        if same.any():
            one = "run" in runs and runs["run"][same].nunique() == 1
            others = other_run(runs, np.argmax(same)) if one else other_inputs(runs[same], read)
            if "role" in runs and not one:  # the target, which has these inputs, is to stay
                others = f"({others}) or role != 'train'"
            yield Problem(
                "fitted-target",
                f"Target {str(name)!r} has the {' and '.join(map(symbol_of, read))} of {run_names(runs, same)}, which "
                "is fitted, so this is no forecast of it",
                f"to see what would have been said of it, hold it out, as by {option('where', others)}",
                float(same.sum()),
                str(name),
            )


def unread_sizes(runs: pd.DataFrame, targets: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether a size is given that the law does not read, and runs differ in it."""
    if {*SIZES, "flops"}.isdisjoint(inputs) and {"n_params"} <= set(runs) & set(targets):
        sizes = np.unique(where_known(runs, "n_params"))
        if len(sizes) > 1:
            yield Problem(
                "unread-size",
                f"The law does not read N, which the target gives and in which the runs differ ({len(sizes)} sizes), "
                "so its forecast is of no size in particular",
                f"keep the runs of one size, as by {option('where', f'n_params == {sizes[-1]:g}')}, or call the size "
                "of each run its task where the law takes several",
                float(len(sizes)),
                "n_params",
            )
    if list(inputs) == ["flops"] and len(given := [name for name in SIZES if name in runs]) == 1:
        (one,), (other,) = given, set(SIZES) - {*given}
        if one in targets and (count := len(np.unique(where_known(runs, one)))) > 1:
            yield Problem(
                "unread-size",
                f"The law reads FLOPs alone, because the runs have no {other}; that targets and runs differ in {one} "
                f"({count} values) does not count",
                f"give {other} too, which is flops / (6 x {one}) where FLOPs are counted as 6ND",
                float(count),
                one,
            )


def repeated_tokens(runs: pd.DataFrame, targets: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether tokens are seen so often that they are worth less, and law and targets know of it."""
    told = "unique_tokens" in runs
    if law is None or "tokens" not in runs or not (told or "epochs" in runs):
        return
    passes = where_known(runs, "tokens") / where_known(runs, "unique_tokens") if told else where_known(runs, "epochs")
    often = passes > MAX_PASSES
    if not often.any():
        return
    most, by = float(np.nanmax(passes)), "" if told else ", by the column epochs"
    seen = f"see their tokens more than {MAX_PASSES:g} times (up to {most:.3g}{by})"
    if not told:
        yield Problem(
            "unread-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and no law reads epochs",
            "give a column unique_tokens, which is tokens / epochs",
            most,
            "epochs",
        )
    elif "unique_tokens" not in law.inputs:
        yield Problem(
            "unread-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and the law counts each time as new tokens",
            "repeats are worth less and less, so use a law that reads unique_tokens, or leave these runs out",
            most,
            "unique_tokens",
        )
    elif (untold := _lacking(targets, "unique_tokens")).any():
        which = "the target" if untold.all() else listed(map(shown, targets.index[untold]), MOST_NAMES)
        yield Problem(
            "unknown-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and of {which} unique_tokens are not given",
            "it is forecast as if no token came twice, so give unique_tokens if some do",
            most,
            "unique_tokens",
        )


def _lacking(targets: pd.DataFrame, column: str) -> np.ndarray:
    """Say of each target whether it has no number in a column."""
    return np.isnan(where_known(targets, column)) if column in targets else np.ones(len(targets), dtype=bool)
