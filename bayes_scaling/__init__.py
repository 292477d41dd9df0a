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
    from bayes_scaling.backtesting import ablation, backtest
    from bayes_scaling.batch import Batch, fit_many
    from bayes_scaling.checks import loo_pit, predictive_check, sensitivity
    from bayes_scaling.comparing import compare, stacking_weights
    from bayes_scaling.design import design_check
    from bayes_scaling.errors import (
        BayesScalingError,
        ComparisonError,
        ConvergenceError,
        FileError,
        LawError,
        StudyError,
        TargetError,
    )
    from bayes_scaling.fitting import fit
    from bayes_scaling.forecast import Forecast, average
    from bayes_scaling.law import Law
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.predictive import complete
    from bayes_scaling.priors import LogitNormal, Prior
    from bayes_scaling.problems import Problem, Problems
    from bayes_scaling.simulation import simulate
    from bayes_scaling.study import Card, Study

_HOME = {
    "Batch": "batch",
    "BayesScalingError": "errors",
    "Card": "study",
    "ComparisonError": "errors",
    "ConvergenceError": "errors",
    "FileError": "errors",
    "Forecast": "forecast",
    "Law": "law",
    "LawError": "errors",
    "LogitNormal": "priors",
    "Posterior": "posterior",
    "Prior": "priors",
    "Problem": "problems",
    "Problems": "problems",
    "Study": "study",
    "StudyError": "errors",
    "TargetError": "errors",
    "ablation": "backtesting",
    "average": "forecast",
    "backtest": "backtesting",
    "compare": "comparing",
    "complete": "predictive",
    "design_check": "design",
    "fit": "fitting",
    "fit_many": "batch",
    "loo_pit": "checks",
    "predictive_check": "checks",
    "sensitivity": "checks",
    "simulate": "simulation",
    "stacking_weights": "comparing",
}

__all__ = [
    "Batch",
    "BayesScalingError",
    "Card",
    "ComparisonError",
    "ConvergenceError",
    "FileError",
    "Forecast",
    "Law",
    "LawError",
    "LogitNormal",
    "Posterior",
    "Prior",
    "Problem",
    "Problems",
    "Study",
    "StudyError",
    "TargetError",
    "ablation",
    "average",
    "backtest",
    "compare",
    "complete",
    "design_check",
    "fit",
    "fit_many",
    "loo_pit",
    "predictive_check",
    "sensitivity",
    "simulate",
    "stacking_weights",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"bayes_scaling.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
