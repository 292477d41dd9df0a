import numpy as np
import pytest

from bayes_scaling.models import Experts, Pooled

VALUES = {"E": 1.7, "reducible": 0.6, "alpha_N": 0.2, "worth": 0.4, "gain": 0.45}


def reducible(N, X, N0=1e8, X0=1.0, **changes):
    values = {**VALUES, **changes}
    return np.asarray(Experts().mean(N, X, N0, X0, **values)) - values["E"]


def test_the_dense_model_is_a_power_law_above_a_floor():
    N = np.geomspace(1e7, 1e10, 4)
    np.testing.assert_allclose(reducible(N, 1.0), 1.7 * 0.6 * (N / 1e8) ** -0.2, rtol=1e-5)


def test_twice_many_experts_count_as_a_power_of_parameters():
    more, larger = reducible(1e8, 2e6, X0=1e6), reducible(2**0.45 * 1e8, 1e6, X0=1e6)
    assert float(more) == pytest.approx(float(larger), rel=1e-4)


def test_a_first_expert_more_counts_in_part():
    assert float(reducible(1e8, 2.0)) == pytest.approx(1.7 * 0.6 * 1.4 ** (-0.45 * 0.2), rel=1e-5)
    assert float(reducible(1e8, 2.0, worth=1.0)) == pytest.approx(1.7 * 0.6 * 2 ** (-0.45 * 0.2), rel=1e-5)


def test_the_amplitude_is_that_of_the_textbook():
    runs = {"N": 3e8, "num_experts": 16.0, "N0": 1e8, "num_experts0": 8.0}
    A = float(Experts().derived(runs, **VALUES)["A"])
    effective = 3e8 * (1 + 0.4 * 15) ** 0.45
    assert float(Experts().at(runs, VALUES)) == pytest.approx(1.7 + A * effective**-0.2, rel=1e-5)


def test_routers_are_pooled_by_the_law_of_several_series():
    assert Pooled(curve=Experts()).run_inputs == ("N", "num_experts")
    assert set(Experts().pooling) < set(Experts().priors)
