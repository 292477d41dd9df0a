import dataclasses

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.decisions.transfer import transfer_grid, transferred
from bayes_scaling.decisions.transfer_curves import transfer_curves, transfer_frontier
from bayes_scaling.errors import ConvergenceError, DecisionError, LawError, TargetError
from tests.worlds import chinchilla, pretraining_size, transfer

SIZES = [1e7, 1e8, 1e9]


@pytest.fixture(scope="module")
def posterior():
    return transfer()


@pytest.fixture(scope="module")
def images():
    return pretraining_size()


def test_a_lower_loss_costs_more_and_pretraining_saves(posterior):
    costs = transfer_frontier(posterior, [1.7, 1.9], SIZES, samples=50).set_index(["loss", "arm"])
    assert costs.loc[(1.9, "pretrained"), "flops_median"] < costs.loc[(1.9, "scratch"), "flops_median"]
    assert costs.loc[(1.9, "scratch"), "flops_median"] < costs.loc[(1.7, "scratch"), "flops_median"]
    never = transfer_frontier(posterior, [1e-3], SIZES, samples=50)
    assert (never["reached"] == 0).all() and np.isinf(never["flops_median"]).all() and never["n_params"].isna().all()


def test_draws_that_never_reach_a_loss_cost_endlessly_and_want_no_size(posterior):
    """The best size is that of the draws that have one; an interval that holds others is infinite."""
    farthest = transferred(posterior, transfer_grid(SIZES[-1], 1e6 * posterior.study.column("finetune_data").max()))
    for share in (0.4, 0.6):
        loss = float(farthest["loss"].quantile(share))
        row = transfer_frontier(posterior, loss, SIZES).set_index("arm").loc["pretrained"]
        assert row["reached"] == pytest.approx(share, abs=0.02) and row["n_params"] == SIZES[-1]
        assert np.isinf(row["flops_median"]) == (share < 0.5) and row["flops_q95"] == row["data_q95"] == np.inf


def test_a_loss_that_needs_no_fine_tuning_data_says_so(posterior):
    """An easy loss costs nothing but its pre-training, by the smallest model."""
    easy = transfer_frontier(posterior, [20.0], SIZES, samples=50).set_index("arm").loc["pretrained"]
    assert easy["no_data"] == easy["reached"] == 1 and easy["n_params"] == SIZES[0]
    assert easy["data_q95"] == easy["flops_q95"] == 0
    paid = transfer_frontier(posterior, [20.0], SIZES, samples=50, pretraining=1e9).set_index("arm").loc["pretrained"]
    assert paid["flops_median"] == pytest.approx(6 * SIZES[0] * 1e9) and paid["data_median"] == 0
    hard = transfer_frontier(posterior, [1.9], SIZES, samples=50).set_index("arm").loc["scratch"]
    assert hard["no_data"] == 0 and hard["reached"] == 1 and hard["data_q05"] > 0


def test_what_little_data_a_loss_needs_is_found(posterior):
    """Far below the fitted data the answer is the law's own, and none of where the search ends."""
    little = posterior.study.column("finetune_data").min() / 1e4
    loss = float(transferred(posterior, transfer_grid([1e7], [little]))["loss"].median())
    found = transfer_frontier(posterior, [loss], [1e7]).set_index("arm").loc["pretrained"]
    assert found["data_q05"] < found["data_median"] == pytest.approx(little, rel=0.2)


def test_flops_are_counted_by_the_rule(posterior):
    """Under a rule of twice the FLOPs the same runs cost twice as much; under a rule without size, data alone count."""
    usual, twice = (
        transfer_frontier(posterior, [1.8], SIZES, samples=50, flops=flops).set_index("arm")
        for flops in ("6ND", lambda N: 12.0 * N)
    )
    for column in ("flops_q05", "flops_median", "flops_q95"):
        np.testing.assert_allclose(twice[column], 2 * usual[column], rtol=1e-12)
    pd.testing.assert_frame_equal(twice[["data_median", "n_params"]], usual[["data_median", "n_params"]])
    flat = transfer_frontier(posterior, [1.8], SIZES, samples=50, flops=lambda N: 0.0 * N + 1.0).set_index("arm")
    np.testing.assert_allclose(flat["flops_median"], flat["data_median"])
    per_token = transfer_frontier(posterior, [1.8], SIZES, samples=50, unit_per_token=4.0).set_index("arm")
    np.testing.assert_allclose(per_token["flops_median"], usual["flops_median"] / 4)


def test_pretraining_may_have_to_be_paid(posterior):
    """With one size to choose from, paying costs 6 N for each datum of pre-training, and only the pre-trained arm."""
    free, paid = (
        transfer_frontier(posterior, [1.8], SIZES[-1:], samples=50, pretraining=data).set_index("arm")
        for data in (0.0, 1e9)
    )
    extra = paid["flops_median"] - free["flops_median"]
    assert extra["scratch"] == 0
    np.testing.assert_allclose(extra["pretrained"], 6 * SIZES[-1] * 1e9)


def test_the_amount_of_pretraining_is_an_input(images):
    costs = transfer_frontier(images, [0.6], [1e7, 4e7], samples=50, D_P=6e4).set_index("arm")
    assert costs["flops_median"]["pretrained"] < costs["flops_median"]["scratch"]


def test_curves_carry_the_runs_of_their_size(posterior):
    found = transfer_curves(posterior, 1e8, np.geomspace(1e6, 1e8, 5))
    assert (found["pretrained"] < found["scratch"]).all()
    np.testing.assert_array_equal(found["run_data"], [1e6, 1e7, 1e8] * 2)
    assert found.attrs["unit"] == "as given" and found.attrs["n_params"] == 1e8


def test_an_input_of_no_such_name_is_refused(posterior, images):
    with pytest.raises(LawError, match="Transfer has no further input 'pre_training'; did you mean 'pretraining'"):
        transfer_frontier(posterior, [2.0], SIZES, pre_training=1e9)
    with pytest.raises(LawError, match="PretrainingSize has no further input 'foo'; known: D_P"):
        transfer_curves(images, 1e7, [1e6], foo=3)
    with pytest.raises(LawError, match="says nothing of transfer"):
        transfer_curves(chinchilla(count=3), 1e7, [1e6])
    for asked in (lambda: transfer_curves(None, 1e7, [1e6]), lambda: transfer_frontier(None, [2.0], [1e7])):
        with pytest.raises(LawError, match=r"^A NoneType is given where a fit is needed"):
            asked()


def test_the_amount_of_pretraining_has_no_default(images):
    """One image of pre-training is as good as none, so that both arms would be the same."""
    with pytest.raises(
        LawError, match="PretrainingSize needs D_P of the pre-trained arm, and it is not given; give D_P="
    ):
        transfer_curves(images, 1e7, [1e4])
    with pytest.raises(LawError, match="needs D_P of the pre-trained arm"):
        transfer_frontier(images, [0.6], [1e7])


def test_one_size_in_letters_is_read(posterior):
    pd.testing.assert_frame_equal(transfer_frontier(posterior, 1.9, "1B"), transfer_frontier(posterior, [1.9], [1e9]))
    assert transfer_curves(posterior, "100M", "1M").attrs["n_params"] == 1e8
    with pytest.raises(TargetError, match="Curves are of one size, and N gives 2"):
        transfer_curves(posterior, [1e7, 1e8], [1e6])


@pytest.mark.parametrize("wrong", [-2.0, 0.0, np.nan, "ten"])
def test_losses_that_are_not_positive_are_refused(posterior, wrong):
    with pytest.raises(DecisionError, match=r"loss to reach is .*; give positive numbers, such as 2\.1"):
        transfer_frontier(posterior, wrong, SIZES)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pretraining": -1e12}, DecisionError, "The pretraining is -1e[+]12; give the data to pay for, such"),
        ({"pretraining": "much"}, DecisionError, "The pretraining is 'much'; give finite numbers, such as 1e9"),
        ({"unit_per_token": -1}, DecisionError, "The unit_per_token is -1; give positive numbers, such as 4.0"),
        ({"unit_per_token": 0}, DecisionError, "The unit_per_token is 0; give positive numbers"),
        ({"sizes": []}, TargetError, "There is no N; give one or several, such as 1e8"),
    ],
)
def test_amounts_that_no_compute_can_be_counted_by_are_refused(posterior, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        transfer_frontier(posterior, **{"losses": 2.0, "sizes": SIZES, "samples": 50, **options})


def test_pretraining_may_be_written_in_words(posterior):
    said, counted = (transfer_frontier(posterior, 2.0, SIZES, samples=50, pretraining=p) for p in ("1B", 1e9))
    pd.testing.assert_frame_equal(said, counted)


def test_a_fit_that_did_not_converge_is_refused(posterior):
    worse = dataclasses.replace(posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.5))
    for decide, asked in ((transfer_curves, (1e8, [1e6, 1e7])), (transfer_frontier, (1.9, SIZES))):
        with pytest.raises(ConvergenceError, match="pass allow_unconverged=True"):
            decide(worse, *asked)
    curves = transfer_curves(worse, 1e8, [1e6, 1e7], allow_unconverged=True)
    np.testing.assert_array_equal(curves["scratch"], transfer_curves(posterior, 1e8, [1e6, 1e7])["scratch"])
    costs = transfer_frontier(worse, 1.9, SIZES, samples=50, allow_unconverged=True)
    pd.testing.assert_frame_equal(costs, transfer_frontier(posterior, 1.9, SIZES, samples=50))


def test_the_arm_of_a_run_may_be_text():
    plain = transfer()
    study = plain.study
    text = dataclasses.replace(
        study, frame=study.frame.assign(pretrained=study.frame["pretrained"].astype(int).astype(str))
    )
    ours, theirs = (transfer_curves(dataclasses.replace(plain, study=one), 1e8, [1e5, 1e6]) for one in (study, text))
    assert ours["run_pretrained"].to_numpy().tolist() == theirs["run_pretrained"].to_numpy().tolist()
