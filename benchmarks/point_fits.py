"""What a user would pick instead of a posterior: a log-Huber point fit of the Chinchilla law, and its bootstrap."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

__all__ = ["RESAMPLES", "bootstrap_forecast", "huber_fit", "log_loss"]

RESAMPLES = 200  # of the residuals, where quality is measured
DELTA = 1e-3  # Hoffmann et al. 2022, appendix D.3
LEVELS, HALVES = (0.0, 10.0, 20.0), (0.0, 0.5, 1.0)
STARTS = list(itertools.product(LEVELS, LEVELS, (-1.0, 0.0, 1.0), HALVES, HALVES))


def log_loss(theta: np.ndarray, log_n: np.ndarray, log_d: np.ndarray) -> np.ndarray:
    """Return log(A / N^alpha + B / D^beta + E) for theta = (log A, log B, log E, alpha, beta)."""
    a, b, e, alpha, beta = theta
    return logsumexp([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)], axis=0)


def _objective(theta: np.ndarray, log_n: np.ndarray, log_d: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    a, b, e, alpha, beta = theta
    terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
    fitted = logsumexp(terms, axis=0)
    residual = fitted - target
    size = np.abs(residual)
    height = np.where(size < DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA)).sum()
    pull = np.clip(residual, -DELTA, DELTA)
    share = np.exp(terms - fitted)
    slope = np.array(
        [
            (pull * share[0]).sum(),
            (pull * share[1]).sum(),
            (pull * share[2]).sum(),
            -(pull * share[0] * log_n).sum(),
            -(pull * share[1] * log_d).sum(),
        ]
    )
    return height, slope


def huber_fit(n: np.ndarray, d: np.ndarray, loss: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Fit (log A, log B, log E, alpha, beta) by L-BFGS on the log-Huber objective; best of a grid of starts."""
    log_n, log_d, target = np.log(n), np.log(d), np.log(loss)
    starts = STARTS if start is None else [start]
    found = [
        minimize(
            lambda z: tuple(1e3 * part for part in _objective(z, log_n, log_d, target)), s, jac=True, method="L-BFGS-B"
        )
        for s in map(np.asarray, starts)
    ]
    return min(found, key=lambda r: r.fun).x


def bootstrap_forecast(
    n: np.ndarray, d: np.ndarray, loss: np.ndarray, n_new: np.ndarray, d_new: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the point forecast, shape (new,), and draws of a new run, shape (resample, new), by residual bootstrap."""
    theta = huber_fit(n, d, loss)
    rng = np.random.default_rng(seed)
    fitted = log_loss(theta, np.log(n), np.log(d))
    residuals = np.log(loss) - fitted
    draws = []
    for _ in range(resamples):
        again = huber_fit(n, d, np.exp(fitted + rng.choice(residuals, len(residuals))), start=theta)
        draws.append(log_loss(again, np.log(n_new), np.log(d_new)) + rng.choice(residuals, len(n_new)))
    return np.exp(log_loss(theta, np.log(n_new), np.log(d_new))), np.exp(draws)
