from __future__ import annotations

import pytest

from benchmarks.cases import tables

TABLE = "run,n_params,tokens,loss,role\na,1e8,2e9,4.0,train\nb,2e8,4e9,3.7,target\nc,4e8,8e9,3.5,extra\n"


def test_tables_are_read_from_beside_the_raw_files(tmp_path, monkeypatch):
    (tmp_path / "collections").mkdir()
    (tmp_path / "collections" / "some.csv").write_text(TABLE)
    (tmp_path / "collections" / "sources.csv").write_text("repo,commit\nx,y\n")  # tells of no runs
    monkeypatch.setenv("BAYES_SCALING_DATA", str(tmp_path / "raw"))
    (case,) = tables()
    assert case.collection == "some" and case.study.frame["run"].tolist() == ["a", "b"]
    assert len(case.study.targets) == 1 and len(case.whole.training) == 2


def test_no_table_at_all_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYES_SCALING_DATA", str(tmp_path / "raw"))
    with pytest.raises(FileNotFoundError, match="let BAYES_SCALING_DATA name a folder"):
        list(tables())
