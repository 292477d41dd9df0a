"""Several laws in place of one: weighed by backtests, fitted, and their forecasts mixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from bayes_scaling.errors import LawError, StudyError, TargetError, counted, listed
from bayes_scaling.evaluation.backtest import usual_cuts
from bayes_scaling.evaluation.held_out import SLOPES, HeldOut, Window, hold_out
from bayes_scaling.evaluation.weights import cut_scores, law_weights, slope_weights, slopes_after
from bayes_scaling.forecasts.forecast import Forecast, average
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.forecasts.quantiles import quantile_columns
from bayes_scaling.forecasts.scores import of_outcome
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.fit import fit
from bayes_scaling.inference.fittable import FEWEST, check_size, refusal
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.flops import training_flops

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = [
    "AveragedFit",
    "AveragedForecast",
    "Weighing",
    "average_laws",
    "average_problems",
    "fit_each",
    "fit_laws",
    "law_names",
    "split_by_compute",
    "weigh",
]

LEAST = 0.02  # a law of less weight is left out
CELL = float(SLOPES[1] - SLOPES[0]) / np.sqrt(12)  # standard deviation of an error within its cell of the grid
SAMPLES = 2000  # draws of a mixture in the table of backtests
MAX_CHANCE = 0.01  # that so few runs of backtests lie inside intervals that hold nine of ten, were each by itself


@dataclasses.dataclass(frozen=True, eq=False)
class Weighing:
    """Laws weighed by their backtests on one study.

    Attributes
    ----------
    laws : mapping of str to Law
        The laws, their error of the slope as the backtests leave it.
    weights : pandas.Series
        Weight of each law, by its name; they add up to one.
    backtests : pandas.DataFrame
        One row per cut and run beyond it: ``cut`` (largest FLOPs fitted), ``fitted`` (runs), ``run``, ``actual``,
        ``q05``, ``q25``, ``median``, ``q75``, ``q95`` of the mixture, ``error`` (a fraction), ``inside`` (the 90 %
        interval).  Empty where there are too few runs.
    """

    laws: Mapping[str, Law]
    weights: pd.Series
    backtests: pd.DataFrame


@dataclasses.dataclass(frozen=True, eq=False)
class AveragedFit:
    """Several laws fitted to one study, each with its weight.

    Attributes
    ----------
    weights : pandas.Series
        Weight of each law, by its name.
    backtests : pandas.DataFrame
        What the weights rest on, as in :class:`Weighing`.
    posteriors : mapping of str to Posterior
        The fits, by the name of their law.
    left_out : tuple of str
        Laws of weight whose chains did not converge, so that their weight went to the others.
    """

    weights: pd.Series
    backtests: pd.DataFrame
    posteriors: Mapping[str, Posterior]
    left_out: tuple[str, ...] = ()

    @property
    def heaviest(self) -> Posterior:
        """The fit of the law of most weight."""
        return self.posteriors[str(self.weights.idxmax())]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AveragedForecast(Forecast):
    """A forecast by several laws, each with its weight.

    Attributes
    ----------
    weights, backtests, posteriors, left_out
        The fits behind it, as in :class:`AveragedFit`.
    """

    weights: pd.Series = dataclasses.field(default_factory=lambda: pd.Series(dtype=float))
    backtests: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    posteriors: Mapping[str, Posterior] = dataclasses.field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, mixed: Forecast, found: AveragedFit) -> AveragedForecast:
        """Return a mixture of forecasts with the fits behind it."""
        parts = ((mixed, Forecast), (found, AveragedFit))
        return cls(**{f.name: getattr(part, f.name) for part, kind in parts for f in dataclasses.fields(kind)})


def weigh(laws: Mapping[str, Law], study: Study, *, seed: int, own_cuts: float, sharpness: float) -> Weighing:
    r"""Weigh laws, and learn the error of their slope, by backtests inside a study.

    Each law is fitted to the half, two thirds and four fifths of the runs that took least compute, and forecasts the
    rest.  A grid over the error e of the slope gives the density of each outcome; over the n_c outcomes y of a cut c,
    k cuts in all, with p(e) the prior that the law states,

    .. math:: p(e \mid \text{cuts}) \propto p(e) \prod_c \prod_{y} p_c(y \mid e)^{\omega / k n_c}, \qquad
              w \propto \exp \Big( \tau \tfrac{1}{k} \sum_c \tfrac{1}{n_c} \sum_y \log \textstyle\int p_c(y \mid e)
              p(e) \, de \Big) ,

    the weights w averaged over Bayesian bootstraps of the outcomes.

    Outcomes beyond one cut share one error, and cuts share runs, so all of them together count as ``own_cuts``
    observations (omega), however many they are.

    Parameters
    ----------
    laws : mapping of str to Law
        Laws of one series by any names.
    study : Study
        Its training runs are split.
    seed : int
        Seed of every random draw but the bootstraps, which are the same in every call.
    own_cuts, sharpness : float
        Omega and tau.

    Raises
    ------
    LawError
        No law is given.
    StudyError
        A law cannot be fitted to the study.
    """
    if not laws:
        raise LawError("There is no law to average; give at least one, such as {'chinchilla': Chinchilla()}.")
    training = study.training
    for law in laws.values():
        check_size(law, training, *law.arrays(training))
    cuts = split_by_compute(training, tuple(laws.values()))
    windows = [Window(law, small, large) for law in laws.values() for _, small, large in cuts]
    found = hold_out(windows, seed=seed)
    by_law = {name: found[i * len(cuts) : (i + 1) * len(cuts)] for i, name in enumerate(laws)}
    scores = [cut_scores([one.log_density for one in by_law[name]], law.slope_moments) for name, law in laws.items()]
    weights = pd.Series(law_weights(scores, sharpness), index=list(laws), name="weight")
    learnt = {name: law.with_slope(*_moments(law, by_law[name], own_cuts)) for name, law in laws.items()}
    return Weighing(learnt, weights, _table(laws, weights, cuts, by_law, seed))


def average_laws(
    laws: Mapping[str, Law],
    study: Study,
    targets: Any = None,
    *,
    seed: int,
    own_cuts: float,
    sharpness: float,
    allow_unconverged: bool = False,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedForecast:
    """Weigh laws by their backtests, fit those of weight, and mix their forecasts.

    Parameters
    ----------
    laws, study, seed, own_cuts, sharpness
        As for :func:`weigh`.
    targets : Study, DataFrame, mapping, or sequence of mappings
        Runs to forecast, as :func:`bayes_scaling.forecast` reads them.
    allow_unconverged : bool
        Forecast from fits that did not converge.
    say : callable
        Told what is being done, in words.
    **options
        As for :func:`bayes_scaling.fit`.

    Raises
    ------
    ConvergenceError
        No fit converged; a law whose fit alone did not is left out.
    LawError, StudyError, TargetError
        As :func:`weigh` and :func:`bayes_scaling.forecast` say.
    """
    found = fit_laws(
        _that_can_read(laws, study.training, targets),
        study,
        seed=seed,
        own_cuts=own_cuts,
        sharpness=sharpness,
        say=say,
        **options,
    )
    forecasts = [forecast(one, targets, allow_unconverged=allow_unconverged) for one in found.posteriors.values()]
    mixed = average(forecasts, list(found.weights), seed=seed)
    if len(forecasts) > 1:
        mixed = dataclasses.replace(mixed, law=f"the average of {listed(found.posteriors)}")
    return AveragedForecast.of(mixed, found)


def fit_laws(
    laws: Mapping[str, Law],
    study: Study,
    *,
    seed: int,
    own_cuts: float,
    sharpness: float,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedFit:
    """Weigh laws by their backtests and fit those of weight.

    A law whose chains did not converge leaves its weight to those whose did; where none did, or where the outcomes are
    computed ones, all are returned as they are.

    Parameters
    ----------
    laws, study, seed, own_cuts, sharpness
        As for :func:`weigh`.
    say : callable
        Told what is being done, in words.
    **options
        As for :func:`bayes_scaling.fit`.

    Raises
    ------
    LawError, StudyError
        As :func:`weigh` says.
    """
    say(f"Weighing {len(laws)} laws by backtests on {study.name!r} ...")
    weighing = weigh(laws, study, seed=seed, own_cuts=own_cuts, sharpness=sharpness)
    kept = weighing.weights[weighing.weights >= LEAST]
    chosen = {str(name): weighing.laws[str(name)] for name in kept.index}
    posteriors = dict(fit_each(chosen, study, seed=seed, say=say, **options))
    converged = {name: one for name, one in posteriors.items() if one.diagnostics.converged}
    if any(one.diagnostics.computed for one in posteriors.values()):
        converged = {}  # no law is to be left out for what is wrong with the runs
    left_out = tuple(name for name in posteriors if name not in converged) if converged else ()
    posteriors = converged or posteriors
    kept = kept[list(posteriors)]
    return AveragedFit(kept / kept.sum(), weighing.backtests, posteriors, left_out)


def law_names(laws: Sequence[Law]) -> list[str]:
    """Return the name of each law, with the loss it goes through where there are several."""
    if len(laws) == 1:
        return [laws[0].name]
    return [f"{law.name} ({law.route or i})" for i, law in enumerate(laws, start=1)]


def fit_each(
    laws: Mapping[str, Law] | Sequence[Law],
    study: Study,
    *,
    seed: int,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> Iterator[tuple[str, Posterior]]:
    """Fit laws to a study one after another, and yield each fit with the name of its law.

    Parameters
    ----------
    laws : mapping of str to Law, or sequence of Law
        By any names, or by those of :func:`law_names`.
    study, seed, **options
        As for :func:`bayes_scaling.fit`.
    say : callable
        Told what is being done, in words.
    """
    if not isinstance(laws, Mapping):
        laws = dict(zip(law_names(laws), laws, strict=True))
    for i, (name, law) in enumerate(laws.items(), start=1):
        which = f" ({i} of {len(laws)})" if len(laws) > 1 else ""
        say(f"Fitting {name}{which} to {study.name!r}, {len(study.training.runs)} runs ...")
        yield name, fit(law, study, seed=seed, **options)


def average_problems(found: AveragedFit | AveragedForecast) -> Problems:
    """Return what speaks against an average of laws, besides what speaks against its fits.

    Parameters
    ----------
    found : AveragedFit or AveragedForecast
        The average.

    Returns
    -------
    Problems
        Records with these codes:

        - ``backtests``: of the runs of the backtests, each in the last cut that forecasts it, so few lie inside the
          90 % interval that it would happen once in a hundred where the interval is right and each run errs by itself
          (runs of one study err alike, so that it happens more often)
        - ``left-out``: laws of weight whose chains did not converge
    """
    problems, tests = [], found.backtests
    tests = tests if tests.empty else tests.drop_duplicates("run", keep="last")
    inside = 0 if tests.empty else int(tests["inside"].sum())
    if not tests.empty and binom.cdf(inside, len(tests), 0.9) < MAX_CHANCE:
        problems.append(
            Problem(
                "backtests",
                f"Of the {counted(len(tests), 'run')} forecast in the backtests {inside} lay inside the 90 % interval "
                f"(about {0.9 * len(tests):.0f} where it is right, though runs of one study err alike)",
                "larger runs go another way than smaller ones say, so trust the interval less, or make a larger run "
                "first",
                inside / len(tests),
            )
        )
    if found.left_out:
        one = len(found.left_out) == 1
        problems.append(
            Problem(
                "left-out",
                f"{listed(found.left_out)} {'was' if one else 'were'} left out of the average, because "
                f"{'its' if one else 'their'} chains did not converge",
                f"take more draws, so that the forecast holds what {'it says' if one else 'they say'} too",
                float(len(found.left_out)),
            )
        )
    return Problems(problems)


def split_by_compute(training: Study, laws: tuple[Law, ...]) -> list[tuple[float, Study, Study]]:
    """Return (largest FLOPs fitted, runs up to them, runs beyond) of each cut that leaves runs enough.

    These are at least as many as the parameters of any of the laws: through fewer its curve goes whatever they are, and
    the score of what it says of the others is one of its priors, and of luck.

    Raises
    ------
    StudyError
        The columns do not tell the FLOPs of the runs.
    """
    flops = training_flops(training.frame)
    if flops is None:
        raise StudyError(
            f"Study {training.name!r} has neither FLOPs nor both of n_params and tokens, so its runs cannot be ordered "
            "by compute; add one of them."
        )
    most = max(len({*law.free_parameters} - {*law.noise}) for law in laws)
    cuts = []
    for cut in usual_cuts(flops):
        small, large = (dataclasses.replace(training, frame=training.frame[m]) for m in (flops <= cut, flops > cut))
        if len(small) >= max(FEWEST, most) and not any(refusal(law, small) for law in laws):
            cuts.append((cut, small, large))
    return cuts


def _that_can_read(laws: Mapping[str, Law], training: Study, targets: Any) -> dict[str, Law]:
    """Return the laws whose inputs the targets have."""
    refusals, kept = [], {}
    for name, law in laws.items():
        try:
            read_targets(law, training, targets)
            kept[name] = law
        except TargetError as error:
            refusals.append(error)
    if laws and not kept:
        raise refusals[0]
    return kept


def _moments(law: Law, found: list[HeldOut], own_cuts: float) -> tuple[float, float]:
    """Return mean and standard deviation of the error of the slope, given the cuts."""
    if not found:
        return law.slope_moments
    weight = slopes_after([one.log_density for one in found], law.slope_moments, own_cuts)
    mean = float(weight @ SLOPES)
    return mean, max(float(np.sqrt(weight @ np.square(SLOPES - mean))), CELL)


def _table(
    laws: Mapping[str, Law],
    weights: pd.Series,
    cuts: list[tuple[float, Study, Study]],
    by_law: Mapping[str, list[HeldOut]],
    seed: int,
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    blocks = []
    for i, (cut, small, large) in enumerate(cuts):
        parts = []
        for name, law in laws.items():
            outcomes = by_law[name][i].outcomes
            count = round(SAMPLES * weights[name])
            slopes = rng.choice(len(SLOPES), count, p=slope_weights(*law.slope_moments))
            parts.append(outcomes[slopes, rng.integers(outcomes.shape[1], size=count)])
        levels = quantile_columns(np.concatenate(parts))
        actual = next(iter(laws.values())).outcomes_of(large)
        names = large.frame["run"] if "run" in large.frame else large.frame.index
        table = pd.DataFrame({"cut": cut, "fitted": len(small), "run": list(names), "actual": actual, **levels})
        inside = (table["q05"] <= actual) & (actual <= table["q95"])
        blocks.append(table.assign(error=of_outcome(table["median"].to_numpy(), actual) - 1, inside=inside))
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()
