import jax
import numpy as np
import pytest

from bayes_scaling.decisions.exponent_error import FARTHEST, ExponentError

KEYS = jax.random.split(jax.random.key(0), 2000)
FITTED = {"N": np.geomspace(1e8, 1e9, 50)}


def test_an_exponent_wanders_from_the_edge_to_its_spread():
    N, D = (np.log(factors) for factors in ExponentError.drawn(KEYS, ["N", "D"], 0.25).factors.values())
    spread = N.std(axis=0)
    assert spread[0] == 0 and spread[4] == pytest.approx(0.25 * np.sqrt(1 - np.exp(-2)), rel=0.1)
    assert spread[-1] == pytest.approx(0.25, rel=0.1) and abs(np.corrcoef(N[:, -1], D[:, -1])[0, 1]) < 0.1


def test_a_law_is_read_elsewhere_beyond_the_runs_only_and_on_both_sides():
    error = ExponentError.drawn(KEYS[:100], ["N"], 0.25)
    inside, below, above, endless = error.misjudged({"N": np.tile([3e8, 1e6, 1e12, 1e300], (100, 1))}, FITTED)["N"].T
    np.testing.assert_allclose(inside, 3e8)
    for read, scale in ((below, 1e6), (above, 1e12)):
        assert (np.abs(np.log(read / scale)) > 1e-3).mean() > 0.9
    assert (np.log(endless) <= FARTHEST + 1e-9).all()


def test_exact_exponents_read_the_law_where_it_is_asked():
    exact = ExponentError.drawn(KEYS[:5], ["N"], 0.0)
    asked = np.tile(np.geomspace(1e4, 1e14, 30), (5, 1))
    np.testing.assert_allclose(exact.misjudged({"N": asked}, FITTED)["N"], asked, rtol=1e-9)
