from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

from bayes_scaling.evaluation import loo as criteria
from bayes_scaling.evaluation.loo import leave_run_out, stack, waic

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


def test_stacking_maximises_the_mixtures_score():
    rng = np.random.default_rng(0)
    elpd = rng.normal(loc=[0.2, 0.0], size=(50, 2))
    grid = np.linspace(0, 1, 2001)
    score = [logsumexp(elpd, axis=1, b=[w, 1 - w]).sum() for w in grid]
    assert stack(elpd)[0] == pytest.approx(grid[np.argmax(score)], abs=1e-3)


def test_leaving_a_run_out_by_weights_agrees_with_fits_without_it(simulated_fit):
    quick = leave_run_out(simulated_fit)
    for name in ("run 5", "run 10"):  # in the middle of the grid
        assert quick.flags[name] < 0.6
        assert criteria._without(simulated_fit, name, True) == pytest.approx(quick.elpd[name], abs=0.25)


def test_runs_that_weights_cannot_leave_out_are_fitted_without(simulated_fit, monkeypatch):
    asked = []
    monkeypatch.setattr(criteria, "_without", lambda posterior, name, allow: asked.append(name) or -7.0)
    quick, exact = leave_run_out(simulated_fit), leave_run_out(simulated_fit, refit=True)
    poor = list(quick.flags.index[quick.flags > quick.limit])
    assert exact.refits == len(poor) == quick.high and asked == poor
    assert exact.high == 0
    assert (exact.elpd[poor] == -7.0).all()
    pd.testing.assert_series_equal(exact.elpd.drop(poor), quick.elpd.drop(poor))


def test_a_run_of_the_ladder_is_left_out_with_all_its_outcomes(ladder_fits, monkeypatch):
    seen = {}

    def shortcut(law, plan, seed, runs, observed, effort):
        seen.update(observed)
        sampled = {name: v.to_numpy() for name, v in ladder_fits[0].tree["posterior"].dataset.data_vars.items()}
        return SimpleNamespace(posterior=sampled), ladder_fits[0].diagnostics

    monkeypatch.setattr(criteria, "fit_until_converged", shortcut)
    found = criteria._without(ladder_fits[0], "190M-2xC", True)
    assert all(np.isnan(values[1]).all() and np.isfinite(np.delete(values, 1, 0)).all() for values in seen.values())
    rows = ladder_fits[0].with_groups("run_log_likelihood").tree["run_log_likelihood"]["outcomes"]
    joint = rows.sel(run="190M-2xC").to_numpy()
    assert found == pytest.approx(logsumexp(joint) - np.log(joint.size), rel=1e-9)
