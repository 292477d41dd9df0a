import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import PowerLaw, RepeatedData
from tests.worlds import GRID, Textbook, by_compute, chinchilla, exact, known


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla())


def test_the_frontier_matches_the_closed_form(surface):
    found = bs.reach(surface, 2.1)
    np.testing.assert_allclose(found.flops, Textbook(surface).needed(2.1), rtol=1e-6)
    np.testing.assert_allclose(6 * found.N * found.D, found.flops, rtol=1e-9)
    assert found.never == 0.0


def test_at_fixed_size_and_at_fixed_data(surface):
    book = Textbook(surface)
    D = (book.B / (2.15 - book.E - book.A * 7e9**-book.a)) ** (1 / book.b)
    N = (book.A / (2.15 - book.E - book.B * 1e12**-book.b)) ** (1 / book.a)
    np.testing.assert_allclose(bs.reach(surface, 2.15, N=7e9).flops, 6 * 7e9 * D, rtol=1e-6)
    np.testing.assert_allclose(bs.reach(surface, 2.15, D=1e12).flops, 6 * N * 1e12, rtol=1e-6)
    assert bs.reach(surface, 2.15, N=7e9).along == "N = 7e+09"


def test_never_is_an_answer_with_its_probability(surface):
    found = bs.reach(surface, 1.8)
    never = ~(Textbook(surface).needed(1.8) <= 1e40)
    assert found.never == never.mean() > 0.4
    assert np.isinf(found.flops[never]).all() and np.isinf(found.N[never]).all()
    assert found.budget(0.95) == np.inf and np.isfinite(found.budget(0.3))
    assert found.table()["flops"].iloc[-1] == np.inf
    impossible = bs.reach(surface, 0.5)
    assert impossible.never == 1.0 and impossible.budget(0.01) == np.inf


def test_budget_and_probability_invert_each_other(surface):
    found = bs.reach(surface, 2.1)
    for p in (0.1, 0.5, 0.9):
        assert found.probability(found.budget(p)) == pytest.approx(p, abs=0.003)
    assert found.probability([1e9, 1e40]).tolist() == [0.0, 1.0]
    for wrong, said in ((1.0, "1.0; give one between 0 and 1"), ("x", "'x'; give positive"), (0, "0; give positive")):
        with pytest.raises(bs.DecisionError, match=f"^The probability is {said}"):
            found.budget(wrong)
    assert found.table(0.5)["flops"].tolist() == [found.budget(0.5)]
    for wrong in (np.nan, "x", -1.0, [1e20, np.nan]):
        with pytest.raises(bs.DecisionError, match=r"^The budget is .*; give positive numbers, such as 1e24 FLOPs"):
            found.probability(wrong)


def test_a_target_that_every_budget_reaches_is_said_to_be_such(surface):
    found = bs.reach(surface, 1e4)
    assert found.always == 1.0 and found.never == 0.0 and (found.table()["always"] == 1.0).all()
    np.testing.assert_allclose(found.flops, 1e9)
    assert bs.reach(surface, 2.1).always == 0.0


def test_a_law_of_compute_alone():
    surface = exact(by_compute())
    p = surface.latent
    C = surface.arrays["C0"] * (p["E"] * p["reducible"] / (2.1 - p["E"])) ** (1 / p["alpha_C"])
    np.testing.assert_allclose(bs.reach(surface, 2.1).flops, C, rtol=1e-6)
    with pytest.raises(bs.LawError, match="reads C"):
        bs.reach(surface, 2.1, N=7e9)


class Accuracy(bs.Law):
    outcome = "accuracy"
    unit = "fraction"
    ceiling: bs.Prior = dist.Uniform(0.5, 1.0)

    def mean(self, N, D, *, ceiling):
        return ceiling - 0.3 * (N / 1e9) ** -0.3 - 0.3 * (D / 2e10) ** -0.3


def test_more_accuracy_is_better():

    posterior = known(
        Accuracy(), {"sigma": np.full(2, 0.01), "ceiling": np.array([0.7, 0.9])}, GRID.assign(accuracy=0.5)
    )
    found = bs.reach(exact(posterior), 0.75)
    assert found.flops[0] == np.inf and np.isfinite(found.flops[1])
    with pytest.raises(bs.DecisionError, match=r"The accuracy to reach is 75, above 1; give a fraction, such as 0.7"):
        bs.reach(exact(posterior), 75.0)
    at = exact(posterior).at(found.N[1:, None].repeat(2, 0), found.D[1:, None].repeat(2, 0))
    assert at[1, 0] == pytest.approx(0.75, abs=1e-8)


class Gap(bs.Law):
    """A gap below zero, straight in the log of compute."""

    level: bs.Prior = dist.Normal(0.0, 1.0)
    outcome = "gap"
    signed = ("gap",)
    better = {"gap": "lower"}

    def mean(self, C, *, level):
        return level - jnp.log10(C / 1e18)

    def likelihood(self, mean, sigma):
        return dist.Normal(mean, sigma)


def test_an_outcome_of_any_sign_may_be_reached_below_zero():
    level = np.array([-0.1, 0.0, 0.2])
    table = GRID.assign(C=6 * GRID["N"] * GRID["D"], gap=-1.0)
    surface = exact(known(Gap(), {"level": level, "sigma": np.full(3, 0.01)}, table))
    np.testing.assert_allclose(bs.reach(surface, -3.0).flops, 10 ** (21 + level), rtol=1e-6)
    with pytest.raises(bs.DecisionError, match="The gap to reach is inf; give finite numbers"):
        bs.reach(surface, np.inf)


def test_a_law_of_another_column_is_refused_at_once():
    draws = {"E": 1.8, "reducible": 0.5, "alpha_C": 0.3, "sigma": 0.01}
    table = pd.DataFrame({"examples": np.geomspace(1e4, 1e7, 12)})
    posterior = known(PowerLaw(column="examples"), {n: np.full(2, v) for n, v in draws.items()}, table)
    with pytest.raises(bs.LawError, match=r"PowerLaw reads examples; fit a law of N and D, or of C[.]$"):
        bs.reach(posterior, 2.1)
    with pytest.raises(bs.LawError, match=r"PowerLaw reads examples, which do not tell FLOPs; fit a law of N"):
        _ = bs.Surface.of(posterior).fitted_flops
    assert bs.superiority(posterior, posterior, {"examples": 1e9}, {"examples": 1e8}).probability == 1.0


def test_the_discrepancy_widens_the_answer():
    posterior = chinchilla()
    ours, bare = (np.log(bs.reach(bs.Surface.of(posterior, discrepancy=on), 2.1).flops) for on in (True, False))
    assert ours.std() > 1.5 * bare.std()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0.0}, "loss to reach is 0.0"),
        ({"target": "low"}, "loss to reach is 'low'"),
        ({"target": [2.0, 2.1]}, r"loss to reach is \[2.0, 2.1\]; give one number"),
        ({"target": 2.1, "N": -1.0}, "The N is -1.0"),
        ({"target": 2.1, "D": [1e12, 2e12]}, "The D is .*; give one number"),
        ({"target": 2.1, "N": 7e9, "D": 1e12}, "nothing is left to choose"),
    ],
)
def test_what_makes_no_sense_is_refused(surface, options, message):
    with pytest.raises(bs.DecisionError, match=message):
        bs.reach(surface, **options)


def test_a_law_that_saturates_is_asked_without_warnings():
    """Warnings are errors here; sizes are looked at for which numbers end."""
    draws = chinchilla(count=30).draws | {"repeats": np.full(30, 15.0), "excess": np.full(30, 5.0)}
    fit = known(RepeatedData(), draws, GRID.assign(unique_tokens=GRID["D"]))
    surface = exact(fit, given={"unique_tokens": 1e10})
    assert np.isinf(bs.reach(surface, 1.81).flops).any() and np.isfinite(bs.reach(surface, 2.3, N=2e9).flops).any()
    assert np.isfinite(bs.cheapest(surface, 2.3, 1e12).N).any()
