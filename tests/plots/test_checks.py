import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.errors import TargetError
from bayes_scaling.evaluation.sbc import Calibration
from tests import worlds


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def posterior():
    return worlds.chinchilla(count=100, table=worlds.on_the_curve(0.005))


@pytest.fixture(scope="module")
def ladder():
    return worlds.ladder(count=200)


def words(ax):
    return " ".join(" ".join(t.get_text() for t in (*ax.texts, ax.title, ax._left_title)).split())


def test_a_predictive_check_counts_what_its_bars_hold(posterior):
    check = bs.predictive_check(posterior)
    ax = plots.plot_predictive_check(check)
    inside = ((check["q05"] <= check["observed"]) & (check["observed"] <= check["q95"])).mean()
    assert f"and {100 * inside:.0f} % of {len(worlds.GRID)} outcomes" in words(ax)
    assert (ax.get_xlabel(), ax.get_yscale()) == ("observed loss (as given)", "linear")
    assert "Posterior predictive check" in words(ax)
    with pytest.raises(TargetError, match="no 'accuracy'; known: loss"):
        plots.plot_predictive_check(check, "accuracy")


def test_a_prior_check_has_a_logarithmic_axis_and_fractions_are_in_per_cent(posterior):
    ax = plots.plot_predictive_check(bs.predictive_check(posterior, "prior"))
    assert ax.get_yscale() == "log" and "Prior predictive check" in words(ax)
    ax = plots.plot_predictive_check(bs.predictive_check(worlds.wrong(0.123)))
    assert ax.get_xlabel() == "observed error (%)"
    assert ax.lines[0].get_xdata() == pytest.approx(np.full(len(worlds.GRID), 12.3))


@pytest.mark.parametrize("source", ["posterior", "prior"])
def test_fractions_are_drawn_as_differences_because_they_may_be_zero(source):
    levels = {"q05": [0.0, 0.5], "q25": [0.01, 0.55], "median": [0.02, 0.6], "q75": [0.03, 0.62], "q95": [0.05, 0.65]}
    check = pd.DataFrame({"quantity": "accuracy", "observed": [0.0, 0.58]} | levels)
    check.attrs = {"source": source, "units": {"accuracy": "fraction"}}
    ax = plots.plot_predictive_check(check)
    assert (ax.get_ylabel(), ax.get_yscale()) == ("predicted less observed (points)", "linear")
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [[0, 5], [-8, 7]], atol=1e-9)
    medians = next(line for line in ax.lines if line.get_marker() == ".")
    np.testing.assert_allclose(medians.get_ydata(), [2, 2])


@pytest.mark.parametrize("source", ["posterior", "prior"])
def test_outcomes_of_any_sign_are_drawn_as_differences(source):
    check = bs.predictive_check(worlds.tilted(), source)
    ax = plots.plot_predictive_check(check)
    assert (check["observed"] < 0).any()
    assert (ax.get_ylabel(), ax.get_yscale()) == ("predicted less observed (nats)", "linear")
    ends = np.array([segment[:, 1] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(ends, check[["q05", "q95"]].sub(check["observed"], axis=0))


def test_places_that_are_not_uniform_leave_the_band():
    table = pd.DataFrame({"quantity": "loss", "pit": np.linspace(0.4, 0.6, 40)})
    ax = plots.plot_loo_pit(table)
    assert "loss: 40 outcomes, p = " in words(ax)
    line, band = ax.lines[1].get_ydata(), ax.collections[0].get_paths()[0].get_extents()
    assert np.abs(line).max() > band.y1 and ax.get_ylim()[1] > np.abs(line).max()


def test_sensitivity_has_a_row_per_parameter_and_counts_verdicts():
    table = pd.DataFrame(
        {
            "prior": [0.2, 0.01, 0.3, 0.1],
            "likelihood": [0.3, 0.4, 0.0, 0.1],
            "verdict": ["conflict", "", "prior", "both"],
        },
        index=["E[one]", "E[two]", "alpha_N", "split"],
    )
    ax = plots.plot_sensitivity(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["split", "alpha_N", "E"]
    assert "of 4, 2 hang on both, 1 of them in conflict; 1 on priors alone" in words(ax)
    likelihood, prior = (line for line in ax.lines if line.get_marker() == "o")
    assert likelihood.get_xdata().tolist() == [0.3, 0.4, 1e-3, 0.1]  # none is shown at the edge of the logarithmic axis
    assert prior.get_xdata().tolist() == [0.2, 0.01, 0.3, 0.1]


def test_ranks_have_a_panel_per_parameter_and_none_besides():
    ranks = pd.DataFrame({f"p{i}": np.linspace(0.01, 0.99, 50) for i in range(5)})
    figure = plots.plot_ranks(Calibration("Chinchilla", ranks, converged=50))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title("left").partition(",")[0] for ax in shown] == list(ranks)
    assert len(figure.axes) == 8


def test_missing_ranks_are_refused_in_a_sentence():
    ranks = pd.DataFrame({"E": np.linspace(0.01, 0.99, 50), "sigma": np.nan})
    with pytest.raises(TargetError, match="ranks of sigma that are missing; leave these out"):
        plots.plot_ranks(Calibration("Chinchilla", ranks, converged=0))
    for none in (ranks.iloc[:0], ranks[[]]):
        with pytest.raises(TargetError, match="no ranks to draw"):
            plots.plot_ranks(Calibration("Chinchilla", none, converged=0))


def test_a_picture_shows_every_outcome_of_the_quantity_asked_for_where_it_is_told(ladder):
    check = bs.predictive_check(ladder)
    _, own = plt.subplots()
    assert plots.plot_predictive_check(check, "accuracy", own) is own
    assert own.get_xlabel() == "observed accuracy (%)"
    assert [len(c.get_segments()) for c in own.collections] == [32, 32]
    with pytest.raises(TargetError, match="no 'acuracy'; did you mean 'accuracy'"):
        plots.plot_predictive_check(check, "acuracy")


def test_the_pit_picture_has_a_line_per_quantity(ladder):
    ax = plots.plot_loo_pit(bs.loo_pit(ladder))
    assert "accuracy: 32 outcomes" in words(ax) and "loss: 32 outcomes" in words(ax)
    for line in ax.lines[1:]:
        x, y = line.get_xdata(), line.get_ydata()
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 0)


def test_what_a_check_cannot_draw_is_named(posterior):
    moved = pd.DataFrame({"target": ["7B"], "quantity": ["loss"], "prior": ["E"], "sensitivity": [0.1], "shift": [0.2]})
    said = "given a DataFrame without likelihood, verdict; give it the DataFrame that bayes_scaling.sensitivity returns"
    with pytest.raises(TargetError, match=said):
        plots.plot_sensitivity(moved)
    for draw, maker in ((plots.plot_loo_pit, "loo_pit"), (plots.plot_predictive_check, "predictive_check")):
        with pytest.raises(TargetError, match=rf"given a DataFrame without .*bayes_scaling.{maker} returns"):
            draw(moved)
        with pytest.raises(
            TargetError, match=rf"given an object of the class Posterior; .*bayes_scaling.{maker} returns"
        ):
            draw(posterior)
    with pytest.raises(TargetError, match=r"draws a Calibration and was given an object of the class DataFrame"):
        plots.plot_ranks(moved)
