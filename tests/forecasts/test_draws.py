from __future__ import annotations

import numpy as np
import pytest

from bayes_scaling.forecasts.draws import BLOCK, PredictiveDraws
from tests.worlds import chinchilla

COUNT = 100


@pytest.fixture(scope="module")
def posterior():
    return chinchilla(count=COUNT)


def carried(posterior, targets=1, first=0, known=None, **options):
    """Return the draws of one block of targets, all far beyond the fitted runs."""
    ready = PredictiveDraws.of(posterior, **{"seed": 0, "samples": None, "discrepancy": True, **options})
    inputs = {"N": np.full(targets, 7e10), "D": np.full(targets, 4e12)}
    ((place, bands),) = ready.blocks(inputs, known or {}, first)
    assert place == slice(0, targets)
    return bands


def test_three_bands_of_the_law_its_mean_and_a_run(posterior):
    bands = carried(posterior)
    assert {name: draws.shape for name, draws in bands.items()} == {
        f"loss_{band}": (COUNT, 1) for band in ("run", "mean", "law")
    }
    law, mean, run = (bands[f"loss_{band}"] for band in ("law", "mean", "run"))
    assert not np.allclose(law, mean) and not np.allclose(mean, run)


def test_without_the_discrepancy_the_expected_outcome_is_the_laws(posterior):
    bands = carried(posterior, discrepancy=False)
    np.testing.assert_array_equal(bands["loss_mean"], bands["loss_law"])
    np.testing.assert_array_equal(bands["loss_law"], carried(posterior)["loss_law"])


def test_the_law_is_evaluated_at_each_draw(posterior):
    p = posterior.draws
    runs, _ = posterior.law.arrays(posterior.study)
    expected = p["E"] * (
        1
        + p["reducible"]
        * (p["split"] * (7e10 / runs["N0"]) ** -p["alpha_N"] + (1 - p["split"]) * (4e12 / runs["D0"]) ** -p["alpha_D"])
    )
    np.testing.assert_allclose(carried(posterior)["loss_law"][:, 0], expected, rtol=1e-8)


def test_runs_of_one_draw_share_its_slope_error_and_not_their_noise(posterior):
    bands = carried(posterior, targets=5)
    assert np.ptp(bands["loss_mean"], axis=1).max() == 0
    assert np.ptp(bands["loss_run"], axis=1).min() > 0


def test_another_block_has_other_noise_and_the_same_slope_errors(posterior):
    one, two = carried(posterior), carried(posterior, first=BLOCK)
    np.testing.assert_array_equal(one["loss_mean"], two["loss_mean"])
    assert (one["loss_run"] != two["loss_run"]).all()


def test_what_is_known_is_conditioned_on(posterior):
    bands = carried(posterior, targets=2, known={"loss": np.array([2.1, 2.2])})
    np.testing.assert_array_equal(bands["loss_run"], np.tile([2.1, 2.2], (COUNT, 1)))


def test_fewer_samples_are_evenly_spaced(posterior):
    np.testing.assert_allclose(
        PredictiveDraws.of(posterior, seed=0, samples=10, discrepancy=False).latent["E"], posterior.thin(10)["E"]
    )
    assert len(carried(posterior, samples=10)["loss_run"]) == 10
