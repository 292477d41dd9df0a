from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bayes_scaling.inference.mode import DAMPINGS, MANY, arrivals, newton, search
from bayes_scaling.inference.precision import double_precision


@pytest.fixture
def double():
    with double_precision():
        yield


def banana(z):
    return 0.5 * z[0] ** 2 + 50.0 * (z[1] - z[0] ** 2) ** 2 + 3.0


@pytest.mark.parametrize("start", [[0.1, 0.0], [2.0, -1.0], [-3.0, 4.0]])
def test_the_mode_of_a_curved_valley_is_found_with_its_hessian(double, start):
    mode, height, hessian = newton(banana, jnp.array(start))
    assert np.allclose(mode, 0.0, atol=1e-7) and height == pytest.approx(3.0, abs=1e-12)
    assert np.allclose(hessian, [[1.0, 0.0], [0.0, 100.0]], atol=1e-4)


def test_the_search_stops_when_it_has_arrived(double):
    calls = []

    def counted(z):
        jax.debug.callback(lambda _: calls.append(1), z[0])
        return banana(z)

    mode, _, _ = newton(counted, jnp.array([2.0, -1.0]))
    jax.block_until_ready(mode)
    assert 5 < len(calls) / 5 < 40  # five gradients a step in two dimensions


def bananas(z):
    """As many valleys as fit in the coordinates, the last four times as steep as the first."""
    scales = jnp.linspace(1.0, 4.0, len(z) // 2)
    return jnp.sum(scales * (jax.vmap(banana)(z.reshape(-1, 2)) - 3.0))


@pytest.mark.parametrize(("start", "without"), [([2.0, -1.0], 31), ([-3.0, 4.0], 41)])
def test_a_choice_of_dampings_finds_a_mode_of_many_coordinates_in_fewer_steps(double, start, without):
    calls, many = [], 2 * MANY

    def counted(z):
        jax.debug.callback(lambda _: calls.append(1), z[0])
        return bananas(z)

    mode, height, hessian = jax.block_until_ready(newton(counted, jnp.tile(jnp.array(start), MANY)))
    assert np.allclose(mode, 0.0, atol=1e-6) and height == pytest.approx(0.0, abs=1e-12)
    assert np.allclose(np.diag(hessian)[-2:], [4.0, 400.0], rtol=1e-4)
    assert len(calls) / (2 * many + 1 + len(DAMPINGS)) < 0.9 * without


def test_many_coordinates_start_in_turn_and_each_ends_where_it_would_alone(double):
    centre, spread, key = jnp.full(2 * MANY, 0.3), jnp.ones(2 * MANY), jax.random.key(0)
    mode, heights, _, rivals = search(bananas, centre, spread, key, 3)
    alone, height, _ = newton(bananas, centre)
    assert heights.shape == (3,) and np.array_equal(rivals, np.broadcast_to(mode, (3, 2 * MANY)))
    assert float(heights[0]) == pytest.approx(float(height), abs=1e-12) and np.allclose(alone, mode, atol=1e-6)
    assert arrivals(bananas, centre, spread, key, 3).all()


@pytest.mark.parametrize("coordinates", [2, 2 * MANY])
def test_a_start_outside_the_support_is_left_where_it_is(double, coordinates):
    start = jnp.zeros(coordinates).at[0].set(6.0)
    mode, height, _ = newton(lambda z: jnp.where(z[0] > 5, jnp.nan, bananas(z)), start)
    assert np.array_equal(mode, start) and np.isinf(height)


def test_a_saddle_is_left_and_a_straight_slope_given_up(double):
    mode, height, hessian = newton(lambda z: z[0] ** 4 - z[0] ** 2 + z[1] ** 2, jnp.array([1e-3, 1.0]))
    assert abs(float(mode[0])) == pytest.approx(np.sqrt(0.5), abs=1e-6) and float(height) == pytest.approx(-0.25)
    assert np.linalg.eigvalsh(hessian).min() > 1
    _, height, _ = newton(lambda z: z[0], jnp.zeros(1))  # without a mode: it stops after its last step
    assert np.isfinite(height) and height < 0


def test_gradients_one_after_another_find_the_same(double):
    def in_turn(function):
        return lambda points: lax.map(function, points)

    start = jnp.array([2.0, -1.0])
    for one, other in zip(newton(banana, start), newton(banana, start, in_turn), strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_single_precision_arrives_as_near_as_it_can():
    with double_precision(False):
        mode, height, _ = newton(banana, jnp.array([2.0, -1.0]))
    assert (
        mode.dtype == np.float32 and np.allclose(mode, 0.0, atol=1e-2) and float(height) == pytest.approx(3.0, abs=1e-3)
    )


def two_wells(z, tilt):
    """Wells at -1 and 1, the second ``2 * tilt`` higher."""
    return 50.0 * (z[0] ** 2 - 1) ** 2 + tilt * z[0] + z[1] ** 2


@pytest.mark.parametrize(("tilt", "wells"), [(0.5, {-1, 1}), (0.0, {-1, 1}), (10.0, {-1})])
def test_modes_that_may_hold_a_share_are_rivals_of_the_best(double, tilt, wells):
    place = jnp.zeros(2) + 0.3
    mode, heights, _, rivals = search(lambda z: two_wells(z, tilt), place, jnp.full(2, 4.0), jax.random.key(0), 12)
    assert heights.shape == (12,) and float(heights.min()) == pytest.approx(float(two_wells(mode, tilt)))
    assert {round(float(x)) for x in rivals[:, 0]} == wells
    assert np.all((rivals == mode).all(axis=1) | (np.abs(rivals[:, 0] - mode[0]) > 1))


def test_starts_that_find_one_mode_have_no_rival(double):
    mode, _, _, rivals = search(banana, jnp.array([0.1, 0.0]), jnp.ones(2), jax.random.key(0), 4)
    assert np.array_equal(rivals, np.broadcast_to(mode, (4, 2)))


def test_starts_that_run_out_of_steps_along_a_valley_are_at_no_mode(double, monkeypatch):
    def arrived(potential):
        return arrivals(potential, jnp.full(2, 0.3), jnp.full(2, 4.0), jax.random.key(0), 12)

    assert arrived(banana).all() and arrived(lambda z: two_wells(z, 0.5)).all()  # at either of two modes, too
    monkeypatch.setattr("bayes_scaling.inference.mode.MAX_NEWTON_STEPS", 5)
    assert not arrived(banana).all()
    assert not arrived(lambda z: z[0]).any()
