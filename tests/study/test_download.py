from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from bayes_scaling.errors import FileError
from bayes_scaling.study.download import DATA_VARIABLE, fetch

TEXT = b"N,D,loss\n1e8,2e9,3.0\n"
DIGEST = hashlib.sha256(TEXT).hexdigest()
URL = "https://example.org/commit/"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "runs.csv").write_bytes(TEXT)
    return tmp_path / "mine"


@pytest.fixture
def network(tmp_path, monkeypatch):
    """The network and its cache, without either; returns what was asked of them."""
    pooch = pytest.importorskip("pooch", reason="needs the extra 'data'")
    asked = []

    class Cache:
        def fetch(self, name, progressbar):
            asked.append((name, progressbar))
            if name == "lost.csv":
                raise OSError("no route to host")
            return str(tmp_path / name)

    def create(**options):
        asked.append(options)
        return Cache()

    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "create", create)
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path)
    return asked


def test_a_file_that_is_there_is_checked_and_nothing_downloaded(folder):
    assert fetch("mine", URL, {"runs.csv": DIGEST}) == {"runs.csv": folder / "runs.csv"}


def test_a_file_with_other_content_is_refused(folder):
    (folder / "runs.csv").write_text("not what was published\n")
    with pytest.raises(FileError) as refused:
        fetch("mine", URL, {"runs.csv": DIGEST})
    found = hashlib.sha256(b"not what was published\n").hexdigest()
    assert str(refused.value) == (
        f"runs.csv has SHA-256 {found[:12]}... where {DIGEST[:12]}... is expected; fetch it anew."
    )


def test_a_folder_without_the_file_says_which(folder):
    with pytest.raises(FileError, match=r"names a folder without mine/more\.csv; download it or unset the variable"):
        fetch("mine", URL, {"runs.csv": DIGEST, "more.csv": DIGEST})


def test_what_is_downloaded_is_pinned(network, tmp_path):
    assert fetch("mine", URL, {"runs.csv": DIGEST}, progress=False) == {"runs.csv": tmp_path / "runs.csv"}
    options, asked = network
    assert options["base_url"] == URL and options["registry"] == {"runs.csv": f"sha256:{DIGEST}"}
    assert options["path"] == tmp_path / "mine" and asked == ("runs.csv", False)


def test_a_lost_connection_is_one_sentence(network):
    with pytest.raises(FileError) as refused:
        fetch("mine", URL, {"lost.csv": DIGEST})
    assert str(refused.value) == (
        "'lost.csv' of study 'mine' could not be downloaded (OSError); check the connection, or set "
        f"{DATA_VARIABLE} to a folder that has it."
    )


def test_another_file_from_the_origin_is_no_lost_connection(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="needs the extra 'data'")
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path)
    served = [b"other", TEXT]
    download = lambda url, to, cache: Path(to).write_bytes(served.pop(0))  # noqa: E731
    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
    with pytest.raises(FileError) as refused:
        fetch("mine", URL, {"runs.csv": DIGEST}, progress=False)
    assert str(refused.value) == (
        f"'runs.csv' of study 'mine' was downloaded, but has another SHA-256 than {DIGEST[:12]}..., which is "
        f"expected; fetch it anew, or set {DATA_VARIABLE} to a folder that has it."
    )
    assert not (tmp_path / "mine" / "runs.csv").exists()
    assert fetch("mine", URL, {"runs.csv": DIGEST}, progress=False)["runs.csv"].read_bytes() == TEXT


def test_without_pooch_it_says_what_to_install(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(FileError, match=r"Downloading 'mine' needs pooch; install bayes-scaling\[data\], or set"):
        fetch("mine", URL, {"runs.csv": DIGEST})
