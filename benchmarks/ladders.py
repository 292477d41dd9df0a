"""The two public task ladders, cut inside their training runs: what constants of the two-step law rest on.

No target is read.  Every ladder is cut at a tenth and at a thirtieth of its largest training compute; runs up to the
cut are fitted, larger ones (to twenty times the cut) are forecast.  The rule: the error of each step's slope is the
least with which 90 % intervals hold nine tenths of that step's own outcomes, losses for step 1 and accuracies given the
actual losses for step 2, because the width of one step would hide the error of the other.  It is interpolated on a
grid, and five forecasts of every fit count, drawn at other seeds: the smallest of the grid, of one forecast, is a
neighbour's at another seed.

Tasks at chance in all fitted runs are their own case: nothing in the runs tells where their curves begin, nor how steep
they are.  Where they begin is an exponential distance beyond the runs, in the log odds that a task of their slope
gains; its mean is that which makes what became of them beyond the cuts likeliest, each task counting the same.  Given
it, they choose an error of the slope of their own by the rule above.

For step 2 the law ships with what both ladders choose together, each counting the same; what either chooses alone is
printed too.  For step 1 both choose none, which cuts so short cannot support at a hundred times the compute: the law
ships with 0.15, which other cuts of the first ladder gave under earlier priors, and of which they ask more today
(notebook ``ladder``).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

import bayes_scaling as bs
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.models.two_step import routes
from bayes_scaling.study.chance import MAX_ABOVE_CHANCE, above_chance, best_runs
from benchmarks.loss_to_loss import first_crossing
from benchmarks.markdown import show

__all__ = ["LADDERS", "backtests", "cuts", "figures", "ladder_of", "parts_of", "second_ladder"]

CUTS = (10.0, 30.0)  # the largest compute over that of the largest fitted run
SPAN = 20.0  # the largest compute of a forecast over that of the cut
SIZES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # of the errors of the slopes
COVER = 0.9
FORECASTS = 5  # of every fit, at other seeds: with one, which size holds nine tenths is partly its seed's
LOSS, CURVE, EMERGING = "step 1, losses", "step 2, accuracies given the losses", "step 2, tasks at chance"
STEPS = {LOSS: "step1", CURVE: "step2", EMERGING: "emerging"}
BOTH = "both steps, as the law ships"
LOSSES = {"olmo_ladder": ("task_loss", "c4_loss"), "ladder_c4": ("c4_loss",)}
LADDERS = tuple(LOSSES)


def second_ladder() -> bs.Study:
    """Return the ladder of Gadre et al. 2024 (arXiv 2403.08540), whose table lies beside the studies' raw files."""
    path = Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "ladder_c4" / "ladder.csv"
    card = bs.Card("ladder_c4", units={"c4_loss": "nats per token", "accuracy": "fraction"})
    return bs.Study.from_file(path, card=card, flops="6ND")


def ladder_of(name: str) -> bs.Study:
    """Return a ladder by its name."""
    return second_ladder() if name == "ladder_c4" else bs.load_study(name, progress=False)


def cuts(study: bs.Study) -> Iterator[tuple[float, bs.Study, bs.Study]]:
    """Yield (ratio, runs to fit, runs to forecast) inside the training runs of a ladder."""
    training = study.training
    assert "role" not in training.frame or (training.frame["role"] == "train").all()
    largest = training.frame["flops"].max()
    for ratio in CUTS:
        edge = 1.01 * largest / ratio
        later = training.select(f"flops > {edge} and flops <= {SPAN * edge}")
        yield ratio, training.select(f"flops <= {edge}"), later


def parts_of(study: bs.Study, *, targets: bool = True) -> dict[str, tuple[bs.Study, bs.Study]]:
    """Return (runs to fit, runs to forecast) of every cut of a ladder, and of its targets where they are asked for."""
    parts = {f"cut at 1/{ratio:g}": (fitted, later) for ratio, fitted, later in cuts(study)}
    return parts | ({"targets": (study.training, study.targets)} if targets else {})


def backtests(name: str, seed: int = 0, draws: int = 500) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of every outcome beyond every cut of a ladder, and what became of tasks at chance.

    Parameters
    ----------
    name : str
        Of :data:`LADDERS`.
    seed, draws : int
        Of the fits.
    """
    blocks, tasks = [], []
    for ratio, fitted, later in cuts(ladder_of(name)):
        fits = [bs.fit(law, fitted, seed=seed, draws=draws) for law in routes(LOSSES[name])]
        converged = all(fit.diagnostics.converged for fit in fits)
        before, after = above_chance(fitted.frame), above_chance(later.frame)
        guessed = before[before <= MAX_ABOVE_CHANCE].index

        def scored(quantity: str, given: tuple[str, ...] = (), **errors: Any) -> pd.DataFrame:
            each = [_with(fit, **errors) for fit in fits]  # noqa: B023
            found = []
            for own in range(seed, seed + FORECASTS):
                parts = [bs.forecast(one, later, given=given, seed=own, allow_unconverged=True) for one in each]  # noqa: B023
                found.append(average(parts, seed=own).score())
            whole = pd.concat(found, ignore_index=True)
            return whole[whole["quantity"] == quantity].assign(ladder=name, ratio=ratio, converged=converged)  # noqa: B023

        for size in SIZES:
            blocks.append(scored("loss", step1={"discrepancy": size}).assign(step=LOSS, size=size))
            accuracies = scored("accuracy", ("loss",), step2={"discrepancy": size, "emergence": 1.0})
            step = np.where(accuracies["task"].isin(guessed), EMERGING, CURVE)
            blocks.append(accuracies.assign(step=step, size=size))
        whole = scored("accuracy").assign(step=BOTH)
        blocks.append(whole)
        held = whole.groupby("task")["in90"].mean()
        tasks.append(pd.DataFrame({
            "ladder": name, "cut": f"1/{ratio:g}", "task": guessed,
            "gain": [np.mean([_gain(fit, later, task) for fit in fits]) for task in guessed],
            "above_before": 100 * before[guessed].to_numpy(),
            "above_beyond": 100 * after[guessed].to_numpy(), "left": (after[guessed] > MAX_ABOVE_CHANCE).to_numpy(),
            "in90": held[guessed].to_numpy(),
        }))  # fmt: skip
    return pd.concat(blocks, ignore_index=True), pd.concat(tasks, ignore_index=True)


def _with(fit: bs.Posterior, **errors: dict[str, float]) -> bs.Posterior:
    """Return a fit whose law has other errors of the slope of a step."""
    steps = {step: fit.law.fields[step].replace(**sizes) for step, sizes in errors.items()}
    return dataclasses.replace(fit, law=fit.law.replace(**steps)) if steps else fit


def _gain(fit: bs.Posterior, later: bs.Study, task: str) -> float:
    """Return the log odds that a task of this slope gains from its best fitted loss to later runs of most compute."""
    fitted, beyond = (study.frame[study.frame["task"] == task] for study in (fit.study, later))
    step = np.log(fitted[fit.law.route].min() / best_runs(beyond)[fit.law.route].median())
    place = fit.law.dims(fit.study)[1]["task"].index(task)
    return float(np.median(fit.draws["accuracy_slope"][:, place]) * step)


def departure(tasks: pd.DataFrame) -> float:
    """Return the mean of the exponential distance beyond the runs that makes what became of the tasks likeliest.

    Parameters
    ----------
    tasks : pandas.DataFrame
        A row per task at chance: how much a task of its slope gains (``gain``), and whether it has ``left``.

    Examples
    --------
    >>> round(departure(pd.DataFrame({"gain": [1.0, 1.0], "left": [True, False]})), 3)  # half of them by 1
    1.443
    """
    gain, left = tasks["gain"].to_numpy(), tasks["left"].to_numpy()

    def unlikely(log_mean: float) -> float:
        share = gain / np.exp(log_mean)
        return -float(np.where(left, np.log(-np.expm1(-share)), -share).sum())

    return float(np.exp(minimize_scalar(unlikely, bounds=(np.log(0.05), np.log(50.0)), method="bounded").x))


def figures(seed: int = 0) -> dict[str, float]:
    """Run the backtests of both ladders, print what the rule chooses, and return it by name."""
    found = [backtests(name, seed) for name in LADDERS]
    return report(*(pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True)))


def chosen(scores: pd.DataFrame) -> float:
    """Return the least size with which 90 % intervals hold nine tenths of the outcomes; the largest where none does.

    Ladders count the same, however many outcomes they have, and between the sizes of the grid coverage is a line.

    Examples
    --------
    >>> chosen(pd.DataFrame({"ladder": "a", "size": [0.0, 0.0, 0.3, 0.3], "in90": [True, False, True, True]}))
    0.24
    """
    cover = scores.groupby(["size", "ladder"])["in90"].mean().groupby("size").mean()
    sizes, reached = cover.index.to_numpy(), np.maximum.accumulate(cover.to_numpy())
    return round(first_crossing(sizes, reached, COVER), 3)


def report(scores: pd.DataFrame, tasks: pd.DataFrame) -> dict[str, float]:
    """Print the tables, in Markdown, and return what each ladder chooses for each step, and how tasks left chance."""
    scores = scores.assign(mae=scores["error"].abs())
    shown = ["mae", "in50", "in90", "width90"]
    figures = {}
    for words, step in STEPS.items():
        own = scores[scores["step"] == words]
        show(f"{words}, by error of the slope", _percent(own.groupby(["ladder", "size"])[shown].mean()))
        figures |= {step: chosen(own)} | {f"{step}_{name}": chosen(rows) for name, rows in own.groupby("ladder")}
    whole = scores[scores["step"] == BOTH]
    show(BOTH, _percent(whole.groupby(["ladder", "ratio"])[[*shown, "crps"]].mean()))
    show(f"Tasks at chance in all fitted runs (at most {100 * MAX_ABOVE_CHANCE:g} points above), beyond the cut", tasks)
    cover = whole.groupby("ladder")["in90"].mean()
    figures |= {f"cover90_{name}": value for name, value in cover.items()}
    figures |= {"departure": departure(tasks)} | {
        f"departure_{n}": departure(rows) for n, rows in tasks.groupby("ladder")
    }
    return figures | {"at_chance": float(len(tasks)), "left": float(tasks["left"].sum()), "in90": tasks["in90"].mean()}


def _percent(table: pd.DataFrame) -> pd.DataFrame:
    return (100 * table).reset_index()
