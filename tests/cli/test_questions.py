from __future__ import annotations

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli import questions
from bayes_scaling.cli.questions import Cost, Ladder, Next, Split, describe
from bayes_scaling.forecasts.display import short
from bayes_scaling.models import Chinchilla, PowerLaw, Superset, SupersetInFlops
from bayes_scaling.study.flops import six_n_d
from tests.worlds import Textbook, chinchilla, exact

FAR = {"n_params": 7e9, "tokens": 4e12}
CANDIDATES = pd.DataFrame({"run": ["a", "b"], "N": [1e9, 2e9], "D": [2e10, 4e10]})


TOKENS = pd.DataFrame({"tokens": np.geomspace(1e9, 1e11, 9), "flops": 1e20})


class Reward(bs.Law):
    """Does not say which way its outcome is better."""

    outcome = "reward"
    unit = "points"
    top: bs.Prior = dist.LogNormal(0.0, 1.0)

    def mean(self, N, D, *, top):
        return top / (1 + (N / 1e9) ** -0.3 + (D / 1e10) ** -0.3)


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=60))


def cost(quantity="loss", target=2.1, probability=0.9, fixed=None, serve=None):
    return Cost(quantity, target, probability, fixed or {}, serve)


# -- what is refused before a fit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "law", "error", "message"),
    [
        (Split(np.array([1e21])), PowerLaw(), bs.LawError, "PowerLaw reads C"),
        (
            Split(np.array([1e21])),
            SupersetInFlops(),
            bs.LawError,
            "SupersetInFlops makes .* no decision is taken",
        ),
        (cost(serve=1e12), SupersetInFlops(), bs.LawError, "SupersetInFlops makes .* no decision is taken"),
        (Split(np.array([1e21])), Reward(), bs.LawError, "Reward does not say which way 'reward' is better"),
        (cost("reward"), Reward(), bs.LawError, "Reward does not say which way 'reward' is better"),
        (cost("accuracy"), Chinchilla(), bs.DecisionError, "does not forecast 'accuracy', which --reach asks for"),
        (cost(probability=0.0), Chinchilla(), bs.DecisionError, "--prob is 0; give a probability between 0 and 1"),
        (cost(probability=1.0), PowerLaw(), bs.DecisionError, "--prob is 1"),
        (cost(fixed={"N": 7e9}), PowerLaw(), bs.LawError, "PowerLaw reads C"),
        (cost(serve=1e12), PowerLaw(), bs.LawError, "PowerLaw reads C"),
        (
            cost(fixed={"N": 7e9}, serve=1e12),
            Chinchilla(),
            bs.DecisionError,
            r"^--serve looks for the cheapest model of any size, and --at holds N at 7e\+09; leave one of them out\.$",
        ),
        (Ladder({"one": CANDIDATES}, {"n_params": 7e9}, 8, 0), Chinchilla(), bs.LawError, "needs D of the run"),
        (Ladder({"one": CANDIDATES[["N"]]}, FAR, 8, 0), Chinchilla(), bs.StudyError, "needs the column 'tokens'"),
        (Ladder({"one": CANDIDATES}, FAR, 8, 0), Chinchilla(), bs.StudyError, "'one' has 2 runs, and Chinchilla needs"),
        (Ladder({"one": TOKENS}, FAR, 8, 0), PowerLaw(column="tokens"), bs.LawError, "takes E_scale from the outcomes"),
        (Ladder({"one": CANDIDATES}, {**FAR, "tokens": 0.0}, 8, 0), Chinchilla(), bs.DecisionError, "target's D is 0"),
    ],
)
def test_what_a_law_cannot_answer_is_refused(question, law, error, message):
    with pytest.raises(error, match=message):
        question.check(law, None, six_n_d)


def test_candidates_and_their_target_are_checked():
    study = chinchilla(count=2).study
    Next(CANDIDATES, FAR, 1, None).check(Chinchilla(), study, six_n_d)
    with pytest.raises(bs.DecisionError, match="candidates lack D"):
        Next(CANDIDATES[["N"]], FAR, 1, None).check(Chinchilla(), study, six_n_d)
    with pytest.raises(bs.TargetError, match="needs D"):
        Next(CANDIDATES, {"n_params": 7e9}, 1, None).check(Chinchilla(), study, six_n_d)


@pytest.mark.parametrize(("spend", "said"), [(np.nan, "nan"), (-1.0, "-1"), (0.0, "0"), (np.inf, "inf")])
def test_flops_to_spend_are_checked_before_the_fit(spend, said):
    with pytest.raises(bs.DecisionError, match=rf"spend is {said}.*; give .*1e21 FLOPs"):
        Next(CANDIDATES, FAR, 1, spend).check(Chinchilla(), chinchilla(count=2).study, six_n_d)


def test_a_spend_below_the_cheapest_candidate_is_refused_before_the_fit():
    study = chinchilla(count=2).study
    Next(CANDIDATES, FAR, 1, 1.2e20).check(Chinchilla(), study, six_n_d)
    with pytest.raises(
        bs.DecisionError, match=r"No candidate costs 1e\+20 FLOPs or less \(the cheapest takes 1\.2e\+20"
    ):
        Next(CANDIDATES, FAR, 1, 1e20).check(Chinchilla(), study, six_n_d)
    with pytest.raises(bs.DecisionError, match=r"the cheapest takes 3e\+20"):
        Next(CANDIDATES.assign(flops=3e20), FAR, 1, 2e20).check(Chinchilla(), study, six_n_d)


def test_a_law_of_compute_may_be_asked_for_a_cost():
    cost().check(PowerLaw(), None, six_n_d)


# -- answers --------------------------------------------------------------------------------------------------------


def test_a_split_answers_each_budget_and_a_few_regrets(surface):
    budgets = np.array([1e20, 1e21, 1e22, 1e23])
    found = Split(budgets).answer(surface)
    assert len(found.sentences) == 4 and found.sentences[0].startswith("1e+20 FLOPs are best spent on ")
    assert "for a loss of " in found.sentences[0] and found.sentences[0][-2].isdigit()  # no unit was given
    assert list(found.tables) == ["plan", "regret", "exponents"] and found.tables["regret"]["flops"].nunique() == 3
    assert set(found.pictures) == {"plan", "regret_1e+20", "regret_1e+21", "regret_1e+22"}
    assert "exponents" not in Split(budgets[:1]).answer(surface).tables


def test_budgets_that_agree_in_three_digits_have_a_picture_each(surface):
    found = Split(np.array([1e20, 1.001e20])).answer(surface)
    assert set(found.pictures) == {"plan", "regret_1_1e+20", "regret_2_1e+20"}


def test_a_cost_is_the_budget_of_its_probability(surface):
    found = cost(probability=0.8).answer(surface)
    needed = np.quantile(Textbook(surface).needed(2.1), 0.8)
    plan = found.tables["plan"]
    row = plan[plan["probability"] == 0.8].iloc[0]
    assert row["flops"] == pytest.approx(needed, rel=0.05)
    assert f"{row['flops']:.3g} FLOPs reach a loss of 2.1 with probability 80 %" in found.sentences[0]
    assert list(found.tables) == ["plan", "intervals"]
    assert " at N = 7e+09 with" in cost(target=2.15, fixed={"N": 7e9}).answer(surface).sentences[0]


def test_what_is_never_reached_is_said(surface):
    found = cost(target=0.5, serve=1e12).answer(surface)
    assert found.sentences[0].startswith("No budget reaches a loss of 0.5 with probability 90 %")
    assert found.sentences[0].endswith("it is never reached with probability 100 %.")
    assert found.sentences[1] == "So no model is cheapest over its life."
    assert {"lifetime", "model"} <= found.tables.keys()


def test_what_any_budget_reaches_is_said_and_its_least_budget_is_no_run_to_look_at(surface):
    found = cost(target=100.0).answer(surface)
    assert found.sentences[0].startswith("Any budget reaches a loss of 100 with probability 90 %; it is never reached")
    assert found.aims.empty and not cost().answer(surface).aims.empty


def test_a_question_says_which_tables_it_is_answered_by(surface):
    answers = [Split(np.array([1e20, 1e21])), cost(serve=1e12), Next(CANDIDATES, FAR, 1, None)]
    for question in answers:
        assert list(question.answer(surface).tables) == list(question.tables)


def test_a_model_to_be_served_is_smaller(surface):
    models = {}
    for probability in (0.5, 0.9):
        found = cost(serve=1e13, probability=probability).answer(surface)
        (sentence,) = [s for s in found.sentences if s.startswith("With 10T tokens to serve, the cheapest model that")]
        (N, D) = found.tables["model"].loc[0, ["n_params", "tokens"]]
        assert f"probability {probability:.0%}".replace("%", " %") in sentence and short(N) in sentence
        assert sentence.endswith(f"is trained on {short(D)} tokens.")
        models[probability] = N * D
    assert models[0.9] > models[0.5]


def test_the_next_runs_are_named_with_the_baseline(surface):
    found = Next(CANDIDATES.assign(flops=[1e20, 4e20]), FAR, 1, None).answer(surface)
    assert found.sentences[0].startswith("Run ") and "The largest affordable runs instead" in found.sentences[1]
    assert found.sentences[3] == "Costs are the FLOPs that the candidates came with."
    assert list(found.tables) == ["plan", "batch", "baseline"] and len(found.tables["batch"]) == 1


def test_a_ladder_is_answered_by_what_was_simulated(surface, monkeypatch):
    asked = {}

    def simulated(family, plans, target, **options):
        asked.update(options, family=family)
        rows = [{"plan": "one", "family": i, "width90": 0.1, "error": 0.0, "in90": True} for i in range(8)]
        costs = pd.DataFrame([{"plan": "one", "runs": 2, "flops": 1e20, "largest": 5e19}])
        return bs.LadderPlans(pd.DataFrame(rows), costs, 8, "7B", "loss")

    monkeypatch.setattr(questions, "plan_ladders", simulated)
    found = Ladder({"one": CANDIDATES}, FAR, 8, 3).answer(surface)
    assert found.sentences == (
        "one: 2 runs, 1e+20 FLOPs; the 90 % interval of 7B will be 10 % of its loss wide (90 %: 10 to 10 %).",
    )
    assert list(found.tables) == list(Ladder.tables)
    assert (asked["family"], asked["flops"], asked["seed"]) == (surface.posterior, surface.rule, 3)
    assert asked["families"] == 8 and asked["allow_unconverged"] is True


def test_a_ladder_of_a_law_whose_runs_may_lack_an_input_needs_the_others_alone():
    Ladder({"one": pd.concat([CANDIDATES, CANDIDATES])}, FAR, 8, 0).check(Superset(), None, six_n_d)


def test_a_ladder_of_one_run_is_said_in_the_singular(surface, monkeypatch):
    rows = pd.DataFrame([{"plan": "one", "family": 0, "width90": 1.2, "error": 0.0, "in90": True}])
    costs = pd.DataFrame([{"plan": "one", "runs": 1, "flops": 1e20, "largest": 1e20}])
    monkeypatch.setattr(questions, "plan_ladders", lambda *_, **__: bs.LadderPlans(rows, costs, 1, "7B", "loss"))
    (sentence,) = Ladder({"one": CANDIDATES}, FAR, 8, 3).answer(surface).sentences
    assert sentence.startswith("one: 1 run, 1e+20 FLOPs; ") and "will be 120 % of its loss wide" in sentence


def test_a_ladder_of_which_no_fit_converged_says_so(surface, monkeypatch):
    rows = pd.DataFrame(columns=["plan", "family", "width90", "error", "in90"])
    costs = pd.DataFrame([{"plan": "one", "runs": 9, "flops": 1e20, "largest": 1e20}])
    monkeypatch.setattr(questions, "plan_ladders", lambda *_, **__: bs.LadderPlans(rows, costs, 8, "7B", "loss"))
    assert Ladder({"one": CANDIDATES}, FAR, 8, 3).answer(surface).sentences == (
        "one: 9 runs, 1e+20 FLOPs; none of its 8 fits converged and forecasts 7B: its width is unknown.",
    )


def test_fractions_are_described_in_per_cent():
    assert describe("error", 0.123, "fraction") == "an error of 12.3 %"
