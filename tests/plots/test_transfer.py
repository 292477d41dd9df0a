import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.transfer import transfer_grid, transferred
from bayes_scaling.decisions.transfer_curves import transfer_curves
from bayes_scaling.errors import TargetError
from bayes_scaling.models import Transfer
from bayes_scaling.plots.transfer import plot_data_efficiency, plot_transfer_map
from tests import worlds

SHORT = {"allow_unconverged": True}  # of a fit of few draws
SIZES, DATA = np.geomspace(1e6, 1e9, 4), np.geomspace(1e6, 1e9, 6)


@pytest.fixture(scope="module")
def posterior():
    cells = [(n, d, arm) for arm in (0, 1) for n in SIZES for d in DATA]
    grid = pd.DataFrame(cells, columns=["N", "D_F", "pretrained"])
    law = Transfer(floor=0.0)
    study = bs.simulate(law, grid, {**law.published, "sigma": 0.005}, seed=0)
    return bs.fit(law, study, seed=0, draws=50, adapt=False)


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


def test_the_map_says_what_its_colour_means_and_where_the_law_was_found(posterior):
    ax = plot_transfer_map(transferred(posterior, transfer_grid(SIZES, DATA), **SHORT))
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlim() == pytest.approx((DATA[0], DATA[-1]))
    assert any("effective data" in other.get_ylabel() for other in ax.figure.axes)


def test_the_edge_of_the_power_law_is_named_on_the_map_or_above_it_where_it_lies_in_a_corner():
    posterior = worlds.transfer()
    cells = transferred(posterior, transfer_grid(SIZES, DATA))
    for share, on_map in ((0.5, True), (0.98, False)):
        edge = DATA[0] ** (1 - share) * DATA[-1] ** share
        corner = np.where(cells["N"] == SIZES[0], edge, 10 * DATA[-1])  # within the map for the smallest size alone
        low_data = np.full_like(corner, edge) if on_map else corner
        ax = plot_transfer_map(cells.assign(low_data=0 * cells["low_data"] + low_data))
        labels = [t for t in ax.texts if "power law found" in t.get_text()]
        above = "white dashes: left of them" in " ".join(" ".join(t.get_text() for t in ax.texts).split())
        assert (len(labels) == 1, above) == (on_map, not on_map)


def test_values_stand_at_their_sizes_and_data_whatever_the_order_of_the_cells():
    cells = transferred(worlds.transfer(), transfer_grid(SIZES, DATA))
    shuffled = cells.isel(cell=np.random.default_rng(0).permutation(cells.sizes["cell"]))
    backwards = transferred(worlds.transfer(), transfer_grid(SIZES[::-1], DATA[::-1]))
    drawn = []
    for given in (cells, backwards, shuffled):
        helps = np.arange(given.sizes["sample"])[:, None] < 86 + 4 * np.log10(given["N"].to_numpy() / 1e7)
        ax = plot_transfer_map(given.assign(D_T=0 * given["D_T"] + np.where(helps, 1.0, -1.0)))
        assert "red line" in " ".join(t.get_text() for t in ax.texts).replace("\n", " ")
        lines = [line.get_xydata() for line in ax.lines]
        shapes = [path.vertices for shade in ax.collections for path in shade.get_paths()]
        drawn.append(np.concatenate([*lines, *shapes]))
    for other in drawn[1:]:
        np.testing.assert_allclose(other, drawn[0])


def test_cells_that_are_no_grid_are_refused():
    cells = transferred(worlds.transfer(), transfer_grid(SIZES, DATA))
    for places in (np.r_[:23], np.r_[:23, 0]):  # one is missing, or stands there twice in place of another
        with pytest.raises(TargetError, match=f"The {len(places)} cells are no grid of N and D_F; make them with"):
            plot_transfer_map(cells.isel(cell=places))


def test_runs_from_scratch_are_hollow_dots():
    found = transfer_curves(worlds.transfer(), 1e8, DATA)
    ax = plot_data_efficiency(found)
    tuned = found["run_pretrained"].to_numpy()
    assert 0 < tuned.sum() < len(tuned)
    drawn = [line for line in ax.lines if line.get_marker() == "o"]
    for dots, own in zip(drawn, (~tuned, tuned), strict=True):
        assert (dots.get_markerfacecolor() == "white") == (own == ~tuned).all()
        np.testing.assert_allclose(dots.get_ydata(), found["run_outcome"].to_numpy()[own])
    assert "hollow where from scratch" in " ".join(" ".join(t.get_text() for t in ax.texts).split())


def test_words_name_no_unit_twice_and_no_dots_where_there_are_none():
    posterior = worlds.transfer()
    for N, dots in ((1e8, True), (3e8, False)):
        found = transfer_curves(posterior, N, DATA)
        ax = plot_data_efficiency(found.assign_attrs(data_unit=""))
        assert ax.get_xlabel() == "fine-tuning data D_F (as given)"
        assert ("dots" in " ".join(t.get_text() for t in ax.texts)) == dots
        drawn = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
        assert bool(drawn) == dots
        ends = {t.get_text(): t.get_window_extent() for t in ax.texts}
        assert not ends["from scratch"].overlaps(ends["pre-trained"])
        assert ends["from scratch"].x0 >= ax.bbox.x1  # beside the lines, not on them


def test_data_are_drawn_in_their_order_and_one_amount_makes_no_curve():
    posterior = worlds.transfer()
    forward, backward = (plot_data_efficiency(transfer_curves(posterior, 1e8, data)) for data in (DATA, DATA[::-1]))
    assert forward.get_xlim() == backward.get_xlim() == pytest.approx((DATA[0], DATA[-1]))
    for one, other in zip(forward.lines, backward.lines, strict=True):
        np.testing.assert_allclose(one.get_xydata(), other.get_xydata())
    with pytest.raises(TargetError, match="two amounts of fine-tuning data or more, and was given one"):
        plot_data_efficiency(transfer_curves(posterior, 1e8, DATA[:1]))


@pytest.mark.parametrize("most", [1e8, 1e9, 1e10])
def test_what_the_data_are_worth_is_said_beside_the_curves(most):
    ax = plot_data_efficiency(transfer_curves(worlds.transfer(), 1e8, np.geomspace(1e6, most, 40)))
    ax.figure.draw_without_rendering()
    (words,) = (t.get_window_extent() for t in ax.texts if t.get_text().startswith("worth"))
    assert ax.bbox.x0 <= words.x0 and words.x1 <= ax.bbox.x1
    for line in ax.lines[:2]:
        x, y = ax.transData.transform(line.get_xydata()).T
        above, below = np.interp([words.x0, words.x1], x, y)
        assert words.y1 <= min(above, below) + 1 or words.y0 >= max(above, below) - 1


def test_the_arrow_is_as_long_as_the_data_saved(posterior):
    _, given = plt.subplots()
    ax = plot_data_efficiency(transfer_curves(posterior, SIZES[1], DATA, **SHORT), ax=given)
    assert ax is given
    middle = transfer_curves(posterior, SIZES[1], DATA, **SHORT).median("sample")
    assert (middle["pretrained"] < middle["scratch"]).all()
    words = [t.get_text() for t in ax.texts]
    assert {"from scratch", "pre-trained"} <= set(words)
    place = len(DATA) // 3
    end = np.exp(np.interp(-middle["pretrained"][place], -middle["scratch"], np.log(DATA)))
    assert f"worth {float(end) / DATA[place]:.3g}x the data" in words


def test_what_a_picture_of_transfer_cannot_draw_is_named():
    posterior = worlds.transfer()
    arms, cells = transfer_curves(posterior, 1e8, DATA), transferred(posterior, transfer_grid(SIZES, DATA))
    with pytest.raises(
        TargetError, match=r"without N, D_T, multiplier, low_data; give it .*bayes_scaling.transferred returns"
    ):
        plot_transfer_map(arms)
    with pytest.raises(TargetError, match=r"without scratch, run_pretrained; give it .*transfer_curves returns"):
        plot_data_efficiency(cells)
    with pytest.raises(TargetError, match="two sizes or more and two amounts of data or more, and was given 1 and 6"):
        plot_transfer_map(transferred(posterior, transfer_grid(SIZES[:1], DATA)))
    with pytest.raises(TargetError, match="given an object of the class Posterior"):
        plot_transfer_map(posterior)
