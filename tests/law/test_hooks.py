"""What a law answers that overrides no hook; the protocol asks every law of the package."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.law.hooks import Hooks
from bayes_scaling.law.priors import LogStudentT
from bayes_scaling.law.trace import run_model


class Rewarded(bs.Law):
    """A reward that grows with the compute, and does not say which way it is better."""

    outcome = "reward"
    unit = "points"
    level: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, C, *, level):
        return level + 0 * C


class Better(Rewarded):
    """The same, which says so."""

    better = {"reward": "higher"}


class Worse(Rewarded):
    """The same, which says the opposite."""

    better = {"reward": "lower"}


def test_a_law_says_which_way_its_outcome_is_better():
    assert not Better().lower_is_better("reward") and Worse().lower_is_better("reward")


def test_a_law_that_does_not_say_is_refused_with_what_to_write():
    with pytest.raises(bs.LawError) as refused:
        Rewarded().lower_is_better("reward")
    assert str(refused.value) == (
        "Rewarded does not say which way 'reward' is better; give the law better = {'reward': 'higher'}, or 'lower'."
    )
    with pytest.raises(bs.LawError, match="which way 'loss' is better"):
        Better().lower_is_better("loss")


def test_losses_errors_and_accuracies_need_not_be_told():
    law = bs.models.PowerLaw()
    assert [law.lower_is_better(name) for name in ("loss", "error", "accuracy")] == [True, True, False]


def test_a_law_of_one_outcome_overrides_nothing():
    law = Rewarded()
    assert law.quantities == {"reward": "points"} and law.name == "Rewarded"
    assert (law.series, law.shares, law.route, law.by_task, law.transfers) == ((), (), None, False, False)
    assert law.series_of("MMLU", ["MMLU", "PIQA"]) == "MMLU" and law.program is law
    assert law.dims(None) == ({}, {}) and law.derived({}) == {} and law.centred({}, level=2.0) == {"level": 2.0}
    assert law.irreducible({}, {"E": 1.7}) == 1.7 and law.irreducible({}, {"level": 0.3}) == 0.0
    assert law.noise_of({}, 1.0, 0.02) == 0.02


def test_the_spread_of_the_slope_counts_that_its_scale_is_not_known():
    scale = dist.LogNormal(-2.0, 0.7)
    error = scale.sample(jax.random.key(0), (100_000,)) * jax.random.normal(jax.random.key(1), (100_000,))
    mean, spread = bs.models.PowerLaw(discrepancy=scale).slope_moments
    assert mean == 0.0 and spread == pytest.approx(float(error.std()), rel=0.02)


@pytest.mark.parametrize("scale", [LogStudentT(3.0, -1.6, 0.2), dist.HalfCauchy(0.2)])
def test_an_error_of_the_slope_without_a_spread_is_refused_with_what_to_give(scale):
    law = bs.models.Superset(discrepancy=scale)
    with pytest.raises(bs.LawError, match=r"^Superset.discrepancy is (LogS|HalfC).*\), which has no finite mean"):
        law.slope_moments  # noqa: B018


def test_a_known_error_is_relative_unless_noise_adds_to_the_outcome():
    class Added(bs.Law):
        signed = ("loss",)
        level: bs.Prior = dist.Normal(0.0, 1.0)

        def mean(self, N, *, level):
            return level + 0 * N

        def likelihood(self, mean, sigma):
            return dist.Normal(mean, sigma)

    mean, error = jnp.array([-2.0, 0.5]), jnp.array([0.1, 0.1])
    assert Added().known_noise(mean, error).tolist() == error.tolist()
    assert bs.models.PowerLaw().known_noise(-mean, error)[0] == pytest.approx(0.05)
    study = bs.Study.from_frame({"N": [1e8, 2e8], "loss": [2.0, 0.5], "loss_se": [0.1, 0.1]})
    site = run_model(Added(), *Added().arrays(study), latent={"level": 2.0, "sigma": 1e-6})["loss"]
    assert np.allclose(site["fn"].base_dist.scale, 0.1)


def test_a_choice_of_options_brings_priors_and_those_given_count_before_them():
    class Wide(Better):
        wide: bool = bs.option(default=False, about="Whether the level may be anywhere.")

        @classmethod
        def own_priors(cls, fields):
            return {"level": dist.Normal(0.0, 100.0)} if fields.get("wide") else {}

    given = dist.Normal(0.0, 1.0)
    assert Wide(wide=True).level.scale == 100.0 and Wide().level.scale == 1.0
    wide = Wide(wide=True)
    assert Wide().replace(wide=True) == wide and wide.replace(wide=False) == Wide() and wide.replace(wide=True) == wide
    assert Wide(sigma=0.1).replace(wide=True) == wide.replace(sigma=0.1) == Wide(wide=True, sigma=0.1)
    other = dist.Normal(2.0, 1.0)
    assert Wide(level=other).replace(wide=True).level is other and wide.replace(wide=False, level=other).level is other
    assert Wide(wide=True, level=given).level is given and Better.own_priors({"level": given}) == {}


def test_every_hook_has_words():
    hooks = {name: hook for name, hook in vars(Hooks).items() if not name.startswith("_") and callable(hook)}
    assert {"lower_is_better", "irreducible", "transferred", "centred"} <= set(hooks)
    assert all(hook.__doc__ for hook in hooks.values())


def test_an_input_is_positive_unless_the_law_says_otherwise():
    class Shared(bs.Law):
        level: bs.Prior = dist.Normal(0.0, 1.0)
        indicators = ("share",)
        signed = ("temperature",)

        def mean(self, N, share, temperature, *, level):
            return level + 0 * N

    values = np.array([1.0, 0.0, -1.0, np.nan, np.inf])
    allowed = {name: Shared().allows(name, values).tolist() for name in ("N", "share", "temperature")}
    assert allowed == {
        "N": [True, False, False, False, False],
        "share": [True, True, False, False, False],
        "temperature": [True, True, True, False, False],
    }


def test_the_slope_of_an_outcome_of_any_sign_errs_alike_wherever_its_zero_lies():
    class Gap(bs.Law):
        level: bs.Prior = dist.Normal(0.0, 30.0)
        outcome = "gap"
        signed = ("gap",)
        better: ClassVar = {"gap": "lower"}

        def mean(self, N, *, level):
            return level - 0.5 * jnp.log(N / 1e8)

        def likelihood(self, mean, sigma):
            return dist.Normal(mean, sigma)

    near, far = ({"N": jnp.asarray(sizes)} for sizes in (np.geomspace(1e7, 1e9, 9), [1e11]))
    moved = [
        float(Gap().extrapolated(far, near, {"level": level}, 0.2)[0] - Gap().at(far, {"level": level})[0])
        for level in (-20.0, 0.0, 20.0)
    ]
    assert moved == pytest.approx([moved[0]] * 3, rel=1e-4)
    assert moved[0] == pytest.approx(-0.2 * 0.5 * np.log(1e11 / 1e9), rel=0.2)


class Own(Worse):
    """A law with a model of its own."""

    def __call__(self, runs, observed=None, fitted=None):
        super().__call__(runs, observed, fitted)


class Reads(Own):
    """One that says it reads known errors."""

    reads_loss_error = True


class Reader(Reads):
    """One that inherits its model."""


def test_a_law_with_a_model_of_its_own_says_where_it_reads_known_errors():
    assert [law.reads_loss_error for law in (Worse(), Own(), Reads(), Reader())] == [True, False, True, True]
    assert float(Worse().known_noise(np.array(4.0), np.array(0.1))) == pytest.approx(0.025)
