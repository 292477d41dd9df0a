from __future__ import annotations

import dataclasses

import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro.infer.util import log_density

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference import nuts
from bayes_scaling.inference.padding import edge_of_data
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import Kaplan, PowerLaw, SigmoidAccuracy, Superset, SupersetInCompute, SupersetInFlops
from bayes_scaling.models.two_step import TwoStep, routes, single_step
from tests import worlds

SHORT = {"seed": 0, "draws": 100, "adapt": False}
LONGER = SHORT | {"draws": 400}  # where R-hat is looked at


@pytest.fixture(scope="module")
def posterior(ladder_fits):
    return ladder_fits[0]


def test_each_route_reads_its_own_loss(ladder):
    own, c4 = (law.arrays(ladder.training)[0] for law in routes())
    wide = ladder.training.frame.drop_duplicates("run")
    assert list(own["feature"]) == list(range(8))
    assert set(c4["feature"]) == {8}
    assert c4["loss0"][8] == pytest.approx(np.exp(np.log(wide["c4_loss"]).mean()))


def test_both_routes_run_in_one_program(ladder):
    def compiled(law) -> int:
        bs.fit(law, ladder, **SHORT)
        return nuts.sample.count

    first, second = map(compiled, routes())
    assert first == second > 0


def test_every_start_of_the_search_arrives(ladder_fits):
    """The valley of a whole ladder is long: it takes some of them more than sixty steps."""
    assert [fit.diagnostics.modes_reached for fit in ladder_fits] == [1.0, 1.0]


def test_the_accuracy_curve_is_centred_at_the_loss_of_the_middle_run(ladder):
    law = routes()[1]
    runs, _ = law.arrays(ladder.training)
    own = {"E": np.full(9, 1.5), "reducible": 0.4, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3}
    own |= {"coupling": 0.6, "penalty": 0.0, "repeats": 15.0}
    with double_precision():
        np.testing.assert_allclose(law._in_the_middle(runs, own), 1.5 * 1.4)
        np.testing.assert_array_equal(single_step()._in_the_middle(runs, own), runs["loss0"])


def test_every_draw_passes_both_steps(ladder, posterior):
    forecast = posterior.forecast(ladder.targets, allow_unconverged=True)
    loss = forecast.draws["loss_run"].sel(target="7B-4T", series="task_loss:HellaSwag")
    accuracy = forecast.draws["accuracy_run"].sel(target="7B-4T", task="HellaSwag")
    assert np.corrcoef(loss, accuracy)[0, 1] < -0.5


def test_units_are_those_of_each_series(ladder, posterior):
    rows = posterior.forecast(ladder.targets, allow_unconverged=True).intervals()
    units = rows.groupby("task")["unit"].agg(set)
    assert units["c4_loss"] == {"nats per token"}
    assert units["MMLU"] == {"bits per byte", "fraction"}


VARIANTS = {
    "flops": routes(["task_loss"], by_compute=True)[0],
    "single step": single_step(),
    "task cross-entropy": TwoStep(feature="task_ce"),
    "no pooling": TwoStep(pool=None),
}


@pytest.mark.parametrize("law", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_models_of_the_same_study(ladder, law):
    runs, observed = law.arrays(ladder.training)
    with double_precision():
        sites = numpyro.handlers.trace(numpyro.handlers.seed(law, 0)).get_trace(runs, observed)
    assert sites["accuracy"]["is_observed"]
    assert all(np.isfinite(s["value"]).all() for s in sites.values() if s["type"] == "sample")


class Unseen(Superset):
    """A law of the loss of which no fitted run tells the floor beyond them."""

    def unseen(self, shape=(), prefix=""):
        return {"E": np.full(shape, 9.0)}


def test_beyond_the_runs_losses_err_and_scatter_as_step_1_says(ladder):
    runs, _ = TwoStep().arrays(ladder.training)
    far = {**runs, "N": runs["N"] * 100, "D": runs["D"] * 100}

    def beyond(step1):
        sites = run_model(TwoStep(step1=step1), far, fitted=runs)
        noise = sites["loss"]["fn"].base_dist
        return np.asarray(sites["loss_mean"]["value"]), np.array([noise.shared, *noise.scale])

    step1 = TwoStep().step1
    mean, spread = beyond(step1)
    assert (beyond(step1.replace(drift=0.5))[0] < mean).all()
    assert (beyond(Unseen(**step1.fields))[0] > 9.0).all()
    same, more = beyond(step1.replace(scatter=2.0))
    assert np.array_equal(same, mean) and np.allclose(more, 2 * spread)


class Noisier(SigmoidAccuracy):
    """A law of the accuracy by which new runs scatter ten times as far."""

    def beyond(self, sigma):
        return 10 * sigma


@pytest.mark.parametrize("windows", [0, 2])
def test_beyond_the_runs_accuracies_scatter_as_step_2_says(ladder, windows):
    runs, _ = TwoStep().arrays(ladder.training)
    runs |= {"per_question": 0 * runs["per_question"]}
    plain, noisier = (
        TwoStep(windows=windows, wander=0.01, step2=step2)
        for step2 in (SigmoidAccuracy(sigma=0.02), Noisier(sigma=0.02))
    )
    here, same, more = (
        np.asarray(run_model(law, runs, fitted=fitted)["accuracy"]["fn"].scale)
        for law, fitted in ((noisier, None), (plain, runs), (noisier, runs))
    )
    np.testing.assert_allclose(more, 10 * same)
    np.testing.assert_allclose(here, same)


@pytest.mark.parametrize("step1", [TwoStep().step1, PowerLaw(), Kaplan()], ids=lambda law: law.name)
def test_each_series_has_the_constants_of_step_1(ladder, step1):
    law = TwoStep(step1=step1)
    sites = run_model(law, *law.arrays(ladder.training))
    dims = law.dims(ladder.training)[0]
    assert {name for name in ("A", "B") if name in sites} == {name for name in ("A", "B") if name in dims}


def repeat_windows(study, times):
    """Return the study with each of its four window means given ``times`` times."""
    frame = study.frame
    for i in range(4 * times):
        for name in ("task_loss", "accuracy"):
            frame = frame.assign(**{f"{name}_window{i + 1}": study.frame[f"{name}_window{i % 4 + 1}"]})
    return bs.Study(frame, study.card)


def test_repeating_checkpoints_does_not_fake_certainty(ladder):
    """What a fit learns from a run's checkpoints saturates: forty of them say little more than four."""
    two_tasks = ladder.training.select(task=["HellaSwag", "PIQA"])
    law = TwoStep(jointly=("task_loss",), windows=4)
    posterior = bs.fit(law, two_tasks, **SHORT)
    assert posterior.draws["wander"].shape == (400, 2)
    medians = {name: np.median(value, axis=0) for name, value in posterior.draws.items()}
    centre = {name: value for name, value in medians.items() if f"{name}_offset" not in medians}

    def information(times, wander):
        """Return the curvature of the log density along the slope of the accuracy curve."""
        longer = law.replace(windows=4 * times)
        data = longer.arrays(repeat_windows(two_tasks, times))

        def density(step):
            slope = centre["accuracy_slope_mean"] * (1 + step)
            moved = {**centre, "wander": wander, "accuracy_slope_mean": slope}
            return float(log_density(longer, data, {}, moved)[0])

        with double_precision():
            return 2 * density(0.0) - density(-0.01) - density(0.01)

    typical = centre["wander"]
    assert information(10, typical) < 2 * information(1, typical)
    assert information(10, typical * 1e-3) > 5 * information(1, typical * 1e-3)  # as independent points they would


GRID = [(n, 20 * n * d) for n in (1e8, 3e8, 1e9) for d in (0.5, 1, 2, 4)]


def any_ladder(**changes):
    """Return twelve runs with one loss of their own name: a task that rises, one of free answers, one at chance."""
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(GRID, columns=["N", "D"]).assign(run=[f"r{i}" for i in range(len(GRID))])
    runs["pile_loss"] = 1.7 + 0.5 * (runs["N"] / 3e8) ** -0.3 + 0.5 * (runs["D"] / 6e9) ** -0.3
    rise = 1 / (1 + np.exp(8 * np.log(runs["pile_loss"] / 2.4)))
    noise = rng.normal(0, 0.004, (3, len(runs)))
    wide = runs.assign(
        choice=0.25 + 0.7 * rise + noise[0],
        free=np.clip(0.9 * rise - 0.15 + noise[1], 0, 1),
        guessed=0.25 + noise[2],
        **changes,
    )
    chance = {"choice": 0.25, "free": 0.0, "guessed": 0.25}
    return bs.Study.from_frame(wide, name="any", accuracy_columns=list(chance), chance=chance, flops="6ND")


def test_free_answers_at_zero_and_missing_scores_are_fitted_with_the_others():
    study = any_ladder()
    assert (study.frame["accuracy"] == 0).sum() >= 3
    study.frame.iloc[[0, 4], study.frame.columns.get_loc("accuracy")] = np.nan
    (law,) = routes(["pile_loss"])
    runs, observed = law.arrays(study)
    with double_precision():
        sites = numpyro.handlers.trace(numpyro.handlers.seed(law, 0)).get_trace(runs, observed)
    counts = np.asarray(sites["accuracy"]["fn"]._mask)
    assert counts.sum() == counts.size - 2 and not counts[0, 0] and not counts[1, 1]
    posterior = bs.fit(law, study, **LONGER)
    assert posterior.diagnostics.max_rhat < 1.1
    forecast = posterior.forecast({"N": [7e9, 1e8], "D": [1e12, 1e9]}, allow_unconverged=True)
    draws = forecast.draws["accuracy_run"]
    assert float(draws.min()) >= 0 and float(draws.max()) <= 1
    assert float(draws.sel(task="free").median("sample")[0]) > 0.3
    assert set(forecast.intervals().query("quantity == 'loss'")["unit"]) == {"as given"}


def test_a_first_step_that_makes_its_inputs_of_other_columns_reads_those_in_runs_and_targets():
    step1, study = SupersetInCompute(), any_ladder(steps=-1.0)
    sizes, flops = study.training.runs["n_params"], study.training.runs["flops"]
    study = bs.Study(study.frame.assign(flops=2 * study.frame["flops"], n_params=1.0), study.card)
    (law,) = routes(["pile_loss"], step1=step1)
    assert law.columns == law.readable == step1.columns and TwoStep().columns == {"N": "n_params", "D": "tokens"}
    runs, observed = law.arrays(study)
    np.testing.assert_allclose(runs["N"], 2 * sizes)
    sites = run_model(law, runs, observed, runs)
    assert np.isfinite(np.asarray(sites["loss"]["fn"].log_prob(observed["loss"]))).all()
    target = {"C": 1.2e24, "D": 2e12}
    np.testing.assert_allclose(read_targets(law, study, target).inputs(law)["N"], [1e11])
    (by_flops,) = routes(["pile_loss"], step1=SupersetInFlops())
    np.testing.assert_allclose(by_flops.arrays(study)[0]["D"], 20 * np.sqrt(2 * flops / 120))
    with pytest.raises(bs.TargetError, match=r"needs C \(flops\)"):
        read_targets(law, study, {"N": 1e11, "D": 2e12})
    with pytest.raises(bs.StudyError, match=r"^TwoStep needs the column 'flops'"):
        law.arrays(bs.Study(study.frame.drop(columns="flops"), study.card))


def test_a_task_at_chance_may_leave_it_anywhere_beyond_the_runs():
    (law,) = routes(["pile_loss"])
    posterior = bs.fit(law, any_ladder(), **SHORT)
    targets = {"N": [1e9, 7e9, 7e10], "D": [4e10, 1e12, 1e13]}

    def upper(**changes):
        own = dataclasses.replace(posterior, law=law.replace(step2=law.step2.replace(**changes)))
        draws = own.forecast(targets, allow_unconverged=True).draws["accuracy_mean"].sel(task="guessed")
        return draws.quantile([0.05, 0.95], "sample").to_numpy()

    (low, high), (_, never) = upper(departure=1.8), upper(departure=1e9)
    assert low == pytest.approx(0.25, abs=0.02)
    assert high[0] == pytest.approx(never[0], abs=0.02)  # a run within the fitted ones guesses, too
    assert (high[1:] > never[1:] + 0.02).all() and high[2] > high[1]


def test_a_route_is_any_loss_and_a_text_is_one():
    assert [law.route for law in routes("val_loss")] == ["val_loss"]
    assert {law.series for law in routes(["a_loss", "b_loss"])} == {("a_loss", "b_loss")}


def test_one_odd_run_does_not_bend_the_ladder():
    study = any_ladder()
    odd = any_ladder()
    off = (odd.frame["run"] == "r11").to_numpy()
    odd.frame.loc[off, "pile_loss"] *= 1.1
    target = {"N": [7e9], "D": [1.4e11]}
    (law,) = routes(["pile_loss"], df=5.0)
    before, after = (
        bs.fit(law, one, **SHORT).forecast(target, allow_unconverged=True).draws["loss_run"] for one in (study, odd)
    )
    moved = float(np.log(after.median("sample") / before.median("sample")).squeeze())
    assert abs(moved) < 0.01  # normal noise: 0.028


def test_a_loss_that_a_run_lacks_is_left_out_with_what_is_read_off_it():
    study = any_ladder()
    gone = study.frame["run"].isin(["r3", "r8"]).to_numpy()
    study.frame.loc[gone, "pile_loss"] = np.nan
    (law,) = routes(["pile_loss"])
    (problem,) = bs.design_check(study, law=law).only("missing-loss")
    assert problem.sentence == "2 runs of 12 without pile_loss: r3 and r8" and problem.where == "pile_loss"
    runs, observed = law.arrays(study)
    assert np.isnan(observed["loss"]).sum() == 2 and np.isnan(observed["accuracy"]).sum() == 6
    assert np.isfinite(runs["loss0"]).all() and np.isfinite(runs["range"]).all()
    posterior = bs.complete(bs.fit(law, study, **LONGER), ["log_likelihood"])
    assert posterior.diagnostics.max_rhat < 1.1
    for name, missing in (("loss", 2), ("accuracy", 6)):
        densities = posterior.tree["log_likelihood"][name].isel(chain=0, draw=0)
        assert int(densities.isnull().sum()) == missing, name
    known = posterior.forecast({"N": [7e9], "D": [1.4e11]}, allow_unconverged=True)
    assert float(known.draws["loss_run"].median()) == pytest.approx(1.7 + 0.5 * (70 / 3) ** -0.3 * 2, rel=0.03)


def test_a_series_of_a_single_run_is_refused_by_name(ladder):
    frame = ladder.training.frame
    alone = frame[(frame["task"] != "PIQA") | (frame["run"] == frame["run"].iloc[0])]
    for law, what in ((TwoStep(), "the task_loss of 'PIQA'"), (single_step(), "an outcome of 'PIQA'")):
        with pytest.raises(
            bs.StudyError, match=f"^A single one of the 16 runs of study 'olmo_ladder' has {what}, from"
        ):
            law.arrays(dataclasses.replace(ladder, frame=alone))
    shared = TwoStep(feature="c4_loss", jointly=()).arrays(dataclasses.replace(ladder, frame=alone))[1]["accuracy"]
    assert np.isfinite(shared).sum(axis=0).min() == 1  # read off a loss that every run has


def test_degrees_of_freedom_are_positive_or_none():
    assert TwoStep(df=5.0).df == 5.0 and TwoStep().df is None
    for df in (-1.0, 0.0, float("nan"), "5"):
        with pytest.raises(bs.LawError, match=r"TwoStep\.df is .*; give a positive number, or None for a normal"):
            TwoStep(df=df)


@pytest.mark.parametrize(("by_command", "cure"), [(False, "give it to the step, as in Two"), (True, "leave it out")])
def test_an_error_of_the_slope_beside_those_of_the_steps_is_refused(by_command, cure):
    token = COMMAND_LINE.set(by_command)
    try:
        for given in (0.0, dist.HalfNormal(0.3)):
            with pytest.raises(bs.LawError, match=rf"^TwoStep.discrepancy is .*, and each of its steps .*; {cure}"):
                TwoStep(discrepancy=given)
    finally:
        COMMAND_LINE.reset(token)
    assert TwoStep(discrepancy=0.2) == TwoStep() and repr(TwoStep()).endswith("discrepancy=0.2)")


def test_windows_that_a_study_lacks_are_refused_by_name(ladder):
    with pytest.raises(bs.StudyError, match=r"lacks accuracy_window5 and task_loss_window5; add them, or do without"):
        TwoStep(windows=5).arrays(ladder)
    part = dataclasses.replace(ladder, frame=ladder.frame.drop(columns="task_loss_window4"))
    with pytest.raises(bs.StudyError, match=r"lacks task_loss_window4; add it, or .* as TwoStep\(windows=0\) does\.$"):
        TwoStep(windows=4).arrays(part)


def test_each_step_errs_beyond_the_runs_that_have_its_outcome():
    """A loss ends with the runs that have it, the curve of a task with those that have its accuracy."""
    whole = worlds.ladder(count=50)
    frame, large = whole.study.frame, whole.study.frame["n_params"] > 2e8
    lost = frame.assign(task_loss=frame["task_loss"].mask(large & (frame["task"] == "two")))
    unscored = frame.assign(accuracy=frame["accuracy"].mask(large & (frame["task"] == "two")))
    for table, loss_errs in ((frame, 0), (lost, 1), (unscored, 0)):
        posterior = dataclasses.replace(whole, study=bs.Study(table, whole.study.card))
        draws = bs.forecast(posterior, {"N": 8e8, "D": 1.6e10}).draws.isel(target=0)
        added = {q: (draws[f"{q}_mean"] - draws[f"{q}_law"]).std("sample").to_numpy() for q in ("loss", "accuracy")}
        assert (added["loss"] > 1e-3).tolist() == [False, bool(loss_errs)]
        assert (added["accuracy"] > 1e-3).tolist() == [False, table is not frame]


@pytest.mark.parametrize("sizes", [(4e6, 4e9), (4e8, 8e8)], ids=["wide", "narrow"])
def test_without_a_loss_the_curve_ends_with_the_runs_as_well(sizes):
    """The index of a single step is made of size and data: where the runs end in it, the error of the curve begins."""
    N = np.geomspace(*sizes, 10)
    table = pd.DataFrame({"run": range(10), "task": "one", "N": N, "D": 100 * N, "chance": 0.25})
    study = bs.Study.from_frame(table.assign(accuracy=0.3 + 0.06 * np.arange(10)))
    law = single_step(lean=True)
    runs, observed = law.arrays(study)
    targets = {**runs, "N": np.append(N, 4 * N[-1]), "D": 100 * np.append(N, 4 * N[-1])}
    fixed = {"split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "discrepancy": 0.0}
    curve = {"slope": 5.0, "floor": 0.0, "ceiling": 0.97, "centre": 0.0}
    law = law.replace(step1=law.step1.replace(**fixed), step2=law.step2.replace(**curve), pool=None)
    with double_precision():
        exact, erring = (
            np.asarray(run_model(law, targets, fitted=fitted, key=0)["accuracy_mean"]["value"])[:, 0]
            for fitted in (None, edge_of_data(law, runs, observed))
        )
    np.testing.assert_allclose(erring[:9], exact[:9], atol=1e-9)
    assert abs(erring[-1] - exact[-1]) > 1e-3


def test_the_error_of_few_questions_is_known_with_windows_too(ladder):
    study = bs.Study(ladder.training.frame.assign(questions=100), ladder.card)
    law = TwoStep(windows=2, wander=1e-4, step2=SigmoidAccuracy(sigma=0.01))
    runs, observed = law.arrays(study)
    scale = np.asarray(run_model(law, runs, observed)["accuracy"]["fn"].base_dist.scale)
    assert (scale > 0.011).all() and (scale < 0.03).all()  # 0.01 and what 100 questions add


class Bare(SigmoidAccuracy):
    """Noise as it is by default."""

    def noise_of(self, runs, mean, sigma):
        return sigma


def test_with_windows_noise_may_be_one_number_of_each_task(ladder):
    law = TwoStep(windows=2, step2=Bare(sigma=0.01))
    scale = run_model(law, *law.arrays(ladder.training))["accuracy"]["fn"].base_dist.scale
    np.testing.assert_allclose(scale, 0.01)
