"""Train two models side by side, from scratch and from pre-trained weights, until neither gets better.

A model is the running average of the weights over the last tenth of the steps, so that no schedule needs to know where
training ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bayes_scaling.data.text_to_python.model import CONTEXT, losses
from bayes_scaling.data.text_to_python.texts import PIECE

__all__ = ["BATCH", "State", "evaluate", "train"]

BATCH = 64  # windows in a step
WARM_UP = 50  # steps until the learning rate is reached
GROWTH = 1.2  # steps from one evaluation to the next
PATIENCE = 3  # evaluations without a better one: 1.7 times the steps


class State(NamedTuple):
    """Two models in training, and the best of each so far."""

    weights: Any
    moments: Any
    average: Any
    best: Any
    best_loss: jax.Array
    best_step: jax.Array
    step: jax.Array


OPTIMISER = optax.chain(
    optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.95), optax.add_decayed_weights(0.1)
)  # the learning rate is a number of each model


@jax.jit
def _advance(
    state: State,
    steps: jax.Array,
    pool: jax.Array,
    order: jax.Array,
    count: jax.Array,
    rates: jax.Array,
    key: jax.Array,
) -> State:
    """Take some steps of two models on the first ``count`` pieces of ``order``; both see the same windows."""

    def step(now: jax.Array, held: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        which, where = jax.random.split(jax.random.fold_in(key, now))
        piece = order[jax.random.randint(which, (BATCH,), 0, count)]
        start = jax.random.randint(where, (BATCH,), 0, PIECE - CONTEXT)
        windows = pool[piece[:, None], start[:, None] + jnp.arange(CONTEXT + 1)]
        rate = rates * jnp.minimum(1.0, (now + 1) / WARM_UP)

        def one(weights: Any, moments: Any, average: Any, rate: jax.Array) -> tuple:
            slope = jax.grad(lambda w: losses(w, windows).mean())(weights)
            change, moments = OPTIMISER.update(slope, moments, weights)
            weights = jax.tree.map(lambda w, c: w - rate * c, weights, change)
            share = 10 / (now + 10)
            return weights, moments, jax.tree.map(lambda a, w: a + share * (w - a), average, weights)

        return jax.vmap(one)(*held, rate)

    held = jax.lax.fori_loop(state.step, state.step + steps, step, (state.weights, state.moments, state.average))
    return state._replace(weights=held[0], moments=held[1], average=held[2], step=state.step + steps)


@jax.jit
def evaluate(weights: Any, windows: jax.Array) -> jax.Array:
    """Return the loss of two models on each window, [model, window]."""
    batches = windows.reshape(-1, 100, windows.shape[-1])
    return jax.lax.map(lambda batch: jax.vmap(losses, (0, None))(weights, batch), batches).swapaxes(0, 1).reshape(2, -1)


@jax.jit
def _kept(state: State, loss: jax.Array) -> State:
    """Keep the averages of those models that are better than before."""
    better = loss < state.best_loss
    keep = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
    return state._replace(
        best=jax.tree.map(keep, state.average, state.best),
        best_loss=jnp.where(better, loss, state.best_loss),
        best_step=jnp.where(better, state.step, state.best_step),
    )


def train(
    start: Any,
    rates: tuple[float, float],
    pool: jax.Array,
    order: np.ndarray,
    count: int,
    validation: jax.Array,
    *,
    steps: int,
    seed: int,
) -> State:
    """Train two models side by side until neither gets better on the validation windows.

    Parameters
    ----------
    start : pytree
        Weights to start from, with a leading axis of the two models.
    rates : (float, float)
        Learning rate of each.
    pool : jax.Array
        Pieces of text, bytes [piece, 1000].
    order : np.ndarray
        Pieces in the order in which more data adds them.
    count : int
        How many pieces of ``order`` they train on.
    validation : jax.Array
        Windows, bytes [window, 129], a multiple of 100 of them.
    steps : int
        Steps at most.
    seed : int
        Seed of the windows that are drawn.
    """
    endless, none = jnp.full(2, jnp.inf), jnp.zeros(2, dtype=int)
    moments = jax.vmap(OPTIMISER.init)(start)
    state = State(start, moments, start, start, endless, none, jnp.zeros((), dtype=int))
    options = {
        "pool": pool,
        "order": jnp.asarray(order),
        "count": jnp.asarray(count),
        "rates": jnp.asarray(rates),
        "key": jax.random.key(seed),
    }
    done, waited = 0, 0
    while True:
        before = state.best_loss
        state = _kept(state, evaluate(state.average, validation).mean(-1))
        waited = 0 if bool((state.best_loss < before).any()) else waited + 1
        if done >= steps or waited >= PATIENCE:
            return state
        chunk = min(max(10, int((GROWTH - 1) * done)), steps - done)
        state = _advance(state, jnp.asarray(chunk), **options)
        done += chunk
