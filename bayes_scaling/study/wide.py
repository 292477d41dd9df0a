"""Wide tables of accuracies, a column per task, as long ones, a row per run and task."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from bayes_scaling.errors import StudyError, listed, mapped, option, suggest
from bayes_scaling.study.losses import ERRORS, loss_columns
from bayes_scaling.study.rows import PLACE, absent, numbered, shown, task_name

__all__ = [
    "chance_of_others",
    "chances",
    "lengthened",
    "rules_of",
    "unread_accuracies",
    "with_chance",
]

ACCURACY = re.compile(r"(^|[^a-z])(acc|accuracy)([^a-z].*)?$", re.IGNORECASE)  # in the name of a column
SCORE = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])", re.IGNORECASE)  # in a rule
MARKS = re.compile(r"[\W_]+")  # between words
OF_ERRORS = {*ERRORS} - {"err", "error", "var"}  # which may be of tasks, as error_detection
BESIDE = ("chance", "questions", "task_loss")
"""What a wide table may hold for each task besides: ``chance_PIQA``, ``questions_PIQA``, ``task_loss_PIQA``."""
LOSSES = tuple(rule.replace("-", mark) for rule in ("TASK-loss", "loss-TASK") for mark in "_/.-")
"""What losses may be called by their tasks, besides what accuracies are; read where each task has one."""


def lengthened(
    table: pd.DataFrame,
    accuracy_columns: str | Sequence[str],
    chance: float | Mapping[str, float] | None = None,
    rules: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table with a row per run and task, from one with a row per run and a column per task, and remarks.

    Rows of one run keep its label, and with it the number of its row in the file.

    Parameters
    ----------
    table : pandas.DataFrame
        The wide table.  Columns ``chance_PIQA``, ``questions_PIQA`` and ``task_loss_PIQA`` belong to the task PIQA; so
        does ``PIQA_loss``, where each task has such a one, or ``eval/PIQA/loss`` beside the rule ``eval/TASK/acc``.
    accuracy_columns : str or sequence of str
        The columns of accuracies, called as their tasks; or a rule such as ``accuracy_TASK`` or ``TASK_acc``, by which
        the columns are found and the tasks named.  A text is split at commas unless a column is called so.  Columns
        that a rule finds and in which no run has a score are not read.
    chance : float or mapping of str to float, optional
        Accuracy of guessing, a fraction: of all tasks, or by task; a column ``chance``, or what ``rules`` call so,
        counts for those that are not named.
    rules : mapping of str to str, optional
        Further columns of a task each, by what they become: ``{"task_loss": "bpb_TASK"}``.

    Raises
    ------
    StudyError
        The table is long already, no column is named, or none is called so, two are of one task, or the chance of a
        task is not given.

    Examples
    --------
    >>> wide = pd.DataFrame({"run": ["a", "b"], "PIQA_acc": [0.6, 0.7], "ARC_acc": [0.3, None]})
    >>> lengthened(wide, "TASK_acc", {"PIQA": 0.5, "ARC": 0.25})[0].to_dict("list")["task"]
    ['PIQA', 'ARC', 'PIQA', 'ARC']
    """
    for name in ("task", "accuracy"):
        if name in table:
            raise StudyError(
                f"The table has a column {name!r}, so it has a row per run and task already; leave "
                "the columns of accuracies out."
            )
    tasks, of_rules = _columns_by_task(table, accuracy_columns)
    if "run" not in table:
        table = table.assign(run=numbered(table))
    beside = _beside(table, tasks, rules or {})
    of_others = dict.fromkeys(tasks, "chance") if "chance" in table else {}
    of_others |= beside["chance"] if "chance" in (rules or {}) else {}
    known = {task: table[column] for task, column in of_others.items()}
    by_task = None if chance is None else chances(tasks, chance, known)
    losses = [SCORE.sub("loss", rule) for rule in _texts(accuracy_columns) if PLACE in rule and SCORE.search(rule)]
    found, unread, remarks = _losses_by_task(table, tasks, [*losses, *LOSSES], known=bool(beside["task_loss"]))
    beside |= {"task_loss": found} if found else {}
    taken = {*tasks.values(), *unread, *(column for own in beside.values() for column in own.values())}
    kept = table.drop(columns=list(taken))
    blocks = []
    for task, column in tasks.items():
        own: dict[str, Any] = {name: table[found[task]] for name, found in beside.items() if task in found}
        if by_task is not None:
            own["chance"] = by_task[task]
        blocks.append(kept.assign(task=task, accuracy=table[column], **own))
    return pd.concat(blocks).sort_index(kind="stable"), [*of_rules, *remarks]


def unread_accuracies(table: pd.DataFrame) -> list[str]:
    """Return a sentence where a table without tasks has columns called as accuracies of tasks are, which nothing reads.

    Examples
    --------
    >>> unread_accuracies(pd.DataFrame(columns=["run", "piqa_acc"]))[0]
    "Accuracies, as in 'piqa_acc', are not read; for tasks, say accuracy_columns='TASK_acc' and chance=0.25 (or any)."
    """
    found = [str(name) for name in table if ACCURACY.search(str(name)) and str(name) != "accuracy"]
    found = [name for name in found if OF_ERRORS.isdisjoint(MARKS.split(name.lower()))]
    if not found or "task" in table:
        return []
    end = ACCURACY.search(found[0])
    rule = PLACE + found[0][end.start() :] if end and end.start() else found[0]
    return [
        f"Accuracies, as in {found[0]!r}, are not read; for tasks, say {option('accuracy_columns', rule)} and "
        f"{option('chance', 0.25)} (or any)."
    ]


def rules_of(columns: Mapping[str, str], table: pd.DataFrame) -> dict[str, str]:
    """Return what ``columns`` (ours: theirs) say by a rule, which is no column of the table.

    Examples
    --------
    >>> rules_of({"loss": "val", "task_loss": "TASK_bpb"}, pd.DataFrame(columns=["val", "PIQA_bpb"]))
    {'task_loss': 'TASK_bpb'}
    """
    return {ours: theirs for ours, theirs in columns.items() if PLACE in theirs and theirs not in table}


def _beside(table: pd.DataFrame, tasks: Collection[str], rules: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the columns beside the accuracies, by what they become and by task.

    Raises
    ------
    StudyError
        No column is called by one of the rules.
    """
    found = {name: _of_tasks(table, tasks, f"{name}_{PLACE}") for name in BESIDE}
    for name, rule in rules.items():
        found[name] = _of_tasks(table, tasks, rule)
        if not found[name]:
            raise StudyError(
                f"No column of the table is called like {rule!r}, with one of the tasks {listed(tasks)} for {PLACE}."
            )
    return found


def _losses_by_task(
    table: pd.DataFrame, tasks: Collection[str], rules: Iterable[str], *, known: bool
) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the losses that are called by their tasks, those that are not read, and remarks on either.

    Those of some tasks alone are not read where other losses are there: all runs and tasks share what is not of a task.
    """
    called = [own for rule in rules if (own := _of_tasks(table, tasks, rule))]
    if not called:
        return {}, [], []
    fullest_last = sorted(reversed(called), key=len)
    every = {task: column for own in fullest_last for task, column in own.items()}
    known = known or "task_loss" in table
    read = {task: every[task] for task in tasks} if len(every) == len(tasks) and not known else {}
    columns = dict.fromkeys(column for own in called for column in own.values())
    unread = [column for column in columns if column not in read.values()]
    said = []
    if read:
        first = next(iter(read.values()))
        said.append(
            f"Read without being told: {first!r} and its like as the losses of their tasks; say otherwise with "
            f"{mapped('task_loss', 'YOURS')}."
        )
    if not (read or known or {*loss_columns(table)} - {*unread}):
        names = listed(map(repr, unread))
        said = [f"Read as what all tasks share, though called as of one task: {names}; leave it out if it is not."]
        return {}, [], said
    if unread:
        without = next((task for task in tasks if task not in every), None)
        why = "others are read" if read else "task_loss is there, too" if known else f"{without!r} has none"
        said.append(
            f"Not read, as a loss of one task each, since {why}: {listed(map(repr, unread))}; if all tasks share one, "
            f"say {mapped('shared_loss', unread[0])}."
        )
    return read, unread, said


def _of_tasks(table: pd.DataFrame, tasks: Collection[str], rule: str) -> dict[str, str]:
    """Return the columns that a rule finds for the tasks."""
    called = {task: rule.replace(PLACE, task, 1) for task in tasks}
    return {task: column for task, column in called.items() if column in table}


def chance_of_others(chance: Any) -> tuple[str | None, Any]:
    """Return the column that holds the chance of tasks that are not named, and what is given besides.

    Examples
    --------
    >>> chance_of_others("guess"), chance_of_others({"TASK": "guess", "PIQA": 0.5}), chance_of_others(0.25)
    (('guess', None), ('guess', {'PIQA': 0.5}), (None, 0.25))
    """
    if isinstance(chance, str):
        return chance, None
    if isinstance(chance, Mapping) and isinstance(column := chance.get(PLACE), str):
        return column, {task: value for task, value in chance.items() if task != PLACE} or None
    return None, chance


def with_chance(table: pd.DataFrame, chance: float | Mapping[str, float]) -> pd.DataFrame:
    """Return a long table with the accuracy of guessing; what it says itself counts for tasks that are not named."""
    tasks = table["task"].map(task_name, na_action="ignore") if "task" in table else pd.Series("accuracy", table.index)
    known: dict[str, Any] = {}
    for task, value in zip(tasks, table["chance"], strict=True) if "chance" in table else ():
        if absent(known.get(task)):
            known[task] = value
    chance = {task_name(task): value for task, value in chance.items()} if isinstance(chance, Mapping) else chance
    found = tasks.map(chances(tasks.dropna().unique(), chance, known))
    if "chance" in table and isinstance(chance, Mapping) and PLACE not in chance:
        unnamed = ~tasks.isin(list(chance)) & ~table["chance"].map(absent).astype(bool)
        found = found.astype(object).mask(unnamed, table["chance"])  # each row its own, which need not be one number
    return table.assign(chance=found)


def chances(
    tasks: Collection[str], given: float | Mapping[str, float], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the accuracy of guessing of each task.

    Parameters
    ----------
    tasks : collection of str
        The tasks.
    given : float or mapping of str to float
        Of all tasks, or by task; ``TASK`` stands for all that are not named.
    known : mapping, optional
        What the table says of those that are not named: a number each, or of each run its own.

    Raises
    ------
    StudyError
        That of a task is not given, or is given for a task that is not there, or several are given without names.

    Examples
    --------
    >>> chances(["PIQA", "COPA"], 0.5), chances(["PIQA", "ARC"], {"TASK": 0.25, "PIQA": 0.5})
    ({'PIQA': 0.5, 'COPA': 0.5}, {'PIQA': 0.5, 'ARC': 0.25})
    """
    if not isinstance(given, Mapping):
        if not pd.api.types.is_scalar(given):
            raise StudyError(
                f"The chance is {shown(given)}; give one number for all tasks, or one for each by its name: "
                f"{', '.join(map(repr, tasks))}."
            )
        return dict.fromkeys(tasks, given)
    if PLACE in given and PLACE not in tasks:
        known, given = dict.fromkeys(tasks, given[PLACE]), {t: value for t, value in given.items() if t != PLACE}
    given = {**(known or {}), **given}
    if lacking := [task for task in tasks if task not in given]:
        raise StudyError(f"The chance of {lacking[0]!r} is not given; give it for {', '.join(map(repr, tasks))}.")
    if unknown := [task for task in given if task not in tasks]:
        raise StudyError(f"A chance is given for {unknown[0]!r}, which is no task here; {suggest(unknown[0], tasks)}")
    return {task: given[task] for task in tasks}


def _columns_by_task(table: pd.DataFrame, given: str | Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the column of each task, and remarks on what rules find that may be none."""
    names = [str(name) for name in table.columns]
    texts = [part for text in _texts(given) for part in (_parts(text, names) if isinstance(text, str) else [text])]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise StudyError(
            f"The columns of accuracies are {shown(given)}; name one or several, or a rule by which they are found, as "
            f"in {option('accuracy_columns', f'{PLACE}_acc')}."
        )
    found: dict[str, str] = {}
    remarks = []
    rules = [text for text in texts if text not in names and PLACE in text]
    by_name = {column for text in texts if text not in rules for column in _named_by(text, names).values()}
    for text in texts:
        tasks = _named_by(text, names)
        if text in rules:
            tasks, unread = _without_errors(tasks, text, by_name)
            tasks, blank = _without_blanks(table, tasks)
            remarks += unread + blank + _other_scores(tasks, text)
        for task, column in tasks.items():
            if found.setdefault(task, column) != column:
                raise StudyError(
                    f"The accuracy of the task {task!r} stands in two columns, {found[task]!r} and {column!r}; keep "
                    "one of them, or give rules that find one for each task."
                )
    return found, remarks


def _without_errors(tasks: Mapping[str, str], rule: str, by_name: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return the columns that a rule finds (task: column) without those of errors of others, and a remark on these.

    Those that are given by name besides are read under that, and need no remark.
    """
    words = {task: [word for word in MARKS.split(task.lower()) if word] for task in tasks}
    errors = [t for t, own in words.items() if "stderr" in own or _of_another(own) in words.values()]
    if not errors or len(errors) == len(tasks):
        return dict(tasks), []
    kept = {task: column for task, column in tasks.items() if task not in errors}
    if not (unread := [tasks[task] for task in errors if tasks[task] not in by_name]):
        return kept, []
    said = (
        f"Not read, as errors and no accuracies by their names: {listed(map(repr, unread))}; to read one all the same, "
        f"name it besides the rule {rule!r}."
    )
    return kept, [said]


def _without_blanks(table: pd.DataFrame, tasks: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the columns that a rule finds (task: column) without those of no score, and a remark on these."""
    blank = [task for task, column in tasks.items() if table[column].map(absent).all()]
    if not blank or len(blank) == len(tasks):
        return tasks, []
    said = f"Not read, since no run has a score there: {listed(repr(tasks[task]) for task in blank)}."
    return {task: column for task, column in tasks.items() if task not in blank}, [said]


def _of_another(words: Sequence[str]) -> list[str] | None:
    """Return the words of a name without one for an error that begins or ends it; None where none does.

    Examples
    --------
    >>> _of_another(["se", "piqa"]), _of_another(["piqa"]), _of_another(["error", "detection"])
    (['piqa'], None, None)
    """
    if not OF_ERRORS.isdisjoint(words[:1]):
        return list(words[1:])
    return None if OF_ERRORS.isdisjoint(words[-1:]) else list(words[:-1])


def _other_scores(tasks: Mapping[str, str], rule: str) -> list[str]:
    """Return a remark where a rule finds tasks that may be other scores of others: their names end in the others'."""
    before = {
        task: task.removesuffix(other)
        for task in tasks
        for other in tasks
        if task != other and task.endswith(other) and MARKS.search(task.removesuffix(other)[-1])
    }
    if not before:
        return []
    first, start = next(iter(before.items()))
    return [
        f"Read as tasks of their own: {listed(map(repr, before))}; where that is another score of "
        f"{first.removeprefix(start)!r}, say {option('accuracy_columns', rule.replace(PLACE, start + PLACE, 1))}, or "
        "name the columns of one score."
    ]


def _texts(given: Any) -> list[Any]:
    """Return what names the columns of accuracies, one text or several."""
    return [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []


def _parts(text: str, names: Sequence[str]) -> list[str]:
    """Return columns and rules that stand in one text with commas between them; a comma may be of a name, too.

    Examples
    --------
    >>> _parts("TASK_acc,mmlu, 5-shot", ["piqa_acc", "mmlu", "5-shot"]), _parts("a, b", ["a, b"])
    (['TASK_acc', 'mmlu', '5-shot'], ['a, b'])
    """
    whole = text in names or "," not in text or _of_rule(text, names)
    return [text] if whole else [part.strip() for part in text.split(",")]


def _of_rule(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return the columns that a rule finds, by what stands in them for the task; of what is no rule, none."""
    if PLACE not in text:
        return {}
    rule = re.compile("(.+)".join(re.escape(part) for part in text.split(PLACE, 1)))
    return {match[1]: name for name in names if (match := rule.fullmatch(name))}


def _named_by(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return the columns of one text by their tasks: a column, or those of a rule."""
    if text in names:
        return {text: text}
    if PLACE in text:
        found = _of_rule(text, names)
        if not found:
            raise StudyError(
                f"No column of the table is called like {text!r}, with a task for {PLACE}; known: {', '.join(names)}."
            )
        return found
    raise StudyError(f"The table has no column {shown(text)} of accuracies; {suggest(text, names)}")
