"""The tests mirror the rooms: ``bayes_scaling/ROOM/MODULE.py`` has ``tests/ROOM/test_MODULE.py``, and back.

Laws lie in ``models/``, beside the package in a checkout, and are mirrored as ``tests/models/``; benchmarks that have a
test are mirrored too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WITHOUT_TESTS = {
    "__init__": "names and a docstring: test_docs looks for every name, test_imports at what they load",
    "__main__": "two lines that start cli/app, whose tests run the package as a module",
    "version": "a number, which test_wheel reads out of the wheel",
}
WITHOUT_MODULE = {
    "test_architecture": "the imports between all rooms",
    "test_contributing": "the pinned versions, the workflow and the hooks",
    "test_docs": "the pages",
    "test_guides": "the pages that show how to add a law and a study",
    "test_imports": "what loads when the package is imported",
    "test_mirror": "all test files",
    "test_readme": "the README",
    "test_wheel": "the built package",
    "models/test_protocol": "what every law must do",
    "plots/test_images": "every public picture beside a stored one",
}
OF_THEIR_OWN = {
    "data": "a study is a folder, and its tests go by its name",
    "notebooks": "test_stored sees to it that every notebook is run by a test of its own",
}


def names(folder: Path, pattern: str) -> set[str]:
    """Return the Python files below a folder by their path in it, without ending."""
    return {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(pattern)}


def modules(root: Path) -> set[str]:
    """Return every module that is to have a test file, such as ``law/base`` and ``models/kaplan``."""
    found = names(root / "bayes_scaling", "*.py") | {f"models/{name}" for name in names(root / "models", "*.py")}
    return {name for name in found if name.rpartition("/")[2] not in WITHOUT_TESTS}


def mirrored(root: Path) -> set[str]:
    """Return what the test files are named after, exceptions left out."""
    found = {name for name in names(root / "tests", "test_*.py") if name.partition("/")[0] not in OF_THEIR_OWN}
    places = (name.rpartition("/") for name in found - set(WITHOUT_MODULE))
    return {f"{room}{slash}{name.removeprefix('test_')}" for room, slash, name in places}


def benchmarks(root: Path) -> set[str]:
    """Return the modules that may have a test file: a benchmark runs for minutes, and few have parts to test."""
    return {f"benchmarks/{name}" for name in names(root / "benchmarks", "*.py")}


def test_every_module_has_a_test_file():
    assert sorted(modules(ROOT) - mirrored(ROOT)) == []


def test_every_test_file_has_a_module():
    assert sorted(mirrored(ROOT) - modules(ROOT) - benchmarks(ROOT)) == []


def test_every_exception_is_still_there():
    tests = names(ROOT / "tests", "*.py")
    assert set(WITHOUT_MODULE) <= tests and all((ROOT / "tests" / folder).is_dir() for folder in OF_THEIR_OWN)
    assert all(WITHOUT_TESTS.values()) and all(WITHOUT_MODULE.values()) and all(OF_THEIR_OWN.values())


@pytest.mark.parametrize(
    ("path", "lonely"),
    [
        ("bayes_scaling/law/new.py", {"law/new"}),
        ("bayes_scaling/new.py", {"new"}),
        ("models/new.py", {"models/new"}),
        ("tests/law/test_new.py", {"law/new"}),
        ("tests/test_new.py", {"new"}),
        ("tests/benchmarks/test_new.py", {"benchmarks/new"}),
        ("bayes_scaling/law/__init__.py", set()),
        ("tests/law/helpers.py", set()),
        ("tests/notebooks/test_new.py", set()),
    ],
)
def test_a_file_without_its_mirror_is_found(path, lonely, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    assert (modules(tmp_path) ^ mirrored(tmp_path)) - benchmarks(tmp_path) == lonely
