"""Every picture against a stored one.

They are compared without their words, which each font library draws a little differently; the words have tests of their
own.  ``pytest tests/plots/test_images.py --mpl-generate-path=tests/plots/baseline`` draws the stored ones anew; look at
them before a commit.
"""

import re
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.decisions.allocation import budget_range
from bayes_scaling.decisions.transfer import transfer_grid, transferred
from bayes_scaling.decisions.transfer_curves import transfer_curves
from bayes_scaling.evaluation.sbc import Calibration
from tests import worlds

TOLERANCE = 2.0  # root mean square of grey levels
DPI = 50
BASELINE = Path(__file__).parent / "baseline"
TARGET = {"target": "7B-4T", "N": 7e9, "D": 4e12, "loss": 2.2}

picture = pytest.mark.mpl_image_compare(
    baseline_dir=str(BASELINE), tolerance=TOLERANCE, style="default", savefig_kwargs={"dpi": DPI}
)


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


def wordless(axes):
    """Return the figure of some axes without its words, which name every axis with its unit."""
    figure = plots.figure_of(axes)
    for label in (label for ax in figure.axes for label in (ax.get_xlabel(), ax.get_ylabel())):
        assert not label or re.search(r"\(.+\)|FLOPs", label), label
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        axis.set_major_formatter(NullFormatter())
        axis.set_minor_formatter(NullFormatter())
    for text in figure.findobj(Text):
        text.set_text("")
    return figure


@cache
def chinchilla():
    sigma = 0.005 * np.exp(np.random.default_rng(1).normal(0, 0.2, worlds.COUNT))
    return worlds.chinchilla(table=worlds.on_the_curve(0.005), sigma=sigma)


@cache
def surface():
    return worlds.exact(worlds.chinchilla(count=60, table=worlds.on_the_curve(0.005)))


@cache
def ladder():
    posterior = worlds.ladder()
    targets = [{"target": "3B", "N": 3e9, "D": 1e12}, {"target": "7B", "N": 7e9, "D": 4e12}]
    forecast = posterior.forecast(targets)
    known = forecast.draws[["loss_mean", "accuracy_mean"]].median("sample") * 1.02
    forecast.actual.update({"loss": known["loss_mean"], "accuracy": known["accuracy_mean"]})
    return posterior, forecast


def forest(narrow=1.0):
    """Return a forecast of three tasks and two targets, its intervals ``narrow`` times as wide."""
    rng = np.random.default_rng(0)
    middle = np.array([[0.45, 0.5], [0.6, 0.66], [0.8, 0.83]]).T
    draws = middle + narrow * rng.normal(0, 0.04, (400, 2, 3))
    coords = {"target": ["7B-4T", "13B-5T"], "task": ["ARC", "MMLU", "PIQA"]}
    dims = ("sample", "target", "task")
    values = xr.Dataset({f"accuracy_{band}": (dims, draws) for band in ("run", "mean", "law")}, coords=coords)
    actual = xr.Dataset({"accuracy": (dims[1:], middle + 0.02)}, coords=coords)
    targets = pd.DataFrame({"distance": [75.0, 180.0]}, index=coords["target"])
    return bs.Forecast(targets, values, actual, {"accuracy": "fraction"}, "TwoStep", "a ladder", 0)


@picture
def test_plot_fit():
    return wordless(plots.plot_fit(bs.forecast_path(chinchilla(), bs.forecast(chinchilla(), [TARGET]))))


@picture
def test_plot_fit_of_one_of_several_series():
    posterior = worlds.pooled()
    return wordless(plots.plot_fit(bs.forecast_path(posterior, posterior.forecast({"N": 7e9, "D": 4e12})), task="math"))


@picture
def test_plot_forest():
    return wordless(plots.plot_forest(forest()))


@picture
def test_plot_ladder():
    return wordless(plots.plot_ladder(bs.forecast_path(*ladder()), "one"))


@picture
def test_plot_ladder_sheet():
    return wordless(plots.plot_ladder_sheet(bs.forecast_path(*ladder())))


@picture
def test_plot_loo_pit():
    return wordless(plots.plot_loo_pit(bs.loo_pit(chinchilla())))


@picture
def test_plot_predictive_check():
    return wordless(plots.plot_predictive_check(bs.predictive_check(chinchilla())))


@picture
def test_plot_predictive_check_of_the_prior():
    return wordless(plots.plot_predictive_check(bs.predictive_check(chinchilla(), "prior")))


@picture
def test_plot_sensitivity():
    return wordless(plots.plot_sensitivity(bs.sensitivity(chinchilla())))


@picture
def test_plot_frontier():
    path = bs.allocate(surface(), budget_range(surface(), [1e22, 1e24]))
    return wordless(plots.plot_frontier(bs.allocate(surface(), [1e22, 1e24]), path))


@picture
def test_plot_regret():
    return wordless(bs.regret(surface(), 1e23).plot())


@picture
def test_plot_reach():
    return wordless(bs.reach(surface(), 1.83).plot())


@picture
def test_plot_next_runs():
    runs = pd.DataFrame({"run": list("uvwxyz"), "N": [5e8, 1e9, 1e9, 2e9, 2e9, 4e9], "D": np.geomspace(1e10, 2e11, 6)})
    return wordless(bs.next_runs(surface(), runs, {"N": 7e9, "D": 4e12}, count=2).plot())


def recipes():
    return worlds.chinchilla(seed=1, count=60), worlds.chinchilla(seed=2, count=60, reducible=0.55)


@picture
def test_plot_speedup():
    return wordless(bs.speedup(*recipes(), at=1e23).plot())


@picture
def test_plot_speedup_over_scale():
    return wordless(bs.speedup(*recipes(), at=np.geomspace(1e20, 1e24, 9)).plot())


@picture
def test_plot_ladder_plans():
    rng = np.random.default_rng(0)
    costs = pd.DataFrame({"plan": ["small", "large"], "runs": [8, 16], "flops": [1e20, 8e20], "largest": [5e19, 3e20]})
    widths = [(plan, i, width * np.exp(rng.normal(0, 0.3))) for plan, width in (("small", 0.3), ("large", 0.12))
              for i in range(40)]  # fmt: skip
    rows = pd.DataFrame(widths, columns=["plan", "family", "width90"]).assign(error=0.0, in90=True)
    return wordless(bs.LadderPlans(rows, costs, 40, "7B-4T", "loss").plot())


@picture
def test_plot_transfer_map():
    N, D_F = np.geomspace(1e7, 1e9, 20), np.geomspace(1e6, 1e9, 20)
    return wordless(plots.plot_transfer_map(transferred(worlds.transfer(), transfer_grid(N, D_F))))


@picture
def test_plot_data_efficiency():
    return wordless(plots.plot_data_efficiency(transfer_curves(worlds.transfer(), 1e8, np.geomspace(1e6, 1e9, 30))))


@picture
def test_plot_ranks():
    rng = np.random.default_rng(0)
    ranks = pd.DataFrame({"E": rng.uniform(size=200), "alpha_N": rng.beta(2, 1, 200), "sigma": rng.uniform(size=200)})
    return wordless(plots.plot_ranks(Calibration("Chinchilla", ranks, 200)).axes)


PUBLIC = sorted(name for name in plots.__all__ if name.startswith("plot_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_picture_is_stored(name):
    assert (BASELINE / f"test_{name}.png").is_file()


def test_a_wrong_interval_fails(tmp_path):
    for narrow, passes in ((1.0, True), (0.5, False)):
        drawn = tmp_path / "drawn.png"
        with plt.style.context("default"):
            wordless(plots.plot_forest(forest(narrow))).savefig(drawn, dpi=DPI)
        found = compare_images(str(BASELINE / "test_plot_forest.png"), str(drawn), TOLERANCE)
        assert (found is None) == passes
