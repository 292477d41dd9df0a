from __future__ import annotations

import math
import warnings

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling.errors import ConvergenceWarning
from bayes_scaling.evaluation import model_selection as calibrating
from bayes_scaling.evaluation.model_selection import GRID, choose_law, learn_discrepancy
from bayes_scaling.models import (
    Chinchilla,
    FewSteps,
    Kaplan,
    LearningCurve,
    Pooled,
    PowerLaw,
    SigmoidAccuracy,
    Superset,
)
from tests import worlds
from tests.conftest import DRAWS

pytestmark = pytest.mark.filterwarnings("ignore::bayes_scaling.errors.ConvergenceWarning")  # few draws


def learn(studies):
    return learn_discrepancy(PowerLaw(), studies, seed=0, draws=DRAWS, patience=0, progress=False)


def typical(law):
    return math.exp(law.discrepancy.loc)


@pytest.fixture(scope="module")
def compute():
    return np.geomspace(1e17, 1e20, 16)


def made(compute, bend, name, noise=0.001):
    """Runs of a power law whose slope changes by ``bend`` over three decades."""
    step = np.log(compute / 1e17)
    loss = 1.5 + 1.5 * np.exp(-0.15 * step * (1 + bend * step / step.max()))
    scatter = np.random.default_rng(0).normal(0, noise, len(loss))
    return bs.Study.from_frame(pd.DataFrame({"C": compute, "loss": loss * np.exp(scatter)}), name=name)


def test_the_moments_of_log_s_are_kept():
    found = calibrating._matched(-0.5 * ((np.log(GRID) - math.log(0.1)) / 0.5) ** 2)
    assert found.loc == pytest.approx(math.log(0.1), abs=0.01)
    assert found.scale == pytest.approx(0.5, abs=0.01)


def test_a_law_that_bends_beyond_each_cut_gets_a_wider_discrepancy(compute):
    straight, bent = learn([made(compute, 0.0, "straight"), made(compute, 0.8, "bent")])
    assert typical(bent) > 1.3 * typical(straight)
    assert typical(straight) < 0.2  # the prior's


class Scattered(PowerLaw):
    """Runs that were not fitted scatter more."""

    def beyond(self, sigma):
        return 30 * sigma


@pytest.mark.parametrize("kind", [PowerLaw, Scattered])
def test_the_likelihood_is_that_of_what_outcomes_together_say_of_the_slope(compute, kind):
    study = made(compute, 0.3, "runs", noise=0.003)
    law = kind(discrepancy=float(GRID[30]))
    posterior = bs.fit(law, study.select("flops < 5e18"), seed=0, draws=10 * DRAWS, adapt=False)
    held_out = study.select("flops >= 5e18")
    found = calibrating._score(posterior, held_out)
    forecast = posterior.forecast(held_out, allow_unconverged=True)
    steeper, flatter = (
        law.extrapolated(
            {"C": held_out.column("flops"), "C0": np.exp(np.log(posterior.study.column("flops")).mean())},
            {"C": posterior.study.column("flops"), "C0": np.exp(np.log(posterior.study.column("flops")).mean())},
            {name: np.median(values) for name, values in posterior.draws.items()},
            error,
        )
        for error in (0.1, -0.1)
    )
    weight = np.asarray(steeper - flatter)
    together = forecast.draws["loss_run"].to_numpy() @ weight
    direct = norm(together.mean(), together.std()).logpdf(held_out.column("loss") @ weight)
    assert found.log_likelihood[30] == pytest.approx(direct, abs=0.2)
    if kind is PowerLaw:
        assert abs(found.log_likelihood[10] - direct) > 1  # another discrepancy gives another likelihood
    medians = forecast.draws["loss_law"].median("sample").to_numpy()
    assert found.error == pytest.approx(medians / held_out.column("loss") - 1, abs=2e-3)


def test_the_median_and_the_discrepancy_are_those_around_the_mean_error_of_the_slope():
    """As of the law that is returned, whose forecasts drift; also where the discrepancy has no moments."""
    parts = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "coupling": 1.0}
    draws = {name: np.full(200, value) for name, value in {**parts, "penalty": 0.0, "sigma": 0.001}.items()}
    table = worlds.on_the_curve(0.005)
    held_out = bs.Study.from_frame({"N": [1e11, 3e11], "D": [1e13, 3e13], "loss": [1.82, 1.81]})
    plain, moved, open_ended = (
        worlds.known(Superset(scatter=1.0, drift=drift, discrepancy=scale), draws, table)
        for drift, scale in ((0.0, 0.1), (0.5, 0.1), (0.5, dist.HalfCauchy(0.1)))
    )
    runs, later = (plain.law.arrays(study)[0] for study in (plain.study, held_out))
    later |= {name: runs[name] for name in ("N0", "D0")}
    values = {**parts, "penalty": 0.0, "repeats": 15.0}
    for posterior, error in ((plain, 0.0), (moved, 0.5)):
        expected = np.asarray(posterior.law.extrapolated(later, runs, values, error)) / held_out.column("loss") - 1
        assert calibrating._score(posterior, held_out).error == pytest.approx(expected, abs=1e-5)
    found, without = calibrating._score(moved, held_out), calibrating._score(plain, held_out)
    assert np.abs(found.log_likelihood - without.log_likelihood).max() > 1
    assert np.array_equal(calibrating._score(open_ended, held_out).log_likelihood, found.log_likelihood)


def curve_of_checkpoints(discrepancy):
    """Return a learning curve whose last checkpoint lies six per cent above it, and whose errors last."""
    constants = {"level": 3.0, "reducible": 0.3, "begun": -1.0, "bend": 1.0, "alpha_D": 0.4, "memory": 5.0}
    law, D = LearningCurve(discrepancy=discrepancy), np.geomspace(1e8, 1e10, 12)
    on_it = np.asarray(law.mean(D, 1e9, **constants), dtype=float)
    draws = {name: np.full(4000, value) for name, value in {**constants, "sigma": 0.02}.items()}
    return worlds.known(law, draws, pd.DataFrame({"D": D, "loss": on_it * np.exp(np.linspace(0, 0.06, 12))}))


def test_a_learning_curve_is_held_against_what_it_forecasts_from_its_last_checkpoint():
    scales = GRID[[20, 30]]
    near, far = (bs.forecast(curve_of_checkpoints(float(s)), {"D": 4e10}).draws["loss_run"].squeeze() for s in scales)
    fit = curve_of_checkpoints(0.2)
    expected = float(bs.forecast(fit, {"D": 4e10}, discrepancy=False).draws["loss_mean"].median())
    for outcome in (expected, 1.02 * expected):
        found = calibrating._score(fit, bs.Study.from_frame({"D": [4e10], "loss": [outcome]}))
        assert found.error == pytest.approx(expected / outcome - 1, abs=1e-9)
        direct = [norm(float(one.mean()), float(one.std())).logpdf(outcome) for one in (near, far)]
        assert np.diff(found.log_likelihood[[20, 30]]) == pytest.approx(np.diff(direct), abs=0.1)


def test_a_task_that_all_fitted_runs_guess_may_leave_chance_in_a_backtest():
    constants = {"floor": 0.0, "ceiling": 0.95, "centre": -12.0, "slope": 5.0, "bend": 0.0, "sigma": 0.01}
    draws = {name: np.full(400, value) for name, value in constants.items()}
    table = worlds.GRID.assign(loss=np.linspace(2.0, 1.0, 16), accuracy=0.25, chance=0.25)
    fit = worlds.known(SigmoidAccuracy(), draws, table)
    later = bs.Study.from_frame({"N": [1e12], "D": [1e14], "loss": [0.2], "accuracy": [0.25], "chance": [0.25]})
    assert calibrating._score(fit, later).error[0] > 0.5


def test_laws_of_several_series_are_refused():
    with pytest.raises(bs.LawError, match="Pooled describes several series together, and backtests choose among laws"):
        learn_discrepancy(Pooled(), worlds.pooled().study, seed=0)


def test_outcomes_inside_the_data_teach_nothing(compute):
    study = made(compute, 0.0, "runs")
    posterior = bs.fit(PowerLaw(), study, seed=0, draws=DRAWS, adapt=False)
    found = calibrating._score(posterior, study.select("flops < 1e19"))
    assert (found.log_likelihood == 0).all()
    assert found.error.shape == (len(study.select("flops < 1e19")),)


@pytest.fixture(scope="module")
def grid():
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 3e9, 5), np.geomspace(1e9, 1e11, 5)))
    return pd.DataFrame({"N": n, "D": d})


@pytest.mark.parametrize("truth", [Chinchilla(), Kaplan()], ids=lambda law: law.name)
def test_the_law_that_made_the_runs_is_chosen(grid, truth):
    centre = {f"{c}0": np.exp(np.log(grid[c]).mean()) for c in "ND"}
    loss = truth.mean(
        grid["N"].to_numpy(), grid["D"].to_numpy(), centre["N0"], centre["D0"],
        E=1.7, reducible=0.8, split=0.5, alpha_N=0.3, alpha_D=0.3,
    )  # fmt: skip
    noise = np.random.default_rng(0).normal(0, 0.001, len(grid))
    study = bs.Study.from_frame(grid.assign(loss=np.asarray(loss) * np.exp(noise)), flops="6ND")
    laws = [Kaplan(), Chinchilla()]
    chosen = choose_law(laws, study, seed=0, draws=DRAWS, patience=0, progress=False)
    assert chosen.name == truth.name
    assert isinstance(chosen.discrepancy, dist.LogNormal)


def test_a_law_whose_columns_a_study_lacks_is_left_out(compute, grid):
    by_compute = made(compute, 0.0, "compute")
    chosen = choose_law([FewSteps(), PowerLaw()], by_compute, seed=0, draws=DRAWS, patience=0, progress=False)
    assert chosen.name == "PowerLaw"
    beside = choose_law([Pooled(), PowerLaw()], by_compute, seed=0, draws=DRAWS, patience=0, progress=False)
    assert beside == chosen  # and so is a law of several series
    with pytest.raises(bs.StudyError, match="n_params"):
        choose_law([Chinchilla()], by_compute, seed=0, progress=False)
    with pytest.raises(bs.LawError, match="at least one"):
        choose_law([], by_compute, seed=0)
    with pytest.raises(bs.StudyError, match="make it one with"):
        choose_law([PowerLaw()], [by_compute], seed=0)


def test_cuts_that_leave_too_few_runs_are_left_out(compute):
    few = made(compute[:7], 0.0, "few")  # half of them are too few for the law, two thirds are not
    chosen = choose_law([PowerLaw()], few, seed=0, draws=DRAWS, patience=0, progress=False)
    assert isinstance(chosen.discrepancy, dist.LogNormal)
    with pytest.raises(bs.StudyError, match=r"a part of the 4 runs of 'fewer', .* needs at least 4"):
        choose_law([PowerLaw()], made(compute[:4], 0.0, "fewer"), seed=0, progress=False)


def test_a_fixed_parameter_is_one_of_the_laws(compute):
    chosen = choose_law([PowerLaw(E=1.5)], made(compute, 0.0, "runs"), seed=0, draws=DRAWS, patience=0, progress=False)
    assert chosen.E == 1.5 and isinstance(chosen.discrepancy, dist.LogNormal)


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [([[np.nan, 0.2], [np.nan, 0.1]], "Kaplan"), ([[np.inf, 0.1], [0.3, 0.3]], "Kaplan"), ([[np.nan], [np.inf]], None)],
)
def test_outcomes_of_zero_do_not_choose(grid, monkeypatch, errors, chosen):
    each = iter(errors)
    found = lambda *_, **__: [[calibrating._Backtest(np.array(next(each)), np.zeros(len(GRID)))]]  # noqa: E731
    monkeypatch.setattr(calibrating, "_backtests", found)
    study = bs.Study.from_frame(grid.assign(loss=np.linspace(3.0, 2.5, len(grid))), flops="6ND", name="some")
    if chosen:
        assert choose_law([Chinchilla(), Kaplan()], study, seed=0).name == chosen
    else:
        with pytest.raises(bs.StudyError, match="backtests of 'some' no law has a finite relative error"):
            choose_law([Chinchilla(), Kaplan()], study, seed=0)


def test_backtests_that_did_not_converge_are_named(compute):
    """In a warning that points at the line of the user, whichever function was called."""
    study, effort = made(compute, 0.0, "runs"), {"seed": 0, "draws": 20, "patience": 0, "progress": False}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        choose_law([PowerLaw()], study, **effort)
        bs.choose_laws([PowerLaw()], [study], **effort)
        learn_discrepancy(PowerLaw(), study, **effort)
    found = [one for one in said if one.category is ConvergenceWarning]
    assert [one.filename for one in found] == [__file__] * 3
    assert all("backtests of PowerLaw did not converge ('runs' up to " in str(one.message) for one in found)


def test_a_number_is_no_prior_of_the_discrepancy():
    study = bs.Study.from_frame(worlds.on_the_curve(0.005))
    with pytest.raises(bs.LawError, match=r"The prior of the discrepancy is 0\.1; give a distribution of positive"):
        bs.choose_law([Chinchilla()], study, seed=0, prior=0.1)
