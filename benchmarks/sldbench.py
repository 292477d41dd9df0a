"""Five tasks of SLDBench: each law is chosen by backtests inside the training rows, and then scored on the targets.

Two sets were scored once, three twice, as ``docs/leaderboards.md`` tells.

The tables lie beside the raw files of the studies.  The score of a task is R2 over the stacked targets of all groups,
the mean over outputs; the benchmark scores no interval, so ours are scored beside it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.models import Chinchilla, Experts, Mixture, Overfitting, Pooled, Rectified, RepeatedData, Vocabulary

__all__ = ["TASKS", "Task", "r_squared", "score_task"]

DRAWS = 300  # per chain
PATIENCE = 60.0  # seconds that a fit may go on which did not converge
SHARES = ("share_own", "share_2", "share_3", "share_4", "share_5")
Split = tuple[pd.DataFrame, pd.DataFrame]
Found = tuple[dict[str, pd.DataFrame], dict[str, float]]


def table_of(task: str) -> pd.DataFrame:
    """Return the table of a task, with the rows of both roles."""
    return pd.read_csv(Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "sldbench" / f"{task}.csv")


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A law, and which of the training rows it is fitted to."""

    law: bs.Law
    rows: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A task of the benchmark.

    Attributes
    ----------
    read : callable
        Makes of the benchmark's table one table per output, with our columns.
    candidates : callable
        The laws to choose among, by name, of an output.
    splits : callable
        The backtests: pairs of rows to fit and rows to forecast, out of training rows.
    """

    read: Callable[[pd.DataFrame], Mapping[str, pd.DataFrame]]
    candidates: Callable[[str], Mapping[str, Candidate]]
    splits: Callable[[pd.DataFrame], Iterator[Split]]


# -- what is read and tried ---------------------------------------------------------------------------------------


def cut(column: str, *values: float, by: str = "") -> Callable[[pd.DataFrame], Iterator[Split]]:
    """Return the splits below and above some values of a column; above only up to the next value of ``by``."""

    def splits(table: pd.DataFrame) -> Iterator[Split]:
        for value in values:
            later = table[table[column] > value]
            nearest = later[column] == later[column].min() if by == "nearest" else later[column] > value
            yield table[table[column] <= value], later[nearest]

    return splits


def read_sft(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    task = table["dataset"] + " " + table["model"]
    sizes = table["finetune_examples"]
    made = table.assign(task=task, run=sizes.map("{:.0f} examples".format), finetune_data=sizes.astype(float))
    return {"": made.rename(columns={"test_loss": "loss"})[["run", "task", "finetune_data", "loss", "role"]]}


def last_sizes(count: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the rows of the largest sizes."""
    return lambda table: table[table["finetune_data"] > table["finetune_data"].max() / 2 ** (count - 0.5)]


def read_mixtures(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a table per domain, its own share first: all have the columns of one law, and share its program."""
    domains = [name.removeprefix("share_") for name in table if name.startswith("share_")]
    made = table.rename(columns={"mixture": "run", "model_size": "task"})
    found = {}
    for domain in domains:
        others = [other for other in domains if other != domain]
        shares = {f"share_{name}": column for name, column in zip((domain, *others), SHARES, strict=True)}
        losses = {f"loss_{domain}": "loss"}
        found[domain] = made.rename(columns={**shares, **losses})[["run", "task", *SHARES, "loss", "role"]]
    return found


def folds(table: pd.DataFrame) -> Iterator[Split]:
    """Return two splits that each leave out another fifth of the mixtures."""
    names = table["run"].drop_duplicates().to_numpy()
    fold = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % 5, strict=True))
    for i in range(2):
        out = table["run"].map(fold) == i
        yield table[~out], table[out]


def mixture_laws(output: str) -> dict[str, Candidate]:
    own = Mixture(shares=SHARES, own=SHARES[0], floor=0.0)
    return {"exponential": Candidate(Mixture(shares=SHARES)), "own share, no floor": Candidate(own)}


TASKS = {
    "sft": Task(
        read=read_sft,
        candidates=lambda _: {
            f"rectified, {n} sizes": Candidate(Pooled(curve=Rectified()), last_sizes(n)) for n in (4, 5, 6, 8, 12)
        },
        splits=cut("finetune_data", 102400, 204800, by="nearest"),
    ),
    "data_constrained": Task(
        read=lambda table: {"": table[["run", "n_params", "tokens", "unique_tokens", "loss", "role"]]},
        candidates=lambda _: {
            "Chinchilla": Candidate(Chinchilla()),
            "repeated data": Candidate(RepeatedData()),
            "over-fitting": Candidate(Overfitting()),
        },
        splits=lambda table: itertools.chain(cut("n_params", 1e9, 2.5e9)(table), cut("tokens", 9.9e10)(table)),
    ),
    "moe": Task(
        read=lambda table: {"": table[["run", "n_params", "num_experts", "loss", "role"]]},
        candidates=lambda _: {
            "experts": Candidate(Experts()),
            "experts that count in full": Candidate(Experts(worth=1.0)),
        },
        splits=cut("n_params", 6e7, 1.4e8, by="nearest"),
    ),
    "vocab": Task(
        read=lambda table: {
            "": table.assign(run=[f"row {i}" for i in range(len(table))])[
                ["run", "vocab_size", "n_params_non_vocab", "num_characters", "unigram_normalised_loss", "role"]
            ]
        },
        candidates=lambda _: {
            "vocabulary": Candidate(Vocabulary()),
            "no appetite": Candidate(Vocabulary(appetite=0.0)),
        },
        splits=cut("vocab_size", 33000, 50000),
    ),
    "domain_mixture": Task(read=read_mixtures, candidates=mixture_laws, splits=folds),
}


# -- fits and scores ------------------------------------------------------------------------------------------------


def scores(one: Candidate, name: str, training: pd.DataFrame, held_out: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Fit a candidate, forecast and score: a row per outcome, with its slope in doubt and as if the law were exact."""
    fitted = one.rows(training)
    study = bs.Study.from_frame(fitted.drop(columns="role"), name="training rows")
    posterior = bs.fit(one.law, study, seed=seed, draws=DRAWS, patience=PATIENCE, progress=False)
    targets = bs.Study.from_frame(held_out.drop(columns="role"), name="targets")
    both = {name: True, f"{name}, exact": False}
    tables = [
        bs.forecast(posterior, targets, discrepancy=doubt, allow_unconverged=True).score().assign(candidate=label)
        for label, doubt in both.items()
    ]
    return pd.concat(tables, ignore_index=True).assign(converged=posterior.diagnostics.converged)


def choose(task: Task, tables: Mapping[str, pd.DataFrame], seed: int) -> pd.DataFrame:
    """Return the backtests of every candidate inside the training rows: mean CRPS, R2, coverage."""
    blocks = []
    for output, table in tables.items():
        training = table[table["role"] == "train"]
        for i, (small, large) in enumerate(task.splits(training)):
            for name, one in task.candidates(output).items():
                blocks.append(scores(one, name, small, large, seed).assign(split=i, output=output))
    every = pd.concat(blocks, ignore_index=True)
    grouped = every.groupby("candidate", sort=False)
    return pd.DataFrame(
        {
            "crps": grouped["crps"].mean(),
            "r2": grouped.apply(lambda g: np.mean([r_squared(h) for _, h in g.groupby(["split", "output"])])),
            "cover90": grouped["in90"].mean(),
            "bias": grouped["error"].mean(),
            "converged": grouped["converged"].mean(),
        }
    )


def final_scores(task: Task, output: str, table: pd.DataFrame, chosen: str, seed: int) -> pd.DataFrame:
    """Fit the chosen law to all training rows of an output, and score it on the targets."""
    name = chosen.removesuffix(", exact")
    training, targets = (table[table["role"] == role] for role in ("train", "target"))
    found = scores(task.candidates(output)[name], name, training, targets, seed)
    return found[found["candidate"] == chosen]


def r_squared(table: pd.DataFrame) -> float:
    """Return R2 of the medians over rows: 1 - mean squared error over the variance of the outcomes.

    Examples
    --------
    >>> r_squared(pd.DataFrame({"actual": [1.0, 3.0], "error": [0.0, 1.0]}))
    0.5
    """
    return float(1 - (table["error"] ** 2).mean() / table["actual"].var(ddof=0))


def score_task(name: str, seed: int = 0) -> Found:
    """Choose a law for a task inside its training rows, score it on the targets and return (tables, figures)."""
    task = TASKS[name]
    tables = task.read(table_of(name))
    backtests = choose(task, tables, seed)
    chosen = str(backtests["crps"].idxmin())
    blocks = [final_scores(task, output, table, chosen, seed) for output, table in tables.items()]
    every = pd.concat(blocks, ignore_index=True)
    figures = {
        f"{name}_r2": float(np.mean([r_squared(block) for block in blocks])),
        f"{name}_cover90": float(every["in90"].mean()),
        f"{name}_cover50": float(every["in50"].mean()),
        f"{name}_width90": float(every["width90"].mean()),
        f"{name}_bias": float(every["error"].mean()),
        f"{name}_converged": float(every["converged"].mean()),
    }
    return {f"Backtests inside the training rows; chosen: {chosen}": backtests.reset_index()}, figures
