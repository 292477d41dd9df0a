from __future__ import annotations

import pandas as pd

from benchmarks.loss_to_loss import not_published


def test_pairs_below_the_floor_and_pairs_without_a_fit_are_counted_apart():
    status = ["ok", "below_E0", "no_fit", "no_fit"]
    scores = pd.DataFrame({"status": status, "in90": [True, True, True, False]})
    assert not_published(scores) == {"published below E0": 1, "published without fit": 2, "of these covered": 2}
