from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bayes_scaling
from bayes_scaling import checkout, data, models

ROOT = Path(__file__).parent.parent


def finders():
    return [finder for finder in sys.meta_path if type(finder) is checkout._BesideThePackage]


def test_the_checkout_finds_models_and_data_and_nothing_else():
    code = "import bayes_scaling.models, bayes_scaling.data, bayes_scaling.tests"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No module named 'bayes_scaling.tests'" in done.stderr


def test_models_and_data_lie_beside_the_package():
    assert Path(models.__file__).parent == ROOT / "models" and Path(data.__file__).parent == ROOT / "data"
    assert Path(bayes_scaling.__file__).parent == ROOT / "bayes_scaling"


def test_one_finder_is_registered_however_often_it_is_asked_for():
    checkout.install()
    assert len(finders()) == 1


def test_a_wheel_needs_no_finder(tmp_path, monkeypatch):
    monkeypatch.setattr(checkout, "CHECKOUT", tmp_path)  # without a pyproject.toml
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if f not in finders()])
    checkout.install()
    assert finders() == []
