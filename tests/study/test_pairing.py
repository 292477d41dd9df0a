from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.study.pairing import pair


def made(name, rows=6, **changes):
    N = np.geomspace(1e7, 1e9, rows)
    frame = pd.DataFrame(
        {"run": [f"{name}{i}" for i in range(rows)], "N": N, "C": 1e10 * N, "loss": 4 - 0.2 * np.arange(rows)}
    )
    return bs.Study.from_frame(frame.assign(**changes), name=name)


def test_pairs_by_size_and_compute_and_says_what_is_left_out():
    one, two = made("a"), made("b").select("n_params < 5e8")
    paired = pair(one, two)
    assert (paired.paired, paired.targets) == (5, 0)
    assert paired.left_out[["study", "run"]].to_numpy().tolist() == [["a", "a5"]]
    assert "5 pairs" in str(paired) and "1 of 'a'" in str(paired)


def test_the_abscissa_is_the_other_sets_loss_of_the_same_cell():
    one, two = made("a"), made("b", loss=3 - 0.1 * np.arange(6))
    shuffled = dataclasses.replace(two, frame=two.frame.iloc[::-1].reset_index(drop=True))
    frame = pair(one, shuffled).study.frame.sort_values("n_params")
    assert frame["source_loss"].tolist() == one.frame["loss"].tolist()
    assert frame["loss"].tolist() == two.frame["loss"].tolist()


def test_one_study_pairs_two_of_its_losses():
    one = made("a", c4_loss=5 - 0.2 * np.arange(6))
    paired = pair(one, one, source_loss="loss", loss="c4_loss")
    assert paired.paired == 6 and paired.left_out.empty
    assert paired.study.frame["loss"].tolist() == one.frame["c4_loss"].tolist()
    assert paired.study.frame["source_loss"].tolist() == one.frame["loss"].tolist()


def test_targets_count_apart_and_bound_the_abscissa():
    roles = ["train"] * 5 + ["target"]
    paired = pair(made("a", role=roles), made("b", role=roles))
    assert (paired.paired, paired.targets) == (5, 1)
    assert paired.study.training.frame["least_source_loss"].unique() == pytest.approx([3.0])


def test_too_few_pairs():
    with pytest.raises(bs.StudyError, match="Only 3 runs of 'a' and 'b' agree"):
        pair(made("a"), made("b").select("n_params < 1e8"))


def test_runs_of_nearly_one_size_are_told_how_they_may_be_paired():
    near = made("b", N=made("b").frame["n_params"] * 1.01)
    message = (
        "Only 0 runs of 'a' and 'b' agree in n_params and flops, to the last digit, .*; where runs are nearly of one"
    )
    with pytest.raises(bs.StudyError, match=rf"{message} size, say with by=\['size'\] in which columns"):
        pair(made("a"), near)
    token = COMMAND_LINE.set(True)
    try:
        with pytest.raises(bs.StudyError, match="say with --by SIZE in which columns of numbers they agree"):
            pair(made("a"), near)
    finally:
        COMMAND_LINE.reset(token)
    nominal = np.arange(6.0)
    sized = [dataclasses.replace(one, frame=one.frame.assign(size=nominal)) for one in (made("a"), near)]
    assert pair(*sized, by=["size"]).paired == 6


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
def test_a_loss_that_is_no_positive_number_names_its_row(value):
    one, two = made("a"), made("b")
    two.frame.loc[2, "loss"] = value
    wrong = "missing" if np.isnan(value) else "not a positive number"
    with pytest.raises(bs.StudyError, match=f"ordinate 'loss' of study 'b' is {wrong} in run 'b2' \\(row 3\\)"):
        pair(one, two)


def test_other_tokenisers_or_units_do_not_compare():
    one, two = made("a"), made("b")
    with_card = lambda s, **facts: dataclasses.replace(s, card=dataclasses.replace(s.card, **facts))  # noqa: E731
    with pytest.raises(bs.StudyError, match="tokeniser"):
        pair(with_card(one, tokeniser="x"), with_card(two, tokeniser="y"))
    with pytest.raises(bs.StudyError, match="unit of 'loss'"):
        pair(with_card(one, units={"loss": "nats"}), with_card(two, units={"loss": "bits"}))


def test_two_runs_of_one_cell_are_refused():
    one = made("a")
    twice = made("b", N=np.repeat(1e8, 6), C=np.repeat(1e18, 6))
    with pytest.raises(bs.StudyError, match="two runs with n_params"):
        pair(one, twice)


def test_missing_columns_and_unknown_sets_are_named():
    with pytest.raises(bs.StudyError, match="no column 'los'"):
        pair(made("a"), made("b"), loss="los")
    with pytest.raises(bs.StudyError, match="did you mean 'fineweb'"):
        bs.load_study("loss_to_loss").select(train_data="finewebb")


def test_the_embedded_sweep_pairs_every_budget():
    table = bs.load_study("loss_to_loss")
    one, two = (table.select(train_data=name) for name in ("fineweb_edu", "starcoder"))
    paired = pair(one, two, source_loss="train_loss", loss="train_loss")
    assert (paired.paired, paired.targets) == (8, 1)
    assert paired.left_out.empty


def test_runs_of_one_table_are_paired_with_themselves_also_without_sizes():
    table = pd.DataFrame({"train": np.linspace(4, 3, 6), "val": np.linspace(3.5, 2.6, 6)})
    study = bs.Study.from_frame(table, name="own")
    paired = pair(study, study, source_loss="train", loss="val")
    assert paired.paired == 6 and paired.study.column("source_loss").tolist() == table["train"].tolist()
    tokens = made("a").frame.drop(columns="flops").assign(tokens=1e9)
    by_tokens = [bs.Study.from_frame(tokens, name=name) for name in "ab"]
    assert pair(*by_tokens).paired == 6
    with pytest.raises(bs.StudyError, match="has no column 'n_params'"):
        pair(study, dataclasses.replace(study), source_loss="train", loss="val")


def test_repeats_of_one_size_are_each_paired_with_themselves():
    losses = np.array([4.0, 3.9, 3.5, 3.6, 3.2, 3.1])
    study = made(
        "a", N=np.repeat([1e7, 1e8, 1e9], 2), C=np.repeat([1e17, 1e18, 1e19], 2), loss=losses, c4_loss=losses - 1
    )
    paired = pair(study, study, source_loss="loss", loss="c4_loss").study
    assert (paired.column("source_loss") - paired.column("loss")).tolist() == pytest.approx([1.0] * 6)
    with pytest.raises(bs.StudyError, match="two runs with n_params"):
        pair(study, study, source_loss="loss", loss="c4_loss", by=["n_params", "flops"])
    few = dataclasses.replace(study, frame=study.frame.head(3))
    with pytest.raises(bs.StudyError, match=r"^Only 3 runs of 'a' are to be fitted, .* at least 4; add runs\.$"):
        pair(few, few, source_loss="loss", loss="c4_loss")


@pytest.mark.parametrize("side", ["source", "target"])
def test_roles_that_one_study_alone_tells_are_those_of_the_pairs(side):
    told, silent = made("a", role=["train"] * 5 + ["target"]), made("b")
    paired = pair(*((told, silent) if side == "source" else (silent, told)))
    assert (paired.paired, paired.targets) == (5, 1)
    assert paired.study.targets.frame["n_params"].tolist() == [1e9]


def test_a_run_to_forecast_may_lack_the_ordinate():
    known = [4.0, 3.8, 3.6, 3.4, 3.2, np.nan]
    study = made("a", role=["train"] * 5 + ["target"], c4_loss=known)
    paired = pair(study, study, source_loss="loss", loss="c4_loss")
    assert (paired.paired, paired.targets) == (5, 1)
    assert paired.study.targets.frame["source_loss"].tolist() == [3.0]
    assert paired.study.targets.frame["loss"].isna().all()
    with pytest.raises(
        bs.StudyError, match=r"abscissa 'c4_loss' of study 'a' is not a positive number in run 'a5' .* wrong\.$"
    ):
        pair(study, study, source_loss="c4_loss", loss="loss")
    negative = made("a", role=["train"] * 5 + ["target"], c4_loss=[*known[:5], -1.0])
    with pytest.raises(bs.StudyError, match=r"ordinate 'c4_loss' of study 'a' .* in run 'a5' .* wrong\.$"):
        pair(negative, negative, source_loss="loss", loss="c4_loss")


def test_a_run_that_lacks_the_ordinate_and_has_no_role_is_refused_with_what_would_do():
    study = made("a", c4_loss=[4.0, 3.8, 3.6, 3.4, 3.2, np.nan])
    with pytest.raises(bs.StudyError, match=r"in run 'a5' .*, or say by the role 'target' which is to be forecast"):
        pair(study, study, source_loss="loss", loss="c4_loss")


def test_a_run_that_lacks_the_ordinate_is_dropped_or_named_by_options(command):
    study = made("a", c4_loss=[4.0, 3.8, 3.6, 3.4, 3.2, np.nan])
    with pytest.raises(bs.StudyError, match="drop such runs with --drop-missing, or say with --target-run which is to"):
        pair(study, study, source_loss="loss", loss="c4_loss")


@pytest.mark.parametrize("by", ["n_params", "N", ["N"], ("n_params", "C")])
def test_runs_are_paired_by_one_column_or_several_in_either_of_their_names(by):
    found = pair(made("a"), made("b"), by=by)
    assert found.paired == 6 and found.study.frame["source_loss"].tolist() == found.study.frame["loss"].tolist()


def test_what_cannot_be_paired_is_refused():
    study = made("a")
    with pytest.raises(bs.StudyError, match="The column 'n_params' is a loss and is paired by; give another loss"):
        pair(study, made("b"), source_loss="n_params")
    for by in ("size", 3):
        with pytest.raises(bs.StudyError, match=rf"^Study 'a' has no column {by!r} to pair by; "):
            pair(study, made("b"), by=by)
    for one, other in ((study, 3), (study.frame, study)):
        with pytest.raises(bs.StudyError, match=r"^The study is a (int|DataFrame); make it one with"):
            pair(one, other)


def test_a_pair_of_a_paired_study_is_that_of_its_runs():
    table = pd.DataFrame({"N": 1e8 * 2.0 ** np.arange(6), "a": np.linspace(1.0, 0.6, 6), "b": np.linspace(4.0, 2.4, 6)})
    study = bs.Study.from_frame(table.assign(loss=np.linspace(3.0, 2.0, 6)))
    once = pair(study, study, source_loss="a", loss="loss").study
    for other in ("b", "loss"):
        direct, again = (
            pair(own, own, source_loss=other, loss="a" if other == "loss" else "loss") for own in (study, once)
        )
        for column in ("source_loss", "loss", "least_source_loss"):
            assert again.study.frame[column].tolist() == direct.study.frame[column].tolist()
    swapped = pair(once, once, source_loss="loss", loss="source_loss").study.frame
    assert swapped["loss"].tolist() == table["a"].tolist() and swapped["source_loss"].iloc[0] == 3.0
