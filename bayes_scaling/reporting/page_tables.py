"""The tables of a report: numbers as a reader sees them, with their units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.evaluation.labels import entry_labels, parameters
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.forecasts.forecast import BANDS, Forecast
from bayes_scaling.reporting.result import Result
from bayes_scaling.reporting.screen import inside, to_one_side
from bayes_scaling.study.card import bare_unit
from bayes_scaling.study.flops import measured
from bayes_scaling.study.rows import absent

if TYPE_CHECKING:
    from bayes_scaling.evaluation.averaging import AveragedForecast
    from bayes_scaling.inference.posterior import Posterior

__all__ = [
    "Grid",
    "answers",
    "backtests",
    "bands",
    "columns",
    "constants",
    "criteria",
    "diagnostics",
    "distances",
    "intervals",
    "learnt",
    "routes",
    "targets",
    "weights",
]

UNITS = {"n_params": "parameters", "tokens": "tokens", "flops": "FLOPs", "accuracy": "fraction"}
CRITERIA = {"loo": "LOO", "waic": "WAIC", "run": "leave one run out"}


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table of text: headings, rows of the same length, and how many of the columns are words, not numbers."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclasses.dataclass(frozen=True)
class Answer:
    """One forecast in three numbers: median, interval, outcome where it is known."""

    task: str
    target: str
    median: str
    half: str
    most: str
    actual: str


class Writer:
    """Writes the numbers of a quantity: fractions in per cent, losses in their unit, small ones in more digits."""

    def __init__(self, unit: str, medians: Iterable[float] = ()) -> None:
        self.factor, self.unit, self.digits, _ = scale_of(unit, medians)

    def show(self, value: float) -> str:
        """Return a number, or a dash where it is not known."""
        return f"{self.factor * value:.{self.digits}f}" if np.isfinite(value) else "–"

    def span(self, low: float, high: float) -> str:
        """Return an interval."""
        return f"{self.show(low)} to {self.show(high)}"


def answers(result: Result) -> tuple[list[Answer], str]:
    """Return the forecasts of the quantity that answers first, and its unit."""
    rows = result.rows()
    rows = result.with_mean(rows[rows["quantity"] == result.forecast.head])
    scale = Writer(rows["unit"].iloc[0], rows["median"])
    found = [
        Answer(
            task=row["task"] if isinstance(row["task"], str) else "",
            target=str(row["target"]),
            median=scale.show(row["median"]),
            half=scale.span(row["q25"], row["q75"]),
            most=scale.span(row["q05"], row["q95"]),
            actual=scale.show(row["actual"]) if np.isfinite(row["actual"]) else "",
        )
        for row in rows.to_dict("records")
    ]
    return found, scale_of(rows["unit"].iloc[0]).said


def weights(forecast: AveragedForecast) -> Grid:
    """Return the weight of each law, and the error of its slope as a share of it."""
    lines = [
        [name, f"{weight:.2f}", *(f"{moment:.2f}" for moment in forecast.posteriors[name].law.slope_moments)]
        for name, weight in forecast.weights.items()
    ]
    lines += [
        [name, "has no forecast" if name in forecast.refused else "did not converge", "", ""]
        for name in forecast.left_out
    ]
    return Grid("Laws averaged", ["law", "weight", "relative error of the slope", "its spread"], lines)


def backtests(result: Result) -> Grid:
    """Return the runs that were forecast from smaller ones: interval, outcome, error, and where it fell."""
    assert result.averaged is not None
    rows = result.averaged.backtests
    scale = Writer(result.rows()["unit"].iloc[0], rows["median"])
    lines = [
        [
            f"{row['cut']:.2g} ({row['fitted']})",
            str(row["run"]),
            scale.show(row["median"]),
            scale.span(row["q05"], row["q95"]),
            scale.show(row["actual"]),
            f"{100 * row['error']:+.1f} %",
            inside(row).plain,
        ]
        for row in rows.to_dict("records")
    ]
    headings = ["FLOPs fitted (runs)", "run", "median", "90 % interval", "actual", "error", "inside"]
    caption = f"Backtests: larger runs forecast from smaller ones{to_one_side(rows)}"
    return Grid(caption, headings, lines, words=2)


def intervals(result: Result) -> list[Grid]:
    """Return a table per quantity and unit: median, 50 and 90 % interval of a new run, outcome, and where it fell."""
    found = []
    for (quantity, _), rows in result.rows().groupby(["quantity", "unit"]):
        scale = Writer(rows["unit"].iloc[0], rows["median"])
        tasks, known = rows["task"].notna().any(), rows["actual"].notna().any()
        headings = [*(["task"] if tasks else []), "target", "median", "90 % interval", "50 % interval"]
        lines = []
        for row in rows.to_dict("records"):
            cells = [*([str(row["task"])] if tasks else []), str(row["target"]), scale.show(row["median"])]
            cells += [scale.span(row["q05"], row["q95"]), scale.span(row["q25"], row["q75"])]
            lines.append([*cells, *([scale.show(row["actual"]), inside(row).plain] if known else [])])
        headings += ["actual", "inside"] if known else []
        found.append(Grid(f"{quantity} ({scale.unit})", headings, lines, words=1 + tasks))
    return found


def targets(result: Result) -> Grid:
    """Return the inputs of each target and how far it lies beyond the fitted runs."""
    posterior, frame = result.posteriors[0], result.forecast.targets
    units = units_of(posterior)
    pairs = [(symbol, name) for symbol, name in posterior.law.readable.items() if name in frame]
    inputs = [f"{symbol} ({bare_unit(units[name])})" if name in units else symbol for symbol, name in pairs]
    headings = ["target", *inputs, f"distance ({measured(result.forecast.measure)} over the largest fitted)"]
    rows = [
        [str(label), *("–" if absent(row[name]) else f"{row[name]:.4g}" for _, name in pairs), far]
        for label, row, far in zip(frame.index, frame.to_dict("records"), distances(result), strict=True)
    ]
    return Grid("Runs to forecast", headings, rows)


def columns(result: Result) -> Grid:
    """Return the range of each column that the law reads or that has a unit, over fitted runs and runs to forecast."""
    study, law = result.study, result.posteriors[0].law
    units = dict.fromkeys(law.readable.values(), "as given") | units_of(result.posteriors[0])
    parts = {"fitted runs": study.training.frame}
    if "role" in study.frame and (study.frame["role"] == "target").any():
        parts["runs to forecast"] = study.targets.frame
    names = [c for c in study.frame if c in units and pd.api.types.is_numeric_dtype(study.frame[c])]
    rows = [[name, units[name], *(extent(frame[name]) for frame in parts.values())] for name in names]
    return Grid("Columns and their ranges", ["column", "unit", *parts], rows, words=2)


def learnt(fit: str, posterior: Posterior, shares: pd.Series) -> Grid:
    """Return each parameter's prior, posterior and contraction; ranges over the series where there are several."""
    rows = []
    for name in parameters(posterior):
        before, after = (posterior.tree[group].dataset[name] for group in ("prior", "posterior"))
        labels = entry_labels(after)
        prior = np.quantile(before.to_numpy(), [0.05, 0.95])
        low, middle, high = np.quantile(after.to_numpy(), [0.05, 0.5, 0.95], axis=(0, 1)).reshape(3, -1)
        several = len(labels) > 1
        rows.append([
            f"{name} ({len(labels)} series)" if several else name,
            f"{prior[0]:.3g} to {prior[1]:.3g}",
            f"{middle.min():.3g} to {middle.max():.3g}" if several else f"{middle[0]:.3g}",
            f"{low.min():.3g} to {high.max():.3g}",
            f"{shares[labels].min():.2f}",
        ])  # fmt: skip
    headings = ["parameter", "prior, 90 %", "posterior median", "posterior, 90 %", "contraction"]
    return Grid(f"What the runs taught {fit}", headings, rows)


def constants(fit: str, posterior: Posterior) -> Grid | None:
    """Return the references of a law and the constants that follow from its parameters; None where it has neither."""
    law, tree = posterior.law, posterior.tree
    known = tree["constant_data"].dataset
    rows = [
        [str(name), "centre of the fitted runs: geometric mean", f"{float(known[name]):.4g}"]
        for name in law.inputs
        if name not in law.run_inputs and name in known and known[name].ndim == 0
    ]
    for name, values in tree["derived"].dataset.data_vars.items() if "derived" in tree.children else ():
        low, middle, high = np.quantile(values.to_numpy(), [0.05, 0.5, 0.95], axis=(0, 1)).reshape(3, -1)
        span = f"{low.min():.3g} to {high.max():.3g}"
        median = f"{middle[0]:.3g}" if len(middle) == 1 else f"{middle.min():.3g} to {middle.max():.3g}"
        rows.append([str(name), "follows from the parameters", f"{median} (90 %: {span})"])
    return Grid(f"References and constants of {fit}", ["name", "what it is", "value"], rows, words=2) if rows else None


def diagnostics(fits: Mapping[str, Posterior]) -> Grid:
    """Return how each fit went, the limits in the headings."""
    headings = [
        "fit",
        "R-hat (at most 1.01)",
        "effective draws",
        "in the tails",
        "divergences",
        "E-BFMI (at least 0.3)",
    ]
    rows = []
    for name, d in ((name, posterior.diagnostics) for name, posterior in fits.items()):
        counts = [f"{d.min_ess_bulk:.0f}", f"{d.min_ess_tail:.0f}", f"{d.divergences} of {d.draws}"]
        energy = f"{d.min_bfmi:.2f}" if np.isfinite(d.min_bfmi) else "–"
        rows.append([name, f"{d.max_rhat:.3f}", *counts, energy])
    return Grid("Sampling", headings, rows)


def bands(result: Result) -> Grid:
    """Return what widens the interval: 90 % of the law alone, with the discrepancy, and of a new run."""
    names = {"law": "law alone", "mean": "law and discrepancy", "run": "a new run"}
    parts = {names[band]: result.forecast.intervals(band) for band in reversed(BANDS)}
    return side_by_side("What the 90 % interval is made of", result.forecast.head, parts)


def routes(result: Result, forecasts: Mapping[str, Forecast]) -> Grid:
    """Return the 90 % interval of every fit beside that of the report."""
    parts = {"this report": result.forecast.intervals()}
    parts |= {name: one.intervals() for name, one in forecasts.items() if result.forecast.head in one.units}
    return side_by_side("Median and 90 % interval by fit", result.forecast.head, parts, median=True)


def side_by_side(caption: str, quantity: str, parts: Mapping[str, pd.DataFrame], *, median: bool = False) -> Grid:
    """Return 90 % intervals of one quantity, a row per target and task of the first part, a column per part."""
    tables = {
        name: rows[rows["quantity"] == quantity].fillna({"task": ""}).set_index(["task", "target"])
        for name, rows in parts.items()
    }
    first = next(iter(tables.values()))
    scale = Writer(first["unit"].iloc[0], first["median"])

    def cell(table: pd.DataFrame, place: tuple[str, Any]) -> str:
        if place not in table.index:  # another fit may be of other tasks
            return "–"
        row = table.loc[place]
        return (f"{scale.show(row['median'])}: " if median else "") + scale.span(row["q05"], row["q95"])

    tasks = any(task for task, _ in first.index)
    rows = [
        [*([task] if tasks else []), str(target), *(cell(table, (task, target)) for table in tables.values())]
        for task, target in first.index
    ]
    headings = [*(["task"] if tasks else []), "target", *tables]
    return Grid(f"{caption}: {quantity} ({scale.unit})", headings, rows, words=1 + tasks)


def criteria(table: pd.DataFrame) -> Grid:
    """Return the criteria of :func:`bayes_scaling.compare`, the best fit first."""
    headings = ["fit", *(f"{words}: {what}" for words in CRITERIA.values() for what in ("difference", "unreliable"))]
    rows = [
        [str(name), *(cell for c in CRITERIA for cell in (
            f"{row[f'diff_{c}']:+.1f} ± {row[f'se_diff_{c}']:.1f}", f"{row[f'high_{c}']:.0f}"
        ))]
        for name, row in table.iterrows()
    ]  # fmt: skip
    return Grid("Expected log predictive density (nats), as difference to the best", headings, rows)


def units_of(posterior: Posterior) -> dict[str, str]:
    """Return the unit of each column: the card's, otherwise the law's, otherwise the package's."""
    return {**UNITS, **posterior.series_units, **posterior.units, **posterior.study.card.units}


def extent(values: pd.Series) -> str:
    """Return the range of a column; a dash where it holds nothing."""
    known = values.dropna()
    if known.empty:
        return "–"
    low, high = (f"{v:.4g}" for v in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"


def distances(result: Result) -> list[str]:
    """Return how far each target is, and the task whose own runs it lies furthest beyond, where not all are as far."""
    words = {target: f" ({task}: {times(far)})" for target, (task, far) in result.furthest().items()}
    return [f"{times(far)}{words.get(target, '')}" for target, far in result.forecast.targets["distance"].items()]


def times(distance: float) -> str:
    """Return an extrapolation distance."""
    return f"{distance:.3g} ×" if np.isfinite(distance) else "cannot be told"
