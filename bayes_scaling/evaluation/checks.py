"""Checks of a fit, one call each: prior and posterior predictive, LOO-PIT, sensitivity to priors and data."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import softmax

from bayes_scaling.errors import TargetError, suggest
from bayes_scaling.evaluation.groups import cumulative, drawn_anew, with_groups
from bayes_scaling.evaluation.labels import entry_labels, labels_of, outcomes, parameters, pointwise, prior_ranks
from bayes_scaling.evaluation.loo import psis
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.forecasts.scores import pit

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["SENSITIVE", "forecast_sensitivity", "loo_pit", "predictive_check", "sensitivity"]

SENSITIVE = 0.05
"""From here on a parameter counts as sensitive (Kallioinen et al. 2024, section 4)."""

TAIL = 0.05
"""On either side of the prior: there, prior and runs are in conflict where a parameter is sensitive to both."""

SOURCES = {"prior": "prior_predictive", "posterior": "posterior_predictive"}


def predictive_check(posterior: Posterior, source: str = "posterior", *, seed: int | None = None) -> pd.DataFrame:
    """Return predictive intervals of the fitted runs beside their outcomes.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    source : {"posterior", "prior"}
        Draw parameters from the posterior (does the law describe its runs?) or from the priors (do they allow runs
        like these, and not only absurd ones?).
    seed : int, optional
        Seed of the predictive draws; by default the fit's.

    Returns
    -------
    pandas.DataFrame
        One row per outcome: ``quantity``, ``run``, ``place`` (task or series, or empty), ``observed``, ``q05``,
        ``q25``, ``median``, ``q75``, ``q95`` in the outcome's unit, and ``pit``, its place among the draws.
        Its ``attrs`` name the fit, the source and the units, for :func:`bayes_scaling.plots.plot_predictive_check`.

    Raises
    ------
    TargetError
        There is no such source.
    """
    if source not in SOURCES:
        raise TargetError(f"There are no predictive draws from {source!r}; {suggest(source, SOURCES)}")
    name = SOURCES[source]
    group = drawn_anew(posterior, name, seed).tree[name].dataset
    known = outcomes(posterior)
    blocks = []
    for values in group.data_vars.values():
        flat = values.to_numpy().reshape(values.shape[0] * values.shape[1], -1)
        table = pd.DataFrame(np.quantile(flat, list(QUANTILES.values()), axis=0).T, labels_of(values), list(QUANTILES))
        table.insert(0, "observed", known.reindex(table.index))
        blocks.append(table.assign(pit=pit(flat, table["observed"].to_numpy())))
    rows = pd.concat(blocks).dropna(subset="observed").reset_index()
    rows = rows.drop(columns="further")
    rows.attrs = {"fit": fit_name(posterior), "source": source, "units": _units(posterior)}
    return rows


def loo_pit(posterior: Posterior) -> pd.DataFrame:
    """Return the LOO-PIT of each outcome: its place in its predictive distribution given the other outcomes.

    If the law describes its runs, these places are uniform between 0 and 1; a pile at both ends says that intervals
    are too narrow, one in the middle that they are too wide.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    pandas.DataFrame
        One row per outcome: ``quantity``, ``run``, ``place``, ``further``, ``pit`` and ``pareto_k``, above 0.7 where
        importance sampling fails.  Where outcomes of a run share noise, each is placed given the others of its run.

    References
    ----------
    .. [1] Vehtari, Gelman and Gabry 2017, arXiv 1507.04544, for the weights; Gelman et al. 2013, "Bayesian Data
       Analysis", section 6.3, for the places.
    """
    posterior = with_groups(posterior, "log_likelihood")
    scored = pointwise(posterior)
    found = psis(posterior, scored.values)
    weights = np.exp(found.log_weights.transpose("chain", "draw", "place").to_numpy())
    places = cumulative(posterior.law, posterior.draws, *posterior.law.arrays(posterior.study))
    group = posterior.tree["log_likelihood"].dataset
    joined = np.concatenate([places[str(name)].reshape(weights.shape[0] * weights.shape[1], -1) for name in group], 1)
    present = np.isfinite(joined).any(axis=0)
    means = (weights.reshape(len(joined), -1) * joined[:, present]).sum(axis=0) / weights.sum(axis=(0, 1))
    table = pd.DataFrame({"pit": np.clip(means, 0, 1), "pareto_k": found.pareto_k.to_numpy()}, index=scored.labels)
    table = table.reset_index()
    table.attrs = {"fit": fit_name(posterior)}
    return table


def sensitivity(posterior: Posterior) -> pd.DataFrame:
    """Return how much each parameter moves when the priors, or the likelihood, count a little more or less.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    pandas.DataFrame
        One row per parameter (and series or task): ``prior``, ``likelihood`` (change of the posterior per doubling of
        the power, above 0.05 is sensitive) and ``verdict``: ``prior`` where only the prior is (the runs say little);
        where both are, ``conflict`` if the posterior's median lies in the outermost tenth of the prior (the prior pulls
        against the runs) and ``both`` if it does not (the two agree, and neither decides alone); otherwise empty.

    Notes
    -----
    All priors are scaled together, but not the spread between series of a pooled parameter, which is part of the law
    ([1]_, section 5).  The likelihood is that of all runs jointly, not the sum of the pointwise values, which counts
    shared noise more than once.  Few draws exaggerate: take a thousand per chain.

    References
    ----------
    .. [1] Kallioinen, Paananen, Bürkner and Vehtari 2024, "Detecting and diagnosing prior and likelihood sensitivity
       with power-scaling", Statistics and Computing 34, arXiv 2107.14054.
    """
    posterior = with_groups(posterior, "run_log_likelihood", "log_prior", "prior")
    whole = posterior.tree
    draws = whole["posterior"].dataset[parameters(posterior)]
    joint = whole["run_log_likelihood"].dataset.fillna(0.0)
    priors = whole["log_prior"].dataset.drop_vars([f"{name}_offset" for name in draws], errors="ignore")
    groups = {"posterior": draws, "log_likelihood": joint, "log_prior": priors}
    tree = xr.DataTree.from_dict(groups)
    columns = {}
    for scaled in ("prior", "likelihood"):
        found = arviz_stats.psense(tree, group=scaled)
        columns[scaled] = np.concatenate([found[name].to_numpy().ravel() for name in draws])
    labels = [label for name in draws for label in entry_labels(draws[name])]
    table = pd.DataFrame(columns, index=pd.Index(labels, name="parameter"))
    by_prior, by_data = (table[c] >= SENSITIVE for c in ("prior", "likelihood"))
    places = np.concatenate([np.median(prior_ranks(posterior, str(name)), axis=0) for name in draws])
    apart = np.abs(places - 0.5) > 0.5 - TAIL
    words = {"conflict": by_prior & by_data & apart, "both": by_prior & by_data, "prior": by_prior}
    table = table.assign(verdict=np.select(list(words.values()), list(words), ""))
    table.attrs = {"fit": fit_name(posterior)}
    return table


def forecast_sensitivity(posterior: Posterior, targets: Any = None, *, allow_unconverged: bool = False) -> pd.DataFrame:
    """Return how much the forecast of each target moves when one prior counts a little more or less.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    targets : Study, DataFrame, mapping, or sequence of mappings
        Runs to forecast, as for :func:`bayes_scaling.forecast`; a fit keeps none, so give ``study.targets`` for those
        of its study.
    allow_unconverged : bool
        Go on with a fit that did not converge.

    Returns
    -------
    pandas.DataFrame
        One row per target, quantity and prior, the strongest prior of each first: ``target``, ``quantity`` (with the
        series, where there are several), ``prior`` (the name of the parameter), ``sensitivity`` (change of the
        distribution of the expected outcome, the law taken as exact, per doubling of the power of that prior) and
        ``shift`` (of its mean where the prior counts twice, in posterior standard deviations).  From
        :data:`bayes_scaling.evaluation.checks.SENSITIVE` on, another prior is another forecast.

    Raises
    ------
    ConvergenceError
        The fit did not converge.
    TargetError
        There is no target, or one lacks an input of the law.

    References
    ----------
    .. [1] Kallioinen, Paananen, Bürkner and Vehtari 2024, Statistics and Computing 34, arXiv 2107.14054, section 2.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> bs.forecast_sensitivity(posterior, {"N": 7e9, "D": 4e12})  # doctest: +SKIP
    """
    said = forecast(posterior, targets, discrepancy=False, allow_unconverged=allow_unconverged)
    posterior = with_groups(posterior, "log_prior")
    sizes = posterior.tree["posterior"].dataset.sizes
    expected = xr.Dataset({
        quantity: said.draws[f"{quantity}_law"].pipe(_by_chain, sizes["chain"]) for quantity in posterior.law.quantities
    })  # fmt: skip
    priors = posterior.tree["log_prior"].dataset
    priors = priors.drop_vars([name for name in priors if str(name).endswith("_offset")])
    tree = xr.DataTree.from_dict({"posterior": expected, "log_prior": priors})
    rows = []
    for name in priors:
        found = arviz_stats.psense(tree, group="prior", group_var_names=[name])
        weight = xr.DataArray(softmax(priors[name].to_numpy()), dims=("chain", "draw"))
        for quantity, draws in expected.items():
            usual = draws.mean(("chain", "draw"))
            shift = ((draws * weight).sum(("chain", "draw")) - usual) / draws.std(("chain", "draw"))
            for (target, *series), one, moved in zip(
                itertools.product(*(usual[d].to_numpy() for d in usual.dims)),
                np.ravel(found[quantity]), np.ravel(shift), strict=True,
            ):  # fmt: skip
                label = f"{quantity}[{', '.join(map(str, series))}]" if series else str(quantity)
                rows.append((target, label, str(name), float(one), float(moved)))
    table = pd.DataFrame(rows, columns=["target", "quantity", "prior", "sensitivity", "shift"])
    place = {target: k for k, target in enumerate(said.targets.index)}
    return table.sort_values(
        ["target", "quantity", "sensitivity"],
        ascending=[True, True, False],
        key=lambda column: column.map(place) if column.name == "target" else column,
        ignore_index=True,
    )


def _by_chain(draws: xr.DataArray, chains: int) -> xr.DataArray:
    """Return draws of (sample, ...) as (chain, draw, ...), in the order in which a posterior stacks them."""
    shaped = draws.to_numpy().reshape(chains, -1, *draws.shape[1:])
    return xr.DataArray(shaped, dims=("chain", "draw", *draws.dims[1:]), coords={
        dim: draws[dim] for dim in draws.dims[1:] if dim in draws.coords
    })  # fmt: skip


def fit_name(posterior: Posterior) -> str:
    """Return what pictures call a fit."""
    return f"{posterior.law.name} on {posterior.study.name}"


def _units(posterior: Posterior) -> dict[str, str]:
    """Return the unit of each quantity, in words where its series have several."""
    several = {"loss": "each series in its unit"} if posterior.series_units else {}
    return posterior.units | {name: words for name, words in several.items() if name in posterior.units}
