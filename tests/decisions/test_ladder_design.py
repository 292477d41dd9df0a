import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import PowerLaw, TwoStep
from tests.worlds import by_compute

PLANS = {
    "small": pd.DataFrame({"C": np.geomspace(1e18, 1e19, 8)}),
    "large": pd.DataFrame({"C": np.geomspace(1e18, 1e21, 14)}),
}
AT = {"C": 1e22}


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


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(bs.DecisionError, match="nothing to simulate"):
        bs.plan_ladders(PowerLaw(), {}, AT, seed=0)
    with pytest.raises(bs.StudyError, match="needs the column 'flops'"):
        bs.plan_ladders(PowerLaw(), {"one": {"N": [1e8]}}, AT, seed=0)
    with pytest.raises(bs.StudyError, match="'one' has 2 runs, and PowerLaw needs at least 4"):
        bs.plan_ladders(PowerLaw(), {"one": {"C": [1e18, 1e19]}}, AT, seed=0)
    for unnamed in ([PLANS["small"]], PLANS["small"], None):
        with pytest.raises(bs.DecisionError, match=r"The plans are a \w+; give each a name, as in \{'small': table"):
            bs.plan_ladders(PowerLaw(), unnamed, AT, seed=0)
    with pytest.raises(bs.DecisionError, match=r"The number of families is 2\.5; give a whole number"):
        bs.plan_ladders(PowerLaw(), PLANS, AT, seed=0, families=2.5)
    with pytest.raises(bs.DecisionError, match="2 targets are given, and this is decided for one run at a time"):
        bs.plan_ladders(PowerLaw(), PLANS, [AT, {"C": 1e23}], seed=0)
    with pytest.raises(bs.TargetError, match="needs C"):
        bs.plan_ladders(PowerLaw(), PLANS, {"N": 7e9}, seed=0)
    with pytest.raises(bs.BayesScalingError):
        bs.plan_ladders(TwoStep(), {"one": {"N": [1e8], "D": [2e9]}}, {"N": 7e9, "D": 4e12}, seed=0)
