"""The mixture of training data to take, with what it costs that the best one is not known: for any law of shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.optimize import minimize

from bayes_scaling.decisions.inputs import as_floats
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError, LawError, TargetError, listed, suggest
from bayes_scaling.forecasts.mixing import shares
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.inference.posterior import require_posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.sites import Arrays
from bayes_scaling.law.trace import run_model
from bayes_scaling.study.card import differing_measure
from bayes_scaling.study.rows import shown, task_name

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law

__all__ = ["BestMixture", "best_mixture"]

TINY = 1e-9  # a loss so near to zero is no measure of what losses differ by


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BestMixture(Tabled):
    """The mixture to train on, and what it costs that the best one is not known.

    Attributes
    ----------
    choice : pandas.Series
        Shares of least expected loss, by their columns (fractions that sum to one).
    best : pandas.DataFrame
        Best shares of each posterior draw, a row per draw.
    loss : array, shape (sample,)
        Loss at the choice: the weighted mean over domains.
    regret : array, shape (sample,)
        That loss over the one at the draw's own best mixture, less one (fraction).
    """

    choice: pd.Series
    best: pd.DataFrame
    loss: np.ndarray
    regret: np.ndarray

    def table(self) -> pd.DataFrame:
        """Return a row per share, and one of the regret.

        Returns
        -------
        pandas.DataFrame
            ``choice``, ``q05``, ``q25``, ``median``, ``q75``, ``q95`` and ``mean``; of the regret no choice.
        """
        draws = self.best.assign(regret=self.regret)
        found = pd.DataFrame(quantile_columns(draws.to_numpy()), index=draws.columns).assign(mean=draws.mean())
        found.insert(0, "choice", self.choice.reindex(found.index))
        return found


def best_mixture(
    posteriors: Posterior | Sequence[Posterior],
    series: str | None = None,
    *,
    weights: Sequence[float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    samples: int = 200,
    allow_unconverged: bool = False,
) -> BestMixture:
    """Return the mixture of least expected loss, the best one of each posterior draw, and the regret of the choice.

    Parameters
    ----------
    posteriors : Posterior or sequence of Posterior
        Converged fits of a law of shares, such as :class:`~bayes_scaling.models.Mixture`, one for the loss on each
        domain, all of the same shares, which are all that it reads of a run.
    series : str, optional
        Which of the fitted series (sizes) the mixture is for; may be left out where there is one.
    weights : sequence of float, optional
        What the loss on each domain counts; by default all the same.
    bounds : mapping of str to (float, float), optional
        Least and largest share of a domain, where data are short; by default 0 and 1.
    samples : int
        Posterior draws to use, evenly spaced; as many of each fit, so no more than the shortest has.
    allow_unconverged : bool
        Decide on fits that did not converge, too.

    Returns
    -------
    BestMixture

    Raises
    ------
    LawError
        Something else than a fit is given, or a fit is of a law that names no ``shares``, or reads something else, too.
    ConvergenceError
        A fit did not converge.
    TargetError
        There is no such series.
    DecisionError
        There is no fit, more of an outcome is better, fits differ in their shares or units, weights do not suit, bounds
        are not two numbers, or no mixture is within them.

    Notes
    -----
    Both forms of :class:`~bayes_scaling.models.Mixture` are convex in the shares, so that the minimum found is the only
    one.  Of the loss on a single domain the paper's exponential has its minimum where all data are of one domain; weigh
    several.

    Examples
    --------
    >>> bs.best_mixture([web, code], weights=[1, 2], bounds={"share_code": (0.0, 0.3)}).table()  # doctest: +SKIP
    """
    fits = [require_posterior(fit) for fit in (posteriors if isinstance(posteriors, Sequence) else [posteriors])]
    if not fits:
        raise DecisionError("There is no fit to decide on; give one of bs.fit, or a list of such.")
    laws = [fit.law for fit in fits]
    for law in laws:
        if not law.shares:
            raise LawError(f"{law.name} names no shares of a mixture to choose; fit a law whose shares= are given.")
        if more := [name for name in law.run_inputs if name not in law.shares]:
            raise LawError(f"{law.name} also reads {listed(more)}, which no mixture says; fit a law of shares alone.")
        with suppress(LawError):  # a law need not say which way its outcome is better
            if not law.lower_is_better(law.outcome):
                raise DecisionError(
                    f"More {law.outcome} is better by {law.name}, and a mixture is chosen where it is least; fit a law "
                    "of a loss."
                )
    for fit in fits:
        fit.require_converged(allow_unconverged)
    first = fits[0]
    for fit in fits[1:]:
        units = (first.law.quantities[first.law.outcome], fit.law.quantities[fit.law.outcome])
        if what := differing_measure(first.study.card, fit.study.card, first.law.outcome, units):
            raise DecisionError(f"The fits differ in the {what}, so their losses do not add; fit all in one unit.")
    columns = laws[0].shares
    if any(law.shares != columns for law in laws):
        raise DecisionError("The fits read different shares; fit all domains with the same shares=.")
    counts = shares(np.ones(len(fits)) if weights is None else weights, DecisionError)
    if len(counts) != len(fits):
        raise DecisionError(f"The weights are {weights!r}; give {len(fits)} numbers, none negative, not all zero.")
    limits = _limits(columns, bounds)
    places = tuple(_series_place(fit, series) for fit in fits)
    constants = [
        {n: v for n, v in law.arrays(fit.study)[0].items() if n not in columns}
        for law, fit in zip(laws, fits, strict=True)
    ]
    count = min(len(next(iter(fit.thin(samples).values()))) for fit in fits)
    draws = [fit.thin(count) for fit in fits]
    of_one, of_all = (
        partial(each, laws=laws, constants=constants, counts=counts, places=places) for each in (_loss, _expected)
    )
    with double_precision():
        choice = _least(of_all, draws, limits)
        ones = [jax.tree.map(lambda values, i=i: values[i], draws) for i in range(count)]
        best = np.array([_least(of_one, one, limits) for one in ones])
        at_choice = np.array([float(of_one(choice, one)[0]) for one in ones])
        at_best = np.array([float(of_one(place, one)[0]) for place, one in zip(best, ones, strict=True)])
    index = list(columns)
    return BestMixture(
        pd.Series(choice, index=index, name="choice"),
        pd.DataFrame(best, columns=index),
        at_choice,
        np.maximum(at_choice / at_best - 1, 0.0),
    )


def _loss_of(
    mixture: jax.Array,
    latent: Sequence[Arrays],
    laws: Sequence[Law],
    constants: Sequence[Arrays],
    counts: Any,
    places: tuple[int, ...],
) -> jax.Array:
    """Return the weighted loss at a mixture, by one draw of each fit."""
    runs = {share: mixture[None, i] for i, share in enumerate(laws[0].shares)}
    each = [
        jnp.ravel(run_model(law, {**own, **runs}, latent=one)[f"{law.outcome}_mean"]["value"])[place]
        for law, own, one, place in zip(laws, constants, latent, places, strict=True)
    ]
    return jnp.dot(counts, jnp.stack(each))


def _mean_loss(mixture: jax.Array, latent: Sequence[Arrays], **fixed: Any) -> jax.Array:
    """Return the mean of that loss over the draws."""
    return jax.vmap(lambda one: _loss_of(mixture, one, **fixed))(latent).mean()


_loss, _expected = (jit(jax.value_and_grad(f), static_argnames="places") for f in (_loss_of, _mean_loss))


def _least(objective: Callable[..., tuple[Any, Any]], latent: Sequence[Arrays], limits: np.ndarray) -> np.ndarray:
    """Return the shares, within limits and summing to one, at which a convex function is least."""
    low, high = limits.T
    start = low + (high - low) * (1 - low.sum()) / max((high - low).sum(), 1e-12)
    free = high > low
    if free.sum() < 2:
        return start
    size, left = abs(float(objective(start, latent)[0])), start[free].sum()
    unit = size if size > TINY else 1.0

    def within(part: np.ndarray) -> np.ndarray:
        mixture = start.copy()
        mixture[free] = np.clip(part, low[free], high[free])
        return mixture

    def in_numpy(part: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = objective(within(part), latent)
        return float(value) / unit, np.asarray(slope)[free] / unit

    found = minimize(  # of the free shares alone: the slope in one that is fixed at 0 may be so steep that none moves
        in_numpy, start[free], jac=True, method="SLSQP", bounds=limits[free], options={"ftol": 1e-12, "maxiter": 500},
        constraints={"type": "eq", "fun": lambda part: part.sum() - left, "jac": np.ones_like},
    )  # fmt: skip
    return within(found.x)


def _limits(columns: Sequence[str], bounds: Mapping[str, tuple[float, float]] | None) -> np.ndarray:
    """Return the least and the largest of each share, shape (share, 2); nothing bounds none, whatever its type."""
    if bounds is None or (isinstance(bounds, Sized) and not len(bounds)):
        bounds = {}
    if not isinstance(bounds, Mapping):
        raise DecisionError(
            f"The bounds are {shown(bounds)}; give those of each share, as {{'share_web': (0.1, 0.5)}}."
        )
    for name, ends in bounds.items():
        if name not in columns:
            raise DecisionError(f"There is no share {name!r} to bound; {suggest(name, columns)}")
        if np.shape(as_floats(ends)) != (2,) or np.ndim(ends) != 1:
            raise DecisionError(
                f"The bounds of {name} are {shown(ends)}; give the least and the largest share, as (0.1, 0.5)."
            )
    limits = np.array([as_floats(bounds.get(share, (0.0, 1.0))) for share in columns])
    low, high = limits.T
    if not ((0 <= low) & (low <= high) & (high <= 1)).all() or low.sum() > 1 or high.sum() < 1:
        raise DecisionError(
            f"No mixture is within bounds={dict(bounds)!r}; give least and largest shares between 0 and 1 that leave "
            "room for a sum of one."
        )
    return limits


def _series_place(posterior: Posterior, series: str | None) -> int:
    """Return the place of a series among those of a fit."""
    known = posterior.study.tasks if posterior.law.by_task else []
    if series is None and len(known) < 2:
        return 0
    if not known:
        raise TargetError(f"{posterior.law.name} describes one series, so there is no {series!r}; leave it out.")
    if (series := task_name(series)) not in known:
        asked = f"give one of {', '.join(known)}." if series is None else suggest(series, known)
        raise TargetError(f"The fit describes {len(known)} series; {asked}")
    return known.index(series)
