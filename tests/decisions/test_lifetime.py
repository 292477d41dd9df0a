import numpy as np
import pytest

import bayes_scaling as bs
from tests.worlds import Textbook, by_compute, chinchilla, exact


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=40))


@pytest.fixture(scope="module")
def lives(surface):
    return bs.cheapest(surface, 2.15, [0.0, 1e12, 1e14])


def test_without_serving_it_is_the_training_optimum(surface, lives):
    needed = bs.reach(surface, 2.15)
    np.testing.assert_allclose(lives.N[:, 0], needed.N, rtol=1e-4)
    np.testing.assert_allclose(lives.training[:, 0], needed.flops, rtol=1e-8)
    assert (lives.saved[:, 0] < 1e-8).all()


def test_matches_a_search_in_closed_form(surface, lives):
    book = Textbook(surface)
    N = np.geomspace(1e8, 1e12, 20001)[:, None]
    with np.errstate(invalid="ignore"):
        D = (book.B / (2.15 - book.E - book.A * N**-book.a)) ** (1 / book.b)
        cost = 6 * N * D + 2 * N * 1e12
    np.testing.assert_allclose((lives.training + lives.inference)[:, 1], np.nanmin(cost, axis=0), rtol=1e-6)


def test_more_serving_calls_for_a_smaller_model_on_more_data(surface, lives):
    assert (np.diff(lives.N, axis=1) < 0).all() and (np.diff(lives.D, axis=1) > 0).all()
    assert (np.diff(lives.saved, axis=1) > 0).all()
    loss = surface.at(lives.N, lives.D)
    np.testing.assert_allclose(loss, 2.15, rtol=1e-9)
    table = lives.table()
    assert len(table) == 18 and (table["never"] == 0).all()


def test_with_the_discrepancy_the_target_is_met_too():
    bent = bs.Surface.of(chinchilla(count=40))
    found = bs.cheapest(bent, 2.15, 1e13)
    np.testing.assert_allclose(bent.at(found.N, found.D), 2.15, rtol=1e-6)


def test_tokens_may_be_given_in_words(surface, lives):
    found = bs.cheapest(surface, 2.15, ["0", "1T", 1e14])
    assert found.inference_tokens.tolist() == [0.0, 1e12, 1e14]
    np.testing.assert_array_equal(found.N, lives.N)


def test_never_is_an_answer(surface):
    found = bs.cheapest(surface, 1.0, 1e12)
    assert found.optimum.never == 1.0 and np.isinf(found.N).all()
    assert (found.table()["never"] == 1).all()


def test_what_makes_no_sense_is_refused(surface):
    for tokens in (-1.0, "many", np.nan):
        with pytest.raises(bs.DecisionError, match="inference tokens"):
            bs.cheapest(surface, 2.15, tokens)
    with pytest.raises(bs.LawError, match="reads C"):
        bs.cheapest(by_compute(), 2.1, 1e12)


def test_what_is_saved_is_of_the_draws_that_reach_the_target():
    surface = exact(chinchilla(count=40, E=np.where(np.arange(40) < 10, 2.5, 1.8)))
    found = bs.cheapest(surface, 2.15, [1e12, 1e14])
    assert found.optimum.never == 0.25 and np.isnan(found.saved[:10]).all()
    rows = found.table().set_index(["inference_tokens", "quantity"])
    for place, demand in enumerate(found.inference_tokens):
        row = rows.loc[(demand, "saved")]
        expected = np.quantile(found.saved[10:, place], [0.05, 0.5, 0.95], method="inverted_cdf")
        np.testing.assert_allclose(row[["q05", "median", "q95"]].astype(float), expected)
        assert np.isfinite(rows.loc[(demand, "n_params"), "median"])
        assert rows.loc[(demand, "n_params"), "q95"] == np.inf and row["never"] == 0.25


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_one_model_reaches_the_target_with_the_probability_asked_for(surface, lives, probability):
    book, found = Textbook(surface), lives.model(probability)
    assert found["inference_tokens"].tolist() == [0.0, 1e12, 1e14] and (found["probability"] == probability).all()
    for N, D, demand, paid in found[["n_params", "tokens", "inference_tokens", "lifetime_flops"]].to_numpy():
        share = np.mean(surface.at(np.array([N]), np.array([D * (1 + 1e-9)])) <= 2.15)
        assert share == pytest.approx(probability, abs=1.01 / len(surface)) and share >= probability
        sizes = np.geomspace(1e8, 1e12, 20001)[:, None]
        with np.errstate(invalid="ignore"):
            needed = (book.B / (2.15 - book.E - book.A * sizes**-book.a)) ** (1 / book.b)
        data = np.sort(np.where(np.isnan(needed), np.inf, needed), axis=1)[:, int(probability * 40) - 1]
        assert paid == pytest.approx(np.min(6 * sizes[:, 0] * data + 2 * sizes[:, 0] * demand), rel=1e-4)
    assert found["n_params"].is_monotonic_decreasing and found["tokens"].is_monotonic_increasing


def test_no_model_is_sure_where_some_draws_never_reach_the_target():
    life = bs.cheapest(exact(chinchilla(count=40, E=np.where(np.arange(40) < 10, 2.5, 1.8))), 2.15, 1e12)
    assert np.isinf(life.model(0.8)["n_params"]).all() and np.isfinite(life.model(0.7)["n_params"]).all()
    with pytest.raises(bs.DecisionError, match="probability is 1"):
        life.model(1.0)


def test_tokens_to_serve_are_in_a_row():
    with pytest.raises(bs.DecisionError, match=r"The inference tokens are .* give numbers from 0 on"):
        bs.cheapest(chinchilla(count=5), 2.0, [[1e12]])


def test_a_probability_may_be_text(surface):
    life = bs.cheapest(surface, 2.0, 1e13)
    assert life.model("0.9").equals(life.model(0.9))
