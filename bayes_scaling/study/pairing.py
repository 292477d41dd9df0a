"""Pair the runs of two studies, so that one loss can be predicted from another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, StudyError, listed, option, suggest
from bayes_scaling.study.card import differing_measure
from bayes_scaling.study.reading import with_least_abscissa
from bayes_scaling.study.rows import numbered, row_name, row_number
from bayes_scaling.study.study import Study, require_study
from bayes_scaling.study.validation import LOSS_ERROR, column_of, floats

__all__ = ["Pairing", "agreeing", "choose", "pair", "with_partners"]

ABSCISSA, ORDINATE = "abscissa", "ordinate"
ROW = "_row"  # the column that pairs runs of one table with themselves
FEWEST = 4  # pairs that a curve with a slope and two floors needs at the least


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
    """Runs paired by what they cost, and those left out.

    Attributes
    ----------
    study : Study
        One row per pair: ``source_loss`` (abscissa), ``loss`` (ordinate), ``least_source_loss`` (the smallest abscissa
        known, targets included: it bounds the abscissa's irreducible loss), and what else the ordinate's run holds.
    paired, targets : int
        Pairs to fit and pairs to forecast.
    left_out : pandas.DataFrame
        One row per run without a partner: ``study``, ``run`` and the columns paired by.
    """

    study: Study
    paired: int
    targets: int
    left_out: pd.DataFrame

    def __str__(self) -> str:
        counts = self.left_out.groupby("study", sort=False).size()
        alone = " and ".join(f"{n} of {name!r}" for name, n in counts.items()) or "none"
        counted = f"{self.paired} pairs to fit, {self.targets} to forecast"
        return f"{self.study.name}: {counted}; left out, for want of a partner: {alone}."


def pair(
    source: Study,
    target: Study,
    *,
    source_loss: str = "loss",
    loss: str = "loss",
    by: str | Sequence[str] | None = None,
    name: str | None = None,
) -> Pairing:
    """Pair the runs of two studies and put a loss of each side by side.

    Two training sets, runs of equal size and compute: train-to-train, or test-to-test with a test loss on each axis.
    The same study twice: train-to-test, each run paired with itself.

    Parameters
    ----------
    source, target : Study
        Runs that give the abscissa and the ordinate.  Where both tell roles, those of a pair must agree; where one
        does, its roles are those of the pairs.  A run whose role is ``target`` may lack the ordinate.
    source_loss, loss : str
        Column of each.
    by : str or sequence of str, optional
        Columns of numbers that must agree between the runs of a pair, and tell the runs of one study apart; by default
        parameters and FLOPs, or tokens where a study has no FLOPs; runs of one study are paired with themselves, each
        row with itself.
    name : str, optional
        Name of the paired study.

    Raises
    ------
    StudyError
        A column is missing or holds a value that is not a positive number, the columns paired by do not tell runs
        apart, tokenisers or units of the losses differ on the cards, or fewer than 4 pairs are left to fit.

    Examples
    --------
    >>> runs = pd.DataFrame({"N": [1e7, 2e7, 4e7, 8e7], "C": [1e17, 2e17, 4e17, 8e17], "loss": [4.0, 3.7, 3.5, 3.3]})
    >>> one, two = (Study.from_frame(r, name=n) for n, r in [("a", runs), ("b", runs.assign(loss=runs["loss"] - 0.5))])
    >>> print(pair(one, two))
    a -> b: 4 pairs to fit, 0 to forecast; left out, for want of a partner: none.
    """
    source, target = require_study(source), require_study(target)
    if by is None and source is target:
        source, by = with_partners(source)
        target = source
    by = [by] if isinstance(by, str | int) else list(by or agreeing(source, target))
    by = [column_of(name) if name not in source.frame else name for name in by]
    if twice := [column for column in by if column in (source_loss, loss)]:
        raise StudyError(f"The column {twice[0]!r} is a loss and is paired by; give another loss, or pair by others.")
    _same_card(source, target, source_loss, loss)
    left = _side(source, source_loss, by, ABSCISSA).rename(columns={source_loss: "source_loss"})
    right = _side(target, loss, by, ORDINATE)
    roles = ["role"] if "role" in left else []
    shared = [*by, *(role for role in roles if role in right)]
    # What an earlier pair had, and another loss under our name, unless runs are paired by it.
    old = {"source_loss", "least_source_loss", ROW, "loss"} - {*by, *(["loss"] if loss == "loss" else [])}
    kept = target.frame.drop(columns=[*old], errors="ignore")
    kept = kept.assign(loss=right[loss]).drop(columns=[] if loss == "loss" else LOSS_ERROR, errors="ignore")
    both = kept.merge(left[[*by, *roles, "source_loss"]], on=shared, how="inner", validate="1:1")
    both = with_least_abscissa(both)
    is_target = both["role"] == "target" if "role" in both else pd.Series(False, index=both.index)
    fitted = both["role"] == "train" if "role" in both else ~is_target
    if fitted.sum() < FEWEST and by == [ROW]:
        raise StudyError(
            f"Only {fitted.sum()} runs of {source.name!r} are to be fitted, and a pair of losses needs at least "
            f"{FEWEST}; add runs."
        )
    if fitted.sum() < FEWEST:
        other = "--by SIZE" if COMMAND_LINE.get() else "by=['size']"
        raise StudyError(
            f"Only {fitted.sum()} runs of {source.name!r} and {target.name!r} agree in {' and '.join(by)}, to the last "
            f"digit, and a pair of losses needs at least {FEWEST}; where runs are nearly of one size, say with {other} "
            "in which columns of numbers they agree, such as one of nominal sizes."
        )
    alone = [] if source is target else [_alone(source, left, both, by), _alone(target, right, both, by)]
    left_out = pd.concat(alone, ignore_index=True) if alone else pd.DataFrame(columns=["study", "run", *by])
    label = name or (
        f"{source.name} -> {target.name}"
        if source_loss == loss
        else f"{source.name} {source_loss} -> {target.name} {loss}"
    )
    card = dataclasses.replace(target.card.renamed({"loss": loss}), name=label)
    return Pairing(Study.from_frame(both, card=card), int(fitted.sum()), int(is_target.sum()), left_out)


def agreeing(*studies: Study) -> tuple[str, str]:
    """Return the columns by which runs are paired where nobody named any."""
    return "n_params", "flops" if all("flops" in study.frame for study in studies) else "tokens"


def with_partners(study: Study) -> tuple[Study, list[str]]:
    """Return a study whose runs are paired with themselves, repeats too, and by what: the number of the row.

    Raises
    ------
    StudyError
        It has several tasks, whose losses are not of one curve.
    """
    if len(study.tasks) > 1:
        raise StudyError(
            f"Study {study.name!r} has {len(study.tasks)} tasks, and a pair is of two losses of one; choose one, as by "
            f"{option('where', f'task == {study.tasks[0]!r}')}."
        )
    return dataclasses.replace(study, frame=study.frame.assign(**{ROW: np.arange(1.0, len(study) + 1)})), [ROW]


def choose(study: Study, column: str, value: str) -> Study:
    """Return the runs of one training set, as a study of its name; a set may be called by a number.

    Raises
    ------
    StudyError
        The column or the value does not exist.
    """
    named = study.frame[column].map(str) == str(value) if column in study.frame else pd.Series(dtype=bool)
    chosen = dataclasses.replace(study, frame=study.frame[named]) if named.any() else study.select(**{column: value})
    return dataclasses.replace(chosen, card=dataclasses.replace(chosen.card, name=str(value)))


def _side(study: Study, loss: str, by: list[str], axis: str) -> pd.DataFrame:
    """Return the columns of one axis, checked: a run to forecast may lack the ordinate."""
    if loss not in study.frame:
        raise StudyError(f"Study {study.name!r} has no column {loss!r}; {suggest(loss, study.frame.columns)}")
    values = floats(study.frame, loss).to_numpy()
    wrong, unknown = ~(np.isfinite(values) & (values > 0)), np.isnan(values) & (axis == ORDINATE)
    if "role" in study.frame:
        wrong &= ~(unknown & (study.frame["role"] == "target").to_numpy())
    if wrong.any():
        rows = listed((row_name(study.frame, place) for place in np.flatnonzero(wrong)), 5)
        if unknown[wrong].all():
            told = COMMAND_LINE.get()
            how, drop = ("with --target-run", " with --drop-missing") if told else ("by the role 'target'", "")
            what, cure = "is missing", f"fill it in, drop such runs{drop}, or say {how} which is to be forecast"
        else:
            what, cure = "is not a positive number", "repair or drop what is wrong"
        raise StudyError(f"The {axis} {loss!r} of study {study.name!r} {what} in {rows}; {cure}.")
    if unknown := [c for c in by if c not in study.frame]:
        raise StudyError(
            f"Study {study.name!r} has no column {unknown[0]!r} to pair by; {suggest(unknown[0], study.frame.columns)}"
        )
    keys = {c: study.column(c) for c in by}
    columns = keys | {c: study.frame[c] for c in ("run", "role") if c in study.frame} | {loss: values}
    table = pd.DataFrame(columns, index=study.frame.index)
    twice = table.duplicated(by)
    if twice.any():
        second = int(np.argmax(twice))
        what = ", ".join(f"{c} = {table[c].iloc[second]:g}" for c in by)
        raise StudyError(
            f"Study {study.name!r} has two runs with {what} (row {row_number(table, second)} is the second); "
            f"{_one_of_two(study, table.duplicated(by, keep=False))}, or name further columns of numbers to pair by."
        )
    return table


def _one_of_two(study: Study, alike: pd.Series) -> str:
    """Return how to keep one of the rows of which pairs cannot tell which is meant: of one task, where they differ."""
    tasks = list(study.frame.loc[alike.to_numpy(), "task"].unique()) if "task" in study.frame else []
    if len(tasks) < 2:
        return "choose one training set, leave one of the two out"
    return f"choose one task, as by {option('where', f'task == {tasks[0]!r}')}"


def _alone(study: Study, side: pd.DataFrame, both: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    known = pd.MultiIndex.from_frame(both[by])
    lonely = side[~pd.MultiIndex.from_frame(side[by]).isin(known)]
    runs = lonely["run"] if "run" in lonely else pd.Series(numbered(lonely), index=lonely.index, dtype=object)
    return lonely[by].assign(study=study.name, run=runs)[["study", "run", *by]]


def _same_card(source: Study, target: Study, source_loss: str, loss: str) -> None:
    """Refuse studies whose cards state another tokeniser, or another unit of the same loss."""
    for column in (source_loss, loss):
        if what := differing_measure(source.card, target.card, column):
            raise StudyError(
                f"The cards of {source.name!r} and {target.name!r} disagree on the {what}; pair losses that are "
                "measured alike."
            )
