import pandas as pd
import pytest

from bayes_scaling.errors import StudyError
from bayes_scaling.study.read_off import read_off
from bayes_scaling.study.study import Study

CELLS = [(1e6, 1e4, 0, 4.0), (1e6, 1e6, 0, 2.0), (1e6, 1e4, 1, 2.0), (1e6, 1e6, 1, 1.9)]
RUNS = pd.DataFrame(CELLS, columns=["n_params", "finetune_data", "pretrained", "loss"])


@pytest.mark.parametrize(
    ("runs", "outcome", "message"),
    [
        (RUNS[RUNS["pretrained"] == 0], "loss", "'runs' has no size and data of both arms"),
        (RUNS.assign(finetune_data=[1e4, 1e5, 2e4, 2e5]), "loss", "'runs' has no size and data of both arms"),
        (RUNS.drop(columns="finetune_data"), "loss", "has no column 'finetune_data'"),
        (RUNS, "lost", "has no column 'lost'"),
        (
            RUNS.assign(pretrained=[0, 0, 1, 0.5]),
            "loss",
            r"has pretrained = 0\.5 in row 4; give 1, or 0 \(from",
        ),
        (RUNS.assign(gap=[1.0, 0.0, 1.0, 1.0]), "gap", "has gap = 0 in row 2; give a positive number"),
    ],
)
def test_curves_that_cannot_be_read_off_are_refused(runs, outcome, message):
    with pytest.raises(StudyError, match=message):
        read_off(Study.from_frame(runs, name="runs"), outcome)


def test_a_table_is_no_study():
    with pytest.raises(StudyError, match=r"^The study is a DataFrame; make it one with"):
        read_off(pd.DataFrame())
