"""One vectorised program over many pieces of work: those of one shape run in one call, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayes_scaling.inference.precision import double_precision

__all__ = ["run_side_by_side", "stacked"]


def run_side_by_side(
    program: Callable[..., Any],
    work: Sequence[tuple[Any, ...]],
    *,
    seed: int,
    width: int,
    numbers: Sequence[int] | None = None,
) -> Iterator[tuple[int, Any]]:
    """Run a program over pieces of work.

    Parameters
    ----------
    program : callable
        Compiled and vectorised, of (law, key, ...): the parts of a piece of work with a leading axis, the key second.
    work : sequence of tuple
        The parts of each piece: trees of numbers, laws among them.
    seed : int
        Seed of every random draw.
    width : int
        Pieces in one call; a shorter call is filled up with repetitions, so that a shape has one program.
    numbers : sequence of int, optional
        Which of the seed's random draws each piece has: pieces of one number share them.  By default each has its own.

    Yields
    ------
    (int, tree)
        The place of a piece and what the program returned for it, as NumPy arrays.
    """
    numbers = range(len(work)) if numbers is None else numbers
    groups: dict[Any, list[int]] = {}
    for place, parts in enumerate(work):
        shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(parts))
        groups.setdefault((jax.tree.structure(parts), shapes), []).append(place)
    with double_precision():
        for places in groups.values():
            for first in range(0, len(places), width):
                own = places[first : first + width]
                filled = (own * width)[:width]
                which = np.array([numbers[place] for place in filled])
                keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(which)
                law, *others = stacked([work[place] for place in filled])
                found = jax.tree.map(np.asarray, program(law, keys, *others))
                for i, place in enumerate(own):
                    yield place, jax.tree.map(lambda values, i=i: values[i], found)


def stacked(parts: Sequence[Any]) -> Any:
    """Return trees of one structure as one, their leaves stacked; flags stay flags, all else is real numbers."""

    def joined(*values: Any) -> jax.Array:
        kind = bool if all(np.issubdtype(np.result_type(v), np.bool_) for v in values) else float
        return jnp.stack([jnp.asarray(v, kind) for v in values])

    return jax.tree.map(joined, *parts)
