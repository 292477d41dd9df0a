from __future__ import annotations

import numpy as np
import pytest

from benchmarks.large_ladders import DISTANCES, NOISE, A, B, E, worlds


def test_families_follow_the_published_law_and_differ_in_their_noise():
    (study, targets), (other, _) = worlds(2, seed=0)
    runs = study.frame
    assert runs["n_params"].min() == 1e9 and runs["n_params"].max() == 3e10 and len(runs) == 12
    expected = E + A / runs["n_params"] ** 0.3478 + B / runs["tokens"] ** 0.3658
    left = np.log(runs["loss"] / expected)
    assert 0.3 * NOISE < left.std() < 3 * NOISE and (runs["loss"] != other.frame["loss"]).all()
    assert targets["flops"].to_numpy() / runs["flops"].max() == pytest.approx(DISTANCES)
