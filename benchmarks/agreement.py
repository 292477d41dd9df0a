"""Our posteriors beside PyMC's, sampled by nutpie: the same laws and priors, written and sampled by other hands.

Chinchilla on the 240 points of Hoffmann et al. and the two-step law on two tasks of the ladder.  Means and standard
deviations are compared in Monte Carlo standard errors of their difference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, TwoStep
from benchmarks.markdown import show
from benchmarks.rivals import chinchilla_in_pymc, sample_with_nutpie

TASKS = ("HellaSwag", "PIQA")
DRAWS = 2000


def figures(seed: int = 0, draws: int = DRAWS) -> dict[str, float]:
    """Fit both laws both ways, print the tables and return the largest differences."""
    points = bs.load_study("chinchilla", progress=False)
    ours = bs.fit(Chinchilla(), points, seed=seed, draws=draws)
    theirs = chinchilla_in_pymc(*(points.column(c) for c in ("n_params", "tokens", "loss")), "anchored")
    found = {"chinchilla": compare(ours, sample_with_nutpie(theirs, seed, draws)[0])}

    ladder = bs.load_study("olmo_ladder").training.select(task=list(TASKS))
    ours = bs.fit(TwoStep(jointly=("task_loss",)), ladder, seed=seed, draws=draws)
    found["two_step"] = compare(ours, sample_with_nutpie(two_step_in_pymc(ladder), seed, draws)[0])

    result = {}
    for law, table in found.items():
        show(f"{law}: ours and PyMC's, differences in Monte Carlo standard errors", table)
        result |= {f"{law}_{part}_apart": float(table[f"{part} apart"].max()) for part in ("mean", "sd")}
    return result


def compare(ours: bs.Posterior, theirs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per parameter and entry that both have; ``theirs`` has shape (chain, draw, ...)."""
    rows = []
    for name, other in theirs.items():
        if name not in ours.tree["posterior"].dataset:
            continue
        own = ours.tree["posterior"].dataset[name].to_numpy()
        for place in np.ndindex(own.shape[2:]):
            x, y = own[..., *place], other[..., *place]
            label = f"{name}{list(place)}" if place else name
            rows.append({"parameter": label, "mean": x.mean(), "sd": x.std(), **apart(x, y)})
    return pd.DataFrame(rows)


def apart(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return how far means and standard deviations of two sets of draws, shape (chain, draw), are apart.

    In Monte Carlo standard errors of the difference; below four for draws of one distribution.
    """
    result = {}
    for part, measure in (("mean", np.mean), ("sd", np.std)):
        errors = [array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=part) for draws in (one, other)]
        result[f"{part} apart"] = float(abs(measure(one) - measure(other)) / np.hypot(*errors))
    return result


def two_step_in_pymc(ladder: bs.Study) -> Any:
    """Return the two-step law through the task loss in PyMC, with the covariance of the run effects written out."""
    import pymc as pm
    import pytensor.tensor as pt

    wide = {c: ladder.frame.pivot(index="run", columns="task", values=c) for c in ("task_loss", "accuracy")}
    loss, accuracy = (wide[c][list(TASKS)].to_numpy() for c in wide)
    runs = ladder.frame.drop_duplicates("run").set_index("run").loc[wide["accuracy"].index]
    x, y = (np.log(runs[c]).to_numpy()[:, None] for c in ("n_params", "tokens"))
    x, y, count = x - x.mean(), y - y.mean(), len(TASKS)
    known = ladder.frame.drop_duplicates("task").set_index("task").loc[list(TASKS)]
    chance, questions = known["chance"].to_numpy(), known["questions"].to_numpy()

    def shared(name: str, mean: Any, spread: float, inverse: Any, link: Any) -> Any:
        offset = pm.Normal(f"{name}_offset", 0.0, 1.0, shape=count)
        return pm.Deterministic(name, link(inverse(mean) + spread * offset))

    with pm.Model() as model:
        E = pm.LogNormal("E", 0.0, 1.0, shape=count)
        logs = (pt.log, pt.exp)
        rho = shared("reducible", pm.LogNormal("reducible_mean", 0.0, 0.3), 0.3, *logs)
        psi = shared(
            "split", pm.LogitNormal("split_mean", 0.0, 0.8), 0.4, lambda p: pt.log(p / (1 - p)), pm.math.sigmoid
        )
        alpha = shared("alpha_N", pm.LogNormal("alpha_N_mean", math.log(0.3), 0.15), 0.2, *logs)
        beta = shared("alpha_D", pm.LogNormal("alpha_D_mean", math.log(0.3), 0.15), 0.2, *logs)
        g = shared("coupling", pm.LogNormal("coupling_mean", math.log(0.55), 0.6), 0.2, *logs)
        tau = pm.LogNormal("tau", math.log(0.005), 0.5)
        sigma = pm.LogNormal("sigma", math.log(0.01), 0.7, shape=count)
        mean = E * (1 + rho * (psi * pt.exp(-alpha / g * x) + (1 - psi) * pt.exp(-beta / g * y)) ** g)
        covariance = pt.diag(sigma**2) + tau**2 * pt.ones((count, count))
        pm.MvNormal("log_loss", pt.log(mean), covariance, observed=np.log(loss))

        floor = pm.Normal("accuracy_floor", 0.0, 0.25, shape=count)
        ceiling = pm.LogitNormal("accuracy_ceiling", 3.5, 0.4, shape=count)
        centre = pm.Normal("accuracy_centre", -2.0, 3.0, shape=count)
        slope = shared("accuracy_slope", pm.LogNormal("accuracy_slope_mean", math.log(5.0), 0.5), 0.3, *logs)
        same = (lambda value: value,) * 2
        bend = shared("accuracy_bend", pm.Normal("accuracy_bend_mean", 0.0, 0.25), 0.2, *same)
        scatter = pm.LogNormal("accuracy_sigma", math.log(0.008), 1.0, shape=count)
        relative = pt.log(loss / (E * (1 + rho)))
        odds = centre - slope * (pt.exp(bend * relative) - 1) / bend
        low = pm.math.sigmoid(np.log(chance / (1 - chance)) + floor)
        curve = low + (ceiling - low) * pm.math.sigmoid(odds)
        noise = pt.sqrt(scatter**2 + 0.2 * curve * (1 - curve) / questions)  # a fifth of the binomial variance
        pm.Normal("accuracy", curve, noise, observed=accuracy)
    return model
