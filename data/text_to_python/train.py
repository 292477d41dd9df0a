"""Train the models of the study: ``python -m bayes_scaling.data.text_to_python.train --grid small --out FOLDER``.

For each size: models are pre-trained on English prose at two learning rates, of which the better one is kept; the
learning rates of both arms are chosen on one cell of the grid; then every cell trains from scratch and from the
pre-trained model.  Training stops early, on projects that are neither trained on nor reported.

Every finished cell appends its rows to a table per size; started again, the grid goes on where it stood.  At its end
all tables together are ``figures.csv``, which is the study's.
"""

from __future__ import annotations

import argparse
import csv
import functools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from bayes_scaling.data.text_to_python.model import CONTEXT, Shape, initial
from bayes_scaling.data.text_to_python.texts import PIECE, read_or_build
from bayes_scaling.data.text_to_python.training import BATCH, State, evaluate, train
from bayes_scaling.errors import FileError

__all__ = ["GRIDS", "Grid", "Trainer", "main"]

SIZES = [Shape(2, 32), Shape(2, 48), Shape(3, 64), Shape(4, 96), Shape(5, 128), Shape(6, 192)]
DATA = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
RATES = (2e-3, 4e-3, 8e-3, 1.6e-2)
PRETRAINING_RATES = (2e-3, 6e-3)
CHOSEN_ON = 300_000  # bytes of the cell that chooses the learning rates
WINDOWS = 3  # of each held-out piece, side by side; two pieces are a block for the standard error


class Grid(NamedTuple):
    """What is trained: models, bytes of fine-tuning data, and steps of 8,192 bytes at most.

    Steps are those of a cell, of pre-training, and of each learning rate that is tried; ``corner`` is the largest
    product of parameters and bytes, and ``smallest`` the most bytes of the smallest model.
    """

    sizes: tuple[Shape, ...]
    data: tuple[int, ...]
    corner: float
    steps: int
    pretraining: int
    tried: int
    smallest: float = math.inf

    def cells(self, shape: Shape) -> Iterator[tuple[int, int]]:
        """Yield bytes of data and seed of each cell of a model; every third cell has a second seed."""
        for column, size in enumerate(self.data):
            if shape.n_params * size <= self.corner and (shape != self.sizes[0] or size <= self.smallest):
                yield size, 0
                if (self.sizes.index(shape) + column) % 3 == 0:
                    yield size, 1


GRIDS = {
    "small": Grid(tuple(SIZES[:5]), tuple(DATA), 6e10, 1_200, 800, 150),  # about 3.5 hours at 50 GFLOP/s
    "full": Grid(tuple(SIZES), tuple(DATA), math.inf, 5_000, 3_600, 1_000, 300_000),  # ten minutes of a large GPU
}


# -- one size of model ------------------------------------------------------------------------------------------------


class Trainer:
    """All cells of one size of model: pre-training, learning rates, and the rows of the table."""

    def __init__(self, shape: Shape, grid: Grid, pieces: dict[str, np.ndarray], out: Path) -> None:
        self.shape, self.grid, self.out = shape, grid, out
        self.prose, self.code = len(pieces["prose"]), len(pieces["code"])
        self.pool = jnp.asarray(np.concatenate([pieces["prose"], pieces["code"]]))
        self.windows = {use: jnp.asarray(_windows(pieces[use])) for use in ("validation", "test")}
        self.held_prose = jnp.asarray(_windows(pieces["prose"][:100]))  # not trained on

    def run(self) -> None:
        """Train every cell that the table does not have yet."""
        table = self.out / f"{self.shape.n_params}.csv"
        done = set()
        if table.is_file():
            with table.open(encoding="utf-8") as file:
                done = {(int(row["finetune_data"]), int(row["seed"])) for row in csv.DictReader(file)}
        for size, seed in self.grid.cells(self.shape):
            if (size, seed) not in done:
                started = time.monotonic()
                rows = list(self.rows(size, seed))
                with table.open("a", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerows(rows)
                said = ", ".join(f"{row['loss']:.4f} after {row['steps']}" for row in rows)
                print(f"N {self.shape.n_params}, D_F {size}, seed {seed}: {said} steps, "
                      f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip

    def rows(self, size: int, seed: int) -> Iterator[dict[str, Any]]:
        """Train a cell, from scratch and from the pre-trained model, and yield a row for each."""
        pretrained, rates = self.prepared
        state = self._cell(size, seed, pretrained, rates)
        loss = np.asarray(evaluate(state.best, self.windows["test"])).reshape(2, -1, 2 * WINDOWS).mean(-1)
        for arm, name in enumerate(("from scratch", "from prose")):
            steps = int(state.best_step[arm])
            yield {
                "run": f"{self.shape.n_params} {size} {name} seed {seed}",
                "n_params": self.shape.n_params,
                "layers": self.shape.layers,
                "width": self.shape.width,
                "finetune_data": size,
                "pretrain_data": arm * self.grid.pretraining * BATCH * CONTEXT,
                "pretrained": arm,
                "seed": seed,
                "loss": float(loss[arm].mean()),
                "loss_se": float(loss[arm].std(ddof=1) / np.sqrt(loss.shape[1])),
                "validation_loss": float(state.best_loss[arm]),
                "steps": steps,
                "epochs": steps * BATCH * CONTEXT / size,
                "steps_taken": int(state.step),
                "learning_rate": rates[arm],
            }

    @functools.cached_property
    def prepared(self) -> tuple[Any, tuple[float, float]]:
        """The pre-trained weights and the learning rates of both arms, from the folder where they are there."""
        saved = self.out / f"{self.shape.n_params}.npz"
        if not saved.is_file():
            weights, tried = self._pretrained()
            losses_of = {
                r: self._cell(CHOSEN_ON, 2, weights, (r, r), self.grid.tried).best_loss.tolist() for r in RATES
            }
            rates = [min(RATES, key=lambda r: losses_of[r][arm]) for arm in (0, 1)]
            print(f"N {self.shape.n_params}: pre-training {tried}; learning rates {losses_of}", flush=True)
            np.savez(saved, rates=rates, **weights)
        with np.load(saved) as file:
            weights = {name: jnp.asarray(file[name]) for name in file.files if name != "rates"}
            return weights, tuple(file["rates"].tolist())

    def _pretrained(self) -> tuple[Any, dict[float, float]]:
        start = jax.tree.map(lambda w: jnp.stack([w, w]), initial(jax.random.key(1000), self.shape))
        order, count = np.resize(np.arange(100, self.prose), self.code), self.prose - 100
        how: dict[str, Any] = {"steps": self.grid.pretraining, "seed": 1000}
        state = train(start, PRETRAINING_RATES, self.pool, order, count, self.held_prose, **how)
        better = int(jnp.argmin(state.best_loss))
        weights = {name: np.asarray(value[better]) for name, value in state.best.items()}
        return weights, dict(zip(PRETRAINING_RATES, state.best_loss.tolist(), strict=True))

    def _cell(
        self, size: int, seed: int, pretrained: Any, rates: tuple[float, float], steps: int | None = None
    ) -> State:
        fresh = initial(jax.random.key(seed), self.shape)
        start = jax.tree.map(lambda a, b: jnp.stack([a, jnp.asarray(b)]), fresh, dict(pretrained))
        order = self.prose + np.random.default_rng(seed).permutation(self.code)
        count, validation = size // PIECE, self.windows["validation"]
        return train(start, rates, self.pool, order, count, validation, steps=steps or self.grid.steps, seed=seed)


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
    given = parser.parse_args(arguments)
    grid = GRIDS[given.grid]
    numbers = range(len(grid.sizes)) if given.size is None else given.size
    if odd := set(numbers) - set(range(len(grid.sizes))):
        parser.error(f"--size {min(odd)} is no size of this grid; give 0 to {len(grid.sizes) - 1}.")
    folder = given.out / given.grid
    folder.mkdir(parents=True, exist_ok=True)
    try:
        pieces = read_or_build(given.out / "pieces.npz", given.out / "texts")
    except FileError as error:
        raise SystemExit(str(error)) from None
    for number in numbers:
        Trainer(grid.sizes[number], grid, pieces, folder).run()
    tables = [folder / f"{shape.n_params}.csv" for shape in grid.sizes]
    if all(table.is_file() for table in tables):
        everything = pd.concat([pd.read_csv(table) for table in tables])
        everything.to_csv(folder / "figures.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
