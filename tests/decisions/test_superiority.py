import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
from tests.worlds import by_compute, chinchilla, exact, known

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


def test_a_lower_floor_wins():
    found = bs.superiority(chinchilla(seed=1, E=1.5), chinchilla(seed=2, E=2.2), AT)
    assert found.probability > 0.99
    assert found.table()["q95"].iloc[0] < 0


def test_a_shared_error_of_the_laws_drops_out():
    a, b = chinchilla(seed=1), chinchilla(seed=1)
    apart = bs.superiority(a, b, AT).difference
    together = bs.superiority(a, b, AT, shared_error=True).difference
    assert together.std() < apart.std()


def test_laws_of_other_inputs_compare_at_their_own_targets():
    found = bs.superiority(chinchilla(), by_compute(), AT, {"C": 1.68e23})
    assert 0 <= found.probability <= 1


def test_what_cannot_be_compared_is_refused():
    draws = {name: values for name, values in chinchilla().draws.items()}
    other = known(Chinchilla(), draws, tokeniser="words")
    with pytest.raises(bs.DecisionError, match="different tokenisers"):
        bs.superiority(chinchilla(), other, AT)
    with pytest.raises(bs.TargetError, match="needs D"):
        bs.superiority(chinchilla(), chinchilla(), {"N": 7e9})


def _point(target):
    return {name: np.array([value]) for name, value in target.items()}
