from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from benchmarks import loss_to_loss
from benchmarks.loss_to_loss import GRID, SETS, SPREAD, Axis, learnt, not_published, partly_pooled


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


def exact(discrepancies: dict[str, float], near: Sequence[Axis]) -> Callable[..., pd.DataFrame]:
    """Return a score whose outcomes are as far off as each loss's discrepancy says, none of the first way."""

    def score(batches, studies, given):
        each = [given] * len(studies) if isinstance(given, float) else [float(np.exp(one.loc)) for one in given]
        rows = []
        for place, s in enumerate(each):
            true = discrepancies[near[place].loss]
            for z in scipy.stats.norm.ppf(np.linspace(0.05, 0.95, 10)):
                off, width = z * true, np.hypot(s, 0.01)
                density = scipy.stats.norm.logpdf(off, 0, width)
                rows.append({"place": place, "relative_error": off * len(batches), "density": density,
                             "in50": abs(off) < 0.674 * width, "in90": abs(off) < 1.645 * width})  # fmt: skip
        return pd.DataFrame(rows)

    return score


def test_each_loss_has_the_discrepancy_of_its_own_backtests_and_the_intervals_of_all_hold(monkeypatch):
    true = {"easy_ce": 0.03, "hard_ce": 0.4}
    near = [Axis(name, loss) for name in SETS for loss in true] * 2
    monkeypatch.setattr(loss_to_loss, "score", exact(true, near))
    rule = learnt([[None] * len(near)] * 2, [None] * len(near), near)
    assert rule.way == "shifted" and rule.missed["both"] == pytest.approx(2 * rule.missed["shifted"])
    assert 0.02 < rule.medians()["easy_ce"] < 0.06 and 0.3 < rule.medians()["hard_ce"] < 0.6


def test_pairs_below_the_floor_and_pairs_without_a_fit_are_counted_apart():
    status = ["ok", "below_E0", "no_fit", "no_fit"]
    scores = pd.DataFrame({"status": status, "in90": [True, True, True, False]})
    assert not_published(scores) == {"published below E0": 1, "published without fit": 2, "of these covered": 2}
