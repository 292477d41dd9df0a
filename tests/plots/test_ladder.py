import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.errors import TargetError
from tests import worlds


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


def stars(ax):
    return sorted(tuple(np.ravel(line.get_xydata())) for line in ax.lines if line.get_marker() == "*")


def test_the_ladder_has_three_panels_with_units(ladder_fits, ladder_forecast, ladder):
    axes = plots.plot_ladder(bs.forecast_path(ladder_fits, ladder_forecast), "MMLU")
    assert [a.get_xlabel() for a in axes] == [
        "training FLOPs",
        "task loss (bits per byte), falling",
        "training FLOPs",
    ]
    assert [a.get_ylabel() for a in axes] == ["task loss (bits per byte)", "accuracy (%)", "accuracy (%)"]
    target = ladder.select(run="7B-4T", task="MMLU").frame.iloc[0]
    assert (target["flops"], target["task_loss"]) in [(pytest.approx(x), pytest.approx(y)) for x, y in stars(axes[0])]
    assert len(stars(axes[1])) == len(stars(axes[2])) == 2
    assert axes[0].get_xlim()[1] > target["flops"]


def test_the_ladder_of_one_route_takes_given_axes(ladder_fits, ladder):
    forecast = ladder_fits[1].forecast({"N": 7e9, "D": 4e12}, allow_unconverged=True)
    _, axes = plt.subplots(1, 3)
    path = bs.forecast_path(ladder_fits[1], forecast)
    drawn = plots.plot_ladder(path, "PIQA", axes)
    assert list(drawn) == list(axes)
    assert axes[0].get_ylabel() == "c4 loss (nats per token)"
    assert axes[0].get_xlabel() == "training FLOPs (6ND)"
    assert not any(np.isfinite(s).all() for ax in axes for s in stars(ax))
    with pytest.raises(TargetError, match="no task 'PIQ'"):
        plots.plot_ladder(path, "PIQ")


@pytest.mark.parametrize("target", [{"N": 3e8, "D": 1e10}, {"N": 5e7, "D": 5e8}], ids=["among", "below"])
def test_every_fitted_run_is_in_view_and_what_lies_beyond_them_is_shaded(target, ladder_fits):
    forecast = ladder_fits[0].forecast(target, allow_unconverged=True)
    axes = plots.plot_ladder(bs.forecast_path(ladder_fits[0], forecast), "MMLU")
    for ax, falling in zip(axes, (False, True, False), strict=True):
        (runs,) = (line.get_xdata() for line in ax.lines if line.get_marker() == ".")
        low, high = sorted(ax.get_xlim())
        assert low < np.nanmin(runs) and np.nanmax(runs) < high
        (beyond,) = (patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches)
        above = target["N"] > 1e8
        assert (max(beyond.x0, beyond.x1) == pytest.approx(high)) == (above != falling)


def test_an_outcome_far_worse_than_forecast_is_in_view(ladder_fits, ladder):
    forecast = ladder_fits[0].forecast(ladder.targets, allow_unconverged=True)
    missed = forecast.actual.copy(deep=True)
    missed["loss"][:] = 2.0
    path = bs.forecast_path(ladder_fits[0], dataclasses.replace(forecast, actual=missed))
    _, step2, _ = plots.plot_ladder(path, "MMLU")
    assert [x for x, _ in stars(step2)] == [2.0, 2.0] and max(step2.get_xlim()) > 2.0


def test_many_targets_are_counted_in_the_title_of_a_sheet(ladder_fits):
    targets = [{"N": 1e9 * 2**i, "D": 1e12} for i in range(5)]
    forecast = ladder_fits[0].forecast(targets, allow_unconverged=True)
    figure = plots.plot_ladder_sheet(bs.forecast_path(ladder_fits[0], forecast))
    assert figure.get_suptitle() == "olmo_ladder: 5 runs from 16 small runs"


def test_the_sheet_has_a_row_per_task(ladder_fits, ladder_forecast, ladder):
    figure = plots.plot_ladder_sheet(bs.forecast_path(ladder_fits, ladder_forecast))
    axes = np.reshape(figure.axes, (8, 3))
    named = [next(t.get_text() for t in row[0].texts if t.get_text() in ladder.tasks) for row in axes]
    assert named == ladder.tasks


def test_long_names_of_tasks_leave_the_rows_their_height_and_each_other_alone():
    heights = []
    for name in ("one", "a very long name of a task (5-shot, normalised)"):
        posterior = worlds.ladder(count=50)
        frame = posterior.study.frame.replace({"task": {"one": name, "two": f"{name} of another kind"}})
        posterior = worlds.known(posterior.law, dict(posterior.draws), frame)
        figure = plots.plot_ladder_sheet(bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12})))
        figure.draw_without_rendering()
        first, second = (text for ax in figure.axes[::3] for text in ax.texts if text.get_rotation() == 90)
        assert not first.get_window_extent().overlaps(second.get_window_extent())
        heights.append(figure.axes[0].bbox.height)
    assert heights[1] == pytest.approx(heights[0], rel=0.02)


def test_every_panel_shows_all_runs_and_accuracies_share_an_axis():
    posterior = worlds.ladder(count=50)
    path = bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12}))
    axes = plots.plot_ladder(path, "two")
    dots = [line.get_xydata() for ax in axes for line in ax.lines if line.get_marker() == "."]
    assert [len(points) for points in dots] == [len(worlds.GRID)] * 3
    assert axes[1].get_ylim() == axes[2].get_ylim()
    assert axes[1].get_xlim()[0] > axes[1].get_xlim()[1]  # better to the right
    np.testing.assert_allclose(np.sort(dots[1][:, 1]), np.sort(dots[2][:, 1]))
    assert 30 < dots[2][:, 1].min() < dots[2][:, 1].max() < 100


def test_the_key_speaks_of_stars_where_there_are_some():
    posterior = worlds.ladder(count=50)
    for star in (False, True):
        forecast = posterior.forecast({"N": 1e9, "D": 1e11})
        if star:
            forecast.actual["accuracy"][:] = 0.6
        axes = plots.plot_ladder(bs.forecast_path(posterior, forecast), "one")
        assert ("★" in axes[0].figure.get_supxlabel()) == star
        assert not any("beyond" in t.get_text() for ax in axes for t in ax.texts)  # the key says so already


def test_a_law_of_one_series_has_no_ladder():
    posterior = worlds.chinchilla(count=50)
    path = bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12}))
    with pytest.raises(TargetError, match=r"Chinchilla goes through no loss to accuracy; .* plot_fit\(path\)"):
        plots.plot_ladder(path, "MMLU")


def test_a_run_without_its_loss_is_drawn_where_it_can_be():
    posterior = worlds.ladder(count=50)
    route = posterior.law.route
    frame = posterior.study.frame
    frame.loc[frame["run"] == frame["run"].iloc[-1], route] = np.nan
    axes = plots.plot_ladder(bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12})), "two")
    for ax in axes:
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    drawn = [
        np.isfinite(line.get_xydata()).all(axis=1).sum() for ax in axes for line in ax.lines if line.get_marker() == "."
    ]
    assert drawn == [len(worlds.GRID) - 1] * 2 + [len(worlds.GRID)]


def test_a_run_without_a_row_for_a_task_leaves_out_its_dot():
    posterior = worlds.ladder(count=50)
    frame = posterior.study.frame
    gap = (frame["run"] == frame["run"].iloc[0]) & (frame["task"] == "two")
    whole = dataclasses.replace(posterior, study=dataclasses.replace(posterior.study, frame=frame[~gap]))
    axes = plots.plot_ladder(bs.forecast_path(whole, whole.forecast({"N": 7e9, "D": 4e12})), "two")
    drawn = [line.get_ydata() for ax in axes for line in ax.lines if line.get_marker() == "."]
    assert [np.isfinite(values).sum() for values in drawn] == [len(worlds.GRID) - 1] * 3
