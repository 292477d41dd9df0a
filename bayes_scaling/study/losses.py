"""Which columns are losses, by their names: those that a ladder goes through, and those that may be meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from bayes_scaling.errors import listed, mapped
from bayes_scaling.study.rows import PLACE
from bayes_scaling.study.validation import CANONICAL

__all__ = ["ERRORS", "is_loss", "loss_columns", "unread_losses"]

LOSS = re.compile(r"(.*[^a-z])?loss")
USUAL = ("task_loss", "c4_loss", "loss")
PENALTY = re.compile(r"(.*[^a-z])?(aux|auxiliary|router([^a-z]ce)?|balance|balancing|z)[^a-z]loss", re.IGNORECASE)
"""What routers are trained by besides."""
SURPRISE = re.compile(r"(.*[^a-z])?(loss|bpb|ppl|perplexity|nll|xent|cross_?entropy)([^a-z].*)?", re.IGNORECASE)
"""What may be a loss, or something beside one, and is not called as a loss."""
ERRORS = ("sd", "se", "sem", "std", "stderr", "stdev", "var", "err", "error", "ci")
"""Words for how far a number is off, in the names of columns."""
BESIDE = re.compile(
    rf".*[^a-z]({'|'.join(ERRORS)}|lo|hi|min|max|q\d+|window\d+|scale|weight|mask|steps?|tokens|n|count|spike)",
    re.IGNORECASE,
)
"""An error of a loss, or something else of it."""
PERPLEXITY = re.compile(r"ppl|perplexity", re.IGNORECASE)


def is_loss(name: str) -> bool:
    """Say whether a column is a loss by its name.

    What routers are trained by besides, as ``aux_loss`` and ``router_z_loss``, is none of text.

    Examples
    --------
    >>> is_loss("pile_loss"), is_loss("loss_sd"), is_loss("aux_loss")
    (True, False, False)
    """
    return bool(LOSS.fullmatch(name)) and not PENALTY.fullmatch(name)


def loss_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table that are losses by their names: ``task_loss``, ``c4_loss`` and ``loss`` first.

    Examples
    --------
    >>> loss_columns(pd.DataFrame(columns=["pile_loss", "loss_sd", "c4_loss", "aux_loss", "accuracy"]))
    ['c4_loss', 'pile_loss']
    """
    return sorted(
        filter(is_loss, map(str, table.columns)), key=lambda name: USUAL.index(name) if name in USUAL else len(USUAL)
    )


def unread_losses(table: pd.DataFrame, *, wide: bool = False) -> list[str]:
    """Return sentences where a table of tasks has columns that may be losses by their names, but are not read as such.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per run and task.
    wide : bool
        It was made of a wide table, of which rules are read.

    Examples
    --------
    >>> unread_losses(pd.DataFrame({"task": ["PIQA"], "c4_loss": [2.9], "pile-bpb": [0.9]}))
    ["Not read as a loss: 'pile-bpb'; to read one, give it a name that ends in loss, as in pile_loss='pile-bpb'."]
    """
    if "task" not in table:
        return []
    names = list(map(str, table.columns))
    penalties = [name for name in names if PENALTY.fullmatch(name)]
    known = {*loss_columns(table), *penalties, *CANONICAL}
    found = [name for name in names if name not in known and SURPRISE.fullmatch(name) and not BESIDE.fullmatch(name)]
    found = [name for name in found if pd.to_numeric(table[name], errors="coerce").notna().any()]
    rules = {name: _by_task(name, table) for name in found}
    of_tasks = [(name, rule) for name, rule in rules.items() if rule is not None]
    found = [name for name, rule in rules.items() if rule is None]
    said = []
    if of_tasks and "task_loss" not in table:
        name, rule = of_tasks[0]
        logs = ", and of perplexities give the logarithm" if PERPLEXITY.search(name) else ""
        cure = f"say {mapped('task_loss', rule)}" if wide else "put that of each row's task into a column task_loss"
        said.append(f"Not read: {name!r} and its like, which may be losses of the tasks; {cure}{logs}.")
    if found:
        logs = ", of perplexities the logarithm" if any(PERPLEXITY.search(name) for name in found) else ""
        said.append(
            f"Not read as a loss: {listed(map(repr, found))}; to read one{logs}, give it a name that ends in loss, as "
            f"in {mapped(_free_name(found[0], names), found[0])}."
        )
    if penalties:
        said.append(
            f"Not read, as what trains routers and no loss of text: {listed(map(repr, penalties))}; to read one all "
            f"the same, say {mapped(_free_name('other', names), penalties[0])}."
        )
    return said


def _by_task(name: str, table: pd.DataFrame) -> str | None:
    """Return the rule by which a column is of one task and another of another; None where there is no such."""
    tasks = list(map(str, table["task"].dropna().unique()))
    for task in sorted(tasks, key=len, reverse=True):
        rule = name.replace(task, PLACE, 1)
        if task in name and sum(rule.replace(PLACE, other, 1) in table for other in tasks) > 1:
            return rule
    return None


def _free_name(name: str, taken: Sequence[str]) -> str:
    """Return a name that ends in loss for a column that may be one: by its last word, or by all where that is taken."""
    words = [word for word in re.split(r"[\W_]+", name) if word]
    last = [word for word in words if not SURPRISE.fullmatch(word) and not word[0].isdigit()]
    short, whole = f"{last[-1] if last else 'val'}_loss", f"{'_'.join(words)}_loss"
    return short if short not in taken else whole if whole not in taken and not whole[0].isdigit() else f"my_{whole}"
