from __future__ import annotations

import json
from types import SimpleNamespace

from benchmarks import quality


def test_figures_of_the_same_name_stand_beside_each_other(tmp_path, monkeypatch, capsys):
    figures = {"backtest": {"cover90": 0.9, "runs": 3}, "ladder": {"cover90": 0.8, "tasks": 8}}
    modules = {f"benchmarks.{name}": SimpleNamespace(figures=lambda own=own: own) for name, own in figures.items()}
    monkeypatch.setattr(quality.importlib, "import_module", lambda name: modules[name])
    file = tmp_path / "figures.json"
    quality.main(["backtest", "ladder", "--json", str(file)])
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found == {"cover90": 0.9, "runs": 3, "ladder_cover90": 0.8, "tasks": 8}
    quality.main(["ladder", "--json", str(file)])
    assert json.loads(file.read_text(encoding="utf-8")) == figures["ladder"]
