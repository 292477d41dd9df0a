import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import DirectAccuracy, DirectAccuracyInFlops, SigmoidAccuracy
from bayes_scaling.models.accuracy_curve import of_tasks


def test_the_binomial_error_of_its_questions_adds_to_the_noise():
    law = SigmoidAccuracy(shared_questions=0.75)
    runs = {"per_question": np.array(1 / 400)}
    with double_precision():
        assert float(law.noise_of(runs, np.array(0.5), np.array(0.0))) == pytest.approx(0.5 * 0.5 / 20)
        assert float(law.noise_of({"per_question": 0.0}, np.array(0.5), np.array(0.01))) == pytest.approx(0.01)


def test_questions_are_those_of_a_task_and_need_not_be_known():
    table = pd.DataFrame({"run": list("aabb"), "task": ["x", "y"] * 2, "accuracy": 0.5, "chance": 0.25})
    assert of_tasks(bs.Study.from_frame(table))["per_question"].tolist() == [0.0, 0.0]
    known = of_tasks(bs.Study.from_frame(table.assign(questions=[100, None] * 2)))["per_question"]
    assert known.tolist() == [0.01, 0.0]
    with pytest.raises(bs.StudyError, match="The task 'x' of study 'runs' has 100, 200 questions; give one positive"):
        of_tasks(bs.Study.from_frame(table.assign(questions=[100, 50, 200, 50])))


@pytest.mark.parametrize("law", [DirectAccuracy, DirectAccuracyInFlops, SigmoidAccuracy])
def test_a_task_that_guessing_solves_is_refused(law):
    runs = {"N": [1e8, 1e9], "D": [2e9, 2e10], "flops": [1e18, 1e20], "loss": [3.0, 2.5], "accuracy": [0.3, 0.5]}
    sure = pd.DataFrame({**runs, "chance": 1.0})
    with pytest.raises(bs.StudyError, match="The chance of study 'mine' is 1, and nobody guesses right always; give"):
        law().arrays(bs.Study.from_frame(sure, name="mine"))
    with pytest.raises(bs.StudyError, match="The chance of task 'x' is 1, and nobody"):
        law().arrays(bs.Study.from_frame(sure.assign(run=["a", "b"], task="x"), name="mine"))


def test_a_task_is_guessed_whose_runs_of_most_compute_are_at_chance():
    runs = pd.DataFrame({"run": [f"r{i}" for i in range(8)], "N": np.geomspace(1e7, 1e9, 8), "D": 2e10, "chance": 0.25})
    rising = runs.assign(task="rising", accuracy=np.linspace(0.25, 0.5, 8))
    flat = runs.assign(task="flat", accuracy=0.26)
    unknown = runs.assign(task="unknown", accuracy=np.nan)
    study = bs.Study.from_frame(pd.concat([rising, flat, unknown]))
    assert of_tasks(study)["guessed"].tolist() == [False, True, False]
    one = flat.drop(columns="task").assign(loss=np.linspace(4, 3, 8))
    assert bool(SigmoidAccuracy().arrays(bs.Study.from_frame(one))[0]["guessed"])
