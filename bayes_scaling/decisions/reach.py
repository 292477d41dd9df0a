"""The compute a target needs, draw by draw; infinite where a draw's floor never lets it be reached."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.decisions.allocation import optimal_size
from bayes_scaling.decisions.inputs import goal_of, one_number, positive, require_size_and_data
from bayes_scaling.decisions.solvers import bisect, first_crossing
from bayes_scaling.decisions.surface import Surface, as_surface
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError
from bayes_scaling.forecasts.quantiles import quantile, quantile_columns
from bayes_scaling.methods import ReachMethods

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Reach", "reach"]

MIN_FLOPS, MAX_FLOPS = 1e9, 1e40  # FLOPs between which a target is looked for; beyond the second is never
PROBABILITIES = (0.1, 0.5, 0.8, 0.9, 0.95)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reach(Tabled, ReachMethods):
    """What a target outcome costs, draw by draw.

    Attributes
    ----------
    surface : Surface
        What it was found on.
    target : float
        The outcome to reach, in the unit of the surface.
    along : str
        ``optimum`` (the compute-optimal frontier), ``N = ...``, ``D = ...``, or ``C`` for a law of FLOPs alone.
    flops, N, D : array, shape (sample,)
        Least FLOPs with their parameters and tokens (NaN for a law of FLOPs alone); infinite where never.  None below
        1e9 FLOPs are looked at, so that these stand for fewer.
    """

    surface: Surface
    target: float
    along: str
    flops: np.ndarray
    N: np.ndarray
    D: np.ndarray

    @property
    def never(self) -> float:
        """Probability that no budget reaches the target: the floor is not below it."""
        return float(np.isinf(self.flops).mean())

    @property
    def always(self) -> float:
        """Probability that any budget reaches the target: 1e9 FLOPs do, the least that are looked at."""
        return float((self.flops <= MIN_FLOPS * (1 + 1e-9)).mean())

    def budget(self, probability: float) -> float:
        """Return the FLOPs that reach the target with a probability; infinity where none does, 1e9 where any may.

        Raises
        ------
        DecisionError
            The probability is not between 0 and 1.
        """
        share = one_number(probability, "probability", "0.9")
        if share >= 1:
            raise DecisionError(f"The probability is {probability!r}; give one between 0 and 1, such as 0.9.")
        return float(quantile(self.flops, share))

    def probability(self, flops: Any) -> np.ndarray:
        """Return the probability that a budget reaches the target, of the shape of ``flops``.

        Raises
        ------
        DecisionError
            A budget is not a positive number.
        """
        paid = positive(np.ravel(flops), "budget", "1e24 FLOPs")
        shares = np.searchsorted(np.sort(self.flops), paid * (1 + 1e-12), side="right") / len(self.flops)
        return shares.reshape(np.shape(flops))

    def table(self, probabilities: float | Sequence[float] = PROBABILITIES) -> pd.DataFrame:
        """Return one row per probability.

        Returns
        -------
        pandas.DataFrame
            ``target``, ``along``, ``probability``, ``flops`` that reach the target with it (infinite: never; 1e9, the
            least that are looked at: any budget), ``never``, the probability that nothing does, and ``always``, that
            any budget does.

        Raises
        ------
        DecisionError
            A probability is not between 0 and 1.
        """
        levels = positive(probabilities, "probability", "0.9")
        rows = [{"probability": p, "flops": self.budget(p)} for p in levels.tolist()]
        ends = {"never": self.never, "always": self.always}
        return pd.DataFrame(rows).assign(target=self.target, along=self.along, **ends)[
            ["target", "along", "probability", "flops", *ends]
        ]

    def intervals(self) -> pd.DataFrame:
        """Return one row for each of ``flops``, ``n_params`` and ``tokens``: quantiles, infinite where never."""
        draws = {"flops": self.flops, "n_params": self.N, "tokens": self.D}
        return pd.DataFrame([{"quantity": n, **quantile_columns(v)} for n, v in draws.items() if not np.isnan(v).all()])


def reach(source: Posterior | Surface, target: float, *, N: float | None = None, D: float | None = None) -> Reach:
    """Return the FLOPs needed to reach an expected outcome, draw by draw.

    Parameters
    ----------
    source : Posterior or Surface
        A converged fit; a surface to choose the FLOP convention, the outcome or the discrepancy.
    target : float
        The loss (or accuracy, as a fraction) to reach, in the unit of the outcome.
    N, D : float, optional
        Hold the parameters, or the tokens, fixed; by default both are compute-optimal.  Give at most one.

    Returns
    -------
    Reach
        Draws of the least FLOPs; infinite where the target is not reached within 1e40 FLOPs, and 1e9 where that few
        reach it, as where any run does (``always``).

    Raises
    ------
    DecisionError
        The target is not one positive number (of an outcome of any sign, a finite one), or an accuracy above 1, or both
        N and D are given.
    ConvergenceError
        The fit did not converge.
    LawError
        The law does not read N and D, and one of them is given.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> answer = bs.reach(posterior, 2.1)  # doctest: +SKIP
    >>> answer.budget(0.9), answer.never  # doctest: +SKIP
    """
    surface = as_surface(source)
    goal = goal_of(target, surface.quantity, signed=surface.quantity in surface.posterior.law.signed)
    if N is not None and D is not None:
        raise DecisionError(f"Both N = {N!r} and D = {D!r} are given, so nothing is left to choose; give one of them.")
    fixed = {n: one_number(v, n, "7e9") for n, v in (("N", N), ("D", D)) if v is not None}
    if fixed:
        require_size_and_data(surface.posterior.law, "A budget at fixed size or data")
    elif not surface.by_compute:
        require_size_and_data(surface.posterior.law, "A compute-optimal budget", "N and D, or of C")

    def inputs_at(log_C: np.ndarray) -> dict[str, Any]:
        C = np.broadcast_to(np.exp(log_C), (len(surface), log_C.shape[1]))
        if surface.by_compute:
            return {"C": C}
        if "D" in fixed:
            size = _size_of(surface, C / fixed["D"])
            return {"N": size, "D": np.full(C.shape, fixed["D"])}
        size = np.full(C.shape, fixed["N"]) if "N" in fixed else optimal_size(surface, C)
        return {"N": size, "D": surface.rule.tokens(size, C)}

    def shortfall(log_C: np.ndarray) -> np.ndarray:
        return surface.sign * (surface.at(**inputs_at(log_C)) - goal)

    ends = [np.full((len(surface), 1), np.log(end)) for end in (MIN_FLOPS, MAX_FLOPS)]
    log_C = first_crossing(shortfall, *ends, nodes=1 + int(np.log10(MAX_FLOPS / MIN_FLOPS)))
    found = np.isfinite(log_C)
    where = inputs_at(np.where(found, log_C, ends[0]))
    sizes = {n: np.where(found, where[n], np.inf)[:, 0] if n in where else np.full(len(surface), np.nan) for n in "ND"}
    along = "C" if surface.by_compute else ", ".join(f"{n} = {v:.4g}" for n, v in fixed.items()) or "optimum"
    return Reach(surface, goal, along, np.exp(log_C)[:, 0], **sizes)


def _size_of(surface: Surface, per_token: np.ndarray) -> np.ndarray:
    """Return the size whose FLOPs per token are as given: the rule turned round, by bisection of log N."""
    ends = np.full(per_token.shape, -10.0), np.full(per_token.shape, 100.0)
    return np.exp(bisect(lambda log_N: surface.rule.per_token(np.exp(log_N)) < per_token, *ends))
