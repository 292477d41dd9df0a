"""The pages that show how to add a law and a study: what they show is run, and what they list is whole."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from bayes_scaling import data, models
from bayes_scaling.data.__main__ import main as write_tables
from bayes_scaling.law.base import Law
from bayes_scaling.law.hooks import Hooks
from bayes_scaling.models import Chinchilla
from tests.data import test_cards
from tests.models import examples, test_protocol

DOCS = Path(__file__).parent.parent / "docs"
LAW, STUDY = ((DOCS / f"add_a_{what}.md").read_text(encoding="utf-8") for what in ("law", "study"))
FEW = "simulations=50, draws=50, chains=1, keep=24, chunk=50, adapt=False, patience=0, progress=False"
DEMANDS = [
    name
    for name, test in vars(test_protocol).items()
    if name.startswith("test_") and inspect.signature(test).parameters
]
FOLDER = re.search(r"^data/(\w+)/$", STUDY, re.MULTILINE)[1]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[ModuleType]:
    """The file of the page's law, as a module."""
    path = tmp_path_factory.mktemp("models") / "repeated.py"
    path.write_text(blocks(LAW, "python")[0], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("bayes_scaling.models.repeated", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def repeated(page, monkeypatch) -> Law:
    """The law of the page, where the protocol test looks for the package's laws."""
    monkeypatch.setattr(test_protocol, "law_of", lambda name: getattr(page, name)())
    monkeypatch.setitem(examples.COLUMNS, "unique_tokens", examples.COLUMNS["tokens"] / 4)
    return page.Repeated()


@pytest.mark.parametrize("name", DEMANDS)
def test_the_law_keeps_the_protocol(name, repeated):
    getattr(test_protocol, name)("Repeated")


def test_the_law_is_what_its_paper_says(page, repeated):
    values = {"E": 1.8, "reducible": 0.5, "split": 0.3, "alpha_N": 0.3, "alpha_D": 0.25}
    N, D = np.geomspace(1e8, 1e10, 5), np.geomspace(1e9, 1e12, 5)
    chinchilla = Chinchilla().mean(N, D, 1e9, 1e11, **values)
    once = repeated.mean(N, D, D, 1e9, 1e11, **values, repeats=15.0)
    assert np.asarray(once) == pytest.approx(np.asarray(chinchilla), rel=1e-5)
    endless = repeated.mean(N, 1e6 * D, D, 1e9, 1e11, **values, repeats=15.0)
    assert np.asarray(endless) == pytest.approx(np.asarray(Chinchilla().mean(N, 16 * D, 1e9, 1e11, **values)), rel=1e-5)
    assert "15.4" in repeated.notes["repeats"].reason and repeated.published["repeats"] == pytest.approx(15.4, abs=0.05)


def test_the_examples_of_the_law_hold(page):
    assert doctest.testmod(page) == (0, 2)  # none of two fails


@pytest.mark.slow
def test_the_checks_of_the_law_run(page, capsys):
    names = dict(vars(page))
    checks = blocks(LAW, "python")[1:]
    for block in checks:
        exec(block.replace("simulations=200", FEW), names)
    assert FEW not in LAW and sum("simulations=200" in block for block in checks) == 1
    low, high = np.quantile(names["posterior"].draws["repeats"], [0.02, 0.98])
    assert low < names["truth"]["repeats"] < high
    assert names["posterior"].diagnostics.converged
    assert names["calibration"].p_values().min() > 1e-4
    assert capsys.readouterr().out.count("median") == 1


@pytest.mark.parametrize(("text", "path"), [(LAW, "models/repeated.py"), (STUDY, "data/small_sweep/build.py")])
def test_the_files_keep_to_the_style(text, path):
    for check in ("check", "format --check"):
        command = [sys.executable, "-m", "ruff", *check.split(), "--stdin-filename", path, "-"]
        done = subprocess.run(
            command, input=blocks(text, "python")[0], capture_output=True, text=True, cwd=DOCS.parent, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_hooks_is_whole():
    rows = {name for row in re.findall(r"^\| (`.*?`) \|", LAW, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    hooks = {name for name in vars(Hooks) if not name.startswith("_")}
    assert hooks - rows == set()
    assert {name for name in rows if name.isidentifier() and not hasattr(Law, name)} == set()


def test_the_lists_of_the_law_are_there():
    root = DOCS.parent
    for path in re.findall(r"^\| `([\w/]+\.\w+)` \|", LAW, re.MULTILINE):
        assert (root / path).is_file(), path
    line = next(
        row for row in (root / "models/__init__.pyi").read_text(encoding="utf-8").splitlines() if "Kaplan" in row
    )
    assert line.replace("kaplan", "repeated").replace("Kaplan", "Repeated") in LAW
    assert "Repeated" not in vars(models)  # once the package has it, the page needs another law


@pytest.fixture
def written(tmp_path, monkeypatch) -> Path:
    """The folder of the page's study, with the file of its origin at hand, where the package looks for its studies."""
    raw = next(block for block in blocks(STUDY, "text") if block.startswith("model,"))
    (card,), (build, *_) = blocks(STUDY, "toml"), blocks(STUDY, "python")
    folder = tmp_path / "studies" / FOLDER
    folder.mkdir(parents=True)
    for name, text in (("__init__.py", '"""A sweep."""\n'), ("card.toml", card), ("build.py", build)):
        (folder / name).write_text(text, encoding="utf-8")
    origin = tmp_path / "origin" / tomllib.loads(card)["origin"]["folder"]
    origin.mkdir(parents=True)
    (origin / "sweep.csv").write_bytes(raw.encode())
    monkeypatch.setenv("BAYES_SCALING_DATA", str(origin.parent))
    monkeypatch.setattr(data, "HERE", folder.parent)
    monkeypatch.setattr(data, "__path__", [*data.__path__, str(folder.parent)])
    yield folder
    for name in (FOLDER, f"{FOLDER}.build"):
        sys.modules.pop(f"bayes_scaling.data.{name}", None)


def test_the_study_is_built_and_its_card_is_complete(written, capsys):
    write_tables([FOLDER])
    assert capsys.readouterr().out.strip() == str(written / "figures.csv")
    assert len(pd.read_csv(written / "figures.csv")) == 5
    assert test_cards.missing(written) == []
    names: dict = {}
    exec(blocks(STUDY, "python")[1], names)
    assert names["study"].card.citation in capsys.readouterr().out
    assert data.load_study(FOLDER, full=True).frame["role"].tolist() == ["train"] * 5 + ["extra"]


def test_a_study_that_is_not_there_is_named(written):
    with pytest.raises(SystemExit, match=f"no study 'small_swep'; did you mean '{FOLDER}'"):
        write_tables(["small_swep"])


def test_the_table_of_keys_is_whole(written):
    keys = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| (`.*?) \|", STUDY, re.MULTILINE))))
    card = tomllib.loads((written / "card.toml").read_text(encoding="utf-8"))
    assert keys == {*(card.keys() - {"origin"}), *(f"origin.{key}" for key in card["origin"])}
    assert inspect.signature(test_cards.Card).parameters.keys() == card.keys() - {"origin"}
