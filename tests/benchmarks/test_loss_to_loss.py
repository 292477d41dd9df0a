from __future__ import annotations

import pandas as pd
import pytest

from benchmarks import loss_to_loss
from benchmarks.loss_to_loss import not_published, pairs_of, tried_of


@pytest.mark.parametrize("kind", loss_to_loss.KINDS)
def test_every_loss_and_every_set_occurs_among_the_pairs_tried(kind):
    for place in (0, 1):
        axes, tried = ([pair[place] for pair in pairs] for pairs in (pairs_of(kind), tried_of(kind)))
        assert {a.loss for a in tried} == {a.loss for a in axes}
        assert {a.train_data for a in tried} == {a.train_data for a in axes}


def test_pairs_below_the_floor_and_pairs_without_a_fit_are_counted_apart():
    status = ["ok", "below_E0", "no_fit", "no_fit"]
    scores = pd.DataFrame({"status": status, "in90": [True, True, True, False]})
    assert not_published(scores) == {"published below E0": 1, "published without fit": 2, "of these covered": 2}
