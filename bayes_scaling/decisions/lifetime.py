"""Over-training: the cheapest model over training and serving together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.decisions.inputs import as_floats, one_number, require_size_and_data
from bayes_scaling.decisions.joint_optimum import MAX_SIZE_STEP
from bayes_scaling.decisions.reach import Reach, reach
from bayes_scaling.decisions.solvers import bisect, minimise
from bayes_scaling.decisions.surface import Surface, as_surface
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError
from bayes_scaling.forecasts.quantiles import quantile, quantile_columns

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["Lifetime", "cheapest"]

HALVINGS = 50
MAX_DATA_STEP = np.log(1e12)  # how far tokens are looked for on either side of the training-optimal ones


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Lifetime(Tabled):
    """The cheapest model that reaches a target and then serves tokens, draw by draw.

    Attributes
    ----------
    optimum : Reach
        What the target costs in training alone.
    inference_tokens : array, shape (demand,)
        Tokens to be served over the model's life.
    N, D : array, shape (sample, demand)
        Parameters and training tokens of the cheapest model; infinite where the target is never reached.
    training, inference : array, shape (sample, demand)
        Its FLOPs of training and of serving.
    saved : array, shape (sample, demand)
        Share of the lifetime FLOPs it saves against the training-optimal model; NaN where never.
    """

    optimum: Reach
    inference_tokens: np.ndarray
    N: np.ndarray
    D: np.ndarray
    training: np.ndarray
    inference: np.ndarray
    saved: np.ndarray

    def table(self) -> pd.DataFrame:
        """Return one row per demand and quantity.

        Returns
        -------
        pandas.DataFrame
            ``target``, ``inference_tokens``, ``quantity`` (``n_params``, ``tokens``, ``tokens_per_parameter``,
            ``training_flops``, ``lifetime_flops``, ``saved``), quantiles, and ``never``, the probability that the
            target is out of reach: infinite among the quantiles, and left out of those of ``saved``.
        """
        reached = np.isfinite(self.optimum.flops)
        with np.errstate(invalid="ignore"):
            ratio = np.where(np.isfinite(self.N), self.D / self.N, np.inf)
        blocks = {
            "n_params": self.N,
            "tokens": self.D,
            "tokens_per_parameter": ratio,
            "training_flops": self.training,
            "lifetime_flops": self.training + self.inference,
            "saved": self.saved[reached] if reached.any() else self.saved,
        }
        place = {"target": self.optimum.target, "inference_tokens": self.inference_tokens}
        rows = [pd.DataFrame({**place, "quantity": name, **quantile_columns(v)}) for name, v in blocks.items()]
        table = pd.concat(rows).sort_index(kind="stable").reset_index(drop=True)
        return table.assign(never=self.optimum.never)

    def model(self, probability: float) -> pd.DataFrame:
        """Return one model for each demand: the cheapest of those that reach the target with a probability.

        The quantiles of the table are those of each draw's own best model; a model at their medians reaches the target
        about as often as not.

        Returns
        -------
        pandas.DataFrame
            A row per demand: ``target``, ``inference_tokens``, ``probability``, ``n_params``, ``tokens``,
            ``training_flops`` and ``lifetime_flops``; infinite where no model does.

        Raises
        ------
        DecisionError
            The probability is not between 0 and 1.
        """
        probability = one_number(probability, "probability", "0.9")
        demand, surface, data_for = self.inference_tokens, self.optimum.surface, _data_for(self.optimum)
        place = {"target": self.optimum.target, "inference_tokens": demand, "probability": probability}
        reached = np.isfinite(self.optimum.flops)
        if not np.isfinite(self.optimum.budget(probability)):
            return pd.DataFrame(
                place | dict.fromkeys(("n_params", "tokens", "training_flops", "lifetime_flops"), np.inf)
            )

        def tokens(log_N: np.ndarray) -> np.ndarray:
            """Those with which so large a share of the draws reaches the target."""
            needed = data_for(np.broadcast_to(np.exp(log_N), (len(surface), log_N.shape[1])))
            return quantile(np.where(reached[:, None], needed, np.inf), probability)[None]

        def cost(log_N: np.ndarray) -> np.ndarray:
            return surface.rule.cost(np.exp(log_N), tokens(log_N)) + surface.rule.serving(np.exp(log_N), demand)

        low, high = (np.full((1, len(demand)), np.log(end(self.optimum.N[reached]))) for end in (np.min, np.max))
        log_N = minimise(cost, low - MAX_SIZE_STEP, high + 1.0)
        N, D = np.exp(log_N)[0], tokens(log_N)[0]
        found = {
            "n_params": N,
            "tokens": D,
            "training_flops": surface.rule.cost(N, D),
            "lifetime_flops": cost(log_N)[0],
        }
        return pd.DataFrame(place | found)


def _data_for(optimum: Reach) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of N, shape (sample, point), to the tokens that reach the target; infinite where none do."""
    surface, open_to = optimum.surface, np.isfinite(optimum.flops)[:, None]
    base_N, base_D = (np.where(open_to, x[:, None], 1e9) for x in (optimum.N, optimum.D))
    # Outcomes of equal expected value go on to be equal, so one value of the bare law stands for the target.
    level = surface.ranked(base_N, base_D)

    def data_for(N: np.ndarray) -> np.ndarray:
        low, high = (np.broadcast_to(np.log(base_D) + side * MAX_DATA_STEP, N.shape) for side in (-1, 1))
        possible = surface.ranked(N, np.exp(high)) <= level

        def short(log_D: np.ndarray) -> np.ndarray:
            return surface.ranked(N, np.exp(log_D)) > level

        return np.where(possible, np.exp(bisect(short, low, high, steps=HALVINGS)), np.inf)

    return data_for


def cheapest(source: Posterior | Surface, target: float, inference_tokens: Any) -> Lifetime:
    r"""Return the cheapest model over training and serving that reaches a target outcome, draw by draw.

    .. math:: \min_{N, D} \; \mathrm{FLOPs}_\mathrm{train}(N, D) + \mathrm{FLOPs}_\mathrm{infer}(N, D_\mathrm{inf})
              \quad \text{so that} \quad L(N, D) = \ell

    with 6ND and 2ND by the default convention; serving is a third of training per token by any other.

    Parameters
    ----------
    source : Posterior or Surface
        A converged fit; a surface to choose the FLOP convention, the outcome or the discrepancy.
    target : float
        The outcome to reach.
    inference_tokens : float or sequence of float
        Tokens to be served; 0 gives the training optimum.

    Returns
    -------
    Lifetime

    Raises
    ------
    DecisionError
        The target is not positive, or a number of tokens is negative.
    ConvergenceError
        The fit did not converge.
    LawError
        The law does not read both N and D.

    References
    ----------
    .. [1] Sardana et al. 2024, "Beyond Chinchilla-Optimal: Accounting for Inference in Language Model Scaling Laws",
       arXiv 2401.00448, equation 3.
    """
    surface = as_surface(source)
    require_size_and_data(surface.posterior.law, "A lifetime cost")
    demand = as_floats(inference_tokens)
    if demand.ndim > 1 or not (np.isfinite(demand) & (demand >= 0)).all() or not demand.size:
        raise DecisionError(f"The inference tokens are {inference_tokens!r}; give numbers from 0 on, such as 1e13.")
    optimum = reach(surface, target)
    open_to, data_for = np.isfinite(optimum.flops)[:, None], _data_for(optimum)
    base_N = np.where(open_to, optimum.N[:, None], 1e9)

    def cost(log_N: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return surface.rule.cost(N, data_for(N)) + surface.rule.serving(N, demand)

    shape = (len(surface), len(demand))
    start = np.broadcast_to(np.log(base_N), shape)
    N = np.exp(minimise(cost, start - MAX_SIZE_STEP, start + 1.0))  # serving only ever makes the best model smaller
    D = data_for(N)
    training, inference = surface.rule.cost(N, D), surface.rule.serving(N, demand)
    usual = optimum.flops[:, None] + surface.rule.serving(base_N, demand)
    with np.errstate(invalid="ignore"):
        saved = np.where(open_to, np.maximum(1 - (training + inference) / usual, 0.0), np.nan)
    N, D, training, inference = (np.where(open_to, x, np.inf) for x in (N, D, training, inference))
    return Lifetime(optimum, demand, N, D, training, inference, saved)
