import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.errors import TargetError
from tests.worlds import chinchilla, exact


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def surface():
    return exact(chinchilla(count=60))


def words(ax):
    return " ".join(t.get_text() for t in ax.texts)


def test_the_frontier_names_size_and_data(surface):
    found = bs.allocate(surface, [1e22, 1e23])
    _, ax = plt.subplots()
    assert found.plot(ax=ax) is ax
    assert "20 tokens per parameter" in words(ax) and "tokens" in words(ax)
    assert ax.get_xlabel() == "training FLOPs (6ND)"


@pytest.mark.parametrize("budgets", [[1e22, 1e24], [1e23]])
def test_the_words_of_a_frontier_of_few_budgets_stay_within_its_axes(surface, budgets):
    ax = bs.allocate(surface, budgets).plot()
    ax.figure.draw_without_rendering()
    assert ("20 tokens per parameter" in words(ax)) == (len(budgets) > 1)
    assert ax.get_xlim()[1] > budgets[-1]  # the last interval is drawn whole
    labels = [t.get_window_extent() for t in ax.texts if t.get_text().endswith("tokens")]
    assert len(labels) == len(budgets) and all(box.x1 <= ax.bbox.x1 and box.y1 <= ax.bbox.y1 for box in labels)


def test_labels_of_budgets_that_are_close_do_not_overlap(surface):
    ax = bs.allocate(surface, [1e23, 1.1e23, 2e23, 5e23]).plot()
    ax.figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text().endswith("tokens")]
    assert len(boxes) == 4 and not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)


def test_budgets_are_drawn_in_their_order_and_none_is_cut_off(surface):
    budgets = np.geomspace(1e20, 1e24, 5)
    for path in (None, bs.allocate(surface, np.geomspace(1e18, 1e25, 7)[::-1])):
        forward, backward, mixed = (
            plots.plot_frontier(bs.allocate(surface, given), path)
            for given in (budgets, budgets[::-1], budgets[[1, 4, 0, 3, 2]])
        )
        for ax in (backward, mixed):
            np.testing.assert_allclose(ax.get_xlim(), forward.get_xlim())
            for one, other in zip(ax.lines[:3], forward.lines[:3], strict=True):  # the median, the runs, the rule
                np.testing.assert_allclose(one.get_xydata(), other.get_xydata(), rtol=1e-6)
    assert forward.get_xlim()[1] == pytest.approx(1e25, rel=0.5)


def test_the_regret_names_the_sizes_that_hardly_matter(surface):
    ax = bs.regret(surface, 1e23).plot()
    assert "at most 10 % wasted" in words(ax)
    assert ax.get_ylim()[0] < 1 < ax.get_ylim()[1]
    assert "left out" not in words(ax)  # a band that leaves the picture is seen to


def test_the_label_of_a_budget_below_the_runs_keeps_off_the_numbers_of_the_axis(surface):
    for budgets in ([1e10, 1e34], [1e15]):
        ax = bs.allocate(surface, budgets).plot()
        ax.figure.draw_without_rendering()
        labels = [t.get_window_extent() for t in ax.texts if t.get_text().endswith("tokens")]
        assert min(box.x0 for box in labels) > ax.bbox.x0


@pytest.mark.parametrize("sizes", [[6e10, 2e10, 4e10], [4e10], [6e10, 4e10, 1e8, 1e13], [1e8]])
def test_a_few_sizes_have_a_bar_each_in_their_order_and_those_left_out_are_named(surface, sizes):
    ax = bs.regret(surface, 1e24, sizes).plot()
    left, right = ax.get_xlim()
    near = sorted(size for size in sizes if 1e10 < size < 1e12)
    (medians,) = (line for line in ax.lines if line.get_marker() == "o")
    assert medians.get_xdata().tolist() == near and all(left < size < right for size in near)
    assert ("left out" in words(ax)) == (len(near) < len(sizes))
    assert ("more than 4x: 100M" in words(ax)) == (1e8 in sizes)


def test_where_no_size_is_near_the_best_the_picture_says_so_and_what_they_cost(surface):
    few = bs.regret(surface, 1e24, [1e8, 1e13])
    said = words(few.plot())
    assert "No size takes less than 4x the compute needed:\n100M takes " in said and "10T takes " in said
    assert "the best of 12 takes " in words(bs.regret(surface, 1e24, np.geomspace(1e6, 1e7, 12)).plot())
    assert "No size" not in words(bs.regret(surface, 1e24, [1e8, 4e10]).plot())


def test_many_sizes_are_drawn_in_their_order(surface):
    sizes = np.geomspace(2e10, 2e11, 12)
    forward, backward = (bs.regret(surface, 1e24, given).plot() for given in (sizes, sizes[::-1]))
    assert forward.get_xlim() == backward.get_xlim() == pytest.approx((2e10, 2e11))
    np.testing.assert_allclose(forward.lines[0].get_xydata(), backward.lines[0].get_xydata())


def test_the_reach_shows_never(surface):
    ax = bs.reach(surface, 1.8).plot()
    assert "never: " in words(ax)
    none = bs.reach(surface, 1.0).plot()
    assert "never: 100 %" in words(none) and "Never reached, whatever the budget" in words(none)
    assert none.get_xscale() == "log" and none.get_xlim()[1] > 100 * surface.fitted_flops.max()
    assert "whatever" not in words(ax)


def test_the_next_runs_are_numbered(surface):
    runs = pd.DataFrame({"run": ["x", "y", "z"], "N": [1e9, 2e9, 4e9], "D": [2e10, 4e10, 8e10]})
    ax = bs.next_runs(surface, runs, {"N": 7e9, "D": 4e12}, count=2).plot()
    assert "1. " in words(ax) and "2. " in words(ax)
    stars = [line for line in ax.lines if line.get_marker() == "*"]
    assert len(stars) == 2


def test_the_picture_of_next_runs_says_what_the_table_says(surface):
    runs = pd.DataFrame({"run": ["x", "y", "z"], "N": [1e9, 2e9, 4e9], "D": [2e10, 4e10, 8e10]})
    found = bs.next_runs(surface, runs, {"N": 7e9, "D": 4e12})
    dots = next(line for line in found.plot().lines if line.get_marker() == ".")
    np.testing.assert_allclose(np.sort(dots.get_ydata()), 100 * np.sort(found.table()["narrower"]))


def test_what_next_runs_gain_is_named_within_the_height_of_the_axes(surface):
    ax = bs.next_runs(surface, pd.DataFrame({"run": ["x"], "N": [1e9], "D": [2e10]}), {"N": 7e9, "D": 4e12}).plot()
    ax.figure.draw_without_rendering()
    assert ax.yaxis.label.get_window_extent().height < 0.8 * ax.bbox.height


def test_names_of_next_runs_do_not_overlap(surface):
    runs = pd.DataFrame({"run": [f"a run with a name {i}" for i in range(4)], "N": 1e9 * np.arange(1, 5), "D": 4e10})
    found = bs.next_runs(surface, runs.assign(flops=[1e21, 1.1e21, 1.2e21, 1.3e21]), {"N": 7e9, "D": 4e12}, count=3)
    ax = found.plot()
    boxes = [t.get_window_extent() for t in ax.texts if "a run with" in t.get_text()]
    assert len(boxes) >= 2 and not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)
    ax.figure.canvas.draw()
    costs = [t.get_window_extent() for t in ax.get_xticklabels(which="both") if t.get_text()]
    assert len(costs) >= 3 and not any(a.overlaps(b) for a in costs for b in costs if a is not b)


def test_no_name_of_a_run_lies_across_the_star_of_another(surface):
    names, costs = ["even", "a run with a long and a very long name", "z"], [2.3e21, 2.7e21, 1e21]
    runs = pd.DataFrame({"run": names, "N": [2e9, 2e9, 1e8], "D": [1.7e11, 1.69e11, 1e10], "flops": costs})
    ax = bs.next_runs(surface, runs, {"N": 7e9, "D": 4e12}, count=2).plot()
    ax.figure.draw_without_rendering()
    stars = [ax.transData.transform(line.get_xydata()[0]) for line in ax.lines if line.get_marker() == "*"]
    boxes = [t.get_window_extent() for t in ax.texts if any(name in t.get_text().split(". ") for name in names)]
    boxes += [t.get_window_extent() for t in ax.texts if "(largest)" in t.get_text()]
    assert len(stars) == 2 and any(box.x0 < x < box.x1 for box in boxes for x, _ in stars)
    around = [star + shift for star in stars for shift in ((0, 0), (0, 4), (4, 0), (-4, 0), (0, -4))]
    assert not any(box.contains(*place) for box in boxes for place in around)


def test_where_no_run_narrows_the_forecast_none_has_a_star():
    noisy = exact(chinchilla(count=60, sigma=50.0))
    ax = bs.next_runs(noisy, pd.DataFrame({"run": ["x"], "N": [2e8], "D": [4e9]}), {"N": 7e9, "D": 4e12}).plot()
    assert not [line for line in ax.lines if line.get_marker() == "*"]
    assert "★" not in words(ax) and "no affordable one narrows it by 1 %" in words(ax).replace("\n", " ")


def test_long_names_of_next_runs_are_drawn_by_both_ends(surface):
    runs = pd.DataFrame({"run": [f"{i} {'long ' * 20}{i}" for i in range(3)], "N": 1e9 * np.arange(1, 4), "D": 4e10})
    ax = bs.next_runs(surface, runs, {"N": 7e9, "D": 4e12}, count=2).plot()
    names = [t.get_text() for t in ax.texts if "long long" in t.get_text()]
    assert len(names) >= 2 and all(len(name) < 60 for name in names)


def plans(**flops):
    """Return what plans of these names and costs were found to do."""
    rows = [(name, i, 0.1 + 0.01 * i) for name in flops for i in range(9)]
    widths = pd.DataFrame(rows, columns=["plan", "family", "width90"]).assign(error=0.0, in90=True)
    costs = pd.DataFrame([{"plan": name, "runs": 8, "flops": C, "largest": C / 2} for name, C in flops.items()])
    return bs.LadderPlans(widths, costs, 9, "7B", "loss")


def test_the_ladder_plans_are_named():
    ax = plans(one=1e20).plot()
    assert "one\n8 runs" in words(ax) and np.isfinite(ax.get_ylim()).all()


def test_plans_of_like_cost_have_costs_on_their_axis():
    ax = plans(small=2.6e19, large=2.4e20).plot()
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    named = [x for x, t in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True) if t.get_text() and low < x < high]
    np.testing.assert_allclose(named, [2e19, 5e19, 1e20, 2e20])


def test_long_names_of_ladder_plans_stay_within_the_axes():
    ax = plans(**{"a small ladder, of four tokens each": 1e20, "x" * 40: 8e20}).plot()
    ax.figure.draw_without_rendering()
    labels = [t.get_window_extent() for t in ax.texts if t.get_text().endswith("8 runs")]
    assert len(labels) == 2 and all(ax.bbox.x0 < box.x0 and box.x1 < ax.bbox.x1 for box in labels)
    assert all(box.y1 < ax.bbox.y1 for box in labels)


def test_what_a_picture_cannot_draw_is_named(surface):
    allocation, reach = bs.allocate(surface, [1e22, 1e23]), bs.reach(surface, 1.9)
    for draw, wanted, maker in (
        (plots.plot_frontier, "Allocation", "allocate"),
        (lambda given: plots.plot_frontier(allocation, given), "Allocation", "allocate"),
        (plots.plot_regret, "Regret", "regret"),
        (plots.plot_next_runs, "NextRuns", "next_runs"),
        (plots.plot_ladder_plans, "LadderPlans", "plan_ladders"),
    ):
        said = f"draws an? {wanted} and was given an object of the class Reach; bayes_scaling.{maker} makes"
        with pytest.raises(TargetError, match=said):
            draw(reach)
        assert hasattr(bs, maker)
    with pytest.raises(TargetError, match="picture draws an Allocation and"):
        plots.plot_frontier(reach)
    with pytest.raises(TargetError, match="picture draws a Reach and was given an object of the class Allocation"):
        plots.plot_reach(allocation)
