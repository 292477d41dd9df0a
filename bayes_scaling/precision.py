"""64-bit precision inside the package's own calls, whatever the user's global JAX setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import platformdirs

__all__ = ["CACHE_VARIABLE", "double_precision", "keep_compiled_programs"]

CACHE_VARIABLE = "BAYES_SCALING_CACHE"
"""Environment variable that names the folder of compiled programs; empty switches the cache off."""


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
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
