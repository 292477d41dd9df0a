from __future__ import annotations

import pandas as pd

from benchmarks.ladder_c4 import beside_published


def test_the_published_errors_stand_beside_those_of_the_same_models():
    means = pd.DataFrame({"target": ["open_lm_7b-1.0", "open_lm_1b-4.0"], "relative_error_pct": [-7.9, 3.0]})
    table = beside_published(means)
    assert table["published_error_pct"].tolist() == [0.05, 3.6]
    assert table[["target", "relative_error_pct"]].equals(means)
