"""Tables of priors, one per law, from the laws' own fields and docstrings.

A law's docstring has an entry for each of its parameters, ``name : Prior, unit`` and the reason.  What a law takes over
it need not say again: a unit that is missing is its base class's, as is a reason
(:func:`bayes_scaling.reporting.law_card.reasons`).
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator

import numpyro.distributions as dist

import bayes_scaling as bs
from bayes_scaling.models import LAWS
from bayes_scaling.models.defaults import law_by_name
from bayes_scaling.reporting.law_card import reasons

ENTRY = re.compile(r"^ *(\w+(?:, \w+)*) : Prior, (.+)$", re.MULTILINE)
COLUMNS = ("prior", "unit", "default", "median (90 %)", "reason")


def unit_of(law: type[bs.Law], name: str) -> str:
    """Return the unit of a prior, from the nearest docstring that states one."""
    for base in law.__mro__:
        for names, unit in ENTRY.findall(base.__doc__ or ""):
            if name in names.split(", "):
                return unit
    return ""


def defaults(law: type[bs.Law]) -> dict[str, str]:
    """Return the default of each field as it stands in the source of the class that sets it."""
    found: dict[str, str] = {}
    for base in reversed(law.__mro__[: law.__mro__.index(bs.Law) + 1]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for line in tree.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
                found[line.target.id] = ast.unparse(line.value)
    return found


def spread(prior: bs.Prior) -> str:
    """Return the median of a prior and the limits that hold 90 % of it."""
    if not isinstance(prior, dist.Distribution):
        return "fixed"
    low, middle, high = (f"{float(prior.icdf(q)):.2g}" for q in (0.05, 0.5, 0.95))
    return f"{middle} ({low} to {high})"


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Yield, for each prior of a law and each law within it, what the columns say."""
    law = law_by_name(name)
    code, why = defaults(type(law)), reasons(type(law))
    for field, value in ((f, getattr(law, f)) for f in sorted(code, key=("sigma", "discrepancy").__contains__)):
        if field in law.priors or isinstance(value, bs.Law):
            if isinstance(value, bs.Law):
                yield field, "a law", code[field], "see its own table", why[field]
            else:
                yield field, unit_of(type(law), field), code[field], spread(value), why[field]


def table(name: str) -> str:
    """Return the section of one law in reStructuredText."""
    law = law_by_name(name)
    found = list(rows(name))
    field, _, default, *_ = found[0]
    title = f"{law.name} (``{name}``)"
    lines = [title, "~" * len(title), "", f".. math:: {law.equation}", ""]
    lines += [f":class:`bayes_scaling.models.{law.name}`; to change a default: ``{law.name}({field}={default})``.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 12 14 28 16 40", ""]
    for cells in (COLUMNS, *((f"``{a}``", b, f"``{c}``", d, e) for a, b, c, d, e in found)):
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(cells)]
    return "\n".join((*lines, "", ""))


def every_table() -> str:
    """Return the sections of all laws."""
    return ".. py:currentmodule:: bayes_scaling.models\n\n" + "".join(table(name) for name in LAWS)
