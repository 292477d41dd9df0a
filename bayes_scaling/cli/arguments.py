"""What the options of a command mean: studies, targets, tasks and numbers, read from text and checked."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayes_scaling.cli.priors import with_priors
from bayes_scaling.data import available, load_study
from bayes_scaling.decisions.inputs import positive
from bayes_scaling.errors import DecisionError, LawError, StudyError, TargetError, listed, option, suggest
from bayes_scaling.law.base import Law
from bayes_scaling.models.defaults import AVERAGE, SINGLE, default_laws, law_by_name
from bayes_scaling.study.flops import SIX_N_D, may_be_counted, six_n_d
from bayes_scaling.study.reading import column_of, read_table, remedy
from bayes_scaling.study.rows import PLACE, shown, task_name
from bayes_scaling.study.selection import other_run
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import FRACTION, PER_CENT, SIZES, number_of

__all__ = [
    "choose_laws",
    "choose_targets",
    "choose_tasks",
    "from_per_cent",
    "in_file",
    "instead_of_average",
    "open_study",
    "parse_columns",
    "parse_inputs",
    "parse_pairs",
    "read_chance",
    "read_numbers",
    "require_columns",
]

RESERVED = ("name", "card", "frame", "where", "drop_missing", "unit", "accuracy_columns", "percent")
WIDE = ("accuracy_columns", "chance", "percent")  # how a table has its accuracies


def open_study(name: str, columns: Sequence[str] | None = None, flops: str | None = None, **options: Any) -> Study:
    """Load a study by name or from a file, with the columns of ``--map`` and the convention of ``--flops``.

    Parameters
    ----------
    name : str
        Name of a study, or of a file.
    columns : list of str, optional
        What ``--map`` says, a text for each time it is given.
    flops : str, optional
        What ``--flops`` says.
    **options
        ``where``, ``drop_missing``, ``unit``, ``accuracy_columns``, ``chance`` and ``percent``, as in
        :meth:`bayes_scaling.Study.from_frame`.

    Raises
    ------
    FileError
        The file cannot be read.
    StudyError
        There is no such study or file, or its table and the options do not make a study.
    """
    carried = name in available()
    path = Path(name)
    if not carried and not path.suffix and not path.exists() and len(path.parts) == 1:
        raise StudyError(f"There is no study and no file {name!r}; {suggest(name, available())}")
    study = load_study(name) if carried else None
    table = study.frame if study is not None else read_table(path)
    mapping = parse_columns(columns or (), map(str, table.columns))
    options = {n: v for n, v in options.items() if n not in WIDE or v not in (None, [], False)}
    options |= _not_said_twice(mapping, flops, options.get("chance"))
    if study is None:
        return Study.from_frame(table, name=path.stem, **options)
    if not any(options.values()):
        return study
    units = study.card.units
    renamed = {ours: units[theirs] for ours, theirs in mapping.items() if theirs in units}
    card = dataclasses.replace(study.card, units={**units, **renamed})
    return Study.from_frame(table, card=card, **options)


@contextlib.contextmanager
def in_file(name: str) -> Iterator[None]:
    """Let an error say of which table it is, as the user named that, where several are read; by no name, it does not.

    Raises
    ------
    StudyError
        The table is not as it should be.

    Examples
    --------
    >>> with in_file("b.csv"):
    ...     raise StudyError("The table has no rows; give at least one run.")
    Traceback (most recent call last):
    bayes_scaling.errors.StudyError: b.csv: The table has no rows; give at least one run.
    """
    try:
        yield
    except StudyError as error:
        if not name:
            raise
        raise StudyError(f"{name}: {error}") from error


def _not_said_twice(
    mapping: Mapping[str, str], flops: str | None, chance: str | float | Mapping[str, float] | None
) -> dict[str, Any]:
    """Return the columns of ``--map`` with what other options say of the same ones."""
    said: dict[str, Any] = {**mapping, **({"flops": flops} if flops else {})}
    if flops and mapping.get("flops", flops) != flops:
        raise StudyError(
            f"--map flops={mapping['flops']} and --flops {flops} both say where FLOPs come from; give one of them."
        )
    if chance is None or "chance" not in mapping:
        return said
    if not isinstance(chance, Mapping) or PLACE in chance:
        raise StudyError(
            f"--map chance={mapping['chance']} and --chance both say what guessing gives in every task; give one of "
            "them, or --chance for some tasks by name, as in --chance PIQA=0.5."
        )
    return {**said, "chance": {PLACE: mapping["chance"], **chance}}


def parse_columns(given: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Read ``--map``: pairs of our name and the user's, several split at commas unless one column is called so.

    Raises
    ------
    StudyError
        It is no list of pairs, gives a name twice, or a column for what no law reads.

    Examples
    --------
    >>> parse_columns(["N=size,D=seen", "loss=loss, final"], ["size", "seen", "loss, final"])
    {'N': 'size', 'D': 'seen', 'loss': 'loss, final'}
    """
    columns, mapping = set(known), dict[str, str]()
    for text in given:
        ours, _, theirs = (part.strip() for part in text.partition("="))
        whole = {ours: theirs} if ours and theirs in columns else None
        pairs = whole or parse_pairs(text, "--map", "n_params=N,tokens=D,loss=val_loss", StudyError)
        for key in pairs:
            if key in mapping:
                raise StudyError(f"--map gives {key} twice; give it once.")
            if key in RESERVED:
                raise StudyError(
                    f"--map gives a column for {key!r}, which no law reads; map n_params, tokens, flops or loss."
                )
        mapping |= pairs
    return mapping


def choose_laws(study: Study, law: str | None, priors: Sequence[str] | None = None) -> tuple[str, tuple[Law, ...]]:
    """Return the law of ``--law``, or those that the study's columns call for, with ``--prior``, and their name."""
    name, laws = (law, (law_by_name(law, study),)) if law else default_laws(study)
    return name, tuple(with_priors(one, priors) for one in laws)


def averages(name: str, law: str | None, priors: Sequence[str] | None = None) -> bool:
    """Say whether a forecast averages several laws: for one loss, where no law is named.

    Parameters
    ----------
    name : str
        What the study's columns call for.
    law, priors
        What ``--law`` and ``--prior`` say.

    Raises
    ------
    LawError
        ``--law average`` does not suit the study, or the other options.
    """
    if law == AVERAGE and (priors or name not in SINGLE):
        why = "--prior speaks of one law" if priors else f"the study calls for the law {name}"
        raise LawError(f"--law {AVERAGE} averages several laws of one loss, and {why}; name one law, or leave it out.")
    return name in SINGLE and not priors and law in (None, AVERAGE)


def instead_of_average(name: str, law: str | None, priors: Sequence[str] | None) -> list[str]:
    """Return a sentence where ``--prior`` leaves one law in the place of the average of several.

    Examples
    --------
    >>> instead_of_average("chinchilla", None, ["E=1.69"])[0].split(";")[0]
    'Fitted is chinchilla alone, and not the average of laws, since --prior speaks of one law'
    >>> instead_of_average("chinchilla", "chinchilla", ["E=1.69"])
    []
    """
    if law or not priors or name not in SINGLE:
        return []
    return [
        f"Fitted is {name} alone, and not the average of laws, since --prior speaks of one law; say --law {name} to "
        "mean that, or leave --prior out for the average, whose laws have priors that other collections taught."
    ]


def parse_pairs(text: str, option: str, example: str, error: type[Exception]) -> dict[str, str]:
    """Read ``a=b,c=d``.

    Raises
    ------
    error
        The class of it that is given: the text is no list of pairs, or gives a name twice.

    Examples
    --------
    >>> parse_pairs("N=7e9, D=4e12", "--target", "N=7e9", TargetError)
    {'N': '7e9', 'D': '4e12'}
    """
    pairs: dict[str, str] = {}
    for part in text.split(","):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not (key and sign and value):
            raise error(f"{option} {text!r} is not a list of pairs; write it like {example}.")
        if key in pairs:
            raise error(f"{option} {text!r} gives {key} twice; give it once.")
        pairs[key] = value
    return pairs


def choose_tasks(study: Study, law: Law, tasks: tuple[str, ...]) -> Study:
    """Check ``--task``; a law of one series is fitted to the one task chosen, a joint law to all of them.

    Raises
    ------
    StudyError
        The study has no tasks, or not those asked for, or several are left for a law of one series.
    """
    if tasks:
        if not study.tasks:
            raise StudyError(f"Study {study.name!r} has no tasks to choose from; leave --task out.")
        study.select(task=list(tasks))
        fitted = study.training.tasks
        if unfitted := [task for task in map(task_name, tasks) if task not in fitted]:
            raise StudyError(
                f"No fitted run of study {study.name!r} is scored on {shown(unfitted[0])}; choose among "
                f"{listed(map(shown, fitted))} with --task."
            )
    if law.by_task or not study.tasks:
        return study
    chosen = tasks or tuple(study.tasks)
    if len(chosen) > 1:
        if not {"accuracy", law.outcome} & set(study.frame):
            raise StudyError(
                f"Study {study.name!r} has {len(chosen)} tasks and no column 'accuracy'; "
                f"{remedy('accuracy', study.frame.columns)}"
            )
        together = ", or fit all of them together with --law pooled" if {"run", law.outcome} <= set(study.frame) else ""
        raise StudyError(
            f"A law of one series, such as {law.name}, is fitted to one task, and {len(chosen)} are asked for; choose "
            f"one with --task{together}."
        )
    return study.select(task=chosen[0])


def require_columns(law: Law, study: Study) -> None:
    """Refuse a study that lacks several of the columns by which a joint law reads it, naming all of them.

    Raises
    ------
    StudyError
        It does.
    """
    read = [*law.columns.values(), "run", "task"] if law.by_task else []
    lacking = [column for column in read if column not in study.frame]
    if len(lacking) > 1:
        raise StudyError(
            f"{law.name} reads {listed(read)}, in a row per run and task, and study {study.name!r} lacks "
            f"{listed(lacking)}; {remedy(lacking[0], study.frame.columns)}"
        )


def choose_targets(study: Study, targets: tuple[str, ...], flops: str | None = None, *, percent: bool = False) -> Any:
    """Return the runs of ``--target``, or the study's own targets, as ``forecast`` reads them.

    Raises
    ------
    TargetError
        Nothing says what to forecast, names and inputs are mixed, inputs cannot be read, or a run of that name is
        fitted or is not there.
    """
    if not targets:
        if "role" not in study.frame or not (study.frame["role"] == "target").any():
            raise TargetError(f"Study {study.name!r} names no runs to forecast; give --target N=7e9,D=4e12.")
        return study.targets
    by_inputs = ["=" in t for t in targets]
    if all(by_inputs):
        return [parse_inputs(t, flops, study.names, percent=percent) for t in targets]
    if any(by_inputs):
        name = targets[by_inputs.index(False)]
        raise TargetError(
            f"Target {name!r} is a name and others are inputs; give all of them one way, as N=7e9,D=4e12."
        )
    aside = study.frame[study.frame["role"] != "train"] if {"role", "run"} <= set(study.frame.columns) else None
    fitted = study.frame if aside is None else study.frame.drop(aside.index)
    if "run" in fitted and (held := [name for name in targets if (fitted["run"].astype(str) == name).any()]):
        others = other_run(fitted, np.argmax((fitted["run"].astype(str) == held[0]).to_numpy()))
        raise TargetError(
            f"The run {held[0]!r} of study {study.name!r} is fitted; to hold it out, say {option('where', others)} and "
            "give its inputs, or say in a column role which runs are train and which target."
        )
    if aside is None or aside.empty:
        raise TargetError(
            f"Study {study.name!r} names no runs to forecast, so {targets[0]!r} is none; give inputs, as in "
            "--target N=7e9,D=4e12."
        )
    runs = aside["run"].astype(str)  # a name may be a number
    for name in targets:
        if not (runs == name).any():
            named = aside.loc[aside["role"] == "target", "run"].unique()
            raise TargetError(f"Study {study.name!r} has no target {name!r}; {suggest(name, named)}")
    chosen = aside[runs.isin(targets)]
    return dataclasses.replace(study, frame=chosen)


def parse_inputs(
    text: str, flops: str | None = None, names: Mapping[str, str] | None = None, *, percent: bool = False
) -> dict[str, Any]:
    """Read one target's inputs, ``N=7B,D=4e12``, with FLOPs by the convention.

    It is called what ``target=big`` (or ``run=big``) says, and otherwise as the whole text.

    Parameters
    ----------
    text : str
        What ``--target`` says: symbols, our names, or the user's own.
    flops : str, optional
        What ``--flops`` says.
    names : mapping of str to str, optional
        The user's own names by ours, as a study remembers them.
    percent : bool
        What ``--percent`` says: accuracies, error rates and chances are in per cent, as 63% is without it.

    Raises
    ------
    TargetError
        The text is no list of pairs, gives an input twice, one that is not a number, or a task; or ``--percent`` is
        said and one is a fraction.
    """
    pairs = parse_pairs(text, "--target", "N=7e9,D=4e12", TargetError)
    ours = {theirs: name for name, theirs in (names or {}).items()}
    inputs: dict[str, Any] = {}
    for key, value in pairs.items():
        column = ours.get(key, column_of(key))
        column = "target" if column == "run" else column
        if column == "task":
            raise TargetError(f"--target {text!r} gives a task, and a run is forecast in each; say --task {value}.")
        if column in inputs:
            raise TargetError(f"--target {text!r} gives {column} twice; give it once.")
        share = bool(FRACTION.fullmatch(column))
        number = number_of(value, size=bool(SIZES.fullmatch(column)), share=share)
        inputs[column] = value if column == "target" else number
        if inputs[column] != inputs[column]:
            raise TargetError(f"--target {text!r} has {key} = {value!r}, which is not a number; write it like 7e9.")
        if percent and share:
            inputs[column] = from_per_cent(value, f"--target {text!r} has {key} = {value}", TargetError)
    if flops == SIX_N_D and "flops" not in inputs and may_be_counted(inputs):
        inputs["flops"] = float(six_n_d.cost(inputs["n_params"], inputs["tokens"]))
    return {"target": text, **inputs}


def from_per_cent(text: str, said: str, error: type[Exception]) -> float:
    """Return a share that is in per cent, as ``--percent`` says, with a sign or without; NaN where it is no number.

    Parameters
    ----------
    text : str
        The share.
    said : str
        Where it is said, for the message.
    error : type
        What is raised.

    Raises
    ------
    error
        It has no sign and is a fraction, or less than one per cent.

    Examples
    --------
    >>> from_per_cent("63", "--reach", DecisionError), from_per_cent("0.5%", "--reach", DecisionError)
    (0.63, 0.005)
    """
    text = text.strip()
    number = number_of(text, share=True)
    if text.endswith("%"):
        return number
    if 0 < number <= 1:
        raise error(
            f"{said}, which is no percentage unless below one; give it in per cent, or as {text}% to mean that."
        )
    return number / PER_CENT


def read_chance(given: Sequence[str] | None, *, percent: bool = False) -> str | float | dict[str, float] | None:
    """Read ``--chance``: a number, numbers by task and one for the others, or the name of a column.

    What has a sign of its own is the same number with ``--percent`` and without.

    Raises
    ------
    StudyError
        Several are given that are not pairs of a task and a number, or a task is given twice.

    Examples
    --------
    >>> read_chance(["0.25"]), read_chance(["PIQA=0.5,ARC=0.25", "Q, A=0"]), read_chance(["guess"])
    (0.25, {'PIQA': 0.5, 'ARC': 0.25, 'Q, A': 0.0}, 'guess')
    >>> read_chance(["0.25", "PIQA=0.5"]) == read_chance(["0.25,PIQA=0.5"]) == {"TASK": 0.25, "PIQA": 0.5}
    True
    """
    if not given:
        return None

    def share(text: str) -> float:
        return number_of(text, share=True) * (PER_CENT if percent and text.strip().endswith("%") else 1.0)

    if len(given) == 1 and "=" not in given[0]:
        number = share(given[0])
        return given[0] if number != number else number
    chance: dict[str, float] = {}
    for text in given:
        first = share(text.partition(",")[0])
        text = f"{PLACE}={text}" if "=" in text and first == first else text  # that of the others comes first
        task, _, value = text.rpartition("=")
        rest = not task and np.isfinite(share(value))  # for all that are not named
        one = {task or PLACE: value} if rest or (task and "=" not in task) else None
        whole = one or parse_pairs(text, "--chance", "PIQA=0.5", StudyError)
        for task, value in whole.items():
            if task in chance:
                raise StudyError(f"--chance gives {task} twice; give it once.")
            chance[task] = share(value)
            if chance[task] != chance[task]:
                raise StudyError(f"--chance {text!r} has no number for {task}; write it like {task}=0.25.")
    return chance


def read_numbers(
    text: str,
    what: str,
    example: str,
    *,
    size: bool = False,
    share: bool = False,
    percent: bool = False,
    of_a_law: bool = False,
) -> np.ndarray:
    """Read positive numbers, ``1e22,1e24``; where they are sizes also ``7B,10T``, where they are shares also ``70%``.

    Shares are in per cent where ``percent`` says so.  What is ``of_a_law``, an input of it, that law has to allow, and
    need not be positive.

    Raises
    ------
    DecisionError
        One is not a number, is not positive though not ``of_a_law``, or is a fraction where shares are in per cent.

    Examples
    --------
    >>> read_numbers("7B, 1e10", "size", "7e9", size=True).tolist()
    [7000000000.0, 10000000000.0]
    """
    numbers = [number_of(part, size=size, share=share) for part in text.split(",")]
    for part, number in zip(text.split(","), numbers, strict=True):
        if number != number:
            raise DecisionError(f"{part.strip()!r} is not a number; write it like {example.split()[0]}.")
    if share and percent:
        numbers = [from_per_cent(part, f"The {what} is {part.strip()}", DecisionError) for part in text.split(",")]
    return np.array(numbers) if of_a_law else positive(numbers, what, example)
