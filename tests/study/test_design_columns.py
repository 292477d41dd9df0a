from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, FewSteps, LearningCurve, Superset, TwoStep
from bayes_scaling.study.design import design_check
from tests.study.designs import GOOD, RISING


def test_accuracies_in_the_place_of_a_loss_go_the_wrong_way():
    study = bs.Study.from_frame(RISING.assign(C=RISING["C"] * 1e21))
    (problem,) = design_check(study).only("wrong-way")
    assert problem.sentence == "The loss rises with flops (rank correlation +0.99, at most 0.5)"
    assert problem.remedy == (
        "a loss falls; if these are accuracies, forecast the error, 1 - accuracy, or give their columns in place of a "
        "loss, as in accuracy_columns='MMLU' and chance=0.25 (that of guessing)"
    )
    as_said = RISING.rename(columns={"loss": "MMLU"}).assign(run=range(12))
    assert bs.Study.from_frame(as_said, accuracy_columns="MMLU", chance=0.25).tasks == ["MMLU"]
    as_error = study.frame.assign(loss=1 - study.frame["loss"])
    assert not design_check(bs.Study.from_frame(as_error)).only("wrong-way")


def test_each_loss_of_a_ladder_is_looked_at():
    N = np.geomspace(1e8, 1e9, 8)
    table = pd.DataFrame({"N": N, "D": 20 * N, "c4_loss": 60 * N**-0.05, "pile_loss": 5 * N**-0.05})
    for task, power in (("easy", -0.1), ("hard", 0.02)):
        table[f"{task}_acc"], table[f"{task}_loss"] = 0.5, N**power
    study = bs.Study.from_frame(table, accuracy_columns="TASK_acc", chance=0.25)
    rising, large = design_check(study).only("perplexity", "wrong-way")
    assert str(large) == (
        "The largest c4_loss is 23.89 (as given; one in nats per token is at most 15): if these are perplexities, give "
        "their logarithms."
    )
    assert str(rising) == (
        "The task_loss rises with tokens in hard (rank correlation +1.00, at most 0.71): a loss falls, so see whether "
        "this is one, and leave the task out if not."
    )
    assert not design_check(study, law=TwoStep(feature="pile_loss", jointly=())).only("perplexity", "wrong-way")


def test_few_losses_of_a_task_and_answers_that_are_likely_are_no_problem():
    N = np.geomspace(1e8, 1e9, 8)
    rows = pd.DataFrame({"run": list("abcdefgh"), "N": N, "D": 20 * N, "task": "PIQA", "accuracy": 0.5, "chance": 0.25})
    rows["task_loss"] = [0.5, 0.6, *[np.nan] * 6]
    study = bs.Study.from_frame(rows.assign(eval_loss="cross entropy"), unit="nats")
    assert not design_check(study).only("wrong-way", "error-rate", "perplexity")
    assert not design_check(bs.Study.from_frame(rows.drop(columns="run"))).only("wrong-way")
    noisy = rows.assign(task_loss=1 + 0.01 * np.array([0, 5, 2, 4, 1, 6, 3, 7]))  # a rank correlation of 0.62
    other, silent = rows.assign(task="ARC", task_loss=N**-0.1), rows.assign(task="BoolQ", task_loss=np.nan)
    silent = bs.Study.from_frame(pd.concat([noisy, other, silent.assign(pile_loss=np.nan)]))
    assert not design_check(silent.in_units(pile_loss="nats")).only("wrong-way", "error-rate")
    assert not design_check(bs.Study.from_frame(pd.concat([noisy, other]))).only("wrong-way")


def test_the_remedy_is_in_options_where_a_command_is_run(command):
    (problem,) = design_check(bs.Study.from_frame(RISING)).only("wrong-way")
    assert "--accuracy-columns MMLU and --chance 0.25 (" in problem.remedy


def test_checkpoints_are_told_from_runs():
    table = GOOD.assign(run=["a"] * 4 + [f"r{i}" for i in range(12)], checkpoint=[*range(4), *[0] * 12])
    (problem,) = design_check(bs.Study.from_frame(table)).only("not-annealed")
    assert problem.value == 3 and "further checkpoints" in problem.sentence
    steps = table.assign(steps=[500, 1000, 2000, 4000, *[5000] * 12])
    assert not design_check(bs.Study.from_frame(steps)).only("few-steps")  # its last checkpoint has enough


def of_losses(losses, unit=None):
    """Return what is said of the size of losses."""
    table = GOOD.assign(loss=np.linspace(*losses, len(GOOD)))
    return design_check(bs.Study.from_frame(table, unit=unit)).only("perplexity", "error-rate")


def test_losses_as_large_as_perplexities_are_told():
    (problem,) = of_losses((75.05, 11.47))
    assert problem.code == "perplexity" and problem.value == 75.05 and problem.where == "loss"
    assert str(problem) == (
        "The largest loss is 75.05 (as given; one in nats per token is at most 15): if these are perplexities, give "
        "their logarithms, and if not, say which unit they are in with unit='UNIT'."
    )
    assert not of_losses((14.9, 2.0)) and not of_losses((75.05, 11.47), "squared error")


def test_losses_said_to_be_perplexities_are_told_whatever_their_size():
    (problem,) = of_losses((14.0, 8.0), "perplexity")
    assert str(problem) == (
        "The unit of the loss is perplexity: laws are of its logarithm, so give the logarithms of these losses, which "
        "are in nats."
    )


def test_losses_as_small_as_error_rates_are_told_where_they_are_said_to_be_nats():
    (problem,) = of_losses((0.99, 0.9), "nats per token")
    assert problem.code == "error-rate" and problem.value == 0.99
    assert str(problem) == (
        "The largest loss is 0.99 nats per token (at least 1 for text): if these are error rates, say so with "
        "unit='fraction'."
    )
    assert [p.code for p in of_losses((0.99, 0.9), "nats (C4)")] == ["error-rate"]  # the unit, whatever is added to it
    assert [p.code for p in of_losses((20.0, 9.0), "nats per token (C4)")] == ["perplexity"]
    for losses, unit in (((0.99, 0.9), None), ((0.99, 0.9), "bits per byte"), ((1.01, 0.9), "nats per token")):
        assert not of_losses(losses, unit)


CONTRADICTING = [0.25] * 2 + [0.5] * 3 + [1] * 3 + [2] * 4  # FLOPs over 6ND of the runs of a real table


def flops_problem(ratios):
    table = GOOD.head(len(ratios))
    found = design_check(bs.Study.from_frame(table.assign(C=6 * table["N"] * table["D"] * ratios)))
    return found.only("flops-6nd")


def test_flops_that_contradict_parameters_and_tokens_are_named_run_by_run():
    (problem,) = flops_problem(CONTRADICTING)
    assert problem.sentence == (
        "The FLOPs of r0, r1, r2, r3, r4, r8, r9, r10, r11 are 0.25 to 2 times 6ND (at most a factor of 1.9 off)"
    )
    assert problem.value == pytest.approx(4) and problem.where == "flops"


def test_one_ratio_is_said_once():
    (problem,) = flops_problem([1 / 3] * 12)
    assert "are 0.33 times 6ND" in problem.sentence and "most runs" not in problem.sentence


def test_a_run_off_the_ratio_of_the_others_is_named_alone():
    (problem,) = flops_problem([1.5] * 11 + [0.75])
    assert problem.sentence.startswith("The FLOPs of r11 are 0.75 times 6ND, those of most runs 1.5 times (")


def test_most_runs_at_6nd_are_not_mentioned():
    (problem,) = flops_problem([1.001] * 11 + [0.5])
    assert problem.sentence == "The FLOPs of r11 are 0.5 times 6ND (at most a factor of 1.9 off)"


def test_flops_that_count_a_little_more_than_6nd_contradict_nothing():
    assert not flops_problem(np.linspace(0.9, 1.6, 16))


def test_the_sweep_says_what_bends_it():
    sweep = bs.load_study("loss_to_loss").select(train_data="fineweb")
    assert {"embedding-share", "few-steps"} <= set(design_check(sweep).codes)


def test_a_law_with_a_penalty_for_few_steps_is_not_advised_to_have_one():
    study = bs.Study.from_frame(GOOD.assign(steps=[500.0] * 3 + [9e3] * 13))
    for law, advice in ((Chinchilla(), "or use a law with a penalty"), (FewSteps(), "see whether the forecast stays")):
        (problem,) = design_check(study, law=law).only("few-steps")
        assert advice in problem.remedy
    (problem,) = design_check(study, law=Superset()).only("few-steps")
    assert "the law has a penalty" in problem.remedy and problem.sentence.count(",") == 2  # three runs by name


def test_a_run_of_a_ladder_without_its_loss_is_named_once():
    rows = pd.DataFrame({
        "run": np.repeat(["a", "b", "c"], 2), "task": ["one", "two"] * 3, "accuracy": 0.5, "chance": 0.25,
        "N": np.repeat([1e8, 2e8, 4e8], 2), "D": 4e9,
        "c4_loss": [3.0, 3.0, np.nan, np.nan, np.nan, 2.8], "task_loss": [1.0, 0.9, np.nan, 0.8, 0.7, 0.6],
    })  # fmt: skip
    found = bs.design_check(bs.Study.from_frame(rows), law=TwoStep()).only("missing-loss")
    assert [(p.where, p.sentence) for p in found] == [
        ("task_loss", "1 run of 3 without task_loss: b"),
        ("c4_loss", "1 run of 3 without c4_loss: b"),
    ]


def test_known_errors_that_a_law_does_not_read_are_told_and_measure_no_noise():
    study = bs.Study.from_frame(GOOD.head(6).assign(loss_se=[0.01] * 5 + [0.02]))
    found = design_check(study, law=LearningCurve())
    (problem,) = found.only("unread-error")
    assert problem.value == 6 and problem.where == "loss_se"
    assert problem.sentence.startswith(
        "LearningCurve does not read loss_se, the standard error of the loss, which 6 of 6"
    )
    assert found.only("guessed-noise") and not design_check(study, law=Chinchilla()).only(
        "unread-error", "guessed-noise"
    )
    without = bs.Study.from_frame(GOOD.head(6))
    assert not design_check(without, law=LearningCurve()).only("unread-error")


def test_rows_of_one_size_that_are_evenly_spaced_in_tokens_may_be_checkpoints():
    spaced = pd.DataFrame({"N": 9e7, "D": 2e9 * np.arange(1, 7), "loss": np.linspace(4.0, 3.0, 6), "run": [*"abcdef"]})
    (problem,) = design_check(bs.Study.from_frame(pd.concat([spaced, GOOD.head(6)]))).only("not-annealed")
    assert problem.value == 6 and "6 of 12 rows are evenly spaced in tokens at their size" in problem.sentence
    for others in (GOOD, spaced.head(4), spaced.assign(D=2e9), spaced.assign(annealed=1)):
        assert not design_check(bs.Study.from_frame(others)).only("not-annealed")


def copies_in(table):
    """Return what is said of copied runs."""
    return design_check(bs.Study.from_frame(table)).only("copied-run")


def test_runs_that_are_the_same_but_for_their_name_are_told():
    table = GOOD.assign(run=[f"r{i}" for i in range(len(GOOD))])
    copies = table.head(2).assign(run=["a", "b"])
    (problem,) = copies_in(pd.concat([table, copies], ignore_index=True))
    assert problem.value == 2
    assert str(problem) == (
        f"2 of {len(GOOD) + 2} runs are the same as others in every column but their name: a and b: copies count as "
        "runs and make every interval too narrow, so leave them out, or give repeated runs a column seed."
    )


def test_repeated_runs_are_no_copies():
    table = pd.concat([GOOD, GOOD.head(3)], ignore_index=True)
    table["run"] = range(len(table))
    assert not copies_in(table.assign(seed=[0] * len(GOOD) + [1] * 3))
    assert not copies_in(table.assign(loss=table["loss"] + 1e-4 * np.arange(len(table))))


def test_a_run_of_a_ladder_is_a_copy_where_all_its_tasks_are():
    tasks = pd.DataFrame({"task": ["x", "y"], "accuracy": [0.4, 0.5], "chance": 0.25, "task_loss": [1.0, 1.1]})
    ladder = GOOD.drop(columns="loss").assign(run=[f"r{i}" for i in range(len(GOOD))]).merge(tasks, how="cross")
    ladder["accuracy"] += 0.01 * ladder.index // 2
    again = ladder.head(2).assign(run="again")
    assert copies_in(pd.concat([ladder, again], ignore_index=True))[0].value == 1
    again.loc[again["task"] == "y", "accuracy"] += 0.01
    assert not copies_in(pd.concat([ladder, again], ignore_index=True))


def test_copied_runs_are_told_whatever_other_columns_hold():
    table = GOOD.assign(run=[f"r{i}" for i in range(len(GOOD))], tags=[["a", "b"]] * len(GOOD), config=[{"lr": 1}] * 16)
    assert not copies_in(table)
    copy = table.head(1).assign(run="copy")
    assert copies_in(pd.concat([table, copy], ignore_index=True))[0].value == 1
    assert not copies_in(pd.concat([table, copy.assign(tags=[["a"]])], ignore_index=True))
