"""Backtests: fit on the small runs, forecast the large ones, score what came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, TargetError, listed
from bayes_scaling.evaluation.averaging import AveragedForecast, forecast_equally
from bayes_scaling.evaluation.cuts import fitting_parts
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.law.base import require_law
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.reading import column_of
from bayes_scaling.study.study import require_study

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["ablation", "backtest", "fit_and_forecast"]


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

    Returns
    -------
    Forecast
        Of several laws an :class:`bayes_scaling.evaluation.averaging.AveragedForecast`: one whose forecast is refused
        is left out with its reason, where another is left.

    Raises
    ------
    ConvergenceError, LawError, StudyError, TargetError
        As :func:`bayes_scaling.fit` and :func:`bayes_scaling.forecast` say.
    """
    how = {"discrepancy": discrepancy, "allow_unconverged": allow_unconverged, **options}
    return forecast_equally(_as_list(laws), training, targets, seed=seed, **how)[0]


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
        As in :func:`bayes_scaling.evaluation.cuts.expanding_window`; of the default cuts those count which leave
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
        :func:`bayes_scaling.forecasts.scores.summarise` averages it.  ``attrs["remarks"]`` holds a sentence for each of
        several laws that is left out at a cut because its forecast is refused there.

    Raises
    ------
    ConvergenceError
        A fit did not converge, and ``allow_unconverged`` is not among the options.
    LawError
        A law has no number at a run beyond a cut, which the message names, or none that there can be; of several laws,
        all of them.
    StudyError
        A cut leaves too little to fit, or nothing to forecast.
    """
    several = _as_list(laws)
    tables, remarks = [], list[str]()
    for cut, training, held_out in fitting_parts(several, study, column_of(by), cuts):
        where = f"at the cut {column_of(by)} <= {cut:g} of study {study.name!r}"
        try:
            made = fit_and_forecast(several, training, held_out, seed=seed, **options)
        except LawError as error:
            raise _located(error, where, "give other cuts") from error
        tables.append(made.score().assign(by=by, cut=cut))
        remarks += _left_out(made, where)
    table = pd.concat(tables, ignore_index=True)
    table.attrs["remarks"] = remarks
    return table


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
        ``attrs["remarks"]`` is as in :func:`bayes_scaling.backtest`, of designs.

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
    tables, remarks = [], list[str]()
    for design, law in designs.items():
        for ladder, training in ladders.items():
            _require_outcomes(law, training, targets)
            name = ", ".join(filter(None, (design, ladder)))
            where = f"in the design {name!r}" if name else ""
            try:
                made = fit_and_forecast(law, training, targets, seed=seed, **options)
            except LawError as error:
                if not where:
                    raise
                raise _located(error, where) from error
            remarks += _left_out(made, where)
            table = summarise(made.score(), ["quantity", "target"]).reset_index()
            counted = training_flops(training.training.runs)
            spent = np.nan if counted is None else float(counted.sum())
            tables.append(table.assign(design=name, training_flops=spent))
    table = pd.concat(tables, ignore_index=True).set_index("design").reset_index()
    table.attrs["remarks"] = remarks
    return table


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


def _left_out(made: Forecast, where: str) -> list[str]:
    """Return a sentence for each law that a forecast by several goes without: the reason, and where that is."""
    reasons = made.reasons if isinstance(made, AveragedForecast) else {}
    place = f" {where}" if where else ""
    return [f"Left out{place}: {why.rpartition('; ')[0] or why.rstrip('.')}." for why in reasons.values()]


def _located(error: LawError, where: str, other: str = "") -> LawError:
    """Return an error that also says where it happened, and what else would help there."""
    why, _, remedy = str(error).rstrip(".").partition("; ")
    helps = ", or ".join(filter(None, (other, remedy)))
    return LawError(f"{why}, {where}; {helps}." if helps else f"{why}, {where}.")


def _as_list(laws: Law | Sequence[Law]) -> list[Law]:
    several = [require_law(law) for law in (laws if isinstance(laws, Sequence) else [laws])]
    if not several:
        raise LawError("No law was given; give at least one, such as Chinchilla().")
    return several
