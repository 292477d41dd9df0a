"""Which outcome is of which run that was forecast: by its name, or by its inputs."""

from __future__ import annotations

import difflib
from typing import NamedTuple

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, TargetError, listed, mapped
from bayes_scaling.forecasts.display import percent as in_per_cent
from bayes_scaling.study.flops import may_be_counted, tell_flops
from bayes_scaling.study.reading import LABELS, SAME_INPUT, called, in_letters, symbol_of
from bayes_scaling.study.rows import absent, row_name, row_number, shown
from bayes_scaling.study.validation import KEYS, LOSS_ERROR, MOST_ROWS, OUTCOME, SIZES, number_of
from bayes_scaling.study.wide import BESIDE

__all__ = ["Apart", "places", "strays", "to_map"]

NEAR_INPUT = 0.05
"""Relative difference up to which the inputs of a run are still those of its target: runs differ a little from plan."""

NO_INPUTS = ("target", "run", "task", "quantity", "unit", "distance", "mean", "sd", "seed", LOSS_ERROR, *BESIDE)
"""Columns that may be in a forecast and among outcomes, and are no inputs of a run."""


class Apart(NamedTuple):
    """How far the inputs of outcomes are off those of the targets.

    Attributes
    ----------
    targets : pandas.DataFrame
        A row of the forecast for each target.
    inputs : list of str
        The inputs by which outcomes can be told.
    off : array, shape (outcome, target, input)
        Relative differences; NaN where one of the two is not known.
    missing : list of str
        The sizes of the targets that the outcomes do not give; none where they give FLOPs, or parameters and tokens.
    bare : bool
        Whether the outcomes have no column that may say of which run they are.
    """

    targets: pd.DataFrame
    inputs: list[str]
    off: np.ndarray
    missing: list[str]
    bare: bool

    @classmethod
    def of(cls, rows: pd.DataFrame, outcomes: pd.DataFrame) -> Apart:
        """Compare the inputs of outcomes with those of the rows of a forecast."""
        targets, inputs = rows.drop_duplicates("target"), _inputs(rows, outcomes)
        theirs = targets[inputs].to_numpy(dtype=float)
        given = np.empty((len(outcomes), len(inputs)))
        for k, column in enumerate(inputs):
            entries = (int(value) if isinstance(value, (bool, np.bool_)) else value for value in outcomes[column])
            given[:, k] = [number_of(value) for value in entries]
        apart = np.abs(given[:, None] - theirs)
        off = np.where(apart == 0, 0.0, apart / np.maximum(np.abs(theirs), np.finfo(float).tiny))
        return cls(targets, inputs, off, _missing(rows, outcomes, inputs), _bare(rows, outcomes))

    @property
    def known(self) -> list[str]:
        """The names of the targets."""
        return list(self.targets["target"])


def places(apart: Apart, outcomes: pd.DataFrame) -> tuple[list[str | None], list[str]]:
    """Return the target of each outcome: the one it names, or whose inputs it has, None where it is of no target.

    A remark tells of each that was found by inputs which are near and not the same, by some of them alone, or by none.

    Raises
    ------
    TargetError
        An outcome names one target, and its inputs are not those of it; or it would be found by some of its inputs,
        and others are there by another name.
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
        told = "target" in outcomes or ("run" in outcomes and not outcomes.attrs.get(LABELS))
        alone = len(known) == len(outcomes) == 1 and named == [None] and not told
        if not alone or to_map(apart, outcomes):
            return named, []
        said = f"For want of a name or inputs {row_name(outcomes, 0)} is scored as {known[0]!r}, the only target."
        return [known[0]], [] if apart.bare else [said]
    by_name = list(named)
    same = np.asarray((apart.off <= SAME_INPUT).all(axis=2))
    for i, name in enumerate(named):
        if name is not None:
            _require_own(apart, outcomes, i, name)
        elif same[i].sum() == 1:
            named[i] = known[int(np.argmax(same[i]))]
    found, remarks = _near(apart, named, outcomes)
    by_inputs = {i: name for i, name in enumerate(found) if name is not None and by_name[i] is None}
    return found, [*remarks, *_by_some(apart, outcomes, by_inputs)]


def _inputs(rows: pd.DataFrame, outcomes: pd.DataFrame) -> list[str]:
    """Return the inputs by which outcomes can be told; a loss is one only where nothing else is."""
    both = [c for c in rows if c in outcomes and c not in NO_INPUTS and c not in set(rows["quantity"])]
    name = next((column for column in ("target", "run") if column in outcomes), None)
    if "task" in outcomes and name is not None:  # a run has one input for all of its tasks
        both = [c for c in both if (outcomes.groupby(name)[c].nunique() <= 1).all()]
    return [c for c in both if not OUTCOME.match(c)] or both


def _missing(rows: pd.DataFrame, outcomes: pd.DataFrame, inputs: list[str]) -> list[str]:
    """Return the sizes of a forecast that outcomes lack; none where FLOPs, or parameters and tokens, tell the run."""
    sizes = [c for c in rows if SIZES.fullmatch(str(c)) and rows[c].notna().any()]
    if tell_flops(inputs):
        return []
    implied = {"flops"} if may_be_counted(sizes) else set[str]()
    return [c for c in sizes if c not in outcomes and c not in implied]


def _bare(rows: pd.DataFrame, outcomes: pd.DataFrame) -> bool:
    """Say whether outcomes have no other columns than outcomes and what is no input and no name."""
    ours = {*NO_INPUTS, *KEYS, *rows["quantity"], *rows["task"]} - {"target", "run"}
    return all(c in ours or OUTCOME.fullmatch(str(c)) for c in outcomes)


def to_map(apart: Apart, outcomes: pd.DataFrame) -> str:
    """Return how to say which columns of outcomes are inputs that they lack; nothing where none is called like one.

    One letter says too little: a width is d, and a number of questions n.
    """
    plain = {in_letters(str(name)): str(name) for name in outcomes}
    words = {ours: [name for name in called(ours) if name in plain and len(name) > 1] for ours in apart.missing}
    likely = {ours: plain[words[ours][-1]] for ours in apart.missing if words.get(ours)}
    if COMMAND_LINE.get():
        return listed(mapped(*both) for both in likely.items())
    return f"names={likely}" if likely else ""


def _by_some(apart: Apart, outcomes: pd.DataFrame, found: dict[int, str]) -> list[str]:
    """Return remarks on outcomes whose targets, given by place, were found by a part of their inputs alone.

    Raises
    ------
    TargetError
        The other inputs seem to be there by another name.
    """
    by, told = listed(map(symbol_of, apart.inputs)), dict[str, list[str]]()
    place_of = {name: place for place, name in enumerate(apart.known)}
    for i, target in found.items():
        place = place_of[target]
        if lacking := [symbol_of(c) for c in apart.missing if pd.notna(apart.targets[c].iloc[place])]:
            verb = "are" if lacking[1:] else "is"
            what = f"scored as {target!r}: {listed(lacking, MOST_ROWS)} {verb} not given."
            told.setdefault(what, []).append(row_name(outcomes, i))
    if told and (cure := to_map(apart, outcomes)):
        what, whose = next(iter(told.items()))
        raise TargetError(f"By {by} alone {whose[0]} would be {what[:-1]}; say which of yours it is, as in {cure}.")
    return [
        f"By {by} alone {listed(whose, MOST_ROWS)} {'are' if whose[1:] else 'is'} {what}"
        for what, whose in told.items()
    ]


def _require_own(apart: Apart, outcomes: pd.DataFrame, i: int, name: str) -> None:
    """Refuse an outcome that names a target and has inputs of another run."""
    targets, inputs, known = apart.targets, apart.inputs, apart.known
    off, outcome = apart.off[i], outcomes.iloc[i]
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


def _near(apart: Apart, named: list[str | None], outcomes: pd.DataFrame) -> tuple[list[str | None], list[str]]:
    """Return the target of each outcome, also of one whose inputs are near those of one target alone, and remarks."""
    inputs, off, known = apart.inputs, apart.off, apart.known
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


def strays(apart: Apart, outcomes: pd.DataFrame, places: np.ndarray) -> str:
    """Return the outcomes of no target in words, each with the target that is nearest by name or by inputs."""
    targets, inputs, off, known = apart.targets, apart.inputs, apart.off, apart.known
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
