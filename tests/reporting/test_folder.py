from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.reporting.folder import NAMES, write_file, write_folder
from tests import worlds

FAR = {"target": "7B-4T", "N": 7e9, "D": 4e12}


@pytest.fixture(scope="module")
def result():
    made = worlds.result(worlds.wrong(), FAR)
    return worlds.result(worlds.wrong(), FAR, path=bs.forecast_path(made.posteriors, made.forecast))


def test_table_and_document_agree_and_call_the_median_median(result, tmp_path):
    write_folder(result, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "forecast.csv", "forecast.json", "forecast.png", "posterior.nc",
    ]  # fmt: skip
    text, table = (tmp_path / "out" / "forecast.json").read_text(), pd.read_csv(tmp_path / "out" / "forecast.csv")
    assert "median" in table and "q50" not in text and not any("q50" in name for name in table)
    (row,) = json.loads(text)["rows"]
    assert table["median"][0] == pytest.approx(row["median"]) == pytest.approx(0.123, rel=1e-4)  # a fraction in files


def test_a_file_alone_is_the_folders_document(result, tmp_path):
    write_file(result, tmp_path / "answer.json")
    assert json.loads((tmp_path / "answer.json").read_text()) == json.loads(json.dumps(result.document()))


def test_another_forecast_in_the_same_place_is_kept_and_the_same_one_is_not(result, tmp_path):
    folder, file = tmp_path / "out", tmp_path / "answer.json"
    early = dataclasses.replace(result, forecast=dataclasses.replace(result.forecast, made="2026-01-01T00:00:00+00:00"))
    for one in (early, result):
        assert (write_folder(one, folder), write_file(one, file)) == (None, None)
    first = (folder / "forecast.json").read_text()
    assert bs.load_forecast(file).made == bs.load_forecast(folder / "forecast.json").made == early.forecast.made
    posterior, aim = result.posteriors[0], {**FAR, "D": 2e12}
    other = worlds.result(posterior, aim, path=bs.forecast_path([posterior], worlds.result(posterior, aim).forecast))
    assert (write_folder(other, folder), write_file(other, file)) == (
        folder / "forecast_1.json",
        tmp_path / "answer_1.json",
    )
    assert (folder / "forecast_1.json").read_text() == first
    kept, new = (bs.load_forecast(folder / name) for name in ("forecast_1.json", "forecast.json"))
    assert (kept.rows["tokens"].item(), new.rows["tokens"].item()) == (4e12, 2e12)


def test_a_ladder_has_its_own_picture_and_a_posterior_for_each_route(tmp_path):
    posterior = worlds.ladder(count=60)
    first = worlds.result(posterior, FAR)
    path = bs.forecast_path(first.posteriors, first.forecast)
    write_folder(worlds.result(posterior, FAR, path=path), tmp_path / "one")
    assert {"ladder.png", "posterior.nc"} <= {p.name for p in (tmp_path / "one").iterdir()}
    assert {p.stem for p in (tmp_path / "one").iterdir()} == {*NAMES, "posterior"}
    write_folder(worlds.result(posterior, FAR, path=path, posteriors=(posterior, posterior)), tmp_path / "two")
    kept = sorted(p.name for p in (tmp_path / "two").glob("*.nc"))
    assert kept == ["posterior_task_loss.nc", "posterior_task_loss_2.nc"]  # two fits of one route are both kept


def test_a_route_by_a_loss_with_a_slash_in_its_name_makes_no_folder(tmp_path):
    posterior = worlds.ladder(count=20)
    study = posterior.study.rename(**{"eval/loss": "task_loss"})
    other = dataclasses.replace(
        posterior, law=posterior.law.replace(feature="eval/loss", jointly=("eval/loss",)), study=study
    )
    first = worlds.result(posterior, FAR)
    path = bs.forecast_path(first.posteriors, first.forecast)
    write_folder(worlds.result(posterior, FAR, path=path, posteriors=(posterior, other)), tmp_path)
    assert sorted(p.name for p in tmp_path.glob("*.nc")) == ["posterior_eval_loss.nc", "posterior_task_loss.nc"]
    alike = dataclasses.replace(
        other,
        law=other.law.replace(feature="eval_loss", jointly=("eval_loss",)),
        study=study.rename(eval_loss="eval/loss"),
    )
    write_folder(worlds.result(posterior, FAR, path=path, posteriors=(other, alike)), tmp_path / "alike")
    names = sorted(p.name for p in (tmp_path / "alike").glob("*.nc"))
    assert names == ["posterior_eval_loss.nc", "posterior_eval_loss_2.nc"]
