"""Leaving outcomes and runs out for good: by importance sampling where it works, by a fit without them where not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from bayes_scaling.errors import ConvergenceError
from bayes_scaling.evaluation.groups import score, with_groups
from bayes_scaling.evaluation.labels import Pointwise, pointwise
from bayes_scaling.evaluation.loo import Criterion, loo
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import WARMUP, Effort, fit_until_converged
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.inference.seeds import member_seed

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["MAX_REFITS", "leave_outcome_out", "leave_run_out"]

MAX_REFITS = 10
"""Fits without an outcome, or a run, that a comparison makes by itself for each law; more where it is told to."""

FEW = 50  # draws by which a model without an outcome is held against the model with it
SAME = 1e-6  # nats up to which they agree


def leave_outcome_out(posterior: Posterior, *, refit: bool | None = None, allow_unconverged: bool = False) -> Criterion:
    """Leave each outcome out: by importance sampling, and where that fails by a fit without it.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    refit : bool, optional
        Fit anew without each outcome whose Pareto k is too high (above 0.7; less for fewer than 2200 draws).  By
        default that is done where no more than :data:`.MAX_REFITS` are.  The program is the one compiled for the fit;
        the outcome is left out as NaN, its inputs and the references stay.
    allow_unconverged : bool
        Use refits that did not converge.

    Raises
    ------
    ConvergenceError
        A refit that was asked for did not converge; one that was not keeps the value of importance sampling, and its k.

    Notes
    -----
    An outcome through which another is forecast (a loss, where its accuracy is known), or from which the next one
    starts (a checkpoint of a learning curve), has no fit without it in which all else is the same; its value stays that
    of importance sampling.
    """
    scored = pointwise(posterior)
    quick = loo(posterior, scored.values, scored.labels)

    def exact(name: Any) -> float | None:
        return _without_outcome(posterior, scored, name, allow_unconverged)

    return _refitted(quick, scored.values, exact, refit)


def leave_run_out(posterior: Posterior, *, refit: bool | None = None, allow_unconverged: bool = False) -> Criterion:
    """Leave each run out with all its outcomes: its checkpoints, tasks and losses together.

    Parameters
    ----------
    posterior, refit, allow_unconverged
        As for :func:`leave_outcome_out`, of runs.

    Raises
    ------
    ConvergenceError
        A refit that was asked for did not converge.
    """
    rows = with_groups(posterior, "run_log_likelihood").tree["run_log_likelihood"]["outcomes"]
    rows = rows.isel(run=np.isfinite(rows.to_numpy()).any(axis=(0, 1)))
    names = pd.Index(rows["run"].to_numpy().astype(str), name="run")
    quick = loo(posterior, rows.to_numpy(), names)

    def exact(name: Any) -> float | None:
        return _without(posterior, name, allow_unconverged)

    return _refitted(quick, rows.to_numpy(), exact, refit)


def _refitted(
    quick: Criterion, values: np.ndarray, exact: Callable[[Any], float | None], refit: bool | None
) -> Criterion:
    """Return a criterion with exact values in place of unreliable ones."""
    poor = quick.poor
    if not poor or refit is False or (refit is None and len(poor) > MAX_REFITS):
        return quick
    elpd, done = quick.elpd.copy(), []
    for name in poor:
        try:
            found = exact(name)
        except ConvergenceError:
            if refit:
                raise
            continue
        if found is not None:
            elpd[name] = found
            done.append(name)
    flags = quick.flags.copy()
    flags[done] = np.nan  # an exact value has no Pareto k
    density = logsumexp(values, axis=(0, 1)) - np.log(values.shape[0] * values.shape[1])
    return dataclasses.replace(quick, elpd=elpd, p=float(density.sum() - elpd.sum()), flags=flags, refits=len(done))


def _without_outcome(posterior: Posterior, scored: Pointwise, name: Any, allow_unconverged: bool) -> float | None:
    """Return the log predictive density of one outcome by a fit without it; None where no such fit is comparable."""
    law, (runs, observed) = posterior.law, posterior.law.arrays(posterior.study)
    site, place = scored.places[scored.labels.get_loc(name)]
    at = np.unravel_index(place, np.shape(observed[site]))
    kept = {own: np.array(values, dtype=float) for own, values in observed.items()}
    kept[site][at] = np.nan
    draws = {own: v[evenly_spaced(len(v), FEW)] for own, v in posterior.draws.items()}
    whole, rest = score(law, draws, runs, observed), score(law, draws, runs, kept)
    gone = (slice(None), *at)
    change = whole.row - rest.row
    change[:, at[0]] -= whole.outcome[site][gone]
    if np.abs(change).max() > SAME:
        return None
    seed = member_seed(posterior.seed, 1000 + scored.labels.get_loc(name))
    draws = _fit_without(posterior, kept, f"{site} of run {', '.join(filter(None, name[1:]))}", seed, allow_unconverged)
    density = score(law, draws, runs, observed).outcome[site][gone]
    return float(logsumexp(density) - np.log(len(density)))


def _without(posterior: Posterior, name: str, allow_unconverged: bool) -> float:
    """Return the log predictive density of one run's outcomes by a fit without them."""
    law, (runs, observed) = posterior.law, posterior.law.arrays(posterior.study)
    left_out = np.flatnonzero(posterior.run_labels.astype(str) == name)
    kept = {site: np.array(values, dtype=float) for site, values in observed.items()}
    for values in kept.values():
        values[left_out] = np.nan
    seed = member_seed(posterior.seed, int(left_out[0]))
    draws = _fit_without(posterior, kept, f"run {name!r}", seed, allow_unconverged)
    joint = score(law, draws, runs, observed).row[:, left_out].sum(axis=1)
    return float(logsumexp(joint) - np.log(len(joint)))


def _fit_without(
    posterior: Posterior, kept: Mapping[str, np.ndarray], what: str, seed: int, allow_unconverged: bool
) -> dict[str, np.ndarray]:
    """Return the draws of a new fit to what is kept of the outcomes, shape (sample, ...).

    It is asked for as the fit was (one short run where that was one), and adapts from the first where that one was
    adapted; of draws that another sampler made it has as many.
    """
    law, (runs, _) = posterior.law, posterior.law.arrays(posterior.study)
    sizes, asked = posterior.tree["posterior"].sizes, json.loads(posterior.tree.attrs.get("asked", "{}"))
    plan = nuts.Plan(**asked.get("plan", {"draws": sizes["draw"], "warmup": WARMUP, "chains": sizes["chain"]}))
    adapted = {"adapt": True} if posterior.diagnostics.method == "adapted" else {}
    effort = Effort(**asked.get("effort", {}) | adapted)
    sampled, diagnostics = fit_until_converged(law, plan, seed, runs, kept, effort)
    if not diagnostics.converged and not allow_unconverged:
        raise ConvergenceError(
            f"The fit of {law.name} without {what} did not converge: {' '.join(diagnostics.problems())} "
            "To use it all the same, pass allow_unconverged=True, or compare without refit."
        )
    return {site: np.reshape(v, (-1, *np.shape(v)[2:])) for site, v in sampled.posterior.items()}
