"""The ladder figure: step 1, step 2 and their chain, a row of three panels per task."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayes_scaling.errors import TargetError, suggest
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.path import ForecastPath
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.plots.style import (
    BLUE,
    QUIET,
    brief,
    draw_band,
    draw_beyond_runs,
    draw_interval,
    draw_runs,
    draw_star,
    house_style,
    name_targets,
    plain,
    require_drawn,
    side_by_side,
)

__all__ = ["plot_ladder", "plot_ladder_sheet"]

LETTERS, NAME_LINES = 18, 3  # of a task's name beside its row
LEVELS = tuple(QUANTILES.values())
NAMED = 3  # targets named in the title of a sheet
KEY = (
    "dots: fitted runs     bars and bands: 50 and 90 % of new runs, bands along the line from the smallest run to the "
    "largest target     {known}shaded: beyond the fitted runs"
)


@house_style
def plot_ladder(path: ForecastPath, task: str, axes: Sequence[Axes] | None = None) -> np.ndarray:
    """Draw the two steps of one task and their chain: loss on FLOPs, accuracy on loss, accuracy on FLOPs.

    Parameters
    ----------
    path : ForecastPath
        What :func:`bayes_scaling.forecast_path` returned for a two-step fit, or for several whose forecasts were
        averaged; the first gives the loss of steps 1 and 2.
    task : str
        One of the forecast's tasks.
    axes : sequence of three matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    array of matplotlib.axes.Axes, shape (3,)
        The three panels.

    Raises
    ------
    TargetError
        The law goes through no loss to accuracy, the forecast has no such task, or what is given is no path.

    Examples
    --------
    >>> path = bs.forecast_path(posterior, bs.forecast(posterior, study.targets))  # doctest: +SKIP
    >>> axes = plot_ladder(path, "MMLU")  # doctest: +SKIP
    """
    _require_ladder(path)
    _check_task(path.targets, task)
    if axes is None:
        figure, axes = plt.subplots(1, 3, figsize=(11, 3.8))
        figure.suptitle(plain(task), fontsize=12, fontweight="bold")
        figure.supxlabel(_key(path.targets), fontsize=7.5, color=QUIET)
    panels = np.asarray(axes)
    _draw_ladder(panels, path, task)
    _label_ladder(panels, path)
    return panels


@house_style
def plot_ladder_sheet(path: ForecastPath) -> Figure:
    """Draw :func:`bayes_scaling.plots.plot_ladder` for every task of the forecast on one sheet.

    Parameters
    ----------
    path : ForecastPath
        As for :func:`bayes_scaling.plots.plot_ladder`.

    Returns
    -------
    matplotlib.figure.Figure
        A row of three panels per task.

    Raises
    ------
    TargetError
        The law goes through no loss to accuracy, or what is given is no path.

    Examples
    --------
    >>> path = bs.forecast_path(posterior, bs.forecast(posterior, study.targets))  # doctest: +SKIP
    >>> figure = plot_ladder_sheet(path)  # doctest: +SKIP
    """
    _require_ladder(path)
    forecast = path.targets
    tasks = [str(t) for t in forecast.draws["task"].to_numpy()]
    names = [brief(t) for t in forecast.targets.index]
    aims = " and ".join(names) if len(names) <= NAMED else f"{len(names)} runs"
    figure, axes = plt.subplots(len(tasks), 3, figsize=(11, 1.4 + 2.0 * len(tasks)), squeeze=False)
    runs = path.posteriors[0].study.frame["run"].nunique()
    title = plain(f"{forecast.study}: {aims} from {runs} small runs")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel(_key(forecast), fontsize=8, color=QUIET)
    for row, task in zip(axes, tasks, strict=True):
        _draw_ladder(row, path, task)
        _label_ladder(row, path, top=task == tasks[0], bottom=task == tasks[-1])
        name = textwrap.wrap(task, LETTERS, max_lines=NAME_LINES, placeholder="...")
        row[0].annotate(
            plain("\n".join(name)), (0, 0.5), (-40, 0), xycoords="axes fraction", textcoords="offset points",
            rotation=90, va="center", ha="right", multialignment="center", fontsize=11 if len(name) == 1 else 9,
            fontweight="bold",
        )  # fmt: skip
    return figure


def _require_ladder(path: ForecastPath) -> None:
    """Refuse what is no path, and that of a law without the steps that a ladder has."""
    require_drawn(path, ForecastPath, "forecast_path")
    if (law := path.posteriors[0].law).route is None:
        which = ", task=...)" if law.by_task else ")"
        raise TargetError(f"{law.name} goes through no loss to accuracy; draw it with plot_fit(path{which}.")


def _check_task(forecast: Forecast, task: str) -> None:
    """Refuse a task the forecast does not have."""
    known = [str(t) for t in forecast.draws["task"].to_numpy()]
    if task not in known:
        raise TargetError(f"The forecast has no task {task!r}; {suggest(task, known)}")


def _key(forecast: Forecast) -> str:
    """Return what dots, bars and bands are, and stars where an outcome is known."""
    known = any(np.isfinite(values).any() for values in forecast.actual.data_vars.values())
    return KEY.format(known="★ actual     " if known else "")


def _draw_ladder(panels: np.ndarray, path: ForecastPath, task: str) -> None:
    """Draw bands, fitted runs, targets and outcomes on the three panels of one task."""
    step1, step2, chain = panels
    posterior, forecast = path.posteriors[0], path.targets
    series = posterior.law.series_of(task, [str(s) for s in forecast.draws["series"].to_numpy()])
    study = posterior.study
    rows = study.frame[study.frame["task"] == task].set_index("run").reindex(study.runs["run"])
    loss, accuracy = rows[posterior.law.route].to_numpy(dtype=float), 100 * rows["accuracy"].to_numpy(dtype=float)
    losses, accuracies = _levels(forecast, "loss", series=series), 100 * _levels(forecast, "accuracy", task=task)

    for ax, band, runs, at in (
        (step1, path.band("loss_run", LEVELS, series=series), loss, losses),
        (chain, 100 * path.band("accuracy_run", LEVELS, task=task), accuracy, accuracies),
    ):
        ax.set_xscale(path.scale)
        draw_band(ax, path.x[path.in_view], band[:, path.in_view])
        draw_runs(ax, path.fitted_x, runs)
        for x, levels in zip(_places(ax, path), at.to_dict("records"), strict=True):
            draw_interval(ax, float(x), levels, upright=True)
        ax.set_xlim(path.x[0], path.end_of_view)
        draw_beyond_runs(ax, (path.x[0], path.end_of_view), path.fitted_x, path.target_x)

    shown = np.concatenate([loss, losses[["q05", "q95", "actual"]].to_numpy().ravel()])
    low, high = 0.96 * np.nanmin(shown), 1.02 * np.nanmax(shown)
    grid = np.linspace(low, high, 60)
    draw_band(step2, grid, 100 * path.step("loss_mean", "accuracy_mean", grid, LEVELS, task, series))
    draw_runs(step2, loss, accuracy)
    for across, up in zip(losses.to_dict("records"), accuracies.to_dict("records"), strict=True):
        step2.hlines(up["median"], across["q05"], across["q95"], color=BLUE, linewidth=1.2, zorder=4)
        draw_interval(step2, across["median"], {**up, "actual": np.nan}, upright=True)
        draw_star(step2, across["actual"], up["actual"])
    step2.set_xlim(high, low)  # better to the right, as in the other panels
    draw_beyond_runs(step2, (low, high), loss, losses["median"].to_numpy(), falling=True)
    for ax in (step2, chain):
        ax.yaxis.set_major_locator(MaxNLocator(5))
    ends = (*step2.get_ylim(), *chain.get_ylim())
    for ax in (step2, chain):
        ax.set_ylim(min(ends), max(ends))


def _places(ax: Axes, path: ForecastPath) -> np.ndarray:
    """Return where on the abscissa of a panel the targets are drawn."""
    return side_by_side(ax, path.target_x, (path.x[0], path.end_of_view))


def _levels(forecast: Forecast, quantity: str, **where: str) -> pd.DataFrame:
    """Return quantiles of a new run and the outcome, a row per target."""
    draws = forecast.draws[f"{quantity}_run"].sel(where).to_numpy()
    table = pd.DataFrame(np.quantile(draws, LEVELS, axis=0).T, columns=list(QUANTILES), index=forecast.targets.index)
    return table.assign(actual=forecast.actual[quantity].sel(where).to_numpy())


def _label_ladder(panels: np.ndarray, path: ForecastPath, *, top: bool = True, bottom: bool = True) -> None:
    """Name the axes with their units and, on the top row, the steps and the targets."""
    step1, step2, chain = panels
    fit = path.posteriors[0]
    route = str(fit.law.route)
    loss = f"{route.replace('_', ' ')} ({fit.series_units[route]})"
    step1.set_ylabel(loss)
    step2.set_ylabel("accuracy (%)")
    chain.set_ylabel("accuracy (%)")
    if bottom:
        step1.set_xlabel(path.label)
        step2.set_xlabel(f"{loss}, falling")
        chain.set_xlabel(path.label)
    if not top:
        return
    names = list(map(str, path.targets.targets.index))
    room = max(name_targets(ax, _places(ax, path), names) for ax in (step1, chain))
    for ax, title in zip(
        panels, ("Step 1: compute to loss", "Step 2: loss to accuracy", "Both: compute to accuracy"), strict=True
    ):
        ax.set_title(title, pad=8 + room)
