"""What the command ``plan`` is asked: its question, the study and law it is answered by, and what to say besides."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from bayes_scaling.cli.against import Against
from bayes_scaling.cli.arguments import (
    averages,
    choose_laws,
    choose_tasks,
    in_file,
    open_study,
    parse_columns,
    parse_pairs,
    read_numbers,
)
from bayes_scaling.cli.priors import with_priors
from bayes_scaling.cli.questions import Cost, Ladder, Next, Question, Split
from bayes_scaling.decisions.counts import recipe_names
from bayes_scaling.decisions.inputs import exponent_spread, goal_of, one_number, require_held, told_to_each
from bayes_scaling.decisions.mixed_surface import mixed_surface
from bayes_scaling.decisions.surface import SAME_CONVENTION, Surface
from bayes_scaling.errors import DecisionError, LawError, StudyError, TargetError, listed
from bayes_scaling.evaluation.averaging import AveragedFit, average_problems
from bayes_scaling.evaluation.diagnose import diagnose
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.models.defaults import AVERAGE, law_by_name
from bayes_scaling.models.recommended import deciding
from bayes_scaling.problems import Problems
from bayes_scaling.reporting.plan import Answer, Beyond
from bayes_scaling.study.design import design_check
from bayes_scaling.study.flops import SIX_N_D, FlopRule, may_be_counted, with_flops
from bayes_scaling.study.reading import read_table, recognised, renamed, symbol_of
from bayes_scaling.study.rows import absent, row_number
from bayes_scaling.study.selection import asked_for
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import FRACTION, OUTCOME, PER_CENT, in_per_cent, in_shares, number_of, with_numbers

__all__ = [
    "caveats",
    "check_errors",
    "check_options",
    "doubts",
    "given_options",
    "laws_to_average",
    "open_planned",
    "planned",
    "read_given",
    "read_question",
    "surface_of",
    "with_rival",
]

READ_BY = {
    "prob": ("reach",), "at": ("reach",), "serve": ("reach",), "spend": ("next",), "count": ("next",),
    "families": ("ladder",), "target": ("next", "ladder", "against"),
}  # fmt: skip
"""The questions that read an option; all others are read by every question, or refused where they are read."""

OF_A_STUDY = (
    "task", "drop_missing", "unit", "accuracy_columns", "chance", "draws", "chains", "adapt", "allow_unconverged",
)  # fmt: skip
"""Options about runs that are fitted, which a ladder without a study has none of."""


def read_question(
    *,
    budget: str | None,
    reach: str | None,
    prob: str,
    at: str | None,
    serve: str | None,
    candidates: Path | None,
    spend: str | None,
    count: int,
    ladder: Path | None,
    families: int,
    target: Mapping[str, Any] | None,
    seed: int,
    names: Mapping[str, str],
    where: str | None = None,
    of_study: bool = False,
    against: Study | None = None,
    pictures: bool = True,
    percent: bool = False,
    laddered: pd.DataFrame | None = None,
    files: tuple[str, str] = ("", ""),
) -> Question:
    """Return the one question that the options of the command ask.

    Tables of candidates and of planned runs are read as studies are, by ``names`` and ``where``; ``laddered`` is the
    table of ``ladder`` where it has been read before, since a pipe cannot be read again; ``files`` are the names of the
    study and of that of ``against``; ``of_study`` says that the query is about a study first, so that such a table may
    lack what it speaks of; ``pictures`` says whether the answer will be drawn, ``percent`` that the tables and the
    outcome to reach have accuracies and chances in per cent.

    Raises
    ------
    DecisionError
        The options ask no question or several, or one of them is not what it is to be.
    FileError, StudyError
        A table of candidates or of planned runs cannot be read.
    TargetError
        The question needs a target, and none is given.
    """
    asked = {"--budget": budget, "--reach": reach, "--next": candidates, "--ladder": ladder,
             "--against": against}  # fmt: skip
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        said = f"{' and '.join(given)} are asked at once" if given else "nothing is asked"
        raise DecisionError(f"A plan answers one question, and {said}; give one of {', '.join(asked)}.")
    if budget is not None:
        return Split(read_numbers(budget, "budget", "1e24 FLOPs"))
    if reach is not None:
        return _read_cost(reach, prob, at, serve, percent)
    if target is None:
        what = "a scale to compare at; give --target C=1e24 (FLOPs), or" if against else "a run to forecast; give"
        raise TargetError(f"{given[0]} needs {what} --target N=7e9,D=4e12.")
    if against is not None:
        scale = {name: value for name, value in target.items() if name != "target"}
        return Against(against, scale, seed, pictures=pictures, files=files)
    if candidates is not None:
        worded = "FLOPs to spend", "1e22"
        money = one_number(read_numbers(spend, *worded).tolist(), *worded) if spend else None
        return Next(_runs_of(read_table(candidates), names, where, of_study, percent), target, count, money)
    assert ladder is not None
    runs = _runs_of(read_table(ladder) if laddered is None else laddered, names, where, of_study, percent)
    return Ladder(_plans_of(runs, ladder.stem), target, families, seed)


def given_options(context: typer.Context) -> list[str]:
    """Return the arguments that the user gave a command, also those given as they are by default."""
    sources = ((name, context.get_parameter_source(name)) for name in context.params)
    return [name for name, source in sources if source is not None and source.name == "COMMANDLINE"]


def check_options(question: Question, given: Collection[str], of_study: bool) -> None:
    """Refuse an option that the question does not read; ``of_study`` says whether runs are fitted.

    Raises
    ------
    DecisionError
        There is one.
    """
    for name in given:
        said = f"--{name.replace('_', '-')}"
        if question.name not in (readers := READ_BY.get(name, (question.name,))):
            goes = listed(f"--{reader}" for reader in readers)
            raise DecisionError(f"{said} goes with {goes}, and --{question.name} does not read it; leave it out.")
        if name in OF_A_STUDY and not of_study:
            raise DecisionError(
                f"{said} is about runs that are fitted, and no study is given; leave it out, or give a study."
            )
    if {"spend", "count"} <= set(given):
        raise DecisionError("--spend chooses as many runs as it pays for, whatever --count says; give one of them.")


def _runs_of(
    table: pd.DataFrame, names: Mapping[str, str], where: str | None, of_study: bool, percent: bool
) -> pd.DataFrame:
    """Return a table of runs to be made under our names, also for the usual ones of exports, with the rows to keep.

    Shares are in per cent where that is said, also for the query; beside a study the table need not have any.
    """
    given = {ours: theirs for ours, theirs in names.items() if theirs in table or not of_study}  # a study's may lack
    table = renamed(table.dropna(how="all"), given)
    found = recognised(table)
    table = renamed(table, found)
    shares = _shares_of(table, names, of_study) if percent else {}
    as_given = with_numbers(table.assign(**shares))
    table = as_given.assign(**{column: values / PER_CENT for column, values in shares.items()})
    return table if where is None else table[asked_for(as_given, where, {**names, **found}, of_others=of_study)]


def _shares_of(table: pd.DataFrame, names: Collection[str], of_study: bool) -> dict[str, pd.Series]:
    """Return the shares of runs to be made that are in per cent; an outcome, which nothing reads of them, if it can be.

    Runs to be made have no outcomes yet: the table may say so in words, or guess them as fractions.
    """
    shares = in_shares(table, names)
    if not shares and not of_study:
        return in_per_cent(table, names)  # which says that there is none
    found: dict[str, pd.Series] = {}
    for share in shares:
        try:
            found |= in_per_cent(table.drop(columns=[other for other in shares if other != share]), names)
        except StudyError:
            if not OUTCOME.fullmatch(str(share)):
                raise
    return found


def _plans_of(table: pd.DataFrame, name: str) -> dict[str, pd.DataFrame]:
    """Return the runs of each plan by its name; those of a table without the column ``plan`` are one plan."""
    if "plan" not in table:
        return {name: table}
    lacking = np.flatnonzero(table["plan"].map(absent))
    if len(lacking):
        rows = listed((str(row_number(table, place)) for place in lacking), 5)
        who = "row" if len(lacking) == 1 else "rows"
        raise StudyError(
            f"The planned runs in {who} {rows} name no plan; fill in the column 'plan', or leave it out where all are "
            "of one plan."
        )
    runs = table.drop(columns="plan")
    return {str(plan): own for plan, own in runs.groupby(table["plan"].map(str), sort=False)}


def _read_cost(text: str, prob: str, at: str | None, serve: str | None, percent: bool) -> Cost:
    pairs = parse_pairs(text, "--reach", "loss=2.1", DecisionError)
    if len(pairs) != 1:
        raise DecisionError(f"--reach {text!r} names {len(pairs)} outcomes; give one, such as loss=2.1.")
    ((quantity, value),) = pairs.items()
    share = bool(FRACTION.fullmatch(quantity))
    example = ("70" if percent else "0.7") if share else "2.1"
    reached = read_numbers(value, f"{quantity} to reach", example, share=share, percent=percent)
    if share and percent and (reached > 1).any():
        raise DecisionError(f"The {quantity} to reach is {value.strip()}, above 100; give a percentage, such as 70.")
    target = goal_of(reached, quantity)
    held = parse_pairs(at, "--at", "N=7e9", DecisionError) if at else {}
    if not set(held) <= {"N", "D"} or len(held) > 1:
        raise DecisionError(f"--at {at!r} is not one of N or D; write it like N=7e9.")
    fixed = {name: float(read_numbers(v, name, "7e9", size=True)[0]) for name, v in held.items()}
    what = "number of tokens to serve", "1e13"
    tokens = one_number(read_numbers(serve, *what, size=True).tolist(), *what) if serve else None
    probability = number_of(prob, share=True)
    if np.isnan(probability):
        raise DecisionError(f"--prob {prob!r} is not a number; give a probability between 0 and 1, such as 0.9 or 90%.")
    return Cost(quantity, target, probability, fixed, tokens)


def open_planned(
    study: str | None, ladder: Path | None, columns: list[str] | None, **options: Any
) -> tuple[Study | None, Mapping[str, str], pd.DataFrame | None]:
    """Return the study, the user's names of our columns, and the table of the planned ladder where these are of it.

    That is so without a study.
    """
    if study is not None:
        table = open_study(study, columns, **options)
        return table, table.names, None
    if columns and ladder is not None:
        laddered = read_table(ladder)
        return None, parse_columns(columns, map(str, laddered.columns)), laddered
    return None, {}, None


def planned(
    table: Study | None,
    question: Question,
    law: str | None,
    task: str | None,
    priors: Sequence[str] | None = None,
) -> tuple[Study | None, str, Law]:
    """Return the study with what the law reads, the law's name, and the law; without one, only a ladder is planned.

    Raises
    ------
    LawError
        There is no such law, or no such parameter, or a prior is none.
    StudyError
        No study is given and no ladder is planned, or it is not clear which task to decide by.
    """
    if table is None:
        if not isinstance(question, Ladder):
            raise StudyError("No study is given to decide by; give its name or a file of runs.")
        name = law or "chinchilla"
        return None, name, with_priors(law_by_name(name), priors)
    name, laws = choose_laws(table, None if law == AVERAGE else law, priors)
    chosen = laws[0]
    if "C" in chosen.run_inputs and "flops" not in table.frame and may_be_counted(table.frame.columns):
        table = dataclasses.replace(table, frame=with_flops(table.frame, SIX_N_D))
    table = choose_tasks(table, chosen, (task,) if task else ())
    if len(table.tasks) > 1 and task is None:
        raise StudyError(f"Study {table.name!r} has {len(table.tasks)} tasks to decide by; choose one with --task.")
    return table, name, chosen


def in_terms_of(law: Law, question: Question, study: Study | None) -> Question:
    """Return the question in the law's own words: a two-step law calls the loss that it goes through its loss.

    Raises
    ------
    DecisionError
        It asks for the loss of a run, of which the law says nothing.
    """
    if not (isinstance(question, Cost) and law.route):
        return question
    if question.quantity == law.route:
        return dataclasses.replace(question, quantity="loss")
    if question.quantity == "loss" and study is not None and "loss" in study.frame:
        raise DecisionError(
            f"--reach loss={question.target:g} asks for the loss of a run, and {law.name} goes through {law.route}; "
            f"say --reach {law.route}=..., or take a law of the loss, such as --law chinchilla."
        )
    return question


def laws_to_average(
    question: Question, table: Study | None, name: str, law: str | None, priors: Sequence[str] | None = None
) -> dict[str, Law]:
    """Return the laws that ``--law average`` mixes, by name; none where it is not asked for.

    Raises
    ------
    LawError
        The question is asked of one law, or no law of the average speaks of parameters and tokens.
    """
    if law != AVERAGE:
        return {}
    if table is None or not isinstance(question, (Split, Cost)):
        raise LawError(f"--law {AVERAGE} answers --budget and --reach; name one law for --{question.name}.")
    averages(name, law, priors)
    return deciding(table)


def with_rival(question: Question, name: str, task: str | None, priors: Sequence[str] | None) -> Question:
    """Return a question with the law of the other table's runs, where it speaks of such; others as they are."""
    if not isinstance(question, Against):
        return question
    with in_file(question.files[1]):
        other, _, law = planned(question.other, question, name, task, priors)
    assert other is not None
    return dataclasses.replace(question, other=other, law=law, task=task)


def check_errors(question: Question, exact: bool, exponent_error: float | None) -> None:
    """Refuse an error beyond the fitted runs that is no error, or one of a law that is taken as exact.

    Raises
    ------
    DecisionError
        ``--exponent-error`` is no positive number or above 1, or ``--exact`` is given too, or a ladder is planned: its
        simulated forecasts have the error that forecasts have.
    """
    if exponent_error is not None:
        exponent_spread(exponent_error)
    if isinstance(question, Ladder) and (exact or exponent_error is not None):
        said = "--exact" if exact else "--exponent-error"
        raise DecisionError(f"--ladder simulates forecasts with the law's own error beyond the runs; leave {said} out.")
    if exact and exponent_error is not None:
        raise DecisionError("--exact takes the law as exact and --exponent-error does not; give one of them.")


def read_spread(text: str) -> float:
    """Return what ``--exponent-error`` says, a number or a percentage.

    Raises
    ------
    DecisionError
        It is none.
    """
    spread = number_of(text, share=True)
    if np.isnan(spread):
        raise DecisionError(f"--exponent-error {text!r} is not a number; give one such as 0.25 or 25%.")
    return spread


def read_given(text: str | None, question: Question, laws: Sequence[Law], *, percent: bool = False) -> dict[str, float]:
    """Return what ``--given`` holds the laws' further inputs at, and refuse what they lack before they are fitted.

    A chance is in per cent where ``percent`` says so, as it is in the table.

    Raises
    ------
    DecisionError
        The option is not a list of pairs, or a ladder is planned, whose tables have these inputs.
    LawError
        No law reads an input that is given, or one lacks an input.
    """
    pairs = parse_pairs(text, "--given", "unique_tokens=2e11", DecisionError) if text else {}
    if isinstance(question, Ladder):
        if pairs:
            raise DecisionError("--ladder reads every input from its table and its --target; leave --given out.")
        return {}
    given = {}
    for name, value in pairs.items():
        share = bool(FRACTION.fullmatch(name))
        example = ("25" if percent else "0.25") if share else "2e11"
        how: dict[str, Any] = {"size": not share, "share": share, "percent": percent}
        given[name] = float(read_numbers(value, name, example, of_a_law=True, **how)[0])
    told = {*question.target} & {*question.candidates} if isinstance(question, Next) else set[str]()
    for law, known in zip(laws, told_to_each(laws, given), strict=True):
        require_held(law, {*known, *map(symbol_of, told)})
    return given


def surface_of(
    question: Question,
    fitted: Posterior | AveragedFit,
    rule: FlopRule,
    *,
    task: str | None,
    seed: int = 0,
    **beyond: Any,
) -> Surface:
    """Return the surface the question is answered on, with these errors beyond the runs; the fits have been checked."""
    options: dict[str, Any] = {
        "flops": rule,
        "quantity": question.quantity if isinstance(question, Cost) else None,
        "allow_unconverged": True,
        **beyond,
    }
    if isinstance(fitted, AveragedFit):
        return mixed_surface(fitted.posteriors, fitted.weights, seed=seed, **options)
    return Surface.of(fitted, series=task if fitted.law.by_task else None, **options)


def doubts(
    posterior: Posterior,
    answer: Answer,
    rival: Posterior | None = None,
    average: AveragedFit | None = None,
    beyond: Beyond | None = None,
) -> Problems:
    """Return what speaks against the fit, and against going as far as the answer does, the worst first.

    Of two fits, each sentence says which it speaks of, and stands once where it speaks of both; of an average, its
    backtests speak too.
    """
    beyond = beyond or Beyond()
    if rival is not None:
        ours, theirs = doubts(posterior, answer, beyond=beyond), doubts(rival, answer, beyond=beyond)
        a, b = recipe_names(posterior, rival)
        said = [{str(problem) for problem in found} for found in (ours, theirs)]
        named = [(f"{a} and {b}" if str(p) in said[1] else a, p) for p in ours]
        named += [(b, p) for p in theirs if str(p) not in said[0]]
        return Problems(dataclasses.replace(p, sentence=f"{name}: {p.sentence}") for name, p in named).ranked()
    study = posterior.study
    if "flops" not in study.frame and may_be_counted(study.frame.columns):  # answers are in FLOPs
        study = dataclasses.replace(study, frame=with_flops(study.frame, SIX_N_D))
    aims = None if answer.aims is None else answer.aims.assign(**beyond.given)
    design = [beyond.in_its_words(p) for p in design_check(study, aims, law=posterior.law)]
    of_laws = average_problems(average) if average is not None else ()
    return Problems((*design, *of_laws, *diagnose(posterior))).ranked()


def caveats(
    posterior: Posterior,
    rule: FlopRule,
    *,
    law_named: bool,
    average: AveragedFit | None = None,
    beyond: Beyond | None = None,
) -> list[str]:
    """Return what the reader must know: laws mixed, FLOPs that rule and study count differently, routes left out."""
    said = []
    if average is not None:
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in average.weights.items())
        said.append(f"Laws by weight: {shares}; the interval holds what they disagree about.")
    gap, law = rule.disagreement(posterior.study), posterior.law
    if gap > SAME_CONVENTION and "C" not in law.run_inputs:
        said.append(
            f"{rule.name} and the study's own FLOPs differ by up to {100 * gap:.0f} %; --flops study uses those."
        )
    if beyond is not None and beyond.exponent_error is not None:
        said.append(
            "Beyond the runs exponents err, in place of the slope of the loss: best sizes are in more doubt than "
            "without --exponent-error, losses and costs may be in less."
        )
    if law.route and not law_named:
        said.append(f"The law goes through {law.route}; forecast also averages over other routes where there are any.")
    return said
