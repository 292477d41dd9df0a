"""Every card is complete: origin, licence, citation, checksums, and a unit for every number."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from bayes_scaling import data
from bayes_scaling.errors import StudyError
from bayes_scaling.study.card import Card

FOLDERS = sorted(path.parent for path in data.HERE.glob("*/card.toml"))
WORDS = ("name", "title", "source", "commit", "licence", "citation")

every_study = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
from_the_origin = pytest.mark.skipif("BAYES_SCALING_DATA" not in os.environ, reason="no folder with the origins' files")


def missing(folder: Path) -> list[str]:
    """Return what the card of a study lacks, a phrase each."""
    card = tomllib.loads((folder / "card.toml").read_text(encoding="utf-8"))
    found = [word for word in WORDS if not isinstance(card.get(word), str) or not card[word].strip()]
    found += [f"unknown key {key}" for key in card.keys() - {f.name for f in dataclasses.fields(Card)} - {"origin"}]
    if card.get("name") != folder.name:
        found.append("name of the folder")
    if not str(card.get("source")).startswith("https://"):
        found.append("address of the source")
    if not re.fullmatch("[0-9a-f]{40}", str(card.get("commit"))):
        found.append("whole commit")
    units = card.get("units", {})
    figures = folder / "figures.csv"
    numbers = list(pd.read_csv(figures).select_dtypes("number")) if figures.is_file() else []
    found += [f"unit of {name}" for name in dict.fromkeys([*units, *numbers]) if not units.get(name, "").strip()]
    origin = card.get("origin", {})
    if "script" in origin:
        return found if (folder / origin["script"]).is_file() else [*found, "origin.script"]
    found += [f"origin.{key}" for key in ("folder", "url", "files") if not origin.get(key)]
    if str(card.get("commit")) not in origin.get("url", "") or not origin.get("url", "").endswith("/"):
        found.append("folder of the commit in the url")
    files = origin.get("files", {})
    found += [f"checksum of {name}" for name, digest in files.items() if not re.fullmatch("[0-9a-f]{64}", digest)]
    return found


@every_study
def test_a_card_is_complete(folder):
    assert missing(folder) == []


@every_study
def test_a_study_is_a_package_with_a_script_that_makes_what_it_carries(folder):
    study = importlib.import_module(f"bayes_scaling.data.{folder.name}")
    if data.measured(folder.name):
        assert study.__doc__ and data.embedded(folder.name)
        with pytest.raises(StudyError, match="measures them again"):
            data.write_figures(folder.name)
        return
    build = importlib.import_module(f"bayes_scaling.data.{folder.name}.build")
    assert study.__doc__ and callable(build.full)
    assert hasattr(build, "figures") == data.embedded(folder.name)


BROKEN = {
    **{f"no {word}": (rf'(?m)^{word} = ".*"$', "", word) for word in WORDS},
    "an empty licence": (r'(?m)^licence = ".*"$', 'licence = " "', "licence"),
    "a misspelt key": (r"(?m)^notes =", "note =", "unknown key note"),
    "another name": (r'(?m)^name = "', 'name = "my_', "name of the folder"),
    "a source without an address": ("source = .https://", 'source = "', "address of the source"),
    "a short commit": (r'commit = "(\w{7})\w*"', r'commit = "\1"', "whole commit"),
    "a branch in the url": (r'(url = ".*/)[0-9a-f]{40}/', r"\1main/", "folder of the commit in the url"),
    "no url": (r'(?m)^url = ".*"$', "", "origin.url"),
    "no folder": (r'(?m)^folder = ".*"$', "", "origin.folder"),
    "no files": (r'(?m)^".*" = "[0-9a-f]{64}"$', "", "origin.files"),
    "a short checksum": (r'"190M-1xC.csv" = "\w\w', '"190M-1xC.csv" = "', "checksum of 190M-1xC.csv"),
    "a number without a unit": (r"(?m)^chance = .*$", "", "unit of chance"),
    "an empty unit": (r"(?m)^tokens = .*$", 'tokens = ""', "unit of tokens"),
}


@pytest.mark.parametrize(("old", "new", "lacking"), BROKEN.values(), ids=BROKEN)
def test_what_a_card_lacks_is_found(old, new, lacking, tmp_path):
    folder = shutil.copytree(data.HERE / "olmo_ladder", tmp_path / "olmo_ladder")
    text = (folder / "card.toml").read_text(encoding="utf-8")
    (folder / "card.toml").write_text(re.sub(old, new, text), encoding="utf-8")
    assert lacking in missing(folder)


@from_the_origin
@every_study
def test_every_number_of_the_full_table_has_a_unit_too(folder):
    table = data.read_full(folder.name)
    units = Card.from_toml(folder / "card.toml").units
    assert [name for name in table.select_dtypes("number") if name not in units] == []
    carried = pd.read_csv(folder / "figures.csv", nrows=0) if data.embedded(folder.name) else table
    assert units.keys() <= {*table.columns, *carried.columns}


@from_the_origin
@pytest.mark.parametrize("name", [f.name for f in FOLDERS if data.embedded(f.name) and not data.measured(f.name)])
def test_the_figures_are_those_of_the_origin(name, monkeypatch, tmp_path):
    copy = shutil.copytree(data.HERE / name, tmp_path / name)
    stored = (copy / "figures.csv").read_bytes()
    (copy / "figures.csv").unlink()
    monkeypatch.setattr(data, "HERE", tmp_path)
    assert data.write_figures(name).read_bytes() == stored
