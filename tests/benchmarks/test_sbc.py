from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.models import LAWS
from benchmarks import sbc as benchmark


@pytest.mark.parametrize("name", LAWS)
def test_every_law_has_a_design(name):
    law, study = benchmark.design(name)
    runs, observed = law.arrays(study)
    assert set(law.run_inputs) <= runs.keys() and all(np.isfinite(values).all() for values in observed.values())


MADE = {"superset_in_flops": {"N", "D"}}
"""Inputs that a law makes of one column, so that they rise together in every table."""


@pytest.mark.parametrize("name", LAWS)
def test_no_two_inputs_of_a_design_rise_together(name):
    law, study = benchmark.design(name)
    runs, _ = law.arrays(study)
    inputs = {n: np.log(runs[n] + 1) for n in law.run_inputs if np.ndim(runs[n]) and np.ptp(runs[n]) > 0}
    pairs = [pair for pair in itertools.combinations(inputs, 2) if set(pair) != MADE.get(name)]
    if not pairs:
        pytest.skip("fewer than two inputs differ between the runs")
    assert all(abs(np.corrcoef(inputs[one], inputs[other])[0, 1]) < 0.9 for one, other in pairs)


def test_a_law_replaces_its_own_row_and_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path)
    for name, converged in (("kaplan", 190), ("chinchilla", 180), ("kaplan", 200)):
        table = benchmark.store(
            {"law": name, "seed": 1, "simulations": 200, "converged": converged, "quantities": 8, "smallest p": 0.25}
        )
    assert dict(zip(table["law"], table["converged"], strict=True)) == {"chinchilla": 180, "kaplan": 200}
    assert pd.read_csv(tmp_path / "sbc.csv")["law"].tolist() == ["chinchilla", "kaplan"]
    assert "| kaplan | 1 | 200 | 200 | 8 | 0.25 |" in (text := (tmp_path / "sbc.md").read_text())
    assert "Of 16 p-values in all the smallest is 0.25" in text
