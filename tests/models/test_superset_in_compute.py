from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Superset, SupersetInCompute


def test_size_is_what_a_sample_costs():
    frame = pd.DataFrame({"n_params": [1e9, 1e9], "tokens": [2e10, 2e10], "flops": [1.2e20, 2.4e20]})
    runs = SupersetInCompute().input_arrays(frame)
    np.testing.assert_allclose(runs["N"], [1e9, 2e9])
    np.testing.assert_allclose(runs["D"], 2e10)


def test_it_runs_the_program_of_the_superset():
    law = SupersetInCompute(bottleneck=1.0, ceiling=True)
    assert law.program == Superset(bottleneck=1.0, ceiling=True)


def test_a_table_without_flops_is_refused():
    with pytest.raises(bs.StudyError, match="needs the column 'flops'"):
        SupersetInCompute().input_arrays(pd.DataFrame({"n_params": [1e9], "tokens": [2e10]}))
