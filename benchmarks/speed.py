"""Speed, beside what a user would pick instead: ``python -m benchmarks.speed [PART ...] [--json FILE]``.

Every ratio comes from one run on one machine.  Rivals need the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, Kaplan
from bayes_scaling.models.two_step import routes
from benchmarks.loss_to_loss import SETS, one_set
from benchmarks.markdown import show
from benchmarks.point_fits import bootstrap_forecast
from benchmarks.rivals import chinchilla_in_pymc, sample_with_nutpie

REPEATS = 5
TARGET = {"N": 7e10, "D": 1.4e12}
OURS_COLD = """
import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
fit = bs.fit(Chinchilla(), bs.Study.load("chinchilla", progress=False), seed=0)
print(fit.forecast({"N": 7e10, "D": 1.4e12}).intervals())
"""
THEIRS_COLD = """
import numpy as np
import bayes_scaling as bs
from benchmarks.rivals import chinchilla_in_pymc, sample_with_nutpie
study = bs.Study.load("chinchilla", progress=False)
n, d, loss = (study.column(c) for c in ("n_params", "tokens", "loss"))
draws, *_ = sample_with_nutpie(chinchilla_in_pymc(n, d, loss), seed=0)
A, B = np.exp(draws["log_A"]), np.exp(draws["log_B"])
print(np.quantile(draws["E"] + A / 7e10 ** draws["alpha_N"] + B / 1.4e12 ** draws["alpha_D"], [0.05, 0.5, 0.95]))
"""


def single() -> dict[str, float]:
    """Fit the Chinchilla law to the 240 points: effective draws per second, the smallest over parameters."""
    study = bs.Study.load("chinchilla", progress=False)
    n, d, loss = (study.column(c) for c in ("n_params", "tokens", "loss"))

    def ours(seed: int) -> tuple[float, float]:
        started = time.perf_counter()
        posterior = bs.fit(Chinchilla(), study, seed=seed)
        seconds = time.perf_counter() - started
        return _min_ess({k: v.to_numpy() for k, v in posterior.tree["posterior"].dataset.data_vars.items()}), seconds

    def theirs(coordinates: str) -> Callable[[int], tuple[float, float]]:
        model = chinchilla_in_pymc(n, d, loss, coordinates)

        def once(seed: int) -> tuple[float, float]:
            draws, _, seconds = sample_with_nutpie(model, seed)
            return _min_ess(draws), seconds

        return once

    rows = []
    for name, method in (
        ("bayes-scaling", ours),
        ("PyMC + nutpie, textbook", theirs("textbook")),
        ("PyMC + nutpie, our coordinates", theirs("anchored")),
    ):
        method(99)  # compiles
        found = [method(seed) for seed in range(REPEATS)]
        rows.append(
            {
                "method": name,
                "seconds": statistics.median(s for _, s in found),
                "min ESS": statistics.median(e for e, _ in found),
                "ESS per second": statistics.median(e / s for e, s in found),
            }
        )
    started = time.perf_counter()
    resamples = 100
    bootstrap_forecast(n, d, loss, np.array([TARGET["N"]]), np.array([TARGET["D"]]), resamples=resamples, seed=0)
    rows.append({"method": f"log-Huber, {resamples} bootstraps", "seconds": time.perf_counter() - started})
    show("One Chinchilla fit, 240 points, 4 chains x 1000 draws, warm (medians of five)", pd.DataFrame(rows))
    rate = {r["method"]: r.get("ESS per second", 0.0) for r in rows}
    return {
        "ess_ratio_nutpie": rate["bayes-scaling"] / rate["PyMC + nutpie, textbook"],
        "ess_ratio_nutpie_anchored": rate["bayes-scaling"] / rate["PyMC + nutpie, our coordinates"],
        "single_s": rows[0]["seconds"],
        "single_min_ess": rows[0]["min ESS"],
    }


def _min_ess(draws: dict[str, np.ndarray]) -> float:
    return min(float(array_stats.ess(v, chain_axis=0, draw_axis=1, method="bulk")) for v in draws.values())


def cold() -> dict[str, float]:
    """Time whole processes, from their start to a printed interval: nothing compiled, then our cache filled."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = {"BAYES_SCALING_CACHE": f"{folder}/ours", "PYTENSOR_FLAGS": f"base_compiledir={folder}/theirs"}
        first = _process(OURS_COLD, fresh)
        again = statistics.median(_process(OURS_COLD, fresh) for _ in range(3))
        theirs = _process(THEIRS_COLD, fresh)
        theirs_again = statistics.median(_process(THEIRS_COLD, fresh) for _ in range(3))
    rows = [
        {"process": "bayes-scaling, nothing compiled", "seconds": first},
        {"process": "bayes-scaling, cache filled", "seconds": again},
        {"process": "PyMC + nutpie, nothing compiled", "seconds": theirs},
        {"process": "PyMC + nutpie, again", "seconds": theirs_again},
    ]
    show("From the start of the process to a printed interval", pd.DataFrame(rows))
    return {"cold_ratio": first / theirs, "cold_cached_ratio": again / theirs}


def _process(code: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=os.environ | environment, stdout=subprocess.DEVNULL, cwd=_ROOT
    )
    return time.perf_counter() - started


_ROOT = Path(__file__).resolve().parent.parent


def ladder() -> dict[str, float]:
    """Fit the eight-task ladder through both routes, warm."""
    study = bs.Study.load("olmo_ladder")

    def both(seed: int) -> tuple[float, bool]:
        started = time.perf_counter()
        posteriors = [bs.fit(law, study, seed=seed) for law in routes()]
        return time.perf_counter() - started, all(p.diagnostics.converged for p in posteriors)

    both(99)
    found = [both(seed) for seed in range(3)]
    show("Ladder, eight tasks, both routes, warm", pd.DataFrame(found, columns=["seconds", "converged"]))
    return {"ladder_s": statistics.median(s for s, _ in found), "ladder_converged": float(sum(c for _, c in found))}


def batch() -> dict[str, float]:
    """Fit 276 studies (6 sets x 23 losses x 2 forms) in a process of its own, for its memory; nutpie on ten of them."""
    code = "import json; from benchmarks.speed import batch276; print(json.dumps(batch276()))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    found = json.loads(output.splitlines()[-1])
    studies = _sweep_studies()[:: len(_sweep_studies()) // 10][:10]
    started = time.perf_counter()
    for study in studies:
        n, d, loss = (study.column(c) for c in ("n_params", "tokens", "loss"))
        sample_with_nutpie(chinchilla_in_pymc(n, d, loss), seed=0)
    found["nutpie_ten_s"] = time.perf_counter() - started
    show("276 fits of the sweep", pd.DataFrame([found]))
    return found


def _sweep_studies() -> list[bs.Study]:
    sweep = bs.Study.load("loss_to_loss", full=True, progress=False).training
    losses = [c for c in sweep.frame.columns if c.endswith(("_loss", "_ce"))]
    return [one_set(sweep, name).rename(loss=loss) for name in SETS for loss in losses]


def batch276() -> dict[str, float]:
    """Fit them all: seconds warm, verdicts, smallest effective size of a converged fit, peak memory (GiB)."""
    studies = _sweep_studies()

    def all_of_them(seed: int) -> list[bs.Batch]:
        return [bs.fit_many(law, studies, seed=seed, draws=500, progress=False) for law in (Chinchilla(), Kaplan())]

    started = time.perf_counter()
    all_of_them(0)
    first = time.perf_counter()
    batches = all_of_them(1)
    finished = time.perf_counter()
    tables = pd.concat([b.table() for b in batches])
    good = tables[tables["verdict"] == "converged"]
    return {
        "batch276_s": finished - first,
        "batch276_first_s": first - started,
        "batch276_fits": float(len(tables)),
        "batch276_converged": float(len(good)),
        "batch276_min_ess": float(good[["min_ess_bulk", "min_ess_tail"]].min(axis=None)),
        "batch276_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def scaling() -> dict[str, float]:
    """Time a fit against rows (100 to a million) and a batch against studies (1 to 1024); draw both."""
    rows = pd.DataFrame([(n, _time_rows(n)) for n in (100, 1000, 10_000, 100_000, 1_000_000)], columns=["x", "seconds"])
    studies = pd.DataFrame([(n, _time_studies(n)) for n in (1, 4, 16, 64, 256, 1024)], columns=["x", "seconds"])
    show("One fit against rows, warm", rows.rename(columns={"x": "rows"}))
    show("One batch against studies, warm", studies.rename(columns={"x": "studies"}))
    _draw(rows, studies)
    return {
        "slope_rows": _slope(rows),
        "slope_studies": _slope(studies),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def simulated_study(count: int, seed: int) -> bs.Study:
    """Simulate runs of a Chinchilla world; the benchmark of devices fits them, too."""
    rng = np.random.default_rng(seed)
    n, d = np.exp(rng.uniform(np.log(1e8), np.log(1e10), count)), np.exp(rng.uniform(np.log(1e9), np.log(1e11), count))
    loss = (1.8 + 480 / n**0.35 + 2100 / d**0.37) * np.exp(rng.normal(0, 0.005, count))
    return bs.Study.from_frame(pd.DataFrame({"N": n, "D": d, "loss": loss}), name=f"simulated {seed}")


def _time_rows(count: int) -> float:
    study = simulated_study(count, 0)
    short = {"draws": 250, "adapt": False}
    bs.fit(Chinchilla(), study, seed=0, **short)
    started = time.perf_counter()
    bs.fit(Chinchilla(), study, seed=1, **short)
    return time.perf_counter() - started


def _time_studies(count: int) -> float:
    studies = [simulated_study(40, seed) for seed in range(count)]
    short = {"draws": 100, "adapt": False, "progress": False}
    bs.fit_many(Chinchilla(), studies[:16], seed=0, **short)
    started = time.perf_counter()
    bs.fit_many(Chinchilla(), studies, seed=1, **short)
    return time.perf_counter() - started


def _slope(table: pd.DataFrame) -> float:
    return float(np.polyfit(np.log(table["x"]), np.log(table["seconds"]), 1)[0])


def _draw(rows: pd.DataFrame, studies: pd.DataFrame) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    for ax, table, name in zip(figure.subplots(1, 2), (rows, studies), ("rows of one study", "studies"), strict=True):
        ax.loglog(table["x"], table["seconds"], "o-")
        linear = table["seconds"].iloc[-1] * table["x"] / table["x"].iloc[-1]
        ax.loglog(table["x"], linear, "--", color="0.6")
        ax.annotate("proportional", (table["x"].iloc[0], linear.iloc[0]), color="0.4")
        ax.set(xlabel=name, ylabel="seconds, warm")
    figure.savefig(_ROOT / "benchmarks" / "results" / "scaling.png", dpi=150)


PARTS = {"single": single, "cold": cold, "ladder": ladder, "batch": batch, "scaling": scaling}


def main(arguments: list[str] | None = None) -> None:
    """Run the parts, print their tables and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Measure speed beside rivals.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {sorted(unknown)[0]!r}; choose from {', '.join(PARTS)}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    figures: dict[str, float] = {}
    for name in chosen.parts or PARTS:
        figures |= PARTS[name]()
    text = json.dumps({name: float(f"{value:.6g}") for name, value in figures.items()}, indent=2)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
