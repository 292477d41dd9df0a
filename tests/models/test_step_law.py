from __future__ import annotations

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, StepLaw
from bayes_scaling.models.step_law import optimal_settings
from tests.worlds import known

CURVE = {"E": 1.8, "reducible": 0.5, "split": 0.5, "alpha_N": 0.32, "alpha_D": 0.3}
SWEEP = {"rate": 1.4, "rate_N": -0.7, "rate_D": 0.3, "rate_cost": 0.004, "batch": 0.8, "batch_D": 0.57,
         "batch_cost": 0.003}  # fmt: skip
SIZES = [(n, r * n) for n in (1e8, 2e8, 4e8, 8e8) for r in (10, 40, 160)]
DESIGN = pd.DataFrame(
    [
        (n, d, 1.2e-3 * (n / 3e8) ** -0.7 * (d / 1e10) ** 0.3 * x, 3e5 * (d / 1e10) ** 0.5 * b)
        for (n, d), (x, b) in itertools.product(SIZES, [(0.3, 1), (1, 0.3), (1, 1), (1, 3), (3, 1), (2, 2)])
    ],
    columns=["n_params", "tokens", "learning_rate", "batch_tokens"],
)
LAW = StepLaw()


def at(runs, **values):
    """Return the law's losses of runs around the design's centre."""
    columns = LAW.columns_of(runs)
    centre = LAW.references(LAW.columns_of(DESIGN))
    return np.asarray(LAW.mean(**columns, **centre, **{**CURVE, **SWEEP, **values}))


@pytest.fixture(scope="module")
def posterior():
    return bs.fit(LAW, bs.simulate(LAW, DESIGN, {**CURVE, **SWEEP, "sigma": 0.002}, seed=0), seed=0)


def test_the_optimum_is_a_power_law_and_its_loss_is_that_of_chinchilla():
    centre = LAW.references(LAW.columns_of(DESIGN))
    run = pd.DataFrame({"n_params": [4 * centre["N0"]], "tokens": [8 * centre["D0"]]})
    best = run.assign(
        learning_rate=centre["learning_rate0"] * 1.4 * 4**-0.7 * 8**0.3,
        batch_tokens=centre["batch_tokens0"] * 0.8 * 8**0.57,
    )
    plain = Chinchilla().mean(run["n_params"].to_numpy(), run["tokens"].to_numpy(), centre["N0"], centre["D0"], **CURVE)
    np.testing.assert_allclose(at(best), plain, rtol=1e-6)
    half, twice = (at(best.assign(learning_rate=best["learning_rate"] * x)) for x in (0.5, 2.0))
    np.testing.assert_allclose([half, twice], [1.004 * plain] * 2, rtol=1e-6)
    assert at(best.assign(batch_tokens=best["batch_tokens"] * 4))[0] == pytest.approx(float(plain[0]) * 1.012, rel=1e-6)


def test_the_optimum_of_a_larger_run_is_found_and_missing_it_costs_little(posterior):
    target = {"N": 3e9, "D": 1.2e11}
    found = optimal_settings(posterior, target).set_index("quantity")
    assert set(found["target"]) == {"N=3e+09, D=1.2e+11"}
    runs = posterior.law.arrays(posterior.study)[0]
    size, data = target["N"] / runs["N0"], target["D"] / runs["D0"]
    truth = {
        "learning_rate": runs["learning_rate0"] * 1.4 * size**-0.7 * data**0.3,
        "batch_tokens": runs["batch_tokens0"] * 0.8 * data**0.57,
    }
    for name, value in truth.items():
        assert found.loc[name, "q05"] / 1.3 < value < found.loc[name, "q95"] * 1.3
        assert found.loc[name, "q95"] < 3 * found.loc[name, "q05"]
    assert 0 <= found.loc["excess", "q05"] and found.loc["excess", "mean"] < 0.002


def test_settings_of_ones_own_are_priced(posterior):
    medians = optimal_settings(posterior, {"N": 3e9, "D": 1.2e11}).set_index("quantity")["median"]
    own = {"N": 3e9, "D": 1.2e11, "learning_rate": 8 * medians["learning_rate"]}
    excess = optimal_settings(posterior, own).set_index("quantity").loc["excess"]
    assert excess["q05"] < 9 * SWEEP["rate_cost"] < excess["q95"]


def test_each_run_may_leave_its_settings_out_and_says_what_it_is(posterior):
    run = {"N": 3e9, "D": 1.2e11}
    both = optimal_settings(posterior, [run, {**run, "learning_rate": 1e-3}]).set_index(["target", "quantity"])
    alone = optimal_settings(posterior, run).set_index("quantity")
    np.testing.assert_allclose(both.loc[(both.index[0][0], "excess"), "median"], alone.loc["excess", "median"])
    assert both["median"].unstack()["excess"].is_monotonic_increasing
    with pytest.raises(bs.TargetError, match="A target gives 'lr', which nothing reads"):
        optimal_settings(posterior, {**run, "lr": 1e-3})
    with pytest.raises(bs.TargetError, match=r"it has no tokens; give both"):
        optimal_settings(posterior, {"N": 3e9})


def test_settings_that_are_known_are_read_off_as_they_are():
    law = StepLaw(rate=1.0, rate_N=0.0, rate_D=0.0)
    draws = {"E": 1.8, "c": 1e-3, "batch": 1.0, "batch_D": 0.5, "rate_cost": 0.01, "batch_cost": 0.01}
    posterior = known(law, {name: np.full(2, value) for name, value in draws.items()}, DESIGN)
    found = optimal_settings(posterior, [{"N": 1e9, "D": 2e10}, {"N": 2e9, "D": 2e10}])
    (rates,) = (part for quantity, part in found.groupby("quantity") if quantity == "learning_rate")
    assert rates["q05"].nunique() == 1 and rates["q05"].tolist() == rates["q95"].tolist()


def test_the_optimum_of_one_run_does_not_hang_on_those_asked_for_beside_it():
    law = StepLaw(rate=1.0, rate_N=-0.7, rate_D=0.3, batch=1.0, batch_D=0.5)
    draws = {name: np.full(2, value) for name, value in {**CURVE, "rate_cost": 0.01, "batch_cost": 0.01}.items()}
    posterior = known(law, {**draws, "c": np.full(2, 1e-3)}, DESIGN)
    both = optimal_settings(posterior, [{"N": 1e8, "D": 2e9}, {"N": 1e10, "D": 2e11}]).set_index("quantity")
    assert both.loc["excess", "q95"].tolist() == [0.0, 0.0] and both.loc["learning_rate", "median"].nunique() == 2


def test_another_law_has_no_best_learning_rate(simulated_fit):
    with pytest.raises(bs.LawError, match="fit of StepLaw, and this is one of Chinchilla"):
        optimal_settings(simulated_fit, {"N": 1e9, "D": 2e10})
    with pytest.raises(bs.LawError, match=r"^A Study is given where a fit is needed; make one with bs\.fit"):
        optimal_settings(simulated_fit.study, {"N": 1e9, "D": 2e10})


def test_a_sweep_at_one_batch_size_needs_no_batch():
    """Such runs are refused by the whole law, and fitted without the batch's term, or its column."""
    sweep = DESIGN[["n_params", "tokens", "learning_rate"]]
    law = StepLaw(batches=False)
    assert law.run_inputs == ("N", "D", "learning_rate")
    assert set(LAW.relations) - set(law.relations) == {"d"}
    assert [name for name in LAW.free_parameters if name not in law.free_parameters] == [
        "batch",
        "batch_D",
        "batch_cost",
    ]
    with pytest.raises(bs.StudyError, match="has batch_tokens = 500000, so StepLaw cannot learn its effect"):
        bs.fit(LAW, bs.Study.from_frame(sweep.assign(batch_tokens=5e5, loss=np.linspace(3, 2, len(sweep)))), seed=0)
    truth = {**CURVE, **{name: value for name, value in SWEEP.items() if name.startswith("rate")}, "sigma": 0.002}
    study = bs.simulate(law, sweep, truth, seed=0)
    posterior = bs.fit(law, study, seed=0, draws=400)
    assert "d" not in posterior.draws
    low, high = np.quantile(posterior.draws["rate_N"], [0.01, 0.99])
    assert low < SWEEP["rate_N"] < high
    target = {"N": 3e9, "D": 1.2e11}
    found = optimal_settings(posterior, target).set_index("quantity")
    assert found.index.tolist() == ["learning_rate", "excess"]
    rows = posterior.forecast({**target, "learning_rate": found.loc["learning_rate", "median"]}).intervals()
    plain = bs.fit(Chinchilla(), study, seed=0, draws=400).forecast(target).intervals()
    assert rows["median"][0] == pytest.approx(plain["median"][0], rel=0.05)


def test_without_batches_the_law_is_that_of_a_batch_that_costs_nothing():
    law, runs = StepLaw(batches=False), LAW.columns_of(DESIGN)
    columns = {name: runs[name] for name in law.run_inputs}
    values = {**CURVE, **SWEEP, "batch": 1.0, "batch_D": 0.0, "batch_cost": 0.0}
    found = law.at({**columns, **law.references(columns)}, values)
    np.testing.assert_allclose(found, at(DESIGN, batch_cost=0.0), rtol=1e-6)


def test_what_is_said_of_batches_is_refused_where_there_are_none():
    with pytest.raises(bs.LawError, match=r"batches=False, which holds batch_cost at 0, and batch_cost is 0\.5; leave"):
        StepLaw(batches=False, batch_cost=0.5)
    with pytest.raises(bs.LawError, match="holds batch_D at 0"):
        StepLaw(batch_D=0.6).replace(batches=False)
    one = StepLaw(batches=False)
    assert one.replace(rate=1.0).fixed_parameters == {"batch": 1.0, "batch_D": 0.0, "batch_cost": 0.0, "rate": 1.0}
    assert pickle.loads(pickle.dumps(LAW)).replace(batches=False) == one == StepLaw(batches=False, batch_cost=0.0)


def test_batches_that_differ_again_have_their_priors_again():
    one = StepLaw(batches=False, rate=1.0)
    assert one.replace(batches=True) == StepLaw(rate=1.0)
    assert one.replace(batches=True, batch_cost=0.5) == StepLaw(rate=1.0, batch_cost=0.5)
    assert StepLaw(batch_cost=0.5).replace(batches=True).batch_cost == 0.5
