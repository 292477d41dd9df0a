"""Studies that tests of several modules split at cuts."""

from __future__ import annotations

import pytest

import bayes_scaling as bs

TEN = {
    "N": [2e7, 2e7, 6e7, 6e7, 2e8, 2e8, 6e8, 6e8, 1.5e9, 1.5e9],
    "D": [2e8, 1e9, 6e8, 3e9, 2e9, 1e10, 6e9, 3e10, 1.5e10, 7.5e10],
    "loss": [5.15, 4.30, 4.07, 3.47, 3.29, 2.91, 2.80, 2.56, 2.53, 2.35],
}


@pytest.fixture(scope="module")
def study():
    """Sixteen runs of one task."""
    return bs.load_study("olmo_ladder").select(task="HellaSwag").rename(loss="c4_loss")


@pytest.fixture(scope="module")
def ten():
    """Two runs of each of five sizes."""
    return bs.Study.from_frame(TEN, name="my")
