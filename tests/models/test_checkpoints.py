"""Errors along a run, shown on the learning curve."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy import stats

import bayes_scaling as bs
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import BrokenPowerLaw, LearningCurve

VALUES = {"level": 2.5, "reducible": 0.6, "begun": 0.0, "bend": 1.6, "alpha_D": 0.4, "memory": 0.3}
TRUTH = {**VALUES, "sigma": 0.02}
D = np.geomspace(1e8, 1e11, 40)
CURVE = np.asarray(LearningCurve().mean(D, 1e9, **VALUES))


def study_of(loss):
    return bs.Study.from_frame(pd.DataFrame({"tokens": D, "loss": loss, "run": [f"{i}" for i in range(len(D))]}))


def errors(noise, memory):
    """Return an Ornstein-Uhlenbeck process at the points of the curve."""
    kept = np.exp(-np.diff(np.log(D)) / memory)
    found = [noise[0]]
    for k, e in zip(kept, noise[1:], strict=True):
        found.append(k * found[-1] + np.sqrt(1 - k**2) * e)
    return np.array(found)


def test_lasting_errors_have_the_density_of_their_innovations():
    law = LearningCurve()
    noise = np.random.default_rng(0).standard_t(5.0, len(D))
    study = study_of(CURVE * np.exp(0.02 * errors(noise, 0.3)))
    runs, observed = law.arrays(study)
    runs["D0"] = np.asarray(1e9)
    given = {name: jnp.asarray(value) for name, value in TRUTH.items()}
    with jax.enable_x64(True):
        model = numpyro.handlers.seed(numpyro.handlers.substitute(law, given), 0)
        site = numpyro.handlers.trace(model).get_trace(runs, observed)["loss"]
        found = np.asarray(site["fn"].log_prob(site["value"]))
    kept = np.exp(-(np.diff(np.log(D)) + 1e-3) / 0.3)
    assert found.shape == (len(D),)
    innovation = np.concatenate([noise[:1], noise[1:]])
    spread = 0.02 * np.sqrt(1 - np.concatenate([[0.0], kept]) ** 2)
    expected = stats.t(5).logpdf(innovation) - np.log(spread) - np.log(study.frame["loss"])
    np.testing.assert_allclose(found, expected, atol=0.15)  # the nugget is a thousandth of an e-fold


def test_neither_the_order_of_checkpoints_nor_padding_matters():
    """A checkpoint without a loss is passed over: whatever it was is integrated out."""
    law, noise = LearningCurve(), np.random.default_rng(0).normal(size=len(D))
    runs, observed = law.arrays(study_of(CURVE * np.exp(0.02 * errors(noise, 0.3))))
    runs["D0"] = np.asarray(1e9)

    def density(rows, loss=observed["loss"], pad=lambda law, *arrays: arrays):
        arrays = pad(law, {**runs, "D": runs["D"][rows]}, {"loss": loss[rows]})
        with jax.enable_x64(True):
            return float(log_density(law, arrays, {}, TRUTH)[0])

    up = np.arange(20)
    orders = up, up[::-1], np.random.default_rng(1).permutation(up)
    found = [density(rows, pad=pad) for rows in orders for pad in (pad_study, lambda law, *arrays: arrays)]
    np.testing.assert_allclose(found, density(up), rtol=1e-9)
    gone = np.where(up == 7, np.nan, observed["loss"][:20])
    assert density(up, gone, pad_study) == pytest.approx(density(np.delete(up, 7)), rel=1e-9)


@pytest.fixture(scope="module")
def posterior():
    noise = np.random.default_rng(1).normal(0, 1, len(D))
    return bs.fit(LearningCurve(), study_of(CURVE * np.exp(0.005 * errors(noise, 0.1))), seed=0, draws=200)


def test_what_follows_from_the_parameters_is_published(posterior):
    draws, D0 = posterior.draws, float(posterior.law.arrays(posterior.study)[0]["D0"])
    np.testing.assert_allclose(draws["E"], draws["level"] * (1 - draws["reducible"]))
    assert (draws["top"] > draws["level"]).all() and set(posterior.tree["derived"].data_vars) == {"E", "top"}
    law = BrokenPowerLaw()
    sites = run_model(law, *law.arrays(posterior.study))
    assert float(sites["D_b"]["value"]) == pytest.approx(float(sites["place"]["value"]) * D0)


def test_a_forecast_starts_at_the_last_checkpoint_and_forgets_it(posterior):
    near, far = (
        posterior.forecast([{"D": D[-1] * 1.001}, {"D": D[-1] * 8}], discrepancy=False).intervals().to_dict("records")
    )
    assert near["median"] == pytest.approx(posterior.study.frame["loss"].iloc[-1], rel=0.005)
    assert near["q95"] - near["q05"] < far["q95"] - far["q05"]
