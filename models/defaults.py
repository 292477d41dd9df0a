"""Which law to fit where nobody named one, and laws by their name on the command line."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bayes_scaling.errors import COMMAND_LINE, LawError, StudyError, suggest
from bayes_scaling.models import LAWS
from bayes_scaling.study.losses import loss_columns
from bayes_scaling.study.reading import SYMBOLS, remedy

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["AVERAGE", "SINGLE", "default_laws", "law_by_name", "no_scale"]


AVERAGE = "average"
"""Name of the recommended forecast of one loss (:func:`bayes_scaling.forecast_runs`) on the command line."""
SINGLE = ("chinchilla", "power_law")
"""The laws that columns of one loss call for, in whose place a forecast averages several."""


def law_by_name(name: str, study: Study | None = None) -> Law:
    """Return a law with its own priors, by its name in :data:`bayes_scaling.models.LAWS` or its class name.

    A law in one column of the user's choice takes it after a colon, and the two-step law its loss; without one it
    describes the losses of ``study`` together, and goes through the first.

    Raises
    ------
    LawError
        There is no such law, or it has no choice of a column.

    Examples
    --------
    >>> law_by_name("power_law").name, law_by_name("power_law:tokens").run_inputs
    ('PowerLaw', ('D',))
    """
    name, chosen, column = name.partition(":")
    names = {**{law: module for module, law in LAWS.items()}, **{module: module for module in LAWS}}
    if name not in names:
        raise LawError(f"There is no law {name!r}; {suggest(name, LAWS)}")
    module = names[name]
    law = getattr(importlib.import_module(f"bayes_scaling.models.{module}"), LAWS[module])
    losses = (column,) if column else tuple(loss_columns(study.frame)) if study is not None else ()
    if "feature" in law.notes and losses:
        return law(feature=losses[0], jointly=losses)
    if not chosen:
        return law()
    if "column" not in law.notes or not column:
        raise LawError(
            f"The law {name + chosen + column!r} is no law in a column; write power_law:COLUMN, or {module} alone."
        )
    return law(column=column)


def default_laws(study: Study) -> tuple[str, tuple[Law, ...]]:
    """Return the law a study calls for: its name, and the one or more variants whose forecasts are averaged.

    Tasks call for the two-step law (through each loss that is there, and in a single step where none is; from FLOPs
    where parameters or tokens are not known), parameters and tokens for Chinchilla, FLOPs alone for a power law.

    Raises
    ------
    StudyError
        The study has no inputs any of them could use.
    """
    columns = set(study.frame.columns)
    sized = {SYMBOLS["N"], SYMBOLS["D"]} <= columns
    if {"task", "accuracy"} <= columns and (sized or SYMBOLS["C"] in columns):
        laws = two_step_routes(study)
        return ("two_step" if laws[0].route else "two_step in a single step"), laws
    for name, symbols in (("chinchilla", "ND"), ("power_law", "C")):
        if {SYMBOLS[s] for s in symbols} <= columns:
            return name, (law_by_name(name),)
    raise no_scale(study)


def no_scale(study: Study) -> StudyError:
    """Return the error of a study whose runs have neither FLOPs nor both of parameters and tokens."""
    columns = study.frame.columns
    lacking = [SYMBOLS[s] for s in "ND" if SYMBOLS[s] not in columns]
    (known,) = [SYMBOLS[s] for s in "ND" if SYMBOLS[s] in columns] or [""]
    law = f"--law power_law:{known}" if COMMAND_LINE.get() else f"PowerLaw(column={known!r})"
    alone = f" (a law in {known} alone is {law})" if known else ""
    scored = loss_columns(study.frame) or {"accuracy", "error"} & set(columns)
    return StudyError(
        f"Study {study.name!r} has neither FLOPs nor both of n_params and tokens, of which it lacks "
        f"{' and '.join(lacking)}{alone}{'' if scored else ', nor a loss'}; {remedy(lacking[0], columns)}"
    )


def two_step_routes(study: Study) -> tuple[Law, ...]:
    """Return the two-step law through each loss of a study, or in a single step; from FLOPs for want of N or D."""
    from bayes_scaling.models.two_step import routes, single_step

    losses = loss_columns(study.frame)
    sized = {SYMBOLS["N"], SYMBOLS["D"]} <= set(study.frame.columns)
    return routes(losses, by_compute=not sized) if losses else (single_step(lean=True, by_compute=not sized),)
