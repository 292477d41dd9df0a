import os

import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.allocation import optimal_size
from bayes_scaling.models import Chinchilla
from tests.worlds import GRID, Textbook, by_compute, chinchilla, exact, known


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla())


@pytest.mark.parametrize("budgets", [[1e21, 5.76e23], np.geomspace(1e19, 1e26, 60)], ids=["few", "many"])
def test_matches_the_closed_form(surface, budgets):
    book, found = Textbook(surface), bs.allocate(surface, budgets)
    for i, C in enumerate(found.flops):
        np.testing.assert_allclose(found.N[:, i], book.size(C), rtol=1e-5)
        np.testing.assert_allclose(found.outcome[:, i], book.best(C), rtol=1e-10)
    np.testing.assert_allclose(6 * found.N * found.D, np.broadcast_to(found.flops, found.N.shape), rtol=1e-12)
    assert not found.edge.any()


def test_exponents_are_those_of_the_closed_form(surface):
    slopes = bs.allocate(surface, [1e20, 1e22, 1e24]).slopes()
    p = surface.latent
    np.testing.assert_allclose(slopes["n_params"], p["alpha_D"] / (p["alpha_N"] + p["alpha_D"]), atol=1e-6)
    np.testing.assert_allclose(slopes["n_params"] + slopes["tokens"], 1.0, atol=1e-9)


def test_the_discrepancy_widens_the_loss_and_leaves_the_optimum():
    posterior = chinchilla()
    far = [bs.allocate(bs.Surface.of(posterior, discrepancy=on), 1e25) for on in (True, False)]
    np.testing.assert_array_equal(far[0].N, far[1].N)
    assert far[0].outcome.std() > 1.5 * far[1].outcome.std()
    inside = [bs.allocate(bs.Surface.of(posterior, discrepancy=on), 1e18).outcome for on in (True, False)]
    np.testing.assert_allclose(*inside)


class Bent(bs.Law):
    """A user's law with interaction and curvature, whose optimum has no closed form."""

    E: bs.Prior = 1.8
    a: bs.Prior = dist.LogNormal(-1.2, 0.3)

    def mean(self, N, D, *, E, a):
        x, y = N / 1e9, D / 2e10
        return E + (x**-a + y**-a) ** 1.2 + 0.05 * x**-0.1 * y**-0.2


def test_a_users_own_law_and_its_spline():
    surface = exact(known(Bent(), {"sigma": np.full(3, 0.01), "a": np.array([0.25, 0.3, 0.35])}))
    budgets = np.geomspace(1e19, 1e26, 41)
    smooth, direct = bs.allocate(surface, budgets), bs.allocate(surface, budgets[::10])
    np.testing.assert_allclose(smooth.N[:, ::10], direct.N, rtol=1e-4)
    np.testing.assert_allclose(smooth.outcome[:, ::10], direct.outcome, rtol=1e-10)
    for step in (0.9, 1.1):  # a neighbour is worse
        N = direct.N * step
        assert (surface.at(N, surface.rule.tokens(N, direct.flops)) > direct.outcome).all()


class Heavier(bs.Law):
    """Reads tokens and does not need them: a larger model is always better."""

    E: bs.Prior = 1.8

    def mean(self, N, D, *, E):
        return E + (N / 1e9) ** -0.3 + 0.0 * D


def test_a_law_without_an_optimum_says_so():
    found = bs.allocate(exact(known(Heavier(), {"sigma": np.full(3, 0.01)})), 1e22)
    assert (found.table()["no_optimum"] == 1.0).all()


def test_the_flop_rule_decides(surface):
    posterior = surface.posterior
    other = exact(posterior, flops=lambda N: 6 * N + 2e9)
    found = bs.allocate(other, 1e21)
    np.testing.assert_allclose((6 * found.N + 2e9) * found.D, 1e21, rtol=1e-12)
    assert (found.N != bs.allocate(surface, 1e21).N).all()


class Reward(bs.Law):
    """An outcome of a user's own, with a best split."""

    outcome = "reward"
    unit = "points"
    top: bs.Prior = dist.LogNormal(0.0, 1.0)

    def mean(self, N, D, *, top):
        return top / (1 + (N / 1e9) ** -0.3 + (D / 1e10) ** -0.3)


class Better(Reward):
    better = {"reward": "higher"}


class Worse(Reward):
    better = {"reward": "lower"}


def test_an_outcome_that_is_better_higher_is_maximised():
    draws = {"sigma": np.full(3, 0.01), "top": np.array([1.0, 2.0, 3.0])}
    table = GRID.assign(reward=0.5)
    surface = exact(known(Better(), draws, table))
    found = bs.allocate(surface, 1e21)
    assert not found.edge.any()
    np.testing.assert_allclose(found.N / found.N[0], 1.0, rtol=1e-5)  # the top scales all sizes alike
    for step in (0.8, 1.25):
        N = found.N * step
        assert (surface.at(N, surface.rule.tokens(N, 1e21)) < found.outcome).all()
    worst = exact(known(Worse(), draws, table))
    assert bs.allocate(worst, 1e21).edge.all()  # the least reward lies at the end of the range


def test_a_law_that_does_not_say_which_way_is_better_is_refused_with_what_to_write():
    posterior = known(Reward(), {"sigma": np.full(2, 0.01), "top": np.ones(2)}, GRID.assign(reward=0.5))
    with pytest.raises(bs.LawError) as caught:
        bs.allocate(posterior, 1e21)
    assert str(caught.value) == (
        "Reward does not say which way 'reward' is better; give the law better = {'reward': 'higher'}, or 'lower'."
    )


def test_the_table_is_long(surface):
    table = bs.allocate(surface, [1e21, 1e22]).table()
    assert list(table["quantity"]) == ["n_params", "tokens", "tokens_per_parameter", "loss"] * 2
    assert list(table["flops"]) == [1e21] * 4 + [1e22] * 4
    assert (table["q05"] < table["median"]).all() and (table["median"] < table["q95"]).all()


@pytest.mark.parametrize("budget", [0.0, -1e21, np.nan, np.inf, "much", [], [1e21, 0.0]])
def test_a_budget_that_is_not_positive_is_refused(surface, budget):
    with pytest.raises(bs.DecisionError, match=r"budget is .*; give positive numbers"):
        bs.allocate(surface, budget)


def test_inputs_to_choose_without_bounds_are_refused(surface):
    with pytest.raises(bs.DecisionError, match=r"^The inputs to choose are .*steps.*; give each with its bounds"):
        bs.allocate(surface, 1e22, over=["steps"])


@pytest.mark.parametrize("nothing", [None, {}, [], ()])
def test_nothing_to_choose_is_none_of_the_inputs(surface, nothing):
    assert bs.allocate(surface, 1e22, over=nothing).inputs == {}


def test_what_cannot_be_decided_is_refused(surface):
    with pytest.raises(bs.LawError, match="PowerLaw reads C"):
        bs.allocate(by_compute(), 1e21)
    with pytest.raises(bs.DecisionError, match="needs two budgets"):
        bs.allocate(surface, 1e21).exponents()


@pytest.mark.skipif("BAYES_SCALING_DATA" not in os.environ, reason="the 240 points are not embedded: no data folder")
def test_units_are_those_of_the_card():
    units = {"n_params": "parameters without embeddings", "tokens": "characters"}
    draws = {name: values for name, values in chinchilla().draws.items() if name in Chinchilla().priors}
    table = bs.allocate(known(Chinchilla(), draws, units=units), 1e22).table().set_index("quantity")
    assert table.at["n_params", "unit"] == units["n_params"] and table.at["tokens", "unit"] == units["tokens"]


def test_the_chinchilla_points_call_for_twenty_tokens_per_parameter():
    posterior = bs.fit(Chinchilla(), bs.load_study("chinchilla", progress=False), seed=0)
    found = bs.allocate(posterior, [1e20, 5.76e23])
    exponent = found.exponents().set_index("quantity").loc["n_params"]
    assert exponent["median"] == pytest.approx(0.51, abs=0.015)
    assert exponent["q05"] < 0.513 < exponent["q95"]  # Besiroglu et al. 2024
    ratio = found.table().query("quantity == 'tokens_per_parameter'").iloc[1]
    assert ratio["q05"] < 20 < ratio["q95"]


def test_sizes_that_wander_with_errors_of_the_exponents_are_solved_at_every_budget():
    surface, budgets = bs.Surface.of(chinchilla(count=20), exponent_error=0.25), np.geomspace(1e20, 1e26, 40)
    many = optimal_size(surface, budgets)
    np.testing.assert_allclose(many[:, 20:23], optimal_size(surface, budgets[20:23]), rtol=1e-9)
    assert surface.bent and not bs.Surface.of(surface.posterior).bent
    with pytest.raises(bs.DecisionError, match=r"exact beyond the runs, and exponent_error = 0\.25"):
        bs.Surface.of(surface.posterior, exponent_error=0.25, discrepancy=False)
