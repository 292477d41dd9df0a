"""Files of a study from their public origin: pinned commit, SHA-256, a progress bar, or a folder you already have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from bayes_scaling.errors import FileError

__all__ = ["DATA_VARIABLE", "fetch", "verified"]

DATA_VARIABLE = "BAYES_SCALING_DATA"
"""Environment variable that names a folder with the origin's files, one sub-folder per study."""


def fetch(folder: str, url: str, files: Mapping[str, str], *, progress: bool = True) -> dict[str, Path]:
    """Return the local path of each file, downloaded if need be, every one checked.

    Parameters
    ----------
    folder : str
        Sub-folder of the cache (or of the folder that ``BAYES_SCALING_DATA`` names) for these files.
    url : str
        Address of the folder they come from, with the commit in it.
    files : mapping of str to str
        File name to SHA-256.
    progress : bool, default True
        Show a progress bar while downloading.

    Raises
    ------
    FileError
        A file is missing, cannot be downloaded, or is not the one expected.
    """
    given = os.environ.get(DATA_VARIABLE)
    if given:
        return {name: _checked(Path(given) / folder / name, digest) for name, digest in files.items()}
    try:
        import pooch
    except ImportError as error:
        raise FileError(
            f"Downloading {folder!r} needs pooch; install bayes-scaling[data], "
            f"or set {DATA_VARIABLE} to a folder that has it."
        ) from error
    cache = pooch.create(
        path=pooch.os_cache("bayes-scaling") / folder,
        base_url=url,
        registry={n: f"sha256:{d}" for n, d in files.items()},
    )
    pooch.get_logger().setLevel("ERROR")
    paths = {}
    for name in files:
        try:
            paths[name] = Path(cache.fetch(name, progressbar=progress))
        except Exception as error:  # pooch passes on whatever the network raised
            what, advice = f"could not be downloaded ({type(error).__name__})", "check the connection"
            if isinstance(error, ValueError) and not isinstance(error, OSError):  # pooch's own, of the checksum
                what = f"was downloaded, but has another SHA-256 than {files[name][:12]}..., which is expected"
                advice = "fetch it anew"
            raise FileError(
                f"{name!r} of study {folder!r} {what}; {advice}, or set {DATA_VARIABLE} to a folder that has it."
            ) from error
    return paths


def _checked(path: Path, digest: str) -> Path:
    if not path.is_file():
        raise FileError(
            f"{DATA_VARIABLE} names a folder without {path.parent.name}/{path.name}; download it or unset the variable."
        )
    return verified(path, digest)


def verified(path: Path, digest: str) -> Path:
    """Return the path of a file that is the one expected.

    Raises
    ------
    FileError
        It has another SHA-256.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise FileError(f"{path.name} has SHA-256 {found[:12]}... where {digest[:12]}... is expected; fetch it anew.")
    return path
