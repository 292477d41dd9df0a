"""Runs to forecast, in any form a user may give them, checked against what the law reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, BayesScalingError, StudyError, TargetError, listed, suggest
from bayes_scaling.study.panel import Panel
from bayes_scaling.study.reading import SYMBOLS, as_rows, column_of, labelled, symbol_of
from bayes_scaling.study.rows import absent, numbered, shown, task_name
from bayes_scaling.study.shares import not_shares
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import OUTCOME, floats, where_known

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law

__all__ = ["ANY", "Targets", "read_targets", "require_no_task", "to_add"]

ANY = ("target", "run", "n_params", "tokens", "flops")
"""What a target may give whatever the law reads: its name, and what tells its compute."""


OF_TASKS = ("chance", "questions")
"""Columns of a task, whatever the run."""


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
        given = {name: where_known(self.frame, name) for name in law.absent if name in self.frame}
        found = law.input_arrays(self.frame.drop(columns=list(given)))
        return found | {name: np.where(np.isnan(own), law.absent[name], own) for name, own in given.items()}


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
        A target lacks an input of the law, has one that the law does not allow, or is given twice; or it gives a task
        to a fit that has others, or, where it is no row of a table, an input that nothing reads.
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
        if isinstance(targets, (Mapping, list, tuple)):
            _require_read(law, study, frame, known)
        actual = {q: np.full([len(frame), *shape[q]], np.nan) for q in law.quantities}
        for q in law.quantities:
            if q in frame and not shape[q]:
                actual[q] = floats(frame, q).to_numpy()
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
        has_rows = targets.runs["run"].isin(rows["run"]).to_numpy()
        for quantity, values in _by_task(law, study, rows).items() if len(rows) else ():
            if values.shape[1:] != found[quantity].shape[1:]:
                raise TargetError(
                    f"Targets have a {quantity} for each task where the fitted runs share one; give one number in all "
                    "rows of a run."
                )
            found[quantity][has_rows] = values
    elif not law.by_task and law.outcome in targets.frame:
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
        _require_one_of_each(frame)
    if len(frame.columns) and frame.empty:
        raise TargetError("The targets have no rows; give at least one, for example {'N': 7e9, 'D': 4e12}.")
    return labelled(frame)


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


def _require_read(law: Law, study: Study, frame: pd.DataFrame, known: Collection[str]) -> None:
    """Refuse an input that nothing reads: no law, no count of FLOPs, no column of the study."""
    names = {*ANY, *known, *law.readable.values(), *law.quantities, *map(str, study.frame), *study.names.values()}
    if unread := [name for name in map(str, frame) if name not in names]:
        said = {*names, *map(symbol_of, names)} - {"target"}
        raise TargetError(f"A target gives {unread[0]!r}, which nothing reads; {suggest(unread[0], said)}")


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
    counted = symbol == "C" and {SYMBOLS["N"], SYMBOLS["D"]} <= set(given)
    return names.get(column_of(symbol), symbol) + (", such as 6 x N x D" if counted else "")


def _require_one_of_each(frame: pd.DataFrame) -> None:
    """Refuse an input that is given twice, by its symbol and by the name of its column, with different values."""
    for symbol, column in SYMBOLS.items():
        if {symbol, column} <= set(frame) and (differ := (frame[symbol] != frame[column]).to_numpy()).any():
            one, other = (frame[name].iloc[int(np.argmax(differ))] for name in (symbol, column))
            raise TargetError(
                f"A target gives {symbol} = {shown(one)} and {column} = {shown(other)}, which are the same input; give "
                "one of them."
            )


def _both(symbol: str, column: str) -> str:
    """Return an input by its symbol, with its column where that is called otherwise."""
    return symbol if symbol == column else f"{symbol} ({column})"


def _checked(law: Law, study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return targets with all that the law reads, as numbers; the chance is that of the runs where none is given."""
    if "chance" in law.columns.values() and "chance" not in frame and study.frame["chance"].nunique() == 1:
        frame = frame.assign(chance=study.frame["chance"].iloc[0])
    for symbol, column in law.readable.items():
        may_be_absent = symbol in law.absent
        if column not in frame:
            if may_be_absent:
                continue
            given = f"only {listed(map(str, frame.columns))}" if len(frame.columns) else "nothing"
            wanted, own = _both(symbol, column), to_add(symbol, study.names, frame.columns)
            raise TargetError(f"A target of {law.name} needs {wanted}, and it gives {given}; add {own}.")
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        lacking = frame[column].map(absent).to_numpy(dtype=bool)
        bad = ~law.allows(symbol, values) & ~(lacking & may_be_absent)
        if bad.any():
            place = int(np.argmax(bad))
            given = f"no {symbol}" if lacking[place] else f"{symbol} = {shown(frame[column].tolist()[place])}"
            zero = " or zero" if symbol in law.indicators else ""
            wanted = "a finite number" if symbol in law.signed else f"a positive number{zero}"
            raise TargetError(f"Target {shown(frame.index[place])} has {given}; give {wanted}.")
        if not pd.api.types.is_numeric_dtype(frame[column].dtype):  # numbers in text
            frame = frame.assign(**{column: values})
    mixed = {s: pd.to_numeric(frame[law.columns[s]]).to_numpy(dtype=float) for s in law.shares}
    if problem := not_shares(mixed, law.shares, lambda place: f"target {shown(frame.index[place])}"):
        raise TargetError(f"{problem.sentence}; {problem.remedy}.")
    return frame
