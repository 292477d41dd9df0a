"""What is learnt across collections of runs: ``python -m benchmarks.quality population`` writes it for the package.

The rule, written down before it was run, and the same for the package (all collections) and for the protocol of
``benchmarks.collections`` (all but the one that is scored, and but those of the same group):

1. Priors.  The superset law is fitted to all runs of each collection, targets included.  Centre and spread of each
   parameter over collections are those of a normal population on the unconstrained scale, found by expectation and
   maximisation; a collection counts as one, however many studies it has, and one pseudo-collection at the weak prior
   :data:`WEAK` keeps spreads away from zero.
2. What forecasts need beside them.  Every law of the package's candidates is fitted to the training runs of each
   collection, and to cuts of them, under the priors of the papers, under those of step 1, and half way.  Each
   combination of :data:`GRIDS` (how far to trust the learnt priors, mean and spread of the error of the slope, the
   factor on the noise of new runs, how much a study's own cuts count, how sharply their scores weigh laws) has a log
   density of each collection's targets, their mean, so that a collection counts as one observation.  The package uses
   averages over all combinations, weighted by the product of these densities, and keeps the doubt about them: where a
   value is a prior's, its spread holds the doubt about the centre, too; the spread of the error of the slope has a
   prior itself, the log-normal with the same two moments of its logarithm; of what says how much a study's cuts count,
   and how sharply their scores weigh laws, every value is kept with its weight, and what follows in a study is
   averaged.

The first rule took the combination of largest density, and trusted the learnt priors in full.  Other draws of the
same posteriors chose a neighbour on the grid (intervals of one collection held 92 or 69 %), and without the learnt
priors, as an ablation, forecasts were closer.  For these reasons averages, and trust on the grid, replaced it; both
reasons had been seen on the scores of ``benchmarks.collections``.

What is learnt for the protocol never sees the collection that is scored: priors under which the other collections are
fitted for step 2 leave out both, by weighting draws with the ratio of the priors.  Nor does it see a collection of the
same group (:func:`benchmarks.cases.sisters`), which was not so at first.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from rich.progress import track
from scipy.special import softmax
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling import models
from bayes_scaling.evaluation.held_out import SLOPES, unit_of_density, window_arrays
from bayes_scaling.evaluation.weighing import split_by_compute
from bayes_scaling.evaluation.weights import WORST, cut_scores, law_weights, slopes_after
from bayes_scaling.inference.importance import approximate
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.side_by_side import run_side_by_side, stacked
from bayes_scaling.models.population import Population
from bayes_scaling.models.recommended import candidates
from benchmarks.cases import Case, cases, sisters
from benchmarks.markdown import show

__all__ = ["figures", "learn", "superset_of"]

WEAK = {
    "reducible": (np.log(0.5), 0.7),
    "split": (0.0, 0.8),
    "alpha_N": (np.log(0.3), 0.3),
    "alpha_D": (np.log(0.3), 0.3),
    "coupling": (0.0, 0.3),
    "penalty": (np.log(0.02), 1.0),
    "sigma": (np.log(0.01), 1.0),
}
"""Centre and spread on the unconstrained scale, from the papers of the laws."""
LEVEL = (np.log(1.7), 1.0)  # of E, whose unit differs between collections: not learnt
GRIDS = {
    "trust": (0.0, 0.5, 1.0),
    "drift": (0.0, 0.1, 0.2, 0.3, 0.4),
    "discrepancy": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
    "scatter": (1.0, 1.5, 2.0),
    "own_cuts": (0.0, 1.0, 2.0, 4.0, 8.0),
    "sharpness": (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
}
NUMBERS, WEIGHTS = (
    ("trust", "drift", "scatter"),
    ("own_cuts", "sharpness"),
)  # of which averages, or all values, are kept
UNUSED = {**dict.fromkeys(NUMBERS, 0.0), **{name: {0.0: 1.0} for name in WEIGHTS}}
"""For a population of which only the priors are read."""
ROUNDS = 5  # of expectation and maximisation with new draws
DRAWS = 256
SIDE_BY_SIDE = 16
SIZES = (32, 64, 256)  # rows a table is padded to


# -- priors -----------------------------------------------------------------------------------------------------------


def on_line(name: str, values: np.ndarray) -> np.ndarray:
    """Return a parameter on its unconstrained scale."""
    return np.log(values) - np.log1p(-values) if name == "split" else np.log(values)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Draws of one case under a population prior, on the unconstrained scale, by parameter."""

    case: Case
    draws: Mapping[str, np.ndarray]

    def moments(self, name: str, log_weight: np.ndarray) -> tuple[float, float]:
        """Return mean and variance of a parameter under weighted draws."""
        weight = softmax(log_weight)
        mean = float(weight @ self.draws[name])
        return mean, float(weight @ np.square(self.draws[name] - mean))


Pairs = Mapping[str, tuple[float, float]]


def maximised(found: Iterable[tuple[Case, Mapping[str, tuple[float, float]]]]) -> dict[str, tuple[float, float]]:
    """Return centre and spread of each parameter from its (mean, variance) in each case."""
    found = list(found)
    sizes = pd.Series([case.collection for case, _ in found]).value_counts()
    population = {}
    for name, (centre, spread) in WEAK.items():
        own = [(case, m[name]) for case, m in found if name != "penalty" or "steps" in case.study.frame]
        weight = np.array([1.0, *(1 / sizes[case.collection] for case, _ in own)])
        mean = np.array([centre, *(m for _, (m, _) in own)])
        variance = np.array([(spread / 2) ** 2, *(v for _, (_, v) in own)])
        middle = float(weight @ mean / weight.sum())
        population[name] = middle, float(np.sqrt(weight @ (variance + (mean - middle) ** 2) / weight.sum()))
    return population


def fit_all(found: Sequence[Case], pairs: Pairs, seed: int) -> list[Fitted]:
    """Fit the superset law to all runs of each case."""
    laws = [superset_of(candidates(case.study, as_population(pairs))) for case in found]
    sampled = _draws([(law, case.whole) for law, case in zip(laws, found, strict=True)], seed)
    return [Fitted(case, {n: on_line(n, d[n]) for n in WEAK}) for case, d in zip(found, sampled, strict=True)]


def superset_of(laws: Mapping[str, bs.Law]) -> bs.Law:
    """Return the superset law, in compute per sample where runs differ in it."""
    return laws.get("superset, compute per sample") or next(iter(laws.values()))


def without(fits: Sequence[Fitted], pairs: Pairs, *left_out: str) -> dict[str, tuple[float, float]]:
    """Return the population of all collections but some, by weighting draws made under that of all."""
    now = dict(pairs)
    kept = [fit for fit in fits if fit.case.collection not in left_out]
    for _ in range(30):
        found = []
        for fit in kept:
            ratio = sum(norm.logpdf(fit.draws[n], *now[n]) - norm.logpdf(fit.draws[n], *pairs[n]) for n in WEAK)
            found.append((fit.case, {n: fit.moments(n, ratio) for n in WEAK}))
        now = maximised(found)
    return now


def towards(pairs: Pairs, trust: float) -> dict[str, tuple[float, float]]:
    """Return the centres and spreads that lie between the weak priors (trust 0) and others (trust 1)."""
    return {name: tuple((1 - trust) * np.array(WEAK[name]) + trust * np.array(pair)) for name, pair in pairs.items()}


def as_population(pairs: Pairs, values: Mapping[str, Any] = UNUSED, collections: Sequence[str] = ()) -> Population:
    """Return a population with these parameters and values."""
    parameters = {"E": LEVEL, **pairs}
    return Population(
        parameters={n: (round(float(m), 3), round(float(s), 3)) for n, (m, s) in parameters.items()},
        collections=tuple(collections),
        **values,
    )


@jax.jit
def _approximate(laws: Any, keys: Any, runs: Any, observed: Any) -> Any:
    return jax.vmap(lambda *one: approximate(*one, 2 * DRAWS))(laws, keys, runs, observed)


def _draws(work: Sequence[tuple[bs.Law, bs.Study]], seed: int) -> list[dict[str, np.ndarray]]:
    pieces = [(law.program, *pad_study(law, *law.arrays(study), _size(study))) for law, study in work]
    found = dict(run_side_by_side(_approximate, pieces, seed=seed, width=SIDE_BY_SIDE))
    return [found[place] for place in range(len(work))]


def _size(study: bs.Study) -> int:
    return next(size for size in SIZES if len(study) <= size)


# -- the error of the slope -------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Scored:
    """A law on one cut of a case, or on its targets (cut None).

    ``density`` holds the log predictive density of each outcome, shape (left out, scatter, slope, run): under the
    population without the case's own collection and without each other one, with its sisters.
    """

    case: Case
    law: str
    cut: float | None
    density: np.ndarray


@jax.jit
def _score(laws: Any, keys: Any, others: Any, *data: Any) -> Any:
    return jax.vmap(_score_one)(laws, keys, others, *data)


def _score_one(law: Any, key: Any, others: Any, runs: Any, observed: Any, fitted: Any, later: Any, actual: Any) -> Any:
    draws = approximate(law, key, runs, observed, DRAWS)

    def log_prior(other: Any) -> Any:
        return sum(other.priors[name].log_prob(draws[name]) for name in law.free_parameters)

    ratio = jax.vmap(log_prior)(others) - log_prior(law)
    share = jax.nn.softmax(ratio, axis=1)
    per_unit = jnp.log(unit_of_density(law, actual, observed[law.outcome]))

    def one(slope: Any) -> Any:
        mean = jax.vmap(lambda draw: law.extrapolated(later, fitted, draw, slope))(draws)

        def scattered(scatter: Any) -> Any:
            noise = law.likelihood(mean, scatter * draws["sigma"][:, None])
            return jnp.log(share @ jnp.exp(noise.log_prob(actual)) + 1e-30) + per_unit

        return jax.lax.map(scattered, jnp.asarray(GRIDS["scatter"]))

    return jnp.transpose(jax.lax.map(one, jnp.asarray(SLOPES)), (2, 1, 0, 3))


def score_all(found: Sequence[Case], priors: Callable[..., Pairs], seed: int) -> list[Scored]:
    """Fit and score every candidate on every cut, and on the targets, of every case; priors leave collections out."""
    names = list(dict.fromkeys(case.collection for case in found))
    alone = {own: priors(own) for own in names}
    both = {pair: priors(*sorted({pair[0], *sisters(pair[1])})) for pair in itertools.permutations(names, 2)}
    jobs, work = [], []
    for case in found:
        laws = candidates(case.study, as_population(alone[case.collection]))
        left = [both.get((case.collection, o), alone[case.collection]) for o in names]
        rivals = [candidates(case.study, as_population(p)) for p in left]
        parts = split_by_compute(case.study.training, tuple(laws.values()))
        for (cut, small, large), (name, law) in itertools.product(
            [*parts, (None, case.study.training, case.study.targets)], laws.items()
        ):
            jobs.append((case, name, cut, len(large)))
            data = window_arrays(law, small, large, _size(small), 32 if len(large) <= 32 else 128)
            work.append((law.program, stacked([rival[name].program for rival in rivals]), *data))
    results: list[Any] = [None] * len(jobs)
    pieces = run_side_by_side(_score, work, seed=seed, width=SIDE_BY_SIDE)
    for place, density in track(pieces, "Scoring", total=len(work), transient=True):
        case, name, cut, count = jobs[place]
        results[place] = Scored(case, name, cut, density[..., :count])
    return results


def log_densities(scored: Sequence[Scored], names: Sequence[str], left_out: str | None) -> xr.DataArray:
    """Return the summed log density of all collections but a group, for every combination but of trust."""
    values = [name for name in GRIDS if name != "trust"]
    found: dict[str, dict[Case, list[Scored]]] = {}
    for one in scored:
        if left_out is None or one.case.collection not in sisters(left_out):
            found.setdefault(one.case.collection, {}).setdefault(one.case, []).append(one)
    total = np.zeros([len(GRIDS[name]) for name in values])
    for collection, by_case in found.items():
        place = list(names).index(left_out or collection)
        total += np.mean([_of_case(own, place) for own in by_case.values()], axis=0)
    return xr.DataArray(total, coords={name: list(GRIDS[name]) for name in values}, dims=values)


def _of_case(scored: Sequence[Scored], place: int) -> np.ndarray:
    """Return the mean log density of a case's targets, shape (drift, discrepancy, scatter, own_cuts, sharpness)."""
    laws: dict[str, list[Scored]] = {}
    for one in scored:
        laws.setdefault(one.law, []).append(one)
    own_cuts, sharpness = np.array(GRIDS["own_cuts"])[:, None], np.array(GRIDS["sharpness"])[:, None, None]
    blocks = []
    for drift, spread, scatter in itertools.product(GRIDS["drift"], GRIDS["discrepancy"], range(len(GRIDS["scatter"]))):
        scores, densities = [], []
        for own in laws.values():
            (target,) = (one.density[place, scatter] for one in own if one.cut is None)
            cuts = [one.density[place, scatter] for one in own if one.cut is not None]
            slopes = np.broadcast_to(slopes_after(cuts, (drift, spread), own_cuts), (len(own_cuts), len(target)))
            scores.append(cut_scores(cuts, (drift, spread)))
            densities.append(slopes @ np.exp(target))
        weights = np.broadcast_to(law_weights(scores, sharpness), (len(sharpness), len(laws)))
        mixed = np.einsum("sl,lcr->csr", weights, np.array(densities))
        blocks.append(np.maximum(np.log(mixed + 1e-30), WORST).mean(axis=-1))
    return np.reshape(blocks, [len(GRIDS[name]) for name in GRIDS if name != "trust"])


def averaged(densities: xr.DataArray, priors: Callable[[float], Pairs], collections: Sequence[str]) -> Population:
    """Return the population that averages over the combinations, weighted by their densities."""
    weight = xr.zeros_like(densities) + softmax(densities.to_numpy())

    def mean(values: xr.DataArray) -> float:
        return float((weight * values).sum())

    drift = mean(weight["drift"])
    values = {
        "trust": mean(weight["trust"]),
        "drift": drift,
        "scatter": np.sqrt(mean(weight["scatter"] ** 2)),
    }
    shares = {name: weight.sum([n for n in GRIDS if n != name]).to_series() for name in WEIGHTS}
    weights = {name: {float(v): round(float(w), 3) for v, w in share.items()} for name, share in shares.items()}
    scale = np.log(np.hypot(weight["discrepancy"], weight["drift"] - drift))
    centre = mean(scale)
    pairs = {"discrepancy": (centre, np.sqrt(mean((scale - centre) ** 2)))}
    share = weight.sum([name for name in GRIDS if name != "trust"]).to_numpy()
    each = [priors(float(trust)) for trust in weight["trust"]]
    for name in WEAK:
        centre, spread = np.transpose([pair[name] for pair in each])
        middle = share @ centre
        pairs[name] = float(middle), float(np.sqrt(share @ (spread**2 + (centre - middle) ** 2)))
    numbers = {name: round(float(value), 3) for name, value in values.items()}
    return as_population(pairs, numbers | weights, collections)


@functools.cache
def learn(found: tuple[Case, ...], seed: int = 0, *, papers: bool = False) -> dict[str | None, Population]:
    """Return what is learnt from all collections (None), and without each and its sisters.

    ``papers`` keeps the weak priors.
    """
    names = list(dict.fromkeys(case.collection for case in found))
    pairs: Pairs = WEAK
    for i in track(range(0 if papers else ROUNDS), "Priors", transient=True):
        used, fits = pairs, fit_all(found, pairs, seed + i)
        level = np.zeros(2 * DRAWS)
        pairs = maximised((f.case, {n: f.moments(n, level) for n in WEAK}) for f in fits)

    @functools.cache
    def in_full(*left_out: str) -> Pairs:
        return WEAK if papers else without(fits, used, *left_out)

    def priors(trust: float, *left_out: str) -> Pairs:
        return towards(in_full(*left_out), trust)

    trusts = GRIDS["trust"][:1] if papers else GRIDS["trust"]
    scored = {trust: score_all(found, functools.partial(priors, trust), seed) for trust in trusts}
    learnt: dict[str | None, Population] = {}
    for left_out in track([None, *names], "Errors of the slope", transient=True):
        without_it = () if left_out is None else sisters(left_out)
        densities = xr.concat(
            [log_densities(one, names, left_out) for one in scored.values()], pd.Index(trusts, name="trust")
        )
        kept = [name for name in names if name not in without_it]
        learnt[left_out] = averaged(densities, lambda trust, out=without_it: priors(trust, *out), kept)
    return learnt


def figures(seed: int = 0) -> dict[str, float]:
    """Learn from all collections and write what the package reads; return it by name."""
    learnt = learn(cases(), seed)
    own = learnt[None]
    own.write(Path(models.__file__).with_name("population.json"))
    rows = [{"left out": name or "none", **_flat(one)} for name, one in learnt.items()]
    show("What is learnt, by the collection left out", pd.DataFrame(rows))
    return {f"population_{name}": value for name, value in _flat(own).items()}


def _flat(population: Population) -> dict[str, float]:
    pairs = {f"{name}_{what}": value for name, pair in population.parameters.items()
             for what, value in zip(("centre", "spread"), pair, strict=True) if name != "E"}  # fmt: skip
    weights = {f"{name}_{value:g}": weight for name in WEIGHTS for value, weight in getattr(population, name).items()}
    return {**{name: getattr(population, name) for name in NUMBERS}, **weights, **pairs}
