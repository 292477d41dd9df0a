from __future__ import annotations

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import WARMUP, judge, run
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla, FewSteps, Kaplan
from bayes_scaling.models.chinchilla import LOG_EXPONENT

# The refit of Besiroglu et al. 2024 (arXiv 2404.10102, table 1) to the 240 points, with its bootstrap errors, and the
# estimate that Hoffmann et al. 2022 printed.
REFIT = {"E": (1.817, 0.026), "alpha_N": (0.347, 0.014), "alpha_D": (0.367, 0.021)}
PRINTED = {"E": 1.69, "alpha_N": 0.34, "alpha_D": 0.28}


@pytest.mark.skipif("BAYES_SCALING_DATA" not in os.environ, reason="the 240 points are not embedded: no data folder")
def test_the_published_refit_is_near_and_the_printed_estimate_far():
    posterior = bs.fit(Chinchilla(), bs.load_study("chinchilla", progress=False), seed=0, draws=500)
    assert posterior.diagnostics.converged
    draws = np.stack([posterior.draws[name] for name in REFIT], axis=1)
    for name, values, (refit, error) in zip(REFIT, draws.T, REFIT.values(), strict=True):
        assert abs(np.median(values) - refit) < 2 * error, name
    assert 478 / 2 < np.median(posterior.draws["A"]) < 478 * 2
    assert 2143 / 3 < np.median(posterior.draws["B"]) < 2143 * 3

    centred = np.array(list(PRINTED.values())) - draws.mean(axis=0)
    assert np.sqrt(centred @ np.linalg.solve(np.cov(draws.T), centred)) > 6  # in posterior standard deviations


@pytest.mark.parametrize("law", [Chinchilla(), Kaplan()], ids=lambda law: law.name)
@pytest.mark.parametrize("ratio", [0.0, 0.6])
def test_the_sampler_moves_in_the_slope_of_a_ladder(law, ratio):
    coordinates = {"E": 1.0, "reducible": 0.2, "split": 0.3, "alpha_N": LOG_EXPONENT + ratio, "alpha_D": -1.4}
    with double_precision():
        moved = law.straighten({name: jnp.asarray(value) for name, value in coordinates.items()}, {})
        values = {name: jnp.exp(value) for name, value in moved.items()} | {"split": jax.nn.sigmoid(moved["split"])}

        def log_loss(x):
            return jnp.log(law.mean(jnp.exp(x), jnp.exp(x), 1.0, 1.0, **values))

        slope, curvature = (float(each(0.0)) for each in (jax.grad(log_loss), jax.grad(jax.grad(log_loss))))
        share = float(values["reducible"] / (1 + values["reducible"]))
        exponents = {name: float(values[name]) for name in ("alpha_N", "alpha_D")}
        psi = float(values["split"])
    mean = psi * exponents["alpha_N"] + (1 - psi) * exponents["alpha_D"]
    outer = exponents["alpha_D"] if isinstance(law, Kaplan) else 1.0
    spread = psi * (1 - psi) * (exponents["alpha_N"] - exponents["alpha_D"]) ** 2 / (outer * mean**2)
    assert exponents["alpha_N"] / exponents["alpha_D"] == pytest.approx(np.exp(ratio))
    assert slope == pytest.approx(-share * mean) == pytest.approx(-np.exp(coordinates["alpha_D"]) / 2)
    assert curvature == pytest.approx(slope**2 * ((1 + spread) / share - 1))


@pytest.mark.parametrize("law", [Chinchilla(), Kaplan(), FewSteps()], ids=lambda law: law.name)
def test_the_commonest_design_takes_short_trajectories(law):
    N = np.geomspace(2e7, 2e9, 8)
    noise = np.random.default_rng(0).standard_t(5, (6, 8))
    lengths = []
    for seed in range(6):
        loss = (1.7 + 400 * N**-0.34 + 410 * (20 * N) ** -0.28) * np.exp(0.005 * noise[seed])
        runs, observed = law.arrays(bs.Study.from_frame({"N": N, "D": 20 * N, "loss": loss, "steps": N / 1e4}))
        plan = nuts.Plan(250, WARMUP, 4)
        lengths.append(judge(law, plan, run(law, plan, seed, runs, observed), runs, observed).mean_steps)
    assert np.median(lengths) < 25  # 50 to 100 where the sampler moves in the exponents themselves
