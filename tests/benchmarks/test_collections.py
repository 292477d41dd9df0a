from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from benchmarks.collections import point_inputs, redrawn

SIZES, DATA = np.array([1e8, 2e8, 4e8, 8e8]), np.array([2e9, 8e9, 4e9, 9e9])
LOSS = 2 + SIZES**-0.1 + DATA**-0.1


def study(**columns: object) -> bs.Study:
    return bs.Study.from_frame(pd.DataFrame({"loss": LOSS, **columns}), name="runs")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"n_params": SIZES, "tokens": DATA}, [SIZES, DATA]),
        ({"n_params": SIZES, "tokens": np.full(4, 2e9)}, [SIZES]),
        ({"n_params": SIZES, "tokens": DATA, "unique_tokens": DATA}, [SIZES, DATA]),
        ({"n_params": SIZES, "tokens": DATA, "unique_tokens": DATA / [1, 2, 4, 8]}, [SIZES, DATA, DATA / [1, 2, 4, 8]]),
        ({"n_params": SIZES, "tokens": DATA, "flops": 6 * SIZES[::-1] * DATA}, [SIZES[::-1], DATA]),
        ({"flops": 120 * SIZES**2}, [SIZES]),
    ],
)
def test_a_point_fit_reads_what_tells_runs_apart(columns, expected):
    runs = study(**columns)
    for found in point_inputs(runs, runs):
        np.testing.assert_allclose(found, expected)


def test_collections_of_one_group_are_drawn_together():
    values = pd.Series({"xlstm_llama": 1.0, "xlstm_mlstm": 0.0, "task ladder": 0.5, "openeurollm": 0.5})
    assert redrawn(values) == (0.5, 0.5)
    assert redrawn(values.rename({"xlstm_mlstm": "steplaw_dense"}))[0] < 0.4
