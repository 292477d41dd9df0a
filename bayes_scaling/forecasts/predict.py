"""From a posterior to runs nobody fitted: the forecast of all targets, or of a few at a time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.errors import LawError, TargetError, whole
from bayes_scaling.forecasts.draws import BLOCK, PredictiveDraws
from bayes_scaling.forecasts.forecast import BANDS, Forecast
from bayes_scaling.forecasts.targets import Targets, read_targets
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.law.base import Law
from bayes_scaling.study.flops import distances, measure_of
from bayes_scaling.study.rows import shown

__all__ = ["forecast", "forecast_chunks", "forecast_points"]

MOST_NEGATIVE = 0.01  # share of draws in which a law may leave the outcomes that there can be
MOST_BELOW = (
    0.02  # share of draws that may have the floor of an input above a target: their outcome is that of the floor
)
MOST_INFINITE = 0.01  # share of draws that may be beyond all numbers: they have a place among the others, NaN has none
REMEMBERED = ("law", "study", "checksum", "bayes_scaling")  # what a forecast keeps of the making of a fit


def forecast(
    posterior: Posterior,
    targets: Any = None,
    *,
    discrepancy: bool = True,
    seed: int | None = None,
    samples: int | None = None,
    given: str | Sequence[str] = (),
    allow_unconverged: bool = False,
) -> Forecast:
    """Forecast runs from a posterior.

    Parameters
    ----------
    posterior : Posterior
        A converged fit.
    targets : Study, DataFrame, mapping, or sequence of mappings
        Inputs of the runs to forecast (``{"N": 7e9, "D": 4e12}``), with outcomes where they are known.
    discrepancy : bool
        Add the law's extrapolation discrepancy beyond the fitted runs, and what noise it gives runs there besides
        (the laws of the average: half as much again).  Without it, intervals are those of the law as if it were exact,
        and too narrow far out.
    seed : int, optional
        Seed of the predictive draws; by default the fit's.
    samples : int, optional
        Posterior draws to use, evenly spaced; by default all.
    given : str or sequence of str
        Outcomes of the targets to condition on where a law has several: ``given=["loss"]`` forecasts the accuracy of
        runs whose losses are known, in the band ``run``.
    allow_unconverged : bool
        Forecast from a fit that did not converge.

    Raises
    ------
    ConvergenceError
        The fit did not converge.
    LawError
        The law expects an outcome of zero or less, where outcomes are positive; or what it says is no number in some
        draws, or infinite in more than a few.
    TargetError
        A target lacks an input of the law, or has one that the law does not allow: mostly one that is not positive.
    BayesScalingError
        The seed is no whole number of at least 0, or ``samples`` none of at least 1.

    Notes
    -----
    The slope error of the discrepancy is one number per draw, shared by all targets; the noise of a target depends on
    the seed and on its place among the targets alone.  All draws are kept: three numbers for each draw of each outcome
    of each target.  :func:`forecast_chunks` keeps those of a few targets at a time.
    """
    require_posterior(posterior).require_converged(allow_unconverged)
    law, aims = posterior.law, read_targets(posterior.law, posterior.study, targets)
    given = (given,) if isinstance(given, str) else given or ()
    for name in given:
        if name not in aims.actual or not np.isfinite(aims.actual[name]).all():
            raise TargetError(f"The targets do not all have the outcome {name!r} to condition on; give it for each.")
    seed = posterior.seed if seed is None else whole("seed", seed, 0)
    data = _drawn(posterior, aims, given, seed=seed, samples=samples, discrepancy=discrepancy)
    _require_numbers(law, aims, data)
    _require_positive(law, aims, data)
    return _assemble(posterior, aims, data, seed, discrepancy)


def forecast_points(posterior: Posterior, points: Any, *, discrepancy: bool, samples: int) -> Forecast:
    """Forecast points that a picture looks at, from a fit that need not have converged.

    They are nobody's targets, and some lie beyond all of these: where the law has no number in a draw, it is NaN.

    Parameters
    ----------
    posterior, points, discrepancy, samples
        As for :func:`bayes_scaling.forecast`.

    Raises
    ------
    LawError
        The law expects an outcome of zero or less, where outcomes are positive.
    TargetError
        A point lacks an input of the law, or has one that the law does not allow.
    """
    aims = read_targets(posterior.law, posterior.study, points)
    data = _drawn(posterior, aims, (), seed=posterior.seed, samples=samples, discrepancy=discrepancy)
    _require_positive(posterior.law, aims, data)
    return _assemble(posterior, aims, data, posterior.seed, discrepancy)


def _drawn(posterior: Posterior, aims: Targets, given: Sequence[str], **options: Any) -> dict[str, np.ndarray]:
    """Return the draws of each band of each quantity, shape (sample, target, ...)."""
    draws = PredictiveDraws.of(posterior, **options)
    data: dict[str, np.ndarray] = {}
    inputs = aims.inputs(posterior.law)
    for place, found in draws.blocks(inputs, {name: aims.actual[name] for name in given}, aims.first):
        for name, values in found.items():
            if name not in data:
                data[name] = np.empty((len(values), len(aims), *values.shape[2:]))
            data[name][:, place] = values
    return data


def forecast_chunks(posterior: Posterior, targets: Any = None, **options: Any) -> Iterator[Forecast]:
    """Forecast many runs a few at a time, in memory that does not grow with their number.

    The chunks put end to end are the forecast of all targets, draw for draw.

    Parameters
    ----------
    posterior, targets, **options
        As for :func:`bayes_scaling.forecast`, and so are the errors.

    Yields
    ------
    Forecast
        Of the next :data:`bayes_scaling.forecasts.draws.BLOCK` targets, in their order.

    Examples
    --------
    >>> parts = bs.forecast_chunks(posterior, many)  # doctest: +SKIP
    >>> table = pd.concat([part.intervals() for part in parts], ignore_index=True)  # doctest: +SKIP
    """
    aims = read_targets(require_posterior(posterior).law, posterior.study, targets)
    return (forecast(posterior, aims.part(begin, begin + BLOCK), **options) for begin in range(0, len(aims), BLOCK))


def _require_numbers(law: Law, aims: Targets, found: Mapping[str, np.ndarray]) -> None:
    """Refuse draws that are no numbers: without them the others are those of another law."""
    for name, values in found.items():
        if np.isfinite(values).all():
            continue
        nan, lost = np.isnan(values).mean(axis=0), (~np.isfinite(values)).mean(axis=0)  # (target, ...)
        odd = (nan > 0) | (lost > MOST_INFINITE)
        if odd.any():
            place = int(np.argmax(odd.reshape(len(aims), -1).any(axis=1)))
            share, what = (nan[place].max(), "NaN") if (nan[place] > 0).any() else (lost[place].max(), "infinite")
            raise LawError(
                f"{law.name} says a {name.rpartition('_')[0]} that is {what} at target "
                f"{shown(aims.frame.index[place])} in {share:.1%} of its draws; forecast nearer targets, or use a law "
                "that has a number there."
            )


def _require_positive(law: Law, aims: Targets, found: Mapping[str, np.ndarray]) -> None:
    """Refuse a law of one series that has left the outcomes that its noise can have."""
    name, expected = law.outcome, found.get(f"{law.outcome}_law")
    if expected is None or expected.ndim != 2 or law.additive:
        return
    share = (expected <= 0).mean(axis=0)
    if (share > MOST_NEGATIVE).any():
        place = int(np.argmax(share))
        raise LawError(
            f"{law.name} expects a {name} of zero or less at target {shown(aims.frame.index[place])} in "
            f"{share[place]:.0%} of its draws, which its noise, a factor, does not allow; use a law that levels off, "
            f"or one that names {name} among its signed outcomes and has noise that adds."
        )


def _shortfall(posterior: Posterior, frame: pd.DataFrame) -> xr.Dataset:
    """Return by how much the largest run of all exceeds that of each series, as far as the targets' columns tell it."""
    law, study = posterior.law, posterior.study
    dims, coords = law.dims(study)
    quantities = [q for q in law.quantities if dims.get(q)]
    if not quantities:
        return xr.Dataset()
    runs, outcomes = study.runs, law.arrays(study)[1]
    reach = distances(study, runs[[column for column in runs if column in frame]], law.columns.values())
    found = {}
    for q in quantities:
        own = np.where(np.isfinite(outcomes[q]), reach.reshape(-1, *[1] * len(dims[q])), 0.0).max(axis=0)
        found[q] = (dims[q], np.divide(1.0, own, out=np.full(own.shape, np.nan), where=own > 0))
    return xr.Dataset(found, {d: coords[d] for q in quantities for d in dims[q]})


def _assemble(
    posterior: Posterior, aims: Targets, found: Mapping[str, np.ndarray], seed: int, discrepancy: bool
) -> Forecast:
    law = posterior.law
    dims, coords = law.dims(posterior.study)
    shape = {q: ("target", *dims.get(q, [])) for q in law.quantities}
    used = {d for names in shape.values() for d in names}
    coords = {k: v for k, v in coords.items() if k in used} | {"target": list(aims.frame.index)}
    data = {f"{q}_{band}": (("sample", *shape[q]), found[f"{q}_{band}"]) for q in law.quantities for band in BANDS}
    return Forecast(
        targets=aims.frame.assign(distance=distances(posterior.study, aims.frame, law.columns.values())),
        draws=xr.Dataset(data, coords=coords),
        actual=xr.Dataset({q: (shape[q], aims.actual[q]) for q in law.quantities}, coords=coords),
        units=posterior.units,
        series_units=posterior.series_units,
        law=law.name,
        study=posterior.study.name,
        seed=seed,
        measure=measure_of(law.columns.values()),
        discrepancy=discrepancy,
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        shortfall=_shortfall(posterior, aims.frame),
        fits=({name: posterior.tree.attrs[name] for name in REMEMBERED if name in posterior.tree.attrs},),
    )
