"""Pictures of how many times less one recipe takes than another; matplotlib Axes in and out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bayes_scaling.decisions.speedup import RESOURCES, Speedup, less_or_more
from bayes_scaling.forecasts.display import percent, times
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.plots.style import (
    BLUE,
    FAR,
    QUIET,
    draw_band,
    draw_interval,
    headline,
    house_style,
    new_axes,
    plain,
    require_drawn,
)

__all__ = ["plot_speedup"]

SHORT = {"shared": "laws err alike", "apart": "laws err apart", "none": "laws exact"}
SMALLEST, LARGEST = 0.01, 100.0  # factors that a picture shows
MARGIN = 1.3
LABEL_ROOM = 0.12  # of the axis above 1, for the words there
LEAST_SAID = 0.005  # probability of never getting there that is told
LONGEST = 20  # letters of a recipe's name; longer ones are spelled out once, above the picture


@house_style
def plot_speedup(found: Speedup, ax: Axes | None = None) -> Axes:
    """Draw how many times less B takes than A: bars at one scale, or the factor of compute over several.

    The two are called by the names of their studies; long names stand once above the picture, as A and B.

    Parameters
    ----------
    found : Speedup
        What to draw; of several scales, the factor of compute under the assumption that answers first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``Speedup``.

    Examples
    --------
    >>> ax = plot_speedup(bs.speedup(baseline, candidate, at=1e24))  # doctest: +SKIP
    """
    require_drawn(found, Speedup, "speedup")
    return _over_scale(found, ax) if len(found.flops) > 1 else _bars(found, ax)


def _bars(found: Speedup, ax: Axes | None) -> Axes:
    """Draw one bar for each assumption of the factor of compute, and one for each other resource."""
    a, b, key = _names(found)
    rows = [("flops", error) for error in found.factors]
    rows += [(resource, found.error) for resource in found.factors[found.error] if resource != "flops"]
    ax = new_axes(ax, 7.2, 1.4 + 0.5 * len(rows))
    levels = {row: {k: float(v[0]) for k, v in quantile_columns(found.draws(*row)).items()} for row in rows}
    low, high = _range(np.array([[at["q05"], at["q95"]] for at in levels.values()]))
    for place, row in enumerate(rows):
        shown = {name: max(value, low) for name, value in levels[row].items()}
        draw_interval(ax, -place, {**shown, "actual": np.nan})
        ax.annotate(_said(found, *row), (1.02, -place), xycoords=("axes fraction", "data"), fontsize=9, va="center")
    ax.set_yticks([-i for i in range(len(rows))], [f"{RESOURCES[r]}, {SHORT[e]}" for r, e in rows])
    ax.axvspan(low, 1, color=FAR, zorder=0, linewidth=0)
    ax.axvline(1, color=QUIET, linewidth=1.0, zorder=1)
    ax.set(xscale="log", xlim=(low, high), ylim=(0.6 - len(rows), 0.6))
    _factors(ax.xaxis, low, high)
    ax.set_xlabel(plain(f"how many times less {b} takes than {a} (times, {found.a.convention})"))
    words = f"bars: 50 and 90 %   shaded: {b} takes more   at the right: median, and the chance that {b} takes less"
    headline(ax, _answer(a, b, levels["flops", found.error]), f"{key}for what {a} reaches at {found.at[0]}   {words}")
    return ax


def _over_scale(found: Speedup, ax: Axes | None) -> Axes:
    a, b, key = _names(found)
    ax = new_axes(ax)
    levels = np.stack(list(quantile_columns(found.draws()).values()))
    low, high = _range(levels)
    high = max(high, low ** (-LABEL_ROOM / (1 - LABEL_ROOM)))
    order = np.argsort(found.flops)
    draw_band(ax, found.flops[order], np.maximum(levels[:, order], low))
    ax.set(xscale="log", yscale="log", xlim=(found.flops.min(), found.flops.max()), ylim=(low, high))
    largest = float(max(found.a.fitted_flops.max(), found.b.fitted_flops.max()))
    ax.axhspan(low, 1, color=FAR, zorder=0, linewidth=0)
    ax.axhline(1, color=QUIET, linewidth=1.0, zorder=1)
    if found.flops.min() < largest < found.flops.max():
        ax.axvline(largest, color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        ax.annotate("largest fitted run", (largest, 0.02), (4, 0), xycoords=("data", "axes fraction"),
                    textcoords="offset points", fontsize=8, color=QUIET)  # fmt: skip
    last = order[-1]
    chance = f"{percent(found.probability()[last])} that {b} takes less at {found.flops[last]:.2g} FLOPs"
    if (never := found.never()[last]) >= LEAST_SAID:
        chance += f", {percent(never)} that it never gets there"
    ax.annotate(
        plain(chance), (0.985, 0.965), xycoords="axes fraction", fontsize=9, color=BLUE, ha="right", va="top", zorder=9
    )
    _factors(ax.yaxis, low, high)
    ax.set_xlabel(plain(f"training FLOPs of {a} ({found.a.convention})"))
    ax.set_ylabel(plain(f"how many times less compute {b} takes (times)"))
    words = f"{key}bands: 50 and 90 %, where {SHORT[found.error]}   shaded: {b} takes more than {a}"
    if levels.min() < low:
        words += f"   lower edge: {times(low)} or less, or never"
    headline(ax, f"How many times less compute {b} takes than {a}", words)
    return ax


def _names(found: Speedup) -> tuple[str, str, str]:
    """Return what A and B are called, and who they are where these are letters for long names."""
    a, b = found.names
    if max(len(a), len(b)) <= LONGEST:
        return a, b, ""
    return "A", "B", f"A: {a}   B: {b}   "


def _answer(a: str, b: str, at: dict[str, float]) -> str:
    """Say in a title how many times less compute B takes, or how many times as much."""
    if at["median"] == 0:
        return f"{b} more likely than not never reaches what {a} reaches"
    said, less, than = less_or_more(at)
    low, middle, high = (_times(said[level]) for level in ("q05", "median", "q95"))
    return f"{b} takes {middle} {less} compute {than} {a} (90 %: {low} to {high})"


def _said(found: Speedup, resource: str, error: str) -> str:
    """Say the median, how likely it is that B takes less, and how likely it never gets there."""
    median = float(np.median(found.draws(resource, error)))
    never = float(found.never(resource, error)[0])
    words = f"{_times(median)}, {percent(found.probability(resource, error)[0])}"
    return f"{words}\nnever: {percent(never)}" if never >= LEAST_SAID else words


def _times(value: float) -> str:
    return times(value) if 0 < value < np.inf else "never"


def _range(levels: np.ndarray) -> tuple[float, float]:
    """Return ends of an axis of factors that hold the levels, and 1, as far as a picture goes."""
    low, high = float(levels.min()) / MARGIN, float(levels.max()) * MARGIN
    return max(min(low, 1 / MARGIN), SMALLEST), min(max(high, MARGIN), LARGEST)


def _factors(axis: object, low: float, high: float) -> None:
    """Write 0.5x, 1x, 2x on a logarithmic axis."""
    wide = high / low > 30
    axis.set_major_locator(LogLocator(subs=(1, 3) if wide else (1, 1.5, 2, 3, 5, 7)))  # type: ignore[attr-defined]
    axis.set_minor_locator(NullLocator())  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}x"))  # type: ignore[attr-defined]
