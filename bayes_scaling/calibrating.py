"""Learn a study's own extrapolation discrepancy from backtests inside its training runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np
import numpyro.distributions as dist
from scipy.special import logsumexp

from bayes_scaling.backtesting import expanding_window
from bayes_scaling.batch import fit_many
from bayes_scaling.errors import StudyError
from bayes_scaling.precision import double_precision

if TYPE_CHECKING:
    from bayes_scaling.law import Law
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.study import Study

__all__ = ["PRIOR", "learn_discrepancy"]

PRIOR = dist.LogNormal(math.log(0.2), 0.7)
"""Prior of the discrepancy: around the value that held on ten public collections of runs, within a factor of two."""


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
    forecasts draw from it.

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
        Of the discrepancy, a positive number; see :data:`bayes_scaling.calibrating.PRIOR`.
    draws : int
        Draws per chain of each backtest.
    progress : bool
        Show a progress bar.

    Raises
    ------
    StudyError
        A study cannot be split into runs to fit and runs to forecast.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import PowerLaw
    >>> learn_discrepancy(PowerLaw(), [], seed=0, progress=False)
    []
    """
    parts = [(j, *part) for j, study in enumerate(studies) for part in expanding_window(study, by, cuts)]
    batch = fit_many(law, [training for _, _, training, _ in parts], seed=seed, draws=draws, progress=progress)
    grid = np.geomspace(0.01, 2.0, 24)
    with double_precision():
        start = np.asarray(prior.log_prob(grid)) + np.log(grid)  # the grid is even in log s
    heights = np.tile(start, (len(studies), 1))
    for (j, cut, _, held_out), member in zip(parts, batch, strict=True):
        if member.posterior is None:
            raise StudyError(f"The backtest of {studies[j].name!r} at {by} <= {cut:g} failed: {member.error}")
        heights[j] += [_log_density(member.posterior, held_out, float(s)) for s in grid]
    return [law.replace(discrepancy=_matched(grid, h)) for h in heights]


def _log_density(posterior: Posterior, held_out: Study, discrepancy: float) -> float:
    """Return the mean log predictive density of the held-out outcomes."""
    law = posterior.law.replace(discrepancy=discrepancy)
    forecast = type(posterior)(law, posterior.study, posterior.tree, posterior.diagnostics).forecast(
        held_out, allow_unconverged=True
    )
    mean, actual = forecast.draws[f"{law.outcome}_mean"].to_numpy(), forecast.actual[law.outcome].to_numpy()
    with double_precision():
        each = jax.vmap(lambda mean, sigma: law.likelihood(mean, sigma).log_prob(actual))(
            mean, posterior.draws["sigma"]
        )
    return float((logsumexp(np.asarray(each), axis=0) - math.log(len(mean))).mean())


def _matched(grid: np.ndarray, heights: np.ndarray) -> dist.Distribution:
    """Return the LogNormal with the moments of log s under weights on a grid."""
    weight = np.exp(heights - logsumexp(heights))
    centre = float(weight @ np.log(grid))
    spread = math.sqrt(float(weight @ (np.log(grid) - centre) ** 2))
    return dist.LogNormal(centre, max(spread, 0.05))
