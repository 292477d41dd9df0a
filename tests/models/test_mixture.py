import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Mixture

from .examples import SERIES, mixtures

SHARES = ("share_web", "share_code", "share_books")
TRUTH = {"level": 3.0, "floor": 0.6, "effect_share_web": 0.32, "effect_share_code": -0.6, "effect_share_books": 0.08}


def runs(*mixes):
    return {share: np.array([mix[i] for mix in mixes]) for i, share in enumerate(SHARES)}


def test_equal_shares_give_the_level_and_nothing_lies_below_the_floor():
    law, parameters = Mixture(shares=SHARES), {name: np.array([value]) for name, value in TRUTH.items()}
    assert float(law.at(runs((1 / 3,) * 3), parameters)[0, 0]) == pytest.approx(3.0)
    assert float(law.irreducible({}, parameters)[0]) == pytest.approx(1.8)


def test_a_share_acts_on_the_log_of_what_is_above_the_floor():
    law, parameters = Mixture(shares=SHARES), {name: np.array([value]) for name, value in TRUTH.items()}
    more, less = np.asarray(law.at(runs((0.2, 0.6, 0.2), (0.4, 0.4, 0.2)), parameters))[:, 0] - 1.8
    assert np.log(more / less) == pytest.approx(-0.2 * 0.8 - 0.2 * 1.5, rel=1e-5)


def test_the_own_share_is_a_power_of_data_with_a_head_start():
    law = Mixture(shares=SHARES, own="share_code", floor=0.0)
    parameters = {"level": 3.0, "floor": 0.0, "exponent": 0.1, "head": 0.01}
    parameters |= {"effect_share_web": 0.0, "effect_share_books": 0.0}
    given = {name: np.array([value]) for name, value in parameters.items()}
    none, some = np.asarray(law.at(runs((0.5, 0.0, 0.5), (0.5, 0.3, 0.2)), given))[:, 0]
    assert none / some == pytest.approx((0.31 / 0.01) ** 0.1, rel=1e-5)


@pytest.fixture(scope="module")
def posterior():
    law = Mixture(shares=SHARES)
    table = mixtures(SHARES)
    shares = {share: table[share].to_numpy() for share in SHARES}
    rng = np.random.default_rng(0)
    given = {name: np.array([value]) for name, value in TRUTH.items()}
    loss = np.asarray(law.at(shares, given))[:, 0] * np.exp(rng.normal(0, 0.002, len(table)))
    study = bs.Study.from_frame(table.assign(loss=loss * table["task"].map(dict(SERIES))))
    return bs.fit(law, study, seed=0, draws=100, progress=False)


def test_a_fit_finds_how_domains_differ_in_their_effect(posterior):
    draws = {name: np.asarray(posterior.draws[name])[:, 0] for name in TRUTH if name.startswith("effect")}
    difference = draws["effect_share_web"] - draws["effect_share_code"]
    assert abs(difference.mean() - 0.92) < 4 * difference.std() < 0.92


def test_a_share_of_zero_is_a_share_for_targets_too(posterior):
    rare = {"share_web": 0.0, "share_code": 0.7, "share_books": 0.3}
    table = posterior.forecast(rare, allow_unconverged=True).intervals()  # its fit is a short one
    assert list(table["task"]) == ["one", "two"] and (table["q05"] > 0).all()
    with pytest.raises(bs.TargetError, match=r"share_web = -0\.1; give a positive number or zero"):
        posterior.forecast({"share_web": -0.1, "share_code": 0.8, "share_books": 0.3}, allow_unconverged=True)


@pytest.mark.parametrize(("shares", "total"), [((50, 25, 25), 100), ((0.5, 0.5, 0.5), 1.5), ((0.3, 0.3, 0.3), 0.9)])
def test_targets_whose_shares_do_not_sum_to_one_are_refused(posterior, shares, total):
    with pytest.raises(bs.TargetError, match=rf"^The shares share_web, .* of target .* sum to {total}; give frac"):
        posterior.forecast(dict(zip(SHARES, shares, strict=True)), allow_unconverged=True)


def test_the_way_to_a_target_goes_through_mixtures(posterior):
    forecast = posterior.forecast(dict(zip(SHARES, (0.2, 0.5, 0.3), strict=True)), allow_unconverged=True)
    path = bs.forecast_path(posterior, forecast)
    shares = path.points.targets[list(SHARES)].to_numpy()
    assert (shares >= 0).all() and path.scale == "linear"
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_the_own_share_is_one_of_the_shares():
    with pytest.raises(bs.LawError, match=r"Mixture\.own is 'share_math', which is no share; give one of share_web, "):
        Mixture(shares=SHARES, own="share_math")


def test_a_share_that_is_given_twice_is_refused():
    with pytest.raises(bs.LawError, match="has the share 'share_web' twice; give the column of each domain once"):
        Mixture(shares=("share_web", "share_code", "share_web"))


@pytest.mark.parametrize(("shares", "said"), [((), "has no shares"), (("share_web", 3), "has the share 3")])
def test_shares_are_names_of_columns(shares, said):
    with pytest.raises(bs.LawError, match=rf"^Mixture {said}; give the names of their columns"):
        Mixture(shares=shares)


def test_shares_may_be_the_columns_of_a_table():
    assert Mixture(shares=pd.DataFrame(columns=SHARES).columns).shares == SHARES
