"""Errors of the exponents of a law beyond the fitted runs: each draw reads its law at another scale there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.inference.precision import double_precision

__all__ = ["ExponentError"]

MIDDLE = (0.05, 0.95)  # quantiles of the fitted runs beyond which exponents may be off
STEP, REACH = 0.25, 16.0  # in log scale beyond them: of the path of an exponent, and its length (nine million times)
FARTHEST = 300.0  # log scale at which a law is read at the most, where products of two such are still numbers


@dataclasses.dataclass(frozen=True, eq=False)
class ExponentError:
    """What each draw multiplies the exponents of its law by on the way beyond the runs.

    Attributes
    ----------
    factors : mapping of str to array, shape (sample, step)
        By input; 1 at the edge of the runs, steps even in log scale.
    paths : mapping of str to array, shape (sample, step)
        How far the law gets over every step: the integral of the factor, in log scale.
    """

    factors: Mapping[str, np.ndarray]
    paths: Mapping[str, np.ndarray]

    @classmethod
    def drawn(cls, keys: Any, names: Sequence[str], spread: float) -> ExponentError:
        """Return errors of the exponents of some inputs, by one key per draw: an Ornstein-Uhlenbeck process each.

        Parameters
        ----------
        keys : array, shape (sample,)
            Of the draws.
        names : sequence of str
            The inputs.
        spread : float
            Standard deviation of the logarithm, far out.
        """
        with double_precision():
            drawn = jax.vmap(partial(jax.random.normal, shape=(len(names), int(REACH / STEP))))(keys)
        kept = np.exp(-STEP)  # of an error over a step; the rest is new
        errors = np.zeros((*drawn.shape[:2], drawn.shape[2] + 1))
        for i in range(drawn.shape[2]):
            errors[..., i + 1] = kept * errors[..., i] + np.sqrt(1 - kept**2) * np.asarray(drawn[..., i])
        factors = {name: np.exp(spread * errors[:, place]) for place, name in enumerate(names)}
        steps = {name: STEP * (f[:, 1:] + f[:, :-1]) / 2 for name, f in factors.items()}
        paths = {name: np.pad(np.cumsum(each, axis=1), ((0, 0), (1, 0))) for name, each in steps.items()}
        return cls(factors, paths)

    def misjudged(self, scale: Mapping[str, np.ndarray], fitted: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the scales at which the law, as if exact, says what it says here with its exponents off.

        Parameters
        ----------
        scale : mapping of str to array, shape (sample, point)
            Where the law is read.
        fitted : mapping of str to array, shape (run,)
            The inputs of the fitted runs.
        """
        found = {}
        for name, passed in self.paths.items():
            low, high = np.log(quantile(fitted[name], MIDDLE))
            log = np.log(scale[name])
            inside = np.clip(log, low, high)
            steps = np.abs(log - inside) / STEP
            last = np.minimum(steps.astype(int), passed.shape[1] - 2)
            before, after = (np.take_along_axis(passed, last + i, axis=1) for i in (0, 1))
            read = inside + np.sign(log - inside) * (before + (steps - last) * (after - before))
            found[name] = np.exp(np.clip(read, -FARTHEST, FARTHEST))
        return found
