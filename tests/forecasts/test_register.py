import dataclasses

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.register import append, read_register
from tests.worlds import chinchilla


def test_a_register_grows_and_keeps_what_it_says(said, tmp_path):
    path = tmp_path / "register.csv"
    bs.score(said, {"target": "a", "loss": 2.0}, to=path)
    bs.score(said, {"target": "a", "loss": 2.0}, to=path)
    found = bs.score(said, [{"target": "a", "loss": 2.0}, {"target": "b", "loss": 3.0}], to=path)
    table = read_register(path)
    assert list(table["target"]) == ["a", "b"] and set(table["checksum"]) == {"abc"} and set(table["seed"]) == {0}
    assert append(said, found, path) == 0
    before = path.read_text()
    with pytest.raises(bs.FileError, match="says that loss of 'a' came to 2, and"):
        bs.score(said, {"target": "a", "loss": 2.1}, to=path)
    assert path.read_text() == before


def test_another_table_is_no_register(said, tmp_path):
    (tmp_path / "runs.csv").write_text("run,loss\na,2\n")
    with pytest.raises(bs.FileError, match="is no register of forecasts: it lacks made"):
        bs.score(said, {"target": "a", "loss": 2.0}, to=tmp_path / "runs.csv")


@pytest.mark.parametrize("wrong", ["", "2,31", "unknown"])
def test_an_outcome_mended_by_hand_to_no_number_is_refused(wrong, said, tmp_path):
    path = tmp_path / "register.csv"
    bs.score(said, [{"target": "a", "loss": 2.0}, {"target": "b", "loss": 3.25}], to=path)
    text = path.read_text()
    assert ",3.25," in text
    path.write_text(text.replace(",3.25,", f',"{wrong}",'))
    with pytest.raises(bs.FileError, match=f"has actual = '{wrong}' in row 2, which is no number; mend it by hand"):
        bs.score(said, {"target": "a", "loss": 2.0}, to=path)


def test_two_forecasts_of_one_second_are_both_kept(said, tmp_path):
    path, wider = tmp_path / "register.csv", dataclasses.replace(said, quantiles=said.quantiles * [[0.9], [1.0]])
    for one in (said, wider, said, wider):
        bs.score(one, [{"target": "a", "loss": 2.0}, {"target": "b", "loss": 3.0}], to=path)
    assert list(read_register(path)["target"]) == ["a", "b", "a"]  # of b they say the same


def test_a_forecast_and_its_file_are_one(tmp_path):
    forecast = bs.forecast(chinchilla(), {"target": "far", "N": 7e9, "D": 4e12})
    file = forecast.save(tmp_path / "forecast.json")
    for one in (forecast, file):
        bs.score(one, {"target": "far", "loss": 2.0}, to=tmp_path / "register.csv")
    assert len(read_register(tmp_path / "register.csv")) == 1


def test_what_was_said_mended_by_hand_to_no_number_is_refused(said, tmp_path):
    path = tmp_path / "register.csv"
    bs.score(said, {"target": "a", "loss": 2.0}, to=path)
    pd.read_csv(path).assign(q05="").to_csv(path, index=False)
    with pytest.raises(bs.FileError, match="has q05 = '' in row 1, which is no number; mend it by hand"):
        bs.score(said, {"target": "a", "loss": 2.0}, to=path)
