from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.flops import (
    TELLING,
    FlopRule,
    distances,
    may_be_counted,
    six_n_d,
    tell_flops,
    training_flops,
    with_flops,
)
from tests.worlds import GRID

RUNS = pd.DataFrame({"n_params": [1e8, 2e8], "tokens": [2e9, 8e9]})


def counted(per_token, name="own"):
    """Return a study whose own FLOPs are ``per_token`` times parameters and tokens."""
    return bs.Study.from_frame(GRID.assign(flops=per_token * GRID["N"] * GRID["D"], loss=3.0), name=name)


def test_tokens_are_what_the_cost_pays_for():
    rule = FlopRule.of(lambda N: 6 * N + 2e9)
    N = np.array([1e8, 1e10])
    assert rule.tokens(N, rule.cost(N, 3e10)) == pytest.approx([3e10, 3e10])
    assert six_n_d.cost(1e9, 2e10) == pytest.approx(1.2e20)
    assert six_n_d.serving(1e9, 2e10) == pytest.approx(2 * 1e9 * 2e10)
    assert rule.name == "FLOPs per token as given"


def test_a_studys_own_flops_are_read_by_size():
    rule = FlopRule.of("study", counted(7))
    np.testing.assert_allclose(rule.cost([1e7, 3e8, 1e12], 1e9), 7 * np.array([1e7, 3e8, 1e12]) * 1e9)
    assert rule.name == "FLOPs per token of own"
    assert FlopRule.of("6ND").disagreement(counted(7)) == pytest.approx(1 / 7)


def test_beyond_the_sizes_of_a_study_its_slope_goes_on():
    per_token = {1e8: 1e9, 4e8: 2e9}  # a slope of one half in the logarithms
    table = pd.DataFrame({"N": list(per_token), "D": 1e10, "C": [1e10 * c for c in per_token.values()], "loss": 3.0})
    rule = FlopRule.of("study", bs.Study.from_frame(table))
    np.testing.assert_allclose(rule.per_token(np.array([0.25e8, 2e8, 16e8])), [0.5e9, 2**0.5 * 1e9, 4e9])
    one = FlopRule.of("study", bs.Study.from_frame(table.head(1)))
    np.testing.assert_allclose(one.per_token(np.array([1e8, 1e9])), [1e9, 1e10])  # of one size: proportional


def test_sizes_that_are_nearly_equal_say_nothing_of_larger_ones():
    sizes, per_six_n = np.array([1e8, 4e8, 1e9, 1.01e9]), np.array([1.1, 1.05, 1.05, 1.0])
    table = pd.DataFrame({"N": sizes, "D": 1e10, "C": per_six_n * 6 * sizes * 1e10, "loss": 3.0})
    far = np.array([1e7, 1e11])
    per_token = FlopRule.of("study", bs.Study.from_frame(table)).per_token(far)
    assert (np.abs(np.log(per_token / (6 * far))) < np.log(1.25)).all()
    alike = FlopRule.of("study", bs.Study.from_frame(table.tail(2))).per_token(far)  # so proportional
    np.testing.assert_allclose(alike / (6 * far), [1.05, 1.0])


def test_beyond_the_sizes_no_model_is_far_from_proportional():
    table = pd.DataFrame({"N": [1e8, 2e8, 4e8], "D": 1e10, "C": [1e18, 1.1e18, 9e18], "loss": 3.0})
    per_token = FlopRule.of("study", bs.Study.from_frame(table)).per_token(np.array([1e7, 1e8, 4e8, 4e9]))
    np.testing.assert_allclose(per_token[1:3], [1e8, 9e8])  # the study's own
    np.testing.assert_allclose(per_token[[1, 3]] / per_token[[0, 2]], 10**1.5)


def test_a_rule_that_nobody_knows_is_refused():
    with pytest.raises(bs.DecisionError) as refused:
        FlopRule.of("5ND")
    assert str(refused.value) == (
        "The FLOP convention '5ND' is unknown; use '6ND', 'study', or a function from N to FLOPs per token."
    )
    with pytest.raises(bs.DecisionError, match="'study' is unknown"):
        FlopRule.of("study")  # of which study?
    with pytest.raises(bs.StudyError, match="'bare' has no column 'flops' to take FLOPs per token from; use '6ND'"):
        FlopRule.of("study", bs.Study.from_frame(GRID.assign(loss=3.0), name="bare"))
    assert FlopRule.of(six_n_d) is six_n_d is FlopRule.of("6ND")


def test_a_command_takes_no_function(command):
    with pytest.raises(bs.DecisionError) as refused:
        FlopRule.of("5ND")
    assert str(refused.value) == "The FLOP convention '5ND' is unknown; use '6ND' or 'study'."


def test_where_a_study_counts_no_flops_nothing_disagrees():
    assert np.isnan(six_n_d.disagreement(bs.Study.from_frame(GRID.assign(loss=3.0))))
    assert six_n_d.disagreement(counted(6)) == pytest.approx(0, abs=1e-12)


def test_a_column_counts_before_the_convention_unless_that_is_asked_for():
    table = RUNS.assign(flops=[1e18, 2e18])
    assert training_flops(table).tolist() == [1e18, 2e18]
    assert training_flops(table, convention="6ND") == pytest.approx([1.2e18, 9.6e18])
    assert training_flops(RUNS) == pytest.approx([1.2e18, 9.6e18])
    assert training_flops(RUNS[["n_params"]]) is None


@pytest.mark.parametrize("count", range(4))
def test_columns_tell_flops_where_they_can_be_computed(count):
    for columns in itertools.combinations(TELLING, count):
        frame = RUNS.assign(flops=1e18)[list(columns)]
        assert tell_flops(columns) == (training_flops(frame) is not None)
        assert may_be_counted(columns) == (training_flops(frame, convention="6ND") is not None)


@pytest.mark.parametrize("room", ["cli", "decisions", "forecasts"])
def test_which_columns_tell_flops_is_said_here_alone(room):
    spelt = re.compile(r"""\{"n_params", "tokens"|"tokens", "flops"[)\]}]""")
    modules = (Path(bs.__file__).parent / room).glob("*.py")
    assert [module.name for module in modules if spelt.search(module.read_text(encoding="utf-8"))] == []


def test_flops_are_never_replaced_silently():
    assert with_flops(RUNS, "6ND")["flops"].tolist() == pytest.approx([1.2e18, 9.6e18])
    for table, convention, message in (
        (RUNS, "8ND", "'8ND' is unknown; use '6ND', or give a column 'flops'"),
        (RUNS.assign(flops=1.0), "6ND", "has FLOPs already, and flops='6ND' would replace them"),
        (RUNS.rename(columns={"tokens": "token"}), "6ND", "needs the column 'tokens'; did you mean 'token'"),
    ):
        with pytest.raises(bs.StudyError, match=message):
            with_flops(table, convention)


def test_a_distance_is_counted_one_way_on_both_sides():
    target = pd.DataFrame({"n_params": [7e9], "tokens": [4e12]})
    largest = (GRID["N"] * GRID["D"]).max()
    own, bare = counted(12), bs.Study.from_frame(GRID.assign(loss=3.0))
    assert distances(own, target) == pytest.approx([7e9 * 4e12 / largest])  # 6ND, as the target has no FLOPs
    assert distances(bare, target.assign(flops=1.0)) == pytest.approx([7e9 * 4e12 / largest])
    assert distances(own, target.assign(flops=2.4e25)) == pytest.approx([2.4e25 / (12 * largest)])
    assert np.isnan(distances(own, pd.DataFrame({"n_params": [7e9, 1e9]}))).tolist() == [True, True]
    by_compute = bs.Study.from_frame(pd.DataFrame({"C": [1e18, 1e19], "loss": [3.0, 2.9]}))
    assert distances(by_compute, pd.DataFrame({"flops": [1e21]})) == pytest.approx([100.0])
    assert np.isnan(distances(by_compute, target)).all()


def test_a_target_without_flops_has_a_distance_though_another_gives_them():
    aims = pd.DataFrame(
        {"n_params": [7e9, 7e9, 7e9], "tokens": [1e12, 4e12, np.nan], "flops": [4.2e22, np.nan, np.nan]}
    )
    largest = (GRID["N"] * GRID["D"]).max()
    far = distances(counted(12), aims)
    assert far == pytest.approx([4.2e22 / (12 * largest), 7e9 * 4e12 / largest, np.nan], nan_ok=True)


def test_a_law_in_one_column_is_measured_in_it():
    study = bs.Study.from_frame(RUNS.assign(examples=[1e3, 1e4], loss=3.0))
    aims = pd.DataFrame({"examples": [5e4], "n_params": [7e9], "tokens": [4e12]})
    assert distances(study, aims, ["examples"]) == pytest.approx([5.0])
    assert distances(study, aims, ["n_params", "tokens"]) == pytest.approx([7e9 * 4e12 / 1.6e18])
    assert np.isnan(distances(study, aims.drop(columns="examples"), ["examples"])).all()


def test_what_may_be_of_any_sign_has_no_distance():
    signed, below = (bs.Study.from_frame(pd.DataFrame({"shift": v, "loss": 3.0})) for v in ([-3.0, 3.0], [-3.0, 0.0]))
    aims = pd.DataFrame({"shift": [10.0, 0.0]})
    assert np.isnan(distances(signed, aims, ["shift"])).all() and np.isnan(distances(below, aims, ["shift"])).all()
    positive = bs.Study.from_frame(pd.DataFrame({"shift": [1.0, 4.0], "loss": 3.0}))
    assert distances(positive, aims, ["shift"]).tolist() == [2.5, 0.0]
    assert np.isnan(distances(positive, aims - 10, ["shift"])).all()
    assert np.isnan(distances(positive, pd.DataFrame({"shift": [8.0, np.nan]}), ["shift"])).tolist() == [False, True]
