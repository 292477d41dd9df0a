"""From the logs of fine-tuning to one row per finished run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

TASKS = {
    "mulclass": "multiclass_classification",
    "sinclass": "image_classification",
    "objdet": "object_detection",
    "semseg": "semantic_segmentation",
    "normal": "surface_normal_estimation",
}
IMAGES = {"imagenet": 1_281_167, "coco": 118_287, "ade20k": 20_210}  # training sets: ImageNet-1k, train2017, ADE20K
POOLS = {"64k": "small", "1280k": "large"}


def full(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per run at its last evaluation, in the order of the model's size and of both data sizes."""
    log = pd.read_csv(files["results_finetune.csv"])
    cell = [c for c in log.columns if c not in ("n_eval", "value")]
    last = log.sort_values("n_eval", kind="stable").groupby(cell, dropna=False, sort=False).tail(1)
    scratch = last["pretrain.data"].eq(0)
    fraction = last["fratio"] / 100
    finetune = np.floor(fraction * last["fdata"].map(IMAGES) + 1e-9)
    table = pd.DataFrame(
        {
            "model": last["model"].str.replace("r", "resnet", regex=False),
            "n_params": last["nparam"] * 1e6,
            "pretrain_task": last["ptask"].map(TASKS).where(~scratch, "none"),
            "pretrain_set": last["pdata"].where(~scratch, "none"),
            "pretrain_pool": last["pscale"].map(POOLS).where(~scratch & (last["pdata"] != "imagenet"), "none"),
            "pretrain_data": last["pretrain.data"],
            "finetune_task": last["ftask"].map(TASKS),
            "finetune_set": last["fdata"],
            "finetune_fraction": fraction,
            "finetune_data": finetune.where((last["fdata"] != "coco") | (last["ftask"] != "semseg"), 0.0),
            "error": 1 - last["value"],
            "loss": -np.log(last["value"]),
        }
    )
    own = (table["finetune_set"] == "imagenet") & table["pretrain_task"].isin(["none", "multiclass_classification"])
    own &= table["pretrain_pool"].isin(["none", "small"]) & table["pretrain_set"].isin(["none", "bop"])
    table.insert(0, "role", np.where(own, "train", "extra"))
    table.insert(0, "run", [_name(row) for _, row in table.iterrows()])
    order = ["role", "n_params", "finetune_data", "pretrain_data", "run"]
    return table.sort_values(order, ascending=[False, True, True, True, True]).reset_index(drop=True)


def figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of role ``train``: five models, nine fine-tuning sizes, seven pre-training sizes and none."""
    keep = ["run", "role", "model", "n_params", "pretrain_data", "finetune_fraction", "finetune_data", "error", "loss"]
    return table.loc[table["role"] == "train", keep]


def _name(row: pd.Series) -> str:
    what = f"{row['model']} {row['finetune_set']}-{row['finetune_task'].partition('_')[0]} {row['finetune_fraction']:g}"
    if row["pretrain_task"] == "none":
        return f"{what} scratch"
    size = "unknown" if pd.isna(row["pretrain_data"]) else f"{row['pretrain_data']:.0f}"
    pool = "" if row["pretrain_pool"] == "none" else f" {row['pretrain_pool']} pool"
    return f"{what} from {row['pretrain_set']}-{row['pretrain_task'].partition('_')[0]}{pool} {size}"
