"""What is learnt across collections of runs: priors, and how far laws are off beyond the data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpyro.distributions as dist

from bayes_scaling.law.priors import LogitNormal

__all__ = ["POPULATION", "Population"]

LIKE = {"split": LogitNormal}  # priors that are no log-normals


@dataclasses.dataclass(frozen=True)
class Population:
    """What one study may assume of itself because other collections were like that.

    Attributes
    ----------
    parameters : mapping of str to (float, float)
        Centre and spread of each parameter of :class:`bayes_scaling.models.Superset` over collections, on its
        unconstrained scale (a logarithm; a logit for the split); beside them those of ``discrepancy``, the standard
        deviation of the relative error of the slope at a step of 0.5 in log reducible loss.
    drift : float
        Mean of that error.
    scatter : float
        Noise of runs that were not fitted, as a multiple of that of fitted ones.
    own_cuts : mapping of float to float
        Observations of the error of the slope that a study's own backtests together may count for, with the weight of
        each.
    sharpness : mapping of float to float
        How strongly the mean log score of a law's backtests may decide on its weight, with the weight of each.
    trust : float
        How far the priors went from those of the papers (0) to those of the collections (1).
    collections : tuple of str
        Where all this was learnt.
    """

    parameters: Mapping[str, tuple[float, float]]
    drift: float
    scatter: float
    own_cuts: Mapping[float, float]
    sharpness: Mapping[float, float]
    trust: float
    collections: tuple[str, ...]

    def prior(self, name: str) -> dist.Distribution:
        """Return the prior of a parameter."""
        return LIKE.get(name, dist.LogNormal)(*self.parameters[name])

    @classmethod
    def read(cls, path: Path) -> Population:
        """Read the file that ``python -m benchmarks.quality population`` writes."""
        found = json.loads(path.read_text(encoding="utf-8"))
        found["parameters"] = {name: tuple(pair) for name, pair in found["parameters"].items()}
        for name in ("own_cuts", "sharpness"):
            found[name] = {float(value): weight for value, weight in found[name].items()}
        found["collections"] = tuple(found["collections"])
        return cls(**{f.name: found[f.name] for f in dataclasses.fields(cls)})

    def write(self, path: Path) -> None:
        """Write it, with the command that made it."""
        made = {"made_by": "python -m benchmarks.quality population", **dataclasses.asdict(self)}
        path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


POPULATION = Population.read(Path(__file__).with_name("population.json"))
"""Learnt on all collections of development; what is scored is learnt without the collection scored."""
