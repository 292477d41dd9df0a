"""Fit a law to a study."""

from __future__ import annotations

import time

from bayes_scaling.errors import whole
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import PATIENCE, WARMUP, Effort, asked, fit_until_converged
from bayes_scaling.inference.fittable import check_learns, check_size
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.inference.precision import check_precision
from bayes_scaling.inference.progress import progress_bar
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.study.study import Study, require_study

__all__ = ["fit", "plan_of"]


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
        Posterior draws kept per chain; number of chains.  Of one chain alone nothing says whether it converged: the fit
        does not go on after its first try, and its draws are used where ``allow_unconverged=True`` is said.
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
        There is no such precision, or draws, chains, warm-up, starts, patience, the seed or ``adapt`` are none such.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla
    >>> ladder = bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="task_loss")
    >>> posterior = bs.fit(Chinchilla(), ladder, seed=0, draws=200, chains=2)  # doctest: +SKIP
    """
    require_law(law)
    seed = whole("seed", seed, 0)
    plan, effort = plan_of(draws, warmup, chains, starts, precision), Effort(adapt, warmup, patience)
    training = require_study(study).training
    runs, observed = law.arrays(training)
    check_size(law, training, runs, observed)
    check_learns(law, runs, observed)
    started = time.perf_counter()
    with progress_bar(progress, f"Fitting {law.name} to {study.name!r}"):
        sampled, diagnostics = fit_until_converged(law, plan, seed, runs, observed, effort)
    seconds = time.perf_counter() - started
    return Posterior.from_sampled(
        law, training, sampled, diagnostics, seed=seed, seconds=seconds, asked=asked(plan, effort)
    )


FEWEST_DRAWS = 4  # of a chain: its halves are held against each other


def plan_of(draws: int, warmup: int | None, chains: int, starts: int, precision: str) -> nuts.Plan:
    """Return how to sample, as a user asks, in plain numbers: NumPy's have no place in a file's attributes.

    Raises
    ------
    BayesScalingError
        A number is not whole or too small, or there is no such precision.
    """
    check_precision(precision)
    return nuts.Plan(
        draws=whole("draws", draws, FEWEST_DRAWS),
        warmup=WARMUP if warmup is None else whole("warmup", warmup, 1),
        chains=whole("chains", chains, 1),
        starts=whole("starts", starts, 1),
        precision=precision,
    )
