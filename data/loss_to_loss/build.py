"""From the origin's table of runs to ours: losses by plain names, parameters with and without embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

SETS = {
    "fineweb-100b": "fineweb",
    "fineweb-edu-100b": "fineweb_edu",
    "proof-pile-2": "proof_pile_2",
    "slimpajama-chunk1": "slimpajama",
    "smollm-corpus": "smollm",
    "starcoder": "starcoder",
}
HELD_OUT = {
    "val_loss": "train_loss",  # the paper's train loss is the held-out loss on the training distribution
    "eval/c4_val/CrossEntropyLoss": "c4_loss",
    "eval/fineweb_100b_val/CrossEntropyLoss": "fineweb_loss",
    "eval/fineweb_1T_val/CrossEntropyLoss": "fineweb_1t_loss",
    "eval/fineweb_edu_100b_val/CrossEntropyLoss": "fineweb_edu_loss",
    "eval/proof_pile_2_val/CrossEntropyLoss": "proof_pile_2_loss",
    "eval/slimpajama_val/CrossEntropyLoss": "slimpajama_loss",
    "eval/smollm_val/CrossEntropyLoss": "smollm_loss",
    "eval/starcoder_val/CrossEntropyLoss": "starcoder_loss",
}
TASKS = (
    "arc_challenge", "arc_easy", "boolq", "hellaswag", "mmlu_humanities", "mmlu_other", "mmlu_social_sciences",
    "mmlu_stem", "openbook_qa", "piqa", "sciq", "winogrande",
)  # fmt: skip
DOWNSTREAM = {f"eval/downstream_ce_loss/{task}_test_ce_loss": f"{task}_ce" for task in TASKS}
DOWNSTREAM |= {"mmlu_suite_ce_loss": "mmlu_suite_ce", "olmo_suite_ce_loss": "olmo_suite_ce"}
LOSSES = HELD_OUT | DOWNSTREAM
"""The 23 losses the origin fits, by its names and ours."""

EMBEDDED = ("train_loss", *(f"{name}_loss" for name in SETS.values()), "hellaswag_ce", "arc_easy_ce")


def full(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per run: training set, size, budget and every loss; the runs at 1e21 FLOPs are the targets."""
    blocks = [
        _runs(pd.read_csv(files["sweep.csv"]), "train"),
        _runs(pd.read_csv(files["extrapolation.csv"]), "target"),
    ]
    return pd.concat(blocks, ignore_index=True)


def figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each training set and budget, the run of the compute-optimal size.

    That size is the one all sets share with the smallest training loss (geometric mean over the sets), so that runs of
    two sets can be paired.
    """
    common = table[table.groupby("cell")["train_data"].transform("nunique") == table["train_data"].nunique()]
    levels = common.assign(level=np.log(common["train_loss"])).groupby(["flops", "cell"])["level"].mean()
    best = levels.groupby("flops").idxmin().str[1]
    keys = [c for c in table.columns if c not in LOSSES.values()]
    rows = common[common["cell"].isin(best)].sort_values(["train_data", "flops"], kind="stable")
    return rows[[*keys, *EMBEDDED]].reset_index(drop=True)


def published(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return the fits of the origin: ``form``, ``train_data``, ``loss``, ``A``, ``B``, ``E``, ``alpha``, ``beta``.

    The form ``chinchilla`` is A / N^alpha + B / D^beta + E; ``kaplan`` is ((A / N)^(alpha / beta) + B / D)^beta + E,
    with all parameters in N.  ``forecast`` is the fit's value at the run of 1e21 FLOPs.
    """
    fits = pd.read_csv(files["opt_params_data.csv"])
    known = fits["loss_name"].map(LOSSES)
    form = fits["kaplan"].map({True: "kaplan", False: "chinchilla"})
    shown = fits[["A", "B", "E", "alpha", "beta"]].assign(forecast=fits["extrap_pred"])
    return pd.concat(
        [form.rename("form"), fits["data"].map(SETS).rename("train_data"), known.rename("loss"), shown], axis=1
    )


def _runs(raw: pd.DataFrame, role: str) -> pd.DataFrame:
    n_layers, width = raw["n_layers"], raw["d_model"]
    table = pd.DataFrame(
        {
            "run": raw["id"],
            "role": role,
            "train_data": raw["data"].map(SETS),
            "n_layers": n_layers,
            "width": width,
            "n_params": raw["params"].astype(float),
            "n_params_body": 12.0 * n_layers * width**2,
            "tokens": raw["tokens"].astype(float),
            "flops": raw["iso_flop"].astype(float),
            "steps": raw["steps"].astype(float),
        }
    )
    table.insert(1, "cell", [f"{n / 1e6:.3g}M-{c:.3g}" for n, c in zip(table["n_params"], table["flops"], strict=True)])
    return table.assign(**{ours: raw[theirs] for theirs, ours in LOSSES.items()})
