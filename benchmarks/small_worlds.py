"""What intervals hold where the truth is known: simulated ladders of small models, exact and not.

Twenty runs (at four budgets of equal compute, 1e17 to 1e19 FLOPs, or a grid of sizes and data up to 1.7e20), or ten at
one ratio (up to 4.3e19), follow the published Chinchilla law, or depart from it in a way that their own backtests
hardly see.  The recommended forecast is scored at 10 and 100 times the FLOPs of the largest run.  Nothing is learnt or
chosen here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from benchmarks.large_ladders import DISTANCES, RATIO, E, published_loss, targets_beyond
from benchmarks.markdown import as_markdown

__all__ = ["WORLDS", "World", "beyond", "figures", "simulate"]

REPORT = Path(__file__).parent / "results" / "small_worlds.md"
STUDIES = 24
SHOWN = ["in90", "in50", "bias", "width90"]
SMALLEST = 2e7  # parameters, of which too high a loss is said


def isoflop() -> pd.DataFrame:
    """Return four budgets of equal compute, five sizes each."""
    budgets, sizes = np.repeat([1e17, 1e18, 3e18, 1e19], 5), np.tile([0.25, 0.5, 1.0, 2.0, 4.0], 4)
    n_params = np.sqrt(budgets / (6 * RATIO)) * sizes
    return pd.DataFrame({"n_params": n_params, "tokens": budgets / (6 * n_params)})


def one_ratio() -> pd.DataFrame:
    """Return ten sizes, each at the same tokens per parameter."""
    n_params = np.geomspace(3e7, 6e8, 10)
    return pd.DataFrame({"n_params": n_params, "tokens": RATIO * n_params})


def grid() -> pd.DataFrame:
    """Return four sizes, each at five amounts of data."""
    runs = [(n, n * r) for n in (SMALLEST, 6e7, 2e8, 6e8) for r in (5, 10, 20, 40, 80)]
    return pd.DataFrame(runs, columns=["n_params", "tokens"], dtype=float)


def beyond(loss: np.ndarray, fitted: np.ndarray, slope: float) -> np.ndarray:
    """Return losses whose reducible part goes on at ``slope`` times its slope beyond the least of the fitted ones.

    Examples
    --------
    >>> beyond(np.array([E + 0.25]), np.array([E + 1.0, E + 0.5]), 2.0) - E
    array([0.125])
    """
    edge = (fitted - E).min()
    step = np.minimum(np.log((loss - E) / edge), 0.0)
    return E + (loss - E) * np.exp((slope - 1) * step)


@dataclasses.dataclass(frozen=True)
class World:
    """Runs, and how their losses depart from the published law.

    Attributes
    ----------
    design : callable
        Returns the runs.
    noise : float
        Of a run, as a fraction.
    slope : float
        Of the log reducible loss beyond the runs, as a multiple of the law's.
    excess : float
        By which the loss of the smallest size is too high, a fraction; that of others in inverse proportion to size.
    """

    design: Callable[[], pd.DataFrame] = isoflop
    noise: float = 0.005
    slope: float = 1.0
    excess: float = 0.0


WORLDS = {
    "the law is exact": World(),
    "exact, ten runs of one ratio": World(one_ratio),
    "exact, noise of 3 %": World(noise=0.03),
    "flatter by a fifth beyond the runs": World(slope=0.8),
    "steeper by a fifth beyond the runs": World(slope=1.2),
    "smallest size 2 % too high": World(grid, excess=0.02),
    "smallest size 6 % too high": World(grid, excess=0.06),
}


def simulate(world: World, seed: int) -> tuple[bs.Study, pd.DataFrame]:
    """Return a study of a world, and the runs to forecast with the outcomes that they would have."""
    rng, runs = np.random.default_rng(seed), world.design()
    targets = targets_beyond(runs)
    fitted = published_loss(runs["n_params"], runs["tokens"]).to_numpy()
    for table in (runs, targets):
        loss = beyond(published_loss(table["n_params"], table["tokens"]).to_numpy(), fitted, world.slope)
        loss *= 1 + world.excess * SMALLEST / table["n_params"].to_numpy()
        table["loss"] = loss * np.exp(rng.normal(0, world.noise, len(table)))
    return bs.Study.from_frame(runs, name="simulated", flops="6ND"), targets


def figures(seed: int = 0, studies: int = STUDIES) -> dict[str, float]:
    """Forecast and score every world, store the table and return coverage, bias and width by world and distance."""
    blocks = []
    for words, world in WORLDS.items():
        for i in track(range(studies), words, transient=True):
            study, targets = simulate(world, seed + i)
            scores = bs.forecast_runs(study, targets, seed=seed + i).score()
            scores = scores.assign(bias=scores["relative_error"], width90=scores["width90"] / scores["actual"])
            blocks.append(scores[SHOWN].assign(world=words, distance=DISTANCES))
    every = pd.concat(blocks, ignore_index=True)
    table = 100 * every.groupby(["world", "distance"], sort=False).mean()
    text = as_markdown(table.reset_index().rename(columns={"distance": "times the FLOPs"}))
    print(text)
    about = (
        f"Per cent, means over {studies} studies of each world; printed by `python -m benchmarks.quality small_worlds`."
    )
    REPORT.write_text(f"# Small worlds\n\n{__doc__}\n{about}\n\n{text}\n", encoding="utf-8")
    names = {words: words.replace(" %", "").replace(",", "").replace(" ", "_") for words in WORLDS}
    return {f"{names[w]}_{d}x_{k}": float(v) for (w, d), row in table.iterrows() for k, v in row.items()}
