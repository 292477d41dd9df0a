import pickle

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.law.priors import RunScaled
from bayes_scaling.models import PowerLaw
from tests.worlds import by_compute

RUNS = {"C": np.geomspace(1e18, 1e22, 5), "C0": 1e20}
VALUES = {"E": 1.8, "reducible": 0.5, "alpha_C": 0.15}


def test_published_constants_are_the_equation():
    A = float(PowerLaw().derived(RUNS, **VALUES)["A"])
    np.testing.assert_allclose(PowerLaw().at(RUNS, VALUES), 1.8 + A / RUNS["C"] ** 0.15, rtol=1e-5)


def test_the_reference_is_the_geometric_mean_of_the_compute():
    runs, _ = PowerLaw().arrays(by_compute(count=2).study)
    assert runs["C0"] == pytest.approx(np.sqrt(1e18 * 1e21), rel=1e-9)


def test_the_sampler_moves_level_and_slope_in_place_of_floor_and_exponent():
    u = {"E": 0.3, "reducible": -0.2, "alpha_C": -1.9}
    moved = PowerLaw().straighten(u, RUNS)
    level = np.exp(float(moved["E"])) * (1 + np.exp(u["reducible"]))
    assert level == pytest.approx(np.exp(u["E"]), rel=1e-6)
    share = 1 / (1 + np.exp(-u["reducible"]))
    assert share * np.exp(float(moved["alpha_C"])) == pytest.approx(np.exp(u["alpha_C"]) / 2, rel=1e-5)
    assert PowerLaw(E=1.7).straighten({"reducible": -0.2}, RUNS) == {"reducible": -0.2}


CURVES = [  # floor, reducible at the centre, exponent: of losses, errors and bits, in examples
    (1.9, 0.8, 0.30), (0.06, 0.15, 0.45), (0.30, 0.60, 0.20), (0.02, 0.20, 0.35), (3.0, 1.5, 0.50), (0.7, 0.5, 0.15),
]  # fmt: skip


def data_curve(floor, reducible, exponent, seed):
    x = np.geomspace(1e3, 1e5, 9)
    loss = floor + reducible * (x / 1e4) ** -exponent
    loss *= np.exp(np.random.default_rng(seed).normal(0, 0.005, len(x)))
    return pd.DataFrame({"examples": x, "loss": loss})


def test_in_another_column_priors_follow_the_runs_and_those_given_stay():
    law = PowerLaw(column="examples", alpha_C=0.3)
    assert law.run_inputs == ("examples",) and law.columns == {"examples": "examples"} and law.alpha_C == 0.3
    assert isinstance(law.E, RunScaled) and law.replace(E=0.1).E == 0.1
    assert PowerLaw(column="N") == PowerLaw(column="n_params") and PowerLaw(column="N").run_inputs == ("N",)
    runs, _ = law.arrays(bs.Study.from_frame(data_curve(*CURVES[0], seed=0)))
    assert runs["E_scale"] == pytest.approx(2.8, rel=0.1) and "E_scale" not in PowerLaw().arrays(by_compute().study)[0]
    assert PowerLaw(column="flops") == PowerLaw()


def test_a_prior_of_a_subclass_is_one_that_is_given():
    class Floored(PowerLaw):
        E: bs.Prior = dist.LogNormal(3.0, 0.01)

    law = Floored(column="examples")
    assert law.E is Floored().E and law.reducible is PowerLaw(column="examples").reducible
    assert isinstance(law.alpha_C, RunScaled)


def test_a_prior_that_is_given_stays_also_where_it_is_that_of_another_column():
    defaults = {name: PowerLaw().priors[name] for name in ("E", "reducible", "alpha_C")}
    law = PowerLaw(column="examples", **defaults)
    assert all(law.priors[name] is defaults[name] for name in defaults)
    assert PowerLaw(column="examples").replace(**defaults) == law
    near = dist.LogNormal(float(defaults["E"].loc) + 1e-9, 0.7)
    assert PowerLaw(E=near).replace(column="examples").E is near
    following = PowerLaw(column="examples").E
    assert PowerLaw(E=following).E is following


def test_priors_go_back_and_forth_with_the_column():
    law = PowerLaw(alpha_C=0.3)
    there = law.replace(column="examples")
    assert there == PowerLaw(column="examples", alpha_C=0.3) and there.replace(column="flops") == law
    assert PowerLaw(column="examples").replace(column="tokens") == PowerLaw(column="tokens")
    assert pickle.loads(pickle.dumps(PowerLaw(column="examples"))).replace(column="flops") == PowerLaw()


def test_a_column_that_is_not_positive_is_one_sentence():
    table = data_curve(*CURVES[0], seed=0).assign(examples=np.arange(9))
    with pytest.raises(bs.StudyError, match="is a power law in examples, which is 0 in a run; give positive"):
        PowerLaw(column="examples").arrays(bs.Study.from_frame(table))


@pytest.mark.slow
def test_the_largest_left_out_is_forecast_better_than_with_the_priors_of_flops():
    """Sizes 1e3 to 3e4 forecast the largest, 1e5, of curves whose floors and exponents are not those of FLOPs."""
    tables = [data_curve(*curve, seed=i) for i, curve in enumerate(CURVES)]
    tables = [table.assign(role=["train"] * 7 + ["extra", "target"]) for table in tables]
    found = {}
    for name, law in (("ours", PowerLaw(column="examples")), ("flops", PowerLaw())):
        renamed = [table.rename(columns={"examples": law.column}) for table in tables]
        studies = [bs.Study.from_frame(table) for table in renamed]
        batch = bs.fit_many(law, studies, seed=0, draws=250, patience=0, progress=False)
        scores = [
            member.posterior.forecast(study.targets, allow_unconverged=True).score()
            for member, study in zip(batch, studies, strict=True)
        ]
        found[name] = pd.concat(scores)
    assert found["ours"]["in90"].sum() >= 5
    assert found["ours"]["relative_error"].abs().mean() < 0.6 * found["flops"]["relative_error"].abs().mean()
