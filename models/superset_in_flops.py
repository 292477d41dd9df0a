"""The superset law along the compute-optimal path, for runs of which only the FLOPs are known."""

from __future__ import annotations

import numpy as np

from bayes_scaling.models.superset_in_compute import SupersetInCompute

TOKENS_PER_PARAMETER = 20.0  # compute-optimal

__all__ = ["SupersetInFlops"]


class SupersetInFlops(SupersetInCompute):
    r"""The superset of laws along the compute-optimal path: twenty tokens a parameter, for runs known by their FLOPs.

    With C = 6 N D and D = 20 N, N is the square root of C / 120.

    References
    ----------
    .. [1] Hoffmann et al. 2022, arXiv 2203.15556, table 3, for the twenty tokens a parameter.

    Examples
    --------
    >>> import pandas as pd
    >>> round(float(SupersetInFlops().input_arrays(pd.DataFrame({"flops": [1.2e20]}))["N"][0]))
    1000000000
    """

    columns = {"C": "flops"}

    def size_and_data(self, **columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        size = np.sqrt(columns["C"] / (6 * TOKENS_PER_PARAMETER))
        return size, TOKENS_PER_PARAMETER * size
