"""Bayesian scaling laws: forecast large training runs from small ones, with intervals that hold.

Importing this package starts neither JAX nor NumPyro; they load with the first law.  Fits run in 64-bit precision
inside the package's own calls; your global JAX setting is left as it is.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "pyproject.toml").is_file():  # in a checkout, models/ and data/ lie beside the package
    __path__.append(str(_checkout))

if TYPE_CHECKING:
    from bayes_scaling.allocation import Allocation, allocate
    from bayes_scaling.backtesting import ablation, backtest
    from bayes_scaling.batch import Batch, fit_many
    from bayes_scaling.budget import Reach, reach
    from bayes_scaling.calibrating import choose_law, choose_laws, learn_discrepancy
    from bayes_scaling.checks import loo_pit, predictive_check, sensitivity
    from bayes_scaling.comparing import compare, stacking_weights
    from bayes_scaling.contest import Superiority, superiority
    from bayes_scaling.design import design_check
    from bayes_scaling.errors import (
        BayesScalingError,
        ComparisonError,
        ConvergenceError,
        DecisionError,
        FileError,
        LawError,
        StudyError,
        TargetError,
    )
    from bayes_scaling.fitting import fit
    from bayes_scaling.flops import FlopRule
    from bayes_scaling.forecast import Forecast, average
    from bayes_scaling.ladder_plan import LadderPlans, plan_ladders
    from bayes_scaling.law import Law
    from bayes_scaling.lifetime import Lifetime, cheapest
    from bayes_scaling.next_run import NextRuns, next_runs
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.predictive import complete
    from bayes_scaling.priors import LogitNormal, LogStudentT, Prior
    from bayes_scaling.problems import Problem, Problems
    from bayes_scaling.simulation import simulate
    from bayes_scaling.study import Card, Study
    from bayes_scaling.surface import Surface
    from bayes_scaling.waste import Regret, regret

_HOME = {
    "Allocation": "allocation",
    "Batch": "batch",
    "BayesScalingError": "errors",
    "Card": "study",
    "ComparisonError": "errors",
    "ConvergenceError": "errors",
    "DecisionError": "errors",
    "FileError": "errors",
    "FlopRule": "flops",
    "Forecast": "forecast",
    "LadderPlans": "ladder_plan",
    "Law": "law",
    "LawError": "errors",
    "Lifetime": "lifetime",
    "LogStudentT": "priors",
    "LogitNormal": "priors",
    "NextRuns": "next_run",
    "Posterior": "posterior",
    "Prior": "priors",
    "Problem": "problems",
    "Problems": "problems",
    "Reach": "budget",
    "Regret": "waste",
    "Study": "study",
    "StudyError": "errors",
    "Superiority": "contest",
    "Surface": "surface",
    "TargetError": "errors",
    "ablation": "backtesting",
    "allocate": "allocation",
    "average": "forecast",
    "backtest": "backtesting",
    "cheapest": "lifetime",
    "compare": "comparing",
    "complete": "predictive",
    "design_check": "design",
    "fit": "fitting",
    "fit_many": "batch",
    "choose_law": "calibrating",
    "choose_laws": "calibrating",
    "learn_discrepancy": "calibrating",
    "loo_pit": "checks",
    "next_runs": "next_run",
    "plan_ladders": "ladder_plan",
    "predictive_check": "checks",
    "reach": "budget",
    "regret": "waste",
    "sensitivity": "checks",
    "simulate": "simulation",
    "stacking_weights": "comparing",
    "superiority": "contest",
}

__all__ = [
    "Allocation",
    "Batch",
    "BayesScalingError",
    "Card",
    "ComparisonError",
    "ConvergenceError",
    "DecisionError",
    "FileError",
    "FlopRule",
    "Forecast",
    "LadderPlans",
    "Law",
    "LawError",
    "Lifetime",
    "LogStudentT",
    "LogitNormal",
    "NextRuns",
    "Posterior",
    "Prior",
    "Problem",
    "Problems",
    "Reach",
    "Regret",
    "Study",
    "StudyError",
    "Superiority",
    "Surface",
    "TargetError",
    "ablation",
    "allocate",
    "average",
    "backtest",
    "cheapest",
    "choose_law",
    "choose_laws",
    "compare",
    "complete",
    "design_check",
    "fit",
    "fit_many",
    "learn_discrepancy",
    "loo_pit",
    "next_runs",
    "plan_ladders",
    "predictive_check",
    "reach",
    "regret",
    "sensitivity",
    "simulate",
    "stacking_weights",
    "superiority",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"bayes_scaling.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
