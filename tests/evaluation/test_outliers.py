import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.evaluation.checks import loo_pit
from bayes_scaling.evaluation.outliers import outliers
from bayes_scaling.models import Chinchilla
from tests.conftest import DRAWS


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
    monkeypatch.setattr("bayes_scaling.evaluation.outliers.loo_pit", lambda _: table.iloc[::-1].reset_index(drop=True))
    (problem,) = outliers(fit)
    assert f"loss {fit.study.column('loss')[6]:.4g} of run 'run 6' " in str(problem)


def test_runs_of_one_family_are_expected(simulated_fit):
    assert not outliers(simulated_fit)


def test_a_likelihood_without_a_distribution_function_is_not_looked_at(simulated_fit, monkeypatch):
    def lacking(*_):
        raise NotImplementedError

    monkeypatch.setattr("bayes_scaling.evaluation.outliers.loo_pit", lacking)
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
