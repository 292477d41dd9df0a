"""Fits on the device that JAX finds, beside the CPU: ``python -m benchmarks.gpu``.

``--studies 1 276`` and ``--precision single`` choose what is measured, ``--small`` is a quick try, ``--json FILE``
keeps the figures.

Times one Chinchilla fit and batches of them, and compares the posterior means of both devices in Monte Carlo standard
errors; a difference of more than four ends in exit code 1.  Where JAX finds no accelerator it measures the CPU alone,
says so, and compares it with fits of its own from another seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import jax
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.inference.precision import PRECISIONS
from bayes_scaling.models import Chinchilla
from benchmarks.agreement import apart
from benchmarks.markdown import show
from benchmarks.scaling import simulated_study

STUDIES = (1, 276, 4096)
SMALL = (1, 8)
ROWS, DRAWS = 40, 100
COMPARED = 16  # studies whose means are compared
MOST = 4.0  # Monte Carlo standard errors


def measure(device: jax.Device, count: int, seed: int, **options: Any) -> tuple[float, bs.Batch]:
    """Return (seconds warm, batch) of fits of simulated studies on one device."""
    studies = [simulated_study(ROWS, place) for place in range(count)]
    warm_up = studies[:64] if device.platform == "cpu" else studies  # on a CPU all units are of one size
    options = {"draws": DRAWS, "adapt": False, "progress": False, **options}
    with jax.default_device(device):
        bs.fit_many(Chinchilla(), warm_up, seed=0, **options)
        started = time.perf_counter()
        batch = bs.fit_many(Chinchilla(), studies, seed=seed, **options)
        return time.perf_counter() - started, batch


def largest_difference(one: bs.Batch, other: bs.Batch) -> float:
    """Return the largest difference of posterior means in Monte Carlo standard errors of the difference."""
    largest = 0.0
    for a, b in zip(one[:COMPARED], other[:COMPARED], strict=True):
        if a.posterior is None or b.posterior is None:
            continue
        for name in Chinchilla().free_parameters:
            x, y = (m.posterior.tree["posterior"].dataset[name].to_numpy() for m in (a, b))
            largest = max(largest, apart(x, y)["mean apart"])
    return largest


def figures(counts: tuple[int, ...] = STUDIES, precision: str = "double") -> dict[str, float]:
    """Measure every count on both devices, print the table and return the figures."""
    found, cpu = jax.devices()[0], jax.devices("cpu")[0]
    alone = found.platform == "cpu"
    print(f"{found.device_kind} ({found.platform}), beside {platform.machine()} with {os.cpu_count()} cores")
    if alone:
        print("JAX finds no accelerator: the CPU is measured alone, and compared with itself from another seed.")
    rows, result = [], {}
    for count in counts:
        seconds, batch = measure(found, count, seed=1, precision=precision)
        elsewhere, reference = measure(cpu, min(count, COMPARED) if alone else count, seed=2)
        difference = largest_difference(batch, reference)
        row = {"studies": count, "device": found.device_kind, "precision": precision, "seconds": seconds}
        result |= {f"{found.platform}_{count}_s": seconds, f"mcse_{count}": difference}
        if not alone:
            row["seconds, CPU"] = result[f"cpu_{count}_s"] = elsewhere
        rows.append({**row, "largest difference of means (MCSE)": difference})
    show(f"Chinchilla fits of {ROWS} runs, 4 chains x {DRAWS} draws, warm", pd.DataFrame(rows))
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Measure fits on the device found.")
    parser.add_argument("--studies", type=int, nargs="+", default=STUDIES, metavar="N", help="sizes of the batches")
    parser.add_argument("--small", action="store_const", dest="studies", const=SMALL, help="a quick try: 1 and 8 fits")
    parser.add_argument("--precision", choices=PRECISIONS, default="double", help="of the device found")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    chosen = parser.parse_args(arguments)
    result = figures(tuple(chosen.studies), chosen.precision)
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")
    worst = max(value for name, value in result.items() if name.startswith("mcse_"))
    if worst > MOST:
        raise SystemExit(f"Posterior means differ by {worst:.1f} Monte Carlo standard errors (at most {MOST:g}).")


if __name__ == "__main__":
    main()
