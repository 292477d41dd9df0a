from __future__ import annotations

import numpy as np
import pytest

from bayes_scaling.evaluation.held_out import SLOPES
from bayes_scaling.evaluation.weights import WORST, cut_scores, law_weights, mean_over, slope_weights, slopes_after


def test_several_counts_of_evidence_give_what_each_gives():
    rng = np.random.default_rng(0)
    cuts = [rng.normal(-1, 1, (len(SLOPES), runs)) for runs in (4, 7)]
    counts = np.array([0.0, 2.0])
    each = [slopes_after(cuts, (0.1, 0.2), count) for count in counts]
    assert np.allclose(slopes_after(cuts, (0.1, 0.2), counts[:, None]), each)
    scores = [cut_scores(cuts, (mean, 0.2)) for mean in (0.0, 0.4)]
    both = law_weights(scores, counts[:, None, None])
    assert np.allclose(both, [law_weights(scores, count) for count in counts]) and np.allclose(both[0], 0.5)


def test_weights_of_slopes_have_the_moments_asked_for():
    weight = slope_weights(0.3, 0.2)
    assert weight.sum() == pytest.approx(1) and weight @ SLOPES == pytest.approx(0.3, abs=0.02)


def test_what_is_known_up_to_weights_is_averaged_over_its_values():
    rng = np.random.default_rng(0)
    cuts = [rng.normal(-1, 1, (len(SLOPES), 5))]
    each = [slopes_after(cuts, (0.1, 0.2), count) for count in (0.0, 4.0)]
    mixed = mean_over(lambda counts: slopes_after(cuts, (0.1, 0.2), counts[:, None]), {0.0: 1.0, 4.0: 3.0})
    assert np.allclose(mixed, 0.25 * each[0] + 0.75 * each[1])
    assert np.allclose(mean_over(lambda counts: slopes_after(cuts, (0.1, 0.2), counts[:, None]), 4.0), each[1])


def test_without_cuts_laws_weigh_alike_at_any_sharpness():
    assert law_weights([[], []], np.ones((3, 1, 1))).tolist() == [[0.5, 0.5]] * 3
    assert law_weights([[], []], 2.0).tolist() == [0.5, 0.5]


def test_a_density_that_is_no_number_is_none_and_tells_nothing_of_the_slope():
    rng = np.random.default_rng(0)
    whole = rng.normal(-1, 1, (len(SLOPES), 4))
    one, all_of_them = whole.copy(), whole.copy()
    one[3, 1], all_of_them[:, 1] = np.nan, np.nan
    scores = [cut_scores([density], (0.1, 0.2))[0] for density in (whole, one, all_of_them)]
    assert scores[2][1] == WORST and scores[1][1] < scores[0][1] and np.isfinite(scores).all()
    assert np.array_equal(np.delete(scores, 1, axis=1), [np.delete(scores[0], 1)] * 3)
    weights = law_weights([[row] for row in scores], 4.0)
    assert weights.sum() == pytest.approx(1) and weights[0] > weights[1] > weights[2]
    silent = whole.copy()
    silent[:, 1] = 0.0
    for density in (one, all_of_them):
        assert np.array_equal(slopes_after([density], (0.1, 0.2), 4.0), slopes_after([silent], (0.1, 0.2), 4.0))
