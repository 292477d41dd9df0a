"""Simulation-based calibration of every law: ``python -m benchmarks.sbc [LAW ...] [--json FILE]``.

200 studies are drawn from the priors of each law and fitted; the truth must rank uniformly among its posterior draws.
Each law's row goes into ``results/sbc.csv`` as it is done, in the place of what was found before; ``results/sbc.md`` is
made from all of them.  On one core most laws take one or two minutes, those of transfer and the two-step law up to an
hour.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.evaluation.sbc import simulation_based_calibration
from bayes_scaling.inference.seeds import member_seed
from bayes_scaling.models import LAWS, Mixture, TwoStep
from bayes_scaling.models.defaults import law_by_name
from bayes_scaling.plots import plot_ranks
from bayes_scaling.study.reading import column_of
from benchmarks.markdown import as_markdown

RESULTS = Path(__file__).parent / "results"
RUNS = 24
SERIES = ("one", "two")
DRAWS = 500
CHUNK = 40  # studies side by side
SLOW = dict.fromkeys(("scratch", "transfer", "fading_transfer", "pretraining_size", "superset_in_compute"), 1000)
"""Draws per chain where studies drawn from the priors are of every shape, and many mix slowly."""

PREFACE = """# Simulation-based calibration

Written by `python -m benchmarks.sbc`.

Studies are drawn from the priors of a law and fitted, and the truth is ranked among the posterior draws: uniformly, if
model, likelihood and sampler agree.  Fits that did not converge are ranked with the others.  The test is chi-square
over ten bins for each parameter and for the joint likelihood of the outcomes, which alone tells of a fit that ignores
some of them; `times quantities` is the smallest p-value times how many were tested (Bonferroni).  In the pictures 99 %
of sound lines stay within the grey band.

Each law draws its truths with a seed of its own, from the one given and its name.  Rows of seed 0 are older: one seed
was for all laws, so that a prior that several of them share shows the luck of its draw in each of them.
"""


def design(name: str) -> tuple[bs.Law, bs.Study]:
    """Return a law and runs like those it is meant for."""
    if name == "two_step":
        ladder = bs.load_study("olmo_ladder").training.select(task=["HellaSwag", "PIQA"])
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
        "unique_tokens": np.geomspace(2e9, 1e11, RUNS) / np.tile([1.0, 4.0, 60.0], RUNS // 3),
        "num_experts": np.tile([1.0, 4.0, 64.0], RUNS // 3),
        "n_params_non_vocab": np.geomspace(5e7, 1e9, RUNS)[mixed],
        "vocab_size": np.tile([4096.0, 16384.0, 65536.0], RUNS // 3),
        "num_characters": np.geomspace(1e9, 1e11, RUNS),
        "learning_rate": 1e-3 * np.tile([0.25, 0.5, 1.0, 2.0, 4.0, 1.0], RUNS // 6),
        "batch_tokens": 2.5e5 * np.tile([1.0, 4.0, 2.0, 0.5, 1.0, 0.25, 8.0, 1.0], RUNS // 8),
        "unigram_normalised_loss": np.linspace(-1.5, -5.0, RUNS),
        **dict(zip(Mixture().shares, np.random.default_rng(1).dirichlet(np.full(3, 0.7), RUNS).T, strict=True)),
    }
    if name == "pretraining_size":  # models are told apart by size, and people have a few
        columns["n_params"] = np.repeat(np.geomspace(1e7, 2e8, 6), RUNS // 6)
    if name == "superset_in_compute":  # its size is compute per token, which is not to rise with the tokens
        columns["flops"] = 6 * columns["n_params"] * columns["tokens"]
    if name in ("scratch", "transfer", "fading_transfer"):  # a grid, each cell from scratch and pre-trained
        sizes, data = np.geomspace(1e8, 2e9, 3), np.geomspace(1e4, 1e6, 4)
        columns["n_params"], columns["finetune_data"] = (np.repeat(x.ravel(), 2) for x in np.meshgrid(sizes, data))
    law = law_by_name(name)
    needed = {column_of(n) for n in law.run_inputs} | {*law.columns.values(), *law.quantities}
    table = pd.DataFrame({c: columns[c] for c in sorted(needed & columns.keys())})
    if name == "sigmoid_accuracy":
        table["loss"] = columns["loss"]
    if name == "direct_ladder":
        table["chance"] = columns["chance"]
    if law.by_task:
        table = pd.concat([table.assign(run=range(RUNS), task=task) for task in SERIES])
    return law, bs.Study.from_frame(table, name=name)


def calibrate(name: str, simulations: int, draws: int, seed: int) -> dict[str, Any]:
    """Calibrate one law, draw its ranks and return its row of the table."""
    law, study = design(name)
    own = member_seed(seed, zlib.crc32(name.encode()))
    calibration = simulation_based_calibration(law, study, seed=own, simulations=simulations, draws=draws, chunk=CHUNK)
    figure = plot_ranks(calibration)
    figure.savefig(RESULTS / f"sbc_{name}.png", dpi=80)
    plt.close(figure)
    p = calibration.p_values()
    return {
        "law": name,
        "seed": own,
        "simulations": len(calibration.ranks),
        "draws": draws,
        "converged": calibration.converged,
        "quantities": len(p),
        "smallest p": p.min(),
        "of": p.idxmin(),
        "times quantities": min(1.0, p.min() * len(p)),
    }


def store(row: dict[str, Any]) -> pd.DataFrame:
    """Put the row of a law in the place of what was found before, write the files anew and return all rows."""
    path = RESULTS / "sbc.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {each["law"]: each for each in rows} | {row["law"]: row}
    table = pd.DataFrame([known[name] for name in LAWS if name in known])
    table.to_csv(path, index=False, float_format="%.6g")
    tests, least = int(table["quantities"].sum()), table["smallest p"].min()
    summary = f"Of {tests} p-values in all the smallest is {least:.2g}; by chance it would be about {1 / tests:.1g}."
    pictures = [f"![Ranks of {name}](sbc_{name}.png)" for name in table["law"]]
    document = "\n\n".join([PREFACE.strip(), as_markdown(table), summary, *pictures])
    (RESULTS / "sbc.md").write_text(document + "\n", encoding="utf-8")
    return table


def main(arguments: list[str] | None = None) -> None:
    """Run the laws, store and print the table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sbc", description="Calibrate every law by simulation.")
    parser.add_argument("laws", nargs="*", metavar="LAW", help="by default all of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of these laws here too")
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--draws", type=int, help=f"per chain; by default {DRAWS}, more where chains mix slowly")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    names = chosen.laws or list(LAWS)
    for name in names:
        draws = chosen.draws or SLOW.get(name, DRAWS)
        table = store(calibrate(name, chosen.simulations, draws, chosen.seed))
        print(as_markdown(table[table["law"] == name]), flush=True)
    table = table[table["law"].isin(names)]
    figures = {
        "laws": len(table),
        "simulations": int(table["simulations"].min()),
        "min_p": float(table["smallest p"].min()),
        "min_p_corrected": float(table["times quantities"].min()),
    }
    text = json.dumps(figures, indent=2)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
