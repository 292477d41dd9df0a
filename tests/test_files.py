from __future__ import annotations

import json
import os

import pytest

from bayes_scaling import files
from bayes_scaling.errors import FileError
from bayes_scaling.files import as_json, atomic_file, atomic_folder, check_writable, staged, write_json, write_text


def listing(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_can_be_written_is_left_as_it_is(tmp_path):
    (tmp_path / "old.json").write_text("old")
    check_writable(tmp_path / "new" / "out", tmp_path / "old.json", None)
    check_writable(None)
    assert listing(tmp_path) == {"old.json": "old"} and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("folder", "names", "message"),
    [
        ("file/out", [], "'.*file' is a file, so nothing can be written below it; choose another folder"),
        (None, ["file/answer.json"], "is a file, so nothing can be written below it"),
        (None, ["folder"], "'.*folder' is a folder; give the name of a file"),
        (None, ["one.json", "folder/../one.json", "one.json"], "one.json' is given for two outputs"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(folder, names, message, tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=message):
        check_writable(tmp_path / folder if folder else None, *(tmp_path / name for name in names))
    assert listing(tmp_path) == {"file": "old"}


def test_no_result_takes_the_place_of_what_is_read(tmp_path):
    (tmp_path / "runs.csv").write_text("old")
    (tmp_path / "forecast.csv").write_text("old")
    with pytest.raises(FileError, match=r"runs.csv' is read, so nothing is written to it; give the result"):
        check_writable(None, tmp_path / "new" / ".." / "runs.csv", reads=["olmo_ladder", None, tmp_path / "runs.csv"])
    with pytest.raises(FileError, match=r"forecast.csv' is read, and a result of that name goes into .*another folder"):
        check_writable(tmp_path, reads=[tmp_path / "forecast.csv"], names=["ladder", "forecast"])
    check_writable(tmp_path, tmp_path / "answer.json", reads=[tmp_path / "runs.csv"], names=["forecast"])
    check_writable(tmp_path, reads=[tmp_path / "forecast.csv"], names=["plan"])


def test_a_folder_that_may_not_be_written_to_is_one_sentence(tmp_path, monkeypatch):
    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkdtemp", denied)
    with pytest.raises(FileError, match=r"Cannot write to '.*out' \(Permission denied\); choose a folder you may"):
        check_writable(tmp_path / "out")


def test_files_of_a_folder_arrive_together_beside_the_old_ones(tmp_path):
    out = tmp_path / "deep" / "out"
    write_text("kept", out / "other.txt")
    write_text("old", out / "a.txt")
    with atomic_folder(out) as stage:
        (stage / "a.txt").write_text("new")
        assert (out / "a.txt").read_text() == "old"
        (stage / "b.txt").write_text("new")
    assert listing(tmp_path) == {"deep/out/a.txt": "new", "deep/out/b.txt": "new", "deep/out/other.txt": "kept"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("wrong"), OSError(28, "No space left on device")])
def test_what_goes_wrong_on_the_way_leaves_nothing_behind(error, tmp_path):
    write_text("old", tmp_path / "a.txt")
    kind = FileError if isinstance(error, OSError) else error if isinstance(error, type) else type(error)
    with pytest.raises(kind, match="No space left on device" if kind is FileError else None):
        with atomic_folder(tmp_path) as stage:
            (stage / "a.txt").write_text("new")
            raise error
    assert listing(tmp_path) == {"a.txt": "old"} and os.listdir(tmp_path) == ["a.txt"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "fit.nc"
    with pytest.raises(RuntimeError), atomic_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert not path.exists()
    with atomic_file(path) as part:
        part.write_text("whole")
    assert listing(tmp_path) == {"new/fit.nc": "whole"}


def test_a_stage_is_on_the_disk_of_its_folder_and_gone_afterwards(tmp_path):
    with staged(tmp_path / "not" / "yet") as stage:
        assert stage.parent == tmp_path and stage.is_dir()
    assert not list(tmp_path.iterdir())


def test_documents_are_plain_utf_8(tmp_path):
    document = {"law": "α", "rows": [{"actual": None, "median": 2.1}]}
    write_json(document, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_bytes().decode("utf-8")
    assert json.loads(text) == document and text == as_json(document) and "α" in text and text.endswith("}\n")
