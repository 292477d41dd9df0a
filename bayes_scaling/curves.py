"""The curves behind the pictures: a forecast along the way from the smallest run to the largest target."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_scaling.forecast import Forecast, average
from bayes_scaling.posterior import Posterior
from bayes_scaling.study import SYMBOLS

__all__ = ["Trail", "trail"]

POINTS = 64
MARGIN = 0.05  # how far past its ends a picture looks, as a share of the way
BEYOND = 0.6  # and how far the way goes on, so that a step's curves reach the edge of its picture
SAMPLES = 1000
UNITS = {"flops": "training FLOPs", "n_params": "parameters", "tokens": "training tokens", "loss": "loss"}


@dataclasses.dataclass(frozen=True, eq=False)
class Trail:
    """A forecast along a straight line, in the logarithms of the inputs, through runs and targets.

    Attributes
    ----------
    x : array, shape (point,)
        The abscissa: training FLOPs where they are known, otherwise the law's first input.
    fitted, targets : array, shape (run,) and (target,)
        The abscissa of the fitted runs and of the targets.
    label : str
        What the abscissa is, with its unit.
    forecast : Forecast
        Draws at the points of the line.
    """

    x: np.ndarray
    fitted: np.ndarray
    targets: np.ndarray
    label: str
    forecast: Forecast

    @property
    def view(self) -> float:
        """Where a picture ends: a little past the largest target or run."""
        start, end = self.x[0], max(self.fitted.max(), self.targets.max())
        return float(end * (end / start) ** MARGIN)

    @property
    def seen(self) -> np.ndarray:
        """Which points a picture shows, and one more, so that its bands reach the edge; shape (point,)."""
        return np.concatenate([[True], self.x[:-1] <= self.view])

    def band(self, variable: str, levels: Sequence[float], **where: str) -> np.ndarray:
        """Return quantiles of one variable along the line, shape (level, point)."""
        draws = self.forecast.draws[variable].sel(where)
        return np.quantile(draws.to_numpy(), levels, axis=0)

    def step(self, x: str, y: str, grid: np.ndarray, levels: Sequence[float], task: str, series: str) -> np.ndarray:
        """Return quantiles of ``y`` given ``x``, two variables of each draw, over a grid of x, shape (level, point)."""
        across = self.forecast.draws[x].sel(series=series).to_numpy()
        up = self.forecast.draws[y].sel(task=task).to_numpy()
        curves = [
            np.interp(grid, a[order], u[order], left=np.nan, right=np.nan)
            for a, u in zip(across, up, strict=True)
            for order in [np.argsort(a)]
        ]
        return np.nanquantile(curves, levels, axis=0)


def trail(posteriors: Sequence[Posterior], forecast: Forecast) -> Trail:
    """Forecast along the way from the smallest fitted run to the largest target.

    Parameters
    ----------
    posteriors : sequence of Posterior
        One fit, or several whose forecasts are averaged, on the same study.
    forecast : Forecast
        Its targets are where the way leads.
    """
    law, study = posteriors[0].law, posteriors[0].study
    columns = [SYMBOLS.get(name, name) for name in law.run_inputs]
    runs = study.frame.drop_duplicates("run") if "run" in study.frame else study.frame
    targets = forecast.targets.reset_index(drop=True)
    name, label = abscissa(runs, targets, columns)
    points = [frame.assign(x=values(frame, name))[[*columns, "x"]] for frame in (runs, targets)]
    ends = np.log(pd.concat(points, ignore_index=True).sort_values("x").iloc[[0, -1]].to_numpy(dtype=float))
    steps = np.linspace(-MARGIN, 1 + BEYOND, POINTS)[:, None]
    way = pd.DataFrame(np.exp(ends[0] + steps * (ends[1] - ends[0])), columns=[*columns, "x"])
    records = way[columns].assign(target=[f"point {i}" for i in range(POINTS)])
    forecasts = [p.forecast(records, samples=SAMPLES, allow_unconverged=True) for p in posteriors]
    whole = forecasts[0] if len(forecasts) == 1 else average(forecasts)
    return Trail(way["x"].to_numpy(), points[0]["x"].to_numpy(), points[1]["x"].to_numpy(), label, whole)


def abscissa(runs: pd.DataFrame, targets: pd.DataFrame, columns: list[str]) -> tuple[str, str]:
    """Return (column or convention, label) of the abscissa: FLOPs before 6ND before the law's first input."""
    if "flops" in runs and "flops" in targets and set(columns) <= {"flops", "n_params", "tokens"} and len(columns) != 1:
        return "flops", UNITS["flops"]
    if {"n_params", "tokens"} <= set(columns):
        return "6ND", "training FLOPs (6ND)"
    return columns[0], UNITS.get(columns[0], columns[0])


def values(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return the abscissa of each row."""
    columns = [frame["n_params"], frame["tokens"]] if name == "6ND" else [frame[name]]
    return np.prod([c.to_numpy(dtype=float) for c in columns], axis=0) * (6 if name == "6ND" else 1)
