import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.allocation import optimal_size
from tests.worlds import Textbook, by_compute, chinchilla, exact


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=60))


def test_matches_the_closed_form(surface):
    book = Textbook(surface)
    found = bs.regret(surface, 1e23, [1e9, 3e10, 1e12])
    for i, N in enumerate(found.N):
        loss = book.loss(N, 1e23 / 6 / N)
        np.testing.assert_allclose(found.outcome[:, i], loss - book.best(1e23), atol=1e-10)
        np.testing.assert_allclose(found.waste[:, i], 1e23 / book.needed(loss), rtol=1e-4)


def test_the_optimum_wastes_nothing(surface):
    best = bs.allocate(surface, 1e23).N[:, 0]
    found = bs.regret(surface, 1e23, np.sort(best)[[0, 30, -1]])
    assert (found.outcome >= 0).all() and (found.waste >= 1 - 1e-12).all()
    assert found.waste[np.argsort(best)[30], 1] == pytest.approx(1.0, abs=1e-6)


def test_the_choice_is_near_the_median_optimum(surface):
    found = bs.regret(surface, 1e23)
    assert np.median(found.best) / 1.3 < found.choice < np.median(found.best) * 1.3
    table = found.table()
    assert set(table["quantity"]) == {"loss", "compute"} and len(table) == 2 * len(found.N)


def test_the_compute_equivalent_does_not_depend_on_the_discrepancy(surface):
    bent = bs.Surface.of(surface.posterior)
    one, two = (bs.regret(s, 1e23, [1e10]).waste for s in (surface, bent))
    np.testing.assert_allclose(one, two)


def test_sizes_may_be_given_in_words(surface):
    assert bs.regret(surface, 1e23, ["7B", "13B"]).N.tolist() == [7e9, 1.3e10]


def test_what_makes_no_sense_is_refused(surface):
    with pytest.raises(bs.DecisionError, match=r"The budget is .*; give one number"):
        bs.regret(surface, [1e21, 1e22])
    with pytest.raises(bs.DecisionError, match="size is"):
        bs.regret(surface, 1e21, [0.0])
    with pytest.raises(bs.LawError, match="reads C"):
        bs.regret(by_compute(), 1e21)


def test_where_exponents_err_each_budget_has_its_own_best_size(surface):
    """Best sizes turn at every step of the exponents' error: between budgets they are not to be interpolated."""
    bent = bs.Surface.of(surface.posterior, exponent_error=0.5)
    found = bs.regret(bent, 1e25, [1e10, 3e12])
    spent = 1e25 / found.waste  # with which the frontier is as good as the budget at this size
    best = optimal_size(bent, spent)
    np.testing.assert_allclose(
        bent.ranked(best, bent.rule.tokens(best, spent)),
        bent.ranked(found.N, bent.rule.tokens(found.N, 1e25)),
        rtol=1e-4,
    )
