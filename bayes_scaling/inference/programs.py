"""How the package compiles its programs, and where they are kept for the next process."""

from __future__ import annotations

import gc
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property, update_wrapper
from inspect import BoundArguments, Signature, signature
from pathlib import Path
from typing import Any

import jax
import platformdirs

from bayes_scaling.inference import traces

__all__ = ["CACHE_VARIABLE", "QUICK_TO_COMPILE", "Program", "jit", "keep_compiled_programs", "within"]

CACHE_VARIABLE = "BAYES_SCALING_CACHE"
"""Environment variable that names the folder of programs, traced and compiled; empty switches the cache off."""

QUICK_TO_COMPILE = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""The compiler's options for every program of the package, which takes seconds to compile and often a moment to run.

Programs compile in two fifths to half of the time and run up to a fifth longer; their results differ by rounding.
"""


class Program:
    """A function that JAX compiles with the options of :data:`QUICK_TO_COMPILE`, as far as the compiler knows them.

    What it knows is asked at the first call, so that an import starts no device.  Of the functions of this package's
    modules traces are kept on disk, as far as a key tells them (:mod:`.traces`).
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)
        self.function, self.options = function, options
        self.kept: dict[str, Callable[..., Any] | None] = {}

    @cached_property
    def compiled(self) -> Any:
        """What ``jax.jit`` makes of the function."""
        return jax.jit(self.function, compiler_options=_known(), **self.options)

    @property
    def count(self) -> int:
        """How many programs it is so far: one for each structure and shape that it has met."""
        return self.compiled._cache_size() + sum(program is not None for program in self.kept.values())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program, as the function would."""
        with _no_garbage():
            kept, leaves = self._kept(*args, **kwargs)
            return kept(*leaves) if kept else self.compiled(*args, **kwargs)

    def _kept(self, *args: Any, **kwargs: Any) -> tuple[Callable[..., Any] | None, list[Any]]:
        """Return the program that is kept on disk, if one can be, and what it takes."""
        folder = _cache_folder()
        if not folder or not self._is_of_a_module:
            return None, []
        given = self._signature.bind(*args, **kwargs).arguments
        fixed = {name: given.pop(name) for name in self.options.get("static_argnames", ()) if name in given}
        leaves, structure = jax.tree.flatten(given)
        key = traces.key_of(f"{self.function.__module__}.{self.function.__qualname__}", fixed, structure, leaves)
        if key and key not in self.kept:

            def function(*leaves: Any) -> Any:
                bound = BoundArguments(self._signature, OrderedDict(jax.tree.unflatten(structure, leaves) | fixed))
                return self.function(*bound.args, **bound.kwargs)

            program = traces.exported(folder / "traces" / key, function, leaves)
            self.kept[key] = program and jax.jit(program, compiler_options=_known())
        return (self.kept[key] if key else None), leaves

    @cached_property
    def _signature(self) -> Signature:
        return signature(self.function)

    @cached_property
    def _is_of_a_module(self) -> bool:
        """Whether it is found by the name of its function, so that the name tells what it computes."""
        return getattr(sys.modules[self.function.__module__], self.function.__qualname__, None) is self


def jit(function: Callable[..., Any], **options: Any) -> Program:
    """Return the function as a program of the package; ``options`` are those of ``jax.jit``."""
    return Program(function, **options)


def within(program: Program) -> Callable[..., Any]:
    """Return the function of a program, to be called within another, where it may not have options of its own."""
    return program.function


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Look for no garbage meanwhile: a trace makes millions of objects, and a sixth of its time went into that."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


@cache
def _known() -> dict[str, Any]:
    """Return those options of :data:`QUICK_TO_COMPILE` that the installed compiler knows: releases drop some."""
    if _compiles(QUICK_TO_COMPILE):
        return QUICK_TO_COMPILE
    return {name: value for name, value in QUICK_TO_COMPILE.items() if _compiles({name: value})}


def _compiles(options: dict[str, Any]) -> bool:
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk, so that the next process starts warm; a cache already set stays.

    These are settings of the whole process: programs of others are kept there too, however quickly they compile.
    """
    folder = _cache_folder()
    if not folder or jax.config.values.get("jax_compilation_cache_dir") is not None:
        return
    path = folder / "programs"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # no writable cache folder: every process compiles for itself
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _cache_folder() -> Path | None:
    """Return the folder of what is kept for the next process."""
    folder = os.environ.get(CACHE_VARIABLE)
    return _own_folder() if folder is None else Path(folder) if folder else None


@cache
def _own_folder() -> Path:
    return Path(platformdirs.user_cache_dir("bayes-scaling"))
