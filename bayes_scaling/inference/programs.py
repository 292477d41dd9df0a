"""How the package compiles its programs, and where they are kept for the next process."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import platformdirs

__all__ = ["CACHE_VARIABLE", "QUICK_TO_COMPILE", "jit", "keep_compiled_programs", "within"]

CACHE_VARIABLE = "BAYES_SCALING_CACHE"
"""Environment variable that names the folder of compiled programs; empty switches the cache off."""

QUICK_TO_COMPILE = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""The compiler's options for every program of the package, which takes seconds to compile and often a moment to run.

Programs compile in two fifths to half of the time and run up to a fifth longer; their results differ by rounding.
"""

jit = partial(jax.jit, compiler_options=QUICK_TO_COMPILE)
"""``jax.jit`` with the options of :data:`QUICK_TO_COMPILE`."""


def within(program: Any) -> Callable[..., Any]:
    """Return the function of a program, to be called within another, where it may not have options of its own."""
    return program.__wrapped__


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk, so that the next process starts warm; a cache already set stays.

    These are settings of the whole process: programs of others are kept there too, however quickly they compile.
    """
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
