"""Malformed tables end in one of our errors, in one sentence, or in a study that is sound; never in a traceback."""

from __future__ import annotations

import datetime
import decimal
import fractions
import gzip
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, FewSteps, Scratch, ShiftedPowerLaw
from bayes_scaling.models.two_step import routes
from bayes_scaling.study.validation import FRACTION, NUMERIC, POSITIVE, always_read

ROWS = 6
COLUMNS = {
    "run": list("abcdef"),
    "task": ["one"] * ROWS,
    "role": ["train"] * ROWS,
    "n_params": [1e8, 2e8, 4e8] * 2,
    "tokens": [2e9] * 3 + [8e9] * 3,
    "loss": [3.9, 3.6, 3.3, 3.5, 3.2, 3.0],
    "accuracy": np.linspace(0.3, 0.6, ROWS).tolist(),
    "finetune_data": [1e3, 2e3, 4e3] * 2,
    "task_loss": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    "chance": [0.25] * ROWS,
}
VALUES = {
    "none": None,
    "nan": np.nan,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "infinity": np.inf,
    "minus infinity": -np.inf,
    "zero": 0,
    "minus zero": -0.0,
    "negative": -1e9,
    "tiny": 5e-324,
    "huge": 1.7e308,
    "huge integer": 10**400,
    "large integer": 2**64,
    "negative huge integer": -(10**400),
    "percent": 63.0,
    "true": True,
    "empty text": "",
    "blank": "  ",
    "word": "seven billion",
    "with unit": "7B",
    "percent sign": "63 %",
    "decimal comma": "3,9",
    "thousands": "1,000,000",
    "number as text": "2.5",
    "infinite text": "inf",
    "overflowing text": "1e999",
    "nan text": "nan",
    "hexadecimal": "0x10",
    "null byte": "a\0b",
    "lone surrogate": "\ud800",
    "other script": "７",
    "bytes": b"1e8",
    "not utf-8": b"\xff\xfe",
    "list": [1.0, 2.0],
    "empty list": [],
    "dict": {"a": 1},
    "set": {1.0},
    "tuple": (1.0,),
    "array": np.array([1.0, 2.0]),
    "series": pd.Series([1.0, 2.0]),
    "complex": 1 + 2j,
    "decimal": decimal.Decimal("2.5"),
    "decimal nan": decimal.Decimal("NaN"),
    "fraction": fractions.Fraction(1, 2),
    "date": datetime.date(2024, 1, 1),
    "moment": pd.Timestamp("2024-01-01"),
    "duration": pd.Timedelta("1h"),
    "period": pd.Period("2024"),
    "interval": pd.Interval(0, 1),
    "object": object(),
    "type": float,
    "function": len,
}
WHOLE = {
    "dates": pd.Series(pd.date_range("2024", periods=ROWS)),
    "zoned dates": pd.Series(pd.date_range("2024", periods=ROWS, tz="UTC")),
    "durations": pd.Series(pd.to_timedelta(range(1, ROWS + 1), unit="h")),
    "periods": pd.Series(pd.period_range("2024", periods=ROWS)),
    "intervals": pd.Series(pd.interval_range(0, ROWS)),
    "categories": pd.Series(["0.1", "0.2", "0.3"] * 2, dtype="category"),
    "numbers as categories": pd.Series([0.1, 0.2, 0.3] * 2, dtype="category"),
    "true and false": pd.Series([True, False] * 3),
    "true, false and missing": pd.Series([True, False, None] * 2, dtype="boolean"),
    "complex numbers": pd.Series([1 + 1j] * ROWS),
    "real complex numbers": pd.Series([0.5 + 0j] * ROWS),
    "masked integers": pd.Series([1, None, 1] * 2, dtype="Int64"),
    "small floats": pd.Series([0.5] * ROWS, dtype="float16"),
    "sparse": pd.Series(pd.arrays.SparseArray([0.5, np.nan, 0.5] * 2)),
    "strings": pd.Series(["0.5", "x", None] * 2, dtype="string"),
    "nothing": pd.Series([None] * ROWS),
    "all the same": pd.Series([0.5] * ROWS),
    "a permutation": pd.Series(range(ROWS, 0, -1)),
    "lists": pd.Series([[1]] * ROWS),
}


def good() -> pd.DataFrame:
    return pd.DataFrame(COLUMNS)


def ends_well(make) -> str:
    """Make a study and use it; return how it ended."""
    try:
        study = make()
    except bs.BayesScalingError as error:
        text = str(error)
        assert text.endswith((".", "?")) and "\n" not in text and len(text) < 2000
        return "refused"
    assert isinstance(study, bs.Study) and len(study) > 0 and repr(study) and len(study.checksum) == 64
    assert not study.frame.columns.has_duplicates
    for column in map(str, study.frame.columns):
        if NUMERIC.fullmatch(column):
            try:
                values = study.column(column)
            except bs.StudyError as error:  # what nothing has read yet is refused when it is
                lacking = "task" in study.frame and study.frame[column].isna().any()  # which a law of ladders may take
                assert (
                    (column not in always_read(study.frame) or lacking)
                    and str(error).endswith((".", "?"))
                    and "\n" not in str(error)
                )
                continue
            scores = column == "accuracy" and "task" in study.frame  # of which some may be missing
            values = values[~np.isnan(values)] if scores else values
            assert values.dtype == float and np.isfinite(values).all()
            assert not POSITIVE.fullmatch(column) or (values > 0).all()
            assert not FRACTION.fullmatch(column) or ((values >= 0) & (values <= 1)).all()
    for law in (Chinchilla(), Scratch(), FewSteps(), ShiftedPowerLaw(), *routes(jointly=("task_loss",))):
        try:
            runs, observed = law.arrays(study.training)
        except bs.BayesScalingError:
            continue
        partial = {"accuracy", "loss"} if law.series else {"accuracy"}  # of which a run may lack some
        outcomes = [v for name, v in observed.items() if name not in partial]
        assert not any(np.isinf(observed[name]).any() for name in partial & observed.keys())
        assert all(np.isfinite(np.asarray(v, dtype=float)).all() for v in (*runs.values(), *outcomes))
        assert not np.isinf(observed.get("accuracy", 0.0)).any()
    assert isinstance(str(bs.design_check(study)) if "role" not in study.frame else "", str)
    return "sound"


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_one_bad_value_in_any_column(value):
    for column in COLUMNS:
        table = good().astype({column: object})
        table.at[2, column] = value
        ends_well(lambda table=table: bs.Study.from_frame(table))
        ends_well(lambda table=table: bs.Study.from_frame(table.drop(columns="run"), flops="6ND"))


@pytest.mark.parametrize("values", WHOLE.values(), ids=WHOLE.keys())
def test_any_column_of_another_kind(values):
    for column in COLUMNS:
        table = good().assign(**{column: values})
        ends_well(lambda table=table: bs.Study.from_frame(table))
        ends_well(lambda table=table: bs.Study.from_frame(table.drop(columns="run")))


TABLES = {
    "nothing": lambda: None,
    "text": lambda: "runs.csv",
    "a number": lambda: 3.0,
    "a function": lambda: len,
    "no columns": lambda: pd.DataFrame(),
    "no rows": lambda: good().head(0),
    "one row": lambda: good().head(1),
    "rows without columns": lambda: pd.DataFrame(index=range(5)),
    "numbers without names": lambda: np.ones((4, 3)),
    "ragged columns": lambda: {"N": [1e8], "D": [1e9, 2e9]},
    "scalars": lambda: {"N": 1e8, "D": 1e9},
    "records": lambda: [{"N": 1e8, "D": 1e9, "loss": 3.0}, {"N": 2e8, "loss": 2.9}],
    "a series": lambda: good()["loss"],
    "a cube": lambda: np.ones((2, 2, 2)),
    "a column twice": lambda: pd.concat([good(), good()[["loss"]]], axis=1),
    "a run twice": lambda: pd.concat([good(), good().head(1)]),
    "rows twice": lambda: pd.concat([good().drop(columns="run")] * 2),
    "index twice": lambda: good().set_axis([0] * ROWS),
    "two levels of columns": lambda: pd.concat({"a": good()}, axis=1),
    "two levels of rows": lambda: pd.concat({"a": good()}),
    "columns by number": lambda: good().set_axis(range(len(COLUMNS)), axis=1),
    "columns without name": lambda: good().set_axis([None] * len(COLUMNS), axis=1),
    "columns by date": lambda: good().set_axis(pd.date_range("2024", periods=len(COLUMNS)), axis=1),
    "columns by tuple": lambda: good().set_axis([(c, 1) for c in COLUMNS], axis=1),
    "transposed": lambda: good().T,
    "swapped columns": lambda: good().rename(columns={"n_params": "tokens", "tokens": "n_params"}),
    "loss and accuracy swapped": lambda: good().rename(columns={"loss": "accuracy", "accuracy": "loss"}),
    "symbol and column": lambda: good().assign(N=1.0),
    "percent": lambda: good().assign(accuracy=100 * good()["accuracy"]),
    "mixed percent": lambda: good().assign(accuracy=[0.3, 31.0] * 3),
    "units mixed": lambda: good().assign(n_params=[100.0, 2e8] * 3),
    "everything text": lambda: good().astype(str),
    "everything object": lambda: good().astype(object),
    "everything missing": lambda: good().map(lambda _: None),
    "a role nobody knows": lambda: good().assign(role="Train"),
    "no training runs": lambda: good().assign(role="target"),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES.keys())
def test_a_table_of_another_shape(make):
    ends_well(lambda: bs.Study.from_frame(make()))
    ends_well(lambda: bs.Study.from_frame(make(), n_params="N", tokens="D"))


CSV = good().to_csv(index=False)
FILES = {
    "empty": b"",
    "blank": b"\n\n \n",
    "heading only": CSV.splitlines()[0].encode(),
    "latin-1": CSV.replace("a,", "\u00e9,", 1).encode("latin-1"),
    "utf-16": CSV.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + CSV.encode(),
    "null bytes": CSV.replace("3.9", "3\0.9").encode("utf-8"),
    "only nulls": b"\0" * 100,
    "random": np.random.default_rng(0).bytes(500),
    "semicolons": CSV.replace(",", ";").encode(),
    "tabs": CSV.replace(",", "\t").encode(),
    "decimal commas": CSV.replace(",", ";").replace(".", ",").encode(),
    "a line too long": (CSV + "x,y" + ",1" * 30 + "\n").encode(),
    "a line too short": (CSV + "x,y\n").encode(),
    "open quote": (CSV + 'g,"one,train,1e8').encode(),
    "quotes": CSV.replace("a,", '"a""b\nc",', 1).encode(),
    "windows line ends": CSV.replace("\n", "\r\n").encode(),
    "old line ends": CSV.replace("\n", "\r").encode(),
    "heading twice": (CSV + CSV).encode(),
    "no heading": "\n".join(CSV.splitlines()[1:]).encode(),
    "a column twice": CSV.replace("tokens", "n_params", 1).encode(),
    "huge integer": CSV.replace("3.9", "1" + "0" * 400).encode(),
    "overflow": CSV.replace("3.9", "1e400").encode(),
    "integer above 64 bits": CSV.replace("2000000000.0", "99999999999999999999", 1).encode(),
    "json": b'[{"N": 1e8}]',
    "html": b"<html><table><tr><td>1</td></tr></table></html>",
    "gzip": gzip.compress(CSV.encode()),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_file_of_another_kind(content, tmp_path):
    for ending in (".csv", ".csv.gz", ".csv.xz", ".zip", ".parquet", ""):
        path = tmp_path / f"runs{ending}"
        path.write_bytes(content)
        ends_well(lambda path=path: bs.Study.from_file(path))


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv", "a\0b", ""):
        assert ends_well(lambda path=path: bs.Study.from_file(path)) == "refused"


def test_most_of_it_is_refused_and_what_is_harmless_is_not():
    fatal = ("nan", "infinity", "negative", "word", "moment", "duration", "complex", "list", "huge integer", "true")
    for name in fatal:
        table = good().drop(columns="task").astype({"loss": object})
        table.at[2, "loss"] = VALUES[name]
        assert ends_well(lambda table=table: bs.Study.from_frame(table)) == "refused", name
    for name in ("number as text", "decimal", "fraction"):
        table = good().astype({"loss": object})
        table.at[2, "loss"] = VALUES[name]
        assert ends_well(lambda table=table: bs.Study.from_frame(table)) == "sound", name


@pytest.mark.parametrize("value", [None, np.inf, 0.0, -1.0, "word"])
def test_what_nothing_reads_may_hold_anything_until_it_is_read(value):
    table = good().drop(columns=["task", "accuracy"]).astype({"task_loss": object}).assign(steps=1000)
    table.at[2, "task_loss"] = value
    study = bs.Study.from_frame(table)
    Chinchilla().arrays(study)
    with pytest.raises(bs.StudyError, match=r"[Rr]un 'c' \(row 3\) has (no )?task_loss"):
        study.column("task_loss")
    with pytest.raises(bs.StudyError, match="task_loss"):
        bs.Study.from_frame(table, task_loss="task_loss")
    with pytest.raises(bs.StudyError, match=r"row 3.*source_loss"):
        ShiftedPowerLaw().arrays(bs.Study.from_frame(table.rename(columns={"task_loss": "source_loss"})))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("accuracy", 55.1, "accuracy = 55.1, which is above 1; give fractions"),
        ("error", "OOM", "error = 'OOM', which is not a number; give plain"),
        (
            "error",
            None,
            r"no error; fill in what is missing, say in a column role which runs are to be forecast \('train' or "
            "'target'\\), or leave the rows out with drop_missing=True and error=",
        ),
        ("chance", "", "no chance; fill in what is missing, or leave the rows out with drop_missing=True and chance="),
    ],
)
def test_scores_that_no_law_reads_may_hold_anything_until_one_does(column, value, said):
    table = good().drop(columns=["task", "accuracy", "chance"]).assign(**{column: 0.5}).astype({column: object})
    table.at[2, column] = value
    study = bs.Study.from_frame(table, drop_missing=True)
    assert len(study) == ROWS and not study.remarks
    Chinchilla().arrays(study)
    bs.design_check(study)
    with pytest.raises(bs.StudyError, match=rf"Run 'c' \(row 3\) has {said}"):
        study.column(column)
    with pytest.raises(bs.StudyError, match=rf"Run 'c' \(row 3\) has {said}"):
        bs.Study.from_frame(table, **{column: column})


def test_a_gap_is_left_out_by_the_words_that_the_message_says():
    table = good().drop(columns=["task", "accuracy", "chance"]).assign(error=[0.5, None, 0.4, 0.3, 0.2, 0.1])
    with pytest.raises(bs.StudyError, match="leave the rows out with drop_missing=True and error='error'"):
        bs.Study.from_frame(table).column("error")
    assert len(bs.Study.from_frame(table, drop_missing=True, error="error").column("error")) == ROWS - 1


def test_scores_are_checked_where_there_are_tasks():
    with pytest.raises(bs.StudyError, match=r"Run 'c' on 'one' \(row 3\) has accuracy = 55.1"):
        bs.Study.from_frame(good().assign(accuracy=[0.3, 0.3, 55.1, 0.4, 0.4, 0.5]))
    gap = good().assign(chance=[0.25, 0.25, None, 0.25, 0.25, 0.25])
    with pytest.raises(
        bs.StudyError, match=r"Run 'c' on 'one' \(row 3\) has no chance; fill .* with drop_missing=True\."
    ):
        bs.Study.from_frame(gap)
    assert len(bs.Study.from_frame(gap, drop_missing=True)) == ROWS - 1


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.datetimes(),
    st.timedeltas(),
    st.lists(st.floats(), max_size=2),
)
NAMES = st.one_of(
    st.sampled_from(
        [*COLUMNS, "N", "D", "C", "flops", "steps", "chance", "checkpoint", "seed", "source_loss", "State"]
    ),
    st.text(max_size=5),
)


@st.composite
def tables(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=6))
    rows = draw(st.integers(0, 4))
    kinds = [draw(st.sampled_from([CELLS, st.floats(), st.floats(0.01, 0.99), st.text(max_size=4)])) for _ in names]
    values = [[draw(kind) for _ in range(rows)] for kind in kinds]
    return pd.DataFrame({i: pd.Series(v, dtype=object) for i, v in enumerate(values)}).set_axis(names, axis=1)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from([None, "6ND", "8ND"]))
def test_any_table(table, flops):
    ends_well(lambda: bs.Study.from_frame(table, flops=flops))
    ends_well(lambda: bs.Study.from_frame(table.infer_objects(), flops=flops))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.integers(0, len(CSV)))
def test_any_bytes_inside_a_table(tmp_path_factory, noise, place):
    path = tmp_path_factory.mktemp("fuzz") / "runs.csv"
    path.write_bytes(CSV[:place].encode() + noise + CSV[place:].encode())
    ends_well(lambda: bs.Study.from_file(path))


def test_standard_errors_may_be_missing_and_not_negative():
    table = pd.DataFrame({"run": list("ab"), "loss": [3.0, 2.9], "loss_se": [0.01, np.nan]})
    study = bs.Study.from_frame(table, drop_missing=True)
    assert len(study) == 2 and study.column("loss_se")[0] == 0.01 and np.isnan(study.column("loss_se")[1])
    assert "loss_se" in bs.Study.from_frame(table.rename(columns={"loss_se": "sem"}), loss_se="sem").frame
    with pytest.raises(
        bs.StudyError, match=r"Run 'b' \(row 2\) has loss_se = -0.1, which is negative; give standard er"
    ):
        bs.Study.from_frame(table.assign(loss_se=[0.1, -0.1]))
    with pytest.raises(bs.StudyError, match=r"'a' \(row 1\) has loss_se = 50, which is above the loss itself; give"):
        bs.Study.from_frame(table.assign(loss_se=[50.0, 0.1]))
    assert len(bs.Study.from_frame(table.assign(loss=[3.0, np.nan], loss_se=[0.1, 9.0], role=["train", "target"]))) == 2
    other = bs.Study.from_frame(table.assign(c4_loss=3.1)).rename(loss="c4_loss")
    assert "loss_se" not in other.frame  # it is that of the loss before


def test_a_normalised_loss_may_be_negative_and_a_law_may_ask_for_any_sign():
    table = pd.DataFrame({"n_params": [1e8, 2e8], "normalised_loss": [-3.0, -3.5], "task_loss": [-1.0, 1.0]})
    study = bs.Study.from_frame(table, normalised_loss="normalised_loss")
    assert study.column("normalised_loss").tolist() == [-3.0, -3.5]
    with pytest.raises(bs.StudyError, match="Row 1 has task_loss = -1, which is not positive"):
        study.column("task_loss")
    assert study.column("task_loss", signed=True).tolist() == [-1.0, 1.0]
    with pytest.raises(bs.StudyError, match="Row 2 has task_loss = inf, which is infinite"):
        bs.Study.from_frame(table.assign(task_loss=[-1.0, np.inf])).column("task_loss", signed=True)


def test_a_role_that_nothing_reads_is_refused():
    table = pd.DataFrame({"run": ["a", "b"], "N": [1e8, 2e8], "D": 2e9, "loss": 3.0})
    with pytest.raises(bs.StudyError, match=r"^Run 'b' \(row 2\) has the role 'test', which is none of train, target"):
        bs.Study.from_frame(table.assign(role=["train", "test"]))
    assert len(bs.Study.from_frame(table.assign(role=["train", None])).training) == 1


def test_accuracies_in_per_cent_become_fractions_where_told():
    long = pd.DataFrame({"run": ["a", "b"], "task": "x", "N": 1e8, "D": 1e9, "accuracy": [63.5, "71 %"], "chance": 25})
    frame = bs.Study.from_frame(long, percent=True).frame
    assert frame["accuracy"].tolist() == [0.635, 0.71] and frame["chance"].tolist() == [0.25, 0.25]
    wide = pd.DataFrame({"run": ["a", "b"], "N": 1e8, "D": 1e9, "x_acc": [63.5, 71.0], "error": [0.1, 0.2]})
    study = bs.Study.from_frame(wide, accuracy_columns="TASK_acc", chance={"x": 25}, percent=True)
    np.testing.assert_allclose(study.frame[["accuracy", "chance", "error"]], [[0.635, 0.25, 0.1], [0.71, 0.25, 0.2]])
    rates = pd.DataFrame({"run": ["a", "b"], "N": 1e8, "top1_error": [38.0, 31.0]})
    assert bs.Study.from_frame(rates, error="top1_error", percent=True).frame["error"].tolist() == [0.38, 0.31]
    signs = bs.Study.from_frame(long.assign(accuracy=["63.5%", "71 %"], chance=0.25)).frame
    assert signs["accuracy"].tolist() == [0.635, 0.71]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chance": 0.25}, r"^chance is 0.25 at most, which is no percentage .* or leave percent=True out\.$"),
        ({"accuracy": [0.6, 0.7]}, r"^accuracy is 0.7 at most, which is no percentage"),
        ({"accuracy": [63.0, 110.0]}, "accuracy = 1.1, which is above 1"),
        ({"accuracy": [63.0, "most"]}, "accuracy = 'most', which is not a number"),
    ],
)
def test_what_is_no_percentage_is_refused(changes, message):
    long = pd.DataFrame({"run": ["a", "b"], "task": "x", "N": 1e8, "D": 1e9, "accuracy": [63.5, 71.0], "chance": 25})
    with pytest.raises(bs.StudyError, match=message):
        bs.Study.from_frame(long.assign(**changes), percent=True)
    with pytest.raises(bs.StudyError, match="percent=True is about accuracies, and the table has none; leave it out"):
        bs.Study.from_frame(long.drop(columns=["accuracy", "chance"]), percent=True)


def test_error_rates_in_per_cent_become_fractions_as_the_message_says():
    table = pd.DataFrame({"run": list("abcd"), "N": 1e8, "error": [60, 50, 40, 30]})
    with pytest.raises(bs.StudyError, match="give fractions between 0 and 1, or say percent=True"):
        bs.Study.from_frame(table).column("error")
    assert bs.Study.from_frame(table, percent=True).column("error").tolist() == [0.6, 0.5, 0.4, 0.3]
    for unread in (["OOM", 50, 40, 30], [0.6, 0.5, 0.4, 0.3]):
        with pytest.raises(bs.StudyError, match="percent=True is about accuracies, and the table has none"):
            bs.Study.from_frame(table.assign(error=unread), percent=True)
        both = bs.Study.from_frame(table.assign(error=unread, accuracy=[40, 50, 60, 70]), percent=True)
        assert both.frame["error"].tolist() == unread and both.column("accuracy")[0] == 0.4


def test_a_query_speaks_of_per_cent_where_the_table_does():
    long = pd.DataFrame({"run": list("abcd"), "task": "x", "N": 1e8, "D": 1e9, "chance": 25})
    for accuracy in ([30, 40, 95, 96], ["30 %", 40, "95 %", 96]):
        study = bs.Study.from_frame(long.assign(accuracy=accuracy), percent=True, where="accuracy < 90")
        assert study.column("accuracy").tolist() == [0.3, 0.4]
        assert "2 of 4 rows were left out by where='accuracy < 90'" in study.remarks[0]


@pytest.mark.parametrize(
    ("places", "gap", "said"),
    [
        ({2: "diverged"}, None, "give plain numbers, with a point for decimals, or leave the row out with {}."),
        ({2: "diverged"}, 4, "fill in what is missing, or leave the rows out with drop_missing=True and {}."),
        ({2: "diverged", 3: "OOM (80 GB)"}, None, "or leave the rows out with {}."),
    ],
)
def test_runs_with_a_word_for_a_loss_are_left_out_by_the_words_that_the_message_says(places, gap, said):
    table = good().drop(columns=["task", "accuracy", "chance"]).astype({"loss": object})
    for place, word in places.items():
        table.at[place, "loss"] = word
    if gap is not None:
        table.at[gap, "loss"] = None
    query = " and ".join(f"loss != '{word}'" for word in places.values())
    with pytest.raises(bs.StudyError) as told:
        bs.Study.from_frame(table)
    assert str(told.value).endswith(said.format(f"where={query!r}"))
    kept = bs.Study.from_frame(table, where=query, drop_missing=gap is not None)
    assert len(kept) == ROWS - len(places) - (gap is not None)


def test_a_remedy_of_several_columns_is_said_once():
    table = pd.DataFrame({"N": [1e8, 2e8, "N"], "D": [2e9, 4e9, "D"], "loss": [3.0, 2.9, "loss"]})
    cure = 'give plain numbers, such as 7e9 or 7B, with a point for decimals, or leave the row out with where="n_params'
    with pytest.raises(bs.StudyError, match=re.escape(f"row 3 has loss = 'loss', which is not a number; {cure}")):
        bs.Study.from_frame(table)
    shares = pd.DataFrame({"task": "x", "accuracy": [-0.1, 0.5], "chance": 25.0})
    with pytest.raises(bs.StudyError, match=r"above 1; give fractions between 0 and 1, or say percent=True\.$"):
        bs.Study.from_frame(shares)


@pytest.mark.parametrize("words", [["failed", "OOM", "killed"], ["2,5"] * ROWS, ["it's"], ["2.000.000"]])
def test_words_that_no_query_tells_from_numbers_offer_none(words):
    table = good().drop(columns=["task", "accuracy", "chance"]).astype({"loss": object})
    for place, word in enumerate(words):
        table.at[place, "loss"] = word
    with pytest.raises(bs.StudyError, match=r"with a point for decimals\.$"):
        bs.Study.from_frame(table)


@pytest.mark.parametrize("dash", ["-", "--", "–", "—"])
def test_a_dash_is_a_score_that_is_missing(dash):
    table = pd.DataFrame({"N": [1e8, 2e8], "D": 2e9, "piqa": [60.0, 62.0], "arc": [30.0, dash]})
    study = bs.Study.from_frame(table, accuracy_columns=["piqa", "arc"], chance=25, percent=True)
    assert study.frame["accuracy"].isna().sum() == 1


def test_shares_that_may_be_fractions_among_percentages_are_told_and_such_chances_refused():
    table = pd.DataFrame({"N": [1e8, 2e8], "D": 2e9, "piqa": [60.0, 62.0], "code": [0.0, 0.25]})
    options = {"accuracy_columns": ["piqa", "code"], "percent": True}
    study = bs.Study.from_frame(table, chance={"piqa": 50, "code": 0}, **options)
    assert any("the accuracies of code, of which none is above 1" in remark for remark in study.remarks)
    with pytest.raises(
        bs.StudyError, match=r"on 'code' \(row 1\) has the chance 0\.25, .* give 25, or '0\.25%' in a column chance"
    ):
        bs.Study.from_frame(table, chance={"piqa": 50, "code": 0.25}, **options)


@pytest.mark.parametrize("options", [{"where": "State == 'finished'"}, {"drop_missing": True}])
def test_a_wide_table_in_per_cent_is_filtered(options):
    table = pd.DataFrame({"N": [1e8, 2e8, np.nan], "D": 2e9, "a_acc": [60.0, 65, 70], "b_acc": [0.3, 0.5, 0.6]})
    table["State"] = ["finished", "finished", "crashed"]
    study = bs.Study.from_frame(table, accuracy_columns="TASK_acc", chance=25, percent=True, **options)
    assert len(study) == 4 and any("accuracies of b, of which none" in remark for remark in study.remarks)
