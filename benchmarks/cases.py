"""Collections of runs with larger ones to forecast: the public tables beside the studies' raw files, and our own."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import bayes_scaling as bs
from benchmarks.splits import splits

__all__ = ["Case", "cases", "sisters"]

ERROR_RATES = ("laion_clip_datacomp", "openclip_laion")  # whose loss is an error rate, by their cards
READ = ["run", "n_params", "tokens", "flops", "steps", "unique_tokens", "loss", "role"]
FAMILIES = (("laion_clip_datacomp", "openclip_laion"), ("xlstm_llama", "xlstm_mlstm"))
"""Collections of one group, with one code, score and schedule."""
SWEEP = [0, 7, 14, 21, 28, 35]  # of the sweep's 36 splits: each set's loss on its own kind of text


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A study with runs to fit and runs to forecast, of one collection."""

    collection: str
    name: str
    study: bs.Study

    @property
    def whole(self) -> bs.Study:
        """All its runs, as runs to fit."""
        return bs.Study.from_frame(self.study.frame.drop(columns="role"), name=self.name, card=self.study.card)


def sisters(collection: str) -> tuple[str, ...]:
    """Return the collections of the group that made a collection, itself among them.

    Examples
    --------
    >>> sisters("xlstm_llama"), sisters("task ladder")
    (('xlstm_llama', 'xlstm_mlstm'), ('task ladder',))
    """
    return next((family for family in FAMILIES if collection in family), (collection,))


@functools.cache
def cases() -> tuple[Case, ...]:
    """Return every collection: the public tables, the Chinchilla points, the sweep and the ladder."""
    return (*tables(), *home())


def tables() -> Iterator[Case]:
    """Return the public tables that lie beside the raw files of the studies, one CSV each.

    Raises
    ------
    FileNotFoundError
        There is none: what is learnt from our own collections alone must not pass for what all of them say.
    """
    folder = Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "collections"
    found = sorted(folder.glob("*.csv"))
    if not found:
        raise FileNotFoundError(
            f"No table lies in {str(folder)!r}; let BAYES_SCALING_DATA name a folder beside which the collections lie."
        )
    for path in found:
        table = pd.read_csv(path)
        if "role" not in table:
            continue
        table = table[table["role"] != "extra"].dropna(axis=1, how="all")
        table = table.rename(columns={"unique_samples": "unique_tokens"})
        unit = "error rate" if path.stem in ERROR_RATES else "nats per token"
        kept = table[[name for name in READ if name in table]].reset_index(drop=True)
        yield Case(path.stem, path.stem, bs.Study.from_frame(kept, name=path.stem, unit=unit))


def home() -> Iterator[Case]:
    """Return the Chinchilla points, the six sets of the sweep and the losses of the ladder."""
    found: dict[str, list[tuple[bs.Study, bs.Study]]] = {}
    for part in splits():
        found.setdefault(part.collection, []).append((part.training, part.held_out))
    chosen = {
        "Chinchilla points": found["Chinchilla points"][1:2],
        "loss-to-loss sweep": [found["loss-to-loss sweep"][i] for i in SWEEP],
        "task ladder": found["task ladder"][1::2],
    }
    for collection, parts in chosen.items():
        for i, (training, held_out) in enumerate(parts):
            both = [part.frame[[n for n in READ if n in part.frame and n not in ("run", "role")]].assign(role=role)
                    for part, role in ((training.training, "train"), (held_out, "target"))]  # fmt: skip
            table = pd.concat(both, ignore_index=True)
            table.insert(0, "run", [f"run {j}" for j in range(len(table))])
            name = f"{collection} {i + 1}"
            yield Case(collection, name, bs.Study.from_frame(table, name=name, card=training.card))
