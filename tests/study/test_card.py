"""The card of a study: units go along with the columns they are of."""

from __future__ import annotations

import pytest

from bayes_scaling.study.card import Card, differing_measure


def test_units_go_along_with_renamed_columns():
    card = Card("one", units={"val": "nats", "loss": "bits", "other": "bytes"})
    assert card.renamed({"loss": "val"}).units == {"loss": "nats", "other": "bytes"}


def test_a_card_is_read_from_its_file(tmp_path):
    (tmp_path / "card.toml").write_text('name = "one"\n[units]\nloss = "nats"\n[origin]\nurl = "elsewhere"\n')
    assert Card.from_toml(tmp_path / "card.toml") == Card("one", units={"loss": "nats"})


def test_a_unit_is_said_without_what_stands_in_brackets():
    card = Card("one", units={"loss": "nats per token (on C4)"})
    assert (card.unit("loss"), card.unit("other"), card.unit("accuracy", "fraction")) == (
        "nats per token", "as given", "fraction",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "others", "differ"),
    [
        ({"tokeniser": "gpt2"}, {"tokeniser": "bytes"}, "tokeniser ('gpt2' and 'bytes')"),
        ({"tokeniser": "gpt2"}, {}, None),
        ({"units": {"loss": "nats"}}, {"units": {"loss": "bits"}}, "unit of 'loss' ('nats' and 'bits')"),
        ({"units": {"loss": "nats (on C4)"}}, {"units": {"loss": "nats"}}, None),
        ({"units": {"loss": "nats"}}, {"units": {"other": "bits"}}, None),
    ],
)
def test_measures_differ_where_both_are_stated_unlike(facts, others, differ):
    """Of a table that says nothing of its measure nothing is held against it."""
    one, other = Card("one", **facts), Card("other", **others)
    assert differing_measure(one, other, "loss") == differ
    assert (differing_measure(other, one, "loss") is None) == (differ is None)


def test_a_unit_that_a_law_knows_stands_for_one_that_the_card_does_not_state():
    card = Card("one", units={"accuracy": "per cent"})
    assert "('per cent' and 'fraction')" in differing_measure(card, Card("two"), "accuracy", ("fraction", "fraction"))
