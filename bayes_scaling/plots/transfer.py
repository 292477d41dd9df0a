"""Pictures of what pre-training is worth, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from bayes_scaling.errors import TargetError
from bayes_scaling.forecasts.display import short, times
from bayes_scaling.plots.style import BLUE, DOT, QUIET, STAR, headline, house_style, lift_apart, new_axes, require_named

__all__ = ["plot_data_efficiency", "plot_transfer_map"]

LEVELS = 9  # colours of the map
BEHIND = {"boxstyle": "round,pad=0.2", "facecolor": "#222222", "alpha": 0.6, "linewidth": 0}  # words on colours
MOST_RIGHT = 0.65  # of the axis, up to which there is room for words beside the end of the arrow
HELPS = 0.9  # probability from which on pre-training is said to help


@house_style
def plot_transfer_map(draws: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw by how much pre-training multiplies the fine-tuning data, over size and data.

    Parameters
    ----------
    draws : xarray.Dataset
        What :func:`bayes_scaling.transferred` returned for the cells of
        :func:`bayes_scaling.transfer_grid`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The median of the multiplier as colour; left of the white dashed line the power law of transfer was found to
        hold; beyond a red line pre-training helps with less than 90 % probability.

    Raises
    ------
    TargetError
        The cells are no grid of two sizes or more and as much data, or what is given has none.

    Examples
    --------
    >>> grid = bs.transfer_grid(np.geomspace(1e6, 1e9, 20), np.geomspace(1e5, 1e9, 20))  # doctest: +SKIP
    >>> ax = plot_transfer_map(bs.transferred(posterior, grid))  # doctest: +SKIP
    """
    require_named(draws, xr.Dataset, ("N", "D_F", "D_T", "multiplier", "low_data"), "transferred")
    draws = draws.isel(cell=np.lexsort((draws["D_F"], draws["N"])))
    size, data = (np.unique(draws[name].to_numpy()) for name in ("N", "D_F"))
    shape = (len(size), len(data))
    cells = np.column_stack([draws[name].to_numpy() for name in ("N", "D_F")])
    if not np.array_equal(cells, np.column_stack([np.repeat(size, shape[1]), np.tile(data, shape[0])])):
        raise TargetError(f"The {draws.sizes['cell']} cells are no grid of N and D_F; make them with transfer_grid.")
    if min(shape) < 2:
        raise TargetError(
            f"A map needs two sizes or more and two amounts of data or more, and was given {shape[0]} and {shape[1]}; "
            "give transfer_grid more, or read transfer_table."
        )
    middle = np.log10(np.maximum(draws["multiplier"].median("sample").to_numpy(), 1e-2)).reshape(shape)
    helps = (draws["D_T"] > 0).mean("sample").to_numpy().reshape(shape)
    edge = draws["low_data"].median("sample").to_numpy().reshape(shape)[:, 0]
    ax = new_axes(ax, height=4.4)
    levels = np.linspace(0.0, max(float(np.nanmax(middle)), 0.1), LEVELS)
    shade = ax.contourf(data, size, middle, levels=levels, cmap="viridis", extend="min")
    bar = ax.figure.colorbar(shade, ax=ax, label="effective data / fine-tuning data (times)")
    bar.set_ticks(list(levels), labels=[times(10**v) for v in levels])
    red = ""
    if (helps < HELPS).any() and (helps > HELPS).any():
        ax.contour(data, size, helps, levels=[HELPS], colors=STAR)
        red = "   red line: beyond it pre-training helps with less than 90 % probability"
    ax.plot(edge, size, color="white", linestyle="--", linewidth=2)
    ax.set(xscale="log", yscale="log", xlabel=_data_label(draws), ylabel="N (parameters)")
    ax.set(xlim=(data.min(), data.max()), ylim=(size.min(), size.max()))
    found = _name_edge(ax, edge, size)
    words = f"colour: median of all data in effect over the fine-tuning data{found}{red}"
    headline(ax, "By how much pre-training multiplies the data", words)
    return ax


def _name_edge(ax: Axes, edge: np.ndarray, size: np.ndarray) -> str:
    """Name the dashed line on the map; where the line leaves no room for that, return what is said above the map."""
    left, right = ax.get_xlim()
    inside = np.flatnonzero((edge > left) & (edge < right))
    if not len(inside):
        return ""
    place = inside[len(inside) // 2]
    label = ax.annotate("power law found\nleft of this line", (edge[place], size[place]), xytext=(-9, 0), color="white",
                        textcoords="offset points", ha="right", va="center", fontsize=9, zorder=9,
                        bbox=BEHIND)  # fmt: skip
    ax.figure.canvas.figure.draw_without_rendering()  # puts the axes where they will be
    box = label.get_window_extent()
    if ax.bbox.contains(box.x0, box.y0) and ax.bbox.contains(box.x1, box.y1):
        return ""
    label.remove()
    return "   white dashes: left of them the power law was found"


@house_style
def plot_data_efficiency(curves: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the outcome from scratch and pre-trained over fine-tuning data, and how much data lie between them.

    Parameters
    ----------
    curves : xarray.Dataset
        What :func:`bayes_scaling.transfer_curves` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not what :func:`bayes_scaling.transfer_curves` returned.

    Examples
    --------
    >>> ax = plot_data_efficiency(bs.transfer_curves(posterior, 1e8, np.geomspace(1e5, 1e9, 40)))  # doctest: +SKIP
    """
    require_named(curves, xr.Dataset, ("scratch", "pretrained", "run_pretrained"), "transfer_curves")
    curves = curves.sortby("D_F")
    D = curves["D_F"].to_numpy()
    if len(np.unique(D)) < 2:
        raise TargetError(
            "A curve needs two amounts of fine-tuning data or more, and was given one; give transfer_curves more, or "
            "read transfer_table."
        )
    ax = new_axes(ax)
    middle, names = {}, {}
    for arm, words, colour in (("scratch", "from scratch", QUIET), ("pretrained", "pre-trained", BLUE)):
        low, middle[arm], high = curves[arm].quantile([0.05, 0.5, 0.95], "sample").to_numpy()
        ax.fill_between(D, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(D, middle[arm], color=colour)
        names[arm] = ax.annotate(words, (1.0, middle[arm][-1]), (6, 0), xycoords=("axes fraction", "data"),
                                 textcoords="offset points", color=colour, fontsize=9, va="center",
                                 annotation_clip=False)  # fmt: skip
    x, y, tuned = (curves[name].to_numpy() for name in ("run_data", "run_outcome", "run_pretrained"))
    for own, fill in ((~tuned, "white"), (tuned, DOT)):
        ax.plot(x[own], y[own], "o", color=fill, markersize=4, markeredgecolor=DOT, markeredgewidth=1.0, zorder=7)
    place = len(D) // 3
    level = middle["pretrained"][place]
    if middle["scratch"].min() < level < middle["scratch"].max():
        end = float(np.exp(np.interp(-level, -middle["scratch"], np.log(D))))
        ax.annotate("", (end, level), (D[place], level), arrowprops={"arrowstyle": "<->", "color": STAR})
        # The curves fall, so that there is room above the right end of the arrow, or below its left one.
        right = np.log(end / D[0]) < MOST_RIGHT * np.log(D[-1] / D[0])
        at, side, dy = (end, "left", 3) if right else (float(D[place]), "right", -3)
        ax.annotate(f"worth {end / D[place]:.3g}x the data", (at, level), xytext=(2 * dy, dy), color=STAR, zorder=9,
                    textcoords="offset points", ha=side, va="bottom" if right else "top")  # fmt: skip
    ax.set(xscale="log", xlabel=_data_label(curves), xlim=(D[0], D[-1]))
    lift_apart(list(names.values()))
    ax.set(ylabel=f"{curves.attrs['outcome']} ({curves.attrs['unit']})")
    dots = "   dots: fitted runs of this size, hollow where from scratch" if curves.sizes["run"] else ""
    words = f"bands: 90 % of expected outcomes{dots}"
    headline(ax, f"What pre-training saves at {short(curves.attrs['n_params'])} parameters", words)
    return ax


def _data_label(found: xr.Dataset) -> str:
    return f"fine-tuning data D_F ({found.attrs['data_unit'] or 'as given'})"
