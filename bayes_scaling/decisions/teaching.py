"""What a run is expected to teach of a target: over the outcomes it may have, how far they narrow the posterior."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from bayes_scaling.decisions.surface import Surface
from bayes_scaling.forecasts.draws import predict
from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.inference.padding import edge_of_data
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.trace import run_model

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["OUTCOMES", "expected_reduction"]

OUTCOMES = 12  # that each run may have: quantiles of the posterior predictive, at the nodes of a Gauss rule
DRAWS = 4000  # posterior draws that are weighed by each of them
PREDICTED = 2000  # of them from which an outcome each is drawn: those are quantiles of these
BLOCK = 128  # runs looked at together


def expected_reduction(surface: Surface, target: np.ndarray, scale: Mapping[str, np.ndarray]) -> np.ndarray | None:
    r"""Return by which share each run is expected to reduce the variance of a target, by importance sampling.

    .. math:: 1 - E_y[\mathrm{Var}(T \mid y)] / \mathrm{Var}(T)

    over outcomes y of the posterior predictive: the draws of T are weighed by the density of y under each of them.  So
    nothing is taken as normal, neither the noise nor what T has to do with y.  The expectation is an integral over the
    quantiles of y (Gauss-Legendre), which leaves little to the chance of single outcomes.

    Parameters
    ----------
    surface : Surface
        Of a law of one series.
    target : array, shape (sample,)
        T of each draw: the expected outcome of the target by the law.
    scale : mapping of str to array, shape (run,)
        ``N``, ``D`` or ``C`` of each run, as far as the law reads them; further inputs, in place of the surface's.

    Returns
    -------
    array, shape (run,), or None
        Shares, not negative; None where the law describes several series together, or its runs err along their
        training, so that the density of one outcome is not read here.
    """
    if surface.series_index or not _has_density(surface, scale):
        return None
    chosen = evenly_spaced(len(surface), DRAWS)
    few, T, points = surface.take(chosen), target[chosen], len(next(iter(scale.values())))
    parts = [{name: v[i : i + BLOCK] for name, v in scale.items()} for i in range(0, points, BLOCK)]
    return np.concatenate([_reduction(few, T, part) for part in parts])


def _reduction(surface: Surface, T: np.ndarray, scale: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the shares of a few runs, by all draws of a surface."""
    law, (points, runs) = surface.posterior.law, surface.runs_at(scale)
    if np.ptp(T) == 0:
        return np.zeros(points)  # nothing is left to learn
    nodes, shares = np.polynomial.legendre.leggauss(OUTCOMES)
    drawn = _predicted(surface.take(evenly_spaced(len(surface), PREDICTED)), runs)
    with double_precision():
        outcomes = quantile(drawn, (nodes + 1) / 2)
        found = np.asarray(_density(law.program, surface.keys, surface.latent, runs, outcomes, surface.quantity))
    density = found[..., :points]
    weights = np.exp(density - density.max(axis=0))  # (sample, outcome, run)
    total, first, second = np.tensordot([np.ones_like(T), T, T**2], weights, 1)
    left = second / total - (first / total) ** 2
    few = np.einsum("sor,sor->or", weights, weights) / total**2
    left /= np.maximum(1 - few, 1 / len(T))  # of few draws, as n / (n - 1)
    return np.maximum(1 - shares / 2 @ left / T.var(ddof=1), 0.0)


def _predicted(surface: Surface, runs: Arrays) -> np.ndarray:
    """Return an outcome of each run by each draw of a surface, off beyond the fitted runs as the surface has it.

    Parameters
    ----------
    surface : Surface
        Of a law of one series.
    runs : mapping of str to array, shape (run,)
        Inputs of the law, and references.
    """
    law, edge, scales = surface.posterior.law, None, {}
    if surface.discrepancy and surface.exponent_error is None:
        edge = edge_of_data(law, surface.arrays)
    elif surface.discrepancy:
        each = {name: np.broadcast_to(runs[name], (len(surface), len(runs[name]))) for name in surface.columns}
        scales = surface.misjudged(each)
    with double_precision():
        if not scales:
            return np.asarray(predict(law.program, surface.keys, surface.latent, runs, edge)[surface.quantity])
        return np.asarray(_at_own(law.program, surface.keys, surface.latent, scales, runs, surface.quantity))


def _has_density(surface: Surface, scale: Mapping[str, np.ndarray]) -> bool:
    """Say whether the law draws each outcome by itself, so that it has a density, or makes it of other draws."""
    law, (_, runs) = surface.posterior.law, surface.runs_at(scale)
    latent = {name: value[0] for name, value in surface.latent.items()}
    kinds = {}

    def look(latent: Arrays) -> None:
        kinds.update({name: site["type"] for name, site in run_model(law, runs, latent=latent).items()})

    with double_precision():
        jax.eval_shape(look, latent)
    return kinds[surface.quantity] == "sample"


@partial(jit, static_argnames=("quantity",))
def _at_own(law: Law, keys: jax.Array, latent: Arrays, scales: Arrays, runs: Arrays, quantity: str) -> jax.Array:
    """Return outcomes at scales that each draw has for itself, shape (sample, run)."""

    def one(key: jax.Array, latent: Arrays, scales: Arrays) -> jax.Array:
        return run_model(law, {**runs, **scales}, latent=latent, key=key)[quantity]["value"]

    return jax.vmap(one)(keys, latent, scales)


@partial(jit, static_argnames=("quantity",))
def _density(law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, outcomes: jax.Array, quantity: str) -> jax.Array:
    """Return the log density of outcomes, shape (outcome, run), under each draw: (sample, outcome, run)."""

    def one(key: jax.Array, latent: Arrays) -> jax.Array:
        return run_model(law, runs, None, None, latent=latent, key=key)[quantity]["fn"].log_prob(outcomes)

    return jax.vmap(one)(keys, latent)
