from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import FewSteps, Kaplan, ShiftedCompute, ShiftedPowerLaw
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


def test_kaplan_constants_are_the_equation():
    law = Kaplan()
    runs = {"N": 3e8, "D": 7e9, "N0": 1e8, "D0": 5e9}
    p = {"E": 1.7, "reducible": 0.8, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}
    made = law.derived(runs, **p)
    bracket = (made["A"] / runs["N"]) ** (p["alpha_N"] / p["alpha_D"]) + made["B"] / runs["D"]
    assert float(law.at(runs, p)) == pytest.approx(float(p["E"] + bracket ** p["alpha_D"]), rel=1e-5)


def test_few_steps_without_penalty_and_coupling_is_chinchilla():
    columns = (3e8, 7e9, 500.0, 1e8, 5e9)
    p = {"E": 1.7, "reducible": 0.8, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}
    plain = bs.models.Chinchilla().mean(*columns[:2], *columns[3:], **p)
    assert float(FewSteps().mean(*columns, coupling=1.0, penalty=0.0, **p)) == pytest.approx(float(plain), rel=1e-5)
    assert FewSteps().mean(*columns, coupling=1.0, penalty=0.02, **p) > plain


def test_the_shift_of_compute_lies_below_every_run():
    study = bs.Study.from_frame(pd.DataFrame({"C": np.geomspace(1e18, 1e20, 8), "loss": np.geomspace(4, 3, 8)}))
    runs, _ = ShiftedCompute().arrays(study)
    assert runs["least_C"] < study.column("flops").min()
