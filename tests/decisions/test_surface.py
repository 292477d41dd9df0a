import dataclasses

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions import surface as surfaces
from bayes_scaling.decisions.surface import as_surface
from bayes_scaling.models import FewSteps, PowerLaw, SupersetInCompute, SupersetInFlops
from tests.worlds import GRID, Textbook, by_compute, chinchilla, exact, known, ladder, pooled, superset


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=50))


def test_the_surface_agrees_with_the_forecast():
    posterior = chinchilla()
    target = {"N": 7e9, "D": 4e12}
    forecast = posterior.forecast(target).draws["loss_mean"].to_numpy()
    np.testing.assert_allclose(bs.Surface.of(posterior).at(**{k: np.array([v]) for k, v in target.items()}), forecast)


def test_the_exact_surface_is_the_closed_form(surface):
    N, D = np.array([1e9, 7e9]), np.array([2e10, 4e12])
    expected = np.column_stack([Textbook(surface).loss(n, d) for n, d in zip(N, D, strict=True)])
    np.testing.assert_allclose(surface.at(N, D), expected, rtol=1e-8)
    np.testing.assert_allclose(bs.Surface.of(surface.posterior).at(N, D, exact=True), expected, rtol=1e-8)


def test_each_draw_may_be_asked_at_points_of_its_own(surface):
    own = np.linspace(1e9, 9e9, len(surface))[:, None]
    np.testing.assert_allclose(
        surface.at(own, np.array([4e12]))[:, 0], Textbook(surface).loss(own[:, 0], 4e12), rtol=1e-8
    )


def test_many_points_are_evaluated_in_parts(surface, monkeypatch):
    N = np.geomspace(1e8, 1e10, 40)
    whole = surface.at(N, 20 * N)
    monkeypatch.setattr(surfaces, "CHUNK", 16 * len(surface))
    np.testing.assert_allclose(surface.at(N, 20 * N), whole, rtol=1e-12)


def test_runs_further_out_move_the_edge(surface):
    posterior = surface.posterior
    N, D = np.array([7e9]), np.array([4e12])
    near = bs.Surface.of(posterior).at(N, D)
    arrays = bs.Surface.of(posterior).arrays
    fitted = {"N": np.append(arrays["N"], [7e9] * 3), "D": np.append(arrays["D"], [4e12] * 3)}
    moved = bs.Surface.of(posterior).at(N, D, fitted=fitted)
    assert near.std() > 1.5 * moved.std()


def test_some_draws_are_those_draws_with_their_slope_errors(surface):
    whole = bs.Surface.of(surface.posterior)
    order = np.array([9, 3, 3, 40])
    few = whole.take(order)
    N, D = np.array([7e9]), np.array([4e12])
    assert len(few) == 4
    np.testing.assert_allclose(few.at(N, D), whole.at(N, D)[order], rtol=1e-12)


def test_exponents_may_be_off_beyond_the_fitted_runs_only(surface):
    off = bs.Surface.of(surface.posterior, exponent_error=0.25)
    middle = np.exp(np.log(surface.arrays["N"]).mean()), np.exp(np.log(surface.arrays["D"]).mean())
    np.testing.assert_allclose(off.at(*(np.array([x]) for x in middle)), surface.at(*middle), rtol=1e-12)
    far = np.array([1e11]), np.array([1e13])
    assert (np.abs(np.log(off.at(*far) / surface.at(*far))) > 1e-3).mean() > 0.9
    np.testing.assert_allclose(off.at(*far, exact=True), surface.at(*far), rtol=1e-12)


def test_a_law_of_one_input_has_one_error_of_its_exponent():
    draws = {"E": np.full(200, 1.8), "reducible": np.full(200, 0.5), "alpha_C": np.full(200, 0.3)}
    of_data = known(PowerLaw(column="tokens"), draws | {"sigma": np.full(200, 0.01)}, GRID)
    for posterior, scale in ((by_compute(), {"C": np.array([1e18, 1e23])}), (of_data, {"D": np.array([5e9, 1e14])})):
        plain, off = (bs.Surface.of(posterior, exponent_error=e).at(**scale, exact=e is None) for e in (None, 0.25))
        apart = np.abs(np.log(off / plain)).max(axis=0)
        assert apart[1] > 0.01 > apart[0]


def test_errors_of_the_exponents_put_the_best_size_in_doubt():
    certain = chinchilla(reducible=0.6, split=0.5, alpha_N=0.34, alpha_D=0.3)
    budgets = [1e22, 1e23, 1e24, 1e25, 1e26]
    of_outcomes, of_exponents = (
        np.log(bs.allocate(bs.Surface.of(certain, exponent_error=error), budgets).N) for error in (None, 0.25)
    )
    assert (of_outcomes.std(axis=0) < 1e-6).all() and of_exponents.std(axis=0)[2] > 0.2
    assert (np.diff(of_exponents.std(axis=0)) > -0.05).all()  # no surer further out
    np.testing.assert_allclose(of_exponents.mean(axis=0), of_outcomes.mean(axis=0), atol=0.2)


@pytest.mark.parametrize("bad", [0.0, -0.2, np.nan, "wide"])
def test_an_error_of_the_exponents_is_a_positive_number(surface, bad):
    with pytest.raises(bs.DecisionError, match=r"exponent_error.*0\.25"):
        bs.Surface.of(surface.posterior, exponent_error=bad)


def test_the_largest_error_of_the_exponents_stays_among_numbers():
    """Read beyond any scale there is, a law says its floor; no number overflows on the way (warnings are errors)."""
    off = bs.Surface.of(chinchilla(count=1000), exponent_error=1.0)
    far = off.at(np.array([1e3, 1e9, 1e60]), np.array([1e3, 1e60, 1e60]))
    assert np.isfinite(far).all() and (far[:, 2] >= off.latent["E"]).all()
    with pytest.raises(bs.DecisionError, match=r"exponent_error is 1\.5, .* 4\.48 times as large .*; give at most 1"):
        bs.Surface.of(off.posterior, exponent_error=1.5)


def test_the_noise_of_runs_is_theirs_alone(surface):
    N, D = np.array([1e9, 7e9]), np.array([2e10, 4e12])
    found = surface.noise(N=N, D=D)
    expected = 5 / 3 * (0.005 * surface.at(N, D).mean(0)) ** 2  # of Student t with five degrees of freedom
    assert found.shape == (2,) and (found > expected / 4).all() and (found < expected * 4).all()


class ByAll(bs.Law):
    E: bs.Prior = 1.8

    def mean(self, N, D, C, *, E):
        return E + (N / 1e9) ** -0.3 + (D / 1e10) ** -0.3 + 0.1 * (C / 1e20) ** -0.1


def test_conventions_are_not_mixed():
    table = GRID.assign(flops=8 * GRID["N"] * GRID["D"])
    posterior = known(ByAll(), {"sigma": np.full(2, 0.01)}, table)
    with pytest.raises(bs.DecisionError, match="use flops='study'"):
        bs.Surface.of(posterior)
    found = bs.allocate(exact(posterior, flops="study"), 1e21)
    np.testing.assert_allclose(8 * found.N * found.D, 1e21, rtol=1e-9)


def test_conventions_are_not_mixed_by_a_command(command):
    posterior = known(ByAll(), {"sigma": np.full(2, 0.01)}, GRID.assign(flops=8 * GRID["N"] * GRID["D"]))
    with pytest.raises(bs.DecisionError, match="use --flops study"):
        bs.Surface.of(posterior)


def test_accuracy_is_better_higher_and_a_series_is_chosen_by_its_task():
    posterior = ladder(count=20)
    found = bs.Surface.of(posterior, quantity="accuracy", series="two")
    assert (found.sign, found.series_index, found.unit) == (-1.0, (1,), "fraction")
    loss = bs.Surface.of(posterior, quantity="loss", series="two")
    assert (loss.sign, loss.series_index) == (1.0, (1,))
    with pytest.raises(
        bs.TargetError,
        match=r"2 series of accuracy; give one of one and two, .*posterior, series='one'\); with .*'loss' another",
    ):
        bs.reach(posterior, 0.6)
    with pytest.raises(
        bs.TargetError, match=r"posterior, quantity='loss', series='task_loss:one'\); with quantity='acc"
    ):
        bs.Surface.of(posterior, quantity="loss")
    with pytest.raises(bs.TargetError, match="2 series of accuracy; did you mean 'two'"):
        bs.Surface.of(posterior, quantity="accuracy", series="twoo")


def test_what_answers_first_in_a_forecast_decides_unless_another_series_is_named():
    posterior = ladder(count=20)
    assert (
        bs.Surface.of(posterior, series="two").quantity == posterior.forecast({"N": 7e9, "D": 4e12}).head == "accuracy"
    )
    assert bs.Surface.of(posterior, series="task_loss:two").quantity == "loss"
    assert (
        bs.Surface.of(posterior, series="two").series_index
        == bs.Surface.of(posterior, series="task_loss:two").series_index
    )
    with pytest.raises(bs.DecisionError, match="The accuracy to reach is 60, above 1"):
        bs.reach(bs.Surface.of(posterior, series="two"), 60)
    with pytest.raises(bs.TargetError, match="2 series of accuracy; did you mean 'two'"):
        bs.Surface.of(posterior, series="twoo")


def test_it_is_shown_in_one_line(surface):
    assert repr(surface) == "Surface(Chinchilla on 'known': loss; FLOPs 6ND, 50 draws)"
    task = bs.Surface.of(ladder(count=5), quantity="accuracy", series="two")
    assert repr(task) == "Surface(TwoStep on 'known': accuracy of two; FLOPs 6ND, 5 draws)"


def test_other_inputs_are_held_where_they_are_given():
    rng = np.random.default_rng(0)
    law = FewSteps()
    draws = {name: np.full(3, 0.3) for name in law.free_parameters}
    posterior = known(law, draws, GRID.assign(steps=rng.uniform(1e3, 5e4, len(GRID))))
    with pytest.raises(bs.LawError, match="FewSteps also reads 'steps'; give its value"):
        bs.Surface.of(posterior).at(np.array([1e9]), np.array([2e10]))
    with pytest.raises(bs.LawError, match="FewSteps also reads 'steps'; give its value"):
        bs.Surface.of(posterior).noise(N=np.array([1e9]), D=np.array([2e10]))
    with pytest.raises(bs.LawError, match="The value of 'steps' is -3, which FewSteps does not take"):
        bs.Surface.of(posterior, given={"steps": -3})
    values = [exact(posterior, given={"steps": steps}).at(np.array([1e9]), np.array([2e10])) for steps in (1e2, 1e5)]
    assert (values[0] > values[1]).all()


def test_a_law_of_compute_counts_as_its_study_does():
    surface = exact(by_compute(count=5))
    assert surface.by_compute and surface.convention == "as in the study"
    assert surface.fitted_flops.max() == pytest.approx(1e21)
    size = exact(chinchilla(count=5))
    assert size.convention == "6ND" and size.fitted_flops.max() == pytest.approx(6 * 8e8 * 6.4e10)


def test_a_posterior_has_a_surface_and_a_surface_is_its_own(surface):
    assert as_surface(surface) is surface
    assert as_surface(surface.posterior).discrepancy and not surface.discrepancy
    assert len(bs.Surface.of(surface.posterior, samples=7)) == 7


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"flops": "5ND"}, bs.DecisionError, "'5ND' is unknown; use '6ND'"),
        ({"flops": "study"}, bs.StudyError, "no column 'flops'"),
        ({"quantity": "accuracy"}, bs.TargetError, "does not forecast 'accuracy'; known: loss"),
        ({"series": "MMLU"}, bs.TargetError, "describes one series, so there is no 'MMLU'; leave it out"),
    ],
)
def test_what_has_no_surface_is_refused(options, error, message, surface):
    with pytest.raises(error, match=message):
        bs.Surface.of(surface.posterior, **options)


def test_an_unconverged_fit_is_refused():
    posterior = chinchilla()
    worse = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.3))
    with pytest.raises(bs.ConvergenceError, match="allow_unconverged=True"):
        bs.allocate(worse, 1e21)
    assert bs.allocate(bs.Surface.of(worse, allow_unconverged=True), 1e21).N.shape == (400, 1)


@pytest.mark.parametrize("law", [SupersetInCompute(), SupersetInFlops()], ids=lambda law: law.name)
def test_a_law_that_makes_its_size_of_flops_has_no_surface(law):
    posterior = known(law, superset(count=20).draws, GRID.assign(flops=6 * GRID["N"] * GRID["D"]))
    for decide in (bs.Surface.of, lambda fit: bs.allocate(fit, 1e22), lambda fit: bs.regret(fit, 1e22)):
        with pytest.raises(bs.LawError, match=rf"^{law.name} makes N.* of .*, so no decision is taken on it"):
            decide(posterior)


def test_an_outcome_without_a_scale_is_refused(surface):
    N, D = np.array([7e9]), np.array([4e12])
    for scale, lacking in (({"D": D}, "N is not given; give it"), ({}, "N and D are not given; give them")):
        with pytest.raises(bs.LawError, match=rf"^Chinchilla reads N and D, and {lacking}\.$"):
            surface.at(**scale)
    compute = exact(by_compute(count=5))
    for scale in ({}, {"N": N}):
        with pytest.raises(bs.LawError, match="reads C, and C is not given; give it, or N and D to count it by"):
            compute.at(**scale)
    np.testing.assert_allclose(compute.at(N, D), compute.at(C=6 * N * D))


def test_runs_that_are_not_those_of_the_fit_are_known_of_no_series_in_particular():
    """Of the fitted runs it is known which series each has; of others, and of the same in another order, it is not."""
    surface = bs.Surface.of(pooled(), series="math")
    few, turned = ({n: surface.arrays[n][part] for n in ("N", "D")} for part in (slice(10), slice(None, None, -1)))
    longer = {n: np.append(surface.arrays[n], 1e6) for n in ("N", "D")}
    spread = [surface.at([8e8], [6.4e10], fitted=runs).std() for runs in (None, longer, few, turned)]
    assert spread[0] > 1.2 * spread[3] and spread[2] > spread[3] and all(np.isfinite(spread))
