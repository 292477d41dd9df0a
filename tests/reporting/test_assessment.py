from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.reporting import assessment
from bayes_scaling.reporting.assessment import Assessment
from bayes_scaling.reporting.page_tables import side_by_side
from tests import worlds

FAR = {"target": "7B-4T", "N": 7e9, "D": 4e12}


@pytest.fixture(scope="module")
def posterior():
    return worlds.chinchilla(count=100, table=worlds.on_the_curve(0.005))


def test_a_fit_alone_is_compared_with_nothing(posterior):
    found = Assessment.of(worlds.result(posterior, FAR), made_by="by hand")
    assert list(found.fits) == ["Chinchilla"] and found.made_by == "by hand"
    assert found.forecasts == {} and found.criteria is None and found.incomparable == ""
    assert list(found.contraction) == ["Chinchilla"] and found.problems == {}
    (check,) = found.checks.values()
    assert set(check["quantity"]) == {"loss"} and len(check) == len(worlds.GRID)


def test_another_fit_of_the_same_name_is_told_from_the_reports_own(posterior):
    found = Assessment.of(worlds.result(posterior, FAR), others={"Chinchilla": posterior})
    assert list(found.fits) == list(found.forecasts) == ["Chinchilla (this report)", "Chinchilla"]
    assert list(found.contraction) == ["Chinchilla (this report)"]  # of the fits of the forecast alone
    assert list(found.problems) == ["Chinchilla"]  # what speaks against its own are the caveats of the result
    assert found.criteria is not None and set(found.criteria.index) == set(found.fits)


def test_fits_of_other_outcomes_have_a_reason_in_the_place_of_criteria(posterior):
    other = worlds.chinchilla(count=100, table=worlds.on_the_curve(0.005, seed=1))
    found = Assessment.of(worlds.result(posterior, FAR), others={"other": other})
    assert found.criteria is None and "cannot be compared: loss of run" in found.incomparable
    assert list(found.forecasts) == ["Chinchilla", "other"]


def test_a_fit_to_compare_with_that_has_no_number_at_a_target_is_left_out_with_the_reason(posterior, monkeypatch):
    other = worlds.chinchilla(count=50, table=worlds.on_the_curve(0.005))
    made = worlds.result(posterior, FAR)

    def forecast(fit, *args, **options):
        if fit.tree["posterior"].sizes["draw"] != posterior.tree["posterior"].sizes["draw"]:
            raise bs.LawError("Edged says a loss that is NaN at target '7B-4T' in 1.0% of its draws; go nearer.")
        return bs.forecast(fit, *args, **options)

    monkeypatch.setattr(assessment, "forecast_runs", forecast)
    found = Assessment.of(made, others={"edged": other})
    assert list(found.forecasts) == ["Chinchilla"] and found.criteria is not None
    first = found.problems["edged"][0]
    assert first.code == "no-forecast" and str(first) == (
        "edged has no forecast to compare with: Edged says a loss that is NaN at target '7B-4T' in 1.0% of its draws: "
        "go nearer."
    )
    with pytest.raises(bs.LawError, match="is NaN at target"):  # the report's own fits are its subject
        Assessment.of(worlds.result(other, FAR), others={"Chinchilla": posterior})


@pytest.mark.parametrize("chance", [0.25, 0.1])
def test_targets_of_a_study_of_tasks_are_forecast_by_every_fit(chance):
    posterior = worlds.ladder(count=60)
    runs = posterior.study.frame
    study = dataclasses.replace(
        posterior.study, frame=runs.assign(chance=runs["chance"].mask(runs["task"] == "two", chance))
    )
    posterior = dataclasses.replace(posterior, study=study)
    of_tasks = pd.DataFrame({"task": ["one", "two"], "task_loss": 0.5, "accuracy": 0.7, "chance": [0.25, chance]})
    own = bs.Study.from_frame(of_tasks.assign(run="7B", N=7e9, D=4e12))
    found = Assessment.of(worlds.result(posterior, own), others={"other": posterior})
    for forecast in found.forecasts.values():
        assert forecast.intervals()["task"].tolist() == found.result.forecast.intervals()["task"].tolist()
    assert side_by_side("", "accuracy", {n: f.intervals() for n, f in found.forecasts.items()}).rows[0][:2] == [
        "one",
        "7B",
    ]


def test_a_mixture_names_its_parts_by_route_or_by_number(posterior):
    forecast = bs.average([bs.forecast(posterior, FAR)] * 2)
    found = Assessment.of(worlds.result(posterior, FAR, posteriors=(posterior, posterior), forecast=forecast))
    assert list(found.fits) == ["Chinchilla (1)", "Chinchilla (2)"]
