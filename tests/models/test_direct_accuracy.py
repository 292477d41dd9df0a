import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import DirectAccuracy

TRUTH = {"level": 1.0, "split": 0.4, "alpha_N": 0.5, "alpha_D": 0.3}
CENTRE = {"N0": 1e9, "D0": 2e10, "chance": 0.25}


def lacking(accuracy, chance=0.25):
    return -np.log((np.asarray(accuracy) - chance) / (1 - chance))


def test_published_constants_are_the_equation():
    law, runs = DirectAccuracy(), {**CENTRE, "N": np.array([1e8, 1e10]), "D": np.array([1e10, 1e12])}
    with double_precision():
        made, found = law.derived(runs, **TRUTH), lacking(law.at(runs, TRUTH))
    by_hand = made["A"] * runs["N"] ** -0.5 + made["B"] * runs["D"] ** -0.3
    assert found == pytest.approx(np.asarray(by_hand), rel=1e-6)


def test_beyond_the_runs_the_slope_of_the_double_logarithm_may_be_wrong():
    law = DirectAccuracy(emergence=3.0)
    runs = {**CENTRE, "N": np.array([2e9, 7e10]), "D": np.array([4e10, 4e12])}
    fitted = {**CENTRE, "N": np.array([1e8, 1e10, np.nan]), "D": np.array([2e9, 2e11, np.nan])}
    with double_precision():
        exact = np.asarray(law.at(runs, TRUTH))
        steeper, guessed = (
            np.asarray(law.extrapolated({**runs, "guessed": g}, fitted, TRUTH, e))
            for g, e in ((False, 0.3), (True, 0.1))
        )
    assert steeper[0] == pytest.approx(exact[0]) and steeper[1] > exact[1] + 0.005
    assert guessed == pytest.approx(steeper)


def test_a_task_is_recovered_from_its_size_and_data():
    grid = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8, 1.6e9) for d in (10, 20, 40, 80)]
    table = pd.DataFrame(grid, columns=["N", "D"]).assign(chance=0.25)
    law, rng = DirectAccuracy(), np.random.default_rng(1)
    runs = {"N": table["N"].to_numpy(), "D": table["D"].to_numpy(), **CENTRE}
    table["accuracy"] = np.asarray(law.at(runs, TRUTH)) + rng.normal(0, 0.004, len(table))
    posterior = bs.fit(law, bs.Study.from_frame(table, name="task"), seed=0)
    assert posterior.diagnostics.converged
    target = {"N": 7e9, "D": 1.4e11, "chance": 0.25}
    actual = float(law.at({**CENTRE, **{k: np.float64(v) for k, v in target.items()}}, TRUTH))
    row = posterior.forecast(target).intervals().iloc[0]
    assert row["q05"] < actual < row["q95"] and row["q95"] - row["q05"] < 0.15
