"""Compare fits of several laws to the same outcomes, by LOO, WAIC, leave-one-run-out and backtests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from bayes_scaling.errors import ComparisonError, listed, suggest
from bayes_scaling.evaluation.groups import with_groups
from bayes_scaling.evaluation.labels import outcomes, pointwise
from bayes_scaling.evaluation.loo import Criterion, stack, waic
from bayes_scaling.evaluation.refits import leave_outcome_out, leave_run_out
from bayes_scaling.forecasts.mixing import called
from bayes_scaling.forecasts.scores import summarise
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.study.card import differing_measure
from bayes_scaling.study.rows import shown

__all__ = ["compare", "stacking_weights"]

CRITERIA = ("loo", "waic", "run")
SCORED = ("quantity", "actual", "error", "relative_error", "crps", "in50", "in80", "in90", "width90")  # of a backtest
NAMED = 3  # outcomes that a warning names
TOLERANCE = 1e-9  # relative, between outcomes that are the same


def compare(
    posteriors: Mapping[str, Posterior] | Sequence[Posterior],
    ic: str = "loo",
    *,
    refit: bool | None = None,
    extrapolation: Mapping[str, pd.DataFrame] | None = None,
    allow_unconverged: bool = False,
) -> pd.DataFrame:
    """Compare fits of several laws to the same outcomes.

    Parameters
    ----------
    posteriors : mapping of str to Posterior, or sequence of Posterior
        At least two fits, by name or in a list; those of a list are called by their laws, numbered where alike.
    ic : {"loo", "waic", "run"}
        Which criterion sorts the table, the best first: leaving out one outcome (PSIS-LOO), the widely applicable
        information criterion, or leaving out a run with all its outcomes.
    refit : bool, optional
        Fit anew without each outcome, and each run, where importance sampling fails (Pareto k too high).  By default
        that is done for up to ten of either (:data:`bayes_scaling.evaluation.refits.MAX_REFITS`), with True for all.
    extrapolation : mapping of str to pandas.DataFrame, optional
        Backtest of each law, as :func:`bayes_scaling.backtest` returns it: scores of runs beyond the fitted ones.
    allow_unconverged : bool
        Compare fits that did not converge.

    Returns
    -------
    pandas.DataFrame
        One row per fit, the best first.  For each criterion c of ``loo``, ``waic`` and ``run``:

        - ``elpd_c``: expected log predictive density (nats, summed over outcomes), the larger the better
        - ``diff_c``: its difference to the first row of the table, negative where this row is worse
        - ``se_diff_c``: standard error of the difference, from the differences of single values
        - ``p_c``: effective number of parameters
        - ``high_c``: number of unreliable values: Pareto k above 0.7 (less for fewer than 2200 draws), or for WAIC a
          variance of the log likelihood above 0.4
        - ``weight_c``: stacking weight
        - ``refits_c``: number of outcomes (runs) left out by a fit of their own; not for WAIC

        Then ``warnings``: in words, which criteria are unreliable and for which outcomes; ``pointwise``: whether the
        values of single outcomes are ``independent`` given the parameters, ``conditional`` on the other outcomes of
        the run, or ``sequential``, each given the one before and read by the next (checkpoints whose errors last), by
        quantity where they differ (values of runs are always joint), and with ``extrapolation`` the
        backtest's ``backtest_n``, ``backtest_mape`` (fraction), ``backtest_crps`` (unit of the outcome) and
        ``backtest_cover90`` (fraction), with the quantity at the end of the name where there are several.

    Raises
    ------
    ComparisonError
        The fits saw different outcomes, or describe them on different scales or in different units; or a backtest is
        no table of one.
    ConvergenceError
        A fit did not converge.

    Notes
    -----
    Differences of less than four, or of less than two standard errors, say little [1]_; with few outcomes the standard
    error is itself too small.

    References
    ----------
    .. [1] Sivula, Magnusson, Matamoros and Vehtari 2020, "Uncertainty in Bayesian leave-one-out cross-validation based
       model comparison", arXiv 2008.10296.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> table = bs.compare({"chinchilla": first, "kaplan": second}, ic="run", refit=True)  # doctest: +SKIP
    >>> table[["elpd_run", "diff_run", "se_diff_run", "weight_run"]]  # doctest: +SKIP
    """
    posteriors = by_name(posteriors)
    if ic not in CRITERIA:
        raise ComparisonError(f"There is no criterion {ic!r}; {suggest(ic, CRITERIA)}")
    if len(posteriors) < 2:
        raise ComparisonError(f"A comparison needs two fits or more, and {len(posteriors)} were given; add another.")
    for posterior in posteriors.values():
        posterior.require_converged(allow_unconverged)
    check_comparable(posteriors)
    beside = None if extrapolation is None else _backtests(extrapolation, list(posteriors))
    found: dict[str, dict[str, Criterion]] = {c: {} for c in CRITERIA}
    kinds = {}
    for name, posterior in posteriors.items():
        scored = with_groups(posterior, "log_likelihood", "run_log_likelihood")
        values = pointwise(scored)
        found["loo"][name] = leave_outcome_out(scored, refit=refit, allow_unconverged=allow_unconverged)
        found["waic"][name] = waic(values.values, values.labels)
        found["run"][name] = leave_run_out(scored, refit=refit, allow_unconverged=allow_unconverged)
        each = set(values.kinds.values())
        kinds[name] = each.pop() if len(each) == 1 else ", ".join(f"{q} {k}" for q, k in sorted(values.kinds.items()))
    order = sorted(posteriors, key=lambda name: -found[ic][name].elpd.sum())
    table = pd.concat([_columns(c, {name: found[c][name] for name in order}) for c in CRITERIA], axis=1)
    table["warnings"] = [" ".join(filter(None, (_doubt(c, found[c][name]) for c in CRITERIA))) for name in order]
    table["pointwise"] = [kinds[name] for name in order]
    return table if beside is None else table.join(beside)


def stacking_weights(
    posteriors: Mapping[str, Posterior] | Sequence[Posterior],
    ic: str = "loo",
    *,
    refit: bool | None = None,
    allow_unconverged: bool = False,
) -> pd.Series:
    """Return stacking weights in the order of the fits, ready for :func:`bayes_scaling.average`.

    Parameters
    ----------
    posteriors, ic, refit, allow_unconverged
        As in :func:`compare`.

    Raises
    ------
    ComparisonError
        The fits saw different outcomes, or describe them on different scales or in different units.
    ConvergenceError
        A fit did not converge.

    Examples
    --------
    >>> forecasts = [p.forecast(targets) for p in posteriors.values()]  # doctest: +SKIP
    >>> mixed = bs.average(forecasts, bs.stacking_weights(posteriors), seed=0)  # doctest: +SKIP
    >>> named = {name: p.forecast(targets) for name, p in posteriors.items()}  # doctest: +SKIP
    >>> mixed = bs.average(named, table["weight_loo"], seed=0)  # of bs.compare(posteriors)  # doctest: +SKIP
    """
    posteriors = by_name(posteriors)
    table = compare(posteriors, ic, refit=refit, allow_unconverged=allow_unconverged)
    return table.loc[list(posteriors), f"weight_{ic}"].rename("weight")


def by_name(posteriors: Mapping[str, Posterior] | Sequence[Posterior]) -> Mapping[str, Posterior]:
    """Return fits by name; those of a list are called by their laws, numbered where alike.

    Raises
    ------
    ComparisonError
        Something else than fits is given.
    """
    if not isinstance(posteriors, Mapping):
        given = list(posteriors) if isinstance(posteriors, Iterable) else [posteriors]
        posteriors = dict(zip(called(given), given, strict=True))
    for one in posteriors.values():
        if not isinstance(one, Posterior):
            raise ComparisonError(
                f"{shown(one)} is given where a fit is compared; give posteriors by name or in a list, as bs.fit "
                "returns them."
            )
    return posteriors


def check_comparable(posteriors: Mapping[str, Posterior]) -> None:
    """Refuse fits whose densities are not of the same numbers.

    Raises
    ------
    ComparisonError
        With the first difference found.
    """
    (first, one), *others = posteriors.items()
    values = outcomes(one)
    for name, other in others:
        theirs = outcomes(other)
        where = f"{first!r} and {name!r} cannot be compared"
        if set(theirs.index.get_level_values(0)) != set(values.index.get_level_values(0)):
            raise ComparisonError(
                f"{where}: one describes {_list(values)}, the other {_list(theirs)}; fit laws of the same quantities."
            )
        odd = values.index.symmetric_difference(theirs.index)
        if len(odd):
            has = first if odd[0] in values.index else name
            raise ComparisonError(
                f"{where}: only {has!r} saw {_place(odd[0])} ({len(values)} and {len(theirs)} outcomes); "
                "fit both to the same runs."
            )
        matched = theirs.reindex(values.index)
        if not np.allclose(values, matched, rtol=TOLERANCE, atol=0):
            raise ComparisonError(f"{where}: {_difference(values, matched, first, name)}")
        for quantity, unit in other.units.items():
            stated = one.units.get(quantity, unit), unit
            if what := differing_measure(one.study.card, other.study.card, quantity, stated):
                raise ComparisonError(f"{where}: they differ in the {what}; fit both to outcomes measured alike.")


def _difference(values: pd.Series, theirs: pd.Series, first: str, name: str) -> str:
    """Say how outcomes of the same name differ."""
    for a, b, which in ((values, theirs, name), (theirs, values, first)):
        if (a > 0).all() and np.allclose(np.log(a), b, rtol=1e-6, atol=1e-12):
            return (
                f"{which!r} describes the logarithm of the outcomes, so its densities lack the Jacobian; "
                "describe the outcome itself, with a likelihood on its logarithm."
            )
    at = (values - theirs).abs().idxmax()
    return f"{_place(at)} is {values[at]:g} in one and {theirs[at]:g} in the other; fit both to the same outcomes."


def _list(values: pd.Series) -> str:
    return " and ".join(sorted(set(values.index.get_level_values(0))))


def _place(at: tuple[str, ...]) -> str:
    return f"{at[0]} of run {', '.join(filter(None, at[1:]))}"


def _columns(criterion: str, found: Mapping[str, Criterion]) -> pd.DataFrame:
    """Return the columns of one criterion; the first entry is what the others are compared with."""
    elpd = pd.DataFrame({name: c.elpd for name, c in found.items()})
    gaps = elpd.sub(elpd.iloc[:, 0], axis=0)
    columns = {
        "elpd": elpd.sum(),
        "diff": gaps.sum(),
        "se_diff": np.sqrt(len(gaps) * gaps.var(ddof=1)),
        "p": pd.Series({name: c.p for name, c in found.items()}),
        "high": pd.Series({name: c.high for name, c in found.items()}),
        "weight": pd.Series(stack(elpd.to_numpy()), index=elpd.columns),
    }
    if criterion != "waic":
        columns["refits"] = pd.Series({name: c.refits for name, c in found.items()})
    return pd.DataFrame({f"{what}_{criterion}": values for what, values in columns.items()})


def _doubt(criterion: str, found: Criterion) -> str:
    """Say in a sentence of which outcomes, or runs, a criterion is unreliable; nothing where it is of none."""
    poor = found.poor
    if not poor:
        return ""
    names = listed([one if isinstance(one, str) else _place(one) for one in poor], NAMED)
    if criterion == "waic":
        return f"WAIC is unreliable: p_waic of {names} is above {found.limit:g}; use LOO."
    what = "Leaving runs out" if criterion == "run" else "LOO"
    return f"{what} is unreliable: Pareto k of {names} is above {found.limit:.2g}; pass refit=True."


def _backtests(tables: Mapping[str, pd.DataFrame], names: list[str]) -> pd.DataFrame:
    rows = {}
    if not isinstance(tables, Mapping):
        raise ComparisonError(
            f"The backtests are a {type(tables).__name__}; give the table of each fit by its name, as in "
            f"{{{names[0]!r}: bs.backtest(...)}}."
        )
    for name in names:
        if name not in tables:
            raise ComparisonError(f"The fit {name!r} has no backtest; {suggest(name, tables)}")
        if not isinstance(tables[name], pd.DataFrame):
            raise ComparisonError(
                f"The backtest of {name!r} is {shown(tables[name])} and no table; give that of bs.backtest."
            )
        if missing := [column for column in SCORED if column not in tables[name]]:
            raise ComparisonError(
                f"The backtest of {name!r} lacks the columns {listed(missing)}; give the table of bs.backtest, with a "
                "row per outcome."
            )
        summary = summarise(tables[name], ["quantity"])[["n", "mape", "crps", "cover90"]]
        rows[name] = {
            f"backtest_{what}{f'_{quantity}' if len(summary) > 1 else ''}": value
            for (quantity, what), value in summary.stack().items()
        }
    return pd.DataFrame.from_dict(rows, orient="index")
