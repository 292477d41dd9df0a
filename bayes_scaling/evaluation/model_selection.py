"""Choose a study's law, and how far it may be wrong beyond the data, by backtests inside its training runs."""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from scipy.special import softmax
from scipy.stats import norm

from bayes_scaling.errors import ConvergenceWarning, LawError, StudyError, listed
from bayes_scaling.evaluation.cuts import expanding_window, refused
from bayes_scaling.forecasts.draws import predict
from bayes_scaling.forecasts.scores import of_outcome
from bayes_scaling.inference.attempts import PATIENCE
from bayes_scaling.inference.batch import fit_many
from bayes_scaling.inference.fittable import refusal
from bayes_scaling.inference.padding import bucket, edge_of_data, pad
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit, within
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.law.trace import with_unseen
from bayes_scaling.study.rows import shown
from bayes_scaling.study.study import Study, require_studies, require_study

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.sites import Arrays

__all__ = ["PRIOR", "choose_law", "choose_laws", "learn_discrepancy"]

PRIOR = dist.LogNormal(math.log(0.1), 0.7)
"""Prior of the discrepancy: between the 0.05 that short backtests speak for and the 0.2 of a fit on its own."""

GRID = np.geomspace(0.003, 2.0, 40)
SLOPE_STEP = 0.1  # error of the slope by which the outcomes that tell of it are found


def choose_law(laws: Sequence[Law], study: Study, *, seed: int, **options: Any) -> Law:
    """Return the law that forecasts best inside a study: :func:`bayes_scaling.choose_laws` of one study.

    Parameters
    ----------
    laws : sequence of Law
        Laws of one series.
    study : Study
        Its training runs are split.
    seed : int
        Seed of every random draw.
    **options
        As in :func:`bayes_scaling.choose_laws`.

    Examples
    --------
    >>> law = choose_law([Chinchilla(), Kaplan()], study, seed=0)  # doctest: +SKIP
    >>> forecast = bs.fit(law, study, seed=0).forecast({"N": 7e9, "D": 4e12})  # doctest: +SKIP
    """
    return choose_laws(laws, [require_study(study)], seed=seed, **options)[0]


def choose_laws(
    laws: Sequence[Law],
    studies: Sequence[Study],
    *,
    seed: int,
    by: str = "flops",
    cuts: Sequence[float] | None = None,
    prior: dist.Distribution = PRIOR,
    draws: int = 500,
    patience: float = PATIENCE,
    progress: bool = True,
) -> list[Law]:
    r"""Return, for each study, the law that forecasts best inside it, with the discrepancy its backtests speak for.

    A cut c of study j gives a fit to the runs up to it and outcomes y beyond it.  The law is the one whose median has
    the smallest mean absolute relative error over the outcomes of all cuts, those of exactly 0 left out.  Laws that
    cannot be fitted to the study, for want of a column, are left out, and so are cuts that leave too few runs for any
    of the others.

    Outcomes beyond one cut share one error of the slope, so each cut tells of it by one number: the sum T of its
    outcomes, weighted by how much an error of the slope moves each.  And runs beyond a later cut lie beyond the earlier
    ones too, so the k cuts of a study together count as one observation.  With the mean and the standard deviation of
    T under the forecasts,

    .. math:: p(s \mid j) \propto p(s) \prod_c N \big( T(y_c); \, m_c(s), v_c(s)^2 \big)^{1/k}.

    The posterior, on a grid, is returned as the LogNormal prior of ``discrepancy`` with the same two moments of log s;
    forecasts draw from it, so what backtests leave open widens the interval.  Studies do not learn from each other:
    losses of the same models err alike, and their agreement is no evidence.

    Parameters
    ----------
    laws : sequence of Law
        Laws of one series.  What their model says of runs beyond the fitted ones counts: where a learning curve stands
        at its last checkpoint, and how long its errors last.
    studies : sequence of Study
        Their training runs are split; all backtests of a law are fitted as one batch.
    seed : int
        Seed of every random draw.
    by, cuts : str, sequence of float
        As in :func:`bayes_scaling.evaluation.cuts.expanding_window`.
    prior : Distribution
        Of the discrepancy, a positive number (a fraction); see :data:`bayes_scaling.evaluation.model_selection.PRIOR`.
    draws : int
        Draws per chain of each backtest.
    patience : float
        Seconds that each backtest may go on after its first try, as for :func:`bayes_scaling.fit`.
    progress : bool
        Show a progress bar.

    Raises
    ------
    LawError
        No law is given, or one of several series that a study has.
    StudyError
        No law has the columns it needs, or a study is too small to be split into runs to fit and runs to forecast; or
        the errors of all laws are no numbers.

    Warns
    -----
    ConvergenceWarning
        Backtests did not converge; they count like the others.

    References
    ----------
    .. [1] Wood 2010, "Statistical inference for noisy nonlinear ecological dynamic systems", Nature 466: a normal
       likelihood of a statistic whose moments are simulated.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> from bayes_scaling.models import Chinchilla, Kaplan
    >>> choose_laws([Chinchilla(), Kaplan()], [], seed=0, progress=False)
    []
    """
    studies = require_studies(studies)
    laws = [require_law(law) for law in ([laws] if isinstance(laws, Law) else laws)]
    if not laws:
        raise LawError("There is no law to choose from; give at least one, such as Chinchilla().")
    if not isinstance(prior, dist.Distribution):
        raise LawError(
            f"The prior of the discrepancy is {shown(prior)}; give a distribution of positive numbers, such as "
            "dist.HalfNormal(0.2), or fix it in the law, as in Chinchilla(discrepancy=0.1)."
        )
    with double_precision():
        start = np.asarray(prior.log_prob(GRID)) + np.log(GRID)  # the grid is even in log s
    able = [[law for law in laws if refusal(law, study) is None] for study in studies]
    for law in (law for own in able for law in own if law.by_task):
        raise LawError(
            f"{law.name} describes several series together, and backtests choose among laws of one; give such, as "
            "in choose_law([Chinchilla()], study.select(task=...), seed=0)."
        )
    windows = [_windows(own or laws, study, by, cuts) for own, study in zip(able, studies, strict=True)]
    best = [(math.inf, laws[0]) for _ in studies]
    for law in laws:
        chosen = [j for j, own in enumerate(able) if law in own]
        found = _backtests(law, [windows[j] for j in chosen], seed, progress, draws=draws, patience=patience)
        for j, backtests in zip(chosen, found, strict=True):
            errors = np.abs(np.concatenate([b.error for b in backtests]))
            told = errors[~np.isnan(errors)]  # an outcome of 0 has no relative error
            error = float(told.mean()) if told.size else math.inf
            if error < best[j][0]:
                heights = start + np.mean([b.log_likelihood for b in backtests], axis=0)
                best[j] = error, law.replace(discrepancy=_matched(heights))
    for (error, _), study in zip(best, studies, strict=True):
        if not math.isfinite(error):
            raise StudyError(
                f"In the backtests of {study.name!r} no law has a finite relative error, because every outcome beyond "
                "the cuts is 0, or forecasts there are no numbers; give other cuts, or fit one law by itself."
            )
    return [law for _, law in best]


@overload
def learn_discrepancy(law: Law, studies: Study, *, seed: int, **options: Any) -> Law: ...


@overload
def learn_discrepancy(law: Law, studies: Sequence[Study], *, seed: int, **options: Any) -> list[Law]: ...


def learn_discrepancy(law: Law, studies: Study | Sequence[Study], *, seed: int, **options: Any) -> Law | list[Law]:
    """Return the law of each study with the discrepancy its own backtests speak for.

    This is :func:`bayes_scaling.choose_laws` with one law to choose from.

    Parameters
    ----------
    law : Law
        A law of one series.
    studies : Study or sequence of Study
        Their training runs are split; of one study, one law is returned.
    seed : int
        Seed of every random draw.
    **options
        As in :func:`bayes_scaling.choose_laws`.

    Examples
    --------
    >>> from bayes_scaling.models import PowerLaw
    >>> learn_discrepancy(PowerLaw(), [], seed=0, progress=False)
    []
    """
    if isinstance(studies, Study) or hasattr(studies, "columns"):  # one, or a table that should be one
        return choose_laws([law], [require_study(studies)], seed=seed, **options)[0]
    return choose_laws([law], studies, seed=seed, **options)


Window: TypeAlias = tuple[float, Study, Study]
"""A cut, the runs up to it, and those beyond it."""


def _windows(laws: Sequence[Law], study: Study, by: str, cuts: Sequence[float] | None) -> list[Window]:
    """Return the cuts of a study that leave runs enough for each of the laws, so that all are held against the same."""
    if error := refused(laws, study):
        raise error
    parts = expanding_window(study, by, cuts)
    refusals = [refused(laws, small) for _, small, _ in parts]
    if all(refusals):
        raise StudyError(
            f"Backtests fit a part of the {len(study.training)} runs of {study.name!r}, and no part is enough: "
            f"{refusals[0]}"
        )
    return [part for part, error in zip(parts, refusals, strict=True) if error is None]


@dataclasses.dataclass(frozen=True)
class _Backtest:
    """What one backtest says: relative errors of the median, shape (run,), log likelihood of s, shape (grid,).

    An error is NaN where the outcome is 0, and infinite where the median is no number.
    """

    error: np.ndarray
    log_likelihood: np.ndarray


def _backtests(
    law: Law, windows: Sequence[Sequence[Window]], seed: int, progress: bool, **effort: Any
) -> list[list[_Backtest]]:
    """Fit and score every cut of every study."""
    parts = [(j, *part) for j, own in enumerate(windows) for part in own]
    batch = fit_many(law, [training for _, _, training, _ in parts], seed=seed, progress=progress, **effort)
    found: list[list[_Backtest]] = [[] for _ in windows]
    unsound: list[str] = []
    for (j, cut, training, held_out), member in zip(parts, batch, strict=True):
        if member.posterior is None:
            raise StudyError(f"The backtest of {training.name!r} at the cut {cut:g} failed: {member.error}")
        if not member.posterior.diagnostics.converged:
            unsound.append(f"{training.name!r} up to {cut:g}")
        found[j].append(_score(member.posterior, held_out))
    if unsound:
        warnings.warn(
            f"{len(unsound)} of {len(parts)} backtests of {law.name} did not converge ({listed(unsound)}), and count "
            "like the others; take more draws, or give them more patience.",
            ConvergenceWarning,
            stacklevel=_outside(),
        )
    return found


def _outside() -> int:
    """Return how many frames above its caller the code of a user is, for a warning that is to point there."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def _score(posterior: Posterior, held_out: Study) -> _Backtest:
    """Hold a posterior against outcomes beyond its runs."""
    law, outcome = posterior.law, posterior.law.outcome
    fitted, _ = law.arrays(posterior.study)
    actual, rows = law.outcomes_of(held_out), bucket(len(held_out))
    runs = pad({**fitted, **law.input_arrays(held_out.frame)}, rows, law.run_inputs)
    padded = pad({outcome: actual}, rows, (outcome,), np.nan)[outcome]
    edge = edge_of_data(law, fitted)
    count = len(next(iter(posterior.draws.values())))
    fixed = {name: np.full(count, own) for name, own in law.fixed_parameters.items()}
    latent = {**fixed, **posterior.draws}
    slopes = norm.ppf((np.random.default_rng(posterior.seed).permutation(count) + 0.5) / count)
    with double_precision():
        key = jax.random.key(posterior.seed)
        program = (law.replace(discrepancy=PRIOR) if law.own_model else law).program  # its scale is a site there
        median, heights = _hold_against(program, latent, _drift(law), slopes, key, runs, edge, padded, GRID)
    said = np.asarray(median)[: len(actual)]
    error = of_outcome(np.where(np.isfinite(said), said, math.inf) - actual, actual)
    return _Backtest(error, np.asarray(heights))


def _drift(law: Law) -> float:
    """Return the mean of the error of the slope; its spread, which is what is learnt here, need not be finite."""
    return float(law.replace(discrepancy=PRIOR).slope_moments[0])


@jit
def _hold_against(
    law: Law,
    latent: Arrays,
    drift: float,
    slopes: jax.Array,
    key: jax.Array,
    runs: Arrays,
    fitted: Arrays,
    actual: jax.Array,
    grid: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the median forecast, shape (run,), and the log likelihood of each discrepancy, shape (grid,).

    Every draw brings one error of the slope, around ``drift``.  Outcomes within the data have no weight, and nothing is
    learnt where all are.
    """
    known = jnp.isfinite(actual)
    keys, latent = jax.random.split(key, len(slopes)), with_unseen(law, latent, key)

    def predicted(error: jax.Array) -> dict[str, jax.Array]:
        sites = {"discrepancy": jnp.ones_like(error), "discrepancy_slope": error}  # the law's own drift comes on top
        return within(predict)(law, keys, {**latent, **sites}, runs, fitted)

    def forecasts(error: jax.Array) -> jax.Array:
        if law.own_model:
            return predicted(error)[f"{law.outcome}_mean"]
        return jax.vmap(lambda draw, e: law.extrapolated(runs, fitted, draw, e))(latent, drift + error)

    def noisy(mean: jax.Array, draw: Arrays, own: jax.Array) -> jax.Array:
        return law.likelihood(mean, law.new_noise(runs, mean, draw)).sample(own)

    def outcomes(error: jax.Array) -> jax.Array:
        return predicted(error)[law.outcome] if law.own_model else jax.vmap(noisy)(forecasts(error), latent, keys)

    moved = jnp.full_like(slopes, SLOPE_STEP)
    weight = jnp.where(known, (forecasts(moved) - forecasts(-moved)).mean(axis=0), 0.0)
    seen = weight @ jnp.where(known, actual, 0.0)

    def height(scale: jax.Array) -> jax.Array:
        total = jnp.where(known, outcomes(scale * slopes), 0.0) @ weight
        return dist.Normal(total.mean(), total.std()).log_prob(seen)

    heights = jax.lax.map(height, grid)
    median = jnp.median(forecasts(jnp.zeros_like(slopes)), axis=0)
    return median, jnp.where(jnp.any(weight != 0), heights, 0.0)


def _matched(heights: np.ndarray) -> dist.LogNormal:
    """Return the LogNormal with the moments of log s under log weights on the grid."""
    weight = softmax(heights)
    centre = float(weight @ np.log(GRID))
    return dist.LogNormal(centre, max(math.sqrt(float(weight @ (np.log(GRID) - centre) ** 2)), 0.05))
