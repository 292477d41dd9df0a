"""From three wide tables, one column per fine-tuning size, to one row per model, data set and size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

LARGEST = 819_200  # the size that the source holds out
SUBSET = ("gpt2", "facebook/opt-350m", "facebook/bart-base", "t5-base")  # four families for the embedded table


def full(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per model, data set and fine-tuning size; the largest size has role ``target``."""
    blocks = []
    for name, path in files.items():
        wide = pd.read_csv(path).rename(columns={"0": "zero_shot_loss"})
        long = wide.melt(["model", "zero_shot_loss"], var_name="finetune_data", value_name="loss")
        blocks.append(long.assign(dataset=Path(name).stem, finetune_data=long["finetune_data"].astype(float)))
    table = pd.concat(blocks, ignore_index=True)
    table["task"] = table["model"].str.rpartition("/")[2] + " on " + table["dataset"]
    table["run"] = table["finetune_data"].map("{:.0f} examples".format)
    table["role"] = table["finetune_data"].map(lambda size: "target" if size == LARGEST else "train")
    columns = ["run", "role", "task", "model", "dataset", "finetune_data", "loss", "zero_shot_loss"]
    return table.sort_values(["dataset", "model", "finetune_data"], kind="stable")[columns].reset_index(drop=True)


def figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return four models of different families on one data set."""
    return table[table["model"].isin(SUBSET) & (table["dataset"] == "wikiword")]
