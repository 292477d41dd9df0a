"""The units of work of a batch: a few studies of one shape, fitted side by side, anywhere."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from bayes_scaling.errors import BayesScalingError, LawError
from bayes_scaling.inference import mode, nuts
from bayes_scaling.inference.attempts import Effort, brought_back, fit_until_converged
from bayes_scaling.inference.diagnostics import Diagnostics
from bayes_scaling.inference.fittable import check_size
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit, within
from bayes_scaling.law.trace import latent_sites

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["Entry", "Fitted", "chunk_of", "divide", "fit_unit", "study_bytes"]

WIDEST = 1  # studies side by side on a CPU, where chains that wait for the longest trajectory cost more than they save
ARRAYS_OF_A_GRADIENT = 12  # of one number per outcome, alive at once, as compiled programs report


@dataclasses.dataclass
class Entry:
    """A study on its way into a batch: its arrays, or the reason why it cannot be fitted.

    Attributes
    ----------
    study : Study
        Its training runs.
    seed : int
        Seed of its fit.
    runs, observed : dict of str to array
        As the law takes them, padded to the length of the batch.
    error : str or None
        Why it cannot be fitted.
    """

    study: Study
    seed: int
    runs: dict[str, Any] = dataclasses.field(default_factory=dict)
    observed: dict[str, Any] = dataclasses.field(default_factory=dict)
    error: str | None = None

    @classmethod
    def read(cls, law: Law, study: Study, seed: int) -> Entry:
        """Return the entry of a study; a study the law cannot use keeps the error."""
        entry = cls(study, seed)
        try:
            entry.study = study.training
            entry.runs, entry.observed = law.arrays(entry.study)
            check_size(law, entry.study, entry.runs, entry.observed)
        except BayesScalingError as error:
            entry.error = str(error)
        return entry

    def __len__(self) -> int:
        return len(next(iter(self.observed.values())))

    def pad(self, law: Law, rows: int) -> None:
        """Lengthen the arrays to the bucket of ``rows``."""
        self.runs, self.observed = pad_study(law, self.runs, self.observed, rows)

    @property
    def data(self) -> tuple[dict[str, Any], dict[str, Any], int]:
        """What a unit needs of this study: (runs, observed, seed)."""
        return self.runs, self.observed, self.seed

    @property
    def shapes(self) -> tuple[Any, ...]:
        """What the compiled program depends on."""
        return tuple((k, np.shape(v)) for part in (self.runs, self.observed) for k, v in sorted(part.items()))


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What a unit returns for one of its studies: draws, diagnostics and seconds."""

    sampled: nuts.Sampled
    diagnostics: Diagnostics
    seconds: float


def study_bytes(law: Law, plan: nuts.Plan, entry: Entry) -> int:
    """Estimate the memory that one study takes in a compiled program, in bytes.

    Two copies of the transitions of all chains (coordinates and four statistics each), and a dozen numbers for each
    outcome in each gradient that is computed at once: 2p + 1 for each start of the mode search that is made at once, p
    being the number of coordinates, or one for each chain.
    """
    outcomes = sum(np.size(values) for values in entry.observed.values())
    priors = jax.eval_shape(latent_sites, law.program, entry.runs, entry.observed)
    coordinates = sum(math.prod(fn.shape()) for fn in priors.values())
    transitions = plan.chains * (plan.warmup + plan.draws)
    starts = 1 if coordinates > mode.MANY else plan.starts
    at_once = max(starts * (2 * coordinates + 1), plan.chains) if outcomes <= nuts.SIDE_BY_SIDE else 1
    numbers = 2 * transitions * (coordinates + 4) + ARRAYS_OF_A_GRADIENT * outcomes * at_once
    return numbers * (8 if plan.precision == "double" else 4)


def chunk_of(law: Law, plan: nuts.Plan, entries: Sequence[Entry], memory: float) -> int:
    """Return how many studies to fit side by side: as many as ``memory`` bytes hold, and on a CPU one.

    A power of two, so that batches share compiled programs.
    """
    by_shape = {entry.shapes: entry for entry in entries if entry.error is None}
    largest = max((study_bytes(law, plan, entry) for entry in by_shape.values()), default=1)
    fitting = 1 << max(int(memory // largest).bit_length() - 1, 0)
    (device,) = jnp.zeros(()).devices()
    return min(fitting, WIDEST) if device.platform == "cpu" else fitting


def divide(entries: Sequence[Entry], chunk: int) -> list[list[int]]:
    """Divide the usable entries into units: places of at most ``chunk`` entries of one shape, in their order."""
    groups: dict[Any, list[int]] = {}
    for place, entry in enumerate(entries):
        if entry.error is None:
            groups.setdefault(entry.shapes, []).append(place)
    return [group[i : i + chunk] for group in groups.values() for i in range(0, len(group), chunk)]


def fit_unit(
    law: Law, plan: nuts.Plan, effort: Effort, size: int, arrays: Sequence[tuple[dict, dict, int]]
) -> list[Fitted | LawError]:
    """Fit the studies of one unit; one that the law gives no probability has that error in place of a fit.

    Parameters
    ----------
    law : Law
        What to fit.
    plan : Plan
        How all of them are sampled at first, side by side.
    effort : Effort
        How hard to try with those whose chains did not converge, each alone, so that it holds up no other.
    size : int
        Studies the compiled program takes; a shorter unit is filled up with repetitions.
    arrays : sequence of (runs, observed, seed)
        The studies, all of one shape.
    """
    filled = [*arrays, *[arrays[-1]] * (size - len(arrays))]
    started = time.perf_counter()
    with double_precision():
        keys = jax.vmap(jax.random.key)(np.array([seed for _, _, seed in filled]))
    with double_precision(plan.precision == "double"):
        runs, observed = _stack([r for r, _, _ in filled]), _stack([o for _, o, _ in filled])
        together = brought_back(_sample_side_by_side(law.program, plan, keys, runs, observed))
        each = [jax.tree.map(lambda x, place=place: x[place], together) for place in range(len(arrays))]
    seconds = (time.perf_counter() - started) / len(arrays)
    results: list[Fitted | LawError] = []
    for sampled, (runs, observed, seed) in zip(each, arrays, strict=True):
        started = time.perf_counter()
        try:
            fit = fit_until_converged(law, plan, seed, runs, observed, effort, first=sampled)
        except LawError as error:
            results.append(error)
        else:
            results.append(Fitted(*fit, seconds + time.perf_counter() - started))
    return results


@partial(jit, static_argnames=("plan",))
def _sample_side_by_side(law: Law, plan: nuts.Plan, keys: jax.Array, runs: Arrays, observed: Arrays) -> nuts.Sampled:
    one = within(nuts.sample)
    return jax.vmap(lambda key, runs, observed: one(law, plan, key, runs, observed))(keys, runs, observed)


def _stack(parts: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(part[name]) for part in parts]) for name in parts[0]}
