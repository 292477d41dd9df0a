import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import attempts, nuts
from bayes_scaling.inference.attempts import Effort, fit_until_converged, run
from bayes_scaling.inference.diagnostics import starts_at_best
from bayes_scaling.models import Chinchilla
from tests import worlds
from tests.worlds import GOOD


@pytest.fixture(scope="module")
def study():
    """A ladder at 20 tokens per parameter: size and data cannot be told apart, so that chains move slowly."""
    N = np.geomspace(2e7, 1.2e9, 10)
    loss = 1.8 * (1 + 0.5 * ((N / 1.5e8) ** -0.34 + (N / 1.5e8) ** -0.3) / 2)
    loss *= np.exp(np.random.default_rng(0).normal(0, 0.004, len(N)))
    return bs.Study.from_frame(pd.DataFrame({"N": N, "D": 20 * N, "loss": loss}), name="one ratio")


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_that_was_merely_short_goes_on_by_itself(study, seed):
    short = bs.fit(Chinchilla(), study, seed=seed, draws=40, adapt=False)  # 160 in all, where 400 are asked for
    whole = bs.fit(Chinchilla(), study, seed=seed, draws=500, patience=np.inf)  # also on a busy machine
    assert not short.diagnostics.converged
    assert whole.diagnostics.converged and whole.diagnostics.tried == ""
    assert whole.tree["posterior"].sizes["draw"] == 500  # thinned to the draws asked for


def test_outcomes_without_noise_are_not_adapted_to():
    study = bs.Study.from_frame(worlds.on_the_curve(0.0), name="computed")
    found = bs.fit(Chinchilla(), study, seed=0, draws=40).diagnostics
    assert found.computed and "adapted" not in found.tried
    assert found.converged or "computed ones do" in str(found.refusals())


def test_chains_go_on_from_where_they_stand(study):
    law, plan = Chinchilla(), nuts.Plan(draws=40, chains=2)
    runs, observed = law.arrays(study)
    first = run(law, plan, 0, runs, observed)
    more = attempts._continue(law, plan, first.state, runs, observed)
    both = nuts.joined([first, more])
    assert both.steps.shape == first.steps.shape == (2, 40)
    assert np.array_equal(both.posterior["E"][:, 20:], more.posterior["E"][:, 1::2])
    step = np.abs(np.diff(np.log(first.posterior["E"]), axis=1)).max()
    assert np.abs(np.log(more.posterior["E"][:, 0] / first.posterior["E"][:, -1])).max() < 2 * step
    assert not np.array_equal(more.posterior["E"], first.posterior["E"])


def test_a_divergence_among_draws_thinned_out_still_counts():
    parts = [
        nuts.Sampled({"E": np.zeros((1, 2))}, np.ones((1, 2)), np.array([row]), *(np.zeros((1, 2)),) * 4)
        for row in ([False, True], [False, False])
    ]
    assert nuts.joined(parts).diverging.tolist() == [[True, False]]


def test_without_patience_the_first_tries_stand_and_the_message_names_them(study):
    posterior = bs.fit(Chinchilla(), study, seed=0, draws=20, patience=0.0)  # 80 in all: chains cannot agree
    said = posterior.diagnostics.refusals()
    assert said and set(said.codes) <= {"rhat", "ess-bulk", "ess-tail"}
    assert all("after 20 draws a chain with the mass matrix of the mode" in problem.sentence for problem in said)


def test_adaptation_follows_where_more_draws_would_not_help(study, monkeypatch):
    law, plan = Chinchilla(), nuts.Plan(draws=50, chains=2)
    runs, observed = law.arrays(study)
    tried = []

    def judged(law, plan, *_):
        tried.append((plan.adapt, plan.target_accept))
        bad = {"max_rhat": 1.5} if not plan.adapt else {"divergences": 50} if plan.target_accept < 0.99 else {}
        return dataclasses.replace(GOOD, draws=100, min_ess_bulk=100.0, min_ess_tail=100.0, **bad)

    monkeypatch.setattr(attempts, "judge", judged)
    monkeypatch.setattr(attempts, "MAX_ADAPTED_LENGTH", 2)
    _, diagnostics = fit_until_converged(law, plan, 0, runs, observed, Effort(warmup=20))
    assert tried == [(False, 0.85), (True, 0.9), (True, 0.9), (True, 0.99)] and diagnostics.converged


@pytest.mark.parametrize(
    ("diverged", "adapts", "after"), [(2, False, [(False, 0.95)]), (2, True, [(True, 0.9)]), (9, False, [(True, 0.9)])]
)
def test_smaller_steps_come_first_where_few_draws_diverge(study, monkeypatch, diverged, adapts, after):
    law, tried = type("Wide", (Chinchilla,), {"adapts": adapts})(), []
    sampled = nuts.Sampled({}, *[None] * 4, np.zeros(8), None)

    def judged(law, plan, *_):
        tried.append((plan.adapt, plan.target_accept))
        return GOOD if len(tried) > 1 else dataclasses.replace(GOOD, draws=100, divergences=diverged)

    monkeypatch.setattr(attempts, "judge", judged)
    monkeypatch.setattr(attempts, "run", lambda *_: sampled)
    _, diagnostics = fit_until_converged(law, nuts.Plan(), 0, *law.arrays(study), Effort())
    assert tried == [(False, 0.85), *after] and diagnostics.converged


@pytest.mark.parametrize("adapt", [None, False, True])
def test_flags_of_numpy_are_flags(adapt):
    given = Effort(None if adapt is None else np.bool_(adapt))
    assert given == Effort(adapt) and given.adapt is adapt
    assert list(attempts._stages(nuts.Plan(), given)) == list(attempts._stages(nuts.Plan(), Effort(adapt)))
    assert json.dumps(attempts.asked(nuts.Plan(), given))


@pytest.mark.parametrize("adapt", ["no", 2, 0.5])
def test_what_is_no_flag_is_refused(adapt):
    with pytest.raises(bs.BayesScalingError, match=r"adapt is .*; give True, False, or None"):
        Effort(adapt)


def test_chains_that_do_not_move_are_no_better_than_those_that_do(study, monkeypatch):
    found = iter([1.5, math.nan, math.nan])
    monkeypatch.setattr(
        attempts, "judge", lambda *_: dataclasses.replace(GOOD, draws=100, divergences=50, max_rhat=next(found))
    )
    monkeypatch.setattr(attempts, "run", lambda *_: nuts.Sampled({}, *[None] * 4, np.zeros(8), None))
    monkeypatch.setattr(attempts, "MAX_ADAPTED_LENGTH", 1)
    _, diagnostics = fit_until_converged(Chinchilla(), nuts.Plan(), 0, *Chinchilla().arrays(study), Effort())
    assert diagnostics.max_rhat == 1.5


@pytest.mark.parametrize(("adapts", "after"), [(False, [False, False]), (True, [True])])
def test_a_law_may_ask_for_adaptation_in_place_of_more_draws(study, monkeypatch, adapts, after):
    law, tried = type("Wide", (Chinchilla,), {"adapts": adapts})(), []
    sampled = nuts.Sampled({}, *[None] * 4, np.zeros(8), None)

    def judged(law, plan, *_):
        tried.append(plan.adapt)
        return GOOD if len(tried) > len(after) else dataclasses.replace(GOOD, max_rhat=1.05)

    monkeypatch.setattr(attempts, "judge", judged)
    monkeypatch.setattr(attempts, "run", lambda *_: sampled)
    monkeypatch.setattr(attempts, "_continue", lambda *_: sampled)
    monkeypatch.setattr(nuts, "joined", lambda parts: parts[0])
    _, diagnostics = fit_until_converged(law, nuts.Plan(), 0, *law.arrays(study), Effort())
    assert tried == [False, *after] and diagnostics.converged


@pytest.mark.parametrize(("rhat", "lengths"), [(1.015, [1, 2, 4, 8]), (1.05, [1, 2])])
def test_chains_that_have_nearly_converged_get_more_time(study, monkeypatch, rhat, lengths):
    seen, clock = [], iter(range(0, 1000, 50))  # every look at the clock is 50 s later
    sampled = nuts.Sampled({}, *[None] * 4, np.zeros(8), None)

    def judged(*_):
        return dataclasses.replace(GOOD, max_rhat=rhat)

    monkeypatch.setattr(attempts.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(attempts, "judge", judged)
    monkeypatch.setattr(attempts, "run", lambda *_: sampled)
    monkeypatch.setattr(attempts, "_continue", lambda *_: sampled)
    monkeypatch.setattr(nuts, "joined", lambda parts: seen.append(len(parts)) or parts[0])
    law = Chinchilla()
    _, found = fit_until_converged(law, nuts.Plan(draws=10), 0, *law.arrays(study), Effort(patience=60))
    assert [1, *seen] == lengths and f"{10 * lengths[-1]} draws a chain" in found.tried


def test_constants_derived_from_the_parameters_do_not_decide(study):
    posterior = bs.fit(Chinchilla(), study, seed=0, draws=100, adapt=False)
    assert {"A", "B"} <= posterior.draws.keys()
    assert posterior.diagnostics.worst not in ("A", "B")


def test_one_chain_gives_no_r_hat_and_says_so(study):
    posterior = bs.fit(Chinchilla(), study, seed=0, draws=200, chains=1, patience=0)
    assert next(p.code for p in posterior.diagnostics.refusals()) == "one-chain"
    with pytest.raises(bs.ConvergenceError, match="One chain gives no R-hat"):
        bs.forecast(posterior, {"N": 7e9, "D": 1.4e11})


def test_one_chain_is_tried_once(study, monkeypatch):
    tried = []
    ran = attempts.run
    monkeypatch.setattr(attempts, "run", lambda *given: tried.append(given[1].adapt) or ran(*given))
    bs.fit(Chinchilla(), study, seed=0, draws=200, chains=1)
    assert tried == [False]


class Hasty(Chinchilla):
    """A law of its own, whose program is compiled anew."""


def test_starts_that_stopped_on_their_way_are_no_further_modes(study, monkeypatch):
    monkeypatch.setattr("bayes_scaling.inference.mode.MAX_NEWTON_STEPS", 4)
    arrays, plan = Hasty().arrays(study), nuts.Plan(draws=10, warmup=10, chains=2)
    sampled, diagnostics = fit_until_converged(Hasty(), plan, 0, *arrays, Effort(adapt=False))
    assert starts_at_best(sampled.mode_potential) < 1.0 and diagnostics.modes_reached == 1.0
    assert "several modes" not in str(diagnostics.refusals())
