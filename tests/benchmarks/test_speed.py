from __future__ import annotations

import json

import jax
import numpy as np
import pandas as pd
import pytest

from benchmarks import scaling, speed, stored


@pytest.fixture
def found():
    by_rows = pd.DataFrame({"rows": [96, 1024], "seconds": [0.5, 2.0]})
    by_studies = pd.DataFrame({"studies": [1, 16], "seconds": [0.5, 2.0]})
    figures = {"slope_rows": 0.5857, "million_rows_gib": 1.25}
    return {"Against rows": by_rows, "Against studies": by_studies}, figures


def test_a_part_replaces_its_own_results_and_keeps_the_others(found, tmp_path):
    stored.store(tmp_path, "scaling", "a machine", found)
    stored.store(tmp_path, "forecast", "another machine", ({"T": pd.DataFrame({"GiB": [0.7]})}, {"forecast_gib": 0.7}))
    stored.store(tmp_path, "scaling", "a third machine", (found[0], {"slope_rows": 0.4}))
    table = pd.read_csv(tmp_path / "speed.csv")
    assert dict(zip(table["figure"], table["value"], strict=True)) == {"slope_rows": 0.4, "forecast_gib": 0.7}
    text = (tmp_path / "speed.md").read_text()
    assert "a third machine" in text and "another machine" in text and "a machine." not in text
    assert "| slope of a fit's cost against rows, log-log | 0.4 | <= 1 |" in text
    assert (tmp_path / "scaling.png").stat().st_size > 1000


def test_the_stored_page_is_that_of_the_stored_tables_under_the_titles_of_today():
    parts = json.loads((speed._ROOT / "benchmarks" / "results" / "speed.json").read_text(encoding="utf-8"))
    assert stored._document(parts) == (speed._ROOT / "benchmarks" / "results" / "speed.md").read_text(encoding="utf-8")
    assert list(parts["batch"]["tables"]) == [speed.BATCH_TITLE]
    assert "4 chains x 500 draws" in speed.BATCH_TITLE and "compilation included" in speed.BATCH_TITLE


def test_a_part_runs_alone_and_writes_its_figures_flat(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(speed.PARTS, "scaling", lambda: found)
    file = tmp_path / "figures.json"
    speed.main(["--part", "scaling", "--json", str(file), "--out", str(tmp_path / "results")])
    assert json.loads(file.read_text()) == {"slope_rows": 0.5857, "million_rows_gib": 1.25}
    assert "cores" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        speed.main(["--part", "no_such"])


def test_the_slope_is_that_of_a_power():
    sizes = pd.Series([1, 10, 100])
    assert scaling._slope(sizes, 3.0 * sizes**0.7) == pytest.approx(0.7)


def test_every_size_fills_its_bucket():
    from bayes_scaling.inference.padding import bucket

    assert all(bucket(rows) == rows for rows in scaling.ROWS)
    assert scaling.ROWS[0] <= 100 and scaling.ROWS[-1] >= 1_000_000 and scaling.STUDIES[-1] == 1024
    assert np.all(np.diff(scaling.ROWS) > 0)


def test_the_benchmark_of_devices_says_that_there_is_only_the_cpu(capsys):
    from benchmarks import gpu

    if jax.devices()[0].platform != "cpu":
        pytest.skip("there is an accelerator")
    figures = gpu.figures((1,))
    assert "the CPU is measured alone" in capsys.readouterr().out
    assert set(figures) == {"cpu_1_s", "mcse_1"} and 0 < figures["mcse_1"] < gpu.MOST
