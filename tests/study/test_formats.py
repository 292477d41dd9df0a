"""Files in the forms people have them hold the same table."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import threading

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import FileError
from bayes_scaling.study.formats import read_file
from bayes_scaling.study.reading import read_table
from bayes_scaling.study.validation import TWICE

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
    "blanks.csv": RUNS.to_csv(index=False).replace(",", " , "),
    "semicolons.csv": RUNS.to_csv(index=False, sep=";"),
    "decimal_commas.csv": RUNS.to_csv(index=False, sep=";", decimal=","),
    "decimal_commas.tsv": RUNS.to_csv(index=False, sep="\t", decimal=","),
    "tabs.tsv": RUNS.to_csv(index=False, sep="\t"),
    "tabs.txt": RUNS.to_csv(index=False, sep="\t"),
    "bars.txt": RUNS.to_csv(index=False, sep="|"),
    "records.json": json.dumps(RUNS.to_dict("records")),
    "wrapped.json": json.dumps({"made": "today", "runs": RUNS.to_dict("records")}),
    "columns.json": json.dumps(RUNS.to_dict("list")),
    "pandas.json": RUNS.to_json(),
    "pandas_by_name.json": RUNS.set_index("run").to_json(),
    "split.json": RUNS.to_json(orient="split"),
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
    assert read_file(tmp_path / "runs.csv.gz").shape == RUNS.shape
    RUNS.to_parquet(tmp_path / "runs.parquet")
    assert read_file(tmp_path / "runs.parquet").shape == RUNS.shape


def test_excel_reads_the_first_sheet_or_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "runs.xlsx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    monkeypatch.setattr(pd, "ExcelFile", lambda path: __import__("openpyxl"))
    with pytest.raises(FileError, match="needs openpyxl; install it"):
        read_file(path)
    monkeypatch.undo()
    pytest.importorskip("openpyxl")
    RUNS.to_excel(path, index=False)
    assert read_file(path).columns.tolist() == RUNS.columns.tolist()
    RUNS.set_axis(["run", "N", "N", "val_loss"], axis=1).to_excel(path, index=False)
    assert read_file(path).attrs == {TWICE: ["N"]}


def test_counts_in_groups_of_three_digits_between_tabs_are_no_decimals(tmp_path):
    text = "N\tD\tloss\n20,000\t400,000\t4\n60,000\t900,000\t{}\n"
    for loss, sizes in (("3", [20_000, 60_000]), ("3.5", [20_000, 60_000]), ("3,5", [20, 60])):
        (tmp_path / "runs.tsv").write_text(text.format(loss))
        assert bs.Study.from_file(tmp_path / "runs.tsv").frame["n_params"].tolist() == sizes


def test_sheets_that_are_not_read_are_named(tmp_path):
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "runs.xlsx") as book:
        for name in ("new", "old", "older"):
            RUNS.to_excel(book, sheet_name=name, index=False)
    study = bs.Study.from_file(tmp_path / "runs.xlsx", loss="val_loss")
    assert study.remarks == ("Read: the sheet 'new'; not read: 'old' and 'older'.",)


@pytest.mark.parametrize(
    ("above", "why"),
    [
        ([["Ladder v3"]], "its first row, 'Ladder v3', names one of 3 columns, and the first row must name them all"),
        ([["Ladder v3"], []], "its first row, 'Ladder v3', names one of 3 columns"),
        ([[]], "its first row names none of 3 columns"),
        ([[2e7, 2e8, 4.8]], "its first row holds numbers alone, and the first row must name the columns"),
    ],
)
def test_a_row_above_the_heading_of_a_sheet_is_told_as_in_text(above, why, tmp_path):
    sheet = pytest.importorskip("openpyxl").Workbook()
    for row in [*above, ["N", "D", "loss"], [2e7, 2e8, 4.8]]:
        sheet.active.append(row)
    sheet.save(tmp_path / "runs.xlsx")
    with pytest.raises(FileError, match=re.escape(f"cannot be read as a table ({why}")):
        read_table(tmp_path / "runs.xlsx")


def test_nested_records_get_names_with_slashes(tmp_path):
    records = [{"name": "a", "config": {"n": 1e8}, "summary": {"eval/loss": 3.1}}]
    (tmp_path / "runs.json").write_text(json.dumps(records))
    assert read_file(tmp_path / "runs.json").columns.tolist() == ["name", "config/n", "summary/eval/loss"]


@pytest.mark.parametrize("name", ["", "run,"])
def test_text_has_no_blanks_around_it(name, tmp_path):
    (tmp_path / "runs.csv").write_text(f"{name}N,D,loss,State\na ,1e8,2e9,3.1 ,finished \nb ,2e8,4e9,3.0 ,crashed\n")
    study = bs.Study.from_file(tmp_path / "runs.csv", where="State == 'finished'")
    assert study.frame[["run", "State"]].to_numpy().tolist() == [["a", "finished"]]


def test_a_last_column_that_is_empty_is_kept(tmp_path):
    (tmp_path / "runs.csv").write_text("run,N,note\na,1e8,\nb,2e8,\n")
    assert read_file(tmp_path / "runs.csv").columns.tolist() == ["run", "N", "note"]


def test_runs_whose_names_are_symbols_are_no_columns(tmp_path):
    runs = {name: {"N": 1e8, "D": 2e9, "loss": 3.0} for name in "ABCD"}
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert bs.Study.from_file(tmp_path / "runs.json").frame["run"].tolist() == [*"ABCD"]


@pytest.mark.parametrize("names", ["ABCD", ["n_params_1", "n_params_2"], ["C", "D", "N"]])
def test_runs_that_are_called_like_columns_are_runs(names, tmp_path):
    path = tmp_path / "runs.json"
    path.write_text(json.dumps({name: {"params": 1e8, "tokens": 2e9, "val_loss": 3.0} for name in names}))
    study = bs.Study.from_file(path, n_params="params", loss="val_loss")
    assert study.frame["run"].tolist() == list(names) and study.frame["loss"].tolist() == [3.0] * len(names)
    path.write_text(json.dumps({"N": {"a": 1e8, "b": 2e8}, "D": {"a": 2e9, "b": 4e9}, "loss": {"a": 3.0, "b": 2.8}}))
    assert bs.Study.from_file(path).frame["n_params"].tolist() == [1e8, 2e8]


def test_what_is_the_same_in_all_rows_may_stand_beside_columns(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text(json.dumps({"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.9], "name": "x"}))
    assert bs.Study.from_file(path).frame["name"].tolist() == ["x", "x"]
    path.write_text(json.dumps({"N": [1e8, 2e8], "D": [2e9], "loss": [3.0, 2.9], "name": "x"}))
    with pytest.raises(FileError, match="its columns have 1 and 2 entries"):
        read_file(path)
    path.write_text(json.dumps({"N": 1e8, "D": 2e9, "loss": 3.0, "tags": ["a", "b"]}))
    assert len(bs.Study.from_file(path)) == 1


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"N": 1e8}\n{"N"', "3"])
def test_broken_json_is_one_sentence(text, tmp_path):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(FileError, match="cannot be read as a table"):
        read_file(tmp_path / "runs.json")


@pytest.mark.parametrize("rows", ["2e7,2e8,4.8,", "1,2e7,2e8,4.8", "a,2e7,2e8,4.8"], ids=["ends", "numbers", "names"])
def test_a_field_more_than_the_heading_is_no_column(rows, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(f"N,D,val_loss\n{rows}\n")
    assert read_table(path)[["N", "D", "val_loss"]].to_numpy().tolist() == [[2e7, 2e8, 4.8]]


def test_rows_of_more_columns_than_the_heading_are_refused(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,val_loss\n2e7,2e8,2.4e16,4.8\n3e7,2e8,2.4e16,4.7\n")
    with pytest.raises(FileError, match="its heading has 3 fields, and its rows have 4"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("N,D,val_loss\n2e7,2e8,4.8\n\n3e7,2e8,4.7,9\n", "its heading has 3 fields, and row 2 has 4"),
        ('N,D,val_loss\n"2e7,2e8,4.8\n', "a quotation mark is not closed"),
        ("2e7,2e8,4.8\n3e7,2e8,4.7\n", "its first row holds numbers alone, and the first row must name the columns"),
        ("N D loss\n2e7 2e8 4.8\n", "its columns are separated by blanks, and commas, semicolons, tabs and bars are"),
        (
            "Ladder v3,,\n,,\nN,D,loss\n2e7,2e8,4.8\n",
            "its first row, 'Ladder v3', names one of 3 columns, and the first row must name them all: leave out what",
        ),
        (
            ",,\nN,D,loss\n2e7,2e8,4.8\n",
            "its first row names none of 3 columns, and the first row must name them all: leave out what",
        ),
        (" \n", "it is empty"),
        ('{"N": 1e8}\n{"N"', "it is no valid JSON"),
        ('{"N": [1, 2], "D": [1]}', "its columns have 1 and 2 entries"),
    ],
)
def test_what_is_no_table_is_told_in_words_of_tables(text, why, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=re.escape(f"cannot be read as a table ({why}")):
        read_table(path)


def test_what_is_no_text_is_told_and_text_of_two_bytes_is_read(tmp_path):
    RUNS.to_parquet(tmp_path / "runs.parquet")
    (tmp_path / "runs.csv").write_bytes((tmp_path / "runs.parquet").read_bytes())
    with pytest.raises(FileError, match=r"is not text in UTF-8; save it as CSV in UTF-8, or name it after what it is"):
        read_table(tmp_path / "runs.csv")
    (tmp_path / "runs.csv").write_bytes(RUNS.to_csv(index=False).replace("\n", "\r\n").encode("utf-16"))
    pd.testing.assert_frame_equal(read_table(tmp_path / "runs.csv"), RUNS, check_dtype=False)


@pytest.mark.parametrize("above", ["# made today\n", "# made\n#today\n", "# made\n# "], ids=["one", "two", "heading"])
def test_remarks_above_the_heading_are_left_out(above, tmp_path):
    (tmp_path / "runs.csv").write_text(above + TEXTS["runs.csv"])
    pd.testing.assert_frame_equal(read_table(tmp_path / "runs.csv"), RUNS, check_dtype=False)


def test_columns_of_one_name_are_remembered(tmp_path):
    (tmp_path / "runs.csv").write_text("N,D,loss,loss\n2e7,2e8,4.8,3.1\n")
    assert read_table(tmp_path / "runs.csv").attrs == {TWICE: ["loss"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_another_command_writes_is_read_from_a_pipe(encoding, tmp_path):
    os.mkfifo(tmp_path / "runs")
    text = RUNS.to_csv(index=False).replace("\n", "\r\n")
    writer = threading.Thread(target=(tmp_path / "runs").write_bytes, args=[text.encode(encoding)], daemon=True)
    writer.start()
    pd.testing.assert_frame_equal(read_table(tmp_path / "runs"), RUNS, check_dtype=False)


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(FileError, match="is a folder; give a table of runs in it, as CSV"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        'run;"N";"loss"\n"a";"2e8";"3,45"\n"b";"4e8";"3,1"\n',
        "sep=;\nrun;N;loss\na;2e8;3,45\nb;4e8;3,1\n",
        "run;N;loss\na;0,2B;3,45\nb;0,4B;3,1\n",
        "| run | N | loss |\n|-----|--:|:----:|\n| a | 2e8 | 3.45 |\n| b | 4e8 | 3.1 |\n",
        " run |  N  | loss\n-----+-----+------\n a   | 2e8 | 3.45\n b   | 4e8 | 3.1\n(2 rows)\n",
    ],
    ids=["quoted decimal commas", "sep", "sizes with decimal commas", "markdown", "database"],
)
def test_tables_for_people_and_for_excel_hold_the_same_numbers(text, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    table = bs.Study.from_frame(read_file(path).assign(D=2e9)).frame
    assert table["run"].tolist() == ["a", "b"] and table["n_params"].tolist() == [2e8, 4e8]
    assert table["loss"].tolist() == [3.45, 3.1]


def test_text_in_utf_16_is_read_where_it_is_compressed_too(tmp_path):
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(RUNS.to_csv(index=False).encode("utf-16")))
    assert read_file(path)["val_loss"].tolist() == RUNS["val_loss"].tolist()


def test_a_table_that_pandas_split_keeps_its_index(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text(RUNS.set_index("run").to_json(orient="split"))
    assert bs.Study.from_file(path, loss="val_loss").frame["run"].tolist() == RUNS["run"].tolist()


def test_a_sheet_of_words_before_that_of_the_runs_is_passed_over(tmp_path):
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"info": ["of our runs"]}).to_excel(book, sheet_name="README", index=False)
        RUNS.to_excel(book, sheet_name="runs", index=False)
    study = bs.Study.from_file(path, loss="val_loss")
    assert len(study) == len(RUNS) and study.remarks[0] == "Read: the sheet 'runs'; not read: 'README'."


@pytest.mark.parametrize("heads", [["run", "note"], ["chance", "bench"], ["flops", "gpu"]])
def test_the_first_sheet_is_read_where_it_holds_a_table_of_other_names(heads, tmp_path):
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as book:
        RUNS.rename(columns={"run": "model", "N": "params", "D": "toks"}).to_excel(book, sheet_name="runs", index=False)
        pd.DataFrame([[1.0, 2.0]], columns=heads).to_excel(book, sheet_name="more", index=False)
    study = bs.Study.from_file(path, n_params="params", tokens="toks", loss="val_loss")
    assert len(study) == len(RUNS) and study.remarks[0] == "Read: the sheet 'runs'; not read: 'more'."


@pytest.mark.parametrize("index", [[], "run", [["a", "b"], [1, 2]], None])
def test_an_index_of_split_json_that_names_no_rows_is_not_read(index, tmp_path):
    path = tmp_path / "runs.json"
    path.write_text(json.dumps({"columns": ["N", "loss"], "data": [[1e8, 3.0], [2e8, 2.9]], "index": index}))
    assert read_file(path)["loss"].tolist() == [3.0, 2.9]
