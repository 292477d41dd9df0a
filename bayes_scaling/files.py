"""Results on disk: checked for writability before the work, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayes_scaling.errors import FileError
from bayes_scaling.results import Result

__all__ = ["check_writable", "staged", "write_file", "write_folder"]


def check_writable(folder: Path | None, file: Path | None) -> None:
    """Refuse an output folder or file that cannot be written, before any work is done for it.

    Raises
    ------
    FileError
        It cannot be written, or something on the way to it is not a folder.
    """
    for path in filter(None, (folder, file.parent if file else None)):
        with staged(path):
            pass
    if file and file.is_dir():
        raise FileError(f"{str(file)!r} is a folder; give the name of a file.")


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


def write_file(result: Result, path: Path) -> None:
    """Write a result as JSON to one file."""
    with staged(path.parent) as stage:
        _json(result, stage / path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / path.name, path)


def write_folder(result: Result, folder: Path) -> None:
    """Write tables, pictures and posteriors to a folder, each file under its own name when all of them are ready."""
    with staged(folder) as stage:
        _json(result, stage / "forecast.json")
        result.rows().to_csv(stage / "forecast.csv", index=False, float_format="%.8g")
        _pictures(result, stage)
        for posterior in result.posteriors:
            feature = getattr(posterior.law, "feature", None)
            name = f"posterior_{feature}.nc" if feature and len(result.posteriors) > 1 else "posterior.nc"
            posterior.save(stage / name)
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(stage.iterdir()):
            os.replace(path, folder / path.name)


def _json(result: Result, path: Path) -> None:
    path.write_text(json.dumps(result.document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _pictures(result: Result, folder: Path) -> None:
    from matplotlib.figure import Figure

    from bayes_scaling import plots

    def save(axes: object, name: str) -> None:
        figure: Figure = plots.figure_of(axes)
        figure.savefig(folder / name, dpi=150)
        plots.close(figure)

    if "task" in result.forecast.draws.dims:
        save(plots.plot_forest(result.forecast), "forecast.png")
        save(plots.plot_ladder_sheet(result.posteriors, result.forecast), "ladder.png")
    else:
        save(plots.plot_fit(result.posteriors[0], result.forecast), "forecast.png")
