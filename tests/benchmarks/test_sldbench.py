import numpy as np
import pandas as pd
import pytest

from benchmarks import sldbench

SHARES = [f"share_{name}" for name in ("academic", "prose", "dialogue", "symbolic", "internet")]


def test_r_squared_is_that_of_the_benchmark():
    """One minus the mean squared error over the population variance."""
    actual = np.array([1.0, 2.0, 4.0])
    median = np.array([1.5, 2.0, 3.0])
    found = sldbench.r_squared(pd.DataFrame({"actual": actual, "error": median - actual}))
    assert found == pytest.approx(1 - (1.25 / 3) / (14 / 9))


def test_cuts_fit_the_small_and_forecast_the_next_size_or_all_larger():
    table = pd.DataFrame({"n_params": [1.0, 1.0, 2.0, 4.0], "loss": 1.0})
    ((small, later),) = sldbench.cut("n_params", 1.5)(table)
    assert small["n_params"].tolist() == [1, 1] and later["n_params"].tolist() == [2, 4]
    ((_, nearest),) = sldbench.cut("n_params", 1.5, by="nearest")(table)
    assert nearest["n_params"].tolist() == [2]


def test_no_mixture_is_left_out_twice_and_none_in_some_sizes_alone():
    table = pd.DataFrame({"run": [*"abcdefghij"] * 2, "task": ["70M"] * 10 + ["1B"] * 10})
    parts = list(sldbench.folds(table))
    out = [run for _, held in parts for run in held["run"].drop_duplicates()]
    assert len(out) == len(set(out)) == 4
    assert all(len(held) == 4 and not set(small["run"]) & set(held["run"]) for small, held in parts)


def test_each_domain_has_its_own_share_first_and_all_share_a_program():
    losses = {name.replace("share", "loss"): [2.0 + i] for i, name in enumerate(SHARES)}
    shares = {name: [0.1 * (i + 1)] for i, name in enumerate(SHARES)}
    table = pd.DataFrame({"model_size": ["70M"], "mixture": ["m"], "role": ["train"], **shares, **losses})
    found = sldbench.read_mixtures(table)
    assert found["prose"]["share_own"].item() == pytest.approx(0.2) and found["prose"]["loss"].item() == 3.0
    assert found["prose"]["share_2"].item() == pytest.approx(0.1)
    assert len({tuple(one.columns) for one in found.values()}) == 1


def test_a_law_is_fitted_to_the_largest_sizes_alone():
    table = pd.DataFrame({"finetune_data": [200.0 * 2**i for i in range(12)]})
    assert sldbench.last_sizes(6)(table)["finetune_data"].min() == 200 * 2**6
    assert len(sldbench.last_sizes(12)(table)) == 12
