from __future__ import annotations

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.draws import BLOCK
from tests.conftest import DRAWS
from tests.worlds import chinchilla, known

COUNT = 2 * BLOCK + 9  # the last block is not full


@pytest.fixture(scope="module")
def posterior():
    return chinchilla()


@pytest.fixture(scope="module")
def targets():
    """The same run again and again, far beyond the fitted ones, under different names."""
    return pd.DataFrame({"target": [f"copy {i}" for i in range(COUNT)], "N": 7e10, "D": 4e12})


@pytest.fixture(scope="module")
def whole(posterior, targets):
    return posterior.forecast(targets)


def test_chunks_put_end_to_end_are_the_whole_forecast(posterior, targets, whole):
    parts = list(posterior.forecast_chunks(targets))
    assert [len(p.targets) for p in parts] == [BLOCK, BLOCK, 9]
    for name, draws in whole.draws.items():
        assert np.array_equal(np.concatenate([p.draws[name] for p in parts], axis=1), draws), name
    table = pd.concat([p.intervals() for p in parts], ignore_index=True)
    pd.testing.assert_frame_equal(table, whole.intervals())


def test_a_forecast_does_not_depend_on_the_targets_that_follow(posterior, targets, whole):
    few = posterior.forecast(targets.head(BLOCK + 3))
    assert np.allclose(few.draws["loss_run"], whole.draws["loss_run"][:, : BLOCK + 3], rtol=1e-12)


def test_the_slope_error_is_shared_by_all_chunks_and_the_noise_by_none(whole):
    mean, run = (whole.draws[f"loss_{band}"].to_numpy() for band in ("mean", "run"))
    assert np.array_equal(mean, np.repeat(mean[:, :1], COUNT, axis=1))
    assert mean.std() > whole.draws["loss_law"].to_numpy().std()
    noise = np.log(run / mean)
    assert len(np.unique(noise)) == noise.size
    assert abs(np.corrcoef(noise[:, 5], noise[:, BLOCK + 5])[0, 1]) < 0.2  # 400 draws: four standard errors


def test_known_outcomes_stay_with_their_targets(posterior, targets):
    known = targets.assign(loss=np.linspace(2.0, 3.0, COUNT))
    scores = [part.score() for part in posterior.forecast_chunks(known)]
    assert np.array_equal(pd.concat(scores)["actual"], known["loss"])
    given = posterior.forecast(known, given=["loss"])
    assert np.array_equal(given.draws["loss_run"][0], known["loss"])


def test_one_known_outcome_may_be_named_alone(posterior):
    known = {"N": 7e10, "D": 4e12, "loss": 2.0}
    assert (posterior.forecast(known, given="loss").draws["loss_run"] == 2.0).all()
    with pytest.raises(bs.TargetError, match="the outcome 'los' to condition on"):
        posterior.forecast(known, given="los")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples is 0; give a whole number of at least 1"),
        ({"samples": -3}, "samples is -3"),
        ({"samples": 2.5}, r"samples is 2\.5"),
        ({"seed": -1}, "seed is -1; give a whole number of at least 0"),
        ({"seed": "a"}, "seed is 'a'"),
    ],
)
def test_what_is_no_number_of_draws_and_no_seed_is_refused(posterior, options, message):
    with pytest.raises(bs.BayesScalingError, match=message):
        posterior.forecast({"N": 7e10, "D": 4e12}, **options)
    with pytest.raises(bs.BayesScalingError, match=message):
        bs.Surface.of(posterior, **options)


def test_chunks_refuse_a_bad_target_before_the_first_is_asked_for(posterior):
    with pytest.raises(bs.TargetError, match="needs D"):
        posterior.forecast_chunks({"N": 7e9})


def test_memory_does_not_grow_with_the_targets():
    code = (
        "import resource, pandas as pd\n"
        "from tests.worlds import chinchilla\n"
        "def peak(count):\n"
        "    targets = pd.DataFrame({'target': [f'run {i}' for i in range(count)], 'N': 7e9, 'D': 4e12})\n"
        "    rows = sum(len(part.intervals()) for part in posterior.forecast_chunks(targets))\n"
        "    return rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10\n"
        "posterior = chinchilla(count=4000)\n"
        "few, before = peak(200)\n"
        "many, after = peak(1500)\n"
        "print(few, many, after - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    few, many, grown = done.stdout.split()
    assert (few, many) == ("200", "1500")
    assert float(grown) < 48  # MiB; the three bands of all targets are 137


class Falling(bs.Law):
    """A straight line, which leaves the positive numbers."""

    slope: bs.Prior = dist.Normal(-1.0, 0.5)

    def mean(self, N, *, slope):
        return 4 + slope * jnp.log10(N / 2e7)


def test_a_law_that_has_left_the_positive_numbers_is_refused():
    sizes = np.geomspace(2e7, 1e9, 12)
    table = pd.DataFrame({"N": sizes, "loss": 4 - np.log10(sizes / 2e7) + np.tile([-0.01, 0.01], 6)})
    fitted = bs.fit(Falling(), bs.Study.from_frame(table), seed=0, draws=DRAWS)
    assert fitted.forecast({"N": 1e10}).intervals()["median"].iloc[0] == pytest.approx(1.3, abs=0.1)
    with pytest.raises(bs.LawError, match=r"expects a loss of zero or less at target 'N=1e.13' in 100% of its draws"):
        fitted.forecast([{"N": 1e10}, {"N": 1e13}])


class Edged(bs.Law):
    """A law without a number where N is above its edge."""

    top: bs.Prior = dist.LogNormal(0.0, 0.5)

    def mean(self, N, *, top):
        return 1 + jnp.sqrt(top - jnp.log10(N))


def test_draws_that_are_no_numbers_are_refused_however_few_they_are():
    fitted = known(Edged(), {"top": np.linspace(10.0, 12.0, 201), "sigma": np.full(201, 0.01)})
    assert fitted.forecast({"N": 9e9}).intervals()["median"].iloc[0] == pytest.approx(2.02, abs=0.02)
    for size, share in ((1.01e10, "0.5%"), (1e11, "49.8%"), (1e13, "100.0%")):
        with pytest.raises(bs.LawError, match=rf"says a loss that is NaN at target 'N=.*' in {share} of its draws"):
            fitted.forecast([{"N": 9e9}, {"N": size}])


class Exploding(bs.Law):
    """A law that leaves the numbers where N is large."""

    steep: bs.Prior = dist.LogNormal(0.0, 0.5)

    def mean(self, N, *, steep):
        return jnp.exp(steep * jnp.log10(N))


def test_infinite_draws_are_refused_where_they_are_more_than_a_few():
    draws = {"steep": np.linspace(0.1, 0.2, 200), "sigma": np.full(200, 0.01)}
    few, many = (
        known(Exploding(), draws | {"steep": np.where(np.arange(200) < n, 80.0, draws["steep"])}) for n in (2, 3)
    )
    assert np.isinf(few.forecast({"N": 1e10}).draws["loss_law"]).sum() == 2
    with pytest.raises(bs.LawError, match=r"says a loss that is infinite at target 'N=1e.10' in 1\.5% of its draws"):
        many.forecast({"N": 1e10})
