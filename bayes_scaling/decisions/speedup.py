"""How many times less compute (data, parameters) one recipe takes than another for the same outcome, draw by draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.decisions.counts import recipe_names, remarks_on_counts, require_one_convention
from bayes_scaling.decisions.inputs import SCALE, further_inputs, told_to_each
from bayes_scaling.decisions.matching import cost_of, inputs_of, needed_for, point_of, read_scale, routes
from bayes_scaling.decisions.superiority import pair_draws
from bayes_scaling.decisions.surface import Surface, as_surface
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError, suggest
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.methods import SpeedupMethods
from bayes_scaling.study.reading import symbol_of
from bayes_scaling.study.rows import absent

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["ERRORS", "RESOURCES", "Speedup", "less_or_more", "speedup"]

ERRORS = {
    "shared": "both laws err alike beyond their runs",
    "apart": "each law errs by itself beyond its runs",
    "none": "both laws are exact beyond their runs",
}
"""What may be assumed of the slope error of the two laws beyond the fitted runs."""

RESOURCES = {"flops": "compute", "tokens": "data", "n_params": "parameters"}
"""What a recipe may take less of, by the name of its column."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Speedup(Tabled, SpeedupMethods):
    """How many times less B takes than A for the outcome that A reaches, draw by draw.

    Attributes
    ----------
    a, b : Surface
        The recipe that sets the outcome, and the one that is to reach it, draws side by side.
    at : tuple of str
        Where A stands, in words, one for each scale.
    flops : array, shape (scale,)
        Training FLOPs of A there.
    outcome : mapping of str to array, shape (sample, scale)
        What A reaches, by the assumption about the slope errors (:data:`.ERRORS`).
    factors : mapping of str to mapping of str to array, shape (sample, scale)
        By assumption and resource (:data:`.RESOURCES`): A's amount over B's, above 1 where B takes less, and 0 where B
        never reaches the outcome.
    paired : bool
        Whether both come from the same draws of one fit, or of one mixture of fits.
    shared_runs : int
        Runs that both of two fits saw.
    """

    a: Surface
    b: Surface
    at: tuple[str, ...]
    flops: np.ndarray
    outcome: Mapping[str, np.ndarray]
    factors: Mapping[str, Mapping[str, np.ndarray]]
    paired: bool
    shared_runs: int

    @property
    def error(self) -> str:
        """The assumption that answers first: a shared error, or none where the discrepancy is switched off."""
        return next(iter(self.factors))

    @property
    def names(self) -> tuple[str, str]:
        """What the two recipes are called: their studies' names, or A and B where these are one."""
        return recipe_names(self.a.posterior, self.b.posterior)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader should know of how the two count FLOPs, where both laws read them: a sentence, or none."""
        return remarks_on_counts(self.a, self.b)

    def draws(self, resource: str = "flops", error: str | None = None) -> np.ndarray:
        """Return the draws of one resource under one assumption, shape (sample, scale).

        Raises
        ------
        DecisionError
            There is no such resource or assumption.
        """
        error = self.error if error is None else error
        if error not in self.factors:
            raise DecisionError(f"There is no assumption {error!r} about the errors; {suggest(error, self.factors)}")
        if resource not in self.factors[error]:
            raise DecisionError(f"There is no factor of {resource!r}; {suggest(resource, self.factors[error])}")
        return self.factors[error][resource]

    def probability(self, resource: str = "flops", error: str | None = None, *, above: float = 1.0) -> np.ndarray:
        """Return the probability that B takes less by more than a factor; ties count half.  Shape (scale,).

        Parameters
        ----------
        resource, error : str, optional
            As for :meth:`draws`, and so are the errors.
        above : float
            The factor.
        """
        draws = self.draws(resource, error)
        return (draws > above).mean(0) + (draws == above).mean(0) / 2

    def never(self, resource: str = "flops", error: str | None = None) -> np.ndarray:
        """Return the probability that B never reaches the outcome, shape (scale,)."""
        return (self.draws(resource, error) == 0).mean(0)

    def table(self) -> pd.DataFrame:
        """Return one row per scale, resource and assumption.

        Returns
        -------
        pandas.DataFrame
            ``at``, ``resource`` (``flops``, ``tokens``, ``n_params``), ``error`` (:data:`.ERRORS`), ``q05``, ``q25``,
            ``median``, ``q75``, ``q95`` of the factor (0: never), ``probability`` that it exceeds 1, and ``never``.
        """
        rows = []
        for resource in self.factors[self.error]:
            for error in self.factors:
                own = {"at": self.at, "resource": resource, "error": error}
                chances = {"probability": self.probability(resource, error), "never": self.never(resource, error)}
                rows.append(pd.DataFrame({**own, **quantile_columns(self.draws(resource, error)), **chances}))
        return pd.concat(rows).sort_index(kind="stable").reset_index(drop=True)


def speedup(a: Posterior | Surface, b: Posterior | Surface, at: Any, *, seed: int = 0) -> Speedup:
    r"""Return how many times less compute B takes than A for what A reaches at a scale, draw by draw.

    .. math:: s = C_A / C_B, \qquad L_B(C_B) = L_A(C_A)

    and likewise for data at A's size, and for parameters at A's data.  At a budget both recipes have the best size
    for their compute; at a run of given size and data B keeps A's tokens per parameter.  So a recipe has factor 1
    against itself.

    Parameters
    ----------
    a, b : Posterior or Surface
        The recipe that sets the outcome, and the one that is to reach it: fits of any laws of the same outcome, or
        surfaces of two series of one fit.
    at : float, sequence of float, or mapping of str to float
        Training FLOPs of A, or its run, such as ``{"N": 7e9, "D": 4e12}``; further inputs of a law that the run has are
        those of both recipes, the others those of the surfaces.  Of a row of a table nothing else is read.
    seed : int
        Seed of the pairing of independent draws, and of slope errors that are apart.

    Returns
    -------
    Speedup

    Raises
    ------
    DecisionError
        The two have different outcomes, units, tokenisers or FLOP conventions, or the scale is no positive number.  How
        the FLOPs were counted that a law reads is known where its runs have size and data, too.  Those of two laws of
        FLOPs are taken as they are, since models may differ in their FLOPs per parameter and token.
    LawError
        A law reads neither FLOPs nor both of parameters and tokens, or lacks a further input.
    ConvergenceError
        A fit did not converge.

    Notes
    -----
    *Draws* of one fit (two series of a joint law) are paired, so that what both are unsure of together drops out.
    Draws of two fits are independent; runs that both saw (``shared_runs``) then count twice, and the interval tends to
    be too wide.  Fit both recipes as series of a joint law to pair them.

    *Errors of the slope* beyond the fitted runs decide how wide the answer is, and the runs cannot tell them.  That
    both laws err alike (``shared``) is the assumption for two recipes of one family: what bends one curve bends the
    other.  ``apart`` is for recipes that have nothing in common, and ``none`` takes both laws as exact.  All are
    returned.

    Examples
    --------
    >>> found = bs.speedup(baseline, candidate, at=1e24)  # doctest: +SKIP
    >>> found.table()[["resource", "error", "q05", "median", "q95", "probability", "never"]]  # doctest: +SKIP
    """
    a, b, at = _held_at(a, b, at)
    first, together, paired = pair_draws(a, b, seed=seed, shared_error=True)
    _, separate, _ = pair_draws(a, b, seed=seed, shared_error=False)
    fits = first.posterior, together.posterior
    laws = fits[0].law, fits[1].law
    require_one_convention(laws, (fits[0].study, fits[1].study), (first.rule, together.rule))
    places = read_scale(at, laws)
    pairs = {"shared": (first, together), "apart": (first, separate), "none": (_exact(first), _exact(together))}
    if paired:  # the law says what its series share
        del pairs["apart"]
    if not (first.discrepancy or together.discrepancy):
        pairs = {"none": pairs["none"]}
    bent = any(surface.exponent_error is not None for surface in (first, together))
    outcome: dict[str, list[np.ndarray]] = {error: [] for error in pairs}
    factors: dict[str, dict[str, list[np.ndarray]]] = {error: {} for error in pairs}
    for scale in places:
        for error, (one, other) in pairs.items():
            if bent or error == next(iter(pairs)):  # errors of the slope alone leave the best sizes where they are
                start = point_of(one, scale)
                found = routes(one, other, start, scale)
            goal = one.at(**inputs_of(one, start))
            outcome[error].append(goal)
            for resource, route in found.items():
                needed = needed_for(other, goal, route)
                factors[error].setdefault(resource, []).append(_ratio(one, start, needed, resource))
    return Speedup(
        a=first,
        b=together,
        at=tuple(_in_words(scale) for scale in places),
        flops=np.array([float(np.median(cost_of(first, point_of(first, scale)))) for scale in places]),
        outcome={error: np.hstack(parts) for error, parts in outcome.items()},
        factors={e: {r: np.hstack(parts) for r, parts in own.items()} for e, own in factors.items()},
        paired=paired,
        shared_runs=0 if paired else _shared_runs(first, together),
    )


def _held_at(a: Posterior | Surface, b: Posterior | Surface, at: Any) -> tuple[Surface, Surface, Any]:
    """Return two surfaces held at the further inputs that a run gives, and what is left of it: its scale."""
    surfaces = as_surface(a), as_surface(b)
    laws = [[member.posterior.law for member in surface.members] for surface in surfaces]
    read = [{name for law in own for name in further_inputs(law)} for own in laws]
    if isinstance(at, pd.Series) and any(symbol_of(str(name)) in SCALE for name in at.index):
        at = _scale_of(at, read[0] | read[1], by_compute=any(surface.by_compute for surface in surfaces))
    own = {name: value for name, value in at.items() if name in read[0] | read[1]} if isinstance(at, Mapping) else {}
    told = {name: value for each in told_to_each([*laws[0], *laws[1]], own) for name, value in each.items()}
    first, second = (
        dataclasses.replace(surface, given={**surface.given, **{name: told[name] for name in own.keys() & names}})
        for surface, names in zip(surfaces, read, strict=True)
    )
    return first, second, {name: at[name] for name in at if name not in own} if own else at


def _scale_of(row: pd.Series, read: Collection[str], *, by_compute: bool) -> dict[str, Any]:
    """Return what a row of a table of runs, which is not several budgets, says of its scale and of further inputs."""
    named = {symbol_of(str(name)): value for name, value in row.items() if not absent(value)}
    scale = set(SCALE) & named.keys()
    if scale == set(SCALE):  # the run itself, or its FLOPs where a law reads no more
        scale = {"C"} if by_compute else {"N", "D"}
    return {name: value for name, value in named.items() if name in scale | set(read)}


def _ratio(a: Surface, start: Mapping[str, np.ndarray], needed: Mapping[str, np.ndarray], resource: str) -> np.ndarray:
    """Return A's amount of a resource over B's, shape (sample, 1); 0 where B never gets there."""
    symbol = symbol_of(resource)
    have = cost_of(a, start) if symbol == "C" else start[symbol]
    return have / needed[symbol]


def _exact(surface: Surface) -> Surface:
    return dataclasses.replace(surface, discrepancy=False)


def _in_words(scale: Mapping[str, float]) -> str:
    return f"{scale['C']:.3g} FLOPs" if "C" in scale else ", ".join(f"{n}={v:.4g}" for n, v in scale.items())


def _shared_runs(a: Surface, b: Surface) -> int:
    """Return how many runs both fits saw: equal in outcome, that of the series decided by, and in training FLOPs."""
    frames = []
    for surface in (a, b):
        observed = surface.posterior.law.arrays(surface.posterior.study)[1].get(surface.quantity)
        if observed is None or len(observed) != len(surface.fitted_flops):
            return 0
        one: tuple[Any, ...] = (..., *surface.series_index)
        outcomes = np.asarray(observed, dtype=float)[one]
        frame = pd.DataFrame({"flops": surface.fitted_flops, "outcome": outcomes})
        frames.append(frame.dropna().drop_duplicates())
    return len(frames[0].merge(frames[1]))


def less_or_more(at: Mapping[str, float]) -> tuple[dict[str, float], str, str]:
    """Return a factor as a sentence has it, ``3 times less ... than`` or ``4 times as much ... as``, with these words.

    Parameters
    ----------
    at : mapping of str to float
        Its quantiles ``q05``, ``median`` and ``q95``: how many times less is taken, 0 where the outcome is never
        reached.

    Examples
    --------
    >>> less_or_more({"q05": 0.5, "median": 3.0, "q95": 9.0})
    ({'q05': 0.5, 'median': 3.0, 'q95': 9.0}, 'less', 'than')
    >>> less_or_more({"q05": 0.0, "median": 0.25, "q95": 2.0})
    ({'q05': 0.5, 'median': 4.0, 'q95': inf}, 'as much', 'as')
    """
    if at["median"] >= 1:
        return {name: at[name] for name in ("q05", "median", "q95")}, "less", "than"
    inverse = {name: 1 / at[name] if at[name] else np.inf for name in ("q95", "median", "q05")}
    return dict(zip(("q05", "median", "q95"), inverse.values(), strict=True)), "as much", "as"
