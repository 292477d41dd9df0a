"""The question ``--against``: how many times less one table of runs takes than another; checked, fitted, answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from bayes_scaling.cli.arguments import in_file
from bayes_scaling.cli.questions import describe, of_budgets
from bayes_scaling.decisions.counts import require_one_convention
from bayes_scaling.decisions.matching import read_scale
from bayes_scaling.decisions.speedup import ERRORS, RESOURCES, Speedup, less_or_more, speedup
from bayes_scaling.decisions.surface import Surface
from bayes_scaling.errors import DecisionError
from bayes_scaling.forecasts.display import percent
from bayes_scaling.forecasts.forecast import by_rank
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.inference.fittable import check_size
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.plots import plot_speedup
from bayes_scaling.reporting.plan import Answer
from bayes_scaling.study.card import differing_measure
from bayes_scaling.study.flops import FlopRule
from bayes_scaling.study.study import Study

__all__ = ["Against"]

POINTS = 16  # of the picture over the budget


@dataclasses.dataclass(frozen=True)
class Against:
    """How many times less the runs of another table take for what these reach at a scale.

    Attributes
    ----------
    other : Study
        The runs of recipe B.
    at : mapping of str to float
        Where A stands: FLOPs, or size and data.
    seed : int
        Seed of the pairing of draws.
    law : Law or None
        What B is fitted by, once that is known.
    rival : Posterior or None
        The fit of B, once it is made.
    task : str or None
        The task to decide by, of a law that describes several.
    pictures : bool
        Whether the picture over the budget will be drawn, which takes longer to compute than the answer.
    files : (str, str)
        Which tables A and B are, as the user named them, for messages; empty where nobody did.
    """

    other: Study
    at: Mapping[str, float]
    seed: int
    law: Law | None = None
    rival: Posterior | None = None
    task: str | None = None
    pictures: bool = True
    files: tuple[str, str] = ("", "")
    name: ClassVar[str] = "against"
    tables: ClassVar[tuple[str, ...]] = ("plan",)

    def check(self, law: Law, study: Study | None, rule: FlopRule) -> None:
        """Refuse a scale that the laws cannot read, what is not measured or counted alike, and too few runs of B."""
        assert self.law is not None and study is not None
        quantity = by_rank(law.quantities)[0]
        law.lower_is_better(quantity)
        read_scale(self.at, (law, self.law))
        units = (law.quantities[quantity], self.law.quantities.get(quantity, self.law.unit))
        if what := differing_measure(study.card, self.other.card, quantity, units):
            raise DecisionError(
                f"The studies {study.name!r} and {self.other.name!r} differ in the {what}; compare like with like."
            )
        for own, runs, file in zip((law, self.law), (study.training, self.other.training), self.files, strict=True):
            with in_file(file):
                check_size(own, runs, *own.arrays(runs))
        require_one_convention((law, self.law), (study.training, self.other.training), (rule, rule))

    def fitted(self, fit: Callable[..., Posterior]) -> Against:
        """Return the question with the fit of B."""
        return dataclasses.replace(self, rival=fit(self.law, self.other))

    def answer(self, surface: Surface) -> Answer:
        """Return the factors of compute, data and parameters."""
        assert self.rival is not None
        other = Surface.of(
            self.rival,
            flops=surface.rule,
            quantity=surface.quantity,
            series=self.task if self.rival.law.by_task else None,
            discrepancy=surface.discrepancy,
            given=surface.given,
            exponent_error=surface.exponent_error,
            allow_unconverged=True,
        )
        found = speedup(surface, other, self.at, seed=self.seed)
        pictures: dict[str, Callable[[], Any]] = {"plan": partial(plot_speedup, found)}
        if self.pictures and "flops" in self.at:
            at, fitted = self.at["flops"], surface.fitted_flops
            scales = np.geomspace(min(at, np.median(fitted)), max(at, 2 * fitted.max()), POINTS)
            over = speedup(surface, other, scales, seed=self.seed)  # of all draws, as the answer is
            pictures["scale"] = partial(plot_speedup, over)
        aims = of_budgets(found.flops)
        return Answer(self._sentences(found), {"plan": found.table()}, pictures, aims)

    def _sentences(self, found: Speedup) -> tuple[str, ...]:
        a, b = found.names
        what = describe(found.a.quantity, float(np.median(found.outcome[found.error])), found.a.unit)
        where = f"what {a} reaches at {found.at[0]} ({what})"
        chance, never = (float(p[0]) for p in (found.probability(), found.never()))
        factor, less, than = less_or_more(_levels(found.draws()))
        said = [
            f"{b} takes {_spread(factor)} {less} compute {than} {a} for {where}, and less with probability "
            f"{percent(chance)}."
            if np.isfinite(factor["median"])
            else f"{b} more likely than not never reaches {where}; it takes less with probability {percent(chance)}."
        ]
        if never > 0:
            said.append(f"{b} never gets there with probability {percent(never)}.")
        further = [r for r in found.factors[found.error] if r != "flops"]
        if further:
            parts = (f"{_spread(_levels(found.draws(r)))} for {RESOURCES[r]}" for r in further)
            said.append(f"With all else held as it is, the factor is {' and '.join(parts)}.")
        others = [e for e in found.factors if e != found.error]
        if others:
            assumed = (f"{_spread(_levels(found.draws(error=e)))} if {ERRORS[e]}" for e in others)
            said.append(f"All of this assumes that {ERRORS[found.error]}; of compute it is {', and '.join(assumed)}.")
        if found.shared_runs:
            said.append(
                f"Both fits saw {found.shared_runs} runs; their draws are taken as independent, so the interval tends "
                "to be too wide."
            )
        return (*said, *found.remarks)


def _levels(draws: Any) -> dict[str, float]:
    """Return the quantiles of a factor at one scale."""
    return {name: float(value[0]) for name, value in quantile_columns(draws).items()}


def _spread(at: Mapping[str, float]) -> str:
    """Return the median of a factor and its 90 % interval in words."""
    low, middle, high = (f"{at[q]:.2g}" if 0 < at[q] < np.inf else "never" for q in ("q05", "median", "q95"))
    return f"{middle} times (90 %: {low} to {high})" if at["median"] else f"never (95 %: {high})"
