"""Options that several commands share, and a command line in words; nothing here takes long to import."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

__all__ = [
    "OVERRIDE",
    "AccuracyColumns",
    "Adapt",
    "AllowUnconverged",
    "Chains",
    "Chance",
    "Columns",
    "Draws",
    "DropMissing",
    "Json",
    "Out",
    "Percent",
    "Priors",
    "Quiet",
    "Seed",
    "StudyOrFile",
    "Unit",
    "Where",
    "command_line",
    "sampling",
]

OVERRIDE = "--allow-unconverged"
"""What a user passes to go on with a fit that did not converge."""

StudyOrFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="STUDY_OR_FILE", help="A study's name, or a file of runs: CSV, JSON, Excel ...")
]
Columns: TypeAlias = Annotated[
    list[str] | None, typer.Option("--map", help="Your columns: n_params=N,tokens=D,loss=val_loss. Repeatable.")
]
Where: TypeAlias = Annotated[str | None, typer.Option(help="Rows to keep, a pandas query: \"State == 'finished'\".")]
DropMissing: TypeAlias = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out rows in which a column that is read is missing or infinite.")
]
Unit: TypeAlias = Annotated[
    str | None, typer.Option(help="Unit of the loss, such as 'nats per token': names it, converts nothing.")
]
AccuracyColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Columns of a wide table that hold a task's accuracy each: PIQA,ARC or TASK_acc. Repeatable."),
]
Chance: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Accuracy of guessing: 0.25; by task, PIQA=0.5,ARC=0.25; both, 0.25,PIQA=0.5; or your column. Repeatable."
    ),
]
Percent: TypeAlias = Annotated[
    bool, typer.Option("--percent", help="Accuracies, error rates and chances are in per cent: 63.5, not 0.635.")
]
Priors: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--prior", help="A parameter's prior: E=1.69, or 'E=Normal(1.7, 0.1)'. Repeatable; see 'laws NAME'."),
]
Adapt: TypeAlias = Annotated[
    bool, typer.Option("--adapt", help="Adapt the mass matrix from the first; a fit does so where it has to.")
]
Out: TypeAlias = Annotated[Path | None, typer.Option(help="Folder for tables, pictures and posteriors.")]
Json: TypeAlias = Annotated[Path | None, typer.Option(help="File for the answer as JSON.")]
Seed: TypeAlias = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of every random draw.")]
Draws: TypeAlias = Annotated[int, typer.Option(min=25, help="Posterior draws kept per chain.")]
Chains: TypeAlias = Annotated[int, typer.Option(min=1, help="Number of chains.")]
AllowUnconverged: TypeAlias = Annotated[bool, typer.Option(OVERRIDE, help="Go on where the chains did not converge.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def sampling(seed: int, draws: int, chains: int, adapt: bool) -> dict[str, Any]:
    """Return what a fit is told of its sampler; without ``--adapt`` it finds out by itself whether to adapt."""
    return {"seed": seed, "draws": draws, "chains": chains} | ({"adapt": True} if adapt else {})


def command_line(context: typer.Context) -> str:
    """Return the command that is being run, in words that run it again; options at their defaults are left out."""
    arguments, options = [], []
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if value is None or value is False or value in ((), []) or value == parameter.get_default(context):
            continue
        values = [str(one) for one in (value if isinstance(value, (list, tuple)) else [value])]
        if parameter.param_type_name == "argument":
            arguments += values
            continue
        name = max(parameter.opts, key=len)
        options += [name] if value is True else [word for one in values for word in (name, one)]
    dashed = any(word.startswith("-") for word in arguments)  # which would be taken for an option
    words = [*options, "--", *arguments] if dashed else [*arguments, *options]
    return shlex.join([*context.command_path.split(), *words])
