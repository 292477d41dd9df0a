"""Fit one law to many studies at once: one vectorised program, a verdict for each."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import jax
import numpy as np
import pandas as pd

from bayes_scaling import nuts
from bayes_scaling.diagnostics import Diagnostics, diagnose
from bayes_scaling.errors import BayesScalingError
from bayes_scaling.fitting import adapted_plan, check_size, prefer_adapted, run
from bayes_scaling.padding import bucket, pad
from bayes_scaling.posterior import Posterior
from bayes_scaling.precision import double_precision

if TYPE_CHECKING:
    from bayes_scaling.law import Arrays, Law
    from bayes_scaling.study import Study

__all__ = ["Batch", "Member", "fit_many", "member_seed"]


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One study of a batch and what became of it.

    Attributes
    ----------
    name : str
        Name of the study.
    posterior : Posterior or None
        Its fit; None where the study could not be fitted.
    error : str or None
        Why it could not.
    """

    name: str
    posterior: Posterior | None = None
    error: str | None = None

    def __repr__(self) -> str:
        return f"Member({self.name!r}: {self.verdict})"

    @property
    def verdict(self) -> str:
        """``converged``, ``not converged`` or ``failed``."""
        if self.posterior is None:
            return "failed"
        return "converged" if self.posterior.diagnostics.converged else "not converged"

    @property
    def problem(self) -> str:
        """What speaks against this fit; empty where nothing does."""
        return self.error or " ".join(self.posterior.diagnostics.problems() if self.posterior else [])


@dataclasses.dataclass(frozen=True, eq=False)
class Batch(Sequence[Member]):
    """The members of a batch, in the order of the studies.

    Examples
    --------
    >>> Batch((Member("one", error="Every run has N = 1e9."),)).table()[["study", "verdict", "problem"]].values.tolist()
    [['one', 'failed', 'Every run has N = 1e9.']]
    """

    members: tuple[Member, ...]

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Batch: ...
    def __getitem__(self, index: int | slice) -> Member | Batch:
        return Batch(self.members[index]) if isinstance(index, slice) else self.members[index]

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        counts = {v: sum(m.verdict == v for m in self) for v in ("converged", "not converged", "failed")}
        return f"Batch({len(self)} studies: {', '.join(f'{n} {v}' for v, n in counts.items() if n)})"

    @property
    def posteriors(self) -> list[Posterior]:
        """The fits that converged."""
        return [m.posterior for m in self if m.posterior is not None and m.verdict == "converged"]

    @property
    def flagged(self) -> list[Member]:
        """The members that failed or did not converge."""
        return [m for m in self if m.verdict != "converged"]

    def table(self) -> pd.DataFrame:
        """Return one row per study: ``study``, ``verdict``, the diagnostics and ``problem``."""
        names = [f.name for f in dataclasses.fields(Diagnostics)]
        rows = []
        for m in self:
            found = dataclasses.asdict(m.posterior.diagnostics) if m.posterior else dict.fromkeys(names)
            rows.append({"study": m.name, "verdict": m.verdict, **found, "problem": m.problem})
        return pd.DataFrame(rows, columns=["study", "verdict", *names, "problem"])


def fit_many(
    law: Law,
    studies: Iterable[Study],
    *,
    seed: int,
    draws: int = 1000,
    chains: int = 4,
    warmup: int | None = None,
    adapt: bool | None = None,
    starts: int = 4,
    chunk: int = 16,
    progress: bool = True,
) -> Batch:
    """Fit one law to many studies in one vectorised program.

    Rows are padded to one length and masked, so all studies share one compiled program, which runs ``chunk`` studies
    at a time.  A study that cannot be fitted is kept with its error; one that did not converge is fitted again on its
    own with adaptation, as :func:`bayes_scaling.fit` does, and flagged where that did not help.

    Parameters
    ----------
    law : Law
        What to fit.
    studies : iterable of Study
        The runs of each, as for :func:`bayes_scaling.fit`.
    seed : int
        Seed of the batch.  Each study gets a seed of its own from it and from its place (:func:`member_seed`), which
        its posterior remembers: ``fit(law, study, seed=posterior.seed)`` repeats one member.
    draws, chains, warmup, adapt, starts
        As for :func:`bayes_scaling.fit`.
    chunk : int
        Studies fitted side by side; fewer take less memory.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Batch
        One :class:`Member` per study, in their order.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla
    >>> ladder = bs.Study.load("olmo_ladder").rename(loss="task_loss")
    >>> batch = bs.fit_many(Chinchilla(), [ladder.select(task=t) for t in ladder.tasks], seed=0)  # doctest: +SKIP
    """
    entries = [_Entry.read(law, study, member_seed(seed, place)) for place, study in enumerate(studies)]
    plan = nuts.Plan(draws=draws, warmup=warmup or 150, chains=chains, starts=starts)
    usable = [e for e in entries if e.error is None]
    for entry in usable:
        entry.pad(max(len(e) for e in usable))
    with _Bar(progress, len(usable)) as advance:
        first, method = (adapted_plan(plan, warmup), "adapted") if adapt else (plan, "laplace")
        _sample_all(law, first, usable, chunk, method, advance)
        for entry in usable if adapt is None else ():
            if not entry.converged:  # alone: its long trajectories would hold up the others
                started = time.perf_counter()
                sampled = run(law, adapted_plan(plan, warmup), entry.seed, entry.runs, entry.observed)
                entry.accept(sampled, "adapted", time.perf_counter() - started)
    return Batch(tuple(entry.member(law) for entry in entries))


def member_seed(seed: int, place: int) -> int:
    """Return the seed of the study at ``place`` of a batch: 31 bits, independent between places and batches.

    Examples
    --------
    >>> member_seed(0, 0) != member_seed(0, 1) != member_seed(1, 0)
    True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1)[0] >> 1)


@dataclasses.dataclass
class _Entry:
    """A study on its way through the batch."""

    study: Study
    seed: int
    runs: dict[str, Any] = dataclasses.field(default_factory=dict)
    observed: dict[str, Any] = dataclasses.field(default_factory=dict)
    run_inputs: tuple[str, ...] = ()
    error: str | None = None
    sampled: nuts.Sampled | None = None
    diagnostics: Diagnostics | None = None
    seconds: float = 0.0

    @classmethod
    def read(cls, law: Law, study: Study, seed: int) -> _Entry:
        entry = cls(study, seed, run_inputs=law.run_inputs)
        try:
            entry.study = study.training
            entry.runs, entry.observed = law.arrays(entry.study)
            check_size(law, entry.study, entry.runs, entry.observed)
        except BayesScalingError as error:
            entry.error = str(error)
        return entry

    def __len__(self) -> int:
        return len(next(iter(self.observed.values())))

    def pad(self, rows: int) -> None:
        rows = bucket(rows)
        self.runs = pad(self.runs, rows, self.run_inputs)
        self.observed = pad(self.observed, rows, tuple(self.observed), np.nan)

    @property
    def shapes(self) -> tuple[Any, ...]:
        return tuple((k, np.shape(v)) for part in (self.runs, self.observed) for k, v in sorted(part.items()))

    @property
    def converged(self) -> bool:
        return self.diagnostics is not None and self.diagnostics.converged

    def accept(self, sampled: nuts.Sampled, method: str, seconds: float) -> None:
        found = diagnose(sampled, method=method)
        self.seconds += seconds
        if self.diagnostics is None or prefer_adapted(self.diagnostics, found):
            self.sampled, self.diagnostics = sampled, found

    def member(self, law: Law) -> Member:
        if self.sampled is None or self.diagnostics is None:
            return Member(self.study.name, error=self.error)
        made = Posterior.from_sampled(
            law, self.study, self.sampled, self.diagnostics, seed=self.seed, seconds=self.seconds
        )
        return Member(self.study.name, made)


def _sample_all(
    law: Law, plan: nuts.Plan, entries: list[_Entry], chunk: int, method: str, advance: Callable[[int], None]
) -> None:
    """Run the program over all entries, one group per shape, ``chunk`` at a time."""
    groups: dict[Any, list[_Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.shapes, []).append(entry)
    for group in groups.values():
        size = min(chunk, 1 << (len(group) - 1).bit_length())  # powers of two, so that few programs are compiled
        for begin in range(0, len(group), size):
            part = group[begin : begin + size]
            filled = part + part[-1:] * (size - len(part))
            started = time.perf_counter()
            with double_precision():
                keys = jax.vmap(jax.random.key)(np.array([e.seed for e in filled]))
                stacked = [_stack([getattr(e, name) for e in filled]) for name in ("runs", "observed")]
                sampled = jax.tree.map(np.asarray, _sample_chunk(law.program, plan, keys, *stacked))
            seconds = (time.perf_counter() - started) / len(part)
            for place, entry in enumerate(part):
                entry.accept(jax.tree.map(lambda x, place=place: x[place], sampled), method, seconds)
            advance(len(part))


@partial(jax.jit, static_argnames=("plan",))
def _sample_chunk(law: Law, plan: nuts.Plan, keys: jax.Array, runs: Arrays, observed: Arrays) -> nuts.Sampled:
    return jax.vmap(lambda key, runs, observed: nuts.sample(law, plan, key, runs, observed))(keys, runs, observed)


def _stack(parts: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(part[name]) for part in parts]) for name in parts[0]}


class _Bar:
    """A progress bar over studies; silent where it is not wanted."""

    def __init__(self, shown: bool, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, disable=not shown, transient=True)
        self.task = self.progress.add_task("fitting", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self.progress.start()
        return lambda done: self.progress.advance(self.task, done)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
