"""The methods that chain in notebooks, in one place: each is a function of a higher room, bound here by its name.

Values such as a posterior or a forecast hold data and know nobody who uses them; what is done with them are functions
(``bs.forecast(posterior, targets)``).  A value whose class has one of these bases may be asked in the other order
(``posterior.forecast(targets)``), and the function's module is imported when it is.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

__all__ = [
    "AllocationMethods",
    "ForecastMethods",
    "ForecastPathMethods",
    "LadderPlansMethods",
    "Method",
    "NextRunsMethods",
    "PosteriorMethods",
    "ReachMethods",
    "RegretMethods",
    "SpeedupMethods",
]


class Method:
    """A function of another module as a method: its first argument is the value itself.

    Parameters
    ----------
    module, function : str
        Where the function lives, within this package, and its name.
    """

    def __init__(self, module: str, function: str) -> None:
        self.module, self.function = f"bayes_scaling.{module}", function

    def __get__(self, value: Any, owner: type | None = None) -> Callable[..., Any]:
        function = getattr(importlib.import_module(self.module), self.function)
        return function if value is None else functools.partial(function, value)


class PosteriorMethods:
    """What chains from a posterior."""

    forecast = Method("forecasts.predict", "forecast")
    forecast_chunks = Method("forecasts.predict", "forecast_chunks")
    diagnose = Method("evaluation.diagnose", "diagnose")
    with_groups = Method("evaluation.groups", "with_groups")
    report = Method("reporting.page", "report")


class ForecastMethods:
    """What chains from a forecast."""

    plot = Method("plots.forecast", "plot_forest")
    save = Method("forecasts.registered", "save")


class ForecastPathMethods:
    """What chains from a forecast along a path."""

    plot = Method("plots.forecast", "plot_fit")


class AllocationMethods:
    """What chains from an allocation."""

    plot = Method("plots.decisions", "plot_frontier")


class RegretMethods:
    """What chains from a regret."""

    plot = Method("plots.decisions", "plot_regret")


class ReachMethods:
    """What chains from the cost of a target."""

    plot = Method("plots.decisions", "plot_reach")


class SpeedupMethods:
    """What chains from a speedup."""

    plot = Method("plots.speedup", "plot_speedup")


class NextRunsMethods:
    """What chains from a ranking of runs."""

    plot = Method("plots.decisions", "plot_next_runs")


class LadderPlansMethods:
    """What chains from planned ladders."""

    plot = Method("plots.decisions", "plot_ladder_plans")
