from __future__ import annotations

import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla


def test_a_missing_column_is_named_with_the_nearest():
    study = bs.Study.from_frame(pd.DataFrame({"n_params": [1e8, 2e8], "token": [1e9, 2e9], "loss": [3.0, 2.9]}))
    with pytest.raises(bs.StudyError, match=r"needs the column 'tokens' \(D\).*did you mean 'token'"):
        Chinchilla().arrays(study)


def test_several_tasks_are_too_many_for_one_series():
    with pytest.raises(bs.StudyError, match="8 tasks; choose one"):
        Chinchilla().arrays(bs.load_study("olmo_ladder"))


def test_references_are_geometric_means_of_the_fitted_runs():
    study = bs.Study.from_frame(pd.DataFrame({"N": [1e8, 4e8], "D": [2e9, 8e9], "loss": [3.0, 2.9]}))
    runs, observed = Chinchilla().arrays(study)
    assert (float(runs["N0"]), float(runs["D0"])) == (pytest.approx(2e8), pytest.approx(4e9))
    assert observed["loss"].tolist() == [3.0, 2.9]


def test_an_input_that_is_no_number_names_its_row():
    class Stepped(bs.Law):
        E: bs.Prior = dist.LogNormal(0.0, 1.0)

        def mean(self, warmup, *, E):
            return E + 0 * warmup

    study = bs.Study.from_frame(pd.DataFrame({"warmup": [10, None, "many"], "loss": [3.0, 2.9, 2.8]}))
    with pytest.raises(bs.StudyError, match="Row 3 has warmup = 'many', which is not a number, row 2 has no warmup"):
        Stepped().arrays(study)


def test_an_input_that_a_forecast_would_refuse_is_refused_by_the_fit():
    class Dropped(bs.Law):
        E: bs.Prior = dist.LogNormal(0.0, 1.0)

        def mean(self, dropout, *, E):
            return E * (1 + dropout)

    study = bs.Study.from_frame(pd.DataFrame({"dropout": [0.0, 0.1, -0.1], "loss": [3.0, 2.9, 2.8]}))
    said = r"dropout is not positive in row 1 and row 3 \(first 0\), and Dropped .*indicators = \('dropout',\)"
    with pytest.raises(bs.StudyError, match=said):
        Dropped().arrays(study)

    class Allowed(Dropped):
        signed = ("dropout",)

    assert Allowed().arrays(study)[0]["dropout"].tolist() == [0.0, 0.1, -0.1]
