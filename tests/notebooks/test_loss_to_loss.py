import pytest

from tests.notebooks.running import run


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_runs_with_few_draws(monkeypatch):
    run("loss_to_loss", monkeypatch)
