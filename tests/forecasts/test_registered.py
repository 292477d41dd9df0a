import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.files import one_line_lists
from bayes_scaling.forecasts.registered import LEVELS, OWN, RegisteredForecast, set_aside
from tests.worlds import chinchilla, ladder, tilted

TWO = [{"target": "near", "N": 3e9, "D": 1e12}, {"target": "far", "N": 7e9, "D": 4e12}]


@pytest.fixture(scope="module")
def forecast():
    return bs.forecast(chinchilla(), TWO)


def test_a_file_says_what_was_forecast_and_how(forecast, tmp_path):
    path = forecast.save(tmp_path / "forecast.json")
    document = json.loads(path.read_text())
    assert path.stat().st_size < 6000 and document["made"].startswith("20") and document["version"] == bs.__version__
    (fit,) = document["fits"]
    assert fit["checksum"] == chinchilla().study.checksum and fit["law"].startswith("Chinchilla(E=")
    read = bs.load_forecast(path)
    assert (read.law, read.study, read.seed, read.checksum) == ("Chinchilla", "known", 0, fit["checksum"])
    said = forecast.intervals()
    assert list(read.rows["target"]) == ["near", "far"] and list(read.rows["n_params"]) == [3e9, 7e9]
    for name, level in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
        np.testing.assert_allclose(read.level(level), said[name], rtol=1e-5)
    np.testing.assert_allclose(read.rows["sd"], said["sd"], rtol=1e-5)


def test_inputs_are_kept_to_the_last_digit_and_a_seed_may_be_numpys(tmp_path):
    target = {"N": 1.176764416e9, "D": 1.0240000512e12}
    forecast = bs.forecast(chinchilla(count=30), target, seed=np.int64(3), samples=np.int64(20))
    read = bs.load_forecast(forecast.save(tmp_path / "exact.json"))
    row = read.rows.iloc[0]
    assert (row["n_params"], row["tokens"], read.seed) == (*target.values(), 3)
    assert len(bs.score(read, {**target, "loss": 2.2})) == 1


def test_columns_of_targets_do_not_come_over_those_of_the_forecast(tmp_path):
    own = {"mean": [1.0], "sd": [2.0], "distance": [3.0], "quantity": [4.0], "unit": [5.0], "quantiles": [6.0]}
    spent = {"spent": pd.to_timedelta([1], "h"), "pole": [1j], "layers": [12]}
    targets = pd.DataFrame({"target": ["7B"], "N": [7e9], "D": [4e12], **own, **spent})
    forecast = bs.forecast(chinchilla(count=30), targets)
    read = bs.load_forecast(forecast.save(tmp_path / "own.json"))
    assert list(read.rows.drop(columns=["task"])) == [*OWN[:1], *OWN[2:], "n_params", "tokens", "layers"]
    for said in (forecast, read):
        assert np.isfinite(bs.score(said, {"target": "7B", "loss": 2.2})["z"]).all()


def test_an_input_in_text_finds_its_outcome():
    forecast = bs.forecast(tilted(), [{"target": "near", "shift": "4"}, {"target": "far", "shift": "5"}])
    assert bs.score(forecast, {"shift": 5.0, "gap": 2.0})["target"].tolist() == ["far"]


def test_a_name_that_is_a_date_is_in_the_words_of_the_outcomes():
    days = pd.to_datetime(["2026-01-01", "2026-01-02"])
    forecast = bs.forecast(chinchilla(count=30), pd.DataFrame({"run": days, "N": [3e9, 7e9], "D": 4e12}))
    assert len(bs.score(forecast, pd.DataFrame({"run": days, "loss": 2.2}))) == 2


@pytest.mark.parametrize("posterior", [chinchilla(count=30), ladder(count=30)], ids=["one", "tasks"])
def test_quantiles_stand_in_the_rows_they_belong_to(posterior):
    forecast = bs.forecast(posterior, TWO)
    found = RegisteredForecast.of(forecast)
    np.testing.assert_allclose(found.level(0.5), forecast.intervals()["median"])
    assert found.quantiles.shape == (len(found.rows), len(LEVELS))


def test_quantiles_of_draws_of_which_one_is_no_number_are_none(forecast):
    draws = forecast.draws.copy(deep=True)
    draws["loss_run"].loc[{"sample": 3, "target": "far"}] = np.nan
    found = RegisteredForecast.of(dataclasses.replace(forecast, draws=draws))
    assert np.isfinite(found.quantiles[0]).all() and np.isnan(found.quantiles[1]).all()


def test_an_average_remembers_each_fit_and_its_weight(forecast):
    other = bs.forecast(chinchilla(seed=1), TWO)
    mixed = bs.average([forecast, other], weights=[3, 1])
    assert [fit["weight"] for fit in mixed.fits] == [0.75, 0.25] and mixed.made >= forecast.made
    nested = bs.average([mixed, other])
    assert [fit["weight"] for fit in nested.fits] == [0.375, 0.125, 0.5]


def test_what_was_registered_is_not_written_over(forecast, tmp_path):
    path = forecast.save(tmp_path / "one.json")
    with pytest.raises(bs.FileError, match="is there already"):
        forecast.save(path)


def test_what_is_registered_is_set_aside_under_the_next_free_name(forecast, tmp_path):
    path, new = tmp_path / "forecast.json", RegisteredForecast.of(forecast)
    assert set_aside(path, new) == (new, None)
    forecast.save(path)
    texts = {path.name: path.read_text()}
    for number in (1, 2):
        other = dataclasses.replace(new, quantiles=new.quantiles * (1 + number / 100))
        assert set_aside(path, other) == (other, tmp_path / f"forecast_{number}.json")
        texts[f"forecast_{number}.json"] = texts[path.name]
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == texts
    assert bs.load_forecast(tmp_path / "forecast_1.json").made == forecast.made
    path.write_text("{}")
    assert set_aside(path, new) == (new, None)  # no forecast


def test_a_forecast_that_is_repeated_keeps_its_first_time(forecast, tmp_path):
    path = dataclasses.replace(forecast, made="2026-01-01T00:00:00+00:00").save(tmp_path / "forecast.json")
    registered, kept = set_aside(path, RegisteredForecast.of(forecast))
    assert (registered.made, kept) == ("2026-01-01T00:00:00+00:00", None) and len(list(tmp_path.iterdir())) == 1
    for other in (bs.forecast(chinchilla(), TWO, seed=1), bs.forecast(chinchilla(), TWO[1:])):
        assert not registered.repeats(RegisteredForecast.of(other))


@pytest.mark.parametrize("posterior", [chinchilla(count=30), ladder(count=30)], ids=["one", "tasks"])
def test_a_forecast_repeats_what_is_read_of_its_file(posterior, tmp_path):
    forecast = bs.forecast(posterior, [*TWO, {"N": 1.176764416e9, "D": 3e12, "flops": 2.1e22}])
    read = bs.load_forecast(forecast.save(tmp_path / "forecast.json"))
    assert RegisteredForecast.of(forecast).repeats(read) and read.repeats(RegisteredForecast.of(forecast))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        ("N,D,loss", "it is no JSON"),
        ("[1]", "what it holds is something else"),
        (f'{{"rows": {"9" * 5000}}}', "what it holds is something else"),
        ("{}", "it lacks 'format'"),
        ('{"format": 9}', "what it holds is something else"),
        ('{"format": 1, "rows": [{"quantiles": [2, 1]}]}', "what it holds is something else"),
    ],
)
def test_another_file_is_refused(text, why, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(bs.FileError, match=f"holds no registered forecast, since {why}; give a file that "):
        bs.load_forecast(tmp_path / "bad.json")
    with pytest.raises(bs.FileError, match="There is no file"):
        bs.load_forecast(tmp_path / "none.json")


def test_forecasts_of_pairs_are_told_as_such(tmp_path):
    row = {"pair": "a:loss -> b:loss", "target": "7B", "median": 2.1}
    (tmp_path / "pairs.json").write_text(json.dumps({"study": "runs", "rows": [row]}))
    with pytest.raises(bs.FileError, match=r"holds forecasts of pairs, .*; save a forecast of the fit to one pair, as"):
        bs.load_forecast(tmp_path / "pairs.json")


def test_numbers_that_are_not_known_are_left_out(forecast):
    unknown = dataclasses.replace(forecast, targets=forecast.targets.assign(distance=np.nan))
    assert "distance" not in RegisteredForecast.of(unknown).document()["rows"][0]
    json.dumps(RegisteredForecast.of(unknown).document(), allow_nan=False)


def test_lists_of_numbers_take_a_line():
    text = json.dumps({"a": [1.5, -2e-7], "b": ["x", "y"]}, indent=1)
    assert '"a": [1.5, -2e-07]' in one_line_lists(text) and json.loads(one_line_lists(text)) == json.loads(text)


def test_a_folder_is_said_to_be_one_and_which_file_in_it_is_meant(forecast, tmp_path):
    with pytest.raises(bs.FileError, match=r"is a folder, and a registered forecast is a file; give a file that"):
        bs.load_forecast(tmp_path)
    forecast.save(tmp_path / "forecast.json")
    with pytest.raises(bs.FileError, match=r"is a folder, .*; name the file in it, as '.*forecast\.json'\.$"):
        bs.load_forecast(tmp_path)


def test_targets_of_names_and_numbers_keep_their_inputs():
    forecast = bs.forecast(
        chinchilla(count=30), [{"target": 7, "N": 7e9, "D": 1e11}, {"target": "13B", "N": 1.3e10, "D": 1e11}]
    )
    assert RegisteredForecast.of(forecast).rows["n_params"].tolist() == [7e9, 1.3e10]
    assert bs.score(forecast, {"N": 7e9, "D": 1e11, "loss": 2.2})["target"].tolist() == ["7"]
    with pytest.raises(bs.TargetError, match="is called '7' and has N"):
        bs.score(forecast, {"target": 7, "N": 7e10, "D": 1e11, "loss": 2.2})


def test_draws_without_an_end_have_no_mean_in_a_file_and_are_scored(forecast, tmp_path):
    draws = forecast.draws.copy(deep=True)
    draws["loss_run"][{"sample": 0}] = np.inf
    with np.errstate(invalid="ignore"):
        file = dataclasses.replace(forecast, draws=draws).save(tmp_path / "forecast.json")
    found = bs.score(file, {"target": "far", "loss": 2.0})
    assert found["z"].isna().all() and found[["pit", "crps"]].notna().all(axis=None)
