"""Posteriors whose draws are known, so that decisions have answers in closed form."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.inference.diagnostics import Diagnostics
from bayes_scaling.inference.nuts import Sampled
from bayes_scaling.models import Chinchilla, Pooled, PowerLaw, Superset, Transfer, TwoStep
from bayes_scaling.problems import Problems
from bayes_scaling.reporting.result import Result, names_of

GRID = pd.DataFrame([(n, r * n) for n in (1e8, 2e8, 4e8, 8e8) for r in (10, 20, 40, 80)], columns=["N", "D"])
COUNT = 400
GOOD = Diagnostics("laplace", 1.0, 400.0, 400.0, 0, COUNT, 0, 7.0, 1.0, 1.0, 1.0, "E")


def known(law: bs.Law, draws: dict[str, np.ndarray], table: pd.DataFrame = GRID, **card: object) -> bs.Posterior:
    """Return a posterior with these draws, of any law, without a fit; losses and names of runs may be missing."""
    table = pd.DataFrame({"loss": 3.0, "run": [f"run {i}" for i in range(len(table))]}).assign(**dict(table.items()))
    study = bs.Study.from_frame(table, card=bs.Card("known", **card))
    count = len(next(iter(draws.values())))
    posterior = {name: np.asarray(values, dtype=float)[None] for name, values in draws.items()}
    silent = np.zeros((1, count))
    sampled = Sampled(posterior, silent, silent, silent, silent, np.zeros(1), np.zeros(1))
    diagnostics = dataclasses.replace(GOOD, draws=count)
    return bs.Posterior.from_sampled(law, study, sampled, diagnostics, seed=0, seconds=0.0)


def chinchilla(seed: int = 0, count: int = COUNT, table: pd.DataFrame = GRID, **fixed: float) -> bs.Posterior:
    """Return a Chinchilla posterior with draws around textbook values; ``fixed`` parameters do not vary."""
    rng = np.random.default_rng(seed)
    draws = {
        "E": rng.normal(1.8, 0.02, count),
        "reducible": rng.normal(0.6, 0.02, count),
        "split": rng.normal(0.5, 0.02, count),
        "alpha_N": rng.normal(0.34, 0.01, count),
        "alpha_D": rng.normal(0.30, 0.01, count),
        "sigma": np.full(count, 0.005),
    }
    return known(Chinchilla(), draws | {name: np.full(count, value) for name, value in fixed.items()}, table)


def on_the_curve(noise: float, seed: int = 0) -> pd.DataFrame:
    """Return the runs of the grid with losses at the textbook values, up to relative noise."""
    N, D = (GRID[name] / np.exp(np.log(GRID[name]).mean()) for name in "ND")
    curve = 1.8 * (1 + 0.6 * (0.5 * N**-0.34 + 0.5 * D**-0.30))
    return GRID.assign(loss=curve * np.exp(np.random.default_rng(seed).normal(0, noise, len(GRID))))


def ladder(seed: int = 0, count: int = COUNT) -> bs.Posterior:
    """Return a two-step posterior of two tasks, its runs on its curves."""
    rng = np.random.default_rng(seed)
    law = TwoStep(pool=None, jointly=("task_loss",))
    middle = {
        "E": np.array([0.5, 0.6]),
        "reducible": 0.6,
        "split": 0.5,
        "alpha_N": 0.34,
        "alpha_D": 0.30,
        "sigma": 0.005,
    }
    curve = {"floor": 0.0, "ceiling": 0.95, "centre": -1.0, "slope": 5.0, "bend": 0.2, "sigma": 0.006}
    middle |= {f"accuracy_{name}": value for name, value in curve.items()}
    draws = {
        name: rng.normal(value, 0.02 * np.maximum(np.abs(value), 0.5), (count, 2)) for name, value in middle.items()
    }
    draws |= {name: np.full((count, 2), middle[name]) for name in ("sigma", "accuracy_sigma")}
    draws["coupling"] = np.ones((count, 2))
    losses = on_the_curve(0.005)["loss"] * 0.5 / 1.8
    blocks = []
    for i, task in enumerate(("one", "two")):
        loss = losses * 1.2**i
        level = middle["E"][i] * (1 + middle["reducible"])  # the loss in the middle of the runs
        share = 1 / (1 + np.exp(-(-1.0 - 5.0 * ((loss / level) ** 0.2 - 1) / 0.2)))
        accuracy = 0.25 + 0.7 * share
        blocks.append(GRID.assign(run=losses.index, task=task, task_loss=loss, accuracy=accuracy, chance=0.25))
    return known(law, draws | {"tau": np.full(count, 0.005)}, pd.concat(blocks, ignore_index=True))


def pooled(count: int = 50) -> bs.Posterior:
    """Return a pooled posterior of two tasks, of which the second has only the three smallest runs."""
    rng = np.random.default_rng(0)
    middle = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "sigma": 0.005}
    draws = {name: rng.normal(value, 0.02 * value, (count, 2)) for name, value in middle.items()}
    runs = on_the_curve(0.005).assign(run=range(len(GRID)))
    tasks = [runs.assign(task="web"), runs.head(3).assign(task="math")]
    return known(Pooled(pool=None), draws, pd.concat(tasks, ignore_index=True))


def transfer(seed: int = 0, count: int = 100) -> bs.Posterior:
    """Return a posterior of the law of transfer with runs of both arms."""
    rng = np.random.default_rng(seed)
    cells = [(n, d, arm) for arm in (0.0, 1.0) for n in (1e7, 1e8, 1e9) for d in (1e6, 1e7, 1e8)]
    middle = {"level": 1.8, "split": 0.3, "alpha_N": 0.08, "alpha_D": 0.1, "head": 0.02, "worth": 8.0}
    draws = {name: rng.normal(value, 0.03 * value, count) for name, value in middle.items()}
    draws |= {"a": rng.normal(0.18, 0.01, count), "b": rng.normal(0.38, 0.01, count), "sigma": np.full(count, 0.01)}
    table = pd.DataFrame(cells, columns=["N", "D_F", "pretrained"])
    law, columns = Transfer(floor=0.0), [table[name].to_numpy() for name in table]
    loss = law.mean(*columns, 1e8, 1e7, **middle, a=0.18, b=0.38, floor=0.0, turn=1.0, sharpness=1.0)
    units = {"finetune_data": "characters"}
    return known(law, draws, table.assign(loss=np.asarray(loss, dtype=float)), units=units)


def pretraining_size() -> bs.Posterior:
    """Return a posterior of the law whose pre-trained runs differ in their pre-training data."""
    rng = np.random.default_rng(0)
    middle = {"level": 0.7, "floor": 0.2, "alpha_D": 0.6, "turn": 1.4, "worth": 3.0, "gain": 0.8, "scale": 1e3}
    draws = {name: rng.normal(value, 0.03 * value, 100) for name, value in middle.items()}
    draws |= {"steep": np.full(100, 0.2), "a": np.full(100, 0.1), "b": np.full(100, 0.1), "ease": np.full(100, 1.0)}
    draws |= {"sigma": np.full(100, 0.01), "effect": np.zeros((100, 2))}
    cells = [(n, d, m) for n in (1e7, 4e7) for d in (1e4, 1e5) for m in (0.0, 6e4)]
    table = pd.DataFrame(cells, columns=["n_params", "finetune_data", "pretrain_data"])
    return known(bs.models.PretrainingSize(), draws, table.assign(error=np.linspace(0.9, 0.5, 8)))


def superset(seed: int = 0, count: int = COUNT) -> bs.Posterior:
    """Return a posterior of the superset law, which reads steps and different tokens only where they are told."""
    rng = np.random.default_rng(seed)
    middle = {"E": 1.8, "reducible": 0.6, "split": 0.5, "alpha_N": 0.34, "alpha_D": 0.3, "coupling": 1.0}
    draws = {name: rng.normal(value, 0.02 * value, count) for name, value in middle.items()}
    return known(Superset(), draws | {"penalty": np.full(count, 0.02), "sigma": np.full(count, 0.01)})


def by_compute(seed: int = 0, count: int = COUNT, table: pd.DataFrame | None = None) -> bs.Posterior:
    """Return a power law in FLOPs with known draws."""
    table = pd.DataFrame({"C": np.geomspace(1e18, 1e21, 12)}) if table is None else table
    rng = np.random.default_rng(seed)
    draws = {"E": rng.normal(1.8, 0.02, count), "reducible": rng.normal(0.5, 0.02, count)}
    draws |= {"alpha_C": rng.normal(0.15, 0.005, count), "sigma": np.full(count, 0.005)}
    return known(PowerLaw(), draws, table)


def exact(posterior: bs.Posterior, **options: object) -> bs.Surface:
    """Return the surface of the law as if it were exact."""
    return bs.Surface.of(posterior, discrepancy=False, **options)


class Textbook:
    """The Chinchilla law with 6ND, in closed form, draw by draw."""

    def __init__(self, surface: bs.Surface) -> None:
        p, runs = surface.latent, surface.arrays
        self.a, self.b, self.E = p["alpha_N"], p["alpha_D"], p["E"]
        self.A = p["E"] * p["reducible"] * p["split"] * runs["N0"] ** self.a
        self.B = p["E"] * p["reducible"] * (1 - p["split"]) * runs["D0"] ** self.b
        self.G = (self.a * self.A / (self.b * self.B)) ** (1 / (self.a + self.b))

    def size(self, C: float) -> np.ndarray:
        return self.G * (C / 6) ** (self.b / (self.a + self.b))

    def loss(self, N: np.ndarray | float, D: np.ndarray | float) -> np.ndarray:
        return self.E + self.A * N**-self.a + self.B * D**-self.b

    def best(self, C: float) -> np.ndarray:
        return self.loss(self.size(C), C / 6 / self.size(C))

    def needed(self, loss: np.ndarray | float) -> np.ndarray:
        """FLOPs along the frontier; NaN below the floor."""
        gap = self.A * self.G**-self.a + self.B * self.G**self.b
        power = -(self.a + self.b) / (self.a * self.b)
        with np.errstate(invalid="ignore"):
            return 6 * ((loss - self.E) / gap) ** power


class Wrong(bs.Law):
    """The share of answers that are wrong, whatever the size: an outcome that is a fraction and better lower."""

    outcome = "error"
    unit = "fraction"
    level: bs.Prior = dist.Uniform(0.0, 1.0)

    def mean(self, N, D, *, level):
        return level + 0.0 * N * D


def wrong(level: float = 0.123) -> bs.Posterior:
    """Return a posterior all of whose draws expect one error."""
    draws = {"level": np.full(COUNT, level), "sigma": np.full(COUNT, 1e-6)}
    return known(Wrong(), draws, GRID.assign(error=level))


class Tilt(bs.Law):
    """A straight line: outcome and input of any sign, and noise that is added."""

    outcome = "gap"
    unit = "nats"
    better = {"gap": "lower"}
    signed = ("gap", "shift")
    a: bs.Prior = dist.Normal(0.0, 3.0)
    b: bs.Prior = dist.Normal(0.0, 1.0)

    def mean(self, shift, *, a, b):
        return a + b * shift

    def likelihood(self, mean, sigma):
        return dist.Normal(mean, sigma)


def tilted(seed: int = 0, count: int = 100) -> bs.Posterior:
    """Return a posterior of the straight line with runs on both sides of zero."""
    rng, shift = np.random.default_rng(seed), np.linspace(-3.0, 3.0, 15)
    draws = {"a": rng.normal(0.3, 0.03, count), "b": rng.normal(0.4, 0.02, count), "sigma": np.full(count, 0.1)}
    table = pd.DataFrame({"shift": shift, "gap": 0.3 + 0.4 * shift + rng.normal(0.0, 0.1, len(shift))})
    return known(Tilt(), draws, table)


def result(posterior: bs.Posterior, targets: object, **changes: object) -> Result:
    """Return what is shown of a posterior's forecast, without caveats and pictures."""
    forecast = bs.forecast(posterior, targets)
    silent = {name: Problems() for name in names_of(changes.get("posteriors", (posterior,)))}
    made = Result(posterior.study, "a law", 0, 1.0, (posterior,), forecast, Problems(), silent)
    return dataclasses.replace(made, **changes)
