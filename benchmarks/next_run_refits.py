"""Next runs: how much narrower a forecast was announced to become, against refits to outcomes that the run may have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla
from bayes_scaling.models.two_step import IRREDUCIBLE
from benchmarks.decisions import DESIGN, TARGET

__all__ = ["figures", "ratios", "worlds"]

CANDIDATES = pd.DataFrame([(n, r * n) for n in (8e8, 3.2e9) for r in (20, 100)], columns=["N", "D"])
OUTCOMES = 16  # that each candidate may have
DRAWS = 500  # per chain of a refit
FEWEST = 0.05  # share of the variance: what must have been announced for a ratio to mean anything


def figures(seed: int = 0) -> dict[str, float]:
    """Return the median over candidates of announced over refitted reduction of the variance, and its range."""
    blocks = []
    for i, world in enumerate(worlds(seed)):
        blocks.append(ratios(*world, seed=seed + i))
        print(blocks[-1].to_string(index=False), flush=True)
    table = pd.concat(blocks, ignore_index=True)
    found = {}
    for name, part in table.groupby("discrepancy"):
        end = "_with_discrepancy" if name else ""
        kept = part.loc[part["announced"] >= FEWEST, "ratio"]
        found |= {f"next_run_announced_ratio{end}": kept.median(), f"next_run_candidates{end}": len(kept)}
        found |= {f"next_run_announced_ratio{end}_q{level}": kept.quantile(level / 100) for level in (10, 90)}
    return found


def worlds(seed: int) -> Iterator[tuple[str, bs.Law, bs.Study]]:
    """Yield the ladder and three simulated families, each with the law that is fitted to it."""
    ladder = bs.load_study("olmo_ladder").training.select(task="HellaSwag").rename(loss="task_loss")
    columns = ["run", "n_params", "tokens", "loss"]
    yield "ladder", Chinchilla(E=IRREDUCIBLE), dataclasses.replace(ladder, frame=ladder.frame[columns])
    law = Chinchilla()
    families = {
        "steep": {"alpha_N": 0.4, "alpha_D": 0.35, "sigma": 0.005},
        "flat": {"alpha_N": 0.25, "alpha_D": 0.25, "sigma": 0.005},
        "noisy": {"alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.02},
    }
    for i, (name, own) in enumerate(families.items()):
        truth = {"E": 1.8, "reducible": 0.6, "split": 0.5, **own}
        yield name, law, bs.simulate(law, DESIGN, truth, seed=seed + i)


def ratios(
    name: str,
    law: bs.Law,
    study: bs.Study,
    *,
    seed: int,
    outcomes: int = OUTCOMES,
    discrepancies: tuple[bool, ...] = (False, True),
) -> pd.DataFrame:
    """Return what was announced of each candidate and what refits say: shares of the variance at the target.

    Outcomes are drawn from the posterior predictive of the candidate; each is fitted together with the runs.
    """
    posterior = bs.fit(law, study, seed=seed, draws=4000)
    blocks = []
    for discrepancy in discrepancies:
        surface = bs.Surface.of(posterior, discrepancy=discrepancy)
        announced = bs.next_runs(surface, CANDIDATES, TARGET)
        drawn = bs.forecast(posterior, CANDIDATES, discrepancy=discrepancy, samples=outcomes, seed=seed + 1)
        values = drawn.draws["loss_run"].to_numpy()
        studies = [_with_run(study, row, y) for row, own in zip(_runs(), values.T, strict=True) for y in own]
        refitted = bs.fit_many(law, studies, seed=seed, draws=DRAWS, adapt=False, progress=False)
        aim = {symbol: np.array([value]) for symbol, value in TARGET.items()}
        now = float(surface.at(**aim).var())
        after = [
            float(bs.Surface.of(m.posterior, discrepancy=discrepancy, allow_unconverged=True).at(**aim).var())
            if m.posterior is not None and m.posterior.diagnostics.max_rhat < 1.05
            else np.nan
            for m in refitted
        ]
        left = np.nanmean(np.reshape(after, (len(CANDIDATES), outcomes)), axis=1)
        ranked = announced.table().set_index("run")
        said = [1 - (ranked.at[f"candidate {i + 1}", "sd_after"] / announced.sd) ** 2 for i in range(len(CANDIDATES))]
        table = CANDIDATES.assign(world=name, discrepancy=discrepancy, announced=said, refitted=1 - left / now)
        blocks.append(table.assign(ratio=table["announced"] / table["refitted"]))
    return pd.concat(blocks, ignore_index=True)


def _runs() -> list[dict[str, float]]:
    return [{"n_params": row.N, "tokens": row.D} for row in CANDIDATES.itertuples()]


def _with_run(study: bs.Study, run: dict[str, float], loss: float) -> bs.Study:
    frame = pd.concat([study.frame, pd.DataFrame([{**run, "run": "next", "loss": loss}])], ignore_index=True)
    return dataclasses.replace(study, frame=frame[[c for c in ("n_params", "tokens", "loss") if c in frame]])
