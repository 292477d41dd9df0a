from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayes_scaling as bs
from bayes_scaling.evaluation.residuals import _cubic, _explained, _found, misfits, residuals
from bayes_scaling.models import Chinchilla, DirectAccuracy, LearningCurve, PowerLaw, Superset, Transfer
from tests import worlds
from tests.conftest import DRAWS

CONSTANTS = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3}


def grid(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    runs = pd.DataFrame(
        [(n, r * n) for n in (1e8, 2e8, 4e8, 8e8) for r in (5, 10, 20, 40, 80, 160)], columns=["N", "D"]
    )
    mean = Chinchilla().mean(runs["N"].to_numpy(), runs["D"].to_numpy(), 3e8, 8e9, **CONSTANTS)
    return runs.assign(
        loss=np.asarray(mean) * np.exp(rng.normal(0, 0.003, len(runs))), batch=rng.choice([64, 128, 256], len(runs))
    )


def fitted(table: pd.DataFrame, law: bs.Law | None = None) -> bs.Posterior:
    return bs.fit(law or Chinchilla(), bs.Study.from_frame(table), seed=0, draws=DRAWS, adapt=False)


def test_residuals_are_fractions_above_what_is_expected():
    table = grid()
    left = residuals(fitted(table))
    assert left.shape == (len(table),) and abs(np.median(left)) < 0.003 and 0.001 < left.std() < 0.006


def test_residuals_are_computed_in_64_bits():
    posterior = worlds.chinchilla()
    kept = {name: values[:, None] for name, values in posterior.thin(100).items() if name in CONSTANTS}
    with jax.enable_x64():
        expected = np.median(posterior.law.at(posterior.law.arrays(posterior.study)[0], kept), axis=0)
    assert np.allclose(residuals(posterior), np.log(posterior.study.column("loss") / expected), rtol=1e-9, atol=1e-12)


def test_accuracies_of_the_law_leave_nothing():
    rng = np.random.default_rng(0)
    N, D = (values.ravel() for values in np.meshgrid(np.geomspace(1e8, 3e9, 6), np.geomspace(2e9, 6e10, 6)))
    guess, C = np.full(36, 0.01), 6 * N * D
    accuracy = np.clip(guess + 0.6 * (1 - (C / C.min()) ** -0.12) + rng.normal(0, 0.01, 36), 0.005, 1)
    study = bs.Study.from_frame(pd.DataFrame({"N": N, "D": D, "accuracy": accuracy, "chance": guess}))
    posterior = bs.fit(DirectAccuracy(), study, seed=0, draws=DRAWS, adapt=False)
    assert 0.002 < residuals(posterior).std() < 0.05  # points of accuracy over 100
    assert not misfits(posterior).only("spread")


def test_runs_of_the_law_leave_nothing():
    assert misfits(fitted(grid())).codes == []


def test_a_column_that_the_law_does_not_read_is_found():
    table = grid()
    off = table.assign(loss=table["loss"] * (table["batch"] / 128) ** 0.02)
    (problem,) = misfits(fitted(off)).only("unread-column")
    assert problem.where == "batch" and problem.value > 0.5
    (problem,) = misfits(fitted(off.rename(columns={"batch": 2024}))).only("unread-column")
    assert problem.where == "2024"
    assert not misfits(fitted(off.rename(columns={"batch": "_row"})))  # by which runs are paired with themselves


def test_runs_that_differ_in_what_parameters_do_not_count_are_found():
    table = grid()
    patches = np.tile([1.0, 4.0, 16.0], len(table) // 3)
    off = table.assign(flops=6 * table["N"] * table["D"] * patches, loss=table["loss"] * patches**-0.02)
    (problem,) = misfits(fitted(off)).only("unread-column")
    assert problem.where == "FLOPs per parameter and token"


def test_a_law_that_does_not_bend_as_the_runs_do_is_a_misfit():
    C = np.geomspace(1e18, 1e22, 24)
    loss = 3 - 0.1 * np.log10(C / 1e18) ** 2 / 8 + np.random.default_rng(0).normal(0, 0.001, 24)  # ever steeper
    (problem,) = misfits(fitted(pd.DataFrame({"flops": C, "loss": loss}), PowerLaw())).only("misfit")
    assert problem.where == "training FLOPs"


def test_a_bend_in_a_column_of_any_name_is_a_misfit():
    examples = np.geomspace(1e3, 1e9, 40)
    bend = (examples / 1e3) ** -0.12 * (1 + (examples / 1e6) ** 2) ** -0.12
    table = pd.DataFrame({"examples": examples, "loss": (1 + 3 * bend) * np.tile([0.997, 1.003], 20)})
    (problem,) = misfits(fitted(table, PowerLaw(column="examples"))).only("misfit")
    assert problem.where == "examples"


def test_size_and_data_that_add_are_a_misfit_of_one_bottleneck():
    sizes, data = [1e7, 1e8, 1e9, 1e10], np.geomspace(1e5, 1e8, 7)
    columns = ["n_params", "finetune_data", "pretrained"]
    table = pd.DataFrame([(n, d, arm) for n in sizes for d in data for arm in (0, 1)], columns=columns)
    worth = 800 * table["finetune_data"] ** 0.2 * table["n_params"] ** 0.38 * table["pretrained"]
    loss = 0.7 + 60 * table["n_params"] ** -0.25 + 30 * (table["finetune_data"] + worth) ** -0.22
    table["loss"] = loss * np.exp(np.random.default_rng(0).normal(0, 0.01, len(table)))
    (problem,) = misfits(fitted(table, Transfer())).only("misfit")
    assert problem.where == "finetune_data and n_params together"
    assert misfits(fitted(table, Transfer(bottleneck=False))).codes == []


def test_scatter_that_falls_with_compute_is_found():
    rng, table = np.random.default_rng(1), pd.concat([grid(1), grid(2), grid(3)], ignore_index=True)
    noise = 0.02 * (table["N"] * table["D"] / 1e18) ** -0.5
    off = table.assign(loss=table["loss"] * np.exp(rng.normal(0, 1, len(table)) * noise))
    assert misfits(fitted(off)).only("spread").codes == ["spread"]


@pytest.mark.parametrize("seed", range(2))
def test_scatter_below_a_ceiling_is_that_of_the_loss_behind_it(seed):
    """Of error rates near one the logarithm hardly moves, whatever the noise of the law."""
    rng, law = np.random.default_rng(3), Superset(ceiling=True)
    N = np.exp(rng.uniform(np.log(1e6), np.log(1e11), 400))
    table = pd.DataFrame({"N": N, "D": N * np.exp(rng.uniform(np.log(5), np.log(80), 400))})
    truth = {"E": 0.05, "reducible": 8.0, "split": 0.5, "alpha_N": 0.35, "alpha_D": 0.35, "coupling": 1.0}
    truth |= {"penalty": 0.001, "sigma": 0.02}
    losses = bs.simulate(law, table, truth, seed=seed).frame["loss"].to_numpy()
    draws = {name: np.full(100, value) for name, value in truth.items()}
    assert misfits(worlds.known(law, draws, table.assign(loss=losses))).codes == []


def test_scatter_by_errors_that_are_known_is_no_misfit():
    rng, table = np.random.default_rng(1), pd.concat([grid(1), grid(2), grid(3)], ignore_index=True)
    noise = 0.05 * (table["N"] * table["D"] / 1e18) ** -0.5
    off = table.assign(loss=table["loss"] * np.exp(rng.normal(0, 1, len(table)) * noise))
    assert misfits(fitted(off)).only("spread")
    assert not misfits(fitted(off.assign(loss_se=noise * table["loss"]))).only("spread")


@pytest.mark.parametrize("count", [8, 11])
def test_few_runs_are_not_judged(count):
    assert misfits(fitted(grid().head(count))).codes == []


def test_a_law_of_several_series_is_left_to_others(ladder_fits):
    assert residuals(ladder_fits[0]) is None and misfits(ladder_fits[0]).codes == []


@pytest.mark.parametrize(("runs", "found"), [(600, ["misfit"]), (40, [])])
def test_a_small_share_counts_among_hundreds_of_runs(runs, found):
    column = np.linspace(-1, 1, runs)
    noise = norm.ppf((np.random.default_rng(3).permutation(runs) + 0.5) / runs)
    left = 1.2 * (column**2 - 1 / 3) + noise
    problems = _found("misfit", left, {"x": _cubic(column)}, 2, "They follow", "mend it")
    assert [p.code for p in problems] == found
    assert 0.08 < _explained(left, _cubic(column))[0] < 0.2


def test_a_column_that_explains_enough_is_found_behind_one_that_explains_more_by_accident():
    rng = np.random.default_rng(0)
    x, words = np.linspace(-1, 1, 40), np.eye(30)[rng.permutation(np.r_[np.arange(30), np.arange(10)])]
    left = x + 0.45 * rng.permutation(norm.ppf((np.arange(40) + 0.5) / 40))
    designs = {"words": words, "x": _cubic(x)}
    assert _explained(left, words)[0] > _explained(left, _cubic(x))[0]
    (problem,) = _found("misfit", left, designs, 2, "They follow", "mend it")
    assert problem.where == "x"


def test_groups_of_runs_that_words_tell_apart_are_found_and_labels_are_none():
    rng, table = np.random.default_rng(1), grid()
    table = table.assign(run=[f"r{i}" for i in range(len(table))], machine=rng.choice(["x", "y", "z"], len(table)))
    assert misfits(fitted(table)).codes == []
    families = np.tile(["a", "b"], len(table) // 2)
    off = table.assign(family=families, loss=table["loss"] * np.where(families == "b", 0.95, 1.0))
    (problem,) = misfits(fitted(off)).only("unread-column")
    assert problem.where == "family" and problem.value > 0.5
    flagged = off.assign(family=families == "b")
    assert [p.where for p in misfits(fitted(flagged)).only("unread-column")] == ["family"]


def test_errors_that_last_along_a_run_are_no_misfit_of_its_curve():
    values = {"level": 2.5, "reducible": 0.6, "begun": 0.0, "bend": 1.6, "alpha_D": 0.4, "memory": 1.0, "sigma": 0.02}
    data = np.geomspace(1e8, 1e11, 40)
    curve = np.asarray(LearningCurve().mean(data, np.sqrt(1e8 * 1e11), **{n: values[n] for n in list(values)[:-1]}))
    table = pd.DataFrame({"tokens": data, "loss": curve * np.exp(0.02 * np.sin(np.log(data)))})
    draws = {name: np.full(20, value) for name, value in values.items()}

    class Forgetful(LearningCurve):
        autocorrelated = False

    assert not misfits(worlds.known(LearningCurve(), draws, table))
    assert [one.code for one in misfits(worlds.known(Forgetful(), draws, table))] == ["misfit"]
    assert residuals(worlds.known(LearningCurve(), draws, table)).std() > 0.01  # which stay to be looked at
