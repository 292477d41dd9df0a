"""The command ``bayes-scaling plan``: what to do with a law.  What takes long to import is imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayes_scaling.options import AllowUnconverged, Chains, Columns, Draws, Json, Out, Quiet, Seed

__all__ = ["plan"]


def plan(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY_OR_FILE", help="Study or file; with --ladder, an earlier family.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Split training FLOPs best: 1e24, or several: 1e22,1e24.")] = None,
    reach: Annotated[str | None, typer.Option(help="FLOPs that reach an outcome: loss=2.1 or accuracy=0.6.")] = None,
    prob: Annotated[float, typer.Option(help="With --reach: the probability to reach it with.")] = 0.9,
    at: Annotated[str | None, typer.Option(help="With --reach: hold N=7e9 or D=1e12 fixed.")] = None,
    serve: Annotated[str | None, typer.Option(help="With --reach: tokens to be served later, 1e13.")] = None,
    candidates: Annotated[Path | None, typer.Option("--next", help="Rank the runs of a table (N, D, flops).")] = None,
    spend: Annotated[float | None, typer.Option(help="With --next: FLOPs for all runs together.")] = None,
    count: Annotated[int, typer.Option(min=1, help="With --next: how many runs to choose.")] = 3,
    ladder: Annotated[Path | None, typer.Option(help="Simulate planned ladders (N, D, plan).")] = None,
    families: Annotated[int, typer.Option(min=4, help="With --ladder: families to simulate.")] = 32,
    target: Annotated[str | None, typer.Option(help="With --next or --ladder: run to forecast, N=7e9,D=4e12.")] = None,
    law: Annotated[str | None, typer.Option(help="Law to fit; by default what the columns call for.")] = None,
    task: Annotated[str | None, typer.Option(help="Task to decide by, where the study has several.")] = None,
    columns: Columns = None,
    flops: Annotated[str, typer.Option(help="6ND, or 'study': FLOPs per token of the study's own column.")] = "6ND",
    exact: Annotated[bool, typer.Option("--exact", help="Take the law as exact beyond the fitted runs.")] = False,
    out: Out = None,
    json: Json = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> None:
    """Decide: split a budget, cost a target, choose the next run, or size a ladder; one of the four at a time."""
    from bayes_scaling.plan_job import Request, run

    request = Request(
        study=study,
        budget=budget,
        reach=reach,
        prob=prob,
        at=at,
        serve=serve,
        candidates=candidates,
        spend=spend,
        count=count,
        ladder=ladder,
        families=families,
        target=target,
        law=law,
        task=task,
        columns=columns,
        flops=flops,
        exact=exact,
        out=out,
        json=json,
        seed=seed,
        draws=draws,
        chains=chains,
        allow_unconverged=allow_unconverged,
    )
    run(request, quiet=quiet)
