from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import bayes_scaling as bs
from bayes_scaling.decisions.counts import recipe_names, remarks_on_counts
from bayes_scaling.models import PowerLaw
from tests.worlds import GRID, by_compute, chinchilla, known

FAR = {"C": 1e22}


def counted(per_token, name="known"):
    """Return a power law whose runs have so many FLOPs per parameter and token."""
    runs = GRID.assign(C=per_token * GRID["N"] * GRID["D"])
    fit = known(PowerLaw(), dict(by_compute(count=20).draws), runs)
    return dataclasses.replace(fit, study=dataclasses.replace(fit.study, card=bs.Card(name)))


DENSE, SPARSE, UNKNOWN = counted(6), counted(1.5, "<sparse>"), by_compute(count=20)
APART = (
    "The FLOPs of <sparse> are 0.25 times those of known for as many parameters and tokens: right if the models differ "
    "so, wrong if they are counted otherwise."
)
ASSUMED = "That A and B count FLOPs alike is assumed, since their columns do not tell; those of A are 6ND."


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (DENSE, SPARSE, (APART,)),
        (DENSE, UNKNOWN, (ASSUMED,)),
        (DENSE, counted(6.2), ()),
        (UNKNOWN, by_compute(seed=1, count=20), ()),  # one table
        (DENSE, chinchilla(count=20), ()),  # whose target has a size and data of its own
    ],
)
def test_counts_of_two_laws_of_flops_are_told_of_where_they_differ_or_are_not_known(a, b, said):
    assert remarks_on_counts(bs.Surface.of(a), bs.Surface.of(b)) == said
    found = bs.superiority(a, b, FAR, {"N": 1e10, "D": 2e11} if "N" in b.law.run_inputs else None)
    assert found.remarks == said and 0 <= found.probability <= 1


def test_what_is_told_stands_below_the_answer():
    for found in (bs.superiority(DENSE, SPARSE, FAR), bs.speedup(DENSE, SPARSE, at=1e22)):
        assert repr(found).splitlines()[-1] == APART
        assert found._repr_html_().endswith(f"<p>{APART.replace('<sparse>', '&lt;sparse&gt;')}</p>")


def test_recipes_have_the_names_of_their_studies_where_these_are_two():
    assert recipe_names(DENSE, SPARSE) == ("known", "<sparse>") and recipe_names(DENSE, UNKNOWN) == ("A", "B")


def test_functions_are_one_rule_where_they_say_the_same():
    posterior = chinchilla(count=20)
    six, same, sixty = (bs.Surface.of(posterior, flops=lambda N, by=by: by * N) for by in (6, 6.0, 60))
    assert np.median(bs.speedup(six, same, 1e22).draws("flops", "none")) == pytest.approx(1.0)
    with pytest.raises(bs.DecisionError, match="by FLOPs per token as given and B by another function, so their ratio"):
        bs.speedup(six, sixty, 1e22)
