"""Seeds that follow from a seed: one for each study of a batch, each run left out."""

from __future__ import annotations

import numpy as np

__all__ = ["member_seed"]


def member_seed(seed: int, place: int) -> int:
    """Return the seed of the study at ``place`` of a batch: 31 bits, independent between places and batches.

    Examples
    --------
    >>> member_seed(0, 0) != member_seed(0, 1) != member_seed(1, 0)
    True
    """
    return int(np.random.SeedSequence(seed, spawn_key=(place,)).generate_state(1)[0] >> 1)
