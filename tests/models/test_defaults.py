import dataclasses

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.models import LAWS
from bayes_scaling.models.defaults import default_laws, law_by_name

RUNS = pd.DataFrame({"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.9]})
TASKS = pd.DataFrame({"run": ["a", "b"], "task": "one", "N": [1e8, 2e8], "D": [2e9, 4e9], "accuracy": [0.3, 0.4]})


def called_for(table, **options):
    name, laws = default_laws(bs.Study.from_frame(table, name="mine", **options))
    return name, [(law.name, law.route) for law in laws]


@pytest.mark.parametrize("name", LAWS)
def test_a_law_goes_by_its_module_and_by_its_class(name):
    assert law_by_name(name) == law_by_name(LAWS[name])
    assert law_by_name(name).name == LAWS[name]


def test_an_unknown_law_is_named_with_the_nearest():
    with pytest.raises(bs.LawError, match="There is no law 'chinchila'; did you mean 'chinchilla'"):
        law_by_name("chinchila")


def test_columns_call_for_a_law():
    assert called_for(RUNS) == called_for(RUNS, flops="6ND") == ("chinchilla", [("Chinchilla", None)])
    assert called_for(pd.DataFrame({"C": [1e18, 1e19], "loss": [3.0, 2.9]})) == ("power_law", [("PowerLaw", None)])


def test_tasks_call_for_each_route_that_their_losses_allow():
    both = TASKS.assign(task_loss=0.9, c4_loss=[3.0, 2.9], chance=0.25)
    assert called_for(both) == ("two_step", [("TwoStep", "task_loss"), ("TwoStep", "c4_loss")])
    for left, lacking in (("c4_loss", "task_loss"), ("task_loss", "c4_loss")):
        name, (law,) = default_laws(bs.Study.from_frame(both.drop(columns=lacking)))
        assert (name, law.route, law.series) == ("two_step", left, (left,))


def test_losses_of_any_name_are_routes():
    study = bs.Study.from_frame(TASKS.assign(pile_loss=0.9, wiki_loss=[3.0, 2.9], chance=0.0, loss_sd=0.1))
    name, laws = default_laws(study)
    assert (name, [law.route for law in laws]) == ("two_step", ["pile_loss", "wiki_loss"])
    assert {law.series for law in laws} == {("pile_loss", "wiki_loss")} and len({law.program for law in laws}) == 1
    assert law_by_name("two_step", study) == laws[0]
    one = law_by_name("two_step:wiki_loss")
    assert (one.route, one.series) == ("wiki_loss", ("wiki_loss",))


def test_tasks_without_a_loss_go_in_a_single_step_and_those_without_sizes_from_flops():
    study = bs.Study.from_frame(TASKS.assign(chance=0.25))
    name, (law,) = default_laws(study)
    assert (name, law.route, law.run_inputs) == ("two_step in a single step", None, ("N", "D"))
    assert set(law.arrays(study)[1]) == {"accuracy"}
    by_compute = bs.Study.from_frame(TASKS.drop(columns=["N", "D"]).assign(chance=0.25, C=[1e18, 1e19]))
    assert default_laws(by_compute)[1][0].run_inputs == ("C",)
    through_loss = dataclasses.replace(by_compute, frame=by_compute.frame.assign(val_loss=[3.0, 2.9]))
    name, (two_steps,) = default_laws(through_loss)
    assert (name, two_steps.route, two_steps.run_inputs) == ("two_step", "val_loss", ("C",))
    assert not bs.design_check(through_loss, law=two_steps).only("unread-column")
    with pytest.raises(bs.StudyError, match=r"lacks chance \(chance: the accuracy of guessing"):
        law.arrays(bs.Study.from_frame(TASKS))
    with pytest.raises(bs.StudyError, match=r"lacks task_loss, c4_loss \(without a loss, single_step\(\) of"):
        law_by_name("two_step").arrays(study)


def test_a_column_of_ones_own_comes_after_a_colon():
    assert law_by_name("power_law:examples").columns == {"examples": "examples"}
    for name in ("chinchilla:tokens", "power_law:"):
        with pytest.raises(bs.LawError, match=f"'{name}' is no law in a column; write power_law:COLUMN"):
            law_by_name(name)


def test_runs_without_size_data_or_compute_are_refused():
    with pytest.raises(
        bs.StudyError,
        match=r"lacks tokens \(.*\); say which of yours it is, as in tokens='YOURS'; known: loss, n_params",
    ):
        called_for(RUNS.drop(columns="D"))
    with pytest.raises(bs.StudyError, match=r"lacks tokens \(.*\), nor a loss; say"):
        called_for(RUNS.drop(columns=["D", "loss"]))


@pytest.mark.parametrize(
    ("command", "words"), [(True, "--law power_law:n_params"), (False, "PowerLaw(column='n_params')")]
)
def test_runs_of_sizes_alone_are_shown_a_law_that_takes_them(command, words):
    study = bs.Study.from_frame({"N": [1e8, 2e8, 4e8], "loss": [3.0, 2.8, 2.6]}, name="sizes")
    token = COMMAND_LINE.set(command)
    try:
        with pytest.raises(bs.StudyError, match=r"lacks tokens \(a law in n_params alone is ") as refused:
            default_laws(study)
    finally:
        COMMAND_LINE.reset(token)
    assert words in str(refused.value)
