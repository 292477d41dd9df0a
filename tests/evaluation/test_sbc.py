from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation import sbc
from bayes_scaling.evaluation.sbc import LIKELIHOOD, simulation_based_calibration
from bayes_scaling.models import PowerLaw

DESIGN = bs.Study.from_frame(
    pd.DataFrame({"C": np.geomspace(1e18, 1e21, 12), "loss": np.linspace(3.0, 2.0, 12)}), name="plan"
)
FAST = {"seed": 0, "simulations": 64, "draws": 100, "chains": 2, "keep": 49, "chunk": 64, "progress": False}


class TooSure(PowerLaw):
    """The power law with a likelihood that believes the runs to be three times as exact as they are."""

    def mean(self, C, C0, *, E, reducible, alpha_C):
        return super().mean(C, C0, E=E, reducible=reducible, alpha_C=alpha_C)

    def likelihood(self, mean, sigma):
        return super().likelihood(mean, jnp.asarray(sigma) / 3)


def test_ranks_are_uniform_where_the_model_is_right():
    calibration = simulation_based_calibration(PowerLaw(), DESIGN, adapt=False, **FAST)
    assert len(calibration.ranks) == 64
    assert calibration.p_values().min() > 0.001


def test_a_perturbed_likelihood_is_found_out():
    calibration = simulation_based_calibration(PowerLaw(), DESIGN, fitted=TooSure(), adapt=False, **FAST)
    assert calibration.p_values().min() < 1e-6


def test_a_law_of_other_parameters_has_no_place_for_the_truth():
    with pytest.raises(bs.LawError, match=r"^E is sampled by one alone .* \(PowerLaw and PowerLaw\)"):
        simulation_based_calibration(PowerLaw(), DESIGN, fitted=PowerLaw(E=1.7), adapt=False, **FAST)


class HardOfHearing(PowerLaw):
    """The power law with a likelihood that leaves out every second run."""

    def mean(self, C, C0, *, E, reducible, alpha_C):
        return super().mean(C, C0, E=E, reducible=reducible, alpha_C=alpha_C)

    def likelihood(self, mean, sigma):
        return super().likelihood(mean, sigma).mask(jnp.arange(mean.size) % 2 == 0)


def test_only_the_likelihood_tells_of_outcomes_that_a_fit_leaves_out():
    calibration = simulation_based_calibration(PowerLaw(), DESIGN, fitted=HardOfHearing(), adapt=False, **FAST)
    p = calibration.p_values()
    assert p.drop(LIKELIHOOD).min() > 0.001
    assert p[LIKELIHOOD] < 1e-4
    departures = calibration.departures()
    outside = departures.drop(columns=["low", "high"]).apply(
        lambda x: (x < departures["low"]) | (x > departures["high"])
    )
    assert outside.any().loc[lambda x: x].index.tolist() == [LIKELIHOOD]


def test_too_few_simulations_are_refused():
    with pytest.raises(bs.StudyError, match="cannot fill 10 bins"):
        simulation_based_calibration(PowerLaw(), DESIGN, seed=0, simulations=20)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"chunk": 0}, "chunk is 0; give a whole number of at least 1"),
        ({"simulations": 50.0}, "simulations is 50.0; give a whole number"),
        ({"seed": -1}, "seed is -1; give a whole number of at least 0"),
        ({"keep": 0}, "keep is 0; give a whole number of at least 1"),
        ({"draws": 2.5}, "draws is 2.5; give a whole number of at least 4"),
        ({"chains": 0}, "chains is 0; give a whole number of at least 1"),
        ({"patience": -1.0}, "patience is -1.0; give a number of seconds"),
        ({"fitted": PowerLaw}, r"which is a type and no law; write PowerLaw\(\)"),
    ],
)
def test_what_is_no_such_number_is_refused_before_a_fit(asked, message, monkeypatch):
    monkeypatch.setattr(sbc, "fit_unit", lambda *_: pytest.fail("a study is fitted"))
    with pytest.raises(bs.BayesScalingError, match=message):
        simulation_based_calibration(PowerLaw(), DESIGN, **{**FAST, **asked})


def test_constants_that_one_law_alone_has_are_not_ranked():
    posterior = {name: np.ones((2, 5)) for name in ("E", "reducible", "alpha_C", "sigma", "twice")}
    truth = {name: np.ones(()) for name in posterior if name != "twice"}
    study = PowerLaw().arrays(DESIGN)
    ranks = sbc._ranks(PowerLaw(), study, truth, posterior, 5, np.random.default_rng(0))
    assert set(ranks) == {*truth, LIKELIHOOD}


def test_known_errors_of_a_design_are_left_out():
    design = bs.Study.from_frame(DESIGN.frame.assign(loss_se=0.01))
    less = {**FAST, "simulations": 50, "draws": 10, "keep": 9, "adapt": False}
    plain, known = (simulation_based_calibration(PowerLaw(), one, **less) for one in (DESIGN, design))
    pd.testing.assert_frame_equal(known.ranks, plain.ranks)
