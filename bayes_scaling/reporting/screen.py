"""A forecast on the screen, and what is said while it is being made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bayes_scaling.forecasts import quantiles
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.study.flops import measured

if TYPE_CHECKING:
    from bayes_scaling.evaluation.averaging import AveragedForecast
    from bayes_scaling.problems import Problems
    from bayes_scaling.reporting.result import Result

__all__ = [
    "WIDTH",
    "inside",
    "output",
    "print_caveats",
    "print_remarks",
    "print_result",
    "state",
    "status",
    "to_one_side",
    "verdict",
]

WIDTH = 100


def output() -> Console:
    """Return the console of the tables: the terminal's width, at most 100 columns; 100 where there is no terminal."""
    console = verbatim()
    return verbatim(width=min(WIDTH, console.width) if console.is_terminal else WIDTH)


def verbatim(**options: Any) -> Console:
    """Return a console that shows text as it is: brackets and colons in the names of users are no marks."""
    return Console(markup=False, emoji=False, highlight=False, **options)


@contextmanager
def status(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show on the error stream what is being done and for how long; yields the function that says it."""
    console = verbatim(stderr=True)
    if quiet or not console.is_terminal:
        yield (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True))
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("Starting ...", total=None)  # compiling and sampling do not say how far they are

        def say(words: str) -> None:
            progress.update(bar, description=words)

        yield say


def print_remarks(remarks: Sequence[str], quiet: bool) -> None:
    """Print what was done in reading a table that was not asked for."""
    for remark in remarks if not quiet else ():
        output().print(remark)


def print_caveats(caveats: Problems, console: Console) -> None:
    """Print what speaks against an answer, a sentence each."""
    for problem in caveats:
        console.print(f"Caveat: {problem}", style="yellow")


def print_result(result: Result, console: Console, written: Sequence[Path] = ()) -> None:
    """Print a forecast: a table per quantity and unit, then how it fared and how the fit went."""
    rows = result.rows()
    for (quantity, _), of_it in rows.groupby(["quantity", "unit"]):  # accuracy, then losses
        console.print(forecast_table(result.with_mean(of_it), quantity))
        known = of_it[of_it["actual"].notna()]
        if len(known):
            console.print(verdict(known), style="bold")
    of_all, furthest = result.forecast.targets["distance"], result.furthest()
    words = {t: " ({}: {:.3g} x)".format(*one) for t, one in furthest.items()}
    far = ", ".join(f"{t}: {d:.3g} x{words.get(t, '')}" for t, d in of_all.items() if np.isfinite(d))
    if far:
        what = measured(result.forecast.measure)
        first = what if "_" in what else what[:1].upper() + what[1:]  # a column keeps its name
        console.print(f"{first} over those of the largest fitted run: {far}.")
    if result.averaged is not None:
        console.print(weighed(result.averaged))
    print_caveats(result.caveats, console)
    console.print(f"{state(result.diagnostics())}; {result.law}, seed {result.seed}, {result.seconds:.0f} s.")
    if written:
        console.print("Written to " + " and ".join(map(str, written)) + ".")


def state(found: Mapping[str, Any]) -> str:
    """Say whether fits converged, by the worst of what they say of themselves, with their effective draws."""
    ess = min(found["min_ess_bulk"], found["min_ess_tail"])
    return f"{convergence(found)}, effective draws {ess:.0f}, {found['divergences']} divergences"


def convergence(found: Mapping[str, Any]) -> str:
    """Say whether fits converged, by the worst of what they say of themselves."""
    word = "Converged" if found["converged"] else "NOT CONVERGED, do not rely on this"
    return f"{word}: R-hat {found['max_rhat']:.3f}"


def weighed(forecast: AveragedForecast) -> str:
    """Say in sentences which laws were averaged, and how their backtests went."""
    tests, alone = forecast.backtests, len(forecast.weights) == 1 and forecast.left_out
    if alone:
        how = "has a forecast" if forecast.refused else "converged"
        laws = f"Law: {forecast.weights.index[0]}, the only one of {1 + len(forecast.left_out)} that {how}."
    else:
        untested = f"with equal weights{'' if forecast.through_losses else ' for want of runs to test them on'}"
        how = untested if tests.empty else "weighed by backtests on these runs"
        laws = f"Laws, {how}: {', '.join(f'{name} {weight:.2f}' for name, weight in forecast.weights.items())}."
    if tests.empty:
        return laws
    error = f"{100 * tests['error'].abs().median():.1f} %{to_one_side(tests)}"
    return (
        f"{laws}  In {'backtests on these runs' if alone else 'them'} {int(tests['inside'].sum())} of {len(tests)} "
        f"outcomes lay inside the 90 % interval; median error {error}."
    )


def to_one_side(tests: pd.DataFrame) -> str:
    """Say of backtests that all of their forecasts err to one side; of others nothing."""
    if tests["error"].gt(0).all():
        return ", every forecast too high"
    return ", every forecast too low" if tests["error"].lt(0).all() else ""


def forecast_table(rows: pd.DataFrame, quantity: str) -> Table:
    """Return the table of one quantity: median, 50 and 90 % intervals of a new run, and the outcome."""
    factor, unit, digits, _ = scale_of(rows["unit"].iloc[0], rows["median"])
    table = Table(box=SIMPLE_HEAD, title=f"{quantity} ({unit})", title_justify="left")
    tasks, known = rows["task"].notna().any(), rows["actual"].notna().any()
    for heading in (*(("task",) if tasks else ()), "target"):
        table.add_column(heading, overflow="fold")
    for heading in ("median", "50 % interval", "90 % interval", *(("actual",) if known else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    if known:
        table.add_column("inside", no_wrap=True)
    last = None
    for row in rows.to_dict("records"):
        show = {k: f"{factor * v:.{digits}f}" for k, v in row.items() if isinstance(v, float)}
        cells: list[str | Text] = [str(row["task"]) if row["task"] != last else ""] if tasks else []
        cells += [
            str(row["target"]),
            show["median"],
            f"{show['q25']} to {show['q75']}",
            f"{show['q05']} to {show['q95']}",
        ]
        if known:
            cells += [show["actual"] if np.isfinite(row["actual"]) else "-", inside(row)]
        table.add_row(*cells)
        last = row["task"]
    return table


def inside(row: Mapping[str, float]) -> Text:
    """Say in a word where the outcome fell."""
    if not np.isfinite(row["actual"]):
        return Text("-")
    for level in (50, 90):
        if quantiles.inside(row, row["actual"], level):
            return Text(f"in {level} %", style="green")
    return Text("outside", style="bold red")


def verdict(rows: pd.DataFrame) -> str:
    """Say in one line how a forecast fared against outcomes."""
    within = {level: int(quantiles.inside(rows, rows["actual"], level).sum()) for level in (50, 90)}
    factor, _, digits, gap = scale_of(rows["unit"].iloc[0], rows["median"])
    error = factor * (rows["median"] - rows["actual"]).abs().mean()
    words = f"{error:.{digits}f} {gap}".rstrip()
    return (
        f"{within[90]} of {len(rows)} inside the 90 % interval, {within[50]} inside the 50 %; "
        f"mean absolute error {words}."
    )
