"""The command ``forecast``: read, check, fit, forecast, write.  What takes long to import is imported inside."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
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
    sampling,
)

if TYPE_CHECKING:
    from bayes_scaling.forecasts.forecast import Forecast
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.reporting.result import Result
    from bayes_scaling.study.study import Study

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
    from bayes_scaling.cli.arguments import instead_of_average, open_study, read_chance
    from bayes_scaling.files import check_writable
    from bayes_scaling.reporting.folder import NAMES
    from bayes_scaling.reporting.result import Result
    from bayes_scaling.reporting.screen import output, print_remarks, print_result, status

    wide = {"accuracy_columns": accuracy_columns, "chance": read_chance(chance, percent=percent), "percent": percent}
    table = open_study(study, columns, flops, where=where, drop_missing=drop_missing, unit=unit, **wide)
    aims = tuple(target or ())
    table, name, laws, targets = choose(table, law, prior, tuple(task or ()), aims, flops, percent=percent)
    check_writable(out, json, report, reads=[study], names=NAMES)
    print_remarks([*table.remarks, *instead_of_average(name, law, prior)], quiet)
    started, said = time.perf_counter(), list[str]()
    with status(quiet) as say:
        how = sampling(seed, draws, chains, adapt)
        mixed, posteriors = fit_and_forecast(table, laws, targets, say, allow_unconverged=allow_unconverged, **how)
        seconds = time.perf_counter() - started
        say("Looking for what speaks against it ...")
        kept, pictures = only_tasks(mixed, tuple(task or table.tasks)), bool(out or report)
        result = Result.of(table, name, posteriors, kept, seed=seed, seconds=seconds, pictures=pictures)
        if out or json or report:
            say("Drawing and writing ...")
            said = write(result, out, json, report, made_by=command_line(context))
    if not quiet:
        print_result(result, output(), written=[path for path in (out, json, report) if path])
    print_remarks(said, quiet)
    return result


def choose(
    study: Study,
    law: str | None,
    priors: Sequence[str] | None,
    tasks: tuple[str, ...],
    targets: tuple[str, ...],
    flops: str | None,
    *,
    percent: bool = False,
) -> tuple[Study, str, Mapping[str, Law] | Sequence[Law], Any]:
    """Return the runs to fit, what forecasts them, its laws, and the runs to forecast, all of which the laws can read.

    The laws are a mapping, by name, where their backtests weigh them.

    Raises
    ------
    LawError, StudyError, TargetError
        There is no such law, task or target, or one of the laws cannot read the runs.
    """
    from bayes_scaling.cli.arguments import (
        averages,
        choose_laws,
        choose_targets,
        choose_tasks,
        require_columns,
    )
    from bayes_scaling.forecasts.targets import read_targets
    from bayes_scaling.models.defaults import AVERAGE
    from bayes_scaling.models.recommended import candidates

    name, laws = choose_laws(study, None if law == AVERAGE else law, priors)
    require_columns(laws[0], study)
    study = choose_tasks(study, laws[0], tasks)
    aims = choose_targets(study, targets, flops, percent=percent)
    averaged = candidates(study) if averages(name, law, priors) else {}
    forecasting = [*averaged.values()] or laws
    known = {column for one in forecasting for column in one.readable.values()}
    for one in forecasting:
        one.arrays(study.training)
        read_targets(one, study.training, aims, known=known)
    return (study, AVERAGE, averaged, aims) if averaged else (study, name, laws, aims)


def fit_and_forecast(
    study: Study,
    laws: Mapping[str, Law] | Sequence[Law],
    targets: Any,
    say: Callable[[str], object],
    *,
    seed: int,
    allow_unconverged: bool,
    **how: Any,
) -> tuple[Forecast, list[Posterior]]:
    """Return a forecast and the fits it rests on: laws by name are averaged by their backtests, others equally.

    A law whose forecast is refused is left out, where another is left; the forecast then says so, and why.

    Raises
    ------
    ConvergenceError
        A fit did not converge; no other is made then, unless their backtests weigh them.
    """
    from bayes_scaling.evaluation.averaging import forecast_equally
    from bayes_scaling.models.recommended import forecast_runs

    how = {"seed": seed, "say": say, **how}
    if isinstance(laws, Mapping):
        mixed = forecast_runs(study, targets, laws=laws, allow_unconverged=True, **how)
        for posterior in mixed.posteriors.values():
            posterior.require_converged(allow_unconverged, override=OVERRIDE)
        return mixed, [*mixed.posteriors.values()]
    how |= {"allow_unconverged": allow_unconverged, "override": OVERRIDE}
    made, found = forecast_equally(laws, study, targets, **how)
    return made, [*found.posteriors.values()]


def write(result: Result, folder: Path | None, file: Path | None, page: Path | None, *, made_by: str) -> list[str]:
    """Write what is asked for: a folder, JSON, a report; return a sentence on each earlier forecast that is kept."""
    from bayes_scaling.reporting.folder import write_file, write_folder

    kept = {}
    if folder:
        kept[folder / "forecast.json"] = write_folder(result, folder)
    if file:
        kept[file] = write_file(result, file)
    if page:
        from bayes_scaling.reporting.assessment import Assessment
        from bayes_scaling.reporting.page import write_report

        write_report(Assessment.of(result, made_by=made_by), page)
    return [f"The forecast that was registered in {path} is kept in {new}." for path, new in kept.items() if new]


def only_tasks(forecast: Forecast, tasks: tuple[str, ...]) -> Forecast:
    """Keep the chosen tasks of a joint forecast, and of its series those of a chosen task or of no task."""
    from bayes_scaling.study.panel import series_parts
    from bayes_scaling.study.rows import task_name

    if "task" not in forecast.draws.dims:
        return forecast
    known = set(forecast.draws["task"].to_numpy())  # of a task that no fitted run has there is no forecast
    tasks = tuple(task for task in dict.fromkeys(map(task_name, tasks)) if task in known)
    kept: dict[str, Any] = {"task": list(tasks)}
    if "series" in forecast.draws.dims:
        series = list(forecast.draws["series"].to_numpy())
        kept["series"] = [s for s in series if (series_parts(s)[1] or tasks[0]) in tasks]
    return dataclasses.replace(
        forecast,
        draws=forecast.draws.sel(kept),
        actual=forecast.actual.sel({d: v for d, v in kept.items() if d in forecast.actual.dims}),
    )
