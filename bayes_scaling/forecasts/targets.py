"""Runs to forecast, in any form a user may give them, checked against what the law reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, BayesScalingError, StudyError, TargetError, listed, suggest
from bayes_scaling.study.flops import TELLING, may_be_counted
from bayes_scaling.study.panel import Panel, series_parts
from bayes_scaling.study.reading import SYMBOLS, as_rows, column_of, labelled, symbol_of
from bayes_scaling.study.rows import absent, numbered, shown, task_name
from bayes_scaling.study.shares import not_shares
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import FRACTION, OUTCOME, POSITIVE, number_of, where_known

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law

__all__ = ["ANY", "Targets", "read_targets", "require_no_task", "require_read", "to_add"]

ANY = ("target", "run", *TELLING)
"""What a target may give whatever the law reads: its name, and what tells its compute, for distances and pictures."""

OF_TASKS = ("chance", "questions")
"""Columns of a task, whatever the run."""

ROUNDED = 0.005  # so near the chance of the fitted runs, that of a target is the same, written shorter


@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """Runs to forecast.

    Attributes
    ----------
    frame : pandas.DataFrame
        Their inputs, our column names, a row per target; index its label.
    actual : mapping of str to array, shape (target, ...)
        Their outcomes by quantity; NaN where unknown.
    first : int
        Place of the first of them among the targets of the whole forecast.
    """

    frame: pd.DataFrame
    actual: Mapping[str, np.ndarray]
    first: int = 0

    def __len__(self) -> int:
        return len(self.frame)

    def part(self, begin: int, end: int) -> Targets:
        """Return the targets from one place to another."""
        actual = {quantity: values[begin:end] for quantity, values in self.actual.items()}
        return Targets(self.frame.iloc[begin:end], actual, self.first + begin)

    def inputs(self, law: Law) -> dict[str, np.ndarray]:
        """Return the inputs of the law by symbol, shape (target,); what may be absent is its stand-in where it is."""
        given = {name: law.readable[name] for name in law.absent if law.readable[name] in self.frame}
        found = law.input_arrays(self.frame.drop(columns=list(given.values())))
        known = {name: where_known(self.frame, column) for name, column in given.items()}
        return found | {name: np.where(np.isnan(own), law.absent[name], own) for name, own in known.items()}


def read_targets(law: Law, study: Study, targets: Any, *, known: Collection[str] = ()) -> Targets:
    """Read what a user may give as targets.

    Parameters
    ----------
    law : Law
        Its inputs are what a target needs.
    study : Study
        The fitted runs, for the series of a joint law.
    targets : Study, DataFrame, mapping, sequence of mappings, or Targets
        A study brings the outcomes that it has, those of each run at its last checkpoint; a column ``target`` or
        ``run`` names the others.
    known : collection of str
        Columns that targets may give besides those of the law and of the study: what another law reads.

    Raises
    ------
    TargetError
        A target lacks an input of the law, has one that the law does not allow, or an outcome that no run has, or is
        given twice; or it gives a task to a fit that has others, a chance that its tasks do not have, or, where it is
        no row of a table, an input that nothing reads, or an outcome without saying of which of several tasks; or a
        study has several tasks, and the law describes one.
    """
    if isinstance(targets, Targets):
        return targets
    dims, coords = law.dims(study)
    shape = {q: [len(coords[d]) for d in dims.get(q, [])] for q in law.quantities}
    if isinstance(targets, Study):
        targets = targets.last_checkpoints
        try:
            actual = _outcomes(law, study, targets, shape)
        except StudyError as error:
            raise TargetError(str(error)) from error
        rows = targets.runs.drop(columns="target", errors="ignore")  # of the user; here runs have the names
        numbers = pd.Index(numbered(rows))
        frame = rows.set_index("run" if "run" in rows else numbers)
    else:
        frame = _labelled(law, study, targets)
        require_no_task(law, study, frame)
        labels = {q: [str(label) for d in dims.get(q, []) for label in coords[d]] for q in law.quantities}
        if isinstance(targets, (Mapping, list, tuple)):
            require_read((law,), study, frame, known)
            _require_one_task(law, study, frame, labels)
        actual = {q: _given(law, study, frame, q, labels[q]).reshape(len(frame), *shape[q]) for q in law.quantities}
    if not (isinstance(targets, Study) and targets.tasks):  # the rows of which were read with those of the fitted runs
        _require_chance_of_runs(law, study, frame)
    frame.index.name = "target"
    if frame.index.has_duplicates:
        raise TargetError(
            f"Target {shown(frame.index[frame.index.duplicated()][0])} is given twice; give it once, or name each."
        )
    return Targets(_checked(law, study, frame), actual)


def _outcomes(law: Law, study: Study, targets: Study, shape: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Return the outcomes of targets by the series of the fitted runs, NaN where a run has none."""
    found = {q: np.full([len(targets.runs), *shape[q]], np.nan) for q in law.quantities}
    if law.by_task and study.tasks and targets.tasks:
        rows = targets.frame[targets.frame["task"].isin(study.tasks)]
        places = pd.Index(targets.runs["run"]).get_indexer(rows["run"].drop_duplicates())  # in the order of the rows
        for quantity, values in _by_task(law, study, rows).items() if len(rows) else ():
            if values.shape[1:] != found[quantity].shape[1:]:
                raise TargetError(
                    f"Targets have a {quantity} for each task where the fitted runs share one; give one number in all "
                    "rows of a run."
                )
            found[quantity][places] = values
    elif not law.by_task and law.outcome in targets.frame:
        if len(targets.frame) > len(targets.runs):
            one = shown((study.tasks or targets.tasks)[0])
            raise TargetError(
                f"{law.name} forecasts one {law.outcome} of a run, and the targets have one in each of "
                f"{listed(map(str, targets.tasks))}; choose a task of them, as in targets.select(task={one})."
            )
        found[law.outcome] = law.outcomes_of(targets)
    elif not study.tasks and set(law.quantities) <= set(targets.frame):
        _, observed = law.arrays(targets)
        found |= {q: observed[q] for q in law.quantities}
    return found


def _by_task(law: Law, study: Study, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the outcomes of rows by run and task in the order of the fitted runs, which share losses or do not.

    Both are read together, twice, with another number each time in the place of what is not known.
    """
    fitted = study.frame.assign(run="fitted " + study.frame["run"].astype(str))  # a target may have its name, too
    outcomes = [column for column in fitted if OUTCOME.fullmatch(str(column))]
    rows = rows.reindex(columns=list(dict.fromkeys([*rows, *outcomes])))
    of_tasks = study.frame.drop_duplicates("task").set_index("task")
    rows = rows.assign(**{c: rows["task"].map(of_tasks[c]) for c in OF_TASKS if c in of_tasks and c not in rows})
    panel = Panel.of(study)
    shared = [column for column in law.series if panel.shared(column)]
    rows = rows.assign(**{c: rows[c].fillna(rows.groupby("run")[c].transform("first")) for c in shared})
    read = []
    for number in (0.5, 0.6):
        whole = pd.concat([fitted, rows.fillna(dict.fromkeys(outcomes, number))], ignore_index=True)
        read.append(law.arrays(dataclasses.replace(study, frame=whole))[1])
    count = rows["run"].nunique()
    first, second = ({q: one[q][-count:] for q in law.quantities} for one in read)
    return {q: np.where(first[q] == second[q], first[q], np.nan) for q in law.quantities}


def _labelled(law: Law, study: Study, targets: Any) -> pd.DataFrame:
    """Return what a user gave as a table by the targets' names: their own, or what their inputs say."""
    if targets is None:
        wanted = " and ".join(law.run_inputs)
        raise TargetError(f"No target was given; give {wanted}, for example {{'N': 7e9, 'D': 4e12}}.")
    if isinstance(targets, str):
        raise TargetError(
            f"The target {targets!r} is a name, and a fit knows only the runs it was fitted to; give inputs, as in "
            f"{{'N': 7e9, 'D': 4e12}}, or the runs of a study, as in study.targets."
        )
    try:
        frame = as_rows(targets, study.names)
    except StudyError as error:
        raise TargetError(str(error).replace("The runs are", "The targets are", 1)) from error
    if not isinstance(targets, pd.DataFrame):
        frame = _one_of_each(frame)
    if len(frame.columns) and frame.empty:
        raise TargetError("The targets have no rows; give at least one, for example {'N': 7e9, 'D': 4e12}.")
    known = [quantity for quantity in law.quantities if quantity in frame and quantity not in law.readable.values()]
    return labelled(frame).set_axis(labelled(frame.drop(columns=known)).index)  # an outcome is no part of a name


def require_no_task(
    law: Law, study: Study, frame: pd.DataFrame, what: str = "target", error: type[BayesScalingError] = TargetError
) -> None:
    """Refuse a task of single runs to forecast: every run is forecast in each task of the fit.

    Parameters
    ----------
    law, study
        What was fitted, and to which runs.
    frame : pandas.DataFrame
        The runs, with our column names.
    what, error
        What the runs are called, and what is raised.

    Raises
    ------
    BayesScalingError
        A run gives a task, and it is not the only one of the fit.
    """
    tasks = study.tasks
    given = [task_name(task) for task in frame["task"] if not absent(task)] if tasks and "task" in frame else []
    if odd := [task for task in given if task not in tasks]:
        raise error(f"A {what} gives the task {shown(odd[0])}, and the fit has no such; {suggest(odd[0], tasks)}")
    if given and len(tasks) > 1:
        one = shown(given[0])
        how = f"choose among the rows of the answer, or decide on bs.Surface.of(posterior, series={one})"
        if COMMAND_LINE.get():
            how = f"give it with --task {given[0]}"
        raise error(
            f"A {what} gives the task {one}, and {law.name} forecasts every run in {listed(map(str, tasks))}; give "
            f"each run once and without a task, and {how}."
        )


def _require_chance_of_runs(law: Law, study: Study, frame: pd.DataFrame) -> None:
    """Refuse a chance of a target that is not that of each task, where the law goes by that of the fitted runs."""
    if "chance" not in frame or not (law.by_task and study.tasks and "chance" in study.frame):
        return
    if "accuracy" not in law.quantities or "chance" in law.readable.values():  # not read, or one of each run
        return
    given = np.array([number_of(value, share=True) for value in frame["chance"]])
    for task, own in study.frame.drop_duplicates("task").set_index("task")["chance"].items():
        if np.isnan(own):
            continue
        differ = ~np.isclose(given, own, rtol=0, atol=ROUNDED) & ~frame["chance"].map(absent).to_numpy(dtype=bool)
        if differ.any():
            place = int(np.argmax(differ))
            raise TargetError(
                f"Target {shown(frame.index[place])} has chance = {shown(frame['chance'].tolist()[place])}, and "
                f"{law.name} goes by that of the fitted runs, which is {own:g} in the task {shown(task)}; leave it out."
            )


def require_read(laws: Iterable[Law], study: Study | None, inputs: Iterable[str], known: Collection[str] = ()) -> None:
    """Refuse an input that nothing reads: no law, no count of FLOPs, no column of the study.

    Parameters
    ----------
    laws : iterable of Law
        Those that forecast.
    study : Study, optional
        The fitted runs.
    inputs : iterable of str
        What targets give, by our column names.
    known : collection of str
        What they may give besides.

    Raises
    ------
    TargetError
        There is such an input.
    """
    names = {*ANY, *known, *(name for law in laws for name in (*law.readable.values(), *law.quantities))}
    names |= set() if study is None else {*map(str, study.frame), *study.names.values()}
    if unread := [name for name in map(str, inputs) if name not in names]:
        said = {*names, *map(symbol_of, names)} - {"target"}
        who = "--target" if COMMAND_LINE.get() else "A target"
        raise TargetError(f"{who} gives {unread[0]!r}, which nothing reads; {suggest(unread[0], said)}")


def _columns_of(quantity: str, labels: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the columns in which the outcomes of the series of a quantity may stand.

    That of its own name is another loss where series have columns of their own and the runs have both.

    Examples
    --------
    >>> _columns_of("loss", ["task_loss:one"], ["task_loss"]), _columns_of("loss", ["task_loss:one"], ["loss"])
    (['loss', 'task_loss'], ['task_loss'])
    >>> _columns_of("accuracy", ["one", "two"], ["accuracy"])
    ['accuracy']
    """
    own = [column for column in (series_parts(label)[0] for label in labels) if OUTCOME.fullmatch(column)]
    of_another = bool(own) and quantity not in own and quantity in known
    return list(dict.fromkeys(own if of_another else (quantity, *own)))


def _task_of(label: str) -> str:
    """Return the task of a series, or its label where that does not name a column and a task.

    Examples
    --------
    >>> _task_of("task_loss:one"), _task_of("c4_loss"), _task_of("mmlu:stem")
    ('one', 'c4_loss', 'mmlu:stem')
    """
    column, task = series_parts(label)
    return task if task and OUTCOME.fullmatch(column) else label


def _require_one_task(law: Law, study: Study, frame: pd.DataFrame, labels: Mapping[str, Sequence[str]]) -> None:
    """Refuse an outcome of a target where there are several tasks, or losses of theirs, of which it may be."""
    for quantity, series in labels.items():
        for column in _columns_of(quantity, series, study.frame) if len(series) > 1 else ():
            if column in frame and column not in law.readable.values() and not frame[column].map(absent).all():
                how = "leave it out, and give what came to the command score" if COMMAND_LINE.get() else "leave it out"
                tasks = dict.fromkeys(map(_task_of, series))
                raise TargetError(
                    f"A target gives {column}, and {law.name} forecasts the {quantity} of each of "
                    f"{listed(tasks if len(tasks) > 1 else series)}; {how}, or give outcomes by task, as a study "
                    "with its targets has them."
                )


def _given(law: Law, study: Study, frame: pd.DataFrame, quantity: str, labels: Sequence[str]) -> np.ndarray:
    """Return the outcomes that targets of one series give, NaN where there is none, shape (target, series)."""
    found = np.full((len(frame), len(labels) or 1), np.nan)
    column = next((c for c in reversed(_columns_of(quantity, labels, study.frame)) if c in frame), None)
    if column is None or len(labels) > 1:
        return found
    share = bool(FRACTION.fullmatch(column))
    values = np.array([number_of(value, share=share) for value in frame[column]])
    positive = not share and bool(POSITIVE.fullmatch(column)) and column not in law.signed
    bad = (np.isnan(values) & ~frame[column].map(absent).to_numpy(dtype=bool)) | np.isinf(values)
    bad |= (share & ((values < 0) | (values > 1))) | (positive & (values <= 0))
    if bad.any():
        place = int(np.argmax(bad))
        wanted = "a fraction between 0 and 1" if share else "a positive number" if positive else "a finite number"
        raise TargetError(
            f"Target {shown(frame.index[place])} has {column} = {shown(frame[column].tolist()[place])}, which no run "
            f"has; give {wanted}, or leave it out."
        )
    found[:, 0] = values
    return found


def to_add(symbol: str, names: Mapping[str, str], given: Collection[str]) -> str:
    """Return what to add to runs that lack an input: the user's name of it, and how FLOPs follow from what is given.

    Parameters
    ----------
    symbol : str
        The input.
    names : mapping of str to str
        The user's own names by ours.
    given : collection of str
        The columns that there are.

    Examples
    --------
    >>> to_add("C", {}, ["n_params", "tokens"]), to_add("C", {"flops": "cost"}, ["tokens"])
    ('C, such as 6 x N x D', 'cost')
    """
    counted = symbol == "C" and may_be_counted(given)
    return names.get(column_of(symbol), symbol) + (", such as 6 x N x D" if counted else "")


def _one_of_each(frame: pd.DataFrame) -> pd.DataFrame:
    """Return targets with one column for each input, that each gives by its symbol or by the name of its column.

    Raises
    ------
    TargetError
        One gives both, with different values.
    """
    for symbol, column in SYMBOLS.items():
        if not {symbol, column} <= set(frame):
            continue
        one, other = (frame[name].map(partial(number_of, size=True)) for name in (symbol, column))
        if (differ := (one.notna() & other.notna() & (one != other)).to_numpy()).any():
            here, there = (shown(frame[name].iloc[int(np.argmax(differ))]) for name in (symbol, column))
            raise TargetError(
                f"A target gives {symbol} = {here} and {column} = {there}, which are the same input; give one of them."
            )
        unsaid = frame[column].map(absent).to_numpy(dtype=bool)
        frame = frame.assign(**{column: frame[column].mask(unsaid, one.where(one.notna(), frame[symbol]))})
        frame = frame.drop(columns=symbol)
    return frame


def _unless_zero(value: Any) -> Any:
    return np.nan if number_of(value) == 0 else value


def _both(symbol: str, column: str) -> str:
    """Return an input by its symbol, with its column where that is called otherwise."""
    return symbol if symbol == column else f"{symbol} ({column})"


def _checked(law: Law, study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return targets with all that the law reads, as numbers; the chance is that of the runs where none is given.

    What tells the compute and is not read by the law is not known where it is zero.
    """
    if "chance" in law.columns.values() and "chance" not in frame and study.frame["chance"].nunique() == 1:
        frame = frame.assign(chance=study.frame["chance"].iloc[0])
    unread = {symbol_of(c): c for c in TELLING if c in frame and c not in law.readable.values()}
    frame = frame.assign(**{column: frame[column].map(_unless_zero) for column in unread.values()})
    for symbol, column in (law.readable | unread).items():
        may_be_absent = symbol in law.absent or symbol in unread
        if column not in frame:
            if may_be_absent:
                continue
            given = f"only {listed(map(str, frame.columns))}" if len(frame.columns) else "nothing"
            wanted, own = _both(symbol, column), to_add(symbol, study.names, frame.columns)
            raise TargetError(f"A target of {law.name} needs {wanted}, and it gives {given}; add {own}.")
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        lacking = frame[column].map(absent).to_numpy(dtype=bool)
        fraction = bool(FRACTION.fullmatch(column)) and symbol not in law.signed
        allowed = np.isfinite(values) & (values > 0) if symbol in unread else law.allows(symbol, values)
        bad = ~(allowed & ~(fraction & (values > 1))) & ~(lacking & may_be_absent)
        if bad.any():
            place = int(np.argmax(bad))
            given = f"no {symbol}" if lacking[place] else f"{symbol} = {shown(frame[column].tolist()[place])}"
            zero = " or zero" if symbol in law.indicators else ""
            wanted = "a finite number" if symbol in law.signed else f"a positive number{zero}"
            wanted = "1 or 0" if symbol in law.flags else "a fraction between 0 and 1" if fraction else wanted
            cure = f"{wanted}, or leave it out" if symbol in unread else wanted
            raise TargetError(f"Target {shown(frame.index[place])} has {given}; give {cure}.")
        if frame[column].dtype == bool or not pd.api.types.is_numeric_dtype(frame[column].dtype):  # flags, or text
            frame = frame.assign(**{column: values})
    mixed = {s: pd.to_numeric(frame[law.columns[s]]).to_numpy(dtype=float) for s in law.shares}
    if problem := not_shares(mixed, law.shares, lambda place: f"target {shown(frame.index[place])}"):
        raise TargetError(f"{problem.sentence}; {problem.remedy}.")
    return frame
