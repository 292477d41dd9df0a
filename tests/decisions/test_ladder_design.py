import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions import ladder_design
from bayes_scaling.decisions.ladder_design import _simulate, read_plan, read_plans
from bayes_scaling.law.trace import run_model
from bayes_scaling.models import LAWS, Chinchilla, PowerLaw, Rectified, Superset, TwoStep
from tests.models.examples import law_of, study_for
from tests.worlds import by_compute

PLANS = {
    "small": pd.DataFrame({"C": np.geomspace(1e18, 1e19, 8)}),
    "large": pd.DataFrame({"C": np.geomspace(1e18, 1e21, 14)}),
}
AT = {"C": 1e22}


OUTCOMES = "takes .* from the outcomes of fitted runs, so that its priors alone simulate no ladder"
SERIES = "describes several series; plan its ladder for one of them"
REFUSED = {
    **dict.fromkeys(("BentPowerLaw", "ShiftedPowerLaw", "BrokenPowerLaw", "LearningCurve"), OUTCOMES),
    **dict.fromkeys(("DirectAccuracy", "DirectAccuracyInFlops", "SigmoidAccuracy", "PowerLaw of tokens"), OUTCOMES),
    **dict.fromkeys(("TwoStep", "DirectLadder", "Pooled", "Mixture", "PretrainingSize"), SERIES),
}


def title(law):
    return "PowerLaw of tokens" if law == PowerLaw(column="tokens") else law.name


@pytest.fixture(scope="module")
def plans():
    return bs.plan_ladders(PowerLaw(), PLANS, AT, seed=0, families=8)


def test_more_compute_forecasts_better(plans):
    table = plans.table().set_index("plan")
    assert table.at["large", "median"] < 0.8 * table.at["small", "median"]
    assert table.at["large", "error"] < table.at["small", "error"]
    assert table.at["large", "flops"] == pytest.approx(PLANS["large"]["C"].sum())
    assert (table["fitted"] > 0.9).all() and (table["in90"] > 0.6).all()


def test_an_earlier_family_narrows_what_to_expect(plans):
    small = {"small": PLANS["small"]}
    again = bs.plan_ladders(by_compute(), small, AT, seed=0, families=8)
    assert again.table()["q95"].iloc[0] < plans.table()["q95"].iloc[0]
    same = bs.plan_ladders(by_compute(), small, AT, seed=0, families=8)
    pd.testing.assert_frame_equal(again.table(), same.table())


def test_a_family_that_says_nothing_of_the_target_is_left_out_and_counted(monkeypatch):
    asked = []

    def forecast(posterior, target):
        asked.append(posterior)
        if len(asked) == 2:
            raise bs.LawError("PowerLaw expects a loss of zero or less.")
        return bs.forecast(posterior, target)

    monkeypatch.setattr(ladder_design, "forecast", forecast)
    found = bs.plan_ladders(PowerLaw(), {"small": PLANS["small"]}, AT, seed=0, families=8)
    assert found.table()["fitted"].tolist() == [(len(asked) - 1) / 8]
    assert np.isfinite(found.table()["median"]).all()


def test_where_no_family_says_anything_of_the_target_the_reason_is_told(monkeypatch):
    def forecast(posterior, target):
        raise bs.LawError("PowerLaw expects a loss of zero or less.")

    monkeypatch.setattr(ladder_design, "forecast", forecast)
    with pytest.raises(bs.LawError, match=r"^PowerLaw expects a loss of zero or less\.$"):
        bs.plan_ladders(PowerLaw(), {"small": PLANS["small"]}, AT, seed=0, families=2)


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(bs.DecisionError, match="nothing to simulate"):
        bs.plan_ladders(PowerLaw(), {}, AT, seed=0)
    with pytest.raises(bs.StudyError, match="needs the column 'flops'"):
        bs.plan_ladders(PowerLaw(), {"one": {"N": [1e8]}}, AT, seed=0)
    with pytest.raises(bs.StudyError, match="which the planned runs lack; add C, such as 6 x N x D"):
        bs.plan_ladders(PowerLaw(), {"one": {"N": [1e8], "D": [1e10]}}, AT, seed=0, flops="6ND")
    with pytest.raises(bs.StudyError, match="'one' has 2 runs, and PowerLaw needs at least 4"):
        bs.plan_ladders(PowerLaw(), {"one": {"C": [1e18, 1e19]}}, AT, seed=0)
    for unnamed in ([PLANS["small"]], PLANS["small"], None):
        with pytest.raises(bs.DecisionError, match=r"The plans are a \w+; give each a name, as in \{'small': table"):
            bs.plan_ladders(PowerLaw(), unnamed, AT, seed=0)
    for families in (2.5, 0, True):
        with pytest.raises(bs.DecisionError, match=f"families is {families}; give a whole number of at least 1"):
            bs.plan_ladders(PowerLaw(), PLANS, AT, seed=0, families=families)
    with pytest.raises(bs.DecisionError, match="2 targets are given, and this is decided for one run at a time"):
        bs.plan_ladders(PowerLaw(), PLANS, [AT, {"C": 1e23}], seed=0)
    with pytest.raises(bs.TargetError, match="needs C"):
        bs.plan_ladders(PowerLaw(), PLANS, {"N": 7e9}, seed=0)
    with pytest.raises(bs.BayesScalingError):
        bs.plan_ladders(TwoStep(), {"one": {"N": [1e8], "D": [2e9]}}, {"N": 7e9, "D": 4e12}, seed=0)


@pytest.mark.parametrize("law", [*map(law_of, sorted(LAWS)), PowerLaw(column="tokens")], ids=title)
def test_every_law_is_simulated_from_its_priors_or_refused(law, monkeypatch):
    """What a law reads beside its runs is there, or is said to need outcomes."""

    def one_family(law, keys, latent, runs, fitted):
        return {law.outcome: run_model(law, runs, None, fitted, latent=latent, key=keys[0])[law.outcome]["value"][None]}

    monkeypatch.setattr(ladder_design, "predict", one_family)
    plans = {"one": study_for(law).frame}
    if title(law) in REFUSED:
        with pytest.raises(bs.LawError, match=f"^{law.name} {REFUSED[title(law)]}"):
            read_plans(law, plans, from_priors=True)
        return
    plan = read_plans(law, plans, from_priors=True)["one"]
    assert np.isfinite(_simulate(law, law, [plan, plan.head(1)], 1, seed=0)).all()


def test_a_floor_that_is_held_is_below_outcomes_that_are_not_there_yet():
    assert list(read_plans(PowerLaw(E=1.8), PLANS, from_priors=True)) == list(PLANS)


def test_runs_that_nothing_costs_are_refused_before_they_are_simulated():
    with pytest.raises(
        bs.DecisionError, match="Plan 'one' has neither FLOPs nor parameters and tokens to cost runs by"
    ):
        bs.plan_ladders(Rectified(), {"one": {"D_F": np.geomspace(1e4, 1e6, 9)}}, {"D_F": 1e8}, seed=0)


def test_what_runs_may_lack_is_read_where_a_plan_has_it():
    """The same tokens seen sixteen times teach less of larger runs; a target that says nothing has only new ones."""
    grid = pd.DataFrame([(n, d) for n in (1e8, 2e8, 4e8, 8e8) for d in (4e9, 1.6e10, 6.4e10)], columns=["N", "D"])
    law = Superset(repeats=15.0)
    plans = {"new": grid, "seen": grid.assign(unique_tokens=2.5e8)}
    parts = [*(read_plan(law, plan) for plan in plans.values()), pd.DataFrame({"n_params": [8e8], "tokens": [6.4e10]})]
    outcomes = _simulate(law, law, parts, 40, seed=0)
    assert outcomes.shape == (40, 25)
    new, seen = outcomes[:, :12].mean(axis=0), outcomes[:, 12:24].mean(axis=0)
    assert (seen > new * 1.005).all() and seen[-1] / new[-1] > seen[0] / new[0]
    assert np.median(outcomes[:, -1] / outcomes[:, 11]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"params": [2e7, 6e7], "D": [4e8, 1.2e9], "seeds": 1}, r"lacks; say which of yours .* n_params='params'\.$"),
        (
            {"run": ["a", "b"], "N": [2e7, 6e7], "D": [4e8, None]},
            r"run 'b' \(row 2\) has no tokens; fill it in, or leave",
        ),
        ({"N": [2e7, None, None], "D": 4e8}, "Of the planned runs, row 2 and row 3 have no n_params; fill it in"),
        ({"run": ["a", "b"], "N": [2e7, "big"], "D": 4e8}, r"Run 'b' \(row 2\) has n_params = 'big'"),
    ],
)
def test_what_a_plan_lacks_is_told_in_the_words_of_its_table(plan, said):
    with pytest.raises(bs.StudyError, match=said):
        read_plan(Chinchilla(), pd.DataFrame(plan))
