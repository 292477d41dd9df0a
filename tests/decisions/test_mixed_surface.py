from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.superiority import pair_draws
from bayes_scaling.errors import DecisionError
from bayes_scaling.models import FewSteps
from tests.worlds import GRID, by_compute, chinchilla, known, superset

AT = {"N": 7e9, "D": 4e12}
POINTS = np.array([1e9, 7e9]), np.array([2e10, 4e12])


@pytest.fixture(scope="module")
def fits():
    return {"small": chinchilla(count=60, seed=0), "large": chinchilla(count=60, seed=1)}


@pytest.fixture(scope="module")
def mixed(fits):
    return bs.mixed_surface(fits, {"small": 1.0, "large": 3.0}, seed=0)


def test_each_draw_is_one_of_its_law_with_its_own_slope_error(fits, mixed):
    whole = [bs.Surface.of(fit).at(*POINTS) for fit in fits.values()]
    expected = np.array([whole[part][place] for part, place in zip(mixed.part, mixed.place, strict=True)])
    np.testing.assert_allclose(mixed.at(*POINTS), expected, rtol=1e-9)


def test_each_law_is_held_at_what_it_reads_of_what_is_given(fits):
    law = FewSteps()
    draws = {name: np.full(60, 0.3) for name in law.free_parameters}
    few = known(law, draws, GRID.assign(steps=np.geomspace(1e3, 5e4, len(GRID))))
    found = bs.mixed_surface([few, fits["small"]], seed=0, given={"steps": 1e5})
    assert [part.given for part in found.parts] == [{"steps": 1e5}, {}]
    assert repr(found) == "MixedSurface(FewSteps + Chinchilla on 'known': loss; FLOPs 6ND, 60 draws)"
    with pytest.raises(bs.LawError, match="FewSteps also reads 'steps'"):
        bs.mixed_surface([few, fits["small"]], seed=0).at(*POINTS)
    with pytest.raises(
        bs.LawError, match="None of FewSteps and Chinchilla has a further input 'step'; did you mean 'steps'"
    ):
        bs.mixed_surface([few, fits["small"]], seed=0, given={"step": 1e5})


def test_a_run_says_what_a_law_of_less_weight_reads(fits):
    law = FewSteps()
    draws = {name: np.full(60, 0.3) for name in law.free_parameters}
    few = known(law, draws, GRID.assign(steps=np.geomspace(1e3, 5e4, len(GRID))))
    free, held = (bs.mixed_surface([few, fits["small"]], [1, 3], seed=0, given=g) for g in (None, {"steps": 1e5}))
    assert free.posterior is fits["small"]
    run = AT | {"steps": 1e5}
    told = bs.superiority(free, fits["large"], run)
    np.testing.assert_allclose(told.a, bs.superiority(held, fits["large"], AT).a)
    assert not np.allclose(told.a, bs.superiority(free, fits["large"], AT | {"steps": 2e3}).a)
    factors = [bs.speedup(fits["large"], surface, at=at).draws() for surface, at in ((free, run), (held, AT))]
    np.testing.assert_allclose(*factors)
    with pytest.raises(bs.TargetError, match="steps"):
        bs.superiority(free, fits["large"], AT)


def test_laws_are_drawn_by_their_weights_and_no_draw_twice(mixed):
    assert len(mixed) == 60
    assert np.bincount(mixed.part).tolist() == [15, 45]
    assert len(set(zip(mixed.part, mixed.place, strict=True))) == 60


def test_a_law_of_no_weight_takes_no_draws_from_the_others(fits):
    few = chinchilla(count=10)
    alone = bs.mixed_surface([fits["small"], few, fits["large"]], [1, 0, 3], seed=0)
    assert len(alone) == 60 and np.bincount(alone.part).tolist() == [15, 0, 45]
    assert len(bs.mixed_surface([fits["small"], few], [1, 1], seed=0)) == 10


def test_points_of_each_draw_reach_that_draw(mixed):
    own = np.linspace(1e9, 9e9, len(mixed))[:, None]
    each = [mixed.at(row, np.array([4e12]))[i, 0] for i, row in enumerate(own)]
    np.testing.assert_allclose(mixed.at(own, np.array([4e12]))[:, 0], each, rtol=1e-9)


def test_some_draws_are_those_draws(mixed):
    order = np.array([5, 3, 50])
    np.testing.assert_allclose(mixed.take(order).at(*POINTS), mixed.at(*POINTS)[order], rtol=1e-9)


def test_an_allocation_is_that_of_each_draws_own_law(fits, mixed):
    alone = {i: bs.allocate(fit, [1e21, 1e23]).N for i, fit in enumerate(fits.values())}
    expected = np.array([alone[part][place] for part, place in zip(mixed.part, mixed.place, strict=True)])
    np.testing.assert_allclose(bs.allocate(mixed, [1e21, 1e23]).N, expected, rtol=1e-3)


def test_an_input_to_choose_must_be_read_by_each_law(fits):
    fits = [superset(count=60), fits["small"]]
    for weights in ([3, 1], [1, 3]):
        mixed = bs.mixed_surface(fits, weights, seed=0)
        with pytest.raises(bs.LawError, match=r"^Chinchilla has no further input 'steps' to choose"):
            bs.allocate(mixed, 1e22, over={"steps": (1e3, 1e5)})


def test_disagreement_between_laws_widens_a_decision():
    one, other = chinchilla(alpha_N=0.28, alpha_D=0.36), chinchilla(alpha_N=0.36, alpha_D=0.28)
    widths = [np.ptp(np.quantile(np.log(bs.allocate(s, 1e24).N), [0.05, 0.95]))
              for s in (one, other, bs.mixed_surface([one, other], seed=0))]  # fmt: skip
    assert widths[2] > 2 * max(widths[:2])


def test_errors_of_the_exponents_are_each_laws_own(fits):
    mixed = bs.mixed_surface(fits, seed=0, exponent_error=0.25)
    alone = [bs.allocate(bs.Surface.of(fit, exponent_error=0.25), 1e24).N for fit in fits.values()]
    expected = np.array([alone[part][place] for part, place in zip(mixed.part, mixed.place, strict=True)])
    np.testing.assert_allclose(bs.allocate(mixed, 1e24).N, expected, rtol=1e-3)


def test_regret_and_reach_are_decided_on_it(mixed):
    assert bs.regret(mixed, 1e23, [1e9, 1e10]).table()["median"].notna().all()
    assert (bs.reach(mixed, 2.3).flops > 0).all()


def test_a_mixture_is_paired_with_itself_and_not_with_one_of_its_laws(fits, mixed):
    same = bs.superiority(mixed, mixed, AT)
    assert same.paired and same.probability == 0.5 and (same.difference == 0).all()
    assert bs.superiority(mixed, mixed, AT, {"N": 1e9, "D": 2e10}).probability == 1
    again = bs.mixed_surface(fits, {"small": 1.0, "large": 3.0}, seed=0)
    assert bs.superiority(mixed, again, AT).paired
    for other in (bs.mixed_surface(fits, seed=0), fits["large"]):
        assert not bs.superiority(mixed, other, AT).paired


def test_errors_of_a_mixture_are_shared_apart_or_switched_off(mixed):
    other = bs.mixed_surface([chinchilla(count=60, seed=i) for i in (2, 3)], seed=0)
    first, together, paired = pair_draws(mixed, other, seed=0, shared_error=True)
    _, apart, _ = pair_draws(mixed, other, seed=0, shared_error=False)
    steps = [(s.at(*POINTS) - s.at(*POINTS, exact=True))[:, 1] for s in (first, together, apart)]
    assert not paired and np.corrcoef(steps[0], steps[1])[0, 1] > 0.95 > 0.5 > np.corrcoef(steps[0], steps[2])[0, 1]
    without = dataclasses.replace(mixed, discrepancy=False)
    np.testing.assert_array_equal(without.at(*POINTS), mixed.at(*POINTS, exact=True))
    assert np.abs(without.at(*POINTS) - mixed.at(*POINTS)).max() > 1e-3


def test_one_fit_alone_has_its_own_surface(fits):
    alone = bs.mixed_surface([fits["small"]], seed=0)
    np.testing.assert_allclose(alone.at(*POINTS), bs.Surface.of(fits["small"]).at(*POINTS))
    assert not alone.several


def test_what_cannot_be_mixed_is_refused(fits, mixed):
    with pytest.raises(DecisionError, match="no fit to mix"):
        bs.mixed_surface({}, seed=0)
    with pytest.raises(DecisionError, match=r"^There is a fit of 'large' and no weight; name fits and weights"):
        bs.mixed_surface(fits, pd.Series({"small": 1.0}), seed=0)
    with pytest.raises(DecisionError, match=r"^The fits are a Posterior; give a list of what bs[.]fit returns[.]$"):
        bs.mixed_surface(fits["small"], seed=0)
    for weights in (3, [1.0]):
        with pytest.raises(DecisionError, match=r"^The weights are .*, of 2 fits; give each fit one weight[.]$"):
            bs.mixed_surface(list(fits.values()), weights, seed=0)
    with pytest.raises(DecisionError, match="at least 0"):
        bs.mixed_surface(list(fits.values()), [1.0, -1.0], seed=0)
    with pytest.raises(DecisionError, match=r"The weights are inf and 1\.0; give numbers of at least 0"):
        bs.mixed_surface(list(fits.values()), [np.inf, 1.0], seed=0)
    with pytest.raises(DecisionError, match="one law"):
        bs.next_runs(mixed, [{"N": 1e9, "D": 1e11}], {"N": 7e9, "D": 4e12})
    with pytest.raises(DecisionError, match="differ in what they read"):
        bs.mixed_surface([fits["small"], by_compute(count=60)], seed=0)
