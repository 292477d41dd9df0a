"""The pictures of the checks, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy import stats

from bayes_scaling.checks import SENSITIVE, loo_pit, predictive_check, sensitivity
from bayes_scaling.errors import TargetError, suggest
from bayes_scaling.marks import BLUE, QUIET, STAR, headline, house_style, new_axes, scale_of
from bayes_scaling.posterior import Posterior

__all__ = ["plot_loo_pit", "plot_predictive_check", "plot_sensitivity"]

COLORS = (BLUE, STAR, "#009E73")
LEVEL = 0.95  # of the band in which places of sound intervals lie


@house_style
def plot_predictive_check(
    posterior: Posterior,
    source: str = "posterior",
    quantity: str | None = None,
    ax: Axes | None = None,
    *,
    seed: int | None = None,
) -> Axes:
    """Draw what the law foretells of the fitted runs over what came; see :func:`bayes_scaling.predictive_check`.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    source : {"posterior", "prior"}
        Where the parameters come from.
    quantity : str, optional
        What to draw where a law forecasts several; by default the first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    seed : int, optional
        Seed of the predictive draws; by default the fit's.

    Returns
    -------
    matplotlib.axes.Axes
        Predicted over observed against observed, an interval per outcome; on a logarithmic axis for the prior.

    Raises
    ------
    TargetError
        The law has no such quantity, or there is no such source.

    Examples
    --------
    >>> ax = plot_predictive_check(posterior, "prior")  # doctest: +SKIP
    """
    units = posterior.units
    quantity = quantity or next(iter(units))
    if quantity not in units:
        raise TargetError(f"{posterior.law.name} has no {quantity!r}; {suggest(quantity, units)}")
    rows = predictive_check(posterior, source, seed=seed)
    rows = rows[rows["quantity"] == quantity]
    factor, unit = scale_of(quantity, units[quantity])
    if quantity == "loss" and posterior.law.series_units:
        unit = "each series in its unit"
    ax = new_axes(ax)
    x, thick = factor * rows["observed"], float(np.clip(300 / len(rows), 1.4, 5.0))
    at = {name: rows[name] / rows["observed"] for name in ("q05", "q25", "median", "q75", "q95")}
    ax.vlines(x, at["q05"], at["q95"], color=BLUE, linewidth=thick / 3, alpha=0.8, zorder=4)
    ax.vlines(x, at["q25"], at["q75"], color=BLUE, linewidth=thick, alpha=0.8, zorder=5)
    ax.plot(x, at["median"], linestyle="", marker=".", color="white", markersize=thick, markeredgewidth=0, zorder=6)
    ax.axhline(1, color=STAR, linewidth=1.0, zorder=7)
    if source == "prior":
        ax.set_yscale("log")
        _plain_numbers(ax.yaxis)
    inside = [((rows[low] <= rows["observed"]) & (rows["observed"] <= rows[high])).mean()
              for low, high in (("q25", "q75"), ("q05", "q95"))]  # fmt: skip
    ax.set_xlabel(f"observed {quantity} ({unit})")
    ax.set_ylabel("predicted / observed (ratio)")
    headline(
        ax,
        f"{source.capitalize()} predictive check: {posterior.law.name} on {posterior.study.name}",
        "bars: 50 and 90 % of new runs like the fitted ones   "
        f"they hold {100 * inside[0]:.0f} and {100 * inside[1]:.0f} % of {len(rows)} outcomes",
    )
    return ax


@house_style
def plot_loo_pit(posterior: Posterior, ax: Axes | None = None) -> Axes:
    """Draw how far the places of left-out outcomes are from uniform; see :func:`bayes_scaling.loo_pit`.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Their distribution function less that of the uniform, a line per quantity, and the band that 95 % of such lines
        stay in where outcomes are independent (Kolmogorov's).

    Examples
    --------
    >>> ax = plot_loo_pit(posterior)  # doctest: +SKIP
    """
    table = loo_pit(posterior)
    ax = new_axes(ax)
    ax.axhline(0, color=QUIET, linewidth=0.8)
    widest = 0.0
    for i, (quantity, rows) in enumerate(table.groupby("quantity", sort=False)):
        n, color = len(rows), COLORS[i % len(COLORS)]
        places = np.sort(rows["pit"].to_numpy())
        x = np.concatenate([[0], np.repeat(places, 2), [1]])
        steps = np.repeat(np.arange(n + 1) / n, 2)
        ax.plot(x, steps - x, color=color, linewidth=1.4)
        width = stats.kstwo.ppf(LEVEL, n)
        ax.fill_between([0, 1], -width, width, color=color, alpha=0.12, linewidth=0, zorder=1)
        widest = max(widest, width, np.abs(steps - x).max())
        p = stats.kstest(places, "uniform").pvalue
        ax.annotate(
            f"{quantity}: {n} outcomes, p = {p:.2g}", (0.99, 0.97 - 0.06 * i), xycoords="axes fraction",
            ha="right", va="top", fontsize=8, color=color,
        )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(-1.1 * widest, 1.35 * widest)
    ax.set_xlabel("place of the outcome in its forecast by the others (LOO-PIT, 0 to 1)")
    ax.set_ylabel("share below, less uniform (fraction)")
    headline(
        ax,
        f"LOO-PIT: {posterior.law.name} on {posterior.study.name}",
        "rising at both ends: intervals too narrow   rising in the middle: too wide   band: 95 % of sound ones",
    )
    return ax


@house_style
def plot_sensitivity(posterior: Posterior, ax: Axes | None = None) -> Axes:
    """Draw how much each parameter hangs on the priors and on the runs; see :func:`bayes_scaling.sensitivity`.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A row per parameter, a dot per series or task: priors in vermilion, likelihood in blue.

    Examples
    --------
    >>> ax = plot_sensitivity(posterior)  # doctest: +SKIP
    """
    table = sensitivity(posterior)
    sites = table.index.str.partition("[").get_level_values(0)
    names = list(dict.fromkeys(sites))[::-1]
    ax = new_axes(ax, height=1.3 + 0.3 * len(names))
    ax.axvline(SENSITIVE, color=QUIET, linewidth=0.8)
    rows = np.array([names.index(site) for site in sites])
    for column, color, shift in (("likelihood", BLUE, 0.14), ("prior", STAR, -0.14)):
        ax.plot(np.maximum(table[column], 1e-3), rows + shift, "o", color=color, markersize=4.5, markeredgewidth=0)
    ax.set_xscale("log")
    _plain_numbers(ax.xaxis)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.set_xlabel("change of the posterior per doubling of the power (distance between distributions)")
    conflicts, alone = ((table["verdict"] == v).sum() for v in ("conflict", "prior"))
    headline(
        ax,
        f"Sensitivity: {posterior.law.name} on {posterior.study.name}",
        f"blue: likelihood   vermilion: priors   right of the grey line: it matters   "
        f"of {len(table)}, {conflicts} hang on both, {alone} on priors alone",
    )
    return ax


def _plain_numbers(axis: Any) -> None:
    """Write 0.5, 1, 2 on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
