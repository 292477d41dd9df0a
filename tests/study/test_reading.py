"""Tables in the forms people have them become the same study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import StudyError
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.models import Chinchilla, Superset
from bayes_scaling.study.reading import as_rows, as_table, labelled, last_checkpoints, read_table, remedy
from tests.worlds import by_compute

RUNS = pd.DataFrame(
    {
        "run": list("abcdef"),
        "N": [1e8, 2e8, 4e8] * 2,
        "D": [2e9] * 3 + [8e9] * 3,
        "val_loss": [3.9, 3.6, 3.3, 3.5, 3.2, 3.0],
    }
)


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


def test_a_row_of_a_table_is_one_run():
    row = pd.DataFrame({"N": ["7B"], "D": [4e12]}).iloc[0]
    assert as_rows(row).to_dict("records") == [{"n_params": 7e9, "tokens": 4e12}]


def test_integers_of_more_than_64_bits_are_numbers():
    rows = as_rows({"C": 10**24, "D": 10**400, "steps": 2**70})
    assert rows["flops"].tolist() == [1e24] and rows["tokens"].tolist() == [np.inf]
    assert labelled(as_rows({"C": 10**24, "steps": 2**70})).index.tolist() == ["C=1e+24, steps=1.181e+21"]
    told, plain = (bs.forecast(by_compute(count=20), {"C": flops}) for flops in (10**24, 1e24))
    assert told.draws["loss_run"].equals(plain.draws["loss_run"])


def test_text_is_no_table():
    with pytest.raises(StudyError, match="from_file"):
        bs.Study.from_frame("runs.csv")


@pytest.mark.parametrize(
    ("checkpoints", "others", "last"),
    [
        (["final", "step1000", "final"], {}, "final"),  # what another run shows first says nothing of this one
        (["step1", "step9", "step10"], {}, "step10"),
        (["1B tokens", "900M tokens", "1.2B tokens"], {}, "1.2B tokens"),
        (["step1", "step10", "step9"], {}, "step10"),
        (["7B", "7B final", "7B early"], {}, "7B early"),  # numbers of something else
        (["x", "final", "step2000"], {"tokens": [1.0, 9.0, 2.0]}, "final"),
        (["x", "final", "step2000"], {"steps": [1.0, 9.0, 2.0]}, "final"),
        (["x", "final", "step2000"], {"tokens": 9.0, "steps": [1.0, 9.0, 2.0]}, "final"),  # of tokens that are planned
        (["x", "final", "step2000"], {"tokens": [1.0, 9.0, np.nan]}, "step2000"),
    ],
)
def test_the_last_checkpoint_of_a_run_is_its_own(checkpoints, others, last):
    table = pd.DataFrame({"run": ["a", "b", "b"], "checkpoint": checkpoints}).assign(**others)
    assert last_checkpoints(table)["checkpoint"].tolist() == [checkpoints[0], last]


@pytest.mark.parametrize("others", [{}, {"tokens": 9.0}])
def test_the_last_checkpoint_of_a_table_by_task_is_the_one_that_appears_last(others):
    table = pd.DataFrame({"run": "a", "checkpoint": ["early", "late", "final", "early", "late"], "task": list("pppqq")})
    assert last_checkpoints(table.assign(**others))["checkpoint"].tolist() == ["final"]
    two = pd.DataFrame({"run": list("aabb"), "checkpoint": ["early", "late", "late", "early"]}).assign(**others)
    assert last_checkpoints(two)["checkpoint"].tolist() == ["late", "early"]


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


def test_rows_keep_the_number_they_have_in_the_file():
    table = RUNS.drop(columns="run").assign(role=["target"] * 2 + ["train"] * 4)
    study = bs.Study.from_frame(table.assign(train_loss=[3.0] * 5 + [None]), loss="val_loss")
    with pytest.raises(StudyError, match="Row 6 has no train_loss"):
        study.training.column("train_loss")
    assert study.training.frame.index.tolist() == [2, 3, 4, 5]


def test_mixed_names_are_text():
    study = bs.Study.from_frame(RUNS.assign(run=["a", 1, 2, 3, 4, 5]), loss="val_loss")
    assert study.frame["run"].tolist() == ["a", "1", "2", "3", "4", "5"]


def test_columns_in_the_index_of_a_table_are_columns():
    table = pd.DataFrame({"run": ["a", "b"], "N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.8]})
    whole = bs.Study.from_frame(table).frame
    for names in ("run", "N", ["run", "N"]):
        pd.testing.assert_frame_equal(bs.Study.from_frame(table.set_index(names)).frame[whole.columns], whole)
    pd.testing.assert_frame_equal(bs.Study.from_frame(table.set_index("run", drop=False)).frame, whole)


def test_names_in_an_index_without_one_are_those_of_the_runs():
    rows = {"70M": {"N": 7e7, "D": 1e9, "loss": 3.5}, "160M": {"N": 1.6e8, "D": 2e9, "loss": 3.2}}
    table = pd.DataFrame.from_dict(rows, orient="index")
    assert bs.Study.from_frame(table).frame["run"].tolist() == ["70M", "160M"]
    assert table.columns.tolist() == ["N", "D", "loss"]  # which is the user's
    assert bs.Study.from_frame(table.assign(model=["a", "b"]), run="model").frame["run"].tolist() == ["a", "b"]
    assert bs.Study.from_frame(table.assign(Name=["a", "b"])).frame["run"].tolist() == ["a", "b"]
    assert read_targets(Chinchilla(), bs.Study.from_frame(RUNS, loss="val_loss"), table).frame.index.tolist() == [*rows]
    both = pd.concat([table.assign(task="x"), table.assign(task="y")])
    assert bs.Study.from_frame(both).frame["run"].tolist() == ["70M", "160M"] * 2


@pytest.mark.parametrize(
    "index",
    [[0, 1], [5, 7], [0.5, 1.5], ["0", "1"], ["a", "a"], ["a", None], pd.MultiIndex.from_product([["a"], ["b", "c"]])],
)
def test_what_does_not_name_the_runs_in_an_index_is_left_out(index):
    table = pd.DataFrame({"N": [7e7, 1.6e8], "D": [1e9, 2e9], "loss": [3.5, 3.2]}).set_axis(index)
    assert list(bs.Study.from_frame(table).frame) == ["n_params", "tokens", "loss"]


def test_an_empty_row_is_left_out_whatever_its_label():
    table = pd.DataFrame({"N": [7e7, np.nan, 1.6e8], "D": [1e9, None, 2e9], "loss": [3.5, None, 3.2]}, index=[*"abc"])
    assert bs.Study.from_frame(table).frame["run"].tolist() == ["a", "c"]
    assert bs.Study.from_frame(table.set_axis(["a", "a", "c"])).frame["run"].tolist() == ["a", "c"]
    with pytest.raises(StudyError, match=r"'c' \(row 3\)"):
        bs.Study.from_frame(table.assign(N=[7e7, None, "x"]))


@pytest.mark.parametrize("heading", ["N,D,loss", ",N,D,loss"])
def test_names_in_a_field_without_a_heading_are_those_of_the_runs(heading, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(f"{heading}\npythia-70m,7e7,1e9,3.5\npythia-160m,1.6e8,2e9,3.2\n")
    assert bs.Study.from_file(path).frame["run"].tolist() == ["pythia-70m", "pythia-160m"]
    path.write_text(f"{heading}\n0,7e7,1e9,3.5\n1,1.6e8,2e9,3.2\n")
    assert "run" not in bs.Study.from_file(path).frame


def test_one_column_is_not_two():
    with pytest.raises(bs.StudyError, match="The column 'x' is to be both n_params and tokens"):
        bs.Study.from_frame(pd.DataFrame({"x": [1e8], "loss": 3.0}), n_params="x", tokens="x")


def test_symbols_that_contradict_our_names_are_said():
    table = pd.DataFrame({"n_params": [1e8, 1e9], "N": ["100M", "1B"], "D": [2e9, 2e10], "loss": [3.0, 2.5]})
    assert not bs.Study.from_frame(table).remarks
    (said,) = bs.Study.from_frame(table.assign(N=[1e8, 2e9])).remarks
    assert "'N' is not read" in said and "n_params='N'" in said
    study = bs.Study.from_frame(table.assign(N=[1e8, 2e9]), n_params="N")
    assert not study.remarks
    assert study.column("n_params").tolist() == [1e8, 2e9]


def test_a_symbol_that_is_mapped_is_read_though_its_column_is_there():
    table = pd.DataFrame({"n_params": [1e8, 1e9], "size": [2e8, 2e9], "D": [2e9, 2e10], "loss": [3.0, 2.5]})
    study = bs.Study.from_frame(table, N="size")
    assert study.column("n_params").tolist() == [2e8, 2e9] and study.names == {"n_params": "size"}
    assert bs.Study.from_frame(table, n_params="size").checksum == study.checksum
    again = bs.Study.from_frame(table).rename(N="size")
    assert again.column("n_params").tolist() == [2e8, 2e9]
    assert bs.Study.from_frame(table.assign(N=3e8), N="N", D="D").column("n_params").tolist() == [3e8, 3e8]
    with pytest.raises(StudyError, match=r"^N='size' and n_params='D' are about the same column; give one of them\.$"):
        bs.Study.from_frame(table, N="size", n_params="D")
    with pytest.raises(StudyError, match=r"^The table has no column 'sise' to use as 'N'; did you mean 'size'\?$"):
        bs.Study.from_frame(table, N="sise")


def test_columns_may_change_places():
    table = pd.DataFrame({"tokens": [1e8, 1e9], "seen": [2e9, 2e10], "loss": [3.0, 2.5]})
    frame = bs.Study.from_frame(table, n_params="tokens", tokens="seen").frame
    assert frame[["n_params", "tokens"]].to_numpy().tolist() == [[1e8, 2e9], [1e9, 2e10]]


def test_a_column_that_is_read_may_not_be_there_twice(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,val_loss,val_loss,note,note\n2e7,2e8,4.8,3.1,a,b\n")
    for names in ({"loss": "val_loss"}, {"loss": "val_loss", "run": "note"}):
        with pytest.raises(bs.StudyError, match=r"^The column 'val_loss' appears twice in the table; keep one\.$"):
            bs.Study.from_file(path, **names)
        with pytest.raises(bs.StudyError, match=r"^The column 'val_loss' appears twice"):
            as_rows(read_table(path), names)
    study = bs.Study.from_file(path)
    assert study.frame["n_params"].tolist() == [2e7]  # nothing reads what is there twice
    with pytest.raises(bs.StudyError, match=r"^The column 'note' appears twice"):
        study.training.column("note")
    path.write_text("N,N,size,D,loss\n2e7,3e7,1e7,2e8,4.8\n")
    assert bs.Study.from_file(path, N="size").frame["n_params"].tolist() == [1e7]
    path.write_text("N,N,D,loss\n2e7,3e7,2e8,4.8\n")
    with pytest.raises(bs.StudyError, match=r"^The column 'N' appears twice in the table; keep one\.$"):
        bs.Study.from_file(path)


def test_all_columns_that_are_called_otherwise_are_named_at_once(command):
    said = remedy("n_params", ["Params", "Tokens", "Eval/Loss", "lr"])
    named = "--map n_params=Params, --map tokens=Tokens and --map loss=Eval/Loss"
    assert said == f"say which of yours they are, as in {named}."
    assert remedy("tokens", ["n_params", "Tokens", "loss"]) == "say which of yours it is, as in --map tokens=Tokens."
    assert remedy("tokens", ["n_params", "unique_tokens", "epochs"]) == "give all tokens seen, unique_tokens x epochs."
    assert "--map loss=YOURS" in remedy("loss", ["n_params", "tokens", "val_loss", "eval_loss"])  # which of them?


def test_a_loss_in_the_place_of_another_does_not_have_its_standard_error(command):
    table = RUNS.assign(loss=3.5, loss_se=0.01).rename(columns={"val_loss": "c4_loss"})
    study = bs.Study.from_frame(table, loss="c4_loss", where="loss_se < 1")  # a query speaks of all columns
    assert "loss_se" not in study.frame and study.column("loss")[0] == 3.9
    assert study.remarks == (
        "Not read: 'loss_se', which is of the column 'loss' and not of 'c4_loss'; if it is of that, say "
        "--map loss_se=loss_se.",
    )
    for kept in (
        bs.Study.from_frame(table),
        bs.Study.from_frame(table, loss="c4_loss", loss_se="loss_se"),
        bs.Study.from_frame(table.drop(columns="loss"), loss="c4_loss"),
    ):
        assert "loss_se" in kept.frame and not kept.remarks


def test_columns_of_several_levels_are_refused():
    table = pd.DataFrame([[1e9, 2.0]], columns=pd.MultiIndex.from_tuples([("p", "N"), ("m", "loss")]))
    with pytest.raises(StudyError, match=r"^The columns have 2 levels, such as \('p', 'N'\); give each one name"):
        bs.Study.from_frame(table)
    table.columns = ["_".join(name) for name in table.columns]  # what the message says
    assert len(bs.Study.from_frame(table, n_params="p_N", loss="m_loss")) == 1


def test_text_in_an_index_of_any_name_names_the_runs():
    table = pd.DataFrame({"N": [7e7, 1.6e8], "D": [1e9, 2e9], "loss": [3.5, 3.2], "Model": ["small", "large"]})
    study = bs.Study.from_frame(table.set_index("Model"))
    assert study.frame["run"].tolist() == study.frame["Model"].tolist() == ["small", "large"]
    targets = table.drop(columns="loss").set_index("Model")
    assert read_targets(Chinchilla(), study, targets).frame.index.tolist() == ["small", "large"]
    assert "run" not in bs.Study.from_frame(table.assign(Model=[1, 2]).set_index("Model")).frame


def test_a_column_that_nobody_said_to_read_and_that_has_gaps_is_not_read():
    whole = RUNS.assign(_step=2000.0, flops=6 * RUNS["N"] * RUNS["D"])
    for column, ours, gap in (("_step", "steps", np.nan), ("_step", "steps", 0.0), ("flops", "flops", np.nan)):
        table = whole.assign(**{column: whole[column].where(whole["run"] != "b", gap)})
        study = bs.Study.from_frame(table, loss="val_loss")
        assert ours not in study.frame and ours not in study.names and len(study) == len(RUNS)
        (said,) = (remark for remark in study.remarks if remark.startswith(f"Not read: {column!r}"))
        assert said.endswith(f"of which run 'b' (row 2) has none; to read it fill it in and say {ours}={column!r}.")
        with pytest.raises(StudyError, match=r"Run 'b' \(row 2\) has"):
            Superset().arrays(bs.Study.from_frame(table, loss="val_loss", **{ours: column}))
        kept = bs.Study.from_frame(table, loss="val_loss", where="run != 'b'")
        assert ours in kept.frame  # what is left is whole
    with pytest.raises(StudyError, match="flops = 'many'"):
        bs.Study.from_frame(whole.assign(flops=["many", *whole["flops"][1:]]), loss="val_loss")


def test_names_of_runs_that_stand_in_several_rows_are_told():
    table = RUNS.rename(columns={"run": "Name"}).assign(Name=list("abcabc"))
    study = bs.Study.from_frame(table, loss="val_loss")
    assert "run" not in study.frame and any("'Name' as the names of runs, since some stand" in r for r in study.remarks)


def test_a_unit_in_brackets_is_no_part_of_a_name():
    with pytest.raises(StudyError, match=r"tokens='Tokens \(B\)' and loss='Val loss \(nats\)'"):
        bs.Study.from_frame({"N": [1e8], "Tokens (B)": [2.0], "Val loss (nats)": [3.0]}).column("tokens")


def test_flops_with_gaps_are_told_by_the_name_that_they_have():
    table = RUNS.assign(C=[np.nan, *(6 * RUNS["N"] * RUNS["D"])[1:]])
    study = bs.Study.from_frame(table, loss="val_loss")
    assert any(remark.startswith("Not read: 'C'") and remark.endswith("say flops='C'.") for remark in study.remarks)
    roles = RUNS.assign(flops=table["C"], role=["target", *["train"] * 5])
    with pytest.raises(StudyError, match=r"Run 'a' \(row 1\) has no flops"):  # those of all fitted runs are there
        bs.Study.from_frame(roles, loss="val_loss")


def test_names_that_are_missing_or_left_out_are_not_called_repeated():
    gaps = RUNS.rename(columns={"run": "Name"}).assign(Name=["a", None, *"cdef"])
    twice = RUNS.rename(columns={"run": "Name"}).assign(Name=list("abbdef"), State=["f", "f", "x", "f", "f", "f"])
    for table, options in ((gaps, {}), (twice, {"where": "State == 'f'"})):
        assert not any("stand in several" in r for r in bs.Study.from_frame(table, loss="val_loss", **options).remarks)
