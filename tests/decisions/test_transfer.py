import numpy as np
import pandas as pd
import pytest

from bayes_scaling.decisions.transfer import (
    curves,
    frontier,
    read_off,
    trade_off,
    transfer_grid,
    transfer_table,
    transferred,
)
from bayes_scaling.errors import DecisionError, LawError, StudyError, TargetError
from bayes_scaling.models import PretrainingSize
from bayes_scaling.models.transfer import equal_data
from bayes_scaling.study.study import Study
from tests.worlds import chinchilla, known, transfer

SIZES = [1e7, 1e8, 1e9]


@pytest.fixture(scope="module")
def posterior():
    return transfer()


@pytest.fixture(scope="module")
def images():
    """A posterior of the law whose pre-trained runs differ in their pre-training data."""
    rng = np.random.default_rng(0)
    middle = {"level": 0.7, "floor": 0.2, "alpha_D": 0.6, "turn": 1.4, "worth": 3.0, "gain": 0.8, "scale": 1e3}
    draws = {name: rng.normal(value, 0.03 * value, 100) for name, value in middle.items()}
    draws |= {"steep": np.full(100, 0.2), "a": np.full(100, 0.1), "b": np.full(100, 0.1), "ease": np.full(100, 1.0)}
    draws |= {"sigma": np.full(100, 0.01), "effect": np.zeros((100, 2)), "new_models": np.zeros((100, 8))}
    cells = [(n, d, m) for n in (1e7, 4e7) for d in (1e4, 1e5) for m in (0.0, 6e4)]
    table = pd.DataFrame(cells, columns=["n_params", "finetune_data", "pretrain_data"])
    return known(PretrainingSize(), draws, table.assign(error=np.linspace(0.9, 0.5, 8)))


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


CELLS = [(1e6, 1e4, 0, 4.0), (1e6, 1e6, 0, 2.0), (1e6, 1e4, 1, 2.0), (1e6, 1e6, 1, 1.9)]
RUNS = pd.DataFrame(CELLS, columns=["n_params", "finetune_data", "pretrained", "loss"])


@pytest.mark.parametrize(
    ("runs", "outcome", "message"),
    [
        (RUNS[RUNS["pretrained"] == 0], "loss", "'runs' has no size and data of both arms"),
        (RUNS.assign(finetune_data=[1e4, 1e5, 2e4, 2e5]), "loss", "'runs' has no size and data of both arms"),
        (RUNS.drop(columns="finetune_data"), "loss", "has no column 'finetune_data'"),
        (RUNS, "lost", "has no column 'lost'"),
        (
            RUNS.assign(pretrained=[0, 0, 1, 0.5]),
            "loss",
            r"has pretrained = 0\.5 in row 4; give 1, or 0 \(from",
        ),
        (RUNS.assign(gap=[1.0, 0.0, 1.0, 1.0]), "gap", "has gap = 0 in row 2; give a positive number"),
    ],
)
def test_curves_that_cannot_be_read_off_are_refused(runs, outcome, message):
    with pytest.raises(StudyError, match=message):
        read_off(Study.from_frame(runs, name="runs"), outcome)


def test_the_trade_off_is_that_of_the_exponents(posterior):
    factor = trade_off(posterior)
    assert factor["q05"] < equal_data() < factor["q95"]
    draws = {name: np.full(5, value) for name, value in (("E", 1.8), ("sigma", 0.01))}
    flat = known(posterior.law, {**draws, "a": np.zeros(5), "b": np.full(5, 0.4)}, posterior.study.frame)
    assert trade_off(flat)["median"] == np.inf


def test_a_lower_loss_costs_more_and_pretraining_saves(posterior):
    costs = frontier(posterior, [1.7, 1.9], SIZES, samples=50).set_index(["loss", "arm"])
    assert costs.loc[(1.9, "pretrained"), "flops_median"] < costs.loc[(1.9, "scratch"), "flops_median"]
    assert costs.loc[(1.9, "scratch"), "flops_median"] < costs.loc[(1.7, "scratch"), "flops_median"]
    never = frontier(posterior, [1e-3], SIZES, samples=50)
    assert (never["reached"] == 0).all() and np.isinf(never["flops_median"]).all() and never["n_params"].isna().all()


def test_draws_that_never_reach_a_loss_cost_endlessly_and_want_no_size(posterior):
    """The best size is that of the draws that have one, and an interval is infinite where it holds those that do not."""
    farthest = transferred(posterior, transfer_grid(SIZES[-1], 1e6 * posterior.study.column("finetune_data").max()))
    for share in (0.4, 0.6):
        loss = float(farthest["loss"].quantile(share))
        row = frontier(posterior, loss, SIZES).set_index("arm").loc["pretrained"]
        assert row["reached"] == pytest.approx(share, abs=0.02) and row["n_params"] == SIZES[-1]
        assert np.isinf(row["flops_median"]) == (share < 0.5) and row["flops_q95"] == row["data_q95"] == np.inf


def test_a_loss_that_needs_no_fine_tuning_data_says_so(posterior):
    """An easy loss costs nothing but its pre-training, by the smallest model."""
    easy = frontier(posterior, [20.0], SIZES, samples=50).set_index("arm").loc["pretrained"]
    assert easy["no_data"] == easy["reached"] == 1 and easy["n_params"] == SIZES[0]
    assert easy["data_q95"] == easy["flops_q95"] == 0
    paid = frontier(posterior, [20.0], SIZES, samples=50, pretraining=1e9).set_index("arm").loc["pretrained"]
    assert paid["flops_median"] == pytest.approx(6 * SIZES[0] * 1e9) and paid["data_median"] == 0
    hard = frontier(posterior, [1.9], SIZES, samples=50).set_index("arm").loc["scratch"]
    assert hard["no_data"] == 0 and hard["reached"] == 1 and hard["data_q05"] > 0


def test_what_little_data_a_loss_needs_is_found(posterior):
    """Far below the fitted data the answer is the law's own, and none of where the search ends."""
    little = posterior.study.column("finetune_data").min() / 1e4
    loss = float(transferred(posterior, transfer_grid([1e7], [little]))["loss"].median())
    found = frontier(posterior, [loss], [1e7]).set_index("arm").loc["pretrained"]
    assert found["data_q05"] < found["data_median"] == pytest.approx(little, rel=0.2)


def test_flops_are_counted_by_the_rule(posterior):
    """Under a rule of twice the FLOPs the same runs cost twice as much; under a rule without size, data alone count."""
    usual, twice = (
        frontier(posterior, [1.8], SIZES, samples=50, flops=flops).set_index("arm")
        for flops in ("6ND", lambda N: 12.0 * N)
    )
    for column in ("flops_q05", "flops_median", "flops_q95"):
        np.testing.assert_allclose(twice[column], 2 * usual[column], rtol=1e-12)
    pd.testing.assert_frame_equal(twice[["data_median", "n_params"]], usual[["data_median", "n_params"]])
    flat = frontier(posterior, [1.8], SIZES, samples=50, flops=lambda N: 0.0 * N + 1.0).set_index("arm")
    np.testing.assert_allclose(flat["flops_median"], flat["data_median"])
    per_token = frontier(posterior, [1.8], SIZES, samples=50, unit_per_token=4.0).set_index("arm")
    np.testing.assert_allclose(per_token["flops_median"], usual["flops_median"] / 4)


def test_pretraining_may_have_to_be_paid(posterior):
    """With one size to choose from, paying costs 6 N for each datum of pre-training, and only the pre-trained arm."""
    free, paid = (
        frontier(posterior, [1.8], SIZES[-1:], samples=50, pretraining=data).set_index("arm") for data in (0.0, 1e9)
    )
    extra = paid["flops_median"] - free["flops_median"]
    assert extra["scratch"] == 0
    np.testing.assert_allclose(extra["pretrained"], 6 * SIZES[-1] * 1e9)


def test_the_amount_of_pretraining_is_an_input(images):
    table = transfer_table(images, {"N": [2e7, 2e7], "D_F": [1e4, 1e4], "D_P": [1e3, 6e4]})
    assert table["D_T_median"].is_monotonic_increasing
    assert table["D_T_q05"][0] < table["D_T_median"][0] < table["D_T_q95"][0]
    costs = frontier(images, [0.6], [1e7, 4e7], samples=50, D_P=6e4).set_index("arm")
    assert costs["flops_median"]["pretrained"] < costs["flops_median"]["scratch"]


def test_curves_carry_the_runs_of_their_size(posterior):
    found = curves(posterior, 1e8, np.geomspace(1e6, 1e8, 5))
    assert (found["pretrained"] < found["scratch"]).all()
    np.testing.assert_array_equal(found["run_data"], [1e6, 1e7, 1e8] * 2)
    assert found.attrs["unit"] == "as given" and found.attrs["n_params"] == 1e8


def test_questions_that_cannot_be_answered(posterior):
    with pytest.raises(TargetError, match="lacks N"):
        transfer_table(posterior, {"D_F": [1e6]})
    with pytest.raises(TargetError, match="D_F = 0; give positive"):
        transfer_table(posterior, {"N": [1e7], "D_F": [0.0]})
    with pytest.raises(LawError, match="says nothing of transfer"):
        transfer_table(chinchilla(count=3), {"N": [1e7], "D_F": [1e6]})
    with pytest.raises(LawError, match="no exponents a and b"):
        trade_off(chinchilla(count=3))


def test_an_input_of_no_such_name_is_refused(posterior, images):
    with pytest.raises(LawError, match="Transfer has no further input 'pre_training'; did you mean 'pretraining'"):
        frontier(posterior, [2.0], SIZES, pre_training=1e9)
    with pytest.raises(LawError, match="PretrainingSize has no further input 'foo'; known: D_P"):
        curves(images, 1e7, [1e6], foo=3)
    with pytest.raises(LawError, match="says nothing of transfer"):
        curves(chinchilla(count=3), 1e7, [1e6])


def test_the_amount_of_pretraining_has_no_default(images):
    """One image of pre-training is as good as none, so that both arms would be the same."""
    with pytest.raises(
        LawError, match="PretrainingSize needs D_P of the pre-trained arm, and it is not given; give D_P="
    ):
        curves(images, 1e7, [1e4])
    with pytest.raises(LawError, match="needs D_P of the pre-trained arm"):
        frontier(images, [0.6], [1e7])


def test_one_number_and_sizes_in_letters_are_read(posterior):
    one = transfer_table(posterior, {"N": 1e7, "D_F": 1e6})
    pd.testing.assert_frame_equal(one, transfer_table(posterior, {"N": ["10M"], "D_F": ["1M"]}))
    assert transfer_grid("7B", ["1M", 2e6]).to_numpy().tolist() == [[7e9, 1e6], [7e9, 2e6]]
    pd.testing.assert_frame_equal(frontier(posterior, 1.9, "1B"), frontier(posterior, [1.9], [1e9]))
    assert curves(posterior, "100M", "1M").attrs["n_params"] == 1e8
    with pytest.raises(StudyError, match=r"n_params = 'many', which is not a number; .* such as 7e9 or 7B"):
        transfer_grid("many", [1e6])
    with pytest.raises(TargetError, match="Curves are of one size, and N gives 2"):
        curves(posterior, [1e7, 1e8], [1e6])


@pytest.mark.parametrize("wrong", [-2.0, 0.0, np.nan, "ten"])
def test_numbers_that_are_not_positive_are_refused(posterior, wrong):
    with pytest.raises(DecisionError, match=r"factor by which a model is larger is .*; give positive numbers"):
        trade_off(posterior, wrong)
    with pytest.raises(DecisionError, match=r"larger is \[2.0, 3.0\]; give one number"):
        trade_off(posterior, [2.0, 3.0])
    with pytest.raises(DecisionError, match=r"loss to reach is .*; give positive numbers, such as 2\.1"):
        frontier(posterior, wrong, SIZES)
