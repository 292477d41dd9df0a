"""The command ``score``: what came of a registered forecast.  What takes long to import is imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayes_scaling.cli.options import AccuracyColumns, Columns, Json, Percent, Quiet

__all__ = ["score"]

REGISTER = "register.csv"  # beside the forecast


def score(
    forecast: Annotated[Path, typer.Argument(metavar="FORECAST", help="forecast.json of 'forecast', or a saved one.")],
    outcomes: Annotated[Path, typer.Argument(metavar="OUTCOMES", help="File of runs that were made since.")],
    columns: Columns = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the losses that came: refused where the forecast states another.")
    ] = None,
    accuracy_columns: AccuracyColumns = None,
    percent: Percent = False,
    register: Annotated[
        Path | None, typer.Option(help="CSV file to append to; by default register.csv beside the forecast.")
    ] = None,
    no_register: Annotated[bool, typer.Option("--no-register", help="Append to no file.")] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> Any:
    """Score a forecast that was written before, against the runs that came: inside or not, z, PIT and CRPS."""
    from bayes_scaling.cli.arguments import parse_columns
    from bayes_scaling.errors import FileError
    from bayes_scaling.files import check_writable
    from bayes_scaling.forecasts.register import append, read_register
    from bayes_scaling.forecasts.registered import load_forecast
    from bayes_scaling.forecasts.scoring import score as score_against
    from bayes_scaling.reporting.scored import print_scores, write_scores
    from bayes_scaling.reporting.screen import output
    from bayes_scaling.study.reading import read_table

    if register and no_register:
        raise FileError(f"--register {register} and --no-register are given at once; give one of them.")
    said, table = load_forecast(forecast), read_table(outcomes)
    names = parse_columns(columns or (), map(str, table.columns))
    found = score_against(
        said, table, names=names, unit=unit, accuracy_columns=accuracy_columns or None, percent=percent
    )
    path = None if no_register else register or forecast.parent / REGISTER
    check_writable(None, json, path, reads=[forecast, outcomes])
    new = append(said, found, path) if path else 0
    if json:
        write_scores(said, found, json)
    if not quiet:
        print_scores(said, found, output(), path, new, read_register(path) if path else None)
    return found
