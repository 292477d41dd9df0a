from __future__ import annotations

import pytest

from benchmarks import loss_to_loss
from benchmarks.loss_to_loss import pairs_of, tried_of


@pytest.mark.parametrize("kind", loss_to_loss.KINDS)
def test_every_loss_and_every_set_occurs_among_the_pairs_tried(kind):
    for place in (0, 1):
        axes, tried = ([pair[place] for pair in pairs] for pairs in (pairs_of(kind), tried_of(kind)))
        assert {a.loss for a in tried} == {a.loss for a in axes}
        assert {a.train_data for a in tried} == {a.train_data for a in axes}
