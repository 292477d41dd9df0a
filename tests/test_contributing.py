"""What CONTRIBUTING.md promises: pinned versions on every Python, the workflow, the hooks."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bayes_scaling import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = sorted(re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"])))
EXTRAS = PROJECT["optional-dependencies"]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def named(lines: list[str]) -> list[Requirement]:
    """Return what requirements name, those of the package's own extras among them."""
    needed = [Requirement(line) for line in lines]
    own = [each for each in needed if each.name == PROJECT["name"]]
    inner = [each for one in own for extra in sorted(one.extras) for each in named(EXTRAS[extra])]
    return [each for each in needed if each not in own] + inner


def pins(python: str) -> list[tuple[str, str]]:
    """Return name and version of every constraint that holds on a Python."""
    holding = (pin for pin in PINS if pin.marker is None or pin.marker.evaluate({"python_version": python}))
    return [(canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")) for pin in holding]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_of_the_tests_is_pinned_once_and_within_its_range(python):
    known = pins(python)
    assert len(known) == len(dict(known))
    versions = dict(known)
    ours = [*named(PROJECT["dependencies"]), *named(EXTRAS["dev"])]
    assert [needed.name for needed in ours if canonicalize_name(needed.name) not in versions] == []
    assert [str(n) for n in ours if not n.specifier.contains(versions[canonicalize_name(n.name)])] == []


def test_a_constraint_is_one_exact_version():
    assert [str(pin) for pin in PINS if not re.fullmatch(r"==[\d.]+\w*", str(pin.specifier)) or pin.url] == []


def test_the_makefile_installs_what_is_pinned():
    lines = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "'.[dev]'" in line]
    assert len(lines) == 1 and "-c constraints.txt" in lines[0]


def test_the_workflow_runs_make_test_on_every_python():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert sorted(job["strategy"]["matrix"]["python"]) == PYTHONS
    assert any("make test" in step.get("run", "") for step in job["steps"])
    assert [row["environment"] for row in job["strategy"]["matrix"]["include"]] == ["XLA_FLAGS="]  # default flags


def test_the_hook_refuses_a_large_notebook(tmp_path):
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    (hook,) = (hook for hook in hooks if hook["id"] == "notebook-size")
    small, large = tmp_path / "small.ipynb", tmp_path / "large.ipynb"
    small.write_bytes(bytes(300 * 1024))
    large.write_bytes(bytes(300 * 1024 + 1))
    assert re.search(hook["files"], small.name)
    for paths, code in (((small,), 0), ((small, large), 1)):
        done = subprocess.run([*shlex.split(hook["entry"]), *paths], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert "large.ipynb" in done.stderr and "small.ipynb" not in done.stderr


def test_citation_and_changelog_speak_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.MULTILINE)[1] == __version__


def test_every_file_that_contributing_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.\w+|[\w/]+/)`|\]\((\S+)\)|(?:pytest |=)(tests/\S+)", text)
    paths = [path for found in named for path in found if path]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
