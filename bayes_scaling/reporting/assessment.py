"""What a report says besides the forecast itself: checks, comparison, and what the runs taught, computed once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd

from bayes_scaling.errors import ComparisonError, LawError
from bayes_scaling.evaluation.checks import predictive_check
from bayes_scaling.evaluation.compare import compare
from bayes_scaling.evaluation.diagnose import contraction, examine
from bayes_scaling.evaluation.groups import with_groups
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.predict import forecast as forecast_runs
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.result import Result

__all__ = ["Assessment"]


@dataclasses.dataclass(frozen=True, eq=False)
class Assessment:
    """A result and what speaks for and against it.

    Attributes
    ----------
    result : Result
        The forecast, its fits and its study.
    fits : mapping of str to Posterior
        The fits of the forecast by name, then those it is compared with; with draws from their priors.
    problems : mapping of str to Problems
        What speaks against each fit that it is compared with, the worst first; against its own, ``result.caveats``.
    contraction : mapping of str to pandas.Series
        How much narrower than its prior each parameter is, for the fits of the forecast.
    checks : mapping of str to pandas.DataFrame
        Posterior predictive check of the fits of the forecast.
    forecasts : mapping of str to Forecast
        The forecast of each fit by itself; empty where there is one fit.  A fit to compare with whose forecast is
        refused has none, and a problem ``no-forecast``.
    criteria : pandas.DataFrame or None
        Comparison of the fits; None where there is one, or where they cannot be compared.
    incomparable : str
        Why they cannot be; empty where they can.
    made_by : str
        The command or call that made it.
    """

    result: Result
    fits: Mapping[str, Posterior]
    problems: Mapping[str, Problems]
    contraction: Mapping[str, pd.Series]
    checks: Mapping[str, pd.DataFrame]
    forecasts: Mapping[str, Forecast]
    criteria: pd.DataFrame | None
    incomparable: str
    made_by: str = ""

    @classmethod
    def of(cls, result: Result, *, others: Mapping[str, Posterior] | None = None, made_by: str = "") -> Assessment:
        """Compute what a report says of a result.

        Parameters
        ----------
        result : Result
            The forecast, its fits and its study.
        others : mapping of str to Posterior, optional
            Fits to compare with that have no part in the forecast.
        made_by : str
            The command or call that made it, for its readers.
        """
        others = others or {}
        forecasting = {
            f"{name} (this report)" if name in others else name: with_groups(fit, "prior")
            for name, fit in result.fits.items()
        }
        fits = forecasting | {name: with_groups(fit, "prior") for name, fit in others.items()}
        problems = {name: examine(fit).ranked() for name, fit in others.items()}
        forecasts: dict[str, Forecast] = {}
        criteria, incomparable = None, ""
        if len(fits) > 1:
            targets = result.forecast.targets.drop(columns=["distance", "task"], errors="ignore").reset_index()
            for name, fit in fits.items():
                one = len(result.study.tasks) < 2 and "chance" in fit.law.readable.values()
                own = [] if one else ["chance"]  # a row of a study has that of its first task, and a target is of all
                told = targets.drop(columns=own, errors="ignore")
                try:
                    forecasts[name] = forecast_runs(fit, told, seed=result.seed, allow_unconverged=True)
                except LawError as error:
                    if name not in others:
                        raise
                    problems[name] = Problems((_refused(name, error), *problems[name]))
            try:
                criteria = compare(fits, refit=False, allow_unconverged=True)  # the page says how many are high
            except ComparisonError as error:
                incomparable = str(error)
        return cls(
            result=result,
            fits=fits,
            problems=problems,
            contraction={name: contraction(fit) for name, fit in forecasting.items()},
            checks={name: predictive_check(fit) for name, fit in forecasting.items()},
            forecasts=forecasts,
            criteria=criteria,
            incomparable=incomparable,
            made_by=made_by,
        )


def _refused(name: str, error: LawError) -> Problem:
    """Return that a fit to compare with says nothing of the targets, and why."""
    why, _, remedy = str(error).rstrip(".").partition("; ")
    return Problem("no-forecast", f"{name} has no forecast to compare with: {why}", remedy or "take another law", 1.0)
