from __future__ import annotations

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.arguments import (
    choose_laws,
    choose_targets,
    choose_tasks,
    open_study,
    parse_columns,
    parse_inputs,
    parse_pairs,
    read_chance,
    read_numbers,
    require_columns,
)
from bayes_scaling.models import Chinchilla, Mixture, TwoStep
from tests import worlds
from tests.cli.running import MAP

RUNS = pd.DataFrame({"run": list("abc"), "N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.9, 3.6, 3.3]})


@pytest.fixture(scope="module")
def study():
    return bs.Study.from_frame(RUNS, name="mine")


def test_all_columns_that_a_joint_law_reads_and_does_not_find_are_named_at_once(study, command):
    with pytest.raises(bs.StudyError) as refused:
        require_columns(Mixture(shares=("web", "code")), study)
    assert str(refused.value) == (
        "Mixture reads web, code, run and task, in a row per run and task, and study 'mine' lacks web, code and task; "
        "say which of yours it is, as in --map web=YOURS; known: loss, n_params, run, tokens."
    )
    require_columns(Chinchilla(), study)
    require_columns(TwoStep(), study)  # which lacks one alone, and is told so where that is read


# -- studies --------------------------------------------------------------------------------------------------------


def test_a_file_is_read_with_the_columns_of_the_map(csv):
    study = open_study(str(csv), MAP[1:], "6ND")
    assert study.name == "runs" and {"n_params", "tokens", "loss", "flops"} <= set(study.frame)


def test_a_mapped_column_of_an_embedded_study_keeps_its_unit():
    study = open_study("olmo_ladder", ["loss=task_loss"])
    assert study.card.units["loss"].startswith("bits per byte") and study.name == "olmo_ladder"
    assert open_study("olmo_ladder").frame.equals(bs.load_study("olmo_ladder").frame)


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("olmo_lader", None, "no study and no file 'olmo_lader'; did you mean 'olmo_ladder'"),
        ("runs.csv", None, "no file 'runs.csv'"),
        ("olmo_ladder", ["name=task"], "--map gives a column for 'name', which no law reads"),
        ("olmo_ladder", ["loss"], "--map 'loss' is not a list of pairs"),
    ],
)
def test_a_study_that_cannot_be_opened_is_one_sentence(name, columns, message):
    with pytest.raises(bs.BayesScalingError, match=message):
        open_study(name, columns)


def test_a_wide_table_is_read_by_a_rule(tmp_path):
    table = RUNS.assign(PIQA_acc=[0.5, 0.55, 0.6], SQuAD_acc=[0.0, 0.0, 0.1])
    table.to_csv(tmp_path / "wide.csv", index=False)
    wide = {"accuracy_columns": ["TASK_acc"], "chance": read_chance(["PIQA=0.5", "SQuAD=0"])}
    study = open_study(str(tmp_path / "wide.csv"), unit="nats per token", **wide)
    assert study.tasks == ["PIQA", "SQuAD"] and study.frame["chance"].tolist() == [0.5, 0.0] * 3
    assert study.card.units == {"loss": "nats per token"}
    assert choose_laws(study, None)[1][0].route == choose_laws(study, "two_step")[1][0].route == "loss"


def test_a_task_whose_name_has_a_comma_has_a_chance_of_its_own():
    assert read_chance(["Q, A=0", "PIQA=0.5,ARC=0.25"]) == {"Q, A": 0.0, "PIQA": 0.5, "ARC": 0.25}
    with pytest.raises(bs.StudyError, match="--chance gives PIQA twice"):
        read_chance(["PIQA=0.5", "PIQA=0.25"])


def test_a_chance_that_is_no_number_is_refused():
    with pytest.raises(bs.StudyError, match=r"--chance 'PIQA=half' has no number for PIQA; write it like PIQA=0.25"):
        read_chance(["PIQA=half"])


def test_columns_of_a_map():
    known = ["loss, final", "a=b", "N"]
    assert parse_columns(["loss=loss, final", "N=N,D=d"], known) == {"loss": "loss, final", "N": "N", "D": "d"}
    assert parse_columns(["loss=a=b"], known) == {"loss": "a=b"}
    for given, message in (
        (["loss=x", "loss=y"], "gives loss twice"),
        (["where=x"], "no law reads"),
        (["loss"], "pairs"),
    ):
        with pytest.raises(bs.StudyError, match=message):
            parse_columns(given, known)


def test_a_carried_study_takes_the_same_options():
    few = open_study("olmo_ladder", where="n_params < 4e8", columns=["loss=task_loss"])
    assert few.frame["n_params"].max() < 4e8 and few.card.units["loss"] == few.card.units["task_loss"]


def test_the_law_is_that_asked_for_or_what_the_columns_call_for(study):
    assert choose_laws(study, "kaplan")[0] == "kaplan"
    assert [law.name for law in choose_laws(study, None)[1]] == ["Chinchilla"]


# -- tasks ----------------------------------------------------------------------------------------------------------


def test_a_joint_law_keeps_all_tasks_and_a_law_of_one_series_its_own(ladder):
    assert choose_tasks(ladder, TwoStep(), ("MMLU",)) is ladder
    assert choose_tasks(ladder, Chinchilla(), ("MMLU",)).tasks == ["MMLU"]
    with pytest.raises(bs.StudyError, match=r"such as Chinchilla, is fitted to one task, and 2 .* one with --task\.$"):
        choose_tasks(ladder, Chinchilla(), ("MMLU", "PIQA"))
    with pytest.raises(bs.StudyError, match=r"one with --task, or fit all of them together with --law pooled\.$"):
        choose_tasks(worlds.pooled().study, Chinchilla(), ())
    unscored = bs.Study.from_frame(ladder.frame.rename(columns={"accuracy": "acc"}), name="mine")
    with pytest.raises(bs.StudyError, match="has 8 tasks and no column 'accuracy'; say which of yours it is"):
        choose_tasks(unscored, Chinchilla(), ())


def test_tasks_that_are_not_there_are_named(ladder, study):
    with pytest.raises(bs.StudyError, match="did you mean 'MMLU'"):
        choose_tasks(ladder, TwoStep(), ("MMLUU",))
    with pytest.raises(bs.StudyError, match="'mine' has no tasks to choose from; leave --task out"):
        choose_tasks(study, Chinchilla(), ("MMLU",))
    assert choose_tasks(study, Chinchilla(), ()) is study


# -- targets --------------------------------------------------------------------------------------------------------


def test_targets_are_the_studys_own_or_some_of_them_or_inputs(ladder):
    assert list(choose_targets(ladder, ()).frame["run"].unique()) == ["7B-4T", "13B-5T"]
    assert set(choose_targets(ladder, ("13B-5T",)).frame["run"]) == {"13B-5T"}
    assert choose_targets(ladder, ("N=7e9,D=4e12",)) == [{"target": "N=7e9,D=4e12", "n_params": 7e9, "tokens": 4e12}]


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        ("mine", (), "'mine' names no runs to forecast; give --target N=7e9,D=4e12"),
        ("mine", ("7B",), "names no runs to forecast, so '7B' is none"),
        ("olmo_ladder", ("7B",), "no target '7B'; known: 13B-5T, 7B-4T"),
        ("olmo_ladder", ("7B-4T", "N=7e9"), "'7B-4T' is a name and others are inputs"),
        ("olmo_ladder", ("190M-1xC",), "The run '190M-1xC' of study .* is fitted; to hold it out, say --where"),
    ],
)
def test_targets_that_are_none_are_named(name, targets, message, study, ladder, command):
    with pytest.raises(bs.TargetError, match=message):
        choose_targets(study if name == "mine" else ladder, targets)


def test_inputs_have_the_columns_names_and_flops_by_the_convention():
    found = parse_inputs("N=7e9,D=4e12,steps=5", "6ND")
    assert found == {
        "target": "N=7e9,D=4e12,steps=5", "n_params": 7e9, "tokens": 4e12, "steps": 5.0, "flops": 6 * 7e9 * 4e12,
    }  # fmt: skip
    assert parse_inputs("N=1,D=2,C=3", "6ND")["flops"] == 3.0  # the user's own
    with pytest.raises(bs.TargetError, match="N = '7Q', which is not a number; write it like 7e9"):
        parse_inputs("N=7Q")
    with pytest.raises(bs.TargetError, match="gives a task, and a run is forecast in each; say --task web"):
        parse_inputs("N=7B,D=4T,task=web")


def test_fractions_of_a_target_may_be_in_per_cent():
    for text, percent in (("63%", False), ("63", True), ("63%", True), ("0.63", False)):
        assert parse_inputs(f"N=7B,accuracy={text}", percent=percent)["accuracy"] == pytest.approx(0.63)
    found = parse_inputs("N=7B,error=37,chance=25,loss=2.1", percent=True)
    assert (found["error"], found["chance"], found["loss"]) == (0.37, 0.25, 2.1)
    with pytest.raises(bs.TargetError, match=r"accuracy = 0\.63, which is no percentage .* or as 0\.63% to mean that"):
        parse_inputs("accuracy=0.63", percent=True)
    study = bs.Study.from_frame(RUNS)
    assert choose_targets(study, ("N=7B,accuracy=63",), percent=True)[0]["accuracy"] == 0.63


def test_targets_by_own_names_and_sizes():
    found = parse_inputs("params=1.3B,D=32.0K", names={"n_params": "params"})
    assert (found["n_params"], found["tokens"]) == (1.3e9, 32e3)
    with pytest.raises(bs.TargetError, match="gives n_params twice"):
        parse_inputs("params=1B,N=1B", names={"n_params": "params"})


@pytest.mark.parametrize("key", ["target", "run", "Name"])
def test_a_target_may_be_given_a_name(key):
    found = parse_inputs(f"{key}=big,N=7B,D=4e12", names={"run": "Name"})
    assert found == {"target": "big", "n_params": 7e9, "tokens": 4e12}
    with pytest.raises(bs.TargetError, match="gives target twice"):
        parse_inputs("target=big,run=small,N=7B")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a", "not a list of pairs"), ("a=", "not a list"), ("a=1,,", "not a list"), ("a=1,a=2", "a twice")],
)
def test_pairs_that_are_none_are_refused(text, message):
    with pytest.raises(bs.StudyError, match=f"--map .*{message}"):
        parse_pairs(text, "--map", "a=1", bs.StudyError)


def test_numbers_are_positive():
    assert read_numbers("1e22, 1e24", "budget", "1e24").tolist() == [1e22, 1e24]
    for text, message in (
        ("1e22,much", "'much' is not a number; write it like 1e24"),
        ("-1", "The budget is '?-1"),
        ("", "'' is not"),
    ):
        with pytest.raises(bs.DecisionError, match=message):
            read_numbers(text, "budget", "1e24 FLOPs")


def test_sizes_are_read_in_words_and_other_numbers_are_not():
    assert read_numbers("7B, 32.0K,1e9", "size", "7e9", size=True).tolist() == [7e9, 32e3, 1e9]
    with pytest.raises(bs.DecisionError, match=r"'7B' is not a number; write it like 2\.1\."):
        read_numbers("7B", "loss to reach", "2.1")


def test_a_run_named_by_a_number_is_a_target():
    table = RUNS.assign(run=[7, 8, 126], role=["train", "train", "target"])
    (chosen,) = choose_targets(bs.Study.from_frame(table, name="mine"), ["126"]).frame["run"]
    assert chosen == 126


def test_a_column_of_chance_goes_with_chances_of_some_tasks(tmp_path):
    table = RUNS.assign(task=["A", "B", "B"], accuracy=0.5, guess=0.25)
    table.to_csv(tmp_path / "long.csv", index=False)
    study = open_study(str(tmp_path / "long.csv"), ["chance=guess"], chance=read_chance(["A=0.1"]))
    assert study.frame["chance"].tolist() == [0.1, 0.25, 0.25]
    for given in (["0.1"], ["other"], ["0.1", "A=0.2"]):
        with pytest.raises(bs.StudyError, match="--map chance=guess and --chance both say what guessing gives in ev"):
            open_study(str(tmp_path / "long.csv"), ["chance=guess"], chance=read_chance(given))


def test_flops_come_from_a_column_or_a_convention_and_not_from_both(tmp_path):
    RUNS.assign(cost=1e18).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(bs.StudyError, match="--map flops=cost and --flops 6ND both say where FLOPs come from; give on"):
        open_study(str(tmp_path / "runs.csv"), ["flops=cost"], "6ND")
    for columns, flops in ((["flops=cost"], None), ([], "cost"), (["flops=cost"], "cost")):
        assert open_study(str(tmp_path / "runs.csv"), columns, flops).column("flops").tolist() == [1e18] * 3


@pytest.mark.parametrize(
    ("changes", "name", "query"),
    [
        ({}, "b", "run != 'b'"),
        ({"run": [3, 4, 5]}, "4", "run != 4"),
        ({"run": [*"aab"], "seed": [0, 1, 0]}, "a (seed 1)", "run != 'a' or seed != 1"),
    ],
)
def test_a_fitted_run_is_held_out_by_the_words_that_are_said(changes, name, query, command):
    with pytest.raises(bs.TargetError, match="is fitted; to hold it out, say --where") as refused:
        choose_targets(bs.Study.from_frame(RUNS.assign(**changes)), (name,))
    assert f'--where "{query}" and give its inputs' in str(refused.value)
    assert bs.Study.from_frame(RUNS.assign(**changes), where=query).frame.index.tolist() == [0, 2]


def test_a_chance_may_have_its_sign():
    assert read_chance(["25%"]) == 0.25 and read_chance(["PIQA=50%"]) == {"PIQA": 0.5}
    assert read_chance(["25%", "PIQA=0.5"]) == {"TASK": 0.25, "PIQA": 0.5}
    assert read_chance(["25%"], percent=True) == read_chance(["25"], percent=True) == 25.0


def test_a_task_that_no_fitted_run_has_is_not_chosen():
    table = pd.DataFrame({"run": list("aab"), "task": ["one", "two", "three"], "role": ["train", "train", "target"]})
    study = bs.Study.from_frame(table.assign(N=1e8, D=2e9, accuracy=0.5, chance=0.25, loss=3.0))
    with pytest.raises(
        bs.StudyError, match="No fitted run of study 'runs' is scored on 'three'; choose among 'one' and"
    ):
        choose_tasks(study, TwoStep(feature="loss", jointly=()), ("one", "three"))
