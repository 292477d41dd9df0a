import jax
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import StudyError
from bayes_scaling.evaluation.residuals import residuals
from bayes_scaling.forecasts.draws import BLOCK
from bayes_scaling.models import PretrainingSize
from bayes_scaling.models.pretraining_size import OfModels
from tests import worlds

IMAGE = {"level": 0.7, "floor": 0.2, "alpha_D": 0.6, "turn": 1.4, "steep": 0.2, "scatter": 0.05, "guess": 1.0}
AMOUNT = {"worth": 0.3, "a": 0.1, "b": 0.1, "gain": 0.8, "scale": 1e3, "ease": 1.0}


def image_runs(N, D_F, D_P=0.0):
    N, D_F, D_P = np.broadcast_arrays(*np.atleast_1d(N, D_F, D_P))
    return {"N": N, "D_F": D_F, "D_P": D_P, "N0": 2e7, "D_F0": 5e4, "models": np.array([1e7, 4e7])}


def test_more_pretraining_is_worth_more_up_to_a_limit():
    p = {"worth": 3.0, "a": 0.2, "b": 0.4, "gain": 0.5, "scale": 1e4, "ease": 0.5}
    amounts = np.array([0.0, 1e3, 1e5, 1e12])
    runs = {"N": np.full(4, 1e7), "D_F": np.full(4, 1e8), "D_P": amounts, "N0": 1e7, "D_F0": 1e8}
    worth = np.asarray(PretrainingSize().transferred(runs, p)) / 3e8
    assert worth[0] == 0
    assert (np.diff(worth) > 0).all()
    assert worth[-1] == pytest.approx(1.0, abs=1e-3)


def test_image_errors_fall_from_guessing_to_the_floor():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT, "effect": np.zeros(2)}
    errors = np.asarray(law.at(image_runs(2e7, [1e-6, 5e4, 1e30]), p))
    np.testing.assert_allclose(errors, [1.0, 0.7, 0.14], rtol=1e-4)
    enough = np.asarray(law.enough(image_runs(2e7, 5e4), p))
    assert float(law.at(image_runs(2e7, enough), p)[0]) == pytest.approx(0.14 / 0.99, rel=1e-4)


def test_pretraining_shifts_the_data_of_an_image_model():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT, "effect": np.array([1.0, -1.0])}
    pretrained = image_runs([1e7, 4e7], 5e4, 6.4e4)
    effective = 5e4 + np.asarray(law.transferred(pretrained, p))
    np.testing.assert_allclose(law.at(pretrained, p), law.at(image_runs([1e7, 4e7], effective), p), rtol=1e-5)


def test_a_fitted_model_keeps_its_own_exponent_and_a_new_one_is_average():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT}
    bare, own = (np.asarray(law.at(image_runs([1e7, 3e7], 5e4), {**p, "effect": np.full(2, u)})) for u in (0.0, 2.0))
    assert own[0] < bare[0]
    assert own[1] == pytest.approx(bare[1])


def test_forecasts_of_a_new_image_model_are_wider_and_two_of_one_size_agree():
    grid = pd.DataFrame(
        [(n, d, m) for n in (1e7, 2e7, 4e7) for d in (1e4, 5e4, 1e5) for m in (0.0, 1e3, 6e4)],
        columns=["n_params", "finetune_data", "pretrain_data"],
    )
    truth = {**IMAGE, **AMOUNT, "sigma": 0.005, "effect": [0.0, 1.0, -1.0]}
    study = bs.simulate(PretrainingSize(), grid, truth, seed=0)
    posterior = bs.fit(PretrainingSize(), study, seed=0, draws=100, adapt=False)
    targets = pd.DataFrame({"target": list("abc"), "n_params": [2e7, 2.5e7, 2.5e7], "finetune_data": 5e4})
    draws = posterior.forecast(targets.assign(pretrain_data=0.0), allow_unconverged=True).draws["error_law"].to_numpy()
    assert draws[:, 1].std() > 2 * draws[:, 0].std()
    np.testing.assert_array_equal(draws[:, 1], draws[:, 2])
    left = residuals(posterior)  # what each model adds to its size is known of fitted runs
    assert left.shape == (len(study),) and left.std() < 0.02


def test_a_new_model_has_one_deviation_in_all_blocks_of_targets_and_in_chunks():
    given = worlds.pretraining_size()
    held = {name: np.broadcast_to(values.mean(0), values.shape) for name, values in given.draws.items()}
    posterior = worlds.known(PretrainingSize(), held, given.study.frame)
    sizes = np.resize([2e7, 2.5e7, 3e7], BLOCK + 40)
    names = [f"run {place}" for place in range(len(sizes))]
    targets = pd.DataFrame({"target": names, "N": sizes, "D_F": 5e4, "D_P": 0.0})
    whole = posterior.forecast(targets)
    law = whole.draws["error_law"].to_numpy()
    for size in (2e7, 2.5e7, 3e7):
        assert np.ptp(law[:, sizes == size], axis=1).max() == 0 and law[:, sizes == size].std() > 0
    effects = np.corrcoef([law[:, place] for place in (0, 1, 2)])
    assert np.abs(effects[~np.eye(3, dtype=bool)]).max() < 0.4  # and models differ
    chunks = list(bs.forecast_chunks(posterior, targets))
    for band in ("law", "mean", "run"):
        parts = np.concatenate([part.draws[f"error_{band}"].to_numpy() for part in chunks], axis=1)
        np.testing.assert_array_equal(parts, whole.draws[f"error_{band}"].to_numpy())
    alone = posterior.forecast(targets.iloc[[BLOCK + 1]]).draws["error_law"].to_numpy()
    np.testing.assert_allclose(alone[:, 0], law[:, BLOCK + 1], rtol=1e-12)


def test_the_path_of_a_forecast_of_a_new_model_has_its_deviation():
    posterior = worlds.pretraining_size()
    path = bs.forecast_path(posterior, bs.forecast(posterior, {"N": 1e8, "D_F": 1e6, "D_P": 1e5}))
    spread = path.points.draws["error_law"].std("sample").to_numpy()
    assert spread.shape == (64,) and (spread > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["pretrain_data"] > 0], "has no from-scratch run"),
        (lambda t: t.assign(finetune_data=t["finetune_data"].where(t.index != 3, 0.0)), "Row 4 has finetune_data = 0"),
        (lambda t: t.assign(pretrain_data=-t["pretrain_data"]), "give the pre-training data, 0 for a run from scratch"),
        (lambda t: t.assign(error=100 * t["error"]), "or say percent=True"),
        (lambda t: t.drop(columns="error"), "has no column 'error'"),
    ],
)
def test_bad_image_tables(change, message):
    columns = ["n_params", "finetune_data", "pretrain_data", "error"]
    with pytest.raises(StudyError, match=message) as caught:
        bs.fit(PretrainingSize(), bs.Study.from_frame(change(bs.load_study("cg_transfer").frame[columns])), seed=0)
    assert str(caught.value).endswith(".")


def test_image_table_has_both_arms_and_one_pool():
    table = bs.load_study("cg_transfer").frame
    assert len(table) == 136
    assert set(table["role"]) == {"train"}
    assert (table["pretrain_data"] == 0).sum() == 17
    np.testing.assert_allclose(table["loss"], -np.log1p(-table["error"]), rtol=1e-4)


def test_models_of_less_than_one_unit_have_a_deviation_each():
    drawn = OfModels(np.array([0.1, 0.3, 0.9, 2.0, 0.3])).sample(jax.random.key(0))
    assert len(np.unique(drawn)) == 4 and drawn[1] == drawn[4]
