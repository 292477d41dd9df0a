import math

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, RepeatedData
from tests.worlds import COUNT, GRID, by_compute, chinchilla, exact, known, superset

AT = {"N": 7e9, "D": 4e12}


def test_one_fit_is_paired_by_draws():
    posterior = chinchilla()
    more = bs.superiority(posterior, posterior, {"N": 8e9, "D": 4e12}, AT)
    assert more.paired and more.probability == 1.0 and (more.difference < 0).all()
    same = bs.superiority(posterior, posterior, AT)
    assert same.probability == 0.5 and (same.difference == 0).all()


def test_two_fits_are_independent():
    a, b = exact(chinchilla(seed=1)), exact(chinchilla(seed=2))
    found = bs.superiority(a, b, AT, seed=0)
    assert not found.paired
    expected = np.hypot(a.at(**_point(AT)).std(), b.at(**_point(AT)).std())
    assert found.difference.std() == pytest.approx(expected, rel=0.15)
    back = bs.superiority(b, a, AT, seed=0)
    assert found.probability + back.probability == pytest.approx(1.0, abs=0.05)


def test_other_draws_of_one_fit_are_not_paired():
    posterior = chinchilla()
    few = bs.Surface.of(posterior, samples=100)
    assert not bs.superiority(posterior, few, AT).paired
    assert bs.superiority(few, bs.Surface.of(posterior, samples=100), AT).paired


def test_a_lower_floor_wins():
    found = bs.superiority(chinchilla(seed=1, E=1.5), chinchilla(seed=2, E=2.2), AT)
    assert found.probability > 0.99
    assert found.table()["q95"].iloc[0] < 0


@pytest.mark.parametrize("discrepancy", [0.2, dist.LogNormal(math.log(0.2), 0.01)], ids=["number", "prior"])
def test_a_shared_error_of_the_laws_drops_out(discrepancy):
    """Whether they state it alike or not: what is left is that the draws of the two fits are not the same."""
    a, b = chinchilla(seed=1), known(Chinchilla(discrepancy=discrepancy), chinchilla(seed=1).draws)
    exactly = bs.superiority(exact(a), exact(b), AT).difference
    apart = bs.superiority(a, b, AT).difference
    together = bs.superiority(a, b, AT, shared_error=True).difference
    assert together.std() < 1.2 * exactly.std() < 0.8 * apart.std()


def test_laws_of_other_inputs_compare_at_their_own_targets():
    found = bs.superiority(chinchilla(), by_compute(), AT, {"C": 1.68e23})
    assert 0 <= found.probability <= 1


def test_targets_may_be_tables_of_one_row_and_one_that_says_nothing_is_refused():
    posterior, more = chinchilla(), {"N": 8e9, "D": 4e12}
    expected = bs.superiority(posterior, posterior, AT, more)
    found = bs.superiority(posterior, posterior, pd.DataFrame([AT]), pd.DataFrame([more]))
    np.testing.assert_array_equal(found.difference, expected.difference)
    with pytest.raises(bs.TargetError, match="and it gives nothing; add N"):
        bs.superiority(posterior, posterior, AT, {})


def test_what_cannot_be_compared_is_refused():
    draws = {name: values for name, values in chinchilla().draws.items()}
    words, bytewise = (known(Chinchilla(), draws, tokeniser=name) for name in ("words", "bytes"))
    with pytest.raises(bs.DecisionError, match=r"A and B differ in the tokeniser \('words' and 'bytes'\), so no"):
        bs.superiority(words, bytewise, AT)
    assert 0 <= bs.superiority(chinchilla(), words, AT).probability <= 1  # nothing is known of the first
    with pytest.raises(bs.TargetError, match="needs D"):
        bs.superiority(chinchilla(), chinchilla(), {"N": 7e9})


def test_a_further_input_of_a_target_counts_and_is_the_surfaces_where_the_target_has_none():
    values = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.01}
    draws = {name: np.full(COUNT, value) for name, value in (values | {"repeats": 15.0, "excess": 5.0}).items()}
    posterior = known(RepeatedData(), draws, GRID.assign(unique_tokens=GRID["D"]))
    surface = exact(posterior, given={"unique_tokens": 4e12})
    few = bs.superiority(surface, surface, AT, AT | {"unique_tokens": 1e10})
    assert few.probability == 1.0
    held = bs.superiority(surface, exact(posterior, given={"unique_tokens": 1e10}), AT)
    np.testing.assert_allclose(held.b, few.b)
    told = bs.superiority(posterior, posterior, AT | {"unique_tokens": 4e12}, AT | {"unique_tokens": 1e10})
    assert told.probability == 1.0
    with pytest.raises(bs.TargetError, match="needs unique_tokens"):
        bs.superiority(posterior, posterior, AT)


def test_a_law_whose_runs_may_lack_an_input_is_compared_with_it_and_without():
    posterior = superset()
    found = bs.superiority(exact(posterior), exact(posterior, given={"steps": 2000}), AT)
    np.testing.assert_allclose(found.b, found.a * 1.005)
    told = bs.superiority(exact(posterior), exact(posterior), AT, AT | {"steps": 2000})
    np.testing.assert_allclose(told.b, found.b)


def test_a_target_may_give_what_one_of_two_laws_reads_and_nothing_else():
    few, plain = superset(count=20), chinchilla(count=20)
    found = bs.superiority(few, plain, AT | {"steps": 2000}).a / bs.superiority(few, plain, AT).a
    assert (found > 1.001).all()
    for target in (AT | {"Q": 3}, AT | {"task": "web"}):
        with pytest.raises(bs.TargetError, match=rf"A target gives '{[*target][-1]}', which nothing reads; "):
            bs.superiority(plain, plain, target)
        with pytest.raises(bs.TargetError, match=rf"A target gives '{[*target][-1]}', which nothing reads; "):
            bs.superiority(bs.Surface.of(few, given={"steps": 1e4}), plain, target)


def test_one_target_is_compared_at_a_time():
    with pytest.raises(bs.DecisionError, match="2 targets are given"):
        bs.superiority(chinchilla(), chinchilla(), {"N": [7e9, 8e9], "D": [4e12, 4e12]})


def _point(target):
    return {name: np.array([value]) for name, value in target.items()}
