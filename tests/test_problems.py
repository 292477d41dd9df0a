from __future__ import annotations

from bayes_scaling.problems import Problem, Problems

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
