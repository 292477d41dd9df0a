import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions import mixture
from bayes_scaling.decisions.mixture import _limits, best_mixture
from bayes_scaling.models import Mixture
from tests.models.examples import mixtures
from tests.worlds import known

PAIR = ("share_web", "share_code")


def domain(own, exponents, *series):
    """Return a posterior of the loss on a domain that is a pure power of its own share; no other domain helps."""
    series = series or ("7B",)
    law = Mixture(shares=PAIR, own=own, floor=0.0, effect=0.0, head=1e-9)
    exponents = np.asarray(exponents, dtype=float)
    one = np.ones((len(exponents), len(series)))
    draws = {"level": 3.0 * one, "sigma": 0.005 * one}
    draws |= {"exponent_mean": exponents, "exponent_offset": 0 * one}
    table = mixtures(PAIR, series=tuple((name, 1.0) for name in series))
    return known(law, draws, table.reset_index(drop=True))


def test_the_best_mixture_of_powers_is_the_one_in_closed_form():
    gamma, web, code = 0.2, 3.0, 1.0
    found = best_mixture([domain(own, [gamma] * 5) for own in PAIR], weights=[web, code])
    ratio = (web / code) ** (1 / (1 + gamma))  # Lagrange: w r^-(gamma + 1) is the same for both
    assert found.choice["share_web"] == pytest.approx(ratio / (1 + ratio), abs=1e-4)
    assert found.choice.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.best.to_numpy(), [found.choice.to_numpy()] * 5, atol=1e-4)
    np.testing.assert_allclose(found.regret, 0.0, atol=1e-7)


def test_not_knowing_the_exponents_costs_a_regret():
    found = best_mixture([domain("share_web", [0.05, 0.4]), domain("share_code", [0.4, 0.05])])
    assert found.choice["share_web"] == pytest.approx(0.5, abs=1e-3)
    low, high = found.best["share_web"]
    assert low < 0.4 and high > 0.6 and (found.regret > 0.005).all()
    table = found.table()
    assert list(table.index) == [*PAIR, "regret"] and np.isnan(table.loc["regret", "choice"])
    assert table.loc["regret", "mean"] == pytest.approx(found.regret.mean())


@pytest.mark.parametrize("nothing", [None, {}, [], ()])
def test_no_bounds_are_none_whatever_their_type(nothing):
    assert _limits(("share_web", "share_code"), nothing).tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_bounds_hold_and_what_is_left_goes_to_the_others():
    found = best_mixture([domain(own, [0.2]) for own in PAIR], bounds={"share_code": (0.1, 0.3)})
    np.testing.assert_allclose(found.choice[list(PAIR)], [0.7, 0.3], atol=1e-6)


def test_a_domain_left_out_whose_loss_is_steep_there_moves_no_other_share():
    three = ("share_web", "share_code", "share_maths")

    def fit(own, gamma, head):
        law = Mixture(shares=three, own=own, floor=0.0, effect=0.0, head=head)
        one = np.ones((2, 1))
        draws = {"level": 3.0 * one, "sigma": 0.005 * one, "exponent": gamma * one}
        return known(law, draws, mixtures(three, series=(("7B", 1.0),)).reset_index(drop=True))

    fits = [fit("share_web", 0.4, 1e-9), fit("share_code", 0.2, 1e-9), fit("share_maths", 0.2, 1e-9)]
    found = best_mixture(fits, weights=[1.0, 3.0, 1.0], bounds={"share_web": (0.0, 0.0)})
    ratio = 3.0 ** (1 / 1.2)
    np.testing.assert_allclose(found.choice[list(three)], [0.0, ratio / (1 + ratio), 1 / (1 + ratio)], atol=1e-4)
    only = best_mixture(fits, bounds={"share_web": (0.1, 0.1), "share_code": (0.2, 0.2)})
    np.testing.assert_allclose(only.choice[list(three)], [0.1, 0.2, 0.7])


def test_fits_of_unequal_length_give_as_many_draws_each():
    few, many = domain("share_web", [0.1, 0.2, 0.3]), domain("share_code", np.full(7, 0.2))
    found = best_mixture([few, many])
    assert len(found.best) == len(found.loss) == 3
    same = best_mixture([few, domain("share_code", np.full(3, 0.2))])
    np.testing.assert_allclose(found.best, same.best)
    assert len(best_mixture([few, many], samples=2).best) == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bounds": {"share_cod": (0, 1)}}, bs.DecisionError, "did you mean 'share_code'"),
        ({"bounds": {"share_code": (0.0, 0.2), "share_web": (0.0, 0.2)}}, bs.DecisionError, "room for a sum of one"),
        ({"bounds": {"share_code": 0.3}}, bs.DecisionError, r"of share_code are 0\.3; give the least and the largest"),
        ({"bounds": {"share_code": (0.1, "x")}}, bs.DecisionError, "of share_code are .*; give the least"),
        ({"bounds": {"share_code": (0.1, 0.2, 0.3)}}, bs.DecisionError, "of share_code are .*; give the least"),
        ({"bounds": [(0.1, 0.2)]}, bs.DecisionError, "The bounds are .*; give those of each share"),
        ({"weights": [1.0]}, bs.DecisionError, "give 2 numbers"),
        ({"series": "8B"}, bs.TargetError, "known: 7B"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        best_mixture([domain(own, [0.2]) for own in PAIR], **options)


def test_what_is_no_fit_is_refused():
    with pytest.raises(bs.DecisionError, match=r"^There is no fit to decide on; give one of bs[.]fit"):
        best_mixture([])
    for wrong in (None, [None]):
        with pytest.raises(bs.LawError, match=r"^A NoneType is given where a fit is needed"):
            best_mixture(wrong)


class Valley(bs.Law):
    """An outcome of one series, lowest at a share of its own."""

    outcome = "perplexity"
    unit = "tokens"
    shares = indicators = PAIR
    lowest: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, share_web, share_code, *, lowest):
        return 2.0 + (share_web - lowest) ** 2


class Sunk(Valley):
    """A valley that is almost zero where a search begins, at equal shares."""

    def mean(self, share_web, share_code, *, lowest):
        return super().mean(share_web, share_code, lowest=lowest) - 2.02 + 1e-16


def test_any_law_of_shares_has_a_best_mixture():
    table = mixtures(PAIR, series=(("7B", 1.0),)).drop(columns=["task", "loss"]).assign(perplexity=2.5)
    fit = known(Valley(), {"lowest": [0.3, 0.5], "sigma": np.full(2, 0.01)}, table.reset_index(drop=True))
    found = best_mixture(fit)
    assert found.choice["share_web"] == pytest.approx(0.4, abs=1e-4)
    np.testing.assert_allclose(found.best["share_web"], [0.3, 0.5], atol=1e-4)
    shown = repr(found).splitlines()
    assert shown[0] == "BestMixture" and shown[2].split()[:2] == ["share_web", "0.4"] and "array" not in repr(found)
    assert shown[-1].split()[:2] == ["regret", "-"] and "<th>share_code</th>" in found._repr_html_()
    sunk = known(Sunk(), {"lowest": [0.3, 0.5], "sigma": np.full(2, 0.01)}, table.reset_index(drop=True))
    assert best_mixture(sunk).choice["share_web"] == pytest.approx(0.4, abs=1e-3)
    with pytest.raises(bs.TargetError, match="Valley describes one series, so there is no '7B'; leave it out"):
        best_mixture(fit, "7B")


def test_a_law_that_reads_more_than_shares_is_refused():
    class Larger(Valley):
        def mean(self, share_web, share_code, N, *, lowest):
            return super().mean(share_web, share_code, lowest=lowest) / N

    table = mixtures(PAIR, series=(("7B", 1.0),)).drop(columns="task").assign(perplexity=2.5, N=1e9)
    fit = known(Larger(), {"lowest": [0.3, 0.5], "sigma": np.full(2, 0.01)}, table.reset_index(drop=True))
    with pytest.raises(bs.LawError, match="Larger also reads N, which no mixture says; fit a law of shares alone"):
        best_mixture(fit)


def test_series_may_be_called_by_numbers():
    fit = domain("share_web", [0.2], 10**9, 7 * 10**9)
    assert best_mixture(fit, 10**9).choice["share_web"] == pytest.approx(1.0)
    with pytest.raises(bs.TargetError, match="describes 2 series; give one of 1000000000, 7000000000"):
        best_mixture(fit)
    with pytest.raises(bs.TargetError, match="known: 1000000000, 7000000000"):
        best_mixture(fit, "8B")


def test_a_best_mixture_is_of_mixtures(simulated_fit):
    with pytest.raises(
        bs.LawError, match="Chinchilla names no shares of a mixture to choose; fit a law whose shares= are given"
    ):
        best_mixture(simulated_fit)


def test_a_second_mixture_of_the_same_fits_compiles_nothing():
    fits = [domain(own, [0.2, 0.3]) for own in PAIR]
    best_mixture(fits)
    compiled = mixture._loss.count, mixture._expected.count
    best_mixture([domain(own, [0.1, 0.4]) for own in PAIR], weights=[2.0, 1.0])
    assert (mixture._loss.count, mixture._expected.count) == compiled


def test_what_cannot_be_weighed_against_one_another_is_refused():
    class Share(Valley):
        better = {"perplexity": "higher"}

    draws = {"lowest": [0.3, 0.5], "sigma": np.full(2, 0.01)}
    table = mixtures(PAIR, series=(("7B", 1.0),)).drop(columns=["task", "loss"]).assign(perplexity=2.5)
    fits = [known(law, draws, table.reset_index(drop=True), units={"perplexity": unit})
            for law, unit in ((Share(), "nats"), (Valley(), "nats"), (Valley(), "bits"))]  # fmt: skip
    with pytest.raises(bs.DecisionError, match="More perplexity is better by Share, and a mixture is chosen where it"):
        best_mixture(fits[0])
    with pytest.raises(bs.DecisionError, match=r"differ in the unit of 'perplexity' \('nats' and 'bits'\), so their"):
        best_mixture(fits[1:])
