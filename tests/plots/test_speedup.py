import dataclasses
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling import plots
from bayes_scaling.errors import TargetError
from tests.worlds import chinchilla


@pytest.fixture(autouse=True)
def tidy():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def recipes():
    return chinchilla(seed=1, count=60), chinchilla(seed=2, count=60, reducible=0.55)


def words(ax):
    return " ".join(t.get_text() for t in ax.texts)


def test_bars_say_factor_and_chance(recipes):
    found = bs.speedup(*recipes, at=1e23)
    _, ax = plt.subplots()
    assert found.plot(ax=ax) is ax
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[:3] == ["compute, laws err alike", "compute, laws err apart", "compute, laws exact"]
    assert f"{np.median(found.draws()):.2g}x, {100 * found.probability()[0]:.0f} %" in words(ax)
    assert ax.get_title(loc="left").startswith("B takes ") or ax.get_title().startswith("B takes ")
    assert ax.get_xlim()[0] < 1 < ax.get_xlim()[1]


def test_never_is_named():
    found = bs.speedup(chinchilla(seed=1, count=60, E=1.4), chinchilla(seed=2, count=60, E=2.6), at=1e24)
    ax = found.plot()
    assert "never, 0 %" in words(ax) and "never: 100 %" in words(ax)
    assert "never reaches" in ax.get_title(loc="left") + ax.get_title()


def test_over_scales_that_b_never_gets_there_is_told_above_the_line_of_no_gain():
    a, b = chinchilla(seed=1, count=60, E=1.4), chinchilla(seed=2, count=60, E=2.4)
    ax = bs.speedup(a, b, at=[1e23, 1e26]).plot()
    ax.figure.draw_without_rendering()
    (label,) = (t for t in ax.texts if "takes less" in t.get_text())
    assert label.get_text() == "0 % that B takes less at 1e+26 FLOPs, 100 % that it never gets there"
    assert label.get_window_extent().y0 > ax.transData.transform((1e24, 1.0))[1]
    assert "lower edge: 0.01x or less, or never" in words(ax).replace("\n", " ")


def test_several_scales_make_a_band(recipes):
    found = bs.speedup(*recipes, at=np.geomspace(1e20, 1e24, 5))
    ax = found.plot()
    assert ax.get_xlabel() == "training FLOPs of A (6ND)" and "that B takes less" in words(ax)
    assert "largest fitted run" in words(ax) and "never" not in words(ax)
    np.testing.assert_allclose(ax.get_xlim(), (1e20, 1e24))


def test_recipes_have_the_names_of_their_studies_and_long_ones_are_spelled_out_once(recipes):
    def called(name):
        a, b = recipes
        return a, dataclasses.replace(b, study=bs.Study.from_frame(b.study.frame, card=bs.Card(name)))

    for at in (1e23, np.geomspace(1e20, 1e24, 5)):
        ax = bs.speedup(*called("$new"), at=at).plot()
        said = " ".join([ax.get_title(loc="left"), words(ax), ax.get_xlabel(), ax.get_ylabel()])
        assert r"\$new" in said and "known" in said and not re.search(r"\b[AB]\b", said)
        long = bs.speedup(*called("a mixture of many sources"), at=at).plot()
        assert "A: known   B: a mixture of many sources" in words(long) and re.search(
            r"\bB\b", long.get_title(loc="left")
        )


def test_one_scale_has_one_probability_alone_and_among_others(recipes):
    one, several = (bs.speedup(*recipes, at=at) for at in (1e23, [1e21, 1e23]))
    assert one.probability()[0] == several.probability()[-1]


def test_what_is_no_speedup_is_named(recipes):
    with pytest.raises(TargetError, match=r"draws a Speedup .* Posterior; bayes_scaling.speedup makes what it draws"):
        plots.plot_speedup(recipes[0])


def test_what_takes_more_is_said_to_take_as_much_and_more(recipes):
    a, b = recipes
    for found in (bs.speedup(a, b, at=1e23), bs.speedup(b, a, at=1e23)):
        title, median = " ".join(found.plot().get_title(loc="left").split()), np.median(found.draws())
        factor, less = re.match(r"B takes ([\d.]+)x (less compute than|as much compute as) A", title).groups()
        assert float(factor) == pytest.approx(max(median, 1 / median), rel=0.1)
        assert (less == "less compute than") == (median >= 1)
