"""Simulation-based calibration: ranks of simulated parameters among the draws of their posteriors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pandas as pd
from arviz_stats.ecdf_utils import ecdf_pit
from scipy import stats

from bayes_scaling.errors import LawError, StudyError, listed, whole
from bayes_scaling.evaluation.groups import score
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import PATIENCE, Effort, adapted_plan
from bayes_scaling.inference.chunks import fit_unit
from bayes_scaling.inference.fit import plan_of
from bayes_scaling.inference.padding import bucket, pad
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.inference.seeds import member_seed
from bayes_scaling.law.base import require_law
from bayes_scaling.law.sites import without_known_errors
from bayes_scaling.law.trace import latent_names, run_model, values_of
from bayes_scaling.study.study import require_study

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["BINS", "LIKELIHOOD", "Calibration", "simulation_based_calibration"]

BINS = 10
"""Bins of the test of uniformity."""

LIKELIHOOD = "log_likelihood"
"""Name among the ranks of the joint log likelihood of all outcomes of a study."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of the truth among its posterior draws.

    Attributes
    ----------
    law : str
        The law.
    ranks : pandas.DataFrame
        One row per simulated study, one column per parameter: the share of posterior draws below the truth.  Of a
        parameter with several entries, one entry per study, chosen at random.  The last column, ``log_likelihood``,
        ranks that of the outcomes, at the truth among those at the draws: a sampler that ignores some of the outcomes
        leaves the ranks of parameters uniform, but not this one.
    converged : int
        Simulated studies whose fit converged; the others count too.
    """

    law: str
    ranks: pd.DataFrame
    converged: int

    def departures(self, level: float = 0.99) -> pd.DataFrame:
        """Return how far the ranks are from uniform: their distribution function less that of the uniform.

        Parameters
        ----------
        level : float
            Probability with which all of a uniform column stays within the band.

        Returns
        -------
        pandas.DataFrame
            A row per place between 0 and 1, a column per column of ``ranks``, and the columns ``low`` and ``high`` of
            the band.

        References
        ----------
        .. [1] Säilynoja, Bürkner and Vehtari 2022, "Graphical test for discrete uniformity and its applications in
           goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing 32, arXiv 2103.10522.
        """
        places, _, low, high = ecdf_pit(np.zeros(len(self.ranks)), level, n_simulations=1000)
        inner = (places > 0) & (places < 1)  # ArviZ 1.0 adds the ends, where nothing can depart
        places, low, high = places[inner], low[inner], high[inner]
        below = (self.ranks.to_numpy()[:, :, None] <= places).mean(axis=0)
        table = pd.DataFrame((below - places).T, index=pd.Index(places, name="place"), columns=self.ranks.columns)
        return table.assign(low=low - places, high=high - places)

    def p_values(self) -> pd.Series:
        """Return, for each column, the p-value of a chi-square test that its ranks are uniform."""
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
        every study.  Its outcomes are replaced, and their known errors left out.
    seed : int
        Seed of every random draw.
    simulations : int
        Studies to draw.
    fitted : Law, optional
        Fits the studies; by default ``law``.  Another law of the same parameters shows what the test can see; constants
        that follow from them are ranked where both laws have them.
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
    LawError
        The law gives a study that was drawn no probability, or another one is fitted that has other parameters.
    BayesScalingError
        ``simulations``, ``keep``, ``chunk``, ``seed``, or what is asked for as for :func:`bayes_scaling.fit_many`, is
        no such number.

    References
    ----------
    .. [1] Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration", arXiv
       1804.06788, algorithm 1.
    .. [2] Modrák et al. 2023, "Simulation-Based Calibration Checking for Bayesian Computation: The Choice of Test
       Quantities Shapes Sensitivity", Bayesian Analysis, arXiv 2211.02383, section 3 (the joint likelihood).
    """
    seed, simulations = whole("seed", seed, 0), whole("simulations", simulations, 1)
    keep, chunk = whole("keep", keep, 1), whole("chunk", chunk, 1)
    plan, effort = plan_of(draws, None, chains, nuts.Plan().starts, "double"), Effort(adapt, patience=patience)
    if simulations < 5 * BINS:
        raise StudyError(f"{simulations} simulations cannot fill {BINS} bins; take at least {5 * BINS}.")
    require_law(law)
    fitted = law if fitted is None else require_law(fitted)
    design = require_study(design)
    runs, observed = law.arrays(design)
    if odd := latent_names(law, runs, observed) ^ latent_names(fitted, *fitted.arrays(design)):
        raise LawError(
            f"{listed(sorted(odd))} {'is' if len(odd) == 1 else 'are'} sampled by one alone of the law that draws the "
            f"studies and the one that is fitted ({law.name} and {fitted.name}); give laws of the same parameters."
        )
    truths, outcomes = _draw(law, runs, tuple(without_known_errors(observed)), simulations, seed)
    rows = bucket(len(next(iter(observed.values()))))
    padded = pad(runs, rows, law.run_inputs)
    first = adapted_plan(plan, None) if effort.adapt else plan
    rng = np.random.default_rng(seed)
    ranks, converged = [], 0
    with progress_bar(progress, f"Calibrating {law.name}", simulations) as advance:
        for begin in range(0, simulations, chunk):
            places = range(begin, min(begin + chunk, simulations))
            studies = [
                (
                    padded,
                    pad({k: v[i] for k, v in outcomes.items()}, rows, tuple(outcomes), np.nan),
                    member_seed(seed, i),
                )
                for i in places
            ]
            fits = fit_unit(fitted, first, effort, chunk, studies)
            for i, (*study, _), fit in zip(places, studies, fits, strict=True):
                if isinstance(fit, LawError):
                    raise fit
                converged += fit.diagnostics.converged
                truth = {k: v[i] for k, v in truths.items()}
                ranks.append(_ranks(law, study, truth, fit.sampled.posterior, keep, rng))
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
        drawn = jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), count))
        return jax.tree.map(np.asarray, drawn)


def _ranks(
    law: Law,
    study: Sequence[dict[str, Any]],
    truth: dict[str, np.ndarray],
    posterior: dict[str, np.ndarray],
    keep: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the places of the truth, and of the outcomes' likelihood at it, among ``keep`` posterior draws."""
    draws, found = {}, {}
    for name, values in ((name, values) for name, values in posterior.items() if name in truth):
        flat = values.reshape(-1, *values.shape[2:])
        draws[name] = flat[evenly_spaced(len(flat), keep)]
        columns = draws[name].reshape(len(draws[name]), -1)
        entry = int(rng.integers(columns.shape[1]))
        found[name] = _place(np.ravel(truth[name])[entry], columns[:, entry], rng)
    at = {name: np.concatenate([np.asarray(truth[name])[None], values]) for name, values in draws.items()}
    likelihoods = score(law, at, *study).row.sum(axis=-1)
    return found | {LIKELIHOOD: _place(likelihoods[0], likelihoods[1:], rng)}


def _place(truth: float, draws: np.ndarray, rng: np.random.Generator) -> float:
    """Return the share of draws below the truth.

    It is (rank + u) / (number + 1) with u uniform, so that a uniform rank is a uniform number.
    """
    return (int((draws < truth).sum()) + rng.uniform()) / (len(draws) + 1)
