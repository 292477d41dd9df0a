"""Many short backtests side by side: every law on every cut of a study, scored for each error of the slope."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from scipy.special import logsumexp

from bayes_scaling.inference.importance import approximate
from bayes_scaling.inference.padding import bucket, pad, pad_study
from bayes_scaling.inference.programs import jit
from bayes_scaling.inference.side_by_side import run_side_by_side
from bayes_scaling.law.trace import with_unseen

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["SLOPES", "HeldOut", "Window", "hold_out", "unit_of_density", "window_arrays"]

SLOPES = np.round(np.arange(-0.75, 1.66, 0.15), 2)
"""Relative errors of the slope that are told apart."""
DRAWS = 1024  # of the posterior of each backtest: its scores decide weights, and noise in them would, too
KEPT = 256  # predictive draws
SIDE_BY_SIDE = 8  # backtests in one call of the program


@dataclasses.dataclass(frozen=True)
class Window:
    """One backtest: a law, the runs it is fitted to, and those beyond them."""

    law: Law
    training: Study
    held_out: Study


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """What a backtest says.

    Attributes
    ----------
    log_density : array, shape (slope, run)
        Log predictive density of each outcome for each error in :data:`SLOPES`, per unit as of :func:`unit_of_density`.
    outcomes : array, shape (slope, draw, run)
        Predictive draws of each outcome for each error of the slope.
    """

    log_density: np.ndarray
    outcomes: np.ndarray


def hold_out(windows: Sequence[Window], *, seed: int) -> list[HeldOut]:
    """Fit and score backtests, side by side where laws share a program.

    Parameters
    ----------
    windows : sequence of Window
        Backtests of laws of one series without a model of their own (``own_model``); the rows of all are padded to one
        length, so that they share a program.
    seed : int
        Seed of every random draw.  Laws that are fitted to as many runs share theirs, so that equal laws have equal
        scores, whatever the order of the laws.

    Notes
    -----
    A call of the program has room for several windows.  Where there are fewer, as of a study of few runs, whose scores
    are the noisiest, each is scored several times instead, with draws of its own.
    """
    if not windows:
        return []
    fitted_rows = bucket(max(len(w.training) for w in windows))
    later_rows = bucket(max(len(w.held_out) for w in windows))
    work = [(w.law.program, *window_arrays(w.law, w.training, w.held_out, fitted_rows, later_rows)) for w in windows]
    alike = Counter(jax.tree.structure(piece) for piece in work)
    copies = [max(SIDE_BY_SIDE // alike[jax.tree.structure(piece)], 1) for piece in work]
    places = [(place, copy) for place, count in enumerate(copies) for copy in range(count)]
    scored = run_side_by_side(
        _side_by_side,
        [work[place] for place, _ in places],
        seed=seed,
        width=SIDE_BY_SIDE,
        numbers=[SIDE_BY_SIDE * len(windows[place].training) + copy for place, copy in places],
    )
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in windows]
    for number, (density, outcomes) in scored:
        place, _ = places[number]
        count = len(windows[place].held_out)
        found[place].append((density[:, :count], outcomes[:, :, :count]))
    return [
        HeldOut(logsumexp([density for density, _ in own], axis=0) - math.log(len(own)), own[0][1]) for own in found
    ]


def window_arrays(
    law: Law, training: Study, held_out: Study, fitted_rows: int, later_rows: int
) -> tuple[Arrays, Arrays, Arrays, Arrays, np.ndarray]:
    """Return (runs, observed, fitted, later, outcomes) of a window, padded to these numbers of rows."""
    runs, observed = law.arrays(training)
    padded, known = pad_study(law, runs, observed, fitted_rows)
    edge = pad(runs, bucket(fitted_rows), law.run_inputs, np.nan)
    inputs = law.input_arrays(held_out.frame)
    later = pad({**{k: v for k, v in runs.items() if k not in inputs}, **inputs}, later_rows, law.run_inputs)
    outcome = pad({"y": law.outcomes_of(held_out)}, later_rows, ("y",))["y"]
    return padded, known, edge, later, outcome


def unit_of_density(law: Law, actual: jax.Array, fitted: jax.Array) -> jax.Array:
    """Return the unit per which densities of outcomes are taken, so that scores do not depend on that of the outcome.

    Parameters
    ----------
    law : Law
        Whose noise is a factor (the unit is the outcome: densities are of its logarithm) or adds to the outcome (it is
        the standard deviation of the fitted ones).
    actual, fitted : array, shape (run,) and (fitted run,)
        Outcomes; NaN for none.
    """
    if not law.additive:
        return actual
    spread = jnp.nanstd(fitted)
    return jnp.where(spread > 0, spread, 1.0)


@jit
def _side_by_side(laws: Law, keys: jax.Array, *data: Any) -> tuple[jax.Array, jax.Array]:
    return jax.vmap(_hold_out_one)(laws, keys, *data)


def _hold_out_one(
    law: Law, key: jax.Array, runs: Arrays, observed: Arrays, fitted: Arrays, later: Arrays, actual: jax.Array
) -> tuple[jax.Array, jax.Array]:
    fit_key, noise_key = jax.random.split(key)
    draws = with_unseen(law, approximate(law, fit_key, runs, observed, DRAWS), noise_key)
    keys = jax.random.split(noise_key, KEPT)
    per_unit = jnp.log(unit_of_density(law, actual, observed[law.outcome])) - jnp.log(DRAWS)

    def around(draw: Arrays, mean: jax.Array) -> dist.Distribution:
        return law.likelihood(mean, law.new_noise(later, mean, draw))

    def one(slope: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = jax.vmap(lambda draw: law.extrapolated(later, fitted, draw, slope))(draws)
        density = jax.vmap(lambda draw, m: around(draw, m).log_prob(actual))(draws, mean)
        sample = jax.vmap(lambda k, draw, m: around(draw, m).sample(k))
        few = {name: values[:KEPT] for name, values in draws.items()}
        return jax.nn.logsumexp(density, axis=0) + per_unit, sample(keys, few, mean[:KEPT])

    return jax.lax.map(one, jnp.asarray(SLOPES))
