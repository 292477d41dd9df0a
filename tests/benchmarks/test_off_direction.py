from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from benchmarks.cases import Case
from benchmarks.off_direction import MIN_RUNS, hold_outs


def case(name, columns=("n_params", "tokens"), sizes=6):
    rows = [(n, r * n) for n in np.geomspace(1e7, 1e9, sizes) for r in (5, 10, 20, 40)]
    table = pd.DataFrame(rows, columns=["n_params", "tokens"])
    table["flops"] = 6 * table["n_params"] * table["tokens"]
    table = table[[*columns]].assign(loss=3.0, role=["train"] * (len(table) - 2) + ["target"] * 2)
    return Case(name, name, bs.Study.from_frame(table, name=name))


def test_what_is_forecast_lies_beyond_what_is_fitted():
    parts = {direction: (training.frame, held.frame) for _, direction, training, held in hold_outs((case("one"),))}
    assert list(parts) == ["fewer", "more", "smaller"]

    def ratio(table):
        return table["tokens"] / table["n_params"]

    training, held = parts["fewer"]
    assert ratio(held).max() < ratio(training).min() and len(held) == 6
    training, held = parts["more"]
    assert ratio(held).min() > ratio(training).max()
    training, held = parts["smaller"]
    compute = [table["n_params"] * table["tokens"] for table in (training, held)]
    assert compute[1].max() < compute[0].min() and 0.1 < len(held) / (len(held) + len(training)) < 0.4
    assert not any("role" in table and (table["role"] == "target").any() for table in parts["smaller"])


@pytest.mark.parametrize("left_out", [case("few", sizes=MIN_RUNS // 4 - 1), case("compute", columns=["flops"])])
def test_a_collection_that_is_small_or_without_both_inputs_has_none(left_out):
    assert list(hold_outs((left_out,))) == []
    assert len(list(hold_outs((left_out, case("one"), case("one"))))) == 3  # the first of a collection
