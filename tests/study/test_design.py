from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, FewSteps, LearningCurve, PowerLaw
from bayes_scaling.study.design import design_check
from tests import worlds
from tests.study.designs import GOOD, RISING

NEAR = [(n, 20 * n * f) for n in (1e8, 2e8, 4e8, 8e8, 16e8) for f in (0.8, 1.0, 1.25)]

BAD = {
    "units": (GOOD.assign(N=GOOD["N"] / 1e6), "The largest n_params of a run is 800 .* write 7e9", 800),
    "unused-accuracy": (GOOD.assign(accuracy=0.5), "no column 'task'.* reads them from one row per run and task", 16),
    "few-runs": (GOOD.head(8), "There are 8 runs", 8),
    "guessed-noise": (GOOD.head(8), "3 runs beyond the 5 parameters .* 0 repeated ones .* to a factor of 1.5", 3),
    "few-sizes": (GOOD[GOOD["N"] < 3e8], "There are 2 distinct values of N", 2),
    "one-ratio": (GOOD.assign(D=20 * GOOD["N"], x=range(16)), r"20 tokens per parameter \(at least 1.5 times", 1.0),
    "collinear": (
        pd.DataFrame(NEAR, columns=["N", "D"]).assign(loss=3.0),
        "log N and log D have correlation 0.983",
        30,
    ),
    "embedding-share": (
        GOOD.assign(n_params_body=GOOD["N"] - 4e7),
        "Embeddings are 5% to 40% of N .* fit n_params_body as N",
        0.4,
    ),
    "few-steps": (GOOD.assign(steps=[500.0] * 3 + [9e3] * 13), "3 of 16 runs have fewer than 2000 .* fewest 500", 500),
    "not-annealed": (GOOD.assign(annealed=[False] * 4 + [True] * 12), "4 of 16 rows .* did not decay", 4),
}


@pytest.mark.parametrize(("code", "table", "message", "value"), [(c, *b) for c, b in BAD.items()], ids=BAD)
def test_each_fault_of_a_design_is_a_record(code, table, message, value):
    found = design_check(bs.Study.from_frame(table)).only(code)
    assert len(found) == 1
    assert pytest.approx(value, rel=0.05) == found[0].value
    assert pd.Series([str(found[0])]).str.contains(message).item() and str(found[0]).endswith(".")


def test_a_sound_design_has_no_problem():
    found = design_check(
        bs.Study.from_frame(GOOD.assign(steps=5e3, annealed=1, n_params_body=0.9 * GOOD["N"])), {"N": 1e9, "D": 5e10}
    )
    assert not found and str(found) == "No problem found."


def test_what_measures_the_noise_is_told_from_what_guesses_it():
    def says(table, **options):
        return "guessed-noise" in design_check(bs.Study.from_frame(table), **options).codes

    few = GOOD.head(8)
    repeated = pd.concat([few, few.tail(3).assign(run=["a", "b", "c"], loss=3.4)])
    assert says(few) and says(few, law=Chinchilla())
    assert not says(repeated) and says(repeated.head(9))
    assert not says(few.assign(loss_se=0.01)) and says(few.assign(loss_se=[0.01] * 7 + [np.nan]))
    one = few.assign(C=6 * few["N"] * few["D"])
    fixed = PowerLaw(E=1.8)
    assert len(fixed.free_parameters) - 1 == 2
    assert not says(one, law=fixed) and says(one.head(7), law=fixed)
    (alone,) = design_check(bs.Study.from_frame(GOOD.head(4))).only("guessed-noise")
    assert alone.value == 0 and "known by its prior alone" in alone.sentence


def test_one_is_said_in_the_singular():
    (alone,) = design_check(bs.Study.from_frame(GOOD.head(6))).only("guessed-noise")
    assert "rests on 1 run beyond the 5 parameters" in alone.sentence
    (few,) = design_check(bs.Study.from_frame(GOOD.head(1))).only("few-runs")
    assert few.sentence == "There is 1 run (at least 10)"


def test_a_law_is_told_of_what_it_reads():
    one = GOOD.assign(D=20 * GOOD["N"], x=range(16))
    study = bs.Study.from_frame(one, flops="6ND")
    by_compute = {"N": 7e9, "D": 1e12, "C": 4.2e22}
    assert "one-ratio" in design_check(study, by_compute, law=Chinchilla()).codes
    assert design_check(study, by_compute, law=PowerLaw()).codes == ["far-target"]
    (problem,) = design_check(study, {"N": 1e12}, law=PowerLaw(column="N")).only("far-target")
    assert problem.value == pytest.approx(1e12 / 8e8)
    assert "1.25e+03 times the parameters of the largest run fitted" in problem.sentence
    (few,) = design_check(bs.Study.from_frame(GOOD.assign(x=1.0)), law=PowerLaw(column="x")).only("few-sizes")
    assert few.sentence == "There is 1 distinct value of x (at least 4)"


def test_a_target_in_billions_is_told():
    (problem,) = design_check(bs.Study.from_frame(GOOD), {"N": 7, "D": 4e12}).only("units")
    assert problem.value == 7 and "of a target" in problem.sentence


def test_flops_in_a_unit_are_told():
    (problem,) = design_check(bs.Study.from_frame(RISING)).only("units")
    assert problem.where == "flops" and "The largest flops of a run is 400 (at least 1e+12)" in problem.sentence
    (aim,) = design_check(bs.Study.from_frame(RISING.assign(C=RISING["C"] * 1e21)), {"C": 1e3}).only("units")
    assert "of a target is 1000" in aim.sentence


def test_one_count_in_another_unit_is_told():
    sizes = ["125M", "350M", "760M", "1.3B", "2.7", "6.7B", 1e9]
    table = pd.DataFrame({"run": [*"abcdefg"], "N": sizes, "D": [2e9, 300.0, 4e9, 500.0, 2e10, 8e9, 1e10], "loss": 3.0})
    size, tokens = design_check(bs.Study.from_frame(table)).only("units")
    assert size.sentence == "The n_params of e is 2.7, and of each other run at least 1.25e+08"
    assert size.value == 2.7 and size.where == "n_params"
    assert tokens.sentence == "The tokens of b, d are 300 to 500, and of each other run at least 2e+09"
    aims = [{"target": "a", "N": 7, "D": 4e12}, {"target": "b", "N": 7e9, "D": 4e12}]
    (aim,) = design_check(bs.Study.from_frame(GOOD), aims).only("units")
    assert aim.sentence == "The n_params of 'a' is 7, and of each other target at least 7e+09"


def test_small_counts_among_others_like_them_are_no_other_unit():
    small = GOOD.assign(N=np.geomspace(500, 1e6, 16))
    assert not design_check(bs.Study.from_frame(small)).only("units")
    for aims in ([{"N": 1e9, "D": 4e12}, {"N": "lots", "D": 4e12}], {"N": "lots", "D": 4e12}):
        assert not design_check(bs.Study.from_frame(GOOD), aims).only("units")


def test_a_column_that_a_law_cannot_read_is_none_that_repeats_are_counted_by():
    study = bs.Study.from_frame(GOOD.head(4).assign(steps=[[1], [1], [2], [2]]))
    (problem,) = design_check(study, law=FewSteps()).only("guessed-noise")
    assert "0 repeated ones" in problem.sentence


@pytest.mark.parametrize("law", [Chinchilla, "chinchilla"])
def test_what_is_no_law_is_refused(law):
    with pytest.raises(bs.LawError, match=r"^The law is .*; give a law, such as Chinchilla\(\)\.$"):
        design_check(bs.Study.from_frame(GOOD), law=law)


def test_the_checkpoints_of_a_learning_curve_are_what_it_is_fitted_to():
    points = pd.DataFrame({"tokens": np.geomspace(1e9, 1e11, 25), "loss": np.linspace(4.0, 2.5, 25)})
    along = points.assign(run="one", checkpoint=np.arange(25))
    codes = [design_check(bs.Study.from_frame(table), law=LearningCurve()).codes for table in (points, along)]
    assert codes[0] == codes[1] and "few-runs" not in codes[0]
    assert "few-runs" in design_check(bs.Study.from_frame(along), law=PowerLaw(column="tokens")).codes


@pytest.mark.parametrize(("unit", "found"), [(1.0, 0), (1e-6, 1)])
def test_tokens_in_millions_beside_plain_parameters_are_told(unit, found):
    N = np.geomspace(2e7, 1.5e9, 10)
    table = pd.DataFrame({"N": N, "D": 2000 * N * unit, "loss": np.linspace(4, 3, 10)})
    problems = bs.design_check(bs.Study.from_frame(table)).only("units")
    assert len(problems) == found and all("0.002 to 0.002 tokens per parameter" in str(p) for p in problems)


def test_a_target_that_is_an_earlier_checkpoint_of_a_fitted_run_is_told():
    rows = [(run, N, d, d * 1e9, 4 - d / 2) for run, N in (("a", 1e8), ("b", 2e8)) for d in (1, 2)]
    study = bs.Study.from_frame(pd.DataFrame(rows, columns=["run", "N", "checkpoint", "D", "loss"]))
    for tokens in (1e9, 2e9):
        assert bs.design_check(study, {"N": 1e8, "D": tokens}, law=Chinchilla()).only("fitted-target")


def test_holding_out_several_runs_of_the_inputs_of_a_target_keeps_the_target():
    table = worlds.GRID.assign(loss=np.linspace(4, 3, 16), run=[f"r{i}" for i in range(16)], role="train")
    same = table.tail(1)
    table = pd.concat([table, same.assign(run="again"), same.assign(run="y", role="target")], ignore_index=True)
    (problem,) = bs.design_check(bs.Study.from_frame(table), law=Chinchilla()).only("fitted-target")
    query = problem.remedy.partition('where="')[2].rstrip('"')
    kept = bs.Study.from_frame(table, where=query)
    assert len(kept.training.frame) == 15 and kept.targets.frame["run"].tolist() == ["y"]
