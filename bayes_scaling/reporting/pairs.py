"""Losses forecast from other losses: rows of all pairs, on the screen and in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bayes_scaling.files import as_json, atomic_folder, write_json
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.reporting.result import records
from bayes_scaling.reporting.screen import output
from bayes_scaling.study.pairing import Pairing

__all__ = ["pair_rows", "print_pairs", "write_pairs"]


def pair_rows(pairing: Pairing, forecast: Forecast) -> pd.DataFrame:
    """Return the intervals of a pair's targets."""
    counts = {"pair": pairing.study.name, "paired": pairing.paired, "left_out": len(pairing.left_out)}
    return forecast.intervals().drop(columns=["task", "quantity"]).assign(**counts)


def write_pairs(rows: pd.DataFrame, study: str, seed: int, folder: Path | None, file: Path | None) -> None:
    """Write ``pairs.csv`` and ``pairs.json`` to the folder, and the JSON to the file; each whole or not at all."""
    document = {"study": study, "seed": seed, "rows": records(rows)}
    if folder:
        with atomic_folder(folder) as stage:
            rows.to_csv(stage / "pairs.csv", index=False, float_format="%.8g")
            (stage / "pairs.json").write_text(as_json(document), encoding="utf-8")
    if file:
        write_json(document, file)


def print_pairs(rows: pd.DataFrame, pairings: Sequence[Pairing]) -> None:
    """Print a row per pair and target, and what was left out."""
    console = output()
    units = ", ".join(rows["unit"].unique())
    table = Table(box=SIMPLE_HEAD, title=f"A loss from another ({units})", title_justify="left")
    for heading in ("pair", "target"):
        table.add_column(heading)
    for heading in ("pairs", "median", "50 % interval", "90 % interval", "actual"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        shown = {k: f"{v:.3f}" for k, v in row.items() if isinstance(v, float)}
        cells = [row["pair"], str(row["target"]), str(row["paired"])]
        cells += [shown["median"], f"{shown['q25']} to {shown['q75']}", f"{shown['q05']} to {shown['q95']}"]
        cells.append(shown["actual"] if row["actual"] == row["actual"] else "-")
        table.add_row(*cells)
    console.print(table)
    known = rows[rows["actual"].notna()] if "actual" in rows else rows.iloc[:0]
    if len(known):
        inside = int(((known["q05"] <= known["actual"]) & (known["actual"] <= known["q95"])).sum())
        error = 100 * (known["median"] / known["actual"] - 1).abs().mean()
        console.print(f"{inside} of {len(known)} inside the 90 % interval; mean absolute error {error:.2f} %.")
    alone = sum(len(p.left_out) for p in pairings)
    left = f"{alone} runs were left out for want of" if alone > 1 else "1 run was left out for want of"
    console.print(f"{left} a partner." if alone else "Every run has a partner.")
