"""A question of the command ``plan`` with what answers it: checked, and answered from posteriors that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.against import Against
from bayes_scaling.cli.answering import Asked
from bayes_scaling.cli.questions import Ladder, Split
from bayes_scaling.inference import diagnostics
from bayes_scaling.inference import fit as fitting
from bayes_scaling.models import PowerLaw, Transfer
from bayes_scaling.reporting.plan import Beyond
from bayes_scaling.study.flops import six_n_d
from tests.worlds import GRID, chinchilla

NOTHING = {
    "law": None, "task": None, "priors": None, "aim": None, "flops": "6ND", "exact": False, "exponent_error": None,
    "given": None,
}  # fmt: skip
SPLIT = Split(np.array([1e22]))
HOW = {"seed": 3, "draws": 100, "chains": 4}


def asked(question, study, **options):
    return Asked.of(question, study, **{**NOTHING, **options})


@pytest.fixture
def fitted(monkeypatch):
    """The posterior that every fit returns."""
    posterior = chinchilla(count=60)
    monkeypatch.setattr(fitting, "fit", lambda law, study, **how: posterior)
    return posterior


def test_a_question_comes_with_its_law_the_rule_and_the_errors():
    found = asked(SPLIT, chinchilla(count=2).study, exact=True)
    assert (found.name, found.law.name, found.law_named) == ("chinchilla", "Chinchilla", False)
    assert found.rule.name == "6ND" and not found.averaged
    assert found.beyond == Beyond(discrepancy=False)


def test_an_average_comes_with_its_laws():
    found = asked(SPLIT, chinchilla(count=2).study, law="average")
    assert len(found.averaged) > 1 and found.law_named


def test_what_cannot_be_answered_is_refused():
    study = chinchilla(count=2).study
    few = bs.Study.from_frame(study.frame.head(3))
    with pytest.raises(bs.StudyError, match="has 3 runs, and Chinchilla needs at least 6"):
        asked(SPLIT, few)
    with pytest.raises(bs.DecisionError, match="give one of them"):
        asked(SPLIT, study, exact=True, exponent_error=0.25)
    with pytest.raises(bs.TargetError, match="which nothing reads"):
        asked(Against(study, {"flops": 1e22}, 0), study, aim={"target": "a", "flops": 1e22, "colour": "red"})


def test_a_fit_answers_and_is_kept_with_how_it_was_asked(fitted):
    said = []
    plan = asked(SPLIT, fitted.study).answered(said.append, allow_unconverged=False, **HOW)
    assert said == ["Fitting Chinchilla to known ...", "Deciding ..."]
    assert (plan.question, plan.study, plan.law, plan.flops, plan.seed) == ("budget", "known", "chinchilla", "6ND", 3)
    assert plan.posterior is fitted and plan.rival is None and "are best spent on" in plan.answer.sentences[0]


def test_two_tables_take_two_fits(fitted):
    question = Against(fitted.study, {"flops": 1e22}, 0, pictures=False)
    said = []
    plan = asked(question, fitted.study).answered(said.append, allow_unconverged=False, **HOW)
    assert said == ["Fitting Chinchilla to known ...", "Fitting Chinchilla to known ...", "Deciding ..."]
    assert plan.posterior is plan.rival is fitted


def test_a_ladder_alone_is_simulated_without_a_fit(monkeypatch):
    monkeypatch.setattr(Ladder, "simulate", lambda question, law, rule: (law.name, rule.name))
    said = []
    sizes = np.geomspace(1e8, 1e9, 8)
    ladder = Ladder({"one": pd.DataFrame({"N": sizes, "D": 20 * sizes})}, {"n_params": 7e9, "tokens": 4e12}, 8, 0)
    plan = asked(ladder, None).answered(said.append, allow_unconverged=False, **HOW)
    assert said == ["Simulating 8 families from the priors of Chinchilla ..."]
    assert plan.answer == ("Chinchilla", "6ND") and (plan.study, plan.posterior, list(plan.caveats)) == ("", None, [])


def test_a_fit_that_did_not_converge_decides_nothing(fitted, monkeypatch):
    monkeypatch.setattr(diagnostics, "MAX_RHAT", 0.5)
    with pytest.raises(bs.ConvergenceError, match="--allow-unconverged"):
        asked(SPLIT, fitted.study).answered(lambda words: None, allow_unconverged=False, **HOW)


def test_how_flops_are_counted_is_said_as_it_is():
    counted = GRID.assign(C=6 * GRID["N"] * GRID["D"], loss=3.0)
    for factor, words in ((1.0, "6ND"), (1.3, "as in the study")):
        study = bs.Study.from_frame(counted.assign(C=factor * counted["C"]))
        asked = Asked(Split(np.array([1e22])), study, "power_law", PowerLaw(), {}, six_n_d, Beyond(True, None, {}))
        assert asked._counted == words
    asked = Asked(Split(np.array([1e22])), None, "power_law", PowerLaw(), {}, six_n_d, Beyond(True, None, {}))
    assert asked._counted == "as in the table"


def test_a_ladder_may_be_planned_for_a_run_from_scratch():
    runs = pd.DataFrame({"N": [1e7, 1e8] * 6, "D_F": np.repeat([1e6, 1e7, 1e8], 4), "pretrained": [0, 0, 1, 1] * 3})
    target = {"n_params": 1e9, "finetune_data": 1e6, "pretrained": 0.0}
    Ladder({"one": runs}, target, 8, 0).check(Transfer(), None, six_n_d)
    with pytest.raises(bs.DecisionError, match="target's N is 0"):
        Ladder({"one": runs}, target | {"n_params": 0.0}, 8, 0).check(Transfer(), None, six_n_d)
