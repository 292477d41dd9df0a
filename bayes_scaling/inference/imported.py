"""Draws that another sampler made: read, checked, and completed with the constants that a law publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

from bayes_scaling.errors import LawError, listed
from bayes_scaling.inference.diagnostics import IMPORTED, Diagnostics, diagnostics_of, unit_of_noise
from bayes_scaling.inference.nuts import Sampled
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.law.trace import latent_priors, run_model
from bayes_scaling.study.study import require_study

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["imported"]

DEEP = 62  # a tree depth that no trajectory reaches: other samplers have limits of their own
GROUPED = "mcmc.get_samples(group_by_chain=True)"


def imported(
    law: Law, study: Study, draws: Any, *, diverging: Any = None, energy: Any = None
) -> tuple[Sampled, Diagnostics]:
    """Return draws of another sampler as those of our own, with their diagnostics.

    Parameters
    ----------
    law, study, draws, diverging, energy
        As for :meth:`bayes_scaling.Posterior.from_draws`; ``study`` holds the fitted runs alone.

    Raises
    ------
    LawError
        It is no law, or the draws lack a site, are no numbers, are of another shape, lie where a prior has no mass, or
        are of a parameter that the law fixes at another value; or a statistic is none.
    StudyError
        The study is none, or lacks a column of the law.
    """
    require_law(law)
    runs, observed = law.arrays(require_study(study))
    with double_precision():
        sites = latent_priors(law.program, runs, observed)
        latent = _checked(law, sites, _arrays(draws))
        flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in latent.items()}
        published = jax.tree.map(np.asarray, _published(law.program, flat, *pad_study(law, runs, observed)))
    shape = next(iter(latent.values())).shape[:2]
    whole = latent | {name: values.reshape(*shape, *values.shape[1:]) for name, values in published.items()}
    silent, unknown = np.zeros(shape, dtype=int), np.full(shape, np.nan)
    sampled = Sampled(
        posterior=whole,
        steps=silent,
        diverging=_statistic("diverging", diverging, silent.astype(bool)),
        accept=unknown,
        energy=_statistic("energy", energy, unknown),
        mode_potential=np.zeros(1),
        curvature=np.nan,
    )
    return sampled, diagnostics_of(sampled, IMPORTED, DEEP, sites, unit_of_noise(law, observed))


def _arrays(draws: Any) -> dict[str, Any]:
    """Return draws by site, (chain, draw, ...), from a mapping, a dataset, or the group ``posterior`` of a tree."""
    group = draws["posterior"] if isinstance(draws, xr.DataTree) and "posterior" in draws.children else draws
    group = getattr(group, "data_vars", group)
    if not isinstance(group, Mapping):
        raise LawError(
            f"The draws are a {type(draws).__name__}; give arrays of shape (chain, draw, ...) by site, as {GROUPED} "
            "returns them, or ArviZ's tree."
        )
    return {str(name): _by_chain(values) for name, values in group.items()}


def _by_chain(values: Any) -> Any:
    """Return values with their chains first and their draws second, where they name their dimensions."""
    named = isinstance(values, xr.DataArray) and {"chain", "draw"} <= set(values.dims)
    return values.transpose("chain", "draw", ...) if named else values


def _floats(what: str, values: Any) -> np.ndarray:
    """Return values as an array of floats.

    Raises
    ------
    LawError
        They are no numbers, or make no array.
    """
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise LawError(
            f"The {what} are not all numbers, or not as many in each chain; give an array of them."
        ) from None


def _checked(law: Law, sites: Mapping[str, dist.Distribution], given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the draws of every sampled site, checked; other sites are left out, because they follow from these."""
    missing = [name for name in sites if name not in given]
    if missing:
        raise LawError(
            f"The draws lack {listed(missing)}, which {law.name} samples; they have {listed(given) or 'nothing'}."
        )
    for name, fixed in law.fixed_parameters.items():
        if name in given and not np.allclose(values := _floats(f"draws of {name}", given[name]), fixed):
            raise LawError(
                f"{law.name} fixes {name} at {fixed:g}, and draws from {values.min():g} to {values.max():g} are given; "
                "leave them out, or give the law that was sampled."
            )
    drawn = {name: _floats(f"draws of {name}", given[name]) for name in sites}
    first = drawn[next(iter(sites))].shape[:2] if sites else ()
    for name, prior in sites.items():
        values, wanted = drawn[name], (*first, *prior.shape())
        if len(first) < 2 or values.shape != wanted or 0 in wanted:
            each = "".join(f", {size}" for size in prior.shape())
            raise LawError(
                f"The draws of {name} have the shape {values.shape}; give (chain, draw{each}), the same chains and "
                f"draws for every site, as {GROUPED} returns them."
            )
        if not np.isfinite(values).all():
            raise LawError(f"Some draws of {name} are not finite; leave out the chains that failed.")
        if not np.asarray(prior.support(values)).all():
            raise LawError(
                f"Some draws of {name} lie where its prior has no mass ({values.min():g} to {values.max():g}); give "
                "parameters themselves, not the unconstrained values that a sampler moves in."
            )
    return drawn


def _statistic(name: str, values: Any, default: np.ndarray) -> np.ndarray:
    """Return one number for each draw, of the kind and the shape of ``default``."""
    if values is None:
        return default
    found = _floats(f"values of the statistic {name}", _by_chain(values))
    if found.shape != default.shape:
        raise LawError(
            f"The statistic {name} has the shape {found.shape}, and the draws have {default.shape}; give them alike."
        )
    if default.dtype == bool and not np.isin(found, (0, 1)).all():
        raise LawError(f"The statistic {name} is not True or False for every draw; give that, or leave it out.")
    return found.astype(default.dtype)


@jit
def _published(law: Law, latent: Arrays, runs: Arrays, observed: Arrays) -> dict[str, jax.Array]:
    """Return what follows from the sampled sites: constants, and the values of pooled parameters."""

    def one(latent: Arrays) -> dict[str, Any]:
        sites = run_model(law, runs, observed, latent=latent)
        return {name: site["value"] for name, site in sites.items() if site["type"] == "deterministic"}

    return jax.vmap(one)(latent)
