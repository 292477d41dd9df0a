"""The smallest discrepancy whose intervals hold in backtests, as far as the scales reach."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

__all__ = ["SCALES", "smallest"]

SCALES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


def smallest(covered: Callable[[float], np.ndarray]) -> float:
    """Return the smallest discrepancy with which the intervals cover at least nine tenths.

    Where none of :data:`SCALES` does, it is the largest, and a warning says what it covers.
    """
    for scale in SCALES:
        share = float(np.mean(covered(scale)))
        print(f"discrepancy {scale:g}: backtests cover {share:.1%}")
        if share >= 0.9:
            return scale
    words = f"No discrepancy up to {scale:g} covers nine tenths of the backtests: {scale:g} covers {share:.1%}."
    warnings.warn(words, stacklevel=2)
    return scale
