from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import DirectAccuracyInFlops
from benchmarks.ladder_rivals import direct, exponential


def test_the_direct_law_is_fitted_to_each_task_where_scores_are_missing():
    compute = np.geomspace(1e17, 1e20, 12)
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(13)], "flops": [*compute, 1e21], "chance": 0.25})
    runs["n_params"], runs["tokens"] = (runs["flops"] / 120) ** 0.5, 20 * (runs["flops"] / 120) ** 0.5
    noise, curves = np.random.default_rng(0).normal(0, 0.004, 13), {"one": -0.2, "two": -0.1}
    accuracy = {task: 0.25 + 0.75 * np.exp(-1.5 * (runs["flops"] / 1e19) ** a) + noise for task, a in curves.items()}
    table = pd.concat([runs.assign(task=task, accuracy=values) for task, values in accuracy.items()])
    table.loc[table.index[3], "accuracy"] = [np.nan, 0.3]
    study = bs.Study.from_frame(table.assign(role=np.where(table["flops"] > 5e20, "target", "train")))
    found = direct(DirectAccuracyInFlops(), study.training, study.targets, seed=0, draws=500)
    assert found.index.tolist() == [("r12", "one"), ("r12", "two")] and found["converged"].all()
    assert found["error"].to_numpy() == pytest.approx([0.0, 0.0], abs=0.05)


def test_exponential_decay_is_found_from_its_own_points():
    loss = np.linspace(2.5, 5, 12)
    found = exponential(loss, 0.8 - 0.9 * np.exp(-1.1 * (loss - 1)), np.array([2.2]))
    assert found == pytest.approx(0.8 - 0.9 * np.exp(-1.1 * 1.2), abs=1e-5)
