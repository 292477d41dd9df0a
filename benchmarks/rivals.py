"""The Chinchilla law in PyMC, sampled by nutpie: our data, priors and noise, in two sets of coordinates."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

__all__ = ["chinchilla_in_pymc", "sample_with_nutpie"]


def exponent(name: str) -> Any:
    """Return an exponent with our prior, inside a PyMC model: Student t on the logarithm."""
    import pymc as pm

    return pm.Deterministic(name, pm.math.exp(pm.StudentT(f"log_{name}", nu=3.0, mu=math.log(0.3), sigma=0.12)))


def chinchilla_in_pymc(n: np.ndarray, d: np.ndarray, loss: np.ndarray, coordinates: str = "textbook") -> Any:
    """Return the PyMC model.

    Parameters
    ----------
    n, d, loss : array, shape (run,)
        Parameters, tokens, nats per token.
    coordinates : {"textbook", "anchored"}
        What the sampler moves in: E, log A, log B, alpha and beta, as users write the law; or the level of the loss at
        the centre of the data with the irreducible share and the split, as our own engine does.  Priors are the same.
    """
    import pymc as pm
    import pytensor.tensor as pt

    n0, d0 = np.exp(np.log(n).mean()), np.exp(np.log(d).mean())
    x, y = np.log(n / n0), np.log(d / d0)
    with pm.Model() as model:
        alpha, beta = exponent("alpha_N"), exponent("alpha_D")
        sigma = pm.LogNormal("sigma", math.log(0.01), 1.0)
        prior_E = pm.LogNormal.dist(math.log(1.7), 0.7)
        if coordinates == "anchored":
            rho = pm.LogNormal("reducible", -0.5, 0.6)
            psi = pm.LogitNormal("split", 0.0, 0.8)
            level = pm.Flat("level", initval=float(np.log(loss).mean()))
            E = pm.Deterministic("E", pt.exp(level) / (1 + rho))
            pm.Potential("prior_E", pm.logp(prior_E, E) + pt.log(E))
            a, b = E * rho * psi, E * rho * (1 - psi)
        else:
            E = pm.LogNormal("E", math.log(1.7), 0.7)
            log_a = pm.Flat("log_A", initval=math.log(0.8) + 0.3 * math.log(n0)) - alpha * math.log(n0)
            log_b = pm.Flat("log_B", initval=math.log(0.8) + 0.3 * math.log(d0)) - beta * math.log(d0)
            a, b = pt.exp(log_a), pt.exp(log_b)
            rho, psi = (a + b) / E, a / (a + b)
            jacobian = log_a + log_b - pt.log(E) - pt.log(a + b)
            priors = pm.logp(pm.LogNormal.dist(-0.5, 0.6), rho) + pm.logp(pm.LogitNormal.dist(0.0, 0.8), psi)
            pm.Potential("priors", priors + jacobian)
        mean = pt.log(E + a * pt.exp(-alpha * x) + b * pt.exp(-beta * y))
        pm.StudentT("log_loss", 5.0, mu=mean, sigma=sigma, observed=np.log(loss))
    return model


def sample_with_nutpie(
    model: Any, seed: int, draws: int = 1000, chains: int = 4
) -> tuple[dict[str, np.ndarray], float, float]:
    """Return (draws by name, shape (chain, draw, ...); seconds to compile; seconds to sample)."""
    import nutpie

    started = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model)
    ready = time.perf_counter()
    trace = nutpie.sample(compiled, draws=draws, chains=chains, seed=seed, progress_bar=False)
    finished = time.perf_counter()
    return {name: values.to_numpy() for name, values in trace.posterior.items()}, ready - started, finished - ready
