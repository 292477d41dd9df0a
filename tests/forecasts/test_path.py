from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.forecasts.path import POINTS
from bayes_scaling.models import Chinchilla, FewSteps, Superset
from tests import worlds

FAR = {"target": "7B", "N": 7e9, "D": 4e12}


@pytest.fixture(scope="module")
def posterior():
    return worlds.chinchilla(count=50)


@pytest.fixture(scope="module")
def path(posterior):
    return bs.forecast_path(posterior, bs.forecast(posterior, FAR))


def test_it_leads_from_the_smallest_run_past_the_largest_target(path):
    smallest, largest = 6 * 1e8 * 1e9, 6 * 7e9 * 4e12
    assert path.scale == "log" and len(path.x) == POINTS and (np.diff(path.x) > 0).all()
    assert path.x[0] < smallest == path.fitted_x.min() and path.target_x.tolist() == pytest.approx([largest])
    assert largest < path.end_of_view < path.x[-1]
    shown = path.x[path.in_view]
    assert shown[-2] <= path.end_of_view <= shown[-1]  # one point more, so that bands reach the edge


def test_words_of_an_average_tell_all_that_its_laws_read_whichever_comes_first(posterior):
    table = worlds.GRID.assign(flops=6 * worlds.GRID["N"] * worlds.GRID["D"])
    fits = [worlds.chinchilla(count=50, table=table), worlds.by_compute(count=50, table=table)]
    aims = bs.average([bs.forecast(fit, {**FAR, "C": 6 * 7e9 * 4e12}) for fit in fits])
    for order in (fits, fits[::-1]):
        path = bs.forecast_path(order, aims)
        assert "N = 7B" in path.line and "D = 4T" in path.line and len(path.expected) == len(table)


def test_it_is_straight_in_the_logarithms_of_the_inputs(path):
    N, D = (np.log(path.points.targets[name].to_numpy()) for name in ("n_params", "tokens"))
    np.testing.assert_allclose(path.x, 6 * np.exp(N + D), rtol=1e-9)
    for column in (N, D):
        np.testing.assert_allclose(np.diff(column), np.diff(column)[0], rtol=1e-6)


def test_bands_are_quantiles_of_the_forecast_along_it(path, posterior):
    low, middle, high = path.band("loss_law", (0.05, 0.5, 0.95))
    assert (low < middle).all() and (middle < high).all() and (np.diff(middle) < 0).all()
    at = path.points.targets.iloc[10]
    own = bs.forecast(posterior, {"N": at["n_params"], "D": at["tokens"]}, samples=1000).draws["loss_law"]
    assert middle[10] == pytest.approx(np.median(own))


def test_it_has_the_discrepancy_where_its_targets_have_it(path, posterior):
    exact = bs.forecast_path(posterior, bs.forecast(posterior, FAR, discrepancy=False))
    np.testing.assert_array_equal(exact.points.draws["loss_mean"], exact.points.draws["loss_law"])
    assert not path.points.draws["loss_mean"].equals(path.points.draws["loss_law"])


def test_expected_outcomes_of_several_fits_are_medians_of_their_mixture(path, posterior):
    low = worlds.known(
        Chinchilla(), {n: v - (n == "E") for n, v in posterior.draws.items() if n in Chinchilla().priors}, worlds.GRID
    )
    mixed = bs.forecast_path([posterior, low], path.targets, weights=[0.8, 0.2])
    np.testing.assert_array_less(path.expected - 0.1, mixed.expected)  # the weighted mean is lower by 0.2


def test_several_fits_are_averaged_and_none_is_refused(path, posterior):
    both = bs.forecast_path([posterior, posterior], path.targets)
    assert len(both.posteriors) == 2 and both.points.draws.sizes["sample"] == path.points.draws.sizes["sample"]
    with pytest.raises(bs.TargetError, match="no fit to forecast a path from"):
        bs.forecast_path([], path.targets)


def test_fits_by_name_are_those_in_a_list_with_their_weights(path):
    fits = {"one": worlds.chinchilla(count=50), "two": worlds.chinchilla(seed=1, count=50)}
    named = bs.forecast_path(fits, path.targets, weights=pd.Series({"two": 0.8, "one": 0.2}))
    listed = bs.forecast_path(list(fits.values()), path.targets, weights=[0.2, 0.8])
    assert named.posteriors == listed.posteriors and named.points.draws.equals(listed.points.draws)
    np.testing.assert_array_equal(named.expected, listed.expected)
    assert bs.forecast_path(fits.values(), path.targets).posteriors == named.posteriors
    in_turn = bs.forecast_path(fits.values(), path.targets, weights={"one": 0.2, "two": 0.8})
    assert in_turn.points.draws.equals(named.points.draws)
    with pytest.raises(bs.TargetError, match=r"^There is a fit of 'one' and no weight; name fits and weights alike\.$"):
        bs.forecast_path(fits, path.targets, weights={"two": 1.0})


@pytest.mark.parametrize(("given", "what"), [(None, "NoneType"), ("x", "str"), (["x"], "str"), ({"x": 7}, "int")])
def test_what_is_no_fit_is_refused(path, given, what):
    with pytest.raises(bs.LawError, match=rf"^A {what} is given where a fit is needed; make one with"):
        bs.forecast_path(given, path.targets)


def test_a_forecast_in_place_of_the_fit_is_refused(path, posterior):
    with pytest.raises(bs.LawError, match=r"^A Forecast is given where a fit is needed; make one with"):
        bs.forecast_path(path.targets, posterior)


def test_what_is_no_forecast_is_refused(posterior):
    with pytest.raises(bs.TargetError) as refused:
        bs.forecast_path(posterior, FAR)
    assert str(refused.value) == (
        "A dict is given where a path needs a forecast; make one with bs.forecast(posterior, targets)."
    )


def test_the_abscissa_is_flops_6nd_or_the_first_input(posterior):
    assert bs.forecast_path(posterior, bs.forecast(posterior, FAR)).label == "training FLOPs (6ND)"
    own = worlds.chinchilla(count=20, table=worlds.GRID.assign(flops=7 * worlds.GRID["N"] * worlds.GRID["D"]))
    counted = bs.forecast_path(own, bs.forecast(own, {**FAR, "flops": 2e23}))
    assert counted.label == "training FLOPs" and counted.target_x.tolist() == [2e23]
    uncounted = bs.forecast_path(own, bs.forecast(own, FAR))
    assert uncounted.label == "training FLOPs (6ND)" and uncounted.fitted_x.max() == pytest.approx(6 * 8e8 * 6.4e10)
    compute = worlds.by_compute(count=20)
    assert bs.forecast_path(compute, bs.forecast(compute, {"C": 1e23})).label == "training FLOPs"


def test_a_step_follows_each_draw_from_loss_to_accuracy():
    posterior = worlds.ladder(count=50)
    path = bs.forecast_path(posterior, bs.forecast(posterior, FAR))
    series = posterior.law.series_of("one", [str(s) for s in path.points.draws["series"].to_numpy()])
    losses = path.points.draws["loss_mean"].sel(series=series).median("sample").to_numpy()
    grid = np.linspace(losses.min() * 1.2, losses.max() * 0.9, 5)
    low, middle, high = path.step("loss_mean", "accuracy_mean", grid, (0.05, 0.5, 0.95), "one", series)
    assert (np.diff(middle) < 0).all() and (low <= middle).all() and (middle <= high).all()


def test_a_law_that_reads_steps_is_expected_at_the_steps_of_its_runs():
    chinchilla = worlds.chinchilla(count=20)
    draws = {
        **{n: v for n, v in chinchilla.draws.items() if n in Chinchilla().priors},
        "penalty": np.full(20, 0.02),
        "coupling": np.ones(20),
    }
    table = worlds.GRID.assign(steps=np.where(worlds.GRID["N"] < 2e8, 1e3, 1e5))
    posterior = worlds.known(FewSteps(), draws, table)
    path = bs.forecast_path(posterior, bs.forecast(posterior, {**FAR, "steps": 1e6}))
    plain = bs.forecast_path(chinchilla, bs.forecast(chinchilla, FAR))
    ratio = path.expected / plain.expected
    assert (ratio[table["steps"] == 1e3] > 1.005).all() and ratio[table["steps"] == 1e5] == pytest.approx(1.0, abs=2e-3)


def test_a_flag_is_held_where_its_zero_has_no_logarithm():
    posterior = worlds.transfer(count=20)
    assert set(posterior.study.column("pretrained")) == {0.0, 1.0}
    path = bs.forecast_path(posterior, bs.forecast(posterior, {"N": 1e9, "D_F": 1e9, "pretrained": 1}))
    assert (path.points.targets["pretrained"] == 1).all() and np.isfinite(path.x).all()


@pytest.mark.parametrize("far", [10.0, -10.0])
def test_it_is_straight_in_an_input_of_any_sign(far):
    posterior = worlds.tilted()
    path = bs.forecast_path(posterior, bs.forecast(posterior, {"shift": far}))
    start, end = min(far, -3.0), max(far, 3.0)
    assert path.scale == "linear" and path.target_x.tolist() == [far]
    assert path.x[0] < start < end < path.end_of_view < path.x[-1]
    np.testing.assert_allclose(np.diff(path.x), np.diff(path.x)[0])
    np.testing.assert_allclose(path.x, path.points.targets["shift"])


def test_it_ends_at_the_different_tokens_of_the_target():
    law = Superset()
    constants = {"E": 1.8, "reducible": 0.5, "split": 0.5, "alpha_N": 0.3, "alpha_D": 0.3, "coupling": 1.0}
    draws = {name: np.full(20, value) for name, value in {**constants, "penalty": 0.02, "sigma": 0.01}.items()}
    posterior = worlds.known(law, draws, worlds.GRID.assign(unique_tokens=worlds.GRID["D"] / 2))
    target = bs.forecast(posterior, {**FAR, "unique_tokens": 1e11}, discrepancy=False)
    path = bs.forecast_path(posterior, target)
    assert path.points.targets["unique_tokens"].iloc[-1] > 1e11 > path.points.targets["unique_tokens"].iloc[0]
    at = np.argmin(np.abs(path.x / path.target_x[0] - 1))
    there, expected = (float(d["loss_law"].median()) for d in (path.points.draws.isel(target=at), target.draws))
    assert there == pytest.approx(expected, rel=0.01)


class Begun(bs.Law):
    """Loss from size, and from pre-training data that a run may lack, whose symbol is not its column."""

    E: bs.Prior = 2.0
    gain: bs.Prior = dist.Uniform(0.0, 1.0)
    absent = {"D_P": 0.0}
    indicators = ("D_P",)

    def mean(self, N, D_P, N0, *, E, gain):
        return E * (1 + (N / N0) ** -0.3) - gain * jnp.log1p(D_P / 1e9)


def test_it_ends_at_an_input_that_runs_may_lack_whatever_its_column_is_called():
    draws = {"gain": np.full(20, 0.3), "sigma": np.full(20, 0.01)}
    posterior = worlds.known(Begun(), draws, worlds.GRID.assign(D_P=1e8))
    target = bs.forecast(posterior, {"N": 7e9, "D_P": 1e9}, discrepancy=False)
    path = bs.forecast_path(posterior, target)
    at = np.argmin(np.abs(np.log(path.x / path.target_x[0])))
    there, expected = (float(d["loss_law"].median()) for d in (path.points.draws.isel(target=at), target.draws))
    assert there == pytest.approx(expected, rel=0.01)


def test_flops_are_its_abscissa_only_where_every_target_has_them():
    posterior = worlds.chinchilla(count=20, table=worlds.GRID.assign(C=7 * worlds.GRID["N"] * worlds.GRID["D"]))
    for other, label in (({"C": 3e23}, "training FLOPs"), ({}, "training FLOPs (6ND)")):
        targets = [{**FAR, "C": 1.7e23}, {"target": "10B", "N": 1e10, "D": 4e12, **other}]
        path = bs.forecast_path(posterior, bs.forecast(posterior, targets))
        assert path.label == label and np.isfinite(path.target_x).all() and np.isfinite(path.x).all()


class Edged(bs.Law):
    """A law with no number beyond an edge, which each draw puts elsewhere."""

    top: bs.Prior = dist.LogNormal(0.0, 0.5)

    def mean(self, N, *, top):
        """Return the expected loss."""
        return 1 + jnp.sqrt(top - jnp.log10(N))


def test_a_point_beyond_all_targets_at_which_the_law_has_no_number_is_no_refusal():
    fitted = worlds.known(Edged(), {"top": np.linspace(10.5, 12.0, 201), "sigma": np.full(201, 0.01)})
    found = bs.forecast_path(fitted, bs.forecast(fitted, {"N": 9e9}))
    lost = np.isnan(found.band("loss_run", [0.05, 0.5, 0.95])).any(axis=0)
    assert lost.any() and not lost[found.in_view].any()
    with pytest.raises(bs.LawError, match="says a loss that is NaN at target"):
        bs.forecast(fitted, {"N": float(found.x[-1])})


def test_the_checkpoints_of_one_task_are_runs_as_they_are_without_its_name():
    table = pd.concat(
        [worlds.GRID.assign(checkpoint=k, D=k * worlds.GRID["D"], run=range(16)) for k in (1, 2)], ignore_index=True
    )
    plain, of_task = (
        bs.forecast_path(one, bs.forecast(one, FAR))
        for one in (worlds.chinchilla(count=20, table=each) for each in (table, table.assign(task="mmlu")))
    )
    assert of_task.fitted_x.tolist() == plain.fitted_x.tolist() and len(of_task.fitted_x) == len(of_task.expected) == 32
    assert bs.plots.plot_fit(of_task).has_data()
