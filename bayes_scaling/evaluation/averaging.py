"""Several laws in place of one: weighed by backtests, fitted, and their forecasts mixed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.stats import binom

from bayes_scaling.errors import LawError, TargetError, counted, listed
from bayes_scaling.evaluation.weighing import weigh
from bayes_scaling.evaluation.weights import Learnt
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.fit import fit
from bayes_scaling.law.base import require_law
from bayes_scaling.problems import Problem, Problems

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = [
    "AveragedFit",
    "AveragedForecast",
    "average_laws",
    "average_problems",
    "fit_each",
    "fit_laws",
    "forecast_each",
    "forecast_equally",
    "law_names",
    "named_laws",
]

LEAST = 0.02  # a law of less weight is left out
MAX_CHANCE = 0.01  # that so few runs of backtests lie inside intervals that hold nine of ten, were each by itself


@dataclasses.dataclass(frozen=True, eq=False)
class AveragedFit:
    """Several laws fitted to one study, each with its weight.

    Attributes
    ----------
    weights : pandas.Series
        Weight of each law, by its name.
    backtests : pandas.DataFrame
        What the weights rest on, as in :class:`bayes_scaling.evaluation.weighing.Weighing`.
    posteriors : mapping of str to Posterior
        The fits, by the name of their law.
    left_out : tuple of str
        Laws of weight whose chains did not converge, or whose forecast is refused, so that their weight went to the
        others.
    refused : mapping of str to float
        Those of them whose forecast is refused, because it is no number or none that there can be: the weight that each
        had, of one.
    reasons : mapping of str to str
        Why the forecast of each of these is refused.
    """

    weights: pd.Series
    backtests: pd.DataFrame
    posteriors: Mapping[str, Posterior]
    left_out: tuple[str, ...] = ()
    refused: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def equally(cls, posteriors: Mapping[str, Posterior]) -> AveragedFit:
        """Return fits with equal weights, by name, which rest on no backtests."""
        return cls(pd.Series(1 / len(posteriors), [*posteriors]), pd.DataFrame(), posteriors)

    @property
    def heaviest(self) -> Posterior:
        """The fit of the law of most weight."""
        return self.posteriors[str(self.weights.idxmax())]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AveragedForecast(Forecast):
    """A forecast by several laws, each with its weight.

    Attributes
    ----------
    weights, backtests, posteriors, left_out, refused, reasons
        The fits behind it, as in :class:`AveragedFit`.
    """

    weights: pd.Series = dataclasses.field(default_factory=lambda: pd.Series(dtype=float))
    backtests: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    posteriors: Mapping[str, Posterior] = dataclasses.field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    refused: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def through_losses(self) -> bool:
        """Whether its fits are one law through several losses, which no backtests weigh."""
        return any(fit.law.route for fit in self.posteriors.values())

    @classmethod
    def of(cls, mixed: Forecast, found: AveragedFit) -> AveragedForecast:
        """Return a mixture of forecasts with the fits behind it."""
        parts = ((mixed, Forecast), (found, AveragedFit))
        return cls(**{f.name: getattr(part, f.name) for part, kind in parts for f in dataclasses.fields(kind)})


def average_laws(
    laws: Mapping[str, Law] | Sequence[Law],
    study: Study,
    targets: Any = None,
    *,
    seed: int,
    own_cuts: Learnt,
    sharpness: Learnt,
    allow_unconverged: bool = False,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedForecast:
    """Weigh laws by their backtests, fit those of weight, and mix their forecasts.

    Parameters
    ----------
    laws : mapping of str to Law, or sequence of Law
        By any names, or by those of :func:`law_names`.
    study, seed, own_cuts, sharpness
        As for :func:`bayes_scaling.evaluation.weighing.weigh`.
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
    LawError
        As :func:`bayes_scaling.evaluation.weighing.weigh` says; or every law's forecast is refused, as
        :func:`bayes_scaling.forecast` says.  A law whose forecast alone is refused is left out.
    StudyError, TargetError
        As :func:`bayes_scaling.evaluation.weighing.weigh` and :func:`bayes_scaling.forecast` say.
    """
    found = fit_laws(
        _that_can_read(named_laws(laws), study.training, targets),
        study,
        seed=seed,
        own_cuts=own_cuts,
        sharpness=sharpness,
        say=say,
        **options,
    )
    forecasts, found = forecast_each(found, targets, allow_unconverged=allow_unconverged)
    mixed = average(forecasts, list(found.weights), seed=seed)
    if len(forecasts) > 1:
        mixed = dataclasses.replace(mixed, law=f"the average of {listed(found.posteriors)}")
    return AveragedForecast.of(mixed, found)


def fit_laws(
    laws: Mapping[str, Law] | Sequence[Law],
    study: Study,
    *,
    seed: int,
    own_cuts: Learnt,
    sharpness: Learnt,
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> AveragedFit:
    """Weigh laws by their backtests and fit those of weight.

    A law whose chains did not converge leaves its weight to those whose did; where none did, or where the outcomes are
    computed ones, all are returned as they are.

    Parameters
    ----------
    laws : mapping of str to Law, or sequence of Law
        By any names, or by those of :func:`law_names`.
    study, seed, own_cuts, sharpness
        As for :func:`bayes_scaling.evaluation.weighing.weigh`.
    say : callable
        Told what is being done, in words.
    **options
        As for :func:`bayes_scaling.fit`.

    Raises
    ------
    LawError, StudyError
        As :func:`bayes_scaling.evaluation.weighing.weigh` says.
    """
    laws = named_laws(laws)
    say(f"Weighing {len(laws)} laws by backtests on {study.name!r} ...")
    weighing = weigh(laws, study, seed=seed, own_cuts=own_cuts, sharpness=sharpness)
    kept = weighing.weights[weighing.weights >= min(LEAST, weighing.weights.max())]
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
    """Return the name of each law, where there are several with the loss it goes through, its number, or both."""
    if len(laws) == 1:
        return [laws[0].name]
    several = Counter((law.name, law.route) for law in laws)
    names = []
    for i, law in enumerate(laws, start=1):
        alike = several[law.name, law.route] > 1
        names.append(f"{law.name} ({f'{law.route}, {i}' if law.route and alike else law.route or i})")
    return names


def named_laws(laws: Mapping[str, Law] | Iterable[Law]) -> dict[str, Law]:
    """Return laws by their names: those given, or those of :func:`law_names`.

    Raises
    ------
    LawError
        One of them is no law.
    """
    if isinstance(laws, Mapping):
        return {str(name): require_law(law) for name, law in laws.items()}
    one = isinstance(laws, (type, str)) or not isinstance(laws, Iterable)
    several = [require_law(law) for law in ([laws] if one else laws)]
    return dict(zip(law_names(several), several, strict=True))


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
    laws = named_laws(laws)
    for i, (name, law) in enumerate(laws.items(), start=1):
        which = f" ({i} of {len(laws)})" if len(laws) > 1 else ""
        say(f"Fitting {name}{which} to {study.name!r}, {len(study.training.runs)} runs ...")
        yield name, fit(law, study, seed=seed, **options)


def forecast_each(
    found: AveragedFit, targets: Any, *, allow_unconverged: bool = False, discrepancy: bool = True
) -> tuple[list[Forecast], AveragedFit]:
    """Forecast by each of several fits, and return the forecasts with the fits of those that are not refused.

    Parameters
    ----------
    found : AveragedFit
        The fits.
    targets, allow_unconverged, discrepancy
        As for :func:`bayes_scaling.forecast`.

    Returns
    -------
    (list of Forecast, AveragedFit)
        What is left, in one order; the weights of those that are refused went to the others.

    Raises
    ------
    ConvergenceError, StudyError, TargetError
        As :func:`bayes_scaling.forecast` says.
    LawError
        Every forecast is refused; the error is that of the fit of most weight, by its name.
    """
    forecasts, refusals = [], {}
    for name, one in found.posteriors.items():
        try:
            forecasts.append(forecast(one, targets, discrepancy=discrepancy, allow_unconverged=allow_unconverged))
        except LawError as error:
            refusals[name] = error
    reasons = {name: str(why).replace(found.posteriors[name].law.name, name, 1) for name, why in refusals.items()}
    if not forecasts:
        heaviest = str(found.weights.idxmax())
        raise LawError(reasons[heaviest]) from refusals[heaviest]
    return forecasts, _without(found, reasons)


def forecast_equally(
    laws: Mapping[str, Law] | Sequence[Law],
    study: Study,
    targets: Any,
    *,
    seed: int,
    discrepancy: bool = True,
    allow_unconverged: bool = False,
    override: str = "allow_unconverged=True",
    say: Callable[[str], object] = lambda words: None,
    **options: Any,
) -> tuple[Forecast, AveragedFit]:
    """Fit laws one after another, mix their forecasts with equal weights, and return the mixture with the fits.

    Parameters
    ----------
    laws : mapping of str to Law, or sequence of Law
        By any names, or by those of :func:`law_names`.
    study, targets, seed, discrepancy, allow_unconverged
        As for :func:`bayes_scaling.fit` and :func:`bayes_scaling.forecast`.
    override : str
        What a user passes to use a fit that did not converge, in the words of the interface in use.
    say : callable
        Told what is being done, in words.
    **options
        As for :func:`bayes_scaling.fit`.

    Returns
    -------
    (Forecast, AveragedFit)
        The forecast of one law alone is its own, that of several an :class:`AveragedForecast`: one whose forecast is
        refused is left out with its reason, where another is left.

    Raises
    ------
    ConvergenceError
        A fit did not converge; no other is made then.
    LawError, StudyError, TargetError
        As :func:`forecast_each` says, and :func:`bayes_scaling.fit`.
    """
    posteriors = {}
    for name, posterior in fit_each(laws, study, seed=seed, say=say, **options):
        posterior.require_converged(allow_unconverged, override=override)  # before the next one is waited for
        posteriors[name] = posterior
    say("Forecasting ...")
    how = {"discrepancy": discrepancy, "allow_unconverged": True}
    forecasts, found = forecast_each(AveragedFit.equally(posteriors), targets, **how)
    mixed = average(forecasts, seed=seed)
    return AveragedForecast.of(mixed, found) if len(laws) > 1 else mixed, found


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
        - ``left-out``: laws of weight whose chains did not converge, or whose forecast is refused, a record each
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
    apart = [name for name in found.left_out if name not in found.refused]
    if apart:
        one = len(apart) == 1
        problems.append(
            Problem(
                "left-out",
                f"{listed(apart)} {'was' if one else 'were'} left out of the average, because "
                f"{'its' if one else 'their'} chains did not converge",
                f"take more draws, so that the forecast holds what {'it says' if one else 'they say'} too",
                float(len(apart)),
            )
        )
    if found.refused:
        one = len(found.refused) == 1
        named = listed([f"{name} (weight {weight:.2f})" for name, weight in found.refused.items()])
        why = listed([reason.rpartition("; ")[0] or reason.rstrip(".") for reason in found.reasons.values()])
        lost = ("it says" if one else "they say") if tests.empty else "backtests gave weight"
        problems.append(
            Problem(
                "left-out",
                f"{named} {'was' if one else 'were'} left out of the average, because {'its' if one else 'their'} "
                f"forecast is no number at a target, or none that there can be{f' ({why})' if why else ''}",
                f"the forecast does not hold what {lost}, so forecast nearer targets",
                float(len(found.refused)),
            )
        )
    return Problems(problems)


def _without(found: AveragedFit, reasons: Mapping[str, str]) -> AveragedFit:
    """Return an average without the laws whose forecast is refused for a reason; their weight goes to the others."""
    refused = {name: float(found.weights[name]) for name in reasons}
    kept = found.weights.drop(list(refused))
    posteriors = {name: one for name, one in found.posteriors.items() if name not in refused}
    return dataclasses.replace(
        found,
        weights=kept / kept.sum(),
        posteriors=posteriors,
        left_out=(*found.left_out, *refused),
        refused=refused,
        reasons=reasons,
    )


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
