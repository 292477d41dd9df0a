"""Whether a study can tell the parameters of a law apart, asked before a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_scaling.errors import COMMAND_LINE, LawError, StudyError, counted
from bayes_scaling.law.base import Law
from bayes_scaling.law.sites import without_known_errors
from bayes_scaling.law.trace import latent_names
from bayes_scaling.study.reading import SYMBOLS
from bayes_scaling.study.rows import shown

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["FEWEST", "check_learns", "check_size", "refusal"]

FEWEST = 3  # runs, where priors carry the rest
MULTIPLE = r"E \cdot \text{reducible}"  # in the constants of a law whose reducible outcome is so many times E


def check_size(law: Law, study: Study, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> None:
    """Refuse a study that cannot tell the law's parameters apart.

    Raises
    ------
    StudyError
        It has too few runs, checkpoints of several where the law describes those of one, no outcome of a series,
        accuracies of a task that are all the same, an outcome beyond a floor or a ceiling that is fixed, or runs of one
        size.
    """
    if law.autocorrelated and 1 < len(study.runs) < len(study.frame):
        first = shown(study.runs["run"].iloc[0])
        how = f'--where "run == {first}"' if COMMAND_LINE.get() else f"study.select(run={first})"
        raise StudyError(
            f"{law.name} describes the checkpoints of one run, and study {study.name!r} has those of "
            f"{len(study.runs)}; choose one of them, as in {how}."
        )
    per_run = [a for a in observed.values() if np.ndim(a) == 1]
    count = len(next(iter(observed.values())))
    free = law.free_parameters
    needed = FEWEST if law.rests_on_priors else len(free) if per_run else max(4, len(law.run_inputs) + 2)
    if count < needed:
        each = per_run and not law.rests_on_priors  # parameter needs a run
        cure = f" ({', '.join(free)}); add runs or fix parameters" if each else "; add runs"
        raise StudyError(
            f"Study {study.name!r} has {_rows(study, count)}, and {law.name} needs at least {needed}{cure}."
        )
    for name, values in without_known_errors(observed).items():
        if np.ndim(values) == 2 and (empty := ~np.isfinite(values).any(axis=0)).any():
            label = _label(law, study, name, empty)
            raise StudyError(
                f"No run of study {study.name!r} has {name} of {shown(label)}; give that of some runs, or leave it out."
            )
        if name == "accuracy" and np.ndim(values) == 2 and (same := _without_noise(values, runs)).any():
            own = values[:, int(np.argmax(same))]
            raise StudyError(
                f"The accuracy of {shown(_label(law, study, name, same))} is the same, {np.nanmin(own):g}, in all "
                f"{np.isfinite(own).sum()} runs of study {study.name!r} that have one, as if runs had no noise; leave "
                "the task out, or give the number of its questions in a column 'questions'."
            )
        if name == "accuracy" and np.ndim(values) == 1 and "sigma" in law.free_parameters:
            _check_noise(law, study, values, runs)
    for one in (law, *(held for held in law.fields.values() if isinstance(held, Law))):
        _check_limit(one, study, runs, np.asarray(observed.get(one.outcome, np.nan), dtype=float))
    for name in (n for n in law.run_inputs if n in SYMBOLS or f"{n}0" in law.inputs):
        if not law.rests_on_priors and len(np.unique(runs[name])) == 1:
            raise StudyError(
                f"Every run of study {study.name!r} has {name} = {runs[name][0]:g}, so {law.name} cannot learn its "
                "effect; add runs of another size, or use a law without it."
            )


def check_learns(law: Law, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> None:
    """Refuse a law of which nothing is left to sample, of its own parameters and of those of the laws that it holds.

    Raises
    ------
    LawError
        All of them are fixed.
    """
    if not latent_names(law, runs, observed):
        raise LawError(f"All parameters of {law.name} are fixed, so there is nothing to fit; give one of them a prior.")


def _check_limit(law: Law, study: Study, runs: Mapping[str, Any], outcome: np.ndarray) -> None:
    """Refuse outcomes at or below a floor that is fixed, or above a ceiling: the limit of what is better higher.

    A floor of 0 is refused, too, where the law says that what lies above it is a multiple of it.
    """
    limit = _fixed_limit(law, runs)
    if limit is None:
        return
    if limit == 0 and any(MULTIPLE in latex for latex in law.relations.values()):
        raise StudyError(
            f"{law.name} fixes its floor E at 0, and its reducible {law.outcome} is a multiple of E, so that nothing "
            "is left; for a law without a floor fix it at a small number, such as 1e-6, and give reducible a wide "
            "prior, such as LogNormal(14, 3)."
        )
    higher = law.better.get(law.outcome) == "higher"
    if (outcome > limit if higher else outcome <= limit).any():
        limited, where = ("ceiling", "above") if higher else ("floor", "below")
        fixed = law.fixed_parameters["E"]
        article = "an" if law.outcome[0] in "aeiou" else "a"
        told = "" if f"{limit:g}" == f"{fixed:g}" else f", {article} {law.outcome} of {limit:g}"
        raise StudyError(
            f"{law.name} fixes its {limited} E at {fixed:g}{told}, and study {study.name!r} has {article} "
            f"{law.outcome} of {(np.nanmax if higher else np.nanmin)(outcome):g}; fix it {where} every outcome, or let "
            "it be learnt."
        )


def _fixed_limit(law: Law, runs: Mapping[str, Any]) -> float | None:
    """Return the irreducible outcome of a law that fixes E; None where it has none, or more than what is fixed tells.

    It is that of its hook, since E need not be a limit, or not in the unit of the outcome.
    """
    if "E" not in law.fixed_parameters:
        return None
    try:
        limit = law.irreducible(runs, law.fixed_parameters)
    except KeyError:  # it rests on what is learnt
        return None
    return None if limit is None or np.ndim(limit) else float(limit)


def _check_noise(law: Law, study: Study, values: np.ndarray, runs: Mapping[str, Any]) -> None:
    """Refuse accuracies of one task that are all the same, where the noise of the law has no least value."""
    if _without_noise(values[:, None], runs).any():
        cure = "give the number of its questions in a column 'questions'"
        raise StudyError(
            f"The accuracy is the same, {np.nanmin(values):g}, in all {np.isfinite(values).sum()} runs of study "
            f"{study.name!r} that have one, as if runs had no noise; "
            f"{cure if 'per_question' in runs else f'fix the noise of {law.name}, sigma, at a positive number'}."
        )


def _label(law: Law, study: Study, name: str, which: np.ndarray) -> Any:
    """Return the name of the first series of an outcome of which something holds."""
    dims, coords = law.dims(study)
    return coords[dims[name][0]][int(np.argmax(which))]


def _without_noise(accuracies: np.ndarray, runs: Mapping[str, Any]) -> np.ndarray:
    """Say of which tasks the accuracies of several runs are one, so that their noise has no least value.

    Not of those at 0 or 1, which are clipped there, nor where questions tell of noise, or the prior holds few runs.
    """
    present = np.isfinite(accuracies)
    low, high = np.where(present, accuracies, np.inf).min(axis=0), np.where(present, accuracies, -np.inf).max(axis=0)
    known = np.asarray(runs.get("per_question", 0.0)) > 0
    return (low == high) & (low > 0) & (low < 1) & ~known & (present.sum(axis=0) > FEWEST)


def _rows(study: Study, count: int) -> str:
    """Return what a law reads off a study, with its number: runs, or checkpoints of fewer of them."""
    runs = len(study.runs)
    return f"{count} checkpoints of {counted(runs, 'run')}" if runs < count else counted(count, "run")


def refusal(law: Law, study: Study) -> StudyError | None:
    """Return why a law cannot be fitted to a study; None where it can."""
    try:
        check_size(law, study.training, *law.arrays(study.training))
    except StudyError as error:
        return error
    return None
