import numpy as np
import pytest

from bayes_scaling.models import Chinchilla, RepeatedData
from bayes_scaling.models.repeated_data import saturating

VALUES = {"E": 1.8, "reducible": 0.5, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}
REPEATS = {"repeats": 15.4, "excess": 5.3}
N0, D0 = 1e9, 2e10


def loss(N, D, U, **changes):
    return np.asarray(RepeatedData().mean(N, D, U, N0, D0, **{**VALUES, **REPEATS, **changes}))


def chinchilla(N, D):
    return np.asarray(Chinchilla().mean(N, D, N0, D0, **VALUES))


def test_one_pass_of_a_small_model_is_chinchilla():
    D = np.geomspace(1e9, 1e12, 5)
    np.testing.assert_allclose(loss(1e7, D, D), chinchilla(1e7, D), rtol=1e-6)


def test_endless_repeats_are_worth_a_number_of_passes():
    assert loss(1e7, 1e15, 1e10) == pytest.approx(float(chinchilla(1e7, 16.4 * 1e10)), rel=1e-5)


def test_four_passes_are_nearly_as_good_as_fresh_tokens():
    """The paper's finding: at four passes a repeated token is worth 1 - 4 / (2 * 15.4) of a fresh one, or more."""
    assert 0.88 < float(np.exp(saturating(4.0, 15.4))) / 4 < 1.0


def test_a_model_beyond_what_the_tokens_can_teach_gains_little():
    """With equal exponents and split, U_N : N0 is as U : D0."""
    even = {"split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3}
    at_limit, far = (loss(N, D0, D0, **even) for N in (N0, 1e15))
    ten_times = 1.8 * (1 + 0.5 * (0.5 * 6.3**-0.3 + 0.5))  # U_N and 5.3 U_N more
    assert at_limit == pytest.approx(2.7)
    assert far == pytest.approx(ten_times, rel=1e-5)


def test_more_passes_never_harm():
    D = np.geomspace(1e10, 1e14, 30)
    assert (np.diff(loss(1e9, D, 1e10)) <= 1e-7).all()
