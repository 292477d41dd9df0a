"""A fit that goes on until it has converged: more draws from where the chains stand, then adapted, then with care.

The first try is short: most posteriors are simple.  Where its chains do not agree yet, or are too short for the
effective draws asked for, they go on, twice as long each time, and the draws are thinned to as many as were asked for.
Where they agree and a few draws too many diverge, they are made again in smaller steps.  Where more draws of the same
kind would not help or would be slow, because many trajectories end at their largest length, or the law says so, the
mass matrix is adapted in a longer warm-up; where draws diverge even so, with small steps.  What decides are the sampled
parameters.  Outcomes without noise are no runs, and nothing but the first is tried on them; nor is more of one chain
alone, of which nothing says whether it converged.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any, NamedTuple

import jax
import numpy as np

from bayes_scaling.errors import BayesScalingError, LawError, whole
from bayes_scaling.inference import nuts
from bayes_scaling.inference.diagnostics import Diagnostics, diagnostics_of, starts_at_best, unit_of_noise
from bayes_scaling.inference.padding import pad_study
from bayes_scaling.inference.precision import as_numpy, double_precision
from bayes_scaling.inference.single_precision import largest_shift
from bayes_scaling.law.base import Law
from bayes_scaling.law.trace import latent_names

__all__ = [
    "PATIENCE",
    "WARMUP",
    "Effort",
    "adapted_plan",
    "asked",
    "brought_back",
    "fit_until_converged",
    "judge",
    "run",
]

WARMUP = 200  # steps the step size needs
ADAPTED_WARMUP = 600  # steps a full adaptation of the mass matrix needs
CAREFUL_WARMUP = 1000  # the same with small steps
PATIENCE = 120.0  # seconds that a fit may go on after its first try
NEARLY = 3  # times as long, where twice as many draws should do: a slow machine is no reason to refuse a fit
GENTLE_ACCEPT = 0.95  # acceptance of a try in smaller steps, with the mass matrix at the mode
MAX_LENGTH = 8  # times the draws asked for, with the mass matrix at the mode
MAX_ADAPTED_LENGTH = 32  # and with an adapted one; mostly patience ends first


@dataclasses.dataclass(frozen=True)
class Effort:
    """How hard to try.

    Attributes
    ----------
    adapt : bool or None
        Adapt the mass matrix from the first (True), where it is needed (None), or make one short run and leave it as it
        is (False).
    warmup : int or None
        Warm-up steps per chain; None for those of the plan.
    patience : float
        Seconds that a fit may go on after its first try; three times as many while its chains have nearly converged.
    """

    adapt: bool | None = None
    warmup: int | None = None
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, Real) or not self.patience >= 0:
            raise BayesScalingError(f"patience is {self.patience!r}; give a number of seconds, 0 or more.")
        if self.adapt is not None and not (isinstance(self.adapt, (int, np.bool_)) and self.adapt in (0, 1)):
            raise BayesScalingError(f"adapt is {self.adapt!r}; give True, False, or None to adapt where it is needed.")
        plain = {
            "adapt": None if self.adapt is None else bool(self.adapt),
            "warmup": None if self.warmup is None else whole("warmup", self.warmup, 1),
            "patience": float(self.patience),
        }
        for name, value in plain.items():  # a file remembers them, and NumPy's have no place there
            object.__setattr__(self, name, value)


def asked(plan: nuts.Plan, effort: Effort) -> dict[str, Any]:
    """Return how a fit is asked for, as a file remembers it."""
    return {"plan": plan._asdict(), "effort": dataclasses.asdict(effort)}


def fit_until_converged(
    law: Law,
    plan: nuts.Plan,
    seed: int,
    runs: Mapping[str, Any],
    observed: Mapping[str, Any],
    effort: Effort,
    first: nuts.Sampled | None = None,
) -> tuple[nuts.Sampled, Diagnostics]:
    """Sample until the chains have converged, or patience is at its end.

    Parameters
    ----------
    law, plan, seed, runs, observed
        What to fit, and how the first try samples.
    effort : Effort
        How hard to try.
    first : Sampled, optional
        The first try, where it was made already.

    Returns
    -------
    (Sampled, Diagnostics)
        Of the try that converged, otherwise of the one with the smallest R-hat; its diagnostics say what was tried.

    Raises
    ------
    LawError
        The law gives the runs no probability whatever its parameters are.
    """
    started, tried = None, []
    best: tuple[nuts.Sampled, Diagnostics] | None = None
    for stage in _stages(plan, effort):
        if stage.gentle and (law.adapts or best is None or not best[1].few_diverged):
            continue
        sampled = first if first is not None and best is None else run(law, stage.plan, seed, runs, observed)
        if best is None:
            _require_probability(law, sampled.mode_potential)
        started = started or time.perf_counter()
        short = effort.adapt is False or (law.adapts and not stage.plan.adapt)
        most = 1 if short else MAX_ADAPTED_LENGTH if stage.plan.adapt else MAX_LENGTH
        found, length = _lengthen(law, stage.plan, sampled, runs, observed, most, effort, started)
        tried.append(f"{length * plan.draws} draws a chain {stage.way}")
        if best is None or found[1].converged or not _apart(found[1]) > _apart(best[1]):
            best = found
        hopeless = found[1].misled_by_rounding or found[1].computed or found[1].chains == 1
        if found[1].converged or hopeless or time.perf_counter() > started + effort.patience:
            break
        if stage.plan.adapt and not found[1].diverged:
            break  # small steps are against divergences
    assert best is not None
    sampled, diagnostics = best
    if diagnostics.modes_reached < 1:  # starts that were still on their way found no other mode
        reached = starts_at_best(sampled.mode_potential, _arrived(law, plan, seed, runs, observed))
        diagnostics = dataclasses.replace(diagnostics, modes_reached=reached)
    said = "" if diagnostics.converged or effort.adapt is False else " and ".join(tried)
    return sampled._replace(state=None, energies=None), dataclasses.replace(diagnostics, tried=said)


def _apart(diagnostics: Diagnostics) -> float:
    """Return the largest R-hat; infinite where chains that do not move have none."""
    return math.inf if math.isnan(diagnostics.max_rhat) else diagnostics.max_rhat


def _require_probability(law: Law, heights: np.ndarray) -> None:
    """Refuse a law whose potential is finite where no start of the mode search ended."""
    if not np.isfinite(heights).any():
        raise LawError(
            f"{law.name} gives the runs no probability from any of {len(heights)} starts, because its outcome is not a "
            "number or is infinite there; see what its equation takes the logarithm or a power of."
        )


class Stage(NamedTuple):
    """A kind of try.

    Attributes
    ----------
    way : str
        How it samples, in words.
    plan : Plan
        How it samples.
    gentle : bool
        Whether it makes the draws of the try before it again, in smaller steps.
    """

    way: str
    plan: nuts.Plan
    gentle: bool = False


def _stages(plan: nuts.Plan, effort: Effort) -> Iterator[Stage]:
    """Yield what to try, one after another."""
    adapted = "with an adapted one"
    if not effort.adapt:
        yield Stage(adapted if plan.adapt else "with the mass matrix of the mode", plan)
    if effort.adapt is None and not plan.adapt:
        yield Stage("with that in smaller steps", plan._replace(target_accept=GENTLE_ACCEPT), gentle=True)
    if effort.adapt is not False:
        yield Stage(adapted, adapted_plan(plan, effort.warmup))
        careful = adapted_plan(plan, effort.warmup or CAREFUL_WARMUP)
        yield Stage("in smaller steps", careful._replace(target_accept=0.99))


def adapted_plan(plan: nuts.Plan, warmup: int | None) -> nuts.Plan:
    """Return the plan with the mass matrix adapted in a longer warm-up, smaller steps and deeper trees."""
    return plan._replace(adapt=True, warmup=warmup or ADAPTED_WARMUP, max_tree_depth=10, target_accept=0.9)


def _lengthen(
    law: Law,
    plan: nuts.Plan,
    sampled: nuts.Sampled,
    runs: Mapping[str, Any],
    observed: Mapping[str, Any],
    most: int,
    effort: Effort,
    started: float,
) -> tuple[tuple[nuts.Sampled, Diagnostics], int]:
    """Let chains go on, twice as long each time, while that may help; return what they found and how long they are."""
    parts = [sampled]
    diagnostics = judge(law, plan, sampled, runs, observed)
    while not diagnostics.converged and len(parts) < most:
        patience = effort.patience * (NEARLY if diagnostics.nearly else 1)
        if time.perf_counter() >= started + patience:
            break
        if not (diagnostics.in_reach or plan.adapt) or diagnostics.misled_by_rounding or diagnostics.chains == 1:
            break
        for _ in range(len(parts)):
            parts.append(_continue(law, plan, parts[-1].state, runs, observed))
        sampled = nuts.joined(parts)
        diagnostics = judge(law, plan, sampled, runs, observed)
    return (sampled, diagnostics), len(parts)


def judge(
    law: Law, plan: nuts.Plan, sampled: nuts.Sampled, runs: Mapping[str, Any], observed: Mapping[str, Any]
) -> Diagnostics:
    """Return the diagnostics of a fit, with the check of its precision where that was single."""
    method = "adapted" if plan.adapt else "laplace"
    sites, unit = latent_names(law, runs, observed), unit_of_noise(law, observed)
    found = diagnostics_of(sampled, method, plan.max_tree_depth, sites, unit)
    if plan.precision == "double":
        return found
    shift = largest_shift(law, sampled.posterior, runs, observed)
    return dataclasses.replace(found, precision=plan.precision, shift=shift)


def run(law: Law, plan: nuts.Plan, seed: int, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> nuts.Sampled:
    """Run the compiled program on padded arrays and bring the result back as NumPy arrays."""
    key = _key(seed)
    with double_precision(plan.precision == "double"):
        return brought_back(nuts.sample(law.program, plan, key, *pad_study(law, runs, observed)))


def _key(seed: int) -> jax.Array:
    """Return the key of a seed of 63 bits; made in single precision it would be that of its last 32."""
    with double_precision():
        return jax.random.key(seed)


def _arrived(law: Law, plan: nuts.Plan, seed: int, runs: Mapping[str, Any], observed: Mapping[str, Any]) -> np.ndarray:
    key = _key(seed)
    with double_precision(plan.precision == "double"):
        return np.asarray(nuts.arrived(law.program, plan.starts, key, *pad_study(law, runs, observed)))


def _continue(
    law: Law, plan: nuts.Plan, state: Any, runs: Mapping[str, Any], observed: Mapping[str, Any]
) -> nuts.Sampled:
    with double_precision(plan.precision == "double"):
        return brought_back(nuts.go_on(law.program, plan, state, *pad_study(law, runs, observed)))


def brought_back(sampled: nuts.Sampled) -> nuts.Sampled:
    """Return a result as NumPy arrays; where the chains stand stays with JAX."""
    return as_numpy(sampled._replace(state=None))._replace(state=sampled.state)
