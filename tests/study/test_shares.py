import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Mixture
from bayes_scaling.study.shares import by_run, no_mixtures, not_shares

NAMES = ("web", "code", "math")
ROWS = pd.DataFrame({"run": list("ab"), "task": "70M", "web": [0.5, 0.33], "code": [0.3, 0.33], "math": [0.2, 0.33]})
LAW = Mixture(shares=NAMES)


def found(**changes):
    rows = ROWS.assign(**changes)
    return not_shares({name: rows[name].to_numpy() for name in NAMES}, NAMES, by_run(rows))


def test_fractions_that_sum_to_one_are_shares_up_to_rounding_and_zero_is_one():
    assert found() is None
    assert found(web=[0.0, 1.0], code=[0.8, 0.0], math=[0.2, 0.0]) is None
    assert not_shares({}, (), str) is None


def test_a_sum_that_is_not_one_is_named_with_its_runs():
    problem = found(web=[50.0, 33.0], code=[25.0, 33.0], math=[25.0, 34.0])
    assert problem.sentence == "The shares web, code and math of run 'a' (row 1) and run 'b' (row 2) sum to 100"
    assert problem.value == 100 and problem.remedy.startswith("give fractions that sum to 1, with a column")
    assert found(math=[0.2, 0.3]).sentence == "The shares web, code and math of run 'b' (row 2) sum to 0.96"
    assert "run 'b' (row 2) sum to 1.02" in found(math=[0.2, 0.36]).sentence


def test_a_negative_share_is_named():
    assert found(code=[-0.1, 0.33], web=[0.9, 0.33]).sentence == "The share code of run 'a' (row 1) is -0.1"


def test_the_design_is_looked_at_only_for_a_law_of_shares_with_all_its_columns():
    wrong = ROWS.assign(web=50.0)
    assert [problem.code for problem in no_mixtures(wrong, LAW)] == ["no-mixture"]
    for rows, law in ((ROWS, LAW), (wrong.drop(columns="code"), LAW), (wrong, None), (wrong, bs.models.Chinchilla())):
        assert not list(no_mixtures(rows, law))
    assert not list(no_mixtures(wrong.assign(web="x"), LAW))  # no number, which the fit will refuse


def test_percentages_are_refused_by_the_study_and_by_its_design():
    study = bs.Study.from_frame(ROWS.assign(loss=3.0, **{name: 100 * ROWS[name] for name in NAMES}))
    with pytest.raises(bs.StudyError, match=r"^The shares web, .* of run 'a' .* sum to 100 and 99; give frac"):
        LAW.arrays(study)
    assert bs.design_check(study, law=LAW).only("no-mixture")
    assert np.isfinite(LAW.arrays(bs.Study.from_frame(ROWS.assign(loss=3.0)))[1]["loss"]).all()
