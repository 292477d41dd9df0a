"""Learn a study's own extrapolation discrepancy from backtests inside its training runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from scipy.special import softmax
from scipy.stats import norm

from bayes_scaling.backtesting import expanding_window
from bayes_scaling.batch import fit_many
from bayes_scaling.errors import StudyError
from bayes_scaling.padding import bucket, pad
from bayes_scaling.precision import double_precision

if TYPE_CHECKING:
    from bayes_scaling.law import Law
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.sites import Arrays
    from bayes_scaling.study import Study

__all__ = ["PRIOR", "learn_discrepancy"]

PRIOR = dist.LogNormal(math.log(0.2), 0.7)
"""Prior of the discrepancy: around the value that held on ten public collections of runs, within a factor of two."""

GRID = np.geomspace(0.003, 2.0, 40)
SLOPES = 4  # slope errors that each posterior draw is tried with


def learn_discrepancy(
    law: Law,
    studies: Sequence[Study],
    *,
    by: str = "flops",
    cuts: Sequence[float] | None = None,
    seed: int,
    prior: dist.Distribution = PRIOR,
    draws: int = 250,
    progress: bool = True,
) -> list[Law]:
    r"""Return the law of each study with the discrepancy its own backtests speak for.

    A cut c of study j gives a fit to the runs up to it and outcomes y beyond it.  Outcomes of one cut share one error
    of the slope, so they count as one observation, the mean of their log predictive densities:

    .. math:: p(s \mid j) \propto p(s) \prod_c \exp \Big( \tfrac{1}{n_c} \sum_i \log p(y_{ci} \mid s) \Big)

    The posterior, on a grid, is returned as the LogNormal prior of ``discrepancy`` with the same two moments of log s;
    forecasts draw from it, so what backtests leave open widens the interval.  Studies do not learn from each other:
    losses of the same models err alike, and their agreement is no evidence.

    Parameters
    ----------
    law : Law
        A law of one series, whose ``likelihood`` takes (mean, sigma).
    studies : sequence of Study
        Their training runs are split; all backtests are fitted as one batch.
    by, cuts : str, sequence of float
        As in :func:`bayes_scaling.backtesting.expanding_window`.
    seed : int
        Seed of every random draw.
    prior : Distribution
        Of the discrepancy, a positive number (a fraction); see :data:`bayes_scaling.calibrating.PRIOR`.
    draws : int
        Draws per chain of each backtest.
    progress : bool
        Show a progress bar.

    Raises
    ------
    StudyError
        A study cannot be split into runs to fit and runs to forecast, or a backtest cannot be fitted.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import PowerLaw
    >>> learn_discrepancy(PowerLaw(), [], seed=0, progress=False)
    []
    """
    parts = [(j, *part) for j, study in enumerate(studies) for part in expanding_window(study, by, cuts)]
    batch = fit_many(law, [training for _, _, training, _ in parts], seed=seed, draws=draws, progress=progress)
    with double_precision():
        start = np.asarray(prior.log_prob(GRID)) + np.log(GRID)  # the grid is even in log s
    heights = np.tile(start, (len(studies), 1))
    for (j, cut, _, held_out), member in zip(parts, batch, strict=True):
        if member.posterior is None:
            raise StudyError(f"The backtest of {studies[j].name!r} at {by} <= {cut:g} failed: {member.error}")
        heights[j] += _log_densities(member.posterior, held_out).mean(axis=1)
    return [law.replace(discrepancy=_matched(h)) for h in heights]


def _log_densities(posterior: Posterior, held_out: Study) -> np.ndarray:
    """Return log predictive densities, shape (grid, outcome), of the held-out outcomes at each discrepancy."""
    law, outcome = posterior.law, posterior.law.outcome
    fitted, _ = law.arrays(posterior.study)
    inputs, rows = law.input_arrays(held_out.frame), bucket(len(held_out))
    runs = pad({**fitted, **inputs}, rows, law.run_inputs)
    actual = pad({outcome: held_out.column(outcome)}, rows, (outcome,), np.nan)[outcome]
    frontier = pad(fitted, bucket(len(posterior.study)), law.run_inputs, np.nan)
    latent = {name: np.repeat(values, SLOPES, axis=0) for name, values in posterior.draws.items()}
    count = len(latent["sigma"])
    slopes = norm.ppf((np.random.default_rng(posterior.seed).permutation(count) + 0.5) / count)
    with double_precision():
        densities = np.asarray(_densities(law.program, latent, slopes, runs, frontier, actual, GRID))
    return densities[:, : len(held_out)]


@jax.jit
def _densities(
    law: Law, latent: Arrays, slopes: jax.Array, runs: Arrays, fitted: Arrays, actual: jax.Array, grid: jax.Array
) -> jax.Array:
    """Return log predictive densities, shape (grid, outcome), averaged over draws that bring a slope error each."""

    def one(parameters: Arrays, slope: jax.Array, scale: jax.Array) -> jax.Array:
        mean = law.extrapolated(runs, fitted, parameters, scale * slope)
        return law.likelihood(mean, parameters["sigma"]).log_prob(actual)

    each = jax.lax.map(lambda scale: jax.vmap(one, in_axes=(0, 0, None))(latent, slopes, scale), grid)
    return jax.nn.logsumexp(each, axis=1) - jnp.log(len(slopes))


def _matched(heights: np.ndarray) -> dist.LogNormal:
    """Return the LogNormal with the moments of log s under log weights on the grid."""
    weight = softmax(heights)
    centre = float(weight @ np.log(GRID))
    return dist.LogNormal(centre, max(math.sqrt(float(weight @ (np.log(GRID) - centre) ** 2)), 0.05))
