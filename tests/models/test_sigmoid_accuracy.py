import numpy as np
import pytest

from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import SigmoidAccuracy
from bayes_scaling.models.sigmoid_accuracy import box_cox

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
    runs = {"loss": np.array([1.2, 0.8, 0.4]), "loss0": 1.0, "chance": np.full(3, 0.25)}
    fitted = {"loss": np.array([2.0, 0.8, np.nan])}
    plain, steeper = (np.asarray(law.extrapolated(runs, fitted, CURVE, error)) for error in (0.0, 0.3))
    assert plain == pytest.approx(np.asarray(law.at(runs, CURVE)), rel=1e-5)
    assert steeper[:2] == pytest.approx(plain[:2]) and steeper[2] > plain[2] + 0.01
