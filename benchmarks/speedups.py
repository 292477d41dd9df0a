"""How many times less one recipe takes than another: coverage on simulated pairs of recipes, and how fast it comes."""

from __future__ import annotations

import dataclasses
import time

import jax
import numpy as np

import bayes_scaling as bs
from bayes_scaling.decisions.speedup import ERRORS
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla
from benchmarks.decisions import BUDGET, DESIGN, _draw, optimum

__all__ = ["PAIRS", "coverage", "pair_of_recipes", "seconds", "true_factor"]

PAIRS = 280  # of which about four in five have two fits that converge
STEPS = {"E": 0.01, "reducible": 0.05, "split": 0.05, "alpha_N": 0.03, "alpha_D": 0.03}
"""By what relative standard deviations recipes that are alike differ."""


def coverage(pairs: int = PAIRS, seed: int = 0, draws: int = 500, *, alike: bool = False) -> dict[str, float]:
    """Return how often 90 % intervals of the factor of compute at :data:`BUDGET` hold, pairs of fits that converged.

    ``speedup_cover90`` is of worlds that follow the law exactly, with the factor in closed form; the others are of
    worlds whose slopes beyond the runs are off as the law says they may be, both alike or each by itself.  Both recipes
    come from the priors, so that intervals ought to hold as often as they say.  ``alike`` recipes differ by a few per
    cent, which two fits apart do not know: there intervals hold more often than they say.
    """
    law = Chinchilla()
    truths = [pair_of_recipes(law, seed + i, alike=alike) for i in range(pairs)]
    recipes = [recipe for pair in truths for recipe in pair]
    studies = [bs.simulate(law, DESIGN, recipe, seed=2 * seed + i) for i, recipe in enumerate(recipes)]
    fitted = bs.fit_many(law, studies, seed=seed, draws=draws, adapt=False, progress=False)
    hits = []
    for i, (truth, members) in enumerate(zip(truths, zip(fitted[::2], fitted[1::2], strict=True), strict=True)):
        if any(member.posterior is None or member.verdict != "converged" for member in members):
            continue
        a, b = (bs.Surface.of(member.posterior) for member in members)
        found, world = bs.speedup(a, b, at=BUDGET, seed=i), true_world(a, b, truth, seed=i)
        true = {error: float(world.draws(error=error)[0, 0]) for error in ERRORS}
        true["none"] = true_factor(law, a.arrays, *truth)
        rng = np.random.default_rng(i)
        hits.append({error: inside(true[error], found.draws(error=error)[:, 0], rng) for error in ERRORS})
    held = {error: float(np.mean([hit[error] for hit in hits])) for error in ERRORS}
    name = "speedup_alike" if alike else "speedup"
    return {
        f"{name}_cover90": held["none"],
        f"{name}_shared_cover90": held["shared"],
        f"{name}_apart_cover90": held["apart"],
        f"{name}_pairs": len(hits),
    }


def inside(truth: float, draws: np.ndarray, rng: np.random.Generator) -> bool:
    """Say whether a truth lies in the middle 90 % of draws; among equal ones, such as those of never, at random."""
    place = (draws < truth).mean() + rng.uniform() * (draws == truth).mean()
    return bool(0.05 <= place <= 0.95)


def pair_of_recipes(law: bs.Law, seed: int, *, alike: bool = False) -> tuple[dict[str, float], dict[str, float]]:
    """Return the parameters of two recipes, both drawn from the priors, or the second a step away from the first."""
    first = _draw(law, seed)
    if not alike:
        return first, _draw(law, seed + 100_000)
    rng = np.random.default_rng(seed)
    moved = {name: first[name] * np.exp(rng.normal(0, step)) for name, step in STEPS.items()}
    return first, first | moved | {"split": min(moved["split"], 0.99)}


def true_factor(law: bs.Law, runs: dict, a: dict[str, float], b: dict[str, float]) -> float:
    """Return the factor of compute at :data:`BUDGET` in closed form (Hoffmann et al. 2022, equation 4); 0 for never."""
    _, goal = optimum(law, runs, a, BUDGET)
    _, there = optimum(law, runs, b, BUDGET)
    if goal <= b["E"]:
        return 0.0
    slope = b["alpha_N"] * b["alpha_D"] / (b["alpha_N"] + b["alpha_D"])
    return float(((goal - b["E"]) / (there - b["E"])) ** (1 / slope))


def true_world(a: bs.Surface, b: bs.Surface, truth: tuple[dict[str, float], dict[str, float]], seed: int) -> bs.Speedup:
    """Return the factor in a world of known parameters, whose slope errors are drawn anew."""
    with double_precision():
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 99), 2)
    both = [
        dataclasses.replace(surface, latent={name: np.full(2, value) for name, value in p.items()}, keys=keys)
        for surface, p in zip((a, b), truth, strict=True)
    ]
    return bs.speedup(*both, at=BUDGET, seed=2)  # of the seed that gives the second recipe the other key


def seconds(seed: int = 0) -> dict[str, float]:
    """Return the seconds of one factor, all resources and assumptions, for 4000 draws of each recipe; warm."""
    law = Chinchilla()
    truths = pair_of_recipes(law, seed, alike=True)
    fits = [bs.fit(law, bs.simulate(law, DESIGN, p, seed=seed + j), seed=seed) for j, p in enumerate(truths)]
    surfaces = [bs.Surface.of(one, allow_unconverged=True) for one in fits]
    bs.speedup(*surfaces, at=BUDGET)
    wall, cpu = time.perf_counter(), time.process_time()
    bs.speedup(*surfaces, at=BUDGET).table()
    return {"speedup_s": time.perf_counter() - wall, "speedup_cpu_s": time.process_time() - cpu}
