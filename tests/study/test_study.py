import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import FileError, StudyError
from bayes_scaling.study.card import Card
from bayes_scaling.study.study import Study, require_studies, require_study
from bayes_scaling.study.validation import number_of

GOOD = {
    "run": list("abcdef"),
    "N": [1e8, 2e8, 4e8] * 2,
    "D": [2e9] * 3 + [8e9] * 3,
    "loss": [3.9, 3.6, 3.3, 3.5, 3.2, 3.0],
}


def with_value(column, value, row=2):
    table = pd.DataFrame(GOOD)
    values = table.get(column, pd.Series([0.5] * len(table))).astype(object)
    values[row] = value
    return table.assign(**{column: values})


BAD = {
    "NaN": (with_value("loss", np.nan), {}, "Run 'c' \\(row 3\\) has no loss"),
    "infinity": (with_value("loss", np.inf), {}, "Run 'c' \\(row 3\\) has loss = inf, which is infinite"),
    "zero parameters": (
        with_value("N", 0),
        {},
        "Run 'c' \\(row 3\\) has n_params( \\('N'\\))? = 0, which is not positive",
    ),
    "negative tokens": (with_value("D", -2e9), {}, "tokens = -2e\\+09, which is not positive"),
    "zero loss": (with_value("loss", 0), {}, "loss = 0, which is not positive"),
    "text": (with_value("loss", "3,9"), {}, "loss = '3,9', which is not a number"),
    "percent": (with_value("accuracy", 63.0).assign(task="one"), {}, "accuracy = 63, which is above 1; .*percent"),
    "error in percent": (with_value("error", 48.2), {"error": "error"}, "error = 48.2, which is above 1; .*percent"),
    "negative accuracy": (with_value("accuracy", -0.1), {"accuracy": "accuracy"}, "accuracy = -0.1, which is negative"),
    "duplicate run": (
        with_value("run", "a"),
        {},
        "Run 'a' stands in rows 1 and 3; keep one row of each, or tell repeats apart by a column 'seed'",
    ),
    "unnamed run": (with_value("run", None), {}, "Row 3 has no run"),
    "no rows": (pd.DataFrame(GOOD).head(0), {}, "no rows"),
    "misspelt map": (pd.DataFrame(GOOD), {"tokens": "DD"}, "no column 'DD' to use as 'tokens'"),
    "misspelt long map": (pd.DataFrame(GOOD), {"loss": "los"}, "did you mean 'loss'"),
    "map turned round": (
        pd.DataFrame(GOOD).rename(columns={"D": "data"}),
        {"data": "tokens"},
        "our name comes first, as in (--map )?tokens='?data",
    ),
    "convention": (pd.DataFrame(GOOD), {"flops": "8ND"}, "convention '8ND' is unknown; use '6ND'"),
    "flops twice": (pd.DataFrame(GOOD).assign(flops=1e18), {"flops": "6ND"}, "has FLOPs already"),
}


@pytest.mark.parametrize(("table", "options", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_table_is_one_sentence(table, options, message):
    with pytest.raises(StudyError, match=message) as error:
        Study.from_frame(table, **options)
    assert str(error.value).endswith((".", "?")) and "\n" not in str(error.value)


def test_a_chance_that_is_given_is_checked():
    with pytest.raises(StudyError, match=r"chance of 25, 25.* above 1; .*percent"):
        Study.from_frame(pd.DataFrame(GOOD), chance=25.0)


def test_columns_are_mapped_and_symbols_read():
    study = Study.from_frame(
        pd.DataFrame(GOOD).rename(columns={"loss": "eval/loss", "D": "seen"}), loss="eval/loss", D="seen"
    )
    assert list(study.frame.columns) == ["run", "n_params", "tokens", "loss"]
    assert study.column("tokens")[3] == 8e9


def test_flops_come_from_a_convention_or_a_column():
    assert Study.from_frame(pd.DataFrame(GOOD), flops="6ND").column("flops")[0] == pytest.approx(6 * 1e8 * 2e9)
    own = pd.DataFrame(GOOD).assign(compute=2.5e18)
    assert set(Study.from_frame(own, flops="compute").column("flops")) == {2.5e18}


def test_files_come_back_as_they_were(tmp_path):
    pd.DataFrame(GOOD).to_csv(tmp_path / "runs.csv", index=False)
    study = Study.from_file(tmp_path / "runs.csv")
    assert study.name == "runs"
    pd.testing.assert_frame_equal(study.frame, Study.from_frame(pd.DataFrame(GOOD)).frame)


def test_select_names_what_is_not_there(ladder):
    with pytest.raises(StudyError, match="no task 'MMLUU'; did you mean 'MMLU'"):
        ladder.select(task="MMLUU")
    with pytest.raises(StudyError, match="no column 'tsk'; did you mean 'task'"):
        ladder.select(tsk="MMLU")
    with pytest.raises(StudyError, match=r"has no task \['MMLU'\]"):
        ladder.select(task=[["MMLU"]])
    assert set(ladder.select(task=["MMLU", "PIQA"]).frame["task"]) == {"MMLU", "PIQA"}


def test_runs_named_by_numbers_are_shown_as_numbers():
    numbered = pd.DataFrame(GOOD).assign(run=range(121, 127))
    study = Study.from_frame(numbered)
    with pytest.raises(StudyError, match="has no run 5; known: 121, 122"):
        study.select(run=np.int64(5))
    with pytest.raises(StudyError, match=r"^Run 123 \(row 3\) has no loss"):
        Study.from_frame(numbered.assign(loss=[3.9, 3.6, None, 3.5, 3.2, 3.0]))
    with pytest.raises(StudyError, match=r"^Run 121 stands in rows 1 and 2"):
        Study.from_frame(numbered.assign(run=[121, 121, 2, 3, 4, 5]))


def test_the_ladder_has_its_sixteen_runs_and_two_targets(ladder):
    assert ladder.training.frame["run"].nunique() == 16
    assert list(ladder.targets.frame["run"].unique()) == ["7B-4T", "13B-5T"]
    assert len(ladder.tasks) == 8
    assert ladder.card.licence == "Apache-2.0"


def test_the_checksum_tells_numbers_apart():
    one, other = (Study.from_frame(pd.DataFrame(GOOD).assign(loss=x), card=Card("same")) for x in (3.0, 3.0000001))
    assert one.checksum != other.checksum
    assert one.checksum == Study.from_frame(one.frame, name="another name").checksum


def test_an_unknown_study_is_named():
    with pytest.raises(StudyError, match="no study 'olmo'"):
        bs.load_study("olmo")


def test_a_renamed_column_keeps_its_unit(ladder):
    renamed = ladder.rename(loss="task_loss")
    assert renamed.card.units["loss"] == ladder.card.units["task_loss"]
    assert "task_loss" not in renamed.card.units


def test_parquet_without_its_reader_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "runs.parquet").write_bytes(b"")

    def unread(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", unread)
    with pytest.raises(FileError, match="needs pyarrow; install it"):
        Study.from_parquet(tmp_path / "runs.parquet")


def test_csv_and_parquet_are_read_by_name_or_by_suffix(tmp_path, runs):
    for write, read, name in (("to_csv", Study.from_csv, "t.csv"), ("to_parquet", Study.from_parquet, "t.parquet")):
        path = tmp_path / name
        getattr(runs, write)(path, index=False)
        assert read(path, loss="val_loss").frame.equals(Study.from_file(path, loss="val_loss").frame)


def test_a_unit_is_what_somebody_says():
    assert "loss" not in Study.from_frame(pd.DataFrame(GOOD)).card.units
    study = Study.from_frame(pd.DataFrame(GOOD), unit="bits per byte")
    assert study.card.units["loss"] == "bits per byte" and study.column("loss")[0] == 3.9  # nothing is converted
    tasks = pd.DataFrame(GOOD).rename(columns={"loss": "task_loss"})
    assert Study.from_frame(tasks, unit="nats").card.units == {"task_loss": "nats"}
    with pytest.raises(StudyError, match="unit='nats' is the unit of a loss, which the table lacks"):
        Study.from_frame(pd.DataFrame(GOOD).drop(columns="loss"), unit="nats")
    with pytest.raises(StudyError, match="no column 'los' to state a unit of; did you mean 'loss'"):
        study.in_units(los="nats")


def test_a_table_is_no_study_and_one_study_no_list():
    table, study = pd.DataFrame(GOOD), Study.from_frame(pd.DataFrame(GOOD))
    with pytest.raises(StudyError, match=r"The study is a DataFrame; make it one with bs.Study.from_frame\(table\)"):
        require_study(table)
    for several in (table, study, "runs.csv", 3):
        with pytest.raises(StudyError, match=f"The studies are a {type(several).__name__}; give a list of studies"):
            require_studies(several)
    assert require_studies(one for one in [study]) == [study]


@pytest.mark.parametrize("checkpoints", [(3, 1, 2), ("100k", "1k", "20k"), ("early", "late", "end")])
def test_the_row_of_a_run_is_its_last_checkpoint(checkpoints):
    last = checkpoints[-1] if "end" in checkpoints else checkpoints[0]  # numbers are read, not their order
    rows = [{"run": r, "checkpoint": c, "task": t, "D": d, "loss": 3.0}
            for d, r in enumerate("ab", start=1) for c in checkpoints for t in "xy"]  # fmt: skip
    study = Study.from_frame(rows)
    assert study.last_checkpoints.frame["checkpoint"].tolist() == [last] * 4
    assert study.runs[["run", "task", "checkpoint"]].to_numpy().tolist() == [["a", "x", last], ["b", "x", last]]


@pytest.mark.parametrize("kind", [int, float, object])
def test_a_task_is_text_also_where_it_is_a_number(kind):
    table = pd.DataFrame({"run": [*"aabb"], "task": np.array([5, 10, 5, 10], dtype=kind), "N": 1e9, "D": 2e10})
    study = bs.Study.from_frame(table.assign(accuracy=0.5), chance={5: 0.25, "10": 0.5}, where="task > 1")
    assert study.tasks == ["5", "10"] and study.frame["chance"].tolist() == [0.25, 0.5] * 2
    assert study.select(task=5).tasks == study.select(task="5").tasks == ["5"]


def test_rows_that_are_empty_are_left_out_and_the_others_keep_their_numbers(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1e8,2e9,3.9\n,,\n2e8,4e9,3.6\n,,\n")
    study = bs.Study.from_file(path)
    assert len(study) == 2 and study.frame.index.tolist() == [0, 2]
    path.write_text("N,D,loss\n1e8,2e9,3.9\n,,\n2e8,4e9,bad\n,,\n")
    with pytest.raises(bs.StudyError, match=r"^Row 3 has loss = 'bad'"):
        bs.Study.from_file(path)


def test_counts_may_be_in_groups_of_three_digits_and_losses_not(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('N,D,loss\n"22,800,000","456,000,000",3.9\n1e8,2e9,3.6\n')
    assert bs.Study.from_file(path).frame["n_params"].tolist() == [2.28e7, 1e8]
    for bad in ('"22,80,000",1e9,3.9', '1e8,1e9,"3,900"'):
        path.write_text(f"N,D,loss\n{bad}\n")
        with pytest.raises(bs.StudyError, match="not a number"):
            bs.Study.from_file(path)


def test_a_name_is_no_card():
    table = pd.DataFrame({"N": [1e9], "loss": [2.0]})
    with pytest.raises(StudyError, match=r"^The card is a str; give a bs\.Card, or the name alone as name='mine'\.$"):
        Study.from_frame(table, card="mine")


@pytest.mark.parametrize("loss", [True, False])
def test_a_run_without_any_outcome_is_no_run_to_fit(loss, tmp_path):
    table = pd.DataFrame({"run": [*"abcd"], "N": [1e8, 2e8, 4e8, 7e9], "D": [2e9, 4e9, 8e9, 4e12]})
    table = table.assign(PIQA=[0.6, 0.62, 0.65, None], ARC=[0.3, None, 0.4, None])
    table = table.assign(loss=[3.0, 2.9, None, None]) if loss else table
    table.to_csv(tmp_path / "runs.csv", index=False)
    read = {"accuracy_columns": ["PIQA", "ARC"], "chance": 0.25}
    message = (
        r"run 'd' on 'PIQA' \(row 4\) and run 'd' on 'ARC' \(row 4\) have no accuracy; fill .* say in a column role"
    )
    with pytest.raises(StudyError, match=f"(?i){message}"):
        Study.from_file(tmp_path / "runs.csv", **read)
    kept = Study.from_file(tmp_path / "runs.csv", where="run != 'd'", **read)
    assert kept.frame["run"].tolist() == [*"aabbcc"]
    if not loss:
        assert Study.from_file(tmp_path / "runs.csv", drop_missing=True, **read).frame.equals(kept.frame)
    table.assign(role=["train"] * 3 + ["target"]).to_csv(tmp_path / "runs.csv", index=False)
    assert len(Study.from_file(tmp_path / "runs.csv", **read).targets) == 2


@pytest.mark.parametrize(("text", "number"), [("1,300", 1300.0), ("0,020", np.nan), ("01,300", np.nan)])
def test_a_group_of_three_digits_begins_with_no_zero(text, number):
    np.testing.assert_equal(number_of(text, size=True), number)
