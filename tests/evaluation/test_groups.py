from __future__ import annotations

import numpy as np
import numpyro
import pandas as pd
import pytest
from scipy import stats

import bayes_scaling as bs
from bayes_scaling.evaluation.diagnose import contraction
from bayes_scaling.evaluation.groups import GROUPS, complete, cumulative, score
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla
from tests import worlds
from tests.conftest import DRAWS


@pytest.fixture(scope="module")
def whole(simulated_fit):
    return simulated_fit.with_groups()


@pytest.fixture(scope="module")
def ladder_groups(ladder_fits):
    return ladder_fits[0].with_groups("log_likelihood", "log_prior")


def residuals(posterior, draws):
    """Student-t residuals of log loss at the posterior draws, shape (draw, run)."""
    d = {k: v[:draws, None] for k, v in posterior.draws.items()}
    N, D = (posterior.study.column(c) for c in ("n_params", "tokens"))
    mean = d["E"] + d["A"] / N ** d["alpha_N"] + d["B"] / D ** d["alpha_D"]
    return np.log(posterior.study.column("loss")) - np.log(mean), d["sigma"]


def test_every_group_is_there_with_named_dims(whole, simulated_fit):
    assert set(GROUPS) <= set(whole.tree.children)
    assert not set(GROUPS) & set(simulated_fit.tree.children)
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive"):
        assert whole.tree[group]["loss"].dims == ("chain", "draw", "run")
        assert list(whole.tree[group]["run"].values[:2]) == ["run 0", "run 1"]
    assert set(whole.tree["prior"].data_vars) == set(whole.tree["posterior"].data_vars)


def test_the_log_likelihood_is_that_of_the_loss_itself(whole):
    error, sigma = residuals(whole, 7)
    expected = stats.t(5, scale=sigma).logpdf(error) - np.log(whole.study.column("loss"))
    ours = whole.tree["log_likelihood"]["loss"].to_numpy()[0, :7]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)
    assert whole.tree["log_likelihood"]["loss"].attrs["pointwise"] == "independent"


def test_places_in_the_distribution_are_those_of_student_t(simulated_fit):
    error, sigma = residuals(simulated_fit, 5)
    draws = {k: v[:5] for k, v in simulated_fit.draws.items()}
    ours = cumulative(simulated_fit.law, draws, *simulated_fit.law.arrays(simulated_fit.study))["loss"]
    np.testing.assert_allclose(ours, stats.t(5, scale=sigma).cdf(error), rtol=1e-7)


def test_density_of_prior_and_outcomes_is_the_one_that_was_sampled(ladder_groups):
    law, posterior = ladder_groups.law, ladder_groups
    runs, observed = law.arrays(posterior.study)
    draw = {k: v[0] for k, v in posterior.draws.items()}
    with double_precision():
        sites = numpyro.handlers.substitute(law, draw)
        expected, _ = numpyro.infer.util.log_density(sites, (runs, observed), {}, {})
    prior = sum(float(v[0, 0]) for v in posterior.tree["log_prior"].data_vars.values())
    rows = float(posterior.tree["run_log_likelihood"]["outcomes"][0, 0].sum())
    assert prior + rows == pytest.approx(float(expected), rel=1e-10)


def test_a_run_is_scored_jointly_and_an_outcome_given_the_others(ladder_groups):
    group, draws = ladder_groups.tree["log_likelihood"], ladder_groups.draws
    assert group["loss"].dims == ("chain", "draw", "run", "series")
    assert group["loss"].attrs["pointwise"] == "conditional"
    assert group["accuracy"].attrs["pointwise"] == "independent"
    alone = sum(v.sum([d for d in v.dims if d not in ("chain", "draw")]) for v in group.data_vars.values())
    together = ladder_groups.tree["run_log_likelihood"]["outcomes"].sum("run")
    assert float(abs(alone - together).max()) > 1  # of some draws, whose run effects are large
    tau, sigma = draws["tau"][0], draws["sigma"][0]
    spread = np.sqrt(1 / (1 / sigma**2 - 1 / sigma**4 / (1 / tau**2 + (1 / sigma**2).sum())))
    loss = ladder_groups.tree["observed_data"]["loss"].to_numpy()
    at_most = stats.norm(0, spread).logpdf(0) - np.log(loss)  # where the others foretell the outcome exactly
    assert (group["loss"][0, 0].to_numpy() <= at_most).all()


def test_what_is_left_out_is_nan_and_padding_is_gone(simulated_fit, simulated):
    law, draws = Chinchilla(), simulated_fit.draws
    runs, observed = law.arrays(simulated.select("n_params > 1.5e8"))
    whole = score(law, draws, runs, observed)
    assert whole.outcome["loss"].shape == whole.row.shape == (4 * DRAWS, 12)
    observed["loss"] = np.where(np.arange(12) == 3, np.nan, observed["loss"])
    part = score(law, draws, runs, observed)
    assert np.isnan(part.outcome["loss"][:, 3]).all()
    np.testing.assert_array_equal(np.delete(part.outcome["loss"], 3, 1), np.delete(whole.outcome["loss"], 3, 1))


def test_prior_draws_follow_the_priors(whole):
    prior = whole.tree["prior"]
    assert prior.sizes["draw"] == 1000
    E, alpha = Chinchilla().E.base_dist, Chinchilla().alpha_N
    for name, law in (("E", stats.norm(E.loc, E.scale)), ("alpha_N", stats.t(alpha.df, alpha.loc, alpha.scale))):
        assert stats.kstest(np.log(prior[name].to_numpy().ravel()), law.cdf).pvalue > 1e-3
    assert float(whole.tree["prior_predictive"]["loss"].std()) > 3 * float(
        whole.tree["posterior_predictive"]["loss"].std()
    )


def test_replicates_scatter_about_the_runs(whole):
    place = (whole.tree["posterior_predictive"]["loss"] < whole.study.column("loss")).mean(["chain", "draw"])
    assert 0.3 < float(place.mean()) < 0.7 and 0.15 < float(place.std()) < 0.4


def test_one_group_may_be_named_by_itself(simulated_fit):
    assert "prior" in complete(simulated_fit, "prior", draws=20).tree.children


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seed": "x"}, "seed is 'x'; give a whole number of at least 0"),
        ({"seed": -1}, "seed is -1; give a whole number of at least 0"),
        ({"draws": 2.5}, "draws is 2.5; give a whole number of at least 1"),
        ({"draws": 0}, "draws is 0; give a whole number of at least 1"),
    ],
)
def test_what_is_no_seed_and_no_number_of_draws_is_one_sentence(asked, message):
    with pytest.raises(bs.BayesScalingError, match=message):
        complete(worlds.chinchilla(count=4), ["prior"], **asked)
    if "seed" in asked:
        for check in (bs.predictive_check, bs.diagnose, contraction):
            with pytest.raises(bs.BayesScalingError, match=message):
                check(worlds.chinchilla(count=4), **asked)


def test_seeds_are_kept_and_groups_are_not_made_twice(simulated_fit):
    first = simulated_fit.with_groups("prior", seed=1)
    again, other = (simulated_fit.with_groups("prior", seed=s) for s in (1, 2))
    assert first.tree["prior"]["E"].equals(again.tree["prior"]["E"])
    assert not first.tree["prior"]["E"].equals(other.tree["prior"]["E"])
    assert first.with_groups("prior", seed=2).tree["prior"]["E"].equals(first.tree["prior"]["E"])


def test_checkpoints_of_a_run_are_one_run(runs):
    table = runs.assign(run=[f"run {i // 4}" for i in range(16)], checkpoint=np.arange(16) % 4)
    study = bs.Study.from_frame(pd.DataFrame(table), name="checkpoints", loss="val_loss")
    tree = bs.fit(Chinchilla(), study, seed=0, draws=DRAWS, adapt=False).with_groups("log_likelihood").tree
    assert list(tree["run_log_likelihood"]["run"].values) == [f"run {i}" for i in range(4)]
    outcomes = tree["log_likelihood"]["loss"].to_numpy().reshape(4, DRAWS, 4, 4)
    np.testing.assert_allclose(tree["run_log_likelihood"]["outcomes"], outcomes.sum(-1), rtol=1e-12)


def test_the_groups_survive_a_file(whole, tmp_path):
    again = bs.Posterior.load(whole.save(tmp_path / "fit.nc"), whole.law, whole.study)
    assert again.tree["log_likelihood"]["loss"].equals(whole.tree["log_likelihood"]["loss"])


def test_an_unknown_group_is_refused(simulated_fit):
    with pytest.raises(bs.BayesScalingError, match="no group 'log_lik' to make; did you mean 'log_likelihood'"):
        simulated_fit.with_groups("log_lik")


def test_replicates_have_the_errors_that_are_known_of_their_losses():
    table = worlds.on_the_curve(0.003)
    table["loss_se"] = np.where(np.arange(len(table)) < 4, 0.2, np.nan)
    posterior = complete(worlds.chinchilla(count=400, table=table), ["posterior_predictive"])
    spread = posterior.tree["posterior_predictive"]["loss"].std(["chain", "draw"]).to_numpy()
    assert (spread[:4] > 0.15).all() and (spread[4:] < 0.1).all()
