from __future__ import annotations

import jax
import numpy as np
import pytest
import xarray as xr
from numpyro.infer import MCMC, NUTS

import bayes_scaling as bs
from bayes_scaling.inference.imported import imported
from bayes_scaling.models import Chinchilla, Pooled
from bayes_scaling.reporting.page_tables import diagnostics as table_of
from tests import worlds
from tests.conftest import DRAWS


@pytest.fixture(scope="module")
def draws(simulated_fit):
    return {str(name): values.to_numpy() for name, values in simulated_fit.tree["posterior"].dataset.items()}


@pytest.fixture(scope="module")
def taken_over(simulated, draws):
    return bs.Posterior.from_draws(Chinchilla(), simulated, draws)


def test_forecasts_are_those_of_the_draws(taken_over, simulated_fit):
    target = {"N": 7e9, "D": 4e12}
    ours, theirs = (p.forecast(target, allow_unconverged=True).intervals() for p in (simulated_fit, taken_over))
    assert theirs.equals(ours)


def test_constants_are_computed_anew(taken_over, simulated_fit, simulated, draws):
    np.testing.assert_allclose(taken_over.draws["A"], simulated_fit.draws["A"], rtol=1e-12)
    wrong = bs.Posterior.from_draws(Chinchilla(), simulated, {**draws, "A": np.zeros_like(draws["E"]), "other": 3})
    assert np.array_equal(wrong.draws["A"], taken_over.draws["A"]) and "other" not in wrong.draws


def test_values_of_pooled_parameters_follow_from_their_parts(ladder):
    study = ladder.select(task=["PIQA", "MMLU"]).rename(loss="task_loss")
    fit = bs.fit(Pooled(), study, seed=0, draws=DRAWS, adapt=False)
    parts = fit.tree["posterior"].dataset.drop_vars(["reducible", "split", "alpha_N", "alpha_D"])
    again = bs.Posterior.from_draws(Pooled(), study, parts)
    assert set(again.draws) == set(fit.draws)
    np.testing.assert_allclose(again.draws["alpha_N"], fit.draws["alpha_N"], rtol=1e-12)


def test_the_chains_are_judged_as_ours_are(taken_over, simulated_fit):
    same = ("max_rhat", "min_ess_bulk", "min_ess_tail", "worst", "chains", "draws")
    assert all(getattr(taken_over.diagnostics, n) == getattr(simulated_fit.diagnostics, n) for n in same)
    assert taken_over.diagnostics.method == "imported"


def test_chains_that_disagree_are_refused(simulated, draws):
    apart = draws["E"] + 0.3 * np.arange(4)[:, None]
    with pytest.raises(bs.ConvergenceError, match="R-hat of E"):
        bs.Posterior.from_draws(Chinchilla(), simulated, {**draws, "E": apart}).forecast({"N": 7e9, "D": 4e12})


def test_what_the_sampler_does_not_say_speaks_against_nothing(taken_over, simulated, draws):
    assert not taken_over.diagnose().only("bfmi")
    assert table_of({"theirs": taken_over}).rows[0][-1] == "–"
    energy = np.cumsum(np.random.default_rng(0).normal(size=draws["E"].shape), axis=1)
    slow = bs.Posterior.from_draws(Chinchilla(), simulated, draws, energy=energy, diverging=draws["E"] < 0)
    assert slow.diagnose().only("bfmi") and slow.diagnostics.divergences == 0
    bad = bs.Posterior.from_draws(Chinchilla(), simulated, draws, diverging=draws["E"] > 0)
    assert bad.diagnostics.divergences == 4 * DRAWS and not bad.diagnostics.converged


def test_arviz_trees_and_datasets_are_read(simulated, simulated_fit, taken_over):
    for given in (simulated_fit.tree, simulated_fit.tree["posterior"], simulated_fit.tree["posterior"].dataset):
        assert np.array_equal(bs.Posterior.from_draws(Chinchilla(), simulated, given).draws["E"], taken_over.draws["E"])
    assert isinstance(simulated_fit.tree, xr.DataTree)


def test_targets_among_the_runs_are_left_out(ladder):
    law, study = Chinchilla(), ladder.select(task="PIQA").rename(loss="task_loss")
    fit = bs.fit(law, study, seed=0, draws=DRAWS, adapt=False)
    again = bs.Posterior.from_draws(law, study, fit.tree)
    assert len(again.study) == len(study.training) < len(study)
    np.testing.assert_allclose(again.draws["B"], fit.draws["B"], rtol=1e-12)


def test_a_tree_of_another_law_or_of_other_runs_is_refused(simulated, simulated_fit):
    tree, other = simulated_fit.tree, Chinchilla(discrepancy=0.4)
    with pytest.raises(
        bs.LawError, match=r"do not match the law: their tree says .*discrepancy=0.2\), and you gave .*0.4"
    ):
        bs.Posterior.from_draws(other, simulated, tree)
    fewer = bs.Study.from_frame(simulated.training.frame.iloc[1:])
    with pytest.raises(
        bs.LawError, match=r"do not match the runs: their tree says .*; give what they were made with, or"
    ):
        bs.Posterior.from_draws(Chinchilla(), fewer, tree)
    assert bs.Posterior.from_draws(other, fewer, tree["posterior"]).law == other


def test_it_survives_a_file(taken_over, simulated, tmp_path):
    again = bs.Posterior.load(taken_over.save(tmp_path / "fit.nc"), Chinchilla(), simulated)
    assert np.array_equal(again.draws["A"], taken_over.draws["A"])
    assert again.diagnostics.method == "imported" and not again.diagnose().only("bfmi")


def test_a_flat_set_of_draws_is_refused(simulated, draws):
    flat = {name: values.ravel() for name, values in draws.items()}
    with pytest.raises(bs.LawError, match=r"have the shape \(400,\); give \(chain, draw\), .*group_by_chain=True"):
        bs.Posterior.from_draws(Chinchilla(), simulated, flat)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha_N": None}, "The draws lack alpha_N, which Chinchilla samples; they have E, "),
        ({"E": np.log}, r"lie where its prior has no mass \(.*give parameters themselves"),
        ({"E": lambda e: e * np.nan}, "Some draws of E are not finite"),
        ({"E": lambda e: e[:3]}, r"have the shape \(4, 100\)|have the shape \(3, 100\)"),
        ({"E": lambda e: e[..., None]}, r"The draws of E have the shape \(4, 100, 1\)"),
    ],
)
def test_draws_that_are_none_of_the_law_are_refused_in_a_sentence(simulated, draws, change, message):
    ((name, how),) = change.items()
    below = {**draws, "E": 0.5 + 0 * draws["E"]}  # whose logarithm is negative
    given = {k: v for k, v in below.items() if k != name} if how is None else {**below, name: how(below[name])}
    with pytest.raises(bs.LawError, match=message) as caught:
        bs.Posterior.from_draws(Chinchilla(), simulated, given)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_other_kinds_are_refused(simulated, draws):
    with pytest.raises(bs.LawError, match="The draws are a list"):
        bs.Posterior.from_draws(Chinchilla(), simulated, [1.0])
    with pytest.raises(bs.LawError, match="which is a type and no law; write Chinchilla"):
        imported(Chinchilla, simulated, draws)
    with pytest.raises(bs.StudyError, match="The study is a dict"):
        bs.Posterior.from_draws(Chinchilla(), {}, draws)
    with pytest.raises(bs.LawError, match=r"statistic energy has the shape \(3,\)"):
        bs.Posterior.from_draws(Chinchilla(), simulated, draws, energy=[1.0, 2.0, 3.0])


@pytest.fixture(scope="module")
def world():
    return worlds.chinchilla(count=20)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"E": np.full((1, 20), "x")},
            "^The draws of E are not all numbers, or not as many in each chain; give an array",
        ),
        (
            {"E": [[1.8, 1.9], [1.8]]},
            "^The draws of E are not all numbers, or not as many in each chain; give an array",
        ),
        ({"diverging": np.full((1, 20), np.nan)}, "^The statistic diverging is not True or False for every draw; give"),
        ({"diverging": np.full((1, 20), 0.5)}, "^The statistic diverging is not True or False for every draw; give"),
        ({"energy": np.full((1, 20), "a")}, "^The values of the statistic energy are not all numbers"),
    ],
)
def test_draws_and_statistics_that_are_no_numbers_are_refused_in_a_sentence(world, change, said):
    statistics = {name: values for name, values in change.items() if name != "E"}
    draws = {name: values[None] for name, values in world.draws.items()} | {k: change[k] for k in change if k == "E"}
    with pytest.raises(bs.LawError, match=said):
        bs.Posterior.from_draws(world.law, world.study, draws, **statistics)


def test_draws_of_a_parameter_that_the_law_fixes_at_another_value_are_refused(world):
    draws = {name: values[None] for name, values in world.draws.items()}
    law = Chinchilla(E=1.5)
    with pytest.raises(bs.LawError) as refused:
        bs.Posterior.from_draws(law, world.study, draws)
    low, high = draws["E"].min(), draws["E"].max()
    assert str(refused.value) == (
        f"Chinchilla fixes E at 1.5, and draws from {low:g} to {high:g} are given; leave them out, or give the law "
        "that was sampled."
    )
    alike = {**draws, "E": np.full((1, 20), 1.5, dtype=np.float32)}
    untold = {name: values for name, values in draws.items() if name != "E"}
    told, same = (bs.Posterior.from_draws(law, world.study, given) for given in (alike, untold))
    assert np.array_equal(told.draws["A"], same.draws["A"]) and "E" not in told.draws


def test_a_seed_that_is_none_is_refused(world):
    with pytest.raises(bs.BayesScalingError, match=r"^seed is 'x'; give a whole number"):
        bs.Posterior.from_draws(world.law, world.study, world.tree, seed="x")


def test_what_names_its_dimensions_may_have_them_in_any_order(world):
    named = world.tree["posterior"].dataset
    diverging = xr.DataArray(np.zeros((20, 1), dtype=int), dims=("draw", "chain"))
    for given in (named.transpose("draw", "chain"), dict(named.transpose("draw", "chain"))):
        taken = bs.Posterior.from_draws(world.law, world.study, given, diverging=diverging)
        assert dict(taken.tree["posterior"].sizes) == {"chain": 1, "draw": 20}
        assert np.array_equal(taken.draws["E"], world.draws["E"])


def test_the_sampler_of_numpyro_gives_our_posterior(simulated, simulated_fit):
    law = Chinchilla()
    mcmc = MCMC(NUTS(law), num_warmup=300, num_samples=300, num_chains=2, chain_method="sequential", progress_bar=False)
    mcmc.run(jax.random.key(0), *law.arrays(simulated.training))
    theirs = bs.Posterior.from_draws(law, simulated, mcmc.get_samples(group_by_chain=True))
    for name in ("E", "alpha_N", "sigma"):
        ours, other = simulated_fit.draws[name], theirs.draws[name]
        assert np.median(other) == pytest.approx(np.median(ours), abs=0.6 * ours.std())
