import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.decisions import transfer as decisions
from bayes_scaling.decisions.transfer import trade_off, transfer_grid, transfer_table, transferred
from bayes_scaling.decisions.transfer_curves import transfer_curves
from bayes_scaling.errors import ConvergenceError, DecisionError, LawError, StudyError, TargetError
from bayes_scaling.models import FadingTransfer
from bayes_scaling.models.transfer import equal_data
from tests.worlds import chinchilla, known, pretraining_size, transfer


@pytest.fixture(scope="module")
def posterior():
    return transfer()


def test_the_worth_of_pretraining_is_the_laws_own(posterior):
    found = transferred(posterior, transfer_grid([1e7, 1e9], [1e6]))
    d, runs = posterior.draws, posterior.law.arrays(posterior.study)[0]
    worth = d["worth"] * runs["D_F0"] * (1e6 / runs["D_F0"]) ** d["a"] * (1e9 / runs["N0"]) ** d["b"]
    np.testing.assert_allclose(found["D_T"][:, 1], worth, rtol=1e-9)
    np.testing.assert_allclose(found["multiplier"][:, 1], 1 + worth / 1e6, rtol=1e-9)
    assert found.attrs["data_unit"] == "characters" and found["loss"].dims == ("sample", "cell")


def test_a_table_says_where_pretraining_helps(posterior):
    table = transfer_table(posterior, {"N": [1e7, 1e7], "D_F": [1e6, 1e8]})
    assert (table["D_T_q05"] < table["D_T_median"]).all()
    assert (table["D_E_median"] > table["D_F"]).all()
    assert (table["p_helps"] == 1).all()
    assert table["multiplier_median"].is_monotonic_decreasing
    far = transfer_table(posterior, {"N": [1e7, 1e7], "D_F": [1e4, 1e18]})
    assert far["in_low_data"].tolist() == [True, False]


def test_the_trade_off_is_that_of_the_exponents(posterior):
    factor = trade_off(posterior)
    assert factor["q05"] < equal_data() < factor["q95"]
    draws = {name: np.full(5, value) for name, value in (("E", 1.8), ("sigma", 0.01))}
    flat = known(posterior.law, {**draws, "a": np.zeros(5), "b": np.full(5, 0.4)}, posterior.study.frame)
    assert trade_off(flat)["median"] == np.inf


def test_an_exponent_that_is_fixed_counts_like_a_fitted_one(posterior):
    draws = {name: values for name, values in posterior.draws.items() if name != "a"}
    fixed = known(posterior.law.replace(a=0.2), draws, posterior.study.frame)
    expected = np.quantile(10 ** (draws["b"] / 0.2), 0.5, method="nearest")
    assert trade_off(fixed)["median"] == pytest.approx(expected)


def test_harm_leaves_effective_data_as_the_law_reads_them():
    """What the table says pre-training is worth is what the loss is of."""
    arms = transfer()
    law = FadingTransfer(floor=0.0, half=0.5, ossification=3.0)
    fading = known(law, {**arms.draws, "a": np.full(100, 0.9)}, arms.study.frame)
    found = transferred(fading, {"N": 1e7, "D_F": 1e12})
    np.testing.assert_allclose(found["D_E"], 1e10, rtol=1e-6)
    np.testing.assert_allclose(found["multiplier"], 0.01, rtol=1e-6)
    own = transfer_curves(fading, 1e7, [float(found["D_E"][0, 0])])["scratch"]
    np.testing.assert_allclose(found["loss"], own, rtol=1e-6)


def test_the_amount_of_pretraining_is_an_input():
    table = transfer_table(pretraining_size(), {"N": [2e7, 2e7], "D_F": [1e4, 1e4], "D_P": [1e3, 6e4]})
    assert table["D_T_median"].is_monotonic_increasing
    assert table["D_T_q05"][0] < table["D_T_median"][0] < table["D_T_q95"][0]


def test_questions_that_cannot_be_answered(posterior):
    with pytest.raises(TargetError, match="lacks N"):
        transfer_table(posterior, {"D_F": [1e6]})
    with pytest.raises(TargetError, match="D_F = 0; give positive"):
        transfer_table(posterior, {"N": [1e7], "D_F": [0.0]})
    with pytest.raises(LawError, match="says nothing of transfer"):
        transfer_table(chinchilla(count=3), {"N": [1e7], "D_F": [1e6]})
    with pytest.raises(LawError, match="no exponents a and b"):
        trade_off(chinchilla(count=3))
    for asked in (lambda: transfer_table(None, {"N": 1e7, "D_F": 1e6}), lambda: trade_off(None)):
        with pytest.raises(LawError, match=r"^A NoneType is given where a fit is needed"):
            asked()


def test_a_fit_that_did_not_converge_is_refused(posterior):
    worse = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.5))
    cell = {"N": 1e7, "D_F": 1e6}
    for decide, asked in ((transferred, cell), (transfer_table, cell), (trade_off, 10.0)):
        with pytest.raises(ConvergenceError, match="pass allow_unconverged=True"):
            decide(worse, asked)
    found = transfer_table(worse, cell, allow_unconverged=True)
    pd.testing.assert_frame_equal(found, transfer_table(posterior, cell))
    assert trade_off(worse, allow_unconverged=True) == trade_off(posterior)


def test_one_number_and_sizes_in_letters_are_read(posterior):
    one = transfer_table(posterior, {"N": 1e7, "D_F": 1e6})
    pd.testing.assert_frame_equal(one, transfer_table(posterior, {"N": ["10M"], "D_F": ["1M"]}))
    assert transfer_grid("7B", ["1M", 2e6]).to_numpy().tolist() == [[7e9, 1e6], [7e9, 2e6]]
    with pytest.raises(StudyError, match=r"n_params = 'many', which is not a number; .* such as 7e9 or 7B"):
        transfer_grid("many", [1e6])


@pytest.mark.parametrize("wrong", [-2.0, 0.0, np.nan, "ten"])
def test_numbers_that_are_not_positive_are_refused(posterior, wrong):
    with pytest.raises(DecisionError, match=r"factor by which a model is larger is .*; give positive numbers"):
        trade_off(posterior, wrong)
    with pytest.raises(DecisionError, match=r"larger is \[2.0, 3.0\]; give one number"):
        trade_off(posterior, [2.0, 3.0])


def test_a_second_grid_of_the_same_size_compiles_nothing(posterior):
    transferred(posterior, transfer_grid([1e7], [1e6]))
    compiled = decisions._worth.count
    transferred(posterior, transfer_grid([2e7], [3e6]))
    assert decisions._worth.count == compiled


@pytest.mark.parametrize(("N", "D_F", "what"), [(np.nan, 1e6, "N nan"), ([1e8, 0.0], 1e6, "N 0"), (1e8, -1, "D_F -1")])
def test_cells_of_no_size_or_data_are_refused(N, D_F, what):
    with pytest.raises(TargetError, match=f"^There is the {what}; give positive numbers, such as 1e8"):
        transfer_grid(N, D_F)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"N": np.inf, "D_F": 1e8}, "^The grid has N = inf; give positive numbers"),
        ({"N": 1e9, "D_F": 1e8, "pretrained": 0.5}, r"^The grid has pretrained = 0\.5; give 1\.$"),
        ({"N": 1e9, "D_F": 1e8, "pretraned": 0}, "'pretraned', which nothing reads; did you mean 'pretrained'"),
    ],
)
def test_a_cell_of_which_the_law_says_nothing_is_refused(posterior, cell, said):
    with pytest.raises(TargetError, match=said):
        transfer_table(posterior, cell)
