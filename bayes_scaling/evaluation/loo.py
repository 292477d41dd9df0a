"""Criteria of a fit on runs like its own: PSIS-LOO, WAIC, and stacking weights."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize
from scipy.special import logsumexp

from bayes_scaling.errors import ComparisonError

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Criterion", "loo", "psis", "stack", "waic"]

FEWEST_DRAWS = 25  # a fifth of them is the tail, and five values fit it
MAX_WAIC_VARIANCE = 0.4  # Vehtari, Gelman and Gabry 2017, section 2.2


@dataclasses.dataclass(frozen=True, eq=False)
class Criterion:
    """An estimate of the predictive density of new outcomes, as a sum over outcomes or runs.

    Attributes
    ----------
    elpd : pandas.Series
        Expected log predictive density of each outcome (or run).
    p : float
        Effective number of parameters.
    flags : pandas.Series
        What tells where the estimate is unreliable: Pareto k, or the variance of the log likelihood.
    limit : float
        Above which it is.
    refits : int
        Outcomes, or runs, whose value comes from a fit without them.
    """

    elpd: pd.Series
    p: float
    flags: pd.Series
    limit: float
    refits: int = 0

    @property
    def high(self) -> int:
        """Number of unreliable values."""
        return len(self.poor)

    @property
    def poor(self) -> list[Any]:
        """The names of the outcomes, or runs, whose values are unreliable."""
        return list(self.flags.index[self.flags > self.limit])


def loo(posterior: Posterior, values: np.ndarray, labels: pd.Index) -> Criterion:
    """Leave each value out by Pareto-smoothed importance sampling.

    Parameters
    ----------
    posterior : Posterior
        The fit; its effective sample size sets the tail that is smoothed.
    values : array, shape (chain, draw, outcome)
        Log likelihood of each outcome, or of each run.
    labels : pandas.Index, shape (outcome,)
        Their names.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry 2017, "Practical Bayesian model evaluation using leave-one-out cross-validation
       and WAIC", Statistics and Computing 27, arXiv 1507.04544, equation 10.
    """
    found = psis(posterior, values)
    shares = found.elpd_i.to_numpy()
    k = pd.Series(found.pareto_k.to_numpy(), index=labels)
    return Criterion(pd.Series(shares, index=labels), float(found.p), k, float(found.good_k))


def psis(posterior: Posterior, values: np.ndarray) -> Any:
    """Return ArviZ's PSIS-LOO of log likelihoods of shape (chain, draw, outcome), pointwise values included.

    Raises
    ------
    ComparisonError
        There are too few draws to smooth a tail of them.
    """
    if (count := values.shape[0] * values.shape[1]) < FEWEST_DRAWS:
        raise ComparisonError(
            f"Leaving outcomes out needs at least {FEWEST_DRAWS} draws, and this fit of {posterior.law.name} has "
            f"{count}; fit with more draws, or more chains."
        )
    outcomes = xr.Dataset({"outcome": (("chain", "draw", "place"), values)})
    tree = xr.DataTree.from_dict({"posterior": posterior.tree["posterior"].dataset, "log_likelihood": outcomes})
    with warnings.catch_warnings():  # Pareto k are counted in our tables
        warnings.filterwarnings("ignore", category=UserWarning, module="arviz_stats")
        return arviz_stats.loo(tree, pointwise=True, var_name="outcome")


def waic(values: np.ndarray, labels: pd.Index) -> Criterion:
    """Return the widely applicable information criterion, on the scale of the log predictive density.

    Parameters
    ----------
    values : array, shape (chain, draw, outcome)
        Log likelihood of each outcome.
    labels : pandas.Index, shape (outcome,)
        Their names.

    Notes
    -----
    ``elpd_i = log mean_s p(y_i | theta_s) - var_s log p(y_i | theta_s)``, the variance with S - 1; a variance above
    0.4 says that the criterion is unreliable for that outcome.

    References
    ----------
    .. [1] Watanabe 2010, "Asymptotic Equivalence of Bayes Cross Validation and Widely Applicable Information
       Criterion", JMLR 11.
    .. [2] Gelman, Hwang and Vehtari 2014, "Understanding predictive information criteria for Bayesian models",
       Statistics and Computing 24, equations 5, 12 and 13.

    Examples
    --------
    >>> criterion = waic(np.log([[[0.2], [0.4]]]), pd.Index(["a"]))
    >>> float(criterion.elpd["a"].round(4)), round(criterion.p, 4)  # log 0.3 less the variance of log 0.2 and log 0.4
    (-1.4442, 0.2402)
    """
    flat = values.reshape(-1, values.shape[-1])
    density = logsumexp(flat, axis=0) - np.log(len(flat))
    variance = flat.var(axis=0, ddof=1)
    elpd = pd.Series(density - variance, index=labels)
    return Criterion(elpd, float(variance.sum()), pd.Series(variance, index=labels), MAX_WAIC_VARIANCE)


def stack(elpd: np.ndarray) -> np.ndarray:
    """Return the weights of the mixture of predictive distributions with the largest score on left-out values.

    Parameters
    ----------
    elpd : array, shape (outcome, law)
        Expected log predictive density of each outcome.

    Returns
    -------
    array, shape (law,)
        Weights, not negative, of sum one.

    References
    ----------
    .. [1] Yao, Vehtari, Simpson and Gelman 2018, "Using Stacking to Average Bayesian Predictive Distributions",
       Bayesian Analysis 13, arXiv 1704.02030, equation 2.4.

    Examples
    --------
    >>> stack(np.log([[0.9, 0.1], [0.8, 0.2]])).round(3).tolist()
    [1.0, 0.0]
    """
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    count = density.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ weights
        return -np.log(mixed).mean(), -(density / mixed[:, None]).mean(axis=0)

    simplex = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(count)}
    start = np.full(count, 1 / count)
    found = minimize(
        loss, start, jac=True, bounds=[(1e-12, 1)] * count, constraints=simplex, method="SLSQP", options={"ftol": 1e-12}
    )
    weights = np.where(found.x > 1e-6, found.x, 0.0)
    return weights / weights.sum()
