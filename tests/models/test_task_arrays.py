from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.models import TwoStep
from bayes_scaling.models.task_arrays import labels, task_arrays

ROWS = pd.DataFrame({
    "run": ["a", "a", "b", "b"],
    "task": ["free", "choice"] * 2,
    "chance": [0.0, 0.25] * 2,
    "accuracy": [0.0, 0.3, 0.1, np.nan],
    "pile_loss": [3.0, 3.0, 2.5, 2.5],
    "own_loss": [1.0, 1.1, 0.9, 0.8],
})  # fmt: skip


def study(table=ROWS):
    return bs.Study.from_frame(table, name="rows")


def test_accuracies_may_be_zero_or_missing():
    panel, runs, observed = task_arrays("TwoStep", study(), (), ("pile_loss",), "pile_loss", 0)
    assert panel.runs["run"].tolist() == ["a", "b"] and runs["chance"].tolist() == [0.0, 0.25]
    np.testing.assert_array_equal(observed["accuracy"], [[0.0, 0.3], [0.1, np.nan]])
    assert observed["loss"].tolist() == [[3.0], [2.5]] and runs["feature"].tolist() == [0, 0]
    assert runs["range"].tolist() == [[2.5], [3.0]]


def test_losses_of_any_name_are_shared_or_per_task():
    _, runs, observed = task_arrays("TwoStep", study(), (), ("pile_loss", "own_loss"), "own_loss", 0)
    assert runs["feature"].tolist() == [1, 2] and observed["loss"].shape == (2, 3)
    assert labels(study(), ("pile_loss", "own_loss"), "own_loss") == {
        "series": ["pile_loss", "own_loss:free", "own_loss:choice"],
        "task": ["free", "choice"],
    }


def test_a_row_that_a_run_lacks_is_a_missing_score():
    _, _, observed = task_arrays("TwoStep", study(ROWS.iloc[:3]), (), ("pile_loss",), "pile_loss", 0)
    np.testing.assert_array_equal(observed["accuracy"], [[0.0, 0.3], [0.1, np.nan]])


def test_a_loss_that_is_not_there_is_named_with_one_that_is():
    with pytest.raises(bs.StudyError) as refused:
        task_arrays("TwoStep", study(), (), ("task_loss",), "task_loss", 0)
    assert str(refused.value) == (
        "TwoStep needs run, task, chance, accuracy, task_loss in one row per run and task, and study 'rows' lacks "
        "task_loss (TwoStep(feature='pile_loss', jointly=()) goes through 'pile_loss')."
    )
    advised = TwoStep(feature="pile_loss", jointly=())
    sized = study(ROWS.assign(N=[1e8, 1e8, 2e8, 2e8], D=1e10))
    assert set(advised.arrays(sized)[1]) == {"accuracy", "loss"}
    token = COMMAND_LINE.set(True)
    with pytest.raises(bs.StudyError, match=r"\(--law two_step:pile_loss goes through 'pile_loss'\)"):
        task_arrays("TwoStep", study(), (), ("task_loss",), "task_loss", 0)
    COMMAND_LINE.reset(token)
    with pytest.raises(bs.StudyError, match=r"lacks task_loss \(without a loss, single_step\(\) of bayes_scal"):
        task_arrays("TwoStep", study(ROWS.drop(columns=["pile_loss", "own_loss"])), (), ("task_loss",), "task_loss", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"chance": [0.0, 0.25, 0.5, 0.25]},
            r"The task 'free' of study 'rows' has chance 0 and 0.5; give one",
        ),
        ({"chance": [0.0, 1.0] * 2}, "The chance of task 'choice' is 1, and nobody guesses right always"),
        (
            {"tokens": [1e9, 2e9, 1e9, 1e9]},
            r"The run 'a' of study 'rows' has tokens 1e\+09 and 2e\+09; give",
        ),
    ],
)
def test_a_run_and_a_task_have_one_value_in_a_column_of_their_own(changes, message):
    table = ROWS.assign(tokens=1e9).assign(**changes)
    with pytest.raises(bs.StudyError, match=message):
        task_arrays("TwoStep", study(table), ("tokens",), ("pile_loss",), "pile_loss", 0)
