from __future__ import annotations

import pytest

from bayes_scaling import errors
from bayes_scaling.errors import BayesScalingError, suggest


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "BayesScalingError"])
def test_one_class_catches_every_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, BayesScalingError) and issubclass(kind, ValueError) and kind.__doc__


def test_the_nearest_word_is_suggested():
    assert suggest("chinchila", ["kaplan", "chinchilla"]) == "did you mean 'chinchilla'?"


def test_where_none_is_near_all_are_named_in_order():
    assert suggest("x", ["loss", "accuracy"]) == "known: accuracy, loss."
    assert suggest("x", []) == "known: none."


def test_words_may_be_anything():
    assert suggest(7, {1: "a", 70: "b"}) == "did you mean '70'?"
    assert suggest("2.0", iter([1.0, "large"])) == "did you mean '1.0'?"
