import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import SigmoidAccuracy
from bayes_scaling.models.sigmoid_accuracy import between, box_cox

CURVE = {"floor": 0.0, "ceiling": 0.95, "centre": -0.5, "slope": 4.0, "bend": 0.0}


def accuracy(loss, **changes):
    runs = {"loss": np.asarray(loss), "loss0": 1.0, "chance": np.full(np.shape(loss), 0.25)}
    with double_precision():
        return np.asarray(SigmoidAccuracy().at(runs, {**CURVE, **changes}))


def test_accuracy_rises_from_chance_to_the_ceiling_as_the_loss_falls():
    found = accuracy([1e6, 2.0, 1.0, 0.5, 1e-6])
    assert (np.diff(found) > 0).all()
    assert found[[0, -1]] == pytest.approx([0.25, 0.95], abs=1e-3)


def test_the_floor_shifts_the_log_odds_of_chance():
    odds = np.log(np.divide(*(lambda p: (p, 1 - p))(accuracy([1e9], floor=0.4))))
    assert odds == pytest.approx(np.log(1 / 3) + 0.4, abs=1e-6)


def test_a_bend_of_one_is_a_sigmoid_in_the_loss_and_of_none_in_its_logarithm():
    x = np.array([-0.7, 0.0, 0.4])
    with double_precision():
        assert box_cox(x, 1.0) == pytest.approx(np.expm1(x))
        assert box_cox(x, 0.0) == pytest.approx(x)
        assert box_cox(x, 1e-7) == pytest.approx(x, abs=1e-6)  # smooth between the two


def test_the_discrepancy_acts_below_the_smallest_fitted_loss_alone():
    law = SigmoidAccuracy()
    runs = {"loss": np.array([1.2, 0.8, 0.4]), "loss0": 1.0, "chance": np.full(3, 0.25), "guessed": False}
    fitted = {"loss": np.array([2.0, 0.8, np.nan])}
    plain, steeper = (np.asarray(law.extrapolated(runs, fitted, CURVE, error)) for error in (0.0, 0.3))
    assert plain == pytest.approx(np.asarray(law.at(runs, CURVE)), rel=1e-5)
    assert steeper[:2] == pytest.approx(plain[:2]) and steeper[2] > plain[2] + 0.01


def test_where_the_fitted_runs_guess_the_slope_may_be_more_wrong():
    law = SigmoidAccuracy(emergence=4.0)
    runs = {"loss": np.array([0.4]), "loss0": 1.0, "chance": np.full(1, 0.25)}
    fitted = {"loss": np.array([2.0, 0.8, np.nan])}
    guessed = np.asarray(law.extrapolated({**runs, "guessed": True}, fitted, CURVE, 0.1))
    known = np.asarray(law.extrapolated({**runs, "guessed": False}, fitted, CURVE, 0.4))
    assert guessed == pytest.approx(known, rel=1e-6)


def test_a_task_at_chance_leaves_it_beyond_the_runs_at_a_distance_that_is_drawn():
    law = SigmoidAccuracy()
    runs = {"loss": np.array([0.9, 0.8, 0.7, 0.5, 0.2]), "loss0": 1.0, "chance": np.full(5, 0.25)}
    fitted, flat = {"loss": np.array([2.0, 0.8, np.nan])}, {**CURVE, "centre": -12.0}

    def expected(guessed, **drawn):
        return np.asarray(law.extrapolated({**runs, "guessed": guessed}, fitted, {**flat, **drawn}, 0.0))

    assert expected(True) == pytest.approx(np.full(5, 0.25), abs=0.01)
    assert expected(False, departure=1.0) == pytest.approx(expected(True))
    gone = expected(True, departure=1.0)
    gain = CURVE["slope"] * np.log(0.8 / runs["loss"])
    assert gone[:3] == pytest.approx(expected(True)[:3]) and gain[2] < 1 < gain[3]
    odds = np.log((gone - 0.25) / (0.95 - gone))
    assert odds[3:] == pytest.approx(np.log(0.03 / 0.75) + gain[3:] - 1, abs=1e-3)  # three points, and then its slope


FREE = pd.DataFrame({"loss": np.geomspace(4.5, 2.2, 14)}).assign(chance=0.0, run=[f"r{i}" for i in range(14)])
FREE["accuracy"] = np.round(np.clip(0.9 / (1 + np.exp(-12 * np.log(2.6 / FREE["loss"]))) - 0.01, 0, 1), 3)


def test_a_floor_where_guessing_is_never_right_is_zero():
    with double_precision():
        for floor in (-1.0, 0.0, 1.0):
            assert float(between(np.array(-50.0), 0.0, floor, 0.95)) == pytest.approx(0.0, abs=1e-12)
            assert float(between(np.array(-50.0), 1e-9, floor, 0.95)) == pytest.approx(0.0, abs=1e-8)  # and near it
            assert float(between(np.array(50.0), 0.0, floor, 0.95)) == pytest.approx(0.95)


def test_straightening_leaves_a_floor_at_zero_where_it_is():
    runs = {"loss": np.array([3.0, 2.0]), "loss0": 2.5, "chance": np.array([0.0, 0.0])}
    u = {"floor": np.array(0.3), "centre": np.array(-1.0), "slope": np.array(1.0), "bend": np.array(0.1)}
    moved = SigmoidAccuracy().straighten(u, runs)
    assert float(moved["floor"]) == pytest.approx(0.3) and np.isfinite(float(moved["centre"]))


def test_exact_zeros_are_fitted_and_no_forecast_leaves_the_unit_interval():
    assert (FREE["accuracy"] == 0).sum() >= 3
    posterior = bs.fit(SigmoidAccuracy(), bs.Study.from_frame(FREE, name="free"), seed=0, draws=200)
    assert posterior.diagnostics.max_rhat < 1.05 and posterior.diagnostics.divergences < 0.05 * 800
    forecast = posterior.forecast({"loss": [2.0, 5.0], "chance": [0.0, 0.0]}, allow_unconverged=True)
    draws = forecast.draws["accuracy_run"].to_numpy()
    assert draws.min() >= 0 and draws.max() <= 1
    assert np.median(draws[:, 0]) > 0.75 and np.median(draws[:, 1]) < 0.01


def test_a_departure_of_nothing_is_at_once():
    assert float(run_model(Departing(), {}, None)["departure"]["value"]) == 0.0


class Departing(SigmoidAccuracy):
    """The sites of a forecast alone."""

    departure: float = 0.0

    def __call__(self, runs, observed=None, fitted=None):
        self.unseen()
