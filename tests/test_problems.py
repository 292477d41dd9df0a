from __future__ import annotations

from pathlib import Path

import bayes_scaling
from bayes_scaling.problems import RANKS, Problem, Problems

FEW = Problem("few-runs", "There are 8 runs (at least 10)", "add small runs", 8.0)
FAR = Problem("far-target", "Target '7B' has 500 times the FLOPs", "add a larger run first", 500.0, "7B")
FURTHER = Problem("far-target", "Target '13B' has 900 times the FLOPs", "add a larger run first", 900.0, "13B")


def test_a_problem_is_a_sentence_with_a_remedy():
    assert str(FEW) == "There are 8 runs (at least 10): add small runs."
    assert not FEW.severe and FEW.where == ""


def test_problems_are_printed_one_a_line_with_their_codes():
    found = Problems([FEW, FAR])
    assert repr(found) == str(found) == f"[few-runs] {FEW}\n[far-target] {FAR}"
    assert repr(Problems()) == "No problem found." and not Problems()


def test_codes_are_named_once_in_the_order_they_were_found():
    assert Problems([FAR, FEW, FURTHER]).codes == ["far-target", "few-runs"]


def test_problems_of_some_kinds_are_picked_and_added():
    found = Problems([FAR, FEW, FURTHER])
    assert found.only("far-target") == (FAR, FURTHER) and not found.only("collinear")
    assert isinstance(found.only("few-runs"), Problems)
    more = found.only("few-runs")
    more += [FAR]
    assert isinstance(more, Problems) and more == (FEW, FAR)


def of(code, **changes):
    return Problem(code, f"Here is {code}", "mend it", 1.0, **changes)


def test_what_speaks_most_against_a_forecast_comes_first():
    severe, unheard, least = of("ess-bulk", severe=True), of("at-chance"), of("contraction", where="bend")
    found = Problems([least, unheard, FEW, FAR, of("units"), severe, of("prior-tail")])
    assert isinstance(found.ranked(), Problems)
    assert found.ranked().codes == [
        "ess-bulk", "units", "prior-tail", "far-target", "few-runs", "at-chance", "contraction",
    ]  # fmt: skip


def test_of_equal_rank_the_first_found_comes_first():
    found = Problems([FURTHER, of("at-chance"), FAR, of("unused-accuracy"), of("rhat", severe=True)])
    assert found.ranked() == Problems([found[4], FURTHER, FAR, found[1], found[3]])
    severe = [of("divergences", severe=True), of("rhat", severe=True)]
    assert Problems(severe).ranked() == tuple(severe)


def test_all_ranks_are_kept_in_their_order():
    assert Problems(of(code) for code in reversed(RANKS)).ranked().codes == list(RANKS)
    assert len(set(RANKS)) == len(RANKS)


def test_each_rank_is_of_a_problem_that_is_looked_for():
    sources = [p for p in Path(bayes_scaling.__file__).parent.rglob("*.py") if p.name != "problems.py"]
    written = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert [code for code in RANKS if f'"{code}"' not in written] == []
