"""A study split at several sizes, into the runs to fit and those beyond them, and whether laws can be fitted there."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_scaling.errors import StudyError, suggest
from bayes_scaling.inference.fittable import refusal
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.reading import column_of
from bayes_scaling.study.rows import shown
from bayes_scaling.study.study import require_study
from bayes_scaling.study.validation import SIZES, number_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["expanding_window", "fitting_parts", "refused", "usual_cuts"]


def expanding_window(
    study: Study, by: str, cuts: float | Sequence[float] | None = None
) -> list[tuple[float, Study, Study]]:
    """Split a study at several sizes: (cut, runs up to it, runs beyond it).

    Parameters
    ----------
    study : Study
        Its training runs are split.
    by : str
        Column or symbol to split on: ``flops`` (6ND, where the study has none), ``n_params``, ``tokens`` or any other.
    cuts : float or sequence of float, optional
        Largest value to fit at each cut; by default the values below which half, two thirds and four fifths of the
        runs lie.

    Raises
    ------
    StudyError
        A cut is no number, or leaves nothing to fit or nothing to forecast, as all do where the runs are of one size.
    """
    training, by = require_study(study).training, column_of(by)
    values = _sizes(training, by)
    if values.min() == values.max():
        raise StudyError(
            f"Every run of study {study.name!r} has {by} = {values[0]:g}, so none lies beyond a cut; add runs of other "
            "sizes, or split by a column in which they differ."
        )
    chosen = usual_cuts(values) or [float(values.max())] if cuts is None else _as_cuts(cuts, by, values)
    parts = []
    for cut in chosen:
        if not (values <= cut).any() or not (values > cut).any():
            raise StudyError(
                f"The cut {by} <= {cut:g} leaves no run on one side of study {study.name!r}; "
                f"choose one between {values.min():g} and {values.max():g}."
            )
        small, large = (dataclasses.replace(training, frame=training.frame[m]) for m in (values <= cut, values > cut))
        parts.append((float(cut), small, large))
    return parts


def _as_cuts(given: Any, by: str, values: np.ndarray) -> list[float]:
    """Return cuts as numbers; sizes may be in words."""
    said = np.ravel(np.asarray(given, dtype=object)).tolist()
    cuts = [number_of(value, size=bool(SIZES.fullmatch(by))) for value in said]
    if not cuts or np.isnan(cuts).any():
        raise StudyError(
            f"The cuts of {by} are {shown(given)}; give numbers between {values.min():g} and {values.max():g}."
        )
    return cuts


def _sizes(training: Study, by: str) -> np.ndarray:
    """Return what a study is split on, by row."""
    if by != "flops":
        if by not in training.frame:
            raise StudyError(
                f"Study {training.name!r} has no column {by!r} to split on; {suggest(by, ['flops', *training.frame])}"
            )
        return training.column(by)
    counted = training_flops(training.frame)
    if counted is None:
        raise StudyError(
            f"Study {training.name!r} has neither FLOPs nor both of n_params and tokens to split its runs on; add "
            "them, or say another column, as in by='n_params'."
        )
    return counted


def usual_cuts(values: np.ndarray) -> list[float]:
    """Return the values up to which backtests fit: those below which half, two thirds and four fifths of the runs lie.

    Examples
    --------
    >>> usual_cuts(np.arange(10.0)), usual_cuts(np.ones(3))
    ([4.0, 6.0, 7.0], [])
    """
    quantiles = np.quantile(values, [1 / 2, 2 / 3, 4 / 5], method="lower")
    return sorted({float(v) for v in quantiles if v < values.max()})


def refused(laws: Iterable[Law], study: Study) -> StudyError | None:
    """Return why one of some laws cannot be fitted to a study, or to the part of it up to a cut; None if all can."""
    return next((error for law in laws if (error := refusal(law, study))), None)


def fitting_parts(
    laws: Sequence[Law], study: Study, by: str, cuts: float | Sequence[float] | None
) -> list[tuple[float, Study, Study]]:
    """Return the parts of a study at its cuts, of the default ones those to which all laws can be fitted.

    Parameters
    ----------
    laws : sequence of Law
        What is fitted.
    study, by, cuts
        As for :func:`expanding_window`.

    Raises
    ------
    StudyError
        There is none, or one of the user's own leaves too little to fit.
    """
    parts = expanding_window(study, by, cuts)
    refusals = [refused(laws, part) for _, part, _ in parts]
    kept = [part for part, error in zip(parts, refusals, strict=True) if error is None]
    if len(kept) == len(parts) or (cuts is None and kept):
        return kept
    if error := refused(laws, study):  # it is not for the cut
        raise error
    (cut, small, _), error = next((p, e) for p, e in zip(parts, refusals, strict=True) if e is not None)
    why = str(error).partition(";")[0].replace(f"Study {study.name!r} has", "these are")
    raise StudyError(
        f"The cut {by} <= {cut:g} leaves {len(small.runs)} of the {len(study.training.runs)} runs of study "
        f"{study.name!r} to fit, which are too few ({why.replace(f'of study {study.name!r}', 'of these')}); "
        f"{_larger(laws, study, by, cut)}."
    )


def _larger(laws: Sequence[Law], study: Study, by: str, cut: float) -> str:
    """Return what to do about a cut that leaves too little to fit: the next that leaves enough, where there is one."""
    sizes = np.unique(_sizes(study.training, by))
    for least, beyond in itertools.pairwise(sizes.tolist()):
        between = (least + beyond) / 2
        if least > cut and refused(laws, expanding_window(study, by, between)[0][1]) is None:
            return f"give a larger one, as in cuts=[{between:.4g}], or fix parameters"
    return "no larger one leaves enough and something to forecast, so add runs or fix parameters"
