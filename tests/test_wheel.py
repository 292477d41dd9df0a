"""The wheel holds everything, and works outside the checkout with nothing but what it declares."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement

from bayes_scaling.data import available
from bayes_scaling.models import LAWS

ROOT = Path(__file__).parent.parent
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
RUNS = """N,D,loss
2e7,2e8,5.15
2e7,1e9,4.30
6e7,6e8,4.07
6e7,3e9,3.47
2e8,2e9,3.29
2e8,1e10,2.91
6e8,6e9,2.80
6e8,3e10,2.56
1.5e9,1.5e10,2.53
1.5e9,7.5e10,2.35
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, **options) -> str:
    """Run a command outside the checkout, without a way back into it, and return what it prints."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the checkout; the build backend comes from the package index."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    fetch = [*pip, *"download hatchling --no-deps --retries 1 --timeout 20 --dest".split(), folder / "backend"]
    tried = subprocess.run(fetch, capture_output=True, text=True, cwd=folder, check=False)
    if tried.returncode != 0:
        why = tried.stderr.strip().splitlines()[-1]
        pytest.skip(f"the build backend cannot be fetched from a package index ({why})")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh environment that holds the wheel, and of this one's packages what the wheel asks for, and no other."""
    home = tmp_path_factory.mktemp("outside") / "environment"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = home / SCRIPTS / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    (facts,) = metadata.distributions(path=[str(wheel)])
    for name in declared(facts.requires):
        found = metadata.distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", wheel, cwd=home)
    return home


def declared(lines: Sequence[str] | None, extras: Sequence[str] = (), seen: set | None = None) -> set[str]:
    """Return the distributions that requirements name, and those that these need, as they are in this environment."""
    seen = set() if seen is None else seen
    for needed in map(Requirement, lines or ()):
        key = (needed.name, *sorted(needed.extras))
        wanted = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
        if wanted and key not in seen:
            seen.add(key)
            declared(metadata.requires(needed.name), sorted(needed.extras), seen)
    return {key[0] for key in seen}


def test_the_wheel_holds_every_file_that_is_read(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"bayes_scaling/{name}"
        for name in ("py.typed", "plots/style.mplstyle", "reporting/page.html.j2", "models/population.json")
    }
    for folder, suffixes in (("bayes_scaling", (".py", ".pyi")), ("models", (".py", ".pyi")), ("data", (".py",))):
        parent = "" if folder == "bayes_scaling" else "bayes_scaling/"
        files = (path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
        expected |= {f"{parent}{path.relative_to(ROOT).as_posix()}" for path in files}
    for pattern in ("*/card.toml", "*/figures.csv", "*/texts.toml"):
        expected |= {f"bayes_scaling/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "data").glob(pattern)}
    assert {"bayes_scaling/__init__.pyi", "bayes_scaling/data/olmo_ladder/figures.csv"} <= expected
    assert expected - inside == set()
    others = {name for name in inside - expected if not name.partition("/")[0].endswith(".dist-info")}
    assert others == set()


def test_the_package_is_the_wheel_s(installed):
    code = "import bayes_scaling as b; print(*(x.__file__ for x in (b, b.models, b.data, b.plots)), sep='\\n')"
    places = run(installed / SCRIPTS / "python", "-c", code, cwd=installed).splitlines()
    assert len(places) == 4 and all(Path(place).is_relative_to(installed) for place in places)


def test_it_lists_its_laws_and_studies(installed):
    command = installed / SCRIPTS / "bayes-scaling"
    laws, studies = (run(command, what, cwd=installed) for what in ("laws", "studies"))
    assert [name for name in LAWS if name not in laws] == []
    assert [name for name in available() if name not in studies] == []


def test_it_forecasts(installed, tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS, encoding="utf-8")
    command = [
        installed / SCRIPTS / "bayes-scaling",
        "forecast",
        "runs.csv",
        "--target",
        "N=7e9,D=4e12",
        "--law",
        "chinchilla",
    ]
    written = ("--out", "out", "--report", "report.html")
    said = run(*command, "--draws", "50", "--allow-unconverged", *written, cwd=tmp_path)
    assert "N=7e9,D=4e12" in said and "chinchilla" in said
    table = pd.read_csv(tmp_path / "out" / "forecast.csv")
    assert ((table["q05"] > 1.5) & (table["q05"] < table["q95"]) & (table["q95"] < 2.35)).all()
    assert (tmp_path / "out" / "forecast.png").is_file()
    assert "<math" in (tmp_path / "report.html").read_text(encoding="utf-8")  # what is imported for the report alone
