"""Checkpoints of one run, whose errors last: what learning curves share, whatever their shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays, observe

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Checkpoints"]

NUGGET = 1e-3  # e-folds of data between checkpoints that have seen the same


class Checkpoints(Law):
    """A curve along one run, down to a floor, with errors that are an Ornstein-Uhlenbeck process in log D.

    Neighbours say nearly the same, and a thousand checkpoints are not a thousand runs.  A forecast beyond the last
    checkpoint starts from it, and forgets its error with distance.  Checkpoints may come in any order; one without a
    loss is passed over.
    """

    memory: Prior = prior(
        default=dist.LogNormal(math.log(0.1), 1.0),
        unit="e-folds of data",
        reason="How long an error lasts along the run.  A tenth of an e-fold, wide: some checkpoints, or a stretch.",
    )
    level: Prior = prior(
        default=dist.LogNormal(0.0, 1.5),
        unit="unit of the loss",
        reason="Loss at D0, the centre of the run.  Very wide: error rates below one, losses of some nats.",
    )
    reducible: Prior = prior(
        default=LogitNormal(0.0, 1.0),
        unit="share",
        reason="Share of the loss at D0 that endless data would remove.  Weak, around one half.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.02), 1.0),
        unit="fraction",
        reason="Relative error of a checkpoint.  Two per cent, wide: few-shot error rates scatter, losses do not.",
    )

    autocorrelated = True
    relations: ClassVar[Mapping[str, str]] = {"E": r"\text{level} (1 - \text{reducible})"}

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the floor, in the unit of the loss."""
        return parameters["level"] * (1 - parameters["reducible"])

    def derived(self, runs: Arrays, **parameters: jax.Array) -> dict[str, jax.Array]:  # noqa: D102
        return {"E": self.irreducible(runs, parameters)}

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; the errors of neighbours along the curve are alike."""
        parameters = self.parameters(runs)
        mean = self.at(runs, parameters)
        self.publish(runs, parameters)
        if fitted is not None:
            mean = self.extrapolated(runs, fitted, {**parameters, **self.unseen()}, self.slope_error())
        x, sigma, memory = jnp.log(runs["D"]), parameters["sigma"], parameters["memory"]
        told = True if observed is None else jnp.isfinite(observed["loss"])  # padding is not, and comes last
        order = jnp.argsort(jnp.where(told, x, jnp.inf))
        back = jnp.argsort(order)
        kept = self._kept(jnp.diff(x[order]), memory)
        kept = jnp.concatenate([jnp.zeros(1), kept])
        if observed is not None:
            error = jnp.log(observed["loss"])[order] - jnp.log(mean)[order]
            before = jnp.concatenate([jnp.zeros(1), error[:-1]])
            kept = jnp.where(jnp.isfinite(before), kept, 0.0)
            carried = (kept * jnp.nan_to_num(before))[back]
            spread = (sigma * jnp.sqrt(1 - jnp.square(kept)))[back]
            with numpyro.plate("run", jnp.shape(mean)[0]):
                observe("loss", self.likelihood(mean * jnp.exp(carried), spread), observed)
            return
        ahead = (x > runs["last_x"]) & jnp.isfinite(runs["last_log_loss"])  # of the last checkpoint, which is known
        at_last = self.at({**runs, "D": jnp.exp(runs["last_x"])[None]}, parameters)[0]
        last = jnp.where(jnp.isfinite(runs["last_log_loss"]), runs["last_log_loss"] - jnp.log(at_last), 0.0)
        left = jnp.where(ahead, self._kept(x - runs["last_x"], memory), 0.0)
        numpyro.deterministic("loss_mean", mean * jnp.exp(left * last))
        with numpyro.plate("run", jnp.shape(mean)[0]):
            shocks = numpyro.sample("loss_shock", dist.StudentT(5.0, 0.0, 1.0))
        first = ahead[order] & ~jnp.concatenate([jnp.zeros(1, bool), ahead[order][:-1]])  # beyond what was fitted
        size = sigma * jnp.sqrt(1 - jnp.square(jnp.where(first, left[order], kept)))
        pushed = size * shocks[order] + jnp.where(first, left[order] * last, 0.0)
        _, error = jax.lax.associative_scan(_after, (jnp.where(first, 0.0, kept), pushed))
        numpyro.deterministic("loss", mean * jnp.exp(error[back]))

    def _kept(self, gap: jax.Array, memory: jax.Array) -> jax.Array:
        """Return the share of an error that is left after a gap in log data; repeats of a point differ a little."""
        return jnp.exp(-(jnp.maximum(gap, 0.0) + NUGGET) / memory)

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed), and with the runs the last checkpoint, from which forecasts start.

        Raises
        ------
        StudyError
            A column is missing, or the study holds several tasks.
        """
        runs, observed = super().arrays(study)
        known = np.flatnonzero(np.isfinite(observed["loss"]))
        last = known[np.argmax(runs["D"][known])]
        ends = {"last_x": np.log(runs["D"][last]), "last_log_loss": np.log(observed["loss"][last])}
        return {**runs, **{name: np.asarray(value) for name, value in ends.items()}}, observed


def _after(first: tuple[jax.Array, jax.Array], second: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Return two steps of an error along a run, each a share that is kept and what is added, as one."""
    return first[0] * second[0], second[0] * first[1] + second[1]
