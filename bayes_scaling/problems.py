"""What is wrong, one record each: a sentence for a reader, a code and a number for a program."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

__all__ = ["RANKS", "Problem", "Problems"]

RANKS = (
    "units", "flops-6nd", "perplexity", "error-rate", "wrong-way", "no-mixture", "unvaried", "prior-tail", "backtests",
    "outlier", "modes", "unread-size", "unread-repeats", "unknown-repeats", "copied-run", "fitted-target",
    "chains-apart", "boundary", "misfit", "left-out", "unread-error", "unread-column", "unfitted-task", "few-scores",
    "below-floor", "far-loss", "far-target", "unknown-distance", "below-runs", "one-ratio", "collinear", "few-runs",
    "few-sizes", "embedding-share", "few-steps", "not-annealed", "spread", "guessed-noise",
)  # fmt: skip
"""Codes that speak most against a forecast, the worst first: units, then what may come of them and the rest; all others
follow, ``contraction`` last."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that speaks against a fit, or against fitting.

    Attributes
    ----------
    code : str
        What kind of problem: ``rhat``, ``collinear`` and so on; the function that finds it lists them.
    sentence : str
        What is wrong, with its number and its limit.
    remedy : str
        What to do about it.
    value : float
        The number.
    where : str
        The parameter, column or target concerned; empty where it is the whole.
    severe : bool
        Whether the package refuses to go on because of it.
    """

    code: str
    sentence: str
    remedy: str
    value: float
    where: str = ""
    severe: bool = False

    def __str__(self) -> str:
        return f"{self.sentence}: {self.remedy}."


class Problems(tuple[Problem, ...]):
    """Problems in the order they were looked for; printed, one sentence a line.

    Examples
    --------
    >>> found = Problems([Problem("few-sizes", "There are 2 distinct sizes", "add sizes", 2.0)])
    >>> found
    [few-sizes] There are 2 distinct sizes: add sizes.
    >>> found.codes, found.only("few-sizes") == found, bool(found.only("collinear"))
    (['few-sizes'], True, False)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(f"[{p.code}] {p}" for p in self) or "No problem found."

    __str__ = __repr__

    @property
    def codes(self) -> list[str]:
        """The kinds of problems found, each once."""
        return list(dict.fromkeys(p.code for p in self))

    def only(self, *codes: str) -> Problems:
        """Return the problems of some kinds."""
        return Problems(p for p in self if p.code in codes)

    def ranked(self) -> Problems:
        """Return the same, what speaks most against a forecast first: severe ones, then by ``RANKS``."""
        last = {"contraction": len(RANKS) + 1}
        place = {code: i for i, code in enumerate(RANKS)} | last
        return Problems(sorted(self, key=lambda p: (not p.severe, place.get(p.code, len(RANKS)))))

    def __add__(self, other: Iterable[Problem]) -> Problems:  # type: ignore[override]
        return Problems((*self, *other))
