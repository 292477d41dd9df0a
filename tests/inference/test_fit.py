from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.inference import nuts
from bayes_scaling.inference.attempts import run
from bayes_scaling.models import Chinchilla
from bayes_scaling.models.two_step import routes

TRUTH = {"E": 1.8, "A": 400.0, "alpha_N": 0.34, "B": 1500.0, "alpha_D": 0.35}


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(1)
    N = np.exp(rng.uniform(np.log(5e7), np.log(2e9), 80))
    D = np.exp(rng.uniform(np.log(1e9), np.log(1e11), 80))
    loss = TRUTH["E"] + TRUTH["A"] / N ** TRUTH["alpha_N"] + TRUTH["B"] / D ** TRUTH["alpha_D"]
    return bs.Study.from_frame(
        pd.DataFrame({"N": N, "D": D, "loss": loss * np.exp(rng.normal(0, 0.002, 80))}), name="made"
    )


@pytest.fixture(scope="module")
def posterior(study):
    return bs.fit(Chinchilla(), study, seed=0, draws=500)


def test_finds_the_truth_it_was_made_from(posterior):
    for name in ("E", "alpha_N", "alpha_D"):
        low, high = np.quantile(posterior.draws[name], [0.01, 0.99])
        assert low < TRUTH[name] < high, name


def test_converges_by_the_laplace_mass_matrix_in_few_steps(posterior):
    assert posterior.diagnostics.converged
    assert posterior.diagnostics.method == "laplace"
    assert posterior.diagnostics.mean_steps < 12
    assert posterior.diagnostics.modes_reached == 1.0


def test_the_same_seed_gives_the_same_draws_and_another_does_not(study, posterior):
    again = bs.fit(Chinchilla(), study, seed=0, draws=500)
    other = bs.fit(Chinchilla(), study, seed=1, draws=500)
    assert np.array_equal(again.draws["E"], posterior.draws["E"])
    assert not np.array_equal(other.draws["E"], posterior.draws["E"])


def test_numbers_of_numpy_are_taken_and_kept_as_plain_ones(study, posterior, tmp_path):
    asked = {"draws": np.int64(500), "chains": np.int32(4), "warmup": np.int64(200), "starts": np.int64(8)}
    again = bs.fit(Chinchilla(), study, seed=np.int64(0), patience=np.float32(60), adapt=np.False_, **asked)
    assert np.array_equal(again.draws["E"], posterior.draws["E"])
    assert json.loads(again.tree.attrs["asked"])["effort"] == {"adapt": False, "warmup": 200, "patience": 60.0}
    assert bs.Posterior.load(again.save(tmp_path / "fit.nc"), Chinchilla(), study).seed == 0


def test_other_priors_and_other_data_of_the_same_shape_do_not_compile_again(study, posterior):
    compiled = nuts.sample.count
    other = Chinchilla(alpha_N=bs.LogStudentT(4.0, -1.0, 0.3))
    bs.fit(other, study.select("n_params > 6e7"), seed=3, draws=500, adapt=False)
    assert nuts.sample.count == compiled


def test_adaptation_agrees_with_the_laplace_mass_matrix(study, posterior):
    adapted = bs.fit(Chinchilla(), study, seed=0, draws=500, adapt=True)
    assert adapted.diagnostics.method == "adapted"
    for name in ("E", "alpha_N", "alpha_D"):
        a, b = posterior.draws[name], adapted.draws[name]
        assert abs(a.mean() - b.mean()) < 4 * a.std() / np.sqrt(400)


def test_what_is_no_law_or_no_study_is_refused(study):
    with pytest.raises(bs.LawError, match=r"no law; write Chinchilla\(\)"):
        bs.fit(Chinchilla, study, seed=0)
    with pytest.raises(bs.LawError, match=r"which is a tuple and no law; give one of its 2 laws, such as") as refused:
        bs.fit(routes(), study, seed=0)
    assert len(str(refused.value)) < 200
    with pytest.raises(bs.LawError, match=r"'chinchilla', which is a str"):
        bs.fit("chinchilla", study, seed=0)
    with pytest.raises(bs.StudyError, match=r"DataFrame; make it one with bs.Study.from_frame"):
        bs.fit(Chinchilla(), study.frame, seed=0)


@pytest.mark.parametrize("patience", ["x", -1.0, float("nan"), True])
def test_patience_is_a_number_of_seconds(study, patience):
    with pytest.raises(bs.BayesScalingError, match=r"^patience is .*; give a number of seconds, 0 or more\.$"):
        bs.fit(Chinchilla(), study, seed=0, patience=patience)


def test_padding_rows_do_not_change_the_posterior(study):
    runs, observed = Chinchilla().arrays(study.select("n_params > 2e8"))
    padded = run(Chinchilla(), nuts.Plan(draws=300), 0, runs, observed)
    exact = nuts.Plan(draws=300)
    from bayes_scaling.inference.precision import double_precision

    with double_precision():
        import jax

        plain = nuts.sample(Chinchilla(), exact, jax.random.key(0), runs, observed)
    assert np.allclose(padded.mode_potential.min(), np.asarray(plain.mode_potential).min(), atol=1e-6)


TABLE = pd.DataFrame({"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.9]})


@pytest.mark.parametrize(
    "use",
    [
        lambda law, table: bs.fit(law, table, seed=0), lambda law, table: bs.fit_many(law, [table], seed=0),
        lambda law, table: bs.choose_law([law], table, seed=0), lambda law, table: bs.backtest(law, table, seed=0),
        lambda law, table: bs.learn_discrepancy(law, table, seed=0), lambda law, table: bs.design_check(table),
        lambda law, table: bs.learn_discrepancy(law, [table], seed=0),
        lambda law, table: bs.Posterior.load("fit.nc", law, table),
    ],
)  # fmt: skip
def test_a_table_is_no_study_wherever_one_is_needed(use):
    with pytest.raises(bs.StudyError, match=r"The study is a DataFrame; make it one with bs.Study.from_frame"):
        use(Chinchilla(), TABLE)


@pytest.mark.parametrize(
    "use",
    [
        lambda law: bs.fit(law, bs.Study.from_frame(TABLE), seed=0), lambda law: bs.fit_many(law, [], seed=0),
        lambda law: bs.choose_laws([law], [], seed=0), lambda law: bs.simulate(law, TABLE, seed=0),
        lambda law: bs.plan_ladders(law, {"a": TABLE}, {"N": 7e9, "D": 4e12}, seed=0),
    ],
)  # fmt: skip
def test_the_class_of_a_law_is_no_law(use):
    with pytest.raises(bs.LawError, match=r"which is a type and no law; write Chinchilla\(\)"):
        use(Chinchilla)


def test_a_floor_that_cannot_be_is_one_sentence():
    with pytest.raises(bs.LawError, match=r"Chinchilla.E is -1, where its prior .* has no mass"):
        Chinchilla(E=-1)
    table = pd.concat([TABLE] * 4, ignore_index=True).assign(N=np.geomspace(1e8, 1e9, 8))
    with pytest.raises(bs.StudyError, match=r"fixes its floor E at 2.95, and study 'runs' has a loss of 2.9; fix it"):
        bs.fit(Chinchilla(E=2.95), bs.Study.from_frame(table), seed=0)


class TwoModes(bs.Law):
    """A law in which an exponent and its negative fit alike."""

    E: bs.Prior = 2.0
    alpha: bs.Prior = dist.Normal(0.0, 0.5)

    def mean(self, N, *, E, alpha):
        return E + (N / 1e8) ** -(alpha**2)


@pytest.mark.parametrize("seed", range(6))
def test_chains_that_start_in_different_modes_are_refused(seed):
    table = pd.DataFrame({"N": np.geomspace(1e7, 1e10, 12)})
    table["loss"] = (2.0 + (table["N"] / 1e8) ** -0.3) * np.exp(np.random.default_rng(0).normal(0, 0.003, 12))
    found = bs.fit(TwoModes(), bs.Study.from_frame(table), seed=seed, draws=200, adapt=False)
    assert {-1.0, 1.0} == set(np.sign(found.draws["alpha"]))
    assert found.diagnostics.max_rhat > 1.5 and not found.diagnostics.converged
    assert "the posterior has several modes" in found.diagnostics.problems()[0]
    with pytest.raises(bs.ConvergenceError, match="R-hat of alpha"):
        found.forecast({"N": 1e11})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"draws": 0}, "draws is 0; give a whole number of at least 4"),
        ({"draws": 2.5}, "draws is 2.5; give a whole number"),
        ({"chains": 0}, "chains is 0; give a whole number of at least 1"),
        ({"seed": "x"}, "seed is 'x'; give a whole number of at least 0"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number"),
        ({"starts": True}, "starts is True; give a whole number"),
        ({"warmup": 0}, "warmup is 0; give a whole number of at least 1"),
        ({"warmup": -5}, "warmup is -5; give a whole number"),
    ],
)
def test_what_is_no_number_of_draws_or_seed_is_one_sentence(study, asked, message):
    for fit, of in ((bs.fit, study), (bs.fit_many, [study])):
        with pytest.raises(bs.BayesScalingError, match=message):
            fit(Chinchilla(), of, **{"seed": 0, **asked})


def test_a_law_of_fixed_parameters_has_nothing_to_fit(study):
    law = Chinchilla(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, sigma=0.01)
    with pytest.raises(bs.LawError, match="All parameters of Chinchilla are fixed"):
        bs.fit(law, study, seed=0)


class Undefined(bs.Law):
    a: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, N, *, a):
        return jnp.log(-N) * a


def test_a_law_that_is_no_number_is_refused(study):
    with pytest.raises(bs.LawError, match=r"gives the runs no probability from any of 8 starts"):
        bs.fit(Undefined(), study, seed=0, draws=50)


def test_seeds_of_63_bits_are_told_apart_in_either_precision(study):
    runs, observed = Chinchilla().arrays(study)
    for precision in ("double", "single"):
        plan = nuts.Plan(draws=4, warmup=4, chains=1, starts=1, precision=precision)
        one, other = (run(Chinchilla(), plan, seed, runs, observed).posterior["E"] for seed in (5, 2**32 + 5))
        assert not np.array_equal(one, other), precision
