from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.law.sites import EDGE_QUANTILE
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import Chinchilla, Kaplan, Superset, SupersetInFlops
from bayes_scaling.models.chinchilla import LOG_EXPONENT
from bayes_scaling.models.superset import STEP

VALUES = {"E": 1.8, "reducible": 0.5, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28, "penalty": 0.03, "repeats": 15.0}
N, D = np.geomspace(1e8, 1e10, 5), np.geomspace(1e12, 2e9, 5)


def superset(law: Superset, steps: float = np.inf, coupling: float = 1.0) -> np.ndarray:
    return np.asarray(law.mean(N, D, steps, np.inf, 1e9, 2e10, **VALUES, coupling=coupling))


@pytest.mark.parametrize(("law", "bottleneck"), [(Chinchilla(), 0.0), (Kaplan(), 1.0)], ids=["Chinchilla", "Kaplan"])
def test_the_laws_of_the_papers_are_special_cases(law, bottleneck):
    own = {name: value for name, value in VALUES.items() if name not in ("penalty", "repeats")}
    expected = law.mean(N, D, 1e9, 2e10, **own)  # their references where the superset's lie
    np.testing.assert_allclose(superset(Superset(bottleneck=bottleneck)), expected, rtol=1e-6)


def test_without_a_reference_the_priors_speak_of_the_centre_of_the_runs():
    own = {name: value for name, value in VALUES.items() if name not in ("penalty", "repeats")}
    found = Superset(reference=None).mean(N, D, np.inf, np.inf, 3e8, 1e10, **VALUES, coupling=1.0)
    np.testing.assert_allclose(found, Chinchilla().mean(N, D, 3e8, 1e10, **own), rtol=1e-6)


def test_few_steps_cost_and_unknown_ones_do_not():
    ratio = superset(Superset(), steps=1000.0) / superset(Superset())
    np.testing.assert_allclose(ratio, 1.03, rtol=1e-6)
    runs = Superset().input_arrays(pd.DataFrame({"n_params": [1e8], "tokens": [2e9]}))
    assert np.isinf(runs["steps"]).all()


def test_repeated_tokens_are_worth_less_and_less():
    runs = {"N": np.full(4, 1e9), "steps": np.inf, "unique_tokens": np.array([1e10, 1e10, 1e10, np.inf])}
    centre = {"N0": 1e9, "D0": 2e10}
    runs |= {"D": np.array([1e10, 2e10, 1e15, 1.6e11])}
    at = np.asarray(Superset().at({**runs, **centre}, {**VALUES, "coupling": 1.0}))
    assert at[0] > at[1] > at[2]
    assert at[2] == pytest.approx(at[3], rel=1e-6)  # endless repeats of 1e10 tokens are worth 15 times more, in all 16
    own = {name: value for name, value in VALUES.items() if name not in ("penalty", "repeats")}
    effective = 1e10 * (1 + 15 * (1 - np.exp(-1 / 15)))
    assert at[1] == pytest.approx(float(Chinchilla().mean(1e9, effective, 1e9, 2e10, **own)), rel=1e-6)


def test_tokens_of_which_the_table_tells_nothing_are_all_different():
    table = pd.DataFrame({"n_params": [1e8, 1e8], "tokens": [2e9, 2e9], "unique_tokens": [1e8, 4e9]})
    assert Superset().input_arrays(table)["unique_tokens"].tolist() == [1e8, 4e9]
    assert np.isinf(Superset().input_arrays(table.drop(columns="unique_tokens"))["unique_tokens"]).all()
    with pytest.raises(bs.StudyError, match="unique_tokens"):
        Superset().input_arrays(table.assign(unique_tokens=[1e8, np.nan]))


@pytest.mark.parametrize("law", [Superset(), Superset(reference=None)], ids=["fixed", "centred"])
def test_the_sampler_moves_at_the_centre_of_the_runs_with_unit_jacobian(law):
    runs = {"N0": 1e7, "D0": 1e12}
    names = ["E", "reducible", "split", "alpha_N", "alpha_D", "coupling"]

    def straight(u):
        moved = law.straighten(dict(zip(names, u, strict=True)), runs)
        return jnp.stack([moved[name] for name in names])

    jacobian = jax.jacobian(straight)(jnp.array([0.5, 0.1, 0.2, -1.2, -1.3, -0.4]))
    assert abs(float(jnp.linalg.det(jacobian))) == pytest.approx(1.0, rel=1e-4)
    level, reducible = 0.7, 0.3  # coordinates: log of the level and, of equal exponents, of the reducible part there
    moved = law.straighten(dict(zip(names, [level, reducible, 0.2, LOG_EXPONENT, -1.3, -0.4], strict=True)), runs)
    values = {n: jnp.exp(moved[n]) for n in names} | {
        "split": jax.nn.sigmoid(moved["split"]),
        "penalty": 0.0,
        "repeats": 15.0,
    }
    at_centre = float(law.mean(1e7, 1e12, jnp.inf, jnp.inf, 1e7, 1e12, **values))
    assert at_centre == pytest.approx(np.exp(level), rel=1e-4)
    assert at_centre / float(values["E"]) - 1 == pytest.approx(np.exp(reducible), rel=1e-4)


def test_the_error_of_the_slope_grows_with_distance_beyond_the_data():
    law = Superset()
    parameters = {**VALUES, "coupling": 1.0, "penalty": 0.0}
    fitted = {"N": jnp.array([1e8, 1e9]), "D": jnp.array([2e9, 2e10]), "steps": jnp.full(2, jnp.inf)}
    runs = {"N": jnp.array([3e8, 1e10, 1e12]), "D": jnp.array([6e9, 2e11, 2e13]), "steps": jnp.full(3, jnp.inf)}
    centre = {"N0": 3e8, "D0": 6e9}
    exact, moved = (
        law.extrapolated({**runs, **centre}, {**fitted, **centre}, parameters, jnp.asarray(e)) - VALUES["E"]
        for e in (0.0, 0.2)
    )
    edge = np.quantile(law.at({**fitted, **centre}, parameters) - VALUES["E"], EDGE_QUANTILE)
    step = np.maximum(np.log(edge / np.asarray(exact)), 0)
    assert step[0] == 0 and 0 < step[1] < 0.8 < step[2]
    np.testing.assert_allclose(np.log(exact / moved), 0.2 * step * np.minimum(step / STEP, 1), atol=1e-5)


def test_an_error_rate_never_passes_one():
    law = Superset(ceiling=True)
    mean = superset(law)
    assert (mean < 1).all()
    drawn = np.asarray(law.likelihood(mean, 0.5).sample(jax.random.key(0), (200,)))
    assert (drawn <= 1).all() and (drawn > 0).all() and (drawn < 0.9).any()
    loss = -np.log1p(-np.asarray(mean))
    np.testing.assert_allclose(loss, superset(Superset()), rtol=1e-5)
    plain, bounded = Superset().likelihood(loss, 0.1), law.likelihood(mean, 0.1)
    jacobian = np.log(1 - mean)  # of the outcome by the loss
    np.testing.assert_allclose(bounded.log_prob(mean), np.asarray(plain.log_prob(loss)) - jacobian, rtol=1e-4)


@pytest.mark.parametrize(("by_command", "law"), [(False, r"Chinchilla\(\), or .* series"), (True, "--law chinchilla")])
def test_an_error_rate_of_one_is_refused_by_run_before_a_fit(by_command, law):
    table = pd.DataFrame({"N": np.geomspace(1e8, 3e9, 4), "D": 2e10, "loss": [0.9, 1.0, 0.7, 0.6], "run": list("abcd")})
    study = bs.Study.from_frame(table, name="some", unit="error rate")
    said = rf"^Superset describes error rates below 1, and that of run 'b' \(row 2\) .* 'some' is 1; .* as {law}\.$"
    token = COMMAND_LINE.set(by_command)
    try:
        with pytest.raises(bs.StudyError, match=said):
            bs.forecast_runs(study, {"N": 7e9, "D": 4e10}, seed=0)
    finally:
        COMMAND_LINE.reset(token)
    assert Superset().arrays(study)[1]["loss"][1] == 1.0  # without a ceiling a loss like others
    by_flops = bs.Study.from_frame({"flops": [1e18, 1e19], "loss": [1.2, 0.9]}, unit="error rate")
    with pytest.raises(bs.StudyError, match=r"of row 1 in study 'runs' is 1\.2; .* as PowerLaw\(\), or Pooled"):
        SupersetInFlops(ceiling=True).arrays(by_flops)


def test_five_runs_of_one_ratio_and_one_data_size_are_enough():
    runs = pd.DataFrame({"N": np.geomspace(1e8, 3e9, 5), "D": 3e11})
    runs["loss"] = (1.7 + 300 / runs["N"] ** 0.3) * np.exp([0.004, -0.006, 0.003, 0.005, -0.004])
    study = bs.Study.from_frame(runs)
    posterior = bs.fit(Superset(), study, seed=0)
    assert posterior.diagnostics.converged
    assert not [p for p in bs.diagnose(posterior) if p.code == "contraction"]
    (row,) = posterior.forecast({"N": 1e10, "D": 3e11}).intervals().to_dict("records")
    assert row["q05"] < 1.7 + 300 / 1e10**0.3 < row["q95"]


def test_new_runs_scatter_more_than_fitted_ones():
    assert Superset(scatter=2.0).beyond(0.01) == 0.02
    assert Superset(drift=0.1, discrepancy=0.2).with_slope(0.3, 0.05).slope_moments == (0.3, 0.05)
    assert Chinchilla().with_slope(0.3, 0.4).slope_moments == (0.0, pytest.approx(0.5))
    assert Chinchilla(discrepancy=dist.LogNormal(0.0, 1e-3)).slope_moments[1] == pytest.approx(1.0, rel=1e-3)
    assert Chinchilla(discrepancy=dist.HalfNormal(0.3)).slope_moments[1] == pytest.approx(0.3)


def test_another_spread_of_the_slope_is_as_doubtful_as_the_one_before():
    law = Superset(discrepancy=dist.LogNormal(-1.5, 0.4)).with_slope(0.3, 0.05)
    assert law.slope_moments == (0.3, pytest.approx(0.05)) and law.discrepancy.scale == pytest.approx(0.4)
    assert law.with_slope(0.1, 0.0).slope_moments == (0.1, 0.0)


def test_a_known_error_below_a_ceiling_is_one_of_the_loss_behind_it():
    law, outcome = Superset(ceiling=True), 0.9
    noise, half = float(law.known_noise(np.array(outcome), 0.01)), 1e-5
    low, high = (np.log(-np.log1p(-at)) for at in (outcome - half, outcome + half))
    assert noise == pytest.approx(0.01 * (high - low) / (2 * half), rel=1e-6) == pytest.approx(0.0434, abs=1e-4)
    assert float(Superset().known_noise(np.array(2.0), 0.01)) == pytest.approx(0.005)
    table = {"N": [1e8, 2e8, 4e8], "D": [2e9] * 3, "loss": [0.92, 0.9, 0.88], "loss_se": 0.01}
    runs, observed = law.arrays(bs.Study.from_frame(table))
    values = {"E": 1.0, "reducible": 1.0, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "coupling": 1.0}
    site = run_model(law, runs, observed, latent={**values, "penalty": 0.0, "sigma": 1e-9})["loss"]
    mean = np.asarray(law.at(runs, {**values, "penalty": 0.0, "repeats": 15.0}))
    assert np.allclose(site["fn"].base_dist.base_dist.scale, 0.6**0.5 * law.known_noise(mean, 0.01), rtol=1e-4)
