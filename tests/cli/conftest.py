from functools import partial

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.evaluation import averaging, weighing
from bayes_scaling.inference import batch
from bayes_scaling.inference import fit as fitting


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch):
    """Fits are too short to converge; do not repeat them with adaptation."""
    for module in (fitting, averaging):
        monkeypatch.setattr(module, "fit", partial(fitting.fit, adapt=False))
    monkeypatch.setattr(batch, "fit_many", partial(batch.fit_many, adapt=False))


@pytest.fixture
def no_fit(monkeypatch):
    """What is refused is refused before the fit."""
    for module in (fitting, averaging):
        monkeypatch.setattr(module, "fit", lambda *_, **__: pytest.fail("it fitted first"))
    monkeypatch.setattr(weighing, "hold_out", lambda *_, **__: pytest.fail("it made backtests first"))


@pytest.fixture
def csv(runs, tmp_path):
    path = tmp_path / "runs.csv"
    runs.to_csv(path, index=False)
    return path


@pytest.fixture
def export(runs, tmp_path):
    """Return the file of an export: names of its own, and runs that are not finished."""
    table = runs.rename(columns={"run": "Name", "N": "params", "D": "train/tokens", "val_loss": "eval/loss"})
    table["State"] = ["finished"] * 13 + ["crashed", "failed", "finished"]
    table.loc[13:14, "eval/loss"] = np.nan
    table["params"] = [f"{n / 1e6:g}M" for n in table["params"]]
    path = tmp_path / "export.csv"
    table.to_csv(path, index=False, sep=";")
    return path


@pytest.fixture
def two_losses(tmp_path):
    """Return the file of ten runs with two losses, without roles and of one set."""
    N = np.geomspace(2e7, 1e9, 10)
    table = pd.DataFrame({"run": [f"r{i}" for i in range(10)], "n_params": N, "flops": 120 * N**2})
    table["loss_a"] = 1.8 + 0.6 * (N / 3e8) ** -0.3
    table["loss_b"] = 2.0 + 0.65 * (N / 3e8) ** -0.3
    path = tmp_path / "pairs.csv"
    table.to_csv(path, index=False)
    return path
