"""64-bit precision inside the package's own calls, whatever the user's global JAX setting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs

from bayes_scaling.errors import BayesScalingError, suggest

__all__ = [
    "CACHE_VARIABLE",
    "PRECISIONS",
    "QUICK_TO_COMPILE",
    "as_numpy",
    "check_precision",
    "double_precision",
    "keep_compiled_programs",
    "within",
]

CACHE_VARIABLE = "BAYES_SCALING_CACHE"
"""Environment variable that names the folder of compiled programs; empty switches the cache off."""


PRECISIONS = ("double", "single")
"""In which a fit may compute: 64 bits or 32."""

QUICK_TO_COMPILE = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""Options of ``jax.jit`` for every program of the package, which takes seconds to compile and often a moment to run.

Programs compile in two fifths to half of the time and run up to a fifth longer; their results differ by rounding.
"""


def within(program: Any) -> Callable[..., Any]:
    """Return the function of a program, to be called within another, where it may not have options of its own."""
    return program.__wrapped__


def check_precision(precision: str) -> None:
    """Refuse what is not one of :data:`PRECISIONS`."""
    if precision not in PRECISIONS:
        raise BayesScalingError(f"There is no precision {precision!r}; {suggest(precision, PRECISIONS)}")


def as_numpy(tree: Any) -> Any:
    """Return a tree of arrays as NumPy arrays, its floats in 64 bits whatever they were computed in."""

    def one(array: Any) -> np.ndarray:
        values = np.asarray(array)
        return values.astype(float) if values.dtype == np.float32 else values

    return jax.tree.map(one, tree)


@contextmanager
def double_precision(enabled: bool = True) -> Iterator[None]:
    """Run a block in 64-bit (or, switched off, in 32-bit) precision and put the user's setting back."""
    keep_compiled_programs()
    with jax.enable_x64(enabled):
        yield


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk, so that the next process starts warm; a cache already set stays."""
    folder = os.environ.get(CACHE_VARIABLE, platformdirs.user_cache_dir("bayes-scaling"))
    if not folder or jax.config.values.get("jax_compilation_cache_dir") is not None:
        return
    path = Path(folder) / "programs"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # no writable cache folder: every process compiles for itself
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
