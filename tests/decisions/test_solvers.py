import numpy as np
import pytest

from bayes_scaling.decisions.solvers import bisect, first_crossing, minimise


def ends(low, high, shape):
    return np.full(shape, low), np.full(shape, high)


def test_each_curve_has_its_own_minimum():
    centres = np.random.default_rng(0).uniform(-3, 3, (20, 4))
    found = minimise(lambda x: np.cosh(x - centres), *ends(-4.0, 4.0, centres.shape))
    np.testing.assert_allclose(found, centres, atol=1e-6)


def test_the_best_of_several_valleys_is_found():
    found = minimise(lambda x: np.cos(3 * x) + 0.1 * (x - 1) ** 2, *ends(-4.0, 4.0, (1, 1)))
    np.testing.assert_allclose(found, np.pi / 3, atol=0.02)


def test_where_a_curve_falls_to_the_end_the_end_itself_is_returned():
    low, high = ends(0.0, 5.0, (2, 1))
    slope = np.array([[1.0], [-1.0]])
    assert minimise(lambda x: slope * x, low, high).tolist() == [[0.0], [5.0]]


def test_what_is_not_allowed_is_avoided():
    found = minimise(lambda x: np.where(x < 1, np.inf, x), *ends(0.0, 5.0, (1, 1)))
    assert 1 <= found[0, 0] < 1.01


def test_a_curve_without_a_number_at_its_lower_end_has_its_minimum_elsewhere():
    for lost in (0.0, 0.1, 0.45):
        found = minimise(lambda x, lost=lost: np.where(x <= lost, np.nan, (x - 0.5) ** 2), *ends(0.0, 1.0, (1, 1)))
        assert found[0, 0] == pytest.approx(0.5, abs=1e-6)
    gap = minimise(lambda x: np.where(np.abs(x - 0.5) < 0.1, np.nan, (x - 0.5) ** 2), *ends(0.0, 1.0, (1, 1)))
    assert abs(gap[0, 0] - 0.5) == pytest.approx(0.1, abs=1e-3)


def test_the_first_of_several_crossings_is_found():
    found = first_crossing(lambda x: np.cos(x), *ends(0.0, 20.0, (1, 1)), nodes=30)
    assert found[0, 0] == pytest.approx(np.pi / 2, abs=1e-8)


def test_a_curve_that_starts_below_or_never_comes_down():
    starts = np.array([[-1.0], [1.0], [3.0]])
    found = first_crossing(lambda x: starts - x, *ends(0.0, 2.0, (3, 1)), nodes=9)
    assert found.ravel().tolist() == pytest.approx([0.0, 1.0, np.inf])


def test_a_kink_does_not_stall_the_search():
    found = first_crossing(
        lambda x: np.where(x < 0.7, 1e2 * (0.7 - x), 1e-2 * (0.7 - x)), *ends(0.0, 1.0, (1, 1)), nodes=5
    )
    assert found[0, 0] == pytest.approx(0.7, abs=1e-5)


def test_halving_finds_where_a_condition_ceases():
    limits = np.array([0.1, 2.0, 3.9])
    np.testing.assert_allclose(bisect(lambda x: x < limits, *ends(0.0, 4.0, (3,))), limits, atol=1e-12)
