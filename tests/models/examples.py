"""Runs on which every law of the package can be evaluated: what each input column looks like."""

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
    "model": np.repeat(["a", "b", "c"], ROWS // 3),
}


def law_of(name: str) -> bs.Law:
    """Return the law with this command-line name, with its defaults."""
    return getattr(models, models.LAWS[name])()


def study_for(law: bs.Law) -> bs.Study:
    """Return a study with the columns a law needs."""
    if law.name == "TwoStep":
        return bs.load_study("olmo_ladder").training
    if law.name == "Pooled":
        runs = pd.DataFrame({name: COLUMNS[name] for name in ("n_params", "tokens", "loss")}).assign(run=range(ROWS))
        return bs.Study.from_frame(pd.concat([runs.assign(task=t, loss=runs["loss"] * f) for t, f in SERIES]))
    needed = {SYMBOLS.get(name, name) for name in law.run_inputs} | {*law.columns.values()}
    names = {*needed, law.outcome, "model"} & COLUMNS.keys()
    return bs.Study.from_frame(pd.DataFrame({name: COLUMNS[name] for name in sorted(names)}), name="example")
