"""Fit a law to a study."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayes_scaling.errors import LawError, StudyError, counted, whole
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import PATIENCE, WARMUP, Effort, fit_until_converged
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.inference.precision import check_precision
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.study.reading import SYMBOLS
from bayes_scaling.study.rows import shown
from bayes_scaling.study.study import Study, require_study

__all__ = ["check_size", "fit", "member_seed", "refusal", "require_law"]


def fit(
    law: Law,
    study: Study,
    *,
    seed: int,
    draws: int = 1000,
    chains: int = 4,
    warmup: int | None = None,
    adapt: bool | None = None,
    patience: float = PATIENCE,
    starts: int = 8,
    precision: str = "double",
    progress: bool = False,
) -> Posterior:
    """Fit a law to the training runs of a study with NUTS.

    Mode search, Laplace mass matrix, warm-up and sampling are one compiled program per law and shape.  A fit that was
    merely short goes on by itself: its chains are taken further and thinned to the draws asked for, or made again in
    smaller steps; where that does not do, the mass matrix is adapted during a longer warm-up
    (``bayes_scaling/inference/attempts.py``).

    Parameters
    ----------
    law : Law
        What to fit.
    study : Study
        Its runs with role ``train``, or all runs where there is no ``role`` column.
    seed : int
        Seed of every random draw.
    draws, chains : int
        Posterior draws kept per chain; number of chains.
    warmup : int, optional
        Warm-up steps per chain; by default 200, and 600 with adaptation.
    adapt : bool, optional
        Adapt the mass matrix from the first (True), or where it is needed (the default).  False makes one short run
        and leaves it as it is, converged or not.
    patience : float
        Seconds that the fit may go on after its first try; what converges does not depend on it.
    starts : int
        Starts of the mode search.
    precision : {"double", "single"}
        Compute in 64 bits, or in 32, which accelerators are made for.  A fit in single precision is checked: at 200 of
        its draws the potential is computed both ways, which bounds how far rounding can have moved any posterior mean
        (:func:`bayes_scaling.inference.single_precision.largest_shift`).  The bound is the diagnostics' ``shift``;
        above 0.05 posterior standard deviations the fit counts as not converged, and forecasts refuse it.
    progress : bool
        Show a bar while the fit runs.

    Returns
    -------
    Posterior
        Draws, sample statistics, data and diagnostics in one ``xarray.DataTree``.

    Raises
    ------
    StudyError
        The study lacks a column of the law, has fewer outcomes than the law has parameters, or does not vary an input.
    LawError
        All parameters of the law are fixed, or it gives the runs no probability whatever they are.
    BayesScalingError
        There is no such precision, or draws, chains, warm-up, starts or the seed are no such numbers.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla
    >>> ladder = bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="task_loss")
    >>> posterior = bs.fit(Chinchilla(), ladder, seed=0, draws=200, chains=2)  # doctest: +SKIP
    """
    require_law(law)
    plan = plan_of(law, draws, warmup, chains, starts, precision, seed)
    training = require_study(study).training
    runs, observed = law.arrays(training)
    check_size(law, training, runs, observed)
    started = time.perf_counter()
    with progress_bar(progress, f"Fitting {law.name} to {study.name!r}"):
        effort = Effort(adapt, warmup, patience)
        sampled, diagnostics = fit_until_converged(law, plan, seed, runs, observed, effort)
    if not np.isfinite(sampled.mode_potential).any():
        raise LawError(
            f"{law.name} gives the runs of {training.name!r} no probability from any of {plan.starts} starts, because "
            "its outcome is not a number or is infinite there; see what its equation takes the logarithm or a power of."
        )
    seconds = time.perf_counter() - started
    return Posterior.from_sampled(law, training, sampled, diagnostics, seed=seed, seconds=seconds)


FEWEST_DRAWS = 4  # of a chain: its halves are held against each other


def plan_of(law: Law, draws: int, warmup: int | None, chains: int, starts: int, precision: str, seed: int) -> nuts.Plan:
    """Return how to sample a law, as its user asks.

    Raises
    ------
    LawError
        The law has nothing to learn.
    BayesScalingError
        A number is not whole or too small, or there is no such precision.
    """
    check_precision(precision)
    asked = {"draws": (draws, FEWEST_DRAWS), "chains": (chains, 1), "starts": (starts, 1), "seed": (seed, 0)}
    if warmup is not None:
        asked["warmup"] = warmup, 1
    for name, (value, least) in asked.items():
        whole(name, value, least)
    if not law.free_parameters:
        raise LawError(f"All parameters of {law.name} are fixed, so there is nothing to fit; give one of them a prior.")
    return nuts.Plan(draws, warmup or WARMUP, chains, law.thinning, starts, precision=precision)


FEWEST = 3  # runs, where priors carry the rest


def check_size(law: Law, study: Study, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> None:
    """Refuse a study that cannot tell the law's parameters apart.

    Raises
    ------
    StudyError
        It has too few runs, no outcome of a series, an outcome below a floor that is fixed, or runs of one size.
    """
    per_run = [a for a in observed.values() if np.ndim(a) == 1]
    count = len(next(iter(observed.values())))
    free = law.free_parameters
    needed = FEWEST if law.rests_on_priors else len(free) if per_run else max(4, len(law.run_inputs) + 2)
    if count < needed:
        cure = f" ({', '.join(free)}); add runs or fix parameters" if per_run else "; add runs"
        raise StudyError(
            f"Study {study.name!r} has {_rows(study, count)}, and {law.name} needs at least {needed}{cure}."
        )
    for name, values in observed.items():
        if np.ndim(values) == 2 and (empty := ~np.isfinite(values).any(axis=0)).any():
            dims, coords = law.dims(study)
            label = coords[dims[name][0]][int(np.argmax(empty))]
            raise StudyError(
                f"No run of study {study.name!r} has {name} of {shown(label)}; give that of some runs, or leave it out."
            )
    floor = law.priors.get("E")
    outcome = np.asarray(observed.get(law.outcome, np.nan), dtype=float)
    if isinstance(floor, (int, float)) and (outcome <= floor).any():
        raise StudyError(
            f"{law.name} fixes its floor E at {floor:g}, and study {study.name!r} has a {law.outcome} of "
            f"{np.nanmin(outcome):g}; fix it below every outcome, or let it be learnt."
        )
    for name in (n for n in law.run_inputs if n in SYMBOLS or f"{n}0" in law.inputs):
        if not law.rests_on_priors and len(np.unique(runs[name])) == 1:
            raise StudyError(
                f"Every run of study {study.name!r} has {name} = {runs[name][0]:g}, so {law.name} cannot learn its "
                "effect; add runs of another size, or use a law without it."
            )


def _rows(study: Study, count: int) -> str:
    """Return what a law reads off a study, with its number: runs, or checkpoints of fewer of them."""
    runs = len(study.runs)
    return f"{count} checkpoints of {counted(runs, 'run')}" if runs < count else counted(count, "run")


def refusal(law: Law, study: Study) -> StudyError | None:
    """Return why a law cannot be fitted to a study; None where it can."""
    try:
        check_size(law, study.training, *law.arrays(study.training))
    except StudyError as error:
        return error
    return None


def member_seed(seed: int, place: int) -> int:
    """Return the seed of the study at ``place`` of a batch: 31 bits, independent between places and batches.

    Examples
    --------
    >>> member_seed(0, 0) != member_seed(0, 1) != member_seed(1, 0)
    True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1)[0] >> 1)
