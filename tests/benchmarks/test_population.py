from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from bayes_scaling.evaluation.held_out import SLOPES
from benchmarks.cases import Case
from benchmarks.population import GRIDS, NUMBERS, WEAK, WEIGHTS, Scored, averaged, log_densities, towards

SHIFTED = {name: (centre + 1.0, 2 * spread) for name, (centre, spread) in WEAK.items()}


def densities(**favoured: float) -> xr.DataArray:
    """Return log densities of every combination: 40 for one value of each name, and the same for all others."""
    flat = xr.DataArray(np.zeros([len(grid) for grid in GRIDS.values()]), coords={n: list(g) for n, g in GRIDS.items()},
                        dims=list(GRIDS))  # fmt: skip
    return sum((40.0 * (flat[name] == value) for name, value in favoured.items()), flat)


def learnt(**favoured: float):
    return averaged(densities(**favoured), lambda trust: towards(SHIFTED, trust), ["a"])


def test_what_one_combination_explains_best_is_that_combination():
    values = {"trust": 0.5, "drift": 0.1, "discrepancy": 0.3, "scatter": 1.5, "own_cuts": 4.0, "sharpness": 8.0}
    found = learnt(**values)
    assert {n: getattr(found, n) for n in NUMBERS} == pytest.approx({n: values[n] for n in NUMBERS}, abs=2e-3)
    for name in WEIGHTS:
        assert getattr(found, name) == pytest.approx({v: float(v == values[name]) for v in GRIDS[name]}, abs=1e-3)
    assert found.parameters["discrepancy"] == pytest.approx((np.log(0.3), 0.0), abs=2e-3)
    centre, spread = WEAK["split"]
    assert found.parameters["split"] == pytest.approx((centre + 0.5, 1.5 * spread), abs=1e-3)


def test_doubt_about_a_centre_widens_the_spread():
    certain, open_drift = learnt(trust=1.0, discrepancy=0.1, drift=0.2), learnt(trust=1.0, discrepancy=0.1)
    assert certain.parameters["discrepancy"] == pytest.approx((np.log(0.1), 0.0), abs=2e-3)
    assert open_drift.drift == pytest.approx(np.mean(GRIDS["drift"]), abs=2e-3)
    apart = np.log(np.hypot(0.1, np.array(GRIDS["drift"]) - np.mean(GRIDS["drift"])))
    assert open_drift.parameters["discrepancy"] == pytest.approx((apart.mean(), apart.std()), abs=2e-3)
    half = np.sqrt(np.mean([(1 + t) ** 2 * WEAK["split"][1] ** 2 + (t - 0.5) ** 2 for t in GRIDS["trust"]]))
    assert learnt().parameters["split"] == pytest.approx((WEAK["split"][0] + 0.5, half), abs=2e-3)


def test_trust_lies_between_the_weak_priors_and_the_learnt():
    assert towards(SHIFTED, 0.0) == WEAK
    assert towards(SHIFTED, 1.0) == SHIFTED


def test_a_collection_is_learnt_without_its_sisters():
    names = ["xlstm_llama", "xlstm_mlstm", "task ladder"]
    shape = (len(names), len(GRIDS["scatter"]), len(SLOPES), 1)

    def of(name: str, level: float) -> Scored:
        return Scored(Case(name, name, None), "law", None, np.full(shape, level))

    scored = [of(name, level) for name, level in zip(names, (-0.5, -1.0, -2.0), strict=True)]
    total = {left_out: float(log_densities(scored, names, left_out).max()) for left_out in (None, *names)}
    assert total == pytest.approx({None: -3.5, "xlstm_llama": -2.0, "xlstm_mlstm": -2.0, "task ladder": -1.5}, abs=1e-6)
