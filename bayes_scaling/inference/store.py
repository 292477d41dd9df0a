"""A run store: the fits of a batch on disk, written as they finish, so that a killed batch resumes where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayes_scaling.errors import FileError, listed
from bayes_scaling.files import write_json
from bayes_scaling.inference.attempts import Effort, asked
from bayes_scaling.inference.posterior import CODE, IDENTITY, Posterior, other_code, provenance

if TYPE_CHECKING:
    from bayes_scaling.inference.chunks import Entry
    from bayes_scaling.inference.nuts import Plan
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["RunStore"]

MANIFEST = "manifest.json"
VERSIONS = ("bayes_scaling", "versions")


class RunStore:
    """A folder of netCDF files, one for each fit, and a manifest of the batch they belong to.

    A study that the law gives no probability has a file of JSON in place of a fit, with the sentence that says so.
    Every file is written under another name and then renamed, so that it is whole or absent; a study is done when its
    file is there.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist.
    law : Law
        The law of the batch.
    plan, effort : Plan, Effort
        How the batch is sampled, and how hard is tried.
    chunk : int
        Studies fitted side by side.
    entries : sequence of Entry
        The studies of the batch, with their seeds, in their order.

    Raises
    ------
    FileError
        The folder cannot be written, or holds another batch, or one of other versions of the package.
    """

    def __init__(
        self, folder: str | Path, law: Law, plan: Plan, effort: Effort, chunk: int, entries: Sequence[Entry]
    ) -> None:
        self.folder, self.law = Path(folder), law
        wanted = self._manifest(plan, effort, chunk, entries)
        path = self.folder / MANIFEST
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._compare(json.loads(path.read_text(encoding="utf-8")), wanted)
            else:
                write_json(wanted, path)
        except OSError as error:
            raise FileError(
                f"Cannot keep fits in {str(folder)!r} ({error.strerror}); choose a folder you may write to."
            ) from error
        except json.JSONDecodeError as error:
            raise FileError(f"{str(path)!r} is damaged; remove the folder, or choose another one.") from error

    def _manifest(self, plan: Plan, effort: Effort, chunk: int, entries: Sequence[Entry]) -> dict[str, Any]:
        known = provenance(self.law, entries[0].study) if entries else {}
        return {
            "law": repr(self.law),
            IDENTITY: self.law.identity,
            CODE: self.law.source_digest,
            **asked(plan, effort),
            "chunk": chunk,
            **{name: known[name] for name in VERSIONS if name in known},
            "studies": [{"name": e.study.name, "checksum": e.study.checksum, "seed": e.seed} for e in entries],
        }

    def _compare(self, found: Any, wanted: dict[str, Any]) -> None:
        found = {IDENTITY: wanted[IDENTITY], **found} if isinstance(found, dict) else {}  # older stores do not hold it
        for part in ("law", IDENTITY, CODE, "plan", "studies", "effort", "chunk"):
            if other_code(found, wanted) if part == CODE else found.get(part) != wanted[part]:
                other = _differing(part, found.get(part), wanted[part])
                raise FileError(
                    f"{str(self.folder)!r} holds fits of another batch ({other}); resume it with the same "
                    "law, studies, seed, draws, chunk, adapt and patience, or choose another folder."
                )
        if any(found.get(part) != wanted.get(part) for part in VERSIONS):
            made, ours = (", ".join(str(one.get(part)) for part in VERSIONS) for one in (found, wanted))
            raise FileError(
                f"{str(self.folder)!r} holds fits of other versions of bayes_scaling or of what it rests on ({made}; "
                f"these are {ours}), which may draw other numbers; begin anew in another folder, or resume with those."
            )

    def path(self, place: int) -> Path:
        """Return the file of the study at ``place``.

        Parameters
        ----------
        place : int
            Of the study in the batch, from 0.
        """
        return self.folder / f"{place:06d}.nc"

    def load(self, place: int, study: Study) -> Posterior | None:
        """Return the fit of the study at ``place``; None where it is not done.

        Parameters
        ----------
        place : int
            Of the study in the batch, from 0.
        study : Study
            That study.

        Raises
        ------
        FileError
            The file is damaged, or holds another fit.
        """
        return Posterior.load(self.path(place), self.law, study) if self.path(place).exists() else None

    def load_error(self, place: int) -> str | None:
        """Return why the study at ``place`` could not be fitted; None where that is not known.

        Parameters
        ----------
        place : int
            Of the study in the batch, from 0.

        Raises
        ------
        FileError
            The file is damaged.
        """
        path = self.path(place).with_suffix(".json")
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["error"]) if path.exists() else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"{str(path)!r} is damaged; remove it, and its study is fitted again.") from error

    def save_error(self, place: int, error: str) -> None:
        """Keep why the study at ``place`` could not be fitted, so that a resumed batch does not try again.

        Parameters
        ----------
        place : int
            Of the study in the batch, from 0.
        error : str
            The sentence.
        """
        write_json({"error": error}, self.path(place).with_suffix(".json"))

    def save(self, place: int, posterior: Posterior) -> None:
        """Keep the fit of the study at ``place``.

        Parameters
        ----------
        place : int
            Of the study in the batch, from 0.
        posterior : Posterior
            Its fit.
        """
        posterior.save(self.path(place))


def _differing(part: str, found: Any, wanted: Any) -> str:
    """Return in words what differs between a part of two manifests."""
    if part in ("plan", "effort") and isinstance(found, dict):
        differ = (name for name in wanted if found.get(name) != wanted[name])
        said = listed(f"{name} = {found.get(name)} there and {wanted[name]} here" for name in differ)
        return said or f"another {part}"
    if part == "chunk":
        return f"chunk = {found} there and {wanted} here"
    if part == "studies" and isinstance(found, list) and len(found) == len(wanted):
        if [{**one, "seed": None} for one in found] == [{**one, "seed": None} for one in wanted]:
            return "the same studies with another seed"
    if part == CODE:
        return "other equations of the law"
    return "other studies" if part == "studies" else f"another {'law' if part == IDENTITY else part}"
