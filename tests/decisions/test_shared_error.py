from __future__ import annotations

import math

import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.superiority import pair_draws
from bayes_scaling.models import Chinchilla
from tests.worlds import known, pooled

FAR = {"N": np.array([1e12]), "D": np.array([2e13])}
MIDDLE = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.005}
NUMBER, NARROW, WIDE = 0.2, dist.LogNormal(math.log(0.2), 1e-6), dist.LogNormal(math.log(0.2), 1.0)
COUNT = 200


def sharp(discrepancy: bs.Prior = NUMBER) -> bs.Posterior:
    """Return a fit that is sure of its law, so that nothing is in doubt but its slope beyond the runs."""
    return known(Chinchilla(discrepancy=discrepancy), {name: np.full(COUNT, value) for name, value in MIDDLE.items()})


def stretched(surface: bs.Surface) -> np.ndarray:
    """Return by how much the slope is off in each draw, as a multiple of that where nothing is."""
    reducible = np.log(np.array([surface.at(**FAR), surface.at(**FAR, exact=True)])[..., 0] - MIDDLE["E"])
    return reducible[1] - reducible[0]


def test_a_surface_of_one_fit_errs_as_its_forecast_does():
    surface = bs.Surface.of(sharp())
    first, second, _ = pair_draws(surface, sharp(), seed=0, shared_error=True)
    np.testing.assert_array_equal(second.at(**FAR), surface.at(**FAR))
    forecast = surface.posterior.forecast({name: value[0] for name, value in FAR.items()})
    np.testing.assert_allclose(first.at(**FAR), forecast.draws["loss_mean"], rtol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(NUMBER, NARROW), (NARROW, NUMBER), (NARROW, NARROW)])
def test_laws_err_alike_whether_they_state_their_discrepancy_as_a_number_or_a_prior(a, b):
    first, second, _ = pair_draws(sharp(a), sharp(b), seed=0, shared_error=True)
    assert stretched(first).std() > 0.3
    np.testing.assert_allclose(stretched(second), stretched(first), rtol=1e-4)
    found = bs.superiority(sharp(a), sharp(b), {"N": 1e12, "D": 2e13}, shared_error=True)
    assert found.difference.std() < 1e-4 * found.a.std()


def test_a_scale_that_is_drawn_has_nothing_to_do_with_the_error_that_is_shared():
    first, second, _ = pair_draws(sharp(), sharp(WIDE), seed=0, shared_error=True)
    size = np.log(stretched(second) / stretched(first))
    assert 0.8 < size.std() < 1.2
    assert abs(np.corrcoef(size, stretched(first))[0, 1]) < 0.2  # 200 draws: three standard errors


def test_of_several_series_that_which_is_decided_by_errs_like_the_other_law():
    both = pooled()
    posterior = known(both.law, {n: np.tile(v, (COUNT, 2)) for n, v in MIDDLE.items()}, both.study.frame)
    for series in ("web", "math"):
        surface = bs.Surface.of(posterior, series=series)
        for pair in ((surface, sharp()), (sharp(), surface)):
            first, second, _ = pair_draws(*pair, seed=0, shared_error=True)
            assert abs(np.corrcoef(stretched(first), stretched(second))[0, 1]) > 0.999


def test_each_law_of_a_mixture_errs_like_the_other_law():
    mixed = bs.mixed_surface([sharp(), sharp(NARROW)], seed=0)
    for pair in ((sharp(), mixed), (mixed, sharp(NARROW))):
        first, second, paired = pair_draws(*pair, seed=0, shared_error=True)
        np.testing.assert_allclose(stretched(second), stretched(first), rtol=1e-4)
        assert not paired and pair_draws(second, second, seed=0, shared_error=True)[2]


def test_an_exact_law_and_one_that_errs_are_left_as_they_are():
    first, second, _ = pair_draws(bs.Surface.of(sharp(), discrepancy=False), sharp(NARROW), seed=0, shared_error=True)
    assert (stretched(first) == 0).all() and stretched(second).std() > 0.3
