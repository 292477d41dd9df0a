"""Time and memory against the number of rows, studies and targets."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla

__all__ = ["Found", "many_targets", "scaling", "simulated_study"]

Found = tuple[dict[str, pd.DataFrame], dict[str, float]]
"""What a part of the benchmark returns: tables by title, figures by name."""

ROWS = (96, 1024, 8192, 98_304, 1_048_576)  # each fills its bucket of padded rows
STUDIES = (1, 4, 16, 64, 256, 1024)
SHORT = {"draws": 50, "warmup": 50, "chains": 2, "starts": 2, "adapt": False}
TARGETS, DRAWS = 10_000, 4000
_ROOT = Path(__file__).resolve().parent.parent


def scaling(rows: tuple[int, ...] = ROWS, studies: tuple[int, ...] = STUDIES) -> Found:
    """Time one short fit against its rows, and a batch against its studies; both warm.

    Every size is sampled alike: two chains of 100 transitions, two starts of the mode search.  The largest number of
    rows is fitted once, and its seconds include those of the compiler, which makes the slope steeper.
    """
    by_rows = pd.DataFrame([_time_rows(count, once=count == max(rows)) for count in rows])
    by_studies = pd.DataFrame([_time_studies(count) for count in studies])
    figures = {
        "slope_rows": _slope(by_rows["rows"], by_rows["seconds"]),
        "slope_studies": _slope(by_studies["studies"], by_studies["seconds"]),
        "million_rows_s": float(by_rows["seconds"].iloc[-1]),
        "million_rows_gib": _peak_gib(),
    }
    return {"One short fit against rows": by_rows, "One batch against studies": by_studies}, figures


def many_targets(targets: int = TARGETS, draws: int = DRAWS) -> Found:
    """Forecast many targets with all draws of a fit: in chunks, and as one table of draws; each in its own process."""
    rows = []
    for way in ("chunks", "whole"):
        code = f"from benchmarks.scaling import forecast_many; forecast_many({way!r}, {targets}, {draws})"
        output = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        rows.append({"way": way, **json.loads(output.stdout.splitlines()[-1])})
    chunks, whole = rows
    figures = {"forecast_gib": chunks["GiB"], "forecast_s": chunks["seconds"], "forecast_whole_gib": whole["GiB"]}
    return {f"Intervals of {targets} targets from {draws} draws": pd.DataFrame(rows)}, figures


def forecast_many(way: str, targets: int, draws: int) -> None:
    """Print the seconds and the peak memory (GiB) of intervals at many targets, in ``chunks`` or as a ``whole``."""
    posterior = bs.fit(Chinchilla(), simulated_study(240, 0), seed=0, draws=draws // 4)
    rng = np.random.default_rng(1)
    N, D = np.exp(rng.uniform(np.log(1e9), np.log(1e12), (2, targets)))
    table = pd.DataFrame({"target": [f"run {i}" for i in range(targets)], "N": N, "D": 20 * D})
    posterior.forecast(table.head(200)).intervals()  # compiles
    started = time.perf_counter()
    parts = posterior.forecast_chunks(table) if way == "chunks" else [posterior.forecast(table)]
    found = pd.concat([part.intervals() for part in parts])
    seconds = time.perf_counter() - started
    print(json.dumps({"targets": len(found), "seconds": seconds, "GiB": _peak_gib()}))


def simulated_study(count: int, seed: int) -> bs.Study:
    """Simulate runs of a Chinchilla world; the benchmark of devices fits them, too."""
    rng = np.random.default_rng(seed)
    n, d = np.exp(rng.uniform(np.log(1e8), np.log(1e10), count)), np.exp(rng.uniform(np.log(1e9), np.log(1e11), count))
    loss = (1.8 + 480 / n**0.35 + 2100 / d**0.37) * np.exp(rng.normal(0, 0.005, count))
    return bs.Study.from_frame(pd.DataFrame({"N": n, "D": d, "loss": loss}), name=f"simulated {seed}")


def draw(by_rows: pd.DataFrame, by_studies: pd.DataFrame, path: Path) -> None:
    """Draw both tables on log-log axes, each beside a line of slope one, and write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    for ax, table, name in zip(figure.subplots(1, 2), (by_rows, by_studies), ("rows", "studies"), strict=True):
        sizes, seconds = table[name], table["seconds"]
        ax.loglog(sizes, seconds, "o-")
        linear = seconds.iloc[-1] * sizes / sizes.iloc[-1]
        ax.loglog(sizes, linear, "--", color="0.6")
        ax.annotate("proportional", (sizes.iloc[0], linear.iloc[0]), color="0.4")
        ax.set(xlabel={"rows": "rows of one study", "studies": "studies of one batch"}[name], ylabel="seconds, warm")
    figure.savefig(path, dpi=150)


def _time_rows(count: int, *, once: bool) -> dict[str, Any]:
    study = simulated_study(count, 0)
    if not once:
        bs.fit(Chinchilla(), study, seed=0, **SHORT)
    started = time.perf_counter()
    posterior = bs.fit(Chinchilla(), study, seed=1, **SHORT)
    seconds = time.perf_counter() - started
    steps = posterior.diagnostics.mean_steps
    return {"rows": count, "seconds": seconds, "leapfrogs per draw": steps, "peak GiB so far": _peak_gib()}


def _time_studies(count: int) -> dict[str, Any]:
    studies = [simulated_study(40, seed) for seed in range(count)]
    options = {"draws": 100, "adapt": False, "progress": False}
    bs.fit_many(Chinchilla(), studies[:16], seed=0, **options)
    started = time.perf_counter()
    bs.fit_many(Chinchilla(), studies, seed=1, **options)
    seconds = time.perf_counter() - started
    return {"studies": count, "seconds": seconds, "seconds each": seconds / count}


def _slope(sizes: pd.Series, seconds: pd.Series) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
