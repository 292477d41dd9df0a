import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.allocation import optimal_size
from bayes_scaling.decisions.speedup import ERRORS, RESOURCES
from bayes_scaling.decisions.superiority import pair_draws
from bayes_scaling.models import Chinchilla, FewSteps, PowerLaw
from bayes_scaling.study.flops import ratio_of_counts
from tests.worlds import GRID, Textbook, by_compute, chinchilla, exact, known, ladder, pooled, superset

AT = {"N": 7e9, "D": 4e12}
FAR = 1e22


def exact_of(surface):
    return dataclasses.replace(surface, discrepancy=False)


@pytest.fixture(scope="module")
def found():
    """B has a smaller reducible loss than A, and both are uncertain."""
    return bs.speedup(chinchilla(seed=1, count=200), chinchilla(seed=2, count=200, reducible=0.5), at=FAR)


def test_matches_the_closed_form(found):
    a, b = Textbook(found.a), Textbook(found.b)
    expected = FAR / b.needed(a.best(FAR))
    factor = found.draws(error="none")[:, 0]
    reached = ~np.isnan(expected)
    assert (factor[~reached] == 0).all() and 0.5 < reached.mean() <= 1.0
    np.testing.assert_allclose(factor[reached], expected[reached], rtol=1e-4)
    N = a.size(FAR)
    D = FAR / 6 / N
    goal = a.best(FAR)
    with np.errstate(invalid="ignore"):
        data = D / (b.B / (goal - b.E - b.A * N**-b.a)) ** (1 / b.b)
        size = N / (b.A / (goal - b.E - b.B * D**-b.b)) ** (1 / b.a)
    np.testing.assert_allclose(found.draws("tokens", "none")[:, 0], np.nan_to_num(data), rtol=1e-4)
    np.testing.assert_allclose(found.draws("n_params", "none")[:, 0], np.nan_to_num(size), rtol=1e-4)


def test_a_recipe_is_as_good_as_itself():
    posterior = chinchilla(count=50)
    for at in (FAR, AT, {"C": FAR}):
        found = bs.speedup(posterior, posterior, at)
        assert found.paired and set(found.factors) == {"shared", "none"} and found.shared_runs == 0
        for own in found.factors.values():
            for draws in own.values():
                np.testing.assert_allclose(draws, 1.0, rtol=1e-4)


def test_the_run_of_a_given_size_keeps_its_tokens_per_parameter():
    found = bs.speedup(exact(chinchilla(seed=1, count=50)), exact(chinchilla(seed=2, count=50)), AT)
    a, b = Textbook(found.a), Textbook(found.b)
    scale = found.draws()[:, 0] ** -0.5
    there = scale > 0
    goal = a.loss(**AT)
    np.testing.assert_allclose(b.loss(7e9 * scale, 4e12 * scale)[there], goal[there], rtol=1e-6)
    assert found.at == ("N=7e+09, D=4e+12",) and found.flops == pytest.approx(6 * 7e9 * 4e12)


def test_a_row_of_a_table_is_a_run_and_a_column_of_it_several_budgets():
    a, b = exact(chinchilla(seed=1, count=10)), exact(chinchilla(seed=2, count=10))
    rows = pd.DataFrame([AT, AT]).assign(budget=[FAR, 1e23])
    for row in (rows[["N", "D"]].iloc[1], pd.Series({"n_params": 7e9, "tokens": 4e12})):
        found = bs.speedup(a, b, at=row)
        assert found.at == ("N=7e+09, D=4e+12",)
        np.testing.assert_array_equal(found.draws(), bs.speedup(a, b, at=AT).draws())
    assert bs.speedup(a, b, at=rows["budget"]).at == ("1e+22 FLOPs", "1e+23 FLOPs")


def test_of_a_row_of_a_table_what_is_no_input_is_left_aside():
    a, b = exact(chinchilla(seed=1, count=10)), exact(chinchilla(seed=2, count=10))
    row = a.posterior.study.frame.iloc[5].copy()
    assert {"run", "loss"} <= set(row.index)
    expected = bs.speedup(a, b, at={"N": row["n_params"], "D": row["tokens"]})
    for more in ({}, {"flops": 1e19}, {"steps": 500.0, "target": "far"}):
        found = bs.speedup(a, b, at=pd.concat([row, pd.Series(more, dtype=object)]))
        assert found.at == expected.at
        np.testing.assert_array_equal(found.draws(), expected.draws())
    compute = exact(by_compute(count=10))
    assert bs.speedup(a, compute, at=pd.concat([row, pd.Series({"C": 1e21})])).at == ("1e+21 FLOPs",)
    fit = superset(count=10)
    for steps, told in ((2000.0, {"steps": 2000.0}), (np.nan, {})):
        found = bs.speedup(fit, fit, at=pd.concat([row, pd.Series({"steps": steps})]))
        expected = bs.speedup(fit, fit, at={"N": row["n_params"], "D": row["tokens"], **told})
        np.testing.assert_array_equal(found.outcome["none"], expected.outcome["none"])
    with pytest.raises(bs.DecisionError, match="The scale's run is 'run 5'"):
        bs.speedup(a, b, at=row.to_dict())


def test_never_where_the_asymptote_of_b_lies_above():
    found = bs.speedup(chinchilla(seed=1, E=1.5), chinchilla(seed=2, E=2.5), at=1e24)
    assert found.never().tolist() == [1.0] and found.probability().tolist() == [0.0]
    assert (found.table()[["median", "q95"]] == 0).all(axis=None)


def test_a_shared_error_leaves_less_to_doubt_than_one_apart(found):
    widths = {error: np.log(found.draws(error=error).clip(1e-6)).std() for error in found.factors}
    assert list(found.factors) == list(ERRORS) and found.error == "shared"
    assert widths["apart"] > 1.5 * widths["shared"] and widths["shared"] < 1.5 * widths["none"]
    same = found.outcome["shared"], found.outcome["apart"]
    np.testing.assert_array_equal(*same)


def test_errors_are_shared_by_a_law_that_states_them_as_a_number_and_one_that_has_a_prior(found):
    prior = Chinchilla(discrepancy=dist.LogNormal(np.log(0.2), 1e-5))
    b = known(prior, chinchilla(seed=2, count=200, reducible=0.5).draws)
    mixed = bs.speedup(found.a, b, at=FAR)
    np.testing.assert_allclose(mixed.draws(error="shared"), found.draws(error="shared"), rtol=1e-3)
    assert not np.allclose(mixed.draws(error="apart"), found.draws(error="apart"), rtol=0.1)


@pytest.fixture(scope="module")
def bent():
    """The same recipes with errors of their exponents."""
    fits = chinchilla(seed=1, count=60), chinchilla(seed=2, count=60)
    surfaces = [bs.Surface.of(fit, exponent_error=0.25) for fit in fits]
    return fits, surfaces, bs.speedup(*surfaces, at=1e24)


def test_laws_whose_exponents_may_be_off_compare_as_exact_ones_where_they_are_not(bent):
    fits, _, found = bent
    alone = bs.speedup(*map(exact, fits), at=1e24)
    assert list(found.factors) == list(ERRORS)
    for resource in RESOURCES:
        np.testing.assert_allclose(found.draws(resource, "none"), alone.draws(resource), rtol=1e-6)
    np.testing.assert_allclose(found.outcome["none"], alone.outcome["none"])


@pytest.mark.parametrize("error", ["shared", "apart"])
def test_a_recipe_has_the_best_size_by_its_own_errors_of_the_exponents(bent, error):
    _, surfaces, found = bent
    a, b, _ = pair_draws(*surfaces, seed=0, shared_error=error == "shared")
    factor = found.draws(error=error)
    there = (factor > 0)[:, 0]
    C = 1e24 / np.where(factor > 0, factor, 1.0)
    N = optimal_size(b, C)
    np.testing.assert_allclose(b.at(N, C / 6 / N)[there], found.outcome[error][there], rtol=1e-6)
    np.testing.assert_allclose(found.outcome[error], bs.allocate(a, 1e24).outcome)


def test_the_error_is_shared_between_laws_of_other_inputs():
    a, b = chinchilla(count=50), by_compute(count=50)
    together = bs.speedup(a, b, at=1e23)
    assert set(together.factors["shared"]) == {"flops"}
    C = np.array([1e23])
    steps = []  # how far the discrepancy moves each law
    for surface in (together.a, together.b):
        inputs = {"C": C} if surface.by_compute else {"N": np.array([3e10]), "D": C / 6 / 3e10}
        steps.append((surface.at(**inputs) - surface.at(**inputs, exact=True))[:, 0])
    assert np.corrcoef(*steps)[0, 1] > 0.95


def test_without_the_discrepancy_there_is_one_assumption():
    found = bs.speedup(exact(chinchilla(seed=1, count=30)), exact(chinchilla(seed=2, count=30)), at=[1e21, FAR])
    assert list(found.factors) == ["none"] and found.error == "none"
    table = found.table()
    assert list(table["resource"]) == [r for _ in range(2) for r in RESOURCES]
    assert set(table["at"]) == {"1e+21 FLOPs", "1e+22 FLOPs"} and found.draws().shape == (30, 2)


def test_mixtures_of_laws_have_the_three_assumptions():
    a, b = (bs.mixed_surface([chinchilla(seed=i, count=60), chinchilla(seed=i + 1, count=60)], seed=0) for i in (1, 3))
    found = bs.speedup(a, b, at=AT)
    assert list(found.factors) == list(ERRORS) and not found.paired
    np.testing.assert_allclose(found.outcome["none"], exact_of(a).at(N=[7e9], D=[4e12]))
    alone = bs.speedup(exact_of(a), exact_of(b), at=AT)
    assert list(alone.factors) == ["none"]
    np.testing.assert_allclose(alone.draws(), found.draws(error="none"))
    widths = {error: np.log(found.draws(error=error).clip(1e-6)).std() for error in found.factors}
    assert widths["apart"] > 1.2 * widths["shared"] and abs(widths["shared"] / widths["none"] - 1) > 1e-3
    itself = bs.speedup(a, a, at=AT)
    assert itself.paired and "apart" not in itself.factors
    np.testing.assert_allclose(itself.draws(), 1.0, rtol=1e-4)


def test_outcomes_that_rise_are_better_higher():
    posterior = ladder(count=30)
    a, b = (exact(posterior, quantity="accuracy", series=task) for task in ("one", "two"))
    found = bs.speedup(a, b, at=1e21)
    assert found.paired
    goal, there = found.outcome["none"][:, 0], found.draws("n_params")[:, 0] > 0
    size = bs.allocate(a, 1e21)
    reached = b.at(size.N / np.where(there, found.draws("n_params")[:, 0], 1.0)[:, None], size.D)[:, 0]
    np.testing.assert_allclose(reached[there], goal[there], rtol=1e-5)


def test_the_probability_counts_draws(found):
    draws = found.draws()[:, 0]
    assert found.probability()[0] == pytest.approx((draws > 1).mean())
    assert found.probability(above=2.0)[0] == pytest.approx((draws > 2).mean())
    row = found.table().set_index(["resource", "error"]).loc[("flops", "shared")]
    assert row["probability"] == found.probability()[0] and row["never"] == found.never()[0]
    assert row["q05"] <= row["median"] <= row["q95"]


def test_runs_that_both_fits_saw_are_counted():
    table = GRID.assign(loss=np.linspace(4, 3, len(GRID)))
    other = pd.concat([table.iloc[:6], table.iloc[6:].assign(loss=2.5)])
    found = bs.speedup(chinchilla(count=20, table=table), chinchilla(count=20, table=other), at=FAR)
    assert found.shared_runs == 6 and not found.paired


def test_a_further_input_of_a_run_is_that_of_both_recipes():
    posterior = superset(count=20)
    told = bs.speedup(posterior, posterior, at=AT | {"steps": 2000})
    np.testing.assert_allclose(told.outcome["none"], 1.005 * bs.speedup(posterior, posterior, at=AT).outcome["none"])
    law = FewSteps()
    draws = {name: np.full(20, 0.3) for name in law.free_parameters}
    few = known(law, draws, GRID.assign(steps=np.geomspace(1e3, 5e4, len(GRID))))
    np.testing.assert_allclose(bs.speedup(few, few, at=AT | {"steps": 1e5}).draws(), 1.0, rtol=1e-5)
    with pytest.raises(bs.LawError, match="FewSteps also reads 'steps'"):
        bs.speedup(few, few, at=AT)
    with pytest.raises(bs.LawError, match="The value of 'steps' is -1, which FewSteps does not take"):
        bs.speedup(few, few, at=AT | {"steps": -1})


def test_a_run_of_a_law_of_compute_is_refused():
    with pytest.raises(bs.LawError, match="PowerLaw reads C"):
        bs.speedup(by_compute(count=5), by_compute(count=5), AT)


def counted(per_token, sizes=None, name="known"):
    """Return a power law whose runs have FLOPs by a count of their own."""
    sizes = GRID["N"] if sizes is None else np.resize(sizes, len(GRID))
    runs = pd.DataFrame({"N": sizes, "D": 20 * sizes}).assign(C=lambda t: per_token(t["N"]) * t["N"] * t["D"])
    fit = known(PowerLaw(), {n: v[:20] for n, v in by_compute(count=20).draws.items()}, runs)
    return dataclasses.replace(fit, study=dataclasses.replace(fit.study, card=bs.Card(name)))


def test_two_laws_of_flops_are_compared_by_them_whatever_they_are_per_parameter_and_token():
    """A mixture of experts has fewer than a dense model of its size."""
    dense, sparse = counted(lambda N: 6), counted(lambda N: 1.5, name="other")
    found = bs.speedup(dense, sparse, at=FAR)
    assert found.at == ("1e+22 FLOPs",) and found.names == ("known", "other")
    assert found.draws().shape == (20, 1) and (found.draws() > 0).all()
    assert bs.speedup(dense, by_compute(count=20), at=FAR).at == ("1e+22 FLOPs",)  # nothing tells


def test_counts_that_fall_with_size_are_compared_at_alike_sizes():
    def full(N):  # attention and embeddings, which small models have more of
        return 6 * (1 + (N / 1e7) ** -0.3)

    small, large, beyond = (counted(full, np.geomspace(*ends, 8)) for ends in ((1e7, 1e9), (1e8, 1e10), (2e9, 1e11)))
    assert ratio_of_counts(small.study, large.study) == pytest.approx(1, abs=0.02)
    assert bs.speedup(small, large, at=FAR).at == ("1e+22 FLOPs",)
    assert np.isnan(ratio_of_counts(small.study, beyond.study))
    assert ratio_of_counts(small.study, counted(lambda N: 6, np.geomspace(1e8, 1e10, 8)).study) < 0.8


def test_what_cannot_be_compared_is_refused():
    posterior = chinchilla(count=20)
    words, bytewise = (known(Chinchilla(), dict(posterior.draws), tokeniser=name) for name in ("words", "bytes"))
    with pytest.raises(bs.DecisionError, match="differ in the tokeniser"):
        bs.speedup(words, bytewise, at=FAR)
    own = bs.Surface.of(posterior, flops=lambda N: 7 * N)
    with pytest.raises(bs.DecisionError, match="counts FLOPs by"):
        bs.speedup(posterior, own, at=FAR)
    runs = GRID.assign(C=9 * GRID["N"] * GRID["D"])
    reads = known(PowerLaw(), {n: v[:20] for n, v in by_compute(count=20).draws.items()}, runs)
    for pair in ((posterior, reads), (reads, posterior)):
        with pytest.raises(
            bs.DecisionError, match="PowerLaw reads the FLOPs of 'known', and the other's are counted by 6ND"
        ):
            bs.speedup(*pair, at=FAR)
    alike = bs.Surface.of(posterior, flops=lambda N: 9 * N)
    assert bs.speedup(reads, alike, at=FAR).at == ("1e+22 FLOPs",)
    found = bs.speedup(posterior, posterior, at=FAR)
    with pytest.raises(bs.DecisionError, match="no assumption 'apart'"):
        found.draws(error="apart")
    with pytest.raises(bs.DecisionError, match="no factor of 'token'; did you mean 'tokens'"):
        found.draws("token")


def test_runs_that_both_fits_of_several_series_saw_are_counted():
    one, other = pooled(count=20), pooled(count=20)
    surfaces = [bs.Surface.of(fit, series=task) for fit in (one, other) for task in ("web", "math")]
    for k, runs in ((0, 16), (1, 3)):  # the second task has three
        assert bs.speedup(surfaces[k], surfaces[k + 2], 1e21).shared_runs == runs
