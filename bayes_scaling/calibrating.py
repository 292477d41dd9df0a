"""Learn the extrapolation discrepancy of studies from backtests inside their training runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from scipy.special import logsumexp
from scipy.stats import norm

from bayes_scaling.backtesting import expanding_window
from bayes_scaling.batch import fit_many
from bayes_scaling.errors import LawError, StudyError
from bayes_scaling.padding import bucket, pad
from bayes_scaling.precision import double_precision

if TYPE_CHECKING:
    from bayes_scaling.law import Law
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.sites import Arrays
    from bayes_scaling.study import Study

__all__ = ["SPREAD", "WIDTH", "learn_discrepancy"]

WIDTH = 0.7
"""Standard deviation of log s before any backtest: within a factor of two of the law's own discrepancy, or four."""

SPREAD = 0.35
"""Standard deviation of log s between the studies of one family."""

GRID = np.geomspace(0.003, 2.0, 40)
SLOPES = 4  # slope errors that each posterior draw is tried with


def learn_discrepancy(
    law: Law,
    studies: Sequence[Study],
    *,
    by: str = "flops",
    cuts: Sequence[float] | None = None,
    seed: int,
    prior: dist.LogNormal | None = None,
    spread: float = SPREAD,
    draws: int = 250,
    progress: bool = True,
) -> list[Law]:
    r"""Return the law of each study with the discrepancy that backtests speak for, its own most of all.

    A cut c of study j gives a fit to the runs up to it and outcomes y beyond it.  Outcomes of one cut share one error
    of the slope, so they count as one observation, the mean of their log predictive densities; and an outcome that
    stands in m studies, as the ordinate of many pairs does, counts once.  The discrepancies s of the studies are
    alike, so each study learns from the others as far as they agree:

    .. math:: \log s_j \sim N(\mu, \omega^2), \qquad p(s_j \mid \text{cuts of } j) \propto p(s_j)
              \prod_c \exp \Big( \tfrac{1}{n_c} \sum_i \tfrac{1}{m_{ci}} \log p(y_{ci} \mid s_j) \Big)

    with omega the ``spread`` and mu free, such that one study alone has s from ``prior``.  The posterior of each s, on
    a grid, is returned as the LogNormal prior of ``discrepancy`` with the same two moments of log s; forecasts draw
    from it, so what backtests leave open widens the interval.

    Parameters
    ----------
    law : Law
        A law of one series, whose ``likelihood`` takes (mean, sigma).
    studies : sequence of Study
        Studies of one family; their training runs are split, and all backtests are fitted as one batch.
    by, cuts : str, sequence of float
        As in :func:`bayes_scaling.backtesting.expanding_window`.
    seed : int
        Seed of every random draw.
    prior : LogNormal, optional
        Of the discrepancy (a fraction); by default around the law's own, with :data:`bayes_scaling.calibrating.WIDTH`.
    spread : float
        Standard deviation of log s between studies, less than the prior's.
    draws : int
        Draws per chain of each backtest.
    progress : bool
        Show a progress bar.

    Raises
    ------
    StudyError
        A study cannot be split into runs to fit and runs to forecast, or a backtest cannot be fitted.
    LawError
        The law's own discrepancy is no positive number and no prior is given, or the spread is not below the prior's.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import PowerLaw
    >>> learn_discrepancy(PowerLaw(), [], seed=0, progress=False)
    []
    """
    centre, width = _moments(law, prior)
    if not 0 < spread < width:
        raise LawError(f"The spread between studies is {spread:g}; give a number between 0 and the prior's {width:g}.")
    parts = [(j, *part) for j, study in enumerate(studies) for part in expanding_window(study, by, cuts)]
    batch = fit_many(law, [training for _, _, training, _ in parts], seed=seed, draws=draws, progress=progress)
    shared = Counter((cut, y) for _, cut, _, held_out in parts for y in held_out.column(law.outcome))
    heights = np.zeros((len(studies), len(GRID)))
    for (j, cut, _, held_out), member in zip(parts, batch, strict=True):
        if member.posterior is None:
            raise StudyError(f"The backtest of {studies[j].name!r} at {by} <= {cut:g} failed: {member.error}")
        repeats = np.array([shared[cut, y] for y in held_out.column(law.outcome)])
        heights[j] += (_log_densities(member.posterior, held_out) / repeats).mean(axis=1)
    weights = _posterior(heights, centre, width, spread)
    return [law.replace(discrepancy=_matched(w)) for w in weights]


def _moments(law: Law, prior: dist.LogNormal | None) -> tuple[float, float]:
    """Return mean and standard deviation of log s before any backtest."""
    if prior is not None:
        return float(prior.loc), float(prior.scale)
    if not isinstance(law.discrepancy, (int, float)) or law.discrepancy <= 0:
        raise LawError(f"The discrepancy of {law.name} is {law.discrepancy!r}; give learn_discrepancy a prior for it.")
    return math.log(law.discrepancy), WIDTH


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


def _posterior(heights: np.ndarray, centre: float, width: float, spread: float) -> np.ndarray:
    """Return the posterior weights of each study's s, shape (study, grid), the common centre mu summed out."""
    log_s = np.log(GRID)
    mu = np.linspace(centre - 4 * width, centre + 4 * width, 161)
    joint = heights[:, None, :] + norm.logpdf(log_s, mu[:, None], spread)  # (study, mu, grid)
    evidence = logsumexp(joint, axis=2)
    of_mu = evidence.sum(axis=0) + norm.logpdf(mu, centre, math.sqrt(width**2 - spread**2))
    heights = logsumexp(joint - evidence[:, :, None] + (of_mu - logsumexp(of_mu))[:, None], axis=1)
    return np.exp(heights)


def _matched(weight: np.ndarray) -> dist.LogNormal:
    """Return the LogNormal with the moments of log s under weights on the grid."""
    centre = float(weight @ np.log(GRID))
    return dist.LogNormal(centre, max(math.sqrt(float(weight @ (np.log(GRID) - centre) ** 2)), 0.05))
