import numpy as np
import pytest

from bayes_scaling.forecasts.quantiles import QUANTILES, quantile, quantile_columns


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
