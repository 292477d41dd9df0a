import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions import teaching
from bayes_scaling.decisions.teaching import expected_reduction
from bayes_scaling.models import LearningCurve
from tests.worlds import chinchilla, exact, known, ladder

NOISE = 0.02


class Level(bs.Law):
    """One level, the same everywhere: what a run teaches of it is known in closed form."""

    level: bs.Prior = dist.Normal(3.0, 1.0)
    heavy: bool = bs.option(default=False, about="Whether the noise has tails.")

    def mean(self, N, D, *, level):
        return level + 0.0 * jnp.log(N * D)

    def likelihood(self, mean, sigma):
        return dist.StudentT(5.0, mean, sigma) if self.heavy else dist.Normal(mean, sigma)


def surface_of(spread, heavy=False, count=2000):
    level = np.random.default_rng(0).normal(3.0, spread, count)
    return exact(known(Level(heavy=heavy), {"level": level, "sigma": np.full(count, NOISE)})), level


def test_a_normal_model_has_the_closed_form():
    at = {"N": np.array([1e9, 2e9]), "D": np.array([2e10, 4e10])}
    for spread in (0.005, 0.02, 0.1):
        surface, level = surface_of(spread)
        expected = spread**2 / (spread**2 + NOISE**2)
        np.testing.assert_allclose(expected_reduction(surface, level, at), expected, atol=0.03)


def test_noise_with_tails_tells_more_than_its_variance_says():
    at = {"N": np.array([1e9]), "D": np.array([2e10])}
    surface, level = surface_of(0.02, heavy=True)
    by_variance = 0.02**2 / (0.02**2 + 5 / 3 * NOISE**2)
    found = expected_reduction(surface, level, at)[0]
    assert by_variance < found < 0.5  # of normal noise of the same scale


def test_seeds_of_the_noise_hardly_matter():
    posterior = chinchilla(count=4000)
    at = {"N": np.array([5e8, 1e9, 4e9, 4e9]), "D": np.array([5e9, 4e10, 2e10, 4e11])}
    T = exact(posterior).at(np.array([7e9]), np.array([4e12]))[:, 0]
    narrower = [1 - np.sqrt(1 - expected_reduction(exact(posterior, seed=seed), T, at)) for seed in range(8)]
    assert (np.std(narrower, axis=0, ddof=1) < 0.004).all() and np.max(narrower) > 0.1


def test_runs_are_looked_at_in_blocks(monkeypatch):
    surface = exact(chinchilla(count=200))
    at = {"N": np.geomspace(1e9, 1e10, 7), "D": np.geomspace(2e10, 2e11, 7)}
    T = surface.at(np.array([7e9]), np.array([4e12]))[:, 0]
    whole = expected_reduction(surface, T, at)
    assert (whole >= 0).all() and (whole <= 1).all()
    monkeypatch.setattr(teaching, "BLOCK", 3)
    np.testing.assert_allclose(expected_reduction(surface, T, at), whole, atol=0.05)


def test_a_law_of_several_series_is_not_read():
    surface = exact(ladder(count=20), quantity="accuracy", series="one")
    assert expected_reduction(surface, np.zeros(20), {"N": np.array([1e9]), "D": np.array([2e10])}) is None


def test_what_is_found_goes_into_the_ranking():
    surface, level = surface_of(0.02, heavy=True)
    found = bs.next_runs(surface, {"N": [1e9], "D": [2e10]}, {"N": 7e9, "D": 4e12})
    share = expected_reduction(surface, level, {"N": np.array([1e9]), "D": np.array([2e10])})[0]
    assert found.ranking["narrower"].iloc[0] == pytest.approx(1 - np.sqrt(1 - share), rel=1e-6)


def test_an_error_of_the_exponents_stands_in_place_of_the_slopes():
    """One that is next to nothing teaches what the exact law does, and a large one not."""
    posterior = chinchilla(count=300)
    at = {"N": np.array([1e9, 3e10]), "D": np.array([2e10, 6e11])}
    T = exact(posterior).at(np.array([7e9]), np.array([4e12]))[:, 0]
    plain = expected_reduction(exact(posterior), T, at)
    little, much = (expected_reduction(bs.Surface.of(posterior, exponent_error=e), T, at) for e in (1e-9, 0.5))
    np.testing.assert_allclose(little, plain, rtol=1e-5)
    assert abs(much[1] - plain[1]) > 0.02
    surface = bs.Surface.of(posterior, exponent_error=0.5)
    points, runs = surface.runs_at(at)
    drawn = teaching._predicted(surface, runs)[:, :points]
    off, far_off = (np.log(drawn / surface.at(**at, exact=exactly)).std(axis=0) for exactly in (False, True))
    np.testing.assert_allclose(off, 0.005 * np.sqrt(5 / 3), rtol=0.25)  # the noise, of 5 degrees of freedom, alone
    assert far_off[1] > 2.5 * off[1]


def test_a_law_whose_runs_err_along_their_training_is_not_read():
    middle = {"level": 3.0, "reducible": 0.3, "begun": -1.0, "bend": 1.0, "alpha_D": 0.4, "memory": 0.1, "sigma": 0.01}
    rng = np.random.default_rng(0)
    draws = {name: value * np.exp(rng.normal(0, 0.02, 60)) for name, value in middle.items()}
    D = np.geomspace(1e8, 1e10, 12)
    run = pd.DataFrame({"run": range(12), "D": D, "loss": 2 + (D / 1e9) ** -0.4})
    surface = bs.Surface.of(known(LearningCurve(), draws, run))
    assert expected_reduction(surface, np.zeros(60), {"D": np.array([2e10])}) is None
    more = pd.DataFrame({"D": [2e10, 4e10], "flops": [1e18, 2e18]})
    found = bs.next_runs(surface, more, {"D": 1e11})
    assert np.isfinite(found.table()["narrower"]).all()


def test_nothing_is_learnt_of_a_target_that_is_known():
    surface, _ = surface_of(0.02, count=50)
    at = {"N": np.array([1e9, 2e9]), "D": np.array([2e10, 4e10])}
    assert expected_reduction(surface, np.full(50, 2.5), at).tolist() == [0.0, 0.0]
