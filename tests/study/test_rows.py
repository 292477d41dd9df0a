from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from bayes_scaling.study.rows import absent, comparable, is_text, keys, row_name, row_number, shown

TABLE = pd.DataFrame({"run": ["a", None, "c"], "N": [1e8, 2e8, 4e8]})


def test_a_row_keeps_the_number_it_has_in_the_file():
    assert [row_number(TABLE, place) for place in range(3)] == [1, 2, 3]
    assert [row_number(TABLE[TABLE["N"] > 1e8], place) for place in (0, np.int64(1))] == [2, 3]
    assert row_number(TABLE.set_axis(["x", "y", "z"]), 1) == 2  # labels that are no numbers


def test_a_row_is_called_by_its_run_where_that_has_a_name():
    assert [row_name(TABLE, place) for place in range(3)] == ["run 'a' (row 1)", "row 2", "run 'c' (row 3)"]
    assert row_name(TABLE[["N"]], 0) == "row 1"
    assert row_name(pd.DataFrame({"run": [126]}), 0) == "run 126 (row 1)"
    long = pd.DataFrame({"run": ["a", "a", "b"], "task": ["P", "Q", "P"]})
    assert row_name(long, 1) == "run 'a' on 'Q' (row 2)"
    assert row_name(long.set_axis([0, 0, 1]), 1) == "run 'a' on 'Q' (row 1)"  # of one row of a wide table


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT, "", "  ", "nan", "N/A", "None", "null"])
def test_what_stands_for_nothing_is_absent(value):
    assert absent(value)


@pytest.mark.parametrize("value", [0, False, "0", "a", np.inf, [], [None], datetime.date(2024, 1, 1)])
def test_what_is_something_is_not(value):
    assert not absent(value)


def test_repeats_are_found_among_entries_of_any_kind():
    assert list(comparable([None, np.nan, pd.NaT])) == [None, None, None]
    one, same, other = comparable([[1, 2], [1, 2], [1, 3]])
    assert one == same != other and len({one, same, other}) == 2
    assert list(comparable(["", "a", 1.0])) == ["", "a", 1.0]


def test_half_of_a_character_is_no_text():
    assert is_text("α") and not is_text("\ud800")


def test_an_entry_is_shown_in_a_few_words():
    assert shown("a\n b") == "'a\\n b'" and shown(3.5) == "3.5"
    assert shown(pd.Series([1.0, 2.0])).count("\n") == 0
    assert shown("x" * 100) == "'" + "x" * 56 + "..." and len(shown("x" * 100, 40)) == 40
    plain = [shown(value) for value in (np.int64(126), np.float64(0.5), np.bool_(True), np.str_("a"))]
    assert plain == ["126", "0.5", "True", "'a'"]
    assert shown(10**5000) == "an integer of 16610 bits"


def test_rows_are_told_apart_by_what_is_in_lists():
    table = pd.DataFrame({"N": [1e9, 1e9, 1e9], "tags": [["a"], ["a"], ["b"]], "gap": [None, np.nan, None]})
    first, second, third = keys(table, ["N", "tags", "gap"])
    assert first == second != third
