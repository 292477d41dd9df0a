"""The names of what a fit has: its parameters, their entries, and the outcomes it saw, with their log likelihoods."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.evaluation.groups import with_groups
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.trace import latent_priors

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = [
    "LEVELS",
    "Pointwise",
    "entry_labels",
    "labels_of",
    "outcomes",
    "parameters",
    "pointwise",
    "prior_ranks",
    "supports",
]

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
        By quantity: ``independent`` given the parameters, ``conditional`` on the other outcomes of the run, or
        ``sequential``, each given the one before it.
    places : tuple of (str, int)
        The site of each outcome, and its place in the site's array, counted through.
    """

    labels: pd.MultiIndex
    values: np.ndarray
    kinds: dict[str, str]
    places: tuple[tuple[str, int], ...]


def pointwise(posterior: Posterior) -> Pointwise:
    """Return the log likelihood of every outcome a fit saw, in one array."""
    group = with_groups(posterior, "log_likelihood").tree["log_likelihood"].dataset
    columns = [v.to_numpy().reshape(*v.shape[:2], -1) for v in group.data_vars.values()]
    joined = np.concatenate(columns, axis=-1)
    present = np.isfinite(joined).any(axis=(0, 1))
    labels = pd.MultiIndex.from_tuples([at for v in group.data_vars.values() for at in labels_of(v)], names=LEVELS)
    kinds = {str(name): str(values.attrs["pointwise"]) for name, values in group.data_vars.items()}
    sizes = {str(v.name): own.shape[-1] for v, own in zip(group.data_vars.values(), columns, strict=True)}
    places = [(name, i) for name, size in sizes.items() for i in range(size)]
    kept = tuple(place for place, there in zip(places, present, strict=True) if there)
    return Pointwise(labels[present], joined[..., present], kinds, kept)


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


def parameters(posterior: Posterior) -> list[str]:
    """Return the parameters a reader knows: without derived constants and without the parts of pooled ones."""
    names = list(map(str, posterior.tree["posterior"].data_vars))
    sites = supports(posterior)
    pooled = {name for name in names if f"{name}_mean" in sites}
    parts = {f"{name}{end}" for name in pooled for end in ("_mean", "_offset")}
    return [name for name in names if name in pooled or (name in sites and name not in parts)]


def supports(posterior: Posterior) -> dict[str, list[float]]:
    """Return the finite bounds of every latent site; those of a site with several entries are of each entry."""
    law = posterior.law
    with double_precision():
        sites = latent_priors(law.program, *law.arrays(posterior.study))
        bounds = {
            name: [getattr(_of_an_entry(fn.support), end, np.inf) for end in ("lower_bound", "upper_bound")]
            for name, fn in sites.items()
        }
        return {n: [float(b) for b in ends if np.ndim(b) == 0 and np.isfinite(b)] for n, ends in bounds.items()}


def _of_an_entry(support: Any) -> Any:
    """Return what a support asks of one entry: NumPyro wraps that of an event of several in another."""
    return _of_an_entry(support.base_constraint) if hasattr(support, "base_constraint") else support


def entry_labels(draws: xr.DataArray) -> list[str]:
    """Return the name of each entry of a parameter: ``E``, or ``E[task_loss:MMLU]`` where there are several."""
    places = [d for d in draws.dims if d not in ("chain", "draw")]
    index = pd.MultiIndex.from_product([draws[d].to_numpy() for d in places]) if places else [()]
    return [f"{draws.name}[{', '.join(map(str, at))}]" if places else str(draws.name) for at in index]


def prior_ranks(posterior: Posterior, name: str) -> np.ndarray:
    """Return where in the prior each posterior draw lies, between 0 and 1: shape (sample, entry).

    The fit has the group ``prior``.
    """
    draws, prior = (posterior.tree[group][name].to_numpy() for group in ("posterior", "prior"))
    draws, prior = (x.reshape(x.shape[0] * x.shape[1], -1) for x in (draws, prior))
    ordered = np.sort(prior, axis=0)
    places = [np.searchsorted(ordered[:, i], draws[:, i]) for i in range(draws.shape[1])]
    return (np.stack(places, axis=1) + 0.5) / (len(ordered) + 1)
