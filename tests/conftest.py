"""Small fits that several tests look at; compiled programs are kept between test runs."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

os.environ.setdefault("BAYES_SCALING_CACHE", str(Path(tempfile.gettempdir()) / "bayes-scaling-tests"))
os.environ.setdefault("MPLBACKEND", "Agg")
# The package compiles its own programs like this; here all others too, most of which run once.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1"
    # later releases have no such flag, and end the process
    + (" --xla_cpu_use_fusion_emitters=false" if Version(version("jaxlib")) < Version("0.11.1") else ""),
)
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and sys.platform == "linux":
    # One core for each worker and what it starts: threads of programs that share cores wait for one another, and a
    # notebook takes four times as long.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

import jax
import numpy as np
import pandas as pd
import pytest

import bayes_scaling as bs
from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.mixing import average
from bayes_scaling.models import Chinchilla
from bayes_scaling.models.two_step import routes

ROOM = 1.5 * 2**30  # bytes for the compiled programs of a worker, beyond which it starts anew
DRAWS = 100  # per chain, in every small fit: one compiled program per law


def pytest_configure(config):
    config.option.loadscopereorder = False  # workers take files in the order below
    # Programs are traced into millions of objects: to look for cycles among them took an eighth of the time.
    gc.set_threshold(100_000, 50, 100)


def pytest_collection_modifyitems(items):
    """Put files with slow tests first, so that no worker is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def few_programs_at_once():
    """Let go of compiled programs after a file where they fill much memory; the next one shares what is left."""
    yield
    if memory() < ROOM:
        return
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":  # glibc keeps what was freed, hundreds of megabytes, unless it is asked
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def memory() -> float:
    """Return the bytes of memory that this process holds; without end where the system does not say."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return math.inf


@pytest.fixture
def command():
    """A command is being run, so that messages speak of its options."""
    token = COMMAND_LINE.set(True)
    yield
    COMMAND_LINE.reset(token)


@pytest.fixture(scope="session")
def runs() -> pd.DataFrame:
    """Sixteen simulated runs with a user's column names; the truth is E = 1.8, alpha_N = alpha_D = 0.3."""
    rng = np.random.default_rng(0)
    grid = [(n, d * n) for n in (1e8, 2e8, 4e8, 8e8) for d in (10, 20, 40, 80)]
    table = pd.DataFrame(grid, columns=["N", "D"])
    mean = 1.8 + 0.6 * (table["N"] / 3e8) ** -0.3 + 0.6 * (table["D"] / 8e9) ** -0.3
    table["val_loss"] = mean * np.exp(rng.normal(0, 0.004, len(table)))
    table.insert(0, "run", [f"run {i}" for i in range(len(table))])
    return table


@pytest.fixture(scope="session")
def simulated(runs: pd.DataFrame) -> bs.Study:
    return bs.Study.from_frame(runs, name="simulated", loss="val_loss")


@pytest.fixture(scope="session")
def simulated_fit(simulated: bs.Study) -> bs.Posterior:
    return bs.fit(Chinchilla(), simulated, seed=0, draws=DRAWS, adapt=False)


@pytest.fixture(scope="session")
def ladder() -> bs.Study:
    return bs.load_study("olmo_ladder")


@pytest.fixture(scope="session")
def ladder_fits(ladder: bs.Study) -> list[bs.Posterior]:
    """Fits through both routes, too short to be relied on."""
    return [bs.fit(law, ladder, seed=0, draws=DRAWS, adapt=False) for law in routes()]


@pytest.fixture(scope="session")
def ladder_forecast(ladder: bs.Study, ladder_fits: list[bs.Posterior]) -> Forecast:
    return average([p.forecast(ladder.targets, allow_unconverged=True) for p in ladder_fits])
