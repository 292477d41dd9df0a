"""The smallest discrepancy whose intervals hold in backtests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["SCALES", "smallest"]

SCALES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


def smallest(covered: Callable[[float], np.ndarray]) -> float:
    """Return the smallest discrepancy with which the intervals cover at least nine tenths."""
    for scale in SCALES:
        share = float(np.mean(covered(scale)))
        print(f"discrepancy {scale:g}: backtests cover {share:.1%}")
        if share >= 0.9:
            return scale
    return SCALES[-1]
