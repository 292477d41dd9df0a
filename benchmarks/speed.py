"""Speed, beside what a user would pick instead: ``python -m benchmarks.speed [--part NAME ...] [--json FILE]``.

Every ratio comes from one run on one machine.  Rivals need the extra ``bench``.  Tables are printed, and kept with the
figures in ``benchmarks/results`` (:mod:`benchmarks.stored`); a part that runs alone replaces its own.
"""

from __future__ import annotations

import argparse
import json
import os
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
from benchmarks.scaling import Found, many_targets, scaling
from benchmarks.stored import machine, store

REPEATS = 5
TARGET = {"N": 7e10, "D": 1.4e12}
OURS_COLD = """
import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
fit = bs.fit(Chinchilla(), bs.load_study("chinchilla", progress=False), seed=0)
print(fit.forecast({"N": 7e10, "D": 1.4e12}).intervals())
"""
THEIRS_COLD = """
import numpy as np
import bayes_scaling as bs
from benchmarks.rivals import chinchilla_in_pymc, sample_with_nutpie
study = bs.load_study("chinchilla", progress=False)
n, d, loss = (study.column(c) for c in ("n_params", "tokens", "loss"))
draws, *_ = sample_with_nutpie(chinchilla_in_pymc(n, d, loss), seed=0)
A, B = np.exp(draws["log_A"]), np.exp(draws["log_B"])
print(np.quantile(draws["E"] + A / 7e10 ** draws["alpha_N"] + B / 1.4e12 ** draws["alpha_D"], [0.05, 0.5, 0.95]))
"""
AVERAGE_COLD = """
from benchmarks.speed import TARGET, sixty_runs
import bayes_scaling as bs
print(bs.forecast_runs(sixty_runs(0), TARGET, seed=0).intervals())
"""


def single() -> Found:
    """Fit the Chinchilla law to the 240 points: effective draws per second, the smallest over parameters."""
    study = bs.load_study("chinchilla", progress=False)
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
    bootstrap_forecast(np.stack([n, d]), loss, np.array([[TARGET["N"]], [TARGET["D"]]]), resamples=resamples, seed=0)
    rows.append({"method": f"log-Huber, {resamples} bootstraps", "seconds": time.perf_counter() - started})
    title = "One Chinchilla fit, 240 points, 4 chains x 1000 draws, warm (medians of five)"
    rate = {r["method"]: r.get("ESS per second", 0.0) for r in rows}
    return {title: pd.DataFrame(rows)}, {
        "ess_ratio_nutpie": rate["bayes-scaling"] / rate["PyMC + nutpie, textbook"],
        "ess_ratio_nutpie_anchored": rate["bayes-scaling"] / rate["PyMC + nutpie, our coordinates"],
        "single_s": rows[0]["seconds"],
        "single_min_ess": rows[0]["min ESS"],
    }


def _min_ess(draws: dict[str, np.ndarray]) -> float:
    return min(float(array_stats.ess(v, chain_axis=0, draw_axis=1, method="bulk")) for v in draws.values())


def cold() -> Found:
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
    tables = {"From the start of the process to a printed interval": pd.DataFrame(rows)}
    return tables, {"cold_ratio": first / theirs, "cold_cached_ratio": again / theirs}


def average() -> Found:
    """Forecast by the average of laws from sixty runs, three cuts, four laws: warm, and in whole processes."""
    bs.forecast_runs(sixty_runs(99), TARGET, seed=99)
    times = []
    for seed in range(3):
        started = time.perf_counter()
        bs.forecast_runs(sixty_runs(seed), TARGET, seed=seed)
        times.append(time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder:
        fresh = {"BAYES_SCALING_CACHE": folder}
        first = _process(AVERAGE_COLD, fresh)
        again = statistics.median(_process(AVERAGE_COLD, fresh) for _ in range(3))
    found = {"auto_warm_s": statistics.median(times), "auto_cached_s": again, "auto_cold_s": first}
    rows = [{"forecast": what, "seconds": seconds} for what, seconds in zip(
        ("warm", "new process, cache filled", "new process, nothing compiled"), found.values(), strict=True
    )]  # fmt: skip
    return {"An average of four laws from sixty runs, three cuts": pd.DataFrame(rows)}, found


def sixty_runs(seed: int) -> bs.Study:
    """Return sixty runs simulated from the Chinchilla law: ten sizes, six ratios of tokens to parameters."""
    grid = [(n, r * n) for n in np.geomspace(5e7, 2e9, 10) for r in (5, 10, 20, 40, 80, 160)]
    runs = pd.DataFrame(grid, columns=["N", "D"])
    noise = np.random.default_rng(seed).normal(0, 0.005, len(runs))
    loss = (1.8 + 482 / runs["N"] ** 0.35 + 2085 / runs["D"] ** 0.37) * np.exp(noise)
    return bs.Study.from_frame(runs.assign(loss=loss), name="sixty runs")


def _process(code: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=os.environ | environment, stdout=subprocess.DEVNULL, cwd=_ROOT
    )
    return time.perf_counter() - started


_ROOT = Path(__file__).resolve().parent.parent


def ladder() -> Found:
    """Fit the eight-task ladder through both routes, warm."""
    study = bs.load_study("olmo_ladder")

    def both(seed: int) -> tuple[float, bool]:
        started = time.perf_counter()
        posteriors = [bs.fit(law, study, seed=seed) for law in routes()]
        return time.perf_counter() - started, all(p.diagnostics.converged for p in posteriors)

    both(99)
    found = [both(seed) for seed in range(3)]
    tables = {"Ladder, eight tasks, both routes, warm": pd.DataFrame(found, columns=["seconds", "converged"])}
    return tables, {
        "ladder_s": statistics.median(s for s, _ in found),
        "ladder_converged": float(sum(c for _, c in found)),
    }


BATCH_TITLE = (
    "276 fits of the sweep, warm, 4 chains x 500 draws; nutpie on ten of the studies, 4 chains x 1000 draws in "
    "textbook coordinates, compilation included"
)


def batch() -> Found:
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
    return {BATCH_TITLE: pd.DataFrame([found])}, found


def _sweep_studies() -> list[bs.Study]:
    sweep = bs.load_study("loss_to_loss", full=True, progress=False).training
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


PARTS = {
    "single": single,
    "cold": cold,
    "average": average,
    "ladder": ladder,
    "batch": batch,
    "scaling": scaling,
    "forecast": many_targets,
}


def main(arguments: list[str] | None = None) -> None:
    """Run the parts, print their tables, and write tables and figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Measure speed beside rivals.")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[*PARTS], help="by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of these parts here, flat")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks" / "results", metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    figures: dict[str, float] = {}
    for name in chosen.part:
        where = machine()
        print(f"\n# {name}: {where}")
        found = PARTS[name]()
        for title, table in found[0].items():
            show(title, table)
        store(chosen.out, name, where, found)
        figures |= found[1]
    text = json.dumps({name: float(f"{value:.6g}") for name, value in figures.items()}, indent=2)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
