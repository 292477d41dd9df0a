"""The card of a study: units go along with the columns they are of."""

from __future__ import annotations

from bayes_scaling.study.card import Card


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
