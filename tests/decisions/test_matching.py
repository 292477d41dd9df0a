import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.matching import cost_of, inputs_of, needed_for, point_of, read_scale, routes
from bayes_scaling.models import Chinchilla, PowerLaw
from tests.worlds import Textbook, by_compute, chinchilla, exact

FAR = 1e22


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=30))


def test_a_point_is_the_best_split_of_a_budget_or_the_run_given(surface):
    best = point_of(surface, {"C": FAR})
    np.testing.assert_allclose(best["N"][:, 0], Textbook(surface).size(FAR), rtol=1e-5)
    np.testing.assert_allclose(cost_of(surface, best), FAR, rtol=1e-9)
    run = point_of(surface, {"N": 7e9, "D": 4e12})
    assert run["N"].shape == (30, 1) and set(run["D"][:, 0]) == {4e12}
    flops = exact(by_compute(count=30))
    assert inputs_of(flops, point_of(flops, {"C": FAR})).keys() == {"C"}


def test_the_route_of_best_sizes_is_interpolated_well(surface):
    route = routes(surface, surface, point_of(surface, {"C": FAR}), {"C": FAR})["flops"]
    for factor in (1e-3, 0.5, 1.0, 37.0, 1e5):
        found = route(np.full((30, 1), np.log(factor)))
        np.testing.assert_allclose(found["N"][:, 0], Textbook(surface).size(FAR * factor), rtol=1e-4)
        np.testing.assert_allclose(cost_of(surface, found), FAR * factor, rtol=1e-9)


def test_what_is_out_of_reach_needs_infinitely_much(surface):
    start = point_of(surface, {"C": FAR})
    ways = routes(surface, surface, start, {"C": FAR})
    found = needed_for(surface, np.full((30, 1), 1.0), ways["flops"])
    assert all(np.isinf(found[name]).all() for name in "NDC")
    here = needed_for(surface, surface.at(**inputs_of(surface, start)), ways["tokens"])
    np.testing.assert_allclose(here["D"], start["D"], rtol=1e-6)


def test_a_scale_is_flops_or_a_run():
    both = [Chinchilla(), PowerLaw()]
    assert read_scale([1e21, 1e22], both) == [{"C": 1e21}, {"C": 1e22}]
    assert read_scale({"flops": 1e21, "target": "far"}, both) == [{"C": 1e21}]
    assert read_scale({"n_params": 7e9, "tokens": 4e12}, both[:1]) == [{"N": 7e9, "D": 4e12}]
    with pytest.raises(bs.LawError, match="PowerLaw reads C"):
        read_scale({"N": 7e9, "D": 4e12}, both)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (-1.0, "scale is -1.0; give positive numbers"),
        ([], "scale is"),
        ({"N": 7e9}, "scale gives N; give training FLOPs, as in at=1e24"),
        ({"N": 7e9, "D": 0.0}, "scale's D is 0"),
        ({}, "scale gives nothing"),
    ],
)
def test_what_is_no_scale_is_refused(at, message):
    with pytest.raises(bs.DecisionError, match=message):
        read_scale(at, [Chinchilla()])
