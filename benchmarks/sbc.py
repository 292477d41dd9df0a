"""Simulation-based calibration of every law: ``python -m benchmarks.sbc [LAW ...] [--json FILE]``.

200 studies are drawn from the priors of each law and fitted; the truth must rank uniformly among its posterior draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.models import LAWS, TwoStep
from bayes_scaling.models.defaults import law_by_name
from bayes_scaling.sbc import Calibration, plot_ranks, simulation_based_calibration
from benchmarks.markdown import show

RESULTS = Path(__file__).parent / "results"
RUNS = 24
SERIES = ("one", "two")


def design(name: str) -> tuple[bs.Law, bs.Study]:
    """Return a law and runs like those it is meant for."""
    if name == "two_step":
        ladder = bs.Study.load("olmo_ladder").training.select(task=["HellaSwag", "PIQA"])
        return TwoStep(jointly=("task_loss",)), ladder
    rng = np.random.default_rng(0)
    mixed = rng.permutation(RUNS)
    columns = {
        "n_params": np.geomspace(1e8, 2e9, RUNS)[mixed],
        "tokens": np.geomspace(2e9, 1e11, RUNS),
        "flops": np.geomspace(1e18, 1e21, RUNS),
        "loss": np.geomspace(4.0, 2.5, RUNS),
        "source_loss": np.geomspace(4.1, 2.3, RUNS),
        "loss0": np.full(RUNS, 3.0),
        "chance": np.full(RUNS, 0.25),
        "accuracy": np.linspace(0.3, 0.7, RUNS),
        "error": np.linspace(0.8, 0.4, RUNS),
        "steps": np.geomspace(1e3, 5e4, RUNS)[mixed[::-1]],
        "pretrained": np.tile([0.0, 1.0], RUNS // 2),
        "finetune_data": np.geomspace(1e4, 1e6, RUNS)[mixed],
        "pretrain_data": np.tile([0.0, 1e3, 1e4, 6e4], RUNS // 4),
    }
    law = law_by_name(name)
    needed = {bs.study.SYMBOLS.get(n, n) for n in law.run_inputs} | set(law.quantities)
    table = pd.DataFrame({c: columns[c] for c in sorted(needed & columns.keys())})
    if name == "sigmoid_accuracy":
        table["loss"] = columns["loss"]
    if name == "pooled":
        table = pd.concat([table.assign(run=range(RUNS), task=task) for task in SERIES])
    return law, bs.Study.from_frame(table, name=name)


def calibrate(name: str, simulations: int, seed: int) -> Calibration:
    """Calibrate one law and draw its ranks."""
    law, study = design(name)
    calibration = simulation_based_calibration(law, study, seed=seed, simulations=simulations, chunk=40)
    RESULTS.mkdir(exist_ok=True)
    plot_ranks(calibration).savefig(RESULTS / f"sbc_{name}.png", dpi=80)
    return calibration


def main(arguments: list[str] | None = None) -> None:
    """Run the laws, print the table and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sbc", description="Calibrate every law by simulation.")
    parser.add_argument("laws", nargs="*", metavar="LAW", help="by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    rows = []
    for name in chosen.laws or LAWS:
        calibration = calibrate(name, chosen.simulations, chosen.seed)
        p = calibration.p_values()
        rows.append(
            {
                "law": name,
                "simulations": len(calibration.ranks),
                "converged": calibration.converged,
                "parameters": len(p),
                "smallest p": p.min(),
                "of": p.idxmin(),
                "times parameters": min(1.0, p.min() * len(p)),
            }
        )
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    show("Simulation-based calibration: ranks of the truth, chi-square test of uniformity", table)
    figures = {
        "laws": len(table),
        "simulations": int(table["simulations"].min()),
        "min_p": float(table["smallest p"].min()),
        "min_p_corrected": float(table["times parameters"].min()),
    }
    text = json.dumps(figures, indent=2)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
