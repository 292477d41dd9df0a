import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.models import JointExperts, RepeatedData
from bayes_scaling.models.chinchilla import textbook
from tests.worlds import GRID, chinchilla, exact, known


class Rated(bs.Law):
    """Chinchilla, and a learning rate that is best at a power of the size."""

    E: bs.Prior = 1.8
    alpha: bs.Prior = dist.LogNormal(-1.2, 0.3)

    def mean(self, N, D, rate, *, E, alpha):
        off = jnp.log(rate / 1e-3) + 0.5 * jnp.log(N / 1e9)
        return E + (N / 1e9) ** -alpha + (D / 2e10) ** -alpha + 0.1 * off**2


@pytest.fixture(scope="module")
def rated():
    return known(Rated(), {"sigma": np.full(3, 0.01), "alpha": np.array([0.25, 0.3, 0.35])}, GRID.assign(rate=1e-3))


def test_a_further_input_is_chosen_within_its_bounds(rated):
    """Where the rate is free it is best at its power of N, and N and D are as without it: equal exponents."""
    found = bs.allocate(rated, [1e21, 1e22], over={"rate": (1e-6, 1.0)})
    np.testing.assert_allclose(
        found.N, np.broadcast_to(np.sqrt(found.flops / 6 * 1e9 / 2e10), found.N.shape), rtol=1e-3
    )
    np.testing.assert_allclose(found.inputs["rate"], 1e-3 * (found.N / 1e9) ** -0.5, rtol=1e-3)
    rows = found.table().query("quantity == 'rate'")
    assert list(rows["flops"]) == [1e21, 1e22] and (rows["q05"] < rows["median"]).all()
    held = bs.allocate(rated, 1e22, over={"rate": (1e-2, 1.0)})  # all too high: the lowest, and a smaller model
    np.testing.assert_allclose(held.inputs["rate"], 1e-2)
    assert (held.N < found.N[:, [1]]).all()
    assert (held.outcome > found.outcome[:, [1]]).all()


def test_unique_tokens_at_hand_say_how_often_to_repeat_them():
    """With more unique tokens than are seen the split is Chinchilla's; with fewer they are seen more than once."""
    law, count = RepeatedData(), 4
    draws = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.01}
    same = chinchilla(count=count, **draws)
    draws |= {"repeats": 15.0, "excess": 5.0}
    fit = known(law, {n: np.full(count, v) for n, v in draws.items()}, GRID.assign(unique_tokens=GRID["D"]))
    plenty, few = (
        bs.allocate(bs.Surface.of(fit, given={"unique_tokens": u}, discrepancy=False), 1e22) for u in (1e15, 1e10)
    )
    best = bs.allocate(exact(same), 1e22)
    np.testing.assert_allclose(plenty.N, best.N, rtol=1e-5)
    np.testing.assert_allclose(plenty.outcome, best.outcome, rtol=1e-9)
    assert (few.outcome > plenty.outcome).all() and (few.D / 1e10 > 1.5).all()


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"rate": (1e-2, 1e-3)}, "bounds of rate are .*give the lower and the upper one"),
        ({"rate": 1e-3}, "bounds of rate are 0.001"),
        ({"rate": (0.0, 1.0)}, "bound of rate is 0;"),
        ({"N": (1e8, 1e9)}, "no further input 'N' to choose; known: rate"),
        ({"steps": (1e3, 1e5)}, "no further input 'steps' to choose; known: rate"),
    ],
)
def test_bounds_that_are_none_are_refused(rated, over, said):
    with pytest.raises((bs.DecisionError, bs.LawError), match=said):
        bs.allocate(rated, 1e22, over=over)


@pytest.fixture(scope="module")
def routed():
    """A fit in which X experts count as X^(1/2) dense models."""
    law = JointExperts(E=1.8, reducible=0.6, split=0.5, alpha_D=0.28, worth=1.0, gain=0.5)
    draws = {"sigma": np.full(3, 0.01), "alpha_N": np.array([0.3, 0.34, 0.4])}
    return known(law, draws, GRID.assign(num_experts=1.0))


def test_experts_at_a_memory_limit_are_those_of_the_closed_form(routed):
    """With N X = M the loss is ``E + A (M X^(g-1))^-alpha + B (C X / 6 M)^-beta``, whose minimum over X is known."""
    C, M, g, beta, alpha = 1e22, 2e10, 0.5, 0.28, routed.draws["alpha_N"].reshape(-1, 1)
    found = bs.allocate(routed, C, over={"num_experts": (1, 256)}, within=lambda N, num_experts: N * num_experts <= M)
    runs = routed.law.arrays(routed.study)[0]
    book = textbook(runs, 1.8, 0.6, 0.5, alpha, beta)
    by_size, by_data = alpha * (1 - g) * book["A"] * M**-alpha, beta * book["B"] * (C / 6 / M) ** -beta
    best = (by_data / by_size) ** (1 / (alpha * (1 - g) + beta))
    assert (best > 2).all() and (best < 100).all()
    np.testing.assert_allclose(found.inputs["num_experts"], best, rtol=1e-3)
    np.testing.assert_allclose(found.N * found.inputs["num_experts"], M, rtol=1e-6)
    assert (found.N * found.inputs["num_experts"] <= M).all()
    free = bs.allocate(routed, C, over={"num_experts": (1, 256)})
    np.testing.assert_allclose(free.inputs["num_experts"], 256)  # without a limit more experts are always better
    assert (free.outcome < found.outcome).all()
    wide = bs.allocate(routed, C, over={"num_experts": (1, 256)}, within=lambda N, num_experts: N < 1e15)
    np.testing.assert_allclose(wide.N, free.N, rtol=1e-5)


def test_a_limit_of_size_alone_is_kept():
    surface = exact(chinchilla())
    free, held = bs.allocate(surface, 1e22), bs.allocate(surface, 1e22, within=lambda N: N <= 1e9)
    assert (free.N > 1e9).all()
    np.testing.assert_allclose(held.N, 1e9)
    np.testing.assert_allclose(held.D, 1e22 / 6e9)


@pytest.mark.parametrize(
    ("within", "words"),
    [
        (lambda N, num_experts: N * num_experts <= 1.0, "no room for any model"),
        (lambda N: N <= 1e9, "does not take N, num_experts by name"),
        (lambda N, num_experts: 2 * N, "does not say true or false"),
    ],
)
def test_a_limit_that_says_nothing_useful_is_refused(routed, within, words):
    with pytest.raises(bs.DecisionError, match=words):
        bs.allocate(routed, 1e22, over={"num_experts": (1, 256)}, within=within)


def test_what_a_limit_itself_raises_is_its_own(routed):
    def within(N, num_experts):
        raise TypeError("of the memory nothing is known")

    with pytest.raises(TypeError, match="of the memory nothing is known"):
        bs.allocate(routed, 1e22, over={"num_experts": (1, 256)}, within=within)


class Edged(Rated):
    """A law without a number for large runs."""

    def mean(self, N, D, rate, *, E, alpha):
        return super().mean(N, D, rate, E=E, alpha=alpha) + jnp.sqrt(50 - jnp.log(N * D))


def test_a_law_without_a_number_is_not_taken_for_want_of_room(rated):
    posterior = known(Edged(), rated.draws, rated.study.frame.assign(rate=1e-3))
    assert np.isfinite(bs.allocate(posterior, 1e21, over={"rate": (1e-6, 1.0)}).outcome).all()
    with pytest.raises(bs.LawError, match=r"Edged expects no loss that is a number of any model at 1e\+24 FLOPs;"):
        bs.allocate(posterior, [1e21, 1e24], over={"rate": (1e-6, 1.0)})
