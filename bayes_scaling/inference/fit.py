"""Fit a law to a study."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from bayes_scaling.errors import LawError, StudyError
from bayes_scaling.inference import nuts
from bayes_scaling.inference.diagnostics import Diagnostics, diagnostics_of
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.inference.precision import as_numpy, check_precision, double_precision
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.inference.single_precision import largest_shift
from bayes_scaling.law.base import Law
from bayes_scaling.study.reading import SYMBOLS
from bayes_scaling.study.study import Study

__all__ = ["WARMUP", "adapted_plan", "check_size", "fit", "judge", "member_seed", "run_until_converged", "try_again"]

WARMUP = 200  # steps the step size needs
ADAPTED_WARMUP = 600  # steps a full adaptation of the mass matrix needs


def fit(
    law: Law,
    study: Study,
    *,
    seed: int,
    draws: int = 1000,
    chains: int = 4,
    warmup: int | None = None,
    adapt: bool | None = None,
    starts: int = 4,
    precision: str = "double",
    progress: bool = False,
) -> Posterior:
    """Fit a law to the training runs of a study with NUTS.

    Mode search, Laplace mass matrix, warm-up and sampling are one compiled program per law and shape.  Where the
    chains it gives have not converged, the fit is repeated with a mass matrix adapted during a longer warm-up, and
    the diagnostics say so.

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
        Adapt the mass matrix from the first (True), never (False), or where it is needed (the default).
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
    BayesScalingError
        There is no such precision.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla
    >>> ladder = bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="task_loss")
    >>> posterior = bs.fit(Chinchilla(), ladder, seed=0, draws=200, chains=2)  # doctest: +SKIP
    """
    check_precision(precision)
    check_kinds(law, study)
    training = study.training
    runs, observed = law.arrays(training)
    check_size(law, training, runs, observed)
    started = time.perf_counter()
    plan = nuts.Plan(draws, warmup or WARMUP, chains, law.thinning, starts, precision=precision)
    with progress_bar(progress, f"Fitting {law.name} to {study.name!r}"):
        sampled, diagnostics = run_until_converged(law, plan, seed, runs, observed, adapt=adapt, warmup=warmup)
    seconds = time.perf_counter() - started
    return Posterior.from_sampled(law, training, sampled, diagnostics, seed=seed, seconds=seconds)


def run_until_converged(
    law: Law,
    plan: nuts.Plan,
    seed: int,
    runs: Mapping[str, Any],
    observed: Mapping[str, Any],
    *,
    adapt: bool | None = None,
    warmup: int | None = None,
) -> tuple[nuts.Sampled, Diagnostics]:
    """Sample with the Laplace mass matrix, and with an adapted one where ``adapt`` says so or, being None, it must."""
    if adapt:
        plan = adapted_plan(plan, warmup)
    sampled = run(law, plan, seed, runs, observed)
    diagnostics = judge(law, plan, sampled, runs, observed)
    if adapt is None and diagnostics.helped_by_adaptation:
        return try_again(law, adapted_plan(plan, warmup), seed, runs, observed, sampled, diagnostics)
    return sampled, diagnostics


def adapted_plan(plan: nuts.Plan, warmup: int | None) -> nuts.Plan:
    """Return the plan of the second try: the mass matrix adapted in a longer warm-up, smaller steps, deeper trees."""
    return plan._replace(adapt=True, warmup=warmup or ADAPTED_WARMUP, thinning=1, max_tree_depth=10, target_accept=0.9)


def try_again(
    law: Law,
    plan: nuts.Plan,
    seed: int,
    runs: Mapping[str, Any],
    observed: Mapping[str, Any],
    sampled: nuts.Sampled,
    diagnostics: Diagnostics,
) -> tuple[nuts.Sampled, Diagnostics]:
    """Fit once more, with the adapted plan, and return the better of the two fits."""
    adapted = run(law, plan, seed, runs, observed)
    found = judge(law, plan, adapted, runs, observed)
    better = found.max_rhat <= diagnostics.max_rhat or found.converged
    return (adapted, found) if better else (sampled, diagnostics)


def judge(
    law: Law, plan: nuts.Plan, sampled: nuts.Sampled, runs: Mapping[str, Any], observed: Mapping[str, Any]
) -> Diagnostics:
    """Return the diagnostics of a fit, with the check of its precision where that was single."""
    found = diagnostics_of(sampled, "adapted" if plan.adapt else "laplace", plan.max_tree_depth)
    if plan.precision == "double":
        return found
    shift = largest_shift(law, sampled.posterior, runs, observed)
    return dataclasses.replace(found, precision=plan.precision, shift=shift)


def run(law: Law, plan: nuts.Plan, seed: int, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> nuts.Sampled:
    """Run the compiled program on padded arrays and bring the result back as NumPy arrays."""
    with double_precision(plan.precision == "double"):
        key = jax.random.key(seed)
        return as_numpy(nuts.sample(law.program, plan, key, *pad_study(law, runs, observed)))


def check_kinds(law: Any, study: Any) -> None:
    """Refuse what is no law or no study, with the words that make it one."""
    if not isinstance(law, Law):
        name = law.__name__ if isinstance(law, type) else "Chinchilla"
        raise LawError(f"The law is {law!r}, which is a {type(law).__name__} and no law; write {name}().")
    if not isinstance(study, Study):
        raise StudyError(f"The study is a {type(study).__name__}; make it one with bs.Study.from_frame(table).")


def check_size(law: Law, study: Study, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> None:
    """Refuse a study that cannot tell the law's parameters apart."""
    per_run = [a for a in observed.values() if np.ndim(a) == 1]
    count = len(next(iter(observed.values())))
    free = law.free_parameters
    needed = len(free) if per_run else max(4, len(law.run_inputs) + 2)
    if count < needed:
        raise StudyError(
            f"Study {study.name!r} has {count} runs, and {law.name} needs at least {needed} "
            f"({', '.join(free)}); add runs or fix parameters."
        )
    for name in (n for n in law.run_inputs if n in SYMBOLS or f"{n}0" in law.inputs):
        if len(np.unique(runs[name])) == 1:
            raise StudyError(
                f"Every run of study {study.name!r} has {name} = {runs[name][0]:g}, so {law.name} cannot learn its "
                "effect; add runs of another size, or use a law without it."
            )


def member_seed(seed: int, place: int) -> int:
    """Return the seed of the study at ``place`` of a batch: 31 bits, independent between places and batches.

    Examples
    --------
    >>> member_seed(0, 0) != member_seed(0, 1) != member_seed(1, 0)
    True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1)[0] >> 1)
