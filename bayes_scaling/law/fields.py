"""The fields of a law: parameters with a unit and a reason beside their prior, static options, and data."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpyro.distributions import Delta, Distribution, ImproperUniform, Uniform

from bayes_scaling.errors import LawArgumentError, LawError, listed, suggest
from bayes_scaling.law.priors import Prior, describe
from bayes_scaling.study.rows import shown

__all__ = ["FieldNote", "data_field", "document", "field_notes", "is_prior", "option", "prior"]

RANGES: Mapping[str, Callable[[float], bool]] = {
    "number": lambda value: not math.isnan(value),
    "number of zero or more": lambda value: value >= 0,
    "positive number": lambda value: 0 < value < math.inf,
    "share between 0 and 1": lambda value: 0 <= value <= 1,
}
OPTIONS: Mapping[str, tuple[type, str]] = {
    "bool": (bool, "True or False"),
    "int": (int, "a whole number"),
    "str": (str, "text"),
    "tuple": (tuple, "a tuple"),
}
LAST = ("sigma", "discrepancy")  # of every law's parameters
WIDTH = 112  # of the text that is put into docstrings


@dataclasses.dataclass(frozen=True)
class FieldNote:
    """What is said of a field beside its default.

    Attributes
    ----------
    kind : str
        ``prior`` (a parameter), ``option`` (static: part of the identity of the compiled program) or ``data``.
    unit : str
        Of a parameter; empty for the others.
    reason : str
        Why the prior is what it is, or what the option or datum means; reStructuredText.
    wanted : str
        What a datum that is a number has to be, a key of ``RANGES``.
    """

    kind: str
    unit: str = ""
    reason: str = ""
    wanted: str = "number"


def prior(*, default: Prior, unit: str, reason: str) -> Any:
    """Return the field of a parameter: its prior, its unit, and the reason for the prior.

    Documentation, reports and ``bayes-scaling laws`` show all three.  A plain ``name: Prior = distribution`` is a
    parameter too, without words.

    Parameters
    ----------
    default : Distribution or float
        A scalar NumPyro distribution, or the number at which the parameter is fixed.
    unit : str
        Unit of the parameter: ``nats per token``, ``share``, ``pure number``.
    reason : str
        Why this prior, in reStructuredText.

    Examples
    --------
    >>> import bayes_scaling as bs, numpyro.distributions as dist
    >>> class Constant(bs.Law):
    ...     E: bs.Prior = bs.prior(default=dist.LogNormal(0.5, 0.5), unit="nats per token", reason="Wide.")
    ...     def mean(self, N, *, E):
    ...         return E + 0 * N
    >>> Constant.notes["E"].unit
    'nats per token'
    """
    return dataclasses.field(default=default, metadata={"note": FieldNote("prior", unit, reason)})


def option(*, default: Any, about: str) -> Any:
    """Return the field of a static option: a choice that shapes the compiled program.

    Parameters
    ----------
    default : object
        Hashable: text, a whole number, True or False, None, a tuple of these.
    about : str
        What it chooses, in reStructuredText.
    """
    return dataclasses.field(default=default, metadata={"note": FieldNote("option", reason=about)})


def data_field(*, default: Any, about: str, wanted: str = "number") -> Any:
    """Return the field of a number, or of a law that this law holds: another value never compiles a program again.

    Parameters
    ----------
    default : float, Law or None
        The value; where it is a law, another has to be one, too.
    about : str
        What it is, in reStructuredText.
    wanted : str
        What a number has to be: ``number``, ``number of zero or more``, ``positive number`` or ``share between 0 and
        1``.
    """
    return dataclasses.field(default=default, metadata={"note": FieldNote("data", reason=about, wanted=wanted)})


def is_prior(field: dataclasses.Field[Any]) -> bool:
    """Say whether a field is a parameter: annotated ``Prior``."""
    return field.type == Prior or str(field.type).rpartition(".")[2] == "Prior"


def in_support(value: float, default: Prior) -> bool:
    """Say whether a fixed value lies in the support of a parameter's own prior, or at its bound."""
    if not isinstance(default, Distribution):
        return True
    low, high = (getattr(default.support, end, None) for end in ("lower_bound", "upper_bound"))
    return (low is None or value >= low) and (high is None or value <= high)


def no_gradient(own: Distribution) -> str:
    """Return what to do about a prior that no sampler of this package can move along; empty for all others."""
    if isinstance(own, Delta):
        return f"which holds one value; fix the parameter by the number {float(own.v):g} itself"
    if isinstance(own, ImproperUniform):
        return "from which nothing can be drawn; give a proper one, however wide"
    if isinstance(own, Uniform) and not np.isfinite([own.low, own.high]).all():
        return "which has no end; give a proper one, however wide"
    return "which is discrete; give a continuous one" if own.support.is_discrete else ""


def require_fields(law: type, notes: Mapping[str, FieldNote], fields: Mapping[str, Any]) -> None:
    """Refuse data of a law that are not what their field wants, and options of another type than is declared.

    Raises
    ------
    LawError
        There is one.
    """
    for name, declared in _types(law).items():
        value, note = fields[name], notes[name]
        kinds = [kind.partition("[")[0].strip() for kind in declared.split(" or ")]
        kind = next(one for one in kinds if one != "None")
        if note.kind == "prior" or (value is None and "None" in kinds):
            continue
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        wanted, fits = f"a {note.wanted}", True
        if note.kind == "option" and kind in OPTIONS:
            own, wanted = OPTIONS[kind]
            fits = isinstance(value, own) and isinstance(value, bool) == (kind == "bool")
        elif note.kind == "data" and number:
            fits = RANGES[note.wanted](float(value))
        elif note.kind == "data":
            fits = kind != "float" or hasattr(value, "dtype")  # arrays, in a program
        if not fits:
            given = f"{value:g}" if number else shown(value)
            raise LawError(f"{law.__name__}.{name} is {given}; give {wanted}{', or None' * ('None' in kinds)}.")


def by_name(law: Any) -> Callable[..., None]:
    """Return the constructor of a law, which says in a sentence what is misspelt; what is not given is its own.

    Raises
    ------
    LawArgumentError
        By the constructor: an argument without a name, or with one that is no field of the law.
    """
    construct = law.__init__

    @functools.wraps(construct)
    def checked(self: Any, *args: Any, **fields: Any) -> None:
        if args:
            raise LawArgumentError(f"{law.__name__} takes its priors by name, as in {law.__name__}(sigma=0.01).")
        for name in fields:
            if name not in law.notes:
                raise LawArgumentError(f"{law.__name__} has no parameter {name!r}; {suggest(name, law.notes)}")
        construct(self, **{**law.own_priors(fields), **fields})

    return checked


def field_notes(law: type) -> dict[str, FieldNote]:
    """Return what is said of each field of a law; where a class changes a default alone, its base's words stay.

    Raises
    ------
    LawError
        A field is neither a parameter nor made by :func:`.option` or :func:`.data_field`, or a prior lacks the
        annotation that makes it one.
    """
    found: dict[str, FieldNote] = {}
    for base in reversed(law.__mro__):
        own = inspect.get_annotations(base)
        for name, value in vars(base).items():
            if name not in own and (isinstance(value, Distribution) or (name in found and _is_number(value))):
                raise LawError(
                    f"{law.__name__}.{name} = {_said(value)} is no field without an annotation; write "
                    f"{name}: bs.Prior = {_said(value)}."
                )
        for field in dataclasses.fields(base) if dataclasses.is_dataclass(base) else ():
            name = field.name
            if name not in own:
                continue
            note = field.metadata.get("note") or found.get(name) or (FieldNote("prior") if is_prior(field) else None)
            if note is None:
                raise LawError(
                    f"{law.__name__}.{name} is no parameter; annotate it Prior if it is one, or give it as "
                    f"bs.option(default={field.default!r}, about='what it chooses') or bs.data_field(...)."
                )
            found[name] = note
    return {name: found[name] for name in sorted(found, key=LAST.__contains__)}


def equation_inputs(law: Any, parameters: set[str]) -> tuple[str, ...]:
    """Return the columns that the equation of a law reads: the positional arguments of its ``mean``.

    Raises
    ------
    LawError
        Its keyword-only arguments are not its parameters.
    """
    name = law.__name__
    arguments = [p for p in inspect.signature(law.mean).parameters.values() if p.name != "self"]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in arguments):
        raise LawError(f"{name}.mean takes *args or **kwargs; name each column and each parameter instead.")
    columns = [p.name for p in arguments if p.kind is not p.KEYWORD_ONLY]
    if before := [column for column in columns if column in parameters]:
        rest = [p.name for p in arguments if p.name not in before and p.kind is p.KEYWORD_ONLY]
        right = ", ".join(["self", *(c for c in columns if c not in before), "*", *before, *rest])
        raise LawError(
            f"{name}: {listed(before)} of mean {'are parameters' if len(before) > 1 else 'is a parameter'} and "
            f"stand{'' if len(before) > 1 else 's'} where columns do; put * before the parameters, as in mean({right})."
        )
    wanted = {p.name for p in arguments if p.kind is p.KEYWORD_ONLY}
    missing, unused = sorted(wanted - parameters), sorted(parameters - wanted)
    if plain := [one for one in missing if _is_number(vars(law).get(one))]:
        value = vars(law)[plain[0]]
        raise LawError(
            f"{name}.{plain[0]} = {value!r} is no field without an annotation; write {plain[0]}: bs.Prior = {value!r}."
        )
    if missing or unused:
        found = [f"{', '.join(missing)} has no prior"] if missing else []
        found += [f"{', '.join(unused)} is not used by mean"] if unused else []
        raise LawError(
            f"{name}: every prior is a keyword-only argument of mean and the other way round, but "
            f"{' and '.join(found)}."
        )
    return tuple(columns)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _said(value: Any) -> str:
    return f"dist.{describe(value)}" if isinstance(value, Distribution) else repr(value)


def document(text: str, law: type, notes: Mapping[str, FieldNote]) -> str:
    """Return the docstring of a law with the section of its parameters, made from its fields.

    Parameters
    ----------
    text : str
        What somebody wrote: summary, equation, notes, references, examples.
    law : type
        The class, for the types of its fields.
    notes : mapping of str to FieldNote
        What is said of them.
    """
    body = inspect.cleandoc(text)
    section = "\n".join(("Parameters", "----------", *_entries(notes, _types(law))))
    following = re.search(r"^(Raises|Notes|References|Examples)\n-{3,}$", body, re.MULTILINE)
    if following is None:
        return f"{body}\n\n{section}\n"
    return f"{body[: following.start()]}{section}\n\n{body[following.start() :]}"


def _entries(notes: Mapping[str, FieldNote], types: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the section; fields in a row that have the same words share an entry."""
    names = list(notes)
    while names:
        first = notes[names[0]]
        alike = [n for n in names if notes[n] == first and types[n] == types[names[0]]]
        group = [n for n, m in zip(names, alike, strict=False) if n == m]  # those that follow one another
        names = names[len(group) :]
        yield f"{', '.join(group)} : {types[group[0]]}{', ' + first.unit if first.unit else ''}"
        yield from textwrap.wrap(first.reason, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _types(law: type) -> dict[str, str]:
    """Return the type that each field declares, in words."""
    types = {f.name: f.type.__name__ if isinstance(f.type, type) else str(f.type) for f in dataclasses.fields(law)}
    return {f.name: "Prior" if is_prior(f) else types[f.name].replace(" | ", " or ") for f in dataclasses.fields(law)}
