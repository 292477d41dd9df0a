"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["AllowUnconverged", "Chains", "Columns", "Draws", "Json", "Out", "Quiet", "Seed", "StudyOrFile"]

StudyOrFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="STUDY_OR_FILE", help="A study's name, or a CSV or parquet file.")
]
Columns: TypeAlias = Annotated[
    str | None, typer.Option("--map", help="Your columns: n_params=N,tokens=D,loss=val_loss.")
]
Out: TypeAlias = Annotated[Path | None, typer.Option(help="Folder for tables, pictures and posteriors.")]
Json: TypeAlias = Annotated[Path | None, typer.Option(help="File for the answer as JSON.")]
Seed: TypeAlias = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of every random draw.")]
Draws: TypeAlias = Annotated[int, typer.Option(min=20, help="Posterior draws kept per chain.")]
Chains: TypeAlias = Annotated[int, typer.Option(min=1, help="Number of chains.")]
AllowUnconverged: TypeAlias = Annotated[
    bool, typer.Option("--allow-unconverged", help="Go on where the chains did not converge.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
