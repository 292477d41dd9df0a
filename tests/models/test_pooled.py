from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.inference.fittable import check_size
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import (
    Chinchilla,
    DirectAccuracy,
    DirectAccuracyInFlops,
    Pooled,
    RepeatedData,
    Scratch,
    ShiftedPowerLaw,
    SigmoidAccuracy,
    Superset,
    SupersetInCompute,
    Transfer,
)
from tests import worlds
from tests.worlds import known

GRID = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8) for d in (10, 20, 40)]
EXPONENTS = {"a": 0.28, "b": 0.30, "c": 0.32}


def sets(noise=0.003):
    """Three training sets on one grid of sizes; the floors differ more than the exponents."""
    rng = np.random.default_rng(0)
    rows = []
    for floor, (task, alpha) in zip((1.6, 1.9, 2.3), EXPONENTS.items(), strict=True):
        for i, (n, d) in enumerate(GRID):
            mean = floor * (1 + 0.5 * (n / 3e8) ** -alpha + 0.5 * (d / 6e9) ** -alpha)
            rows.append((f"run {i}", task, n, d, mean * np.exp(rng.normal(0, noise))))
    return pd.DataFrame(rows, columns=["run", "task", "N", "D", "loss"])


@pytest.fixture(scope="module")
def study():
    return bs.Study.from_frame(sets(), name="three sets")


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(Pooled(), study, seed=0, draws=500, adapt=False)


def test_every_set_keeps_its_floor_and_the_exponents_agree(posterior):
    posterior.require_converged()
    E = np.median(posterior.draws["E"], axis=0)
    assert (np.diff(E) > 0).all()
    assert posterior.tree["derived"]["A"].dims == ("chain", "draw", "task")
    spread = np.median(np.log(posterior.draws["alpha_N"]), axis=0).std()
    assert spread < 0.1


def test_pooling_draws_the_exponents_together(study, posterior):
    alone = bs.fit(Pooled(pool=None), study, seed=0, draws=100, adapt=False)
    close = bs.fit(Pooled(pool=0.25), study, seed=0, draws=500, adapt=False)  # the program of the default
    spread = [np.log(p.draws["alpha_D"]).mean(axis=0).std() for p in (close, posterior, alone)]
    assert spread[0] < spread[1]
    assert spread[0] < spread[2]


def test_pools_losses_against_a_loss(study):
    wide = study.frame.pivot(index="run", columns="task", values="loss").reset_index()
    pairs = wide.melt(id_vars=["run", "a"], value_vars=["b", "c"], var_name="task", value_name="loss")
    pairs = bs.Study.from_frame(pairs.rename(columns={"a": "source_loss"}), name="from a")
    fitted = bs.fit(Pooled(curve=ShiftedPowerLaw(), discrepancy=0.04), pairs, seed=0, draws=100, adapt=False)
    assert (fitted.draws["E1"] < pairs.frame.groupby("task")["loss"].min().to_numpy()).all()
    rows = fitted.forecast({"source_loss": 2.6}, allow_unconverged=True).intervals()
    assert set(rows["task"]) == {"b", "c"}
    assert rows["median"].between(2.5, 4.5).all()


def test_a_run_of_two_sizes_is_refused(study):
    frame = study.frame.copy()
    frame.loc[0, "n_params"] = 2.5e8
    with pytest.raises(bs.StudyError, match=r"has n_params 2\.5e\+08 and 1e\+08; give one number in all its rows"):
        bs.fit(Pooled(), bs.Study.from_frame(frame), seed=0)
    with pytest.raises(bs.StudyError, match="column 'task'"):
        bs.fit(Pooled(), bs.Study.from_frame(frame.query("task == 'a'").drop(columns="task")), seed=0)
    assert Chinchilla.pooling["alpha_N"] == 0.2


def test_several_rows_of_a_run_and_series_are_refused(study):
    twice = study.frame.loc[study.frame["run"] == "run 3"]
    with pytest.raises(
        bs.StudyError, match=r"has several rows of the run 'run 3' for the task 'a', .*; give one row p"
    ):
        Pooled().arrays(bs.Study(pd.concat([study.frame, twice], ignore_index=True), bs.Card("twice")))
    along = study.frame.assign(checkpoint=1.0)
    read = bs.Study.from_frame(pd.concat([along, along.assign(checkpoint=2.0)], ignore_index=True), name="checkpoints")
    with pytest.raises(bs.StudyError, match=r"fit study\.last_checkpoints\.$"):
        Pooled().arrays(read)
    assert Pooled().arrays(read.last_checkpoints)[1]["loss"].shape == (12, 3)


def test_the_known_error_of_each_loss_adds_to_the_noise_of_its_own_series():
    table = sets().assign(loss_se=0.0)
    table.loc[table["task"] == "b", "loss_se"] = 0.2
    table.loc[(table["task"] == "c") & (table["run"] == "run 0"), "loss_se"] = np.nan
    law = Pooled()
    runs, observed = law.arrays(bs.Study.from_frame(table, name="three sets"))
    assert observed["loss_se"].shape == observed["loss"].shape == (12, 3)
    trace = run_model(law, runs, observed)
    noise = trace["loss"]["fn"]
    scale, mean = np.asarray(noise.base_dist.base_dist.scale), np.exp(np.asarray(noise.base_dist.base_dist.loc))
    sigma = np.broadcast_to(np.asarray(trace["sigma"]["value"]), scale.shape)
    known = np.nan_to_num(observed["loss_se"])
    np.testing.assert_allclose(scale, np.sqrt(sigma**2 + 0.6 * (known / mean) ** 2), rtol=1e-4)
    assert (scale[:, 1] > 0.05).all() and scale[0, 2] == pytest.approx(sigma[0, 2])


def test_known_errors_of_some_series_alone_are_fitted_and_kept():
    table = sets().assign(loss_se=0.01)
    table.loc[table["task"] == "b", "loss_se"] = np.nan
    short = {"seed": 0, "draws": 10, "warmup": 10, "chains": 2, "starts": 2, "adapt": False}
    kept = bs.fit(Pooled(), bs.Study.from_frame(table), **short).tree["constant_data"]["loss_se"]
    assert kept.dims == ("run", "task") and kept.sel(task="b").isnull().all() and (kept.sel(task="a") == 0.01).all()


def test_beyond_the_runs_each_series_errs_and_scatters_as_the_curve_says(study):
    pooled = Pooled(curve=ShiftedPowerLaw())
    assert pooled.discrepancy == ShiftedPowerLaw().discrepancy == 0.04 and Pooled().discrepancy == 0.2
    assert Pooled(curve=ShiftedPowerLaw(), discrepancy=0.1).slope_moments == (0.0, 0.1)  # given here, it counts
    assert pooled.replace(pool=None) == Pooled(curve=ShiftedPowerLaw(), pool=None)
    assert pooled.replace(curve=Chinchilla()) == Pooled()
    curve = Superset(drift=1.0, discrepancy=1e-6, scatter=2.0, sigma=0.1)
    law = Pooled(curve=curve, sigma=0.01)
    assert law.slope_moments == curve.slope_moments and law.with_slope(0.5, 0.1).slope_moments == (0.5, 0.1)
    runs, observed = law.arrays(study)
    far = {**runs, "N": runs["N"] * 100, "D": runs["D"] * 100}
    here, plain, there = run_model(law, runs, observed), run_model(law, far), run_model(law, far, fitted=runs)
    assert np.allclose(here["loss"]["fn"].base_dist.base_dist.scale, 0.01)
    assert np.allclose(there["loss"]["fn"].base_dist.scale, 0.02)
    assert (there["loss_mean"]["value"] < plain["loss_mean"]["value"]).all()


class Rising(bs.Law):
    """An accuracy that rises with compute."""

    outcome = "accuracy"
    unit = "fraction"
    level: bs.Prior = dist.Uniform(0.0, 1.0)
    gain: bs.Prior = dist.Normal(0.0, 0.1)

    def mean(self, C, *, level, gain):
        return level + gain * jnp.log(C / 1e18)


def test_accuracies_that_are_pooled_are_accuracies_of_which_more_is_better():
    table = pd.DataFrame(
        {"C": [1e18, 1e19] * 2, "task": list("aabb"), "accuracy": [0.3, 0.4, 0.4, 0.5], "chance": 0.25}
    )
    table["run"] = ["small", "large"] * 2
    level, gain = np.tile([0.3, 0.4], (50, 1)), np.tile([0.02, 0.03], (50, 1))
    draws = {"level": level, "gain": gain, "sigma": np.full((50, 2), 0.01)}
    posterior = known(Pooled(curve=Rising(), pool=None), draws, table)
    assert posterior.law.quantities == {"accuracy": "fraction"} and not posterior.law.lower_is_better("accuracy")
    rows = posterior.forecast({"C": 1e21}, discrepancy=False).intervals().set_index("task")
    assert set(rows["quantity"]) == {"accuracy"} and rows["median"]["a"] == pytest.approx(0.3 + 0.02 * 6.9, abs=0.01)
    a, b = (bs.Surface.of(posterior, series=task) for task in "ab")
    assert bs.superiority(b, a, {"C": 1e21}).probability > 0.9


def test_inputs_that_the_curve_can_do_without_or_that_may_be_zero_are_so_in_the_pool():
    assert Pooled(curve=Superset()).readable == Superset().readable
    pretrained = Pooled(curve=Transfer()).allows("pretrained", np.array([0.0, 1.0, -1.0]))
    assert pretrained.tolist() == [True, True, False]


@pytest.mark.parametrize("curve", [DirectAccuracy(), DirectAccuracyInFlops(), SigmoidAccuracy()], ids=lambda c: c.name)
def test_a_curve_of_accuracy_knows_the_questions_of_each_task(curve):
    """And whether its fitted runs guess; also in a forecast."""
    runs = pd.DataFrame({"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.0, 2.5, 2.0], "run": list("abc")})
    runs = runs.assign(chance=0.25, flops=6 * runs["N"] * runs["D"])
    tasks = [runs.assign(task=t, questions=q, accuracy=[0.3, 0.4, 0.5]) for t, q in (("few", 10), ("many", 1e6))]
    law, study = Pooled(curve=curve, pool=None), bs.Study.from_frame(pd.concat(tasks))
    inputs, observed = law.arrays(study)
    level = {n: np.full(2, v) for n, v in {"level": 1.0, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3}.items()}
    level |= {n: np.full(2, v) for n, v in {"floor": 0.0, "ceiling": 0.9, "centre": 0.0, "slope": 5.0}.items()}
    latent = {**level, "alpha_C": np.full(2, 0.2), "bend": np.full(2, 0.2), "sigma": np.full(2, 0.01)}
    seen = run_model(law, inputs, observed, latent=latent)["accuracy"]["fn"].base_dist
    ahead = run_model(law, inputs, None, inputs, latent=latent)["accuracy"]["fn"]
    for noise in (np.asarray(seen.scale), np.asarray(ahead.scale)):
        assert noise.shape == (3, 2) and (noise[:, 0] > 0.05).all() and np.allclose(noise[:, 1], 0.01, atol=1e-4)
    names = {n for n, own in curve.priors.items() if isinstance(own, dist.Distribution)} - {"discrepancy"}
    u = {n: jnp.full(2, 0.5) for n in names}
    assert {n: jnp.shape(v) for n, v in law.straighten(u, inputs).items()} == {n: (2,) for n in names}


def test_a_curve_that_makes_its_inputs_of_other_columns_reads_those_in_runs_and_targets():
    curve, sizes = SupersetInCompute(), np.geomspace(1e7, 1e9, 6)
    rows = [{"run": f"{N:.3g}", "task": task, "C": 120 * N**2, "D": 20 * N} for N in sizes for task in ("web", "code")]
    study = bs.Study.from_frame(pd.DataFrame(rows).assign(loss=2.0, n_params=1.0), name="two sets")
    law = Pooled(curve=curve)
    assert law.columns == curve.columns and law.readable == curve.readable and Pooled().columns == Chinchilla().columns
    np.testing.assert_allclose(law.arrays(study)[0]["N"], sizes)
    target = {"C": 1.2e24, "D": 2e12}
    np.testing.assert_allclose(read_targets(law, study, target).inputs(law)["N"], [1e11])
    with pytest.raises(bs.TargetError, match=r"needs C \(flops\)"):
        read_targets(law, study, {"N": 1e11, "D": 2e12})
    with pytest.raises(bs.StudyError, match="needs the column 'flops'"):
        law.arrays(bs.Study.from_frame(study.frame.drop(columns="flops")))


def test_its_own_noise_may_be_fixed():
    law, short = Pooled(sigma=0.005), {"draws": 4, "warmup": 4, "chains": 1, "starts": 1, "adapt": False}
    study = worlds.pooled(count=2).study
    posterior = bs.fit(law, study, seed=0, **short)
    assert "sigma" not in posterior.draws and posterior.draws["E"].shape == (4, 2)
    table = posterior.forecast({"N": 7e9, "D": 4e12}, allow_unconverged=True).intervals()
    assert np.isfinite(table["median"]).all()


def test_what_priors_carry_for_the_curve_they_carry_for_the_pool(study):
    law, plain = Pooled(curve=Superset()), Pooled()
    one_size = bs.Study.from_frame(study.frame.assign(n_params=1e8), name="one size")
    check_size(law, one_size, *law.arrays(one_size))
    with pytest.raises(bs.StudyError, match="has N = 1e\\+08, so Pooled cannot learn its effect"):
        check_size(plain, one_size, *plain.arrays(one_size))


def test_the_floor_of_the_pool_is_that_of_its_curve():
    curve, floors = Superset(ceiling=True), {"E": np.array([0.1, 0.2])}
    np.testing.assert_array_equal(Pooled(curve=curve).irreducible({}, floors), curve.irreducible({}, floors))
    assert Pooled(curve=Rising()).irreducible({}, {}) is None


def test_a_fit_of_the_pool_adapts_where_one_of_its_curve_does():
    assert Pooled(curve=Scratch()).adapts and not Pooled().adapts


def test_published_constants_of_the_curve_are_what_the_series_of_a_simulation_share(study):
    curve, table = RepeatedData(), study.frame.assign(unique_tokens=study.frame["tokens"] / 8)
    R, R_N = curve.published["repeats"], curve.published["excess"]
    law = Pooled(curve=curve)
    assert law.published == {"repeats_mean": R, "excess_mean": R_N}
    assert law.replace(pool=None).published == curve.published and Pooled().published == {}
    assert law.replace(curve=RepeatedData(repeats=9.0)).published == {"excess_mean": R_N}
    drawn, given, other = (
        bs.simulate(law, table, constants, seed=0).frame["loss"].to_numpy()
        for constants in (None, {"repeats_mean": R, "excess_mean": R_N}, {})
    )
    assert np.array_equal(drawn, given) and not np.allclose(drawn, other)
    assert Transfer().published and Pooled(curve=Transfer()).published == {}  # k is made of each series' references


def test_a_series_of_small_runs_alone_errs_beyond_them_whatever_others_have():
    forecast = bs.forecast(worlds.pooled(), {"N": 8e8, "D": 1.6e10})  # among the runs of "web"; "math" has three small
    added = (
        (forecast.draws["loss_mean"] - forecast.draws["loss_law"]).std("sample").sel(target=forecast.targets.index[0])
    )
    assert float(added.sel(task="web")) == pytest.approx(0.0, abs=1e-9) and float(added.sel(task="math")) > 0.01
