from __future__ import annotations

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.losses import loss_columns, unread_losses

LADDER = pd.DataFrame({"run": ["a", "a"], "task": ["x", "y"], "accuracy": 0.5, "loss_sd": 0.1})


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("loss_c4", "c4_loss='loss_c4'"),
        ("val/paloma-bpb", "paloma_loss='val/paloma-bpb'"),
        ("NLL", "val_loss='NLL'"),
        ("eval/5shot-nll", "eval_loss='eval/5shot-nll'"),
    ],
)
def test_columns_that_may_be_losses_are_told(name, cure):
    table = LADDER.assign(**{name: 2.0})
    (said,) = unread_losses(table)
    assert said == f"Not read as a loss: {name!r}; to read one, give it a name that ends in loss, as in {cure}."
    ours, theirs = cure.replace("'", "").split("=")
    assert loss_columns(table.rename(columns={theirs: ours})) == [ours]
    assert not unread_losses(table.drop(columns="task"))


def test_the_name_that_is_advised_is_free_and_perplexities_want_a_logarithm():
    table = LADDER.assign(c4_loss=2.0, c4_ppl=8.0)
    (said,) = unread_losses(table)
    assert "to read one, of perplexities the logarithm, give" in said and said.endswith("as in c4_ppl_loss='c4_ppl'.")


def test_columns_of_the_tasks_are_told_by_their_rule():
    wide = pd.DataFrame({"N": [1e8, 2e8], "D": 2e9, "val_loss": [3.0, 2.9]})
    for task in ("PIQA", "ARC"):
        wide[f"{task}_acc"], wide[f"{task}_bpb"] = 0.5, 1.0
    options = {"accuracy_columns": "TASK_acc", "chance": 0.25}
    (said,) = bs.Study.from_frame(wide, **options).remarks
    assert said == "Not read: 'PIQA_bpb' and its like, which may be losses of the tasks; say task_loss='TASK_bpb'."
    study = bs.Study.from_frame(wide, task_loss="TASK_bpb", **options)
    assert not study.remarks and loss_columns(study.frame) == ["task_loss", "val_loss"]
    long = pd.DataFrame({"task": ["PIQA", "ARC"], "PIQA_ppl": 3.0, "ARC_ppl": 2.0})
    (said,) = unread_losses(long)
    assert said.endswith("put that of each row's task into a column task_loss, and of perplexities give the logarithm.")


@pytest.mark.parametrize(
    "name", ["loss_scale", "c4_loss_sem", "loss_q05", "nll_tokens", "train/ppl_step", "val_loss_var"]
)
def test_what_stands_beside_a_loss_is_none(name):
    assert not unread_losses(LADDER.assign(**{name: 2.0}))
    assert not unread_losses(LADDER.assign(loss_fn="cross entropy"))


def test_what_routers_are_trained_by_is_no_loss_of_text_and_that_is_said():
    penalties = ["aux_loss", "router_z_loss", "Z_loss", "train/load_balancing_loss", "moe/aux_loss", "router_ce_loss"]
    table = LADDER.assign(**dict.fromkeys(["c4_loss", *penalties, "fez_loss", "aux_val_loss"], 1.0))
    assert loss_columns(table) == ["c4_loss", "fez_loss", "aux_val_loss"]
    (said,) = unread_losses(table)
    assert said.startswith("Not read, as what trains routers and no loss of text: 'aux_loss', ")
    assert said.endswith("to read one all the same, say other_loss='aux_loss'.")
    assert loss_columns(table.rename(columns={"aux_loss": "other_loss"}))[1] == "other_loss"
