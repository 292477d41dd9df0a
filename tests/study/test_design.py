from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import (
    Chinchilla,
    FewSteps,
    LearningCurve,
    Pooled,
    PowerLaw,
    Superset,
    SupersetInFlops,
    TwoStep,
)
from bayes_scaling.study.design import design_check

GRID = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8) for d in (10, 20, 40, 80)]
GOOD = pd.DataFrame(GRID, columns=["N", "D"]).assign(loss=np.linspace(3.9, 2.9, 16), run=[f"r{i}" for i in range(16)])
NEAR = [(n, 20 * n * f) for n in (1e8, 2e8, 4e8, 8e8, 16e8) for f in (0.8, 1.0, 1.25)]

BAD = {
    "units": (GOOD.assign(N=GOOD["N"] / 1e6), "The largest n_params of a run is 800 .* write 7e9", 800),
    "unused-accuracy": (GOOD.assign(accuracy=0.5), "no column 'task'.* reads them from one row per run and task", 16),
    "few-runs": (GOOD.head(8), "There are 8 runs", 8),
    "guessed-noise": (GOOD.head(8), "3 runs beyond the 5 parameters .* 0 repeated ones .* to a factor of 1.5", 3),
    "few-sizes": (GOOD[GOOD["N"] < 3e8], "There are 2 distinct values of N", 2),
    "one-ratio": (GOOD.assign(D=20 * GOOD["N"], x=range(16)), "20 tokens per parameter", 1.0),
    "collinear": (
        pd.DataFrame(NEAR, columns=["N", "D"]).assign(loss=3.0),
        "log N and log D have correlation 0.983",
        30,
    ),
    "embedding-share": (
        GOOD.assign(n_params_body=GOOD["N"] - 4e7),
        "Embeddings are 5% to 40% of N .* fit n_params_body as N",
        0.4,
    ),
    "few-steps": (GOOD.assign(steps=[500.0] * 3 + [9e3] * 13), "3 of 16 runs have fewer than 2000 .* fewest 500", 500),
    "not-annealed": (GOOD.assign(annealed=[False] * 4 + [True] * 12), "4 of 16 rows .* did not decay", 4),
}


@pytest.mark.parametrize(("code", "table", "message", "value"), [(c, *b) for c, b in BAD.items()], ids=BAD)
def test_each_fault_of_a_design_is_a_record(code, table, message, value):
    found = design_check(bs.Study.from_frame(table)).only(code)
    assert len(found) == 1
    assert pytest.approx(value, rel=0.05) == found[0].value
    assert pd.Series([str(found[0])]).str.contains(message).item() and str(found[0]).endswith(".")


def test_a_sound_design_has_no_problem():
    found = design_check(
        bs.Study.from_frame(GOOD.assign(steps=5e3, annealed=1, n_params_body=0.9 * GOOD["N"])), {"N": 1e9, "D": 5e10}
    )
    assert not found and str(found) == "No problem found."


RISING = pd.DataFrame({  # a real table: FLOPs in units of 1e21, and accuracies under the name of a loss
    "C": [0.02, 0.1, 0.3, 0.7, 1.8, 5.0, 9.0, 12.0, 20.0, 60.0, 84.0, 400.0],
    "loss": [0.243, 0.3, 0.331, 0.352, 0.399, 0.451, 0.457, 0.491, 0.486, 0.529, 0.571, 0.605],
})  # fmt: skip


def test_flops_in_a_unit_are_told():
    (problem,) = design_check(bs.Study.from_frame(RISING)).only("units")
    assert problem.where == "flops" and "The largest flops of a run is 400 (at least 1e+12)" in problem.sentence
    (aim,) = design_check(bs.Study.from_frame(RISING.assign(C=RISING["C"] * 1e21)), {"C": 1e3}).only("units")
    assert "of a target is 1000" in aim.sentence


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


def test_the_remedy_is_in_options_where_a_command_is_run(command):
    (problem,) = design_check(bs.Study.from_frame(RISING)).only("wrong-way")
    assert "--accuracy-columns MMLU and --chance 0.25 (" in problem.remedy


def test_what_measures_the_noise_is_told_from_what_guesses_it():
    def says(table, **options):
        return "guessed-noise" in design_check(bs.Study.from_frame(table), **options).codes

    few = GOOD.head(8)
    repeated = pd.concat([few, few.tail(3).assign(run=["a", "b", "c"], loss=3.4)])
    assert says(few) and says(few, law=Chinchilla())
    assert not says(repeated) and says(repeated.head(9))
    assert not says(few.assign(loss_se=0.01)) and says(few.assign(loss_se=[0.01] * 7 + [np.nan]))
    one = few.assign(C=6 * few["N"] * few["D"])
    fixed = PowerLaw(E=1.8)
    assert len(fixed.free_parameters) - 1 == 2
    assert not says(one, law=fixed) and says(one.head(7), law=fixed)
    (alone,) = design_check(bs.Study.from_frame(GOOD.head(4))).only("guessed-noise")
    assert alone.value == 0 and "known by its prior alone" in alone.sentence


def test_one_is_said_in_the_singular():
    (alone,) = design_check(bs.Study.from_frame(GOOD.head(6))).only("guessed-noise")
    assert "rests on 1 run beyond the 5 parameters" in alone.sentence
    (few,) = design_check(bs.Study.from_frame(GOOD.head(1))).only("few-runs")
    assert few.sentence == "There is 1 run (at least 10)"


def test_checkpoints_are_told_from_runs():
    table = GOOD.assign(run=["a"] * 4 + [f"r{i}" for i in range(12)], checkpoint=[*range(4), *[0] * 12])
    (problem,) = design_check(bs.Study.from_frame(table)).only("not-annealed")
    assert problem.value == 3 and "further checkpoints" in problem.sentence
    steps = table.assign(steps=[500, 1000, 2000, 4000, *[5000] * 12])
    assert not design_check(bs.Study.from_frame(steps)).only("few-steps")  # its last checkpoint has enough


@pytest.mark.parametrize(
    "target",
    [{"N": 7e9, "D": 4e12}, [{"target": "7B", "N": 7e9, "D": 4e12}], pd.DataFrame({"N": [7e9], "D": [4e12]})],
)
def test_a_far_target_is_measured_in_flops(target):
    (problem,) = design_check(bs.Study.from_frame(GOOD), target).only("far-target")
    assert problem.value == pytest.approx(7e9 * 4e12 / (8e8 * 6.4e10))
    assert problem.where == ("7B" if isinstance(target, list) else "N=7e+09, D=4e+12")


def test_targets_may_have_the_names_of_the_users_study():
    mine = bs.Study.from_frame(GOOD.rename(columns={"N": "size", "D": "seen"}), n_params="size", tokens="seen")
    assert design_check(mine, {"size": 1e11, "seen": 4e12}).codes == ["far-target"]


def test_where_the_distance_cannot_be_told_that_is_said():
    study = bs.Study.from_frame(GOOD)
    (found,) = design_check(study, [{"target": "a", "N": 1e11}, {"target": "b", "N": 1e11}])
    assert found.code == "unknown-distance" and found.value == 2
    assert str(found).startswith(
        "The distance of 'a' and 'b' from the runs cannot be told, since the columns of the target"
    )
    assert design_check(study, {"N": 1e11}, law=PowerLaw(column="n_params")).codes == ["far-target"]
    sizes = bs.Study.from_frame(GOOD.drop(columns="D"))
    (found,) = design_check(sizes, {"N": 1e11, "D": 1e12}).only("unknown-distance")
    assert "the columns of the runs do not tell training FLOPs: give parameters and tokens, or FLOPs" in str(found)
    pairs = bs.Study.from_frame(GOOD.assign(source_loss=GOOD["loss"]).drop(columns=["N", "D"]))
    assert not design_check(pairs, {"source_loss": 2.0}, law=PowerLaw(column="source_loss")).only("unknown-distance")


def test_a_far_target_of_a_study_without_names_is_told_by_its_row():
    rows = pd.concat([GOOD, pd.DataFrame({"N": [7e9], "D": [4e12], "loss": [2.0]})]).drop(columns="run")
    study = bs.Study.from_frame(rows.assign(role=["train"] * 16 + ["target"]))
    (problem,) = design_check(study).only("far-target")
    assert problem.where == "row 17"


def test_a_law_is_told_of_what_it_reads():
    one = GOOD.assign(D=20 * GOOD["N"], x=range(16))
    study = bs.Study.from_frame(one, flops="6ND")
    by_compute = {"N": 7e9, "D": 1e12, "C": 4.2e22}
    assert "one-ratio" in design_check(study, by_compute, law=Chinchilla()).codes
    assert design_check(study, by_compute, law=PowerLaw()).codes == ["far-target"]
    (problem,) = design_check(study, {"N": 1e12}, law=PowerLaw(column="N")).only("far-target")
    assert problem.value == pytest.approx(1e12 / 8e8)
    assert "1.25e+03 times the parameters of the largest run fitted" in problem.sentence
    (few,) = design_check(bs.Study.from_frame(GOOD.assign(x=1.0)), law=PowerLaw(column="x")).only("few-sizes")
    assert few.sentence == "There is 1 distinct value of x (at least 4)"


def test_a_far_target_is_told_in_plain_words():
    (problem,) = design_check(bs.Study.from_frame(GOOD), {"N": 7e9, "D": 4e12}).only("far-target")
    assert str(problem) == (
        "Target 'N=7e+09, D=4e+12' has 547 times the training FLOPs of the largest run fitted, and beyond 100 times "
        "no run shows that the law still holds: its interval is widened for that by a rule of thumb, so trust it less, "
        "or make a larger run first."
    )


def test_a_far_target_is_measured_from_the_task_whose_largest_run_is_smallest():
    web, code = GOOD.assign(task="web"), GOOD.assign(task="code").head(4)
    study = bs.Study.from_frame(pd.concat([web, code], ignore_index=True))
    (problem,) = design_check(study, {"N": 7e9, "D": 1e11}, law=Pooled()).only("far-target")
    assert problem.value == pytest.approx(7e9 * 1e11 / (code["N"] * code["D"]).max())
    assert "times the training FLOPs of the largest run fitted in code, and beyond 100 times" in problem.sentence
    alike = bs.Study.from_frame(pd.concat([web, GOOD.assign(task="code")], ignore_index=True))
    assert not design_check(alike, {"N": 7e9, "D": 1e11}, law=Pooled()).only("far-target")


def of_losses(losses, unit=None):
    """Return what is said of the size of losses."""
    table = GOOD.assign(loss=np.linspace(*losses, len(GOOD)))
    return design_check(bs.Study.from_frame(table, unit=unit)).only("perplexity", "error-rate")


def test_losses_as_large_as_perplexities_are_told():
    (problem,) = of_losses((75.05, 11.47))
    assert problem.code == "perplexity" and problem.value == 75.05 and problem.where == "loss"
    assert str(problem) == (
        "The largest loss is 75.05 (at most 15 in nats per token): if these are perplexities, give their logarithms."
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
        "The FLOPs of r0, r1, r2, r3, r4, r8, r9, r10, r11 are 0.25 to 2 times 6ND (within a factor of 1.9)"
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
    assert problem.sentence == "The FLOPs of r11 are 0.5 times 6ND (within a factor of 1.9)"


def test_flops_that_count_a_little_more_than_6nd_contradict_nothing():
    assert not flops_problem(np.linspace(0.9, 1.6, 16))


def test_a_target_in_billions_is_told():
    (problem,) = design_check(bs.Study.from_frame(GOOD), {"N": 7, "D": 4e12}).only("units")
    assert problem.value == 7 and "of a target" in problem.sentence


def test_the_ladder_says_how_far_its_targets_are(ladder):
    found = design_check(ladder)
    assert found.codes == ["far-target"]
    assert [p.where for p in found] == ["13B-5T"]
    assert 100 < found[0].value < 400


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


def test_a_target_that_is_fitted_is_no_forecast():
    study = bs.Study.from_frame(GOOD)
    (found,) = design_check(study, {"N": 4e8, "D": 4e9})
    assert found.code == "fitted-target" and "has the N and D of r8, which is fitted" in found.sentence
    assert found.remedy.endswith("""where="run != 'r8'\"""")
    assert not design_check(study, {"N": 4e8, "D": 4.1e9}).only("fitted-target")
    assert design_check(study, {"N": 4e8, "D": 9e9}, law=PowerLaw(column="n_params")).codes == ["fitted-target"]


def test_a_size_that_a_law_does_not_read_is_told():
    study = bs.Study.from_frame(GOOD.assign(share=np.linspace(0.1, 0.8, 16)))
    law = PowerLaw(column="share")
    (found,) = design_check(study, {"N": 4e8, "share": 0.9}, law=law).only("unread-size")
    assert found.value == 4 and "keep the runs of one size, as by where='n_params == 8e+08'" in str(found)
    assert not design_check(study, {"share": 0.9}, law=law).only("unread-size")
    assert not design_check(study, {"N": 4e8, "D": 9e9, "C": 1e19}, law=PowerLaw()).only("unread-size")


@pytest.mark.parametrize(("left", "other", "symbol"), [("n_params", "tokens", "N"), ("tokens", "n_params", "D")])
def test_a_size_that_is_not_read_for_want_of_the_other_is_told(left, other, symbol):
    study = bs.Study.from_frame(GOOD, flops="6ND")
    alone = dataclasses.replace(study, frame=study.frame.drop(columns=other))
    (found,) = design_check(alone, {symbol: 4e9, "C": 1e22}, law=SupersetInFlops()).only("unread-size")
    assert found.where == left and f"the runs have no {other}" in found.sentence
    assert f"give {other} too, which is flops / (6 x {left})" in found.remedy
    assert not design_check(alone, {"C": 1e22}, law=SupersetInFlops()).only("unread-size")
    assert not design_check(study, {symbol: 4e9, "C": 1e22}, law=SupersetInFlops()).only("unread-size")


def test_tokens_that_are_seen_often_are_told_where_law_or_target_does_not_know():
    study = bs.Study.from_frame(GOOD.assign(unique_tokens=GOOD["D"] / np.linspace(1, 9, 16)))
    target = {"N": 4e9, "D": 9e11}
    (found,) = design_check(study, target, law=Chinchilla()).only("unread-repeats")
    assert found.value == 9 and "10 of 16 runs see their tokens more than 4 times (up to 9)" in found.sentence
    (found,) = design_check(study, target, law=Superset()).only("unknown-repeats")
    assert "the target does not say how often it does" in found.sentence
    told = design_check(study, {**target, "unique_tokens": 1e11}, law=Superset()).codes
    once = design_check(bs.Study.from_frame(GOOD.assign(unique_tokens=GOOD["D"])), target, law=Chinchilla()).codes
    assert not {"unread-repeats", "unknown-repeats"} & {*told, *once}


def test_a_column_of_epochs_is_told_where_no_column_says_the_same():
    study = bs.Study.from_frame(GOOD.assign(epochs=np.linspace(1, 9, 16)))
    (found,) = design_check(study, {"N": 4e9, "D": 9e11}, law=Superset()).only("unread-repeats")
    assert found.value == 9 and "10 of 16 runs" in found.sentence and "unique_tokens" in found.remedy
    few = bs.Study.from_frame(GOOD.assign(epochs=["1", "two"] * 8))
    assert not design_check(few, {"N": 4e9, "D": 9e11}, law=Superset()).only("unread-repeats")


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


@pytest.mark.parametrize("given", [{"N": "lots"}, {"D": "lots"}, {"flops": "lots"}])
@pytest.mark.parametrize("law", [None, Chinchilla()])
def test_a_size_of_a_target_that_is_no_number_is_unknown(given, law):
    study = bs.Study.from_frame(GOOD.assign(flops=6 * GOOD["N"] * GOOD["D"]))
    target = {"N": "7B", "D": 1e11, "flops": 4.2e21, **given}
    assert ("unknown-distance" in design_check(study, target, law=law).codes) == ("flops" in given)
