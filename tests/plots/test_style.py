import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from bayes_scaling import plots
from bayes_scaling.plots.style import (
    APART,
    STYLE,
    draw_interval,
    figure_of,
    headline,
    house_style,
    lift_apart,
    name_targets,
    new_axes,
    plain_numbers,
    powers_of_ten,
    side_by_side,
    write_png,
)

LEVELS = {"q05": 1.0, "q25": 2.0, "median": 3.0, "q75": 4.0, "q95": 5.0}


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def test_the_users_style_is_left_alone(ladder_forecast):
    before = dict(mpl.rcParams)
    plots.plot_forest(ladder_forecast)
    assert dict(mpl.rcParams) == before


def test_a_dark_style_of_the_user_does_not_reach_the_picture(ladder_forecast):
    with plt.style.context("dark_background"):
        ax = plots.plot_forest(ladder_forecast)
        assert mpl.colors.to_hex(ax.get_facecolor()) == mpl.colors.to_hex(ax.figure.get_facecolor()) == "#ffffff"
        assert mpl.colors.to_hex(ax.title.get_color()) == "#000000"


def test_the_house_style_holds_while_a_picture_is_drawn_and_not_after_a_mistake():
    before = dict(mpl.rcParams)

    @house_style
    def broken():
        assert {name: mpl.rcParams[name] for name in wanted} == dict(wanted)
        raise ValueError

    wanted = {k: v for k, v in mpl.rc_params_from_file(STYLE, use_default_template=False).items() if "cycle" not in k}
    assert any(before[name] != value for name, value in wanted.items())
    with pytest.raises(ValueError):
        broken()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("upright", [False, True])
def test_an_interval_has_two_lines_a_tick_and_a_star_where_the_outcome_is_known(upright, ax):
    draw_interval(ax, 0.5, {**LEVELS, "actual": np.nan}, upright=upright)
    thin, thick = (np.ptp(c.get_segments()[0][:, int(upright)]) for c in ax.collections)
    assert (thin, thick) == (4.0, 2.0)
    assert len(ax.lines) == 1
    draw_interval(ax, 1.5, {**LEVELS, "actual": 4.5}, upright=upright)
    (star,) = (line for line in ax.lines if line.get_marker() == "*")
    assert star.get_xydata()[0].tolist() == ([1.5, 4.5] if upright else [4.5, 1.5])


def test_axes_are_those_given_or_new_ones_of_a_size(ax):
    assert new_axes(ax) is ax
    assert new_axes(None, 3.0, 2.0).figure.get_size_inches().tolist() == [3.0, 2.0]
    assert figure_of([ax]) is figure_of(ax) is ax.figure


def test_the_words_below_a_title_break_between_items_alone():
    narrow = plt.subplots(figsize=(2.5, 2))[1]
    headline(narrow, "A title", "thin line: 90 % of new runs   thick line: 50 %   white tick: median")
    (words,) = (t.get_text() for t in narrow.texts)
    assert "\n" in words
    items = [item for line in words.splitlines() for item in line.split("   ")]
    assert items == ["thin line: 90 % of new runs", "thick line: 50 %", "white tick: median"]
    assert "\n" not in headline_of("short   words")


def test_a_title_and_an_item_wider_than_the_axes_break_between_words():
    narrow = plt.subplots(figsize=(2.5, 2))[1]
    headline(narrow, "A title of a study with a long name", "dots: runs   bands: 90 % of outcomes from here to there")
    assert "\n" in narrow.get_title()
    (words,) = (t.get_text() for t in narrow.texts)
    assert max(map(len, words.splitlines())) <= 35 and " ".join(words.split()) == (
        "dots: runs bands: 90 % of outcomes from here to there"
    )


def headline_of(words):
    ax = plt.subplots(figsize=(8, 4))[1]
    headline(ax, "A title", words)
    return ax.texts[0].get_text()


@pytest.mark.parametrize(("count", "room", "written"), [(1, 12, 1), (2, 12, 2), (4, 39, 4), (7, 0, 0)])
def test_names_of_targets_take_room_and_too_many_are_left_out(count, room, written, ax):
    names = [f"run {i}" for i in range(count)]
    assert name_targets(ax, np.arange(1.0, count + 1), names) == room
    assert [t.get_text() for t in ax.texts] == names[:written]


def test_targets_of_one_place_stand_side_by_side_and_others_stay(ax):
    ax.set(xscale="log", xlim=(1, 1e4))
    places = np.array([1000.0, 10.0, 1000.0, 1000.0])
    moved = side_by_side(ax, places, (1, 1e4))
    assert moved[1] == pytest.approx(10) and moved[0] < moved[2] < moved[3]  # in the order given
    assert moved[2] == pytest.approx(1000)
    points = np.diff(ax.transData.transform([(x, 0.5) for x in moved[[0, 2, 3]]])[:, 0]) * 72 / ax.figure.dpi
    np.testing.assert_allclose(points, points[0])
    assert 5 < points[0] <= APART
    assert side_by_side(ax, places[:2], (1e4, 1)) == pytest.approx(places[:2])


def test_names_of_two_targets_that_are_close_stand_one_above_the_other_each_over_its_bar(ax):
    ax.set(xscale="log", xlim=(1, 1e4))
    places = side_by_side(ax, np.array([1000.0, 1000.0]), (1, 1e4))
    assert name_targets(ax, places, ["a first run", "a second run"]) == 21
    ax.figure.draw_without_rendering()
    first, second = map(Text.get_window_extent, ax.texts)
    assert not first.overlaps(second)
    lines = [line.get_xdata()[0] for line in ax.lines]
    assert lines == pytest.approx(places.tolist())


def test_less_than_a_decade_has_plain_numbers(ax):
    ax.set_xscale("log")
    ax.set_xlim(2, 3)
    plain_numbers(ax)
    ax.figure.canvas.draw()
    words = [t.get_text() for t in ax.get_xticklabels()]
    assert len(words) > 2 and not any("10" in word or "e" in word for word in words)


@pytest.mark.parametrize(("end", "count"), [(2e20, 4), (1e24, 5)])
def test_costs_are_written_in_steps_of_two_or_so_unless_they_span_many_decades(ax, end, count):
    ax.set_xscale("log")
    ax.set_xlim(1.5e19, 1.2 * end)
    powers_of_ten(ax)
    ax.figure.canvas.draw()
    ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    assert len([x for x, text in ticks if text.get_text() and 1.5e19 < x < 1.2 * end]) == count


def test_labels_are_lifted_off_each_other_and_off_what_is_fixed(ax):
    labels = [ax.annotate("words", (0.5, 0.5), (0, 0), textcoords="offset points") for _ in range(2)]
    first = labels[0].get_window_extent()
    lift_apart(labels, [Bbox([[first.x0, first.y0], [first.x1, first.y0 + 2]])])
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert boxes[0].y0 > first.y0 + 2 and boxes[1].y0 > boxes[0].y1


def test_a_picture_that_is_written_is_closed_and_letters_without_a_font_are_no_warning(ax, tmp_path, recwarn):
    ax.set_title("模型")
    write_png(ax, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert not plt.fignum_exists(ax.figure.number) and not recwarn.list
