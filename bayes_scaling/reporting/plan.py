"""What a plan command found: sentences, tables and pictures, on the screen and in files."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bayes_scaling.files import as_json, atomic_folder, write_json
from bayes_scaling.forecasts.display import short, times
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.plots.style import write_png
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.reporting.result import caveat_records, number, records, worst
from bayes_scaling.reporting.screen import convergence, print_caveats

__all__ = ["Answer", "Plan", "print_plan", "write_plan_file", "write_plan_folder"]

MAX_ROWS_SHOWN = 20  # rows of a table on the screen; files have them all
COUNTS = ("n_params", "tokens", "inference_tokens")
FLOPS = ("flops", "largest", "per_flop")
SHARES = ("narrower", "probability", "never", "always", "no_optimum", "fitted", "in90", "error", "width90")


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes
    ----------
    sentences : tuple of str
        The answer in words, the most important first.
    tables : mapping of str to DataFrame
        By file name, without ending; the first is the main one.
    pictures : mapping of str to callable
        By file name, without ending; each draws its Axes when called.
    aims : DataFrame or None
        The runs that the answer speaks of, with our column names and a column ``target``; None where there are none.
    """

    sentences: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    pictures: Mapping[str, Callable[[], Any]]
    aims: pd.DataFrame | None = None

    def with_sentences(self, further: Iterable[str]) -> Answer:
        """Return this answer with more sentences at its end."""
        return dataclasses.replace(self, sentences=(*self.sentences, *further))


@dataclasses.dataclass(frozen=True)
class Beyond:
    """What a question takes for granted beyond the fitted runs.

    Attributes
    ----------
    discrepancy : bool
        Whether outcomes there carry an error: that of the law's slope, or ``exponent_error``.
    exponent_error : float or None
        Spread of the errors of exponents, in place of the slope's.
    given : mapping of str to float
        What further inputs are held at.
    """

    discrepancy: bool = True
    exponent_error: float | None = None
    given: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def in_its_words(self, problem: Problem) -> Problem:
        """Return a problem of a far target, which says how intervals are widened there, as it is here."""
        if problem.code != "far-target" or (self.discrepancy and self.exponent_error is None):
            return problem
        widened = (
            "exponents err there by no more than was asked for" if self.discrepancy else "the law is taken as exact"
        )
        return dataclasses.replace(problem, remedy=f"{widened}, so trust it less, or make a larger run first")

    @property
    def said(self) -> str:
        """What differs from what is usual, for the last line of an answer."""
        parts = [f"{name} {value:.3g}" for name, value in self.given.items()]
        if not self.discrepancy:
            parts.append("the law exact beyond the runs")
        elif self.exponent_error is not None:
            parts.append(f"exponents off by {self.exponent_error:g} beyond the runs")
        return "".join(f", {part}" for part in parts)


@dataclasses.dataclass(frozen=True)
class Plan:
    """An answer with all that a reader of its file needs to know.

    Attributes
    ----------
    question, study, law, flops : str
        What was asked, of which study (empty: of the priors), by which law and under which FLOP convention.
    seed : int
        Seed of every random draw.
    seconds : float
        Wall time.
    posterior : Posterior or None
        The fit; None where only priors were used.
    answer : Answer
        What was found.
    caveats : Problems
        What speaks against the fit, and against going as far as the answer does, the worst first.
    rival : Posterior or None
        The fit of a second table of runs, where the question compares two.
    beyond : Beyond
        What is taken for granted beyond the runs.
    """

    question: str
    study: str
    law: str
    flops: str
    seed: int
    seconds: float
    posterior: Posterior | None
    answer: Answer
    caveats: Problems = Problems()
    rival: Posterior | None = None
    beyond: Beyond = Beyond()

    @property
    def fits(self) -> dict[str, Posterior]:
        """The fits by the names of their files."""
        both = {"posterior": self.posterior, "posterior_against": self.rival}
        return {name: one for name, one in both.items() if one is not None}

    def document(self) -> dict[str, Any]:
        """Return what ``plan.json`` holds; numbers that are unknown or not finite (never) are None."""
        found = worst(self.fits.values()) if self.fits else {"converged": None, "max_rhat": math.nan}
        return {
            "question": self.question,
            "study": self.study or None,
            "law": self.law,
            "flops": self.flops,
            **dataclasses.asdict(self.beyond),
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "converged": found["converged"],
            "max_rhat": number(found["max_rhat"]),
            "answer": list(self.answer.sentences),
            "caveats": caveat_records(self.caveats),
            "tables": {name: records(table) for name, table in self.answer.tables.items()},
        }


def write_plan_file(plan: Plan, path: Path) -> None:
    """Write a plan as JSON to one file."""
    write_json(plan.document(), path)


def write_plan_folder(plan: Plan, folder: Path) -> None:
    """Write tables, pictures and the posterior to a folder, each under its own name when all of them are ready."""
    with atomic_folder(folder) as stage:
        (stage / "plan.json").write_text(as_json(plan.document()), encoding="utf-8")
        for name, table in plan.answer.tables.items():
            table.to_csv(stage / f"{name}.csv", index=False, float_format="%.8g")
        for name, draw in plan.answer.pictures.items():
            write_png(draw(), stage / f"{name}.png")
        for name, posterior in plan.fits.items():
            posterior.save(stage / f"{name}.nc")


def print_plan(plan: Plan, console: Console, written: Sequence[Path] = ()) -> None:
    """Print the answer's sentences and its main table, then how the fit went."""
    for sentence in plan.answer.sentences:
        console.print(sentence, style="bold" if sentence is plan.answer.sentences[0] else None)
    name, table = next(iter(plan.answer.tables.items()))
    console.print(screen_table(name, table.head(MAX_ROWS_SHOWN)))
    if len(table) > MAX_ROWS_SHOWN:
        console.print(f"... and {len(table) - MAX_ROWS_SHOWN} more rows; --out writes them all.")
    print_caveats(plan.caveats, console)
    state = convergence(worst(plan.fits.values())) if plan.fits else "Priors alone"
    console.print(
        f"{state}; {plan.law}, FLOPs: {plan.flops}{plan.beyond.said}, seed {plan.seed}, {plan.seconds:.0f} s."
    )
    if written:
        console.print("Written to " + " and ".join(map(str, written)) + ".")


def screen_table(title: str, frame: pd.DataFrame) -> Table:
    """Return a table for the screen: counts in the words of the trade, shares in per cent."""
    table = Table(box=SIMPLE_HEAD, title=title.replace("_", " "), title_justify="left")
    shown = [c for c in frame.columns if c not in ("unit", "q25", "q75", "mean")]
    for column in shown:
        text = frame[column].map(lambda v: isinstance(v, str)).all()
        table.add_column(str(column).replace("_", " "), justify="left" if text else "right")
    for row in frame.to_dict("records"):
        spread = str(row.get("quantity", "width90" if "fitted" in row else "factor" if "resource" in row else ""))
        table.add_row(*(cell(row[c], spread if c in ("q05", "median", "q95") else str(c)) for c in shown))
    return table


def cell(value: Any, kind: str) -> str:
    """Return one value as a reader expects its kind.

    Examples
    --------
    >>> cell(7.05e10, "n_params"), cell(0.9, "probability"), cell(float("inf"), "flops"), cell(2.0331, "loss")
    ('70.5B', '90 %', 'never', '2.03')
    """
    if isinstance(value, (str, bool)) or not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "never"
    if kind == "factor":
        return times(value) if value else "never"
    if kind in COUNTS:
        return short(value)
    if kind in SHARES:
        return f"{100 * value:.3g} %"
    return f"{value:.2e}" if kind in FLOPS or kind.endswith("_flops") else f"{value:.3g}"
