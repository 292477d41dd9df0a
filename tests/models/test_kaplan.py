import pytest

from bayes_scaling.models import Chinchilla, Kaplan

RUNS = {"N": 3e8, "D": 7e9, "N0": 1e8, "D0": 5e9}
VALUES = {"E": 1.7, "reducible": 0.8, "split": 0.4, "alpha_N": 0.34, "alpha_D": 0.28}


def test_published_constants_are_the_equation():
    law, p = Kaplan(), VALUES
    made = law.derived(RUNS, **p)
    bracket = (made["A"] / RUNS["N"]) ** (p["alpha_N"] / p["alpha_D"]) + made["B"] / RUNS["D"]
    assert float(law.at(RUNS, p)) == pytest.approx(float(p["E"] + bracket ** p["alpha_D"]), rel=1e-5)


def test_with_endless_data_or_size_it_falls_by_the_exponent_of_the_other():
    for column, exponent, other in (("N", "alpha_N", "D"), ("D", "alpha_D", "N")):
        one, ten = (Kaplan().at({**RUNS, other: 1e30, column: x}, VALUES) - VALUES["E"] for x in (1e9, 1e10))
        assert float(one / ten) == pytest.approx(10 ** VALUES[exponent], rel=1e-3)


def test_it_is_chinchilla_at_the_references_and_where_one_shortage_is_all():
    at = {**RUNS, "N": RUNS["N0"], "D": RUNS["D0"]}
    assert float(Kaplan().at(at, VALUES)) == pytest.approx(float(Chinchilla().at(at, VALUES)), rel=1e-6)
