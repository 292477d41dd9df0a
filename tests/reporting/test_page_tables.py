from __future__ import annotations

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.cli.forecast import only_tasks
from bayes_scaling.evaluation.diagnose import contraction
from bayes_scaling.evaluation.groups import with_groups
from bayes_scaling.models import Chinchilla
from bayes_scaling.reporting import page_tables
from bayes_scaling.reporting.page_tables import Writer, extent, times
from tests import worlds

FAR = {"target": "7B-4T", "N": 7e9, "D": 4e12}


@pytest.fixture(scope="module")
def ladder():
    return worlds.result(worlds.ladder(count=60), FAR)


def test_an_error_is_in_per_cent_on_the_page():
    result = worlds.result(worlds.wrong(0.123), {**FAR, "error": 0.133})
    (answer,), unit = page_tables.answers(result)
    assert (answer.median, answer.most, answer.actual, unit) == ("12.3", "12.3 to 12.3", "13.3", "%")
    (grid,) = page_tables.intervals(result)
    assert grid.caption == "error (%)"
    assert grid.rows == [["7B-4T", "12.3", "12.3 to 12.3", "12.3 to 12.3", "13.3", "outside"]]
    assert page_tables.bands(result).caption.endswith("error (%)")
    assert page_tables.bands(result).rows == [["7B-4T", *["12.3 to 12.3"] * 3]]


def test_the_accuracy_answers_first_and_the_loss_keeps_its_unit(ladder):
    found, unit = page_tables.answers(ladder)
    assert [a.task for a in found] == ["one", "two", "mean of 2"] and unit == "%"
    assert all(30 < float(a.median) < 100 and a.actual == "" for a in found)
    assert [grid.caption for grid in page_tables.intervals(ladder)] == ["accuracy (%)", "loss (as given)"]
    assert [grid.words for grid in page_tables.intervals(ladder)] == [2, 2]


def test_every_table_has_as_many_cells_as_headings(ladder):
    posterior = with_groups(ladder.posteriors[0], "prior")
    shares = contraction(posterior)
    grids = [
        *page_tables.intervals(ladder),
        page_tables.targets(ladder),
        page_tables.columns(ladder),
        page_tables.learnt("TwoStep", posterior, shares),
        page_tables.diagnostics({"TwoStep": posterior}),
        page_tables.bands(ladder),
        page_tables.routes(ladder, {"TwoStep": ladder.forecast}),
    ]
    for grid in grids:
        assert grid.rows and {len(row) for row in grid.rows} == {len(grid.headings)}, grid.caption
    learnt = {row[0]: row for row in grids[4].rows}
    assert "E (2 series)" in learnt and " to " in learnt["E (2 series)"][2]


def test_targets_say_how_far_they_are():
    grid = page_tables.targets(worlds.result(worlds.chinchilla(), FAR))
    assert list(grid.headings[:3]) == ["target", "N (parameters)", "D (tokens)"]
    assert grid.rows == [["7B-4T", "7e+09", "4e+12", "547 ×"]]
    pooled = worlds.result(worlds.pooled(), FAR)
    assert page_tables.targets(pooled).rows[0][-1] == "547 × (math: 7e+04 ×)" == page_tables.distances(pooled)[0]


def test_a_fit_of_other_tasks_has_a_dash(ladder):
    other = only_tasks(ladder.forecast, ("two",))
    (one, two) = page_tables.routes(ladder, {"other": other}).rows
    assert one[:2] == ["one", "7B-4T"] and one[3] == "–" and two[3] == two[2]


def test_an_input_in_text_is_in_the_table_of_targets():
    grid = page_tables.targets(worlds.result(worlds.tilted(), {"target": "next", "shift": "5"}))
    assert grid.rows[0][:2] == ["next", "5"]


def test_columns_that_a_custom_law_reads_are_listed():
    class Odd(bs.Law):
        level: bs.Prior = dist.LogNormal(0.0, 1.0)

        def mean(self, depth, *, level):
            return level / depth

    table = pd.DataFrame({"depth": [1.0, 2.0, 4.0], "loss": [3.0, 2.0, 1.0]})
    posterior = worlds.known(Odd(), {"level": np.ones(50), "sigma": np.full(50, 0.1)}, table)
    rows = page_tables.columns(worlds.result(posterior, {"depth": 8.0})).rows
    assert ["depth", "as given", "1 to 4"] in rows


def test_references_and_derived_constants_have_their_values():
    posterior = bs.Posterior.from_draws(Chinchilla(), worlds.chinchilla().study, worlds.chinchilla().tree)
    rows = {row[0]: row for row in page_tables.constants("Chinchilla", posterior).rows}
    assert rows["N0"][1:] == ["centre of the fitted runs: geometric mean", "2.828e+08"]
    assert set(rows) == {"N0", "D0", "A", "B"} and "(90 %: " in rows["A"][2]
    assert page_tables.constants("Wrong", worlds.wrong()) is None


def test_criteria_are_differences_to_the_best():
    row = {
        f"{name}_{c}": v for c in ("loo", "waic", "run") for name, v in (("diff", -2.34), ("se_diff", 1), ("high", 3))
    }
    (cells,) = page_tables.criteria(pd.DataFrame([row], index=["PowerLaw"])).rows
    assert cells == ["PowerLaw", *["-2.3 ± 1.0", "3"] * 3]


def test_numbers_that_are_not_known():
    assert Writer("fraction").show(np.nan) == extent(pd.Series([np.nan])) == "–"
    assert times(np.nan) == "cannot be told" and times(546.875) == "547 ×"
    assert extent(pd.Series([2.0, 2.0])) == "2" and extent(pd.Series([1e8, np.nan, 8e8])) == "1e+08 to 8e+08"


def test_what_a_target_may_leave_out_is_in_the_table_where_one_gives_it():
    aims = [{"N": 7e9, "D": 4e12, "unique_tokens": u, "target": t} for t, u in (("once", None), ("again", 1e11))]
    grid = page_tables.targets(worlds.result(worlds.superset(), aims))
    place = [heading.split(" (")[0] for heading in grid.headings].index("unique_tokens")
    assert [row[place] for row in grid.rows] == ["–", "1e+11"]
