from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from arviz_stats.base import array_stats

import bayes_scaling as bs
from bayes_scaling.inference.diagnostics import MAX_SHIFT
from bayes_scaling.models import Chinchilla
from tests.conftest import DRAWS


@pytest.fixture(scope="module")
def single(simulated):
    return bs.fit(Chinchilla(), simulated, seed=1, draws=DRAWS, adapt=False, precision="single")


class Drift(bs.Law):
    """Loss changes along a column of large numbers that differ by little, such as time stamps."""

    level: bs.Prior = dist.LogNormal(1.0, 0.3)
    slope: bs.Prior = dist.Normal(0.0, 0.3)

    def mean(self, seconds, seconds0, *, level, slope):
        return level * jnp.exp(slope * (seconds - seconds0) / 20)


def stamped(first):
    """Return a study of runs at some forty seconds after ``first``."""
    rng = np.random.default_rng(0)
    seconds = first + rng.uniform(0, 40, 16)
    loss = 3.0 * np.exp(-0.2 * (seconds - first) / 20 + rng.normal(0, 0.004, 16))
    return bs.Study.from_frame(pd.DataFrame({"seconds": seconds, "loss": loss}), name=f"from {first:g} s")


def error(draws):
    """Return the Monte Carlo standard error of a mean."""
    return draws.std() / np.sqrt(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="mean"))


def test_means_agree_with_those_of_double_precision(simulated_fit, single):
    for name in Chinchilla().free_parameters:
        one, other = (p.tree["posterior"][name].to_numpy() for p in (simulated_fit, single))
        assert abs(one.mean() - other.mean()) < 4 * np.hypot(error(one), error(other)), name


def test_a_benign_study_passes_the_check_and_remembers_it(single):
    assert single.diagnostics.precision == "single"
    assert 0 < single.diagnostics.shift < MAX_SHIFT / 5
    assert not [p for p in single.diagnostics.refusals() if p.code == "precision"]
    assert single.tree["posterior"]["E"].dtype == np.float64
    assert np.isfinite(single.forecast({"N": 7e9, "D": 4e12}, allow_unconverged=True).intervals()["median"]).all()


def test_double_precision_is_not_checked(simulated_fit):
    assert (simulated_fit.diagnostics.precision, simulated_fit.diagnostics.shift) == ("double", 0.0)


def test_a_study_that_needs_double_precision_is_refused_in_single():
    study = stamped(1e9)  # differences of 1e-8; the 32-bit numbers nearest to them are 64 seconds apart
    posterior = bs.fit(Drift(), study, seed=0, draws=DRAWS, precision="single")
    assert posterior.diagnostics.shift > 1
    assert posterior.diagnostics.method == "laplace"  # adaptation would not help, so there is no second try
    with pytest.raises(bs.ConvergenceError, match=r"Single precision may have moved .* use precision='double'"):
        posterior.forecast({"seconds": 2e9})


def test_means_move_by_no_more_than_the_bound():
    study = stamped(1e6)  # 32-bit numbers are a sixteenth of a second apart
    one, other = (bs.fit(Drift(), study, seed=0, draws=DRAWS, adapt=False, precision=p) for p in ("double", "single"))
    bound = other.diagnostics.shift
    assert bound > MAX_SHIFT
    for name in Drift().free_parameters:
        x, y = (p.tree["posterior"][name].to_numpy() for p in (one, other))
        assert abs(x.mean() - y.mean()) < bound * x.std() + 4 * np.hypot(error(x), error(y)), name


def test_a_batch_in_single_precision(simulated):
    batch = bs.fit_many(Chinchilla(), [simulated], seed=0, draws=DRAWS, adapt=False, precision="single", progress=False)
    assert batch[0].posterior.diagnostics.precision == "single"
    assert 0 < batch.table()["shift"][0] < MAX_SHIFT
