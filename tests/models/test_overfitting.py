import math

import numpy as np
import pytest

from bayes_scaling.models import Chinchilla, Overfitting

VALUES = {"E": 1.8, "reducible": 0.5, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}
N0, D0 = 1e9, 2e10


def loss(N, D, U, penalty=0.002, crowding=0.7):
    return np.asarray(Overfitting().mean(N, D, U, N0, D0, **VALUES, penalty=penalty, crowding=crowding))


def chinchilla(N, D):
    return np.asarray(Chinchilla().mean(N, D, N0, D0, **VALUES))


def test_one_pass_is_chinchilla():
    N, D = np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)
    np.testing.assert_allclose(loss(N, D, D), chinchilla(N, D), rtol=1e-6)


def test_the_penalty_is_that_of_e_passes_with_a_parameter_for_twenty_tokens():
    excess = loss(1e9, 2e10 * math.e, 2e10) - chinchilla(1e9, 2e10 * math.e)
    assert float(excess) == pytest.approx(1.8 * 0.002, rel=1e-3)


def test_ten_times_the_parameters_crowd_the_tokens():
    small, large = (float(loss(N, 2e12, 2e10) - chinchilla(N, 2e12)) for N in (1e8, 1e9))
    assert large / small == pytest.approx(10**0.7, rel=1e-3)


def test_passes_help_and_then_harm_a_large_model_sooner():
    D = np.geomspace(1e10, 1e14, 200)
    best = [D[np.argmin(loss(N, D, 1e10, penalty=0.01))] / 1e10 for N in (1e8, 1e10)]
    assert 1 < best[1] < 10 < best[0] < 1000
