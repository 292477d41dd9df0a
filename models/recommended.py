"""The recommended forecast of one loss: which laws are averaged for a study, and what they take from others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpyro.distributions as dist

from bayes_scaling.decisions.inputs import scale_columns
from bayes_scaling.errors import LawError, StudyError
from bayes_scaling.evaluation.averaging import (
    AveragedFit,
    AveragedForecast,
    average_laws,
    fit_laws,
    forecast_equally,
)
from bayes_scaling.models.defaults import default_laws, no_scale
from bayes_scaling.models.population import POPULATION, Population
from bayes_scaling.models.repeated_data import RepeatedData
from bayes_scaling.models.superset import Superset
from bayes_scaling.models.superset_in_compute import SupersetInCompute
from bayes_scaling.models.superset_in_flops import SupersetInFlops
from bayes_scaling.study.flops import SIX_N_D, may_be_counted, training_flops
from bayes_scaling.study.study import require_study

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["candidates", "deciding", "fit_runs", "forecast_runs", "variants"]

ONE = dist.LogNormal(0.0, 0.05)  # the coupling of Chinchilla and of Kaplan; a spread, so that all share a program
WIDER = 2.0  # times the spread that exponents have over collections
UNEVEN = 1.5  # ratio of FLOPs to 6ND, largest over smallest, above which N is no measure of compute
BOUNDED = ("error rate", "fraction")  # units of an outcome that is at most one


def variants(law: type[Superset], population: Population, **options: Any) -> dict[str, Law]:
    """Return the special cases of the superset law that are averaged, by name.

    Parameters
    ----------
    law : type
        The superset law, or one of its views.
    population : Population
        What is learnt across collections.
    **options
        Further fields of the law.
    """
    learnt = {name: population.prior(name) for name in population.parameters}
    options = {**learnt, "drift": population.drift, "scatter": population.scatter, **options}
    exponents = {name: population.parameters[name] for name in ("alpha_N", "alpha_D")}
    wide = {name: dist.LogNormal(middle, WIDER * spread) for name, (middle, spread) in exponents.items()}
    return {
        "superset": law(**options),
        "chinchilla": law(**options | {"coupling": ONE}),
        "chinchilla (wide exponents)": law(**options | wide | {"coupling": ONE}),
        "kaplan": law(**options | {"coupling": ONE, "bottleneck": 1.0}),
    }


def candidates(study: Study, population: Population = POPULATION) -> dict[str, Law]:
    """Return the laws that a study's columns allow, by name.

    In parameters and tokens; also in compute per sample, where the FLOPs say that runs differ in what parameters do
    not count; along the compute-optimal path, where only FLOPs are known.  Where ``unique_tokens`` are known, what
    repeats are worth is learnt.

    Parameters
    ----------
    study : Study
        Runs of one loss.
    population : Population
        What is learnt across collections.

    Raises
    ------
    StudyError
        The study has none of the inputs.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> list(candidates(bs.Study.from_frame({"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [4.0, 3.5]})))
    ['superset', 'chinchilla', 'chinchilla (wide exponents)', 'kaplan']
    """
    columns = set(study.frame.columns)
    options: dict[str, Any] = {"ceiling": True} if study.card.unit("loss") in BOUNDED else {}
    if "unique_tokens" in columns:
        options["repeats"] = RepeatedData().repeats
    if may_be_counted(columns):
        laws = variants(Superset, population, **options)
        if "flops" in columns and _uneven(study):
            in_compute = variants(SupersetInCompute, population, **options)
            laws |= {f"{name}, compute per sample": law for name, law in in_compute.items()}
        return laws
    if "flops" in columns:
        return {f"{name}, FLOPs": law for name, law in variants(SupersetInFlops, population, **options).items()}
    raise no_scale(study)


def deciding(study: Study, population: Population = POPULATION) -> dict[str, Law]:
    """Return those candidates that read the scale of a run off its columns, so that decisions rest on them.

    Raises
    ------
    LawError
        All of them make their size of FLOPs.
    StudyError
        As :func:`.candidates` says.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> uneven = {"N": [1e8, 2e8], "D": [2e9, 4e9], "flops": [1.2e18, 9.6e18], "loss": [4.0, 3.5]}
    >>> list(deciding(bs.Study.from_frame(uneven)))
    ['superset', 'chinchilla', 'chinchilla (wide exponents)', 'kaplan']
    """
    found = {}
    for name, law in candidates(study, population).items():
        with contextlib.suppress(LawError):
            scale_columns(law)
            found[name] = law
    if not found:
        raise LawError(
            f"The laws that are averaged for {study.name!r} make their size of FLOPs, and no decision rests on such; "
            "name one law, such as chinchilla."
        )
    return found


def _uneven(study: Study) -> bool:
    """Say whether FLOPs per parameter and token differ between runs."""
    frame = study.training.frame
    counted = training_flops(frame, convention=SIX_N_D)
    ratio = frame["flops"].to_numpy(dtype=float) / counted
    return bool(np.max(ratio) > UNEVEN * np.min(ratio))


def forecast_runs(
    study: Study,
    targets: Any = None,
    *,
    seed: int,
    laws: Mapping[str, Law] | Sequence[Law] | None = None,
    allow_unconverged: bool = False,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedForecast:
    """Forecast runs: of one loss by laws averaged by their backtests, with what other collections taught.

    This is what ``bayes-scaling forecast`` does where no law is named.  Priors of the parameters, the error of the
    slope and how it grows with distance, the noise of new runs, and how much a study's own backtests count are learnt
    across public collections (:data:`bayes_scaling.models.population.POPULATION`); backtests inside the study weigh
    the laws and move the error of the slope.

    A study of tasks (columns ``task`` and ``accuracy``) is forecast by the two-step law through each of its losses,
    with equal weights and without backtests; a loss through which the forecast is refused is left out, with its reason.
    Of one task with a ``loss``, that loss is forecast.

    Parameters
    ----------
    study : Study
        Runs with ``loss``, or with tasks; and with ``n_params`` and ``tokens``, or ``flops``; three or more.
    targets : Study, DataFrame, mapping, or sequence of mappings, optional
        Runs to forecast; by default the study's own.
    seed : int
        Seed of every random draw.
    laws : mapping of str to Law, or sequence of Law, optional
        Laws of one loss to average, by any names or without; by default
        :func:`bayes_scaling.models.recommended.candidates`.
    allow_unconverged : bool
        Forecast from fits that did not converge.
    say : callable
        Told what is being done, in words: ``say=print``.
    **options
        As for :func:`bayes_scaling.fit`: ``draws``, ``chains``, ``adapt``.

    Returns
    -------
    AveragedForecast
        A forecast with the weights of the laws, their backtests and their fits.

    Raises
    ------
    ConvergenceError
        A fit did not converge.
    LawError, StudyError, TargetError
        A law cannot be fitted to the study, or has no number at a target, or a target lacks an input.

    Examples
    --------
    >>> forecast = bs.forecast_runs(study, {"N": 7e9, "D": 4e12}, seed=0)  # doctest: +SKIP
    >>> forecast.weights  # doctest: +SKIP
    """
    columns = set(require_study(study).frame)
    targets = study.targets if targets is None else targets
    if laws is None and {"task", "accuracy"} <= columns and not ("loss" in columns and len(study.tasks) == 1):
        how = {"seed": seed, "allow_unconverged": allow_unconverged, "say": say, **options}
        return AveragedForecast.of(*forecast_equally(default_laws(study)[1], study, targets, **how))
    _require_one_series(study)
    return average_laws(
        candidates(study) if laws is None else laws,
        study,
        targets,
        seed=seed,
        own_cuts=POPULATION.own_cuts,
        sharpness=POPULATION.sharpness,
        allow_unconverged=allow_unconverged,
        say=say,
        **options,
    )


def _require_one_series(study: Study) -> None:
    """Refuse the losses of several tasks: an average is of laws of one series."""
    if len(study.tasks) > 1:
        together = ", or fit the losses of all together, as in bs.fit(Pooled(), study, seed=0)"
        raise StudyError(
            f"Study {study.name!r} has {len(study.tasks)} tasks, and laws of one series are averaged; choose one with "
            f"study.select(task=...){together if {'run', 'loss'} <= set(study.frame) else ''}."
        )


def fit_runs(
    study: Study,
    *,
    seed: int,
    laws: Mapping[str, Law] | Sequence[Law] | None = None,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedFit:
    """Fit the laws that ``forecast_runs`` averages, without a target: what decisions of several laws rest on.

    Parameters
    ----------
    study, seed, say, **options
        As for :func:`bayes_scaling.forecast_runs`.
    laws : mapping of str to Law, or sequence of Law, optional
        By name, or without; by default those that :func:`bayes_scaling.models.recommended.deciding` returns.

    Returns
    -------
    AveragedFit
        The fits, with the weights of their laws and the backtests these rest on.

    Raises
    ------
    LawError, StudyError
        A law cannot be fitted to the study.

    Examples
    --------
    >>> fits = bs.fit_runs(study, seed=0)  # doctest: +SKIP
    >>> bs.allocate(bs.mixed_surface(fits.posteriors, fits.weights, seed=0), 1e24).table()  # doctest: +SKIP
    """
    _require_one_series(require_study(study))
    chosen = deciding(study) if laws is None else laws
    own_cuts, sharpness = POPULATION.own_cuts, POPULATION.sharpness
    return fit_laws(chosen, study, seed=seed, own_cuts=own_cuts, sharpness=sharpness, say=say, **options)
