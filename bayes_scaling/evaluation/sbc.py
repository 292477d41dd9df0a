"""Simulation-based calibration: ranks of simulated parameters among the draws of their posteriors."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pandas as pd
from scipy import stats

from bayes_scaling.errors import StudyError
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import PATIENCE, WARMUP, Effort, adapted_plan
from bayes_scaling.inference.chunks import fit_unit
from bayes_scaling.inference.padding import bucket, pad
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.law.trace import run_model, values_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["BINS", "Calibration", "simulation_based_calibration"]

BINS = 10
"""Bins of the rank histograms, and of the test of uniformity."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of the truth among its posterior draws.

    Attributes
    ----------
    law : str
        The law.
    ranks : pandas.DataFrame
        One row per simulated study, one column per parameter: the share of posterior draws below the truth.  Of a
        parameter with several entries, one entry per study, chosen at random.
    converged : int
        Simulated studies whose fit converged; the others count too.
    """

    law: str
    ranks: pd.DataFrame
    converged: int

    def p_values(self) -> pd.Series:
        """Return, for each parameter, the p-value of a chi-square test that its ranks are uniform."""
        counts = self.ranks.apply(lambda column: np.histogram(column, bins=BINS, range=(0, 1))[0])
        return pd.Series({name: float(stats.chisquare(counts[name]).pvalue) for name in counts}, name="p")


def simulation_based_calibration(
    law: Law,
    design: Study,
    *,
    seed: int,
    simulations: int = 200,
    fitted: Law | None = None,
    draws: int = 250,
    chains: int = 4,
    keep: int = 99,
    chunk: int = 16,
    adapt: bool | None = None,
    patience: float = PATIENCE,
    progress: bool = True,
) -> Calibration:
    """Draw parameters from the priors, a study from the parameters, fit it, and rank the truth among the draws.

    Where sampler, model and likelihood agree, the ranks are uniform.

    Parameters
    ----------
    law : Law
        Draws the studies.
    design : Study
        Inputs of the runs; references (such as N0) are taken from it and held, so that the priors are the same in
        every study.  Its outcomes are replaced.
    seed : int
        Seed of every random draw.
    simulations : int
        Studies to draw.
    fitted : Law, optional
        Fits the studies; by default ``law``.  Another law shows what the test can see.
    draws, chains, chunk, adapt, patience : int, int, int, bool or None, float
        As for :func:`bayes_scaling.fit_many`.
    keep : int
        Draws to rank the truth among, evenly spaced, so that they are nearly independent.
    progress : bool
        Show a progress bar.

    Raises
    ------
    StudyError
        There are too few simulations for ten bins.

    References
    ----------
    .. [1] Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration", arXiv
       1804.06788, algorithm 1.
    """
    if simulations < 5 * BINS:
        raise StudyError(f"{simulations} simulations cannot fill {BINS} bins; take at least {5 * BINS}.")
    fitted = fitted or law
    runs, shapes = law.arrays(design)
    truths, outcomes = _draw(law, runs, tuple(shapes), simulations, seed)
    rows = bucket(len(next(iter(shapes.values()))))
    padded = pad(runs, rows, law.run_inputs)
    plan = nuts.Plan(draws, WARMUP, chains, law.thinning)
    first, effort = adapted_plan(plan, None) if adapt else plan, Effort(adapt, patience=patience)
    rng = np.random.default_rng(seed)
    ranks, converged = [], 0
    with progress_bar(progress, f"Calibrating {law.name}", simulations) as advance:
        for begin in range(0, simulations, chunk):
            places = range(begin, min(begin + chunk, simulations))
            studies = [
                (padded, pad({k: v[i] for k, v in outcomes.items()}, rows, tuple(outcomes), np.nan), seed + i)
                for i in places
            ]
            for i, fit in zip(places, fit_unit(fitted, first, effort, chunk, studies), strict=True):
                converged += fit.diagnostics.converged
                ranks.append(_rank({k: v[i] for k, v in truths.items()}, fit.sampled.posterior, keep, rng))
            advance(len(places))
    return Calibration(law.name, pd.DataFrame(ranks), converged)


def _draw(
    law: Law, runs: dict[str, Any], names: tuple[str, ...], count: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (parameters, outcomes) of ``count`` studies drawn from the priors, each with a leading axis of studies."""

    def one(key: jax.Array) -> tuple[dict[str, Any], dict[str, Any]]:
        kept = values_of(run_model(law, runs, key=key))
        hidden = {*names, *(f"{name}_mean" for name in names)}
        return {n: v for n, v in kept.items() if n not in hidden}, {n: kept[n] for n in names}

    with double_precision():
        drawn = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), count))
        return jax.tree.map(np.asarray, drawn)


def _rank(
    truth: dict[str, np.ndarray], posterior: dict[str, np.ndarray], keep: int, rng: np.random.Generator
) -> dict[str, float]:
    """Return the share of posterior draws below the truth, of one entry of each parameter; ties are broken at random.

    The share is (rank + u) / (keep + 1) with u uniform, so that a uniform rank is a uniform number.
    """
    found = {}
    for name, draws in posterior.items():
        flat = draws.reshape(-1, max(1, math.prod(draws.shape[2:])))
        entry = int(rng.integers(flat.shape[1]))
        chosen = flat[evenly_spaced(len(flat), keep), entry]
        below = int((chosen < np.ravel(truth[name])[entry]).sum())
        found[name] = (below + rng.uniform()) / (keep + 1)
    return found
