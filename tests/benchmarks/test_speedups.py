import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
from benchmarks import speedups
from benchmarks.decisions import BUDGET, DESIGN
from tests.worlds import known


def test_the_true_factor_is_what_a_posterior_of_one_point_says():
    law = Chinchilla()
    for seed in range(5):
        truth = speedups.pair_of_recipes(law, seed, alike=seed > 1)
        fits = [known(law, {n: np.full(2, v) for n, v in p.items()}, DESIGN) for p in truth]
        a, b = (bs.Surface.of(one) for one in fits)
        world = speedups.true_world(a, b, truth, seed)
        expected = speedups.true_factor(law, a.arrays, *truth)
        assert world.draws(error="none")[0, 0] == pytest.approx(min(expected, 1e12), rel=1e-3, abs=1e-12)
        if seed > 1:  # B needs about as much as A, beyond its runs
            assert world.draws(error="shared")[0, 0] != world.draws(error="apart")[0, 0]
    assert world.flops == pytest.approx(BUDGET)


@pytest.mark.slow
def test_intervals_of_the_factor_hold_in_simulated_worlds():
    found = speedups.coverage(pairs=16)
    assert found["speedup_pairs"] >= 8 and found["speedup_cover90"] >= 0.6


def test_a_truth_among_equal_draws_is_inside_as_often_as_it_ought_to_be():
    rng = np.random.default_rng(0)
    draws = np.zeros(100)
    assert np.mean([speedups.inside(0.0, draws, rng) for _ in range(4000)]) == pytest.approx(0.9, abs=0.02)
    assert speedups.inside(0.5, np.linspace(0, 1, 100), rng) and not speedups.inside(0.99, np.linspace(0, 1, 100), rng)
