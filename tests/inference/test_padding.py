from __future__ import annotations

import numpy as np
import pytest

from bayes_scaling.inference.padding import bucket, edge_of_data, pad, pad_study
from bayes_scaling.law.pooling import SEEN
from bayes_scaling.models import Chinchilla
from tests.worlds import ladder, on_the_curve, pooled


def test_lengths_are_few_and_long_enough():
    lengths = [bucket(rows) for rows in range(1, 5000)]
    assert all(length >= rows for rows, length in enumerate(lengths, start=1))
    assert lengths == sorted(lengths) and len(set(lengths)) == 18
    assert max(length / rows for rows, length in enumerate(lengths, start=1) if rows > 16) < 1.5
    assert bucket(bucket(100)) == bucket(100)


def test_a_row_is_repeated_or_filled_and_scalars_are_left_alone():
    arrays = {"N": np.array([1.0, 2.0]), "loss": np.array([[1.0, 2.0], [3.0, 4.0]]), "N0": np.array(1.4)}
    repeated = pad(arrays, 4, ("N",))
    assert repeated["N"].tolist() == [1.0, 2.0, 2.0, 2.0] and repeated["N0"] is arrays["N0"]
    filled = pad(arrays, 3, ("loss",), np.nan)["loss"]
    assert filled[:2].tolist() == arrays["loss"].tolist() and np.isnan(filled[2]).all()
    assert arrays["N"].tolist() == [1.0, 2.0]  # what was given is not changed


@pytest.mark.parametrize(("rows", "length"), [(None, 16), (100, 128)])
def test_what_is_added_to_a_study_is_left_out(rows, length):
    frame = on_the_curve(0.005).head(9)
    runs = {"N": frame["N"].to_numpy(), "D": frame["D"].to_numpy(), "N0": 3e8, "D0": 8e9}
    padded, observed = pad_study(Chinchilla(), runs, {"loss": frame["loss"].to_numpy()}, rows)
    assert len(padded["N"]) == len(observed["loss"]) == length
    assert np.isfinite(padded["N"]).all() and np.isfinite(observed["loss"]).sum() == 9
    assert padded["N0"] == 3e8


def test_the_edge_of_the_data_has_no_invented_runs():
    posterior = ladder(count=2)
    runs, _ = posterior.law.arrays(posterior.study)
    edge = edge_of_data(posterior.law, {**runs, "N": runs["N"][:9], "D": runs["D"][:9]})
    assert len(edge["N"]) == 16 and np.isfinite(edge["N"]).sum() == 9
    assert edge["range"] is runs["range"]  # by series, not by run


def test_where_series_are_not_known_of_all_runs_the_edge_says_of_which_they_are():
    posterior = pooled(count=2)  # of the second series three runs are known
    runs, observed = posterior.law.arrays(posterior.study)
    edge = edge_of_data(posterior.law, runs, observed)
    assert edge[SEEN].shape == (16, 2) and edge[SEEN][:, 0].all() and edge[SEEN][:, 1].sum() == 3
    longer = {**runs, "N": np.append(runs["N"], 9e9), "D": np.append(runs["D"], 9e10)}  # one to be made is of all
    assert edge_of_data(posterior.law, longer, observed)[SEEN][16].all()
    whole = {"loss": np.ones((16, 2))}
    assert SEEN not in edge_of_data(posterior.law, runs, whole) and SEEN not in edge_of_data(posterior.law, runs)
