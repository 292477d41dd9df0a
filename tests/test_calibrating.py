from __future__ import annotations

import math

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling import calibrating
from bayes_scaling.calibrating import GRID, learn_discrepancy
from bayes_scaling.models import PowerLaw

from .conftest import DRAWS


def learn(studies):
    return learn_discrepancy(PowerLaw(), studies, seed=0, draws=DRAWS, progress=False)


def typical(law):
    return math.exp(law.discrepancy.loc)


@pytest.fixture(scope="module")
def compute():
    return np.geomspace(1e17, 1e20, 16)


def made(compute, bend, name, noise=0.001):
    """Runs of a power law whose slope changes by ``bend`` over three decades."""
    step = np.log(compute / 1e17)
    loss = 1.5 + 1.5 * np.exp(-0.15 * step * (1 + bend * step / step.max()))
    scatter = np.random.default_rng(0).normal(0, noise, len(loss))
    return bs.Study.from_frame(pd.DataFrame({"C": compute, "loss": loss * np.exp(scatter)}), name=name)


def test_the_moments_of_log_s_are_kept():
    found = calibrating._matched(-0.5 * ((np.log(GRID) - math.log(0.1)) / 0.5) ** 2)
    assert found.loc == pytest.approx(math.log(0.1), abs=0.01)
    assert found.scale == pytest.approx(0.5, abs=0.01)


def test_a_law_that_bends_beyond_each_cut_gets_a_wider_discrepancy(compute):
    straight, bent = learn([made(compute, 0.0, "straight"), made(compute, 0.8, "bent")])
    assert typical(bent) > 1.3 * typical(straight)
    assert typical(straight) < 0.2  # the prior's


def test_densities_are_those_of_the_forecast_with_that_discrepancy(compute):
    study = made(compute, 0.0, "runs", noise=0.03)
    posterior = bs.fit(
        PowerLaw(discrepancy=float(GRID[30])), study.select("flops < 5e18"), seed=0, draws=DRAWS, adapt=False
    )
    held_out = study.select("flops >= 5e18")
    found = calibrating._log_densities(posterior, held_out)
    assert found.shape == (len(GRID), len(held_out))
    mean = posterior.forecast(held_out, allow_unconverged=True).draws["loss_mean"].to_numpy()
    each = dist.StudentT(5.0, np.log(mean), posterior.draws["sigma"][:, None]).log_prob(np.log(held_out.column("loss")))
    direct = np.log(np.exp(each).mean(axis=0)) - np.log(held_out.column("loss"))
    assert found[30] == pytest.approx(np.asarray(direct), abs=0.4)  # two sets of slope errors, a few of them near each
    assert found[30].mean() == pytest.approx(float(direct.mean()), abs=0.12)
    assert abs(found[36].mean() - direct.mean()) > 0.2  # another discrepancy gives another density
