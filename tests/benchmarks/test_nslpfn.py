import numpy as np
import pandas as pd
import pytest

from benchmarks import nslpfn


def test_scores_are_those_of_the_benchmark():
    draws = np.exp(np.random.default_rng(0).normal(np.log(2.0), 0.1, (20000, 3)))
    actual = np.array([2.0, 2.0, 2.0 * np.exp(0.3)])
    found = nslpfn.curve_scores(draws, actual)
    assert found["rmsle"] == pytest.approx(0.3 / np.sqrt(3), rel=0.01)
    normal = -np.log(0.1 * np.sqrt(2 * np.pi)) - np.array([0.0, 0.0, 4.5]) - np.log(actual)
    assert found["logdensity"] == pytest.approx(normal.mean(), abs=0.05)
    assert found["cover90"] == pytest.approx(2 / 3)
    levels = np.array(nslpfn.LEVELS)
    assert found["msce"] == pytest.approx(((2 / 3 - levels) ** 2).mean())


def test_a_density_in_another_unit_is_larger_by_its_log():
    draws = np.exp(np.random.default_rng(0).normal(0.0, 0.1, (500, 2)))
    one, ten = (nslpfn.curve_scores(draws, np.ones(2), unit)["logdensity"] for unit in (1.0, 10.0))
    assert ten - one == pytest.approx(np.log(10.0))


def test_backtests_see_training_points_alone_and_forecast_the_further_half():
    long = pd.DataFrame({"curve": "a", "x": [1.0, 2, 3, 4, 6, 8, 16], "role": ["train"] * 6 + ["target"]})
    short = pd.DataFrame({"curve": "b", "x": [1.0, 2, 4], "role": "train"})
    found = nslpfn.earlier(pd.concat([long, short], ignore_index=True))
    assert set(found["curve"]) == {"a"} and found["x"].max() == 8
    assert found.loc[found["role"] == "train", "x"].tolist() == [1, 2, 3, 4]


def test_points_of_a_curve_are_a_study_in_the_order_of_its_data():
    study = nslpfn.study_of("c", pd.DataFrame({"x": [4.0, 1.0], "y": [0.5, 0.9]}))
    assert study.column("tokens").tolist() == [1, 4] and study.column("loss").tolist() == [0.9, 0.5]


def test_curves_of_few_points_are_left_to_the_simple_law():
    law = nslpfn.CANDIDATES["with a break"]
    training = {name: pd.DataFrame({"x": range(count)}) for name, count in (("a", 6), ("b", 8), ("c", 4))}
    assert nslpfn._by_form(law, training) == {law: ["b"], nslpfn.SIMPLE: ["a", "c"]}
    assert len(nslpfn.SIMPLE.free_parameters) == 4  # as many as the fewest points of a backtest
