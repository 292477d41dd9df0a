import numpy as np
import pytest

from bayes_scaling.models import Chinchilla, Experts, JointExperts

DENSE = {"E": 1.7, "reducible": 0.8, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}
VALUES = {**DENSE, "worth": 0.4, "gain": 0.45}
CENTRE = {"N0": 1e8, "D0": 5e9, "num_experts0": 8.0}


def test_with_one_expert_it_is_chinchilla():
    N, D = np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e11, 5)
    found = JointExperts().mean(N, D, 1.0, 1e8, 5e9, 1.0, **VALUES)
    np.testing.assert_allclose(found, Chinchilla().mean(N, D, 1e8, 5e9, **DENSE), rtol=1e-5)


def test_with_tokens_that_do_not_vary_it_is_the_law_of_experts():
    N, X = np.geomspace(1e8, 1e10, 5), np.geomspace(1, 64, 5)
    joint = np.asarray(JointExperts().mean(N, 5e9, X, 1e8, 5e9, 8.0, **VALUES))
    floor = 1.7 * (1 + 0.8 * 0.6)
    alone = Experts().mean(
        N, X, 1e8, 8.0, E=floor, reducible=1.7 * 0.8 * 0.4 / floor, alpha_N=0.34, worth=0.4, gain=0.45
    )
    np.testing.assert_allclose(joint, alone, rtol=1e-5)


def test_constants_are_those_of_the_textbook():
    runs = {"N": 3e8, "D": 2e10, "num_experts": 16.0, **CENTRE}
    book = {name: float(value) for name, value in JointExperts().derived(runs, **VALUES).items()}
    effective = 3e8 * (1 + 0.4 * 15) ** 0.45
    loss = 1.7 + book["A"] * effective**-0.34 + book["B"] * 2e10**-0.28
    assert float(JointExperts().at(runs, VALUES)) == pytest.approx(loss, rel=1e-5)
