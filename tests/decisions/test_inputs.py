import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.inputs import (
    costs_of,
    exponent_spread,
    further_inputs,
    goal_of,
    held_by_each,
    one_number,
    one_target,
    positive,
    require_size_and_data,
    scale_columns,
    told_to_each,
)
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.models import Chinchilla, DirectAccuracy, FewSteps, PowerLaw, RepeatedData, ShiftedPowerLaw, Superset
from bayes_scaling.study.flops import six_n_d


def test_numbers_become_an_array():
    assert positive(1e21, "budget", "1e24").tolist() == [1e21]
    assert positive((1, 2.5), "budget", "1e24").tolist() == [1.0, 2.5]
    assert positive(["7B", 1e10], "size", "7e9").tolist() == [7e9, 1e10] and one_number("1T", "D", "7e9") == 1e12


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (0.0, "0.0"),
        (np.float64(0.0), "0.0"),
        (np.int64(-1), "-1"),
        (-1, "-1"),
        (np.nan, "nan"),
        ("much", "'much'"),
        (None, "None"),
        (["much"], r"\['much'\]"),
        ([[1.0], [1.0, 2.0]], r"\[\[1.0\], \[1.0, 2.0\]\]"),
        ([], r"\[\]"),
        ([1e21, 0.0], "0"),
        ([1.0, np.inf, -2.0], "inf and -2"),
        ([[1.0]], r"\[\[1.0\]\]"),
    ],
)
def test_what_is_not_positive_is_shown_with_what_would_be(given, shown):
    with pytest.raises(bs.DecisionError, match=f"^The budget is {shown}; give positive numbers, such as 1e24[.]$"):
        positive(given, "budget", "1e24")


def test_entries_of_a_table_are_named_by_their_rows():
    table = pd.DataFrame({"run": ["a", "b", "c"], "tokens": [1e9, -3e11, np.nan]})
    with pytest.raises(bs.DecisionError) as refused:
        positive(table["tokens"], "candidates' column tokens", "7e9", of=table)
    assert str(refused.value) == (
        "The candidates' column tokens in run 'b' (row 2) and run 'c' (row 3) is -3e+11 and nan; "
        "give positive numbers, such as 7e9."
    )


def test_one_number_is_one():
    assert one_number(2, "budget", "1e24") == one_number([2.0], "budget", "1e24") == 2.0
    assert one_number(-3.0, "gap", "2.1", signed=True) == -3.0
    with pytest.raises(
        bs.DecisionError,
        match=r"^The budget is \[2.0, 2.1\]; give one number, such as 1e24[.]$",
    ):
        one_number([2.0, 2.1], "budget", "1e24")
    with pytest.raises(bs.DecisionError, match=r"^The budget is -3.0; give positive numbers, such as 1e24[.]$"):
        one_number(-3.0, "budget", "1e24")
    with pytest.raises(bs.DecisionError, match=r"^The gap is inf; give finite numbers, such as 2.1[.]$"):
        one_number(np.inf, "gap", "2.1", signed=True)


def test_a_goal_is_one_outcome_of_the_sign_that_it_may_have():
    assert goal_of(2.1, "loss") == 2.1 and goal_of(-3.0, "gap", signed=True) == -3.0
    with pytest.raises(bs.DecisionError, match=r"The gap to reach is -3.0; give positive numbers"):
        goal_of(-3.0, "gap")
    with pytest.raises(bs.DecisionError, match="The accuracy to reach is 75, above 1"):
        goal_of(75, "accuracy")


def test_the_spread_of_an_exponent_is_at_most_one():
    assert exponent_spread(0.25) == 0.25 and exponent_spread(1) == 1.0
    with pytest.raises(bs.DecisionError, match=r"The exponent_error is 2, .* 7\.39 times .*; give at most 1, such as"):
        exponent_spread(2)
    with pytest.raises(bs.DecisionError, match=r"give one number, such as 0.25"):
        exponent_spread([0.2, 0.3])
    with pytest.raises(bs.DecisionError, match="The exponent_error is -1; give positive numbers, such as"):
        exponent_spread(-1)


def test_a_decision_is_about_one_target():
    law, study = (
        FewSteps(),
        bs.Study.from_frame({"N": [1e8, 2e8], "D": [2e9, 4e9], "steps": [1e4, 2e4], "loss": [4, 3]}),
    )
    one = {"N": "7B", "D": 4e12}
    for target in (one, [one], pd.DataFrame([one])):
        frame = one_target(law, study, target, {"steps": 1e5})
        assert frame[["n_params", "tokens", "steps"]].to_numpy().tolist() == [[7e9, 4e12, 1e5]]
    assert one_target(law, study, {**one, "steps": 1e6}, {"steps": 1e5})["steps"].tolist() == [1e6]
    for two in ([one, {"N": 8e9, "D": 4e12}], {"N": [7e9, 8e9], "D": [4e12, 4e12]}):
        with pytest.raises(bs.DecisionError, match="2 targets are given, and this is decided for one run at a time"):
            one_target(law, study, two, {"steps": 1e5})
    for none in ("7B", None):
        with pytest.raises(bs.TargetError, match=r"give .*'N': 7e9"):
            one_target(law, study, none, {"steps": 1e5})


def test_inputs_of_scale_have_their_columns():
    assert scale_columns(FewSteps()) == {"N": "n_params", "D": "tokens"}
    assert scale_columns(PowerLaw()) == {"C": "flops"} and scale_columns(ShiftedPowerLaw()) == {}


def test_a_law_without_size_or_data_is_refused():
    require_size_and_data(Chinchilla(), "A split")
    with pytest.raises(bs.LawError, match="A split weighs parameters against tokens, and PowerLaw reads C; fit"):
        require_size_and_data(PowerLaw(), "A split")


def test_further_inputs_are_held_at_what_is_given_or_at_their_absence():
    assert further_inputs(FewSteps()) == ["steps"] and further_inputs(Chinchilla()) == []
    assert held_by_each((FewSteps(),), {"steps": 100}) == [{"steps": 100.0}]
    assert held_by_each((FewSteps(),), pd.Series({"steps": 100})) == [{"steps": 100.0}]
    assert held_by_each((Superset(),), None) == [{name: np.inf for name in further_inputs(Superset())}]
    assert held_by_each((Superset(),), {"steps": np.inf}) == held_by_each((Superset(),), None)
    laws = (FewSteps(), RepeatedData(), Chinchilla())
    given = {"steps": 1e5, "unique_tokens": 2e11}
    assert held_by_each(laws, given) == [{"steps": 1e5}, {"unique_tokens": 2e11}, {}]
    assert held_by_each((RepeatedData(),), {"unique_tokens": "200B"}) == [{"unique_tokens": 2e11}]
    assert told_to_each((FewSteps(), Superset()), None)[0] == {}  # what is not known yet may be asked for later


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            r"FewSteps also reads 'steps'; give its value, as in bs[.]Surface[.]of\(posterior, given=\{'steps': ",
        ),
        ({"steps": np.nan}, "The value of 'steps' is nan; give a number"),
        ({"steps": "many"}, "The value of 'steps' is 'many'; give a number"),
        ({"steps": "100K"}, "The value of 'steps' is '100K'; give a number"),
        ({"steps": -3}, "The value of 'steps' is -3, which FewSteps does not take; give .* a positive number"),
        ({"steps": 0}, "The value of 'steps' is 0, which FewSteps does not take"),
        ({"steps": np.inf}, "The value of 'steps' is inf, which FewSteps does not take"),
        ({"step": 1e5}, "FewSteps has no further input 'step'; did you mean 'steps'"),
        ({"N": 1e9}, "FewSteps has no further input 'N'; known: steps"),
    ],
)
def test_inputs_that_cannot_be_held_are_refused(given, message):
    with pytest.raises(bs.LawError, match=message):
        held_by_each((FewSteps(),), given)


def test_a_chance_is_held_at_a_fraction_and_may_be_zero():
    assert held_by_each((DirectAccuracy(),), {"chance": 0}) == [{"chance": 0.0}]
    with pytest.raises(bs.LawError, match="The value of 'chance' is 25, which DirectAccuracy does not take; give a fr"):
        held_by_each((DirectAccuracy(),), {"chance": 25})


def test_an_input_that_no_law_reads_is_refused_and_commands_hear_of_their_option():
    with pytest.raises(
        bs.LawError, match="None of FewSteps and Chinchilla has a further input 'experts'; known: steps"
    ):
        held_by_each((FewSteps(), Chinchilla()), {"experts": 8})
    token = COMMAND_LINE.set(True)
    try:
        with pytest.raises(bs.LawError, match="as in --given steps=VALUE"):
            held_by_each((FewSteps(),), None)
    finally:
        COMMAND_LINE.reset(token)


def test_runs_cost_what_their_table_says_and_otherwise_what_the_rule_does():
    runs = pd.DataFrame({"n_params": [1e9], "tokens": [2e10]})
    assert costs_of(runs, six_n_d, "They have") == [1.2e20] and costs_of(runs.assign(flops=7.0), six_n_d, "") == [7.0]
    with pytest.raises(bs.DecisionError, match=r"^They have neither FLOPs nor parameters and tokens to cost runs by"):
        costs_of(runs[["tokens"]], six_n_d, "They have")
