"""Sizes on which laws disagree, and what their average says: ``python -m benchmarks.law_disagreement``.

Laws that forecast losses alike may want models of different sizes.  For four public studies the compute-optimal size
of one budget is found by each law alone, and by the recommended average of laws, without and with errors of the
exponents beyond the fitted runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.models import Chinchilla, FewSteps, Kaplan
from benchmarks.markdown import as_markdown

__all__ = ["figures", "sizes"]

SETS = ("fineweb_edu", "starcoder")  # of the sweep of losses
TASK = "HellaSwag"
AVERAGE = "average of laws"
EXPONENT_ERROR = 0.25  # the one that an independent review tried on forecasts
ENOUGH = 1e7  # optimiser steps, of which there are never too few


def studies() -> Iterator[tuple[str, bs.Study, float]]:
    """Yield the name of each study, its training runs and a budget in FLOPs."""
    yield "Chinchilla points", bs.load_study("chinchilla", progress=False), 1e22
    yield TASK, bs.load_study("olmo_ladder").select(task=TASK).rename(loss="task_loss").training, 1e22
    sweep = bs.load_study("loss_to_loss", full=True)
    for name in SETS:
        yield name, sweep.select(train_data=name).rename(loss="train_loss").training, 1e24


def sizes(seed: int = 0) -> pd.DataFrame:
    """Return the compute-optimal size by study and law, and by the average of laws."""
    rows = []
    for name, study, budget in studies():
        laws = [Chinchilla(), Kaplan(), *([FewSteps()] if "steps" in study.frame else [])]
        surfaces = {
            law.name: bs.Surface.of(
                bs.fit(law, study, seed=seed), given={"steps": ENOUGH} if "steps" in law.run_inputs else {}
            )
            for law in laws
        }
        average = bs.fit_runs(study, seed=seed)
        for by, error in {AVERAGE: None, f"{AVERAGE}, exponents off": EXPONENT_ERROR}.items():
            surfaces[by] = bs.mixed_surface(average.posteriors, average.weights, seed=seed, exponent_error=error)
        for by, surface in surfaces.items():
            low, middle, high = quantile(bs.allocate(surface, budget).N[:, 0], [0.05, 0.5, 0.95])
            place = {"study": name, "runs": len(study.frame), "budget": budget, "by": by}
            rows.append({**place, "q05": low, "median": middle, "q95": high, "ratio": high / low})
    return pd.DataFrame(rows)


def figures(seed: int = 0) -> dict[str, float]:
    """Print the table; return how many pairs of laws have intervals that do not meet, alone and against the average."""
    table = sizes(seed)
    print(as_markdown(table))
    alone, against = [], []
    for _, part in table.groupby("study", sort=False):
        rows = part.set_index("by")
        average = rows.loc[AVERAGE]
        single = rows[~rows.index.str.startswith(AVERAGE)].to_dict("records")
        alone += [_apart(a, b) for i, a in enumerate(single) for b in single[i + 1 :]]
        against += [_apart(a, average) for a in single]
    return {
        "disjoint_pairs_of_laws": float(sum(alone)),
        "pairs_of_laws": float(len(alone)),
        "laws_disjoint_from_the_average": float(sum(against)),
        "laws": float(len(against)),
    }


def _apart(one: dict[str, float] | pd.Series, other: dict[str, float] | pd.Series) -> bool:
    return bool(one["q95"] < other["q05"] or other["q95"] < one["q05"])


if __name__ == "__main__":
    print(figures())
