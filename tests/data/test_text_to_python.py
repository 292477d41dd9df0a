"""The study that is measured here: its texts, its models, and how a grid trains and goes on."""

from __future__ import annotations

import math
import tomllib

import jax
import numpy as np
import pandas as pd
import pytest

from bayes_scaling import data
from bayes_scaling.data.text_to_python import model, texts
from bayes_scaling.errors import FileError, StudyError

HERE = data.HERE / "text_to_python"


def test_no_package_serves_two_uses_and_each_has_a_checksum_and_a_licence():
    listed = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))["text"]
    assert {text["use"] for text in listed} == set(texts.USES)
    assert len({text["package"] for text in listed}) == len(listed)
    assert all(len(text["sha256"]) == 64 and text["licence"] and text["tool"] in texts.TOOLS for text in listed)


def test_another_file_under_the_name_of_a_package_is_refused(tmp_path):
    listed = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))["text"]
    for text in listed:
        (tmp_path / text["file"]).write_bytes(b"something else")
    with pytest.raises(FileError, match="SHA-256"):
        texts.pieces("validation", tmp_path)


def test_a_model_has_twelve_parameters_per_layer_and_squared_width():
    shape = model.Shape(2, 32)
    weights = model.initial(jax.random.key(0), shape)
    inner = sum(value.size for name, value in weights.items() if value.ndim == 3 and name != "gains")
    assert inner == shape.n_params == 24_576


def test_a_model_sees_only_what_came_before():
    weights = model.initial(jax.random.key(0), model.Shape(1, 32))
    windows = np.random.default_rng(0).integers(0, 256, (2, 21)).astype(np.uint8)
    changed = windows.copy()
    changed[:, -2] += 1  # the last byte that is seen
    before, after = (model._logits(weights, x[:, :-1].astype(np.int32)) for x in (windows, changed))
    np.testing.assert_allclose(before[:, :-1], after[:, :-1], rtol=1e-5, atol=1e-6)
    assert (before[:, -1] != after[:, -1]).any()
    assert (model.losses(weights, windows) != model.losses(weights, changed)).all()


def test_a_fresh_model_guesses():
    weights = model.initial(jax.random.key(0), model.Shape(2, 32))
    windows = np.random.default_rng(0).integers(0, 256, (4, model.CONTEXT + 1)).astype(np.uint8)
    np.testing.assert_allclose(model.losses(weights, windows), math.log(256), rtol=0.1)


@pytest.fixture
def train(monkeypatch):
    pytest.importorskip("optax", reason="training needs optax: install bayes-scaling[train]")
    from bayes_scaling.data.text_to_python import train, training

    monkeypatch.setattr(training, "BATCH", 8)  # windows in a step: what is tested here holds for a few as for many
    return train


def test_a_grid_trains_both_arms_and_goes_on_where_it_stood(train, tmp_path, capsys):
    rng = np.random.default_rng(0)
    count = {"prose": 120, "code": 330, "validation": 100, "test": 100}
    pieces = {use: rng.integers(97, 101, (n, texts.PIECE)).astype(np.uint8) for use, n in count.items()}  # four letters
    grid = train.Grid((model.Shape(1, 16),), (10_000, 30_000), math.inf, 30, 20, 10)
    train.Trainer(model.Shape(1, 16), grid._replace(data=(10_000,)), pieces, tmp_path).run()
    before = (tmp_path / "3072.csv").read_text(encoding="utf-8")
    train.Trainer(model.Shape(1, 16), grid, pieces, tmp_path, beside=64).run()
    after = (tmp_path / "3072.csv").read_text(encoding="utf-8")
    assert after.startswith(before) and "3072 30000 from prose seed 0" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "3072.csv").sort_values(list(train.CELL))
    assert list(table[list(train.CELL)].itertuples(index=False, name=None)) == [
        (10_000, 0, 0), (10_000, 0, 1), (10_000, 1, 0), (10_000, 1, 1), (30_000, 0, 0), (30_000, 0, 1)
    ]  # fmt: skip
    arms = table.groupby("pretrained")["loss"].mean()
    assert math.log(4) - 0.01 < arms[1] < arms[0] < math.log(256)  # it knows the letters, and no loss beats chance
    assert (table["loss_se"] > 0).all()
    assert set(table["pretrain_data"]) == {0, 20 * 64 * 128}


def test_a_run_is_the_same_alone_and_beside_others_that_end_before_it(train):
    from bayes_scaling.data.text_to_python import training

    rng = np.random.default_rng(0)
    pool = rng.integers(97, 101, (40, texts.PIECE)).astype(np.uint8)
    held = train._windows(rng.integers(97, 101, (100, texts.PIECE)).astype(np.uint8))
    shape, order = model.Shape(1, 16), np.arange(40)
    runs = [
        training.Run(model.initial(jax.random.key(seed), shape), order, count, rate, seed)
        for seed, count, rate in [(0, 40, 1e-4), (1, 1, 0.3), (2, 1, 0.3)]  # the first is slow, and better each time
    ]
    beside = dict(training.train(runs, pool, held, steps=300))
    ((_, alone),) = training.train(runs[:1], pool, held, steps=300)
    assert beside[1].step < beside[1].steps_taken < 300 and beside[2].steps_taken < 300
    assert beside[0].step == beside[0].steps_taken == 300 == alone.step
    assert beside[0].loss == pytest.approx(alone.loss, rel=1e-4)
    np.testing.assert_allclose(beside[0].weights["unembed"], alone.weights["unembed"], atol=1e-4)


def test_a_size_that_a_grid_lacks_is_refused_before_anything_is_fetched(train, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train.main(["--grid", "small", "--size", "5", "--out", str(tmp_path / "new")])
    assert "--size 5 is no size of this grid; give 0 to 4." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--beside", "0", "--out", str(tmp_path / "new")])
    assert "--beside 0 is no number of runs; give 1 or more." in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_measures_the_runs_again_is_the_grid_that_is_carried(train):
    with pytest.raises(StudyError, match=r"text_to_python\.train --grid full --beside 64` measures"):
        data.write_figures("text_to_python")
    grid, table = train.GRIDS["full"], data.load_study("text_to_python").frame
    cells = {(shape.n_params, *cell) for shape in grid.sizes for cell in grid.cells(shape)}
    assert {*table[["n_params", "finetune_data", "seed"]].itertuples(index=False, name=None)} == cells
    assert len(table) == 2 * len(cells) == 112  # both arms
    assert set(table["pretrain_data"]) == {0, grid.pretraining * train.BATCH * model.CONTEXT}


def test_the_carried_table_has_both_arms_in_every_cell():
    table = data.load_study("text_to_python").frame
    arms = table.groupby(["n_params", "finetune_data", "seed"])["pretrained"].agg(["size", "sum"])
    assert (arms["size"] == 2).all() and (arms["sum"] == 1).all()
    assert len(table) >= 70 and table["n_params"].nunique() >= 5 and table["finetune_data"].nunique() >= 7
    assert (table["seed"] == 1).sum() >= len(table) / 5
