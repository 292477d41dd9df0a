"""Everything that speaks against a fit: sampling, what the runs taught, boundaries, modes, runs it does not expect."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from bayes_scaling.errors import COMMAND_LINE, LawError, listed, option
from bayes_scaling.evaluation.checks import loo_pit
from bayes_scaling.evaluation.groups import drawn_anew
from bayes_scaling.evaluation.labels import LEVELS, entry_labels, outcomes, parameters, prior_ranks, supports
from bayes_scaling.evaluation.residuals import misfits
from bayes_scaling.inference.diagnostics import IMPORTED
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.problems import Problem, Problems

__all__ = ["contraction", "diagnose", "examine", "outliers"]

MIN_BFMI = 0.3
MAX_SATURATED = 0.01  # share of draws
MIN_CONTRACTION = 0.1
TAIL = 0.005  # of the prior, on either side
EDGE = 0.01  # of the way from a bound to the middle of the prior: what counts as at the bound
MAX_AT_EDGE = 0.05  # share of draws
MAX_NAMED = 3  # tasks or series
MAX_APART = 3.0  # standard deviations between chains
MAX_CHANCE = 0.01  # that the most extreme of all outcomes lies as far out as an outlier
OUTLIERS_NAMED = 3
MAX_WORK, MIN_DRAWS = 500_000, 250  # outcomes times draws of a chain, and draws of a chain, for an outlier search


def diagnose(posterior: Posterior, *, seed: int | None = None) -> Problems:
    """Return everything that speaks against a fit, a record each; printed, a sentence each.

    Parameters
    ----------
    posterior : Posterior
        A fit, converged or not.
    seed : int, optional
        Seed of the draws from the priors; by default the fit's.

    Returns
    -------
    Problems
        Those of :func:`.examine`, then those of :func:`.misfits`, then those of :func:`.outliers`.

    Examples
    --------
    >>> bs.diagnose(posterior)  # doctest: +SKIP
    [contraction] The runs say little of bend (contraction 0.04, at least 0.1): its posterior is its prior.
    """
    return examine(posterior, seed=seed) + misfits(posterior) + outliers(posterior)


def examine(posterior: Posterior, *, seed: int | None = None) -> Problems:
    """Return everything that speaks against a fit.

    Parameters
    ----------
    posterior : Posterior
        A fit, converged or not.
    seed : int, optional
        Seed of the draws from the priors; by default the fit's.

    Returns
    -------
    Problems
        Records with these codes:

        - ``one-chain``, ``rhat``, ``ess-bulk``, ``ess-tail``, ``divergences``, ``precision``: those for which forecasts
          and comparisons refuse the fit (:class:`bayes_scaling.inference.diagnostics.Diagnostics`)
        - ``bfmi``: energy fraction of missing information below 0.3
        - ``tree-depth``: more than 1 % of the trajectories reached their largest length
        - ``modes``: starts of the mode search that ended in another mode
        - ``chains-apart``: means of two chains lie more than three standard deviations apart
        - ``contraction``: the posterior of a parameter is about as wide as its prior (contraction below 0.1)
        - ``prior-tail``: most of the posterior lies in the outermost 0.5 % of the prior
        - ``boundary``: more than 5 % of the draws lie at a bound of the parameter; noise may be as small as it will

    References
    ----------
    .. [1] Vehtari et al. 2021, "Rank-Normalization, Folding, and Localization: An Improved R-hat", Bayesian Analysis
       16, arXiv 1903.08008.
    .. [2] Betancourt 2016, "Diagnosing Suboptimal Cotangent Disintegrations in Hamiltonian Monte Carlo",
       arXiv 1604.00695.
    """
    diagnostics = require_posterior(posterior).diagnostics
    found = [*diagnostics.refusals()]
    unknown = diagnostics.method == IMPORTED and np.isnan(diagnostics.min_bfmi)
    if not (diagnostics.min_bfmi >= MIN_BFMI or unknown):
        sentence = f"The energy fraction E-BFMI is {diagnostics.min_bfmi:.2f} (at least {MIN_BFMI})"
        remedy = "heavy tails are explored poorly, so use tighter priors or more draws"
        found.append(Problem("bfmi", sentence, remedy, diagnostics.min_bfmi))
    if diagnostics.saturated > MAX_SATURATED * diagnostics.draws:
        sentence = f"{diagnostics.saturated} of {diagnostics.draws} trajectories reached their largest length"
        remedy = f"use {option('adapt')} or tighter priors"
        found.append(Problem("tree-depth", sentence, remedy, diagnostics.saturated))
    if diagnostics.modes_reached < 1:
        sentence = f"Only {diagnostics.modes_reached:.0%} of the starts of the mode search reached the best mode"
        again = "" if COMMAND_LINE.get() else "fit again with more starts, and "
        remedy = f"{again}prefer tighter priors if the answer depends on the mode"
        found.append(Problem("modes", sentence, remedy, diagnostics.modes_reached))
    whole = drawn_anew(posterior, "prior", seed)
    bounds_of = supports(posterior)
    for name in parameters(posterior):
        found += _of_parameter(whole, name, bounds_of.get(f"{name}_mean", bounds_of.get(name, [])))
    return Problems(found)


def contraction(posterior: Posterior, *, seed: int | None = None) -> pd.Series:
    r"""Return how much narrower than its prior the posterior of each parameter is.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    seed : int, optional
        Seed of the draws from the priors; by default the fit's.

    Returns
    -------
    pandas.Series
        One value per parameter (and series or task): 1 - variance of the posterior over variance of the prior, on the
        scale on which the prior is standard normal, so that the choice of units or logarithms does not matter.  1: the
        runs fix it; 0: they say nothing; negative: the posterior is wider than the prior.

    References
    ----------
    .. [1] Schad, Betancourt and Vasishth 2021, "Toward a principled Bayesian workflow in cognitive science",
       Psychological Methods 26, arXiv 1904.12765, equation 6.
    """
    whole = drawn_anew(posterior, "prior", seed)
    values = {}
    for name in parameters(posterior):
        draws = whole.tree["posterior"].dataset[name]
        for label, share in zip(entry_labels(draws), _contraction(prior_ranks(whole, name)), strict=True):
            values[label] = share
    return pd.Series(values, name="contraction", dtype=float)


def _of_parameter(whole: Posterior, name: str, bounds: list[float]) -> Iterator[Problem]:
    """Say what is wrong with one parameter, all its series together."""
    draws = whole.tree["posterior"].dataset[name]
    labels, ranks = entry_labels(draws), prior_ranks(whole, name)
    chains = draws.to_numpy().reshape(*draws.shape[:2], -1)

    with np.errstate(all="ignore"):  # a chain that stands still
        apart = np.ptp(chains.mean(axis=1), axis=0) / chains.std(axis=1).mean(axis=0)
    for at in np.flatnonzero(apart > MAX_APART)[:1]:
        sentence = f"The chains of {labels[at]} lie {apart[at]:.1f} standard deviations apart (at most {MAX_APART:g})"
        remedy = "they sit in different modes, so use tighter priors, or look at each chain alone"
        yield Problem("chains-apart", sentence, remedy, float(apart[at]), name)

    shares = _contraction(ranks)
    if (shares < MIN_CONTRACTION).any() and not whole.law.rests_on_priors:
        sentence = (
            f"The runs say little of {_which(name, labels, shares < MIN_CONTRACTION)} "
            f"(contraction {shares.min():.2f}, at least {MIN_CONTRACTION})"
        )
        remedy = "its posterior is its prior, so see that the prior is meant, or add runs that tell"
        yield Problem("contraction", sentence, remedy, float(shares.min()), name)

    for side, share in (("lower", (ranks < TAIL).mean(axis=0)), ("upper", (ranks > 1 - TAIL).mean(axis=0))):
        if (share > 0.5).any():
            sentence = (
                f"{np.max(share):.0%} of the draws of {_which(name, labels, share > 0.5)} "
                f"lie in the {side} {TAIL:.1%} of the prior (at most 50%)"
            )
            remedy = "the runs contradict the prior, so check their units or widen it"
            yield Problem("prior-tail", sentence, remedy, float(np.max(share)), name)

    middle = np.median(whole.tree["prior"][name].to_numpy())
    for bound in bounds if name not in (*whole.law.noise, *whole.law.spreads) else ():
        share = (np.abs(chains - bound) < EDGE * np.abs(middle - bound)).mean(axis=(0, 1))
        if (share > MAX_AT_EDGE).any():
            sentence = (
                f"{np.max(share):.0%} of the draws of {_which(name, labels, share > MAX_AT_EDGE)} "
                f"lie at its bound {bound:g} (at most {MAX_AT_EDGE:.0%})"
            )
            remedy = "the law may not need it, so fix it there or choose a law without it"
            yield Problem("boundary", sentence, remedy, float(np.max(share)), name)


def _which(name: str, labels: Sequence[str], hit: np.ndarray) -> str:
    """Return a parameter, and of which tasks or series, where it has several."""
    if hit.size == 1:
        return name
    places = [labels[int(at)].removeprefix(f"{name}[").removesuffix("]") for at in np.flatnonzero(hit)]
    return f"{name} of {'each' if hit.all() else listed(places, MAX_NAMED)} ({hit.sum()} of {hit.size})"


def _contraction(ranks: np.ndarray) -> np.ndarray:
    return 1 - ndtri(ranks).var(axis=0)


def outliers(posterior: Posterior) -> Problems:
    """Return the outcomes that the law, fitted to the others, does not expect.

    A likelihood with heavy tails keeps the curve where the other runs have it, and so hides a wrong entry; its place in
    its predictive distribution given the others (:func:`bayes_scaling.loo_pit`) shows it.

    Parameters
    ----------
    posterior : Posterior
        A fit.

    Returns
    -------
    Problems
        At most one, with the code ``outlier``: outcomes whose two-sided tail probability, times the number of
        outcomes (Bonferroni), is below 0.01, the least expected first.  Nothing where the likelihood has no
        distribution function.
    """
    try:
        places = loo_pit(_thinned(posterior))
    except (LawError, NotImplementedError):
        return Problems()
    places = places.set_index(list(LEVELS)).assign(value=outcomes(posterior))
    places["tail"] = 2 * np.minimum(places["pit"], 1 - places["pit"])
    found = places[places["tail"] * len(places) < MAX_CHANCE].sort_values("tail", kind="stable")
    if found.empty:
        return Problems()
    words = []
    for (quantity, run, place, _), value in found["value"].head(OUTLIERS_NAMED).items():
        who = run if run.startswith("row ") else f"run {run!r}"
        words.append(f"{quantity} {value:.4g} of {' on '.join(filter(None, (who, place)))}")
    further = f" and {len(found) - OUTLIERS_NAMED} more" if len(found) > OUTLIERS_NAMED else ""
    least = float(found["tail"].iloc[0])
    sentence = (
        f"The law, fitted to the other outcomes, does not expect {', '.join(words)}{further} "
        f"(tail probability {least:.1g}, at least {MAX_CHANCE / len(places):.1g})"
    )
    remedy = "check the entry, and drop the run if something went wrong in it"
    return Problems([Problem("outlier", sentence, remedy, least, str(found.index[0][1]))])


def _thinned(posterior: Posterior) -> Posterior:
    """Return a fit to many outcomes with fewer draws: importance weights of each outcome take time."""
    group = posterior.tree["posterior"]
    draws, count = group.sizes["draw"], sum(v.size for v in posterior.tree["observed_data"].dataset.data_vars.values())
    step = min(draws // MIN_DRAWS, 1 + count * draws // MAX_WORK)
    if step < 2:
        return posterior
    kept = {"posterior": group.dataset.isel(draw=slice(None, None, step))}
    others = {name: posterior.tree[name].dataset for name in ("observed_data", "constant_data")}
    tree = xr.DataTree.from_dict(kept | others)
    tree.attrs = posterior.tree.attrs
    return dataclasses.replace(posterior, tree=tree)
