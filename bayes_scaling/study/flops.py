"""From parameters and tokens to FLOPs: the one place that knows 6ND, and how far a run lies beyond others."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from bayes_scaling.errors import COMMAND_LINE, DecisionError, StudyError, option, suggest
from bayes_scaling.study.validation import floats

__all__ = [
    "SIX_N_D",
    "FlopRule",
    "Runs",
    "distances",
    "ratio_of_counts",
    "six_n_d",
    "training_flops",
    "with_flops",
]

SIX_N_D = "6ND"
"""Name of the convention of Kaplan et al. 2020 (arXiv 2001.08361, section 2.1): 6 FLOPs per parameter and token."""

COUNTED = ("n_params", "tokens")
"""The columns of which a rule counts FLOPs."""
TELLING = (*COUNTED, "flops")
"""The columns that tell the FLOPs of a run: the two that they are counted of, or they themselves."""

PerToken: TypeAlias = Callable[[np.ndarray], np.ndarray]
A_LOSS = re.compile(r".*loss\d*|.*_ce")
NEAR, APART = 10.0, 2.0  # sizes that a line beyond the last goes by: up to so many times it, and one at least so far
SLOPES = (0.5, 1.5)  # of the logarithm of FLOPs per token, by that of the size: no model is far from proportional
ALIKE = np.log(1.1)  # sizes no further apart are compared
FORWARD = 1 / 3  # share of a training step's FLOPs that its forward pass takes: 2 of the 6 in 6ND


class Runs(Protocol):
    """What a rule reads of a study: its name and its table."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per run, with our column names."""


@dataclasses.dataclass(frozen=True)
class FlopRule:
    """How many FLOPs a token costs a model of N parameters.

    Parameters
    ----------
    name : str
        What results call it.
    per_token : callable
        Training FLOPs per token from an array of N (parameters), of the same shape and growing with N.

    Examples
    --------
    >>> rule = FlopRule.of("6ND")
    >>> float(rule.cost(1e9, 20e9)), float(rule.tokens(1e9, 1.2e20))
    (1.2e+20, 20000000000.0)
    """

    name: str
    per_token: PerToken

    @classmethod
    def of(cls, flops: str | PerToken | FlopRule, study: Runs | None = None) -> FlopRule:
        """Return the rule a user means.

        Parameters
        ----------
        flops : str, callable or FlopRule
            ``"6ND"`` (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), ``"study"`` for the FLOPs per token of the
            study's own columns, beyond its sizes on a line in the logarithms through those near the last, or a
            function from N to training FLOPs per token.
        study : Study, optional
            Where ``"study"`` reads them.

        Raises
        ------
        DecisionError
            There is no such rule.
        StudyError
            The study has no FLOPs, parameters or tokens.
        """
        if isinstance(flops, FlopRule):
            return flops
        if callable(flops):
            return cls("FLOPs per token as given", flops)
        if flops == SIX_N_D:
            return six_n_d
        if flops == "study" and study is not None:
            return cls(f"FLOPs per token of {study.name}", _of_study(study))
        known = "'6ND' or 'study'" if COMMAND_LINE.get() else "'6ND', 'study', or a function from N to FLOPs per token"
        raise DecisionError(f"The FLOP convention {flops!r} is unknown; use {known}.")

    def cost(self, N: Any, D: Any) -> np.ndarray:
        """Return the FLOPs of training N parameters on D tokens.

        Parameters
        ----------
        N, D : array or float
            Parameters and tokens, broadcast against each other.
        """
        with np.errstate(over="ignore"):  # runs too large for a number cost infinitely many, which is refused elsewhere
            return np.asarray(self.per_token(np.asarray(N, dtype=float)) * np.asarray(D, dtype=float))

    def tokens(self, N: Any, C: Any) -> np.ndarray:
        """Return the tokens that C FLOPs pay for at N parameters.

        Parameters
        ----------
        N, C : array or float
            Parameters and training FLOPs, broadcast against each other.
        """
        return np.asarray(np.asarray(C, dtype=float) / self.per_token(np.asarray(N, dtype=float)))

    def serving(self, N: Any, D: Any) -> np.ndarray:
        """Return the FLOPs of running N parameters over D tokens: forward passes alone, 2 of the 6 in 6ND.

        Parameters
        ----------
        N, D : array or float
            Parameters and tokens served, broadcast against each other.
        """
        return FORWARD * self.cost(N, D)

    def disagreement(self, study: Runs) -> float:
        """Return the largest relative difference between this rule and the study's own FLOPs; NaN where it has none.

        Parameters
        ----------
        study : Study
            With FLOPs, parameters and tokens of each run.
        """
        if not set(TELLING) <= set(study.frame.columns):
            return float("nan")
        N, D, flops = (floats(study.frame, column).to_numpy() for column in TELLING)
        return float(np.max(np.abs(self.cost(N, D) / flops - 1)))


def _six_n(N: np.ndarray) -> np.ndarray:
    return 6.0 * N


six_n_d = FlopRule(SIX_N_D, _six_n)
"""The rule of the convention ``6ND``."""


def may_be_counted(columns: Collection[str]) -> bool:
    """Say whether FLOPs may be counted where there are these columns.

    Examples
    --------
    >>> may_be_counted(["n_params", "tokens", "loss"]), may_be_counted(["n_params", "flops"])
    (True, False)
    """
    return set(COUNTED) <= set(columns)


def tell_flops(columns: Collection[str]) -> bool:
    """Say whether these columns tell the FLOPs of a run: as they are, or by what they are counted of.

    Examples
    --------
    >>> tell_flops(["n_params", "tokens"]), tell_flops(["flops"]), tell_flops(["n_params"])
    (True, True, False)
    """
    return "flops" in columns or may_be_counted(columns)


def with_flops(table: pd.DataFrame, convention: str) -> pd.DataFrame:
    """Return the table with FLOPs by a convention, which is never done silently.

    Parameters
    ----------
    table : pandas.DataFrame
        Runs with ``n_params`` and ``tokens``, and without ``flops``.
    convention : {"6ND"}
        How to count them.

    Raises
    ------
    StudyError
        There is no such convention, the table has FLOPs already, or it lacks parameters or tokens.
    """
    if convention != SIX_N_D:
        raise StudyError(f"The FLOP convention {convention!r} is unknown; use '6ND', or give a column 'flops'.")
    if "flops" in table:
        raise StudyError(
            f"The table has FLOPs already, and {option('flops', SIX_N_D)} would replace them; leave one of the two out."
        )
    for needed in COUNTED:
        if needed not in table:
            raise StudyError(
                f"{option('flops', SIX_N_D)} needs the column {needed!r}; {suggest(needed, table.columns)}"
            )
    N, D = (floats(table, c) for c in COUNTED)
    return table.assign(flops=six_n_d.cost(N, D))  # an infinite column is refused with the others


def training_flops(frame: pd.DataFrame, *, convention: str | None = None) -> np.ndarray | None:
    """Return the training FLOPs of each row, shape (row,); None where its columns do not tell.

    Parameters
    ----------
    frame : pandas.DataFrame
        Runs or targets, with our column names.
    convention : {"6ND"}, optional
        Count by this convention even where there is a column ``flops``.
    """
    if "flops" in frame and convention is None:
        return frame["flops"].to_numpy(dtype=float)
    if may_be_counted(frame.columns):
        return six_n_d.cost(*(frame[column] for column in COUNTED))
    return None


def measure_of(inputs: Collection[str]) -> str:
    """Return the column in which runs are far from each other, for a law that reads some columns.

    That is the column of a law in one of them, and FLOPs otherwise; a loss is no measure of effort.

    Examples
    --------
    >>> measure_of(["n_params", "tokens"]), measure_of(["examples"]), measure_of(["source_loss"])
    ('flops', 'examples', 'flops')
    """
    only = next(iter(inputs), "") if len(inputs) == 1 else ""
    return only if only and not A_LOSS.fullmatch(only) else "flops"


def measured(column: str) -> str:
    """Return what a distance is counted in: training FLOPs, or a column.

    Examples
    --------
    >>> measured("flops"), measured("n_params"), measured("examples")
    ('training FLOPs', 'parameters', 'examples')
    """
    return {"flops": "training FLOPs", "n_params": "parameters"}.get(column, column)


def distances(study: Runs, frame: pd.DataFrame, inputs: Collection[str] = ()) -> np.ndarray:
    """Return how far each target lies beyond the fitted runs: its measure over the largest fitted, shape (target,).

    Parameters
    ----------
    study : Study
        The fitted runs.
    frame : pandas.DataFrame
        The targets, with our column names.
    inputs : collection of str
        Columns that the law reads; ``measure_of`` them is compared.  6ND counts where only one of the two tables
        has FLOPs, and for targets without where others have them; NaN where the measure cannot be told, or is of any
        sign, so that nothing is so many times another.
    """
    if (measure := measure_of(inputs)) != "flops":
        if measure not in study.frame or measure not in frame:
            return np.full(len(frame), np.nan)
        aims, fitted = floats(frame, measure), floats(study.frame, measure)
        ratios = bool(min(aims.min(), fitted.min()) >= 0 and fitted.max() > 0)
        return aims.to_numpy() / fitted.max() if ratios else np.full(len(frame), np.nan)
    far = np.full(len(frame), np.nan)
    if "flops" in study.frame and "flops" in frame:
        far = floats(frame, "flops").to_numpy() / np.nanmax(study.frame["flops"])
        if np.isnan(far).all() or not np.isnan(far).any():
            return far
    fitted, target = (training_flops(table, convention=SIX_N_D) for table in (study.frame, frame))
    return far if fitted is None or target is None else np.where(np.isnan(far), target / np.nanmax(fitted), far)


def _of_study(study: Runs) -> PerToken:
    """Return FLOPs per token by size: straight lines in the logarithms through the study's sizes, and on beyond."""
    for column in ("flops", *COUNTED):
        if column not in study.frame:
            raise StudyError(f"Study {study.name!r} has no column {column!r} to take FLOPs per token from; use '6ND'.")
    by_size = _per_token_by_size(study)
    x, y = by_size.index.to_numpy(dtype=float), by_size.to_numpy(dtype=float)
    below, above = _slope(x, y, x[0]), _slope(x, y, x[-1])

    def rule(N: np.ndarray) -> np.ndarray:
        u = np.log(N)
        beyond = np.minimum(u - x[0], 0.0) * below + np.maximum(u - x[-1], 0.0) * above
        return np.exp(np.interp(u, x, y) + beyond)

    return rule


def _per_token_by_size(study: Runs) -> pd.Series:
    """Return the logarithm of a study's FLOPs per token by that of its sizes."""
    N, D, C = (floats(study.frame, column) for column in TELLING)
    return np.log(C / D).groupby(np.log(N)).median()


def ratio_of_counts(a: Runs, b: Runs) -> float:
    """Return how many times A's FLOPs per parameter and token those of B are, at sizes that both have.

    Parameters
    ----------
    a, b : Study
        The studies, with FLOPs, parameters and tokens.

    Returns
    -------
    float
        The median ratio over the sizes; NaN where a study lacks one of the columns, or where no sizes are alike.
    """
    if any(not set(TELLING) <= set(study.frame) for study in (a, b)):
        return float("nan")
    counts = [(by_size - by_size.index).dropna() for by_size in map(_per_token_by_size, (a, b))]
    if any(own.empty for own in counts):
        return float("nan")
    first, second = counts
    low, high = max(own.index[0] for own in counts) - ALIKE, min(own.index[-1] for own in counts) + ALIKE
    sizes = np.union1d(first.index, second.index)
    sizes = sizes[(low <= sizes) & (sizes <= high)]
    if not len(sizes):
        return float("nan")
    gap = np.interp(sizes, second.index, second) - np.interp(sizes, first.index, first)
    return float(np.exp(np.median(gap)))


def _slope(x: np.ndarray, y: np.ndarray, end: float) -> float:
    """Return the slope of a straight line through the sizes near one end; one where no other is far from it."""
    away = np.abs(x - end)
    apart = away[away >= np.log(APART)]
    if not len(apart):
        return 1.0
    near = away <= max(np.log(NEAR), apart.min())
    return float(np.clip(np.polyfit(x[near], y[near], 1)[0], *SLOPES))
