"""The mode of a posterior and the curvature there, by damped Newton steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

__all__ = ["MAX_NEWTON_STEPS", "arrivals", "newton", "search"]

MAX_NEWTON_STEPS = 60  # most laws arrive in twenty
MAX_NEWTON_STEPS_OF_MANY = 200  # along the valley of a whole ladder some starts need over sixty
MANY = 20  # coordinates, beyond which a step costs so many gradients that a few heights more are nothing
DAMPINGS = (100.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)  # times the last: of many coordinates the lowest is taken
ARRIVED = 1e-2  # Newton decrement: a tenth of a posterior standard deviation from the mode
MAX_RIVAL_HEIGHT = 5.0  # in log density below the best mode: less than a hundredth of its density


def search(
    potential: Callable[[jax.Array], jax.Array],
    centre: jax.Array,
    spread: jax.Array,
    key: jax.Array,
    starts: int,
    each: Callable[..., Any] = jax.vmap,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Search the modes from the centre of the priors and from places around it.

    Parameters
    ----------
    potential : callable
        Of a vector.
    centre, spread : array, shape (coordinate,)
        Of the priors.
    key : array
        JAX random key of the places.
    starts : int
        How many, the centre included; the others come in pairs, either side of it, so that of two modes which mirror
        each other both are found.
    each : callable
        As for :func:`newton`.

    Returns
    -------
    mode : array, shape (coordinate,)
        The best.
    heights : array, shape (start,)
        Potential that each start reached.
    hessian : array, shape (coordinate, coordinate)
        At the best mode.
    rivals : array, shape (start, coordinate)
        What each start found, if it is another mode that may hold a share of the posterior: at most
        ``MAX_RIVAL_HEIGHT`` less likely, and more than a posterior standard deviation away.  Otherwise the best mode.
        The best start comes first, the rivals after it, so that a few chains start in as many modes as they can.
    """
    places = _places(centre, spread, key, starts)
    modes, heights, hessians = _from(places, lambda z: newton(potential, z, each), each)
    best = jnp.argmin(heights)
    mode, hessian = modes[best], hessians[best]
    away = modes - mode
    distance = jnp.sqrt(jnp.maximum(jnp.sum((away @ hessian) * away, axis=1), 0.0))
    rival = (heights < heights[best] + MAX_RIVAL_HEIGHT) & (distance > 1.0)
    order = jnp.argsort(jnp.where(jnp.arange(starts) == best, 0, jnp.where(rival, 1, 2)))
    return mode, heights, hessian, jnp.where(rival[:, None], modes, mode)[order]


def arrivals(
    potential: Callable[[jax.Array], jax.Array],
    centre: jax.Array,
    spread: jax.Array,
    key: jax.Array,
    starts: int,
    each: Callable[..., Any] = jax.vmap,
) -> jax.Array:
    """Say of each start of :func:`search`, which takes the same arguments, whether it ended where the slope is none.

    One that ran out of steps on its way along a valley is at no mode, however high it is.
    """
    *_, decrements, _ = _from(_places(centre, spread, key, starts), lambda z: _descend(potential, z, each), each)
    return decrements < ARRIVED


def _from(places: jax.Array, descend: Callable[[jax.Array], Any], each: Callable[..., Any]) -> Any:
    """Return what is found from each place; of many coordinates in turn, so that none waits for the slowest."""
    return lax.map(descend, places) if places.shape[1] > MANY else each(descend)(places)


def _places(centre: jax.Array, spread: jax.Array, key: jax.Array, starts: int) -> jax.Array:
    one_side = jax.random.normal(key, (starts // 2, centre.size))
    pairs = jnp.stack([one_side, -one_side], axis=1).reshape(-1, centre.size)
    jitter = jnp.concatenate([jnp.zeros((1, centre.size)), pairs])[:starts]
    return centre + 0.5 * spread * jitter


def newton(
    potential: Callable[[jax.Array], jax.Array], z: jax.Array, each: Callable[..., Any] = jax.vmap
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Find a mode by damped Newton steps; return it with its potential and its Hessian.

    Curvatures are made positive; the damping shrinks on success and grows on failure, or, where there are many
    coordinates, is the best of ``DAMPINGS``, which halves the steps.  The search ends one step after the Newton
    decrement (twice the fall in potential that a full step promises, about the squared distance from the mode in
    posterior standard deviations) is below the square root of the machine's precision, or after ``MAX_NEWTON_STEPS``,
    more where there are many coordinates.  The Hessian is a central difference of gradients: a gradient at each of a
    set of moves (``each`` says whether side by side) and nothing more to compile.
    """
    z, height, _, hessian, *_ = _descend(potential, z, each)
    return z, height, hessian


def _descend(potential: Callable[[jax.Array], jax.Array], z: jax.Array, each: Callable[..., Any]) -> Any:
    """Return (place, height, slope, Hessian, damping, decrement, count) where :func:`newton` ends."""
    precision = jnp.finfo(z.dtype).eps
    tiny = precision ** (1 / 3)
    moves = jnp.concatenate([jnp.zeros((1, z.size)), jnp.eye(z.size), -jnp.eye(z.size)]) * tiny

    def measure(z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        heights, slopes = each(jax.value_and_grad(potential))(z + moves)
        hessian = (slopes[1 : z.size + 1] - slopes[z.size + 1 :]) / (2 * tiny)
        return heights[0], slopes[0], (hessian + hessian.T) / 2

    many = z.size > MANY
    most = MAX_NEWTON_STEPS_OF_MANY if many else MAX_NEWTON_STEPS

    def searching(carry: Any) -> jax.Array:
        *_, decrement, count = carry
        return (count < most) & (decrement > jnp.sqrt(precision))

    def step(carry: Any) -> Any:
        z, height, slope, hessian, damping, _, count = carry
        curvatures, directions = jnp.linalg.eigh(hessian)
        curvatures, pull = jnp.maximum(jnp.abs(curvatures), 1e-3), directions.T @ slope
        decrement = jnp.where(jnp.isfinite(height), jnp.sum(pull**2 / curvatures), jnp.inf)

        def moved(damping: jax.Array) -> jax.Array:
            return z - directions @ (pull / (curvatures + damping))

        if many:
            dampings = damping * jnp.asarray(DAMPINGS, z.dtype)
            heights = each(potential)(jax.vmap(moved)(dampings))
            damping = dampings[jnp.argmin(jnp.where(jnp.isfinite(heights), heights, jnp.inf))]
        new = moved(damping)
        new_height, new_slope, new_hessian = measure(new)
        usable = jnp.isfinite(new_height) & jnp.isfinite(new_hessian).all()
        better = usable & (new_height < height)
        damping = jnp.where(better, damping if many else 0.3 * damping, 4.0 * jnp.maximum(damping, 1e-2))
        new_carry = (new, new_height, new_slope, new_hessian)
        return (*jax.tree.map(partial(jnp.where, better), new_carry, carry[:4]), damping, decrement, count + 1)

    # The first step has no slope: it stays at the start and measures it, so the derivatives are compiled once.
    endless = jnp.full((), jnp.inf, z.dtype)
    unmeasured = (z, endless, jnp.zeros_like(z), jnp.eye(z.size, dtype=z.dtype), jnp.ones((), z.dtype), endless, 0)
    return lax.while_loop(searching, step, unmeasured)
