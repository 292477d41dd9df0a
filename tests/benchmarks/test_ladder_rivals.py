from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ladder_rivals import direct, exponential


def test_the_direct_law_is_found_from_its_own_points_where_scores_are_missing():
    compute = np.geomspace(1e17, 1e20, 12)[:, None]
    accuracy = 0.25 + 0.75 * np.exp(-1.5 * (compute[:, 0] / 1e19) ** -0.2)
    accuracy[3] = np.nan
    found = direct(compute, accuracy, 0.25, np.array([[1e21]]))
    assert found == pytest.approx(0.25 + 0.75 * np.exp(-1.5 * 100**-0.2), abs=1e-6)


def test_a_direct_law_of_parameters_and_tokens_has_a_term_for_each():
    inputs = np.array([(n, d) for n in (1e8, 3e8, 1e9) for d in (2e9, 2e10, 2e11)])

    def truth(inputs):
        return np.exp(-0.8 * (inputs[:, 0] / 3e8) ** -0.3 - 0.5 * (inputs[:, 1] / 2e10) ** -0.2)

    later = np.array([[7e9, 1e12]])
    assert direct(inputs, truth(inputs), 0.0, later) == pytest.approx(truth(later), abs=1e-5)


def test_accuracies_of_zero_do_not_stop_the_direct_law():
    compute = np.geomspace(1e17, 1e20, 8)[:, None]
    assert direct(compute, np.zeros(8), 0.0, np.array([[1e21]])) == pytest.approx(0.0, abs=1e-3)


def test_exponential_decay_is_found_from_its_own_points():
    loss = np.linspace(2.5, 5, 12)
    found = exponential(loss, 0.8 - 0.9 * np.exp(-1.1 * (loss - 1)), np.array([2.2]))
    assert found == pytest.approx(0.8 - 0.9 * np.exp(-1.1 * 1.2), abs=1e-5)
