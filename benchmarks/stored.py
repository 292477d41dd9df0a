"""Results of the speed benchmark on disk: one JSON of all parts, and what readers see of it, CSV, Markdown, picture."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from benchmarks.markdown import as_markdown
from benchmarks.scaling import Found, draw

__all__ = ["ASKED", "machine", "store"]

ASKED = {
    "ess_ratio_nutpie": ("effective draws per second over nutpie's, textbook coordinates", ">= 20"),
    "ess_ratio_nutpie_anchored": ("the same, our coordinates", ">= 5"),
    "single_s": ("one fit of 240 points, seconds", "<= 0.6"),
    "single_min_ess": ("effective draws of its slowest parameter", ">= 4000"),
    "cold_ratio": ("cold process, nothing compiled, over PyMC + nutpie", "<= 0.75"),
    "cold_cached_ratio": ("the same with our cache filled, over their first run", "<= 0.40"),
    "auto_warm_s": ("average of four laws from sixty runs, seconds warm", "<= 8"),
    "auto_cached_s": ("the same in a new process, cache filled", "<= 20"),
    "auto_cold_s": ("the same, nothing compiled", "<= 60"),
    "ladder_s": ("ladder, both routes, seconds", "<= 25"),
    "batch276_s": ("276 fits of the sweep, seconds", "<= 75"),
    "batch276_min_ess": ("smallest effective size among those that converged", ">= 400"),
    "batch276_gib": ("their peak memory, GiB", "<= 4"),
    "slope_rows": ("slope of a fit's cost against rows, log-log", "<= 1"),
    "slope_studies": ("slope of a batch's cost against studies, log-log", "<= 1"),
    "million_rows_gib": ("peak memory with a million rows, GiB", "<= 8"),
    "forecast_gib": ("intervals of 10 000 targets from 4000 draws in chunks, peak GiB", "<= 2"),
    "forecast_whole_gib": ("the same as one table of draws, peak GiB", "<= 2"),
}
"""What each figure is, and the limit it was given."""

PREFACE = """# Speed

Written by `python -m benchmarks.speed`.

The rival in textbook coordinates samples E, log A and log B under *our* priors, which speak of the centre of the data
and are awkward there; a model with priors on log A and log B themselves may well be several times faster, and was not
measured.  The ratio in our coordinates compares samplers alone.  Effective draws are the smallest over parameters.
"""


def machine() -> str:
    """Describe the machine, its software and how busy it is now, in one line."""
    busy = f", load average {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.machine()} with {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"JAX {version('jax')}, NumPyro {version('numpyro')}{busy}"
    )


def store(folder: Path, part: str, where: str, found: Found) -> None:
    """Put what a part found into ``folder``, in the place of what it found before, and write all files anew.

    Parameters
    ----------
    folder : Path
        Holds ``speed.json``, ``speed.csv``, ``speed.md`` and ``scaling.png``.
    part, where : str
        Name of the part; the machine it ran on.
    found : (tables, figures)
        What it returned.
    """
    path = folder / "speed.json"
    parts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tables, figures = found
    parts[part] = {
        "machine": where,
        "figures": {name: float(f"{value:.6g}") for name, value in figures.items()},
        "tables": {title: as_markdown(table) for title, table in tables.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    rows = [(n, figure, value, p["machine"]) for n, p in parts.items() for figure, value in p["figures"].items()]
    pd.DataFrame(rows, columns=["part", "figure", "value", "machine"]).to_csv(folder / "speed.csv", index=False)
    (folder / "speed.md").write_text(_document(parts), encoding="utf-8")
    if part == "scaling":
        draw(*tables.values(), folder / "scaling.png")


def _document(parts: dict) -> str:
    known = {figure: value for p in parts.values() for figure, value in p["figures"].items()}
    summary = [
        {"figure": what, "value": float(known[name]), "asked for": limit}
        for name, (what, limit) in ASKED.items()
        if name in known
    ]
    blocks = [PREFACE, as_markdown(pd.DataFrame(summary))]
    for name, p in parts.items():
        blocks.append(f"## {name}\n\n{p['machine']}.")
        blocks += [f"### {title}\n\n{table}" for title, table in p["tables"].items()]
        if name == "scaling":
            blocks.append("![Cost against rows and studies](scaling.png)")
    return "\n\n".join(block.strip() for block in blocks) + "\n"
