"""The errors a user can meet; each message is one sentence: what was wrong, what was given, what would work."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from contextvars import ContextVar
from numbers import Integral
from typing import Any

__all__ = [
    "BayesScalingError",
    "ComparisonError",
    "ConvergenceError",
    "ConvergenceWarning",
    "DecisionError",
    "FileError",
    "LawArgumentError",
    "LawError",
    "StudyError",
    "TargetError",
]

COMMAND_LINE: ContextVar[bool] = ContextVar("COMMAND_LINE", default=False)
"""Whether a command is being run, so that messages speak of its options and not of Python's arguments."""

MANY = 8  # names that a message lists at the most
BEYOND = 2**63  # no seed or count is as large
PLAIN = re.compile(r"[\w@%+=:,./^-]+")  # words of a command that need no quotes


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


class ConvergenceWarning(UserWarning):
    """Fits that did not converge have a part in an answer that does not rest on any one of them."""


def whole(name: str, value: Any, least: int, error: type[BayesScalingError] = BayesScalingError) -> int:
    """Return a whole number as an int, NumPy's too.

    Raises
    ------
    BayesScalingError
        It is none, less than ``least``, or of more than 63 bits.

    Examples
    --------
    >>> whole("seed", 3, 0)
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise error(f"{name} is {value!r}; give a whole number of at least {least}.")
    if (number := int(value)) >= BEYOND:
        raise error(f"{name} is {number}; give a whole number below 2**63.")
    return number


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest two known words, or all of them where they are few.

    Examples
    --------
    >>> suggest("los", ["loss", "tokens"]), suggest("x", ["loss", "tokens"]), suggest("e", ["E", "sigma"])
    ("did you mean 'loss'?", 'known: loss, tokens.', "did you mean 'E'?")
    """
    known = sorted(map(str, known))
    same = [word for word in known if word.lower() == str(name).lower()]
    near = same or difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    if len(known) <= MANY:
        return f"known: {', '.join(known) or 'none'}."
    first, second = difflib.get_close_matches(str(name), known, n=2, cutoff=0.0)
    return f"of {len(known)} that are known, {first!r} and {second!r} are nearest."


def listed(words: Iterable[str], most: int = MANY) -> str:
    """Return words as a list in a sentence, cut short where there are many.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed("abcdef", 3)
    ('a, b and c', 'a, b, c and 3 more')
    """
    words = list(words)
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "run"), counted(3, "run")
    ('1 run', '3 runs')
    """
    return f"{number} {noun if number == 1 else noun + 's'}"


def option(name: str, value: str | float = True) -> str:
    """Return an option in the words of the interface in use: ``--flops 6ND``, or ``flops='6ND'``.

    Examples
    --------
    >>> option("flops", "6ND"), option("drop_missing")
    ("flops='6ND'", 'drop_missing=True')
    """
    if not COMMAND_LINE.get():
        return f"{name}={value!r}"
    return f"--{name.replace('_', '-')}{'' if value is True else f' {_quoted(value)}'}"


def mapped(ours: str, theirs: str) -> str:
    """Return how to say that a column is one of ours: ``--map loss=val_loss``, or ``loss='val_loss'``.

    Examples
    --------
    >>> mapped("loss", "val_loss")
    "loss='val_loss'"
    """
    return f"--map {_quoted(f'{ours}={theirs}')}" if COMMAND_LINE.get() else f"{ours}={theirs!r}"


def _quoted(value: str | float) -> str:
    """Return a word of a command, between quotes where a shell would read it otherwise."""
    text = str(value)
    return text if PLAIN.fullmatch(text) else '"' + re.sub(r'(["$`\\])', r"\\\1", text) + '"'
