"""Results on disk: checked for writability before the work, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bayes_scaling.errors import FileError

__all__ = [
    "as_json",
    "atomic_file",
    "atomic_folder",
    "check_writable",
    "one_line_lists",
    "staged",
    "write_json",
    "write_text",
]


def check_writable(
    folder: Path | None, *files: Path | None, reads: Iterable[str | Path | None] = (), names: Collection[str] = ()
) -> None:
    """Refuse an output folder or files that cannot be written, before any work is done for them.

    Parameters
    ----------
    folder, *files : Path, optional
        Where results go.
    reads : iterable of str or Path, optional
        What the work reads, files among them: no result may take the place of one.
    names : collection of str
        Names, without their endings, of what the results put into the folder.

    Raises
    ------
    FileError
        One cannot be written, is a folder, is given twice, is also read, or something on the way to it is not a folder.
    """
    given = [file for file in files if file]
    for path in (*filter(None, [folder]), *(file.parent for file in given)):
        with staged(path):
            pass
    for file in given:
        _require_no_folder(file)
        if folder and file.absolute() == folder.absolute():
            raise FileError(f"{str(file)!r} is given for a folder and for a file; give each a name of its own.")
        if sum(file.absolute() == other.absolute() for other in given) > 1:
            raise FileError(f"{str(file)!r} is given for two outputs; give each a file of its own.")
    for source in (Path(path) for path in reads if path is not None and Path(path).is_file()):
        if any(file.resolve() == source.resolve() for file in given):
            raise FileError(f"{str(source)!r} is read, so nothing is written to it; give the result a file of its own.")
        if folder and source.resolve().parent == folder.resolve() and source.stem in names:
            raise FileError(
                f"{str(source)!r} is read, and a result of that name goes into {str(folder)!r}; choose another folder."
            )


def _require_no_folder(path: Path) -> None:
    """Refuse the name of a folder where a file is to be written."""
    if path.is_dir():
        raise FileError(f"{str(path)!r} is a folder; give the name of a file.")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on the same disk as ``folder`` to prepare files in; it is gone afterwards."""
    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir():
        raise FileError(f"{str(above)!r} is a file, so nothing can be written below it; choose another folder.")
    try:
        stage = Path(tempfile.mkdtemp(dir=above, prefix=".bayes-scaling-"))
    except OSError as error:
        raise FileError(
            f"Cannot write to {str(folder)!r} ({error.strerror}); choose a folder you may write to."
        ) from error
    try:
        yield stage
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileError(f"Writing to {str(folder)!r} failed ({reason}); nothing there was changed.") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to prepare files in; when all are ready, each moves to ``folder`` under its own name."""
    with staged(folder) as stage:
        yield stage
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(stage.iterdir()):
            os.replace(path, folder / path.name)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write; when it is ready it becomes ``path``, whole or not at all."""
    _require_no_folder(path)
    with atomic_folder(path.parent) as stage:
        yield stage / path.name


def write_text(text: str, path: Path) -> None:
    """Write text to one file, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document to one file, whole or not at all."""
    write_text(as_json(document), path)


def as_json(document: Mapping[str, Any]) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def one_line_lists(text: str) -> str:
    r"""Put every list of numbers of a JSON text on one line.

    Examples
    --------
    >>> one_line_lists(json.dumps({"a": [1, 2.5]}, indent=1))
    '{\n "a": [1, 2.5]\n}'
    """
    return re.sub(r"\[\s+([-+.\deE,\s]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
