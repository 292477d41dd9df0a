"""The errors a user can meet; each message is one sentence: what was wrong, what was given, what would work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BayesScalingError",
    "ComparisonError",
    "ConvergenceError",
    "DecisionError",
    "FileError",
    "LawArgumentError",
    "LawError",
    "StudyError",
    "TargetError",
]


class BayesScalingError(ValueError):
    """Base class of every error this package raises on purpose."""


class StudyError(BayesScalingError):
    """A table of runs cannot be used as it is."""


class LawError(BayesScalingError):
    """A law is defined, or configured, in a way that cannot work."""


class LawArgumentError(LawError, TypeError):
    """A law was made with a parameter that it does not have."""


class TargetError(BayesScalingError):
    """A forecast was asked for at a target the law cannot evaluate."""


class DecisionError(BayesScalingError):
    """A decision was asked for with a budget, a target or candidates from which it cannot be taken."""


class ComparisonError(BayesScalingError):
    """Fits cannot be compared: they did not see the same outcomes on the same scale."""


class FileError(BayesScalingError):
    """A file cannot be read, written or trusted."""


class ConvergenceError(BayesScalingError):
    """A fit did not converge and is refused where a decision would rest on it."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest known word, or all of them."""
    known = sorted(map(str, known))
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}."
