from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.forecast import BANDS
from bayes_scaling.forecasts.mixing import called
from tests import worlds

FAR = {"N": 7e9, "D": 4e12}


@pytest.fixture(scope="module")
def posterior():
    return worlds.chinchilla(count=400)


def test_average_takes_draws_from_each_by_weight(posterior):
    one = posterior.forecast(FAR)
    shifted = one.draws.map(lambda x: x + 10.0)
    other = dataclasses.replace(one, draws=shifted)
    mixed = bs.average([one, other], [3, 1], seed=0).draws["loss_run"].to_numpy()
    assert (mixed > 5).mean() == pytest.approx(0.25, abs=0.01)
    with pytest.raises(bs.TargetError, match="do not fit 2 forecasts"):
        bs.average([one, other], [1.0])
    for weights in ([np.inf, 1.0], [np.nan, 1.0], [0.0, 0.0], ["much", 1.0]):
        with pytest.raises(bs.TargetError, match=r"The weights are .*; give numbers of at least 0, one of them above"):
            bs.average([one, other], weights)


def test_what_one_law_of_an_average_lacks_the_others_give():
    """Losses of a law that has none are drawn from those that have, and no draw of them is spread over other tasks."""
    both = worlds.ladder().forecast(FAR)
    accuracies = [f"accuracy_{band}" for band in BANDS]
    raised = both.draws[accuracies].map(lambda x: x + 10.0).isel(task=[1, 0])
    straight = dataclasses.replace(
        both, draws=raised, units={"accuracy": "fraction"}, actual=both.actual[["accuracy"]].isel(task=[1, 0])
    )
    for order in ([both, straight], [straight, both]):
        mixed = bs.average(order, seed=0)
        assert set(mixed.units) == {"loss", "accuracy"} and mixed.draws.sizes == both.draws.sizes
        assert ((mixed.draws["accuracy_run"] > 5).mean("sample") == 0.5).all()
        own, found = (one.draws["loss_mean"].quantile([0.05, 0.95], "sample") for one in (both, mixed))
        np.testing.assert_allclose(found.transpose(*own.dims), own, rtol=0.02)
        for name in accuracies:
            np.testing.assert_allclose(
                mixed.draws[name].where(mixed.draws[name] < 5).median("sample"),
                both.draws[name].median("sample").sel(task=mixed.draws["task"]),
                atol=0.01,
            )
    alone = bs.average([both, straight], [0, 1])
    assert set(alone.units) == {"accuracy"}
    with pytest.raises(bs.TargetError, match="of accuracy in different tasks or series; forecast the same ones"):
        bs.average([both, dataclasses.replace(straight, actual=straight.actual.isel(task=[0]))])


def test_a_forecast_of_no_weight_takes_no_draws_from_the_others(posterior):
    one, few = posterior.forecast(FAR), worlds.chinchilla(count=10).forecast(FAR)
    assert bs.average([one, few], [1, 0]).draws.sizes["sample"] == 400
    assert bs.average([few, one], [1, 1]).draws.sizes["sample"] == 10


def test_the_average_of_one_forecast_is_that_forecast(posterior):
    one = posterior.forecast([{"N": 7e9, "D": 4e12}], allow_unconverged=True)
    assert bs.average([one], seed=3) is one
    assert bs.average({"alone": one}, {"alone": 2.0}) is one
    assert bs.average(each for each in [one]) is one


@pytest.mark.parametrize("none", [[], "forecast", [1]])
def test_what_is_no_forecast_is_not_averaged(none):
    with pytest.raises(bs.TargetError, match="The forecasts to average are none; give a list"):
        bs.average(none)


def test_an_average_has_the_discrepancy_where_one_part_has_it(posterior):
    with_it, without = (posterior.forecast(FAR, discrepancy=one) for one in (True, False))
    assert bs.average([without, with_it]).discrepancy and not bs.average([without, without]).discrepancy


def test_different_runs_of_one_name_are_not_averaged():
    near, far = (
        bs.forecast(worlds.chinchilla(count=20), {"target": "a", "N": N, "D": 4e12, "loss": loss})
        for N, loss in ((7e9, 2.0), (8e12, 2.1))
    )
    with pytest.raises(bs.TargetError, match=r"of different runs called 'a', at N = 7e\+09 and 8e\+12; forecast the"):
        bs.average([near, far])
    again = bs.forecast(worlds.superset(count=20), {"target": "a", "N": 7e9 * (1 + 1e-9), "D": 4e12, "loss": 2.5})
    assert list(bs.average([near, again]).targets.index) == ["a"]


def test_what_no_law_reads_may_differ_between_forecasts_of_one_run():
    tables = (
        pd.DataFrame({"run": ["x"], "N": 7e9, "D": 4e12, "C": flops, "seed": seed, "checkpoint": seed, "val_bpb": bpb})
        for flops, seed, bpb in ((1.7e23, 1, 0.7), (1.8e23, 2, 0.8))
    )
    both = [bs.forecast(worlds.chinchilla(count=20), table) for table in tables]
    assert list(bs.average(both).targets.index) == ["x"]
    near, far = (bs.forecast(worlds.by_compute(count=20), {"target": "x", "C": flops}) for flops in (1e22, 1e23))
    with pytest.raises(bs.TargetError, match=r"at C = 1e\+22 and 1e\+23;"):
        bs.average([near, far])


def test_weights_of_a_list_are_taken_by_the_names_of_its_laws_or_by_its_places():
    parts = worlds.chinchilla(count=40).forecast(FAR), worlds.superset(count=40).forecast(FAR)
    first, second = "Chinchilla", "Superset"
    wanted = bs.average(parts, [0.75, 0.25]).draws
    for weights in ({second: 0.25, first: 0.75}, pd.Series({second: 0.25, first: 0.75}), {1: 0.25, 0: 0.75}):
        assert bs.average(parts, weights).draws.equals(wanted)
    alike = [parts[0], parts[0], parts[1]]
    assert called([*alike, worlds.superset(count=40), 3]) == [
        "Chinchilla 1", "Chinchilla 2", "Superset 1", "Superset 2", "int"
    ]  # fmt: skip
    numbered = {"Superset": 1, "Chinchilla 2": 0, "Chinchilla 1": 0}
    assert bs.average(alike, numbered).draws.equals(bs.average(alike, [0, 0, 1]).draws)
    of_fits = pd.Series({"mine": 0.75, "another": 0.25})  # by the names of fits: in their order
    assert bs.average(parts, of_fits).draws.equals(wanted)


@pytest.mark.parametrize("misspelt", ["Chinchila", "chinchilla"])
def test_weights_with_the_name_of_a_law_in_another_place_are_refused(misspelt):
    parts = worlds.chinchilla(count=40).forecast(FAR), worlds.superset(count=40).forecast(FAR)
    with pytest.raises(bs.TargetError, match=r"There is a .* of 'Chinchil.*; name forecasts and weights alike"):
        bs.average(parts, {"Superset": 0.95, misspelt: 0.05})
    of_fits = bs.average(parts, {"Chinchilla": 0.75, "mine": 0.25})  # of which one is called as its law
    assert of_fits.draws.equals(bs.average(parts, [0.75, 0.25]).draws)
    with pytest.raises(bs.BayesScalingError, match="seed"):
        bs.average(parts[:1], seed="x")
