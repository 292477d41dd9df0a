"""The superset law in compute per sample, for runs that differ in what parameters do not count."""

from __future__ import annotations

import numpy as np

from bayes_scaling.models.superset import Superset

__all__ = ["SupersetInCompute"]


class SupersetInCompute(Superset):
    r"""The superset of laws in compute per sample: its N is C / 6 D, for runs that differ in what N does not count.

    Models of equal size may differ many times in compute: by patch size, by experts that are not active, by the length
    of a sequence.  What a sample costs is then the better measure of size.

    References
    ----------
    .. [1] Cherti et al. 2022, arXiv 2212.07143, for models of images, which are compared by compute.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"flops": [1.2e20], "tokens": [2e10]})
    >>> float(SupersetInCompute().input_arrays(runs)["N"][0])
    1000000000.0
    """

    columns = {"C": "flops", "D": "tokens"}

    @property
    def program(self) -> Superset:  # noqa: D102
        return Superset(**self.fields)

    def size_and_data(self, **columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        return columns["C"] / (6 * columns["D"]), columns["D"]
