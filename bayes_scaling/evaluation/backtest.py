"""Backtests: fit on the small runs, forecast the large ones, score what came true."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, StudyError, TargetError, listed
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.fit import fit
from bayes_scaling.inference.fittable import refusal
from bayes_scaling.law.base import require_law
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.reading import column_of
from bayes_scaling.study.rows import shown
from bayes_scaling.study.study import require_study
from bayes_scaling.study.validation import SIZES, number_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["ablation", "backtest", "expanding_window", "fit_and_forecast", "refused", "usual_cuts"]


def fit_and_forecast(
    laws: Law | Sequence[Law],
    training: Study,
    targets: Any,
    *,
    seed: int,
    discrepancy: bool = True,
    allow_unconverged: bool = False,
    **options: Any,
) -> Forecast:
    """Fit one law, or several to be averaged with equal weights, and forecast.

    Parameters
    ----------
    laws : Law or sequence of Law
        What to fit.
    training : Study
        The runs to fit.
    targets : Study, DataFrame or mapping
        The runs to forecast.
    seed : int
        Seed of every random draw.
    discrepancy, allow_unconverged : bool
        As in :func:`bayes_scaling.forecast`.
    **options
        Passed to :func:`bayes_scaling.fit`.

    Raises
    ------
    ConvergenceError, LawError, StudyError, TargetError
        As :func:`bayes_scaling.fit` and :func:`bayes_scaling.forecast` say.
    """
    several = _as_list(laws)
    forecasts = [
        forecast(
            fit(law, training, seed=seed, **options),
            targets,
            discrepancy=discrepancy,
            allow_unconverged=allow_unconverged,
        )
        for law in several
    ]
    return average(forecasts, seed=seed)


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


def backtest(
    laws: Law | Sequence[Law],
    study: Study,
    *,
    by: str = "flops",
    cuts: float | Sequence[float] | None = None,
    seed: int,
    **options: Any,
) -> pd.DataFrame:
    """Fit on the small, forecast the large, at several cut points.

    Parameters
    ----------
    laws : Law or sequence of Law
        A law, or several to be averaged.
    study : Study
        Only its training runs are used.
    by, cuts : str, float or sequence of float
        As in :func:`bayes_scaling.evaluation.backtest.expanding_window`; of the default cuts those count which leave
        runs enough to fit.
    seed : int
        Seed of every random draw.
    **options
        As in :func:`bayes_scaling.evaluation.backtest.fit_and_forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per cut, held-out run and outcome, with the columns of :meth:`Forecast.score` (``distance`` is how
        many times the FLOPs of the largest fitted run the held-out one took, or what else the law is measured by);
        :func:`bayes_scaling.forecasts.scores.summarise` averages it.

    Raises
    ------
    ConvergenceError
        A fit did not converge, and ``allow_unconverged`` is not among the options.
    LawError
        A law has no number at a run beyond a cut, which the message names, or none that there can be.
    StudyError
        A cut leaves too little to fit, or nothing to forecast.
    """
    several = _as_list(laws)
    tables = []
    for cut, training, held_out in _fitting(several, study, column_of(by), cuts):
        try:
            scores = fit_and_forecast(laws, training, held_out, seed=seed, **options).score()
        except LawError as error:
            where = f"at the cut {column_of(by)} <= {cut:g} of study {study.name!r}"
            raise _located(error, where, "give other cuts") from error
        tables.append(scores.assign(by=by, cut=cut))
    return pd.concat(tables, ignore_index=True)


def _fitting(
    laws: Sequence[Law], study: Study, by: str, cuts: float | Sequence[float] | None
) -> list[tuple[float, Study, Study]]:
    """Return the parts of a study at its cuts, of the default ones those to which all laws can be fitted.

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


def ablation(
    laws: Law | Sequence[Law] | Mapping[str, Law | Sequence[Law]],
    trainings: Study | Mapping[str, Study],
    targets: Study,
    *,
    seed: int,
    **options: Any,
) -> pd.DataFrame:
    """Forecast the same targets from several training sets, or with several laws, and compare.

    Parameters
    ----------
    laws : Law, sequence of Law, or mapping of name to these
        Design choices to compare.
    trainings : Study or mapping of name to Study
        Ladders to compare: fewer sizes, shorter runs.
    targets : Study
        Runs with known outcomes.
    seed : int
        Seed of every random draw.
    **options
        As in :func:`bayes_scaling.evaluation.backtest.fit_and_forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per design, target and quantity: ``training_flops`` (NaN where they cannot be told), and the columns of
        :func:`bayes_scaling.forecasts.scores.summarise` (mean absolute error, coverage, width of the 90 % interval).

    Raises
    ------
    ConvergenceError
        A fit did not converge, and ``allow_unconverged`` is not among the options.
    LawError
        A law has no number at a target, or none that there can be; the message names the design.
    TargetError
        No outcome of the targets is known.
    """
    designs = laws if isinstance(laws, Mapping) else {"": laws}
    ladders = trainings if isinstance(trainings, Mapping) else {"": trainings}
    tables = []
    for design, law in designs.items():
        for ladder, training in ladders.items():
            _require_outcomes(law, training, targets)
            name = ", ".join(filter(None, (design, ladder)))
            try:
                scores = fit_and_forecast(law, training, targets, seed=seed, **options).score()
            except LawError as error:
                if not name:
                    raise
                raise _located(error, f"in the design {name!r}") from error
            table = summarise(scores, ["quantity", "target"]).reset_index()
            counted = training_flops(training.training.runs)
            spent = np.nan if counted is None else float(counted.sum())
            tables.append(table.assign(design=name, training_flops=spent))
    return pd.concat(tables, ignore_index=True).set_index("design").reset_index()


def _require_outcomes(laws: Law | Sequence[Law], training: Study, targets: Study) -> None:
    """Refuse targets that no forecast of a design can be held against, before it is fitted."""
    several = _as_list(laws)
    fitted = require_study(training).training
    known = [read_targets(law, fitted, targets).actual for law in several]
    if not any(np.isfinite(values).any() for actual in known for values in actual.values()):
        wanted = listed(dict.fromkeys(quantity for law in several for quantity in law.quantities))
        raise TargetError(
            f"The targets have no {wanted} to hold forecasts against; give runs whose outcomes are known."
        )


def _located(error: LawError, where: str, other: str = "") -> LawError:
    """Return an error that also says where it happened, and what else would help there."""
    why, _, remedy = str(error).rstrip(".").partition("; ")
    helps = ", or ".join(filter(None, (other, remedy)))
    return LawError(f"{why}, {where}; {helps}." if helps else f"{why}, {where}.")


def _as_list(laws: Law | Sequence[Law]) -> list[Law]:
    return [require_law(law) for law in (laws if isinstance(laws, Sequence) else [laws])]
