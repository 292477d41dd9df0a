"""Whether the sampler converged, in numbers and in sentences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from arviz_stats.base import array_stats

from bayes_scaling.errors import COMMAND_LINE
from bayes_scaling.problems import Problem, Problems

if TYPE_CHECKING:
    from bayes_scaling.inference.nuts import Sampled
    from bayes_scaling.law.base import Law

__all__ = [
    "IMPORTED",
    "MAX_RHAT",
    "MAX_SHIFT",
    "MIN_ESS",
    "Diagnostics",
    "diagnostics_of",
    "starts_at_best",
    "unit_of_noise",
]

IMPORTED = "imported"  # the method of draws that another sampler made
MAX_RHAT = 1.01
MIN_ESS = 400
FEW_DRAWS = 2000  # of all chains: with fewer, R-hat and effective draws miss their limits by chance
MAX_DIVERGING = 0.005  # share of draws
MEASURED_NOISE = 1e-4  # losses of runs that differ in their seed alone scatter by some thousandths
MAX_RHAT_IN_REACH = 1.1  # of chains that may come to agree with more draws
MAX_DIVERGING_IN_REACH = 0.02  # share of draws that smaller steps may spare
MAX_SATURATED_IN_REACH = 0.1  # share of trajectories of the largest length: with more, draws are slow
STRONG_CORRELATION = 0.9
MAX_SHIFT = 0.05  # posterior standard deviations: the Monte Carlo error of the effective draws asked for


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """What the chains say of themselves.

    Attributes
    ----------
    method : str
        ``laplace``: mass matrix from the mode; ``adapted``: mass matrix adapted in the warm-up; ``imported``: draws of
        another sampler, of whose trajectories nothing is known.
    max_rhat : float
        Largest rank-normalised split R-hat over parameters.
    min_ess_bulk, min_ess_tail : float
        Smallest effective sample sizes over parameters.
    divergences, draws : int
        Divergent draws, and draws kept, over all chains.
    saturated : int
        Draws whose tree reached its largest depth.
    mean_steps : float
        Mean number of leapfrog steps per draw.
    min_bfmi : float
        Smallest energy fraction (E-BFMI) over chains, of all their draws, those thinned out too; NaN where the sampler
        gave no energies.
    modes_reached : float
        Share of the mode search's starts that reached the best mode, of those that reached any.
    curvature : float
        Smallest curvature at the mode, in the sampler's coordinates.
    worst : str
        The parameter with the largest R-hat.
    chains : int
        Number of chains; one gives no R-hat.
    tried : str
        What was tried before the fit was given up as not converged; empty where it converged or was not to be tried.
    partner, correlation : str, float
        The parameter with which the worst one is most correlated over the draws, and that correlation.
    noise : float
        Posterior median of ``sigma``, the relative noise of the outcomes (of what may be of any sign, over their
        spread), or of the ``accuracy_sigma`` of the task that has least, if that is smaller; infinite where the law has
        neither.
    precision : str
        ``double`` or ``single``: in which the fit computed.
    shift : float
        How far single precision may have moved a posterior mean at most, in posterior standard deviations
        (:func:`bayes_scaling.inference.single_precision.largest_shift`); 0 in double precision.
    """

    method: str
    max_rhat: float
    min_ess_bulk: float
    min_ess_tail: float
    divergences: int
    draws: int
    saturated: int
    mean_steps: float
    min_bfmi: float
    modes_reached: float
    curvature: float
    worst: str
    precision: str = "double"
    shift: float = 0.0
    chains: int = 0
    tried: str = ""
    partner: str = ""
    correlation: float = 0.0
    noise: float = math.inf

    @property
    def required_ess(self) -> float:
        """Effective draws asked for: 400, or a fifth of the draws of a shorter run."""
        return min(MIN_ESS, 0.2 * self.draws)

    @property
    def converged(self) -> bool:
        """Whether the draws may be used."""
        return not self.problems()

    @property
    def in_reach(self) -> bool:
        """Whether more draws of the same chains may do: they differ by little, few diverge, and few trees are full."""
        few = not self.diverged and self.saturated <= MAX_SATURATED_IN_REACH * self.draws
        return self.max_rhat < MAX_RHAT_IN_REACH and few

    @property
    def nearly(self) -> bool:
        """Whether twice as many draws should do: R-hat's excess halves and effective draws double as chains do."""
        longer = dataclasses.replace(
            self,
            max_rhat=1 + (self.max_rhat - 1) / 2,
            min_ess_bulk=2 * self.min_ess_bulk,
            min_ess_tail=2 * self.min_ess_tail,
        )
        return longer.converged

    @property
    def few_diverged(self) -> bool:
        """Whether smaller steps may do: chains differ by little, and somewhat too many draws diverge."""
        few = self.divergences <= MAX_DIVERGING_IN_REACH * self.draws
        return self.max_rhat < MAX_RHAT_IN_REACH and self.diverged and few

    @property
    def misled_by_rounding(self) -> bool:
        """Whether single precision is to blame, so that no more draws will help."""
        return not self.shift <= MAX_SHIFT

    def problems(self) -> list[str]:
        """Return what forbids the use of the draws, a text for each remedy: what it remedies, with numbers, and it."""
        by_remedy: dict[str, list[str]] = {}
        for problem in self.refusals():
            by_remedy.setdefault(problem.remedy, []).append(problem.sentence)
        return [f"{'. '.join(sentences)}: {remedy}." for remedy, sentences in by_remedy.items()]

    def refusals(self) -> Problems:
        """Return the same as records, each with its remedy.

        Their codes are ``one-chain``, ``rhat``, ``ess-bulk``, ``ess-tail``, ``divergences`` and ``precision``.
        """
        tests: list[tuple[bool, Problem]] = []

        def test(passed: bool, code: str, sentence: str, remedy: str, value: float, where: str = "") -> None:
            tests.append((passed, Problem(code, sentence, remedy, value, where, severe=True)))

        after = f" after {self.tried}" if self.tried else ""
        apart = self.chains != 1 and not self.max_rhat <= MAX_RHAT
        digits = 3 if round(self.max_rhat, 3) > MAX_RHAT else 5  # what is refused never reads like what is allowed
        test(
            self.chains != 1,
            "one-chain",
            "One chain gives no R-hat, so nothing says whether it converged",
            "run two chains or more",
            1.0,
        )
        test(
            not apart,
            "rhat",
            f"R-hat of {self.worst} is {self.max_rhat:.{digits}f} (at most {MAX_RHAT}){after}, so the chains disagree",
            self._cause(),
            self.max_rhat,
            self.worst,
        )
        for kind, value in (("bulk", self.min_ess_bulk), ("tail", self.min_ess_tail)):
            test(
                value >= self.required_ess,
                f"ess-{kind}",
                f"The {kind} effective sample size is {value:.0f} (at least {self.required_ess:.0f}){after}",
                self._cause() if self.tried or apart else "take more draws",
                value,
            )
        test(
            not self.diverged,
            "divergences",
            f"{self.divergences} of {self.draws} draws diverged (at most {MAX_DIVERGING:.1%}){after}",
            "give parameters that the runs leave open tighter priors, or fix them",
            float(self.divergences),
        )
        test(
            self.shift <= MAX_SHIFT,
            "precision",
            f"Single precision may have moved posterior means by {self.shift:.2g} of their standard deviations "
            f"(at most {MAX_SHIFT})",
            "use precision='double'",
            self.shift,
        )
        return Problems(problem for passed, problem in tests if not passed)

    @property
    def diverged(self) -> bool:
        """Whether too many draws diverged."""
        return self.divergences > MAX_DIVERGING * self.draws

    @property
    def computed(self) -> bool:
        """Whether the outcomes have less noise than runs have: chains hardly move through so thin a posterior."""
        return self.noise < MEASURED_NOISE

    def _cause(self) -> str:
        """Say what in the runs or the priors may be the cause, and what to do about it."""
        if self.computed:
            return (
                f"the outcomes follow the law to {self.noise:.1g} of their size, as computed ones do and measured ones "
                "do not, so give a computed table the noise of runs, such as 0.003"
            )
        if self.modes_reached < 1:
            more = "" if COMMAND_LINE.get() else ", or fit with more starts, as in starts=32"
            return f"the posterior has several modes, so tighten the priors that allow them{more}"
        if abs(self.correlation) > STRONG_CORRELATION:
            return (
                f"the runs hardly tell {self.worst} from {self.partner} (correlation {self.correlation:.2f}), so add "
                "runs that vary them apart, fix one of them, or tighten its prior"
            )
        more = "--draws" if COMMAND_LINE.get() else "draws" if self.draws < FEW_DRAWS else ""
        longer = f"take more draws ({more})" if more else "let it run longer (patience)"
        if self.diverged:  # whose remedy is the same
            return longer
        return f"{longer}, or tighten the priors of what the runs leave open"


def diagnostics_of(
    sampled: Sampled,
    method: str,
    max_tree_depth: int,
    parameters: Collection[str] | None = None,
    unit: float = 1.0,
) -> Diagnostics:
    """Compute the diagnostics of a fit from what the program returned.

    Parameters
    ----------
    sampled : Sampled
        Draws and statistics.
    method : str
        ``laplace``, ``adapted`` or ``imported``.
    max_tree_depth : int
        Of the plan.
    parameters : collection of str, optional
        The sites that decide: those that were sampled.  Constants derived from them, such as A and B, have tails that
        nobody forecasts.  By default all.
    unit : float
        Of ``sigma``, as :func:`unit_of_noise` tells.
    """
    columns, names = [], []
    for name, draws in sampled.posterior.items():
        if parameters is not None and name not in parameters:
            continue
        flat = np.asarray(draws).reshape(*draws.shape[:2], -1)
        columns.append(flat)
        names += [name if flat.shape[-1] == 1 else f"{name}[{i}]" for i in range(flat.shape[-1])]
    chains = np.concatenate(columns, axis=-1)
    rhat = _each(array_stats.rhat, chains)
    bulk = _each(array_stats.ess, chains, method="bulk")
    tail = _each(array_stats.ess, chains, method="tail", prob=(0.05, 0.95))
    with np.errstate(all="ignore"):  # a chain that left the support has no energy
        energies = sampled.energy if sampled.energies is None else sampled.energies
        bfmi = np.asarray(array_stats.bfmi(np.asarray(energies), chain_axis=0, draw_axis=1))
    steps = np.asarray(sampled.steps)
    worst = int(np.argmax(np.nan_to_num(rhat, nan=np.inf)))
    partner, correlation = _closest(chains.reshape(-1, chains.shape[-1]), worst)
    return Diagnostics(
        method=method,
        max_rhat=float(rhat.max()),
        min_ess_bulk=float(bulk.min()),
        min_ess_tail=float(tail.min()),
        divergences=int(np.sum(sampled.diverging)),
        draws=int(steps.size),
        saturated=int((steps >= 2**max_tree_depth - 1).sum()),
        mean_steps=float(steps.mean()),
        min_bfmi=float(bfmi.min()),
        modes_reached=starts_at_best(sampled.mode_potential),
        curvature=float(sampled.curvature),
        worst=names[worst],
        chains=len(chains),
        partner=names[partner],
        correlation=correlation,
        noise=_noise(sampled.posterior, unit),
    )


def starts_at_best(heights: np.ndarray, arrived: np.ndarray | bool = True) -> float:
    """Return the share of the starts at the best mode among those at any.

    Parameters
    ----------
    heights : array, shape (start,)
        Potential that each reached; not finite where it failed.
    arrived : array of bool, shape (start,), optional
        Whether each came to a mode; by default all did.

    Examples
    --------
    >>> starts_at_best([1.0, 1.0, 3.0, np.inf]), starts_at_best([1.0, 1.0, 3.0, np.inf], [True, True, False, False])
    (0.6666666666666666, 1.0)
    """
    finite = np.isfinite(heights)
    best = finite & (heights < np.min(heights, where=finite, initial=np.inf) + 0.1)
    return float(best.sum() / max((best | finite & arrived).sum(), 1))


def unit_of_noise(law: Law, observed: Mapping[str, Any]) -> float:
    """Return what the noise of a law is relative to: 1 where it is a factor, or of accuracies, which are fractions.

    Where it adds to outcomes of any sign it is in their unit, and what tells its size is how far they differ.
    """
    if not law.additive or law.outcome == "accuracy":
        return 1.0
    return float(np.nanstd(observed[law.outcome])) or 1.0


def _noise(posterior: Mapping[str, np.ndarray], unit: float = 1.0) -> float:
    """Return the posterior median of the noise of the losses, or of the task with least, whichever is smaller."""
    found = [math.inf]
    if "sigma" in posterior:
        found.append(np.median(posterior["sigma"]) / unit)
    if "accuracy_sigma" in posterior:
        found.append(np.median(posterior["accuracy_sigma"], axis=(0, 1)).min())
    return float(min(found))


def _closest(draws: np.ndarray, place: int) -> tuple[int, float]:
    """Return the column most correlated with one, by ranks, and the correlation; itself and 0 where there is none."""
    ranks = draws.argsort(axis=0).argsort(axis=0).astype(float)
    ranks -= ranks.mean(axis=0)
    found = ranks.T @ ranks[:, place] / np.sqrt((ranks**2).sum(axis=0) * (ranks[:, place] ** 2).sum())
    found[place] = 0.0
    partner = int(np.argmax(np.abs(found)))
    return (partner, float(found[partner])) if found[partner] else (place, 0.0)


def _each(statistic: Any, chains: np.ndarray, **options: Any) -> np.ndarray:
    """Apply an ArviZ statistic to every parameter; a chain that is not finite counts as not converged."""
    with np.errstate(all="ignore"):
        return np.asarray(statistic(np.moveaxis(chains, -1, 0), chain_axis=1, draw_axis=2, **options), dtype=float)
