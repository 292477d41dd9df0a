import pytest

from benchmarks import decisions


@pytest.mark.slow
def test_intervals_of_size_and_budget_hold_in_simulated_worlds():
    found = decisions.coverage(studies=24)
    assert found["coverage_studies"] >= 20
    assert found["coverage_size"] >= 0.75 and found["coverage_budget"] >= 0.75  # 0.9 less three standard errors
