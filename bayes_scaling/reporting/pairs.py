"""Losses forecast from other losses: rows of all pairs, on the screen and in files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bayes_scaling import plots
from bayes_scaling.errors import listed
from bayes_scaling.evaluation.diagnose import diagnose
from bayes_scaling.files import as_json, atomic_folder, write_json
from bayes_scaling.forecasts.display import scale_of
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.path import ForecastPath, forecast_path
from bayes_scaling.forecasts.quantiles import inside
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.plots.style import write_png
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.result import caveat_records, plain, records, worst
from bayes_scaling.reporting.screen import output, print_caveats, state
from bayes_scaling.study.design import design_check
from bayes_scaling.study.pairing import Pairing

__all__ = ["NAMES", "Pairs", "print_pairs", "write_pairs"]

NAMES = ("pairs",)
"""Names, without their endings, of the tables that a folder gets."""

NAMED = 4  # pairs that share a caveat
OF_DESIGN = ("few-runs", "guessed-noise", "far-target")  # the others speak against a law of size or compute


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """The forecasts of some pairs of losses with all that a reader of their file needs to know.

    Attributes
    ----------
    study, law : str
        The study and the law, as the command names them.
    seed : int
        Seed of fits and forecasts.
    pairings : sequence of Pairing
        The paired runs.
    rows : DataFrame
        The intervals of the targets of all pairs.
    diagnostics : mapping
        The worst of what the fits say of themselves.
    caveats : Problems
        What speaks against each pair, which its sentence names; the worst first.
    paths : sequence of ForecastPath
        The forecasts along the loss that is known, for pictures; none where no picture is asked for.
    """

    study: str
    law: str
    seed: int
    pairings: Sequence[Pairing]
    rows: pd.DataFrame
    diagnostics: Mapping[str, Any]
    caveats: Problems
    paths: Sequence[ForecastPath] = ()

    @classmethod
    def of(
        cls,
        study: str,
        law: str,
        seed: int,
        pairings: Sequence[Pairing],
        posteriors: Sequence[Posterior],
        forecasts: Sequence[Forecast],
        *,
        pictures: bool = False,
    ) -> Pairs:
        """Gather the forecasts of pairs, and look for what speaks against each."""
        each = list(zip(pairings, posteriors, forecasts, strict=True))
        found = {one[0].study.name: _against(*one) for one in each}
        return cls(
            study=study,
            law=law,
            seed=seed,
            pairings=pairings,
            rows=pd.concat([pair_rows(pairing, forecast) for pairing, _, forecast in each], ignore_index=True),
            diagnostics=worst(posteriors),
            caveats=caveats_of(found),
            paths=[_path(*one) for one in each] if pictures else (),
        )


def caveats_of(found: Mapping[str, Problems]) -> Problems:
    """Return what speaks against pairs, the worst first: the pairs are named, and what several share is said once."""
    names: dict[Problem, list[str]] = {}
    for name, problems in found.items():
        for problem in problems:
            names.setdefault(problem, []).append(name)
    return Problems(
        dataclasses.replace(p, sentence=f"{_named(those, len(found))}: {p.sentence}") for p, those in names.items()
    ).ranked()


def _named(pairs: Sequence[str], count: int) -> str:
    """Name some of the pairs."""
    return f"All {count} pairs" if 1 < len(pairs) == count else listed(pairs, NAMED)


def _against(pairing: Pairing, posterior: Posterior, forecast: Forecast) -> Problems:
    """Return what speaks against a pair."""
    design = design_check(pairing.study, forecast.targets.reset_index(), law=posterior.law)
    return design.only(*OF_DESIGN) + diagnose(posterior)


def _path(pairing: Pairing, posterior: Posterior, forecast: Forecast) -> ForecastPath:
    """Return the forecast of a pair along the loss that is known, which its name says."""
    path = forecast_path(posterior, forecast)
    return dataclasses.replace(path, label=pairing.study.name.partition(" -> ")[0])


def pair_rows(pairing: Pairing, forecast: Forecast) -> pd.DataFrame:
    """Return the intervals of a pair's targets."""
    counts = {"pair": pairing.study.name, "paired": pairing.paired, "left_out": len(pairing.left_out)}
    return forecast.intervals().drop(columns=["task", "quantity"]).assign(**counts)


def write_pairs(pairs: Pairs, folder: Path | None, file: Path | None) -> None:
    """Write tables and a picture of each pair to the folder, and the JSON to the file; each whole or not at all."""
    document = {
        "study": pairs.study,
        "law": pairs.law,
        "seed": pairs.seed,
        "diagnostics": plain(pairs.diagnostics),
        "caveats": caveat_records(pairs.caveats),
        "rows": records(pairs.rows),
    }
    if folder:
        with atomic_folder(folder) as stage:
            pairs.rows.to_csv(stage / "pairs.csv", index=False, float_format="%.8g")
            (stage / "pairs.json").write_text(as_json(document), encoding="utf-8")
            for number, path in enumerate(pairs.paths, start=1):
                words = re.sub(r"\W+", "_", pairs.pairings[number - 1].study.name).strip("_")
                write_png(plots.plot_fit(path), stage / f"{number:02d}_{words}.png")
    if file:
        write_json(document, file)


def print_pairs(pairs: Pairs) -> None:
    """Print a row per pair and target, what was left out, what speaks against it, and how the fits went."""
    console, rows = output(), pairs.rows
    known = rows[rows["actual"].notna()] if "actual" in rows else rows.iloc[:0]
    units, digits = ", ".join(rows["unit"].unique()), scale_of("", rows["median"]).digits
    table = Table(box=SIMPLE_HEAD, title=f"A loss from another ({units})", title_justify="left")
    for heading in ("pair", "target"):
        table.add_column(heading)
    for heading in ("pairs", "median", "50 % interval", "90 % interval", *(("actual",) if len(known) else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        shown = {k: f"{v:.{digits}f}" for k, v in row.items() if isinstance(v, float)}
        cells = [row["pair"], str(row["target"]), str(row["paired"])]
        cells += [shown["median"], f"{shown['q25']} to {shown['q75']}", f"{shown['q05']} to {shown['q95']}"]
        if len(known):
            cells.append(shown["actual"] if row["actual"] == row["actual"] else "-")
        table.add_row(*cells)
    console.print(table)
    if len(known):
        held = int(inside(known, known["actual"]).sum())
        error = 100 * (known["median"] / known["actual"] - 1).abs().mean()
        console.print(f"{held} of {len(known)} inside the 90 % interval; mean absolute error {error:.2f} %.")
    alone = sum(len(p.left_out) for p in pairs.pairings)
    left = f"{alone} runs were left out for want of" if alone > 1 else "1 run was left out for want of"
    console.print(f"{left} a partner." if alone else "Every run has a partner.")
    print_caveats(pairs.caveats, console)
    console.print(f"{state(pairs.diagnostics)}; {pairs.law}, seed {pairs.seed}.")
