import dataclasses

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.next_runs import MIN_GAIN, achieved, read_candidates
from bayes_scaling.models import Chinchilla, PowerLaw, RepeatedData
from bayes_scaling.study.flops import six_n_d
from tests.worlds import GRID, by_compute, chinchilla, exact, known, ladder, superset

AT = {"N": 7e9, "D": 4e12}
GRID_OF_CANDIDATES = pd.DataFrame([(n, r * n) for n in (5e8, 1e9, 2e9, 4e9) for r in (10, 40, 160)], columns=["N", "D"])


class Straight(bs.Law):
    """Linear in its parameters, with normal noise: what a run teaches is known in closed form."""

    level: bs.Prior = dist.Normal(3.0, 1.0)
    by_size: bs.Prior = dist.Normal(0.0, 1.0)
    by_data: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, N, D, *, level, by_size, by_data):
        return level + by_size * jnp.log(N / 3e8) + by_data * jnp.log(D / 8e9)

    def likelihood(self, mean, sigma):
        return dist.Normal(mean, sigma)


def test_matches_the_linear_model_in_closed_form():
    rng = np.random.default_rng(0)
    spread = np.array([[4.0, 1.0, 0.5], [1.0, 1.0, 0.2], [0.5, 0.2, 0.8]]) * 1e-4
    theta = rng.multivariate_normal([3.0, -0.1, -0.1], spread, 4000)
    noise = 0.02
    draws = dict(zip(("level", "by_size", "by_data"), theta.T, strict=True)) | {"sigma": np.full(4000, noise)}
    surface = exact(known(Straight(), draws))
    found = bs.next_runs(surface, GRID_OF_CANDIDATES, AT, count=2)

    def features(table):
        return np.stack([np.ones(len(table)), np.log(table["N"] / 3e8), np.log(table["D"] / 8e9)], axis=1)

    x, t = features(GRID_OF_CANDIDATES), features(pd.DataFrame([AT]))[0]
    K = np.cov(theta.T)
    share = (x @ K @ t) ** 2 / (np.sum((x @ K) * x, axis=1) + noise**2) / (t @ K @ t)
    ranked = found.table().sort_values("run", key=lambda s: s.str.split().str[1].astype(int))
    np.testing.assert_allclose(ranked["narrower"], 1 - np.sqrt(1 - share), rtol=0.05)

    first, second = (int(r.split()[1]) - 1 for r in found.batch["run"])
    both = x[[first, second]]
    gain = np.linalg.solve(both @ K @ both.T + noise**2 * np.eye(2), both @ K @ t)
    left = 1 - (t @ K @ both.T) @ gain / (t @ K @ t)
    assert (1 - found.batch["narrower"].iloc[1]) ** 2 == pytest.approx(left, rel=0.08)


def test_errors_of_the_exponents_stand_in_place_of_the_slopes():
    """Where they are next to nothing, runs teach what they do of the exact law."""
    posterior = chinchilla(count=200)
    little = bs.next_runs(bs.Surface.of(posterior, exponent_error=1e-9), GRID_OF_CANDIDATES, AT)
    plain = bs.next_runs(exact(posterior), GRID_OF_CANDIDATES, AT)
    columns = ["n_params", "sd_after", "narrower"]
    pd.testing.assert_frame_equal(little.table()[columns], plain.table()[columns], rtol=1e-4)
    much = bs.next_runs(bs.Surface.of(posterior, exponent_error=0.25), GRID_OF_CANDIDATES, AT)
    assert much.table()["sd_after"].min() > 1.1 * plain.table()["sd_after"].min()


def test_ranking_batch_and_baseline():
    found = bs.next_runs(chinchilla(), GRID_OF_CANDIDATES, AT, count=3)
    table = found.table()
    assert table["per_flop"].is_monotonic_decreasing and list(table["rank"]) == list(range(1, 13))
    assert found.batch["run"].iloc[0] == table["run"].iloc[0]
    assert found.baseline["flops"].iloc[0] == table["flops"].max()
    assert len(found.batch) == len(found.baseline) == 3 and found.batch["run"].is_unique
    posterior = chinchilla()
    assert found.sd == pytest.approx(posterior.forecast(AT).draws["loss_mean"].std().item(), rel=0.05)


def test_a_run_at_the_target_tells_most():
    nearby = pd.DataFrame({"N": [1e8, 7e9], "D": [2e9, 4e12]})
    found = bs.next_runs(exact(chinchilla()), nearby, AT).table().set_index("run")
    assert found.at["candidate 2", "narrower"] > 0.3 > found.at["candidate 1", "narrower"]


def test_spending_keeps_within_the_money_and_beats_the_largest_run():
    money = 4e21
    found = bs.next_runs(exact(chinchilla()), GRID_OF_CANDIDATES, AT, spend=money)
    assert found.batch["flops"].sum() <= money and found.baseline["flops"].sum() <= money
    assert found.batch["sd_after"].iloc[-1] <= found.baseline["sd_after"].iloc[-1] * (1 + 1e-9)


def test_a_candidates_own_cost_is_used():
    costs = GRID_OF_CANDIDATES.assign(flops=1e20)
    found = bs.next_runs(chinchilla(), costs, AT).table()
    assert (found["flops"] == 1e20).all()
    assert found["narrower"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("candidates", "options", "message"),
    [
        (GRID.iloc[:0], {}, "no candidates"),
        (GRID[["N"]], {}, r"^The candidates lack D \(tokens\) and give only n_params; add D\.$"),
        (
            [{"N": 1e9, "D": 2e10}, {"C": 1e21}],
            {},
            r"candidate in row 2 gives no N \(n_params\), and others do; add N\.$",
        ),
        (
            [{"run": "a", "N": 1e9, "D": 2e10}, {"run": "b", "N": 1e9, "D": 2e10, "flops": 1e21}],
            {},
            r"in run 'a' \(row 1\) gives no C \(flops\), and others do; add C, such as 6 x N x D\.$",
        ),
        (GRID.assign(D=0.0), {}, "candidates' column tokens in row 1, row 2"),
        (
            GRID.head(3).assign(run=["a", "b", "c"], D=[1e9, -3e11, 0.0]),
            {},
            r"column tokens in run 'b' \(row 2\) and run 'c' \(row 3\) is -3e\+11 and 0; give positive",
        ),
        (GRID.assign(N="large"), {}, "have n_params of 'large', .*give plain numbers"),
        (GRID.assign(run="same"), {}, "called 'same'"),
        (GRID.assign(run=7), {}, "candidates are called 7; give each"),
        (GRID, {"spend": 1e10}, "No candidate costs"),
        (GRID, {"spend": -1.0}, "spend is"),
        (GRID, {"spend": [1e21, 1e22]}, "spend is .*; give one number"),
        (GRID, {"count": 0}, "count is 0"),
        (GRID, {"count": True}, "count is True; give a whole number of at least 1"),
    ],
)
def test_what_cannot_be_ranked_is_refused(candidates, options, message):
    with pytest.raises(bs.BayesScalingError, match=message):
        bs.next_runs(chinchilla(), candidates, AT, **options)


def test_a_candidate_without_a_name_is_called_by_its_place():
    four = GRID.head(4).assign(run=["a", None, " ", np.nan])
    found = read_candidates(Chinchilla(), six_n_d, four, chinchilla(count=2).study)
    assert found["run"].tolist() == ["a", "candidate 2", "candidate 3", "candidate 4"]
    with pytest.raises(bs.DecisionError, match="Two candidates are called 'candidate 2'"):
        read_candidates(
            Chinchilla(), six_n_d, four.assign(run=["candidate 2", None, "b", "c"]), chinchilla(count=2).study
        )


def test_candidates_of_a_law_of_compute_are_told_how_to_count_it():
    add = r"add C, such as 6 x N x D\.$"
    with pytest.raises(bs.DecisionError, match=rf"lack C \(flops\) and give only n_params and tokens; {add}"):
        bs.next_runs(by_compute(count=20), {"N": [1e9], "D": [2e10]}, {"C": 1e23})
    with pytest.raises(bs.DecisionError, match=rf"candidate in row 1 gives no C \(flops\), and others do; {add}"):
        bs.next_runs(by_compute(count=20), [{"N": 1e9, "D": 2e10}, {"C": 1e21}], {"C": 1e23})


def test_a_candidate_or_a_target_of_one_task_is_refused():
    surface = bs.Surface.of(ladder(count=20), quantity="accuracy", series="one")
    with pytest.raises(
        bs.DecisionError, match=r"^A candidate gives the task 'two', and TwoStep forecasts every run in"
    ):
        bs.next_runs(surface, [{"N": 1e9, "D": 2e10, "task": "two"}], AT)
    with pytest.raises(bs.TargetError, match=r"^A target gives the task 'two', and TwoStep forecasts every run in"):
        bs.next_runs(surface, [{"N": 1e9, "D": 2e10}], {**AT, "task": "two"})


def test_a_count_may_be_numpys():
    assert len(bs.next_runs(chinchilla(), GRID_OF_CANDIDATES, AT, count=np.int64(2)).batch) == 2


def test_one_target_is_ranked_for():
    two = [AT, {**AT, "N": 8e9}]
    with pytest.raises(bs.DecisionError, match="2 targets are given, and this is decided for one run at a time"):
        bs.next_runs(chinchilla(count=20), GRID, two)


def test_one_unit_throughout():
    found = bs.next_runs(exact(chinchilla()), GRID_OF_CANDIDATES, AT, count=3)
    for rows in (found.ranking, found.batch, found.baseline):
        np.testing.assert_allclose(rows["narrower"], 1 - rows["sd_after"] / found.sd, rtol=1e-12)
    np.testing.assert_allclose(found.ranking["per_flop"] * found.ranking["flops"], found.ranking["narrower"])


def test_a_run_that_narrows_nothing_is_not_recommended():
    surface = exact(chinchilla())
    useless = pd.DataFrame({"run": ["a", "b"], "N": [2e8, 2e8], "D": [4e9, 4e9], "flops": [1e18, 1e18]})
    noisy = chinchilla(sigma=50.0)  # no run of this noise teaches anything
    nothing = bs.next_runs(exact(noisy), useless, AT, count=2)
    assert nothing.batch.empty and "narrower" in nothing.batch and len(nothing.baseline) == 2
    assert achieved(nothing.batch) == 0.0
    found = bs.next_runs(
        surface, pd.concat([useless, pd.DataFrame([{"run": "far", **AT, "flops": 1e23}])]), AT, count=3
    )
    gains = -np.diff([found.sd, *found.batch["sd_after"]]) / found.sd
    assert (gains >= MIN_GAIN).all() and len(found.batch) >= 1
    spent = bs.next_runs(exact(noisy), useless, AT, spend=1e19)
    assert spent.batch.empty


def test_no_run_widens_a_forecast():
    """Small runs move the edge of the data, a quantile of the runs, inwards."""
    small = pd.DataFrame({"N": [2e7, 3e7, 5e7], "D": [2e8, 3e8, 5e8]})
    surface = bs.Surface.of(chinchilla())
    found = bs.next_runs(surface, pd.concat([small, GRID_OF_CANDIDATES]), AT, count=4)
    assert (found.ranking["narrower"] >= 0).all() and (found.ranking["per_flop"] >= 0).all()
    for rows in (found.batch, found.baseline):
        assert (np.diff([0.0, *rows["narrower"]]) >= -1e-12).all()


def test_the_parts_of_the_spread_add_up():
    found = bs.next_runs(bs.Surface.of(chinchilla()), GRID_OF_CANDIDATES, AT)
    assert np.hypot(found.sd_law, found.sd_slope) == pytest.approx(found.sd)
    assert 0 < found.removable < 1
    alone = bs.next_runs(exact(chinchilla()), GRID_OF_CANDIDATES, AT)
    assert alone.sd_slope == 0.0 and alone.removable == 1.0
    assert found.sd_law == pytest.approx(alone.sd)


def test_a_further_input_that_candidates_have_is_their_own_and_the_targets_is_its_own():
    """What is seen once says nothing of what repeats are worth."""
    law, rng, count = RepeatedData(), np.random.default_rng(3), 400
    draws = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.01}
    draws |= {name: rng.lognormal(np.log(middle), 0.5, count) for name, middle in (("repeats", 15.0), ("excess", 5.0))}
    draws = {name: np.broadcast_to(value, count) for name, value in draws.items()}
    surface = exact(known(law, draws, GRID.assign(unique_tokens=GRID["D"])), given={"unique_tokens": 1e10})
    two = pd.DataFrame({"run": ["often", "once"], "N": 1e9, "D": 1e11, "unique_tokens": [2e9, 1e11]})
    found = bs.next_runs(surface, two, AT).ranking.set_index("run")
    assert list(found["unique_tokens"]) == [2e9, 1e11] and found.index[0] == "often"
    assert found.at["often", "narrower"] > 0.1 > 0.01 > found.at["once", "narrower"]
    held = exact(surface.posterior, given={"unique_tokens": 2e9})
    alone = bs.next_runs(held, two[["run", "N", "D"]], {**AT, "unique_tokens": 1e10}).ranking.set_index("run")
    assert alone.at["often", "narrower"] == pytest.approx(found.at["often", "narrower"], rel=1e-6)
    bare = bs.next_runs(dataclasses.replace(surface, given={}), two, AT | {"unique_tokens": 1e10})
    pd.testing.assert_frame_equal(bare.ranking.set_index("run"), found)
    with pytest.raises(bs.LawError, match="RepeatedData also reads 'unique_tokens'"):
        bs.next_runs(surface.posterior, two[["run", "N", "D"]], AT | {"unique_tokens": 1e10})
    with pytest.raises(bs.DecisionError, match="row 2 has no unique_tokens; give it, or leave the column out"):
        bs.next_runs(surface, two.assign(unique_tokens=[2e9, None]), AT)


def test_an_input_that_runs_may_lack_is_read_where_candidates_or_the_target_have_it():
    surface = exact(superset())
    two = pd.DataFrame({"run": ["long", "short"], "N": 1e9, "D": 1e11, "steps": [1e6, 1e3]})
    found = bs.next_runs(surface, two, AT)
    ranking = found.ranking.set_index("run")
    assert ranking.at["long", "steps"] == 1e6 and ranking.at["short", "steps"] == 1e3
    assert ranking.at["long", "narrower"] != ranking.at["short", "narrower"]
    short = bs.next_runs(surface, two, AT | {"steps": 1000})
    assert short.sd == pytest.approx(1.02 * found.sd)
    held = bs.next_runs(exact(superset(), given={"steps": 1000}), two, AT)
    assert held.sd == pytest.approx(short.sd)
    with pytest.raises(bs.DecisionError, match="row 2 has steps = -5, which Superset does not take"):
        bs.next_runs(surface, two.assign(steps=[1e3, -5]), AT)


def test_the_same_runs_in_two_orders_teach_the_same():
    three = pd.DataFrame({"run": ["wide", "even", "long"], "N": [4e9, 2e9, 1e9], "D": [2e10, 8e10, 3e11]})
    found = bs.next_runs(chinchilla(), three, AT, count=3)
    assert set(found.batch["run"]) == set(three["run"]) == set(found.baseline["run"])
    assert achieved(found.batch) == achieved(found.baseline)


def test_candidates_that_nothing_costs_are_refused():
    law, study = PowerLaw(column="tokens"), chinchilla(count=2).study
    with pytest.raises(bs.DecisionError, match="The candidates have neither FLOPs nor parameters and tokens to cost"):
        read_candidates(law, six_n_d, pd.DataFrame({"D": [1e12, 2e12]}), study)
    costs = read_candidates(law, six_n_d, pd.DataFrame({"D": [1e12, 2e12], "flops": [1e21, 2e21]}), study)["flops"]
    assert costs.tolist() == [1e21, 2e21]


class Curved(bs.Law):
    """At the target ``slow + fast**2``; small and long runs show ``fast``, and with tokens some of ``slow``."""

    fast: bs.Prior = dist.Normal(0.0, 1.0)
    slow: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, N, D, *, fast, slow):
        large, long = jnp.log10(N / 1e9), jnp.log10(D / 1e10)
        return 3.0 + (1 - large) * fast + large * fast**2 + long * slow

    def likelihood(self, mean, sigma):
        return dist.Normal(mean, sigma)


def curved(noise):
    """Return a surface on which the target goes with ``fast`` in no line at all, and the target and ``fast + slow``."""
    rng = np.random.default_rng(0)
    fast, slow = rng.normal(0.0, 0.5, 4000), rng.normal(0.0, 0.4, 4000)
    fast, slow = np.append(fast, -fast), np.append(slow, slow)
    return exact(known(Curved(), {"fast": fast, "slow": slow, "sigma": np.full(8000, noise)})), fast, slow


CURVED_AT = {"N": 1e10, "D": 1e11}


def test_a_run_whose_outcome_the_target_follows_in_no_line_promises_no_more_after_another():
    """Alone it teaches thousands of times what a normal model says; the run before it brings a line into play."""
    noise, rng = 0.3, np.random.default_rng(1)
    surface, fast, slow = curved(noise)
    two = pd.DataFrame({"run": ["line", "curve"], "N": 1e9, "D": [1e11, 1e10], "flops": 1e20})
    found = bs.next_runs(surface, two, CURVED_AT, count=2)
    T, means = slow + fast**2, np.stack([fast + slow, fast])
    outcomes = means[:, ::40] + rng.normal(0.0, noise, means[:, ::40].shape)
    weights = np.exp(-((outcomes[:, :, None] - means[:, None]) ** 2).sum(axis=0) / (2 * noise**2))
    weights /= weights.sum(axis=1, keepdims=True)
    left = np.mean(weights @ T**2 - (weights @ T) ** 2) / T.var()  # by both outcomes, each draw weighed
    assert list(found.batch["run"]) == ["line", "curve"]
    assert achieved(found.batch) == pytest.approx(1 - np.sqrt(left), abs=0.12)


def test_a_run_more_never_widens_the_forecast():
    """What a run was said to teach beside a normal model is still known after the next."""
    surface, *_ = curved(0.05)
    twice = pd.DataFrame({"run": ["curve", "again"], "N": 1e9, "D": 1e10, "flops": [2e20, 1e20]})
    said = bs.next_runs(surface, twice, CURVED_AT, count=2).baseline["narrower"]
    assert said[1] >= said[0] > 0.1


def test_where_nothing_varies_no_run_narrows_anything():
    fixed = exact(known(Straight(), {name: np.full(40, 1.0) for name in ("level", "by_size", "by_data", "sigma")}))
    table = pd.DataFrame({"run": ["a", "b"], "N": [1e9, 2e9], "D": [2e10, 4e10]})
    found = bs.next_runs(fixed, table, {"N": 1e11, "D": 2e12})
    assert (found.ranking["narrower"] == 0).all() and (found.ranking["sd_after"] < 1e-12).all()
