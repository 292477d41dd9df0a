"""What laws read of a run's scale (parameters, tokens, FLOPs), and the numbers that users give for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, DecisionError, LawError, listed, suggest
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.study.flops import may_be_counted
from bayes_scaling.study.reading import as_rows
from bayes_scaling.study.rows import row_name, shown
from bayes_scaling.study.validation import FRACTION, SIZES, number_of

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.flops import FlopRule
    from bayes_scaling.study.study import Study

__all__ = [
    "SCALE",
    "as_floats",
    "check_inputs",
    "costs_of",
    "exponent_spread",
    "further_inputs",
    "goal_of",
    "held_by_each",
    "one_number",
    "one_target",
    "positive",
    "reads_compute_alone",
    "require_held",
    "require_size_and_data",
    "scale_columns",
    "told_to_each",
]

SCALE = ("N", "D", "C")
MOST_SPREAD = 1.0  # of an exponent's error: a factor of e either way, beyond which the fit says next to nothing of it


def scale_columns(law: Law) -> dict[str, str]:
    """Return the inputs of scale that a law reads, N, D or C, with the names of their columns.

    Raises
    ------
    LawError
        The law makes one of them of other columns.
    """
    read = [name for name in SCALE if name in law.run_inputs]
    made = [name for name in read if name not in law.columns]
    if made:
        raise LawError(
            f"{law.name} makes {' and '.join(made)} of {', '.join(law.columns.values())}, so no decision is taken on "
            "it; fit a law that reads parameters and tokens, or FLOPs."
        )
    return {name: law.columns[name] for name in read}


def reads_compute_alone(law: Law) -> bool:
    """Say whether FLOPs are all that a law reads of scale, so that every budget has one outcome."""
    return set(scale_columns(law)) == {"C"}


def further_inputs(law: Law) -> list[str]:
    """Return the inputs of a law other than parameters, tokens and FLOPs."""
    return [name for name in law.run_inputs if name not in SCALE]


def held_by_each(laws: Sequence[Law], given: Mapping[str, float] | None) -> list[dict[str, float]]:
    """Return the value that each further input of several laws is held at; each takes what it reads of what is given.

    Parameters
    ----------
    laws : sequence of Law
        Some of their further inputs may have a value where nothing is given.
    given : mapping of str to float, optional
        The others.

    Raises
    ------
    LawError
        One is missing; otherwise as for :func:`.told_to_each`.
    """
    held = told_to_each(laws, given)
    for law, values in zip(laws, held, strict=True):
        require_held(law, values)
    return held


def told_to_each(laws: Sequence[Law], given: Mapping[str, float] | None) -> list[dict[str, float]]:
    """Return what is known of the further inputs of several laws: what each reads of what is given, or their absence.

    Parameters
    ----------
    laws : sequence of Law
        What reads them.
    given : mapping of str to float, optional
        Values of some of them.

    Raises
    ------
    LawError
        No law reads an input that is given, or a value is no number, or one that the law does not take.
    """
    given = {} if given is None else dict(given)
    check_inputs(laws, given)
    found = {}
    for name, value in given.items():
        found[name] = float(value) if isinstance(value, bool) else number_of(value, size=bool(SIZES.fullmatch(name)))
        if np.isnan(found[name]):
            raise LawError(f"The value of {name!r} is {shown(value)}; give a number, as in {_example(name)}.")
    return [_told(law, found) for law in laws]


def require_held(law: Law, known: Collection[str]) -> None:
    """Refuse a further input of a law that is not among those whose value is known.

    Raises
    ------
    LawError
        There is one.
    """
    for name in further_inputs(law):
        if name not in known:
            raise LawError(f"{law.name} also reads {name!r}; give its value, as in {_example(name)}.")


def check_inputs(laws: Sequence[Law], names: Iterable[str], *, purpose: str = "") -> None:
    """Refuse a name that is a further input of none of the laws; the sentence may say what it was wanted for.

    Parameters
    ----------
    laws : sequence of Law
        What may read them.
    names : iterable of str
        The names.
    purpose : str
        What they are wanted for, as in " to choose".

    Raises
    ------
    LawError
        There is one.
    """
    known = {name for law in laws for name in further_inputs(law)}
    for name in names:
        if name not in known:
            said = f"None of {listed(law.name for law in laws)} has a" if len(laws) > 1 else f"{laws[0].name} has no"
            raise LawError(f"{said} further input {name!r}{purpose}; {suggest(name, known)}")


def _told(law: Law, found: Mapping[str, float]) -> dict[str, float]:
    """Return what a law reads of the values, or what stands for it, and refuse a value that it does not take."""
    values = {**law.absent, **found}
    told = {name: float(values[name]) for name in further_inputs(law) if name in values}
    for name, value in told.items():
        share = bool(FRACTION.fullmatch(name)) and name not in law.signed
        allowed = law.allows(name, np.array([value])).all() and not (share and value > 1)
        if not allowed and value != law.absent.get(name):
            wanted = "a fraction between 0 and 1" if share else "one that it takes, such as a positive number"
            raise LawError(
                f"The value of {name!r} is {value:g}, which {law.name} does not take; give {wanted}, as in "
                f"{_example(name)}."
            )
    return told


def _example(name: str) -> str:
    """Return how to hold an input, in the words of the interface in use: in Python the surface does."""
    return f"--given {name}=VALUE" if COMMAND_LINE.get() else f"bs.Surface.of(posterior, given={{{name!r}: ...}})"


def require_size_and_data(law: Law, purpose: str, instead: str = "N and D") -> None:
    """Refuse a law that does not weigh parameters against tokens; the sentence may say what else would do.

    Raises
    ------
    LawError
        It does not read both N and D.
    """
    if not {"N", "D"} <= set(law.run_inputs):
        raise LawError(
            f"{purpose} weighs parameters against tokens, and {law.name} reads {', '.join(law.run_inputs)}; "
            f"fit a law of {instead}."
        )


def one_target(
    law: Law, study: Study, target: Any, held: Mapping[str, float] | None = None, *, known: Collection[str] = ()
) -> pd.DataFrame:
    """Return the one run that a decision is about as a table of one row, its label the index, checked.

    Parameters
    ----------
    law, study
        What forecasts it, and the fitted runs.
    target : mapping of str to float, or table of one row
        Its inputs.
    held : mapping of str to float, optional
        Those that it need not give.
    known : collection of str
        Columns that it may give although this law reads none of them.

    Raises
    ------
    DecisionError
        Several are given.
    TargetError
        None is, or it lacks an input of the law, gives a task, or an input that nothing reads.
    """
    if held and target is not None and not isinstance(target, str):
        told = {name: value for name, value in held.items() if value != law.absent.get(name)}
        rows, values = as_rows(target, study.names), {law.columns.get(name, name): told[name] for name in told}
        rows = rows.assign(**{column: value for column, value in values.items() if column not in rows})
        target = rows.to_dict("records") if isinstance(target, (Mapping, list, tuple)) else rows
    frame = read_targets(law, study, target, known=known).frame
    if len(frame) > 1:
        raise DecisionError(
            f"{len(frame)} targets are given, and this is decided for one run at a time; give one of them."
        )
    return frame


def goal_of(target: Any, quantity: str, *, signed: bool = False) -> float:
    """Return the outcome to reach as a float: positive unless it may be of any sign, and an accuracy at most 1.

    Raises
    ------
    DecisionError
        It is none.
    """
    share = FRACTION.fullmatch(quantity)
    goal = one_number(target, f"{quantity} to reach", "0.7" if share else "2.1", signed=signed)
    if share and goal > 1:
        raise DecisionError(f"The {quantity} to reach is {goal:g}, above 1; give a fraction, such as 0.7.")
    return goal


def exponent_spread(error: Any) -> float:
    """Return the spread of errors of the exponents beyond the fitted runs: a positive number, at most 1.

    Raises
    ------
    DecisionError
        It is none.
    """
    said = "--exponent-error" if COMMAND_LINE.get() else "exponent_error"
    spread = one_number(error, said, "0.25")
    if spread > MOST_SPREAD:
        raise DecisionError(
            f"The {said} is {spread:g}, by which an exponent may well be {np.exp(spread):.3g} times as large or as "
            f"small as the fit says, so that the answer rests on chance; give at most {MOST_SPREAD:g}, such as 0.25."
        )
    return spread


def costs_of(runs: pd.DataFrame, rule: FlopRule, whose: str) -> np.ndarray:
    """Return the FLOPs of runs to be made: as their table has them, otherwise by a rule.

    Parameters
    ----------
    runs : pandas.DataFrame
        A row per run, with our column names.
    rule : FlopRule
        How parameters and tokens become FLOPs.
    whose : str
        What has the runs, for the message.

    Raises
    ------
    DecisionError
        The table has neither FLOPs nor both of parameters and tokens.
    """
    if "flops" in runs:
        return runs["flops"].to_numpy(dtype=float)
    if not may_be_counted(runs.columns):
        raise DecisionError(f"{whose} neither FLOPs nor parameters and tokens to cost runs by; give one of them.")
    return rule.cost(runs["n_params"], runs["tokens"])


def one_number(value: Any, what: str, example: str, *, signed: bool = False) -> float:
    """Return a number as a float, or say that it is none, is not finite, has the wrong sign, or that there are several.

    Parameters
    ----------
    value : number
        What the user gave.
    what, example : str
        What it is called, and an example of it, for the message.
    signed : bool
        Let it be of any sign; otherwise it must be positive.

    Raises
    ------
    DecisionError
        It is not.
    """
    array = _checked(value, what, example, signed=signed)
    if len(array) > 1:
        raise DecisionError(f"The {what} is {shown(value)}; give one number, such as {example}.")
    return float(array[0])


def positive(values: Any, what: str, example: str, *, of: pd.DataFrame | None = None) -> np.ndarray:
    """Return numbers as an array of shape (point,), or say which of them is not positive and finite.

    Parameters
    ----------
    values : number or sequence of numbers
        What the user gave.
    what, example : str
        What it is called, and an example of it, for the message.
    of : pandas.DataFrame, optional
        The table that it is a column of: its rows are named.

    Raises
    ------
    DecisionError
        One is not.
    """
    return _checked(values, what, example, of=of)


def as_floats(values: Any) -> np.ndarray:
    """Return numbers, or sizes in words, as an array of one dimension or more; empty where one of them is neither.

    Examples
    --------
    >>> as_floats(2).tolist(), as_floats(["7B", 1e10]).tolist(), as_floats(["7B", "large"]).tolist()
    ([2.0], [7000000000.0, 10000000000.0], [])
    """
    try:
        return np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        said = np.atleast_1d(np.asarray(values, dtype=object))
        found = np.array([number_of(value, size=True) for value in said], dtype=float)
        return np.empty(0) if np.isnan(found).any() else found


def _checked(
    values: Any, what: str, example: str, *, of: pd.DataFrame | None = None, signed: bool = False
) -> np.ndarray:
    """Return what :func:`positive` does; ``signed`` numbers need only be finite."""
    array = as_floats(values)
    bad = ~(np.isfinite(array) & (signed | (array > 0)))
    if array.ndim == 1 and array.size and not bad.any():
        return array
    if array.ndim != 1 or not array.size or np.ndim(values) == 0:
        said = f"is {shown(values)}"
    else:
        where = "is" if of is None else f"in {listed(row_name(of, place) for place in np.flatnonzero(bad))} is"
        said = f"{where} {listed(f'{value:g}' for value in array[bad])}"
    raise DecisionError(f"The {what} {said}; give {'finite' if signed else 'positive'} numbers, such as {example}.")
