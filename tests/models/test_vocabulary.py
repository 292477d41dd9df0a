import itertools

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Vocabulary

TRUTH = {"level": -4.0, "split": 0.5, "alpha_N": 0.2, "alpha_D": 1.0, "coupling": 1.0, "need": 0.2, "appetite": 0.1}
COLUMNS = ("n_params_non_vocab", "vocab_size", "num_characters")
GRID = list(itertools.product((5e7, 2e8, 8e8), (4096.0, 16384.0, 65536.0), (1e9, 8e9, 6e10)))


def loss(N, V, H, **changes):
    return np.asarray(Vocabulary().mean(N, V, H, 2e8, 16384.0, 8e9, **{**TRUTH, **changes}))


def test_where_one_is_short_the_loss_falls_by_its_slope_per_e_fold():
    assert loss(2e8 * np.e, 16384.0, 1e30) - loss(2e8, 16384.0, 1e30) == pytest.approx(-0.2, abs=1e-4)
    assert loss(1e30, 16384.0, 8e9 * np.e, appetite=0.0) - loss(1e30, 16384.0, 8e9, appetite=0.0) == pytest.approx(
        -1.0, abs=1e-4
    )


def test_a_larger_vocabulary_needs_more_text_by_its_power():
    np.testing.assert_allclose(loss(2e8, 65536.0, 8e9 * 4**0.2), loss(2e8, 16384.0, 8e9), rtol=1e-5)


@pytest.fixture(scope="module")
def posterior():
    design = pd.DataFrame(GRID, columns=COLUMNS)
    study = bs.simulate(Vocabulary(), design, {**TRUTH, "sigma": 0.01}, seed=3)
    assert (study.frame["unigram_normalised_loss"] < 0).all()
    return bs.fit(Vocabulary(), study, seed=0, draws=100, progress=False)


def test_a_fit_of_negative_losses_finds_what_was_put_in(posterior):
    for name in ("level", "alpha_N", "need"):
        draws = np.asarray(posterior.draws[name])
        assert abs(np.mean(draws) - TRUTH[name]) < 4 * np.std(draws), name


def test_targets_of_a_larger_vocabulary_are_forecast_below_zero(posterior):
    table = posterior.forecast({"n_params_non_vocab": 8e8, "vocab_size": 1e5, "num_characters": 1e11}).intervals()
    expected = float(
        Vocabulary().mean(8e8, 1e5, 1e11, *(np.exp(np.mean(np.log(c))) for c in zip(*GRID, strict=True)), **TRUTH)
    )
    assert table["q05"].item() - 0.1 < expected < table["q95"].item() + 0.1 < 0
    assert table["quantity"].item() == "unigram_normalised_loss"


def test_beyond_the_data_the_step_in_log_perplexity_is_stretched():
    law, at = Vocabulary(), dict(zip(COLUMNS, GRID[0], strict=True))
    references = {"n_params_non_vocab0": 2e8, "vocab_size0": 16384.0, "num_characters0": 8e9}
    fitted = {name: np.full(3, value) for name, value in at.items()} | references
    runs = {**fitted, "num_characters": np.full(3, 1e12)}
    edge, beyond = (np.asarray(law.at(r, TRUTH)) for r in (fitted, runs))
    found = np.asarray(law.extrapolated(runs, fitted, TRUTH, np.float64(-0.5)))
    np.testing.assert_allclose(found, edge + 0.5 * (beyond - edge), rtol=1e-5)
