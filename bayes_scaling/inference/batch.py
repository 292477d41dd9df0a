"""Fit one law to many studies at once: one vectorised program, a verdict for each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, overload

import pandas as pd

from bayes_scaling.errors import BayesScalingError, LawError, whole
from bayes_scaling.inference.attempts import PATIENCE, Effort, adapted_plan, asked
from bayes_scaling.inference.chunks import Entry, Fitted, chunk_of, divide, fit_unit
from bayes_scaling.inference.diagnostics import Diagnostics
from bayes_scaling.inference.fit import plan_of
from bayes_scaling.inference.fittable import check_learns
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.inference.seeds import member_seed
from bayes_scaling.inference.store import RunStore
from bayes_scaling.law.base import require_law
from bayes_scaling.study.study import require_studies

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["Batch", "Member", "fit_many"]

MEMORY = 2**30  # bytes a unit of work may take


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
    place : int
        Its place among the studies that were given, by which those of one name are told apart.
    """

    name: str
    posterior: Posterior | None = None
    error: str | None = None
    place: int = 0

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

    Attributes
    ----------
    members : tuple of Member
        One for each study.

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
        """Return one row per study: ``place``, ``study``, ``verdict``, the diagnostics and ``problem``."""
        names = [f.name for f in dataclasses.fields(Diagnostics)]
        rows = []
        for m in self:
            found = dataclasses.asdict(m.posterior.diagnostics) if m.posterior else dict.fromkeys(names)
            rows.append({"place": m.place, "study": m.name, "verdict": m.verdict, **found, "problem": m.problem})
        return pd.DataFrame(rows, columns=["place", "study", "verdict", *names, "problem"])


def fit_many(
    law: Law,
    studies: Iterable[Study],
    *,
    seed: int,
    draws: int = 1000,
    chains: int = 4,
    warmup: int | None = None,
    adapt: bool | None = None,
    patience: float = PATIENCE,
    starts: int = 8,
    precision: str = "double",
    chunk: int | None = None,
    memory: float = MEMORY,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool = True,
) -> Batch:
    """Fit one law to many studies in one vectorised program, here or on many machines.

    Rows are padded to one length and masked, so all studies share one compiled program, which runs one study at a time
    on a CPU, and on an accelerator as many as a memory budget allows.  A study that cannot be fitted is kept with its
    error; one that did not converge goes on by itself, as :func:`bayes_scaling.fit` does, and is flagged where that did
    not help.

    Parameters
    ----------
    law : Law
        What to fit.
    studies : iterable of Study
        The runs of each, as for :func:`bayes_scaling.fit`.
    seed : int
        Seed of the batch.  Each study gets a seed of its own from it and from its place
        (:func:`bayes_scaling.inference.seeds.member_seed`), which its posterior remembers: ``fit(law, study,
        seed=posterior.seed)`` repeats one member with the same random numbers, so that its draws are the same up to
        rounding, which grows along the chains.
    draws, chains, warmup, adapt, patience, starts, precision
        As for :func:`bayes_scaling.fit`.
    chunk : int, optional
        Studies fitted side by side, the unit of work.  By default as many as ``memory`` holds by the estimate of
        :func:`bayes_scaling.inference.chunks.study_bytes`; on a CPU one, because chains side by side wait for the
        longest trajectory among them.  A batch that resumes from a store needs the chunk it began with, and is refused
        with another.
    memory : float
        Bytes that a unit of work may take where it is fitted; by default one GiB.
    executor : concurrent.futures.Executor, optional
        Where to fit the units: a process pool (started by ``spawn``: JAX does not survive a fork),
        ``dask.distributed.Client(...).get_executor()``, mpi4py's or submitit's executor; by default here.
    store : str or Path, optional
        A folder that keeps each fit as it finishes.  The same call resumes a batch that was killed: what the folder
        holds is not fitted again, and the result is the same draw for draw.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Batch
        One :class:`bayes_scaling.inference.batch.Member` per study, in their order.

    Raises
    ------
    LawError
        All parameters of the law are fixed.
    FileError
        The store cannot be written, or holds another batch, or one of other versions of the package.
    BayesScalingError
        There is no such precision, ``chunk`` is no whole number above zero, or ``memory`` no positive number.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla
    >>> ladder = bs.load_study("olmo_ladder").rename(loss="task_loss")
    >>> batch = bs.fit_many(Chinchilla(), [ladder.select(task=t) for t in ladder.tasks], seed=0)  # doctest: +SKIP
    """
    require_law(law)
    seed = whole("seed", seed, 0)
    plan, effort = plan_of(draws, warmup, chains, starts, precision), Effort(adapt, warmup, patience)
    if chunk is not None:
        chunk = whole("chunk", chunk, 1)
    if not isinstance(memory, Real) or not 0 < memory < math.inf:
        raise BayesScalingError(f"memory is {memory!r}; give a number of bytes above zero.")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise BayesScalingError(
            f"The executor is {executor!r}, to which nothing can be submitted; give one such as "
            "concurrent.futures.ProcessPoolExecutor(2)."
        )
    several = require_studies(studies)
    entries = [Entry.read(law, study, member_seed(seed, place)) for place, study in enumerate(several)]
    longest = max((len(e) for e in entries if e.error is None), default=0)
    for entry in entries:
        if entry.error is None:
            check_learns(law, entry.runs, entry.observed)
            entry.pad(law, longest)
    first = adapted_plan(plan, effort.warmup) if effort.adapt else plan
    chunk = chunk or chunk_of(law, first, entries, memory)
    kept = RunStore(store, law, first, effort, chunk, entries) if store is not None else None
    fits: dict[int, Posterior] = {}
    units, waiting = divide(entries, chunk), []
    size = min(chunk, 1 << (max(map(len, units), default=1) - 1).bit_length())  # powers of two: few programs
    for unit in units:
        if kept:
            found = {p: kept.load(p, entries[p].study) for p in unit}
            fits |= {p: posterior for p, posterior in found.items() if posterior is not None}
            for p in unit:
                entries[p].error = kept.load_error(p)
        if not all(p in fits or entries[p].error for p in unit):  # repeated as a whole, so that its draws are the same
            waiting.append(unit)
    work = [(law, first, effort, size, [entries[p].data for p in unit]) for unit in waiting]
    with progress_bar(progress, f"Fitting {law.name}", sum(map(len, waiting))) as advance:
        for i, results in _finished(executor, work):
            for place, one in zip(waiting[i], results, strict=True):
                entry = entries[place]
                if isinstance(one, LawError):
                    entry.error = str(one)
                    if kept:
                        kept.save_error(place, entry.error)
                    continue
                made = (law, entry.study, one.sampled, one.diagnostics)
                fits[place] = Posterior.from_sampled(
                    *made, seed=entry.seed, seconds=one.seconds, asked=asked(plan, effort)
                )
                if kept:
                    kept.save(place, fits[place])
            advance(len(results))
    return Batch(tuple(Member(e.study.name, fits.get(i), e.error, i) for i, e in enumerate(entries)))


def _finished(executor: Executor | None, work: list[tuple]) -> Iterator[tuple[int, list[Fitted | LawError]]]:
    """Yield (number of the unit, its fits) as they finish."""
    if executor is None:
        yield from ((i, fit_unit(*unit)) for i, unit in enumerate(work))
        return
    futures = {executor.submit(fit_unit, *unit): i for i, unit in enumerate(work)}
    for future in as_completed(futures):
        yield futures[future], future.result()
