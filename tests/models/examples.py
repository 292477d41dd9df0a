"""Runs on which every law of the package can be evaluated, and parameters of the laws of scarce data."""

from __future__ import annotations

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling import models
from bayes_scaling.study.reading import SYMBOLS

SERIES = (("one", 1.0), ("two", 1.1))
RNG = np.random.default_rng(0)
ROWS = 24
COLUMNS = {
    "n_params": np.geomspace(1e8, 2e9, ROWS)[RNG.permutation(ROWS)],
    "tokens": np.geomspace(2e9, 1e11, ROWS),
    "flops": np.geomspace(1e18, 1e21, ROWS),
    "loss": np.geomspace(4.0, 2.5, ROWS),
    "loss0": np.geomspace(4.2, 2.4, ROWS),
    "loss1": np.geomspace(3.9, 2.2, ROWS),
    "source_loss": np.geomspace(4.1, 2.3, ROWS),
    "steps": np.geomspace(1e3, 5e4, ROWS),
    "chance": np.full(ROWS, 0.25),
    "accuracy": np.linspace(0.3, 0.7, ROWS),
    "error": np.geomspace(0.9, 0.4, ROWS),
    "pretrained": np.tile([0.0, 1.0], ROWS // 2),
    "finetune_data": np.geomspace(1e4, 1e6, ROWS)[RNG.permutation(ROWS)],
    "pretrain_data": np.tile([0.0, 1e3, 1e4, 6e4], ROWS // 4),
    "unique_tokens": np.geomspace(2e9, 1e11, ROWS) / np.tile([1.0, 4.0, 60.0], ROWS // 3),
    "num_experts": np.tile([1.0, 4.0, 64.0], ROWS // 3),
    "n_params_non_vocab": np.geomspace(5e7, 1e9, ROWS)[RNG.permutation(ROWS)],
    "vocab_size": np.tile([4096.0, 16384.0, 65536.0], ROWS // 3),
    "num_characters": np.geomspace(1e9, 1e11, ROWS),
    "learning_rate": 1e-3 * np.tile([0.25, 0.5, 1.0, 2.0, 4.0, 1.0], ROWS // 6),
    "batch_tokens": 2.5e5 * np.tile([1.0, 4.0, 2.0, 0.5, 1.0, 0.25, 8.0, 1.0], ROWS // 8),
    "unigram_normalised_loss": np.linspace(-1.5, -5.0, ROWS),
    "model": np.repeat(["a", "b", "c"], ROWS // 3),
}

# of the laws of scarce data: two runs, parameters of training from scratch, and what pre-training is worth
RUNS = {"N": np.array([1e6, 1e8]), "D_F": np.array([1e7, 1e9]), "N0": 1e7, "D_F0": 1e8}
CENTRE = {
    "level": 2.0,
    "floor": 0.1,
    "split": 0.3,
    "alpha_N": 0.2,
    "alpha_D": 0.3,
    "head": 0.0,
    "turn": 1.0,
    "sharpness": 1.0,
}
WORTH = {"worth": 3.0, "a": 0.2, "b": 0.4}


def law_of(name: str) -> bs.Law:
    """Return the law with this command-line name, with its defaults."""
    return getattr(models, models.LAWS[name])()


def mixtures(shares: tuple[str, ...], series: tuple[tuple[str, float], ...] = SERIES) -> pd.DataFrame:
    """Return mixtures, one of which lacks the first domain, and their losses in each series."""
    drawn = np.random.default_rng(1).dirichlet(np.full(len(shares), 0.7), ROWS)
    drawn[0, 0], drawn[0, 1] = 0.0, drawn[0, :2].sum()
    runs = pd.DataFrame(drawn, columns=list(shares)).assign(run=range(ROWS), loss=COLUMNS["loss"])
    return pd.concat([runs.assign(task=task, loss=runs["loss"] * factor) for task, factor in series])


def study_for(law: bs.Law) -> bs.Study:
    """Return a study with the columns a law needs."""
    if law.name in ("TwoStep", "DirectLadder"):
        return bs.load_study("olmo_ladder").training
    if law.name == "Pooled":
        runs = pd.DataFrame({name: COLUMNS[name] for name in ("n_params", "tokens", "loss")}).assign(run=range(ROWS))
        return bs.Study.from_frame(pd.concat([runs.assign(task=t, loss=runs["loss"] * f) for t, f in SERIES]))
    if law.name == "Mixture":
        return bs.Study.from_frame(mixtures(law.shares), name="example")
    needed = {SYMBOLS.get(name, name) for name in law.run_inputs} | {*law.columns.values()}
    names = {*needed, law.outcome, "model"} & COLUMNS.keys()
    return bs.Study.from_frame(pd.DataFrame({name: COLUMNS[name] for name in sorted(names)}), name="example")
