"""From parameters and tokens to FLOPs: one rule per decision, named in its result, never mixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from bayes_scaling.errors import DecisionError, StudyError
from bayes_scaling.study import Study

__all__ = ["FlopRule", "six_n_d"]

PerToken: TypeAlias = Callable[[np.ndarray], np.ndarray]
FORWARD = 1 / 3  # share of a training step's FLOPs that its forward pass takes: 2 of the 6 in 6ND


@dataclasses.dataclass(frozen=True)
class FlopRule:
    """How many FLOPs a token costs a model of N parameters.

    Parameters
    ----------
    name : str
        What results call it.
    per_token : callable
        Training FLOPs per token from an array of N (parameters), of the same shape and growing with N.

    Examples
    --------
    >>> rule = FlopRule.of("6ND")
    >>> float(rule.cost(1e9, 20e9)), float(rule.tokens(1e9, 1.2e20))
    (1.2e+20, 20000000000.0)
    """

    name: str
    per_token: PerToken

    @classmethod
    def of(cls, flops: str | PerToken | FlopRule, study: Study | None = None) -> FlopRule:
        """Return the rule a user means.

        Parameters
        ----------
        flops : str, callable or FlopRule
            ``"6ND"`` (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), ``"study"`` for the FLOPs per token of the
            study's own columns, or a function from N to training FLOPs per token.
        study : Study, optional
            Where ``"study"`` reads them.

        Raises
        ------
        DecisionError
            There is no such rule.
        StudyError
            The study has no FLOPs, parameters or tokens.
        """
        if isinstance(flops, FlopRule):
            return flops
        if callable(flops):
            return cls("FLOPs per token as given", flops)
        if flops == "6ND":
            return six_n_d
        if flops == "study" and study is not None:
            return cls(f"FLOPs per token of {study.name}", _of_study(study))
        raise DecisionError(
            f"The FLOP convention {flops!r} is unknown; use '6ND', 'study', or a function from N to FLOPs per token."
        )

    def cost(self, N: Any, D: Any) -> np.ndarray:
        """Return the FLOPs of training N parameters on D tokens."""
        return np.asarray(self.per_token(np.asarray(N, dtype=float)) * np.asarray(D, dtype=float))

    def tokens(self, N: Any, C: Any) -> np.ndarray:
        """Return the tokens that C FLOPs pay for at N parameters."""
        return np.asarray(np.asarray(C, dtype=float) / self.per_token(np.asarray(N, dtype=float)))

    def serving(self, N: Any, D: Any) -> np.ndarray:
        """Return the FLOPs of running N parameters over D tokens: forward passes alone, 2 of the 6 in 6ND."""
        return FORWARD * self.cost(N, D)

    def disagreement(self, study: Study) -> float:
        """Return the largest relative difference between this rule and the study's own FLOPs; NaN where it has none."""
        if not {"flops", "n_params", "tokens"} <= set(study.frame.columns):
            return float("nan")
        ours = self.cost(study.column("n_params"), study.column("tokens"))
        return float(np.max(np.abs(ours / study.column("flops") - 1)))


def _six_n(N: np.ndarray) -> np.ndarray:
    return 6.0 * N


six_n_d = FlopRule("6ND", _six_n)


def _of_study(study: Study) -> PerToken:
    """Return FLOPs per token by size: straight lines in the logarithms through the study's sizes, and on beyond."""
    for column in ("flops", "n_params", "tokens"):
        if column not in study.frame:
            raise StudyError(f"Study {study.name!r} has no column {column!r} to take FLOPs per token from; use '6ND'.")
    per_token = np.log(study.frame["flops"] / study.frame["tokens"])
    by_size = per_token.groupby(np.log(study.frame["n_params"])).median()
    x, y = by_size.index.to_numpy(dtype=float), by_size.to_numpy(dtype=float)
    slopes = np.diff(y) / np.diff(x) if len(x) > 1 else np.ones(1)

    def rule(N: np.ndarray) -> np.ndarray:
        u = np.log(N)
        beyond = np.minimum(u - x[0], 0.0) * slopes[0] + np.maximum(u - x[-1], 0.0) * slopes[-1]
        return np.exp(np.interp(u, x, y) + beyond)

    return rule
