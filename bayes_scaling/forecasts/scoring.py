"""What came of a registered forecast: inside or not, z, PIT and CRPS, and a register of all that were scored."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, FileError, StudyError, TargetError, listed, mapped, option
from bayes_scaling.files import write_text
from bayes_scaling.forecasts.display import percent as in_per_cent
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.registered import LEVELS, RegisteredForecast, load_forecast, register
from bayes_scaling.forecasts.scores import crps
from bayes_scaling.study.reading import SAME_INPUT, as_rows, symbol_of
from bayes_scaling.study.rows import absent, row_name, row_number, shown
from bayes_scaling.study.validation import (
    LOSS_ERROR,
    MOST_ROWS,
    OUTCOME,
    as_fractions,
    floats,
    number_of,
)
from bayes_scaling.study.wide import BESIDE, PLACE, lengthened, rules_of

__all__ = ["IDENTITY", "append", "read_register", "score"]

IDENTITY = ["made", "law", "checksum", "target", "task", "quantity"]
"""Columns that together say which row of which forecast was scored."""

NEAR_INPUT = 0.05
"""Relative difference up to which the inputs of a run are still those of its target: runs differ a little from plan."""

NO_INPUTS = ("target", "run", "task", "quantity", "unit", "distance", "mean", "sd", "seed", LOSS_ERROR, *BESIDE)
"""Columns that may be in a forecast and among outcomes, and are no inputs of a run."""


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
        5 %, as a run differs a little from plan.  A column for each quantity, such as ``loss``; ``task``, where the
        forecast has tasks.
    names : mapping of str to str, optional
        Your own names of our columns, as in ``{"loss": "val_loss"}``.
    unit : str, optional
        Unit of the outcomes; refused where the forecast has another.
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
        target, and runs found by inputs that are near alone.

    Raises
    ------
    TargetError
        No outcome is of a run that was forecast, one is given twice or is no number, a run has the name of one target
        and other inputs, or the units differ.
    StudyError
        The columns of accuracies are not there.
    FileError
        The forecast cannot be read, or the register holds another outcome of the same run.

    Examples
    --------
    >>> bs.score("forecast.json", {"target": "7B", "loss": 2.31}, to="register.csv")  # doctest: +SKIP
    """
    if isinstance(forecast, (str, Path)):
        forecast = load_forecast(forecast)
    said = register(forecast) if isinstance(forecast, Forecast) else forecast
    if unit is not None and (odd := set(said.rows["unit"]) - {unit}):
        raise TargetError(
            f"The outcomes are in {unit}, and the forecast is in {listed(sorted(odd))}; convert them first."
        )
    came = as_rows(outcomes, names)
    if accuracy_columns is not None:
        came, _ = lengthened(came, accuracy_columns, rules=rules_of(names or {}, came))
    came = as_fractions(came) if percent else came
    actual, remarks = _actual(said.rows, came, np.asarray(said.quantiles).min(axis=1), names or {})
    table = said.rows[["target", "task", "quantity", "unit"]].assign(actual=actual, median=said.level(0.5))
    low, high = said.level(0.25), said.level(0.75)
    table["q05"], table["q95"] = said.level(0.05), said.level(0.95)
    table["in50"] = (low <= actual) & (actual <= high)
    table["in90"] = (table["q05"] <= actual) & (actual <= table["q95"])
    table["error"] = table["median"] - actual
    table["z"] = (actual - said.rows["mean"]) / said.rows["sd"]
    table["pit"] = [_place(y, own) for y, own in zip(actual, said.quantiles, strict=True)]
    table["crps"] = crps(said.quantiles.T, actual)
    table["distance"] = said.rows["distance"]
    table = table[np.isfinite(actual)].reset_index(drop=True)
    table.attrs["remarks"] = remarks
    if to is not None:
        append(said, table, to)
    return table


def _place(outcome: float, quantiles: np.ndarray) -> float:
    """Return the place of an outcome among quantiles: in a line between two, and in the middle of equal ones."""
    tied = LEVELS[quantiles == outcome]
    return float((tied[0] + tied[-1]) / 2 if len(tied) else np.interp(outcome, quantiles, LEVELS))


def append(said: RegisteredForecast, scores: pd.DataFrame, path: str | Path) -> int:
    """Add scores to a register and return how many rows are new; what is there already is not added again.

    Parameters
    ----------
    said : RegisteredForecast
        What was scored.
    scores : DataFrame
        What :func:`score` returned.
    path : str or Path
        A CSV file; written whole or not at all.

    Raises
    ------
    FileError
        It is no register, or holds another outcome of the same run.
    """
    path = Path(path)
    rows = scores.assign(
        scored=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        task=scores["task"].fillna(""),
        **{name: getattr(said, name) for name in ("made", "version", "law", "study", "seed", "checksum")},
    )
    first = ["made", "scored", "version", "law", "study", "checksum", "seed"]
    rows = rows[[*first, *(name for name in scores if name not in first)]]
    if not path.exists():
        write_text(rows.to_csv(index=False), path)
        return len(rows)
    before = read_register(path)
    known = before.set_index(IDENTITY)["actual"].to_dict()
    places = [tuple(row) for row in rows[IDENTITY].itertuples(index=False)]
    for place, value in zip(places, rows["actual"], strict=True):
        if place in known and not np.isclose(known[place], value, rtol=1e-9):
            raise FileError(
                f"The register {str(path)!r} says that {place[-1]} of {place[3]!r} came to {known[place]:g}, and "
                f"{value:g} is given; mend the register by hand if that was wrong."
            )
    new = rows[[place not in known for place in places]]
    write_text(pd.concat([before, new], ignore_index=True).to_csv(index=False), path)
    return len(new)


def read_register(path: str | Path) -> pd.DataFrame:
    """Read a register of scored forecasts.

    Raises
    ------
    FileError
        It is none.
    """
    try:
        table = pd.read_csv(
            path, dtype={name: str for name in IDENTITY}, keep_default_na=False, na_values={"distance": [""]}
        )
        missing = [name for name in (*IDENTITY, "actual", "in90", "pit") if name not in table]
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise FileError(
            f"{str(path)!r} cannot be read as a register ({type(error).__name__}); name another."
        ) from error
    if missing:
        raise FileError(f"{str(path)!r} is no register of forecasts: it lacks {listed(missing)}; name another file.")
    return table


def _actual(
    rows: pd.DataFrame, outcomes: pd.DataFrame, said_least: np.ndarray, names: Mapping[str, str]
) -> tuple[np.ndarray, list[str]]:
    """Return the outcome of each row of a forecast, NaN where none is given, shape (row,), and remarks.

    Where the least that a forecast says is positive (``said_least``), its outcome is, too.
    """
    apart = _Apart.of(rows, outcomes)
    places, remarks = _places(apart, outcomes)
    targets = np.array(places, dtype=object)
    columns = _columns(rows, outcomes, targets)
    if not any(columns):
        raise TargetError(_no_column(rows, outcomes))
    _require_tasks(rows, outcomes, columns)
    tasks = outcomes["task"].astype(str).to_numpy() if "task" in outcomes else None
    read: list[np.ndarray] = []
    for column, own in zip(columns, rows.to_dict("records"), strict=True):
        # A loss that the tasks of a run share has a row of its own, or is repeated in each.
        of_run = column == own["task"] and (tasks is None or own["task"] not in tasks)
        of_it = (targets == own["target"]) & (tasks is None or own["task"] is None or of_run or tasks == own["task"])
        read.append(of_it & (column is not None))
    _require_numbers(outcomes, columns, read, names)
    found = np.full(len(rows), np.nan)
    for i, (column, of_it, own) in enumerate(zip(columns, read, rows.to_dict("records"), strict=True)):
        if column is None:
            continue
        share, of_run = own["quantity"] == "accuracy", column == own["task"] and (tasks is None or column not in tasks)
        each = np.array([number_of(value, share=share) for value in outcomes[column]])
        values = list(dict.fromkeys(each[of_it])) if of_run else list(each[of_it])
        if np.isfinite(values).sum() > 1:
            again = listed((str(row_number(outcomes, k)) for k in np.flatnonzero(of_it & np.isfinite(each))), MOST_ROWS)
            raise TargetError(
                f"The outcomes give {column} of {own['target']!r} twice, in rows {again}, and the forecast is of one "
                "run; give it once: keep the row of one run, or give the mean of several, which is less noisy than one."
            )
        for value in values:
            if not np.isnan(value) and (not 0 <= value <= 1 if share else value <= 0 < said_least[i]):
                fraction = f"a fraction between 0 and 1, or say {option('percent')}"
                raise TargetError(
                    f"The outcomes give {own['target']!r} {column} = {value:g}, which no run has; give "
                    f"{fraction if share else 'a positive number'}."
                )
            if np.isfinite(value):
                found[i] = value
    known = ~outcomes[[*dict.fromkeys(c for c in columns if c)]].map(absent).all(axis=1).to_numpy()
    strays = _strays(apart, outcomes, np.flatnonzero(known & [place is None for place in places]))
    if not np.isfinite(found).any():
        told = f"; given: {strays}" if strays else ""
        raise TargetError(
            f"None of the {len(outcomes)} outcomes is a number of a run that was forecast; that were "
            f"{listed(map(repr, rows['target'].unique()))}, and a column target or run says which one an outcome is of"
            f"{told}."
        )
    return found, [*remarks, *([f"Not scored, because it is of no run that was forecast: {strays}."] if strays else [])]


def _no_column(rows: pd.DataFrame, outcomes: pd.DataFrame) -> str:
    """Say that no column holds an outcome, and how to give one."""
    wanted, given = listed(dict.fromkeys(rows["quantity"])), [str(name) for name in outcomes.columns]
    wide = [(task, name) for task in rows["task"].dropna().unique() for name in given if str(task) in name]
    if "accuracy" in set(rows["quantity"]) and wide:
        rules = dict.fromkeys(name.replace(str(task), PLACE, 1) for task, name in wide)
        rule = ",".join(name for _, name in wide) if PLACE in rules else next(iter(rules))
        cure = f"say {option('accuracy_columns', rule)}, since a column is called as a task"
    else:
        ours = str(rows["quantity"].iloc[0])
        example = mapped(ours, "mine") if COMMAND_LINE.get() else f"names={{{ours!r}: 'mine'}}"
        cure = f"name it, as in {example}"
    return f"The outcomes have no column {wanted}, only {listed(given)}; {cure}."


def _require_numbers(
    outcomes: pd.DataFrame, columns: Sequence[str | None], read: Sequence[np.ndarray], names: Mapping[str, str]
) -> None:
    """Refuse entries that are to be scored and are neither numbers nor empty, by row and column."""
    for column in dict.fromkeys(c for c in columns if c is not None):
        of_it = np.any([mask for mask, own in zip(read, columns, strict=True) if own == column], axis=0)
        entries = outcomes[column].astype(object).where(of_it, None)
        try:
            values = floats(outcomes.drop(columns="State", errors="ignore").assign(**{column: entries}), column, names)
        except StudyError as error:
            raise TargetError(f"{str(error)[:-1]}, or leave empty what did not come.") from None
        if (endless := np.flatnonzero(np.isinf(values))).size:
            where = listed((row_name(outcomes, place) for place in endless), MOST_ROWS)
            raise TargetError(f"The outcomes have an infinite {column} in {where}; leave empty what did not come.")


def _columns(rows: pd.DataFrame, outcomes: pd.DataFrame, targets: np.ndarray) -> list[str | None]:
    """Return the column that holds the outcome of each row of a forecast, None where there is none.

    The loss of a task is ``task_loss``, or ``loss`` where that is not the one loss of the run; a loss that tasks share
    is in the forecast under its own name, as a task.
    """
    run_has_one = "loss" in set(rows["task"])
    if {"task", "loss"} <= set(outcomes):
        by_run = outcomes["loss"].groupby(targets).agg(["size", "nunique"])
        run_has_one |= bool((by_run["size"] > 1).any() and (by_run["nunique"] <= 1).all())
    own_loss = next((n for n in ("task_loss", *(() if run_has_one else ("loss",))) if n in outcomes), None)
    found: list[str | None] = []
    for quantity, task in zip(rows["quantity"], rows["task"], strict=True):
        if quantity == "loss" and task is not None:
            found.append(task if task in outcomes else own_loss)
        else:
            found.append(quantity if quantity in outcomes else None)
    return found


def _require_tasks(rows: pd.DataFrame, outcomes: pd.DataFrame, columns: list[str | None]) -> None:
    """Refuse outcomes that do not say of which task they are, or name one nearly as the forecast does."""
    read = [column is not None and column != task for column, task in zip(columns, rows["task"], strict=True)]
    tasks = list(dict.fromkeys(rows.loc[read, "task"].dropna()))
    if "task" not in outcomes:
        if len(tasks) > 1:
            raise TargetError(
                f"The outcomes do not say of which task they are, and the forecast is of {listed(tasks)}; add a column "
                f"'task', or say {option('accuracy_columns', 'TASK_acc')} for a column of each."
            )
        return
    given = set(outcomes["task"].astype(str))
    for task in (task for task in tasks if task not in given):
        if near := [other for other in given - set(tasks) if other.lower() == task.lower()]:
            raise TargetError(f"The outcomes are of task {near[0]!r}, and the forecast of {task!r}; name it alike.")


def _places(apart: _Apart, outcomes: pd.DataFrame) -> tuple[list[str | None], list[str]]:
    """Return the target of each outcome: the one it names, or whose inputs it has, None where it is of no target.

    A remark tells of each that was found by inputs which are near and not the same.

    Raises
    ------
    TargetError
        An outcome names one target, and its inputs are not those of it.
    """
    known, inputs = apart.known, apart.inputs
    named: list[str | None] = [None] * len(outcomes)
    for column in ("target", "run"):
        if column in outcomes:
            read = {
                number: name for name in known if np.isfinite(number := number_of(name))
            }  # a file may turn the name 1e21 into a number
            own = [name if name in known else read.get(number_of(name)) for name in map(str, outcomes[column])]
            named = [one or name for one, name in zip(named, own, strict=True)]
    if not inputs:
        alone = len(known) == len(outcomes) == 1 and not {"target", "run"} & set(outcomes)
        return ([known[0]] if alone else named), []
    same = np.asarray((apart.off <= SAME_INPUT).all(axis=2))
    for i, name in enumerate(named):
        if name is not None:
            _require_own(apart, outcomes, i, name)
        elif same[i].sum() == 1:
            named[i] = known[int(np.argmax(same[i]))]
    return _near(apart, named, outcomes)


class _Apart(NamedTuple):
    """How far the inputs of outcomes are off those of the targets.

    Attributes
    ----------
    targets : pandas.DataFrame
        A row of the forecast for each target.
    inputs : list of str
        The inputs by which outcomes can be told.
    off : array, shape (outcome, target, input)
        Relative differences; NaN where one of the two is not known.
    """

    targets: pd.DataFrame
    inputs: list[str]
    off: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame, outcomes: pd.DataFrame) -> _Apart:
        """Compare the inputs of outcomes with those of the rows of a forecast."""
        targets, inputs = rows.drop_duplicates("target"), _inputs(rows, outcomes)
        theirs = targets[inputs].to_numpy(dtype=float)
        given = np.empty((len(outcomes), len(inputs)))
        for k, column in enumerate(inputs):
            given[:, k] = [number_of(value) for value in outcomes[column]]
        apart = np.abs(given[:, None] - theirs)
        return cls(targets, inputs, np.where(apart == 0, 0.0, apart / np.maximum(np.abs(theirs), np.finfo(float).tiny)))

    @property
    def known(self) -> list[str]:
        """The names of the targets."""
        return list(self.targets["target"])


def _inputs(rows: pd.DataFrame, outcomes: pd.DataFrame) -> list[str]:
    """Return the inputs by which outcomes can be told; a loss is one only where nothing else is."""
    both = [c for c in rows if c in outcomes and c not in NO_INPUTS and c not in set(rows["quantity"])]
    name = next((column for column in ("target", "run") if column in outcomes), None)
    if "task" in outcomes and name is not None:  # a run has one input for all of its tasks
        both = [c for c in both if (outcomes.groupby(name)[c].nunique() <= 1).all()]
    return [c for c in both if not OUTCOME.match(c)] or both


def _require_own(apart: _Apart, outcomes: pd.DataFrame, i: int, name: str) -> None:
    """Refuse an outcome that names a target and has inputs of another run."""
    (targets, inputs, _), known, off, outcome = apart, apart.known, apart.off[i], outcomes.iloc[i]
    place = known.index(name)
    others = [other for other, its in zip(known, off, strict=True) if (its <= SAME_INPUT).all()]
    of_another = bool(others) and name not in others  # its very inputs
    wrong = np.flatnonzero(off[place] > (SAME_INPUT if of_another else NEAR_INPUT))
    if not wrong.size or (OUTCOME.match(inputs[0]) and not of_another):
        return
    columns = [inputs[k] for k in wrong]
    numbers = [_told_apart(number_of(outcome[c]), float(targets[c].iloc[place])) for c in columns]
    given, wanted = (
        listed(f"{symbol_of(c)} = {n}" for c, n in zip(columns, side, strict=True))
        for side in zip(*numbers, strict=True)
    )
    whose = f" (its inputs are those of {listed(map(repr, others))})" if of_another else ""
    raise TargetError(
        f"Row {row_number(outcomes, i)} of the outcomes is called {name!r} and has {given}, where the forecast of "
        f"{name!r} is at {wanted}{whose}; mend the name or the inputs."
    )


def _near(apart: _Apart, named: list[str | None], outcomes: pd.DataFrame) -> tuple[list[str | None], list[str]]:
    """Return the target of each outcome, also of one whose inputs are near those of one target alone, and remarks."""
    (_, inputs, off), known = apart, apart.known
    if OUTCOME.match(inputs[0]):
        return named, []
    taken, told = set(named), dict[str, list[str]]()
    close = (off <= NEAR_INPUT).all(axis=2) & np.array([name not in taken for name in known])
    found = list(named)
    for i in np.flatnonzero([name is None for name in named]):
        if close[i].sum() == 1:
            place = int(np.argmax(close[i]))
            found[i] = known[place]
            far = int(np.argmax(off[i, place]))
            how = f"{symbol_of(inputs[far])} is {in_per_cent(off[i, place, far])} off that of the forecast"
            told.setdefault(f"scored as {known[place]!r}: {how}.", []).append(row_name(outcomes, i))
    return found, [
        f"By inputs alone {listed(whose, MOST_ROWS)} {'are' if whose[1:] else 'is'} {what}"
        for what, whose in told.items()
    ]


def _strays(apart: _Apart, outcomes: pd.DataFrame, places: np.ndarray) -> str:
    """Return the outcomes of no target in words, each with the target that is nearest by name or by inputs."""
    (targets, inputs, off), known = apart, apart.known
    said = []
    for i in places:
        names = [str(outcomes[c].iloc[i]) for c in ("target", "run") if c in outcomes]
        names = [name for name in names if not absent(name)]
        called = f"{shown(names[0], 40)} (row {row_number(outcomes, i)})" if names else row_name(outcomes, i)
        alike = difflib.get_close_matches(names[0], known, n=1) if names else []
        told = np.isfinite(off[i]).all(axis=1) if inputs else np.zeros(len(known), dtype=bool)
        if alike:
            called += f", where {alike[0]!r} is nearest"
        elif told.any():
            furthest = np.where(told, off[i].max(axis=1), np.inf)
            place = int(np.argmin(furthest))
            far = int(np.argmax(off[i, place]))
            value, its = _told_apart(number_of(outcomes[inputs[far]].iloc[i]), float(targets[inputs[far]].iloc[place]))
            most = furthest[place]
            called += (
                f", where {known[place]!r} is nearest and {symbol_of(inputs[far])} = {value} is "
                f"{in_per_cent(most) if most < 1 else 'far'} off its {its}"
            )
        said.append(called)
    return listed(dict.fromkeys(said), MOST_ROWS)


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Return two numbers in six significant digits, or in as many more as tell them apart.

    Examples
    --------
    >>> _told_apart(7e9, 4e12), _told_apart(1.17676e9, 1.176764416e9)
    (('7e+09', '4e+12'), ('1.17676e+09', '1.176764e+09'))
    """
    digits = next((d for d in range(6, 17) if f"{one:.{d}g}" != f"{other:.{d}g}"), 6)
    return f"{one:.{digits}g}", f"{other:.{digits}g}"
