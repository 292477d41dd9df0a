"""Results on disk: checked for writability before the work, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bayes_scaling.errors import FileError
from bayes_scaling.results import Result

__all__ = [
    "as_json",
    "check_writable",
    "published",
    "save_picture",
    "staged",
    "write_file",
    "write_folder",
    "write_json",
    "write_text",
]


def check_writable(folder: Path | None, *files: Path | None) -> None:
    """Refuse an output folder or files that cannot be written, before any work is done for them.

    Raises
    ------
    FileError
        One cannot be written, is a folder, is given twice, or something on the way to it is not a folder.
    """
    given = [file for file in files if file]
    for path in (*filter(None, [folder]), *(file.parent for file in given)):
        with staged(path):
            pass
    for file in given:
        if file.is_dir():
            raise FileError(f"{str(file)!r} is a folder; give the name of a file.")
        if sum(file.absolute() == other.absolute() for other in given) > 1:
            raise FileError(f"{str(file)!r} is given for two outputs; give each a file of its own.")


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
def published(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to prepare files in; when all are ready, each moves to ``folder`` under its own name."""
    with staged(folder) as stage:
        yield stage
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(stage.iterdir()):
            os.replace(path, folder / path.name)


def write_text(text: str, path: Path) -> None:
    """Write text to one file, whole or not at all."""
    with published(path.parent) as stage:
        (stage / path.name).write_text(text, encoding="utf-8")


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document to one file, whole or not at all."""
    write_text(as_json(document), path)


def as_json(document: Mapping[str, Any]) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def save_picture(axes: object, path: Path) -> None:
    """Save the figure that holds the axes, and close it."""
    from bayes_scaling import plots

    figure = plots.figure_of(axes)
    figure.savefig(path, dpi=150)
    plots.close(figure)


def write_file(result: Result, path: Path) -> None:
    """Write a result as JSON to one file."""
    write_json(result.document(), path)


def write_folder(result: Result, folder: Path) -> None:
    """Write tables, pictures and posteriors to a folder, each file under its own name when all of them are ready."""
    with published(folder) as stage:
        (stage / "forecast.json").write_text(as_json(result.document()), encoding="utf-8")
        result.rows().to_csv(stage / "forecast.csv", index=False, float_format="%.8g")
        _pictures(result, stage)
        for posterior in result.posteriors:
            feature = getattr(posterior.law, "feature", None)
            name = f"posterior_{feature}.nc" if feature and len(result.posteriors) > 1 else "posterior.nc"
            posterior.save(stage / name)


def _pictures(result: Result, folder: Path) -> None:
    from bayes_scaling import plots

    if "task" in result.forecast.draws.dims:
        save_picture(plots.plot_forest(result.forecast, result.head), folder / "forecast.png")
    else:
        save_picture(plots.plot_fit(result.posteriors[0], result.forecast), folder / "forecast.png")
    if "series" in result.forecast.draws.dims:
        save_picture(plots.plot_ladder_sheet(result.posteriors, result.forecast), folder / "ladder.png")
