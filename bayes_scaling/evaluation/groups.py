"""The standard ArviZ groups of a posterior, made when they are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import xarray as xr

from bayes_scaling.errors import BayesScalingError, suggest, whole
from bayes_scaling.evaluation.conditionals import conditionals, counted, factorises, places
from bayes_scaling.inference.padding import bucket, pad, pad_study
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.trace import is_latent, observed_sites, run_model, values_of
from bayes_scaling.study.validation import LOSS_ERROR

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["GROUPS", "Scores", "complete", "cumulative", "drawn_anew", "score", "with_groups"]

GROUPS = {
    "log_likelihood": "of each outcome, given the others of its run where they share noise; NaN where one is left out",
    "run_log_likelihood": "of all outcomes of a run together, shape (chain, draw, run)",
    "log_prior": "of each parameter site, summed over its entries",
    "prior": "parameters drawn from the priors, one chain",
    "prior_predictive": "outcomes of the fitted runs, from the draws of the group prior",
    "posterior_predictive": "new outcomes of runs made and measured like the fitted ones, one per posterior draw",
}
"""The groups that :func:`bayes_scaling.complete` makes, with what each holds; log densities are natural logarithms."""


class Scores(NamedTuple):
    """Log densities of posterior draws.

    Attributes
    ----------
    outcome : dict of str to array, shape (sample, run, ...)
        Of each outcome, given the others of its run where they are not independent; NaN where one is left out.
    row : array, shape (sample, run)
        Of each row of outcomes together.
    prior : dict of str to array, shape (sample,)
        Of each parameter site.
    """

    outcome: dict[str, Any]
    row: Any
    prior: dict[str, Any]


def complete(
    posterior: Posterior, groups: Iterable[str] = tuple(GROUPS), *, seed: int | None = None, draws: int = 1000
) -> Posterior:
    """Return a posterior whose tree has more of the standard groups.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    groups : iterable of str
        Which of :data:`.GROUPS`; all by default.  Groups the tree has already are kept as they are, and those that
        come of the same work (the log densities; the draws from the priors) are added together.
    seed : int, optional
        Seed of the predictive draws; by default the fit's.
    draws : int
        Draws from the priors.

    Returns
    -------
    Posterior
        The same fit, with a new tree; dims ``chain``, ``draw``, ``run`` and those of the law.

    Raises
    ------
    BayesScalingError
        There is no such group, or the seed or ``draws`` is no such number.

    Notes
    -----
    Densities are of the outcome in its own unit: that of a logarithm has its Jacobian.  Outcomes of a run that share
    noise integrated out of the law have no likelihood of their own; theirs is the conditional given the others of the
    run [1]_.  A law that reads one outcome off another (accuracy off loss) takes the observed one as given.

    References
    ----------
    .. [1] Bürkner, Gabry and Vehtari 2021, "Efficient leave-one-out cross-validation for Bayesian non-factorized
       normal and Student-t models", Computational Statistics 36, arXiv 1810.10559.

    Examples
    --------
    >>> whole = complete(posterior, ["log_likelihood", "prior"])  # doctest: +SKIP
    >>> whole.tree["log_likelihood"]["loss"].dims  # doctest: +SKIP
    ('chain', 'draw', 'run')
    """
    require_posterior(posterior)
    wanted = [groups] if isinstance(groups, str) else list(groups)
    for group in wanted:
        if group not in GROUPS:
            raise BayesScalingError(f"There is no group {group!r} to make; {suggest(group, GROUPS)}")
    seed, draws = posterior.seed if seed is None else whole("seed", seed, 0), whole("draws", draws, 1)
    missing = {group for group in wanted if group not in posterior.tree.children}
    if not missing:
        return posterior
    made: dict[str, xr.Dataset] = {}
    if missing & {"log_likelihood", "run_log_likelihood", "log_prior"}:
        made |= _densities(posterior)
    if missing & {"prior", "prior_predictive"}:
        made |= _from_priors(posterior, seed, draws)
    if "posterior_predictive" in missing:
        made |= _replicates(posterior, seed)
    tree = posterior.tree.copy()
    for group, dataset in made.items():
        if group in missing or group not in tree.children:
            tree[group] = xr.DataTree(dataset)
    return dataclasses.replace(posterior, tree=tree)


def with_groups(posterior: Posterior, *groups: str, seed: int | None = None) -> Posterior:
    """Return a posterior with the groups named, or all where none is; see :func:`bayes_scaling.complete`.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    *groups : str
        Of :data:`.GROUPS`.
    seed : int, optional
        Seed of the predictive draws; by default the fit's.
    """
    return complete(posterior, groups or tuple(GROUPS), seed=seed)


def drawn_anew(posterior: Posterior, group: str, seed: int | None) -> Posterior:
    """Return a posterior with a group of random draws: of a seed, or as they are, or of the fit's seed.

    Parameters
    ----------
    posterior : Posterior
        A fit.
    group : str
        ``prior``, ``prior_predictive`` or ``posterior_predictive``.
    seed : int, optional
        Seed of the draws: those that are there are not kept, since nothing says of which seed they are.
    """
    if seed is not None and group in posterior.tree.children:
        posterior = dataclasses.replace(posterior, tree=posterior.tree.drop_nodes(group))
    return with_groups(posterior, group, seed=seed)


def score(law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> Scores:
    """Return the log densities of parameter draws, as NumPy arrays.

    Parameters
    ----------
    law : Law
        The law.
    draws : mapping of str to array, shape (sample, ...)
        Values of every parameter site.
    runs, observed : mapping of str to array
        As the law takes them, not padded; NaN marks outcomes to leave out.
    """
    return _on_padded(_score, law, draws, runs, observed)


def cumulative(law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> dict[str, np.ndarray]:
    """Return each outcome's place in its distribution: P(outcome <= observed), shape (sample, run, ...) by site.

    An outcome that has mass, such as an accuracy of exactly 0, has its place in the middle of it.

    Like the densities of :func:`score`, it is conditional on the others of the run where they share noise, and NaN
    where an outcome is left out.  Arguments are those of :func:`score`.
    """
    return _on_padded(_cumulative, law, draws, runs, observed)


def _on_padded(program: Any, law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> Any:
    """Run a compiled program on padded arrays; take the padding rows off what has them."""
    count = len(next(iter(observed.values())))
    with double_precision():
        found = jax.tree.map(np.asarray, program(law.program, draws, *pad_study(law, runs, observed)))
    return jax.tree.map(lambda x: x[:, :count] if x.ndim > 1 else x, found)


@jit
def _score(law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> Scores:
    def one(latent: Arrays) -> Scores:
        sites = run_model(law, runs, observed, latent=latent)  # every latent site is given
        seen = observed_sites(sites)
        outcome = {
            name: jnp.where(counted(fn), conditionals(fn, value).log_prob(value), jnp.nan)
            for name, (fn, value) in seen.items()
        }
        rows = [fn.log_prob(value) for fn, value in seen.values()]
        return Scores(
            outcome,
            sum(row.reshape(len(row), -1).sum(-1) for row in rows),
            {name: s["fn"].log_prob(s["value"]).sum() for name, s in sites.items() if is_latent(s)},
        )

    return jax.vmap(one)(draws)


@jit
def _cumulative(law: Law, draws: Arrays, runs: Arrays, observed: Arrays) -> dict[str, jax.Array]:
    def one(latent: Arrays) -> dict[str, jax.Array]:
        seen = observed_sites(run_model(law, runs, observed, latent=latent))
        return {
            name: jnp.where(counted(fn), places(conditionals(fn, value), value), jnp.nan)
            for name, (fn, value) in seen.items()
        }

    return jax.vmap(one)(draws)


@jit
def _draw(law: Law, keys: jax.Array, latent: Arrays, runs: Arrays, errors: Arrays | None) -> dict[str, jax.Array]:
    def one(key: jax.Array, latent: Arrays) -> dict[str, jax.Array]:
        return values_of(run_model(law, runs, errors, latent=latent, key=key))

    return jax.vmap(one)(keys, latent)


def _densities(posterior: Posterior) -> dict[str, xr.Dataset]:
    law, (runs, observed) = posterior.law, posterior.law.arrays(posterior.study)
    found = score(law, posterior.draws, runs, observed)
    likelihoods = jax.eval_shape(_likelihoods, law.program, runs, observed)
    by_outcome = _dataset(posterior, found.outcome)
    for name, fn in likelihoods.items():
        apart = "sequential" if law.autocorrelated else "independent"
        by_outcome[name].attrs["pointwise"] = apart if factorises(fn) else "conditional"
    present = np.stack([np.isfinite(v[0]).reshape(v.shape[1], -1).any(-1) for v in found.outcome.values()]).any(0)
    rows = _dataset(posterior, {"outcomes": np.where(present, found.row, np.nan)})
    by_run = rows.groupby("run").sum(skipna=True, min_count=1)  # the rows of one run: its checkpoints
    order = list(dict.fromkeys(rows["run"].to_numpy()))
    return {
        "log_likelihood": by_outcome,
        "run_log_likelihood": by_run.sel(run=order).transpose("chain", "draw", "run"),
        "log_prior": _dataset(posterior, found.prior, run=False),
    }


def _likelihoods(law: Law, runs: Arrays, observed: Arrays) -> dict[str, dist.Distribution]:
    return {name: fn for name, (fn, _) in observed_sites(run_model(law, runs, observed)).items()}


def _from_priors(posterior: Posterior, seed: int, draws: int) -> dict[str, xr.Dataset]:
    found = _drawn(posterior, seed, 3, draws, {})
    sites = [str(name) for name in posterior.tree["posterior"].dataset if name in found]
    return {
        "prior": _dataset(posterior, {n: found[n] for n in sites}, run=False, chains=1),
        "prior_predictive": _dataset(posterior, {q: found[q] for q in posterior.law.quantities}, chains=1),
    }


def _replicates(posterior: Posterior, seed: int) -> dict[str, xr.Dataset]:
    draws = posterior.draws
    found = _drawn(posterior, seed, 2, len(next(iter(draws.values()))), draws)
    return {"posterior_predictive": _dataset(posterior, {q: found[q] for q in posterior.law.quantities})}


def _drawn(posterior: Posterior, seed: int, stream: int, count: int, latent: Arrays) -> dict[str, np.ndarray]:
    """Draw every site at the fitted runs, with the errors of their losses that are known.

    What has a row per run is cut to the runs there are.
    """
    law = posterior.law
    runs, observed = law.arrays(posterior.study)
    rows = len(next(iter(observed.values())))
    known = {LOSS_ERROR: observed[LOSS_ERROR]} if law.reads_loss_error and LOSS_ERROR in observed else {}
    errors = pad(known, bucket(rows), (LOSS_ERROR,)) if known else None
    with double_precision():
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), stream), count)
        found = _draw(law.program, keys, latent, pad(runs, bucket(rows), law.run_inputs), errors)
        found = {name: np.asarray(value) for name, value in found.items()}
    return {name: value[:, :rows] if name in law.quantities else value for name, value in found.items()}


def _dataset(
    posterior: Posterior, arrays: Mapping[str, np.ndarray], *, run: bool = True, chains: int | None = None
) -> xr.Dataset:
    """Return arrays of shape (sample, [run,] ...) as a dataset with named dims."""
    chains = chains or posterior.tree["posterior"].sizes["chain"]
    dims, coords = posterior.law.dims(posterior.study)
    shown = {}
    for name, values in arrays.items():
        spread = values.reshape(chains, -1, *values.shape[1:])
        leading = ["chain", "draw", *(["run"] if run else [])]
        own = dims.get(name, [])[: spread.ndim - len(leading)]  # a log prior is one number for all entries
        further = range(spread.ndim - len(leading) - len(own))
        shown[name] = ([*leading, *own, *(f"{name}_dim_{i}" for i in further)], spread)
    dataset = xr.Dataset(shown)
    known = {**coords, "run": posterior.run_labels}
    known |= {d: np.arange(dataset.sizes[d]) for d in ("chain", "draw")}
    return dataset.assign_coords({d: known[d] for d in map(str, dataset.dims) if d in known})
