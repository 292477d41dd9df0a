from functools import partial

import pytest

from bayes_scaling.inference import fit as fitting


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch):
    """Fits are too short to converge; do not repeat them with adaptation."""
    monkeypatch.setattr(fitting, "fit", partial(fitting.fit, adapt=False))


@pytest.fixture
def no_fit(monkeypatch):
    """What is refused is refused before the fit."""
    monkeypatch.setattr(fitting, "fit", lambda *_, **__: pytest.fail("it fitted first"))


@pytest.fixture
def csv(runs, tmp_path):
    path = tmp_path / "runs.csv"
    runs.to_csv(path, index=False)
    return path
