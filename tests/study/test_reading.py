"""Tables in the forms people have them become the same study."""

from __future__ import annotations

import gzip
import json
import sys

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import FileError, StudyError
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.models import Chinchilla
from bayes_scaling.study.reading import as_rows, as_table, read_table

RUNS = pd.DataFrame(
    {
        "run": list("abcdef"),
        "N": [1e8, 2e8, 4e8] * 2,
        "D": [2e9] * 3 + [8e9] * 3,
        "val_loss": [3.9, 3.6, 3.3, 3.5, 3.2, 3.0],
    }
)


def lines(table: pd.DataFrame) -> str:
    return "".join(json.dumps(record) + "\n" for record in table.to_dict("records"))


TEXTS = {
    "runs.csv": RUNS.to_csv(index=False),
    "bom.csv": "\ufeff" + RUNS.to_csv(index=False),
    "spaces.csv": RUNS.to_csv(index=False).replace(",", ", "),
    "semicolons.csv": RUNS.to_csv(index=False, sep=";"),
    "decimal_commas.csv": RUNS.to_csv(index=False, sep=";", decimal=","),
    "tabs.tsv": RUNS.to_csv(index=False, sep="\t"),
    "tabs.txt": RUNS.to_csv(index=False, sep="\t"),
    "bars.txt": RUNS.to_csv(index=False, sep="|"),
    "records.json": json.dumps(RUNS.to_dict("records")),
    "wrapped.json": json.dumps({"made": "today", "runs": RUNS.to_dict("records")}),
    "columns.json": json.dumps(RUNS.to_dict("list")),
    "pandas.json": RUNS.to_json(),
    "by_run.json": json.dumps(RUNS.set_index("run").to_dict("index")),
    "lines.jsonl": lines(RUNS),
    "lines.ndjson": lines(RUNS),
    "lines.csv": lines(RUNS),
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_text_is_the_same_table(name, tmp_path):
    path = tmp_path / name
    path.write_text(TEXTS[name], encoding="utf-8")
    study = bs.Study.from_file(path, loss="val_loss")
    assert study.name == path.stem
    expected = bs.Study.from_frame(RUNS, loss="val_loss").frame
    pd.testing.assert_frame_equal(study.frame[expected.columns], expected, check_dtype=False)


def test_packed_and_binary_files(tmp_path):
    (tmp_path / "runs.csv.gz").write_bytes(gzip.compress(TEXTS["semicolons.csv"].encode()))
    assert read_table(tmp_path / "runs.csv.gz").shape == RUNS.shape
    RUNS.to_parquet(tmp_path / "runs.parquet")
    assert read_table(tmp_path / "runs.parquet").shape == RUNS.shape


def test_excel_reads_the_first_sheet_or_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "runs.xlsx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    monkeypatch.setattr(pd, "read_excel", lambda path: __import__("openpyxl"))
    with pytest.raises(FileError, match="needs openpyxl; install it"):
        read_table(path)
    monkeypatch.undo()
    pytest.importorskip("openpyxl")
    RUNS.to_excel(path, index=False)
    assert read_table(path).columns.tolist() == RUNS.columns.tolist()


def test_nested_records_get_names_with_slashes(tmp_path):
    records = [{"name": "a", "config": {"n": 1e8}, "summary": {"eval/loss": 3.1}}]
    (tmp_path / "runs.json").write_text(json.dumps(records))
    assert read_table(tmp_path / "runs.json").columns.tolist() == ["name", "config/n", "summary/eval/loss"]


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"N": 1e8}\n{"N"', "3"])
def test_broken_json_is_one_sentence(text, tmp_path):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(FileError, match="cannot be read as a table"):
        read_table(tmp_path / "runs.json")


class Other:
    """A frame of another library."""

    def __init__(self, table, fails=False):
        self.table, self.fails = table, fails

    def to_pandas(self):
        if self.fails:
            raise ModuleNotFoundError("pyarrow")
        return self.table

    def to_dict(self, as_series):
        return self.table.to_dict("list")


@pytest.mark.parametrize("given", [Other(RUNS), Other(RUNS, fails=True), RUNS.to_dict("records"), RUNS.to_dict("list")])
def test_python_objects(given):
    pd.testing.assert_frame_equal(as_table(given), RUNS)


def test_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(RUNS.to_dict("list"))
    for given in (frame, frame.lazy()):
        assert (
            bs.Study.from_frame(given, loss="val_loss").checksum == bs.Study.from_frame(RUNS, loss="val_loss").checksum
        )
    assert as_rows(polars.DataFrame({"N": ["7B"], "D": [4e12]}))["n_params"].tolist() == [7e9]


def test_text_is_no_table():
    with pytest.raises(StudyError, match="from_file"):
        bs.Study.from_frame("runs.csv")


# -- sizes and names ------------------------------------------------------------------------------------------------


def test_sizes_as_text():
    sizes = {"7B": 7e9, "1.3b": 1.3e9, "4T": 4e12, " 210 M": 2.1e8, "32.0K": 3.2e4, "1e8": 1e8}
    study = bs.Study.from_frame(RUNS.assign(N=list(sizes)), loss="val_loss")
    assert study.column("n_params") == pytest.approx(list(sizes.values()))
    with pytest.raises(StudyError, match=r"row 6\) has n_params \('N'\) = '7Q', which is not a number.*7B"):
        bs.Study.from_frame(RUNS.assign(N=[*list(sizes)[:5], "7Q"]), n_params="N", loss="val_loss")
    with pytest.raises(StudyError, match="loss"):
        bs.Study.from_frame(RUNS.assign(loss="3K"))


def test_targets_by_the_users_own_names():
    table = RUNS.rename(columns={"N": "params", "D": "seen"})
    study = bs.Study.from_frame(table, n_params="params", tokens="seen", loss="val_loss")
    for given in ({"params": "7B", "seen": 4e12}, {"N": 7e9, "D": "4T"}, {"n_params": 7e9, "seen": 4e12}):
        found = read_targets(Chinchilla(), study.training, given)
        assert found.inputs(Chinchilla())["N"].tolist() == [7e9]
    with pytest.raises(bs.TargetError, match="add seen"):
        read_targets(Chinchilla(), study, {"params": 7e9})


def test_what_exports_call_our_columns_is_read_and_said():
    table = RUNS.rename(columns={"run": "Name", "D": "train/tokens"}).assign(_step=1000, State="finished")
    study = bs.Study.from_frame(table, loss="val_loss")
    assert study.names == {"loss": "val_loss", "run": "Name", "tokens": "train/tokens", "steps": "_step"}
    (said,) = study.remarks
    assert "'Name' as run, 'train/tokens' as tokens and '_step' as steps" in said and "run='YOURS'" in said
    twice = bs.Study.from_frame(table.assign(Name="same"), loss="val_loss")
    assert "run" not in twice.frame
    doubt = bs.Study.from_frame(table.assign(**{"trainer/global_step": 2}), loss="val_loss")
    assert "steps" not in doubt.frame


def test_a_panel_is_no_table_of_runs():
    panel = pd.DataFrame({"Step": [1.0, 2.0], "Group: k - loss": [3.0, 2.0], "Group: j - loss": [3.0, 2.0]})
    study = bs.Study.from_frame(panel, tokens="Step", loss="Group: k - loss")
    with pytest.raises(StudyError, match="one row per run"):
        Chinchilla().arrays(study)


def test_the_nearest_two_of_many_names():
    table = RUNS.assign(**{f"column {i}": 0 for i in range(30)})
    with pytest.raises(StudyError, match=r"of 34 that are known, '.*' and '.*' are nearest") as error:
        bs.Study.from_frame(table, loss="zzz")
    assert len(str(error.value)) < 200


# -- rows -----------------------------------------------------------------------------------------------------------

STATES = RUNS.assign(val_loss=[3.9, np.nan, 3.3, np.inf, np.nan, 3.0], State=["finished", "crashed"] * 3)


def test_all_bad_rows_by_name_and_number():
    with pytest.raises(StudyError) as error:
        bs.Study.from_frame(STATES, loss="val_loss")
    said = str(error.value)
    assert "Run 'b' (row 2) and run 'e' (row 5) have no loss ('val_loss'), run 'd' (row 4) has loss" in said
    assert "drop_missing=True" in said and "where=\"State == 'finished'\", which leaves out 2 of these 3 rows" in said


def test_rows_are_left_out_on_request():
    study = bs.Study.from_frame(STATES, loss="val_loss", drop_missing=True)
    assert study.frame["run"].tolist() == ["a", "c", "f"]
    assert "3 of 6 rows" in study.remarks[0] and "run 'b' (row 2)" in study.remarks[0]
    kept = bs.Study.from_frame(STATES, loss="val_loss", where="State == 'finished' and N > 1e8", drop_missing=True)
    assert kept.frame["run"].tolist() == ["c"]
    for query in ("val_loss < 3.5", "loss < 3.5", "`val_loss` < 3.5"):
        assert bs.Study.from_frame(STATES, loss="val_loss", where=query).frame["run"].tolist() == ["c", "f"]
    with pytest.raises(StudyError, match="In each of 6 rows loss is missing"):
        bs.Study.from_frame(STATES.assign(val_loss=None), loss="val_loss", drop_missing=True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("Stat == 'finished'", "speaks of 'Stat', which is no column; did you mean 'State'"),
        ("State = 'finished'", "cannot be read|does not say"),
        ("State ==", "cannot be read"),
        ("N", "does not say of each row"),
        ("State == 'lost'", "keeps none of 6 rows"),
        ("@x > 1", "speaks of a variable"),
        ("State > 3", "cannot be read"),
    ],
)
def test_a_query_that_does_not_work(query, message):
    with pytest.raises(StudyError, match=message) as error:
        bs.Study.from_frame(STATES, loss="val_loss", where=query)
    assert "\n" not in str(error.value)


def test_unfinished_runs_are_noticed():
    study = bs.Study.from_frame(RUNS.assign(State=["running", *["finished"] * 5]), loss="val_loss")
    assert study.remarks == ("1 of 6 rows are running; where=\"State == 'finished'\" leaves them out.",)


def test_rows_keep_the_number_they_have_in_the_file():
    table = RUNS.drop(columns="run").assign(role=["target"] * 2 + ["train"] * 4)
    study = bs.Study.from_frame(table.assign(train_loss=[3.0] * 5 + [None]), loss="val_loss")
    with pytest.raises(StudyError, match="Row 6 has no train_loss"):
        study.training.column("train_loss")
    assert study.training.frame.index.tolist() == [2, 3, 4, 5]


def test_seeds_are_replicates():
    table = pd.concat([RUNS.assign(seed=s) for s in (0, 1)], ignore_index=True)
    study = bs.Study.from_frame(table, loss="val_loss")
    assert (
        study.frame["run"].tolist()[::6] == ["a (seed 0)", "a (seed 1)"] and "6 runs were repeated" in study.remarks[0]
    )
    with pytest.raises(StudyError, match=r"Run 'a' stands in rows 1 and 7, .* by a column 'seed'"):
        bs.Study.from_frame(table.drop(columns="seed"), loss="val_loss")
    with pytest.raises(StudyError, match="Rows 1 and 7 are alike"):
        bs.Study.from_frame(table.drop(columns=["seed", "run"]), loss="val_loss")


def test_mixed_names_are_text():
    study = bs.Study.from_frame(RUNS.assign(run=["a", 1, 2, 3, 4, 5]), loss="val_loss")
    assert study.frame["run"].tolist() == ["a", "1", "2", "3", "4", "5"]
