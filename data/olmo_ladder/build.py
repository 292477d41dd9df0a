"""From the ladder's run files to one table per run and task, as the paper defines its figures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pandas as pd

LAST = 5  # checkpoints behind a final value, as in the paper
SPREAD = 10  # checkpoints behind a spread, as in the paper
WINDOWS = (0.2, 0.4, 0.6, 0.8, 1.0)  # bounds of the window means, as shares of the tokens before the final values

# Parameters and training FLOPs per token of each size: src/scripts/paper/configs/final.json of the origin.
SIZES = {
    "190M": ("190M", 190_354_176, 1_903_391_232),
    "370M": ("370M", 371_262_464, 3_443_922_944),
    "760M": ("760M", 758_220_288, 6_373_843_968),
    "1B": ("1.3B", 1_279_395_840, 10_109_071_360),
    "3B": ("3.2B", 3_169_537_280, 22_970_355_200),
    "7B": ("7B", 6_887_575_552, 49_412_071_424),
    "13B": ("13B", 13_202_396_160, 91_335_915_520),
}
TARGETS = {"peteish7_eval_anneal": "7B-4T", "peteish13_eval_final": "13B-5T"}
LADDER = {f"{size}-{length}xC" for size in ("190M", "370M", "760M", "1B") for length in (1, 2, 5, 10)}

# The eight tasks of the main result: key in the files, questions, accuracy of guessing.
TASKS = {
    "MMLU": ("mmlu", 14042, 0.25),
    "HellaSwag": ("hellaswag_val", 10042, 0.25),
    "ARC-Challenge": ("arc_challenge_test", 1172, 0.25),
    "ARC-Easy": ("arc_easy_test", 2376, 0.25),
    "PIQA": ("piqa_val", 1838, 0.5),
    "CommonsenseQA": ("csqa_val", 1221, 0.2),
    "Social IQa": ("socialiqa_val", 1954, 1 / 3),
    "OpenBookQA": ("openbookqa_test", 500, 0.25),
}
# MMLU is the paper's weighted mean of four categories.
MMLU = {"stem": 0.215, "humanities": 0.335, "social_sciences": 0.219, "other": 0.231}
METRICS = {
    "task_loss": "eval/downstream_bpb/{}_rc_5shot_bpb",
    "accuracy": "eval/downstream/{}_rc_5shot_len_norm",
    "task_ce": "eval/downstream_soft_log/{}_rc_5shot_soft_log",
}
C4 = "eval/c4_en-validation/CrossEntropyLoss"


def full(files: Mapping[str, Path]) -> pd.DataFrame:
    """Return one row per run, checkpoint and task."""
    runs = [_checkpoints(path) for name, path in files.items() if name.endswith(".csv")]
    return pd.concat(runs, ignore_index=True)


def figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and task: final values, their spread, and means over windows before the end."""
    keys = ["run", "role", "size", "n_params", "flops_per_token", "task", "chance", "questions"]
    rows = []
    for key, one in table.groupby(keys, sort=False):
        last, spread = one.tail(LAST), one.tail(SPREAD)
        row = dict(zip(keys, key, strict=True)) | {"tokens": one["tokens"].iloc[-1], "flops": one["flops"].iloc[-1]}
        row |= {name: last[name].mean() for name in ("task_loss", "accuracy", "task_ce", "c4_loss")}
        if len(spread) == SPREAD:
            row |= {f"{name}_sd": spread[name].std(ddof=0) for name in ("task_loss", "accuracy", "c4_loss")}
        if one["tokens"].iloc[0] < WINDOWS[0] * one["tokens"].iloc[-1]:  # logged from the start
            row |= _windows(one.iloc[:-LAST])
        rows.append(row)
    return pd.DataFrame(rows).drop(columns="flops_per_token")


def _windows(earlier: pd.DataFrame) -> dict[str, float]:
    share = earlier["tokens"] / earlier["tokens"].iloc[-1]
    means: dict[str, float] = {}
    for i, (low, high) in enumerate(pairwise(WINDOWS), start=1):
        window = earlier[(share > low) & (share <= high)]
        means |= {f"{name}_window{i}": window[name].mean() for name in ("task_loss", "accuracy", "c4_loss")}
    return means


def _checkpoints(path: Path) -> pd.DataFrame:
    run = TARGETS.get(path.stem, path.stem)
    label, n_params, flops_per_token = SIZES[run.partition("-")[0]]
    role = "target" if run in TARGETS.values() else "train" if run in LADDER else "extra"
    log = pd.read_csv(path)
    tokens = (
        log["throughput/total_tokens"]
        if "throughput/total_tokens" in log
        else log["_step"] * log["batch_size_in_tokens"]
    )
    shared = pd.DataFrame(
        {"tokens": tokens.astype(float), "flops": tokens * float(flops_per_token), "c4_loss": log[C4]}
    )
    blocks = []
    for task, (key, questions, chance) in TASKS.items():
        block = shared.assign(task=task, chance=chance, questions=questions, checkpoint=range(len(log)))
        for metric, pattern in METRICS.items():
            value = _mmlu(log, pattern) if key == "mmlu" else log[pattern.format(key)]
            block[metric] = -value if metric == "task_ce" else value
        blocks.append(block)
    header = {"run": run, "role": role, "size": label, "n_params": n_params, "flops_per_token": flops_per_token}
    return pd.concat(blocks, ignore_index=True).assign(**header).sort_values("tokens", kind="stable")


def _mmlu(log: pd.DataFrame, pattern: str) -> pd.Series:
    return sum(weight * log[pattern.format(f"mmlu_{part}_test")] for part, weight in MMLU.items())
