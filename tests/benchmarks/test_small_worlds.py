from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.large_ladders import DISTANCES, E, published_loss
from benchmarks.small_worlds import SMALLEST, WORLDS, simulate


@pytest.mark.parametrize("words", WORLDS)
def test_runs_follow_the_published_law_and_targets_depart_from_it_as_the_world_says(words):
    world = dataclasses.replace(WORLDS[words], noise=0.0)
    study, targets = simulate(world, seed=0)
    runs = study.frame
    assert np.allclose(6 * targets["n_params"] * targets["tokens"] / runs["flops"].max(), DISTANCES)
    excess = runs["loss"] / published_loss(runs["n_params"], runs["tokens"]) - 1
    assert np.allclose(excess, world.excess * SMALLEST / runs["n_params"], atol=1e-12)
    expected = published_loss(targets["n_params"], targets["tokens"])
    edge = np.log((published_loss(runs["n_params"], runs["tokens"]) - E).min())
    if not world.excess:
        steps = np.log(targets["loss"] - E) - edge
        assert np.allclose(steps, world.slope * (np.log(expected - E) - edge), atol=1e-9)


def test_noise_differs_from_study_to_study():
    one, other = (simulate(WORLDS["the law is exact"], seed)[0].frame["loss"] for seed in (0, 1))
    assert (one != other).all()
