"""What came of a registered forecast, on the screen and in a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bayes_scaling.errors import listed
from bayes_scaling.files import write_json
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.forecasts.registered import RegisteredForecast
from bayes_scaling.reporting.result import records
from bayes_scaling.reporting.screen import inside, verdict

__all__ = ["print_scores", "score_rows", "write_scores"]


def write_scores(said: RegisteredForecast, scores: pd.DataFrame, path: Path) -> None:
    """Write scores as JSON to one file."""
    head = {name: getattr(said, name) for name in ("made", "version", "law", "study", "checksum", "seed")}
    write_json({**head, "rows": records(scores), "remarks": scores.attrs.get("remarks", [])}, path)


def print_scores(
    said: RegisteredForecast,
    scores: pd.DataFrame,
    console: Console,
    path: Path | None = None,
    new: int = 0,
    register: pd.DataFrame | None = None,
) -> None:
    """Print a table per quantity and unit, then what was forecast and when, remarks, what is open, and the register.

    Parameters
    ----------
    said : RegisteredForecast
        The forecast.
    scores : DataFrame
        What :func:`bayes_scaling.score` returned.
    console : rich.console.Console
        Where to print.
    path : Path, optional
        The register that was appended to.
    new : int
        How many rows of it are new.
    register : DataFrame, optional
        All that it holds.
    """
    for _, of_it in scores.groupby(["quantity", "unit"], sort=False):  # losses may be in several
        console.print(score_rows(said, of_it))
        console.print(verdict(_with_quartiles(said, of_it)), style="bold")
    console.print(
        f"Forecast of {said.made or 'an unknown time'} by {said.law} on {said.study}, version {said.version}."
    )
    for remark in scores.attrs.get("remarks", []):
        console.print(remark, style="yellow")
    if left := _not_scored(said, scores):
        console.print(f"Not scored yet: {listed(left)}.")
    if path is not None and register is not None:
        held = int(register["in90"].astype(str).eq("True").sum())
        rows_new = f"{new} {'row' if new == 1 else 'rows'} appended to {path}"
        console.print(f"{rows_new}; {held} of the {len(register)} there lie inside their 90 % interval.")


def score_rows(said: RegisteredForecast, scores: pd.DataFrame) -> Table:
    """Return the table of one quantity in one unit: median, 90 % interval, outcome, where it fell, z, PIT and CRPS."""
    factor, unit, digits, gap = scale_of(scores["unit"].iloc[0], scores["median"])
    table = Table(box=SIMPLE_HEAD, title=f"{scores['quantity'].iloc[0]} ({unit})", title_justify="left")
    tasks = scores["task"].notna().any()
    for heading in (*(("task",) if tasks else ()), "target"):
        table.add_column(heading, overflow="fold", min_width=len(heading))
    own = "CRPS" if gap in ("", unit) else f"CRPS ({gap})"  # what the title says is not said again
    for heading in ("median", "90 % interval", "actual", "inside", "z", "PIT", own):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _with_quartiles(said, scores).to_dict("records"):
        show = {k: f"{factor * row[k]:.{digits}f}" for k in ("median", "q05", "q95", "actual")}
        cells = [str(row["task"])] if tasks else []
        cells += [str(row["target"]), show["median"], f"{show['q05']} to {show['q95']}", show["actual"]]
        scored = [f"{row['z']:+.2f}", f"{row['pit']:.2f}", f"{factor * row['crps']:.{digits + 1}f}"]
        table.add_row(*cells, inside(row), *scored)
    return table


def _not_scored(said: RegisteredForecast, scores: pd.DataFrame) -> list[str]:
    """Return the targets of which nothing is known, and what is not known of the others."""
    keys = ["target", "task", "quantity"]
    done = set(scores[keys].fillna("").itertuples(index=False, name=None))
    begun = {target for target, _, _ in done}
    left: dict[str, list[str]] = {}
    for target, task, quantity in said.rows[keys].fillna("").itertuples(index=False, name=None):
        if (target, task, quantity) not in done:
            what = task if task.endswith(quantity) else f"{quantity} in {task}" if task else quantity
            left.setdefault(target, []).append(what)
    return [f"{target} ({listed(what)})" if target in begun else target for target, what in left.items()]


def _with_quartiles(said: RegisteredForecast, scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with the quartiles of what was forecast, which the words of the screen read."""
    keys = ["target", "task", "quantity"]
    levels = said.rows[keys].assign(q25=said.level(0.25), q75=said.level(0.75)).fillna({"task": ""})
    return scores.fillna({"task": ""}).merge(levels, on=keys).assign(task=lambda t: t["task"].replace("", None))
