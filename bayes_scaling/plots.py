"""Pictures of fits and forecasts, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_scaling.check_plots import plot_loo_pit, plot_predictive_check, plot_sensitivity
from bayes_scaling.curves import trail
from bayes_scaling.errors import TargetError, suggest
from bayes_scaling.forecast import QUANTILES, Forecast
from bayes_scaling.ladder_plots import plot_ladder, plot_ladder_sheet
from bayes_scaling.marks import (
    BLUE,
    QUIET,
    STYLE,
    draw_beyond,
    draw_interval,
    draw_runs,
    headline,
    house_style,
    name_targets,
    new_axes,
    plain_numbers,
    scale_of,
)
from bayes_scaling.posterior import Posterior

__all__ = [
    "STYLE",
    "close",
    "figure_of",
    "plot_fit",
    "plot_forest",
    "plot_ladder",
    "plot_ladder_sheet",
    "plot_loo_pit",
    "plot_predictive_check",
    "plot_sensitivity",
]


def figure_of(axes: Any) -> Figure:
    """Return the figure that one or several Axes are in, or that was given.

    Examples
    --------
    >>> _, axes = plt.subplots(1, 2)
    >>> figure = figure_of(axes)
    >>> figure is axes[1].figure
    True
    >>> close(figure)
    """
    figure = np.ravel(axes)[0].figure
    assert isinstance(figure, Figure)
    return figure


def close(figure: Figure) -> None:
    """Forget a figure, so that its memory is given back.

    Examples
    --------
    >>> figure, _ = plt.subplots()
    >>> close(figure)
    >>> plt.fignum_exists(figure.number)
    False
    """
    plt.close(figure)


@house_style
def plot_forest(forecast: Forecast, quantity: str = "accuracy", ax: Axes | None = None) -> Axes:
    """Draw the intervals of every target, a row per task, with the outcomes as stars.

    Parameters
    ----------
    forecast : Forecast
        What to draw.
    quantity : str
        One of ``forecast.units``; accuracies are drawn in per cent.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, one unit apart per task, targets side by side within it.

    Raises
    ------
    TargetError
        The forecast has no such quantity.

    Examples
    --------
    >>> ax = plot_forest(posterior.forecast(study.targets), "accuracy")  # doctest: +SKIP
    """
    if quantity not in forecast.units:
        raise TargetError(f"The forecast has no {quantity!r}; {suggest(quantity, forecast.units)}")
    rows = forecast.intervals()
    rows = rows[rows["quantity"] == quantity]
    rows = rows[rows["unit"] == rows["unit"].mode()[0]]  # one axis, one unit: not the C4 loss beside task losses
    rows = rows.assign(task=rows["task"].fillna(forecast.study))
    factor, unit = scale_of(quantity, rows["unit"].iloc[0])
    order = rows.groupby("task", sort=False)["median"].mean().sort_values().index
    targets = list(rows["target"].drop_duplicates())
    gap = 0.7 / max(len(targets), 1)
    ax = new_axes(ax, height=1.3 + 0.36 * len(order) * max(len(targets), 1) ** 0.7)
    for row in rows.to_dict("records"):
        y = list(order).index(row["task"]) - gap * (targets.index(row["target"]) - (len(targets) - 1) / 2)
        draw_interval(ax, y, {k: factor * row[k] for k in ("q05", "q25", "median", "q75", "q95", "actual")})
        if len(targets) > 1 or len(order) == 1:
            end = factor * np.nanmax([row["q95"], row["actual"]])
            ax.annotate(
                str(row["target"]), (end, y), (6, 0), textcoords="offset points", va="center", fontsize=7, color=QUIET
            )
    ax.set_yticks(range(len(order)), [str(task) for task in order])
    ax.set_ylim(-0.6, len(order) - 0.4)
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + 0.06 * (right - left))  # room for the targets' names
    ax.tick_params(axis="y", length=0, labelsize=9, labelcolor="#222222")
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"{quantity} ({unit})")
    known = "   ★ actual" if rows["actual"].notna().any() else ""
    title = f"{quantity.capitalize()} forecast from {forecast.study}"
    headline(ax, title, f"thin line: 90 % of new runs   thick line: 50 %   white tick: median{known}")
    return ax


@house_style
def plot_fit(posterior: Posterior, forecast: Forecast, ax: Axes | None = None) -> Axes:
    """Draw a law of one series: runs, the law's band, the band with the discrepancy, targets and outcomes.

    The abscissa is training FLOPs where the study has them (or parameters and tokens), otherwise the law's first
    input; bands follow the way from the smallest run to the largest target.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    forecast : Forecast
        The targets to mark.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    TargetError
        The law describes several series; use :func:`plot_ladder`.

    Examples
    --------
    >>> ax = plot_fit(posterior, posterior.forecast({"N": 7e9, "D": 4e12}))  # doctest: +SKIP
    """
    quantity = posterior.law.outcome
    if quantity not in forecast.units or forecast.draws[f"{quantity}_run"].ndim != 2:
        raise TargetError(f"{posterior.law.name} describes several series; draw it with plot_ladder.")
    factor, unit = scale_of(quantity, forecast.units[quantity])
    ax = new_axes(ax)
    way = trail([posterior], forecast)
    falls = way.targets.min() < way.fitted.min()  # towards smaller losses: better models are to the right all the same
    x, edge = way.x[way.seen], 0 if falls else -1  # the bands are named at the right edge
    inner, outer = (factor * way.band(f"{quantity}_{band}", (0.05, 0.5, 0.95))[:, way.seen] for band in ("law", "mean"))
    ax.fill_between(x, outer[0], outer[2], color=BLUE, alpha=0.18, linewidth=0, zorder=2)
    ax.fill_between(x, inner[0], inner[2], color=BLUE, alpha=0.36, linewidth=0, zorder=2)
    ax.plot(x, inner[1], color=BLUE, linewidth=1.0, zorder=3)
    draw_runs(ax, way.fitted, factor * posterior.study.column(quantity))
    rows = forecast.intervals()
    rows = rows[rows["quantity"] == quantity]
    for place, row in zip(way.targets, rows.to_dict("records"), strict=True):
        draw_interval(ax, float(place), {k: factor * row[k] for k in (*QUANTILES, "actual")}, upright=True)
    ax.set_xscale("log")
    ax.set_xlim(*((way.view, way.x[0]) if falls else (way.x[0], way.view)))
    if way.view < 10 * way.x[0]:
        plain_numbers(ax)
    draw_beyond(ax, *((way.x[0], way.fitted.min()) if falls else (way.fitted.max(), way.view)))
    room = name_targets(ax, way.targets, [str(t) for t in forecast.targets.index])
    for words, y, dy in (("law plus discrepancy", outer[2, edge], 8), ("law only", inner[0, edge], -2)):
        ax.annotate(
            words, (1.0, y), (6, dy - 6), xycoords=("axes fraction", "data"), textcoords="offset points",
            fontsize=8, color=BLUE, va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set_xlabel(way.label)
    ax.set_ylabel(f"{quantity} ({unit})")
    known = "   ★ actual" if rows["actual"].notna().any() else ""
    words = f"bands: 90 % of expected outcomes   bars: 50 and 90 % of new runs   dots: fitted runs{known}"
    headline(ax, f"{posterior.law.name} on {posterior.study.name}", words, above=4 + room)
    return ax
