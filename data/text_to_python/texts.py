"""The texts of the study: pinned packages, read byte by byte, cut into pieces of one thousand bytes."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bayes_scaling.errors import FileError
from bayes_scaling.study.download import verified

__all__ = ["PIECE", "USES", "pieces", "read_or_build"]

PIECE = 1000
"""Bytes in a piece, so that data sizes are whole numbers of pieces."""

USES = {"prose": 12_000, "code": 30_000, "validation": 100, "test": 1000}
"""Pieces of each use: pre-training, training, early stopping, and the loss that is reported."""

TOOLS = {
    "pip": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version",
            "3.11", "--platform", "manylinux2014_x86_64", "--dest", "{folder}", "{package}"],
    "npm": ["npm", "pack", "--silent", "--pack-destination", "{folder}", "{package}"],
}  # fmt: skip


def read_or_build(path: Path, folder: Path) -> dict[str, np.ndarray]:
    """Return the pieces of every use from ``path``, which is written first where it is missing.

    Parameters
    ----------
    path : Path
        An ``.npz`` file of pieces, bytes [piece, 1000] for each use.
    folder : Path
        Where the packages lie, or are to be downloaded to.

    Raises
    ------
    FileError
        A package cannot be downloaded, or is not the one expected.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{use: pieces(use, folder) for use in USES})  # type: ignore[arg-type]
    with np.load(path) as file:
        return dict(file)


def pieces(use: str, folder: Path) -> np.ndarray:
    """Return the pieces of one use, bytes [piece, 1000], in an order drawn once for all."""
    texts = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))["text"]
    parts = []
    for text in texts:
        if text["use"] == use:
            for content in _contents(_fetched(text, folder)):
                whole = len(content) // PIECE
                parts.append(np.frombuffer(content[: whole * PIECE], dtype=np.uint8).reshape(whole, PIECE))
    every = np.concatenate(parts)
    return every[np.random.default_rng(0).permutation(len(every))[: USES[use]]]


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the text files of a package, by name: the sources of a wheel, the texts of a tarball."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from (wheel.read(name) for name in sorted(wheel.namelist()) if name.endswith(".py"))
        return
    with tarfile.open(path) as tarball:
        members = {m.name: m for m in tarball if m.isfile() and m.name.endswith(".txt") and "/data/" in m.name}
        for name in sorted(members):
            file = tarball.extractfile(members[name])
            assert file is not None
            yield file.read()


def _fetched(text: dict[str, str], folder: Path) -> Path:
    """Return the package, downloaded by the tool that knows its address where it is not there."""
    path = folder / text["file"]
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        command = [part.format(folder=folder, package=text["package"]) for part in TOOLS[text["tool"]]]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FileError(
                f"{text['package']} could not be downloaded by {text['tool']} ({error}); "
                f"put {text['file']} into {str(folder)!r} by other means."
            ) from error
    return verified(path, text["sha256"])
