"""A forecast in files: JSON, a table, pictures and posteriors, all of them or none."""

from __future__ import annotations

import re
from pathlib import Path

from bayes_scaling import plots
from bayes_scaling.files import as_json, atomic_folder, one_line_lists, write_text
from bayes_scaling.forecasts.registered import RegisteredForecast, set_aside
from bayes_scaling.plots.style import write_png
from bayes_scaling.reporting.result import Result

__all__ = ["NAMES", "write_file", "write_folder"]

NAMES = ("forecast", "ladder")
"""Names, without their endings, of what a folder gets beside posteriors."""


def write_file(result: Result, path: Path) -> Path | None:
    """Write a result as JSON to one file, and return where another forecast that was registered there is kept now."""
    text, kept = _document(result, path)
    write_text(text, path)
    return kept


def write_folder(result: Result, folder: Path) -> Path | None:
    """Write tables, pictures and posteriors to a folder, each file under its own name when all of them are ready.

    Returns where another forecast that was registered there is kept now, and None where there was none.
    """
    with atomic_folder(folder) as stage:
        result.rows().to_csv(stage / "forecast.csv", index=False, float_format="%.8g")
        _pictures(result, stage)
        several = len(result.posteriors) > 1
        taken: list[str] = []
        for name, posterior in result.fits.items():
            words = re.sub(r"\W+", "_", posterior.law.route or name)
            taken.append(words)
            words += f"_{again}" if (again := taken.count(words)) > 1 else ""
            posterior.save(stage / (f"posterior_{words}.nc" if several else "posterior.nc"))
        text, kept = _document(result, folder / "forecast.json")
        (stage / "forecast.json").write_text(text, encoding="utf-8")
    return kept


def _document(result: Result, path: Path) -> tuple[str, Path | None]:
    """Return the text of a result's file, and where what is registered there is kept."""
    registered, kept = set_aside(path, RegisteredForecast.of(result.forecast))
    return one_line_lists(as_json(result.document(registered))), kept


def _pictures(result: Result, folder: Path) -> None:
    assert result.path is not None
    dims = result.forecast.draws.dims
    drawn = plots.plot_forest(result.forecast) if "task" in dims else plots.plot_fit(result.path)
    write_png(drawn, folder / "forecast.png")
    if "series" in dims:
        write_png(plots.plot_ladder_sheet(result.path), folder / "ladder.png")
