"""The outcomes a fit saw, one by one: their names, their values, their log likelihoods."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    from bayes_scaling.posterior import Posterior

__all__ = ["LEVELS", "Pointwise", "labels_of", "outcomes", "pointwise"]

LEVELS = ("quantity", "run", "place", "further")  # place: task or series; further: window
SAMPLE = ("chain", "draw")


@dataclasses.dataclass(frozen=True, eq=False)
class Pointwise:
    """Log likelihood of each outcome that a fit saw, without those left out.

    Attributes
    ----------
    labels : pandas.MultiIndex, shape (outcome,)
        Quantity, run, task or series, window; empty where there is none.
    values : array, shape (chain, draw, outcome)
        Natural logarithms of densities in the outcome's unit.
    kinds : mapping of str to str
        By quantity: ``independent`` given the parameters, or ``conditional`` on the other outcomes of the run.
    """

    labels: pd.MultiIndex
    values: np.ndarray
    kinds: dict[str, str]


def pointwise(posterior: Posterior) -> Pointwise:
    """Return the log likelihood of every outcome a fit saw, in one array."""
    group = posterior.with_groups("log_likelihood").tree["log_likelihood"].dataset
    columns = [v.to_numpy().reshape(*v.shape[:2], -1) for v in group.data_vars.values()]
    joined = np.concatenate(columns, axis=-1)
    present = np.isfinite(joined).any(axis=(0, 1))
    labels = pd.MultiIndex.from_tuples([at for v in group.data_vars.values() for at in labels_of(v)], names=LEVELS)
    kinds = {str(name): str(values.attrs["pointwise"]) for name, values in group.data_vars.items()}
    return Pointwise(labels[present], joined[..., present], kinds)


def outcomes(posterior: Posterior) -> pd.Series:
    """Return the values of the outcomes a fit saw, by the labels of :class:`Pointwise`, without those left out."""
    group = posterior.tree["observed_data"].dataset
    known = pd.concat([pd.Series(v.to_numpy().ravel(), labels_of(v)) for v in group.data_vars.values()])
    return known[np.isfinite(known)]


def labels_of(values: xr.DataArray) -> pd.MultiIndex:
    """Return the label of each entry of an array by run and further dims, in its order; sample dims are left out."""
    names = []
    for dim in (d for d in values.dims if d not in SAMPLE):
        own = pd.Series(values[dim].to_numpy().astype(str))  # positions where the dim has no coordinate
        repeat = own.groupby(own).cumcount()
        names.append(own.where(repeat == 0, own + " #" + (repeat + 1).astype(str)))  # checkpoints of one run
    filler = [[""]] * (len(LEVELS) - 1 - len(names))
    return pd.MultiIndex.from_product([[str(values.name)], *names, *filler], names=LEVELS)
