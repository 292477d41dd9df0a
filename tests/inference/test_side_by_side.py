from __future__ import annotations

import jax
import numpy as np
import pytest

from bayes_scaling.inference.side_by_side import run_side_by_side, stacked


@jax.jit
def noisy_sums(first, keys, rows):
    return jax.vmap(lambda a, key, row: (a["x"] + row.sum(), jax.random.normal(key)))(first, keys, rows)


WORK = [({"x": float(i)}, np.full(3 if i % 2 else 5, 10.0)) for i in range(7)]


def test_each_piece_gets_its_own_result_whatever_its_shape():
    found = dict(run_side_by_side(noisy_sums, WORK, seed=0, width=2))
    assert sorted(found) == list(range(7))
    assert [found[i][0] for i in range(7)] == [i + (30 if i % 2 else 50) for i in range(7)]
    assert len({float(noise) for _, noise in found.values()}) == 7


def test_pieces_of_one_number_share_their_draws():
    found = dict(run_side_by_side(noisy_sums, WORK, seed=0, width=2, numbers=[3, 4] * 3 + [3]))
    assert len({float(found[i][1]) for i in (0, 2, 4, 6)}) == 1 and float(found[1][1]) != float(found[0][1])


def test_draws_hang_on_the_place_and_not_on_the_width():
    narrow, wide = (dict(run_side_by_side(noisy_sums, WORK, seed=3, width=width)) for width in (1, 4))
    assert all(narrow[i][1] == pytest.approx(wide[i][1]) for i in range(7))
    assert dict(run_side_by_side(noisy_sums, WORK, seed=4, width=4))[0][1] != wide[0][1]


def test_trees_of_one_structure_are_stacked():
    both = stacked([{"a": 1.0}, {"a": 2.0}])
    assert both["a"].tolist() == [1.0, 2.0]


def test_flags_stay_flags_and_whole_numbers_become_real_ones():
    flags, mixed, counts = stacked([(np.array(True), True, 1), (np.array([False])[0], 2.0, 2)])
    assert flags.tolist() == [True, False] and flags.dtype == bool
    assert mixed.tolist() == [1.0, 2.0] and np.issubdtype(mixed.dtype, np.floating)
    assert counts.tolist() == [1.0, 2.0] and np.issubdtype(counts.dtype, np.floating)
