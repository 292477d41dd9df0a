from __future__ import annotations

import math

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling import calibrating
from bayes_scaling.calibrating import GRID, learn_discrepancy
from bayes_scaling.models import PowerLaw

from .conftest import DRAWS


def learn(studies, law=None, **options):
    return learn_discrepancy(law or PowerLaw(), studies, seed=0, draws=DRAWS, progress=False, **options)


def typical(law):
    return math.exp(law.discrepancy.loc)


@pytest.fixture(scope="module")
def compute():
    return np.geomspace(1e17, 1e20, 16)


def made(compute, bend, name, noise=0.001):
    """Runs of a power law whose slope changes by ``bend`` over three decades."""
    step = np.log(compute / 1e17)
    loss = 1.5 + 1.5 * np.exp(-0.15 * step * (1 + bend * step / step.max()))
    scatter = np.random.default_rng(0).normal(0, noise, len(loss))
    return bs.Study.from_frame(pd.DataFrame({"C": compute, "loss": loss * np.exp(scatter)}), name=name)


def test_without_backtests_a_study_keeps_the_prior_and_with_them_the_centre_is_shared():
    nothing = np.zeros((1, len(GRID)))
    prior = calibrating._matched(calibrating._posterior(nothing, math.log(0.1), 0.5, 0.3)[0])
    assert prior.loc == pytest.approx(math.log(0.1), abs=0.01)
    assert prior.scale == pytest.approx(0.5, abs=0.01)

    clear = -0.5 * ((np.log(GRID) - math.log(0.3)) / 0.1) ** 2
    known, unseen = map(
        calibrating._matched, calibrating._posterior(np.stack([clear, 0 * clear]), math.log(0.1), 0.5, 0.3)
    )
    assert known.loc == pytest.approx(math.log(0.3), abs=0.1) and known.scale < 0.15
    pull = (0.5**2 - 0.3**2) / (0.5**2 + 0.1**2)  # of a normal model, in closed form
    assert unseen.loc == pytest.approx(math.log(0.1) + pull * math.log(3), abs=0.02)
    assert 0.3 < unseen.scale < 0.5


def test_a_law_that_bends_beyond_each_cut_gets_a_wider_discrepancy(compute):
    straight, bent = learn([made(compute, 0.0, "straight")]), learn([made(compute, 0.8, "bent")])
    assert typical(bent[0]) > 1.3 * typical(straight[0])
    assert typical(straight[0]) < 0.2  # the law's own, before any backtest


def test_outcomes_that_several_studies_share_count_once(compute):
    one = made(compute, 0.8, "one")
    alone, (first, second) = learn([one], spread=0.01)[0], learn([one, one], spread=0.01)
    assert first.discrepancy.loc == pytest.approx(alone.discrepancy.loc, abs=0.02)
    assert second.discrepancy.scale == pytest.approx(alone.discrepancy.scale, abs=0.02)


def test_densities_are_those_of_the_forecast_with_that_discrepancy(compute):
    study = made(compute, 0.0, "runs", noise=0.03)
    posterior = bs.fit(
        PowerLaw(discrepancy=float(GRID[30])), study.select("flops < 5e18"), seed=0, draws=DRAWS, adapt=False
    )
    held_out = study.select("flops >= 5e18")
    found = calibrating._log_densities(posterior, held_out)
    assert found.shape == (len(GRID), len(held_out))
    mean = posterior.forecast(held_out, allow_unconverged=True).draws["loss_mean"].to_numpy()
    each = dist.StudentT(5.0, np.log(mean), posterior.draws["sigma"][:, None]).log_prob(np.log(held_out.column("loss")))
    direct = np.log(np.exp(each).mean(axis=0)) - np.log(held_out.column("loss"))
    assert found[30] == pytest.approx(np.asarray(direct), abs=0.15)  # two sets of slope errors


@pytest.mark.parametrize(
    "law, options, words",
    [
        (PowerLaw(), {"spread": 0.9}, "between 0 and the prior's 0.7"),
        (PowerLaw(discrepancy=0.0), {}, "give learn_discrepancy a prior"),
        (PowerLaw(discrepancy=dist.HalfNormal(0.2)), {}, "give learn_discrepancy a prior"),
    ],
)
def test_what_says_nothing_is_refused(law, options, words):
    with pytest.raises(bs.LawError, match=words):
        learn([], law, **options)
