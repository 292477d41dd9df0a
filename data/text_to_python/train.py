"""Train the models of the study: ``python -m bayes_scaling.data.text_to_python.train --grid small --out FOLDER``.

For each size: models are pre-trained on English prose at two learning rates, of which the better one is kept; the
learning rates of both arms are chosen on a million bytes; then every cell trains from scratch and from the
pre-trained model.  Training stops early, on projects that are neither trained on nor reported.

Every finished run appends its row to a table per size; started again, the grid goes on where it stood.  At its end all
tables together are ``figures.csv``, which is the study's.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayes_scaling.data.text_to_python.model import CONTEXT, Shape, initial
from bayes_scaling.data.text_to_python.texts import PIECE, read_or_build
from bayes_scaling.data.text_to_python.training import BATCH, Run, Trained, evaluate, train
from bayes_scaling.errors import FileError

__all__ = ["GRIDS", "Grid", "Trainer", "main"]

SIZES = [Shape(2, 32), Shape(2, 48), Shape(3, 64), Shape(4, 96), Shape(5, 128), Shape(6, 192)]
DATA = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
PRETRAINING_RATES = (2e-3, 6e-3)
CHOSEN_ON = 1_000_000  # bytes of the cell that chooses the learning rates
ARMS = {0: "from scratch", 1: "from prose"}
CELL = ("finetune_data", "seed", "pretrained")  # columns that tell the runs of one size apart
WINDOWS = 3  # of each held-out piece, side by side; two pieces are a block for the standard error


class Grid(NamedTuple):
    """What is trained: models, bytes of fine-tuning data, and steps of 8,192 bytes at most.

    Steps are those of a cell, of pre-training, and of each learning rate that is tried; ``corner`` is the largest
    product of parameters and bytes.
    """

    sizes: tuple[Shape, ...]
    data: tuple[int, ...]
    corner: float
    steps: int
    pretraining: int
    tried: int

    def cells(self, shape: Shape) -> Iterator[tuple[int, int]]:
        """Yield bytes of data and seed of each cell of a model; every third cell has a second seed."""
        for column, size in enumerate(self.data):
            if shape.n_params * size <= self.corner:
                yield size, 0
                if (self.sizes.index(shape) + column) % 3 == 0:
                    yield size, 1


GRIDS = {
    "small": Grid(tuple(SIZES[:5]), tuple(DATA), 6e10, 1_200, 800, 150),  # about 3.5 hours at 50 GFLOP/s
    "full": Grid(tuple(SIZES), tuple(DATA), math.inf, 16_000, 3_600, 3_000),  # nine minutes of a large GPU
}


# -- one size of model ------------------------------------------------------------------------------------------------


class Trainer:
    """All runs of one size of model, some of them side by side: pre-training, learning rates, rows of the table."""

    def __init__(self, shape: Shape, grid: Grid, pieces: dict[str, np.ndarray], out: Path, beside: int = 2) -> None:
        self.shape, self.grid, self.out, self.beside = shape, grid, out, beside
        self.prose, self.code = len(pieces["prose"]), len(pieces["code"])
        self.pool = jnp.asarray(np.concatenate([pieces["prose"], pieces["code"]]))
        self.windows = {use: jnp.asarray(_windows(pieces[use])) for use in ("validation", "test")}
        self.held_prose = jnp.asarray(_windows(pieces["prose"][:100]))  # not trained on

    def run(self) -> None:
        """Train every cell from scratch and from the pre-trained model, where the table does not have it yet."""
        table = self.out / f"{self.shape.n_params}.csv"
        done = set()
        if table.is_file():
            with table.open(encoding="utf-8") as file:
                done = {tuple(int(row[name]) for name in CELL) for row in csv.DictReader(file)}
        wanted = [(*cell, arm) for cell in self.grid.cells(self.shape) for arm in ARMS if (*cell, arm) not in done]
        if not wanted:
            return
        pretrained, rates = self._prepared()
        runs = [self._run(*cell, rates[cell[-1]], pretrained) for cell in wanted]
        for place, trained in self._trained(runs, self.windows["validation"], self.grid.steps):
            row = self._row(*wanted[place], rates[wanted[place][-1]], trained)
            with table.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(row))
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)
            print(f"{row['run']}: {row['loss']:.4f} after {row['steps']} steps", flush=True)

    def _row(self, size: int, seed: int, arm: int, rate: float, trained: Trained) -> dict[str, Any]:
        loss = np.asarray(evaluate(jax.tree.map(lambda w: w[None], trained.weights), self.windows["test"]))
        blocks = loss.reshape(-1, 2 * WINDOWS).mean(-1)
        return {
            "run": f"{self.shape.n_params} {size} {ARMS[arm]} seed {seed}",
            "n_params": self.shape.n_params,
            "layers": self.shape.layers,
            "width": self.shape.width,
            "finetune_data": size,
            "pretrain_data": arm * self.grid.pretraining * BATCH * CONTEXT,
            "pretrained": arm,
            "seed": seed,
            "loss": float(blocks.mean()),
            "loss_se": float(blocks.std(ddof=1) / np.sqrt(len(blocks))),
            "validation_loss": trained.loss,
            "steps": trained.step,
            "epochs": trained.step * BATCH * CONTEXT / size,
            "steps_taken": trained.steps_taken,
            "learning_rate": rate,
        }

    def _prepared(self) -> tuple[dict[str, np.ndarray], dict[int, float]]:
        """Return the pre-trained weights and the learning rate of each arm, from the folder where they are there."""
        saved = self.out / f"{self.shape.n_params}.npz"
        if saved.is_file():
            with np.load(saved) as file:
                return {name: file[name] for name in file.files if name != "rates"}, dict(enumerate(file["rates"]))
        order = np.resize(np.arange(100, self.prose), self.code)
        start, prose = initial(jax.random.key(1000), self.shape), self.prose - 100
        runs = [Run(start, order, prose, rate, 1000) for rate in PRETRAINING_RATES]
        pretrained = dict(self._trained(runs, self.held_prose, self.grid.pretraining))
        weights = min(pretrained.values(), key=lambda trained: trained.loss).weights
        tried = [(arm, rate) for arm in ARMS for rate in RATES]
        runs = [self._run(CHOSEN_ON, 2, arm, rate, weights) for arm, rate in tried]
        found = {tried[i]: t.loss for i, t in self._trained(runs, self.windows["validation"], self.grid.tried)}
        rates = {arm: min(RATES, key=lambda rate: found[arm, rate]) for arm in ARMS}
        prose_losses = {PRETRAINING_RATES[i]: trained.loss for i, trained in pretrained.items()}
        print(f"N {self.shape.n_params}: pre-training {prose_losses}; learning rates {found}", flush=True)
        np.savez(saved, rates=[rates[arm] for arm in ARMS], **weights)
        return weights, rates

    def _run(self, size: int, seed: int, arm: int, rate: float, pretrained: Any) -> Run:
        start = pretrained if arm else initial(jax.random.key(seed), self.shape)
        order = self.prose + np.random.default_rng(seed).permutation(self.code)
        return Run(start, order, size // PIECE, rate, seed)

    def _trained(self, runs: list[Run], validation: jax.Array, steps: int) -> Iterator[tuple[int, Trained]]:
        for first in range(0, len(runs), self.beside):
            some = runs[first : first + self.beside]
            for place, trained in train(some, self.pool, validation, steps=steps):
                yield first + place, trained


def _windows(pieces: np.ndarray) -> np.ndarray:
    """Return three windows of each piece, bytes [window, 129]."""
    length = CONTEXT + 1
    return pieces[:, : WINDOWS * length].reshape(-1, length)


def main(arguments: list[str] | None = None) -> None:
    """Train a grid, or the part of it that some sizes are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", choices=GRIDS, default="small")
    parser.add_argument("--out", type=Path, default=Path("text_to_python"), help="folder of texts, weights and tables")
    parser.add_argument("--size", type=int, action="append", help="number of a size, from 0; repeatable; default all")
    parser.add_argument("--beside", type=int, default=2, help="runs side by side, default 2; a GPU holds all, say 64")
    given = parser.parse_args(arguments)
    grid = GRIDS[given.grid]
    numbers = range(len(grid.sizes)) if given.size is None else given.size
    if odd := set(numbers) - set(range(len(grid.sizes))):
        parser.error(f"--size {min(odd)} is no size of this grid; give 0 to {len(grid.sizes) - 1}.")
    if given.beside < 1:
        parser.error(f"--beside {given.beside} is no number of runs; give 1 or more.")
    folder = given.out / given.grid
    folder.mkdir(parents=True, exist_ok=True)
    try:
        pieces = read_or_build(given.out / "pieces.npz", given.out / "texts")
    except FileError as error:
        raise SystemExit(str(error)) from None
    for number in numbers:
        Trainer(grid.sizes[number], grid, pieces, folder, given.beside).run()
    tables = [folder / f"{shape.n_params}.csv" for shape in grid.sizes]
    if all(table.is_file() for table in tables):
        everything = pd.concat([pd.read_csv(table) for table in tables])
        everything = everything.sort_values(["n_params", *CELL])
        everything.to_csv(folder / "figures.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
