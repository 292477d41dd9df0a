"""What a user would pick instead of a posterior: a log-Huber point fit of a sum of power laws, and its bootstrap."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

__all__ = ["RESAMPLES", "bootstrap_forecast", "huber_fit", "log_loss"]

RESAMPLES = 200  # of the residuals, where quality is measured
DELTA = 1e-3  # Hoffmann et al. 2022, appendix D.3
FLOORS = (-1.0, 0.0, 1.0)
LEVELS, EXPONENTS = (0.0, 10.0, 20.0), (0.0, 0.5, 1.0)
FEWER = (LEVELS[:2], EXPONENTS[1:])  # of more than two inputs, whose grid would be long


def starts(inputs: int) -> list[tuple[float, ...]]:
    """Return where fits to so many inputs begin: (log A_1, ..., log E, alpha_1, ...).

    Examples
    --------
    >>> len(starts(2)), len(starts(3))
    (243, 192)
    """
    levels, exponents = (LEVELS, EXPONENTS) if inputs <= 2 else FEWER
    return list(itertools.product(*[levels] * inputs, FLOORS, *[exponents] * inputs))


def log_loss(theta: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return log(E + sum of A_i / x_i^alpha_i) for theta = (log A_1, ..., log E, alpha_1, ...), of log x_i as rows."""
    return logsumexp(_terms(theta, logs), axis=0)


def _terms(theta: np.ndarray, logs: np.ndarray) -> np.ndarray:
    count = len(logs)
    powers = theta[:count, None] - theta[count + 1 :, None] * logs
    return np.vstack([powers, np.full((1, logs.shape[1]), theta[count])])


def _objective(theta: np.ndarray, logs: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    terms = _terms(theta, logs)
    fitted = logsumexp(terms, axis=0)
    residual = fitted - target
    size = np.abs(residual)
    height = np.where(size < DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA)).sum()
    pull = np.clip(residual, -DELTA, DELTA) * np.exp(terms - fitted)
    return height, np.concatenate([pull.sum(axis=1), -(pull[:-1] * logs).sum(axis=1)])


def huber_fit(inputs: np.ndarray, loss: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Fit (log A_1, ..., log E, alpha_1, ...) by L-BFGS on the log-Huber objective; best of a grid of starts.

    ``inputs`` has a row for each of the quantities, such as parameters and tokens, and a column for each run.
    """
    logs, target = np.log(inputs), np.log(loss)
    found = [
        minimize(lambda z: tuple(1e3 * part for part in _objective(z, logs, target)), s, jac=True, method="L-BFGS-B")
        for s in map(np.asarray, starts(len(logs)) if start is None else [start])
    ]
    return min(found, key=lambda r: r.fun).x


def bootstrap_forecast(
    inputs: np.ndarray, loss: np.ndarray, new: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the point forecast, shape (new,), and draws of a new run, shape (resample, new), by residual bootstrap."""
    theta = huber_fit(inputs, loss)
    rng = np.random.default_rng(seed)
    fitted = log_loss(theta, np.log(inputs))
    residuals = np.log(loss) - fitted
    logs, draws = np.log(new), []
    for _ in range(resamples):
        again = huber_fit(inputs, np.exp(fitted + rng.choice(residuals, len(residuals))), start=theta)
        draws.append(log_loss(again, logs) + rng.choice(residuals, logs.shape[1]))
    return np.exp(log_loss(theta, logs)), np.exp(draws)
