from __future__ import annotations

from bayes_scaling.inference.seeds import member_seed


def test_the_seeds_of_a_batch_are_its_own_and_differ():
    seeds = {member_seed(seed, place) for seed in (0, 1, 2**40) for place in range(1000)}
    assert len(seeds) == 3000 and all(0 <= seed < 2**31 for seed in seeds)
    assert member_seed(7, 3) == member_seed(7, 3)
