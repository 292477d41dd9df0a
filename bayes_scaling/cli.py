"""The command line: ``bayes-scaling laws | studies | forecast | pair | plan``.

Every mistake is one sentence on the error stream and exit code 2; a fit that did not converge is exit code 3.  What
takes long to import is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bayes_scaling.errors import BayesScalingError, ConvergenceError
from bayes_scaling.options import AllowUnconverged, Chains, Columns, Draws, Json, Out, Quiet, Seed, StudyOrFile
from bayes_scaling.plan_cli import plan

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="bayes-scaling",
    help="Forecast large training runs from small ones, with intervals that hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 2 (a mistake), 3 (not converged) or 130 (interrupted)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the compiler's own alarms are not for our readers
    try:
        code = app(args=arguments, prog_name="bayes-scaling", standalone_mode=False)
    except ConvergenceError as error:
        fail(str(error), 3)
    except BayesScalingError as error:
        fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        fail("Interrupted; nothing was written.", INTERRUPTED)
    except Exception as error:
        if hasattr(error, "format_message"):  # what typer says of a bad option
            said = error.format_message() or "Give a command; see bayes-scaling --help."
            fail(f"{said} Leave no space after a comma." if "extra argument" in said else said, 2)
        if sys.flags.dev_mode:
            raise
        fail(f"Unforeseen {type(error).__name__}: {error} (python -X dev -m bayes_scaling shows where).", 1)
    if code == INTERRUPTED:
        fail("Interrupted; nothing was written.", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int) -> None:
    """Say one sentence on the error stream and leave."""
    sys.stderr.write(f"bayes-scaling: {' '.join(message.split())}\n")
    sys.exit(code)


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from bayes_scaling import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Forecast large training runs from small ones, with intervals that hold."""


@app.command()
def laws() -> None:
    """List the laws: name, equation, inputs and what they forecast."""
    from bayes_scaling.models import LAWS
    from bayes_scaling.models.defaults import law_by_name
    from bayes_scaling.tables import law_table, output

    output().print(law_table({name: law_by_name(name) for name in LAWS}))


@app.command()
def studies() -> None:
    """List the studies: rows, units, licence, and whether they need a download."""
    from bayes_scaling.data import available
    from bayes_scaling.tables import output, study_table

    output().print(study_table(available()))


@app.command()
def forecast(
    study: StudyOrFile,
    law: Annotated[
        str | None, typer.Option(help="Law to fit (see 'laws'); by default what the columns call for.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Run to forecast: a name in the study, or N=7e9,D=4e12. Repeatable.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task to forecast; by default all. Repeatable.")] = None,
    columns: Columns = None,
    flops: Annotated[str | None, typer.Option(help="6ND: compute FLOPs as 6 x parameters x tokens.")] = None,
    out: Out = None,
    json: Json = None,
    report: Annotated[Path | None, typer.Option(help="File for a report on one HTML page.")] = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> None:
    """Fit a law to the small runs of a study and forecast the large ones."""
    from bayes_scaling.job import Request, run

    request = Request(
        study=study,
        law=law,
        targets=tuple(target or ()),
        tasks=tuple(task or ()),
        columns=columns,
        flops=flops,
        out=out,
        json=json,
        report=report,
        seed=seed,
        draws=draws,
        chains=chains,
        allow_unconverged=allow_unconverged,
    )
    run(request, quiet=quiet)


@app.command()
def pair(
    study: StudyOrFile,
    source: Annotated[str, typer.Option("--from", help="The loss known: SET:LOSS; 'all' stands for every set.")],
    target: Annotated[
        str, typer.Option("--to", help="The loss to forecast: SET:LOSS; 'same' stands for the set of --from.")
    ],
    sets: Annotated[str, typer.Option(help="Column that names the training sets.")] = "train_data",
    by: Annotated[str, typer.Option(help="Columns in which the runs of a pair agree.")] = "n_params,flops",
    full: Annotated[bool, typer.Option("--full", help="Use every run of the study, downloaded if need be.")] = False,
    columns: Columns = None,
    out: Out = None,
    json: Json = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> None:
    """Predict a loss from another: train to train, train to test, test to test."""
    from bayes_scaling.pair_job import PairRequest, run_pairs

    request = PairRequest(
        study=study,
        source=source,
        target=target,
        sets=sets,
        by=by,
        full=full,
        columns=columns,
        out=out,
        json=json,
        seed=seed,
        draws=draws,
        chains=chains,
        allow_unconverged=allow_unconverged,
    )
    run_pairs(request, quiet=quiet)


app.command()(plan)
