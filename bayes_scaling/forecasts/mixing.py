"""Forecasts of the same targets mixed: as many draws of each as its weight says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.errors import BayesScalingError, TargetError, listed, whole
from bayes_scaling.forecasts.forecast import BANDS, Forecast
from bayes_scaling.study.flops import may_be_counted
from bayes_scaling.study.reading import SAME_INPUT, SYMBOLS, symbol_of
from bayes_scaling.study.rows import shown
from bayes_scaling.study.validation import number_of

__all__ = ["average", "by_name", "called", "draws_of_each", "in_order", "shares"]


def average(
    forecasts: Iterable[Forecast] | Mapping[str, Forecast],
    weights: Sequence[float] | Mapping[str, float] | pd.Series | None = None,
    *,
    seed: int = 0,
) -> Forecast:
    """Mix forecasts of the same targets: each draw comes from one of them.  One alone is returned as it is.

    Of a quantity that some of them lack, as a law that goes straight to accuracy has no loss, their draws come from the
    others.

    Parameters
    ----------
    forecasts : iterable of Forecast, or mapping of str to Forecast
        Forecasts by different laws or intermediate losses, in a list or by name.
    weights : sequence, mapping or Series, optional
        Mixture weights, in the order of the forecasts or by the names of their laws, or of forecasts by name by the
        same names, such as the column ``weight_loo`` of :func:`bayes_scaling.compare`; equal by default.
    seed : int
        Seed of the choice of draws.

    Raises
    ------
    TargetError
        The forecasts are not of the same targets and tasks, or have no quantity in common; or a weight is missing,
        negative or infinite.
    BayesScalingError
        The seed is no whole number of at least 0.
    """
    forecasts, weights = in_order(list(forecasts) if isinstance(forecasts, Iterator) else forecasts, weights)
    rng = np.random.default_rng(whole("seed", seed, 0))
    if not (isinstance(forecasts, Sequence) and forecasts and all(isinstance(one, Forecast) for one in forecasts)):
        raise TargetError("The forecasts to average are none; give a list of what bs.forecast returns.")
    first = forecasts[0]
    share = shares(np.ones(len(forecasts)) if weights is None else weights, TargetError)
    if len(share) != len(forecasts):
        raise TargetError(f"{len(share)} weights do not fit {len(forecasts)} forecasts; give each one weight.")
    _require_alike(forecasts)
    if len(forecasts) == 1:
        return first
    weighed = [one for one, part in zip(forecasts, share, strict=True) if part > 0]
    size = min(f.draws.sizes["sample"] for f in weighed)
    taken = [
        rng.choice(one.draws.sizes["sample"], count, replace=False)
        for one, count in zip(forecasts, draws_of_each(share, size), strict=True)
    ]
    units, series_units = (_first_of(getattr(one, name) for one in weighed) for name in ("units", "series_units"))
    draws = xr.merge([_mixed(q, forecasts, share, taken, rng) for q in units], join="exact")
    known = _first_of(one.actual for one in forecasts)
    parts = zip(forecasts, share, strict=True)
    fits = tuple({**fit, "weight": fit.get("weight", 1.0) * part} for one, part in parts for fit in one.fits)
    return dataclasses.replace(
        first,
        draws=draws,
        actual=xr.Dataset({q: known[q] for q in units}),
        units=units,
        series_units=series_units,
        law=" + ".join(dict.fromkeys(f.law for f in forecasts)),
        discrepancy=any(f.discrepancy for f in forecasts),
        shortfall=xr.Dataset(_first_of(one.shortfall for one in forecasts)),
        made=max(f.made for f in forecasts),
        fits=fits,
    )


def _first_of(parts: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return everything that some mappings hold, by the first that holds it."""
    found: dict[Any, Any] = {}
    for part in parts:
        found |= {name: part[name] for name in part if name not in found}
    return found


def _require_alike(forecasts: Sequence[Forecast]) -> None:
    """Refuse forecasts of different targets, of no quantity in common, or of other tasks."""
    first = forecasts[0]
    for one in forecasts[1:]:
        shared = [q for q in first.units if q in one.units]
        if list(one.targets.index) != list(first.targets.index) or not shared:
            raise TargetError(
                "The forecasts to average are of different targets or quantities; forecast the same ones."
            )
        _require_same_inputs(first, one)
        for quantity in shared:
            its, ours = (f.actual[quantity] for f in (one, first))
            if its.dims != ours.dims or any(set(its[dim].values) != set(ours[dim].values) for dim in ours.dims):
                raise TargetError(
                    f"The forecasts by {first.law} and {one.law} are of {quantity} in different tasks or series; "
                    "forecast the same ones."
                )


def _require_same_inputs(first: Forecast, other: Forecast) -> None:
    """Refuse targets of one name and different sizes; what only one of the two gives is not compared."""
    shared = [column for column in SYMBOLS.values() if column in first.targets and column in other.targets]
    if may_be_counted(shared):  # which say the FLOPs; those given may be counted otherwise
        shared = [column for column in shared if column != "flops"]
    for column in shared:
        ours, its = (np.array([number_of(value) for value in one.targets[column]]) for one in (first, other))
        differ = np.isfinite(ours) & np.isfinite(its) & ~np.isclose(its, ours, rtol=SAME_INPUT, atol=0.0)
        if differ.any():
            place = int(np.argmax(differ))
            raise TargetError(
                f"The forecasts by {first.law} and {other.law} are of different runs called "
                f"{shown(first.targets.index[place])}, at {symbol_of(column)} = {ours[place]:g} and "
                f"{its[place]:g}; forecast the same ones."
            )


def _mixed(
    quantity: str, forecasts: Sequence[Forecast], share: np.ndarray, taken: list[np.ndarray], rng: np.random.Generator
) -> xr.Dataset:
    """Return the bands of one quantity, as many draws of each forecast; for one that lacks it, draws of the others."""
    names = [f"{quantity}_{band}" for band in BANDS]
    having = [i for i, one in enumerate(forecasts) if quantity in one.units]
    like = forecasts[having[0]].draws[names]
    others = share[having] / share[having].sum()

    def drawn(i: int, samples: np.ndarray) -> xr.Dataset:
        draws = forecasts[i].draws[names].isel(sample=samples)
        return draws.sel({dim: like[dim] for dim in like.dims if dim not in ("sample", "target")})

    parts = []
    for i, samples in enumerate(taken):
        if i in having:
            parts.append(drawn(i, samples))
            continue
        for j, count in zip(having, draws_of_each(others, len(samples)), strict=True):
            parts.append(drawn(j, rng.choice(forecasts[j].draws.sizes["sample"], count, replace=False)))
    return xr.concat(parts, "sample")


def shares(weights: Any, error: type[BayesScalingError]) -> np.ndarray:
    """Return weights as shares of one.

    Parameters
    ----------
    weights : sequence of float
        One weight of each part of a mixture.
    error : type
        What is raised where they are none.

    Raises
    ------
    BayesScalingError
        One is negative or no finite number, or none is above 0.

    Examples
    --------
    >>> shares([1, 3], TargetError).tolist()
    [0.25, 0.75]
    """
    try:
        share = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        share = np.full(1, np.nan)
    if share.ndim != 1 or not ((share >= 0).all() and 0 < share.sum() < np.inf):
        raise error(
            f"The weights are {listed(map(str, np.ravel(weights)))}; give numbers of at least 0, one of them above."
        )
    return share / share.sum()


def draws_of_each(share: np.ndarray, size: int) -> np.ndarray:
    """Return how many of ``size`` draws come from each part of a mixture; what is over goes to the largest.

    Examples
    --------
    >>> draws_of_each(np.array([0.25, 0.75]), 10).tolist()
    [2, 8]
    """
    counts = np.floor(share * size).astype(int)
    counts[np.argmax(share)] += size - counts.sum()
    return counts


def by_name(
    parts: Mapping[Any, Any], weights: Any, what: str, error: type[BayesScalingError] = TargetError
) -> list[Any]:
    """Return the weights of the parts of a mixture in the order of these, by their names.

    Parameters
    ----------
    parts : mapping by name
        What is weighed.
    weights : mapping or Series
        By the same names.
    what, error
        What a part is called, and what is raised.

    Raises
    ------
    BayesScalingError
        The names differ.
    """
    if odd := set(parts).symmetric_difference(weights.keys()):
        name = min(odd, key=str)
        has, lacks = (what, "weight") if name in parts else ("weight", what)
        raise error(f"There is a {has} of {name!r} and no {lacks}; name {what}s and weights alike.")
    return [weights[name] for name in parts]


def in_order(forecasts: Any, weights: Any, what: str = "forecast") -> tuple[Any, Any]:
    """Return forecasts and weights as lists in one order: by their names, where forecasts have names.

    Parameters
    ----------
    forecasts : sequence, or mapping by name
        What is weighed.
    weights : sequence, mapping or Series, or None
        By the same names, where both have names; those of a list may have the names of its laws, or its places.  With
        names of another kind they are in the order of the list.
    what : str
        What is weighed, for the message.

    Raises
    ------
    TargetError
        The names differ, some weights of a list have the names of laws that stand elsewhere in it, or weights are a
        column of a comparison, whose order is not that of a list.
    """
    if isinstance(forecasts, Mapping):
        named = isinstance(weights, (Mapping, pd.Series))
        return list(forecasts.values()), by_name(forecasts, weights, what) if named else weights
    if isinstance(weights, pd.Series) and str(weights.name).startswith("weight_"):
        raise TargetError(
            "The weights are a column of a comparison, whose order is not that of a list of forecasts; give the "
            "forecasts by name, as in bs.average({'name': forecast}, weights), or take bs.stacking_weights."
        )
    if isinstance(weights, (Mapping, pd.Series)) and isinstance(forecasts, Sequence):
        laws = called(forecasts)
        for names in (laws, range(len(laws))):
            if len(weights) == len(names) and set(names) == set(weights.keys()):
                return forecasts, [weights[name] for name in names]
        places = {law.lower(): place for place, law in enumerate(laws)}
        if any(places.get(str(name).lower(), place) != place for place, name in enumerate(weights.keys())):
            by_name(dict.fromkeys(laws), weights, what)
    return forecasts, list(weights.values()) if isinstance(weights, Mapping) else weights


def called(parts: Sequence[Any]) -> list[str]:
    """Return the names of the laws of several fits or forecasts, numbered where alike; of what is neither, its kind."""
    laws = [getattr(one, "law", type(one).__name__) for one in parts]
    names = [law if isinstance(law, str) else law.name for law in laws]
    return [f"{name} {names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]
