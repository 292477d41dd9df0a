"""What all pictures are made of: the house style, intervals, bands, stars, headlines."""

from __future__ import annotations

import functools
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import (
    LogFormatterSciNotation,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

from bayes_scaling.errors import TargetError

__all__ = [
    "STYLE",
    "brief",
    "close",
    "draw_band",
    "draw_beyond",
    "draw_beyond_runs",
    "draw_interval",
    "draw_runs",
    "draw_star",
    "figure_of",
    "headline",
    "house_style",
    "lift_apart",
    "name_targets",
    "new_axes",
    "plain",
    "plain_numbers",
    "powers_of_ten",
    "require_drawn",
    "require_named",
    "side_by_side",
    "write_png",
]

STYLE = Path(__file__).with_name("style.mplstyle")
"""The house style, for ``matplotlib.style.use``."""

BLUE, STAR, DOT, FAR, QUIET = "#0072B2", "#D55E00", "#222222", "#f4efe2", "#666666"

LETTERS_PER_INCH = 18  # of the small type of explanations
TITLE_LETTERS_PER_INCH = 13
MAX_NAMES, LINE = 6, 9  # targets named above a picture, and the room for each in points
LONGEST = 40  # letters of a name in a picture
APART = 10.0  # points between bars that share an abscissa, at most,
SPREAD = 0.08  # and the share of the axis that all of them may take

P = ParamSpec("P")
R = TypeVar("R")


def house_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house style and leave the user's settings alone."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with plt.style.context(str(STYLE)), _boxes_for_letters():
            return draw(*args, **kwargs)

    return styled


@contextmanager
def _boxes_for_letters() -> Iterator[None]:
    """Say nothing of letters that the font lacks, which are drawn as boxes: no news to whoever named the runs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def require_drawn(given: object, kind: type, maker: str) -> None:
    """Refuse what a picture cannot draw, such as a posterior in place of its forecast.

    Raises
    ------
    TargetError
        It is not of the kind that the picture draws.
    """
    if not isinstance(given, kind):
        wanted = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
        raise TargetError(
            f"This picture draws {wanted} and was given an object of the class {type(given).__name__}; "
            f"bayes_scaling.{maker} makes what it draws."
        )


def require_named(given: object, kind: type, names: Sequence[str], maker: str) -> None:
    """Refuse a table or a dataset that lacks what a picture draws, such as one that another function returned.

    Raises
    ------
    TargetError
        It is of another kind, or has not all of these names.
    """
    lacking = [name for name in names if name not in given] if isinstance(given, kind) else []  # type: ignore[operator]
    if isinstance(given, kind) and not lacking:
        return
    what = (
        f"a {kind.__name__} without {', '.join(lacking)}"
        if lacking
        else f"an object of the class {type(given).__name__}"
    )
    raise TargetError(f"This picture was given {what}; give it the {kind.__name__} that bayes_scaling.{maker} returns.")


def draw_band(ax: Axes, x: np.ndarray, levels: np.ndarray) -> None:
    """Draw a 90 and a 50 % band and their median; ``levels`` has shape (5, point), in the order of the quantiles."""
    ax.fill_between(x, levels[0], levels[4], color=BLUE, alpha=0.16, linewidth=0, zorder=2)
    ax.fill_between(x, levels[1], levels[3], color=BLUE, alpha=0.26, linewidth=0, zorder=2)
    ax.plot(x, levels[2], color=BLUE, linewidth=1.0, zorder=3)


def draw_interval(ax: Axes, y: float, at: Mapping[str, float], *, upright: bool = False) -> None:
    """Draw one interval: thin 90 %, thick 50 %, a white tick at the median, a star at the outcome."""
    line = ax.vlines if upright else ax.hlines
    line(y, at["q05"], at["q95"], color=BLUE, linewidth=1.6, zorder=4)
    line(y, at["q25"], at["q75"], color=BLUE, linewidth=5.0, zorder=5)
    spot = (y, at["median"]) if upright else (at["median"], y)
    ax.plot(*spot, marker="_" if upright else "|", color="white", markersize=5, markeredgewidth=1.3, zorder=6)
    if np.isfinite(at["actual"]):
        draw_star(ax, *((y, at["actual"]) if upright else (at["actual"], y)))


def draw_star(ax: Axes, x: float, y: float) -> None:
    """Mark an outcome."""
    ax.plot(x, y, marker="*", color=STAR, markersize=8.5, markeredgecolor="white", markeredgewidth=0.5, zorder=8)


def draw_runs(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draw the fitted runs."""
    ax.plot(x, y, ".", color=DOT, markersize=6, markeredgecolor="white", markeredgewidth=0.4, zorder=7)


def draw_beyond(ax: Axes, start: float, stop: float) -> None:
    """Shade where no run was fitted."""
    ax.axvspan(start, stop, color=FAR, zorder=0, linewidth=0)


def draw_beyond_runs(
    ax: Axes, ends: tuple[float, float], runs: np.ndarray, targets: np.ndarray, *, falling: bool = False
) -> None:
    """Shade where targets lie beyond the fitted runs; where none does, beyond the best, whose place falls for a loss.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    ends : tuple of float
        The lowest and the highest abscissa shown.
    runs, targets : array
        The abscissa of the fitted runs, NaN where it is not known, and of the targets.
    falling : bool
        Whether better models lie at lower abscissae.
    """
    (low, high), first, last = ends, float(np.nanmin(runs)), float(np.nanmax(runs))
    below, above = targets.min() < first, targets.max() > last
    if below or (falling and not above):
        draw_beyond(ax, low, first)
    if above or (not falling and not below):
        draw_beyond(ax, last, high)


def new_axes(ax: Axes | None, width: float = 7.2, height: float = 4.2) -> Axes:
    """Return the axes a caller gave, or those of a new figure of a size in inches."""
    return plt.subplots(figsize=(width, height))[1] if ax is None else ax


def plain(text: object) -> str:
    r"""Return a name as a picture shows it: with its dollar signs, which make no formula.

    Examples
    --------
    >>> print(plain("runs of $1M and $2M"))
    runs of \$1M and \$2M
    """
    return str(text).replace("$", r"\$")


def brief(name: object) -> str:
    """Return a name as long as a picture has room for: both ends of a longer one, for names may differ in either.

    Examples
    --------
    >>> brief("7B-4T"), brief("a" * 30 + "b" * 30)
    ('7B-4T', 'aaaaaaaaaaaaaaaaaaaa…bbbbbbbbbbbbbbbbbbb')
    """
    text = str(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[1 - LONGEST // 2 :]}"


def headline(ax: Axes, title: str, words: str, above: float = 4.0) -> None:
    """Write a title and, below it, what bands, bars and dots are, in as many lines as the width of the axes asks for.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to write.
    title, words : str
        Three spaces part the items of ``words``; no line breaks within an item that fits into one.
    above : float
        Room between the axes and the words, in points.
    """
    inches = ax.bbox.width / ax.figure.dpi
    width = int(LETTERS_PER_INCH * inches)
    items = [item if len(item) > width else item.replace(" ", "\u00a0") for item in words.strip().split("   ")]
    wrapped = textwrap.wrap("   ".join(items), width, break_long_words=False)
    lines = [line.replace("\u00a0", " ") for line in wrapped]
    title = "\n".join(textwrap.wrap(title, int(TITLE_LETTERS_PER_INCH * inches), break_long_words=False))
    ax.annotate(
        plain("\n".join(lines)), (0, 1), (0, above), xycoords="axes fraction", textcoords="offset points",
        fontsize=8, color=QUIET, va="bottom",
    )  # fmt: skip
    ax.set_title(plain(title), pad=above + 4 + 11 * len(lines))


def lift_apart(labels: Sequence[Annotation], fixed: Iterable[Bbox] = ()) -> None:
    """Lift labels, given as offsets in points, until none lies on another, or on what is fixed."""
    placed = list(fixed)
    for label in sorted(labels, key=lambda one: one.get_window_extent().y0):
        for its in sorted(placed, key=lambda box: box.y0):  # from the lowest to the highest, so that one pass is enough
            own = label.get_window_extent()
            if own.overlaps(its):
                across, up = label.xyann
                label.xyann = (across, up + (its.y1 - own.y0 + 1) * 72 / label.figure.dpi)
        placed.append(label.get_window_extent())


def plain_numbers(ax: Axes) -> None:
    """Write 2, 2.5, 3 on a logarithmic abscissa of less than a decade."""
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())


def powers_of_ten(ax: Axes) -> None:
    """Write 1, 2 and 5 times each power of ten on a logarithmic abscissa, unless it has more than two decades."""
    low, high = ax.get_xlim()
    if high <= 100 * low:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
        ax.xaxis.set_minor_formatter(NullFormatter())


def side_by_side(ax: Axes, places: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Return where on the abscissa to draw targets, so that those of (nearly) one place stand side by side.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes, whose width, with the scale of its abscissa, says how far apart that is.
    places : array, shape (target,)
        The abscissa of each target; of those at one, the first given stands furthest to the left.
    ends : tuple of float
        Where the axis ends.

    Returns
    -------
    array, shape (target,)
        The places, as near as may be to those given.
    """
    width = 72 * ax.bbox.width / ax.figure.dpi
    gap = min(APART / width, SPREAD / max(len(places) - 1, 1))
    scale = ax.xaxis.get_transform()
    low, high = scale.transform(np.array(ends))
    at = (scale.transform(places) - low) / (high - low)
    order = np.argsort(at, kind="stable")
    steps = gap * np.arange(len(at))
    at[order] = isotonic_regression(at[order] - steps).x + steps
    return scale.inverted().transform(low + at * (high - low))


def name_targets(ax: Axes, places: np.ndarray, names: Sequence[str]) -> float:
    """Write the targets' names above the axes and return the room they take, in points.

    Two names stand to the left and to the right of their places; more, and two of places that are close to each other,
    stand one above the other, each with a line down to its place; too many are left to the tables.
    """
    if len(places) > MAX_NAMES:
        return 0.0
    at = ax.transData.transform(np.column_stack([places, np.ones(len(places))]))[:, 0] * 72 / ax.figure.dpi
    order = np.argsort(at, kind="stable")
    stacked = len(order) > 2 or (len(order) == 2 and np.ptp(at) < 2 * APART)
    for i, k in enumerate(order):
        right = "left" if not stacked and i == 1 else "right"
        line = {"arrowstyle": "-", "color": BLUE, "linewidth": 0.6, "relpos": (1, 0), "shrinkA": 0, "shrinkB": 0}
        name = ax.annotate(
            plain(brief(names[k])), (places[k], 1.0), (0, 3 + (LINE * i if stacked else 0)),
            xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=right if len(order) > 1 else "center", fontsize=7, color=BLUE, arrowprops=line if stacked else None,
        )  # fmt: skip
        if len(order) == 1 and name.get_window_extent().x1 > ax.bbox.x1:
            name.set_horizontalalignment("right")  # beyond the edge the bands have their names
        if stacked:
            ax.axvline(places[k], color=BLUE, linewidth=0.6, alpha=0.5, zorder=1)
    return 3.0 + LINE * (len(order) if stacked else 1)


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


def write_png(axes: object, to: Any, dpi: int = 150) -> None:
    """Write the figure that holds the axes to a file or a buffer, and close it."""
    figure = figure_of(axes)
    with _boxes_for_letters():
        figure.savefig(to, format="png", dpi=dpi)
    close(figure)


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
