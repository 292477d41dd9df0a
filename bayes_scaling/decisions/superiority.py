"""The probability that A beats B: two data sets, recipes, laws or plans at a target scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_scaling.decisions.counts import remarks_on_counts
from bayes_scaling.decisions.inputs import further_inputs, one_target
from bayes_scaling.decisions.shared_error import erring_alike
from bayes_scaling.decisions.surface import Surface, as_surface, outcomes_at
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError, whole
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.study.card import differing_measure

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Superiority", "pair_draws", "require_comparable", "superiority"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Superiority(Tabled):
    """How two expected outcomes compare, draw by draw.

    Attributes
    ----------
    a, b : array, shape (sample,)
        Expected outcomes in ``unit``.
    sign : float
        1 where less is better, -1 where more is.
    quantity, unit : str
        What is compared.
    paired : bool
        Whether both come from the same draws of one fit, or of one mixture of fits.
    remarks : tuple of str
        What a reader should know of how the two count FLOPs, where both laws read them: a sentence, or none.
    """

    a: np.ndarray
    b: np.ndarray
    sign: float
    quantity: str
    unit: str
    paired: bool
    remarks: tuple[str, ...] = ()

    @property
    def probability(self) -> float:
        """Probability that A is better than B; ties count half."""
        gap = self.sign * (self.b - self.a)
        return float((gap > 0).mean() + (gap == 0).mean() / 2)

    @property
    def difference(self) -> np.ndarray:
        """A minus B, shape (sample,)."""
        return self.a - self.b

    def table(self) -> pd.DataFrame:
        """Return one row: ``quantity``, ``unit``, ``probability``, quantiles of A minus B, and ``paired``."""
        row = {"quantity": self.quantity, "unit": self.unit, "probability": self.probability}
        return pd.DataFrame([{**row, **quantile_columns(self.difference), "paired": self.paired}])


def superiority(
    a: Posterior | Surface,
    b: Posterior | Surface,
    target: Mapping[str, float],
    target_b: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    shared_error: bool = False,
) -> Superiority:
    """Return the probability that A has the better expected outcome than B.

    Where A and B are of the same draws of one fit (two series of a joint law, or one law at two targets), or of one
    mixture of fits, draws are paired, and what both are unsure of together drops out.  Otherwise their draws are
    independent.  FLOPs that both laws read are taken as they are, since models may differ in their FLOPs per parameter
    and token; where they do, or nothing tells, the answer's ``remarks`` say so.

    Parameters
    ----------
    a, b : Posterior or Surface
        The contenders; surfaces to choose series, outcome or discrepancy.
    target, target_b : mapping of str to float
        Inputs at which to compare, such as ``{"N": 7e9, "D": 4e12}``; B's own where they differ.  A further input that
        it does not give is that of the surface.
    seed : int
        Seed of the pairing of independent draws, and of B's slope errors.
    shared_error : bool
        Of two fits: let both laws bend alike beyond their data, each as far as its discrepancy says, in place of each
        by itself.

    Returns
    -------
    Superiority

    Raises
    ------
    DecisionError
        The two have different outcomes, units or tokenisers, so that they cannot be compared; or several targets are
        given.
    ConvergenceError
        A fit did not converge.
    TargetError
        A target lacks an input of its law, gives a task, or an input that neither law reads.
    """
    first, second, paired = pair_draws(a, b, seed=seed, shared_error=shared_error)
    return Superiority(
        a=_expected(first, target, second),
        b=_expected(second, target if target_b is None else target_b, first),
        sign=first.sign,
        quantity=first.quantity,
        unit=first.unit,
        paired=paired,
        remarks=remarks_on_counts(first, second),
    )


def pair_draws(
    a: Posterior | Surface, b: Posterior | Surface, *, seed: int, shared_error: bool
) -> tuple[Surface, Surface, bool]:
    """Return two surfaces of as many draws, set side by side, and whether these are the same draws.

    The same draws of the same fits keep their order, and so do their slope errors, because the law says what its series
    share.  Otherwise the draws of B are shuffled, so that they are independent of A's.

    Parameters
    ----------
    a, b : Posterior or Surface
        The contenders.
    seed : int
        Seed of the pairing of independent draws, and of B's slope errors.
    shared_error : bool
        Of two fits: let B have the slope error of A, draw by draw.

    Raises
    ------
    DecisionError
        The two have different outcomes, units or tokenisers.
    BayesScalingError
        The seed is no whole number of at least 0.
    """
    first, second = as_surface(a), as_surface(b)
    require_comparable(first, second)
    if first.origins == second.origins:
        return first, dataclasses.replace(second, keys=first.keys), True
    size = min(len(first), len(second))
    first = first.take(np.arange(size))
    rng = np.random.default_rng(whole("seed", seed, 0))
    second = second.take(rng.permutation(len(second))[:size])
    apart = first.keys[rng.permutation(size)]
    second = erring_alike(first, second, apart) if shared_error else dataclasses.replace(second, keys=apart)
    return first, second, False


def _expected(surface: Surface, target: Mapping[str, float], other: Surface) -> np.ndarray:
    """Return the expected outcome of each draw at a target; a further input that it does not give is the surface's.

    It may give what any law of either contender reads.
    """
    known = {column for one in (*surface.members, *other.members) for column in one.posterior.law.readable.values()}
    inputs: dict[str, np.ndarray] = {}
    for member in surface.members:
        law = member.posterior.law
        own = law.input_arrays(one_target(law, member.posterior.study, target, member.given, known=known))
        inputs |= {name: own[name] for name in (*member.columns, *further_inputs(law))}
    return outcomes_at(surface, inputs)[:, 0]


def require_comparable(a: Surface, b: Surface) -> None:
    """Refuse two contenders whose outcomes are not the same thing.

    Raises
    ------
    DecisionError
        With the first difference found.
    """
    nothing = "so no difference between them means anything; compare like with like."
    if a.quantity != b.quantity:
        raise DecisionError(f"A and B have different outcomes ({a.quantity!r} and {b.quantity!r}), {nothing}")
    if what := differing_measure(a.posterior.study.card, b.posterior.study.card, a.quantity, (a.unit, b.unit)):
        raise DecisionError(f"A and B differ in the {what}, {nothing}")
