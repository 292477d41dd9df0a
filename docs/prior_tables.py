"""Tables of priors, one per law, from what the laws say of their fields (:attr:`bayes_scaling.Law.notes`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpyro.distributions as dist

import bayes_scaling as bs
from bayes_scaling.law.priors import describe
from bayes_scaling.models import LAWS
from bayes_scaling.models.defaults import law_by_name

COLUMNS = ("prior", "unit", "default", "median (90 %)", "reason")


def spread(prior: bs.Prior) -> str:
    """Return the median of a prior and the limits that hold 90 % of it."""
    if not isinstance(prior, dist.Distribution):
        return "fixed"
    low, middle, high = (f"{float(prior.icdf(q)):.2g}" for q in (0.05, 0.5, 0.95))
    return f"{middle} ({low} to {high})"


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Yield, for each prior of a law and each law within it, what the columns say."""
    law = law_by_name(name)
    for field, note in law.notes.items():
        value = law.fields[field]
        if isinstance(value, bs.Law):
            yield field, "a law", value.name, "see its own table", note.reason
        elif note.kind == "prior":
            yield field, note.unit, describe(value), spread(value), note.reason


def table(name: str) -> str:
    """Return the section of one law in reStructuredText."""
    law = law_by_name(name)
    title = f"{law.name} (``{name}``)"
    lines = [title, "~" * len(title), "", f".. math:: {law.equation}", ""]
    lines += [f":class:`bayes_scaling.models.{law.name}`; to change a default: ``{law.name}(NAME=PRIOR)``.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 12 14 28 16 40", ""]
    for cells in (COLUMNS, *((f"``{a}``", b, f"``{c}``", d, e) for a, b, c, d, e in rows(name))):
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(cells)]
    return "\n".join((*lines, "", ""))


def every_table() -> str:
    """Return the sections of all laws."""
    return ".. py:currentmodule:: bayes_scaling.models\n\n" + "".join(table(name) for name in LAWS)
