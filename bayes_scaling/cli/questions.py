"""The four questions of the plan command: each is read, checked before anything is fitted, and then answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from bayes_scaling.cli.arguments import choose_laws, choose_tasks, open_study, parse_inputs, parse_pairs, read_numbers
from bayes_scaling.decisions.allocation import allocate, budget_range
from bayes_scaling.decisions.inputs import positive, require_size_and_data, scale_columns
from bayes_scaling.decisions.ladder_design import plan_ladders, read_plan
from bayes_scaling.decisions.lifetime import cheapest
from bayes_scaling.decisions.next_runs import next_runs, read_candidates
from bayes_scaling.decisions.reach import reach
from bayes_scaling.decisions.regret import regret
from bayes_scaling.decisions.surface import SAME_CONVENTION, Surface
from bayes_scaling.errors import DecisionError, LawError, StudyError, TargetError, suggest
from bayes_scaling.forecasts.display import scale_of, short
from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.models.defaults import law_by_name
from bayes_scaling.plots import plot_frontier, plot_ladder_plans, plot_next_runs, plot_reach, plot_regret
from bayes_scaling.reporting.plan import Answer
from bayes_scaling.study.flops import SIX_N_D, FlopRule, with_flops
from bayes_scaling.study.reading import read_table
from bayes_scaling.study.study import Study

__all__ = [
    "Cost",
    "Ladder",
    "Next",
    "Question",
    "Split",
    "caveats",
    "open_planned",
    "read_question",
    "surface_of",
]

MAX_REGRETS = 3  # budgets whose regret is shown


class Question(Protocol):
    """What a plan command asks."""

    name: ClassVar[str]

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse what this law cannot answer, before it is fitted."""

    def answer(self, surface: Surface) -> Answer:
        """Answer from a fit."""


@dataclasses.dataclass(frozen=True)
class Split:
    """How to split FLOP budgets between parameters and tokens."""

    budgets: np.ndarray
    name: ClassVar[str] = "budget"

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse a law that does not weigh N against D, or does not say which way its outcome is better."""
        law.lower_is_better(law.outcome)
        require_size_and_data(law, "A compute-optimal allocation")

    def answer(self, surface: Surface) -> Answer:
        """Return the allocation of each budget, and the regret at the first few."""
        found = allocate(surface, self.budgets)
        prices = [regret(surface, budget) for budget in self.budgets[:MAX_REGRETS]]
        sentences = []
        for i, budget in enumerate(self.budgets):
            low, middle, high = (short(float(quantile(found.N[:, i], q))) for q in (0.05, 0.5, 0.95))
            data, loss = (float(quantile(x[:, i], 0.5)) for x in (found.D, found.outcome))
            sentences.append(
                f"{budget:.3g} FLOPs are best spent on {middle} parameters (90 %: {low} to {high}) and {short(data)} "
                f"tokens, for {describe(surface.quantity, loss, surface.unit)}."
            )
        share = float(found.edge.mean())
        if share > 0:
            sentences.append(f"In {100 * share:.2g} % of the draws the law has no best size; its range ends there.")
        tables = {"plan": found.table(), "regret": pd.concat([p.table() for p in prices], ignore_index=True)}
        if np.ptp(self.budgets) > 0:
            tables["exponents"] = found.exponents()
        path = allocate(surface, budget_range(surface, self.budgets))
        pictures = {"plan": partial(plot_frontier, found, path)}
        pictures |= {f"regret_{p.flops:.3g}": partial(plot_regret, p) for p in prices}
        return Answer(tuple(sentences), tables, pictures)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What it takes to reach an outcome, and to serve the model afterwards."""

    quantity: str
    target: float
    probability: float
    fixed: Mapping[str, float]
    serve: float | None
    name: ClassVar[str] = "reach"

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse an outcome the law does not have, and a fixed size of a law without one."""
        if self.quantity not in law.quantities:
            raise DecisionError(
                f"{law.name} does not forecast {self.quantity!r}, which --reach asks for; "
                f"{suggest(self.quantity, law.quantities)}"
            )
        law.lower_is_better(self.quantity)
        if not 0 < self.probability < 1:
            raise DecisionError(f"--prob is {self.probability:g}; give a probability between 0 and 1, such as 0.9.")
        if self.fixed or self.serve is not None or set(scale_columns(law)) != {"C"}:
            require_size_and_data(law, "A budget for a target")

    def answer(self, surface: Surface) -> Answer:
        """Return the FLOPs by probability, and the cheapest model over its life where tokens are served."""
        found = reach(surface, self.target, **self.fixed)
        budget = found.budget(self.probability)
        what = describe(self.quantity, self.target, surface.unit)
        where = "" if found.along in ("optimum", "C") else f" at {found.along}"
        never = f"it is never reached with probability {100 * found.never:.2g} %."
        level = f"{100 * self.probability:.3g} %"
        sentences = [
            f"{budget:.3g} FLOPs reach {what}{where} with probability {level}; {never}"
            if np.isfinite(budget)
            else f"No budget reaches {what}{where} with probability {level}: {never}"
        ]
        levels = sorted({0.1, 0.5, 0.8, 0.9, 0.95, self.probability})
        tables = {"plan": found.table(levels), "intervals": found.intervals()}
        if self.serve is not None:
            life = cheapest(surface, self.target, self.serve)
            tables["lifetime"] = life.table()
            if life.optimum.never < 0.5:
                N, D = (short(float(quantile(x[:, 0], 0.5))) for x in (life.N, life.D))
                sentences.append(
                    f"With {short(self.serve)} tokens to serve, {N} parameters on {D} tokens are cheapest."
                )
            else:
                sentences.append("More likely than not it is never reached, so no model is cheapest over its life.")
        return Answer(tuple(sentences), tables, {"plan": partial(plot_reach, found)})


@dataclasses.dataclass(frozen=True)
class Next:
    """Which of some candidate runs to make next."""

    candidates: pd.DataFrame
    target: Mapping[str, float]
    count: int
    spend: float | None
    name: ClassVar[str] = "next"

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse candidates without an input of the law, and a target it cannot evaluate."""
        read_candidates(law, rule, self.candidates)
        assert study is not None
        read_targets(law, study, self.target)

    def answer(self, surface: Surface) -> Answer:
        """Return the ranking, the batch and the baseline."""
        found = next_runs(surface, self.candidates, self.target, count=self.count, spend=self.spend)
        names, paid = ", ".join(map(str, found.batch["run"])), float(found.batch["flops"].sum())
        ours, theirs = (100 * (1 - float(b["sd_after"].iloc[-1]) / found.sd) for b in (found.batch, found.baseline))
        price = float(found.baseline["flops"].sum())
        sentences = [
            f"Run {names} ({paid:.3g} FLOPs): the forecast of {found.target} should get {ours:.2g} % narrower."
            if ours > 0
            else f"None of the candidates should narrow the forecast of {found.target}.",
            f"The largest affordable runs instead: {theirs:.2g} % for {price:.3g} FLOPs.",
        ]
        if "flops" in self.candidates:
            sentences.append("Costs are the FLOPs that the candidates came with.")
        tables = {"plan": found.table(), "batch": found.batch, "baseline": found.baseline}
        return Answer(tuple(sentences), tables, {"plan": partial(plot_next_runs, found)})


@dataclasses.dataclass(frozen=True)
class Ladder:
    """How wide the forecast of a target will be for planned ladders."""

    plans: Mapping[str, pd.DataFrame]
    target: Mapping[str, float]
    families: int
    seed: int
    name: ClassVar[str] = "ladder"

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse plans without an input of the law."""
        for plan in self.plans.values():
            read_plan(law, plan)
        for name in law.run_inputs:
            column = law.columns[name]
            if column not in self.target:
                raise LawError(f"{law.name} needs {name} of the run to forecast; give it with --target.")
            positive(self.target[column], f"target's {name}", "7e9")

    def answer(self, surface: Surface) -> Answer:
        """Simulate families like the fitted one."""
        return self.simulate(surface.posterior, surface.rule, allow_unconverged=True)

    def simulate(self, family: Law | Posterior, rule: FlopRule, **options: Any) -> Answer:
        """Simulate families from a fit or from priors."""
        options = {"flops": rule, **options}
        found = plan_ladders(family, self.plans, self.target, seed=self.seed, families=self.families, **options)
        table = found.table()
        sentences = tuple(
            f"{row['plan']}: {row['runs']} runs, {row['flops']:.3g} FLOPs; the 90 % interval of {found.target} will be "
            f"{100 * row['median']:.2g} % of its {found.quantity} wide (90 %: {100 * row['q05']:.2g} to "
            f"{100 * row['q95']:.2g} %)."
            for row in table.to_dict("records")
        )
        return Answer(sentences, {"plan": table, "families": found.draws}, {"plan": partial(plot_ladder_plans, found)})


def describe(quantity: str, value: float, unit: str) -> str:
    """Return an outcome in words.

    Examples
    --------
    >>> describe("loss", 2.1, "nats per token"), describe("accuracy", 0.7, "fraction")
    ('a loss of 2.1 nats per token', 'an accuracy of 70 %')
    """
    article = "an" if quantity[0] in "aeiou" else "a"
    factor, unit, *_ = scale_of(unit)
    return f"{article} {quantity} of {factor * value:.4g} {unit}"


# -- reading the options --------------------------------------------------------------------------------------------


def read_question(
    *,
    budget: str | None,
    reach: str | None,
    prob: float,
    at: str | None,
    serve: str | None,
    candidates: Path | None,
    spend: float | None,
    count: int,
    ladder: Path | None,
    families: int,
    target: str | None,
    seed: int,
) -> Question:
    """Return the one question that the options of the command ask."""
    asked = {"--budget": budget, "--reach": reach, "--next": candidates, "--ladder": ladder}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        said = f"{' and '.join(given)} are asked at once" if given else "nothing is asked"
        raise DecisionError(f"A plan answers one question, and {said}; give one of {', '.join(asked)}.")
    if budget is not None:
        return Split(read_numbers(budget, "budget", "1e24 FLOPs"))
    if reach is not None:
        return _read_cost(reach, prob, at, serve)
    if target is None:
        raise TargetError(f"{given[0]} needs a run to forecast; give --target N=7e9,D=4e12.")
    aim = parse_inputs(target)
    if candidates is not None:
        return Next(read_table(candidates), aim, count, spend)
    assert ladder is not None
    table = read_table(ladder)
    plans = dict(iter(table.groupby("plan", sort=False))) if "plan" in table else {ladder.stem: table}
    named = {str(name): plan.drop(columns="plan", errors="ignore") for name, plan in plans.items()}
    return Ladder(named, aim, families, seed)


def _read_cost(text: str, prob: float, at: str | None, serve: str | None) -> Cost:
    pairs = parse_pairs(text, "--reach", "loss=2.1", DecisionError)
    if len(pairs) != 1:
        raise DecisionError(f"--reach {text!r} names {len(pairs)} outcomes; give one, such as loss=2.1.")
    ((quantity, value),) = pairs.items()
    target = float(read_numbers(value, f"{quantity} to reach", "2.1")[0])
    held = parse_pairs(at, "--at", "N=7e9", DecisionError) if at else {}
    if not set(held) <= {"N", "D"} or len(held) > 1:
        raise DecisionError(f"--at {at!r} is not one of N or D; write it like N=7e9.")
    fixed = {name: float(read_numbers(v, name, "7e9")[0]) for name, v in held.items()}
    tokens = float(read_numbers(serve, "number of tokens to serve", "1e13")[0]) if serve else None
    return Cost(quantity, target, prob, fixed, tokens)


def open_planned(
    study: str | None, question: Question, columns: str | None, law: str | None, task: str | None
) -> tuple[Study | None, str, Law]:
    """Return the study, the name of the law it is fitted by, and the law; without a study, only a ladder is planned."""
    if study is None:
        if not isinstance(question, Ladder):
            raise StudyError("No study is given to decide by; give its name or a file of runs.")
        name = law or "chinchilla"
        return None, name, law_by_name(name)
    table = open_study(study, columns)
    name, laws = choose_laws(table, law)
    chosen = laws[0]
    if "C" in chosen.run_inputs and "flops" not in table.frame and {"n_params", "tokens"} <= set(table.frame.columns):
        table = dataclasses.replace(table, frame=with_flops(table.frame, SIX_N_D))
    table = choose_tasks(table, chosen, (task,) if task else ())
    if len(table.tasks) > 1 and task is None:
        raise StudyError(f"Study {table.name!r} has {len(table.tasks)} tasks to decide by; choose one with --task.")
    return table, name, chosen


def surface_of(question: Question, posterior: Posterior, rule: FlopRule, *, task: str | None, exact: bool) -> Surface:
    """Return the surface the question is answered on; the fit has been checked."""
    quantity = question.quantity if isinstance(question, Cost) else None
    series = task if posterior.law.by_task else None
    return Surface.of(
        posterior, flops=rule, quantity=quantity, series=series, discrepancy=not exact, allow_unconverged=True
    )


def caveats(posterior: Posterior, rule: FlopRule, *, law_named: bool) -> list[str]:
    """Return what the reader must know: FLOPs that the rule and the study count differently, routes left out."""
    said = []
    gap, law = rule.disagreement(posterior.study), posterior.law
    if gap > SAME_CONVENTION and "C" not in law.run_inputs:
        said.append(
            f"{rule.name} and the study's own FLOPs differ by up to {100 * gap:.0f} %; --flops study uses those."
        )
    if law.route and not law_named:
        said.append(f"The law goes through {law.route}; forecast also averages over other routes where there are any.")
    return said
