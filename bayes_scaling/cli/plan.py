"""The command ``plan``: read the question, check it, fit, answer, write.  What takes long is imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayes_scaling.cli.options import (
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
    Unit,
    Where,
    sampling,
)

__all__ = ["plan"]


def plan(
    context: typer.Context,
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY_OR_FILE", help="Study or file; with --ladder, an earlier family.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Split training FLOPs best: 1e24, or several: 1e22,1e24.")] = None,
    reach: Annotated[str | None, typer.Option(help="FLOPs that reach an outcome: loss=2.1 or accuracy=0.6.")] = None,
    prob: Annotated[str, typer.Option(help="With --reach: the probability to reach it with, 0.9 or 90%.")] = "0.9",
    at: Annotated[str | None, typer.Option(help="With --reach: hold N=7e9 or D=1e12 fixed.")] = None,
    serve: Annotated[str | None, typer.Option(help="With --reach: tokens to be served later, 1e13.")] = None,
    candidates: Annotated[Path | None, typer.Option("--next", help="Rank the runs of a table (N, D, flops).")] = None,
    spend: Annotated[str | None, typer.Option(help="With --next: FLOPs for all runs together.")] = None,
    count: Annotated[int, typer.Option(min=1, help="With --next and no --spend: how many runs to choose.")] = 3,
    ladder: Annotated[Path | None, typer.Option(help="Simulate planned ladders (N, D, plan).")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="STUDY_OR_FILE", help="How many times less a second recipe's runs take.")
    ] = None,
    families: Annotated[int, typer.Option(min=4, help="With --ladder: families to simulate.")] = 32,
    target: Annotated[
        str | None, typer.Option(help="Run to forecast, N=7e9,D=4e12; with --against also C=1e24.")
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(help="Law to fit, or 'average', as a forecast has it; by default what the columns call for."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task to decide by, where the study has several.")] = None,
    columns: Columns = None,
    where: Where = None,
    drop_missing: DropMissing = False,
    unit: Unit = None,
    accuracy_columns: AccuracyColumns = None,
    chance: Chance = None,
    percent: Percent = False,
    prior: Priors = None,
    flops: Annotated[str, typer.Option(help="6ND, or 'study': FLOPs per token of the study's own column.")] = "6ND",
    exact: Annotated[bool, typer.Option("--exact", help="Take the law as exact beyond the fitted runs.")] = False,
    given: Annotated[
        str | None, typer.Option(help="The law's other inputs, held fixed: unique_tokens=2e11,num_experts=8.")
    ] = None,
    exponent_error: Annotated[
        str | None,
        typer.Option(
            help="How far exponents of N and D wander beyond the runs, in place of the slope: 0.25, about a quarter."
        ),
    ] = None,
    out: Out = None,
    json: Json = None,
    seed: Seed = 0,
    draws: Draws = 1000,
    chains: Chains = 4,
    adapt: Adapt = False,
    allow_unconverged: AllowUnconverged = False,
    quiet: Quiet = False,
) -> Any:
    """Decide: split a budget, cost a target, choose the next run, size a ladder, or compare two recipes."""
    from bayes_scaling.cli.answering import Asked
    from bayes_scaling.cli.arguments import in_file, open_study, parse_inputs, read_chance
    from bayes_scaling.cli.planning import check_options, given_options, open_planned, read_question, read_spread
    from bayes_scaling.files import check_writable
    from bayes_scaling.reporting.plan import print_plan, write_plan_file, write_plan_folder
    from bayes_scaling.reporting.screen import output, print_remarks, status

    wide = {"accuracy_columns": accuracy_columns, "chance": read_chance(chance, percent=percent), "percent": percent}
    opening: dict[str, Any] = {"where": where, "drop_missing": drop_missing, "unit": unit, **wide}
    files = (study or "", against) if against else ("", "")
    with in_file(files[0]):
        table, names, laddered = open_planned(study, ladder, columns, **opening)
    with in_file(files[1]):
        other = open_study(against, columns, **opening) if against else None
    aim = parse_inputs(target, names=names, percent=percent) if target else None
    question = read_question(
        budget=budget, reach=reach, prob=prob, at=at, serve=serve, candidates=candidates, spend=spend, count=count,
        ladder=ladder, families=families, target=aim, seed=seed, names=names,
        where=where, of_study=table is not None, against=other, pictures=out is not None, percent=percent,
        laddered=laddered, files=files,
    )  # fmt: skip
    check_options(question, given_options(context), of_study=table is not None)
    asked = Asked.of(
        question, table, law=law, task=task, priors=prior, aim=aim, flops=flops, exact=exact,
        exponent_error=read_spread(exponent_error) if exponent_error else None, given=given, percent=percent,
    )  # fmt: skip
    check_writable(out, json, reads=[study, against, candidates, ladder], names=question.tables)
    print_remarks(asked.study.remarks if asked.study is not None else (), quiet)
    with status(quiet) as say:
        found = asked.answered(say, allow_unconverged=allow_unconverged, **sampling(seed, draws, chains, adapt))
        if out:
            say("Drawing and writing ...")
            write_plan_folder(found, out)
        if json:
            write_plan_file(found, json)
    if not quiet:
        print_plan(found, output(), written=[path for path in (out, json) if path])
    return found
