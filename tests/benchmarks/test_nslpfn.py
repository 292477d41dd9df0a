import numpy as np
import pandas as pd
import pytest
from scipy.optimize import isotonic_regression

from bayes_scaling.inference.batch import Member
from bayes_scaling.inference.fittable import check_size
from benchmarks import nslpfn


def test_scores_are_those_of_the_benchmark():
    draws = np.exp(np.random.default_rng(0).normal(np.log(2.0), 0.1, (20000, 3)))
    actual = np.array([2.0, 2.0, 2.0 * np.exp(0.3)])
    found = nslpfn.curve_scores(draws, actual, nslpfn.log_density(draws, actual))
    assert found["rmsle"] == pytest.approx(0.3 / np.sqrt(3), rel=0.01)
    normal = -np.log(0.1 * np.sqrt(2 * np.pi)) - np.array([0.0, 0.0, 4.5]) - np.log(actual)
    assert found["logdensity"] == pytest.approx(normal.mean(), abs=0.05)
    assert found["cover90"] == pytest.approx(2 / 3)
    levels = np.array(nslpfn.LEVELS)
    assert found["msce"] == pytest.approx(((2 / 3 - levels) ** 2).mean())


def test_a_density_in_another_unit_is_larger_by_its_log():
    draws = np.exp(np.random.default_rng(0).normal(0.0, 0.1, (500, 2)))
    one, ten = (nslpfn.log_density(draws, np.ones(2), unit) for unit in (1.0, 10.0))
    assert ten - one == pytest.approx(np.log(10.0))


def test_a_candidate_that_is_behind_everywhere_has_what_the_prior_gives_it():
    ahead = [np.array([[0.0, -9.0, -9.0]] * points) for points in (1, 5, 200)]
    found = nslpfn.mixture_weights(ahead, strength=3.0)
    assert found == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=1e-3)
    assert nslpfn.mixture_weights(ahead * 100, strength=3.0)[1] < 0.004


def test_candidates_that_say_the_same_weigh_the_same():
    same = [np.random.default_rng(0).normal(size=(7, 1)) * np.ones(4) for _ in range(9)]
    assert nslpfn.mixture_weights(same, strength=2.0) == pytest.approx(np.full(4, 0.25))


def test_a_curve_counts_once_however_many_points_it_has():
    short, long = np.array([[0.0, -50.0]]), np.array([[-50.0, 0.0]] * 1000)
    assert nslpfn.mixture_weights([short, long], strength=1.0) == pytest.approx([0.5, 0.5])


def test_two_candidates_right_by_turns_share_the_weight_though_one_is_ahead_on_average():
    by_turns = [np.array([[0.0, -3.0]]), np.array([[-4.0, 0.0]])] * 20
    found = nslpfn.mixture_weights(by_turns, strength=1.0)
    assert 0.45 < found[0] < 0.5 < found[1] < 0.55


def test_a_mixture_is_scored_by_its_own_density_and_quantiles():
    rng = np.random.default_rng(0)
    draws = np.exp(np.stack([rng.normal(0.0, 0.1, (4000, 1)), rng.normal(1.0, 0.1, (4000, 1))]))
    one = nslpfn.Judged("c", "r", np.ones(1), draws, np.array([[1.4, -40.0]]))
    found = one.scores(np.array([0.75, 0.25]))
    assert found["logdensity"] == pytest.approx(1.4 + np.log(0.75))
    assert found["rmsle"] == pytest.approx(0.1 * 0.4307, rel=0.1)  # the quantile 2/3 of the first is the median of both


def test_backtests_see_training_points_alone_and_forecast_the_further_half():
    long = pd.DataFrame({"curve": "a", "x": [1.0, 2, 3, 4, 6, 8, 16], "role": ["train"] * 6 + ["target"]})
    short = pd.DataFrame({"curve": "b", "x": [1.0, 2, 4], "role": "train"})
    found = nslpfn.earlier(pd.concat([long, short], ignore_index=True))
    assert set(found["curve"]) == {"a"} and found["x"].max() == 8
    assert found.loc[found["role"] == "train", "x"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_the_noise_that_isotonic_regression_hides_is_found_again(noise):
    rng, x = np.random.default_rng(0), np.arange(1.0, 301.0)
    law, grid = 0.3 + 0.7 * x**-0.35, np.exp(np.arange(0.0, np.log(300.0), 0.06))
    found = []
    for _ in range(200):
        smooth = isotonic_regression(law * np.exp(noise * rng.normal(size=300)), increasing=False).x
        points = pd.DataFrame({"x": 5.0 * grid, "y": np.interp(grid, x, smooth)})
        found.append(nslpfn.smoothed_away(points, checkpoint=5.0))
    assert np.median(found) == pytest.approx(noise, rel=0.25)


def test_noise_is_put_back_where_it_was_smoothed_away_and_to_targets_alone():
    table = pd.DataFrame({"y": 1.0, "role": ["train", "target", "target"], "hidden": [0.1, 0.1, 0.0]})
    found = nslpfn.roughened(table, seed=0)["y"]
    assert found[0] == found[2] == 1.0 != found[1]


def test_points_of_a_curve_are_a_study_in_the_order_of_its_data():
    study = nslpfn.study_of("c", pd.DataFrame({"x": [4.0, 1.0], "y": [0.5, 0.9]}))
    assert study.column("tokens").tolist() == [1, 4] and study.column("loss").tolist() == [0.9, 0.5]


def test_short_and_long_curves_are_batches_of_their_own(monkeypatch):
    batches = []

    def fit_many(law, studies, **options):
        batches.append([len(study.runs) for study in studies])
        return [Member(study.name, posterior=study.name) for study in studies]

    monkeypatch.setattr(nslpfn.bs, "fit_many", fit_many)
    sizes = {"a": 6, "b": 60, "c": 20, "d": 16}
    table = pd.concat(
        [
            pd.DataFrame({"curve": name, "x": np.arange(1.0, n + 1), "y": 1.0, "role": "train"})
            for name, n in sizes.items()
        ]
    )
    found, _ = nslpfn.fitted(None, table, 0, None)
    assert batches == [[6, 16], [20], [60]] and found == {name: name for name in sizes}


@pytest.mark.parametrize("law", nslpfn.LAWS.values())
def test_curves_of_fewer_points_than_parameters_are_fitted_by_the_law_of_the_others(law):
    x = np.array([6.0, 12, 24, 48])
    study = nslpfn.study_of("c", pd.DataFrame({"x": x, "y": x**-0.1}))
    assert len(study.runs) < len(law.free_parameters)
    check_size(law, study, *law.arrays(study))  # raises where a law refuses
