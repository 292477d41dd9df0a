from __future__ import annotations

import dataclasses
import inspect

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import attempts, nuts
from bayes_scaling.inference.diagnostics import MAX_RHAT, MIN_ESS, _noise, diagnostics_of, starts_at_best, unit_of_noise
from bayes_scaling.inference.nuts import Sampled
from bayes_scaling.models import Chinchilla, DirectAccuracy, PowerLaw, Vocabulary
from tests.worlds import GOOD, by_compute

DEPTHS = {"mode": nuts.Plan().max_tree_depth, "adapted": attempts.adapted_plan(nuts.Plan(), None).max_tree_depth}


def sampled(seed=0, chains=4, draws=500, steps=7, **changes):
    """Return what the program returns for chains that agree, of two parameters."""
    rng = np.random.default_rng(seed)
    silent = np.zeros((chains, draws))
    posterior = {"E": rng.normal(1.8, 0.1, (chains, draws)), "alpha": rng.normal(0.3, 0.1, (chains, draws, 2))}
    energy = rng.normal(10.0, 1.0, (chains, draws))
    found = Sampled(posterior, np.full((chains, draws), steps), silent > 0, silent, energy, np.zeros(4), np.ones(()))
    return found._replace(**changes)


def test_chains_that_agree_have_converged():
    found = diagnostics_of(sampled(), "laplace", 8)
    assert found.converged and found.problems() == []
    assert found.max_rhat < MAX_RHAT and found.min_ess_bulk > MIN_ESS and found.min_bfmi > 0.3
    assert (found.draws, found.chains, found.divergences, found.modes_reached) == (2000, 4, 0, 1.0)


@pytest.mark.parametrize(("plan", "longest"), [("mode", 255), ("adapted", 1023)])
def test_a_trajectory_is_as_long_as_it_may_be_by_the_plans_own_depth(plan, longest):
    steps = np.full((4, 500), 7)
    steps[0, :3], steps[1, :2] = longest, longest - 1
    assert diagnostics_of(sampled(steps=steps), "laplace", DEPTHS[plan]).saturated == 3
    posterior = by_compute(count=2)
    arrays = posterior.law.arrays(posterior.study)
    own = nuts.Plan() if plan == "mode" else attempts.adapted_plan(nuts.Plan(), None)
    few = sampled(posterior={n: np.random.default_rng(0).normal(size=(4, 500)) for n in PowerLaw().free_parameters})
    assert attempts.judge(posterior.law, own, few._replace(steps=steps), *arrays).saturated == 3


def test_the_trajectories_of_an_adapted_fit_are_not_short_of_its_depth():
    """255 steps are the longest trajectory at depth 8, and an ordinary one at depth 10."""
    assert DEPTHS == {"mode": 8, "adapted": 10}
    long = sampled(steps=np.full((4, 500), 255))
    assert [diagnostics_of(long, "adapted", depth).saturated for depth in DEPTHS.values()] == [2000, 0]


def test_the_energy_fraction_of_chains_that_went_on_is_that_of_all_their_transitions():
    """Thinned energies are nearly independent, however slowly the chain moves through them."""
    rng = np.random.default_rng(0)
    energy = np.zeros((4, 4000))
    for i in range(1, energy.shape[1]):
        energy[:, i] = 0.9 * energy[:, i - 1] + np.sqrt(1 - 0.9**2) * rng.normal(size=4)
    parts = [sampled()._replace(energy=part) for part in np.split(energy, 8, axis=1)]
    found = diagnostics_of(nuts.joined(parts), "laplace", 8)
    assert found.min_bfmi == pytest.approx(0.2, abs=0.05)  # twice one less the correlation of neighbours
    assert diagnostics_of(parts[0], "laplace", 8).min_bfmi == pytest.approx(0.2, abs=0.1)
    assert nuts.joined(parts).energy.shape == parts[0].energy.shape and found.draws == 2000


def test_a_chain_apart_is_told_with_the_entry_of_the_parameter():
    alpha = sampled().posterior["alpha"].copy()
    alpha[2, :, 1] += 1.0
    apart = sampled(posterior={"E": sampled().posterior["E"], "alpha": alpha})
    found = diagnostics_of(apart, "laplace", 8)
    assert found.worst == "alpha[1]" and found.max_rhat > 1.1 and not found.converged and not found.in_reach
    assert diagnostics_of(apart, "laplace", 8, {"E"}).converged  # what was not sampled does not decide


def test_a_chain_that_is_not_finite_has_not_converged():
    E = sampled().posterior["E"].copy()
    E[1, 100:] = np.nan
    found = diagnostics_of(sampled(posterior={"E": E}), "laplace", 8)
    assert not found.converged and found.worst == "E"
    assert {"rhat", "ess-bulk", "ess-tail"} <= set(found.refusals().codes)


def test_two_parameters_that_the_runs_do_not_tell_apart_are_named_together():
    E = sampled().posterior["E"]
    twin = E + np.random.default_rng(1).normal(0, 0.01, E.shape)
    found = diagnostics_of(sampled(posterior={"E": E, "twin": twin}), "laplace", 8)
    assert {found.worst, found.partner} == {"E", "twin"} and found.correlation > 0.95
    bad = dataclasses.replace(found, max_rhat=1.2)
    assert f"the runs hardly tell {bad.worst} from {bad.partner} (correlation" in bad.problems()[0]


def test_short_runs_are_asked_for_a_fifth_of_their_draws():
    assert [dataclasses.replace(GOOD, draws=draws).required_ess for draws in (400, 2000, 40_000)] == [80, 400, 400]


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        (
            {"max_rhat": 1.0101, "worst": "beta"},
            "rhat",
            "R-hat of beta is 1.01010 (at most 1.01), so the chains disagree",
        ),
        ({"min_ess_bulk": 79.0}, "ess-bulk", "The bulk effective sample size is 79 (at least 80): take more draws."),
        ({"min_ess_tail": 12.0}, "ess-tail", "The tail effective sample size is 12 (at least 80)"),
        ({"divergences": 3}, "divergences", "3 of 400 draws diverged (at most 0.5%)"),
        ({"shift": 0.06}, "precision", "posterior means by 0.06 of their standard deviations (at most 0.05)"),
        ({"chains": 1}, "one-chain", "One chain gives no R-hat"),
    ],
)
def test_what_forbids_the_use_of_draws_is_a_sentence_with_its_limit(changes, code, sentence):
    assert GOOD.converged
    (found,) = dataclasses.replace(GOOD, **changes).refusals()
    assert found.code == code and found.severe and sentence in str(found)


def remedies():
    """Return what is said of a fit that was tried for long: of several modes, and of chains that only disagree."""
    bad = dataclasses.replace(GOOD, max_rhat=1.5, tried="120 s", draws=4000)
    return [one.refusals()[0].remedy for one in (dataclasses.replace(bad, modes_reached=0.5), bad)]


@pytest.mark.parametrize("tried", ["", "120 s"])
def test_each_remedy_is_said_once(tried):
    few = dataclasses.replace(GOOD, min_ess_bulk=12.0, min_ess_tail=13.0, draws=4000, tried=tried)
    (said,) = few.problems()
    assert "bulk effective sample size is 12 (" in said and "tail effective sample size is 13 (" in said
    assert said.endswith(f": {few.refusals()[0].remedy}.") and said.count(few.refusals()[0].remedy) == 1
    apart = dataclasses.replace(few, max_rhat=1.5, divergences=400)
    first, second = apart.problems()
    assert first.startswith("R-hat of ") and "The tail effective" in first and "tight" not in first
    assert first.endswith(": let it run longer (patience).") and "400 of 4000 draws diverged" in second
    assert second.endswith(": give parameters that the runs leave open tighter priors, or fix them.")
    assert apart.refusals().codes == ["rhat", "ess-bulk", "ess-tail", "divergences"]


def test_few_draws_are_remedied_by_more_and_not_by_patience():
    few = dataclasses.replace(GOOD, max_rhat=1.011, tried="120 s", draws=400)
    assert few.refusals()[0].remedy.startswith("take more draws (draws), or")


def test_a_remedy_names_arguments_of_fit():
    assert remedies() == [
        "the posterior has several modes, so tighten the priors that allow them, or fit with more starts, as in "
        "starts=32",
        "let it run longer (patience), or tighten the priors of what the runs leave open",
    ]
    assert {"starts", "patience"} <= set(inspect.signature(bs.fit).parameters)


def test_outcomes_without_noise_are_named_as_the_cause():
    bad = dataclasses.replace(GOOD, max_rhat=1.5, tried="120 s", modes_reached=0.5, noise=3e-6)
    assert "follow the law to 3e-06 of their size" in bad.refusals()[0].remedy


def test_the_noise_is_the_median_of_sigma(simulated_fit):
    assert simulated_fit.diagnostics.noise == np.median(simulated_fit.draws["sigma"])


def test_the_task_with_the_least_noise_counts_too():
    posterior = {"sigma": np.full((2, 5), 0.01), "accuracy_sigma": np.tile([0.02, 1e-7], (2, 5, 1))}
    assert _noise(posterior) == 1e-7
    assert _noise({"sigma": posterior["sigma"]}) == 0.01
    assert _noise({}) == np.inf


def test_and_options_where_a_command_is_run(command):
    assert remedies() == [
        "the posterior has several modes, so tighten the priors that allow them",
        "take more draws (--draws), or tighten the priors of what the runs leave open",
    ]


def test_what_is_just_good_enough_passes():
    at = {"max_rhat": MAX_RHAT, "min_ess_bulk": 80.0, "min_ess_tail": 80.0, "divergences": 2, "shift": 0.05}
    assert dataclasses.replace(GOOD, draws=400, **at).converged


@pytest.mark.parametrize(
    ("changes", "nearly"),
    [
        ({"max_rhat": 1.019, "min_ess_tail": 41.0}, True),
        ({"max_rhat": 1.03}, False),
        ({"min_ess_bulk": 30.0}, False),
        ({"divergences": 20}, False),
        ({"max_rhat": float("nan")}, False),
    ],
)
def test_chains_have_nearly_converged_where_twice_as_many_draws_should_do(changes, nearly):
    assert dataclasses.replace(GOOD, **changes).nearly is nearly


def test_more_draws_may_help_chains_that_nearly_agree_and_not_those_that_rounding_misled():
    near, far = (dataclasses.replace(GOOD, max_rhat=rhat) for rhat in (1.05, 1.5))
    assert near.in_reach and not far.in_reach
    assert not dataclasses.replace(near, divergences=20).in_reach
    shares = [dataclasses.replace(near, saturated=near.draws // part).in_reach for part in (20, 5)]
    assert shares == [True, False]  # draws of full trees are slow, and adapted ones are not
    counts = [(near, 0), (near, near.draws // 100), (near, near.draws // 20), (far, near.draws // 100)]
    found = [dataclasses.replace(one, divergences=count).few_diverged for one, count in counts]
    assert found == [False, True, False, False]
    assert [dataclasses.replace(GOOD, shift=s).misled_by_rounding for s in (0.0, 0.06, np.nan)] == [False, True, True]


def test_starts_that_failed_are_no_modes():
    heights = np.array([3.0, 3.05, np.inf, np.nan])
    assert diagnostics_of(sampled(mode_potential=heights), "laplace", 8).modes_reached == 1.0
    assert diagnostics_of(sampled(mode_potential=np.add(heights, [0, 1, 0, 0])), "laplace", 8).modes_reached == 0.5
    assert starts_at_best(np.full(3, np.nan)) == 0.0


def test_noise_that_adds_is_held_against_the_spread_of_the_outcomes():
    """It is in their unit, which may be any; that of accuracies is a fraction, and that of losses a factor."""
    observed = np.array([-2.0, 0.0, 2.0, np.nan])
    law = Vocabulary()
    for unit in (1.0, 1e-3):
        assert unit_of_noise(law, {law.outcome: unit * observed}) == pytest.approx(unit * np.std([-2, 0, 2]))
    assert unit_of_noise(law, {law.outcome: np.ones(3)}) == 1.0  # nothing to hold it against
    assert [unit_of_noise(own, {own.outcome: observed}) for own in (Chinchilla(), DirectAccuracy())] == [1.0, 1.0]
    posterior = {"sigma": np.full((2, 9), 0.01)}
    assert _noise(posterior, 0.5) == 0.02
