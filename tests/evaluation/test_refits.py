from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import bayes_scaling as bs
from bayes_scaling.evaluation import refits
from bayes_scaling.evaluation.labels import pointwise
from bayes_scaling.evaluation.loo import loo
from bayes_scaling.evaluation.refits import leave_outcome_out, leave_run_out
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import Effort
from bayes_scaling.models import Chinchilla, LearningCurve
from tests import worlds


@pytest.fixture
def two_poor(monkeypatch):
    """Let importance sampling fail on the first and the last outcome, or run, whatever the draws."""

    def two_fail(*arguments):
        found = loo(*arguments)
        flags = found.flags * 0.0
        flags.iloc[[0, -1]] = found.limit + 0.1
        return dataclasses.replace(found, flags=flags)

    monkeypatch.setattr(refits, "loo", two_fail)


def test_leaving_a_run_out_by_weights_agrees_with_fits_without_it(simulated_fit):
    quick = leave_run_out(simulated_fit, refit=False)
    for name in ("run 5", "run 10"):  # in the middle of the grid
        assert quick.flags[name] < 0.6
        assert refits._without(simulated_fit, name, True) == pytest.approx(quick.elpd[name], abs=0.25)


def test_runs_that_weights_cannot_leave_out_are_fitted_without(simulated_fit, two_poor, monkeypatch):
    asked = []
    monkeypatch.setattr(refits, "_without", lambda posterior, name, allow: asked.append(name) or -7.0)
    quick, exact = (leave_run_out(simulated_fit, refit=refit) for refit in (False, True))
    poor = list(quick.flags.index[quick.flags > quick.limit])
    assert exact.refits == len(poor) == quick.high == 2 and asked == poor
    assert exact.high == 0
    assert (exact.elpd[poor] == -7.0).all()
    pd.testing.assert_series_equal(exact.elpd.drop(poor), quick.elpd.drop(poor))


def test_a_run_of_the_ladder_is_left_out_with_all_its_outcomes(ladder_fits, monkeypatch):
    seen = {}

    def shortcut(law, plan, seed, runs, observed, effort):
        seen.update(observed)
        sampled = {name: v.to_numpy() for name, v in ladder_fits[0].tree["posterior"].dataset.data_vars.items()}
        return SimpleNamespace(posterior=sampled), ladder_fits[0].diagnostics

    monkeypatch.setattr(refits, "fit_until_converged", shortcut)
    found = refits._without(ladder_fits[0], "190M-2xC", True)
    assert all(np.isnan(values[1]).all() and np.isfinite(np.delete(values, 1, 0)).all() for values in seen.values())
    rows = ladder_fits[0].with_groups("run_log_likelihood").tree["run_log_likelihood"]["outcomes"]
    joint = rows.sel(run="190M-2xC").to_numpy()
    assert found == pytest.approx(logsumexp(joint) - np.log(joint.size), rel=1e-9)


def test_an_outcome_left_out_by_a_fit_agrees_with_weights_where_these_work(simulated_fit):
    quick = leave_outcome_out(simulated_fit, refit=False)
    scored = pointwise(simulated_fit)
    for place in (5, 10):  # in the middle of the grid
        name = scored.labels[place]
        assert quick.flags[name] < 0.6
        found = refits._without_outcome(simulated_fit, scored, name, True)
        assert found == pytest.approx(quick.elpd[name], abs=0.25)


def test_outcomes_of_high_k_are_refitted_by_themselves(simulated_fit, two_poor, monkeypatch):
    asked = []
    monkeypatch.setattr(refits, "_without_outcome", lambda posterior, scored, name, allow: asked.append(name) or -7.0)
    quick, exact = leave_outcome_out(simulated_fit, refit=False), leave_outcome_out(simulated_fit)
    assert asked == quick.poor and exact.refits == quick.high == 2 and exact.high == 0
    assert (exact.elpd[quick.poor] == -7.0).all()
    asked.clear()
    monkeypatch.setattr(refits, "MAX_REFITS", quick.high - 1)
    assert leave_outcome_out(simulated_fit).refits == 0 and not asked
    assert leave_outcome_out(simulated_fit, refit=True).refits == quick.high


def test_a_refit_that_did_not_converge_is_refused_only_where_it_was_asked_for(simulated_fit, two_poor, monkeypatch):
    quick = leave_outcome_out(simulated_fit, refit=False)

    def fails(*_):
        raise bs.ConvergenceError("It did not converge.")

    monkeypatch.setattr(refits, "_without_outcome", fails)
    kept = leave_outcome_out(simulated_fit)
    assert kept.refits == 0 and kept.poor == quick.poor
    with pytest.raises(bs.ConvergenceError):
        leave_outcome_out(simulated_fit, refit=True)


def test_an_outcome_through_which_another_goes_keeps_its_weights(ladder_fits, monkeypatch):
    posterior = ladder_fits[0]
    drawn = {name: v.to_numpy() for name, v in posterior.tree["posterior"].dataset.data_vars.items()}
    sampled = SimpleNamespace(posterior=drawn)
    monkeypatch.setattr(refits, "fit_until_converged", lambda *_: (sampled, posterior.diagnostics))
    scored = pointwise(posterior)
    names = {quantity: next(name for name in scored.labels if name[0] == quantity) for quantity in ("loss", "accuracy")}
    found = refits._without_outcome(posterior, scored, names["accuracy"], True)
    values = scored.values[..., scored.labels.get_loc(names["accuracy"])]
    assert found == pytest.approx(logsumexp(values) - np.log(values.size), rel=1e-9)
    assert refits._without_outcome(posterior, scored, names["loss"], True) is None


def test_a_checkpoint_from_which_the_next_one_starts_keeps_its_weights(monkeypatch):
    """Its density is given the one before, and it has a part in the next; only the last has a fit without it."""
    values = {"level": 2.5, "reducible": 0.6, "begun": 0.0, "bend": 1.6, "alpha_D": 0.4, "memory": 1.0, "sigma": 0.02}
    table = pd.DataFrame({"tokens": np.geomspace(1e8, 1e11, 12), "loss": np.linspace(3.0, 2.0, 12)})
    draws = {name: np.full(20, value) for name, value in values.items()}
    posterior = worlds.known(LearningCurve(), draws, table)
    sampled = SimpleNamespace(posterior={name: own[None] for name, own in draws.items()})
    monkeypatch.setattr(refits, "fit_until_converged", lambda *_: (sampled, posterior.diagnostics))
    scored = pointwise(posterior)
    assert scored.kinds == {"loss": "sequential"}
    found = [refits._without_outcome(posterior, scored, scored.labels[place], True) for place in (0, 5, 11)]
    assert found == [None, None, pytest.approx(scored.values[0, 0, 11], rel=1e-9)]


def test_a_refit_is_asked_for_as_the_fit_was(tmp_path, simulated, monkeypatch):
    """Also of a posterior that was saved; draws of another sampler say nothing of how they were made."""
    how = {"seed": 0, "draws": 20, "chains": 2, "warmup": 30, "starts": 3, "precision": "single", "patience": np.inf}
    posterior = bs.fit(Chinchilla(), simulated, **how | {"adapt": False})
    (member,) = bs.fit_many(Chinchilla(), [simulated], progress=False, **how | {"adapt": False})
    loaded = bs.Posterior.load(posterior.save(tmp_path / "fit.nc"), Chinchilla(), simulated)
    taken = bs.Posterior.from_draws(Chinchilla(), simulated, posterior.tree["posterior"])
    adapted = dataclasses.replace(taken, diagnostics=dataclasses.replace(taken.diagnostics, method="adapted"))
    asked = []

    def seen(law, plan, seed, runs, observed, effort):
        asked.append((plan, effort))
        return SimpleNamespace(posterior={}), worlds.GOOD

    monkeypatch.setattr(refits, "fit_until_converged", seen)
    for one in (posterior, member.posterior, loaded, taken, adapted):
        refits._fit_without(one, {}, "run 1", 0, False)
    assert asked[:3] == [(nuts.Plan(20, 30, 2, 3, precision="single"), Effort(False, 30, np.inf))] * 3
    assert asked[3:] == [(nuts.Plan(20, chains=2), Effort()), (nuts.Plan(20, chains=2), Effort(True))]
