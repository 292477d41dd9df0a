from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.inputs import scale_columns
from bayes_scaling.models import SupersetInFlops


def test_runs_are_taken_as_compute_optimal():
    runs = SupersetInFlops().input_arrays(pd.DataFrame({"flops": [1.2e20, 1.2e22]}))
    np.testing.assert_allclose(runs["N"], [1e9, 1e10])
    np.testing.assert_allclose(6 * runs["N"] * runs["D"], [1.2e20, 1.2e22])
    assert np.isinf(runs["steps"]).all()


def test_decisions_on_size_are_refused_in_a_sentence():
    with pytest.raises(bs.LawError, match="SupersetInFlops makes N and D of flops"):
        scale_columns(SupersetInFlops())
