"""The command ``pair``: pair runs, fit a loss against a loss, forecast, write.  What takes long is imported inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayes_scaling.cli.options import (
    OVERRIDE,
    Adapt,
    AllowUnconverged,
    Chains,
    Columns,
    Draws,
    DropMissing,
    Json,
    Priors,
    Quiet,
    Seed,
    StudyOrFile,
    Unit,
    Where,
    sampling,
)

if TYPE_CHECKING:
    from pandas import DataFrame

    from bayes_scaling.forecasts.forecast import Forecast
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.pairing import Pairing
    from bayes_scaling.study.study import Study

__all__ = ["pair"]


def pair(
    study: StudyOrFile,
    source: Annotated[
        str, typer.Option("--from", help="The loss known: SET:LOSS, or the LOSS of the only set; 'all': every set.")
    ],
    target: Annotated[
        str, typer.Option("--to", help="The loss to forecast: SET:LOSS; 'same' stands for the set of --from.")
    ],
    sets: Annotated[str, typer.Option(help="Column that names the training sets.")] = "train_data",
    by: Annotated[
        str | None,
        typer.Option(help="Columns in which the runs of a pair agree; by default n_params,flops, or tokens for FLOPs."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Use every run of the study, downloaded if need be.")] = False,
    value: Annotated[
        list[str] | None, typer.Option("--target", help="Run to forecast: its loss on the axis of --from. Repeatable.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--target-run", help="Run to forecast, by name; it is not fitted. Repeatable.")
    ] = None,
    law: Annotated[
        str, typer.Option(help="Law: shifted_power_law; or bent_power_law, for the losses of tasks that get steeper.")
    ] = "shifted_power_law",
    columns: Columns = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    unit: Unit = None,
    prior: Priors = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and pictures.")] = None,
    json: Json = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    adapt: Adapt = False,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> Any:
    """Predict a loss from another: train to train, train to test, test to test."""
    from bayes_scaling.cli.pairings import Aim, far_losses, law_of_losses, read_pairings, without_missing_losses
    from bayes_scaling.cli.priors import with_priors
    from bayes_scaling.files import check_writable
    from bayes_scaling.reporting.pairs import NAMES, Pairs, caveats_of, print_pairs, write_pairs
    from bayes_scaling.reporting.screen import print_remarks, status

    chosen = with_priors(law_of_losses(law), prior)
    aim = Aim.read(value or (), run or ())
    table = open_runs(study, columns, where, drop_missing=drop_missing, full=full)
    if drop_missing:
        table = without_missing_losses(table, source, target, sets=sets, aim=aim)
    pairings = read_pairings(table, source, target, sets=sets, by=by, aim=aim, unit=unit)
    check_writable(out, json, reads=[study], names=NAMES)
    print_remarks(table.remarks, quiet)
    with status(quiet) as say:
        how = sampling(seed, draws, chains, adapt)
        posteriors, forecasts = fit_pairs(chosen, pairings, say, allow_unconverged=allow_unconverged, **how)
        say("Looking for what speaks against it ...")
        paired = [pairing for pairing, _ in pairings]
        pairs = Pairs.of(study, law, seed, paired, posteriors, forecasts, pictures=out is not None)
        far = {one.study.name: far_losses(one, its) for one, its in zip(posteriors, forecasts, strict=True)}
        pairs = dataclasses.replace(pairs, caveats=(pairs.caveats + caveats_of(far)).ranked())
        if out or json:
            say("Drawing and writing ...")
            write_pairs(pairs, out, json)
    if not quiet:
        print_pairs(pairs)
    return pairs.rows


def open_runs(name: str, columns: list[str] | None, where: str | None, *, drop_missing: bool, full: bool) -> Study:
    """Return the runs to pair: of a study or a file, or with ``--full`` every run of a study.

    Raises
    ------
    StudyError
        There are no such runs, or an option is given that ``--full`` does not go with.
    """
    from bayes_scaling.cli.arguments import open_study
    from bayes_scaling.data import load_study
    from bayes_scaling.errors import StudyError

    if not full:
        return open_study(name, columns, where=where, drop_missing=drop_missing)
    if columns or drop_missing:
        given = "--map" if columns else "--drop-missing"
        raise StudyError(f"{given} is for tables of your own, and --full takes {name!r} as it is; leave one out.")
    table = load_study(name, full=True)
    return table.select(where) if where else table


def fit_pairs(
    law: Law,
    pairings: Sequence[tuple[Pairing, DataFrame | None]],
    say: Callable[[str], object],
    *,
    allow_unconverged: bool,
    **how: Any,
) -> tuple[list[Posterior], list[Forecast]]:
    """Return the fit of each pair, and its forecast of the runs that go with the pair.

    Raises
    ------
    ConvergenceError
        A fit did not converge.
    StudyError
        A pair cannot be fitted.
    """
    from bayes_scaling.errors import StudyError, counted
    from bayes_scaling.forecasts.predict import forecast
    from bayes_scaling.inference.batch import fit_many

    say(f"Fitting {counted(len(pairings), 'pair')} of losses ...")
    batch = fit_many(law, [pairing.study for pairing, _ in pairings], progress=False, **how)
    posteriors, forecasts = [], []
    for (pairing, aims), member in zip(pairings, batch, strict=True):
        if member.posterior is None:
            raise StudyError(f"{pairing.study.name}: {member.error}")
        member.posterior.require_converged(allow_unconverged, override=OVERRIDE)
        targets = pairing.study.targets if aims is None else aims
        posteriors.append(member.posterior)
        forecasts.append(forecast(member.posterior, targets, allow_unconverged=True))
    return posteriors, forecasts
