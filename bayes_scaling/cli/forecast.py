"""The command ``forecast``: read, check, fit, forecast, write.  What takes long to import is imported inside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayes_scaling.cli.options import (
    OVERRIDE,
    AccuracyColumns,
    Adapt,
    AllowUnconverged,
    Chains,
    Chance,
    Columns,
    Draws,
    DropMissing,
    Json,
    Out,
    Percent,
    Priors,
    Quiet,
    Seed,
    StudyOrFile,
    Unit,
    Where,
    command_line,
)

if TYPE_CHECKING:
    from bayes_scaling.forecasts.forecast import Forecast
    from bayes_scaling.reporting.result import Result

__all__ = ["forecast"]


def forecast(
    context: typer.Context,
    study: StudyOrFile,
    law: Annotated[
        str | None,
        typer.Option(help="Law to fit (see 'laws'); by default what the columns call for: for one loss, an average."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Run to forecast: a name in the study, or N=7e9,D=4e12; target=NAME names it. Repeatable."),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task to forecast; by default all. Repeatable.")] = None,
    columns: Columns = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    unit: Unit = None,
    accuracy_columns: AccuracyColumns = None,
    chance: Chance = None,
    percent: Percent = False,
    prior: Priors = None,
    flops: Annotated[str | None, typer.Option(help="6ND: compute FLOPs as 6 x parameters x tokens.")] = None,
    out: Out = None,
    json: Json = None,
    report: Annotated[Path | None, typer.Option(help="File for a report on one HTML page.")] = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    adapt: Adapt = False,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> Any:
    """Fit a law to the small runs of a study and forecast the large ones."""
    from bayes_scaling.cli.arguments import (
        averages,
        check_inputs,
        choose_laws,
        choose_targets,
        choose_tasks,
        open_study,
        read_chance,
    )
    from bayes_scaling.evaluation.averaging import fit_each
    from bayes_scaling.files import check_writable
    from bayes_scaling.forecasts.forecast import average
    from bayes_scaling.forecasts.predict import forecast as forecast_by
    from bayes_scaling.forecasts.targets import read_targets
    from bayes_scaling.models.defaults import AVERAGE
    from bayes_scaling.models.recommended import candidates
    from bayes_scaling.models.recommended import forecast_runs as forecast_average
    from bayes_scaling.reporting.result import Result
    from bayes_scaling.reporting.screen import output, print_remarks, print_result, status

    wide = {"accuracy_columns": accuracy_columns, "chance": read_chance(chance), "percent": percent}
    table = open_study(study, columns, flops, where=where, drop_missing=drop_missing, unit=unit, **wide)
    name, laws = choose_laws(table, None if law == AVERAGE else law, prior)
    table = choose_tasks(table, laws[0], tuple(task or ()))
    targets = choose_targets(table, tuple(target or ()), flops)
    averaged = candidates(table) if averages(name, law, prior) else {}
    check_inputs(targets, (*laws, *averaged.values()), table)
    for one in averaged.values() or laws:
        one.arrays(table.training)
        read_targets(one, table.training, targets)
    check_writable(out, json, report, reads=[study])
    print_remarks(table.remarks, quiet)

    how: dict[str, Any] = {"seed": seed, "draws": draws, "chains": chains} | ({"adapt": True} if adapt else {})
    started = time.perf_counter()
    posteriors: list[Any] = []
    with status(quiet) as say:
        if averaged:
            average_of = forecast_average(table, targets, laws=averaged, allow_unconverged=True, say=say, **how)
            mixed, posteriors = average_of, [*average_of.posteriors.values()]
            for posterior in posteriors:
                posterior.require_converged(allow_unconverged, override=OVERRIDE)
        else:
            for _, posterior in fit_each(laws, table, say=say, **how):
                posterior.require_converged(allow_unconverged, override=OVERRIDE)
                posteriors.append(posterior)
            say("Forecasting ...")
            forecasts = [forecast_by(p, targets, allow_unconverged=True) for p in posteriors]
            mixed = average(forecasts, seed=seed)
        seconds = time.perf_counter() - started
        say("Looking for what speaks against it ...")
        result = Result.of(
            table,
            AVERAGE if averaged else name,
            posteriors,
            only_tasks(mixed, tuple(task or table.tasks)),
            seed=seed,
            seconds=seconds,
            pictures=bool(out or report),
        )
        if out or json or report:
            say("Drawing and writing ...")
            write(result, out, json, report, made_by=command_line(context))
    if not quiet:
        print_result(result, output(), written=[path for path in (out, json, report) if path])
    return result


def write(result: Result, folder: Path | None, file: Path | None, page: Path | None, *, made_by: str) -> None:
    """Write what is asked for: a folder, JSON, a report."""
    from bayes_scaling.reporting.folder import write_file, write_folder

    if folder:
        write_folder(result, folder)
    if file:
        write_file(result, file)
    if page:
        from bayes_scaling.reporting.assessment import Assessment
        from bayes_scaling.reporting.page import write_report

        write_report(Assessment.of(result, made_by=made_by), page)


def only_tasks(forecast: Forecast, tasks: tuple[str, ...]) -> Forecast:
    """Keep the chosen tasks of a joint forecast, and of its series those of a chosen task or of no task."""
    if "task" not in forecast.draws.dims:
        return forecast
    kept: dict[str, Any] = {"task": list(tasks)}
    if "series" in forecast.draws.dims:
        series = list(forecast.draws["series"].to_numpy())
        kept["series"] = [s for s in series if (str(s).partition(":")[2] or tasks[0]) in tasks]
    import dataclasses

    return dataclasses.replace(
        forecast,
        draws=forecast.draws.sel(kept),
        actual=forecast.actual.sel({d: v for d, v in kept.items() if d in forecast.actual.dims}),
    )
