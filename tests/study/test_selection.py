"""Which rows of a table become runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import StudyError

RUNS = pd.DataFrame(
    {
        "run": list("abcdef"),
        "N": [1e8, 2e8, 4e8] * 2,
        "D": [2e9] * 3 + [8e9] * 3,
        "val_loss": [3.9, 3.6, 3.3, 3.5, 3.2, 3.0],
    }
)
STATES = RUNS.assign(val_loss=[3.9, np.nan, 3.3, np.inf, np.nan, 3.0], State=["finished", "crashed"] * 3)


def test_rows_are_left_out_on_request():
    study = bs.Study.from_frame(STATES, loss="val_loss", drop_missing=True)
    assert study.frame["run"].tolist() == ["a", "c", "f"]
    assert "3 of 6 rows" in study.remarks[0] and "run 'b' (row 2)" in study.remarks[0]
    kept = bs.Study.from_frame(STATES, loss="val_loss", where="State == 'finished' and N > 1e8", drop_missing=True)
    assert kept.frame["run"].tolist() == ["c"]
    assert "4 of 6 rows were left out by where=" in kept.remarks[0] and "run 'a' (row 1)" in kept.remarks[0]
    for query in ("val_loss < 3.5", "loss < 3.5", "`val_loss` < 3.5"):
        assert bs.Study.from_frame(STATES, loss="val_loss", where=query).frame["run"].tolist() == ["c", "f"]
    with pytest.raises(StudyError, match="In each of 6 rows loss is missing"):
        bs.Study.from_frame(STATES.assign(val_loss=None), loss="val_loss", drop_missing=True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("Stat == 'finished'", "speaks of 'Stat', which is no column; did you mean 'State'"),
        ("State = 'finished'", "cannot be read|does not say"),
        ("State ==", "^The query where='State ==' is not a whole comparison; write it like where="),
        ("N", "does not say of each row"),
        ("State == 'lost'", "keeps none of 6 rows"),
        ("@x > 1", "speaks of a variable"),
        ("State > 3", "cannot be read"),
        (3, "^The query where=3 is no text; write it like where="),
    ],
)
def test_a_query_that_does_not_work(query, message):
    with pytest.raises(StudyError, match=message) as error:
        bs.Study.from_frame(STATES, loss="val_loss", where=query)
    assert "\n" not in str(error.value)


def test_unfinished_runs_are_noticed():
    study = bs.Study.from_frame(RUNS.assign(State=["running", *["finished"] * 5]), loss="val_loss")
    assert study.remarks == ("1 of 6 rows is running; where=\"State == 'finished'\" leaves it out.",)


def test_checkpoints_are_no_repeats():
    table = pd.concat([RUNS.assign(D=RUNS["D"] * part) for part in (0.5, 1.0)], ignore_index=True)
    with pytest.raises(StudyError, match=r"at several D; keep the last checkpoint of each, or number them in a column"):
        bs.Study.from_frame(table, loss="val_loss")
    long = pd.concat([RUNS.assign(task=task) for task in "xyz"] * 2, ignore_index=True)
    with pytest.raises(StudyError, match=r"run 'f' on 'x' stands in rows .*, 12 more are repeated; keep one"):
        bs.Study.from_frame(long, loss="val_loss")


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


def test_one_row_left_out_is_singular():
    study = bs.Study.from_frame(
        RUNS.assign(val_loss=[np.nan, 3.6, 3.3, 3.5, 3.2, 3.0]), loss="val_loss", drop_missing=True
    )
    assert study.remarks == ("1 of 6 rows, in which loss is missing or infinite, was left out: run 'a' (row 1).",)


def test_rows_without_names_and_with_equal_inputs_are_repeats_and_said_so():
    table = RUNS.drop(columns="run").assign(N=[1e8, 2e8, 1e8, 4e8, 1e8, 8e8], D=2e9)
    (said,) = bs.Study.from_frame(table, loss="val_loss").remarks
    assert (
        said == "Rows 1, 3 and 5 have the same N and D as another row; each counts as a run of "
        "its own, a repeat to a law of N and D."
    )
    assert bs.Study.from_frame(RUNS.drop(columns="run"), loss="val_loss").remarks == ()
    assert bs.Study.from_frame(table.assign(run=list("abcdef")), loss="val_loss").remarks == ()


def test_rows_that_differ_in_a_factor_are_no_repeats():
    rates = RUNS.drop(columns="run").assign(N=1e8, D=[2e9] * 3 + [4e9] * 3, learning_rate=[1e-3, 2e-3, 4e-3] * 2)
    assert bs.Study.from_frame(rates, loss="val_loss").remarks == ()
    timed = rates.drop(columns="learning_rate").assign(hours=np.linspace(1, 2, 6))  # of each row its own: no factor
    assert "Rows 1, 2, 3, 4, 5 and 6 have the same N and D" in bs.Study.from_frame(timed, loss="val_loss").remarks[0]


def test_a_ladder_run_that_diverged_is_left_out_where_that_is_asked_for():
    table = pd.DataFrame({"run": list("abc"), "task": "x", "N": 1e8, "D": 1e9, "accuracy": 0.4, "chance": 0.25})
    table = table.assign(task_loss=[0.9, np.inf, 0.8])
    study = bs.Study.from_frame(table, drop_missing=True)
    assert study.frame["run"].tolist() == ["a", "c"] and "run 'b' on 'x' (row 2)" in study.remarks[0]
    assert len(bs.Study.from_frame(table.assign(task_loss=[0.9, np.nan, 0.8]), drop_missing=True)) == 3


def test_rows_without_names_may_have_lists_in_what_nothing_reads():
    table = RUNS.drop(columns="run").assign(N=1e8, D=2e9, n_params_by_layer=[[1], [1], [2]] * 2)
    (said,) = bs.Study.from_frame(table, loss="val_loss").remarks
    assert said.startswith("Rows 1, 2, 3, 4, 5 and 6 have the same N, D and n_params_by_layer as another row")
    with pytest.raises(StudyError, match="at several D and steps; keep the last checkpoint"):
        bs.Study.from_frame(RUNS.assign(run="a", N=1e8, steps=[[1], [2]] * 3), loss="val_loss")


def test_names_are_text_where_a_seed_tells_some_numbered_runs_apart():
    table = pd.DataFrame({"run": [1, 1, 2, 3], "seed": [0, 1, 0, 0], "N": [1e8, 1e8, 2e8, 4e8], "D": 2e9, "loss": 3.0})
    assert bs.Study.from_frame(table).frame["run"].tolist() == ["1 (seed 0)", "1 (seed 1)", "2", "3"]


def test_rows_without_a_role_are_told():
    roles = ["train"] * 3 + [None, "target", None]
    (said,) = bs.Study.from_frame(RUNS.assign(role=roles), loss="val_loss").remarks
    assert said == "2 of 6 rows have no role and are neither fitted nor forecast: run 'd' (row 4) and run 'f' (row 6)."
    for whole in (RUNS.assign(role="train"), RUNS.assign(role=None), RUNS):
        assert not bs.Study.from_frame(whole, loss="val_loss").remarks


def test_a_name_may_have_the_sign_of_a_variable():
    table = RUNS.assign(run=["a@b", *"bcdef"], **{"lr@peak": range(6)})
    for query in ("run != 'a@b'", 'run != "a@b"', "`lr@peak` > 0"):
        assert bs.Study.from_frame(table, loss="val_loss", where=query).frame["run"].tolist() == [*"bcdef"]
    with pytest.raises(StudyError, match="speaks of a variable"):
        bs.Study.from_frame(table, loss="val_loss", where="run != 'a@b' and N > @size")


def test_a_name_in_backticks_that_is_no_column_is_told_as_it_was_written():
    table = pd.DataFrame({"N": [1e8], "val loss": [3.0], "loss": [3.0]})
    with pytest.raises(bs.StudyError, match=r"speaks of 'vall loss', which is no column; did you mean 'val loss'"):
        bs.Study.from_frame(table, where="`vall loss` < 3 and `val loss` > 1")


def test_seeds_are_runs_of_their_own_though_their_checkpoints_do_not_coincide():
    table = pd.DataFrame({"run": "a", "seed": [0, 0, 1, 1], "checkpoint": [100, 200, 150, 250], "N": 1e8, "loss": 3.0})
    study = bs.Study.from_frame(table.assign(D=table["checkpoint"] * 1e6))
    assert study.frame["run"].unique().tolist() == ["a (seed 0)", "a (seed 1)"] and len(study.runs) == 2
