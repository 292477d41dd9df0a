"""Laws that err alike beyond their runs: the slope errors of one surface given to another, draw by draw."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from bayes_scaling.decisions.surface import Surface
from bayes_scaling.inference.padding import edge_of_data
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit, within
from bayes_scaling.law.trace import is_latent, run_model

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["erring_alike"]

STANDARD = ("discrepancy_slope", "discrepancy_common")  # ends of the sites that are standard normals, before a scale


def erring_alike(first: Surface, second: Surface, apart: Any) -> Surface:
    """Return the second surface with the slope errors of the first, draw by draw, each times its own law's scale.

    Where both laws draw the same sites in a forecast, the keys of the first do, and a scale that is drawn is shared as
    well.  Otherwise, as where one law states its scale as a number and the other as a prior, equal keys give other
    errors: so the standard normals of the first, of the series that is decided by, stand in place of the second's.

    Parameters
    ----------
    first, second : Surface
        Of as many draws, side by side.
    apart : array, shape (sample,)
        Keys of what the second does not share, independent of those of the first.
    """
    slopes = all(surface.discrepancy and surface.exponent_error is None for surface in (first, second))
    if not slopes or len(_drawn_sites(first) | _drawn_sites(second)) == 1:
        return dataclasses.replace(second, keys=first.keys)
    second = dataclasses.replace(second, keys=apart)
    shared: dict[str, np.ndarray] = {}
    for own, member in first.by_law:
        for site, values in _standard_normals(member).items():
            shared.setdefault(site, np.full(len(first), np.nan))[own] = _of_its_series(member, values)
    return second.holding([_replaced(member, own, shared) for own, member in second.by_law])


def _replaced(member: Surface, own: np.ndarray, shared: Arrays) -> dict[str, np.ndarray]:
    """Return the standard normals of a surface, those that are shared in place of its own where there are such."""
    found = {}
    for site, values in _standard_normals(member).items():
        if site in shared:
            given = shared[site][own].reshape(-1, *[1] * (values.ndim - 1))
            found[site] = np.where(np.isnan(given), values, given)
    return found


def _of_its_series(surface: Surface, values: np.ndarray) -> np.ndarray:
    """Return what is of the series that is decided by, of values of shape (sample,) or (sample, series)."""
    if values.ndim == 1:
        return values
    place = surface.series_index[-1] if surface.series_index else 0
    return values[:, min(place, values.shape[1] - 1)]  # of another quantity's series, which bears on no outcome here


def _standard_normals(surface: Surface) -> dict[str, np.ndarray]:
    """Return what each draw of one law draws as errors of the slope, shape (sample, ...), by site."""
    with double_precision():
        drawn = _drawn(*_arguments(surface))
    return {site: np.asarray(values) for site, values in drawn.items() if site.endswith(STANDARD)}


def _drawn_sites(surface: Surface) -> set[tuple[Any, ...]]:
    """Return which sites each law of a surface draws in a forecast, in order, of which shapes, and the series."""
    with double_precision():
        shapes = [(jax.eval_shape(within(_drawn), *_arguments(one)), one.series_index) for _, one in surface.by_law]
    return {(*((site, value.shape[1:]) for site, value in drawn.items()), series) for drawn, series in shapes}


def _arguments(surface: Surface) -> tuple[Any, ...]:
    """Return what the model of a law is run on: a fitted run, as if it were a target."""
    law, arrays = surface.posterior.law, surface.arrays
    runs = {name: values[:1] if name in law.run_inputs else values for name, values in arrays.items()}
    return law.program, surface.keys, surface.latent, runs, edge_of_data(law, arrays)


@jit
def _drawn(law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, fitted: Arrays) -> dict[str, jax.Array]:
    """Return what is drawn anew for each draw beside the noise of runs, by site."""

    def one(key: jax.Array, latent: Arrays) -> dict[str, jax.Array]:
        sites = run_model(law, runs, None, fitted, latent=latent, key=key)
        return {
            name: site["value"]
            for name, site in sites.items()
            if is_latent(site) and name not in latent and all(frame.name != "run" for frame in site["cond_indep_stack"])
        }

    return jax.vmap(one)(keys, latent)
