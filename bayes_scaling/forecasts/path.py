"""A forecast along the path from the smallest fitted run to the largest target: what pictures of a fit draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import TargetError
from bayes_scaling.forecasts.display import short
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.mixing import average, in_order
from bayes_scaling.forecasts.predict import forecast_points
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.methods import ForecastPathMethods
from bayes_scaling.study.flops import SIX_N_D, TELLING, may_be_counted, training_flops
from bayes_scaling.study.losses import is_loss

__all__ = ["ForecastPath", "forecast_path"]

POINTS = 64
MARGIN = 0.05  # how far past its ends a picture looks, as a share of the path
BEYOND = 0.6  # and how far the path goes on, so that a step's curves reach the edge of its picture
SAMPLES = 1000
FEW = 200  # draws that are enough for a median at each fitted run
LABELS = {"flops": "training FLOPs", "n_params": "parameters", "tokens": "training tokens", "loss": "loss"}


@dataclasses.dataclass(frozen=True, eq=False)
class ForecastPath(ForecastPathMethods):
    """A fit and a forecast, with the forecast along a straight line between them.

    It is straight in the logarithms of the inputs, and in those inputs themselves that may be of any sign, or are
    shares of a mixture.

    Attributes
    ----------
    posteriors : tuple of Posterior
        The fit, or the fits whose forecasts were averaged; the first gives what there is one of.
    targets : Forecast
        The forecast of the targets.
    points : Forecast
        The forecast of the points of the line.
    x : array, shape (point,)
        The abscissa: training FLOPs where they are known, otherwise the law's first input.
    fitted_x, target_x : array, shape (run,) and (target,)
        The abscissa of the fitted runs and of the targets.
    label : str
        What the abscissa is, with its unit.
    line : str
        The line in words, from where to where; empty for a law of one input, whose line is the whole law.
    expected : array, shape (run,), or None
        Median of the expected outcome at each fitted run, by the mixture where there are several laws, which may lie
        off the line; None for a law of one input or of several series.
    scale : {"log", "linear"}
        Of the abscissa: linear where it may be of any sign, or is a share.
    falling : bool
        Whether the abscissa is a loss, of which better models have less.
    """

    posteriors: tuple[Posterior, ...]
    targets: Forecast
    points: Forecast
    x: np.ndarray
    fitted_x: np.ndarray
    target_x: np.ndarray
    label: str
    line: str = ""
    expected: np.ndarray | None = None
    scale: str = "log"
    falling: bool = False

    @property
    def end_of_view(self) -> float:
        """Where a picture ends: a little past the largest target or run."""
        start, end = self.x[0], max(self.fitted_x.max(), self.target_x.max())
        return float(end * (end / start) ** MARGIN if self.scale == "log" else end + MARGIN * (end - start))

    @property
    def in_view(self) -> np.ndarray:
        """Which points a picture shows, and one more, so that its bands reach the edge; shape (point,)."""
        return np.concatenate([[True], self.x[:-1] <= self.end_of_view])

    def band(self, variable: str, levels: Sequence[float], **where: str) -> np.ndarray:
        """Return quantiles of one variable of the draws along the line, shape (level, point)."""
        draws = self.points.draws[variable].sel(where)
        return np.quantile(draws.to_numpy(), levels, axis=0)

    def step(self, x: str, y: str, grid: np.ndarray, levels: Sequence[float], task: str, series: str) -> np.ndarray:
        """Return quantiles of ``y`` given ``x``, two variables of each draw, over a grid of x, shape (level, point)."""
        across = self.points.draws[x].sel(series=series).to_numpy()
        up = self.points.draws[y].sel(task=task).to_numpy()
        curves = [
            np.interp(grid, a[order], u[order], left=np.nan, right=np.nan)
            for a, u in zip(across, up, strict=True)
            for order in [np.argsort(a)]
        ]
        reached = np.isfinite(curves).any(axis=0)  # elsewhere no draw of the line has such an x
        found = np.full((len(levels), len(grid)), np.nan)
        found[:, reached] = np.nanquantile(np.stack(curves)[:, reached], levels, axis=0)
        return found


def forecast_path(
    posterior: Posterior | Sequence[Posterior] | Mapping[str, Posterior],
    targets: Forecast,
    *,
    weights: Sequence[float] | Mapping[str, float] | pd.Series | None = None,
) -> ForecastPath:
    """Forecast along the path from the smallest fitted run to the largest target.

    Parameters
    ----------
    posterior : Posterior, sequence of Posterior, or mapping of str to Posterior
        One fit, or several on the same study whose forecasts are averaged, in a list or by name.
    targets : Forecast
        Where the path leads, with or without the extrapolation discrepancy.
    weights : sequence, mapping or Series, optional
        Of the fits, in their order, or by the names that they have; equal by default.

    Returns
    -------
    ForecastPath
        What :func:`bayes_scaling.plots.plot_fit` and :func:`bayes_scaling.plots.plot_ladder` draw.

    Raises
    ------
    TargetError
        There is no fit, what is given is no forecast, or a fit has no weight.
    LawError
        What is given as a fit is none.

    Examples
    --------
    >>> path = bs.forecast_path(posterior, bs.forecast(posterior, {"N": 7e9, "D": 4e12}))  # doctest: +SKIP
    >>> bs.plots.plot_fit(path)  # doctest: +SKIP
    """
    fits, weights = in_order(posterior, weights, "fit")
    posteriors = tuple(map(require_posterior, fits if isinstance(fits, Iterable) else (fits,)))
    if not posteriors:
        raise TargetError("There is no fit to forecast a path from; give a posterior.")
    if not isinstance(targets, Forecast):
        raise TargetError(
            f"A {type(targets).__name__} is given where a path needs a forecast; make one with "
            "bs.forecast(posterior, targets)."
        )
    law, study = posteriors[0].law, posteriors[0].study
    columns = list(dict.fromkeys(column for p in posteriors for column in p.law.columns.values()))
    runs = study.runs if any(law.dims(study)[0].values()) else study.frame  # of several series, a run has several rows
    aims = targets.targets.reset_index(drop=True)
    name, label = _abscissa(runs, aims, columns)
    further = dict.fromkeys(p.law.readable[symbol] for p in posteriors for symbol in p.law.absent)
    columns += [column for column in further if column in runs and column in aims]
    ends = [frame.assign(x=_values(frame, name))[[*columns, "x"]] for frame in (runs, aims)]
    outermost = pd.concat(ends, ignore_index=True).sort_values(["x", *columns]).iloc[[0, -1]].astype(float)
    signed = {column for p in posteriors for symbol, column in p.law.readable.items() if symbol in p.law.signed}
    shares = [law.columns[share] for share in law.shares]
    linear = np.array([column in {*signed, *shares} for column in (*columns, name)])
    start, end = outermost.to_numpy()
    # A flag, or a share that is zero, has no logarithm: it is as at the end.
    held = ~linear & ~((start > 0) & (end > 0))
    outermost.iloc[0] = start = np.where(held, end, start)
    logs = [np.log(np.where(linear | held, 1.0, values)) for values in (start, end)]
    steps = np.linspace(-MARGIN, 1 + BEYOND, POINTS)[:, None]
    between = np.where(held, end, np.exp(logs[0] + steps * (logs[1] - logs[0])))
    between = np.where(linear, start + steps * (end - start), between)
    if shares:  # none is negative beyond the ends, and they sum to one
        places = [columns.index(share) for share in shares]
        between[:, places] = np.maximum(between[:, places], 0.0)
        between[:, places] /= between[:, places].sum(axis=1, keepdims=True)
    line = pd.DataFrame(between, columns=[*columns, "x"])
    records = line[columns].assign(target=[f"point {i}" for i in range(POINTS)])
    options: dict[str, Any] = {"discrepancy": targets.discrepancy, "samples": SAMPLES}
    points = average([forecast_points(p, records, **options) for p in posteriors], weights)
    own_x, aim_x = (end["x"].to_numpy() for end in ends)
    x, expected = line["x"].to_numpy(), _expected(posteriors, weights)
    read = {symbol: column for p in posteriors for symbol, column in p.law.columns.items()}
    words, scale = _in_words(read, outermost), "linear" if linear[-1] else "log"
    return ForecastPath(posteriors, targets, points, x, own_x, aim_x, label, words, expected, scale, is_loss(name))


def _in_words(columns: Mapping[str, str], ends: pd.DataFrame) -> str:
    """Return what a line holds, and from where to where it goes; nothing for a law of one input.

    Examples
    --------
    >>> ends = pd.DataFrame({"n_params": [1e6, 1e9], "pretrained": [1.0, 1.0]})
    >>> _in_words({"N": "n_params", "pretrained": "pretrained"}, ends)
    'at pretrained = 1, from N = 1M to N = 1B'
    """
    if len(columns) == 1:
        return ""
    held = [symbol for symbol, column in columns.items() if ends[column].nunique() == 1]
    start, end = ({s: f"{s} = {short(row[c])}" for s, c in columns.items()} for _, row in ends.iterrows())
    first, last = (", ".join(words for s, words in one.items() if s not in held) for one in (start, end))
    parts = [f"at {', '.join(end[s] for s in held)}" if held else "", f"from {first} to {last}" if first else ""]
    return ", ".join(filter(None, parts))


def _expected(posteriors: Sequence[Posterior], weights: Any) -> np.ndarray | None:
    """Return the median of the expected outcome at each fitted run of laws of one series and several inputs."""
    law = posteriors[0].law
    alone = len({column for p in posteriors for column in p.law.columns.values()}) == 1
    if alone or law.outcome in law.dims(posteriors[0].study)[0]:
        return None
    every = average([_at_fitted_runs(one) for one in posteriors], weights)
    return every.draws[f"{law.outcome}_law"].median("sample").to_numpy()


def _at_fitted_runs(posterior: Posterior) -> Forecast:
    frame = posterior.study.frame
    inputs = [name for name in posterior.law.readable.values() if name in frame]
    runs = frame[inputs].reset_index(drop=True).assign(target=[f"run {i}" for i in range(len(frame))])
    return forecast_points(posterior, runs, samples=FEW, discrepancy=False)


def _abscissa(runs: pd.DataFrame, targets: pd.DataFrame, columns: list[str]) -> tuple[str, str]:
    """Return (column or convention, label) of the abscissa: FLOPs before 6ND before the law's first input."""
    known = all("flops" in frame and np.isfinite(frame["flops"]).all() for frame in (runs, targets))
    if known and set(columns) <= set(TELLING) and len(columns) != 1:
        return "flops", LABELS["flops"]
    if may_be_counted(columns):
        return SIX_N_D, f"training FLOPs ({SIX_N_D})"
    return columns[0], LABELS.get(columns[0], columns[0])


def _values(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return the abscissa of each row."""
    by_convention = training_flops(frame, convention=SIX_N_D) if name == SIX_N_D else None
    return frame[name].to_numpy(dtype=float) if by_convention is None else by_convention
