from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayes_scaling.forecasts.scores import crps, pit, score_table, summarise


def test_crps_of_a_normal_is_the_closed_form():
    draws = np.random.default_rng(0).normal(size=(40_000, 1))
    y = 0.7
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert crps(draws, np.array([y]))[0] == pytest.approx(closed, abs=0.005)


def test_coverage_of_exact_forecasts_is_nominal_and_pit_uniform():
    rng = np.random.default_rng(1)
    table = score_table(rng.normal(size=(2000, 3000)), rng.normal(size=3000))
    overall = summarise(table).iloc[0]
    assert overall["cover90"] == pytest.approx(0.9, abs=0.02)
    assert overall["cover50"] == pytest.approx(0.5, abs=0.03)
    assert stats.kstest(table["pit"], "uniform").pvalue > 0.001


def test_an_outcome_among_equal_draws_is_in_the_middle_of_them():
    draws = np.where(np.arange(10) < 9, 0.0, 0.3)[:, None] * np.ones(2)
    np.testing.assert_allclose(pit(draws, np.array([0.0, 0.1])), [0.45, 0.9])
    assert score_table(draws, np.array([0.0, 0.1]))["pit"].tolist() == pytest.approx([0.45, 0.9])


def test_an_outcome_of_zero_has_no_relative_error_and_is_left_out_of_the_mean():
    table = score_table(np.full((10, 2), 1.1) + np.linspace(-0.1, 0.1, 10)[:, None], np.array([0.0, 1.0]))
    assert np.isnan(table["relative_error"].iloc[0]) and table["error"].notna().all()
    (row,) = summarise(table).to_dict("records")
    assert row["mape"] == pytest.approx(0.1) and row["bias"] == pytest.approx(0.1) and row["n"] == 2
    assert row["relative_width90"] == pytest.approx(row["width90"])


def test_errors_and_widths_are_relative_to_the_size_of_a_negative_outcome():
    table = score_table(-2.0 + np.linspace(-0.1, 0.1, 11)[:, None], np.array([-2.5]))
    assert table["error"].iloc[0] == pytest.approx(0.5) and table["relative_error"].iloc[0] == pytest.approx(0.2)
    (row,) = summarise(table).to_dict("records")
    assert row["bias"] == pytest.approx(0.2) and row["relative_width90"] == pytest.approx(row["width90"] / 2.5)


def test_coverage_of_narrow_forecasts_is_too_small():
    rng = np.random.default_rng(1)
    table = score_table(0.3 * rng.normal(size=(2000, 500)), rng.normal(size=500))
    assert summarise(table).iloc[0]["cover90"] < 0.6
