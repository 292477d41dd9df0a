"""What ``bayes-scaling forecast`` does: read, check, fit, forecast, write."""

from __future__ import annotations

import dataclasses
import shlex
import time
from pathlib import Path
from typing import Any

from bayes_scaling.errors import ConvergenceError, StudyError, TargetError, suggest
from bayes_scaling.files import check_writable, write_file, write_folder
from bayes_scaling.fitting import fit
from bayes_scaling.forecast import Forecast, average
from bayes_scaling.law import Law
from bayes_scaling.posterior import Posterior
from bayes_scaling.results import Result
from bayes_scaling.study import SYMBOLS, Study
from bayes_scaling.tables import output, print_result, status
from bayes_scaling.targets import read_targets

__all__ = ["Request", "open_study", "parse_pairs", "run"]

RESERVED = ("name", "card", "frame")
OPTIONS = {"targets": "target", "tasks": "task", "columns": "map"}  # of the command, where a request says it otherwise


@dataclasses.dataclass(frozen=True)
class Request:
    """The options of the command, as they were given."""

    study: str
    law: str | None = None
    targets: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    columns: str | None = None
    flops: str | None = None
    out: Path | None = None
    json: Path | None = None
    report: Path | None = None
    seed: int = 0
    draws: int = 1000
    chains: int = 4
    allow_unconverged: bool = False

    @property
    def command(self) -> str:
        """The command that says the same.

        Examples
        --------
        >>> Request("my runs.csv", targets=("N=7e9,D=4e12",), seed=3).command
        "bayes-scaling forecast 'my runs.csv' --target N=7e9,D=4e12 --seed 3"
        """
        words = ["bayes-scaling", "forecast", self.study]
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            option = "--" + OPTIONS.get(field.name, field.name.replace("_", "-"))
            if value is True:
                words.append(option)
            elif value != field.default:
                words += [w for v in (value if isinstance(value, tuple) else (value,)) for w in (option, str(v))]
        return shlex.join(words)


def run(request: Request, *, quiet: bool = False) -> Result:
    """Carry a request out; whatever can be wrong with it is said before anything is fitted or written.

    Raises
    ------
    StudyError, LawError, TargetError, FileError
        Something asked for does not exist or cannot be used.
    ConvergenceError
        A fit did not converge, and the request does not allow that.
    """
    from bayes_scaling.models.defaults import default_laws, law_by_name

    study = open_study(request.study, request.columns, request.flops)
    name, laws = (request.law, (law_by_name(request.law),)) if request.law else default_laws(study)
    study = choose_tasks(study, laws[0], request.tasks)
    targets = choose_targets(study, request.targets, request.flops)
    for law in laws:
        law.arrays(study.training)
        read_targets(law, study.training, targets)
    check_writable(request.out, request.json, request.report)

    started = time.perf_counter()
    posteriors: list[Posterior] = []
    training = study.training.frame
    runs = training["run"].nunique() if "run" in training else len(training)
    with status(quiet) as say:
        for i, law in enumerate(laws, start=1):
            which = f" ({i} of {len(laws)})" if len(laws) > 1 else ""
            say(f"Fitting {law.name}{which} to {runs} runs of {study.name} ...")
            posteriors.append(fit(law, study, seed=request.seed, draws=request.draws, chains=request.chains))
            require_converged(posteriors[-1], request.allow_unconverged)
        say("Forecasting ...")
        forecasts = [p.forecast(targets, allow_unconverged=True) for p in posteriors]
        forecast = forecasts[0] if len(forecasts) == 1 else average(forecasts, seed=request.seed)
        tasks = request.tasks or tuple(study.tasks)
        seconds = time.perf_counter() - started
        result = Result(study, name, request.seed, seconds, tuple(posteriors), only_tasks(forecast, tasks))
        if request.out:
            say("Drawing and writing ...")
            write_folder(result, request.out)
        if request.json:
            write_file(result, request.json)
        if request.report:
            from bayes_scaling.report import write_report

            say("Writing the report ...")
            write_report(result, request.report, made_by=request.command)
    if not quiet:
        print_result(result, output(), written=[p for p in (request.out, request.json, request.report) if p])
    return result


# -- reading the options --------------------------------------------------------------------------------------------


def open_study(name: str, columns: str | None = None, flops: str | None = None) -> Study:
    """Load a study by name or from a file, with the columns of ``--map`` and the convention of ``--flops``."""
    from bayes_scaling.data import available

    mapping = parse_pairs(columns, "--map", "n_params=N,tokens=D,loss=val_loss", StudyError) if columns else {}
    for key in RESERVED:
        if key in mapping:
            raise StudyError(
                f"--map gives a column for {key!r}, which no law reads; map n_params, tokens, flops or loss."
            )
    options: dict[str, Any] = {**mapping, **({"flops": flops} if flops else {})}
    if name not in available():
        path = Path(name)
        if not path.suffix and not path.exists() and len(path.parts) == 1:
            raise StudyError(f"There is no study and no file {name!r}; {suggest(name, available())}")
        return Study.from_file(path, **options)
    study = Study.load(name)
    if not options:
        return study
    units = study.card.units
    renamed = {ours: units[theirs] for ours, theirs in mapping.items() if theirs in units}
    card = dataclasses.replace(study.card, units={**units, **renamed})
    return Study.from_frame(study.frame, card=card, **options)


def parse_pairs(text: str, option: str, example: str, error: type[Exception]) -> dict[str, str]:
    """Read ``a=b,c=d``.

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
    """Check ``--task``; a law of one series is fitted to the one task chosen, a joint law to all of them."""
    if tasks:
        if not study.tasks:
            raise StudyError(f"Study {study.name!r} has no tasks to choose from; leave --task out.")
        study.select(task=list(tasks))
    if type(law).arrays is not Law.arrays or not study.tasks:
        return study
    chosen = tasks or tuple(study.tasks)
    if len(chosen) > 1:
        raise StudyError(
            f"{law.name} describes one series, and {len(chosen)} tasks are asked for; choose one with --task."
        )
    return study.select(task=chosen[0])


def choose_targets(study: Study, targets: tuple[str, ...], flops: str | None = None) -> Any:
    """Return the runs of ``--target``, or the study's own targets, as ``forecast`` reads them."""
    if not targets:
        if "role" not in study.frame or not (study.frame["role"] == "target").any():
            raise TargetError(f"Study {study.name!r} names no runs to forecast; give --target N=7e9,D=4e12.")
        return study.targets
    by_inputs = ["=" in t for t in targets]
    if all(by_inputs):
        return [parse_inputs(t, flops) for t in targets]
    if any(by_inputs):
        name = targets[by_inputs.index(False)]
        raise TargetError(
            f"Target {name!r} is a name and others are inputs; give all of them one way, as N=7e9,D=4e12."
        )
    aside = study.frame[study.frame["role"] != "train"] if {"role", "run"} <= set(study.frame.columns) else None
    if aside is None or aside.empty:
        raise TargetError(
            f"Study {study.name!r} names no runs to forecast, so {targets[0]!r} is none; give inputs, as in "
            "--target N=7e9,D=4e12."
        )
    for name in targets:
        if not (aside["run"] == name).any():
            named = aside.loc[aside["role"] == "target", "run"].unique()
            raise TargetError(f"Study {study.name!r} has no target {name!r}; {suggest(name, named)}")
    chosen = aside[aside["run"].isin(targets)].reset_index(drop=True)
    return dataclasses.replace(study, frame=chosen)


def parse_inputs(text: str, flops: str | None = None) -> dict[str, Any]:
    """Read one target's inputs, ``N=7e9,D=4e12``, with FLOPs by the convention; the text itself becomes its name."""
    pairs = parse_pairs(text, "--target", "N=7e9,D=4e12", TargetError)
    inputs: dict[str, Any] = {"target": text}
    for key, value in pairs.items():
        try:
            inputs[SYMBOLS.get(key, key)] = float(value)
        except ValueError:
            raise TargetError(
                f"--target {text!r} has {key} = {value!r}, which is not a number; write it like 7e9."
            ) from None
    if flops == "6ND" and "flops" not in inputs and {"n_params", "tokens"} <= set(inputs):
        inputs["flops"] = 6 * inputs["n_params"] * inputs["tokens"]
    return inputs


# -- checking what came out -----------------------------------------------------------------------------------------


def require_converged(posterior: Posterior, allowed: bool) -> None:
    """Refuse a fit that did not converge, in the command line's words."""
    problems = posterior.diagnostics.problems()
    if problems and not allowed:
        raise ConvergenceError(
            f"The fit of {posterior.law.name} to {posterior.study.name!r} did not converge, and nothing was written: "
            f"{' '.join(problems)} To go on all the same, pass --allow-unconverged."
        )


def only_tasks(forecast: Forecast, tasks: tuple[str, ...]) -> Forecast:
    """Keep the chosen tasks of a joint forecast, and of its series those of a chosen task or of no task."""
    if "task" not in forecast.draws.dims:
        return forecast
    kept: dict[str, Any] = {"task": list(tasks)}
    if "series" in forecast.draws.dims:
        series = list(forecast.draws["series"].to_numpy())
        kept["series"] = [s for s in series if (str(s).partition(":")[2] or tasks[0]) in tasks]
    return dataclasses.replace(
        forecast,
        draws=forecast.draws.sel(kept),
        actual=forecast.actual.sel({d: v for d, v in kept.items() if d in forecast.actual.dims}),
    )
