from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import bayes_scaling as bs
from benchmarks.loss_to_loss import (
    GRID,
    LAWS,
    SETS,
    SPREAD,
    Axis,
    Extrapolated,
    forecasts,
    not_published,
    partly_pooled,
    rule_of,
)

NORMAL = scipy.stats.norm.ppf(np.linspace(0.05, 0.95, 10))


def of_normal(centre: float, spread: float) -> np.ndarray:
    """Return the log likelihood, on the grid, of a discrepancy near a centre."""
    return -0.5 * (np.log(GRID / centre) / spread) ** 2


def test_losses_that_tell_nothing_have_the_prior_of_a_discrepancy():
    (one,) = partly_pooled(np.zeros((len(GRID), 1)))
    assert np.exp(one.loc) == pytest.approx(0.1, rel=0.05)
    assert 0.75 < one.scale < math.hypot(0.7, SPREAD)  # the grid ends


def test_a_loss_with_few_outcomes_learns_from_the_others_and_one_with_many_stays_apart():
    alike = [of_normal(0.05, 0.2)] * 5
    *told, silent = partly_pooled(np.transpose([*alike, np.zeros(len(GRID))]))
    *near, apart = partly_pooled(np.transpose([*alike, of_normal(0.5, 0.2)]))
    assert 0.045 < np.exp(silent.loc) < 0.06 and silent.scale > 1.3 * max(one.scale for one in told)
    assert all(0.045 < np.exp(one.loc) < 0.06 and one.scale < 0.25 for one in near)
    assert 0.35 < np.exp(apart.loc) < 0.5


def off_by(true: dict[str, float], axes: Sequence[Axis], rng: np.random.Generator) -> list[np.ndarray]:
    """Return ten losses a test around 3, as far off beyond a step of one as each loss's discrepancy says."""
    return [3 * np.exp(-true[axis.loss] * rng.permutation(NORMAL)) for axis in axes]


def test_each_loss_has_the_discrepancy_of_its_own_backtests_and_the_intervals_of_all_hold():
    true = {"easy_ce": 0.03, "hard_ce": 0.4}
    axes = [Axis(name, loss) for name in SETS for loss in true] * 2
    rng = np.random.default_rng(0)
    draws = np.full((1000, 10), 3.0)
    right = Extrapolated(
        np.zeros((1000, 1)), draws, -rng.normal(size=(1000, 1)) * np.ones(10), np.exp(rng.normal(0, 0.005, (1000, 10)))
    )
    wrong = dataclasses.replace(right, law=1.1 * draws)
    rule = rule_of([[right] * len(axes), [wrong] * len(axes)], off_by(true, axes, rng), axes)
    assert rule.way == "shifted" and rule.missed["shifted"] < rule.missed["bent"]
    assert 0.02 < rule.medians()["easy_ce"] < 0.06 and 0.3 < rule.medians()["hard_ce"] < 0.6


def test_draws_at_any_discrepancy_are_those_of_a_forecast_with_it():
    rng, source = np.random.default_rng(0), np.linspace(4, 2.6, 12)
    loss = 0.5 + 0.9 * (source - 0.7) ** 1.1 * np.exp(rng.normal(0, 0.002, 12))
    table = pd.DataFrame({"source_loss": source, "loss": loss, "role": ["train"] * 10 + ["target"] * 2})
    study = bs.Study.from_frame(table, name="pairs")
    for law in LAWS:
        (member,) = bs.fit_many(law, [study], seed=0, draws=100, progress=False)
        forecast, _ = next(forecasts([[member]], [study], [0.3]))
        np.testing.assert_allclose(
            Extrapolated.of(member, study.targets).runs(0.3), forecast.draws["loss_run"], rtol=1e-9
        )


def test_pairs_below_the_floor_and_pairs_without_a_fit_are_counted_apart():
    status = ["ok", "below_E0", "no_fit", "no_fit"]
    scores = pd.DataFrame({"status": status, "in90": [True, True, True, False]})
    assert not_published(scores) == {"published below E0": 1, "published without fit": 2, "of these covered": 2}
