from __future__ import annotations

from types import SimpleNamespace

import arviz_stats
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats

import bayes_scaling as bs
from bayes_scaling.errors import TargetError
from bayes_scaling.evaluation.groups import with_groups
from bayes_scaling.models import Chinchilla
from tests.conftest import DRAWS


@pytest.fixture(scope="module")
def wrong_fit(simulated):
    """A fit that cannot shrink its noise below ten times the truth."""
    return bs.fit(Chinchilla(sigma=dist.LogNormal(np.log(0.04), 0.01)), simulated, seed=0, draws=DRAWS, adapt=False)


def test_the_law_foretells_its_own_runs(simulated_fit, simulated):
    table = bs.predictive_check(simulated_fit)
    assert list(table["run"]) == list(simulated.frame["run"])
    np.testing.assert_array_equal(table["observed"], simulated.column("loss"))
    assert ((table["q05"] <= table["observed"]) & (table["observed"] <= table["q95"])).mean() > 0.7
    prior = bs.predictive_check(simulated_fit, "prior")
    assert (prior["q95"] - prior["q05"] > 10 * (table["q95"] - table["q05"])).all()
    with pytest.raises(TargetError, match="no predictive draws from 'priors'; did you mean 'prior'"):
        bs.predictive_check(simulated_fit, "priors")


def test_another_seed_gives_other_draws_whether_or_not_there_are_some(simulated_fit):
    drawn = simulated_fit.with_groups("posterior_predictive", "prior_predictive")
    for source in ("posterior", "prior"):
        checks = [bs.predictive_check(fit, source, seed=seed) for fit in (simulated_fit, drawn) for seed in (1, 2)]
        pd.testing.assert_frame_equal(checks[0], checks[2])
        pd.testing.assert_frame_equal(checks[1], checks[3])
        assert not checks[0]["median"].equals(checks[1]["median"])


def test_an_outcome_that_all_draws_say_lies_in_their_middle(simulated_fit, monkeypatch):
    drawn = with_groups(simulated_fit, "posterior_predictive").tree["posterior_predictive"].dataset
    alike = SimpleNamespace(dataset=0 * drawn + simulated_fit.tree["observed_data"].dataset)
    known = SimpleNamespace(tree={"posterior_predictive": alike})
    monkeypatch.setattr("bayes_scaling.evaluation.checks.drawn_anew", lambda *_: known)
    assert (bs.predictive_check(simulated_fit)["pit"] == 0.5).all()


def test_places_of_left_out_outcomes_tell_intervals_that_are_too_wide(simulated_fit, wrong_fit):
    sound, wide = (bs.loo_pit(p)["pit"].to_numpy() for p in (simulated_fit, wrong_fit))
    assert stats.kstest(sound, "uniform").pvalue > 0.05
    assert stats.kstest(wide, "uniform").pvalue < 0.01
    assert np.abs(wide - 0.5).max() < 0.3


def test_places_agree_with_fits_without_the_outcome(simulated_fit, simulated):
    row = 5
    rest = bs.Study.from_frame(simulated.frame.drop(index=row), name="rest")
    without = bs.fit(Chinchilla(), rest, seed=1, draws=DRAWS, adapt=False)
    target = {"N": simulated.column("n_params")[row], "D": simulated.column("tokens")[row]}
    draws = without.forecast(target, discrepancy=False, allow_unconverged=True).draws["loss_run"]
    exact = float((draws < simulated.column("loss")[row]).mean())
    assert bs.loo_pit(simulated_fit)["pit"][row] == pytest.approx(exact, abs=0.1)


def test_places_of_shared_noise_are_given_the_others_of_the_run(ladder_fits):
    table = bs.loo_pit(ladder_fits[0])
    assert table.groupby("quantity").size().to_dict() == {"accuracy": 128, "loss": 144}
    assert table["pit"].between(0, 1).all()
    assert stats.kstest(table["pit"], "uniform").pvalue > 0.01


def test_sensitivity_is_arvizs_where_priors_are_simple(simulated_fit):
    table = bs.sensitivity(simulated_fit)
    tree = simulated_fit.with_groups("log_likelihood", "log_prior").tree
    for group in ("prior", "likelihood"):
        theirs = arviz_stats.psense(tree, group=group)
        assert table.loc["E", group] == pytest.approx(float(theirs["E"]))
    assert set(table.index) == {"E", "reducible", "split", "alpha_N", "alpha_D", "sigma"}


def test_a_prior_against_the_runs_is_a_conflict(simulated, simulated_fit):
    firm = dist.LogNormal(np.log(0.3), 0.15)  # exponents that cannot make up for a wrong floor
    law = Chinchilla(E=dist.LogNormal(np.log(1.2), 0.02), alpha_N=firm, alpha_D=firm)
    tight = bs.fit(law, simulated, seed=0, draws=DRAWS, adapt=False)
    table = bs.sensitivity(tight)
    assert table.loc["alpha_N", "verdict"] == "conflict"  # it would make up for the wrong floor, and may not
    clean = bs.sensitivity(simulated_fit)["verdict"]
    assert "conflict" not in set(clean) and "both" in set(clean)  # runs of the law's own kind, and weak priors
    assert table.loc["sigma", "prior"] > 3 * bs.sensitivity(simulated_fit).loc["sigma", "prior"]


def test_a_parameter_may_be_called_alpha(simulated):
    class Plain(bs.Law):
        E: bs.Prior = 1.8
        level: bs.Prior = dist.LogNormal(0.0, 0.5)
        alpha: bs.Prior = dist.LogNormal(-1.0, 0.5)

        def mean(self, D, D0, *, E, level, alpha):
            return E + level * jnp.exp(-alpha * jnp.log(D / D0))

    posterior = bs.fit(Plain(), simulated, seed=0, draws=50, chains=2, adapt=False)
    assert set(bs.sensitivity(posterior).index) == {"alpha", "level", "sigma"}


def test_every_entry_has_a_sensitivity_and_no_part_of_a_pooled_parameter_has(ladder_fits):
    table = bs.sensitivity(ladder_fits[0])
    sites = list(dict.fromkeys(label.partition("[")[0] for label in table.index))
    assert sites[0] == "E" and sites[-1] == "tau" and not [s for s in sites if s.endswith(("_mean", "_offset"))]
    assert len(table) > 80 and "E[c4_loss]" in table.index


def test_a_forecast_moves_with_the_priors_that_it_rests_on(simulated, simulated_fit):
    targets = [{"target": "far", "N": 1e11, "D": 1e13}, {"target": "fitted", "N": 4e8, "D": 1.6e10}]
    table = bs.forecast_sensitivity(simulated_fit, targets, allow_unconverged=True)
    assert set(table["prior"]) == {*simulated_fit.law.free_parameters} and set(table["quantity"]) == {"loss"}
    far, near = (table[table["target"] == t].set_index("prior") for t in ("far", "fitted"))
    assert far["sensitivity"].is_monotonic_decreasing
    assert far["sensitivity"].max() > near["sensitivity"].max()  # the runs fix what lies among them
    order = simulated_fit.tree["posterior"].dataset.stack(sample=("chain", "draw"))
    law, (runs, _) = simulated_fit.law, simulated_fit.law.arrays(simulated)
    draws = {name: order[name].to_numpy() for name in law.free_parameters}
    expected = np.asarray(law.at({**runs, "N": 1e11, "D": 1e13}, draws))
    log_prior = Chinchilla().priors["reducible"].log_prob(order["reducible"].to_numpy())
    weight = np.exp(log_prior - log_prior.max())
    shift = (np.average(expected, weights=weight) - expected.mean()) / expected.std()
    assert far.loc["reducible", "shift"] == pytest.approx(float(shift), abs=0.02)


def test_a_forecast_of_several_series_names_each(ladder, ladder_fits):
    table = bs.forecast_sensitivity(ladder_fits[0], ladder.targets, allow_unconverged=True)
    assert {"accuracy[MMLU]", "accuracy[PIQA]"} <= set(table["quantity"])
    assert list(table["target"].unique()) == ["7B-4T", "13B-5T"] and np.isfinite(table["sensitivity"]).all()
