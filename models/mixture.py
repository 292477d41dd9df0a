"""Loss on one domain from the shares of several in the training data, for models of several sizes at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from scipy.optimize import minimize

from bayes_scaling.errors import DecisionError, LawError, StudyError, TargetError, suggest
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import option, prior
from bayes_scaling.law.pooling import pooled
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays, observe, sample_slope_error
from bayes_scaling.law.trace import run_model
from bayes_scaling.study.panel import one_value

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.study.study import Study

__all__ = ["BestMixture", "Mixture", "best_mixture"]


class Mixture(Law):
    r"""Loss on one domain is a floor and an exponential of the shares of all domains in the training data.

    .. math:: L_s(r) = \ell_s \left[ \phi_s + (1 - \phi_s) \left( \frac{r_o + h_s}{1 / J + h_s} \right)^{-\gamma_s}
              \exp \sum_{j} \frac{t_{sj}}{1 - \phi_s} \left( r_j - \tfrac{1}{J} \right) \right]

    for mixture r, a column for each of the J shares, and every series s (column ``task``: the sizes of the models whose
    loss on one domain this is).  l is the loss with equal shares, and the effects t, the head h and the exponent gamma
    of the series are alike, but not equal.  Without ``own`` there is no factor of the domain's own share r_o: the law
    of the paper.  Shares may be 0.

    Notes
    -----
    An exponential cannot follow a loss that falls steeply from a share of 0 to a few per cent, and slowly from there
    on.  With ``own``, the share of the domain whose loss this is counts as data: a power of it, and of a head start
    that the other domains give.  Its own effect is then left out, as shares sum to one.  At one size and one number
    of tokens the floor and the exponent cannot be told apart; ``floor=0.0`` leaves the exponent alone.

    References
    ----------
    .. [1] Ye et al. 2024, "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
       arXiv 2403.16952, equation 7.
    .. [2] Shukor et al. 2025, "Scaling Laws for Optimal Data Mixtures", arXiv 2507.09404: powers of shares.

    Examples
    --------
    >>> Mixture(shares=("share_web", "share_code"), own="share_code").run_inputs
    ('share_web', 'share_code')
    """

    level: Prior = prior(
        default=dist.LogNormal(math.log(2.5), 0.5),
        unit="unit of the loss",
        reason="Loss with equal shares, of each series.  A factor of two and a half either way around 2.5 nats.",
    )
    floor: Prior = prior(
        default=LogitNormal(0.0, 1.0),
        unit="share",
        reason="phi, what no mixture removes, as a share of ``level``.  Weak, around one half.",
    )
    effect: Prior = prior(
        default=dist.Normal(0.0, 0.5),
        unit="log loss per unit of share",
        reason="t, of each share, where shares are equal.  A share up by a tenth moves the loss by five per cent at "
        "most, mostly; either way: domains help one another, or crowd one another out.  The paper's t is this over "
        "1 - phi: of what is above the floor.",
    )
    exponent: Prior = prior(
        default=dist.LogNormal(math.log(0.1), 0.8),
        unit="pure number",
        reason="gamma, of the domain's own share.  Around a tenth, wide: an exponent of data, floor included.",
    )
    head: Prior = prior(
        default=dist.LogNormal(math.log(0.01), 1.5),
        unit="share",
        reason="h, the own share that all other domains together are worth.  A per cent, within a factor of twelve.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.005), 0.7),
        unit="fraction",
        reason="Relative noise of each series.  Half a per cent: a proxy run's loss on a test set of one domain.",
    )
    shares: tuple[str, ...] = option(
        default=("share_one", "share_two", "share_three"), about="The columns of the shares, each a fraction."
    )
    own: str = option(
        default="", about="The column of the share of the domain whose loss this is; empty: the law of the paper."
    )

    by_task = True
    equation = (
        r"L_s = \ell_s (\phi_s + (1 - \phi_s) ((r_o + h_s) / (1 / J + h_s))^{-\gamma_s} "
        r"e^{\sum_j t_{sj} (r_j - 1 / J) / (1 - \phi_s)})"
    )
    pooling: ClassVar[Mapping[str, float]] = {"floor": 0.3, "effect": 0.1, "exponent": 0.1, "head": 0.3}

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the shares."""
        return tuple(self.shares)

    @property
    def indicators(self) -> tuple[str, ...]:  # type: ignore[override]
        """The shares: they may be 0."""
        return tuple(self.shares)

    @property
    def _others(self) -> tuple[str, ...]:
        return tuple(share for share in self.shares if share != self.own)

    def parameters(self, runs: Arrays) -> dict[str, jax.Array]:
        """Sample the parameters of every series, shape (series,), inside a NumPyro model."""
        count = jnp.shape(runs["task"])[0]
        names = ["level", "floor", "sigma", *(["exponent", "head"] if self.own else [])]
        found = {name: pooled(name, self.priors[name], self.pooling.get(name), count) for name in names}
        for share in self._others:
            found[f"effect_{share}"] = pooled(f"effect_{share}", self.effect, self.pooling["effect"], count)
        return found

    def at(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the losses, shape (run, series)."""
        even, above = 1 / len(self.shares), 1 - parameters["floor"]
        log = sum(parameters[f"effect_{share}"] / above * (runs[share] - even)[:, None] for share in self._others)
        if self.own:
            head, own = parameters["head"], runs[self.own][:, None]
            log = log - parameters["exponent"] * (jnp.log(own + head) - jnp.log(even + head))
        return parameters["level"] * (parameters["floor"] + above * jnp.exp(log))

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the floor of every series, in the unit of the loss."""
        return parameters["level"] * parameters["floor"]

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; losses have shape (run, series)."""
        parameters = self.parameters(runs)
        mean, count = self.at(runs, parameters), jnp.shape(runs["task"])[0]
        if fitted is not None:
            mean = self.extrapolated(runs, fitted, parameters, sample_slope_error(self.discrepancy, (count,)))
        if observed is None:
            numpyro.deterministic("loss_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0], dim=-2), numpyro.plate("each", count, dim=-1):
            observe("loss", self.likelihood(mean, parameters["sigma"]), observed)

    # -- the data ---------------------------------------------------------------------------------------------------

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): shares of shape (run,), losses (run, series).

        Raises
        ------
        StudyError
            A column is missing, the series of a run differ in a share, or ``own`` is no share.
        """
        frame = study.frame
        if self.own and self.own not in self.shares:
            raise StudyError(
                f"{self.name} has own = {self.own!r}, which is no share; give one of {', '.join(self.shares)}."
            )
        for column in ("run", "task"):
            if column not in frame:
                raise StudyError(
                    f"{self.name} needs a column {column!r} in study {study.name!r}: one row per mixture and size."
                )
        losses = frame.assign(loss=self.outcomes_of(study)).pivot(index="run", columns="task", values="loss")
        columns = self.columns_of(rows := frame.drop_duplicates("run"))
        one_value(study, "run", self.shares)
        observed = {"loss": losses.loc[rows["run"], study.tasks].to_numpy(float)}
        return {**columns, "task": np.zeros(len(study.tasks))}, observed

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        names = ["level", "floor", "exponent", "head", "sigma", *(f"effect_{share}" for share in self._others)]
        sites = [*names, *(f"{name}_offset" for name in names), "loss", "loss_mean"]
        return {name: ["task"] for name in sites}, {"task": study.tasks}


# -- the best mixture --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class BestMixture:
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
        Converged fits of :class:`Mixture`, one for the loss on each domain, all of the same shares.
    series : str, optional
        Which of the fitted series (sizes) the mixture is for; may be left out where there is one.
    weights : sequence of float, optional
        What the loss on each domain counts; by default all the same.
    bounds : mapping of str to (float, float), optional
        Least and largest share of a domain, where data are short; by default 0 and 1.
    samples : int
        Posterior draws to use, evenly spaced.
    allow_unconverged : bool
        Decide on fits that did not converge, too.

    Returns
    -------
    BestMixture

    Raises
    ------
    LawError
        A fit is of another law.
    ConvergenceError
        A fit did not converge.
    TargetError
        There is no such series.
    DecisionError
        Fits differ in their shares, weights do not suit, or no mixture is within the bounds.

    Notes
    -----
    Both forms of the law are convex in the shares, so that the minimum found is the only one.  Of the loss on a single
    domain the paper's exponential has its minimum where all data are of one domain; weigh several.

    Examples
    --------
    >>> best_mixture([web, code], weights=[1, 2], bounds={"share_code": (0.0, 0.3)}).table()  # doctest: +SKIP
    """
    fits = list(posteriors) if isinstance(posteriors, Sequence) else [posteriors]
    laws = [_of_mixtures(fit.law) for fit in fits]
    for fit in fits:
        fit.require_converged(allow_unconverged)
    shares = laws[0].shares
    if any(law.shares != shares for law in laws):
        raise DecisionError("The fits read different shares; fit all domains with the same shares=.")
    counts = np.ones(len(fits)) if weights is None else np.asarray(weights, dtype=float)
    if counts.shape != (len(fits),) or not np.isfinite(counts).all() or counts.min() < 0 or counts.sum() <= 0:
        raise DecisionError(f"The weights are {weights!r}; give {len(fits)} numbers, none negative, not all zero.")
    limits = _limits(shares, bounds or {})
    places = [_series_place(fit, series) for fit in fits]
    tasks = [np.zeros(len(fit.study.tasks)) for fit in fits]
    draws = [fit.thin(samples) for fit in fits]

    def loss(mixture: jax.Array, latent: Sequence[Arrays]) -> jax.Array:
        runs = {share: mixture[None, i] for i, share in enumerate(shares)}
        each = [
            run_model(law, {**runs, "task": task}, latent=one)["loss_mean"]["value"][0, place]
            for law, task, one, place in zip(laws, tasks, latent, places, strict=True)
        ]
        return jnp.dot(counts / counts.sum(), jnp.stack(each))

    def expected(mixture: jax.Array, latent: Sequence[Arrays]) -> jax.Array:
        return jax.vmap(loss, in_axes=(None, 0))(mixture, latent).mean()

    with double_precision():
        of_one, of_all = jax.jit(jax.value_and_grad(loss)), jax.jit(jax.value_and_grad(expected))
        choice = _least(of_all, draws, limits)
        count = len(next(iter(draws[0].values())))
        ones = [jax.tree.map(lambda values, i=i: values[i], draws) for i in range(count)]
        best = np.array([_least(of_one, one, limits) for one in ones])
        at_choice = np.array([float(of_one(choice, one)[0]) for one in ones])
        at_best = np.array([float(of_one(place, one)[0]) for place, one in zip(best, ones, strict=True)])
    index = list(shares)
    return BestMixture(
        pd.Series(choice, index=index, name="choice"),
        pd.DataFrame(best, columns=index),
        at_choice,
        np.maximum(at_choice / at_best - 1, 0.0),
    )


def _least(objective: Callable[..., tuple[Any, Any]], latent: Sequence[Arrays], limits: np.ndarray) -> np.ndarray:
    """Return the shares, within limits and summing to one, at which a convex function is least."""
    low, high = limits.T
    start = low + (high - low) * (1 - low.sum()) / max((high - low).sum(), 1e-12)

    def in_numpy(mixture: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = objective(mixture, latent)
        return float(value), np.asarray(slope)

    found = minimize(
        in_numpy, start, jac=True, method="SLSQP", bounds=limits, options={"ftol": 1e-12, "maxiter": 500},
        constraints={"type": "eq", "fun": lambda r: r.sum() - 1, "jac": np.ones_like},
    )  # fmt: skip
    return np.clip(found.x, low, high)


def _of_mixtures(law: Law) -> Mixture:
    if not isinstance(law, Mixture):
        raise LawError(f"A best mixture is of fits of Mixture, and one is of {law.name}.")
    return law


def _limits(shares: Sequence[str], bounds: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Return the least and the largest of each share, shape (share, 2)."""
    for name in bounds:
        if name not in shares:
            raise DecisionError(f"There is no share {name!r} to bound; {suggest(name, shares)}")
    limits = np.array([bounds.get(share, (0.0, 1.0)) for share in shares], dtype=float)
    low, high = limits.T
    if not ((0 <= low) & (low <= high) & (high <= 1)).all() or low.sum() > 1 or high.sum() < 1:
        raise DecisionError(
            f"No mixture is within bounds={dict(bounds)!r}; give least and largest shares between 0 and 1 that leave "
            "room for a sum of one."
        )
    return limits


def _series_place(posterior: Posterior, series: str | None) -> int:
    """Return the place of a series among those of a fit."""
    known = posterior.study.tasks
    if series is None and len(known) == 1:
        return 0
    if series not in known:
        asked = f"give one of {', '.join(known)}." if series is None else suggest(series, known)
        raise TargetError(f"The fit describes {len(known)} series; {asked}")
    return list(known).index(series)
