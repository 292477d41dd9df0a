"""Train models of one shape side by side, each until it gets no better.

A model is the running average of the weights over the last tenth of the steps, so that no schedule needs to know where
training ends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bayes_scaling.data.text_to_python.model import CONTEXT, losses
from bayes_scaling.data.text_to_python.texts import PIECE

__all__ = ["BATCH", "Run", "Trained", "evaluate", "train"]

BATCH = 64  # windows in a step
WARM_UP = 50  # steps until the learning rate is reached
GROWTH = 1.1  # steps from one evaluation to the next
FIRST = 5  # steps between the first evaluations
PATIENCE = 0.75  # how much longer than it took to the best evaluation, and WARM_UP, training goes on in hope of another
COMPUTE = jnp.bfloat16 if jax.default_backend() == "gpu" else jnp.float32  # of training; evaluations are in float32


@dataclasses.dataclass(frozen=True)
class Run:
    """What one of the models starts from and reads: its first pieces of an order, at a learning rate, from a seed."""

    start: Any
    order: np.ndarray
    count: int
    rate: float
    seed: int


class Trained(NamedTuple):
    """The best weights of a model, their loss on the validation windows, and when they were found."""

    weights: Any
    loss: float
    step: int
    steps_taken: int


class Reading(NamedTuple):
    """What each model reads, [model, ...]."""

    order: jax.Array
    pieces: jax.Array  # how many of them
    rate: jax.Array
    key: jax.Array


class State(NamedTuple):
    """Models in training, and the best of each so far, [model, ...]."""

    weights: Any
    moments: Any
    average: Any
    best: Any
    best_loss: jax.Array
    best_step: jax.Array


OPTIMISER = optax.chain(
    optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.95), optax.add_decayed_weights(0.1)
)  # the learning rate is a number of each model


@jax.jit
def _advance(state: State, reading: Reading, pool: jax.Array, first: jax.Array, last: jax.Array) -> State:
    """Take the steps from ``first`` to ``last``; models of one seed and amount of data see the same windows."""

    def one(now: jax.Array, held: tuple[Any, Any, Any], read: Reading) -> tuple[Any, Any, Any]:
        weights, moments, average = held
        which, where = jax.random.split(jax.random.fold_in(read.key, now))
        piece = read.order[jax.random.randint(which, (BATCH,), 0, read.pieces)]
        start = jax.random.randint(where, (BATCH,), 0, PIECE - CONTEXT)
        windows = pool[piece[:, None], start[:, None] + jnp.arange(CONTEXT + 1)]
        rate = read.rate * jnp.minimum(1.0, (now + 1) / WARM_UP)
        slope = jax.grad(lambda w: losses(w, windows, COMPUTE).mean())(weights)
        change, moments = OPTIMISER.update(slope, moments, weights)
        weights = jax.tree.map(lambda w, c: w - rate * c, weights, change)
        share = 10 / (now + 10)
        return weights, moments, jax.tree.map(lambda a, w: a + share * (w - a), average, weights)

    step = jax.vmap(one, (None, 0, 0))
    held = state.weights, state.moments, state.average
    held = jax.lax.fori_loop(first, last, lambda now, held: step(now, held, reading), held)
    return state._replace(weights=held[0], moments=held[1], average=held[2])


@jax.jit
def evaluate(weights: Any, windows: jax.Array) -> jax.Array:
    """Return the loss of each model on each window, [model, window]; windows are a multiple of 100."""
    batches = windows.reshape(-1, 100, windows.shape[-1])
    found = jax.lax.map(lambda batch: jax.vmap(losses, (0, None))(weights, batch), batches)
    return found.swapaxes(0, 1).reshape(found.shape[1], -1)


@jax.jit
def _kept(state: State, loss: jax.Array, step: jax.Array) -> State:
    """Keep the averages of those models that are better than before."""
    better = loss < state.best_loss
    keep = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
    return state._replace(
        best=jax.tree.map(keep, state.average, state.best),
        best_loss=jnp.where(better, loss, state.best_loss),
        best_step=jnp.where(better, step, state.best_step),
    )


def train(runs: list[Run], pool: jax.Array, validation: jax.Array, *, steps: int) -> Iterator[tuple[int, Trained]]:
    """Train models of one shape side by side, and yield the place and the best of each as it gets no better.

    Parameters
    ----------
    runs : list of Run
        What each model starts from and reads.
    pool : jax.Array
        Pieces of text, bytes [piece, 1000].
    validation : jax.Array
        Windows, bytes [window, 129], a multiple of 100 of them.
    steps : int
        Steps at most.
    """
    start = jax.tree.map(lambda *each: jnp.stack([jnp.asarray(x) for x in each]), *(run.start for run in runs))
    endless, none = jnp.full(len(runs), jnp.inf), jnp.zeros(len(runs), dtype=int)
    state = State(start, jax.vmap(OPTIMISER.init)(start), start, start, endless, none)
    reading = Reading(
        order=jnp.asarray(np.stack([run.order for run in runs])),
        pieces=jnp.asarray([run.count for run in runs]),
        rate=jnp.asarray([run.rate for run in runs]),
        key=jnp.stack([jax.random.key(run.seed) for run in runs]),
    )
    places, going, done = np.arange(len(runs)), np.ones(len(runs), dtype=bool), 0
    while going.any():
        state = _kept(state, evaluate(state.average, validation).mean(-1), jnp.asarray(done))
        found = np.asarray(state.best_step)
        waited = done >= (1 + PATIENCE) * found + WARM_UP
        ended = going & (waited | (done >= steps))
        for i in np.flatnonzero(ended):
            best = jax.tree.map(lambda value, i=i: np.asarray(value[i]), state.best)
            yield int(places[i]), Trained(best, float(state.best_loss[i]), int(found[i]), done)
        going &= ~ended
        if 0 < 2 * going.sum() <= len(going):  # half of them have ended: the others go on alone
            on = np.flatnonzero(going)
            state, reading = jax.tree.map(lambda value, on=on: value[on], (state, reading))
            places, going = places[on], going[on]
        last = min(done + max(FIRST, int((GROWTH - 1) * done)), steps)
        if going.any():
            state = _advance(state, reading, pool, jnp.asarray(done), jnp.asarray(last))
        done = last
