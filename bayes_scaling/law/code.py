"""What a law computes, told by its source: laws of one name and one set of priors may have other equations."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from types import FunctionType
from typing import Any

__all__ = ["code_of", "digest"]

OWN = __name__.partition(".")[0]
SAID = ("summary", "equation")  # to readers, and not computed


def digest(texts: Iterable[str]) -> str:
    """Return a short digest of texts; empty where all of them are.

    Examples
    --------
    >>> digest(["", ""]), len(digest(["return E"]))
    ('', 16)
    """
    found = [text for text in texts if text]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16] if found else ""


@cache
def code_of(kind: type) -> str:
    """Return the methods of a class and of those it inherits from as one text, as far as they are a user's.

    It is the same in every process, whatever comments, docstrings and line breaks are.  What functions outside of the
    classes compute is not in it.

    Parameters
    ----------
    kind : type
        A class of laws.

    Returns
    -------
    str
        Empty for a class of this package, whose version tells it, and where Python cannot find the source.
    """
    classes = [one for one in kind.__mro__ if one.__module__.partition(".")[0] not in (OWN, "builtins")]
    return "\n".join(text for one in classes for text in _parts(one) if text)


def _parts(kind: type) -> Iterator[str]:
    """Yield what each method computes, in the order of their names, and the attributes that are plain values."""
    held = vars(kind).get("__dataclass_fields__", {})  # parameters and options, whose values the law tells
    for name, value in sorted(vars(kind).items()):
        for part in ("__func__", "func", "fget", "__wrapped__"):  # of class methods, properties and what is decorated
            value = getattr(value, part, value)
        if isinstance(value, FunctionType):
            yield _computed(value) if value.__module__ == kind.__module__ else ""
        elif not name.startswith("_") and name not in (*SAID, *held) and _is_plain(value):
            yield f"{name} = {value!r}"


def _is_plain(value: Any) -> bool:
    """Say whether a value is text, a number, or a tuple of such, which reads the same in every process."""
    return all(map(_is_plain, value)) if isinstance(value, tuple) else isinstance(value, str | int | float)


def _computed(function: FunctionType) -> str:
    """Return the source of a function in one way of writing, without docstrings; empty where there is none."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ""
    if [getattr(node, "name", "") for node in tree.body] != [function.__name__]:  # the file is not what it was
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
