"""What the package carries, as tables for the screen: its laws, the priors of one, its studies."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bayes_scaling.data import embedded, load_study
from bayes_scaling.law.base import Law
from bayes_scaling.law.priors import RunScaled, describe
from bayes_scaling.reporting.law_card import prose
from bayes_scaling.study.card import Card, bare_unit
from bayes_scaling.study.reading import symbol_of

__all__ = ["law_table", "prior_table", "study_table"]

FOLLOWS = "Follows the range of the runs, since nothing is known of this column beforehand."


def law_table(laws: Mapping[str, Law]) -> Table:
    """Return the table of the laws."""
    table = Table(box=SIMPLE_HEAD, title="Laws", title_justify="left")
    table.add_column("law", min_width=max(map(len, laws)), no_wrap=True)
    for heading in ("inputs", "forecasts", "equation"):
        table.add_column(heading, overflow="fold")
    for name, law in laws.items():
        table.add_row(name, ", ".join([*law.run_inputs, *_keys(law)]), _outcomes(law), plain(law.equation))
    return table


def _keys(law: Law) -> tuple[str, ...]:
    """Return the columns that tell the rows of a joint law apart."""
    return ("run", "task") if law.by_task else ()


def _outcomes(law: Law) -> str:
    return "; ".join(f"{quantity} ({unit})" for quantity, unit in law.quantities.items())


def plain(equation: str) -> str:
    r"""Return a LaTeX equation as plain text; braces around more than one word become brackets.

    Examples
    --------
    >>> plain(r"L = E + A / N^{\alpha_N}"), plain(r"K (L_0 - E_0)^{a / b}")
    ('L = E + A / N^alpha_N', 'K (L_0 - E_0)^(a / b)')
    """
    for old, new in (
        (r"\to", "->"),
        (r"\sim", "~"),
        (r"\cdot", "*"),
        (r"\,", " "),
        (r"\quad", " with"),
    ):
        equation = equation.replace(old, new)
    equation = re.sub(r"\\(?:mathrm|text)\{(.*?)\}", r"\1", equation).replace("\\", "")
    while braces := re.search(r"\{([^{}]*)\}", equation):
        inner = braces[1].strip()
        shown = inner if re.fullmatch(r"\w+", inner) else f"({inner})"
        equation = equation[: braces.start()] + shown + equation[braces.end() :]
    return " ".join(equation.split())


def prior_table(law: Law) -> Table:
    """Return the table of the parameters of a law: prior, unit and reason, below its equation and its columns."""
    read = [name if name == column else f"{column} ({name})" for name, column in law.columns.items()]
    column = law.fields.get("column")  # of the user's choice, which the equation calls C
    own = f", where C is {column}" if column and symbol_of(column) != "C" else ""
    title = f"{law.name}: {plain(law.equation)}{own}\n"
    title += f"Reads {', '.join([*read, *_keys(law)])}; forecasts {_outcomes(law)}"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_lines=True)
    for heading in ("parameter", "prior", "unit", "reason"):
        table.add_column(heading)
    for name, note in law.notes.items():
        value = describe(law.priors[name]) if name in law.priors else str(law.fields[name])
        follows = isinstance(law.priors.get(name), RunScaled)
        table.add_row(name, value, note.unit, FOLLOWS if follows else prose(note.reason))
    return table


def study_table(cards: Mapping[str, Card]) -> Table:
    """Return the table of the studies; rows are counted where the package carries the table."""
    table = Table(box=SIMPLE_HEAD, title="Studies", title_justify="left", show_lines=True)
    for heading in ("study", "rows", "units", "licence", "embedded"):
        width = {"licence": 22, "embedded": 8}.get(heading)
        table.add_column(heading, justify="right" if heading == "rows" else "left", width=width)
    for name, card in cards.items():
        carried = embedded(name)
        rows = str(len(load_study(name))) if carried else "-"
        table.add_row(name, rows, unit_lines(card.units), card.licence, "yes" if carried else "no")
    return table


def unit_lines(units: Mapping[str, str]) -> str:
    """Return the columns by their unit, a line each; what a card adds in brackets is left to the card.

    Examples
    --------
    >>> unit_lines({"loss": "nats", "c4_loss": "nats (on C4)"})
    'nats: loss, c4_loss'
    """
    columns: dict[str, list[str]] = {}
    for column, unit in units.items():
        columns.setdefault(bare_unit(unit), []).append(column)
    return "\n".join(f"{unit}: {', '.join(names)}" for unit, names in columns.items())
