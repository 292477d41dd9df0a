"""The studies: one folder each, with a card, a script that builds its tables, and, where it has one, a small table.

``build.py`` of a study holds ``full(files)``, from the origin's files to one table, and ``figures(table)``, from that
table to the small one of figures that the package carries as ``figures.csv``.  A study measured here has, in place of
``build.py``, the script that measures it, and carries every run.
"""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_scaling.errors import StudyError, suggest
from bayes_scaling.study.card import Card
from bayes_scaling.study.study import Study

__all__ = ["available", "embedded", "load_study", "measured", "write_figures"]

HERE = Path(__file__).parent


def available() -> dict[str, Card]:
    """Return the card of every study, by name."""
    return {path.parent.name: Card.from_toml(path) for path in sorted(HERE.glob("*/card.toml"))}


def embedded(name: str) -> bool:
    """Say whether the package carries a table of figures for this study."""
    return (HERE / name / "figures.csv").is_file()


def measured(name: str) -> bool:
    """Say whether the runs of this study were measured here, so that its table of figures is all there is."""
    return "script" in _origin(name)


def load_study(name: str, *, full: bool = False, progress: bool = True) -> Study:
    """Load a study of the package by name.

    Parameters
    ----------
    name : str
        One of those ``bayes-scaling studies`` lists.
    full : bool, default False
        Read every run from the public origin (or from the folder ``BAYES_SCALING_DATA``) instead of the embedded
        table of figures.
    progress : bool, default True
        Show a progress bar while downloading.

    Raises
    ------
    StudyError
        There is no such study.
    FileError
        A file of the full set is missing, cannot be downloaded or has the wrong checksum.

    Examples
    --------
    >>> load_study("olmo_ladder").tasks[:2]
    ['MMLU', 'HellaSwag']
    """
    cards = available()
    if name not in cards:
        raise StudyError(f"There is no study {name!r}; {suggest(name, cards)}")
    if full or not embedded(name):
        return Study.from_frame(read_full(name, progress=progress), card=cards[name])
    return Study.from_frame(pd.read_csv(HERE / name / "figures.csv"), card=cards[name])


def read_full(name: str, *, progress: bool = True) -> pd.DataFrame:
    """Fetch a study's files from their public origin and build its full table; one measured here is carried whole."""
    from bayes_scaling.study.download import fetch

    if measured(name):
        return pd.read_csv(HERE / name / "figures.csv")
    origin = _origin(name)
    files = fetch(origin["folder"], origin["url"], origin["files"], progress=progress)
    return importlib.import_module(f"bayes_scaling.data.{name}.build").full(files)


def write_figures(name: str) -> Path:
    """Compute the table of figures of a study from its full table and write it beside the card.

    Raises
    ------
    StudyError
        The study is measured here, so that only its own script can make its figures anew.
    """
    if measured(name):
        origin = _origin(name)
        words = f"bayes_scaling.data.{name}.{origin['script'].removesuffix('.py')} {origin.get('arguments', '')}"
        call = f"python -m {words.strip()}"
        raise StudyError(f"The runs of {name!r} are measured, not downloaded; `{call}` measures them again.")
    table = importlib.import_module(f"bayes_scaling.data.{name}.build").figures(read_full(name))
    path = HERE / name / "figures.csv"
    table.to_csv(path, index=False, float_format="%.6g")
    return path


def _origin(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name / "card.toml").read_text(encoding="utf-8")).get("origin", {})
