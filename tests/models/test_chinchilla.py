from __future__ import annotations

import os

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla

# The refit of Besiroglu et al. 2024 (arXiv 2404.10102, table 1) to the 240 points, with its bootstrap errors, and the
# estimate that Hoffmann et al. 2022 printed.
REFIT = {"E": (1.817, 0.026), "alpha_N": (0.347, 0.014), "alpha_D": (0.367, 0.021)}
PRINTED = {"E": 1.69, "alpha_N": 0.34, "alpha_D": 0.28}


@pytest.mark.skipif("BAYES_SCALING_DATA" not in os.environ, reason="the 240 points are not embedded: no data folder")
def test_the_published_refit_is_near_and_the_printed_estimate_far():
    posterior = bs.fit(Chinchilla(), bs.load_study("chinchilla", progress=False), seed=0, draws=500)
    assert posterior.diagnostics.converged
    draws = np.stack([posterior.draws[name] for name in REFIT], axis=1)
    for name, values, (refit, error) in zip(REFIT, draws.T, REFIT.values(), strict=True):
        assert abs(np.median(values) - refit) < 2 * error, name
    assert 478 / 2 < np.median(posterior.draws["A"]) < 478 * 2
    assert 2143 / 3 < np.median(posterior.draws["B"]) < 2143 * 3

    centred = np.array(list(PRINTED.values())) - draws.mean(axis=0)
    assert np.sqrt(centred @ np.linalg.solve(np.cov(draws.T), centred)) > 6  # in posterior standard deviations
