from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_scaling.models import SupersetInFlops


def test_runs_are_taken_as_compute_optimal():
    runs = SupersetInFlops().input_arrays(pd.DataFrame({"flops": [1.2e20, 1.2e22]}))
    np.testing.assert_allclose(runs["N"], [1e9, 1e10])
    np.testing.assert_allclose(6 * runs["N"] * runs["D"], [1.2e20, 1.2e22])
    assert np.isinf(runs["steps"]).all()
