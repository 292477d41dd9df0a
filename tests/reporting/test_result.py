from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pandas as pd
from rich.console import Console

import bayes_scaling as bs
from bayes_scaling.evaluation.averaging import AveragedForecast
from bayes_scaling.plots import close, plot_forest
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.page_tables import intervals, weights
from bayes_scaling.reporting.result import Result, number, plain, records, worst
from bayes_scaling.reporting.screen import print_result, weighed
from tests import worlds

FAR = {"target": "7B-4T", "N": 7e9, "D": 4e12}


def test_rows_call_the_median_by_its_name():
    rows = worlds.result(worlds.chinchilla(), FAR).rows()
    numbers = ["mean", "sd", "q05", "q25", "median", "q75", "q95", "actual"]
    assert list(rows.columns) == ["target", "task", "quantity", "unit", *numbers, "distance"]


def test_a_document_is_plain_json_without_numbers_that_are_none():
    caveats = Problems([Problem("few-runs", "There are 8 runs", "add runs", 8.0)])
    document = worlds.result(worlds.chinchilla(), FAR, design=caveats).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    (row,) = document["rows"]
    assert row["actual"] is None and row["task"] is None and row["median"] > 1.8 and "q50" not in row
    assert document["caveats"] == [{"code": "few-runs", "text": "There are 8 runs: add runs."}]


def test_a_document_names_targets_in_text_also_those_of_a_number():
    targets = pd.DataFrame({"run": [7, 2.5], "N": [7e9, 8e9], "D": 4e12})
    document = worlds.result(worlds.chinchilla(count=50), targets).document()
    assert [row["target"] for row in document["rows"]] == ["7.0", "2.5"]
    assert [row["target"] for row in document["registered"]["rows"]] == ["7.0", "2.5"]
    (row,) = worlds.result(worlds.chinchilla(count=50), {"run": 7, "N": 7e9, "D": 4e12}).document()["rows"]
    assert (row["target"], row["task"]) == ("7", None)


def test_the_task_of_a_study_of_one_is_named():
    posterior = worlds.chinchilla(table=worlds.GRID.assign(task="MMLU"))
    assert worlds.result(posterior, FAR).rows()["task"].tolist() == ["MMLU"]
    rows = worlds.result(worlds.ladder(), FAR).rows()
    assert set(rows["task"]) == {"one", "two"}


def test_a_loss_that_tasks_share_stands_below_them_by_its_column(ladder_fits, ladder_forecast, ladder):
    result = Result.of(ladder, "two_step", ladder_fits, ladder_forecast, seed=0, seconds=1.0, pictures=False)
    rows = result.rows()
    losses = rows[rows["quantity"] == "loss"]
    assert losses["task"].tolist()[-1] == "c4_loss" and losses["unit"].nunique() == 2
    console = Console(file=io.StringIO(), width=100)
    print_result(result, console)
    said = console.file.getvalue()
    assert said.index("accuracy (%)") < said.index("loss (bits per byte)") < said.index("loss (nats per token)")
    assert [grid.caption for grid in intervals(result)][1:] == ["loss (bits per byte)", "loss (nats per token)"]


def test_tasks_come_in_the_order_of_the_study_with_their_targets_together():
    result = worlds.result(worlds.ladder(count=60), [FAR, {**FAR, "target": "7B-5T", "D": 5e12}])
    rows = result.rows()
    accuracies = rows[rows["quantity"] == "accuracy"]
    expected = [("one", "7B-4T"), ("one", "7B-5T"), ("two", "7B-4T"), ("two", "7B-5T")]
    assert list(zip(accuracies["task"], accuracies["target"], strict=True)) == expected
    (grid, *_) = intervals(result)
    assert [tuple(row[:2]) for row in grid.rows] == expected
    console = Console(file=io.StringIO(), width=100)
    print_result(result, console)
    said = console.file.getvalue()
    assert said.index("one") < said.index("two")
    ax = plot_forest(result.forecast)
    assert [t.get_text() for t in ax.get_yticklabels()][::-1] == ["one", "two"]
    close(ax.figure)


def test_what_one_fit_cannot_tell_of_itself_is_not_hidden_by_the_others():
    posterior = worlds.chinchilla(count=2)
    unknown = dataclasses.replace(posterior.diagnostics, max_rhat=np.nan, min_ess_bulk=np.nan)
    found = worst([posterior, dataclasses.replace(posterior, diagnostics=unknown)])
    assert np.isnan(found["max_rhat"]) and np.isnan(found["min_ess_bulk"]) and found["min_ess_tail"] == 400.0
    assert plain(found)["max_rhat"] is None


def test_several_fits_are_as_good_as_the_worst():
    posterior = worlds.chinchilla()
    bad = dataclasses.replace(
        posterior, diagnostics=dataclasses.replace(posterior.diagnostics, max_rhat=1.5, divergences=7, min_ess_tail=9.0)
    )
    found = worlds.result(posterior, FAR, posteriors=(posterior, bad)).diagnostics()
    assert found == {
        "max_rhat": 1.5, "min_ess_bulk": 400.0, "min_ess_tail": 9.0, "divergences": 7, "converged": False,
    }  # fmt: skip
    unknown = dataclasses.replace(posterior, diagnostics=dataclasses.replace(bad.diagnostics, max_rhat=float("nan")))
    for order in ((posterior, unknown), (unknown, posterior)):
        assert np.isnan(worlds.result(posterior, FAR, posteriors=order).diagnostics()["max_rhat"])


def test_what_speaks_against_the_runs_is_looked_for_and_a_path_only_where_it_is_drawn():
    posterior = worlds.chinchilla(table=worlds.on_the_curve(0.005))
    forecast = bs.forecast(posterior, FAR)
    made = [
        Result.of(posterior.study, "chinchilla", [posterior], forecast, seed=0, seconds=1.0, pictures=pictures)
        for pictures in (False, True)
    ]
    assert [one.path is None for one in made] == [True, False]
    assert "far-target" in made[0].caveats.codes


def averaged(posterior):
    """Return the result of an average of one law whose backtests missed, beside one that did not converge."""
    made = worlds.result(posterior, FAR)
    tests = pd.DataFrame({"run": range(9), "inside": [True] * 4 + [False] * 5, "error": 0.1})
    own = {f.name: getattr(made.forecast, f.name) for f in dataclasses.fields(made.forecast)}
    weighing = {"weights": pd.Series({"chinchilla": 1.0}), "backtests": tests, "left_out": ("kaplan",)}
    forecast = AveragedForecast(**own, **weighing, posteriors={"chinchilla": posterior})
    return dataclasses.replace(made, forecast=forecast)


def test_a_law_whose_forecast_is_refused_is_told_from_one_that_did_not_converge():
    forecast = averaged(worlds.chinchilla()).forecast
    refused = dataclasses.replace(forecast, refused={"kaplan": 0.3})
    for one, alone, cell in (
        (forecast, "the only one of 2 that converged.", "did not converge"),
        (refused, "the only one of 2 that has a forecast.", "has no forecast"),
    ):
        assert alone in weighed(one) and weights(one).rows[-1][:2] == ["kaplan", cell]


def test_what_speaks_against_an_average_is_ranked_with_the_rest():
    few, rhat = Problem("few-runs", "Few", "add", 8.0), Problem("rhat", "Apart", "wait", 1.5, "E", severe=True)
    result = dataclasses.replace(
        averaged(worlds.chinchilla()), design=Problems([few]), problems={"chinchilla": Problems([rhat])}
    )
    order = ["rhat", "backtests", "left-out", "few-runs"]
    assert [p.code for p in result.caveats] == order
    assert [caveat["code"] for caveat in result.document()["caveats"]] == order
    console = Console(file=io.StringIO(), width=400)
    print_result(result, console)
    said = [line for line in console.file.getvalue().splitlines() if line.startswith("Caveat: ")]
    assert said == [f"Caveat: {problem}" for problem in result.caveats]
    assert "kaplan was left out" in said[2] and "4 lay inside" in said[1]
    assert (
        "Law: chinchilla, the only one of 2 that converged.  In backtests on these runs 4 of 9 outcomes"
        in console.file.getvalue()
    )


def test_a_caveat_of_some_fits_names_them_and_one_of_all_is_said_once():
    def modes(share):
        return Problem("modes", f"{share:.0%} of the starts", "prefer tighter priors", share)

    tails = [Problem("prior-tail", f"E lies in the {side} tail", "widen it", 0.6, "E") for side in ("lower", "upper")]
    said = {"a": Problems([modes(0.1), *tails]), "b": Problems([modes(0.2)]), "c": Problems([modes(0.3), tails[0]])}
    found = dataclasses.replace(worlds.result(worlds.chinchilla(), FAR), design=Problems([]), problems=said).caveats
    assert [problem.sentence for problem in found.only("modes")] == ["10% of the starts"]
    assert [problem.sentence for problem in found.only("prior-tail")] == [
        "a and c: E lies in the lower tail",
        "a: E lies in the upper tail",
    ]


def test_a_caveat_calls_a_fit_by_one_name():
    result = worlds.result(worlds.chinchilla(), FAR)

    def said(*names):
        misfit = Problem("misfit", "What Chinchilla leaves unexplained follows D", "prefer another", 0.5, "D")
        fits = dict.fromkeys(["plain", "wide", "other"], worlds.chinchilla())
        problems = {name: Problems([misfit] if name in names else []) for name in fits}
        forecast = dataclasses.replace(averaged(worlds.chinchilla()).forecast, posteriors=fits)
        made = dataclasses.replace(result, forecast=forecast, design=Problems([]), problems=problems)
        return made.caveats.only("misfit")[0].sentence

    assert said("wide") == "What wide leaves unexplained follows D"
    assert said("plain", "wide") == "plain and wide: What the law leaves unexplained follows D"
    assert said("plain", "wide", "other") == "What the law leaves unexplained follows D"


def test_records_are_plain_values():
    table = pd.DataFrame({"n": [3], "share": [np.inf], "run": ["a"], "none": [None], "yes": [True]})
    (row,) = records(table)
    assert row == {"n": 3, "share": None, "run": "a", "none": None, "yes": True}
    assert type(row["n"]) is int and row["yes"] is True
    assert number(np.nan) is None and number(np.float64(2.0)) == 2.0
