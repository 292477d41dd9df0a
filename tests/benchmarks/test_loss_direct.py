from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import score_table
from bayes_scaling.models.population import POPULATION
from benchmarks import loss_direct
from benchmarks.loss_direct import recommended, report
from benchmarks.loss_to_loss import SETS


def sweep() -> bs.Study:
    """Return a small sweep whose loss is a power of the parameters without embeddings, with a target of each set."""
    budgets = [*np.geomspace(1e17, 4.84e19, 14), 1e21]
    rows = [
        {"run": f"{name} {c:.3g}", "train_data": name, "flops": c, "n_params": 1e9 + (c / 120) ** 0.5,
         "n_params_body": (c / 120) ** 0.5, "tokens": 20 * (c / 120) ** 0.5, "role": "target" if c == 1e21 else "train",
         "train_loss": 2 + 100 * (c / 120) ** -0.15}
        for name in SETS
        for c in budgets
    ]  # fmt: skip
    return bs.Study.from_frame(pd.DataFrame(rows), name="sweep")


def power_of_n(studies: list[bs.Study], *_: object) -> Iterator[tuple[object, str]]:
    """Yield forecasts that are right where N counts no embeddings."""
    for study in studies:
        drawn = np.random.default_rng(0).normal(1, 0.01, (400, 1)) * (
            2 + 100 * study.targets.column("n_params") ** -0.3
        )
        actual = study.targets.column("loss")
        yield (
            SimpleNamespace(draws={"loss_run": xr.DataArray(drawn)}, score=lambda d=drawn, a=actual: score_table(d, a)),
            "converged",
        )


def test_parameters_are_counted_as_the_backtests_say(monkeypatch):
    monkeypatch.setattr(loss_direct, "_averages", power_of_n)
    errors, scores = recommended(sweep(), POPULATION)
    error = errors.set_index("N")["mape"]
    assert error["n_params_body"] < 0.002 < 0.01 < error["n_params"]
    assert set(scores["N"]) == {"n_params_body"} and len(scores) == 6 and scores["in90"].all()


def test_figures_of_the_recommended_forecast_stand_beside_those_of_one_chosen_law(capsys):
    rows = pd.DataFrame({"way": ["average of laws"] * 2 + ["one chosen law"] * 2, "study": list("abab"), "law": "any",
                         "N": "n_params", "s": [np.nan, np.nan, 0.1, 0.2], "actual": [2.0, 4.0, 2.0, 4.0],
                         "median": [2.02, 4.0, 2.1, 4.2], "relative_error": [0.01, 0.0, 0.05, 0.05],
                         "in90": [True, True, False, True], "width90": [0.2, 0.2, 0.1, 0.2],
                         "verdict": "converged"})  # fmt: skip
    found = report(pd.DataFrame({"N": ["n_params"]}), pd.DataFrame({"law": ["any"]}), rows)
    assert found["direct_bias"] == pytest.approx(0.5) and found["direct_chosen_bias"] == pytest.approx(5)
    assert (found["direct_cover90"], found["direct_chosen_cover90"]) == (2, 1)
    assert found["direct_width90"] == pytest.approx(7.5)
    assert "one chosen law" in capsys.readouterr().out
