import numpy as np
import pandas as pd
import pytest

from bayes_scaling.forecasts.quantiles import QUANTILES, inside, quantile, quantile_columns


def test_the_median_is_called_median():
    assert list(QUANTILES) == ["q05", "q25", "median", "q75", "q95"]
    assert QUANTILES["median"] == 0.5


def test_every_quantile_is_a_draw():
    draws = np.random.default_rng(0).normal(size=7)
    assert all(quantile(draws, level) in draws for level in np.linspace(0.01, 0.99, 50))


@pytest.mark.parametrize(("level", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.51, np.inf), (1.0, np.inf)])
def test_never_is_the_largest_draw(level, expected):
    assert quantile([np.inf, 1.0, 2.0, np.inf], level) == expected


def test_columns_go_by_the_last_axis():
    found = quantile_columns(np.column_stack([np.arange(100.0), np.full(100, 3.0)]))
    assert list(found) == list(QUANTILES)
    assert found["median"].tolist() == [49.0, 3.0] and found["q95"].tolist() == [94.0, 3.0]


def test_an_outcome_at_an_end_of_an_interval_is_inside():
    rows = pd.DataFrame({"q05": [0.0, 0.0], "q25": [1.0, 1.0], "median": 2.0, "q75": 3.0, "q95": 4.0})
    assert inside(rows, np.array([0.0, 4.1])).tolist() == [True, False]
    assert inside(rows, np.array([0.5, 3.0]), 50).tolist() == [False, True]
    assert inside(rows.iloc[0], 4.0) and not inside(rows.iloc[0], np.nan)
