from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import Chinchilla, DirectLadder, LearningCurve, Mixture, Pooled, PretrainingSize, TwoStep


def test_a_prior_without_a_parameter_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match="log_A is not used by mean"):

        class Lost(bs.Law):
            E: bs.Prior = dist.LogNormal(0.0, 1.0)
            log_A: bs.Prior = dist.Normal(0.0, 1.0)

            def mean(self, N, *, E):
                return E + 0 * N


def test_a_parameter_without_a_prior_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match="alpha has no prior"):

        class Lost(bs.Law):
            E: bs.Prior = dist.LogNormal(0.0, 1.0)

            def mean(self, N, *, E, alpha):
                return E + N**-alpha


def test_a_parameter_that_a_subclass_adds_without_an_equation_that_takes_it_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match=r"Lost: every prior is a keyword-only .* but gamma is not used by mean"):

        class Lost(Chinchilla):
            gamma: bs.Prior = dist.Normal(0.0, 1.0)


def test_a_parameter_that_a_subclass_hands_on_in_another_way_is_not_refused():
    class Shifted(Chinchilla):
        gamma: bs.Prior = dist.Normal(0.0, 1.0)

        def at(self, runs, parameters):
            rest = {name: value for name, value in parameters.items() if name != "gamma"}
            return parameters["gamma"] + self.mean(*(runs[name] for name in self.inputs), **rest)

    class Narrower(Shifted):
        gamma: bs.Prior = dist.Normal(0.0, 0.1)

    class Noisier(Chinchilla):
        noise = ("sigma", "more")
        more: bs.Prior = 1.0

    assert Narrower().inputs == Noisier().inputs == Chinchilla().inputs
    assert Noisier().free_parameters == Chinchilla().free_parameters


def test_a_misspelt_prior_is_a_type_error():
    with pytest.raises(TypeError, match="alpha_n"):
        Chinchilla(alpha_n=dist.Normal(0.3, 0.1))


@pytest.mark.parametrize("wrong", ["1.69", None, float("nan"), True, dist.Normal(jnp.zeros(2), 1.0)])
def test_a_prior_that_is_none_is_refused_in_one_sentence(wrong):
    with pytest.raises(bs.LawError, match=r"Chinchilla\.E "):
        Chinchilla(E=wrong)


def test_columns_and_parameters_have_names_of_their_own():
    with pytest.raises(bs.LawError, match=r"takes \*args or \*\*kwargs; name each column"):

        class Loose(bs.Law):
            E: bs.Prior = dist.LogNormal(0.0, 1.0)

            def mean(self, *columns, E):
                return E + 0 * columns[0]


def test_a_number_fixes_a_parameter_and_the_discrepancy_is_never_learnt():
    law = Chinchilla(E=1.69, discrepancy=dist.LogNormal(-2.0, 0.5))
    assert law.free_parameters == ["sigma", "reducible", "split", "alpha_N", "alpha_D"]
    assert law.fixed_parameters == {"E": 1.69}
    assert "E=1.69" in repr(law) and repr(law).endswith("discrepancy=LogNormal(loc=-2, scale=0.5))")
    assert law != Chinchilla(E=1.7, discrepancy=law.discrepancy) and law == law.replace(E=1.69)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (dist.TruncatedNormal(0.3, 0.1, low=0.0), dist.TruncatedNormal(0.9, 0.1, low=0.0)),
        (dist.LogNormal(-1.2, 0.1), dist.LogNormal(-1.2000001, 0.1)),
        (0.3, 0.3000001),
    ],
)
def test_laws_are_equal_where_their_priors_are_and_not_where_these_only_read_alike(one, other):
    laws, same = [Chinchilla(alpha_N=prior) for prior in (one, other)], Chinchilla(alpha_N=one)
    assert laws[0] != laws[1] and laws[0] == same and hash(laws[0]) == hash(same) and laws[0] != "Chinchilla"
    held, alike = [Pooled(curve=law) for law in laws], Pooled(curve=same)
    assert held[0] != held[1] and held[0] == alike and hash(held[0]) == hash(alike)


def test_a_number_outside_of_the_priors_support_is_refused_and_its_bound_is_not():
    with pytest.raises(bs.LawError, match=r"Chinchilla.sigma is 0, and runs have noise; fix it at a positive number"):
        Chinchilla(sigma=0.0)
    with pytest.raises(bs.LawError, match=r"Chinchilla.discrepancy is -1, and a spread is 0 or more; give it"):
        Chinchilla(discrepancy=-1.0)
    with pytest.raises(bs.LawError, match=r"Chinchilla.E is -1, where its prior LogNormal\(.*\) has no mass; give a"):
        Chinchilla(E=-1)
    with pytest.raises(bs.LawError, match=r"Chinchilla.split is 1\.5, where its prior"):
        Chinchilla(split=1.5)
    assert Chinchilla(E=0, split=1).priors["split"] == 1.0


@pytest.mark.parametrize("curve", [LearningCurve(), Mixture(), PretrainingSize(), DirectLadder(), TwoStep(), Pooled()])
def test_a_law_whose_model_is_its_own_is_not_held_by_one_that_takes_equations(curve):
    with pytest.raises(bs.LawError, match=rf"Pooled.curve is {curve.name}, whose model .*, such as Chinchilla\."):
        Pooled(curve=curve)
    with pytest.raises(bs.LawError, match=r"TwoStep.step1 is .* such as Superset\."):
        TwoStep(step1=curve)


class Wrapped(bs.Law):
    """A law that runs the model of another."""

    inner: bs.Law = bs.data_field(default=LearningCurve(), about="The model.")

    def __call__(self, runs, observed=None, fitted=None):
        self.inner(runs, observed, fitted)


def test_a_law_that_is_made_for_a_model_holds_laws_of_that_model():
    assert Wrapped(inner=LearningCurve(memory=0.1)).inner.memory == 0.1


def test_a_known_error_adds_to_the_noise_of_fitted_losses_alone():
    table = pd.DataFrame({"N": np.geomspace(1e8, 1e9, 4), "D": 2e10, "loss": [3.0, 2.9, 2.8, 2.7]})
    plain, known = (bs.Study.from_frame(t) for t in (table, table.assign(loss_se=[0.0, np.nan, 0.03, 0.3])))
    values = {"E": 1.8, "reducible": 0.5, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "sigma": 0.01}
    runs, observed = Chinchilla().arrays(known)
    sites = run_model(Chinchilla(), runs, observed, latent=values)
    mean, scale = np.asarray(Chinchilla().at(runs, values)), sites["loss"]["fn"].base_dist.base_dist.scale
    error = np.array([0.0, 0.0, 0.03, 0.3])
    np.testing.assert_allclose(scale, np.sqrt(0.01**2 + 0.6 * (error / mean) ** 2), rtol=1e-5)  # t of 5: variance 5/3
    new = run_model(Chinchilla(), runs, latent=values)["loss"]["fn"]
    assert np.ndim(new.base_dist.scale) == 0 or np.allclose(new.base_dist.scale, 0.01)
    assert set(Chinchilla().arrays(plain)[1]) == {"loss"}  # the same program as without a word of errors


class Noisy(Chinchilla):
    """A law all of whose ways to say what noise is are its own."""

    def sigma_of(self, runs, parameters):
        return parameters["sigma"] * runs["N"] / runs["N0"]

    def beyond(self, sigma):
        return 2 * sigma

    def noise_of(self, runs, mean, sigma):
        return sigma + 0.1 * mean


def test_the_noise_of_new_runs_is_all_that_a_law_says_of_it():
    runs = {"N": np.array([1e9, 4e9]), "D": np.array([2e10, 2e10]), "N0": 1e9, "D0": 2e10}
    values = {"E": 1.8, "reducible": 0.5, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "sigma": 0.01}
    law = Noisy(discrepancy=0.0)
    latent = {**values, "discrepancy_slope": 0.0}
    sites = run_model(law, runs, None, {"N": runs["N"][:1], "D": runs["D"][:1], "N0": 1e9, "D0": 2e10}, latent=latent)
    mean, new = law.at(runs, values), sites["loss"]["fn"].base_dist.scale
    np.testing.assert_allclose(new, np.array([0.02, 0.08]) + 0.1 * np.asarray(mean), rtol=1e-6)
    np.testing.assert_allclose(new, law.new_noise(runs, mean, values))


class Rising(bs.Law):
    """A reward that rises to a ceiling, as one less a falling loss."""

    outcome = "reward"
    better = {"reward": "higher"}
    ceiling: bs.Prior = 2.0

    def mean(self, N, *, ceiling):
        return ceiling - (N / 1e8) ** -0.3

    def irreducible(self, runs, parameters):
        return parameters["ceiling"]


class Falling(bs.Law):
    E: bs.Prior = 2.0

    def mean(self, N, *, E):
        return E + (N / 1e8) ** -0.3


def test_an_outcome_that_rises_is_uncertain_beyond_the_runs_as_one_that_falls():
    runs, fitted = {"N": np.geomspace(1e8, 1e12, 5)}, {"N": np.geomspace(1e7, 1e9, 4)}
    up = Rising().extrapolated(runs, fitted, {"ceiling": 2.0}, 0.2)
    down = Falling().extrapolated(runs, fitted, {"E": 2.0}, 0.2)
    np.testing.assert_allclose(2.0 - up, down - 2.0, rtol=1e-5)
    exact = Rising().at(runs, {"ceiling": 2.0})
    assert up[0] == exact[0] and (np.asarray(up - exact)[2:] > 0).all()


class Unbounded(bs.Law):
    """A reward that gains as much with every doubling."""

    outcome = "reward"
    better = {"reward": "higher"}
    gain: bs.Prior = 0.3

    def mean(self, N, *, gain):
        return 1.0 + gain * jnp.log(N / 1e8)


def test_an_outcome_that_rises_without_a_ceiling_is_uncertain_in_what_it_gains():
    law, runs, fitted = Unbounded(), {"N": np.geomspace(1e8, 1e12, 5)}, {"N": np.geomspace(1e7, 1e9, 21)}
    exact, edge = np.asarray(law.at(runs, {"gain": 0.3})), np.quantile(law.at(fitted, {"gain": 0.3}), 0.95)
    found = np.asarray(law.extrapolated(runs, fitted, {"gain": 0.3}, 0.2))
    np.testing.assert_allclose(found, np.where(exact > edge, exact + 0.2 * (exact - edge), exact), rtol=1e-5)
    assert found[0] == exact[0] and (found[2:] > exact[2:]).all()
    assert law.irreducible(runs, {"gain": 0.3}) is None


def test_accuracies_of_a_law_of_ones_own_are_fractions():
    class Solved(bs.Law):
        outcome = "accuracy"
        top: bs.Prior = dist.Beta(20.0, 1.0)

        def mean(self, N, *, top):
            return top + 0 * N

    noise = Solved().likelihood(jnp.array([0.0, 0.99]), 0.1)
    draws = np.asarray(noise.sample(jax.random.key(0), (500,)))
    assert draws.min() == 0 and draws.max() == 1 and 0.3 < (draws[:, 1] == 1).mean() < 0.6
    assert np.isfinite(noise.log_prob(jnp.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("prior", "cure"),
    [
        (dist.Delta(1.7), r"the prior Delta, which holds one value; fix the parameter by the number 1\.7 itself"),
        (dist.ImproperUniform(dist.constraints.positive, (), ()), "ImproperUniform, from which nothing can be drawn"),
        (dist.Poisson(3.0), "Poisson, which is discrete; give a continuous one"),
        (dist.Uniform(0.0, np.inf), "Uniform, which has no end; give a proper one, however wide"),
    ],
)
def test_a_prior_that_no_chain_can_move_along_is_refused(prior, cure):
    with pytest.raises(bs.LawError, match=rf"^Chinchilla\.E has .*{cure}"):
        Chinchilla(E=prior)


def test_one_expectation_for_all_runs_is_a_law_and_one_of_another_shape_is_none():
    class Flat(bs.Law):
        E: bs.Prior = dist.LogNormal(1.0, 1.0)

        def mean(self, N, *, E):
            return E

    study = bs.Study.from_frame(pd.DataFrame({"N": np.geomspace(1e7, 1e9, 6), "loss": [3.0, 3.1, 2.9, 3.0, 3.1, 2.9]}))
    posterior = bs.fit(Flat(), study, seed=0, draws=100, adapt=False)
    assert posterior.forecast({"N": [1e10, 1e11]}, allow_unconverged=True).intervals()["median"].between(2.8, 3.2).all()

    class Odd(Flat):
        def mean(self, N, *, E):
            return E * jnp.ones(3)

    with pytest.raises(bs.LawError, match=r"Odd.mean returns the shape \(3,\); return an outcome for each run"):
        bs.fit(Odd(), study, seed=0, draws=100, adapt=False)

    class Silent(Flat):
        def mean(self, N, *, E):
            E * N

    with pytest.raises(bs.LawError, match=r"^Silent.mean returns nothing; return the outcome of each run"):
        bs.fit(Silent(), study, seed=0, draws=100, adapt=False)


def test_an_equation_that_reads_no_column_is_refused_when_the_class_is_made():
    with pytest.raises(bs.LawError, match=r"^Still\.mean reads no column; name one, as in def mean\(self, N, "):

        class Still(bs.Law):
            E: bs.Prior = dist.LogNormal(1.0, 1.0)

            def mean(self, *, E):
                return E


def test_an_outcome_of_any_sign_needs_noise_that_adds():
    class Score(bs.Law):
        outcome = "score"
        signed = ("score",)
        slope: bs.Prior = dist.Normal(0.0, 1.0)

        def mean(self, N, *, slope):
            return slope * jnp.log(N / 1e9)

    with pytest.raises(bs.LawError, match="Score names score among its signed outcomes and has no likelihood of its"):
        Score()

    class Added(Score):
        def likelihood(self, mean, sigma):
            return dist.StudentT(5.0, mean, sigma)

    study = bs.Study.from_frame(pd.DataFrame({"N": np.geomspace(1e7, 1e8, 6), "score": np.linspace(2.3, 1.15, 6)}))
    posterior = bs.fit(Added(), study, seed=0, draws=100, adapt=False)
    assert posterior.forecast({"N": 1e10}, allow_unconverged=True).intervals("run")["median"].between(-1.4, -0.9).all()
