from __future__ import annotations

import jax.numpy as jnp
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.law.sites import extrapolate
from bayes_scaling.models import Chinchilla


def test_a_prior_without_a_parameter_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match="log_A is not used by mean"):

        class Lost(bs.Law):
            E: bs.Prior = dist.LogNormal(0.0, 1.0)
            log_A: bs.Prior = dist.Normal(0.0, 1.0)

            def mean(self, N, *, E):
                return E + 0 * N


def test_a_parameter_without_a_prior_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match="alpha has no prior"):

        class Lost(bs.Law):
            E: bs.Prior = dist.LogNormal(0.0, 1.0)

            def mean(self, N, *, E, alpha):
                return E + N**-alpha


def test_a_misspelt_prior_is_a_type_error():
    with pytest.raises(TypeError, match="alpha_n"):
        Chinchilla(alpha_n=dist.Normal(0.3, 0.1))


@pytest.mark.parametrize("wrong", ["1.69", None, float("nan"), True, dist.Normal(jnp.zeros(2), 1.0)])
def test_a_prior_that_is_none_is_refused_in_one_sentence(wrong):
    with pytest.raises(bs.LawError, match=r"Chinchilla\.E "):
        Chinchilla(E=wrong)


def test_a_missing_column_is_named_with_the_nearest():
    study = bs.Study.from_frame(pd.DataFrame({"n_params": [1e8, 2e8], "token": [1e9, 2e9], "loss": [3.0, 2.9]}))
    with pytest.raises(bs.StudyError, match=r"needs the column 'tokens' \(D\).*did you mean 'token'"):
        Chinchilla().arrays(study)


def test_several_tasks_are_too_many_for_one_series():
    with pytest.raises(bs.StudyError, match="8 tasks; choose one"):
        Chinchilla().arrays(bs.load_study("olmo_ladder"))


def test_discrepancy_leaves_the_data_alone_and_stretches_the_step_beyond():
    fitted = jnp.linspace(1.0, 2.0, 101)
    edge = float(jnp.quantile(fitted, 0.05))
    inside, beyond = extrapolate(jnp.array([1.5, edge / 2]), fitted, jnp.array(0.2))
    assert float(inside) == pytest.approx(1.5)
    assert float(beyond) == pytest.approx(edge * 0.5**1.2, rel=1e-5)
