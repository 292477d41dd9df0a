from __future__ import annotations

import dataclasses

import jax
import numpy as np
import numpyro
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.padding import edge_of_data
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.pooling import by_series
from bayes_scaling.law.sites import sample_slope_error
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import DirectAccuracy, DirectLadder

GRID = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8, 1.6e9) for d in (10, 20, 40, 80)]
LEVELS, CHANCE = {"easy": 0.4, "hard": 1.5}, {"easy": 0.5, "hard": 0.0}
SHAPE = {"split": 0.4, "alpha_N": 0.5, "alpha_D": 0.3}
TARGET = {"N": 7e9, "D": 1.4e11}
LATENT = {
    "level": np.array([0.4, 1.5]),
    **{name: np.full(2, value) for name, value in SHAPE.items()},
    "sigma": np.full(2, 0.01),
}


def curve(task, n, d):
    """Return the accuracy by the equation as it is printed, from the references of the grid."""
    size, data = (np.exp(np.mean(np.log(column))) for column in zip(*GRID, strict=True))
    lacking = LEVELS[task] * (0.4 * (n / size) ** -0.5 + 0.6 * (d / data) ** -0.3)
    return CHANCE[task] + (1 - CHANCE[task]) * np.exp(-lacking)


@pytest.fixture(scope="module")
def study():
    rng, runs = np.random.default_rng(1), pd.DataFrame(GRID, columns=["N", "D"]).assign(run=range(len(GRID)))
    blocks = []
    for task in LEVELS:
        scores = curve(task, runs["N"], runs["D"]) + rng.normal(0, 0.004, len(runs))
        blocks.append(runs.assign(task=task, chance=CHANCE[task], accuracy=scores))
    table = pd.concat(blocks, ignore_index=True)
    table.loc[3, "accuracy"] = np.nan
    return bs.Study.from_frame(table, name="two tasks")


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(DirectLadder(), study, seed=0, draws=500)


def test_every_task_is_recovered_and_forecast(posterior):
    posterior.require_converged()
    assert posterior.tree["derived"]["A"].dims == ("chain", "draw", "task")
    low, high = np.quantile(posterior.draws["level"], [0.005, 0.995], axis=0)
    assert (low < list(LEVELS.values())).all() and (list(LEVELS.values()) < high).all()
    rows = posterior.forecast(TARGET).intervals().set_index("task")
    for task in LEVELS:
        assert rows.loc[task, "q05"] < curve(task, TARGET["N"], TARGET["D"]) < rows.loc[task, "q95"]
    assert rows["quantity"].unique().tolist() == ["accuracy"]


def test_tasks_are_fitted_as_each_by_itself(study, posterior):
    hard = study.select(task="hard")
    alone = bs.fit(DirectAccuracy(), hard, seed=0, draws=500).forecast({**TARGET, "chance": 0.0}).intervals().iloc[0]
    together = posterior.forecast(TARGET).intervals().set_index("task").loc["hard"]
    width = alone["q95"] - alone["q05"]
    assert together["median"] == pytest.approx(alone["median"], abs=0.15 * width)
    assert together["q95"] - together["q05"] == pytest.approx(width, rel=0.25)


def test_the_slope_of_each_task_errs_by_itself_beyond_the_runs(study):
    law = DirectLadder()
    runs, _ = law.arrays(study)
    fitted = {**runs, **by_series(law, runs)}
    far = {**runs, "N": np.array([[7e10]]), "D": np.array([[4e12]])}
    with double_precision():
        own = {"level": np.array(list(LEVELS.values()))} | {name: np.full(2, value) for name, value in SHAPE.items()}
        exact = np.asarray(law.at(far, own))[0]
        found = np.asarray(law.extrapolated(far, fitted, own, np.array([0.0, 0.3])))[0]
    assert found[0] == pytest.approx(exact[0]) and found[1] > exact[1] + 0.005


def test_slopes_err_partly_together_so_that_the_mean_over_tasks_is_not_too_sure():
    law = DirectLadder()
    keys = jax.random.split(jax.random.key(0), 4000)

    def drawn(key):
        return numpyro.handlers.seed(sample_slope_error, key)(law.discrepancy, (3,), together=law.together)

    errors = np.asarray(jax.vmap(drawn)(keys))
    np.testing.assert_allclose(errors.std(axis=0), 0.22, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(errors.T)[np.triu_indices(3, 1)], law.together, atol=0.05)
    assert law.together == pytest.approx(0.15**2 / (0.15**2 + 0.16**2), abs=0.005)
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(bs.LawError, match=r"DirectLadder\.together is .*; give a share between 0 and 1"):
            DirectLadder(together=share)
    with pytest.raises(bs.LawError, match=r"shared_questions is 2; give a share"):
        DirectAccuracy(shared_questions=2.0)


def test_what_a_run_or_a_task_lacks_is_said(study):
    frame = study.frame
    with pytest.raises(bs.StudyError, match=r"DirectLadder needs run, task, chance, accuracy .* lacks chance"):
        bs.fit(DirectLadder(), dataclasses.replace(study, frame=frame.drop(columns="chance")), seed=0)
    two_sizes = frame.assign(n_params=frame["n_params"].where(frame.index > 0, 5e8))
    with pytest.raises(bs.StudyError, match=r"has n_params 5e\+08 and 1e\+08; give one number"):
        bs.fit(DirectLadder(), dataclasses.replace(study, frame=two_sizes), seed=0)


class Noisier(DirectLadder):
    """A law by which new runs scatter ten times as far, and whose accuracies turn to what no fitted run tells."""

    def beyond(self, sigma):
        return 10 * sigma

    def unseen(self, shape=(), prefix=""):
        return {"level": np.full(shape, 1e9)}


def test_beyond_the_runs_it_errs_and_scatters_as_its_hooks_say(study):
    runs, _ = DirectLadder().arrays(study)
    runs |= {"per_question": 0 * runs["per_question"]}
    plain, noisier = DirectLadder(sigma=0.01), Noisier(sigma=0.01)
    given = ((noisier, None), (plain, runs), (noisier, runs))
    fitted, same, new = (run_model(law, runs, fitted=edge) for law, edge in given)
    scale = [np.asarray(sites["accuracy"]["fn"].scale) for sites in (fitted, same, new)]
    np.testing.assert_allclose(scale[2], 10 * scale[1])
    np.testing.assert_allclose(scale[0], scale[1])
    chance = np.broadcast_to(list(CHANCE.values()), (len(GRID), 2))
    np.testing.assert_allclose(new["accuracy_mean"]["value"], chance, atol=1e-6)


def test_a_task_of_small_runs_alone_errs_beyond_them(study):
    """Its error begins at its own last run, as where it is described alone."""
    few = study.frame.assign(
        accuracy=study.frame["accuracy"].mask((study.frame["task"] == "easy") & (study.frame["n_params"] > 1e8))
    )
    errs = {}
    for name, table in (("whole", study.frame), ("few", few)):
        law, own = DirectLadder(), bs.Study.from_frame(table, name=name)
        runs, observed = law.arrays(own)
        target = {**runs, "N": np.array([8e8]), "D": np.array([1.6e10])}
        with double_precision():
            sites = run_model(law, target, fitted=edge_of_data(law, runs, observed), latent=LATENT, key=0)
            exact = run_model(law, target, latent=LATENT, key=0)
        errs[name] = np.abs(np.asarray(sites["accuracy_mean"]["value"] - exact["accuracy_mean"]["value"]))[0]
    assert errs["whole"] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert errs["few"][0] > 1e-4 and errs["few"][1] == pytest.approx(0.0, abs=1e-12)
