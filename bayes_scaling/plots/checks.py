"""The pictures of the checks, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy import stats

from bayes_scaling.errors import TargetError, listed, suggest
from bayes_scaling.evaluation.checks import SENSITIVE
from bayes_scaling.evaluation.sbc import Calibration
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.forecasts.quantiles import QUANTILES, inside
from bayes_scaling.plots.style import BLUE, QUIET, STAR, headline, house_style, new_axes, require_drawn, require_named

__all__ = ["plot_loo_pit", "plot_predictive_check", "plot_ranks", "plot_sensitivity"]

COLORS = (BLUE, STAR, "#009E73")
LEVEL = 0.95  # of the band in which places of sound intervals lie


@house_style
def plot_predictive_check(check: pd.DataFrame, quantity: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw predictive intervals of the fitted runs over their outcomes.

    Parameters
    ----------
    check : pandas.DataFrame
        What :func:`bayes_scaling.predictive_check` returned.
    quantity : str, optional
        What to draw where a law forecasts several; by default the first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Predicted over observed against observed, an interval per outcome, on a logarithmic axis for the prior; of
        fractions, which may be 0, and where an outcome is not positive, predicted less observed.

    Raises
    ------
    TargetError
        The check has no such quantity, or is none.

    Examples
    --------
    >>> ax = plot_predictive_check(bs.predictive_check(posterior, "prior"))  # doctest: +SKIP
    """
    require_named(check, pd.DataFrame, ("quantity", "observed", *QUANTILES), "predictive_check")
    known = list(check["quantity"].drop_duplicates())
    quantity = quantity or known[0]
    if quantity not in known:
        raise TargetError(f"The check has no {quantity!r}; {suggest(quantity, known)}")
    rows = check[check["quantity"] == quantity]
    source = check.attrs.get("source", "posterior")
    factor, unit, _, gap = scale_of(check.attrs.get("units", {}).get(quantity, "as given"))
    differ = unit == "%" or bool((rows["observed"] <= 0).any())
    ax = new_axes(ax)
    x, thick = factor * rows["observed"], float(np.clip(300 / len(rows), 1.4, 5.0))
    at = {name: factor * rows[name] - x if differ else rows[name] / rows["observed"] for name in QUANTILES}
    ax.vlines(x, at["q05"], at["q95"], color=BLUE, linewidth=thick / 3, alpha=0.8, zorder=4)
    ax.vlines(x, at["q25"], at["q75"], color=BLUE, linewidth=thick, alpha=0.8, zorder=5)
    ax.plot(x, at["median"], linestyle="", marker=".", color="white", markersize=thick, markeredgewidth=0, zorder=6)
    ax.axhline(0 if differ else 1, color=STAR, linewidth=1.0, zorder=7)
    if source == "prior" and not differ:
        ax.set_yscale("log")
        _plain_numbers(ax.yaxis)
    held = {level: inside(rows, rows["observed"], level).mean() for level in (50, 90)}
    ax.set_xlabel(f"observed {quantity} ({unit})")
    ax.set_ylabel(f"predicted less observed ({gap or unit})" if differ else "predicted / observed (ratio)")
    headline(
        ax,
        _title(f"{source.capitalize()} predictive check", check),
        "bars: 50 and 90 % of new runs like the fitted ones   "
        f"they hold {100 * held[50]:.0f} and {100 * held[90]:.0f} % of {len(rows)} outcomes",
    )
    return ax


@house_style
def plot_loo_pit(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how far LOO-PIT values are from uniform.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`bayes_scaling.loo_pit` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Their distribution function less that of the uniform, a line per quantity, and the band that 95 % of such lines
        stay in where outcomes are independent (Kolmogorov's).

    Raises
    ------
    TargetError
        The table is not what :func:`bayes_scaling.loo_pit` returns.

    Examples
    --------
    >>> ax = plot_loo_pit(bs.loo_pit(posterior))  # doctest: +SKIP
    """
    require_named(table, pd.DataFrame, ("quantity", "pit"), "loo_pit")
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
        _title("LOO-PIT", table),
        "rising at both ends: intervals too narrow   rising in the middle: too wide   band: 95 % of sound ones",
    )
    return ax


@house_style
def plot_sensitivity(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much each parameter depends on the priors and on the runs.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`bayes_scaling.sensitivity` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A row per parameter, a dot per series or task: priors in vermilion, likelihood in blue.

    Raises
    ------
    TargetError
        The table is not what :func:`bayes_scaling.sensitivity` returns.

    Examples
    --------
    >>> ax = plot_sensitivity(bs.sensitivity(posterior))  # doctest: +SKIP
    """
    require_named(table, pd.DataFrame, ("prior", "likelihood", "verdict"), "sensitivity")
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
    conflicts, agreed, alone = ((table["verdict"] == v).sum() for v in ("conflict", "both", "prior"))
    headline(
        ax,
        _title("Sensitivity", table),
        f"blue: likelihood   vermilion: priors   right of the grey line: it matters   "
        f"of {len(table)}, {agreed + conflicts} hang on both, {conflicts} of them in conflict; {alone} on priors alone",
    )
    return ax


@house_style
def plot_ranks(calibration: Calibration) -> Figure:
    """Draw how far the ranks of each parameter, and of the likelihood, are from uniform.

    Their distribution function less that of the uniform, and the band in which all of a uniform one stays with
    probability 0.99.

    Parameters
    ----------
    calibration : Calibration
        What :func:`bayes_scaling.simulation_based_calibration` returned.

    Returns
    -------
    matplotlib.figure.Figure
        One Axes for each parameter, with its p-value.

    Raises
    ------
    TargetError
        Something else is given, or ranks are missing.

    Examples
    --------
    >>> ranks = pd.DataFrame({"E": np.linspace(0.01, 0.99, 50), "sigma": np.linspace(0.01, 0.99, 50) ** 2})
    >>> figure = plot_ranks(Calibration("Chinchilla", ranks, converged=50))
    >>> [ax.get_title("left") for ax in figure.axes]
    ['E, p = 1', 'sigma, p = 0.00051']
    >>> plt.close(figure)
    """
    require_drawn(calibration, Calibration, "simulation_based_calibration")
    if calibration.ranks.empty:
        raise TargetError("The calibration has no ranks to draw; simulate at least one study.")
    if lacking := list(calibration.ranks.columns[calibration.ranks.isna().any()]):
        raise TargetError(
            f"The calibration has ranks of {listed(map(str, lacking))} that are missing; leave these out."
        )
    values, departures = calibration.p_values(), calibration.departures()
    columns = min(4, len(values))
    lines = -(-len(values) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(2.4 * columns, 1.7 * lines), sharey=True, squeeze=False, layout="constrained"
    )
    places, low, high = departures.index, departures["low"], departures["high"]
    for ax, name in zip(axes.flat, values.index, strict=False):
        out = ((departures[name] < low) | (departures[name] > high)).any()
        ax.fill_between(places, low, high, color=QUIET, alpha=0.25, linewidth=0)
        ax.axhline(0, color=QUIET, linewidth=0.8)
        ax.plot(places, departures[name], color=STAR if out else BLUE, linewidth=1.4)
        ax.set_title(f"{name}, p = {values[name]:.2g}", fontsize="small")
        ax.set_xticks([0, 0.5, 1])
    for ax in axes.flat[len(values) :]:
        ax.set_visible(False)
    studies = len(calibration.ranks)
    figure.suptitle(
        f"{calibration.law}: where the truth lies among its posterior draws, {studies} simulated studies",
        fontsize=10, fontweight="bold",
    )  # fmt: skip
    figure.supxlabel(
        "share of draws below the truth (99 % of sound lines stay in the grey band; one that leaves it is orange)",
        fontsize=9,
    )
    figure.supylabel("studies below, less uniform (fraction)", fontsize=9)
    return figure


def _title(what: str, table: pd.DataFrame) -> str:
    """Return a title with the name of the fit, where its table remembers it."""
    return ": ".join(filter(None, (what, table.attrs.get("fit", ""))))


def _plain_numbers(axis: Any) -> None:
    """Write 0.5, 1, 2 on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
