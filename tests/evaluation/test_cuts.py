from __future__ import annotations

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.cuts import expanding_window


def test_windows_hold_small_runs_and_leave_out_larger_ones(study):
    parts = expanding_window(study, "flops")
    assert [len(training) for _, training, _ in parts] == sorted(len(training) for _, training, _ in parts)
    for cut, training, held_out in parts:
        assert training.column("flops").max() <= cut < held_out.column("flops").min()
        assert len(training) + len(held_out) == 16


def test_a_cut_outside_the_data_is_refused(study):
    with pytest.raises(bs.StudyError, match="leaves no run on one side"):
        expanding_window(study, "n_params", [1e20])
    with pytest.raises(bs.StudyError, match=r"has no column 'flopz' to split on; did you mean 'flops'"):
        expanding_window(study, "flopz")


def test_runs_without_size_or_flops_are_split_on_a_column_of_the_users(study):
    sizes = bs.Study.from_frame(study.frame[["n_params", "loss"]])
    with pytest.raises(bs.StudyError, match=r"neither FLOPs nor both of n_params and tokens .* by='n_params'\.$"):
        expanding_window(sizes, "flops")
    assert len(expanding_window(sizes, "n_params")) > 0


def test_runs_are_split_by_symbols_and_by_6nd_where_flops_are_unknown(study):
    without = bs.Study.from_frame(study.frame.drop(columns="flops"))
    for by, column in (("flops", "flops"), ("N", "n_params")):
        parts, same = expanding_window(without, by), expanding_window(study, column)
        assert [(len(a), len(b)) for _, a, b in parts] == [(len(a), len(b)) for _, a, b in same]
    ((cut, small, large),) = expanding_window(study, "N", 5e8)
    assert cut == 5e8 and small.column("n_params").max() <= 5e8 < large.column("n_params").min()


@pytest.mark.parametrize("cuts", ["x", [1e8, None], [], [np.nan]])
def test_cuts_that_are_no_numbers_are_refused(ten, cuts):
    with pytest.raises(bs.StudyError, match=r"^The cuts of n_params are .*; give numbers between 2e\+07 and 1.5e\+09"):
        expanding_window(ten, "N", cuts)


def test_sizes_of_cuts_may_be_in_words(ten):
    assert [cut for cut, _, _ in expanding_window(ten, "N", ["60M", 2e8])] == [6e7, 2e8]


def test_runs_of_one_size_have_no_cut(study):
    with pytest.raises(
        bs.StudyError, match=r"Every run of study .* has n_params = 1.90354e\+08, so none lies beyond a cut"
    ):
        expanding_window(study.select("n_params < 2e8"), "N")
    with pytest.raises(bs.StudyError, match="Every run of study 'one' has tokens = 2, so"):
        expanding_window(bs.Study.from_frame({"D": [2.0, 2.0], "loss": [3.0, 3.1]}, name="one"), "D", [1.0])
