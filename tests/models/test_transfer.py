import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.transfer import frontier, trade_off, transfer_table
from bayes_scaling.errors import LawError, StudyError, TargetError
from bayes_scaling.models import Chinchilla, FadingTransfer, PretrainingSize, Scratch, Transfer
from bayes_scaling.models.transfer import PUBLISHED, data_transferred, equal_data, multiplier

CENTRE = {"level": 2.0, "floor": 0.1, "split": 0.3, "alpha_N": 0.2, "alpha_D": 0.3, "head": 0.0, "turn": 1.0}
WORTH = {"worth": 3.0, "a": 0.2, "b": 0.4}
RUNS = {"N": np.array([1e6, 1e8]), "D_F": np.array([1e7, 1e9]), "N0": 1e7, "D_F0": 1e8}


def design(arms=(0, 1)):
    sizes, data = np.geomspace(1e5, 1e9, 4), np.geomspace(1e5, 1e9, 4)
    rows = [(n, d, arm) for arm in arms for n in sizes for d in data]
    return pd.DataFrame(rows, columns=["N", "D_F", "pretrained"])


@pytest.fixture(scope="module")
def posterior():
    law = Transfer(floor=0.0)
    return bs.fit(law, bs.simulate(law, design(), seed=1), seed=0, draws=200, chains=2)


@pytest.mark.parametrize(
    ("found", "published"),
    [
        (data_transferred(1, 175e9), 3.7e8),
        (data_transferred(1, 175e9, PUBLISHED["text_and_code_to_python"]), 4.1e9),
        (data_transferred(300, 1e9) / data_transferred(1, 1e9), 2.8),
        (np.divide(*(data_transferred(d, 1e9, PUBLISHED["text_and_code_to_python"]) for d in (300, 1))), 1.7),
    ],
)
def test_worked_numbers_of_the_paper(found, published):
    assert found == pytest.approx(published, rel=0.05)


def test_numbers_of_the_paper_that_the_law_misses():
    assert multiplier(3e5, 4e7) < 500  # the paper's single 40M model: about 1000
    assert equal_data() == pytest.approx(129.2, rel=0.01)  # the paper rounds to 100
    ratio = data_transferred(1, 1e9, PUBLISHED["text_and_code_to_python"]) / data_transferred(1, 1e9)
    assert ratio == pytest.approx(11.05, rel=0.01)  # the paper says about 10


def test_pretrained_runs_follow_the_scratch_law_at_their_effective_data():
    law = Transfer()
    worth = np.asarray(law.transferred(RUNS, WORTH))
    expected = Scratch().mean(RUNS["N"], RUNS["D_F"] + worth, RUNS["N0"], RUNS["D_F0"], **CENTRE)
    pretrained = law.at({**RUNS, "pretrained": np.ones(2)}, {**CENTRE, **WORTH})
    scratch = law.at({**RUNS, "pretrained": np.zeros(2)}, {**CENTRE, **WORTH})
    np.testing.assert_allclose(pretrained, expected, rtol=1e-5)
    np.testing.assert_allclose(scratch, Scratch().at(RUNS, CENTRE), rtol=1e-5)


def test_published_k_gives_back_the_law():
    law = Transfer(floor=0.0)
    p = law.centred(RUNS, **{k: v for k, v in law.published.items() if k != "sigma"})
    np.testing.assert_allclose(law.transferred(RUNS, p), data_transferred(RUNS["D_F"], RUNS["N"]), rtol=1e-5)
    derived = law.derived(RUNS, **p)
    for name in ("k", "A", "B"):
        assert float(derived[name]) == pytest.approx(law.published[name], rel=1e-3)


@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("turn", [1.0, 2.0])
def test_enough_data_are_within_a_per_cent_of_the_limit(bottleneck, turn):
    law, p = Scratch(bottleneck=bottleneck), {**CENTRE, "head": 0.1, "turn": turn}
    enough = law.enough(RUNS, p)
    limit = law.at({**RUNS, "D_F": RUNS["D_F"] * 1e30}, p)
    np.testing.assert_allclose(limit / law.at({**RUNS, "D_F": enough}, p), 0.99, rtol=1e-3)


def test_fading_keeps_the_power_law_below_a_tenth_and_ossifies_beyond():
    p = {**CENTRE, **WORTH, "half": 0.5, "ossification": 0.5}
    enough = np.asarray(Scratch().enough(RUNS, CENTRE))
    low, high = ({**RUNS, "D_F": share * enough} for share in (0.1, 100.0))
    ratio = FadingTransfer().transferred(low, p) / Transfer().transferred(low, p)
    np.testing.assert_allclose(ratio, 1 - 1.5 * 0.04 / 1.04, rtol=1e-4)
    assert (np.asarray(FadingTransfer().transferred(high, p)) < 0).all()
    end = np.asarray(FadingTransfer().transferred(high, {**p, "ossification": -1.0}) / Transfer().transferred(high, p))
    np.testing.assert_allclose(end, 1.0, rtol=1e-5)


def test_more_pretraining_is_worth_more_up_to_a_limit():
    p = {**CENTRE, **WORTH, "gain": 0.5, "scale": 1e4, "ease": 0.5}
    amounts = np.array([0.0, 1e3, 1e5, 1e12])
    runs = {"N": np.full(4, 1e7), "D_F": np.full(4, 1e8), "D_P": amounts, "N0": 1e7, "D_F0": 1e8}
    worth = np.asarray(PretrainingSize().transferred(runs, p)) / 3e8
    assert worth[0] == 0
    assert (np.diff(worth) > 0).all()
    assert worth[-1] == pytest.approx(1.0, abs=1e-3)


IMAGE = {"level": 0.7, "floor": 0.2, "alpha_D": 0.6, "turn": 1.4, "steep": 0.2, "scatter": 0.05, "guess": 1.0}
AMOUNT = {"worth": 0.3, "a": 0.1, "b": 0.1, "gain": 0.8, "scale": 1e3, "ease": 1.0}


def image_runs(N, D_F, D_P=0.0):
    N, D_F, D_P = np.broadcast_arrays(*np.atleast_1d(N, D_F, D_P))
    return {"N": N, "D_F": D_F, "D_P": D_P, "N0": 2e7, "D_F0": 5e4, "models": np.array([1e7, 4e7])}


def test_image_errors_fall_from_guessing_to_the_floor():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT, "effect": np.zeros(2)}
    errors = np.asarray(law.at(image_runs(2e7, [1e-6, 5e4, 1e30]), p))
    np.testing.assert_allclose(errors, [1.0, 0.7, 0.14], rtol=1e-4)
    enough = np.asarray(law.enough(image_runs(2e7, 5e4), p))
    assert float(law.at(image_runs(2e7, enough), p)[0]) == pytest.approx(0.14 / 0.99, rel=1e-4)


def test_pretraining_shifts_the_data_of_an_image_model():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT, "effect": np.array([1.0, -1.0])}
    pretrained = image_runs([1e7, 4e7], 5e4, 6.4e4)
    effective = 5e4 + np.asarray(law.transferred(pretrained, p))
    np.testing.assert_allclose(law.at(pretrained, p), law.at(image_runs([1e7, 4e7], effective), p), rtol=1e-5)


def test_a_fitted_model_keeps_its_own_exponent_and_a_new_one_is_average():
    law, p = PretrainingSize(), {**IMAGE, **AMOUNT}
    bare, own = (np.asarray(law.at(image_runs([1e7, 3e7], 5e4), {**p, "effect": np.full(2, u)})) for u in (0.0, 2.0))
    assert own[0] < bare[0]
    assert own[1] == pytest.approx(bare[1])


def test_forecasts_of_a_new_image_model_are_wider_and_two_of_one_size_agree():
    grid = pd.DataFrame(
        [(n, d, m) for n in (1e7, 2e7, 4e7) for d in (1e4, 5e4, 1e5) for m in (0.0, 1e3, 6e4)],
        columns=["n_params", "finetune_data", "pretrain_data"],
    )
    truth = {**IMAGE, **AMOUNT, "sigma": 0.005, "effect": [0.0, 1.0, -1.0]}
    study = bs.simulate(PretrainingSize(), grid, truth, seed=0)
    posterior = bs.fit(PretrainingSize(), study, seed=0, draws=100, adapt=False)
    targets = pd.DataFrame({"target": list("abc"), "n_params": [2e7, 2.5e7, 2.5e7], "finetune_data": 5e4})
    draws = posterior.forecast(targets.assign(pretrain_data=0.0), allow_unconverged=True).draws["error_law"].to_numpy()
    assert draws[:, 1].std() > 2 * draws[:, 0].std()
    np.testing.assert_array_equal(draws[:, 1], draws[:, 2])
    table = transfer_table(posterior, {"N": [2e7], "D_F": [1e4], "D_P": [6e4]})
    assert table["D_T_q05"][0] < table["D_T_median"][0] < table["D_T_q95"][0]
    costs = frontier(posterior, [0.6], [1e7, 4e7], samples=50, D_P=6e4).set_index("arm")
    assert costs["flops_median"]["pretrained"] < costs["flops_median"]["scratch"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["pretrain_data"] > 0], "has no from-scratch run"),
        (lambda t: t.assign(finetune_data=t["finetune_data"].where(t.index != 3, 0.0)), "Row 4 has finetune_data = 0"),
        (lambda t: t.assign(pretrain_data=-t["pretrain_data"]), "give the pre-training data, 0 for a run from scratch"),
        (lambda t: t.assign(error=100 * t["error"]), "in percent"),
        (lambda t: t.drop(columns="error"), "has no column 'error'"),
    ],
)
def test_bad_image_tables(change, message):
    columns = ["n_params", "finetune_data", "pretrain_data", "error"]
    with pytest.raises(StudyError, match=message) as caught:
        bs.fit(PretrainingSize(), bs.Study.from_frame(change(bs.load_study("cg_transfer").frame[columns])), seed=0)
    assert str(caught.value).endswith(".")


def test_a_fit_finds_the_published_constants(posterior):
    posterior.require_converged()
    for name, true in PUBLISHED["text_to_python"]._asdict().items():
        draws = posterior.draws[name]
        assert abs(np.median(draws) - true) < 4 * draws.std(), name
    assert posterior.draws["b"].mean() == pytest.approx(0.38, rel=0.2)  # one small study


def test_table_trade_off_and_frontier(posterior):
    table = transfer_table(posterior, {"N": [1e7, 1e7], "D_F": [1e6, 1e8]})
    assert (table["D_T_q05"] < table["D_T_median"]).all()
    assert (table["D_E_median"] > table["D_F"]).all()
    assert (table["p_helps"] == 1).all()
    assert table["multiplier_median"].is_monotonic_decreasing
    factor = trade_off(posterior)
    assert factor["q05"] < equal_data() < factor["q95"]
    costs = frontier(posterior, [3.0, 4.0], [1e7, 1e8, 1e9], samples=50).set_index(["loss", "arm"])
    assert costs.loc[(4.0, "pretrained"), "flops_median"] < costs.loc[(4.0, "scratch"), "flops_median"]
    assert costs.loc[(4.0, "scratch"), "flops_median"] < costs.loc[(3.0, "scratch"), "flops_median"]


def test_questions_that_cannot_be_answered(posterior):
    with pytest.raises(TargetError, match="lacks N"):
        transfer_table(posterior, {"D_F": [1e6]})
    with pytest.raises(TargetError, match="D_F = 0; give positive"):
        transfer_table(posterior, {"N": [1e7], "D_F": [0.0]})
    runs = pd.DataFrame({"N": [1e7, 2e7, 4e7] * 3, "D": np.geomspace(1e8, 1e10, 9), "loss": np.linspace(4, 3, 9)})
    plain = bs.fit(Chinchilla(), bs.Study.from_frame(runs), seed=0, draws=50, chains=2, adapt=False)
    with pytest.raises(LawError, match="says nothing of transfer"):
        transfer_table(plain, {"N": [1e7], "D_F": [1e6]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["pretrained"] == 1], "has no from-scratch run"),
        (lambda t: t[t["pretrained"] == 0], "has no pre-trained run"),
        (lambda t: t.assign(D_F=t["D_F"].where(t.index != 3, 0.0)), "Row 4 has finetune_data = 0"),
        (lambda t: t.assign(unit=["tokens", "characters"] * (len(t) // 2)), "mixes data in tokens and characters"),
        (lambda t: t.assign(pretrained=t["pretrained"] * 0.5), "holds 0.5; give 1 or 0"),
        (lambda t: t.drop(columns="pretrained"), "needs the column 'pretrained'|are alike|stands in rows"),
    ],
)
def test_bad_tables(change, message):
    table = change(design().assign(loss=3.0))
    with pytest.raises(StudyError, match=message) as caught:
        bs.fit(Transfer(), bs.Study.from_frame(table), seed=0)
    assert str(caught.value).endswith(".")


def test_error_rates_in_percent():
    with pytest.raises(StudyError, match="in percent"):
        bs.Study.from_frame(design().assign(error=48.2))


def test_image_table_has_both_arms_and_one_pool():
    table = bs.load_study("cg_transfer").frame
    assert len(table) == 136
    assert set(table["role"]) == {"train"}
    assert (table["pretrain_data"] == 0).sum() == 17
    np.testing.assert_allclose(table["loss"], -np.log1p(-table["error"]), rtol=1e-4)
