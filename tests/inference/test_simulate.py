import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import LawError, StudyError
from bayes_scaling.models import (
    BentPowerLaw,
    Chinchilla,
    Kaplan,
    Mixture,
    PowerLaw,
    Rectified,
    Scratch,
    ShiftedPowerLaw,
    Transfer,
    TwoStep,
)

PLAN = pd.DataFrame({"N": [1e8, 1e9, 1e8, 1e9], "D": [2e9, 2e9, 2e10, 2e10]})
TRUTH = {"E": 1.7, "reducible": 0.5, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3}


def test_outcomes_scatter_around_the_law():
    drawn = bs.simulate(Chinchilla(), PLAN, {**TRUTH, "sigma": 1e-6}, seed=0)
    runs, observed = Chinchilla().arrays(drawn)
    np.testing.assert_allclose(observed["loss"], Chinchilla().at(runs, TRUTH), rtol=1e-4)


def test_a_seed_gives_one_study():
    one, same, other = (bs.simulate(Chinchilla(), PLAN, {**TRUTH, "sigma": 0.01}, seed=s) for s in (0, 0, 1))
    assert one.checksum == same.checksum != other.checksum


def test_a_law_fixed_in_part():
    drawn = bs.simulate(Chinchilla(E=2.0, reducible=0.1), PLAN, seed=0)
    assert (drawn.frame["loss"] > 2.0).all()


def test_published_constants_are_the_default():
    grid = {"N": [1e6, 1e6, 1e8, 1e8], "D_F": [1e6, 1e7, 1e6, 1e7], "pretrained": [0.0, 1.0, 1.0, 0.0]}
    drawn = bs.simulate(Transfer(floor=0.0), grid, seed=0)
    assert drawn.frame["loss"].between(2, 6).all()


def test_a_joint_law_fills_every_task():
    ladder = bs.load_study("olmo_ladder").training
    drawn = bs.simulate(TwoStep(), ladder, seed=0)
    assert len(drawn) == len(ladder)
    assert drawn.frame["accuracy"].nunique() > 100
    assert drawn.frame.groupby("run")["c4_loss"].nunique().max() == 1
    assert drawn.frame.groupby("run")["task_loss"].nunique().min() == 8


def test_unknown_parameter_and_missing_input():
    with pytest.raises(LawError, match="no parameter 'alpha'"):
        bs.simulate(Chinchilla(), PLAN, {"alpha": 0.3}, seed=0)
    with pytest.raises(StudyError, match="tokens"):
        bs.simulate(Chinchilla(), PLAN.drop(columns="D"), seed=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"level": 2.0, "floor": 0.1}, "^Mixture has no site 'floor' on these runs; did you mean 'floor_mean'"),
        ({"effect": 5.0}, "^Mixture has no site 'effect' on these runs; "),
        ({"exponent": 5.0}, "^Mixture has no site 'exponent' on these runs; "),
    ],
)
def test_a_parameter_that_no_site_has_is_refused(given, said):
    mixtures = {"run": ["a", "b"], "task": "x", "share_web": [0.2, 0.7], "share_code": [0.8, 0.3]}
    with pytest.raises(LawError, match=said):
        bs.simulate(Mixture(shares=("share_web", "share_code")), mixtures, given, seed=0)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0], []])
def test_a_parameter_is_one_number_for_all_runs(values):
    said = rf"^Chinchilla\.E has the shape \({len(values)},\); give one number\.$"
    with pytest.raises(LawError, match=said):
        bs.simulate(Chinchilla(), PLAN, {**TRUTH, "E": values}, seed=0)
    one, same = (bs.simulate(Chinchilla(), PLAN, {**TRUTH, "E": value}, seed=0) for value in (1.7, [1.7]))
    assert one.checksum == same.checksum


def test_a_parameter_of_several_series_is_a_number_of_each_or_one_of_all():
    mixtures = {"run": ["a", "a", "b", "b"], "task": ["x", "y"] * 2, "one": [0.2, 0.2, 0.7, 0.7]}
    law = Mixture(shares=("one", "two"))
    design = {**mixtures, "two": [0.8, 0.8, 0.3, 0.3]}
    one, all_of_them = (bs.simulate(law, design, {"level": value}, seed=0) for value in (2.0, [2.0, 2.0]))
    assert one.checksum == all_of_them.checksum
    with pytest.raises(LawError, match=r"^Mixture\.level has the shape \(3,\); give numbers of shape \(2,\), or one"):
        bs.simulate(law, design, {"level": [1.0, 2.0, 3.0]}, seed=0)


def test_an_error_beyond_the_runs_is_no_parameter_of_runs():
    with pytest.raises(LawError, match=r"^Chinchilla has no site 'discrepancy' on these runs"):
        bs.simulate(Chinchilla(discrepancy=dist.HalfNormal(0.2)), PLAN, {**TRUTH, "discrepancy": 5.0}, seed=0)
    assert len(bs.simulate(Chinchilla(discrepancy=0.2), PLAN, {**TRUTH, "discrepancy": 0.2}, seed=0)) == len(PLAN)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "split",
            1.5,
            r"^Chinchilla\.split is 1\.5, where its prior LogitNormal\(.*\) has no mass; give a number that it",
        ),
        ("alpha_N", -0.3, r"^Chinchilla\.alpha_N is -0\.3, where its prior .* has no mass"),
        ("sigma", np.nan, r"^Chinchilla\.sigma is nan; give a finite number\.$"),
        ("sigma", "x", r"^Chinchilla\.sigma is 'x'; give a number\.$"),
    ],
)
def test_a_value_that_its_prior_rules_out_is_refused(name, value, said):
    with pytest.raises(LawError, match=said):
        bs.simulate(Chinchilla(), PLAN, {**TRUTH, name: value}, seed=0)
    allowed = {"split": 1.0}  # the bound, as where a law fixes it
    assert len(bs.simulate(Chinchilla(), PLAN, {**TRUTH, **allowed}, seed=0)) == len(PLAN)


def test_a_parameter_that_the_law_fixes_keeps_its_value():
    law = Transfer(floor=0.0, head=0.1)
    grid = {"N": [1e6, 1e6, 1e8, 1e8], "D_F": [1e6, 1e7, 1e6, 1e7], "pretrained": [0.0, 1.0, 1.0, 0.0]}
    truth = {"level": 2.0, "split": 0.3, "alpha_N": 0.1, "alpha_D": 0.1, "worth": 3.0, "a": 0.2, "b": 0.4}
    with pytest.raises(LawError) as refused:
        bs.simulate(law, grid, {**truth, "head": 0.2}, seed=0)
    assert str(refused.value) == ("Transfer fixes head at 0.1, and 0.2 is given; leave it out, or fix that in the law.")
    told, untold = (bs.simulate(law, grid, {**truth, **more}, seed=0) for more in ({"head": 0.1, "floor": 0}, {}))
    assert told.checksum == untold.checksum


def test_textbook_constants_that_the_law_contradicts_are_refused():
    grid = {"N": [1e6, 1e6, 1e8, 1e8], "D_F": [1e6, 1e7, 1e6, 1e7], "pretrained": [0.0, 1.0, 1.0, 0.0]}
    with pytest.raises(LawError, match=r"fixes floor at 0\.1, and 0 is given"):  # its paper has no floor
        bs.simulate(Transfer(floor=0.1), grid, seed=0)


CONSTANTS = {"E": 1.7, "A": 400.0, "B": 400.0, "alpha_N": 0.3, "alpha_D": 0.3}


@pytest.mark.parametrize(
    ("law", "given", "said"),
    [
        (Chinchilla(), {**CONSTANTS, "reducible": 9.0}, r"computes reducible from .* \(E, A, B, alpha_N and alpha_D\)"),
        (Chinchilla(), {**CONSTANTS, **TRUTH}, "computes reducible and split .*; leave them out, or those constants"),
        (Kaplan(), {**CONSTANTS, "split": 0.9}, "^Kaplan computes split from .*; leave it out"),
        (PowerLaw(), {"E": 1.7, "A": 9.0, "alpha_C": 0.1, "reducible": 9.0}, "^PowerLaw computes reducible from"),
        (Rectified(), {"E": 1.0, "B": 9.0, "D_l": 1e4, "beta": 0.3, "head": 3.0}, "^Rectified computes head from"),
        (Scratch(), {"A": 6e13, "B": 1e13, "alpha_N": 0.1, "alpha_D": 0.1, "split": 0.9}, "^Scratch computes split"),
        (Transfer(floor=0.0), {**Transfer(floor=0.0).published, "worth": 3.0}, "^Transfer computes worth from"),
    ],
)
def test_a_parameter_that_textbook_constants_make_is_refused_beside_them(law, given, said):
    sizes = {"N": [1e6, 1e6, 1e8, 1e8], "D": [1e8, 1e9] * 2, "D_F": [1e6, 1e7] * 2, "pretrained": [0.0, 1.0] * 2}
    with pytest.raises(LawError, match=said):
        bs.simulate(law, {**sizes, "C": [1e17, 1e18, 1e19, 1e20]}, given, seed=0)


def test_parameters_as_textbook_constants_make_them_may_stand_beside_them():
    runs, _ = Chinchilla().arrays(bs.Study.from_frame(PLAN.assign(loss=2.0)))
    same = Chinchilla().centred(runs, **CONSTANTS)
    one, other = (bs.simulate(Chinchilla(), PLAN, {**CONSTANTS, "sigma": 0.01, **more}, seed=0) for more in ({}, same))
    assert one.checksum == other.checksum


@pytest.mark.parametrize(
    ("law", "given", "said"),
    [
        (
            Rectified(),
            {"E": 1.0, "D_l": 1e4},
            "^Rectified reads .* all together, and E and D_l lack B and beta; give them",
        ),
        (Rectified(), {"betta": 0.3}, "^Rectified has no parameter 'betta'; did you mean 'beta'"),
        (
            Transfer(floor=0.0),
            {"k": 1.0, "a": 0.2, "b": 0.3, "A": 1.0, "B": 1.0, "alpha_N": 0.1},
            "lack alpha_D; give it",
        ),
    ],
)
def test_some_textbook_constants_or_misspelt_ones_are_refused_by_name(law, given, said):
    grid = {"N": [1e6, 1e6, 1e8, 1e8], "D_F": [1e6, 1e7, 1e6, 1e7], "pretrained": [0.0, 1.0, 1.0, 0.0]}
    with pytest.raises(LawError, match=said):
        bs.simulate(law, grid, given, seed=0)


def test_parameters_that_are_not_given_are_drawn_from_their_priors():
    design = {"D_F": [1e3, 1e4, 1e5, 1e6]}
    one, other = (bs.simulate(Rectified(), design, {"E": 2.0, "sigma": 1e-6}, seed=s).frame["loss"] for s in (0, 1))
    assert (one > 2.0).all() and not np.allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize("fixed", [2, 2.0, np.float32(2.0), np.int64(2)])
def test_any_number_fixes_a_parameter(fixed):
    law = Chinchilla(E=fixed)
    assert (bs.simulate(law, PLAN, {**TRUTH, "E": 2.0}, seed=0).frame["loss"] > 2.0).all()
    for other in (1.5, np.array([1.5, 2.5])):
        with pytest.raises(LawError, match="fixes E at 2, and "):
            bs.simulate(law, PLAN, {**TRUTH, "E": other}, seed=0)


def test_what_the_plan_said_of_outcomes_is_replaced_and_all_runs_are_to_be_fitted():
    drawn = bs.simulate(Chinchilla(), PLAN.assign(loss=99.0, role=["train", "target"] * 2), TRUTH, seed=0)
    assert (drawn.frame["loss"] < 50).all() and set(drawn.frame["role"]) == {"train"}
    assert drawn.name == "simulated" and len(drawn.training) == 4


def test_a_law_that_reads_more_than_its_model_draws_is_refused():
    ladder = bs.load_study("olmo_ladder").training
    law = TwoStep(windows=1)
    rows = ladder.frame.assign(accuracy_window1=ladder.frame["accuracy"], task_loss_window1=ladder.frame["task_loss"])
    with pytest.raises(LawError, match=r"^TwoStep also reads accuracy_windows and loss_windows, .*windows=0\) is"):
        bs.simulate(law, rows, seed=0)
    with pytest.raises(bs.StudyError, match=r"lacks accuracy_window5 and task_loss_window5; .*windows=0\) does"):
        bs.simulate(TwoStep(windows=5), ladder, seed=0)


def test_a_design_that_lacks_an_input_is_refused_with_what_to_add():
    with pytest.raises(StudyError, match=r"^The design has no D \(tokens\), which Chinchilla reads; add a column of"):
        bs.simulate(Chinchilla(), pd.DataFrame({"N": [1e9, 2e9]}), seed=0)


def test_parameters_have_names():
    with pytest.raises(LawError, match=r"^The parameters are a list; give a mapping, as in \{'sigma': 0\.01\}\.$"):
        bs.simulate(Chinchilla(), {"N": [1e8], "D": [2e9]}, [1, 2], seed=0)


@pytest.mark.parametrize("law", [ShiftedPowerLaw(), BentPowerLaw()], ids=lambda law: law.name)
def test_a_law_whose_parameters_are_relative_to_outcomes_asks_how_large_they_are(law):
    plan = pd.DataFrame({"source_loss": np.geomspace(5.0, 2.6, 16)})
    with pytest.raises(
        bs.StudyError, match=rf"^The design has no loss, from which {law.name} takes .*; add a column of"
    ):
        bs.simulate(law, plan, {"sigma": 0.01}, seed=0)
    assert (
        bs.simulate(law, plan.assign(loss=np.linspace(4, 3, 16)), {"sigma": 0.01}, seed=0).frame["loss"].notna().all()
    )
