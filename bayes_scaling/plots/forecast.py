"""Pictures of forecasts, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from bayes_scaling.errors import TargetError, suggest
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.forecasts.forecast import ROUNDING, Forecast
from bayes_scaling.forecasts.path import ForecastPath
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.plots.style import (
    BLUE,
    DOT,
    LINE,
    QUIET,
    brief,
    draw_beyond_runs,
    draw_interval,
    draw_runs,
    headline,
    house_style,
    name_targets,
    new_axes,
    plain,
    plain_numbers,
    require_drawn,
    side_by_side,
)

__all__ = ["plot_fit", "plot_forest"]

MIN_SHARE = 0.7  # of the height of a task that its targets take
FRAME, MAX_INCHES = 1.3, 40.0  # height of what stands above and below a forest's rows, and of the most rows
REACH = 1.0  # how far beyond bands and bars a run may lie and still have the axis reach it, as a share of their extent


@house_style
def plot_forest(forecast: Forecast, quantity: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the intervals of every target, a row per task, with the outcomes as stars.

    Parameters
    ----------
    forecast : Forecast
        What to draw.
    quantity : str, optional
        One of ``forecast.units``, by default accuracy where it is forecast, otherwise the first; fractions are drawn in
        per cent.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, a row per task in the order of the study, targets side by side within it.

    Raises
    ------
    TargetError
        The forecast has no such quantity, or is no forecast.

    Examples
    --------
    >>> ax = plot_forest(bs.forecast(posterior, study.targets), "accuracy")  # doctest: +SKIP
    """
    require_drawn(forecast, Forecast, "forecast")
    quantity = quantity or forecast.head
    if quantity not in forecast.units:
        raise TargetError(f"The forecast has no {quantity!r}; {suggest(quantity, forecast.units)}")
    rows = forecast.intervals()
    rows = rows[rows["quantity"] == quantity]
    rows = rows[rows["unit"] == rows["unit"].mode()[0]]  # one axis, one unit: not the C4 loss beside task losses
    rows = rows.assign(task=rows["task"].fillna(forecast.study))
    factor, unit, *_ = scale_of(rows["unit"].iloc[0])
    order = list(rows["task"].drop_duplicates())[::-1]  # from the top, as on screen and page
    targets = list(rows["target"].drop_duplicates())
    count = len(targets)
    gap = max(MIN_SHARE, 1 - 1 / count) / count  # between targets, where tasks are 1 apart
    edge = min(0.6, gap * (count / 2 + 1))  # from the middle of the first and the last task to the ends of the axis
    extent = len(order) - 1 + 2 * edge
    inches = min(max(0.36 * len(order) * count**0.7, LINE / 72 * extent / gap), MAX_INCHES)
    room = 72 * (inches if ax is None else ax.bbox.height / ax.figure.dpi) * gap / extent
    every = math.ceil(0.99 * LINE / room)
    ax = new_axes(ax, height=FRAME + inches)
    for row in rows.to_dict("records"):
        y = order.index(row["task"]) - gap * (targets.index(row["target"]) - (count - 1) / 2)
        draw_interval(ax, y, {k: factor * row[k] for k in (*QUANTILES, "actual")})
        if (count > 1 or len(order) == 1) and targets.index(row["target"]) % every == 0:
            end = factor * np.nanmax([row["q95"], row["actual"]])
            ax.annotate(
                plain(brief(row["target"])), (end, y), (6, 0), textcoords="offset points", va="center",
                fontsize=7, color=QUIET,
            )  # fmt: skip
    ax.set_yticks(range(len(order)), [plain(task) for task in order])
    ax.set_ylim(-edge, len(order) - 1 + edge)
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + 0.06 * (right - left))  # room for the targets' names
    ax.tick_params(axis="y", length=0, labelsize=9, labelcolor="#222222")
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"{quantity} ({unit})")
    known = "   ★ actual" if rows["actual"].notna().any() else ""
    title = f"{quantity.capitalize()} forecast from {forecast.study}"
    left_out = f"   named: one target in {every}, in their order" if every > 1 else ""
    headline(ax, title, f"thin line: 90 % of new runs   thick line: 50 %   white tick: median{known}{left_out}")
    return ax


@house_style
def plot_fit(path: ForecastPath, ax: Axes | None = None, *, task: str | None = None) -> Axes:
    """Draw a law of one series, or one series of several, or an average of laws: runs, two bands, targets and outcomes.

    The inner band is the law's as if it were exact, the outer one has its discrepancy too; the line is the median of
    what is forecast, the outer one.

    Parameters
    ----------
    path : ForecastPath
        What :func:`bayes_scaling.forecast_path` returned; its abscissa is training FLOPs where the study has them (or
        parameters and tokens), otherwise the law's first input.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    task : str, optional
        Which series to draw, of a law of several such as :class:`bayes_scaling.models.Pooled`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    TargetError
        The law describes several series and none of them is named, or goes to accuracies through a loss (use
        :func:`plot_ladder`), or what is given is no path.

    Examples
    --------
    >>> forecast = bs.forecast(posterior, {"N": 7e9, "D": 4e12})  # doctest: +SKIP
    >>> ax = plot_fit(bs.forecast_path(posterior, forecast))  # doctest: +SKIP
    """
    require_drawn(path, ForecastPath, "forecast_path")
    posterior, forecast = path.posteriors[0], path.targets
    quantity, where = _series(path, task)
    factor, unit, *_ = scale_of(forecast.units[quantity])
    ax = new_axes(ax)
    ax.set_xscale(path.scale)
    below = path.target_x.min() < path.fitted_x.min()
    falls = below and path.falling  # better models are to the right, as along FLOPs
    x, edge = path.x[path.in_view], 0 if falls else -1  # the bands are named at the right edge
    inner, outer = (
        factor * path.band(f"{quantity}_{band}", (0.05, 0.5, 0.95), **where)[:, path.in_view]
        for band in ("law", "mean")
    )
    ax.fill_between(x, outer[0], outer[2], color=BLUE, alpha=0.18, linewidth=0, zorder=2)
    ax.fill_between(x, inner[0], inner[2], color=BLUE, alpha=0.36, linewidth=0, zorder=2)
    ax.plot(x, outer[1], color=BLUE, linewidth=1.0, zorder=3)
    fitted_x, outcomes = _fitted(path, quantity, task)
    outcomes = factor * outcomes
    expected = factor * path.expected if path.expected is not None else np.array([])
    rows = forecast.intervals()
    rows = rows[(rows["quantity"] == quantity) & ((rows["task"].astype(str) == task) | (task is None))]
    end = path.end_of_view
    view = (end, path.x[0]) if falls else (path.x[0], end)
    places = side_by_side(ax, path.target_x, view)
    for where, row in zip(places, rows.to_dict("records"), strict=True):
        draw_interval(ax, float(where), {k: factor * row[k] for k in (*QUANTILES, "actual")}, upright=True)
    shown = [outer, inner, expected, factor * rows[["q05", "q95", "actual"]].to_numpy()]
    far = _draw_outcomes(ax, fitted_x, outcomes, np.concatenate([np.ravel(values) for values in shown]))
    ax.plot(fitted_x[: len(expected)], expected, "_", color=BLUE, markersize=6, markeredgewidth=1.2, zorder=6)
    ax.set_xlim(*view)
    if path.scale == "log" and end < 10 * path.x[0]:
        plain_numbers(ax)
    draw_beyond_runs(ax, (path.x[0], end), fitted_x, path.target_x)
    room = name_targets(ax, places, [str(t) for t in forecast.targets.index])
    several = len(path.posteriors) > 1
    subject = "laws" if several else "law"
    # Each band is named where it lies alone: the outer one where it reaches furthest beyond the inner.
    above = outer[2, edge] - inner[2, edge] >= inner[0, edge] - outer[0, edge]
    ends = (outer[2, edge], inner[0, edge]) if above else (outer[0, edge], inner[2, edge])
    apart = 2 if above else -2  # points: bands that end together are still named one over the other
    labels = [(f"{subject} plus discrepancy", ends[0], apart), (f"{subject} only", ends[1], -4 * apart)]
    if np.allclose(inner, outer, rtol=ROUNDING, atol=0):
        labels = [(f"{subject} as if exact", outer[1, edge], 0)]
    for words, y, dy in labels:
        ax.annotate(
            words, (1.0, y), (6, dy), xycoords=("axes fraction", "data"), textcoords="offset points",
            fontsize=8, color=BLUE, va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set_xlabel(path.label)
    ax.set_ylabel(f"{quantity} ({unit})")
    known = "   ★ actual" if rows["actual"].notna().any() else ""
    bands = f"bands: 90 % of expected outcomes {path.line}".rstrip()
    ticks = f"   blue ticks: what the {subject} expect{'' if several else 's'} of each" if len(expected) else ""
    moved = "" if np.allclose(places, path.target_x) else ", moved apart where they share a place"
    words = f"{bands}   bars: 50 and 90 % of new runs{moved}   dots: fitted runs{ticks}{far}{known}"
    title = f"{len(path.posteriors)} laws averaged" if several else posterior.law.name
    of_task = "" if task is None else f": {task}"
    headline(ax, f"{title} on {posterior.study.name}{of_task}", words, above=4 + room)
    return ax


def _series(path: ForecastPath, task: str | None) -> tuple[str, dict[str, str]]:
    """Return the quantity to draw, and which of its series.

    Raises
    ------
    TargetError
        It is not said which of several, there is no such one, or several losses lie on the way to an accuracy.
    """
    law, forecast = path.posteriors[0].law, path.targets
    quantity = law.outcome if law.outcome in forecast.units else forecast.head
    (*_, series) = forecast.draws[f"{quantity}_run"].dims
    if series == "series":
        raise TargetError(f"{law.name} goes through a loss to accuracy; draw it with plot_ladder.")
    known = list(forecast.draws["task"].to_numpy()) if series == "task" else []
    if task is None and known:
        raise TargetError(f"{law.name} describes several series; give one of them, as in task={str(known[0])!r}.")
    if task is None:
        return quantity, {}
    if task not in map(str, known):
        raise TargetError(f"The forecast has no task {task!r}; {suggest(task, known)}")
    return quantity, {"task": next(name for name in known if str(name) == task)}


def _fitted(path: ForecastPath, quantity: str, task: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the abscissa and the outcome of the fitted runs, of a task those that have one."""
    study = path.posteriors[0].study
    if task is None:
        return path.fitted_x, study.column(quantity, signed=quantity in path.posteriors[0].law.signed)
    own = study.frame[study.frame["task"].astype(str) == task].set_index("run")[quantity]
    outcomes = own.reindex(study.runs["run"]).to_numpy(dtype=float)
    known = np.isfinite(outcomes)
    return path.fitted_x[known], outcomes[known]


def _draw_outcomes(ax: Axes, x: np.ndarray, y: np.ndarray, shown: np.ndarray) -> str:
    """Draw the fitted runs on an axis made for what else is ``shown``; return what is said of those beyond it.

    A run that diverged would squeeze all others together; it is a caret at the edge of the axes.
    """
    low, high = np.nanmin(shown), np.nanmax(shown)
    reach = REACH * (high - low)
    near = (y >= low - reach) & (y <= high + reach)
    draw_runs(ax, x[near], y[near])
    if near.all():
        return ""
    for marker, edge, beyond in (("^", 1.0, y > high + reach), ("v", 0.0, y < low - reach)):
        ax.plot(x[beyond], np.full(beyond.sum(), edge), marker, transform=ax.get_xaxis_transform(), color=DOT,
                markersize=6, clip_on=False, zorder=7)  # fmt: skip
    worst = y[~near][np.argmax(np.abs(y[~near] - np.median(y)))]
    count = (~near).sum()
    return f"   caret{'s' if count > 1 else ''}: {count} run{'s' if count > 1 else ''} beyond the axis, at {worst:.3g}"
