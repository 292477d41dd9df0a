"""The 240 Chinchilla points as Besiroglu et al. use them, from the file they read off the figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

DROPPED = 5  # the largest losses, which the source's analysis leaves out


def full(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per kept point: parameters, tokens (FLOPs / 6N), FLOPs, loss in nats per token."""
    points = pd.read_csv(files["svg_extracted_data.csv"])
    n_params, flops = points["Model Size"], points["Training FLOP"]
    table = pd.DataFrame(
        {"n_params": n_params, "tokens": flops / (6 * n_params), "flops": flops, "loss": points["loss"]}
    )
    table.insert(0, "run", [f"point {i}" for i in range(len(table))])
    return table[table["loss"] < table["loss"].nlargest(DROPPED).iloc[-1]].reset_index(drop=True)
