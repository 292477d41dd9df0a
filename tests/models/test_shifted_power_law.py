from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import ShiftedPowerLaw
from bayes_scaling.models.shifted_power_law import anchors

E0, E1, K, KAPPA = 1.5, 1.2, 0.8, 1.1


def truth(source_loss):
    return E1 + K * (source_loss - E0) ** KAPPA


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    source_loss = np.geomspace(4.0, 2.4, 40)
    runs = pd.DataFrame({"source_loss": source_loss, "loss": truth(source_loss) * np.exp(rng.normal(0, 0.001, 40))})
    return bs.Study.from_frame(runs, name="pairs")


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(ShiftedPowerLaw(), study, seed=1)


def test_converges_in_few_steps_without_adaptation(posterior):
    assert posterior.diagnostics.converged
    assert posterior.diagnostics.method == "laplace"
    assert posterior.diagnostics.mean_steps < 12


def test_finds_the_curve_beyond_the_pairs(posterior):
    rows = posterior.forecast({"source_loss": 2.1}, discrepancy=False).intervals().iloc[0]
    assert rows["q05"] < truth(2.1) < rows["q95"]
    assert rows["median"] == pytest.approx(truth(2.1), rel=0.005)


def test_floors_lie_below_the_smallest_losses(posterior, study):
    draws = posterior.draws
    assert (draws["E0"] < study.column("source_loss").min()).all()
    assert (draws["E1"] < study.column("loss").min()).all()


def test_published_constants_are_the_equation(posterior):
    d = {name: values[:50] for name, values in posterior.draws.items()}
    runs, _ = ShiftedPowerLaw().arrays(posterior.study)
    sites = {name: d[name] for name in ("floor0", "floor1", "kappa", "level")}
    constants = [runs[c] for c in ("cap0", "cap1", "centre0", "centre1")]
    mean = ShiftedPowerLaw().mean(3.0, *constants, **sites)
    assert np.asarray(mean) == pytest.approx(d["E1"] + d["K"] * (3.0 - d["E0"]) ** d["kappa"], rel=1e-5)


def test_a_known_target_abscissa_bounds_the_floor(study):
    frame = study.frame.assign(least_source_loss=1.0)
    runs, _ = ShiftedPowerLaw().arrays(bs.Study.from_frame(frame))
    assert runs["cap0"] < 1.0


def test_anchors_of_pairs_that_do_not_bend_or_fall_stay_finite():
    x = np.linspace(3.0, 4.0, 5)
    for y in (x, np.full(5, 2.0), 5.0 - x, np.array([3.0, 2.9, 3.1, 3.0, 2.95])):
        assert all(np.isfinite(value) for value in anchors(x, y, 2.5).values())


def test_the_discrepancy_acts_beyond_the_pairs_only(posterior):
    wide, plain = (posterior.forecast({"source_loss": [3.0, 2.0]}, discrepancy=d) for d in (True, False))
    spread = [f.draws["loss_mean"].std("sample").to_numpy() for f in (wide, plain)]
    assert spread[0][0] == pytest.approx(spread[1][0])
    assert spread[0][1] > spread[1][1]


def test_a_target_of_the_study_bounds_the_floor_of_the_abscissa():
    x = np.append(np.geomspace(5.0, 2.6, 16), 1.9)
    table = pd.DataFrame({"source_loss": x, "loss": 1.3 + 0.9 * (x - 1.4) ** 1.1, "role": [*["train"] * 16, "target"]})
    study = bs.Study.from_frame(table, name="pairs")
    law = ShiftedPowerLaw()
    assert law.arrays(study.training)[0]["cap0"] < 1.9 < law.arrays(study.select(role="train"))[0]["cap0"]
