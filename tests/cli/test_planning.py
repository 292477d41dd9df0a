from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.arguments import parse_inputs
from bayes_scaling.cli.planning import (
    caveats,
    check_errors,
    check_options,
    doubts,
    in_terms_of,
    laws_to_average,
    open_planned,
    planned,
    read_given,
    read_question,
    surface_of,
)
from bayes_scaling.cli.questions import Cost, Ladder, Next, Split
from bayes_scaling.decisions import ladder_design, next_runs
from bayes_scaling.evaluation.averaging import AveragedFit
from bayes_scaling.models import Chinchilla, DirectAccuracy, RepeatedData, TwoStep
from bayes_scaling.reporting.plan import Answer, Beyond
from bayes_scaling.study.flops import FlopRule, six_n_d
from tests import worlds
from tests.cli.running import MAP

NOTHING = {
    "budget": None, "reach": None, "prob": "0.9", "at": None, "serve": None, "candidates": None, "spend": None,
    "count": 3, "ladder": None, "families": 32, "target": None, "seed": 0, "names": {},
}  # fmt: skip
CANDIDATES = pd.DataFrame({"N": [1e9, 2e9], "D": [2e10, 4e10]})
FAR = parse_inputs("N=7e9,D=4e12")


def asked(**options):
    return read_question(**{**NOTHING, **options})


# -- questions ------------------------------------------------------------------------------------------------------


def test_each_question_is_read():
    split = asked(budget="1e22,1e24")
    assert isinstance(split, Split) and split.budgets.tolist() == [1e22, 1e24]
    assert asked(reach="loss=2.1", at="N=7e9", serve="1e13") == Cost("loss", 2.1, 0.9, {"N": 7e9}, 1e13)
    assert asked(reach="loss=2.1", at="N=7B", serve="10T") == Cost("loss", 2.1, 0.9, {"N": 7e9}, 1e13)
    assert asked(reach="accuracy=0.6", prob="0.5") == Cost("accuracy", 0.6, 0.5, {}, None)
    assert asked(reach="loss=2.1", prob="50%") == asked(reach="loss=2.1", prob="0.5")
    assert asked(reach="accuracy=60%").target == 0.6


def test_tables_of_candidates_and_ladders_are_read(tmp_path):
    CANDIDATES.to_csv(tmp_path / "two.csv", index=False)
    found = asked(candidates=tmp_path / "two.csv", target=FAR, spend="1e21")
    assert isinstance(found, Next) and (found.count, found.spend) == (3, 1e21)
    assert found.target["n_params"] == 7e9
    alone = asked(ladder=tmp_path / "two.csv", target=FAR)
    assert isinstance(alone, Ladder) and list(alone.plans) == ["two"]
    CANDIDATES.assign(plan=["small", "large"]).to_csv(tmp_path / "plans.csv", index=False)
    plans = asked(ladder=tmp_path / "plans.csv", target=FAR).plans
    assert list(plans) == ["small", "large"] and all("plan" not in plan for plan in plans.values())


@pytest.mark.parametrize("option", ["candidates", "ladder"])
def test_shares_of_a_table_are_in_per_cent_where_that_is_said(option, tmp_path):
    path = tmp_path / "runs.csv"

    def read(table, **options):
        table.to_csv(path, index=False)
        found = asked(**{option: path, "target": FAR, "percent": True, **options})
        return found.candidates if option == "candidates" else found.plans["runs"]

    table = CANDIDATES.assign(chance=[25.0, "50 %"], error=[37.5, 30.0])
    assert read(table)["chance"].tolist() == [0.25, 0.5] and read(table)["error"].tolist() == [0.375, 0.3]
    assert read(table, where="chance > 30")["n_params"].tolist() == [2e9]  # as the table has it
    assert len(read(CANDIDATES, of_study=True)) == 2  # what is in per cent is the study then
    with pytest.raises(bs.StudyError, match=r"percent.* is about accuracies, and the table has none; leave it out"):
        read(CANDIDATES)
    with pytest.raises(
        bs.StudyError, match=r"chance is 0\.25 at most, which is no percentage unless all are below one"
    ):
        read(CANDIDATES.assign(chance=0.25), of_study=True)


@pytest.mark.parametrize("of_study", [True, False])
@pytest.mark.parametrize("option", ["candidates", "ladder"])
@pytest.mark.parametrize("outcome", ["TBD", 0.7])
def test_an_outcome_of_runs_to_be_made_is_not_read_and_need_not_be_in_per_cent(outcome, option, of_study, tmp_path):
    path = tmp_path / "runs.csv"
    CANDIDATES.assign(accuracy=outcome, chance=25.0).to_csv(path, index=False)
    found = asked(**{option: path, "target": FAR, "percent": True, "of_study": of_study})
    table = found.candidates if option == "candidates" else found.plans["runs"]
    assert set(table["accuracy"]) == {outcome} and set(table["chance"]) == {0.25}


def test_an_outcome_to_reach_is_in_per_cent_where_that_is_said():
    assert [asked(reach=f"accuracy={said}", percent=True).target for said in ("60", "60%")] == [0.6, 0.6]
    assert asked(reach="loss=2.1", percent=True).target == 2.1
    with pytest.raises(
        bs.DecisionError, match=r"accuracy to reach is 0\.6, which is no percentage .*, or as 0\.6% to m"
    ):
        asked(reach="accuracy=0.6", percent=True)
    for said in ("150", "150%"):  # and not to give a fraction, which is refused
        with pytest.raises(bs.DecisionError, match=rf"^The accuracy to reach is {said}, above 100; give a percentage,"):
            asked(reach=f"accuracy={said}", percent=True)


@pytest.mark.parametrize(
    ("plans", "message"),
    [
        (["a", "a", "", "b"], "^The planned runs in row 3 name no plan; fill in the column 'plan', or leave it out"),
        (["a", " ", "", "b"], "^The planned runs in rows 2 and 3 name no plan; "),
        ([""] * 4, "^The planned runs in rows 1, 2, 3 and 4 name no plan; "),
    ],
)
def test_a_planned_run_without_a_plan_is_refused_by_its_row(plans, message, tmp_path):
    runs = pd.DataFrame({"plan": plans, "N": np.geomspace(1e8, 8e8, 4), "D": 2e10})
    runs.to_csv(tmp_path / "plans.csv", index=False)
    with pytest.raises(bs.StudyError, match=message):
        asked(ladder=tmp_path / "plans.csv", target=FAR)


@pytest.mark.parametrize("content", ["", "N,D\n\0\xff", "[1, 2]", '{"N": '])
@pytest.mark.parametrize("option", ["candidates", "ladder"])
def test_a_table_that_cannot_be_read_is_told_in_the_words_of_a_study(option, content, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(bs.FileError) as of_study:
        bs.Study.from_file(path)
    with pytest.raises(bs.FileError, match=f"^{re.escape(str(of_study.value))}$"):
        asked(**{option: path}, target=FAR)


@pytest.mark.parametrize(
    "content", ["N;D\n1e9;2e10\n", "N\tD\n1e9\t2e10\n", "N;D\n1e9;20000000000,0\n", '[{"N": "1B", "D": 2e10}]']
)
def test_tables_are_read_as_studies_are(content, tmp_path):
    (tmp_path / "runs.csv").write_text(content)
    question = asked(candidates=tmp_path / "runs.csv", target=FAR)
    fitted = worlds.chinchilla(count=2).study
    question.check(Chinchilla(), fitted, six_n_d)
    study = bs.Study.from_file(tmp_path / "runs.csv")
    read = next_runs.read_candidates(Chinchilla(), six_n_d, question.candidates, fitted)
    assert read[["n_params", "tokens"]].equals(study.frame[["n_params", "tokens"]])
    (plan,) = asked(ladder=tmp_path / "runs.csv", target=FAR).plans.values()
    assert ladder_design.read_plan(Chinchilla(), plan)[["n_params", "tokens"]].equals(read[["n_params", "tokens"]])


def test_a_table_may_have_the_names_of_the_users_study(tmp_path):
    CANDIDATES.rename(columns={"N": "size", "D": "seen"}).to_csv(tmp_path / "two.csv", index=False)
    names = {"n_params": "size", "tokens": "seen"}
    found = asked(candidates=tmp_path / "two.csv", target=parse_inputs("size=7B,D=4T", names=names), names=names)
    assert {"n_params", "tokens"} <= set(found.candidates)
    assert (found.target["n_params"], found.target["tokens"]) == (7e9, 4e12)


def test_the_names_of_the_user_come_before_ours_and_are_there_where_the_table_is_the_one_they_speak_of(tmp_path):
    CANDIDATES.rename(columns={"N": "size"}).assign(n_params=1.0).to_csv(tmp_path / "two.csv", index=False)
    for option in ("candidates", "ladder"):
        given = {option: tmp_path / "two.csv", "target": FAR, "names": {"n_params": "size", "loss": "val"}}
        found = asked(**given, of_study=True)
        (table,) = [found.candidates] if option == "candidates" else found.plans.values()
        assert table["n_params"].tolist() == CANDIDATES["N"].tolist()
    with pytest.raises(bs.StudyError, match="has no column 'val' to use as 'loss'"):
        asked(**given)


PLANNED = pd.DataFrame({
    "Name": ["a", "b", "c"], "params": ["1B", "2B", "4B"], "train/tokens": [2e10, 4e10, 8e10],
    "State": ["queued", "queued", "cancelled"],
})  # fmt: skip


@pytest.mark.parametrize("option", ["candidates", "ladder"])
def test_exports_of_planned_runs_are_read_by_their_usual_names_and_filtered(option, tmp_path):
    PLANNED.to_csv(tmp_path / "runs.csv", index=False)

    def read(**options):
        found = asked(**{option: tmp_path / "runs.csv", "target": FAR, "names": {"n_params": "params"}, **options})
        return found.candidates if option == "candidates" else found.plans["runs"]

    assert read()["tokens"].tolist() == [2e10, 4e10, 8e10] and read()["n_params"].tolist() == [1e9, 2e9, 4e9]
    assert read(where="State == 'queued' and params > 1e9")["run"].tolist() == ["b"]
    assert read(where="`train/tokens` > 5e10", of_study=True)["run"].tolist() == ["c"]
    with pytest.raises(bs.StudyError, match="speaks of 'phase', which is no column"):
        read(where="phase == 1")
    assert len(read(where="phase == 1", of_study=True)) == 3  # a column of the study's runs


def test_a_candidate_keeps_its_row_in_the_file(tmp_path):
    PLANNED.assign(**{"train/tokens": [2e10, -3e11, 8e10]}).to_csv(tmp_path / "runs.csv", index=False)
    found = asked(candidates=tmp_path / "runs.csv", target=FAR, names={"n_params": "params"}, where="params > 1e9")
    with pytest.raises(bs.DecisionError, match=r"tokens in run 'b' \(row 2\) is -3e\+11"):
        found.check(Chinchilla(), worlds.chinchilla(count=2).study, six_n_d)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "answers one question, and nothing is asked; give one of --budget, --reach, --next, --ladder"),
        ({"budget": "1e21", "reach": "loss=2"}, "--budget and --reach are asked at once"),
        ({"reach": "loss=2,accuracy=0.5"}, "names 2 outcomes; give one"),
        ({"reach": "loss=-2"}, "loss to reach is '?-2"),
        ({"reach": "accuracy=70"}, "accuracy to reach is 70, above 1; give a fraction, such as 0.7"),
        ({"reach": "loss=70%"}, "'70%' is not a number"),
        ({"reach": "loss=2", "at": "N=1,D=2"}, "not one of N or D"),
        ({"reach": "loss=2", "prob": "often"}, r"--prob 'often' is not a number; give a probability .* 0\.9 or 90%"),
        ({"reach": "loss=2", "serve": "0"}, "number of tokens to serve is '?0"),
        (
            {"reach": "loss=2", "serve": "1e12,1e13"},
            r"number of tokens to serve is \[.*\]; give one number, such as 1e13",
        ),
        ({"candidates": "x.csv"}, "--next needs a run to forecast; give --target"),
        ({"ladder": "x.csv"}, "--ladder needs a run to forecast; give --target"),
    ],
)
def test_a_question_that_is_none_is_one_sentence(options, message):
    with pytest.raises(bs.BayesScalingError, match=message):
        asked(**options)


QUESTIONS = {
    "budget": asked(budget="1e21"), "reach": asked(reach="loss=2"), "next": Next(CANDIDATES, {}, 1, None),
    "ladder": Ladder({}, {}, 8, 0),
}  # fmt: skip


@pytest.mark.parametrize(
    ("option", "readers"),
    [("prob", ["reach"]), ("at", ["reach"]), ("serve", ["reach"]), ("spend", ["next"]), ("count", ["next"]),
     ("families", ["ladder"]), ("target", ["next", "ladder"]), ("flops", list(QUESTIONS))],
)  # fmt: skip
def test_an_option_goes_with_the_questions_that_read_it(option, readers):
    for name, question in QUESTIONS.items():
        if name in readers:
            check_options(question, [option], of_study=True)
            continue
        with pytest.raises(bs.DecisionError, match=f"--{option} goes with --.*, and --{name} does not read it"):
            check_options(question, [option], of_study=True)


def test_options_of_a_fit_need_a_study():
    check_options(QUESTIONS["ladder"], ["seed", "prior", "where", "columns", "percent"], of_study=False)
    check_options(QUESTIONS["ladder"], ["draws", "drop_missing"], of_study=True)
    with pytest.raises(bs.DecisionError, match="--drop-missing is about runs that are fitted, and no study is given"):
        check_options(QUESTIONS["ladder"], ["drop_missing"], of_study=False)


# -- studies and surfaces -------------------------------------------------------------------------------------------


def test_a_ladder_alone_is_planned_without_a_study(tmp_path):
    assert open_planned(None, None, None) == (None, {}, None)
    study, name, law = planned(None, Ladder({}, {}, 8, 0), None, None)
    assert (study, name, law.name) == (None, "chinchilla", "Chinchilla")
    with pytest.raises(bs.StudyError, match="No study is given to decide by"):
        planned(None, asked(budget="1e21"), None, None)
    pd.DataFrame({"size": [1e9], "D": [2e10]}).to_csv(tmp_path / "ladder.csv", index=False)
    *opened, table = open_planned(None, tmp_path / "ladder.csv", ["n_params=size"])
    assert opened == [None, {"n_params": "size"}]
    (tmp_path / "ladder.csv").unlink()  # as a pipe, which cannot be read again
    found = asked(ladder=tmp_path / "ladder.csv", laddered=table, names=opened[1], target=FAR)
    assert found.plans["ladder"]["n_params"].tolist() == [1e9]


def test_a_study_comes_with_the_users_names(csv):
    study, names, laddered = open_planned(str(csv), None, MAP[1:])
    assert study.name == "runs" and laddered is None and names["loss"] == "val_loss"


def test_a_law_of_compute_gets_flops_by_the_convention(csv):
    opened, *_ = open_planned(str(csv), None, MAP[1:])
    study, name, _ = planned(opened, asked(reach="loss=2"), "power_law", None)
    assert name == "power_law"
    np.testing.assert_allclose(study.frame["flops"], 6 * study.frame["n_params"] * study.frame["tokens"])
    study, *_ = planned(opened, asked(reach="loss=2"), "chinchilla", None)
    assert "flops" not in study.frame


def test_a_study_of_many_tasks_needs_a_choice(ladder):
    with pytest.raises(bs.StudyError, match="'olmo_ladder' has 8 tasks to decide by; choose one with --task"):
        planned(ladder, asked(budget="1e21"), None, None)
    assert planned(ladder, asked(budget="1e21"), None, "MMLU")[2].by_task


def test_the_surface_is_of_the_outcome_and_the_task_asked_for():
    posterior = worlds.ladder(count=20)
    found = surface_of(asked(reach="accuracy=0.6"), posterior, six_n_d, task="two", discrepancy=False)
    assert (found.quantity, found.series_index, found.discrepancy) == ("accuracy", (1,), False)
    plain = surface_of(asked(budget="1e21"), worlds.chinchilla(count=20), six_n_d, task="two", discrepancy=True)
    assert (plain.quantity, plain.series_index, plain.discrepancy) == ("loss", (), True)


def test_exponents_are_off_where_that_is_asked_for():
    fits = {"one": worlds.chinchilla(count=20), "other": worlds.chinchilla(count=20, seed=1)}
    mixed = AveragedFit(pd.Series({"one": 0.5, "other": 0.5}), pd.DataFrame(), fits)
    for fitted in (fits["one"], mixed):
        found = surface_of(asked(budget="1e21"), fitted, six_n_d, task=None, exponent_error=0.25)
        assert found.exponent_error == 0.25


def test_an_error_beyond_the_runs_is_one_and_none_of_a_planned_ladder():
    budget, ladder = asked(budget="1e21"), Ladder({}, {}, 8, 0)
    assert check_errors(budget, False, 0.25) is None and check_errors(ladder, False, None) is None
    with pytest.raises(bs.DecisionError, match="give one of them"):
        check_errors(budget, True, 0.25)
    for exact, error, option in ((True, None, "--exact"), (False, 0.25, "--exponent-error")):
        with pytest.raises(bs.DecisionError, match=f"the law's own error beyond the runs; leave {option} out"):
            check_errors(ladder, exact, error)


def test_further_inputs_are_read_and_held_against_the_laws():
    budget, laws = asked(budget="1e21"), [RepeatedData(), Chinchilla()]
    assert read_given("unique_tokens=200B", budget, laws) == {"unique_tokens": 2e11}
    assert read_given(None, Ladder({}, {}, 8, 0), laws) == {}
    with pytest.raises(bs.DecisionError, match="'many' is not a number"):
        read_given("unique_tokens=many", budget, laws)
    with pytest.raises(bs.LawError, match="Chinchilla has no further input 'unique_tokens'; known: none"):
        read_given("unique_tokens=2e11", budget, laws[1:])
    for said, percent in (("25", True), ("25%", False), ("0.25", False)):
        assert read_given(f"chance={said}", budget, [DirectAccuracy()], percent=percent) == {"chance": 0.25}
    for percent in (False, True):  # of free answers
        assert read_given("chance=0", budget, [DirectAccuracy()], percent=percent) == {"chance": 0.0}
    for said in ("chance=25", "chance=-1"):
        with pytest.raises(bs.LawError, match=f"{said[7:]}, which DirectAccuracy does not take; give a fraction betw"):
            read_given(said, budget, [DirectAccuracy()])
    with pytest.raises(bs.LawError, match=r"'unique_tokens' is 0, which RepeatedData does not take; give .* positive"):
        read_given("unique_tokens=0", budget, laws)
    with pytest.raises(bs.DecisionError, match="leave --given out"):
        read_given("unique_tokens=2e11", Ladder({}, {}, 8, 0), laws)


def test_several_laws_are_mixed_and_named_with_their_weights():
    fits = {"one": worlds.chinchilla(count=40), "other": worlds.chinchilla(count=40, seed=1)}
    average = AveragedFit(pd.Series({"one": 0.75, "other": 0.25}), pd.DataFrame(), fits)
    found = surface_of(asked(reach="loss=2.1"), average, six_n_d, task=None, discrepancy=False)
    assert np.bincount(found.part).tolist() == [30, 10] and not found.discrepancy
    (said,) = caveats(average.heaviest, six_n_d, law_named=True, average=average)
    assert said.startswith("Laws by weight: one 75 %, other 25 %;")


def test_the_average_is_of_laws_in_parameters_and_tokens():
    table = bs.Study.from_frame(worlds.GRID.assign(loss=3.0))
    assert laws_to_average(asked(budget="1e21"), table, "chinchilla", "kaplan") == {}
    found = laws_to_average(asked(budget="1e21"), table, "chinchilla", "average")
    assert "superset" in found and all({"N", "D"} <= set(law.run_inputs) for law in found.values())
    with pytest.raises(bs.LawError, match="--law average answers --budget and --reach; name one law for --next"):
        laws_to_average(Next(CANDIDATES, {}, 1, None), table, "chinchilla", "average")
    with pytest.raises(bs.LawError, match="--prior speaks of one law"):
        laws_to_average(asked(budget="1e21"), table, "chinchilla", "average", ["E=1.7"])
    compute = bs.Study.from_frame({"loss": [4.0, 3.5, 3.2], "flops": [1e18, 1e19, 1e20]})
    with pytest.raises(bs.LawError, match="make their size of FLOPs, and no decision rests on such; name one law"):
        laws_to_average(asked(reach="loss=2.1"), compute, "power_law", "average")


def test_a_reader_is_told_of_other_flops_and_of_the_route():
    table = worlds.GRID.assign(flops=8 * worlds.GRID["N"] * worlds.GRID["D"])
    posterior = worlds.chinchilla(count=2, table=table)
    assert caveats(posterior, six_n_d, law_named=False) == [
        "6ND and the study's own FLOPs differ by up to 25 %; --flops study uses those."
    ]
    assert caveats(posterior, FlopRule.of("study", posterior.study), law_named=False) == []
    (said,) = caveats(worlds.ladder(count=2), six_n_d, law_named=False)
    assert said.startswith("The law goes through task_loss;")
    assert caveats(worlds.ladder(count=2), six_n_d, law_named=True) == []


@pytest.mark.parametrize("question", [asked(budget="1e21,1e26"), asked(reach="loss=1.9", prob="0.5")])
def test_a_plan_far_beyond_the_runs_says_so(question):
    posterior = worlds.chinchilla(count=50, table=worlds.on_the_curve(0.005))
    answer = question.answer(surface_of(question, posterior, six_n_d, task=None, discrepancy=False))
    (problem,) = doubts(posterior, answer).only("far-target")
    assert "times the training FLOPs of the largest run fitted" in problem.sentence
    assert problem.value == pytest.approx(float(answer.aims["flops"].iloc[-1]) / (6 * 8e8 * 6.4e10))


def test_a_plan_near_the_runs_says_nothing_of_distance():
    posterior, question = worlds.chinchilla(count=50, table=worlds.on_the_curve(0.005)), asked(budget="1e21")
    answer = question.answer(surface_of(question, posterior, six_n_d, task=None, discrepancy=False))
    assert "far-target" not in doubts(posterior, answer).codes


def test_a_further_input_that_is_held_is_one_of_the_run_that_is_asked_for():
    table = worlds.on_the_curve(0.005).assign(unique_tokens=lambda t: t["D"] / 10)
    posterior = worlds.known(
        RepeatedData(),
        worlds.chinchilla(count=50).draws | {"repeats": np.full(50, 15.0), "excess": np.full(50, 5.0)},
        table,
    )
    answer = Answer(("",), {}, {}, pd.DataFrame({"n_params": [1e9], "tokens": [2e10], "flops": [1.2e20]}))
    assert "unknown-repeats" in doubts(posterior, answer).codes
    assert "unknown-repeats" not in doubts(posterior, answer, beyond=Beyond(given={"unique_tokens": 1e10})).codes


def test_a_law_left_out_of_an_average_speaks_against_its_plan():
    posterior, question = worlds.chinchilla(count=50, table=worlds.on_the_curve(0.005)), asked(budget="1e21")
    answer = question.answer(surface_of(question, posterior, six_n_d, task=None, discrepancy=False))
    average = AveragedFit(
        pd.Series({"chinchilla": 1.0}), pd.DataFrame(), {"chinchilla": posterior}, left_out=("kaplan",)
    )
    (problem,) = doubts(posterior, answer, average=average).only("left-out")
    assert "kaplan" in problem.sentence


def test_the_loss_of_a_two_step_law_has_its_columns_name(ladder):
    law = TwoStep()
    assert in_terms_of(law, asked(reach="task_loss=0.5"), ladder) == Cost("loss", 0.5, 0.9, {}, None)
    assert in_terms_of(law, asked(reach="loss=0.5"), ladder).quantity == "loss"  # the ladder has no other
    both = dataclasses.replace(ladder, frame=ladder.frame.assign(loss=2.0))
    with pytest.raises(bs.DecisionError, match=r"asks for the loss of a run, and TwoStep goes through task_loss; say"):
        in_terms_of(law, asked(reach="loss=0.5"), both)
    assert in_terms_of(law, asked(reach="accuracy=0.5"), both).quantity == "accuracy"
    assert in_terms_of(Chinchilla(), asked(reach="loss=2"), both).quantity == "loss"


def test_an_input_that_candidates_and_target_both_give_need_not_be_given_again():
    told = {"n_params": 7e9, "tokens": 1e12, "unique_tokens": 1e11}
    law, candidates = RepeatedData(), pd.DataFrame({"n_params": [1e9], "tokens": 2e10, "unique_tokens": 1e10})
    assert read_given(None, Next(candidates, told, 1, None), [law]) == {}
    for runs, target in ((candidates.drop(columns="unique_tokens"), told), (candidates, {"n_params": 7e9})):
        with pytest.raises(bs.LawError, match="RepeatedData also reads 'unique_tokens'; give its value"):
            read_given(None, Next(runs, target, 1, None), [law])


def test_blank_rows_of_planned_runs_are_left_out(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run,N,D\nwide,3e9,6e10\n,,\neven,3e9,1.2e11\n")
    question = asked(candidates=path, target=FAR)
    assert question.candidates["run"].tolist() == ["wide", "even"] and question.candidates.index.tolist() == [0, 2]
