from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.study.losses import loss_columns
from bayes_scaling.study.wide import lengthened, unread_accuracies, with_chance

WIDE = pd.DataFrame({
    "model": ["a", "b"],
    "N": [2e7, 6e7],
    "D": [1e9, 3e9],
    "PIQA_acc": [0.55, 0.61],
    "ARC-Easy_acc": [0.27, np.nan],
    "chance_PIQA": 0.5,
    "chance_ARC-Easy": 0.25,
    "questions_PIQA": 1838,
    "val_loss": [3.2, 2.9],
})  # fmt: skip


def test_a_rule_names_the_tasks_and_what_belongs_to_them():
    study = bs.Study.from_frame(WIDE, name="wide", run="model", accuracy_columns="TASK_acc")
    assert study.tasks == ["PIQA", "ARC-Easy"] and len(study) == 4
    assert study.frame["run"].tolist() == ["a", "a", "b", "b"]
    assert study.frame["chance"].tolist() == [0.5, 0.25, 0.5, 0.25]
    np.testing.assert_array_equal(study.frame["accuracy"], [0.55, 0.27, 0.61, np.nan])
    assert study.frame["questions"].tolist()[::2] == [1838, 1838] and study.frame["questions"].isna().tolist()[1]
    assert not [c for c in study.frame if c.startswith(("PIQA", "chance_", "questions_"))]


def test_losses_called_by_their_tasks_are_read_and_that_is_said():
    table = WIDE.assign(**{"PIQA_loss": [1.1, 1.0], "ARC-Easy_loss": [0.9, 0.8]})
    study = bs.Study.from_frame(table, run="model", accuracy_columns="TASK_acc")
    assert study.frame["task_loss"].tolist() == [1.1, 0.9, 1.0, 0.8] and "PIQA_loss" not in study.frame
    said = ("Read without being told: 'PIQA_loss' and its like as the losses of their tasks; say otherwise with "
            "task_loss='YOURS'.")  # fmt: skip
    assert study.remarks == (said,)
    slashes = table.rename(columns={"PIQA_loss": "loss/PIQA", "ARC-Easy_loss": "loss/ARC-Easy"})
    assert "task_loss" in bs.Study.from_frame(slashes, run="model", accuracy_columns="TASK_acc").frame
    deep = table.rename(
        columns=lambda name: "/".join(["eval", *name.split("_")]) if name[:4] in ("PIQA", "ARC-") else name
    )
    study = bs.Study.from_frame(deep, run="model", accuracy_columns="eval/TASK/acc")
    assert study.frame["task_loss"].tolist() == [1.1, 0.9, 1.0, 0.8] and "eval/PIQA/loss" in study.remarks[0]


@pytest.mark.parametrize(
    ("changes", "why", "which"),
    [
        ({"ARC-Easy_loss": [0.9, 0.8]}, "'PIQA' has none", "'ARC-Easy_loss'"),
        ({"ARC-Easy_loss": 0.9, "PIQA_loss": 1.0, "task_loss": 1.2}, "task_loss is there, too", "'PIQA_loss' and "),
    ],
)
def test_a_loss_of_one_task_is_none_that_all_share(changes, why, which):
    study = bs.Study.from_frame(WIDE.assign(**changes), run="model", accuracy_columns="TASK_acc")
    (said,) = study.remarks
    assert said.startswith(f"Not read, as a loss of one task each, since {why}: {which}")
    first = which.split("'")[1]
    assert said.endswith(f"; if all tasks share one, say shared_loss={first!r}.")
    assert loss_columns(study.frame) == ["task_loss", "val_loss"][1 - ("task_loss" in changes) :]


def test_a_loss_that_is_called_as_one_task_is_shared_where_there_is_no_other():
    table = pd.DataFrame({"N": [1e8, 2e8], "D": 2e9, "eval/acc": 0.5, "mmlu/acc": 0.4, "eval/loss": [3.0, 2.9]})
    study = bs.Study.from_frame(table, accuracy_columns="TASK/acc", chance=0.25)
    assert loss_columns(study.frame) == ["eval/loss"]
    assert study.remarks == (
        "Read as what all tasks share, though called as of one task: 'eval/loss'; leave it out if it is not.",
    )


def test_losses_that_are_called_by_several_rules_are_read_together():
    table = WIDE.assign(**{"PIQA_loss": [1.1, 1.0], "loss_ARC-Easy": [0.9, 0.8]})
    study = bs.Study.from_frame(table, run="model", accuracy_columns="TASK_acc")
    assert study.frame["task_loss"].tolist() == [1.1, 0.9, 1.0, 0.8] and loss_columns(study.frame)[1:] == ["val_loss"]


def test_one_set_of_losses_of_the_tasks_is_read():
    table = WIDE.assign(**{f"{task}{end}": 1.0 for task in ("PIQA", "ARC-Easy") for end in ("_loss", "/loss")})
    study = bs.Study.from_frame(table, run="model", accuracy_columns="TASK_acc")
    assert loss_columns(study.frame) == ["task_loss", "val_loss"]
    assert "Not read, as a loss of one task each, since others are read: 'PIQA/loss' and " in study.remarks[1]


def test_what_is_of_a_task_each_may_have_a_rule():
    table = WIDE.assign(**{"PIQA-bpb": [1.1, 1.0], "ARC-Easy-bpb": [0.9, np.nan], "PIQA_loss": 3, "ARC-Easy_loss": 3})
    rules = {"accuracy_columns": "TASK_acc", "task_loss": "TASK-bpb", "chance": "chance_TASK"}
    study = bs.Study.from_frame(table, run="model", **rules)
    np.testing.assert_array_equal(study.frame["task_loss"], [1.1, 0.9, 1.0, np.nan])
    assert study.frame["chance"].tolist() == [0.5, 0.25] * 2 and study.names["task_loss"] == "TASK-bpb"
    with pytest.raises(bs.StudyError, match="No column of the table is called like 'TASK_nats', with one of the tasks"):
        bs.Study.from_frame(table, run="model", accuracy_columns="TASK_acc", task_loss="TASK_nats")
    with pytest.raises(bs.StudyError, match="The table has no column 'TASK-bpb' to use as 'task_loss'"):
        bs.Study.from_frame(table, run="model", task_loss="TASK-bpb")


def test_a_run_of_a_ladder_may_lack_a_loss_whatever_it_is_called():
    table = WIDE.assign(val_loss=[3.2, np.nan])
    for name in ("loss", "c4_loss"):
        study = bs.Study.from_frame(table, run="model", accuracy_columns="TASK_acc", **{name: "val_loss"})
        assert study.frame[name].isna().tolist() == [False, False, True, True]
        with pytest.raises(bs.StudyError, match=rf"Run 'b' on 'PIQA' .* have no {name} \('val_loss'\)"):
            study.column(name)
    with pytest.raises(bs.StudyError, match=r"Run 'b' .* has no loss"):
        bs.Study.from_frame(table, run="model", loss="val_loss")


def test_accuracies_that_nothing_reads_are_told():
    table = pd.DataFrame({"N": [2e7, 6e7], "D": 1e9, "loss": [3.2, 2.9], "hellaswag_acc_norm": 0.3, "accelerator": "x"})
    (said,) = bs.Study.from_frame(table).remarks
    assert said == (
        "Accuracies, as in 'hellaswag_acc_norm', are not read; for tasks, say accuracy_columns='TASK_acc_norm' and "
        "chance=0.25 (or any)."
    )
    assert bs.Study.from_frame(table.rename(columns={"hellaswag_acc_norm": "accuracy"})).remarks == ()
    first = table.rename(columns={"hellaswag_acc_norm": "acc/hellaswag"})
    assert "say accuracy_columns='acc/hellaswag' and" in bs.Study.from_frame(first).remarks[0]
    assert bs.Study.from_frame(table, accuracy_columns="TASK_acc_norm", chance=0.25).remarks == ()


SCORES = pd.DataFrame({"run": ["a", "b"], "N": [1e8, 1e9], "D": 1e10, "acc_piqa": 0.6, "acc_stderr_piqa": 0.01})


def test_errors_that_a_rule_finds_are_no_tasks_and_that_is_said():
    table = SCORES.assign(acc_copa=0.5, **{"acc_copa_SE": 0.02, "acc_xnli_se": 0.4})  # in Northern Sami
    study = bs.Study.from_frame(table, accuracy_columns="acc_TASK", chance=0.5)
    assert study.tasks == ["piqa", "copa", "xnli_se"]
    assert study.remarks == (
        "Not read, as errors and no accuracies by their names: 'acc_stderr_piqa' and 'acc_copa_SE'; to read one all "
        "the same, name it besides the rule 'acc_TASK'.",
    )
    both = bs.Study.from_frame(SCORES, accuracy_columns=["acc_piqa", "acc_stderr_piqa"], chance=0.5)
    assert both.tasks == ["acc_piqa", "acc_stderr_piqa"] and not both.remarks
    besides = bs.Study.from_frame(SCORES, accuracy_columns=["acc_TASK", "acc_stderr_piqa"], chance=0.5)
    assert besides.tasks == ["piqa", "acc_stderr_piqa"] and not besides.remarks


def test_words_for_errors_in_the_names_of_tasks_make_no_errors_of_them():
    table = SCORES.drop(columns="acc_stderr_piqa").assign(
        acc_detection=0.6, acc_error_detection=0.4, acc_piqa_err=0.3, acc_new_piqa=0.5, acc_new_se_piqa=0.4
    )
    study = bs.Study.from_frame(table, accuracy_columns="acc_TASK", chance=0.25)
    assert study.tasks == ["piqa", "detection", "error_detection", "piqa_err", "new_piqa", "new_se_piqa"]
    assert not [said for said in study.remarks if "errors" in said]


def test_tasks_that_may_be_other_scores_of_others_are_told(command):
    table = SCORES.drop(columns="acc_stderr_piqa").assign(acc_norm_piqa=0.65, acc_copa=0.5, acc_xcopa=0.5)
    study = bs.Study.from_frame(table, accuracy_columns="acc_TASK", chance=0.5)
    assert study.tasks == ["piqa", "norm_piqa", "copa", "xcopa"]
    assert study.remarks == (
        "Read as tasks of their own: 'norm_piqa'; where that is another score of 'piqa', say --accuracy-columns "
        "acc_norm_TASK, or name the columns of one score.",
    )
    assert not bs.Study.from_frame(table, accuracy_columns="acc_norm_TASK", chance=0.5).remarks


def test_columns_by_name_and_one_chance_for_all():
    table = WIDE.rename(columns={"PIQA_acc": "PIQA", "ARC-Easy_acc": "ARC"})[["N", "D", "PIQA", "ARC"]]
    by_list = bs.Study.from_frame(table, name="wide", accuracy_columns=["PIQA", "ARC"], chance=0.25)
    by_text = bs.Study.from_frame(table, name="wide", accuracy_columns="PIQA, ARC", chance={"PIQA": 0.25, "ARC": 0.25})
    pd.testing.assert_frame_equal(by_list.frame, by_text.frame)
    odd = table.rename(columns={"ARC": "ARC, easy"})
    by_text = bs.Study.from_frame(odd, accuracy_columns="ARC, easy", chance=0.25, drop_missing=True)
    assert by_text.tasks == ["ARC, easy"] and "PIQA" in by_text.frame
    by_list = bs.Study.from_frame(odd, accuracy_columns=["PIQA", "ARC, easy"], chance={"ARC, easy": 0.25, "PIQA": 0.5})
    assert by_list.tasks == ["PIQA", "ARC, easy"] and by_list.frame["chance"].tolist() == [0.5, 0.25] * 2
    assert by_list.frame["run"].tolist() == ["row 1", "row 1", "row 2", "row 2"]


def test_a_chance_by_task_serves_long_tables_too():
    long = pd.DataFrame({"run": ["a", "a"], "task": ["x", "y"], "accuracy": [0.5, 0.1], "N": 1e8, "D": 1e9})
    assert bs.Study.from_frame(long, chance={"x": 0.5, "y": 0.0}).frame["chance"].tolist() == [0.5, 0.0]
    assert bs.Study.from_frame(long.assign(guess=0.2), chance="guess").frame["chance"].tolist() == [0.2, 0.2]
    assert bs.Study.from_frame(long.drop(columns="task").iloc[:1], chance=0.2).frame["chance"].tolist() == [0.2]
    kept = bs.Study.from_frame(long.assign(chance=0.2), chance={"y": 0.0})
    assert kept.frame["chance"].tolist() == [0.2, 0.0]
    assert bs.Study.from_frame(long, chance={"TASK": 0.3, "y": 0.0}).frame["chance"].tolist() == [0.3, 0.0]
    with pytest.raises(bs.StudyError, match="A chance is given for 'z', which is no task here; known: x, y"):
        bs.Study.from_frame(long, chance={"x": 0.5, "y": 0.0, "z": 0.1})
    with pytest.raises(bs.StudyError, match="The chance of 'y' is not given; give it for 'x', 'y'"):
        bs.Study.from_frame(long, chance={"x": 0.5})


def test_rows_keep_the_numbers_they_have_in_the_file():
    wide = pd.DataFrame(
        {"run": ["a", "b", "c"], "N": [1e7, 2e7, 4e7], "D": 1e9, "P_acc": [0.5, 0.6, 7.0], "Q_acc": 0.3}
    )
    with pytest.raises(bs.StudyError, match=r"^Run 'c' on 'P' \(row 3\) has accuracy = 7, which is above 1"):
        bs.Study.from_frame(wide, accuracy_columns="TASK_acc", chance=0.25)
    with pytest.raises(bs.StudyError, match=r"^Run 'b' on 'Q' \(row 2\) has accuracy = 'OOM', which is not a number"):
        bs.Study.from_frame(wide.assign(Q_acc=[0.3, "OOM", 0.3]), accuracy_columns="TASK_acc", chance=0.25)
    study = bs.Study.from_frame(
        wide.assign(P_acc=0.5), accuracy_columns="TASK_acc", chance=0.25, flops="6ND", where="N > 1e7"
    )
    assert study.frame.index.tolist() == [1, 1, 2, 2] and study.column("flops").tolist() == [1.2e17] * 2 + [2.4e17] * 2
    with pytest.raises(bs.StudyError, match=r"^Run 'a' on 'P' stands in rows 1, 2 and 3, run 'a' on 'Q'"):
        bs.Study.from_frame(wide.assign(run="a", P_acc=0.5), accuracy_columns="TASK_acc", chance=0.25)


@pytest.mark.parametrize(
    ("table", "columns", "chance", "message"),
    [
        (WIDE.assign(task="one"), "TASK_acc", None, r"has a column 'task', so .* leave the columns of accuracies out"),
        (
            WIDE,
            "acc_TASK",
            None,
            "No column of the table is called like 'acc_TASK', with a task for TASK; known:",
        ),
        (WIDE, ["PIQA_ac"], None, "has no column 'PIQA_ac' of accuracies; did you mean 'PIQA_acc'"),
        (WIDE, "TASK_acc", [0.5, 0.25], r"The chance is \[0.5, 0.25\]; give one number for all .*: 'PIQA', "),
        (
            WIDE,
            [],
            None,
            r"The columns of accuracies are \[\]; name one or several, .* accuracy_columns='TASK_acc'[.]$",
        ),
        (WIDE, 3, None, "The columns of accuracies are 3; name"),
        (WIDE, [None], None, r"The columns of accuracies are \[None\]; name"),
        (WIDE, "TASK_acc", {"PIQA": 0.5}, "The chance of 'ARC-Easy' is not given; give it for 'PIQA', 'ARC-Easy'"),
    ],
)
def test_what_cannot_be_lengthened_is_one_sentence(table, columns, chance, message):
    with pytest.raises(bs.StudyError, match=message):
        lengthened(table, columns, chance)


def test_runs_without_names_are_called_by_the_number_of_their_row_in_the_file(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("N,D,P_acc\n1e7,1e9,0.5\n,,\n2e7,1e9,0.6\n")
    study = bs.Study.from_file(path, accuracy_columns="TASK_acc", chance=0.25)
    assert study.frame["run"].tolist() == ["row 1", "row 3"]


def test_rows_that_a_query_leaves_out_of_a_lengthened_table_are_told():
    wide = WIDE.rename(columns={"ARC-Easy_acc": "ARC_acc"})
    study = bs.Study.from_frame(wide, run="model", accuracy_columns="TASK_acc", chance=0.25, where="task != 'ARC'")
    (said,) = study.remarks
    assert said.startswith("2 of 4 rows were left out by where=\"task != 'ARC'\": run 'a' on 'ARC' (row 1) and")


def test_a_column_of_chance_counts_for_the_tasks_that_are_not_named():
    long = pd.DataFrame({"run": ["a", "a"], "task": ["x", "y"], "accuracy": 0.5, "N": 1e8, "D": 1e9, "guess": 0.2})
    study = bs.Study.from_frame(long, chance={"TASK": "guess", "x": 0.5})
    assert study.frame["chance"].tolist() == [0.5, 0.2] and study.names["chance"] == "guess"
    wide = WIDE.drop(columns=["chance_PIQA", "chance_ARC-Easy"]).assign(guess=[0.2, 0.3])
    options = {"run": "model", "accuracy_columns": "TASK_acc"}
    study = bs.Study.from_frame(wide, chance={"TASK": "guess", "PIQA": 0.5}, **options)
    assert study.frame["chance"].tolist() == [0.5, 0.2, 0.5, 0.3]
    same = bs.Study.from_frame(wide.rename(columns={"guess": "chance"}), chance={"PIQA": 0.5}, **options)
    assert same.frame["chance"].tolist() == [0.5, 0.2, 0.5, 0.3]
    study = bs.Study.from_frame(WIDE, chance={"TASK": "chance_TASK", "PIQA": 0.4}, **options)
    assert study.frame["chance"].tolist() == [0.4, 0.25] * 2


def test_a_task_has_its_accuracies_in_one_column():
    rules = ["TASK_acc", "TASK_acc_norm"]
    with pytest.raises(bs.StudyError, match="of the task 'PIQA' stands in two columns, 'PIQA_acc' and 'PIQA_acc_norm'"):
        lengthened(WIDE.assign(PIQA_acc_norm=0.6), rules, 0.25)
    others = lengthened(WIDE.assign(COPA_acc_norm=0.6), [*rules, "TASK_acc"], 0.25)[0]
    assert others["task"].unique().tolist() == ["PIQA", "ARC-Easy", "COPA"]


def test_the_chance_of_a_task_that_is_not_named_is_the_first_that_the_table_knows():
    long = pd.DataFrame({"run": [*"abab"], "task": [*"AABB"], "accuracy": 0.5, "N": 1e8, "D": 1e9})
    for known in ([0.5, None], [None, 0.5]):
        study = bs.Study.from_frame(long.assign(chance=[0.3, 0.3, *known]), chance={"A": 0.2})
        assert study.frame["chance"].tolist() == [0.2, 0.2, 0.5, 0.5]


def test_a_rule_and_names_may_stand_in_one_text():
    table = pd.DataFrame({"N": [1e8], "D": [1e10], "piqa_acc": [0.6], "mmlu (5-shot)": [0.3]})
    long, _ = lengthened(table, "TASK_acc,mmlu (5-shot)")
    assert long["task"].tolist() == ["piqa", "mmlu (5-shot)"] and long["accuracy"].tolist() == [0.6, 0.3]
    commas = table.rename(columns={"piqa_acc": "piqa,_acc"})  # a comma of the name itself
    assert lengthened(commas, "TASK,_acc")[0]["task"].tolist() == ["piqa"]


def test_a_column_without_a_score_that_a_rule_finds_is_not_read():
    table = pd.DataFrame({"N": [1e8, 2e8], "D": 1e10, "piqa_acc": [0.6, None], "later_acc": [None, ""]})
    long, remarks = lengthened(table, "TASK_acc")
    assert set(long["task"]) == {"piqa"} and remarks == ["Not read, since no run has a score there: 'later_acc'."]
    assert set(lengthened(table, ["piqa_acc", "later_acc"])[0]["task"]) == {"piqa_acc", "later_acc"}
    assert set(lengthened(table[["N", "D", "later_acc"]], "TASK_acc")[0]["task"]) == {"later"}


def test_errors_of_accuracies_are_none_to_read():
    table = pd.DataFrame(columns=["run", "piqa_acc_stderr", "arc_acc_stderr", "piqa_acc", "arc_acc"])
    (said,) = unread_accuracies(table)
    assert "accuracy_columns='TASK_acc' and" in said
    assert not unread_accuracies(table[["run", "piqa_acc_stderr"]])


def test_a_column_of_chances_is_as_it_is_for_tasks_that_are_not_named():
    table = pd.DataFrame({"run": list("abab"), "task": list("ppqq"), "chance": [0.2, 0.2, 0.2, 0.25]})
    assert with_chance(table, {"p": 0.5})["chance"].tolist() == [0.5, 0.5, 0.2, 0.25]
    assert with_chance(table, {"p": 0.5, "TASK": 0.1})["chance"].tolist() == [0.5, 0.5, 0.1, 0.1]
