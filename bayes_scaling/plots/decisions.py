"""Pictures of decisions, in the house style; matplotlib Axes in and out."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from bayes_scaling.decisions.allocation import Allocation
from bayes_scaling.decisions.ladder_design import LadderPlans
from bayes_scaling.decisions.next_runs import MIN_GAIN, NextRuns
from bayes_scaling.decisions.reach import Reach
from bayes_scaling.decisions.regret import Regret
from bayes_scaling.forecasts.display import percent, scale_of, short, times
from bayes_scaling.forecasts.quantiles import QUANTILES, quantile, quantile_columns
from bayes_scaling.plots.style import (
    BLUE,
    QUIET,
    STAR,
    brief,
    draw_band,
    draw_beyond,
    draw_interval,
    draw_runs,
    draw_star,
    headline,
    house_style,
    lift_apart,
    new_axes,
    plain,
    plain_numbers,
    powers_of_ten,
    require_drawn,
    side_by_side,
)

__all__ = ["plot_frontier", "plot_ladder_plans", "plot_next_runs", "plot_reach", "plot_regret"]

STAR_ROOM = 4.0  # points on every side of the middle of a star, or of a dot, for no words to lie on
MAX_NAMED = 3  # runs of a batch that get a star
LABEL_ROOM = 3.0  # times the largest size of a picture, for the words over it
LABEL_WIDTH = 0.22  # of the axis
MAX_MARKED = 6  # budgets and sizes that get an interval of their own
EDGE = 0.02  # of the axis, beyond a budget at its end, so that its interval is whole
MAX_WASTE_SHOWN = 4.0  # times the compute needed
SIDE_ROOM = 0.08  # of the axis, on either side of the bars of a few sizes
MAX_CHEAP_WASTE = 1.1  # times the compute needed, up to which a size counts as cheap
LETTERS = 20  # of a line of a plan's name
COST_ROOM, LEAST_COST_ROOM = 0.15, 1.3  # on either side of what plans cost, as a share of the axis and as a factor
BEYOND_RUNS = 1e4  # times the largest run, up to where a picture shows that a target is never reached
TOP_LABEL = 96.0  # per cent: a label that sits higher runs into the headline


@house_style
def plot_frontier(allocation: Allocation, path: Allocation | None = None, ax: Axes | None = None) -> Axes:
    """Draw the compute-optimal size over the budget, with the fitted runs and the rule of 20 tokens per parameter.

    Parameters
    ----------
    allocation : Allocation
        Up to six budgets get an interval of their own.
    path : Allocation, optional
        Budgets over the whole range to be shown (:func:`bayes_scaling.decisions.allocation.budget_range`), for the
        band; by default the band goes through the budgets of ``allocation`` alone.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``Allocation``.

    Examples
    --------
    >>> ax = plot_frontier(bs.allocate(posterior, np.geomspace(1e20, 1e24, 40)))  # doctest: +SKIP
    """
    for given in (allocation, path or allocation):
        require_drawn(given, Allocation, "allocate")
    ax = new_axes(ax)
    surface, path = allocation.surface, path or allocation
    order = np.argsort(path.flops)
    runs, C = surface.fitted_flops, path.flops[order]
    draw_band(ax, C, np.stack(list(quantile_columns(path.N[:, order]).values())))
    draw_runs(ax, runs, surface.arrays["N"])
    thumb = ""
    if len(C) > 1:
        ax.plot(C, path.rule_of_thumb[order], color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), zorder=3)
        thumb = "   dashed: 20 tokens per parameter"
    labels = []
    if len(allocation.flops) <= MAX_MARKED:
        for i, budget in enumerate(allocation.flops):
            at = {k: float(v) for k, v in quantile_columns(allocation.N[:, i]).items()}
            draw_interval(ax, float(budget), {**at, "actual": np.nan}, upright=True)
            tokens_there = float(np.median(allocation.D[:, i]))
            words = f"{short(at['median'])} parameters\n{short(tokens_there)} tokens"
            labels.append(ax.annotate(words, (budget, at["q95"]), (-6, 2), textcoords="offset points", fontsize=8,
                                      color=BLUE, ha="right", va="bottom"))  # fmt: skip
    start, end = min(C[0], runs.min()), max(C[-1], runs.max())
    if allocation.flops.max() >= end:
        end *= (end / start) ** EDGE
    if len(allocation.flops) <= MAX_MARKED:  # the first label stands to the left of its budget
        start = min(start, (allocation.flops.min() / end**LABEL_WIDTH) ** (1 / (1 - LABEL_WIDTH)))
    ax.set(xscale="log", yscale="log", xlim=(start, end))
    if len(allocation.flops) <= MAX_MARKED:
        ax.set_ylim(top=ax.get_ylim()[1] * LABEL_ROOM)
    lift_apart(labels)
    draw_beyond(ax, runs.max(), end)
    ax.set_xlabel(f"training FLOPs ({surface.rule.name})")
    ax.set_ylabel("best size (parameters)")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    title = f"How large a model each budget calls for: {surface.posterior.study.name}"
    where = (
        "bands: where the best size lies, 50 and 90 %" if len(C) > 1 else "bar: where the best size lies, 50 and 90 %"
    )
    headline(ax, title, f"{where}{thumb}   dots: fitted runs   shaded: beyond them")
    return ax


@house_style
def plot_regret(regret: Regret, ax: Axes | None = None) -> Axes:
    """Draw how many times the needed compute each size takes, with the range of sizes where that hardly matters.

    Parameters
    ----------
    regret : Regret
        What to draw: bars of up to six sizes, bands of more; sizes that take more than four times are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``Regret``.

    Examples
    --------
    >>> ax = plot_regret(bs.regret(posterior, 1e23))  # doctest: +SKIP
    """
    require_drawn(regret, Regret, "regret")
    ax = new_axes(ax, 7.2, 3.8)
    order = np.argsort(regret.N)
    N, levels = regret.N[order], np.stack(list(quantile_columns(regret.waste[:, order]).values()))
    at = {k: float(v) for k, v in quantile_columns(regret.best).items()}
    shown = levels[2] <= MAX_WASTE_SHOWN
    if few := shown.sum() <= MAX_MARKED:
        for size, level in zip(N[shown], levels[:, shown].T, strict=True):
            draw_interval(ax, size, {**dict(zip(QUANTILES, level, strict=True)), "actual": np.nan}, upright=True)
        ax.plot(N[shown], levels[2, shown], "o", color=BLUE, markersize=5, markeredgecolor="white", zorder=7)
        inside = np.array([*N[shown], at["q05"], at["q95"]])
        room = (inside.max() / inside.min()) ** SIDE_ROOM
        ends = inside.min() / room, inside.max() * room
    else:
        draw_band(ax, N, levels)
        ends = tuple(N[shown][[0, -1]])
    ax.set(xscale="log", ylim=(0.9, MAX_WASTE_SHOWN), xlim=ends)
    cheap = N[levels[4] <= MAX_CHEAP_WASTE]
    if len(cheap) > 1:
        ax.axvspan(cheap[0], cheap[-1], color=BLUE, alpha=0.08, linewidth=0, zorder=1)
        ax.annotate(
            f"{short(cheap[0])} to {short(cheap[-1])}:\nat most 10 % wasted\n(95 % sure)",
            (np.sqrt(cheap[0] * cheap[-1]), 0.62 * MAX_WASTE_SHOWN), ha="center", va="center", fontsize=9, color=BLUE,
        )  # fmt: skip
    draw_interval(ax, 0.95, {**at, "actual": np.nan})
    ticks = [1, 1.5, 2, 3, 4]
    ax.set_yticks(ticks, list(map(times, ticks)))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(f"parameters, at {regret.flops:.3g} FLOPs ({regret.surface.rule.name})")
    ax.set_ylabel("compute used / compute needed (times)")
    each = (
        "bars: 50 and 90 % of what a size costs, with its median" if few else "bands: 50 and 90 % of what a size costs"
    )
    words = f"{each}   bar at the bottom: where the best size lies, 50 and 90 %"
    left_out = N[~shown]
    if few and len(left_out) > MAX_MARKED:
        words += f"   left out, more than {times(MAX_WASTE_SHOWN)}: {len(left_out)} sizes"
    elif 0 < len(left_out) <= MAX_MARKED:  # of more, where there are bands, these leave the picture in plain sight
        words += f"   left out, more than {times(MAX_WASTE_SHOWN)}: {', '.join(map(short, left_out))}"
    if not shown.any():
        costs = [f"{short(size)} takes {times(cost)}" for size, cost in zip(N, levels[2], strict=True)]
        named = costs if len(costs) <= MAX_MARKED else [f"the best of {len(N)} takes {times(levels[2].min())}"]
        _say(ax, "\n".join([f"No size takes less than {times(MAX_WASTE_SHOWN)} the compute needed:", *named]))
    headline(ax, "What choosing another size costs", words)
    return ax


@house_style
def plot_reach(reach: Reach, ax: Axes | None = None) -> Axes:
    """Draw the probability of reaching a target over the budget, up to where it never comes.

    Parameters
    ----------
    reach : Reach
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``Reach``.

    Examples
    --------
    >>> ax = plot_reach(bs.reach(posterior, 2.1))  # doctest: +SKIP
    """
    require_drawn(reach, Reach, "reach")
    ax = new_axes(ax, 7.2, 3.8)
    paid = np.sort(reach.flops[np.isfinite(reach.flops)])
    if len(paid):
        ends = paid[0] / 2, quantile(paid, 0.99) * 2
        x = np.geomspace(*ends, 200)
        ax.plot(x, 100 * reach.probability(x), color=BLUE)
        ax.set(xscale="log", xlim=ends)
    else:
        runs = reach.surface.fitted_flops
        ax.set(xscale="log", xlim=(runs.min(), BEYOND_RUNS * runs.max()))
        _say(ax, "Never reached, whatever the budget")
    for level in (0.5, 0.9):
        budget = reach.budget(level)
        if np.isfinite(budget):
            ax.plot(budget, 100 * level, "o", color=BLUE, markersize=5, zorder=4)
            ax.annotate(f"{100 * level:.0f} %: {budget:.2g} FLOPs", (budget, 100 * level), (8, -3),
                        textcoords="offset points", fontsize=9, color=BLUE, va="top")  # fmt: skip
    if reach.never > 0:
        ax.axhspan(100 * (1 - reach.never), 100, color=STAR, alpha=0.15, linewidth=0)
        middle = min(100 - 50 * reach.never, TOP_LABEL)
        ax.annotate(f"never: {percent(reach.never)}", (0.01, middle), fontsize=9, color=STAR,
                    xycoords=("axes fraction", "data"), va="center")  # fmt: skip
    scale = scale_of(reach.surface.unit)
    ax.set_ylim(0, 100)
    ax.set_ylabel("probability (%)")
    ax.set_xlabel(f"training FLOPs ({reach.surface.convention})")
    where = {"optimum": "the best size for each budget", "C": "FLOPs as in the study"}.get(reach.along, reach.along)
    amount = f"{scale.factor * reach.target:.4g} {scale.said}".rstrip()
    headline(ax, f"What a {reach.surface.quantity} of {amount} takes", f"probability that a budget is enough; {where}")
    return ax


def _say(ax: Axes, words: str) -> None:
    """Say in the middle of the axes what a picture without lines means."""
    ax.annotate(words, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", fontsize=11, color=STAR,
                fontweight="bold")  # fmt: skip


@house_style
def plot_next_runs(found: NextRuns, ax: Axes | None = None) -> Axes:
    """Draw what each candidate run costs and how much narrower it makes the forecast.

    Parameters
    ----------
    found : NextRuns
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``NextRuns``.

    Examples
    --------
    >>> ax = plot_next_runs(bs.next_runs(posterior, candidates, {"N": 7e9, "D": 4e12}))  # doctest: +SKIP
    """
    require_drawn(found, NextRuns, "next_runs")
    ax = new_axes(ax)
    rows = found.ranking.assign(gain=100 * found.ranking["narrower"]).set_index("run")
    ax.plot(rows["flops"], rows["gain"], ".", color=BLUE, markersize=8, markeredgecolor="white", zorder=4)
    chosen, largest = list(found.batch["run"].head(MAX_NAMED)), found.baseline["run"].iloc[0]
    named = [(name, f"{place}. {brief(name)}", STAR) for place, name in enumerate(chosen, start=1)]
    if largest not in chosen:
        named.append((largest, f"{brief(largest)} (largest)", QUIET))
    low, high = min(rows["gain"].min(), 0.0), max(rows["gain"].max(), 1.0)
    ax.set(xscale="log", ylim=(low - 0.05 * (high - low) * (low < 0), high + 0.25 * (high - low)))
    if rows["flops"].max() < 10 * rows["flops"].min():
        plain_numbers(ax)
    middle = np.sqrt(rows["flops"].min() * rows["flops"].max())
    labels = []
    for run, words, colour in named:
        at = rows["flops"][run], rows["gain"][run]
        if colour == STAR:
            draw_star(ax, *at)
        right = at[0] > middle
        labels.append(ax.annotate(plain(words), at, (-7 if right else 7, 6), textcoords="offset points",
                                  fontsize=8, color=colour, ha="right" if right else "left"))  # fmt: skip
    places = ax.transData.transform(rows[["flops", "gain"]].to_numpy())
    reach = STAR_ROOM * ax.figure.dpi / 72
    lift_apart(labels, [Bbox([place - reach, place + reach]) for place in places])
    ax.set_xlabel("cost of the run (FLOPs)")
    ax.set_ylabel("forecast narrower by (% of its sd)")
    stars = "   ★ take these, in order" if chosen else f"   no affordable one narrows it by {percent(MIN_GAIN)}"
    words = f"dots: runs to choose from, each by itself; higher teaches more, further left costs less{stars}"
    if found.sd_slope:
        words += f"   knowing the law: {percent(found.removable)} narrower; the rest is its slope beyond the runs"
    headline(ax, f"Which run to pay for next, to forecast {found.target}", words)
    return ax


@house_style
def plot_ladder_plans(plans: LadderPlans, ax: Axes | None = None) -> Axes:
    """Draw how wide the forecast will be over what each planned ladder costs.

    Parameters
    ----------
    plans : LadderPlans
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TargetError
        What is given is not of the class ``LadderPlans``.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayes_scaling.plots import close
    >>> widths = pd.DataFrame({"plan": "eight runs", "family": range(3), "width90": [0.1, 0.12, 0.2]})
    >>> costs = pd.DataFrame([{"plan": "eight runs", "runs": 8, "flops": 1e20, "largest": 5e19}])
    >>> plans = LadderPlans(widths.assign(error=0.0, in90=True), costs, families=3, target="7B", quantity="loss")
    >>> ax = plot_ladder_plans(plans)
    >>> ax.get_ylabel()
    'width of the 90 % interval (% of the outcome)'
    >>> close(ax.figure)
    """
    require_drawn(plans, LadderPlans, "plan_ladders")
    ax = new_axes(ax)
    table = plans.table().dropna(subset=["median"])
    ax.set(xscale="log", ylim=(0, 1.25 * 100 * float(table["q95"].max()) if len(table) else 1.0))
    if len(table):
        least, most = table["flops"].min(), table["flops"].max()
        room = max((most / least) ** COST_ROOM, LEAST_COST_ROOM)
        ax.set_xlim(least / room, most * room)
    powers_of_ten(ax)
    labels = []
    places = side_by_side(ax, table["flops"].to_numpy(dtype=float), ax.get_xlim())
    for place, row in zip(places, table.to_dict("records"), strict=True):
        at = {k: 100 * row[k] for k in QUANTILES}
        draw_interval(ax, float(place), {**at, "actual": np.nan}, upright=True)
        name = textwrap.fill(str(row["plan"]), LETTERS)
        labels.append(ax.annotate(plain(f"{name}\n{row['runs']} runs"), (place, at["q95"]), (0, 5), ha="center",
                                  textcoords="offset points", fontsize=8, color=BLUE))  # fmt: skip
    lift_apart(labels)
    ax.set_xlabel("FLOPs of the whole ladder")
    ax.set_ylabel("width of the 90 % interval (% of the outcome)")
    words = f"bars: 50 and 90 % of {plans.families} simulated families; lower is better"
    headline(ax, f"How well each ladder will forecast {plans.target}", words)
    return ax
