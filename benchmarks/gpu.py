"""Fits on the device that JAX finds, beside the CPU: ``python -m benchmarks.gpu [--studies N ...] [--json FILE]``.

Times one Chinchilla fit and batches of them, and compares the posterior means of both devices in Monte Carlo standard
errors.  Where JAX finds no accelerator it measures the CPU alone, and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
from benchmarks.markdown import show
from benchmarks.scaling import simulated_study

STUDIES = (1, 276, 4096)
ROWS, DRAWS = 40, 100
COMPARED = 16  # studies whose means are compared between the devices


def measure(device: jax.Device, count: int) -> tuple[float, bs.Batch]:
    """Return (seconds warm, batch) of fits of simulated studies on one device."""
    studies = [simulated_study(ROWS, seed) for seed in range(count)]
    options = {"draws": DRAWS, "adapt": False, "progress": False}
    with jax.default_device(device):
        bs.fit_many(Chinchilla(), studies[: min(count, 64)], seed=0, **options)
        started = time.perf_counter()
        batch = bs.fit_many(Chinchilla(), studies, seed=1, **options)
        return time.perf_counter() - started, batch


def largest_difference(one: bs.Batch, other: bs.Batch) -> float:
    """Return the largest difference of posterior means in Monte Carlo standard errors of the difference."""
    largest = 0.0
    for a, b in zip(one[:COMPARED], other[:COMPARED], strict=True):
        if a.posterior is None or b.posterior is None:
            continue
        for name in Chinchilla().free_parameters:
            x, y = (m.posterior.tree["posterior"].dataset[name].to_numpy() for m in (a, b))
            errors = [v.std() / np.sqrt(array_stats.ess(v, chain_axis=0, draw_axis=1, method="mean")) for v in (x, y)]
            largest = max(largest, abs(x.mean() - y.mean()) / np.hypot(*errors))
    return float(largest)


def figures(counts: tuple[int, ...] = STUDIES) -> dict[str, float]:
    """Measure every count on both devices, print the table and return the figures."""
    found, cpu = jax.devices()[0], jax.devices("cpu")[0]
    print(f"{found.device_kind} ({found.platform}), beside {platform.machine()} with {os.cpu_count()} cores")
    if found.platform == "cpu":
        print("JAX finds no accelerator: the CPU is measured alone.")
    rows, result = [], {}
    for count in counts:
        seconds, batch = measure(found, count)
        row = {"studies": count, "device": found.device_kind, "seconds": seconds}
        result[f"{found.platform}_{count}_s"] = seconds
        if found.platform != "cpu":
            row["seconds, CPU"], reference = measure(cpu, count)
            row["largest difference of means (MCSE)"] = largest_difference(batch, reference)
            result |= {
                f"cpu_{count}_s": row["seconds, CPU"],
                f"mcse_{count}": row["largest difference of means (MCSE)"],
            }
        rows.append(row)
    show(f"Chinchilla fits of {ROWS} runs, 4 chains x {DRAWS} draws, warm", pd.DataFrame(rows))
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Measure fits on the device found.")
    parser.add_argument("--studies", type=int, nargs="+", default=STUDIES, metavar="N", help="sizes of the batches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    chosen = parser.parse_args(arguments)
    text = json.dumps(figures(tuple(chosen.studies)), indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
