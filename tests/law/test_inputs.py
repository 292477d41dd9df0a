from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference.fittable import refusal
from bayes_scaling.law.trace import run_model
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


class Patient(bs.Law):
    """Loss from size and steps, which are endless where the table does not tell."""

    E: bs.Prior = dist.LogNormal(0.5, 0.5)
    alpha: bs.Prior = dist.LogNormal(-1.0, 0.5)
    absent = {"steps": math.inf}

    def mean(self, N, steps, N0, *, E, alpha):
        return E * (1 + jnp.exp(-alpha * jnp.log(N / N0)) + 100 / steps)


def test_an_input_that_runs_may_lack_is_read_where_it_is_and_stood_for_where_not():
    table, values = pd.DataFrame({"N": [1e8, 4e8], "loss": [3.0, 2.5]}), {"E": 1.0, "alpha": 0.5, "sigma": 0.01}
    law = Patient()
    assert law.columns == {"N": "n_params"} and law.readable == {"N": "n_params", "steps": "steps"}
    for steps, expected in ((None, [np.inf, np.inf]), ([100.0, 200.0], [100.0, 200.0])):
        study = bs.Study.from_frame(table if steps is None else table.assign(steps=steps))
        runs, observed = law.arrays(study)
        assert runs["steps"].tolist() == expected and not refusal(Patient(alpha=0.5, sigma=0.01, E=1.0), study)
        told = {name: column for name, column in runs.items() if steps or name != "steps"}
        at = np.asarray(law.at(told, values))
        np.testing.assert_allclose(at, 1 + (runs["N"] / 2e8) ** -0.5 + 100 / np.array(expected), rtol=1e-6)
        site = run_model(law, runs, observed, latent=values)["loss"]
        assert np.isfinite(site["fn"].log_prob(site["value"])).all()
    with pytest.raises(bs.StudyError, match="steps"):
        law.input_arrays(pd.DataFrame({"n_params": [1e8], "steps": [np.nan]}))


def test_an_input_that_runs_may_lack_is_of_any_sign_where_the_law_says_so():
    class Shifted(bs.Law):
        E: bs.Prior = dist.LogNormal(0.0, 1.0)
        absent, signed = {"unique_tokens": 0.0}, ("unique_tokens",)

        def mean(self, N, unique_tokens, *, E):
            return E + 0 * N + unique_tokens

    table = pd.DataFrame({"N": [1e8, 4e8], "unique_tokens": [-1.0, 2.0], "loss": [3.0, 2.5]})
    assert Shifted().arrays(bs.Study.from_frame(table))[0]["unique_tokens"].tolist() == [-1.0, 2.0]
