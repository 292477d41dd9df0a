"""Questions of the plan command: each is read, checked before anything is fitted, and then answered.

The one that compares two recipes is in ``against.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from bayes_scaling.decisions.allocation import allocate, budget_range
from bayes_scaling.decisions.inputs import positive, reads_compute_alone, require_size_and_data, scale_columns
from bayes_scaling.decisions.ladder_design import plan_ladders, read_plans
from bayes_scaling.decisions.lifetime import cheapest
from bayes_scaling.decisions.next_runs import MIN_GAIN, NextRuns, achieved, money_for, next_runs, read_candidates
from bayes_scaling.decisions.reach import reach
from bayes_scaling.decisions.regret import regret
from bayes_scaling.decisions.surface import Surface
from bayes_scaling.errors import DecisionError, LawError, counted, suggest
from bayes_scaling.forecasts.display import percent, scale_of, short
from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.plots import plot_frontier, plot_ladder_plans, plot_next_runs, plot_reach, plot_regret
from bayes_scaling.reporting.plan import Answer
from bayes_scaling.study.flops import FlopRule
from bayes_scaling.study.study import Study

__all__ = ["Cost", "Ladder", "Next", "Question", "Split"]

MAX_REGRETS = 3  # budgets whose regret is shown


class Question(Protocol):
    """What a plan command asks."""

    name: ClassVar[str]
    tables: ClassVar[tuple[str, ...]]
    """Names of the tables that an answer may have."""

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse what this law cannot answer, before it is fitted."""

    def answer(self, surface: Surface) -> Answer:
        """Answer from a fit."""


@dataclasses.dataclass(frozen=True)
class Split:
    """How to split FLOP budgets between parameters and tokens."""

    budgets: np.ndarray
    name: ClassVar[str] = "budget"
    tables: ClassVar[tuple[str, ...]] = ("plan", "regret", "exponents")

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse a law that does not weigh N against D, or does not say which way its outcome is better."""
        law.lower_is_better(law.outcome)
        scale_columns(law)
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
                f"tokens, for {describe(column_of_outcome(surface), loss, surface.unit)}."
            )
        share = float(found.edge.mean())
        if share > 0:
            sentences.append(f"In {percent(share)} of the draws the law has no best size; its range ends there.")
        tables = {"plan": found.table(), "regret": pd.concat([p.table() for p in prices], ignore_index=True)}
        if np.ptp(self.budgets) > 0:
            tables["exponents"] = found.exponents()
        path = allocate(surface, budget_range(surface, self.budgets))
        pictures = {"plan": partial(plot_frontier, found, path)}
        alike = len({f"{p.flops:.3g}" for p in prices}) < len(prices)
        for place, price in enumerate(prices, 1):
            pictures[f"regret_{f'{place}_' if alike else ''}{price.flops:.3g}"] = partial(plot_regret, price)
        return Answer(tuple(sentences), tables, pictures, of_budgets(self.budgets))


@dataclasses.dataclass(frozen=True)
class Cost:
    """What it takes to reach an outcome, and to serve the model afterwards."""

    quantity: str
    target: float
    probability: float
    fixed: Mapping[str, float]
    serve: float | None
    name: ClassVar[str] = "reach"
    tables: ClassVar[tuple[str, ...]] = ("plan", "intervals", "lifetime", "model")

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse an outcome the law does not have, a fixed size of a law without one, and one of a model to serve."""
        if self.quantity not in law.quantities:
            raise DecisionError(
                f"{law.name} does not forecast {self.quantity!r}, which --reach asks for; "
                f"{suggest(self.quantity, law.quantities)}"
            )
        law.lower_is_better(self.quantity)
        if not 0 < self.probability < 1:
            raise DecisionError(
                f"--prob is {self.probability:g}; give a probability between 0 and 1, such as 0.9 or 90%."
            )
        if self.fixed and self.serve is not None:
            ((held, value),) = self.fixed.items()
            raise DecisionError(
                f"--serve looks for the cheapest model of any size, and --at holds {held} at {value:g}; leave one of "
                "them out."
            )
        if not reads_compute_alone(law) or self.fixed or self.serve is not None:
            require_size_and_data(law, "A budget for a target")

    def answer(self, surface: Surface) -> Answer:
        """Return the FLOPs by probability, and the cheapest model over its life where tokens are served."""
        found = reach(surface, self.target, **self.fixed)
        budget = found.budget(self.probability)
        what = describe(column_of_outcome(surface), self.target, surface.unit)
        where = "" if found.along in ("optimum", "C") else f" at {found.along}"
        never = f"it is never reached with probability {percent(found.never)}."
        level = f"{100 * self.probability:.3g} %"
        any_will_do = found.always >= self.probability
        if any_will_do:
            sentences = [f"Any budget reaches {what}{where} with probability {level}; {never}"]
        elif np.isfinite(budget):
            sentences = [f"{budget:.3g} FLOPs reach {what}{where} with probability {level}; {never}"]
        else:
            sentences = [f"No budget reaches {what}{where} with probability {level}: {never}"]
        levels = sorted({0.1, 0.5, 0.8, 0.9, 0.95, self.probability})
        tables = {"plan": found.table(levels), "intervals": found.intervals()}
        if self.serve is not None:
            life = cheapest(surface, self.target, self.serve)
            tables |= {"lifetime": life.table(), "model": life.model(self.probability)}
            ((N, D),) = tables["model"][["n_params", "tokens"]].to_numpy()
            if np.isfinite(budget):
                sentences.append(
                    f"With {short(self.serve)} tokens to serve, the cheapest model that reaches it with probability "
                    f"{level} has {short(N)} parameters and is trained on {short(D)} tokens."
                )
            else:
                sentences.append("So no model is cheapest over its life.")
        return Answer(
            tuple(sentences), tables, {"plan": partial(plot_reach, found)}, of_budgets([] if any_will_do else [budget])
        )


@dataclasses.dataclass(frozen=True)
class Next:
    """Which of some candidate runs to make next."""

    candidates: pd.DataFrame
    target: Mapping[str, float]
    count: int
    spend: float | None
    name: ClassVar[str] = "next"
    tables: ClassVar[tuple[str, ...]] = ("plan", "batch", "baseline")

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse candidates without an input of the law, a --spend too small for any, and a target it cannot read."""
        assert study is not None
        candidates = read_candidates(law, rule, self.candidates, study)
        if self.spend is not None:
            money_for(candidates, self.spend)
        read_targets(law, study, self.target)

    def answer(self, surface: Surface) -> Answer:
        """Return the ranking, the batch and the baseline."""
        found = next_runs(surface, self.candidates, self.target, count=self.count, spend=self.spend)
        names, paid = ", ".join(map(str, found.batch["run"])), float(found.batch["flops"].sum())
        ours, theirs = (percent(achieved(batch)) for batch in (found.batch, found.baseline))
        price = float(found.baseline["flops"].sum())
        sentences = [
            f"Run {names} ({paid:.3g} FLOPs): the forecast of {found.target} should get {ours} narrower."
            if len(found.batch)
            else f"None of the candidates should narrow the forecast of {found.target}.",
            "The largest affordable runs are the same."
            if found.batch.equals(found.baseline)
            else f"The largest affordable runs instead: {theirs} for {price:.3g} FLOPs.",
        ]
        if (found.ranking["narrower"] < MIN_GAIN).any():
            sentences.append(f"Runs that narrow it by less than {percent(MIN_GAIN)} are ranked, and not chosen.")
        sentences.append(_parts(found))
        if "flops" in self.candidates:
            sentences.append("Costs are the FLOPs that the candidates came with.")
        tables = {"plan": found.table(), "batch": found.batch, "baseline": found.baseline}
        return Answer(tuple(sentences), tables, {"plan": partial(plot_next_runs, found)}, pd.DataFrame([self.target]))


@dataclasses.dataclass(frozen=True)
class Ladder:
    """How wide the forecast of a target will be for planned ladders."""

    plans: Mapping[str, pd.DataFrame]
    target: Mapping[str, float]
    families: int
    seed: int
    name: ClassVar[str] = "ladder"
    tables: ClassVar[tuple[str, ...]] = ("plan", "families")

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse plans that the law cannot be fitted to, and a target without an input of it."""
        for name, column in law.columns.items():
            if column not in self.target:
                raise LawError(f"{law.name} needs {name} of the run to forecast; give it with --target.")
            if name not in (*law.indicators, *law.signed):
                positive(self.target[column], f"target's {name}", "7e9")
        read_plans(law, self.plans, from_priors=study is None)

    def answer(self, surface: Surface) -> Answer:
        """Simulate families like the fitted one."""
        return self.simulate(surface.posterior, surface.rule, allow_unconverged=True)

    def simulate(self, family: Law | Posterior, rule: FlopRule, **options: Any) -> Answer:
        """Simulate families from a fit or from priors."""
        options = {"flops": rule, **options}
        found = plan_ladders(family, self.plans, self.target, seed=self.seed, families=self.families, **options)
        table = found.table()
        sentences = tuple(
            f"{row['plan']}: {counted(row['runs'], 'run')}, {row['flops']:.3g} FLOPs; "
            + (
                f"the 90 % interval of {found.target} will be {percent(row['median'])} of its {found.quantity} wide "
                f"(90 %: {percent(row['q05']).removesuffix(' %')} to {percent(row['q95'])})."
                if row["fitted"]
                else f"none of its {found.families} fits converged and forecasts {found.target}: its width is unknown."
            )
            for row in table.to_dict("records")
        )
        pictures = {"plan": partial(plot_ladder_plans, found)}
        return Answer(sentences, {"plan": table, "families": found.draws}, pictures, pd.DataFrame([self.target]))


def _parts(found: NextRuns) -> str:
    """Say which part of a spread runs can remove."""
    scale = scale_of(found.unit)
    now = f"{scale.factor * found.sd:.2g} {scale.gap}".rstrip()
    said = f"Shares are of the standard deviation of the expected {found.quantity}, now {now}"
    if not found.sd_slope:
        return f"{said}, all of which comes of the law's parameters."
    return (
        f"{said}.  Were the law's parameters known, it would be {percent(found.removable)} narrower; the rest is "
        "the error of the slope beyond the runs, which only a run further out makes smaller."
    )


def of_budgets(budgets: Iterable[float]) -> pd.DataFrame:
    """Return budgets as runs to look at; what is never reached is none."""
    finite = [float(budget) for budget in budgets if np.isfinite(budget)]
    return pd.DataFrame({"target": [f"{budget:.3g} FLOPs" for budget in finite], "flops": finite})


def column_of_outcome(surface: Surface) -> str:
    """Return the user's column of what a surface is of: of a two-step law's loss, that which it goes through."""
    return surface.posterior.law.route or surface.quantity if surface.quantity == "loss" else surface.quantity


def describe(quantity: str, value: float, unit: str) -> str:
    """Return an outcome in words.

    Examples
    --------
    >>> describe("loss", 2.1, "nats per token"), describe("accuracy", 0.7, "fraction")
    ('a loss of 2.1 nats per token', 'an accuracy of 70 %')
    """
    article = "an" if quantity[0] in "aeiou" else "a"
    scale = scale_of(unit)
    return f"{article} {quantity} of {scale.factor * value:.4g} {scale.said}".rstrip()
