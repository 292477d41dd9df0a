"""A report: one HTML page that answers first and then says how, from what, and how far to trust it.

The page loads nothing: pictures are in it as data, mathematics is MathML, and its content security policy forbids
scripts.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from bayes_scaling import plots
from bayes_scaling.evaluation.compare import by_name
from bayes_scaling.files import check_writable, write_text
from bayes_scaling.forecasts.predict import forecast as forecast_runs
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.plots import style
from bayes_scaling.reporting import page_tables as tables
from bayes_scaling.reporting.assessment import Assessment
from bayes_scaling.reporting.law_card import LawCard, law_cards
from bayes_scaling.reporting.result import Result
from bayes_scaling.reporting.screen import verdict
from bayes_scaling.study.flops import measured

__all__ = ["Picture", "report", "write_report"]

WIDTH = 4.8  # inches: type of 9 points is then legible on a phone
CARDS = 4  # answers shown large; more make a table
NAMED = 3  # targets named in the title


class Picture(NamedTuple):
    """A picture as data, with words for those who do not see it; a wide one scrolls in its own box."""

    uri: str
    alt: str
    caption: str
    wide: bool = False


def report(
    posterior: Posterior,
    path: str | Path,
    targets: Any = None,
    *,
    others: Mapping[str, Posterior] | Sequence[Posterior] | None = None,
    seed: int | None = None,
    allow_unconverged: bool = False,
) -> Path:
    """Forecast runs from a posterior and write a report of it.

    Parameters
    ----------
    posterior : Posterior
        A converged fit.
    path : str or Path
        The HTML file, written whole or not at all.
    targets : Study, DataFrame, mapping, or sequence of mappings
        Runs to forecast, as :func:`bayes_scaling.forecast` reads them.
    others : mapping of str to Posterior, or sequence of Posterior, optional
        Fits of other laws to the same runs, to compare with; those of a list are called by their laws.
    seed : int, optional
        Seed of the predictive draws; by default the fit's.
    allow_unconverged : bool
        Report fits that did not converge; the page then says so first.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ComparisonError
        What is given to compare with is no fit.
    ConvergenceError
        A fit did not converge.
    TargetError
        A target lacks an input of the law.
    FileError
        The file cannot be written.

    Examples
    --------
    >>> posterior.report("report.html", {"N": 7e9, "D": 4e12}, others={"Kaplan": kaplan})  # doctest: +SKIP
    """
    path = Path(path)
    check_writable(None, path)
    others = by_name(others) if others else {}
    for fit in others.values():
        fit.require_converged(allow_unconverged)
    forecast = forecast_runs(posterior, targets, seed=seed, allow_unconverged=allow_unconverged)
    seconds = float(posterior.tree.attrs["seconds"])
    result = Result.of(posterior.study, posterior.law.name, [posterior], forecast, seed=forecast.seed, seconds=seconds)
    call = f"bs.fit(law, study, seed={posterior.seed}).report({path.name!r}, targets)"
    return write_report(Assessment.of(result, others=others, made_by=call), path)


def write_report(assessment: Assessment, path: Path) -> Path:
    """Write a report to one HTML file, whole or not at all.

    Parameters
    ----------
    assessment : Assessment
        What it says.
    path : Path
        The file.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bayes_scaling.reporting", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    write_text(environment.get_template("page.html.j2").render(contents(assessment)), path)
    return path


def contents(assessment: Assessment) -> dict[str, Any]:
    """Return all that the page says, by the names of the template."""
    result, fits = assessment.result, assessment.fits
    answers, unit = tables.answers(result)
    head, rows = result.forecast.head, result.rows()
    known = rows[(rows["quantity"] == head) & rows["actual"].notna()]
    far = result.forecast.targets["distance"].dropna()
    return {
        "quantity": head,
        "unit": unit,
        "targets": list(map(str, result.forecast.targets.index)),
        "named": NAMED,
        "answers": answers,
        "large": len(answers) <= CARDS,
        "verdict": verdict(known) if len(known) else "",
        "converged": all(fit.diagnostics.converged for fit in result.posteriors),
        "others_unconverged": [name for name in assessment.problems if not fits[name].diagnostics.converged],
        "study": result.study,
        "of_study": "" if result.study.name == "runs" else f" of {result.study.name}",
        "runs": len(result.study.training.runs),
        "law": result.forecast.law,
        "mixed": len(result.posteriors) > 1 and result.weighed is None,
        "weights": tables.weights(result.weighed) if result.weighed else None,
        "backtests": tables.backtests(result) if result.averaged and len(result.averaged.backtests) else None,
        "question": tables.targets(result),
        "pictures": pictures(result),
        "checks": [predictive_picture(name, check, head) for name, check in assessment.checks.items()],
        "intervals": tables.intervals(result),
        "laws": cards(result),
        "learnt": [tables.learnt(name, fits[name], shares) for name, shares in assessment.contraction.items()],
        "constants": [grid for name in assessment.contraction if (grid := tables.constants(name, fits[name]))],
        "columns": tables.columns(result),
        "sampling": tables.diagnostics(fits),
        "of_others": assessment.problems,
        "bands": tables.bands(result),
        "routes": tables.routes(result, assessment.forecasts) if assessment.forecasts else None,
        "criteria": tables.criteria(assessment.criteria) if assessment.criteria is not None else None,
        "incomparable": assessment.incomparable,
        "caveats": result.caveats,
        "distances": " and ".join(tables.distances(result))
        if 0 < len(far) == len(result.forecast.targets) <= NAMED
        else "",
        "measure": measured(result.forecast.measure),
        "discrepancy": result.forecast.widened,
        "beyond": bool(result.forecast.targets["distance"].gt(1).any()),
        "provenance": provenance(assessment),
    }


def provenance(assessment: Assessment) -> dict[str, str]:
    """Return what a reader needs to make the report again."""
    first = next(iter(assessment.fits.values())).tree.attrs
    versions = {"bayes-scaling": first["bayes_scaling"], **json.loads(first["versions"])}
    return {
        "Made by": assessment.made_by or "a program",
        "On": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Seed": str(assessment.result.seed),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "SHA-256 of the fitted table": str(first["checksum"]),
        "Time of fits and forecast": f"{assessment.result.seconds:.0f} s",
        **{f"Law ({name})": str(fit.tree.attrs["law"]) for name, fit in assessment.fits.items()},
    }


def cards(result: Result) -> list[LawCard]:
    """Return the cards of the law and its parts; where laws were weighed, of each under the name of its weight."""
    if result.weighed is None:
        return law_cards(result.posteriors[0].law)
    found: list[LawCard] = []
    shown: dict[type, str] = {}
    for name, fit in result.fits.items():
        first, *parts = law_cards(fit.law)
        above = shown.setdefault(type(fit.law), name)
        if above != name:
            first, parts = first.with_priors_alone(f"The equation of {above}, with priors and settings of its own."), []
        found += [dataclasses.replace(first, title=f"{name} ({fit.law.name})"), *parts]
    return found


# -- pictures -------------------------------------------------------------------------------------------------------


def pictures(result: Result) -> list[Picture]:
    """Return the forecast as pictures: a forest where there are tasks, otherwise the law; and the ladder's steps."""
    assert result.path is not None
    forecast = result.forecast
    alt = f"The forecast of {forecast.head} as a picture; its numbers are in the table."
    if "task" in forecast.draws.dims:
        height = 1.4 + 0.26 * len(forecast.targets) * forecast.draws.sizes["task"]
        found = [picture(plots.plot_forest(forecast, ax=new_axes(height)), alt, "The forecast")]
    else:
        drawn = plots.plot_fit(result.path, new_axes(3.9))
        found = [picture(drawn, alt, "The law, the fitted runs and the forecast")]
    if "series" in forecast.draws.dims:
        words = "Each task: compute to loss, loss to accuracy, and both"
        found.append(picture(plots.plot_ladder_sheet(result.path), f"{words}, as pictures.", words, wide=True))
    return found


def predictive_picture(fit: str, check: pd.DataFrame, quantity: str) -> Picture:
    """Return the predictive intervals of the fitted runs."""
    drawn = plots.plot_predictive_check(check, quantity, new_axes(3.6))
    words = f"Predictive intervals of the fitted runs by {fit}"
    return picture(drawn, "Predicted over observed for every fitted run.", words)


def new_axes(height: float) -> Any:
    """Return axes of the width of a page, in the house style."""
    return style.house_style(style.new_axes)(None, WIDTH, height)


def picture(axes: Any, alt: str, caption: str, *, wide: bool = False) -> Picture:
    """Return a figure as a picture, and close it."""
    buffer = io.BytesIO()
    style.write_png(axes, buffer, dpi=110 if wide else 160)
    return Picture(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", alt, caption, wide)
