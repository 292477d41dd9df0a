"""The curves of NSL-PFN: every learning curve fitted by itself, in one batch, and scored with its intervals.

The tables lie beside the raw files of the studies.  RMSLE, log density and MSCE are those of the benchmark: over the
target points of a curve, then the mean over curves.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

import bayes_scaling as bs
from bayes_scaling.models import BrokenPowerLaw, LearningCurve

__all__ = ["TASKS", "curve_scores", "score_task"]

DRAWS = 500  # per chain
PROCESSES = 2
PATIENCE = 0.0  # seconds that a curve may go on for by itself: a hundred of them share two minutes
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
TASKS = {"ic": ("IC",), "nlp": ("NMT", "LM", "BB", "Nano")}
CANDIDATES: Mapping[str, bs.Law] = {
    "errors that last": LearningCurve(),
    "errors of their own": LearningCurve(memory=1e-4),
    "with a break": BrokenPowerLaw(),
}
SIMPLE = LearningCurve(memory=1e-4, begun=-1.0, bend=1.0)
"""For a curve of fewer points than a law has parameters: what it leaves out stands at the centre of its prior."""


def curves(groups: tuple[str, ...]) -> pd.DataFrame:
    """Return the points of all curves of some groups: group, curve, x, y, role."""
    folder = Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "nslpfn"
    found = [pd.read_csv(folder / "curves.csv.gz"), pd.read_csv(folder / "nano.csv").assign(group="Nano")]
    table = pd.concat(found, ignore_index=True)[["group", "curve", "x", "y", "role"]]
    return table[table["group"].isin(groups)].reset_index(drop=True)


def earlier(table: pd.DataFrame) -> pd.DataFrame:
    """Return training points alone, those of the further half of each curve's data as targets where enough are left."""
    training = table[table["role"] == "train"]
    largest = training.groupby("curve")["x"].transform("max")
    late = training["x"] > largest / 2
    enough = (~late).groupby(training["curve"]).transform("sum") >= 4
    return training[enough].assign(role=np.where(late, "target", "train")[enough])


def study_of(name: str, points: pd.DataFrame) -> bs.Study:
    """Return the points of a curve as a study."""
    points = points.sort_values("x")
    frame = pd.DataFrame({"run": [f"{i}" for i in range(len(points))], "tokens": points["x"].to_numpy(float)})
    return bs.Study.from_frame(frame.assign(loss=points["y"].to_numpy()), name=name)


def curve_scores(draws: np.ndarray, actual: np.ndarray, unit: float = 1.0) -> dict[str, float]:
    """Return the benchmark's scores of a curve.

    Parameters
    ----------
    draws : array, shape (sample, point)
        Predictive draws.
    actual : array, shape (point,)
        Outcomes.
    unit : float
        What outcomes are divided by before densities are taken.

    Returns
    -------
    dict
        ``rmsle``, ``logdensity`` (of a kernel estimate on the logarithm), ``msce`` and ``cover90``.
    """
    logs = np.log(draws)
    error = np.median(logs, axis=0) - np.log(actual)
    density = [float(gaussian_kde(column).logpdf(np.log(y))[0]) for column, y in zip(logs.T, actual, strict=True)]
    inside = []
    for level in LEVELS:
        low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        inside.append(float(((low <= actual) & (actual <= high)).mean()))
    return {
        "rmsle": float(np.sqrt(np.mean(error**2))),
        "logdensity": float(np.mean(density - np.log(actual) + np.log(unit))),
        "msce": float(np.mean((np.array(inside) - LEVELS) ** 2)),
        "cover90": inside[LEVELS.index(0.9)],
    }


def batch_scores(
    law: bs.Law, label: str, table: pd.DataFrame, seed: int, executor: Executor | None = None
) -> tuple[pd.DataFrame, float]:
    """Fit all curves in one batch, forecast and score: (a row per curve and band, seconds of the fits)."""
    options = {"draws": DRAWS, "patience": PATIENCE, "executor": executor, "progress": False}
    groups = dict(tuple(table.groupby("curve", sort=False)))
    training = {name: points[points["role"] == "train"] for name, points in groups.items()}
    begun = time.perf_counter()
    fits = {}
    for form, names in _by_form(law, training).items():
        studies = [study_of(name, training[name]) for name in names]
        batch = bs.fit_many(form, studies, seed=seed, **options)
        fits |= dict(zip(names, batch, strict=True))
    seconds = time.perf_counter() - begun
    rows = []
    for name, points in groups.items():
        member = fits[name]
        if member.posterior is None:
            raise RuntimeError(f"The curve {name!r} was not fitted: {member.error}")
        target = study_of(name, points[points["role"] == "target"])
        unit = float(training[name]["y"].max()) if points["group"].iloc[0] == "Nano" else 1.0
        for band, doubt in {label: True, f"{label}, exact": False}.items():
            forecast = bs.forecast(member.posterior, target, discrepancy=doubt, allow_unconverged=True)
            scores = curve_scores(forecast.draws["loss_run"].to_numpy(), target.column("loss"), unit)
            rows.append({"candidate": band, "curve": name, "converged": member.verdict == "converged", **scores})
    return pd.DataFrame(rows), seconds


def _by_form(law: bs.Law, training: Mapping[str, pd.DataFrame]) -> dict[bs.Law, list[str]]:
    """Return the curves that have points enough for the law, and those that the simple one has to do for."""
    short = {name for name, points in training.items() if len(points) < len(law.free_parameters)}
    forms = {
        law: [name for name in training if name not in short],
        SIMPLE: [name for name in training if name in short],
    }
    return {form: names for form, names in forms.items() if names}


def score_task(name: str, seed: int = 0) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Choose a law for a set of curves inside their training points, score it and return (tables, figures)."""
    table = curves(TASKS[name])
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        blocks = [batch_scores(law, label, earlier(table), seed, pool)[0] for label, law in CANDIDATES.items()]
        backtests = pd.concat(blocks).drop(columns="curve").groupby("candidate", sort=False).mean()
        chosen = str(backtests["logdensity"].idxmax())
        label = chosen.removesuffix(", exact")
        every, seconds = batch_scores(CANDIDATES[label], label, table, seed, pool)
    found = every[every["candidate"] == chosen].drop(columns=["candidate", "curve"]).mean()
    figures = {f"{name}_{figure}": float(value) for figure, value in found.items()}
    figures |= {f"{name}_curves": float(table["curve"].nunique()), f"{name}_seconds": seconds}
    return {f"Backtests inside the training points; chosen: {chosen}": backtests.reset_index()}, figures
