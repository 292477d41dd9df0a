"""What the command ``pair`` is asked: axes, pairs of training sets, and runs to forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.pairings import Aim, far_losses, read_pairings, without_missing_losses
from bayes_scaling.errors import TargetError
from bayes_scaling.models import ShiftedPowerLaw
from tests.worlds import known


def names(source="fineweb_edu:train_loss", target="smollm:train_loss", sets="train_data"):
    found = read_pairings(bs.load_study("loss_to_loss"), source, target, sets=sets, by="n_params,flops")
    return [pairing.study.name for pairing, _ in found]


def test_all_pairs_of_sets_and_the_losses_of_one_model():
    assert len(names(source="all:train_loss", target="all:train_loss")) == 30
    own = names(source="all:train_loss", target="same:hellaswag_ce")
    assert own[0] == "fineweb:train_loss -> fineweb:hellaswag_ce" and len(own) == 6
    assert names(target="smollm:starcoder_loss") == ["fineweb_edu:train_loss -> smollm:starcoder_loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "train_loss"}, "is not a set and a loss; write fineweb:train_loss or fineweb_edu:train_loss.$"),
        ({"source": "train_los"}, r"write fineweb:LOSS or fineweb_edu:LOSS \(did you mean 'train_loss'"),
        ({"source": "fineweb_edo:train_loss"}, "fineweb_edu"),
        ({"target": "fineweb_edu:train_loss"}, "one axis"),
        ({"target": "smollm:train_los"}, "train_loss"),
        ({"sets": "corpus"}, "no column 'corpus' .*; say --sets train_data, where 'fineweb_edu' and 'smollm' stand"),
        (
            {"sets": "corpus", "source": "web:train_loss"},
            "no column 'corpus' .* with --sets YOURS; known: cell, role, run, train_data",
        ),
    ],
)
def test_axes_that_are_not_there_are_one_sentence(changes, message):
    with pytest.raises(bs.StudyError, match=message):
        names(**changes)


@pytest.mark.parametrize("by", ["", " ", "n_params,", ",flops"])
def test_an_empty_name_of_a_column_to_pair_by_is_refused(by, two_losses):
    study = bs.Study.from_file(two_losses)
    with pytest.raises(bs.StudyError, match=f"^--by '{by}' has an empty name; name columns with commas between them"):
        read_pairings(study, "loss_a", "loss_b", sets="train_data", by=by)


def test_a_column_to_pair_by_that_is_given_twice_counts_once(two_losses):
    study = bs.Study.from_file(two_losses)
    ((pairing, _),) = read_pairings(study, "loss_a", "loss_b", sets="train_data", by="n_params,flops, flops")
    assert pairing.paired == 10


def test_values_and_runs_to_forecast(two_losses):
    study = bs.Study.from_file(two_losses)
    options = {"sets": "train_data", "by": "n_params,flops"}
    ((pairing, aims),) = read_pairings(study, "loss_a", "loss_b", **options, aim=Aim.read(["1.9"], ["r9"]))
    assert aims["target"].tolist() == ["loss_a=1.9", "r9"] and aims["source_loss"][0] == 1.9
    assert aims["loss"][1] == pytest.approx(study.frame["loss_b"][9])
    assert pairing.paired == 9 and "r9" not in set(pairing.study.frame["run"])
    with pytest.raises(TargetError, match="no run 'r10'; did you mean"):
        read_pairings(study, "loss_a", "loss_b", **options, aim=Aim.read([], ["r10"]))
    with pytest.raises(TargetError, match="not a loss on the axis"):
        Aim.read(["low"], [])
    with pytest.raises(TargetError, match=r"target '2\.1' is given twice"):
        Aim.read(["2.1", "2.10"], [])


def test_runs_of_two_sets_may_share_their_names(two_losses):
    runs = pd.read_csv(two_losses)
    both = pd.concat([runs.assign(train_data=name) for name in ("web", "code")], ignore_index=True)
    study = bs.Study.from_frame(both, name="both")
    assert study.remarks == ("10 runs were trained on several sets; each counts as a run of its own.",)
    options = {"sets": "train_data", "by": "n_params,flops"}
    aim = Aim.read([], ["r9"])
    ((pairing, aims),) = read_pairings(study, "web:loss_a", "code:loss_b", **options, aim=aim)
    assert aims["target"].tolist() == ["r9"] and pairing.paired == 9
    assert "r9 (code)" not in set(pairing.study.frame["run"]) and "r8 (code)" in set(pairing.study.frame["run"])


def test_a_loss_far_from_the_fitted_ones_or_below_its_floor_is_told():
    """Fitted losses between 2.6 and 5.2, twice as large, above a floor of 1.9."""
    table = pd.DataFrame({"source_loss": np.geomspace(2.6, 5.2, 10), "loss": np.geomspace(1.9, 3.6, 10)})
    share = np.repeat([1.9 / (0.98 * 2.6), 2.3 / (0.98 * 2.6)], [90, 10])
    draws = {"floor0": share, "floor1": np.full(100, 0.7), "kappa": np.ones(100), "level": np.ones(100)}
    draws |= {"E0": 0.98 * 2.6 * share, "sigma": np.full(100, 0.003)}
    posterior = known(ShiftedPowerLaw(), draws, table)

    def told(*values):
        aims = [{"target": f"at {value:g}", "source_loss": value} for value in values]
        return far_losses(posterior, posterior.forecast(aims))

    assert not told(2.35, 2.6, 4.0, 5.2, 10.0)
    below, far = told(0.5)
    assert (below.code, below.where, below.value) == ("below-floor", "at 0.5", 1.0)
    assert "irreducible loss of its axis, about 1.9, in 100% of the draws" in below.sentence
    assert (far.code, far.value) == ("far-loss", pytest.approx(5.2))
    assert "a factor of 5.2 beyond the smallest loss fitted, 2.6, and all of these lie within a factor of 2" in str(far)
    (below,) = told(2.2)
    assert (below.code, below.value) == ("below-floor", pytest.approx(0.1))
    (far,) = told(11.0)
    assert far.code == "far-loss" and "beyond the largest loss fitted, 5.2" in far.sentence


def test_a_run_to_forecast_may_lack_the_loss_to_forecast():
    loss = np.linspace(3.5, 2.5, 8)
    table = pd.DataFrame(
        {"run": [f"r{i}" for i in range(8)], "N": np.geomspace(1e7, 1e9, 8), "D": 1e10, "a_loss": loss}
    )
    study = bs.Study.from_frame(table.assign(b_loss=[*loss[:7] ** 1.1, np.nan]), name="own")
    ((paired, targets),) = read_pairings(study, "a_loss", "b_loss", sets="train_data", aim=Aim(runs=("r7",)))
    assert paired.paired == 7 and len(paired.study.training) == 7
    assert targets.to_dict("records") == [{"target": "r7", "source_loss": 2.5}]
    ((_, both),) = read_pairings(study, "a_loss", "b_loss", sets="train_data", aim=Aim(runs=("r7", "r6")))
    assert both["target"].tolist() == ["r7", "r6"] and both["loss"].isna().tolist() == [True, False]
    with pytest.raises(bs.StudyError, match="is missing in run 'r7'"):
        read_pairings(study, "a_loss", "b_loss", sets="train_data", aim=Aim(runs=("r6",)))


def test_sets_may_be_called_by_numbers(two_losses):
    runs = pd.read_csv(two_losses)
    study = bs.Study.from_frame(pd.concat([runs.assign(train_data=name) for name in (1, 2)], ignore_index=True))
    ((pairing, _),) = read_pairings(study, "1:loss_a", "2:loss_b", sets="train_data", by="n_params,flops")
    assert pairing.study.name == "1:loss_a -> 2:loss_b" and pairing.paired == 10
    with pytest.raises(bs.StudyError, match=r"has no train_data '3'; known: 1, 2\."):
        read_pairings(study, "3:loss_a", "2:loss_b", sets="train_data")


def test_names_of_sets_and_losses_may_have_colons(two_losses):
    runs = pd.read_csv(two_losses).rename(columns={"loss_b": "b:loss"})
    table = pd.concat([runs.assign(train_data=name) for name in ("web:v2", "web")], ignore_index=True)
    study, options = bs.Study.from_frame(table), {"sets": "train_data", "by": "n_params,flops"}
    for source, target, named in (
        ("web:v2:loss_a", "web:loss_a", ["web:v2:loss_a -> web:loss_a"]),
        ("web:v2:loss_a", "same:b:loss", ["web:v2:loss_a -> web:v2:b:loss"]),
        ("all:loss_a", "web:v2:b:loss", ["web:v2:loss_a -> web:v2:b:loss", "web:loss_a -> web:v2:b:loss"]),
    ):
        assert [pairing.study.name for pairing, _ in read_pairings(study, source, target, **options)] == named
    with pytest.raises(bs.StudyError, match="has no train_data 'wub:v2'; did you mean 'web:v2'"):
        read_pairings(study, "wub:v2:loss_a", "web:loss_a", **options)
    for text in ("web:", ":loss_a"):
        with pytest.raises(bs.StudyError, match="is not a set and a loss"):
            read_pairings(study, text, "web:loss_a", **options)


def test_rows_without_a_loss_that_is_paired_are_left_out_but_for_runs_to_forecast(two_losses):
    runs = pd.read_csv(two_losses)
    runs.loc[3, "loss_a"], runs.loc[[5, 9], "loss_b"] = np.inf, np.nan
    aim = Aim.read([], ["r9"])
    kept = without_missing_losses(bs.Study.from_frame(runs), "loss_a", "loss_b", sets="train_data", aim=aim)
    assert kept.frame["run"].tolist() == [f"r{i}" for i in (0, 1, 2, 4, 6, 7, 8, 9)]
    assert kept.remarks == (
        "1 of 9 rows, in which loss_a is missing or infinite, was left out: run 'r3' (row 4).",
        "1 of 8 rows, in which loss_b is missing or infinite, was left out: run 'r5' (row 6).",
    )
    ((pairing, aims),) = read_pairings(kept, "loss_a", "loss_b", sets="train_data", aim=aim)
    assert pairing.paired == 7 and aims["target"].tolist() == ["r9"]


def test_a_set_may_lack_the_loss_of_the_other_axis(two_losses):
    runs = pd.read_csv(two_losses)
    web, code = runs.assign(train_data="web", loss_b=np.nan), runs.assign(train_data="code", loss_a=np.nan)
    code.loc[3, "loss_b"] = np.nan
    study = bs.Study.from_frame(pd.concat([web, code], ignore_index=True))
    kept = without_missing_losses(study, "web:loss_a", "code:loss_b", sets="train_data", aim=Aim())
    assert kept.frame["train_data"].value_counts().to_dict() == {"web": 10, "code": 9}
    ((pairing, _),) = read_pairings(kept, "web:loss_a", "code:loss_b", sets="train_data")
    assert pairing.paired == 9 and len(pairing.left_out) == 1


def test_a_ladder_is_paired_in_one_task(ladder, command):
    aim = Aim.read(["2.1"], [])
    with pytest.raises(bs.StudyError, match=r'has 8 tasks, .* of one; choose one, as by --where "task == \'MMLU\'"'):
        read_pairings(ladder, "c4_loss", "task_loss", sets="train_data", aim=aim)
    one = ladder.select("task == 'MMLU'")
    ((pairing, _),) = read_pairings(one, "c4_loss", "task_loss", sets="train_data", aim=aim)
    assert pairing.paired == 16  # of the runs in training, of which another has the size of one of them


def test_a_run_to_forecast_that_is_not_there_is_told_before_what_its_loss_lacks():
    loss = np.linspace(3.5, 2.5, 8)
    table = pd.DataFrame(
        {"name": [f"r{i}" for i in range(8)], "N": np.geomspace(1e7, 1e9, 8), "D": 1e10, "a_loss": loss}
    ).assign(b_loss=[*loss[:7] ** 1.1, np.nan])
    study = bs.Study.from_frame(table, name="own")
    with pytest.raises(TargetError, match=r"have no names, so --target-run 'r7' .* column holds the names, .*'name'\."):
        read_pairings(study, "a_loss", "b_loss", sets="train_data", aim=Aim(runs=("r7",)))
    study = bs.Study.from_frame(table, name="own", run="name")
    with pytest.raises(TargetError, match="Study 'own' has no run 'R7'; did you mean 'r7'"):
        read_pairings(study, "a_loss", "b_loss", sets="train_data", aim=Aim(runs=("R7",)))


def checkpoints(sets=("web",)):
    """Return six runs of three checkpoints each in every set, with losses that fall."""
    rows = [
        {
            "train_data": own,
            "run": f"r{i}",
            "N": 1e8 * 2**i,
            "D": d * 2e9 * 2**i,
            "checkpoint": d,
            "a": 4 - 0.2 * i - 0.1 * d,
        }
        for own in sets
        for i in range(6)
        for d in (1, 2, 3)
    ]
    table = pd.DataFrame(rows)
    return table.assign(loss=0.9 * table["a"])


@pytest.mark.parametrize(
    ("source", "target", "sets"), [("web:a", "web:loss", ["web"]), ("web:a", "code:a", ["web", "code"])]
)
def test_a_run_to_forecast_is_so_at_its_last_checkpoint_and_none_of_its_checkpoints_is_fitted(source, target, sets):
    study = bs.Study.from_frame(checkpoints(sets))
    ((pairing, aims),) = read_pairings(study, source, target, sets="train_data", aim=Aim(runs=("r5",)))
    assert pairing.paired == 15 and not pairing.study.frame["run"].astype(str).str.startswith("r5").any()
    assert aims["source_loss"].tolist() == [pytest.approx(4 - 1.0 - 0.3)]


@pytest.mark.parametrize("known", [True, False], ids=["known", "not yet"])
def test_a_run_to_forecast_bounds_the_floor_and_has_its_partner_whether_its_loss_is_known_or_not(known):
    table = checkpoints(["web", "code"])
    table = table[table["checkpoint"] == 3].drop(columns="checkpoint")
    if not known:
        table["a"] = table["a"].mask((table["train_data"] == "code") & (table["run"] == "r5"))
    study = bs.Study.from_frame(table)
    ((pairing, aims),) = read_pairings(study, "web:a", "code:a", sets="train_data", aim=Aim(runs=("r5",)))
    assert pairing.paired == 5 and pairing.left_out.empty and ("loss" in aims) == known
    assert pairing.study.frame["least_source_loss"].unique() == pytest.approx([4 - 1.0 - 0.3])


def test_a_run_to_forecast_without_a_partner_is_not_left_out():
    table = checkpoints(["web", "code"])
    table = table[(table["checkpoint"] == 3) & ((table["train_data"] == "web") | (table["run"] != "r5"))]
    study = bs.Study.from_frame(table.drop(columns="checkpoint"))
    ((pairing, aims),) = read_pairings(study, "web:a", "code:a", sets="train_data", aim=Aim(runs=("r5",)))
    assert pairing.left_out.empty and len(aims) == 1 and pairing.paired == 5
    assert pairing.study.frame["least_source_loss"].unique() == pytest.approx([4 - 1.0 - 0.3])
