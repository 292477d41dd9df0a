"""Tables and status lines on the screen."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from bayes_scaling.law import Law
    from bayes_scaling.results import Result
    from bayes_scaling.study import Card

__all__ = ["law_table", "output", "print_result", "status", "study_table"]

WIDTH = 100


def output() -> Console:
    """Return the console of the tables: the terminal's width, at most 100 columns; 100 where there is no terminal."""
    console = Console(highlight=False)
    width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    return Console(highlight=False, width=width)


@contextmanager
def status(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show on the error stream what is being done; yields the function that says it."""
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        yield (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True))
        return
    with console.status("Starting ...") as line:
        yield line.update


def law_table(laws: Mapping[str, Law]) -> Table:
    """Return the table of the laws."""
    table = Table("law", "inputs", "forecasts", "equation", box=SIMPLE_HEAD, title="Laws", title_justify="left")
    for name, law in laws.items():
        forecasts = "; ".join(f"{quantity} ({unit})" for quantity, unit in law.quantities.items())
        table.add_row(name, ", ".join(law.run_inputs), forecasts, plain(law.equation))
    return table


def plain(equation: str) -> str:
    r"""Return a LaTeX equation as plain text.

    Examples
    --------
    >>> plain(r"L = E + A / N^{\alpha_N}")
    'L = E + A / N^alpha_N'
    """
    for old, new in (
        (r"\mathrm{", ""),
        (r"\to", "->"),
        (r"\,", " "),
        (r"\quad", " with"),
        ("{", ""),
        ("}", ""),
        ("\\", ""),
    ):
        equation = equation.replace(old, new)
    return " ".join(equation.split())


def study_table(cards: Mapping[str, Card]) -> Table:
    """Return the table of the studies; rows are counted where the package carries the table."""
    from bayes_scaling.data import embedded
    from bayes_scaling.study import Study

    table = Table(box=SIMPLE_HEAD, title="Studies", title_justify="left", show_lines=True)
    for heading in ("study", "rows", "units", "licence", "embedded"):
        width = {"licence": 22, "embedded": 8}.get(heading)
        table.add_column(heading, justify="right" if heading == "rows" else "left", width=width)
    for name, card in cards.items():
        carried = embedded(name)
        rows = str(len(Study.load(name))) if carried else "-"
        table.add_row(name, rows, unit_lines(card.units), card.licence, "yes" if carried else "no")
    return table


def unit_lines(units: Mapping[str, str]) -> str:
    """Return the columns by their unit, a line each; what a card adds in brackets is left to the card.

    Examples
    --------
    >>> unit_lines({"loss": "nats", "c4_loss": "nats (on C4)"})
    'nats: loss, c4_loss'
    """
    columns: dict[str, list[str]] = {}
    for column, unit in units.items():
        columns.setdefault(re.split(r" \(|: ", unit)[0], []).append(column)
    return "\n".join(f"{unit}: {', '.join(names)}" for unit, names in columns.items())


def print_result(result: Result, console: Console, written: Sequence[Path] = ()) -> None:
    """Print a forecast: a table per quantity, then how it fared and how the fit went."""
    rows = result.rows()
    for quantity in sorted(rows["quantity"].unique()):  # accuracy, then loss
        of_it = rows[rows["quantity"] == quantity]
        console.print(forecast_table(of_it, quantity))
        known = of_it[of_it["actual"].notna()]
        if len(known):
            console.print(verdict(known, quantity), style="bold")
    far = ", ".join(f"{t}: {d:.3g} x" for t, d in result.forecast.targets["distance"].items() if np.isfinite(d))
    if far:
        console.print(f"Training FLOPs over those of the largest fitted run: {far}.")
    for problem in result.caveats:
        console.print(f"Caveat: {problem}", style="yellow")
    d = result.diagnostics()
    state = "Converged" if d["converged"] else "NOT CONVERGED, do not rely on this"
    ess = min(d["min_ess_bulk"], d["min_ess_tail"])
    console.print(
        f"{state}: R-hat {d['max_rhat']:.3f}, effective draws {ess:.0f}, {d['divergences']} divergences; "
        f"{result.law}, seed {result.seed}, {result.seconds:.0f} s."
    )
    if written:
        console.print("Written to " + " and ".join(map(str, written)) + ".")


def scale_of(quantity: str, unit: str) -> tuple[float, str, int]:
    """Return (factor, unit, decimals) to show a quantity in: accuracies in points, losses in their unit."""
    return (100.0, "points", 1) if quantity == "accuracy" and unit == "fraction" else (1.0, unit, 3)


def forecast_table(rows: pd.DataFrame, quantity: str) -> Table:
    """Return the table of one quantity: median, 50 and 90 % intervals of a new run, and the outcome."""
    factor, unit, digits = scale_of(quantity, rows["unit"].iloc[0])
    table = Table(box=SIMPLE_HEAD, title=f"{quantity} ({unit})", title_justify="left")
    tasks = rows["task"].notna().any()
    for heading in (*(("task",) if tasks else ()), "target"):
        table.add_column(heading)
    for heading in ("median", "50 % interval", "90 % interval", "actual"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("inside", no_wrap=True)
    last = None
    for row in rows.sort_values("task", kind="stable", key=order_of(rows["task"])).to_dict("records"):
        show = {k: f"{factor * v:.{digits}f}" for k, v in row.items() if isinstance(v, float)}
        cells: list[str | Text] = [str(row["task"]) if row["task"] != last else ""] if tasks else []
        cells += [str(row["target"]), show["q50"], f"{show['q25']} to {show['q75']}", f"{show['q05']} to {show['q95']}"]
        table.add_row(*cells, show["actual"] if np.isfinite(row["actual"]) else "-", inside(row))
        last = row["task"]
    return table


def order_of(tasks: pd.Series) -> Callable[[pd.Series], pd.Series]:
    """Return the sort key that keeps tasks in the order of the table."""
    place = {task: i for i, task in enumerate(tasks.drop_duplicates())}
    return lambda column: column.map(place)


def inside(row: Mapping[str, float]) -> Text:
    """Say in a word where the outcome fell."""
    if not np.isfinite(row["actual"]):
        return Text("-")
    for level, low, high in ((50, "q25", "q75"), (90, "q05", "q95")):
        if row[low] <= row["actual"] <= row[high]:
            return Text(f"in {level} %", style="green")
    return Text("outside", style="bold red")


def verdict(rows: pd.DataFrame, quantity: str) -> str:
    """Say in one line how a forecast fared against outcomes."""
    within = {
        level: int(((rows[low] <= rows["actual"]) & (rows["actual"] <= rows[high])).sum())
        for level, low, high in ((90, "q05", "q95"), (50, "q25", "q75"))
    }
    factor, unit, digits = scale_of(quantity, rows["unit"].iloc[0])
    error = factor * (rows["q50"] - rows["actual"]).abs().mean()
    return (
        f"{within[90]} of {len(rows)} inside the 90 % interval, {within[50]} inside the 50 %; "
        f"mean absolute error {error:.{digits}f} {unit}."
    )
