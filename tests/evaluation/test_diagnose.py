from __future__ import annotations

import dataclasses
import re

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import bayes_scaling as bs
from bayes_scaling.evaluation.checks import loo_pit
from bayes_scaling.evaluation.diagnose import contraction, examine, outliers, parameters
from bayes_scaling.evaluation.labels import supports
from bayes_scaling.models import Chinchilla
from tests import worlds
from tests.conftest import DRAWS


def with_diagnostics(posterior, **changes):
    return dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, **changes))


def with_draws(posterior, **draws):
    tree = posterior.tree.copy(deep=True)
    group = tree["posterior"].dataset
    tree["posterior"] = group.assign({name: group[name].copy(data=values) for name, values in draws.items()})
    return dataclasses.replace(posterior, tree=tree)


SPOILT = {
    "rhat": ({"max_rhat": 1.2}, "R-hat of .* is 1.200"),
    "ess-bulk": ({"min_ess_bulk": 12.0}, "bulk effective sample size is 12"),
    "ess-tail": ({"min_ess_tail": 13.0}, "tail effective sample size is 13"),
    "divergences": ({"divergences": 90}, "90 of 400 draws diverged"),
    "precision": ({"shift": 0.4}, "posterior means by 0.4 of"),
    "bfmi": ({"min_bfmi": 0.1}, "E-BFMI is 0.10"),
    "tree-depth": ({"saturated": 200}, "200 of 400 trajectories"),
    "modes": ({"modes_reached": 0.25}, "Only 25% of the starts"),
}


@pytest.mark.parametrize(("code", "changes", "message"), [(c, *rest) for c, rest in SPOILT.items()], ids=SPOILT)
def test_what_the_sampler_says_is_a_record(simulated_fit, code, changes, message):
    sound = {"max_rhat": 1.0, "min_ess_bulk": 900.0, "min_ess_tail": 900.0, "divergences": 0}
    good = with_diagnostics(simulated_fit, **sound)
    assert code not in good.diagnose().codes
    (problem,) = with_diagnostics(good, **changes).diagnose().only(code)
    assert problem.value == next(iter(changes.values()))
    assert re.search(message, str(problem))
    assert str(problem).endswith(".") and ": " in str(problem)
    refused = code in ("rhat", "ess-bulk", "ess-tail", "divergences", "precision")
    assert problem.severe == refused == (not with_diagnostics(good, **changes).diagnostics.converged)


def test_the_sentences_of_a_refusal_are_those_of_the_records(simulated_fit):
    bad = with_diagnostics(simulated_fit, max_rhat=1.2, divergences=50)
    assert bad.diagnostics.problems() == [str(p) for p in bad.diagnose() if p.severe]


def test_a_remedy_is_in_the_words_of_the_interface(simulated_fit, request):
    spoilt = with_diagnostics(simulated_fit, saturated=200)
    assert examine(spoilt).only("tree-depth")[0].remedy == "use adapt=True or tighter priors"
    request.getfixturevalue("command")
    assert examine(spoilt).only("tree-depth")[0].remedy == "use --adapt or tighter priors"


def test_contraction_is_one_minus_the_ratio_of_variances(simulated_fit):
    found, law = contraction(simulated_fit), Chinchilla()
    log_E, log_alpha = (np.log(simulated_fit.draws[n]) for n in ("E", "alpha_N"))
    assert found["E"] == pytest.approx(1 - log_E.var() / law.E.base_dist.scale**2, abs=0.06)
    prior = law.alpha_N  # a Student t: the ratio is taken where it is standard normal
    score = stats.norm.ppf(stats.t.cdf((log_alpha - prior.loc) / prior.scale, prior.df))
    assert found["alpha_N"] == pytest.approx(1 - score.var(), abs=0.06)
    assert set(found.index) == {"E", "reducible", "split", "alpha_N", "alpha_D", "sigma"}


def test_a_parameter_the_runs_say_nothing_of_is_named(simulated):
    posterior = bs.fit(
        Chinchilla(alpha_D=dist.LogNormal(np.log(0.3), 1e-3)), simulated, seed=0, draws=DRAWS, adapt=False
    )
    (problem,) = posterior.diagnose().only("contraction")
    assert problem.where == "alpha_D" and problem.value < 0.1
    assert "The runs say little of alpha_D" in str(problem)


def test_a_prior_that_the_runs_contradict_is_named(simulated_fit):
    draws = 0.9 + 0.001 * np.random.default_rng(0).normal(size=(4, DRAWS))
    (problem,) = with_draws(simulated_fit, alpha_N=draws).diagnose().only("prior-tail")
    assert problem.where == "alpha_N" and "100% of the draws of alpha_N lie in the upper 0.5%" in problem.sentence


def test_a_parameter_at_its_bound_is_named(simulated_fit):
    assert not simulated_fit.diagnose().only("boundary")
    draws = np.random.default_rng(0).exponential(1e-3, size=(4, DRAWS))
    (problem,) = with_draws(simulated_fit, split=draws).diagnose().only("boundary")
    assert problem.where == "split" and "at its bound 0" in problem.sentence
    small = 0.02 + 0.001 * np.random.default_rng(0).normal(size=(4, DRAWS))  # of a prior around 0.6: small, not zero
    assert not with_draws(simulated_fit, reducible=small).diagnose().only("boundary")


def test_noise_may_be_as_small_as_it_will():
    small = worlds.chinchilla(sigma=1e-5)
    assert supports(small)["sigma"] == [0.0] and not examine(small).only("boundary")


def test_scatter_of_tasks_and_of_runs_may_be_as_small_as_it_will():
    small = worlds.ladder(count=50)
    small = with_draws(small, tau=np.full((1, 50), 1e-6), accuracy_sigma=np.full((1, 50, 2), 1e-6))
    bounds = supports(small)
    assert bounds["tau"] == bounds["accuracy_sigma"] == [0.0] and not examine(small).only("boundary")


def test_chains_in_different_modes_are_told(simulated_fit):
    draws = np.random.default_rng(0).normal(1.8, 0.01, size=(4, DRAWS))
    draws[2] += 0.3
    (problem,) = with_draws(simulated_fit, E=draws).diagnose().only("chains-apart")
    assert problem.where == "E" and problem.value == pytest.approx(30, rel=0.2)


def test_parameters_of_pooled_laws_are_told_by_task(ladder_fits):
    assert "slope_mean" not in " ".join(parameters(ladder_fits[0]))
    found = contraction(ladder_fits[0])
    assert found["E[c4_loss]"] > 0.9
    problem = next(p for p in ladder_fits[0].diagnose() if p.where == "accuracy_ceiling")
    assert problem.code == "contraction" and "of 8)" in problem.sentence


# -- runs that the law does not expect -------------------------------------------------------------------------------


def fit_with(simulated, factors):
    frame = simulated.frame.copy()
    frame["loss"] *= [factors.get(run, 1.0) for run in frame["run"]]
    return bs.fit(Chinchilla(), bs.Study.from_frame(frame, name="typo"), seed=0, draws=DRAWS, adapt=False)


@pytest.mark.parametrize("factor", [0.9, 1.1, 3.0])
def test_a_wrong_entry_is_named(simulated, factor):
    fit = fit_with(simulated, {"run 6": factor})
    (problem,) = fit.diagnose().only("outlier")
    wrong = fit.study.column("loss")[6]
    assert f"does not expect loss {wrong:.4g} of run 'run 6' " in str(problem)
    assert problem.where == "run 6" and problem.value < 0.01 / 16 and not problem.severe


def test_the_least_expected_comes_first(simulated):
    (problem,) = outliers(fit_with(simulated, {"run 3": 1.3, "run 9": 3.0}))
    assert problem.where == "run 9"
    assert str(problem).index("run 9") < str(problem).index("run 3")


def test_values_are_found_by_name_not_by_place(simulated, monkeypatch):
    fit = fit_with(simulated, {"run 6": 1.1})
    table = loo_pit(fit)
    monkeypatch.setattr("bayes_scaling.evaluation.diagnose.loo_pit", lambda _: table.iloc[::-1].reset_index(drop=True))
    (problem,) = outliers(fit)
    assert f"loss {fit.study.column('loss')[6]:.4g} of run 'run 6' " in str(problem)


def test_runs_of_one_family_are_expected(simulated_fit):
    assert not outliers(simulated_fit)


def test_a_likelihood_without_a_distribution_function_is_not_looked_at(simulated_fit, monkeypatch):
    def lacking(*_):
        raise NotImplementedError

    monkeypatch.setattr("bayes_scaling.evaluation.diagnose.loo_pit", lacking)
    assert not outliers(simulated_fit)


def test_chance_is_rare(simulated):
    """Of many studies that follow the law, few have an outcome that it does not expect."""
    truth = np.random.default_rng(1)
    n, d = simulated.column("n_params"), simulated.column("tokens")
    mean = 1.8 + 0.6 * (n / 3e8) ** -0.3 + 0.6 * (d / 8e9) ** -0.3
    studies = [
        bs.Study.from_frame(
            simulated.frame.assign(loss=mean * np.exp(0.004 * truth.standard_t(5, len(n)))), name=str(i)
        )
        for i in range(30)
    ]
    fits = bs.fit_many(Chinchilla(), studies, seed=0, draws=DRAWS, adapt=False, progress=False)
    assert sum(bool(outliers(fit)) for fit in fits.posteriors) <= 3


def test_a_seed_draws_from_the_priors_anew(simulated_fit):
    whole = bs.complete(simulated_fit, ["prior"], seed=1)
    kept, first, second = (contraction(whole, seed=seed)["alpha_N"] for seed in (None, 1, 2))
    assert kept == first != second == contraction(simulated_fit, seed=2)["alpha_N"]
