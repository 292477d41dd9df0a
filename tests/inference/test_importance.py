from __future__ import annotations

import jax
import numpy as np
import pytest

from bayes_scaling.inference.importance import approximate
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla


@pytest.fixture(scope="module")
def found(simulated):
    with double_precision():
        arrays = pad_study(Chinchilla(), *Chinchilla().arrays(simulated))
        return approximate(Chinchilla(), jax.random.key(0), *arrays, 2048)


def test_it_agrees_with_the_sampler(found, simulated_fit):
    for name in Chinchilla().free_parameters:
        ours, theirs = np.asarray(found[name]), simulated_fit.draws[name]
        assert ours.mean() == pytest.approx(theirs.mean(), abs=0.4 * theirs.std())
        assert ours.std() == pytest.approx(theirs.std(), rel=0.4)


def test_a_seed_repeats_it(simulated):
    with double_precision():
        arrays = pad_study(Chinchilla(), *Chinchilla().arrays(simulated))
        one, same, other = (approximate(Chinchilla(), jax.random.key(k), *arrays, 2048)["E"] for k in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
