"""The card of a study: where its table comes from, in which units it is, and what a reader must know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

__all__ = ["AS_GIVEN", "Card", "bare_unit", "differing_measure"]

AS_GIVEN = "as given"
"""Unit of what neither a card nor a user gave one: nothing is assumed, and nothing is converted."""


def bare_unit(unit: str) -> str:
    """Return a unit without what a card adds in brackets.

    Examples
    --------
    >>> bare_unit("nats per token (C4)")
    'nats per token'
    """
    return unit.partition(" (")[0]


@dataclasses.dataclass(frozen=True)
class Card:
    """What a reader must know of a table: source, licence, units and citation.

    Parameters
    ----------
    name, title : str
        Short name and one line on what the study holds.
    source, commit, licence, citation : str
        Public origin, pinned version, licence of the origin, paper.
    units : mapping of str to str
        Unit of each column, in words; nothing is converted by it.
    notes : str
        Quirks that bend a fit.
    tokeniser : str
        What its losses per token count: losses of two studies compare only under one tokeniser.
    """

    name: str
    title: str = ""
    source: str = ""
    commit: str = ""
    licence: str = ""
    citation: str = ""
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: str = ""
    tokeniser: str = ""

    def unit(self, column: str, default: str = AS_GIVEN) -> str:
        """Return the unit of a column without what the card adds in brackets; ``default`` where it states none."""
        return bare_unit(self.units[column]) if column in self.units else default

    def renamed(self, columns: Mapping[str, str]) -> Card:
        """Return the card of a table whose column ``columns[name]`` is called ``name``: its unit goes along."""
        known = {name: self.units[old] for name, old in columns.items() if old in self.units}
        gone = set(columns) | set(columns.values())
        kept = {name: unit for name, unit in self.units.items() if name not in gone}
        return dataclasses.replace(self, units=kept | known)

    @classmethod
    def from_toml(cls, path: Path) -> Card:
        """Read a card from ``card.toml``; keys that are not the card's (the file list) are left to the reader."""
        import tomllib

        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(**{f.name: entries[f.name] for f in dataclasses.fields(cls) if f.name in entries})


def differing_measure(
    card: Card, other: Card, column: str, units: tuple[str, str] = (AS_GIVEN, AS_GIVEN)
) -> str | None:
    """Return in what the outcomes of two studies are not measured alike, in words; None where nothing says so.

    They differ in what both state, unit or tokeniser, and state unlike; a card that is silent agrees with every other.

    Parameters
    ----------
    card, other : Card
        Of the two studies.
    column : str
        The outcome.
    units : tuple of str
        Unit of each where its card states none, as laws know it.

    Examples
    --------
    >>> differing_measure(Card("a", units={"loss": "nats"}), Card("b", units={"loss": "bits (on C4)"}), "loss")
    "unit of 'loss' ('nats' and 'bits')"
    >>> differing_measure(Card("a", tokeniser="gpt2"), Card("b"), "loss")
    """
    stated = {
        f"unit of {column!r}": (card.unit(column, units[0]), other.unit(column, units[1])),
        "tokeniser": (card.tokeniser, other.tokeniser),
    }
    for what, both in stated.items():
        if both[0] != both[1] and not {"", AS_GIVEN} & set(both):
            return f"{what} ({both[0]!r} and {both[1]!r})"
    return None
