"""A report: one HTML page that answers first and then says how, from what, and how far to trust it.

The page loads nothing: pictures are in it as data, mathematics is MathML, and its content security policy forbids
scripts.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2

from bayes_scaling import report_tables as tables
from bayes_scaling.comparing import compare
from bayes_scaling.errors import ComparisonError
from bayes_scaling.files import check_writable, write_text
from bayes_scaling.health import examine
from bayes_scaling.mathematics import law_cards
from bayes_scaling.results import Result
from bayes_scaling.tables import verdict

if TYPE_CHECKING:
    from bayes_scaling.posterior import Posterior

__all__ = ["Picture", "report", "write_report"]

TEMPLATE = Path(__file__).with_name("report.html.j2")
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
    others: Mapping[str, Posterior] | None = None,
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
        Runs to forecast, as :meth:`bayes_scaling.Posterior.forecast` reads them.
    others : mapping of str to Posterior, optional
        Fits of other laws to the same runs, to compare with.
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
    for fit in (others or {}).values():
        fit.require_converged(allow_unconverged)
    forecast = posterior.forecast(targets, seed=seed, allow_unconverged=allow_unconverged)
    seconds = float(posterior.tree.attrs["seconds"])
    result = Result(posterior.study, posterior.law.name, forecast.seed, seconds, (posterior,), forecast)
    call = f"bs.fit(law, study, seed={posterior.seed}).report({path.name!r}, targets)"
    return write_report(result, path, made_by=call, others=others)


def write_report(
    result: Result, path: Path, *, made_by: str = "", others: Mapping[str, Posterior] | None = None
) -> Path:
    """Write a report of a forecast to one HTML file, whole or not at all.

    Parameters
    ----------
    result : Result
        The forecast, its fits and its study.
    path : Path
        The file.
    made_by : str
        The command or call that made it, for its readers.
    others : mapping of str to Posterior, optional
        Fits to compare with that have no part in the forecast.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    write_text(page.render(contents(result, made_by, others or {})), path)
    return path


def contents(result: Result, made_by: str, others: Mapping[str, Posterior]) -> dict[str, Any]:
    """Return all that the page says, by the names of the template."""
    own = named(result.posteriors)
    fits = {**{f"{name} (this report)" if name in others else name: fit for name, fit in own.items()}, **others}
    fits = {name: fit.with_groups("prior") for name, fit in fits.items()}
    answers, unit = tables.answers(result)
    rows = result.rows()
    known = rows[(rows["quantity"] == result.head) & rows["actual"].notna()]
    first = next(iter(fits.values()))
    training = result.study.training.frame
    far = result.forecast.targets["distance"].dropna()
    return {
        "quantity": result.head,
        "unit": unit,
        "targets": list(map(str, result.forecast.targets.index)),
        "named": NAMED,
        "answers": answers,
        "large": len(answers) <= CARDS,
        "verdict": verdict(known, result.head) if len(known) else "",
        "converged": all(fit.diagnostics.converged for fit in fits.values()),
        "study": result.study,
        "runs": training["run"].nunique() if "run" in training else len(training),
        "law": result.forecast.law,
        "mixed": len(result.posteriors) > 1,
        "question": tables.targets(result),
        "pictures": pictures(result),
        "check": predictive_picture(first, result.head),
        "intervals": tables.intervals(result),
        "laws": law_cards(first.law),
        "learnt": [tables.learnt(name, fit) for name, fit in list(fits.items())[: len(own)]],
        "columns": tables.columns(result),
        "sampling": tables.diagnostics(fits),
        "problems": {name: examine(fit) for name, fit in fits.items()},
        "bands": tables.bands(result),
        **comparison(result, fits),
        "design": result.caveats,
        "distances": " and ".join(tables.times(d) for d in far) if len(far) <= NAMED else "",
        "discrepancy": bool(result.forecast.targets["distance"].gt(1).any()),
        "provenance": provenance(result, fits, made_by),
    }


def named(posteriors: tuple[Posterior, ...]) -> dict[str, Posterior]:
    """Return fits by the name of their law, and of the loss they go through where there are several."""
    if len(posteriors) == 1:
        return {posteriors[0].law.name: posteriors[0]}
    return {f"{p.law.name} ({getattr(p.law, 'feature', i)})": p for i, p in enumerate(posteriors, start=1)}


def comparison(result: Result, fits: Mapping[str, Posterior]) -> dict[str, Any]:
    """Return the forecasts of all fits side by side and their criteria, or why they cannot be compared."""
    if len(fits) == 1:
        return {"routes": None, "criteria": None, "incomparable": ""}
    again = result.forecast.targets.drop(columns="distance").reset_index()
    forecasts = {name: fit.forecast(again, seed=result.seed, allow_unconverged=True) for name, fit in fits.items()}
    found: dict[str, Any] = {"routes": tables.routes(result, forecasts), "criteria": None, "incomparable": ""}
    try:
        return found | {"criteria": tables.criteria(compare(fits, allow_unconverged=True))}
    except ComparisonError as error:
        return found | {"incomparable": str(error)}


def provenance(result: Result, fits: Mapping[str, Posterior], made_by: str) -> dict[str, str]:
    """Return what a reader needs to make the report again."""
    first = next(iter(fits.values())).tree.attrs
    versions = {"bayes-scaling": first["bayes_scaling"], **json.loads(first["versions"])}
    return {
        "Made by": made_by or "a program",
        "On": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Seed": str(result.seed),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "SHA-256 of the fitted table": str(first["checksum"]),
        "Time of fits and forecast": f"{result.seconds:.0f} s",
        **{f"Law ({name})": str(fit.tree.attrs["law"]) for name, fit in fits.items()},
    }


# -- pictures -------------------------------------------------------------------------------------------------------


def pictures(result: Result) -> list[Picture]:
    """Return the forecast as pictures: a forest where there are tasks, otherwise the law; and the ladder's steps."""
    from bayes_scaling import plots

    forecast, alt = result.forecast, f"The forecast of {result.head} as a picture; its numbers are in the table."
    if "task" in forecast.draws.dims:
        height = 1.4 + 0.26 * len(forecast.targets) * forecast.draws.sizes["task"]
        found = [picture(plots.plot_forest(forecast, result.head, new_axes(height)), alt, "The forecast")]
    else:
        drawn = plots.plot_fit(result.posteriors[0], forecast, new_axes(3.9))
        found = [picture(drawn, alt, "The law, the fitted runs and the forecast")]
    if "series" in forecast.draws.dims:
        sheet = plots.plot_ladder_sheet(result.posteriors, forecast)
        words = "Each task: compute to loss, loss to accuracy, and both"
        found.append(picture(sheet, f"{words}, as pictures.", words, wide=True))
    return found


def predictive_picture(posterior: Posterior, quantity: str) -> Picture:
    """Return what the law foretells of the runs it saw."""
    from bayes_scaling import plots

    drawn = plots.plot_predictive_check(posterior, quantity=quantity, ax=new_axes(3.6))
    return picture(drawn, "Predicted over observed for every fitted run.", "What the law foretells of the fitted runs")


def new_axes(height: float) -> Any:
    """Return axes of the width of a page, in the house style."""
    from bayes_scaling import marks

    return marks.house_style(marks.new_axes)(None, WIDTH, height)


def picture(axes: Any, alt: str, caption: str, *, wide: bool = False) -> Picture:
    """Return a figure as a picture, and close it."""
    from bayes_scaling import plots

    figure, buffer = plots.figure_of(axes), io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110 if wide else 160)
    plots.close(figure)
    return Picture(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", alt, caption, wide)
