from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.panel import Panel, series_parts

CELLS = pd.DataFrame({
    "run": ["b", "b", "a", "a"],
    "task": ["PIQA", "MMLU", "MMLU", "PIQA"],
    "N": [2e8, 2e8, 1e8, 1e8],
    "task_loss": [0.7, 0.8, 0.9, 1.0],
    "c4_loss": [3.0, 3.0, 3.5, 3.5],
    "accuracy": [0.6, np.nan, 0.3, 0.5],
})  # fmt: skip


@pytest.fixture
def panel():
    return Panel.of(bs.Study(CELLS.rename(columns={"N": "n_params"}), bs.Card("cells")))


def test_rows_of_runs_and_columns_of_tasks_keep_the_order_of_the_table(panel):
    assert panel.runs["run"].tolist() == ["b", "a"] and panel.tasks.index.tolist() == ["PIQA", "MMLU"]
    assert panel.wide("task_loss").tolist() == [[0.7, 0.8], [1.0, 0.9]]
    np.testing.assert_array_equal(panel.wide("accuracy"), [[0.6, np.nan], [0.5, 0.3]])


def test_what_all_tasks_of_a_run_have_alike_is_one_series(panel):
    assert panel.shared("c4_loss") and not panel.shared("task_loss")
    found = panel.series(("task_loss", "c4_loss"))
    assert list(found) == ["task_loss:PIQA", "task_loss:MMLU", "c4_loss"]
    assert {label: (column, values.tolist()) for label, (column, values) in found.items()} == {
        "task_loss:PIQA": ("task_loss", [0.7, 1.0]),
        "task_loss:MMLU": ("task_loss", [0.8, 0.9]),
        "c4_loss": ("c4_loss", [3.0, 3.5]),
    }


def test_of_one_task_nothing_is_shared():
    one = Panel.of(bs.Study(CELLS[CELLS["task"] == "MMLU"]))
    assert list(one.series(("task_loss", "c4_loss"))) == ["task_loss:MMLU", "c4_loss:MMLU"]


def test_what_a_run_lacks_is_missing_and_each_series_needs_a_loss():
    lost = Panel.of(bs.Study(CELLS.iloc[1:]))  # run b without PIQA
    assert lost.tasks.index.tolist() == ["MMLU", "PIQA"]
    np.testing.assert_array_equal(lost.wide("accuracy"), [[np.nan, np.nan], [0.3, 0.5]])
    assert lost.series(("c4_loss",))["c4_loss"][1].tolist() == [3.0, 3.5]
    np.testing.assert_array_equal(lost.series(("task_loss",))["task_loss:PIQA"][1], [np.nan, 1.0])
    none = Panel.of(bs.Study(CELLS.assign(task_loss=[np.nan, 0.8, 0.9, np.nan])))
    with pytest.raises(bs.StudyError) as refused:
        none.series(("task_loss",))
    assert str(refused.value) == (
        "No run has a task_loss of task 'PIQA'; give that of some runs, leave the task out, or use a loss that the "
        "tasks of a run share."
    )


def test_a_loss_that_tasks_share_may_be_missing_of_a_run_or_of_some_of_its_rows():
    patchy = Panel.of(bs.Study(CELLS.assign(c4_loss=[np.nan, 3.0, 3.5, 3.5])))
    assert patchy.shared("c4_loss")
    np.testing.assert_array_equal(patchy.series(("c4_loss",))["c4_loss"][1], [3.0, 3.5])
    half = Panel.of(bs.Study(CELLS.assign(c4_loss=[3.0, 3.0, np.nan, np.nan])))
    np.testing.assert_array_equal(half.series(("c4_loss",))["c4_loss"][1], [3.0, np.nan])
    with pytest.raises(bs.StudyError, match=r"^No run has a c4_loss of task 'PIQA'; give that of some"):
        Panel.of(bs.Study(CELLS.assign(c4_loss=np.nan))).series(("c4_loss",))


def test_a_task_may_have_a_colon_in_its_name_and_a_column_may_not():
    odd = CELLS.assign(task=["PIQA", "mmlu: stem", "mmlu: stem", "PIQA"])
    found = Panel.of(bs.Study(odd)).series(("task_loss",))
    assert [series_parts(label) for label in found] == [("task_loss", "PIQA"), ("task_loss", "mmlu: stem")]
    with pytest.raises(bs.StudyError, match=r"^The column 'val:loss' of losses has a colon in its name, .* rename it"):
        Panel.of(bs.Study(odd.rename(columns={"task_loss": "val:loss"}))).series(("val:loss",))


def test_numbers_as_names_are_shown_as_numbers():
    lost = Panel.of(bs.Study(CELLS.assign(run=[2, 2, 1, 1], task=[5, 6, 6, 5], task_loss=[np.nan, 1, 1, np.nan])))
    with pytest.raises(bs.StudyError, match=r"^No run has a task_loss of task 5; give"):
        lost.series(("task_loss",))


@pytest.mark.parametrize("column", ["run", "task"])
def test_runs_and_tasks_have_names(column):
    with pytest.raises(bs.StudyError, match=f"'cells' has no column '{column}'; give one row per run and task"):
        Panel.of(bs.Study(CELLS.drop(columns=column), bs.Card("cells")))


def test_several_rows_of_a_run_and_task_are_refused():
    rows = CELLS.rename(columns={"N": "n_params"})
    with pytest.raises(bs.StudyError, match="has several rows of the run 'a' for the task 'MMLU'"):
        Panel.of(bs.Study(pd.concat([rows, rows.iloc[2:3]], ignore_index=True), bs.Card("cells")))
