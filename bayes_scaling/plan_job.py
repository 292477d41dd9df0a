"""What ``bayes-scaling plan`` does: read the question, check it, fit, answer, write."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from bayes_scaling.errors import DecisionError, StudyError, TargetError
from bayes_scaling.files import check_writable
from bayes_scaling.fitting import check_size, fit
from bayes_scaling.flops import FlopRule, six_n_d
from bayes_scaling.job import choose_tasks, open_study, parse_inputs, parse_pairs, require_converged
from bayes_scaling.law import Law
from bayes_scaling.plan_questions import Cost, Ladder, Next, Question, Split, read_numbers, read_table
from bayes_scaling.plan_results import Answer, Plan, print_plan, write_plan_file, write_plan_folder
from bayes_scaling.posterior import Posterior
from bayes_scaling.study import Study
from bayes_scaling.surface import SAME, Surface
from bayes_scaling.tables import output, status

__all__ = ["Request", "run"]


@dataclasses.dataclass(frozen=True)
class Request:
    """The options of the command, as they were given."""

    study: str | None = None
    budget: str | None = None
    reach: str | None = None
    prob: float = 0.9
    at: str | None = None
    serve: str | None = None
    candidates: Path | None = None
    spend: float | None = None
    count: int = 3
    ladder: Path | None = None
    families: int = 32
    target: str | None = None
    law: str | None = None
    task: str | None = None
    columns: str | None = None
    flops: str = "6ND"
    exact: bool = False
    out: Path | None = None
    json: Path | None = None
    seed: int = 0
    draws: int = 1000
    chains: int = 4
    allow_unconverged: bool = False


def run(request: Request, *, quiet: bool = False) -> Plan:
    """Carry a request out; whatever can be wrong with it is said before anything is fitted or written.

    Raises
    ------
    DecisionError, StudyError, LawError, TargetError, FileError
        Something asked for does not exist or cannot be used.
    ConvergenceError
        The fit did not converge, and the request does not allow that.
    """
    question = read_question(request)
    study, name, law = read_study(request)
    rule = FlopRule.of(request.flops, study)
    question.check(law, study, rule)
    if study is not None:
        check_size(law, study.training, *law.arrays(study.training))
    check_writable(request.out, request.json)

    started = time.perf_counter()
    posterior = None
    with status(quiet) as say:
        if study is None:
            assert isinstance(question, Ladder)
            say(f"Simulating {question.families} families from the priors of {law.name} ...")
            answer = question.simulate(law, rule)
        else:
            say(f"Fitting {law.name} to {study.name} ...")
            posterior = fit(law, study, seed=request.seed, draws=request.draws, chains=request.chains)
            require_converged(posterior, request.allow_unconverged)
            say("Deciding ...")
            answer = warn(question.answer(surface_of(request, question, posterior, rule)), request, rule, posterior)
        convention = "as in the study" if "C" in law.run_inputs else rule.name
        seconds = time.perf_counter() - started
        plan = Plan(
            question.name, study.name if study else "", name, convention, request.seed, seconds, posterior, answer
        )
        if request.out:
            say("Drawing and writing ...")
            write_plan_folder(plan, request.out)
        if request.json:
            write_plan_file(plan, request.json)
    if not quiet:
        print_plan(plan, output(), written=[p for p in (request.out, request.json) if p])
    return plan


# -- reading the options --------------------------------------------------------------------------------------------


def read_question(request: Request) -> Question:
    """Return the one question a request asks."""
    asked = {
        "--budget": request.budget,
        "--reach": request.reach,
        "--next": request.candidates,
        "--ladder": request.ladder,
    }
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        said = f"{' and '.join(given)} are asked at once" if given else "nothing is asked"
        raise DecisionError(f"A plan answers one question, and {said}; give one of {', '.join(asked)}.")
    if request.budget is not None:
        return Split(read_numbers(request.budget, "budget", "1e24 FLOPs"))
    if request.reach is not None:
        return _read_cost(request, request.reach)
    if request.target is None:
        raise TargetError(f"{given[0]} needs a run to forecast; give --target N=7e9,D=4e12.")
    target = parse_inputs(request.target)
    if request.candidates is not None:
        return Next(read_table(request.candidates, "--next"), target, request.count, request.spend)
    assert request.ladder is not None
    table = read_table(request.ladder, "--ladder")
    plans = dict(iter(table.groupby("plan", sort=False))) if "plan" in table else {request.ladder.stem: table}
    named = {str(name): plan.drop(columns="plan", errors="ignore") for name, plan in plans.items()}
    return Ladder(named, target, request.families, request.seed)


def _read_cost(request: Request, text: str) -> Cost:
    pairs = parse_pairs(text, "--reach", "loss=2.1", DecisionError)
    if len(pairs) != 1:
        raise DecisionError(f"--reach {text!r} names {len(pairs)} outcomes; give one, such as loss=2.1.")
    ((quantity, value),) = pairs.items()
    target = float(read_numbers(value, f"{quantity} to reach", "2.1")[0])
    held = parse_pairs(request.at, "--at", "N=7e9", DecisionError) if request.at else {}
    if not set(held) <= {"N", "D"} or len(held) > 1:
        raise DecisionError(f"--at {request.at!r} is not one of N or D; write it like N=7e9.")
    fixed = {name: float(read_numbers(v, name, "7e9")[0]) for name, v in held.items()}
    serve = float(read_numbers(request.serve, "number of tokens to serve", "1e13")[0]) if request.serve else None
    return Cost(quantity, target, request.prob, fixed, serve)


def read_study(request: Request) -> tuple[Study | None, str, Law]:
    """Return the study, and the law it is fitted by; without a study, only a ladder can be planned."""
    from bayes_scaling.models.defaults import default_laws, law_by_name

    if request.study is None:
        if request.ladder is None:
            raise StudyError("No study is given to decide by; give its name or a file of runs.")
        name = request.law or "chinchilla"
        return None, name, law_by_name(name)
    study = open_study(request.study, request.columns)
    name, laws = (request.law, (law_by_name(request.law),)) if request.law else default_laws(study)
    law = laws[0]
    if "C" in law.run_inputs and "flops" not in study.frame and {"n_params", "tokens"} <= set(study.frame.columns):
        flops = six_n_d.cost(study.column("n_params"), study.column("tokens"))
        study = dataclasses.replace(study, frame=study.frame.assign(flops=flops))
    study = choose_tasks(study, law, (request.task,) if request.task else ())
    if len(study.tasks) > 1 and request.task is None:
        raise StudyError(f"Study {study.name!r} has {len(study.tasks)} tasks to decide by; choose one with --task.")
    return study, name, law


def surface_of(request: Request, question: Question, posterior: Posterior, rule: FlopRule) -> Surface:
    """Return the surface the question is answered on; the fit has been checked."""
    quantity = question.quantity if isinstance(question, Cost) else None
    series = request.task if posterior.law.dims(posterior.study)[0] else None
    return Surface.of(
        posterior, flops=rule, quantity=quantity, series=series, discrepancy=not request.exact, allow_unconverged=True
    )


def warn(answer: Answer, request: Request, rule: FlopRule, posterior: Posterior) -> Answer:
    """Add what the reader must know: FLOPs that the rule and the study count differently, routes left out."""
    said = []
    gap = rule.disagreement(posterior.study)
    if gap > SAME and "C" not in posterior.law.run_inputs:
        said.append(
            f"{rule.name} and the study's own FLOPs differ by up to {100 * gap:.0f} %; --flops study uses those."
        )
    feature = getattr(posterior.law, "feature", None)
    if feature and request.law is None:
        said.append(f"The law goes through {feature}; forecast also averages over other routes where there are any.")
    return dataclasses.replace(answer, sentences=(*answer.sentences, *said))
