import itertools
import warnings

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist
import pytest
from matplotlib.text import Text

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.errors import TargetError
from bayes_scaling.models import ShiftedPowerLaw
from tests import worlds


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


def stars(ax):
    return sorted(tuple(np.ravel(line.get_xydata())) for line in ax.lines if line.get_marker() == "*")


def test_the_forest_shows_every_task_and_outcome(ladder_forecast, ladder):
    ax = plots.plot_forest(ladder_forecast)
    assert ax.get_xlabel() == "accuracy (%)"
    assert {t.get_text() for t in ax.get_yticklabels()} == set(ladder.tasks)
    actual = 100 * ladder.targets.frame["accuracy"].to_numpy()
    np.testing.assert_allclose([x for x, _ in stars(ax)], np.sort(actual))
    assert any("90 % of new runs" in t.get_text() for t in ax.texts)


def test_the_forest_keeps_to_one_unit(ladder_forecast):
    ax = plots.plot_forest(ladder_forecast, "loss")
    assert ax.get_xlabel() == "loss (bits per byte)"
    assert "c4_loss" not in {t.get_text() for t in ax.get_yticklabels()}


def test_names_of_forty_targets_do_not_overlap_and_their_rows_fill_the_forest():
    posterior = worlds.chinchilla(count=60)
    targets = [{"target": f"run {i}", "N": n, "D": 20 * n} for i, n in enumerate(np.geomspace(3e9, 7e10, 40))]
    forecast = posterior.forecast(targets)
    for given, named in ((None, 40), (plt.subplots(figsize=(6, 3))[1], 10)):
        ax = plots.plot_forest(forecast, ax=given)
        ax.figure.draw_without_rendering()
        boxes = sorted((t.get_window_extent() for t in ax.texts if t.get_text().startswith("run ")), key=lambda b: b.y0)
        assert named <= len(boxes) <= 2 * named
        assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
        assert boxes[-1].y1 - boxes[0].y0 > 0.8 * ax.bbox.height
        assert ("named: one target in" in " ".join(t.get_text() for t in ax.texts)) == (len(boxes) < 40)


def test_the_forest_draws_where_it_is_told(ladder_forecast):
    _, ax = plt.subplots()
    assert ladder_forecast.plot(ax=ax) is ax
    with pytest.raises(TargetError, match="no 'acuracy'; did you mean 'accuracy'"):
        plots.plot_forest(ladder_forecast, "acuracy")


def test_a_fit_shows_law_and_discrepancy(simulated_fit):
    forecast = simulated_fit.forecast({"N": 7e9, "D": 4e12}, allow_unconverged=True)
    ax = plots.plot_fit(bs.forecast_path(simulated_fit, forecast))
    words = {t.get_text() for t in ax.texts}
    assert {"law only", "law plus discrepancy"} <= words
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training FLOPs (6ND)", "loss (as given)")
    outer, inner = (c.get_paths()[0].get_extents() for c in ax.collections[:2])
    assert outer.y0 < inner.y0  # beyond the data the discrepancy lowers the lower edge; above the runs both are one
    assert outer.y1 == pytest.approx(inner.y1)


def test_a_fit_names_the_path_its_curve_follows_and_what_the_law_expects_of_each_run():
    posterior = worlds.chinchilla(table=worlds.on_the_curve(0.005))
    path = bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12}))
    ax = plots.plot_fit(path)
    said = " ".join(" ".join(t.get_text() for t in ax.texts).split())
    assert "outcomes from N = 100M, D = 1B to N = 7B, D = 4T" in said and "what the law expects of each" in said
    (ticks,) = (line.get_ydata() for line in ax.lines if line.get_marker() == "_" and len(line.get_ydata()) > 1)
    np.testing.assert_allclose(ticks, posterior.study.column("loss"), rtol=0.03)


def test_targets_that_differ_in_a_switch_stand_side_by_side_and_the_band_says_which_it_is_of():
    posterior = worlds.transfer()
    both = [{"target": word, "N": 1e9, "D_F": 1e8, "pretrained": arm} for word, arm in (("tuned", 1), ("scratch", 0))]
    ax = plots.plot_fit(bs.forecast_path(posterior, posterior.forecast(both)))
    first, second = (
        line.get_xdata()[0] for line in ax.lines if line.get_marker() == "_" and len(line.get_xdata()) == 1
    )
    assert first < 1e9 < second
    said = " ".join(" ".join(t.get_text() for t in ax.texts).split())
    assert "outcomes at pretrained = 1, from N = " in said and "new runs, moved apart where they share a place" in said
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(t) for t in ax.texts if t.get_text() in ("tuned", "scratch")]
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])


def test_a_law_of_one_input_is_its_own_path():
    posterior = worlds.by_compute()
    ax = plots.plot_fit(bs.forecast_path(posterior, posterior.forecast({"C": 1e23})))
    said = " ".join(t.get_text() for t in ax.texts)
    assert "expected outcomes " in said.replace("\n", " ") and " from " not in said and "ticks" not in said


def test_a_run_that_diverged_does_not_squeeze_the_others():
    table = worlds.on_the_curve(0.005)
    target = {"N": 7e9, "D": 4e12}
    limits = []
    for worst in (table["loss"][5], 11.0):
        table.loc[5, "loss"] = worst
        posterior = worlds.chinchilla(table=table)
        ax = plots.plot_fit(bs.forecast_path(posterior, posterior.forecast(target)))
        limits.append(ax.get_ylim())
    assert limits[1] == pytest.approx(limits[0], rel=0.02)
    assert "caret: 1 run beyond the axis, at 11" in " ".join(t.get_text() for t in ax.texts)
    assert [len(line.get_xdata()) for line in ax.lines if line.get_marker() in "^v"] == [1, 0]


def test_tasks_are_in_the_order_of_the_study(ladder_forecast, ladder):
    ax = plots.plot_forest(ladder_forecast)
    assert [t.get_text() for t in ax.get_yticklabels()][::-1] == ladder.tasks


def test_names_of_many_targets_do_not_overlap(simulated_fit):
    forecast = simulated_fit.forecast([{"N": n, "D": 4e12} for n in (6e9, 7e9, 8e9)], allow_unconverged=True)
    ax = plots.plot_fit(bs.forecast_path(simulated_fit, forecast))
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(t) for t in ax.texts if t.get_text().startswith("N=")]
    assert len(boxes) == 3 and not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)


def test_a_forecast_towards_smaller_losses_is_shaded_where_no_run_was(simulated):
    frame = simulated.frame.assign(source_loss=simulated.frame["loss"] + 0.3)
    posterior = bs.fit(ShiftedPowerLaw(), bs.Study.from_frame(frame), seed=0, draws=50, adapt=False)
    forecast = posterior.forecast({"source_loss": 0.95 * frame["source_loss"].min()}, allow_unconverged=True)
    ax = plots.plot_fit(bs.forecast_path(posterior, forecast))
    left, right = ax.get_xlim()
    assert left > right
    shaded = [patch.get_x() + patch.get_width() for patch in ax.patches]
    assert shaded == [pytest.approx(frame["source_loss"].min())]
    plots.close(ax.figure)


@pytest.mark.parametrize(("targets", "beyond"), [([10.0], [3.0]), ([-10.0], [-3.0]), ([-10.0, 5.0], [-3.0, 3.0])])
def test_an_input_of_any_sign_has_a_linear_axis_with_every_run_and_target(targets, beyond):
    posterior = worlds.tilted()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plots.plot_fit(bs.forecast_path(posterior, posterior.forecast({"shift": targets})))
        ax.figure.draw_without_rendering()
    (left, right), runs = ax.get_xlim(), posterior.study.frame["shift"]
    assert ax.get_xscale() == "linear" and left < min(*targets, runs.min()) < max(*targets, runs.max()) < right
    (dots,) = (line.get_xdata() for line in ax.lines if line.get_marker() == ".")
    assert dots.tolist() == runs.tolist()
    bars = [x for line in ax.lines if line.get_marker() == "_" for x in line.get_xdata()]
    assert bars == pytest.approx(targets)
    shaded = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    assert len(shaded) == len(beyond) and all(edge in span for edge, span in zip(beyond, shaded, strict=True))


def test_the_name_of_a_target_below_the_runs_keeps_off_those_of_the_bands():
    posterior = worlds.chinchilla(count=60, table=worlds.on_the_curve(0.005))
    target = {"target": "a model with a rather long name", "N": 2e7, "D": 2e8}
    ax = plots.plot_fit(bs.forecast_path(posterior, posterior.forecast(target)))
    ax.figure.draw_without_rendering()
    left, right = ax.get_xlim()
    assert left < 6 * 2e7 * 2e8 < right  # more FLOPs are to the right all the same
    (name,) = (t.get_window_extent() for t in ax.texts if t.get_text() == target["target"])
    bands = [t.get_window_extent() for t in ax.texts if t.get_text().startswith("law ")]
    assert len(bands) == 2 and all(name.x1 < band.x0 for band in bands)


def test_a_fit_of_many_series_is_refused(ladder_fits, ladder_forecast):
    with pytest.raises(TargetError, match="plot_ladder"):
        plots.plot_fit(bs.forecast_path(ladder_fits, ladder_forecast))


def test_one_of_several_series_is_drawn_with_its_own_runs():
    posterior = worlds.pooled()
    path = bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12}))
    for task, count in (("web", len(worlds.GRID)), ("math", 3)):
        ax = plots.plot_fit(path, task=task)
        assert ax.get_title("left") == f"Pooled on known: {task}"
        (dots,) = (line.get_xydata() for line in ax.lines if line.get_marker() == ".")
        assert len(dots) == count and ax.patches[0].get_x() == pytest.approx(dots[:, 0].max())
        bars = [line for line in ax.lines if line.get_marker() == "_" and len(line.get_xdata())]
        assert len(bars) == 1
    with pytest.raises(TargetError, match="Pooled describes several series; give one of them, as in task='web'"):
        plots.plot_fit(path)
    with pytest.raises(TargetError, match="no task 'mat'; did you mean 'math'"):
        plots.plot_fit(path, task="mat")
    for draw in (plots.plot_ladder_sheet, lambda path: plots.plot_ladder(path, "web")):
        with pytest.raises(TargetError, match=r"no loss to accuracy; draw it with plot_fit\(path, task=\.\.\.\)"):
            draw(path)


class Gain(bs.Law):
    """What is gained, which may be negative."""

    outcome = "gain_loss"
    signed = ("gain_loss",)
    level: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, N, *, level):
        return level + 0.1 * jnp.log(N / 3e8)

    def likelihood(self, mean, sigma):
        return dist.Normal(mean, sigma)


def test_outcomes_of_any_sign_are_drawn_where_the_law_has_such():
    gains = 0.1 * np.log(worlds.GRID["N"].to_numpy() / 3e8) + np.linspace(-0.02, 0.02, 16)
    fit = worlds.known(Gain(), {"level": np.linspace(-0.1, 0.1, 20), "sigma": np.full(20, 0.01)},
                       worlds.GRID.assign(gain_loss=gains))  # fmt: skip
    ax = plots.plot_fit(bs.forecast_path(fit, fit.forecast({"N": 7e9})))
    dots = [line.get_ydata() for line in ax.lines if line.get_marker() == "."]
    np.testing.assert_allclose(np.sort(np.ravel(dots)), np.sort(gains))
    assert gains.min() < 0 < gains.max()


def test_an_error_is_drawn_in_per_cent():
    posterior = worlds.wrong(0.123)
    forecast = posterior.forecast({"N": 7e9, "D": 4e12, "error": 0.133})
    forest, fit = plots.plot_forest(forecast), plots.plot_fit(bs.forecast_path(posterior, forecast))
    assert forest.get_xlabel() == fit.get_ylabel() == "error (%)"
    assert stars(forest)[0][0] == pytest.approx(13.3) and stars(fit)[0][1] == pytest.approx(13.3)
    (median,) = (line.get_xdata()[0] for line in forest.lines if line.get_marker() == "|")
    assert median == pytest.approx(12.3, rel=1e-4)
    dots = [line.get_ydata() for line in fit.lines if line.get_marker() == "."]
    np.testing.assert_allclose(dots, 12.3)
    band = fit.collections[0].get_paths()[0].get_extents()
    assert 10 < band.y0 <= band.y1 < 20


def test_dollar_signs_in_names_are_no_formula():
    posterior = worlds.chinchilla(count=60)
    forecast = posterior.forecast([{"target": name, "N": 7e9, "D": 4e12} for name in ("a$_$b{", "$1M to $2M")])
    for ax in (plots.plot_forest(forecast), plots.plot_fit(bs.forecast_path(posterior, forecast))):
        ax.figure.canvas.draw()
        assert any("1M to" in text.get_text() for text in ax.texts)


def test_what_a_picture_cannot_draw_is_named(simulated_fit, ladder_forecast):
    with pytest.raises(TargetError, match=r"draws a Forecast and was given .* Posterior; bayes_scaling.forecast makes"):
        plots.plot_forest(simulated_fit)
    for draw in (plots.plot_fit, plots.plot_ladder_sheet, lambda given: plots.plot_ladder(given, "MMLU")):
        with pytest.raises(TargetError, match=r"draws a ForecastPath and .* Forecast; bayes_scaling.forecast_path"):
            draw(ladder_forecast)


@pytest.mark.parametrize("name", ["a" * 55 + "b" * 55, "\u6a21\u578b 7B"])
def test_names_of_any_length_and_letters_leave_the_picture_as_it_is(name, recwarn):
    posterior = worlds.chinchilla(count=20)
    forecast = bs.forecast(posterior, {"target": name, "N": 7e9, "D": 4e12})
    for ax in (plots.plot_forest(forecast), plots.plot_fit(bs.forecast_path(posterior, forecast))):
        said = [text.get_text() for text in ax.texts]
        assert (name if len(name) < 40 else "a" * 20 + "\u2026" + "b" * 19) in said
        assert ax.get_window_extent().width > 0.5 * ax.figure.bbox.width
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
