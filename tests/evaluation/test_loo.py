from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

from bayes_scaling.errors import ComparisonError
from bayes_scaling.evaluation.loo import FEWEST_DRAWS, loo, stack, waic
from tests import worlds

STORED = json.loads(  # log likelihoods of four outcomes at six draws
    """[[-1.31, -0.42, -2.74, -0.93], [-1.12, -0.58, -3.96, -1.07], [-1.58, -0.33, -2.11, -0.88],
        [-1.24, -0.71, -1.87, -1.21], [-1.07, -0.49, -4.43, -0.97], [-1.43, -0.38, -2.52, -1.02]]"""
)


def test_waic_is_the_published_definition():
    rows = list(zip(*STORED, strict=True))
    lppd = [math.log(math.fsum(math.exp(x) for x in row) / len(row)) for row in rows]
    centres = [math.fsum(row) / len(row) for row in rows]
    variances = [math.fsum((x - m) ** 2 for x in row) / (len(row) - 1) for row, m in zip(rows, centres, strict=True)]
    ours = waic(np.array(STORED).reshape(2, 3, 4), pd.RangeIndex(4))
    assert abs(ours.p - math.fsum(variances)) < 1e-9
    assert abs(ours.elpd.sum() - (math.fsum(lppd) - math.fsum(variances))) < 1e-9
    assert ours.high == sum(v > 0.4 for v in variances) == 1
    assert ours.poor == [2]


def test_stacking_maximises_the_mixtures_score():
    rng = np.random.default_rng(0)
    elpd = rng.normal(loc=[0.2, 0.0], size=(50, 2))
    grid = np.linspace(0, 1, 2001)
    score = [logsumexp(elpd, axis=1, b=[w, 1 - w]).sum() for w in grid]
    assert stack(elpd)[0] == pytest.approx(grid[np.argmax(score)], abs=1e-3)


def test_few_draws_have_no_tail_to_smooth():
    posterior = worlds.chinchilla(count=FEWEST_DRAWS)
    values = np.random.default_rng(0).normal(size=(1, FEWEST_DRAWS, 3))
    assert np.isfinite(loo(posterior, values, pd.RangeIndex(3)).elpd).all()
    with pytest.raises(
        ComparisonError, match="needs at least 25 draws, and this fit of Chinchilla has 24; fit with more"
    ):
        loo(posterior, values[:, 1:], pd.RangeIndex(3))
