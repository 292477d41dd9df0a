import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.residuals import misfits
from bayes_scaling.models import Chinchilla, HeteroscedasticChinchilla, Pooled
from tests.conftest import DRAWS

TRUTH = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "sigma": 0.01, "noise_exponent": 0.3}
DESIGN = pd.DataFrame(
    [(n, r * n) for n in np.geomspace(2e7, 1e9, 10) for r in (5, 8, 12, 20, 32, 50)], columns=["n_params", "tokens"]
)
DESIGN["flops"] = 6 * DESIGN["n_params"] * DESIGN["tokens"]


@pytest.fixture(scope="module")
def study():
    return bs.simulate(HeteroscedasticChinchilla(), DESIGN, TRUTH, seed=0)


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(HeteroscedasticChinchilla(), study, seed=0, draws=DRAWS, adapt=False)


@pytest.fixture(scope="module")
def plain(study):
    return bs.fit(Chinchilla(), study, seed=0, draws=DRAWS, adapt=False)


def test_noise_is_a_power_of_compute_about_that_of_the_centre():
    law, runs = HeteroscedasticChinchilla(), {"N": 1e8 * np.array([1, 10, 100]), "D": np.full(3, 2e10)}
    sigma = law.sigma_of({**runs, "N0": 1e9, "D0": 2e10}, {"sigma": 0.01, "noise_exponent": 0.5})
    np.testing.assert_allclose(sigma, 0.01 * 10.0 ** np.array([0.5, 0.0, -0.5]), rtol=1e-5)
    assert law.free_parameters == ["sigma", *Chinchilla().free_parameters[1:], "noise_exponent"]


def test_scatter_that_falls_with_compute_is_learnt_and_carried_to_the_target(posterior, plain):
    found = posterior.draws["noise_exponent"]
    assert np.quantile(found, 0.01) < 0.3 < np.quantile(found, 0.99) and (found > 0).mean() > 0.95
    target = {"N": 1e10, "D": 4e11}
    own, same = (
        float((f.draws["loss_run"] / f.draws["loss_mean"]).std())
        for f in (p.forecast(target, allow_unconverged=True) for p in (posterior, plain))
    )
    assert own < 0.7 * same


def test_what_the_law_says_of_scatter_is_no_misfit(posterior, plain):
    assert misfits(plain).only("spread") and not misfits(posterior).only("spread")


@pytest.mark.filterwarnings("ignore::bayes_scaling.errors.ConvergenceWarning")  # few draws
def test_backtests_weigh_runs_by_their_own_noise(study):
    laws = [Chinchilla(), HeteroscedasticChinchilla()]
    chosen = bs.choose_law(laws, study, seed=0, draws=DRAWS, patience=0, progress=False)
    assert chosen.name in {law.name for law in laws} and isinstance(chosen.discrepancy, dist.LogNormal)


def test_a_law_of_several_series_has_a_noise_of_its_own():
    with pytest.raises(
        bs.LawError, match=r"Pooled\.curve is HeteroscedasticChinchilla, whose noise has the parameters"
    ):
        Pooled(curve=HeteroscedasticChinchilla())
