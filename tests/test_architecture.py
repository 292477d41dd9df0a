"""The rooms of ``pyproject.toml`` hold: no import runs up, no circle, no matplotlib below plots."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def house(tmp_path):
    """The package as a wheel lays it out, with models and data inside, for the linter to read."""
    only_code = shutil.ignore_patterns("*.csv", "*.toml", "__pycache__")
    shutil.copytree(ROOT / "bayes_scaling", tmp_path / "bayes_scaling", ignore=only_code)
    for name in ("models", "data"):
        shutil.copytree(ROOT / name, tmp_path / "bayes_scaling" / name, ignore=only_code)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(house):
    """Return the exit code of the import linter and what it says."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(
        command, cwd=house, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(house)}
    )
    return done.returncode, done.stdout + done.stderr


def test_every_import_keeps_to_the_rooms(house):
    code, said = lint(house)
    assert code == 0, said


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("study/design", "from bayes_scaling.plots.style import STYLE", "Rooms"),
        ("law/sites", "def late():\n    from bayes_scaling.models.chinchilla import Chinchilla", "Rooms"),
        ("evaluation/compare", "from bayes_scaling.data import load_study", "Rooms"),
        ("decisions/reach", "from bayes_scaling.evaluation.loo import waic", "Rooms"),
        ("study/validation", "from bayes_scaling.study.design import design_check", "circles"),
        ("forecasts/scores", "import matplotlib.pyplot", "matplotlib"),
    ],
)
def test_an_import_that_breaks_them_is_found(module, line, contract, house):
    path = house / "bayes_scaling" / f"{module}.py"
    path.write_text(path.read_text(encoding="utf-8") + f"\n\n{line}\n", encoding="utf-8")
    code, said = lint(house)
    broken = [row for row in said.splitlines() if row.endswith("BROKEN")]
    assert code == 1 and any(contract in row for row in broken), said
