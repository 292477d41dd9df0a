"""What came of a registered forecast: inside or not, z, PIT and CRPS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import TargetError, listed
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.outcomes import actual_outcomes, over_tasks
from bayes_scaling.forecasts.quantiles import QUANTILES, inside
from bayes_scaling.forecasts.register import append
from bayes_scaling.forecasts.registered import LEVELS, RegisteredForecast, load_forecast
from bayes_scaling.forecasts.scores import crps
from bayes_scaling.study.card import AS_GIVEN, bare_unit
from bayes_scaling.study.reading import LABELS, as_rows, column_of, recognised, renamed
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import as_fractions
from bayes_scaling.study.wide import lengthened, rules_of

__all__ = ["score"]

FAR_OUTSIDE = 10.0
"""Standard deviations from what was forecast, beyond which another unit is likelier than a miss."""
FRACTION = "fraction"
"""Unit of accuracies and errors, which ``unit`` does not speak of."""


def score(
    forecast: str | Path | Forecast | RegisteredForecast,
    outcomes: Any,
    *,
    names: Mapping[str, str] | None = None,
    unit: str | None = None,
    accuracy_columns: str | Sequence[str] | None = None,
    percent: bool = False,
    to: str | Path | None = None,
) -> pd.DataFrame:
    r"""Score a forecast against what came, one row per target, task and quantity whose outcome is known.

    Parameters
    ----------
    forecast : str, Path, Forecast or RegisteredForecast
        A file that ``forecast.save`` or the command ``forecast`` wrote, or the forecast itself.
    outcomes : Study, DataFrame, mapping, or sequence of mappings
        A column ``target`` (or ``run``) says which run, as the forecast calls it; without one, the inputs do, up to
        5 %, as a run differs a little from plan.  Of a study, the last checkpoint of each run counts.  A column for
        each quantity, such as ``loss``; ``task``, where the forecast has tasks, or is the mean of some.
    names : mapping of str to str, optional
        Your own names of our columns, as in ``{"loss": "val_loss"}``; they are read in place of columns of our names.
    unit : str, optional
        Unit of the losses that came; refused where those of the forecast have another.  A forecast in no stated unit
        ("as given") takes any.
    accuracy_columns : str or sequence of str, optional
        Of a wide table, the columns that hold the accuracy of a task each, as in
        :meth:`bayes_scaling.Study.from_frame`.
    percent : bool
        Accuracies are in per cent: 63.5, not 0.635.
    to : str or Path, optional
        A register, a CSV file, to which the rows are appended; made where it is not there.

    Returns
    -------
    pandas.DataFrame
        ``target``, ``task``, ``quantity``, ``unit``, ``actual``, ``median``, ``q05``, ``q95``, ``in50``, ``in90``,
        ``error`` (median less outcome), ``z`` (outcome less mean, over the standard deviation), ``pit`` (share of the
        forecast below the outcome: 0.5 is its median; at least 0.005 and at most 0.995, the ends of what is kept),
        ``crps`` (in the unit of the outcome, smaller is better), and ``distance``.  What is not among the outcomes is
        left out.  ``attrs["remarks"]`` holds a sentence for each thing that a reader should know: outcomes of no
        target, runs found by inputs that are near alone or by some of them, and outcomes so far off that they may be
        in another unit.

    Raises
    ------
    TargetError
        There is no outcome, or none of a run that was forecast; one is given twice or is no number, a run has the name
        of one target and other inputs, or the units differ.
    StudyError
        A column of ``names``, or of accuracies, is not there.
    FileError
        The forecast cannot be read, or the register holds another outcome of the same run.

    Examples
    --------
    >>> bs.score("forecast.json", {"target": "7B", "loss": 2.31}, to="register.csv")  # doctest: +SKIP
    """
    if isinstance(forecast, (str, Path)):
        forecast = load_forecast(forecast)
    said = RegisteredForecast.of(forecast) if isinstance(forecast, Forecast) else forecast
    if not isinstance(said, RegisteredForecast):
        raise TargetError(
            f"A {type(said).__name__} is given where a forecast is scored; make one with bs.forecast(posterior, "
            "targets), or give the file of one."
        )
    of_unit = _agreeing(unit, said.rows["unit"]) if unit is not None else []
    came, rules = _read(outcomes, names or {}, wide=accuracy_columns is not None)
    if accuracy_columns is not None:
        came, _ = lengthened(came, accuracy_columns, rules=rules)
    came = as_fractions(came) if percent else came
    came = over_tasks(came, said.averaged, list(said.rows["quantity"].unique()))
    actual, remarks = actual_outcomes(said.rows, came, np.asarray(said.quantiles).min(axis=1), names or {})
    levels = {name: said.level(level) for name, level in QUANTILES.items()}
    table = said.rows[["target", "task", "quantity", "unit"]].assign(actual=actual)
    for name in ("median", "q05", "q95"):
        table[name] = levels[name]
    for level in (50, 90):
        table[f"in{level}"] = inside(levels, actual, level)
    table["error"] = table["median"] - actual
    table["z"] = (actual - said.rows["mean"]) / said.rows["sd"]
    table["pit"] = [_place(y, own) for y, own in zip(actual, said.quantiles, strict=True)]
    table["crps"] = crps(said.quantiles.T, actual)
    table["distance"] = said.rows["distance"]
    table = table[np.isfinite(actual)].reset_index(drop=True)
    table.attrs["remarks"] = [*of_unit, *remarks, *_far_outside(table)]
    if to is not None:
        append(said, table, to)
    return table


def _read(outcomes: Any, names: Mapping[str, str], *, wide: bool) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return outcomes with our column names, and of a wide table the names that are rules.

    Raises
    ------
    StudyError
        They make no table, or it has no column of one of the names.
    """
    table = as_rows(outcomes.last_checkpoints if isinstance(outcomes, Study) else outcomes)
    if not len(table.columns):
        raise TargetError("There is no outcome to score; give what came, as in {'target': '7B', 'loss': 2.31}.")
    read = getattr(outcomes, "names", {})  # of a study, whose columns have our names already
    names = {ours: theirs for ours, theirs in names.items() if read.get(column_of(ours)) != theirs}
    rules = rules_of(names, table) if wide else {}
    given = {
        column_of(ours): column_of(theirs) if theirs not in table and column_of(theirs) in table else theirs
        for ours, theirs in names.items()
        if ours not in rules
    }
    table = renamed(table, given)
    found = recognised(table)
    found.pop("steps", None)  # of an export: how far the run came, which nobody said of its forecast
    table = as_rows(renamed(table, found))
    if "run" in found or "run" in given:
        table.attrs[LABELS] = "run" in found
    return table, rules


def _agreeing(unit: str, forecast: Iterable[str]) -> list[str]:
    """Refuse losses in a unit that none of the forecast has; where that states none, return a sentence that says so."""
    units = {bare_unit(own) for own in forecast}
    stated = sorted((units - {FRACTION} or units) - {AS_GIVEN})  # of fractions alone, theirs
    if stated and bare_unit(unit) not in (*stated, AS_GIVEN):
        raise TargetError(f"The outcomes are in {unit}, and the forecast is in {listed(stated)}; convert them first.")
    if stated or bare_unit(unit) == AS_GIVEN:
        return []
    return [f"The forecast states no unit, so that nothing tells whether it is in {unit}, as the outcomes are."]


def _far_outside(scores: pd.DataFrame) -> list[str]:
    """Return a sentence on each outcome that is so far off as hardly to be in the unit of the forecast."""
    far = scores[scores["z"].abs() > FAR_OUTSIDE]
    return [
        f"Far outside: {row['quantity']} of {row['target']!r}{' in ' + row['task'] if row['task'] else ''} came to "
        f"{row['actual']:.4g}, where {row['median']:.4g} was forecast ({abs(row['z']):.0f} standard deviations off, at "
        f"most {FAR_OUTSIDE:g}); see whether it is in the forecast's unit ({row['unit']}) before it counts as a miss."
        for row in far.to_dict("records")
    ]


def _place(outcome: float, quantiles: np.ndarray) -> float:
    """Return the place of an outcome among quantiles: in a line between two, and in the middle of equal ones."""
    tied = LEVELS[quantiles == outcome]
    return float((tied[0] + tied[-1]) / 2 if len(tied) else np.interp(outcome, quantiles, LEVELS))
