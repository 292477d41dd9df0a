"""Posterior predictive draws at runs nobody fitted, in blocks of targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.primitives import Messenger

from bayes_scaling.inference.padding import bucket, edge_of_data, pad
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit, within
from bayes_scaling.law.trace import run_model

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["BLOCK", "PredictiveDraws", "predict"]

BLOCK = 128
"""Targets evaluated at once.  Part of what a seed means: each block has noise of its own."""


@dataclasses.dataclass(frozen=True, eq=False)
class PredictiveDraws:
    """The draws of a posterior, ready to be carried to targets.

    Attributes
    ----------
    law : Law
        The law whose compiled program is run.
    keys : array, shape (sample,)
        A random key for each draw.
    latent : mapping of str to array, shape (sample, ...)
        Parameters of each draw.
    constants : mapping of str to array
        What the law reads besides the inputs of a run, such as references.
    edge : mapping of str to array or None
        The fitted runs, beyond which the discrepancy counts; None where it is switched off.
    """

    law: Law
    keys: jax.Array
    latent: Arrays
    constants: Arrays
    edge: Arrays | None

    @classmethod
    def of(cls, posterior: Posterior, *, seed: int, samples: int | None, discrepancy: bool) -> PredictiveDraws:
        """Take ``samples`` draws of a posterior, evenly spaced; all where it is None."""
        law, latent = posterior.law, posterior.thin(samples)
        fitted, observed = law.arrays(posterior.study)
        with double_precision():
            count = len(next(iter(latent.values())))
            keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), count)
        constants = {name: value for name, value in fitted.items() if name not in law.run_inputs}
        edge = edge_of_data(law, fitted, observed) if discrepancy else None
        return cls(law.program, keys, latent, constants, edge)

    def blocks(self, inputs: Arrays, known: Arrays, first: int = 0) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """Yield the targets of each block with their draws ``{quantity}_{band}``, shape (sample, target, ...).

        Parameters
        ----------
        inputs : mapping of str to array, shape (target,)
            Inputs of the law.
        known : mapping of str to array, shape (target, ...)
            Outcomes to condition on.
        first : int
            Place of the first target in the whole forecast, a multiple of :data:`.BLOCK`.
        """
        count = len(next(iter(inputs.values())))
        size = min(BLOCK, bucket(count))
        for begin in range(0, count, BLOCK):
            number = (first + begin) // BLOCK
            place = slice(begin, min(begin + BLOCK, count))
            runs = pad({n: v[place] for n, v in inputs.items()}, size, tuple(inputs))
            rows = pad({n: v[place] for n, v in known.items()}, size, tuple(known))
            given = {n: np.broadcast_to(v, (len(self.keys), *v.shape)) for n, v in rows.items()}
            with double_precision():
                found = _bands(
                    self.law, self.keys, {**self.latent, **given}, {**self.constants, **runs}, self.edge, number
                )
                yield place, {n: np.asarray(v)[:, : place.stop - begin] for n, v in found.items()}


class _OwnNoise(Messenger):
    """Give the sites of the plate ``run`` other random keys in every block but the first.

    Sites outside the plate, such as the slope error of a draw, keep their keys: all blocks share them.
    """

    def __init__(self, fn: Any, block: jax.Array) -> None:
        super().__init__(fn)
        self.block = block

    def process_message(self, msg: dict[str, Any]) -> None:
        """Replace the key that the handler ``seed`` gave."""
        if msg["type"] != "sample" or msg["value"] is not None:
            return
        if any(frame.name == "run" for frame in msg["cond_indep_stack"]):
            key = msg["kwargs"]["rng_key"]
            msg["kwargs"]["rng_key"] = jnp.where(self.block > 0, jax.random.fold_in(key, self.block), key)


@jit
def predict(
    law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, fitted: Arrays | None, block: int = 0
) -> dict[str, Any]:
    """Return outcomes and expected outcomes of runs, a draw per key; what ``latent`` lacks is drawn from priors.

    Parameters are the same in every ``block`` of runs, the noise of the runs is not.
    """
    names = [name for q in law.quantities for name in (q, f"{q}_mean")]

    def one(key: jax.Array, latent: Arrays) -> dict[str, Any]:
        own_noise = partial(_OwnNoise, block=jnp.asarray(block))
        sites = run_model(law, runs, None, fitted, latent=latent, key=key, handler=own_noise)
        return {name: sites[name]["value"] for name in names}

    return jax.vmap(one)(keys, latent)


@jit
def _bands(
    law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, fitted: Arrays | None, block: int
) -> dict[str, Any]:
    """Return the three bands of each quantity; of the law alone only the mean is wanted, so its noise costs nothing."""
    inner = within(predict)
    exact = inner(law, keys, latent, runs, None, block)
    whole = exact if fitted is None else inner(law, keys, latent, runs, fitted, block)
    bands: dict[str, Any] = {}
    for q in law.quantities:
        bands |= {f"{q}_run": whole[q], f"{q}_mean": whole[f"{q}_mean"], f"{q}_law": exact[f"{q}_mean"]}
    return bands
