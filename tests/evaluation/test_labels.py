from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_scaling.evaluation.labels import LEVELS, entry_labels, labels_of, outcomes, parameters, pointwise, supports
from tests import worlds


@pytest.fixture(scope="module")
def posterior():
    return worlds.chinchilla(count=20, table=worlds.on_the_curve(0.005))


@pytest.fixture(scope="module")
def ladder():
    return worlds.ladder(count=20)


def test_every_outcome_has_the_label_of_its_likelihood(posterior, ladder):
    for fit, count in ((posterior, 16), (ladder, 64)):
        seen, scored = outcomes(fit), pointwise(fit)
        assert list(seen.index) == list(scored.labels) and len(seen) == count
        assert scored.values.shape == (1, 20, count) and np.isfinite(scored.values).all()
    assert posterior.study.frame["loss"].tolist() == outcomes(posterior).tolist()
    assert pointwise(posterior).kinds == {"loss": "independent"}


def test_an_outcome_that_is_missing_has_no_label(posterior):
    tree = posterior.tree.copy()
    values = tree["observed_data"].dataset.copy(deep=True)
    values["loss"][3] = np.nan
    tree["observed_data"] = values
    assert len(outcomes(dataclasses.replace(posterior, tree=tree))) == 15


def test_labels_name_quantity_run_and_place(ladder):
    labels = outcomes(ladder).index
    assert labels.names == list(LEVELS)
    assert set(labels.get_level_values("quantity")) == {"loss", "accuracy"}
    assert set(labels.get_level_values("place")) == {"task_loss:one", "task_loss:two", "one", "two"}
    assert set(labels.get_level_values("further")) == {""}


def test_checkpoints_of_one_run_are_numbered():
    values = xr.DataArray(np.zeros((3,)), dims="run", coords={"run": ["a", "a", "b"]}, name="loss")
    assert labels_of(values).get_level_values("run").tolist() == ["a", "a #2", "b"]
    assert labels_of(values.drop_vars("run")).get_level_values("run").tolist() == ["0", "1", "2"]


def test_parameters_are_without_derived_constants_and_parts_of_pooled_ones(posterior, ladder):
    assert set(parameters(posterior)) == {"sigma", "E", "reducible", "split", "alpha_N", "alpha_D"}
    assert {"E", "accuracy_slope", "tau"} <= set(parameters(ladder))
    assert not [name for name in parameters(ladder) if name.endswith(("_mean", "_offset"))]


def test_bounds_are_those_of_the_priors(posterior):
    found = supports(posterior)
    assert found["split"] == [0.0, 1.0] and found["alpha_N"] == [0.0]


def test_entries_of_a_site_of_several_series_have_the_bounds_of_one(ladder):
    found, pooled = supports(ladder), supports(worlds.pooled())  # neither is pooled: a site has an entry per series
    assert pooled["split"] == [0.0, 1.0] and pooled["E"] == pooled["alpha_N"] == [0.0]
    assert found["accuracy_ceiling"] == [0.0, 1.0] and found["E"] == [0.0] and found["accuracy_centre"] == []


def test_entries_are_named_by_their_place():
    one = xr.DataArray(np.zeros((2, 5)), dims=("chain", "draw"), name="E")
    two = one.expand_dims(task=["x", "y"], axis=2)
    assert entry_labels(one) == ["E"] and entry_labels(two) == ["E[x]", "E[y]"]
    assert pd.Index(entry_labels(two.expand_dims(window=[0, 1], axis=3))).tolist() == [
        "E[x, 0]", "E[x, 1]", "E[y, 0]", "E[y, 1]",
    ]  # fmt: skip


def test_a_label_finds_its_own_value_and_shared_noise_is_conditional(ladder):
    run = ladder.study.frame["run"][3]
    own = ladder.study.select(run=run, task="two")
    assert outcomes(ladder)["accuracy", str(run), "two", ""] == own.column("accuracy")[0]
    assert outcomes(ladder)["loss", str(run), "task_loss:two", ""] == own.column("task_loss")[0]
    assert pointwise(ladder).kinds == {"accuracy": "independent", "loss": "conditional"}
