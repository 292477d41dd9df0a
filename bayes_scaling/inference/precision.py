"""64-bit precision inside the package's own calls, whatever the user's global JAX setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from bayes_scaling.errors import BayesScalingError, suggest
from bayes_scaling.inference.programs import keep_compiled_programs

__all__ = [
    "PRECISIONS",
    "as_numpy",
    "check_precision",
    "double_precision",
]

PRECISIONS = ("double", "single")
"""In which a fit may compute: 64 bits or 32."""


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
