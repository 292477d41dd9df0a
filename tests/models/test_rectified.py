import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import StudyError
from bayes_scaling.models import Pooled, Rectified

CONSTANTS = {"E": 1.0, "B": 200.0, "D_l": 300.0, "beta": 0.6}
SIZES = np.geomspace(200.0, 409_600.0, 36)


@pytest.fixture(scope="module")
def curve():
    return bs.simulate(Rectified(), {"D_F": SIZES}, {**CONSTANTS, "sigma": 0.003}, seed=3)


def test_textbook_and_centred_form_agree():
    runs = {"D_F": SIZES, "D_F0": 9000.0}
    p = Rectified().centred(runs, **CONSTANTS)
    expected = CONSTANTS["E"] + CONSTANTS["B"] / (CONSTANTS["D_l"] + SIZES ** CONSTANTS["beta"])
    np.testing.assert_allclose(Rectified().at(runs, p), expected, rtol=1e-5)
    derived = Rectified().derived(runs, **p)
    assert float(derived["D_l"]) == pytest.approx(300.0, rel=1e-4)
    assert float(derived["learnt"]) == pytest.approx(300.0 ** (1 / 0.6), rel=1e-3)


def test_a_fit_finds_what_was_put_in(curve):
    posterior = bs.fit(Rectified(), curve, seed=0, draws=500)
    posterior.require_converged()
    for name in ("D_l", "beta", "E"):
        low, high = np.quantile(posterior.draws[name], [0.005, 0.995])
        assert low < CONSTANTS[name] < high, name
    scores = posterior.forecast({"D_F": 819_200.0}).intervals()
    truth = 1.0 + 200.0 / (300.0 + 819_200**0.6)
    assert scores["q05"][0] < truth < scores["q95"][0]


def test_pooling_draws_series_together():
    study = bs.load_study("rectified_sft").training
    short = bs.Study(study.frame[study.frame["finetune_data"] <= 1600].reset_index(drop=True), study.card)
    spread = {}
    for pool in (0.1, None):
        posterior = bs.fit(Pooled(curve=Rectified(), pool=pool), short, seed=0, draws=100, chains=2, adapt=False)
        assert posterior.draws["D_l"].shape == (200, 4)
        spread[pool] = np.log(posterior.draws["beta"]).mean(0).std()
    assert spread[0.1] < spread[None]


def test_forecast_has_one_outcome_for_each_series():
    study = bs.load_study("rectified_sft")
    posterior = bs.fit(Pooled(curve=Rectified()), study, seed=0, draws=100, chains=2, adapt=False)
    scores = posterior.forecast(study.targets, allow_unconverged=True).score()
    assert sorted(scores["task"]) == sorted(study.tasks)
    assert (scores["relative_error"].abs() < 0.1).all()


def test_bad_tables(curve):
    table = curve.frame.assign(unit=["examples"] * 18 + ["tokens"] * 18)
    with pytest.raises(StudyError, match="mixes data in examples and tokens"):
        bs.fit(Rectified(), bs.Study.from_frame(table), seed=0)
    with pytest.raises(StudyError, match="finetune_data = 0"):
        bs.fit(Rectified(), bs.Study.from_frame(curve.frame.assign(finetune_data=0.0, k=range(36))), seed=0)
    with pytest.raises(StudyError, match="column 'task'"):
        bs.fit(Pooled(curve=Rectified()), bs.Study.from_frame(curve.frame.assign(run=range(36))), seed=0)
