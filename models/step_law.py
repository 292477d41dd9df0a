"""Learning rate and batch size: the loss rises around an optimum that is a power law in parameters and tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd

from bayes_scaling.errors import LawError, TargetError
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.forecasts.targets import read_targets, require_read
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import option, prior
from bayes_scaling.law.priors import EXACT, Prior, describe
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import Chinchilla, textbook
from bayes_scaling.study.reading import as_rows, labelled

__all__ = ["StepLaw", "optimal_settings"]

ALIKE = {"batch": 1.0, "batch_D": 0.0, "batch_cost": 0.0}  # what the batch does where all runs have the same


class StepLaw(Chinchilla):
    r"""Loss is quadratic in log learning rate and log batch size around an optimum that moves with N and D.

    .. math:: L = L_{N, D} \left[ 1 + \kappa_\eta \left( \log_2 \frac{\eta}{\eta^*} \right)^2
              + \kappa_B \left( \log_2 \frac{B}{B^*} \right)^2 \right], \qquad
              \eta^* = c\, N^{\alpha} D^{\beta}, \qquad B^* = d\, D^{\gamma}

    with L_{N, D} the law of :class:`Chinchilla`, the loss at the optimum; the peak learning rate in the column
    ``learning_rate`` and the batch in tokens in ``batch_tokens``.  c and d are published with the posterior;
    :func:`.optimal_settings` reads the optimum off it.

    Notes
    -----
    A sweep of the learning rate at one batch size says nothing of the batch, and needs no column of it:
    ``StepLaw(batches=False)`` leaves its term out, and its optimum is that of this batch size alone.

    Far from the optimum losses rise more slowly than a square of the logarithm, or a run diverges: fit the runs within
    a factor of eight or so.

    References
    ----------
    .. [1] Li et al. 2025, "Predictable Scale: Part I, Step Law: Optimal Hyperparameter Scaling Law in Large Language
       Model Pretraining", arXiv 2503.04715, equation 1: alpha = -0.713, beta = 0.307, gamma = 0.571.

    Examples
    --------
    >>> centre = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3)
    >>> sweep = dict(rate=2.0, rate_N=-0.7, rate_D=0.3, rate_cost=0.01, batch=1.0, batch_D=0.6, batch_cost=0.0)
    >>> place = dict(N=1e9, D=2e10, batch_tokens=5e5, N0=1e9, D0=2e10, learning_rate0=1e-3, batch_tokens0=5e5)
    >>> [round(float(StepLaw().mean(learning_rate=x, **place, **centre, **sweep)), 4) for x in (1e-3, 2e-3, 4e-3)]
    [2.727, 2.7, 2.727]
    """

    rate: Prior = prior(
        default=dist.LogNormal(0.0, 1.0),
        unit="multiple of the runs' mean",
        reason="Best learning rate at (N0, D0), over the geometric mean of the fitted ones.  Wide, around it: a sweep "
        "is laid around the best guess, and misses it by a factor of five at most, mostly.",
    )
    rate_N: Prior = prior(
        default=dist.Normal(-0.5, 0.3),
        unit="pure number",
        reason="alpha, the exponent of N in the best learning rate.  Falling: published ones lie between -0.1 and "
        "-0.7, as those of width, which goes like a root of N, between none and -1.",
    )
    rate_D: Prior = prior(
        default=dist.Normal(0.1, 0.25),
        unit="pure number",
        reason="beta, the exponent of D in the best learning rate.  Of either sign: 0.3 where the batch grows along, "
        "below zero where it does not.",
    )
    rate_cost: Prior = prior(
        default=dist.LogNormal(math.log(0.003), 1.0),
        unit="fraction",
        reason="kappa_eta, what half or twice the best learning rate adds to the loss.  Three tenths of a per cent, "
        "within a factor of five either way: the valley is flat.",
    )
    batch: Prior = prior(
        default=dist.LogNormal(0.0, 1.0),
        unit="multiple of the runs' mean",
        reason="Best batch size at D0, over the geometric mean of the fitted ones.  Wide, as ``rate``.",
    )
    batch_D: Prior = prior(
        default=dist.Normal(0.5, 0.2),
        unit="pure number",
        reason="gamma, the exponent of D in the best batch size.  Growing: published ones lie between 0.3 and 0.6.",
    )
    batch_cost: Prior = prior(
        default=dist.LogNormal(math.log(0.002), 1.0),
        unit="fraction",
        reason="kappa_B, what half or twice the best batch size adds to the loss.  As ``rate_cost``, and flatter.",
    )

    batches: bool = option(
        default=True,
        about="Whether runs differ in their batch size.  Where all have the same, its term is left out: "
        "``batch``, ``batch_D`` and ``batch_cost`` are held at 1, 0 and 0.",
    )

    pooling: ClassVar = {
        **Chinchilla.pooling,
        "rate": 0.5, "rate_N": 0.2, "rate_D": 0.2, "rate_cost": 0.5, "batch": 0.5, "batch_D": 0.2, "batch_cost": 0.5,
    }  # fmt: skip
    equation = (
        r"L = (E + A / N^{\alpha_N} + B / D^{\alpha_D}) (1 + \kappa_\eta \log_2^2 (\eta / (c N^\alpha D^\beta)) "
        r"+ \kappa_B \log_2^2 (B / (d D^\gamma)))"
    )

    @property
    def relations(self) -> dict[str, str]:
        """What the textbook constants are made of, in LaTeX."""
        rate = r"\text{rate} \cdot \eta_0 N_0^{-\alpha} D_0^{-\beta}"
        batch = {"d": r"\text{batch} \cdot B_0 D_0^{-\gamma}"} if self.batches else {}
        return {**Chinchilla.relations, "c": rate, **batch}

    def __post_init__(self) -> None:
        """Hold what only runs of several batch sizes tell, where there are none."""
        super().__post_init__()
        for name, value in ({} if self.batches else ALIKE).items():
            given = self.priors[name]
            if describe(given, EXACT) not in (describe(self._own(name), EXACT), describe(value, EXACT)):
                raise LawError(
                    f"{self.name} has batches=False, which holds {name} at {value:g}, and {name} is "
                    f"{describe(given)}; leave one of the two out."
                )
            object.__setattr__(self, name, value)

    @classmethod
    def _own(cls, name: str) -> Prior:
        """Return the prior that the class gives a parameter."""
        return cls.__dataclass_fields__[name].default

    def replace(self, **changes: Any) -> Law:
        """Return this law with some priors (or options) changed; batches that differ again have their priors again."""
        again = changes.get("batches") and not self.batches
        return super().replace(**({name: self._own(name) for name in ALIKE} if again else {}) | changes)

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The inputs that differ between runs; the batch size is none where all have the same."""
        return tuple(name for name in super().run_inputs if self.batches or name != "batch_tokens")

    def references(self, columns: Arrays) -> dict[str, np.ndarray]:
        """Return the geometric means of the columns over the runs; where there is one batch size, it is the unit."""
        if self.batches:
            return super().references(columns)
        one = {"batch_tokens": np.asarray(1.0)}
        return super().references({**columns, **one}) | one

    def mean(  # noqa: D102
        self, N, D, learning_rate, batch_tokens, N0, D0, learning_rate0, batch_tokens0,
        *, E, reducible, split, alpha_N, alpha_D, rate, rate_N, rate_D, rate_cost, batch, batch_D, batch_cost,
    ):  # fmt: skip
        best = super().mean(N, D, N0, D0, E=E, reducible=reducible, split=split, alpha_N=alpha_N, alpha_D=alpha_D)
        size, data = jnp.log2(N / N0), jnp.log2(D / D0)
        by_rate = jnp.log2(learning_rate / learning_rate0) - jnp.log2(rate) - rate_N * size - rate_D * data
        by_batch = jnp.log2(batch_tokens / batch_tokens0) - jnp.log2(batch) - batch_D * data
        return best * (1 + rate_cost * jnp.square(by_rate) + batch_cost * jnp.square(by_batch))

    def derived(  # noqa: D102
        self, runs: Arrays,
        *, E, reducible, split, alpha_N, alpha_D, rate, rate_N, rate_D, rate_cost, batch, batch_D, batch_cost,
    ) -> dict[str, jax.Array]:  # fmt: skip
        size, data = jnp.log(runs["N0"]), jnp.log(runs["D0"])
        found = {
            **textbook(runs, E, reducible, split, alpha_N, alpha_D),
            "c": rate * runs["learning_rate0"] * jnp.exp(-rate_N * size - rate_D * data),
        }
        if self.batches:
            found["d"] = batch * runs["batch_tokens0"] * jnp.exp(-batch_D * data)
        return found


def optimal_settings(posterior: Posterior, runs: Any, *, allow_unconverged: bool = False) -> pd.DataFrame:
    """Return the best learning rate and batch size of runs, and what missing them costs.

    Parameters
    ----------
    posterior : Posterior
        A converged fit of :class:`StepLaw`.
    runs : DataFrame, mapping or sequence of mappings
        Parameters and tokens of each run, under any names a target may have.  With ``learning_rate`` and
        ``batch_tokens`` the cost is that of these settings; where one is left out, that of the median of its optimum.
    allow_unconverged : bool
        Read a fit that did not converge, too.

    Returns
    -------
    pandas.DataFrame
        A row per run and ``quantity``: ``learning_rate``, ``batch_tokens`` (where the law reads it), and ``excess``,
        the loss over that at the optimum, less one (fraction); with ``q05``, ``q25``, ``median``, ``q75``, ``q95`` and
        ``mean``.

    Raises
    ------
    LawError
        The fit is of another law, or is none.
    ConvergenceError
        The fit did not converge.
    TargetError
        A run lacks its parameters or tokens.

    Examples
    --------
    >>> optimal_settings(posterior, {"N": 7e9, "D": 1.4e11})  # doctest: +SKIP
    """
    law = require_posterior(posterior).law
    if not isinstance(law, StepLaw):
        raise LawError(f"The best learning rate is read off a fit of StepLaw, and this is one of {law.name}.")
    posterior.require_converged(allow_unconverged)
    references = law.arrays(posterior.study)[0]
    read = [name for name in ("learning_rate", "batch_tokens") if name in law.run_inputs]
    settings: dict[str, float] = {name: float(references[f"{name}0"]) for name in read}
    given = labelled(as_rows(runs, posterior.study.names)).rename_axis("target")
    if isinstance(runs, (Mapping, list, tuple)):
        require_read((law,), posterior.study, given)
    if lacking := [symbol for symbol in ("N", "D") if law.columns[symbol] not in given]:
        raise TargetError(
            f"The best learning rate depends on the run's parameters and tokens, and it has no "
            f"{law.columns[lacking[0]]}; give both, as in {{'N': 7e9, 'D': 1.4e11}}."
        )
    unset = {name: given[name].isna().to_numpy() if name in given else np.full(len(given), True) for name in settings}
    filled = {name: np.where(unset[name], value, given.get(name, value)) for name, value in settings.items()}
    targets = read_targets(law, posterior.study, given.assign(**filled).reset_index())
    inputs = targets.inputs(law)
    draws = {name: values[:, None] for name, values in posterior.draws.items()}
    p = {name: draws.get(name, value) for name, value in law.priors.items()}
    size, data = np.log(inputs["N"] / references["N0"]), np.log(inputs["D"] / references["D0"])
    moved = {
        "learning_rate": p["rate"] * np.exp(p["rate_N"] * size + p["rate_D"] * data),
        "batch_tokens": p["batch"] * np.exp(p["batch_D"] * data),
    }
    shape = (len(posterior.draws["c"]), len(targets))
    best: dict[str, Any] = {name: np.broadcast_to(settings[name] * moved[name], shape) for name in read}
    chosen = {name: np.where(unset[name], np.median(best[name], axis=0), inputs[name]) for name in best}
    excess = sum(
        p[cost] * np.square(np.log2(chosen[name] / best[name]))
        for name, cost in (("learning_rate", "rate_cost"), ("batch_tokens", "batch_cost"))
        if name in read
    )
    blocks = []
    for name, values in {**best, "excess": excess}.items():
        every = np.broadcast_to(values, shape)
        place = {"target": targets.frame.index, "quantity": name}
        blocks.append(pd.DataFrame({**place, **quantile_columns(every), "mean": every.mean(axis=0)}))
    return pd.concat(blocks).sort_index(kind="stable").reset_index(drop=True)
