from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.targets import read_targets
from bayes_scaling.models import Chinchilla, DirectLadder, PowerLaw, RepeatedData, Superset, Transfer, TwoStep
from tests import worlds

FAR = {"N": 7e9, "D": 4e12}
STUDY = worlds.chinchilla(count=2).study


def read(targets, law=None, study=STUDY):
    return read_targets(law or Chinchilla(), study, targets)


@pytest.mark.parametrize(
    "given",
    [FAR, [FAR], pd.DataFrame([FAR]), {"N": [7e9], "D": [4e12]}, {"n_params": 7e9, "tokens": 4e12}],
    ids=["mapping", "records", "table", "columns", "our names"],
)
def test_a_target_may_be_given_in_any_form(given):
    found = read(given)
    assert {k: v.tolist() for k, v in found.inputs(Chinchilla()).items()} == {"N": [7e9], "D": [4e12]}
    assert found.frame.index.tolist() == ["N=7e+09, D=4e+12"] and found.frame.index.name == "target"
    assert np.isnan(found.actual["loss"]).all() and len(found) == 1


def test_its_name_is_the_column_target_before_run():
    both = {**FAR, "target": "7B", "run": "seven"}
    assert read(both).frame.index.tolist() == ["7B"]
    assert read({**FAR, "run": "seven"}).frame.index.tolist() == ["seven"]
    assert read(read(both)).frame.index.tolist() == ["7B"]  # what was read is not read again
    assert read([{**FAR, "target": "7B"}, {**FAR, "N": 1e9}]).frame.index.tolist() == ["7B", "N=1e+09, D=4e+12"]


def test_inputs_in_text_are_numbers_from_here_on():
    frame = read([{**FAR, "steps": "1000"}, {**FAR, "N": 8e9, "steps": "na"}], Superset()).frame
    assert frame["steps"].tolist()[0] == 1000.0 and np.isnan(frame["steps"].iloc[1])
    shift = worlds.tilted(count=2)
    assert read({"shift": "-2"}, shift.law, shift.study).frame["shift"].tolist() == [-2.0]


def test_a_study_may_have_a_column_called_target():
    own = bs.Study.from_frame({"run": ["a", "b"], "target": [2.1, 2.2], **{k: [v, v] for k, v in FAR.items()}})
    assert read(own).frame.reset_index()["target"].tolist() == ["a", "b"]


def test_a_run_is_forecast_and_scored_at_its_own_last_checkpoint():
    table = {"run": [*"abb"], "checkpoint": ["final", "step1000", "final"], "N": 7e9, "D": [4e12, 1e12, 8e12]}
    found = read(bs.Study.from_frame(pd.DataFrame(table).assign(loss=[2.0, 2.3, 1.9])))
    assert found.inputs(Chinchilla())["D"].tolist() == [4e12, 8e12]
    assert found.actual["loss"].tolist() == [2.0, 1.9]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"N": 7e9}, r"A target of Chinchilla needs D \(tokens\), and it gives only n_params; add D"),
        ({}, "needs N .*, and it gives nothing"),
        ({"N": [], "D": []}, "The targets have no rows; give at least one"),
        ({**FAR, "n_params": 2e9}, "gives N = 7000000000.0 and n_params = 2000000000.0, which are the same input"),
        ({"N": 7e9, "D": 0.0}, "D = 0.0; give a positive number"),
        ({"N": float("nan"), "D": 1e12}, "has no N; give a positive number"),
        ({"N": float("inf"), "D": 1e12}, "N = inf; give a positive number"),
        ({"N": "big", "D": 1e12}, "N = 'big'; give a positive number"),
        (None, "No target was given; give N and D, for example {'N': 7e9, 'D': 4e12}"),
        ([FAR, FAR], "Target 'N=7e.09, D=4e.12' is given twice; give it once, or name each"),
        ({"run": [126, 126], "N": 7e9, "D": 4e12}, "^Target 126 is given twice; give it once, or name each"),
        ({"run": [7, 8], "N": [0.0, 7e9], "D": 4e12}, "^Target 7 has N = 0.0; give a positive number"),
        ({"N": [1e9], "D": [1e9, 2e9]}, "^The targets are a dict that does not make a table"),
    ],
)
def test_a_target_the_law_cannot_evaluate_is_refused(targets, message):
    with pytest.raises(bs.TargetError, match=message) as caught:
        read(targets)
    assert "\n" not in str(caught.value)


def test_an_input_that_nothing_reads_is_refused_unless_it_is_a_column_of_a_table():
    for given in ({**FAR, "Q": 3}, [FAR, {**FAR, "Q": 3}], {"N": [7e9], "D": [4e12], "Q": [3]}):
        with pytest.raises(bs.TargetError, match=r"^A target gives 'Q', which nothing reads; known: C, D, N, "):
            read(given)
    with pytest.raises(bs.TargetError, match=r"^A target gives 'task', which nothing reads; "):
        read({**FAR, "task": "web"})
    assert len(read(pd.DataFrame([{**FAR, "Q": 3, "task": "web"}]))) == 1
    own = bs.Study.from_frame(worlds.GRID.assign(loss=3.0, batch=512))
    assert len(read({**FAR, "flops": 1e23, "loss": 2.1, "batch": 1024}, study=own)) == 1
    assert len(read_targets(Chinchilla(), STUDY, {**FAR, "Q": 3}, known=["Q"])) == 1


def test_at_the_command_line_an_input_that_nothing_reads_is_one_of_its_option(command):
    assert len(read({**FAR, "unique_tokens": 1e11}, Superset())) == 1  # which may be absent
    with pytest.raises(bs.TargetError, match=r"^--target gives 'token', which nothing reads; did you mean 'tokens'"):
        read([{"target": "big", "n_params": 7e9, "token": 4e12}])


def test_a_target_has_no_task_of_its_own():
    posterior = worlds.ladder(count=2)
    law, study = posterior.law, posterior.study
    with pytest.raises(
        bs.TargetError, match=r"^A target gives the task 'new', and the fit has no such; did you mean 'one'"
    ):
        read({**FAR, "task": "new"}, law, study)
    both = [{**FAR, "task": "one"}, {**FAR, "task": "two"}]
    for given in ({**FAR, "task": "one"}, both, pd.DataFrame(both)):
        with pytest.raises(bs.TargetError) as refused:
            read(given, law, study)
        assert str(refused.value) == (
            "A target gives the task 'one', and TwoStep forecasts every run in one and two; give each run once and "
            "without a task, and choose among the rows of the answer, or decide on "
            "bs.Surface.of(posterior, series='one')."
        )
    assert len(read(pd.DataFrame([{**FAR, "task": None}]), law, study)) == 1


def test_a_target_may_give_the_only_task_of_a_fit():
    one = bs.Study.from_frame(worlds.GRID.assign(loss=3.0, task="web"))
    assert len(read({**FAR, "task": "web"}, study=one)) == len(read(pd.DataFrame([{**FAR, "task": "web"}]), study=one))
    with pytest.raises(bs.TargetError, match=r"^A target gives the task 'code', and the fit has no such; known: web"):
        read({**FAR, "task": "code"}, study=one)


def test_each_target_may_lack_what_runs_may_lack_as_it_may_alone():
    study = bs.Study.from_frame(worlds.GRID.assign(loss=3.0, unique_tokens=worlds.GRID["D"] / 2))
    told, untold = {**FAR, "target": "told", "unique_tokens": 1e11}, {**FAR, "target": "untold"}
    both = read([told, untold], Superset(), study)
    alone = [read(one, Superset(), study).inputs(Superset()) for one in (told, untold)]
    for name, values in both.inputs(Superset()).items():
        assert values.tolist() == [float(one[name][0]) for one in alone]
    assert both.inputs(Superset())["unique_tokens"].tolist() == [1e11, np.inf]
    with pytest.raises(bs.TargetError, match=r"^Target 'told' has unique_tokens = -1\.0; give a positive number\.$"):
        read([{**told, "unique_tokens": -1.0}, untold], Superset(), study)
    with pytest.raises(bs.TargetError, match=r"^Target 'untold' has no unique_tokens; give a positive number\.$"):
        read([told, untold], RepeatedData(), study)
    with pytest.raises(bs.TargetError, match=r"^A target of RepeatedData needs unique_tokens, and it gives only "):
        read(FAR, RepeatedData(), study)


def test_a_target_may_lack_what_runs_may_lack_whatever_its_column_is_called():
    class Begun(bs.Law):
        E: bs.Prior = 2.0
        absent = {"D_P": 0.0}

        def mean(self, N, D_P, *, E):
            return E + 0 * N - D_P / 1e10

    study = bs.Study.from_frame(worlds.GRID.assign(loss=3.0, D_P=1e8))
    found = read([{"N": 7e9, "D_P": 1e9}, {"N": 7e9}], Begun(), study).inputs(Begun())
    assert found["D_P"].tolist() == [1e9, 0.0] and found["N"].tolist() == [7e9, 7e9]


def test_an_indicator_may_be_zero_and_a_size_may_not():
    law, study = Transfer(floor=0.0), worlds.transfer(count=2).study
    found = read({"N": 1e8, "D_F": 1e6, "pretrained": 0.0}, law, study)
    assert found.inputs(law)["pretrained"].tolist() == [0.0]
    with pytest.raises(bs.TargetError, match=r"pretrained = -1\.0"):
        read({"N": 1e8, "D_F": 1e6, "pretrained": -1.0}, law, study)


def test_a_study_brings_its_outcomes_by_task():
    posterior = worlds.ladder(count=2)
    law, study = posterior.law, posterior.study
    found = read(study, law, study)
    assert found.frame.index.tolist() == study.runs["run"].tolist()
    assert found.actual["accuracy"].shape == (len(worlds.GRID), 2)
    assert np.isfinite(found.actual["accuracy"]).all()
    assert read(FAR, law, study).actual["accuracy"].shape == (1, 2)


def test_a_study_need_not_have_outcomes():
    runs = pd.DataFrame([FAR])
    assert np.isnan(read(bs.Study.from_frame(runs)).actual["loss"]).all()
    ladder = worlds.ladder(count=2)
    two = pd.DataFrame({"run": "big", "task": ["one", "two"], "N": 7e9, "D": 4e12})
    for table in (runs, runs.assign(loss=2.0), two):
        found = read(bs.Study.from_frame(table), ladder.law, ladder.study)
        assert len(found) == 1 and np.isnan(found.actual["accuracy"]).all()
    found = read(bs.Study.from_frame(two.assign(task_loss=[0.4, 0.5])), ladder.law, ladder.study)
    assert found.actual["loss"].tolist() == [[0.4, 0.5]] and np.isnan(found.actual["accuracy"]).all()


def test_a_study_that_cannot_be_read_is_no_target():
    with pytest.raises(
        bs.TargetError,
        match=r"^A target of Chinchilla needs N \(n_params\), and it gives only tokens and loss; add N\.$",
    ):
        read(bs.Study.from_frame(pd.DataFrame({"D": [4e12], "loss": [2.0]})))


def test_outcomes_in_a_table_are_kept():
    found = read([{**FAR, "target": "a", "loss": 2.1}, {**FAR, "target": "b", "loss": 2.2}])
    assert found.actual["loss"].tolist() == [2.1, 2.2]


def test_a_part_knows_its_place_in_the_whole():
    whole = read({"target": list("abcd"), "C": [1e20, 2e20, 3e20, 4e20]}, PowerLaw(), worlds.by_compute(count=2).study)
    part = whole.part(1, 4).part(1, 3)
    assert part.frame.index.tolist() == ["c", "d"] and part.first == 2 and len(part.actual["loss"]) == 2


def test_a_name_is_no_target_of_a_fit():
    with pytest.raises(bs.TargetError, match=r"The target '7B' is a name, .* give inputs, as in {'N': 7e9, 'D': 4e12}"):
        read("7B")


def ladder_rows(shared: bool = True, tasks: str = "xyz") -> pd.DataFrame:
    runs = pd.DataFrame({"run": [*"abcd", "big"], "N": [1e8, 2e8, 4e8, 8e8, 7e9], "D": [2e9, 8e9, 8e9, 8e9, 4e12]})
    runs["role"] = ["train"] * 4 + ["target"]
    blocks = []
    for i, task in enumerate(tasks):
        loss = np.array([3.4, 3.2, 3.0, 2.9, 2.0]) + (0 if shared else 0.1 * i)
        accuracy = np.array([0.3, 0.4, 0.5, 0.6, 0.8]) + 0.01 * i
        blocks.append(runs.assign(task=task, chance=0.25, c4_loss=loss, accuracy=accuracy))
    return pd.concat(blocks, ignore_index=True)


def outcomes_of_big(table: pd.DataFrame) -> dict[str, np.ndarray]:
    study = bs.Study.from_frame(table)
    found = read_targets(TwoStep(feature="c4_loss", jointly=("c4_loss",)), study.training, study.targets)
    assert list(found.frame.index) == ["big"]
    return {quantity: values[0] for quantity, values in found.actual.items()}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    ("change", "accuracies"),
    [
        (lambda t: t[::-1], [0.82, 0.81, 0.80]),
        (lambda t: t.drop(0), [0.80, 0.81, 0.82]),  # the first run has no row for the first task: it comes last
        (lambda t: t[(t["role"] == "train") | (t["task"] == "y")], [np.nan, 0.81, np.nan]),
        (lambda t: t[(t["role"] == "target") | (t["task"] != "x")], [0.81, 0.82]),
        (lambda t: t[(t["role"] == "target") != (t["task"] == "z")], [np.nan]),
    ],
    ids=["another order", "a missing row", "a task alone", "a task more", "no task in common"],
)
def test_outcomes_of_a_ladder_go_by_the_tasks_of_the_fitted_runs(change, accuracies, shared):
    table = change(ladder_rows(shared))
    fitted = bs.Study.from_frame(table).training
    found = outcomes_of_big(table)
    by_name = {"x": 0.80, "y": 0.81, "z": 0.82}
    expected = accuracies if len(accuracies) < 3 or np.isnan(accuracies).any() else [by_name[t] for t in fitted.tasks]
    np.testing.assert_allclose(found["accuracy"], expected)
    assert found["loss"].shape == ((1,) if shared else (len(fitted.tasks),))


def test_a_loss_that_all_tasks_share_has_one_number_in_each_run():
    table = ladder_rows()
    off = table.assign(c4_loss=table["c4_loss"].mask((table["run"] == "b") & (table["task"] == "y"), 3.3))
    with pytest.raises(bs.StudyError, match=r"^The run 'b' has c4_loss 3\.2 and 3\.3, and the tasks of other"):
        bs.fit(TwoStep(feature="c4_loss", jointly=("c4_loss",)), bs.Study.from_frame(off).training, seed=0)
    off = table.assign(c4_loss=table["c4_loss"].mask((table["run"] == "big") & (table["task"] == "y"), 2.1))
    with pytest.raises(bs.BayesScalingError, match=r"The run 'big' has c4_loss 2\.0 and 2\.1, and the tasks of other"):
        outcomes_of_big(off)


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("shared", [True, False])
def test_a_target_of_a_ladder_need_not_have_an_outcome_yet(shared, scored):
    runs = pd.DataFrame({"run": ["a", "b", "c", "big"], "N": [1e8, 2e8, 4e8, 7e9], "D": [2e9, 8e9, 8e9, 4e12]})
    runs["role"] = ["train"] * 3 + ["target"]
    blocks = []
    for task, more in (("one", 0.0), ("two", 0.0 if shared else 0.1)):
        loss, accuracy = np.array([3.4, 3.2, 3.0, np.nan]) + more, [0.3, 0.4, 0.5, 0.8 if scored else np.nan]
        blocks.append(runs.assign(task=task, chance=0.25, c4_loss=loss, accuracy=accuracy))
    study = bs.Study.from_frame(pd.concat(blocks, ignore_index=True))
    found = read_targets(TwoStep(feature="c4_loss", jointly=("c4_loss",)), study.training, study.targets)
    assert list(found.frame.index) == ["big"] and found.actual["loss"].shape == (1, 1 if shared else 2)
    assert np.isnan(found.actual["loss"]).all()
    assert np.allclose(found.actual["accuracy"], [0.8, 0.8] if scored else np.nan, equal_nan=True)


def test_a_target_of_one_loss_need_not_have_it_yet():
    runs = pd.DataFrame({"run": ["a", "b"], "N": [1e8, 7e9], "D": [2e9, 4e12], "loss": [3.0, None]})
    study = bs.Study.from_frame(runs.assign(role=["train", "target"]), drop_missing=True)
    assert np.isnan(read_targets(Chinchilla(), study.training, study.targets).actual["loss"]).all()
    with pytest.raises(bs.StudyError, match=r"Run 'b' .* has no loss"):
        bs.Study.from_frame(runs)


def test_a_run_of_several_checkpoints_is_one_target_at_its_last():
    table = {"run": [*"aaabbb"], "checkpoint": [1, 2, 3] * 2, "N": [1e8] * 3 + [2e8] * 3, "D": [1e9, 2e9, 4e9] * 2}
    found = read(bs.Study.from_frame({**table, "loss": [4.0, 3.8, 3.6, 3.9, 3.7, 3.5]}))
    assert found.frame.index.tolist() == ["a", "b"] and found.frame["tokens"].tolist() == [4e9, 4e9]
    assert found.actual["loss"].tolist() == [3.6, 3.5]


def test_a_study_without_outcomes_has_targets_too():
    found = read(bs.Study.from_frame({"run": ["a", "b"], "N": [7e9, 8e9], "D": [4e12, 5e12]}))
    assert found.frame.index.tolist() == ["a", "b"] and np.isnan(found.actual["loss"]).all()
    runs = ladder_rows()
    study = bs.Study.from_frame(runs)
    bare = study.targets.frame.drop(columns=["accuracy", "c4_loss", "chance"])
    law = TwoStep(feature="c4_loss", jointly=("c4_loss",))
    for frame in (bare, bare.drop(columns="task").head(1)):
        found = read_targets(law, study.training, dataclasses.replace(study, frame=frame))
        assert found.frame.index.tolist() == ["big"] and found.actual["accuracy"].shape == (1, 3)
        assert np.isnan(found.actual["accuracy"]).all() and np.isnan(found.actual["loss"]).all()


@pytest.mark.parametrize("names", [[0, 1], [0.0, 1.0], ["PIQA", " COPA "]], ids=["integers", "floats", "blanks"])
def test_tasks_are_text_without_blanks(names):
    table = ladder_rows(tasks="xy")
    study = bs.Study.from_frame(table.assign(task=table["task"].map(dict(zip("xy", names, strict=True)))), name="mine")
    assert study.tasks == (["0", "1"] if 0 in names else ["PIQA", "COPA"])
    assert study.select(task=study.tasks[1] if "PIQA" in names else 1).tasks == study.tasks[1:]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": np.inf}, r"has loss = inf, which no run has; give a positive number, or leave it out\.$"),
        ({"loss": -2.0}, r"has loss = -2\.0, which no run has; give a positive number"),
        ({"loss": "low"}, r"has loss = 'low', which no run has"),
    ],
)
def test_an_outcome_that_no_run_has_is_refused(given, message):
    with pytest.raises(bs.TargetError, match=message):
        read({**FAR, **given})
    assert read([{**FAR, "loss": 2.1}, {"N": 1e9, "D": 1e12, "loss": None}]).actual["loss"][0] == 2.1


def test_a_fraction_of_a_target_is_one():
    posterior = worlds.wrong()
    assert read({**FAR, "error": "12.3 %"}, posterior.law, posterior.study).actual["error"] == pytest.approx(0.123)
    with pytest.raises(bs.TargetError, match=r"has error = 12\.3, which no run has; give a fraction between 0 and 1"):
        read({**FAR, "error": 12.3}, posterior.law, posterior.study)
    posterior = worlds.ladder(count=2)
    with pytest.raises(bs.TargetError, match=r"has chance = 25\.0; give a fraction between 0 and 1"):
        read({**FAR, "loss": 2.0, "chance": 25.0}, bs.models.SigmoidAccuracy(), posterior.study)


@pytest.mark.parametrize("law", [worlds.ladder(count=2).law, DirectLadder()], ids=["two steps", "direct"])
def test_the_chance_of_a_target_is_that_of_the_tasks(law):
    ladder = worlds.ladder(count=2).study  # whose tasks have one chance
    own = ladder.frame["chance"].iloc[0]
    for study in (ladder, ladder.select(task="two")):
        for given in (own, f"{100 * own:g}%", None):
            assert len(read({**FAR, "chance": given}, law, study)) == 1
        assert len(read({**FAR, "chance": round(own - 0.004, 3)}, law, ladder)) == 1  # written shorter
        for targets in ({**FAR, "chance": 0}, pd.DataFrame([FAR]).assign(chance=0), as_study(chance=0.0)):
            with pytest.raises(bs.TargetError, match=rf"goes by that of the fitted runs, which is {own:g} in the task"):
                read(targets, law, study)
    two = ladder.frame["chance"].where(ladder.frame["task"] != "two", 0.5)
    mixed = dataclasses.replace(ladder, frame=ladder.frame.assign(chance=two))
    with pytest.raises(
        bs.TargetError, match=r"goes by that of the fitted runs, which is 0\.5 in the task 'two'; leave"
    ):
        read({**FAR, "chance": own}, law, mixed)
    assert len(read({**FAR, "chance": 0}, study=ladder.select(task="two"))) == 1  # a law that reads none


def as_study(**columns):
    return bs.Study.from_frame({"run": ["far"], **{name: [value] for name, value in {**FAR, **columns}.items()}})


@pytest.mark.parametrize("cost", [-1.7e23, np.inf, "big"])
def test_flops_that_the_law_does_not_read_are_checked_too(cost):
    with pytest.raises(bs.TargetError, match=r"has C = .*; give a positive number, or leave it out\.$"):
        read({**FAR, "C": cost})


@pytest.mark.parametrize("cost", [0, 0.0, "0", "", "n/a", None])
def test_flops_that_the_law_does_not_read_are_not_known_where_they_are_zero(cost):
    assert np.isnan(read({**FAR, "C": cost}).frame["flops"].astype(float)).all()
    posterior = worlds.chinchilla(count=2)
    far, plain = (bs.forecast(posterior, given).targets["distance"].tolist() for given in ({**FAR, "C": cost}, FAR))
    assert far == plain
    with pytest.raises(bs.TargetError, match=r"has C = 0; give a positive number\.$"):
        read({"C": 0}, PowerLaw(), worlds.by_compute(count=2).study)


def test_of_several_targets_some_may_give_flops():
    frame = read([{**FAR, "C": "1.7e23"}, {"N": 1e10, "D": 4e12}]).frame
    assert frame["flops"].iloc[0] == 1.7e23 and np.isnan(frame["flops"].iloc[1])


def test_the_outcome_of_a_target_is_of_the_one_task_and_of_none_of_several():
    posterior = worlds.ladder(count=2)
    for given, labels in (
        ({"accuracy": 0.7}, "accuracy, and TwoStep forecasts the accuracy of each of one and two"),
        ({"task_loss": 0.4}, "task_loss, and TwoStep forecasts the loss of each of one and two;"),
    ):
        with pytest.raises(bs.TargetError, match=labels):
            read({**FAR, **given}, posterior.law, posterior.study)
    found = read({**FAR, "accuracy": 0.7, "task_loss": 0.4}, posterior.law, posterior.study.select(task="one")).actual
    assert {name: values.ravel().tolist() for name, values in found.items()} == {"loss": [0.4], "accuracy": [0.7]}


def test_the_loss_of_a_run_is_none_of_its_task():
    ladder = worlds.ladder(count=2)
    for study in (ladder.study.select(task="one"), ladder.study):
        both = dataclasses.replace(study, frame=study.frame.assign(loss=2.0))
        assert np.isnan(read({**FAR, "loss": 2.3}, ladder.law, both).actual["loss"]).all()
    one = ladder.study.select(task="one")
    without = dataclasses.replace(one, frame=one.frame.drop(columns="loss"))
    assert read({**FAR, "loss": 0.4}, ladder.law, without).actual["loss"].ravel().tolist() == [0.4]


def test_a_study_of_several_tasks_is_no_target_of_a_law_of_one():
    several = bs.Study.from_frame(ladder_rows().rename(columns={"c4_loss": "loss"}))
    one = several.select(task="y")
    with pytest.raises(bs.TargetError, match=r"^Chinchilla forecasts one loss .* of x, y and z; .*='y'\)\.$"):
        read(several, study=one)
    assert read(several.select(task="y"), study=one).actual["loss"].shape == (5,)


def test_targets_may_give_one_input_by_either_of_its_names():
    found = read([{"N": "7B", "D": "4T"}, {"n_params": 1e9, "tokens": 2e12}]).inputs(Chinchilla())
    assert found["N"].tolist() == [7e9, 1e9] and found["D"].tolist() == [4e12, 2e12]
    assert read({**FAR, "n_params": FAR["N"]}).inputs(Chinchilla())["N"].tolist() == [FAR["N"]]


@pytest.mark.parametrize("array", [np.array, jnp.array])
def test_an_array_without_dimensions_is_a_number(array):
    target = {"N": array(FAR["N"]), "D": array(FAR["D"])}
    for given in (target, [target]):
        np.testing.assert_allclose(read(given).inputs(Chinchilla())["N"], [FAR["N"]], rtol=1e-6)


@pytest.mark.parametrize(
    "twice", [pd.DataFrame([[1e9, 2e9, 1e11]], columns=["N", "N", "D"]), {"N": 1e9, "N ": 2e9, "D": 1e11}]
)
def test_an_input_that_is_there_twice_is_refused(twice):
    with pytest.raises(bs.TargetError, match=r"^The column 'N' appears twice in the table; keep one\.$"):
        read(twice)


def test_an_outcome_is_no_part_of_a_targets_name():
    forecast = bs.forecast(worlds.chinchilla(count=5), [{"N": 7e9, "D": 1.4e11, "loss": 2.0}], given=None)
    assert list(forecast.targets.index) == ["N=7e+09, D=1.4e+11"] and forecast.actual["loss"].item() == 2.0


def test_outcomes_are_of_their_own_runs_whichever_rows_come_first():
    """A first row of a task that no fitted run has is left out, and the others keep their runs."""
    posterior = worlds.ladder(count=20)
    rows = [("A", "three", 0.5), ("B", "one", 0.8), ("A", "one", 0.9), ("B", "two", 0.81), ("A", "two", 0.91)]
    table = pd.DataFrame(rows, columns=["run", "task", "accuracy"]).assign(N=7e9, chance=0.25, role="target")
    table["D"] = table["run"].map({"A": 1e12, "B": 2e12})
    found = bs.forecast(posterior, bs.Study.from_frame(table), seed=0).actual["accuracy"]
    assert found.sel(target="A").to_numpy().tolist() == [0.9, 0.91]
    assert found.sel(target="B").to_numpy().tolist() == [0.8, 0.81]
