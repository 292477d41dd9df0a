from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from bayes_scaling import errors
from bayes_scaling.errors import BayesScalingError, LawArgumentError, LawError, listed, suggest, whole


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_one_class_catches_every_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, BayesScalingError) and issubclass(kind, ValueError) and kind.__doc__
    assert issubclass(LawArgumentError, LawError) and issubclass(LawArgumentError, TypeError)


@pytest.mark.parametrize("value", [0, np.int64(7), np.uint8(3)])
def test_a_whole_number_may_be_numpys(value):
    assert whole("seed", value, 0) == value and type(whole("seed", value, 0)) is int


@pytest.mark.parametrize("value", [-1, 1.0, True, np.True_, "a", None])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(LawError, match=r"^seed is .*; give a whole number of at least 0\.$"):
        whole("seed", value, 0, LawError)


def test_a_seed_of_more_bits_than_there_are_is_refused():
    with pytest.raises(BayesScalingError, match=r"^seed is 9223372036854775808; give a whole number below 2\*\*63\.$"):
        whole("seed", 2**63, 0)


def test_the_nearest_word_is_suggested():
    assert suggest("chinchila", ["kaplan", "chinchilla"]) == "did you mean 'chinchilla'?"


def test_where_none_is_near_all_are_named_in_order():
    assert suggest("x", ["loss", "accuracy"]) == "known: accuracy, loss."
    assert suggest("x", []) == "known: none."


def test_words_may_be_anything():
    assert suggest(7, {1: "a", 70: "b"}) == "did you mean '70'?"
    assert suggest("2.0", iter([1.0, "large"])) == "did you mean '1.0'?"


def test_two_near_words_are_both_suggested_and_many_far_ones_are_counted():
    assert suggest("loss_c", ["loss_a", "loss_b", "N"]) in (
        "did you mean 'loss_a' or 'loss_b'?", "did you mean 'loss_b' or 'loss_a'?",
    )  # fmt: skip
    many = [f"column {i}" for i in range(30)]
    assert suggest("zzz", many).startswith("of 30 that are known, 'column ") and len(suggest("zzz", many)) < 80


def test_words_are_listed_and_cut_short_where_they_are_many():
    assert [listed([]), listed(["a"]), listed("ab")] == ["", "a", "a and b"]
    assert listed("abcd", 3) == "a, b, c and 1 more" and listed("abc", 3) == "a, b and c"


def test_options_are_said_in_the_words_of_python():
    assert errors.option("flops", "6ND") == "flops='6ND'" and errors.option("drop_missing") == "drop_missing=True"
    assert errors.mapped("loss", "val_loss") == "loss='val_loss'"


def test_and_in_those_of_the_command_line_where_a_command_is_run(command):
    assert errors.option("flops", "6ND") == "--flops 6ND" and errors.option("drop_missing") == "--drop-missing"
    assert errors.option("where", "N > 1e8") == '--where "N > 1e8"'
    assert errors.mapped("loss", "val_loss") == "--map loss=val_loss"


@pytest.mark.skipif(shutil.which("sh") is None, reason="the shell that reads the advice is not installed")
@pytest.mark.parametrize(
    "value", ["run != 'its'", "`train/share` != 0.1", 'run != "$HOME"', "a\\b;c", "7B", "a=B", "~"]
)
def test_an_option_that_is_advised_survives_a_shell(command, value):
    words = f"printf %s {errors.option('where', value).removeprefix('--where ')}"
    assert subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True).stdout == value
