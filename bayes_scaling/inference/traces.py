"""Traced programs, kept on disk: where a program is compiled already, most of a first call's time is tracing.

A program is exported (:mod:`jax.export`) under a key of all that its trace depends on: the source of this package, the
releases of JAX and NumPyro, JAX's settings, the function, the structure of what it is given (classes and options of
laws, families of priors) and the shapes.  What no key tells is traced in every process: laws and priors of other
packages, whose source may change, and programs for an accelerator; and all, once a file of this package is not as it
was when the package was imported.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import jax
import jax.export
import jaxlib
import numpy as np
import numpyro

from bayes_scaling.errors import FileError
from bayes_scaling.files import atomic_file

__all__ = ["exported", "key_of"]

OWN = ("bayes_scaling", "bayes_scaling.models")
TOLD = {"bayes_scaling", "builtins", "collections", "jax", "jaxlib", "numpy", "numpyro"}
"""Packages whose classes and functions are told by their names: source or release is part of the key."""


class _ByValue(pickle.Pickler):
    """Writes what is equal as the same bytes in every process; refuses classes and functions that are not ``TOLD``."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=4)
        self.fast = True  # whether equal values are one object or two

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType):
            if not _is_told(obj.__module__):
                raise pickle.PicklingError(f"{obj.__qualname__} is of another package.")
            return NotImplemented
        match obj.__reduce_ex__(4):
            case (make, arguments, dict() as state, *rest):  # NumPyro fills distributions in the order of a set
                return make, arguments, dict(sorted(state.items())), *rest
            case reduced:
                return reduced


def key_of(name: str, fixed: Mapping[str, Any], structure: Any, leaves: Sequence[Any]) -> str | None:
    """Return the key of a program with these arguments, or None where no key tells its trace.

    Parameters
    ----------
    name : str
        Of its function, after that of the module.
    fixed : mapping of str to object
        Its static arguments.
    structure : PyTreeDef
        Of the others.
    leaves : sequence of array or number
        Their values.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):  # the trace of another program
        return None
    if getattr(jax.config, "jax_disable_jit", False) or jax.default_backend() != "cpu":
        return None
    settings = tuple([getattr(jax.config, name, None) for name in _settings()])
    return _key_of(name, tuple(fixed.items()), structure, tuple(map(_shape, leaves)), settings)


@cache
def _settings() -> tuple[str, ...]:
    """Return the names of JAX's settings that a trace may depend on."""
    return tuple(name for name in jax.config.values if "cache" not in name)


def _shape(leaf: Any) -> Any:
    """Return what a trace depends on of a leaf.  Decisions ask thousands of times: no text is made of it here."""
    if isinstance(leaf, np.ndarray):
        return leaf.shape, leaf.dtype
    if isinstance(leaf, jax.Array):
        return leaf.shape, leaf.dtype, getattr(leaf, "weak_type", None)  # keys have none
    return type(leaf)


@cache
def _key_of(
    name: str, fixed: tuple[Any, ...], structure: Any, shapes: tuple[Any, ...], settings: tuple[Any, ...]
) -> str | None:
    if not _is_told(name) or _files() != AT_IMPORT:
        return None
    file = io.BytesIO()
    try:
        given = jax.tree.unflatten(structure, range(len(shapes)))
        _ByValue(file).dump((_source(), _as_text(settings), name, fixed, given, _as_text(shapes)))
    except (pickle.PicklingError, AttributeError, TypeError, ValueError):
        return None
    return hashlib.sha256(file.getvalue()).hexdigest()


def _as_text(values: tuple[Any, ...]) -> list[str]:
    return [str(value) for value in values]


def _is_told(name: str) -> bool:
    return name.partition(".")[0] in TOLD


@cache
def _source() -> str:
    """Return a digest of this package's files and the releases of the others that are traced."""
    found = hashlib.sha256(repr([jax.__version__, jaxlib.__version__, numpyro.__version__, np.__version__]).encode())
    for name, path in _files():
        found.update(name.encode() + Path(path).read_bytes())
    return found.hexdigest()


def _files() -> dict[tuple[str, str], tuple[int, int]]:
    """Return this package's files, by their names in it and their paths: when each was written, and its size."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for package in map(find_spec, OWN):
        for folder in (package and package.submodule_search_locations) or ():
            for path in sorted(Path(folder).rglob("*")):
                if path.suffix in (".py", ".json"):
                    its = path.stat()
                    found[path.relative_to(folder).as_posix(), str(path)] = its.st_mtime_ns, its.st_size
    return found


AT_IMPORT = _files()


def exported(path: Path, function: Callable[..., Any], leaves: Sequence[Any]) -> Callable[..., Any] | None:
    """Return a program as a function of the leaves: that of the file, or, traced now, one that is written to it.

    Parameters
    ----------
    path : Path
        The program's file, named by its key.
    function : callable
        What is traced, of the leaves.
    leaves : sequence of array or number
        Their shapes count alone.

    Returns
    -------
    callable, or None where JAX cannot export it
    """
    try:
        results, program = pickle.loads(zlib.decompress(path.read_bytes()))
    except (OSError, zlib.error):  # none yet, or no whole one
        try:
            results, program = _traced(function, leaves)
        except NotImplementedError:
            return None
        with suppress(OSError, FileError), atomic_file(path) as part:  # where nothing can be written, nothing is kept
            part.write_bytes(zlib.compress(pickle.dumps((results, program))))
    structure, call = jax.tree.structure(results), jax.export.deserialize(bytearray(program)).call
    return lambda *leaves: jax.tree.unflatten(structure, call(*leaves))


def _traced(function: Callable[..., Any], leaves: Sequence[Any]) -> tuple[Any, bytes]:
    """Return (places of the results in what the function returns, its exported program, which gives them in a row)."""
    found: list[Any] = []

    def flat(*leaves: Any) -> list[Any]:
        results, structure = jax.tree.flatten(function(*leaves))
        found[:] = [jax.tree.unflatten(structure, range(len(results)))]
        return results

    program = jax.export.export(jax.jit(flat), platforms=["cpu"])(*leaves)
    return found[0], bytes(program.serialize())
