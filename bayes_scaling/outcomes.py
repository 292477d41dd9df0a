"""Outcomes of runs nobody fitted: one world per posterior draw, in blocks of targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro.primitives import Messenger

from bayes_scaling.padding import bucket, pad
from bayes_scaling.precision import double_precision

if TYPE_CHECKING:
    from bayes_scaling.law import Law
    from bayes_scaling.posterior import Posterior
    from bayes_scaling.sites import Arrays

__all__ = ["BLOCK", "Worlds", "predict"]

BLOCK = 128
"""Targets evaluated at once.  Part of what a seed means: each block has noise of its own."""


@dataclasses.dataclass(frozen=True, eq=False)
class Worlds:
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
    def of(cls, posterior: Posterior, *, seed: int, samples: int | None, discrepancy: bool) -> Worlds:
        """Take ``samples`` draws of a posterior, evenly spaced; all where it is None."""
        law, draws = posterior.law, posterior.draws
        fitted, _ = law.arrays(posterior.study)
        count = len(next(iter(draws.values())))
        chosen = np.linspace(0, count - 1, min(samples or count, count)).round().astype(int)
        with double_precision():
            keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), len(chosen))
        edge = pad(fitted, bucket(len(fitted[law.run_inputs[0]])), law.run_inputs, np.nan)
        return cls(
            law.program,
            keys,
            {name: value[chosen] for name, value in draws.items()},
            {name: value for name, value in fitted.items() if name not in law.run_inputs},
            edge if discrepancy else None,
        )

    def blocks(self, inputs: Arrays, known: Arrays) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """Yield the targets of each block with their draws ``{quantity}_{band}``, shape (sample, target, ...).

        Parameters
        ----------
        inputs : mapping of str to array, shape (target,)
            Inputs of the law.
        known : mapping of str to array, shape (target, ...)
            Outcomes to condition on.
        """
        count = len(next(iter(inputs.values())))
        size = min(BLOCK, bucket(count))
        for number, begin in enumerate(range(0, count, BLOCK)):
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

    Sites outside the plate, such as the slope error of a world, keep their keys: all blocks share them.
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


@jax.jit
def predict(
    law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, fitted: Arrays | None, block: int = 0
) -> dict[str, Any]:
    """Return outcomes and expected outcomes of runs, one world per key; what ``latent`` lacks is drawn from priors.

    Worlds are the same in every ``block`` of runs, the noise of the runs is not.
    """
    names = [name for q in law.quantities for name in (q, f"{q}_mean")]

    def one(key: jax.Array, latent: Arrays) -> dict[str, Any]:
        model = _OwnNoise(numpyro.handlers.seed(numpyro.handlers.substitute(law, latent), key), jnp.asarray(block))
        trace = numpyro.handlers.trace(model).get_trace(runs, None, fitted)
        return {name: trace[name]["value"] for name in names}

    return jax.vmap(one)(keys, latent)


@jax.jit
def _bands(
    law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, fitted: Arrays | None, block: int
) -> dict[str, Any]:
    """Return the three bands of each quantity; of the law alone only the mean is wanted, so its noise costs nothing."""
    exact = predict(law, keys, latent, runs, None, block)
    whole = exact if fitted is None else predict(law, keys, latent, runs, fitted, block)
    bands: dict[str, Any] = {}
    for q in law.quantities:
        bands |= {f"{q}_run": whole[q], f"{q}_mean": whole[f"{q}_mean"], f"{q}_law": exact[f"{q}_mean"]}
    return bands
