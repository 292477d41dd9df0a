"""What ``--prior`` says: a number that fixes a parameter, or a distribution by its name; read, never run."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpyro.distributions as dist

from bayes_scaling.errors import LawError, listed, suggest
from bayes_scaling.law.base import Law
from bayes_scaling.law.priors import LogitNormal, LogStudentT, Prior

__all__ = ["parse_prior", "with_priors"]

FAMILIES: dict[str, Any] = {
    name: getattr(dist, name)
    for name in (
        "Beta", "Cauchy", "Exponential", "Gamma", "Gumbel", "HalfCauchy", "HalfNormal", "InverseGamma", "Laplace",
        "LogNormal", "LogUniform", "Logistic", "Normal", "StudentT", "Uniform", "Weibull",
    )
} | {"LogitNormal": LogitNormal, "LogStudentT": LogStudentT}  # fmt: skip
"""Distributions of one number, by name."""
LIKE = 'write it like --prior E=1.69 or --prior "E=Normal(1.7, 0.1)"'


def with_priors(law: Law, given: Sequence[str] | None) -> Law:
    """Return a law with the priors of ``--prior``.

    Raises
    ------
    LawError
        A text is no prior, is of no parameter of the law, or of one that is given twice.
    """
    priors: dict[str, Prior] = {}
    for text in given or ():
        name, value = parse_prior(text)
        if name in priors:
            raise LawError(f"--prior gives {name} twice; give it once.")
        if name not in law.priors:
            raise LawError(f"--prior {text!r} is of no parameter of {law.name}; {suggest(name, law.priors)}")
        priors[name] = value
    return law.replace(**priors) if priors else law


def parse_prior(text: str) -> tuple[str, Prior]:
    """Read ``name=number`` or ``name=Distribution(numbers)``.

    Raises
    ------
    LawError
        It is neither, there is no such distribution, or it does not take these numbers.

    Examples
    --------
    >>> parse_prior("E=1.69")
    ('E', 1.69)
    >>> from bayes_scaling.law.priors import describe
    >>> describe(parse_prior("alpha_N=LogNormal(-1.2, scale=0.1)")[1])
    'LogNormal(loc=-1.2, scale=0.1)'
    """
    name, sign, value = (part.strip() for part in text.partition("="))
    if not (name.isidentifier() and sign and value):
        raise LawError(f"--prior {text!r} is not a parameter and its prior; {LIKE}.")
    try:
        node = ast.parse(value, mode="eval").body
        if not isinstance(node, ast.Call):
            return name, _number(node)
        kind = node.func.id if isinstance(node.func, ast.Name) else ""
        positional = [_number(argument) for argument in node.args]
        named = {str(one.arg): _number(one.value) for one in node.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LawError(f"--prior {text!r} is neither a number nor a distribution of numbers; {LIKE}.") from None
    family = FAMILIES.get(kind)
    if family is None:
        raise LawError(f"--prior {text!r} names no distribution that is known; {suggest(kind, FAMILIES)}")
    try:
        family(*positional, **named, validate_args=True)
        prior = family(*positional, **named)
    except Exception as error:  # each distribution refuses its arguments in its own way
        takes = listed(family.arg_constraints)
        raise LawError(f"--prior {text!r} makes no {kind}, which takes {takes}, each in its range; {LIKE}.") from error
    if len(positional) + len(named) < len(family.arg_constraints):  # the others would be what nobody said
        raise LawError(f"--prior {text!r} does not give all of {listed(family.arg_constraints)}; {LIKE}.")
    return name, prior


def _number(node: ast.AST) -> float:
    """Return a literal number; a ValueError where it is none."""
    value = ast.literal_eval(node)  # literals alone: nothing is called
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(value)
    return float(value)
