"""The law that holds those of Chinchilla, of Kaplan and of few steps, with priors learnt from other collections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from bayes_scaling.errors import COMMAND_LINE, LawError, StudyError, listed
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import data_field, option, prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays, extrapolate, sample_slope_error
from bayes_scaling.models.chinchilla import Chinchilla, slope_for_exponent
from bayes_scaling.models.few_steps import ENDLESS, of_steps
from bayes_scaling.models.population import POPULATION
from bayes_scaling.models.repeated_data import saturating
from bayes_scaling.study.rows import row_name
from bayes_scaling.study.validation import MOST_ROWS

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Superset"]

N_REF, D_REF = 1e9, 2e10  # parameters and tokens at which the priors speak, wherever the runs lie
STEP = 0.5  # in log reducible loss: how far beyond the data the error of the slope grows; collections reach no further


class Superset(Law):
    r"""Loss falls with parameters and tokens through one bracket with an exponent of its own, above a floor.

    .. math:: L(N, D, S) = \left( 1 + p \left( \tfrac{1000}{S} \right)^{2} \right) \left[ E + \left(
              A N^{-\alpha_N / g} + B D^{-\alpha_D / g} \right)^{g} \right]
              = \left( 1 + p \left( \tfrac{1000}{S} \right)^{2} \right) E \left[ 1 + \rho \left( \psi \left(
              \tfrac{N}{10^9} \right)^{-\alpha_N / g} + (1 - \psi) \left( \tfrac{D}{2 \cdot 10^{10}}
              \right)^{-\alpha_D / g} \right)^{g} \right]

    with N in parameters, D in tokens, S in optimiser steps (where the table has them), L and E in the unit of the loss.
    Where a column ``unique_tokens`` says how many tokens are different ones, D are the effective tokens of
    :class:`RepeatedData`.  With g = 1 and p = 0 it is :class:`Chinchilla`, with g = alpha_D it is :class:`Kaplan`.  Its
    priors speak of a model
    of 1e9 parameters and 2e10 tokens (``reference``), wherever the runs lie, and are learnt from public collections of
    runs, so that a few runs, or runs in which an input does not vary, can be forecast: the collections carry what the
    runs leave open.

    Notes
    -----
    Beyond the fitted runs, the step d in log reducible loss becomes ``d (1 + e min(d / 0.5, 1))``: the error e of the
    slope grows with distance, as far as collections have seen.  Over them e is not zero on average (forecasts from
    small runs are too high), so ``drift`` is its mean and ``discrepancy`` its standard deviation.
    :func:`bayes_scaling.forecast_runs` replaces both by what a study's own backtests say.

    References
    ----------
    .. [1] Hoffmann et al. 2022, arXiv 2203.15556, equation 2 (g = 1).
    .. [2] Kaplan et al. 2020, arXiv 2001.08361, equation 1.5 (g = alpha_D, E = 0), and section 5 for the steps.
    .. [3] Busbridge et al. 2025, "Distillation Scaling Laws", arXiv 2502.08606, equation 9 (the outer exponent).
    .. [4] Muennighoff et al. 2023, arXiv 2305.16264, equation 5 (tokens seen more than once).

    Examples
    --------
    >>> values = dict(E=1.8, reducible=0.5, split=0.5, alpha_N=0.3, alpha_D=0.3, coupling=0.8)
    >>> long, different = dict(steps=1e6, penalty=0.02), dict(unique_tokens=2e10, repeats=15.0)
    >>> round(float(Superset().mean(1e9, 2e10, N0=1e9, D0=2e10, **long, **different, **values)), 4)
    2.7
    """

    E: Prior = prior(
        default=POPULATION.prior("E"),
        unit="unit of the loss",
        reason="Irreducible loss.  A factor of seven either way around 1.7: the unit of the loss is the user's.",
    )
    reducible: Prior = prior(
        default=POPULATION.prior("reducible"),
        unit="multiple of E",
        reason="Reducible loss of a model of 1e9 parameters on 2e10 tokens, as a multiple of E.  Learnt.",
    )
    split: Prior = prior(
        default=POPULATION.prior("split"),
        unit="share",
        reason="Share of the bracket that more parameters would remove, for the same model.  Learnt.",
    )
    alpha_N: Prior = prior(
        default=POPULATION.prior("alpha_N"),
        unit="pure number",
        reason="Exponent of parameters, with endless data.  Learnt.",
    )
    alpha_D: Prior = prior(
        default=POPULATION.prior("alpha_D"),
        unit="pure number",
        reason="Exponent of tokens, with endless size.  Learnt.",
    )
    coupling: Prior = prior(
        default=POPULATION.prior("coupling"),
        unit="pure number",
        reason="g, the outer exponent: below one, the scarcer of size and data counts for more.  Learnt.",
    )
    penalty: Prior = prior(
        default=POPULATION.prior("penalty"),
        unit="fraction",
        reason="p, the relative excess of a run of 1000 optimiser steps; nothing where steps are unknown.  Learnt.",
    )
    repeats: Prior = prior(
        default=15.0,
        unit="repeats",
        reason="R, how many passes endless repeats are worth; nothing where ``unique_tokens`` are unknown.  About what "
        "is published; :func:`bayes_scaling.forecast_runs` learns it, with the prior of :class:`RepeatedData`.",
    )
    sigma: Prior = prior(
        default=POPULATION.prior("sigma"),
        unit="fraction",
        reason="Relative noise of the outcome between runs of equal inputs.  Learnt.",
    )
    discrepancy: Prior = prior(
        default=POPULATION.prior("discrepancy"),
        unit="fraction",
        reason="Standard deviation of the relative error of the slope at a step of 0.5 in log reducible loss beyond "
        "the data.  Learnt.  Used by forecasts only, where it can be switched off.",
    )
    drift: float = data_field(
        default=POPULATION.drift, about="Mean relative error of the slope there: laws flatten too early.  Learnt."
    )
    scatter: float = data_field(
        default=POPULATION.scatter,
        wanted="number of zero or more",
        about="How much more than fitted runs those scatter that nobody fitted.  Learnt.",
    )
    reference: tuple[float, float] | None = option(
        default=(N_REF, D_REF),
        about="Parameters and tokens of the model that the priors of ``reducible`` and ``split`` speak of; None: the "
        "geometric means of the fitted runs, as in :class:`Chinchilla`.",
    )
    bottleneck: float = data_field(
        default=0.0, about="Power of alpha_D in the outer exponent: 1 for the law of Kaplan."
    )
    ceiling: bool = option(
        default=False, about="The outcome is an error rate, at most one: the law is one of its -log(1 - error)."
    )

    rests_on_priors = True
    absent: ClassVar = {"steps": math.inf, "unique_tokens": math.inf}
    pooling: ClassVar = {**Chinchilla.pooling, "coupling": 0.2}
    equation = r"L = (1 + p (1000 / S)^2) (E + (A N^{-\alpha_N / g} + B D^{-\alpha_D / g})^g)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference is not None and (len(self.reference) != 2 or not all(map(_is_positive, self.reference))):
            raise LawError(
                f"{self.name}.reference is {self.reference!r}; give two positive numbers, parameters and tokens, or "
                "None."
            )

    def mean(  # noqa: D102
        self, N, D, steps, unique_tokens, N0, D0, *, E, reducible, split, alpha_N, alpha_D, coupling, penalty, repeats
    ):
        unique = jnp.minimum(unique_tokens, D)
        effective = unique * jnp.exp(saturating(D / unique, repeats))
        g = coupling * alpha_D**self.bottleneck
        size, data = self.reference or (N0, D0)
        by_size = jnp.log(split) - alpha_N / g * jnp.log(N / size)
        by_data = jnp.log1p(-split) - alpha_D / g * jnp.log(effective / data)
        loss = E * (1 + reducible * jnp.exp(g * jnp.logaddexp(by_size, by_data)))
        return self._bounded(of_steps(penalty, steps) * loss)

    def _bounded(self, loss: jax.Array) -> jax.Array:
        return -jnp.expm1(-loss) if self.ceiling else loss

    def _unbounded(self, outcome: jax.Array) -> jax.Array:
        return -jnp.log1p(-outcome) if self.ceiling else outcome

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array | float | None:
        """Return the irreducible outcome, which below a ceiling is that of the loss E."""
        return self._bounded(parameters["E"])

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:  # noqa: D102
        if not self.ceiling:
            return super().likelihood(mean, sigma)
        flip = [dist.transforms.AffineTransform(0.0, -1.0), dist.transforms.ExpTransform()]
        back = dist.transforms.AffineTransform(1.0, -1.0, domain=dist.constraints.unit_interval)
        loss = dist.StudentT(5.0, jnp.log(self._unbounded(mean)), sigma)
        return dist.TransformedDistribution(loss, [dist.transforms.ExpTransform(), *flip, back])

    def known_noise(self, mean: jax.Array, error: jax.Array) -> jax.Array:
        """Return known errors on the scale of the log of the loss, which below a ceiling is -log(1 - outcome)."""
        if not self.ceiling:
            return super().known_noise(mean, error)
        return error / jnp.maximum((1 - mean) * self._unbounded(mean), 1e-12)

    def slope_error(self, shape: tuple[int, ...] = ()) -> jax.Array:  # noqa: D102
        return self.drift + sample_slope_error(self.discrepancy, shape)

    @property
    def slope_moments(self) -> tuple[float, float]:  # noqa: D102
        return self.drift, super().slope_moments[1]

    def with_slope(self, mean: float, spread: float) -> Law:  # noqa: D102
        scale = self.discrepancy
        if isinstance(scale, dist.LogNormal) and spread > 0:  # as much doubt about the new spread as about the old
            doubt = float(scale.scale)
            return self.replace(drift=mean, discrepancy=dist.LogNormal(math.log(spread) - doubt**2, doubt))
        return self.replace(drift=mean, discrepancy=spread)

    def beyond(self, sigma: jax.Array) -> jax.Array:  # noqa: D102
        return self.scatter * sigma

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:  # noqa: D102
        runs = {**self.absent, **runs}
        floor = parameters["E"]
        at, edge = (self._unbounded(self.at({**r, **ENDLESS}, parameters)) - floor for r in (runs, fitted))
        loss = floor + extrapolate(at, edge, slope_error, STEP)
        return self._bounded(of_steps(parameters["penalty"], runs["steps"]) * loss)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Sample what the runs fix: level, reducible part and split at their centre, not at the reference."""
        if not {"E", "reducible", "split", "alpha_N", "alpha_D", "coupling"} <= u.keys():
            return dict(u)
        u = slope_for_exponent(u, jnp.exp(u["coupling"]), self.bottleneck)
        alpha_D = jnp.exp(u["alpha_D"])
        g = jnp.exp(u["coupling"]) * alpha_D**self.bottleneck
        size, data = self.reference or (runs["N0"], runs["D0"])
        n, d = jnp.exp(u["alpha_N"]) / g * jnp.log(runs["N0"] / size), alpha_D / g * jnp.log(runs["D0"] / data)
        split = u["split"] + n - d
        bracket = g * jnp.logaddexp(jax.nn.log_sigmoid(split) - n, jax.nn.log_sigmoid(-split) - d)
        level = u["E"] - jnp.logaddexp(0.0, u["reducible"])
        return {**u, "split": split, "reducible": u["reducible"] - bracket, "E": level}

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed) for this law from a study.

        Raises
        ------
        StudyError
            A column is missing, the study holds several tasks, or below a ceiling an error rate is not below one.
        """
        runs, observed = super().arrays(study)
        if self.ceiling and (wrong := np.flatnonzero(observed[self.outcome] >= 1)).size:
            where = listed((row_name(study.frame, place) for place in wrong), MOST_ROWS)
            command, law = ("chinchilla", "Chinchilla") if "D" in self.columns else ("power_law", "PowerLaw")
            other = f"--law {command}" if COMMAND_LINE.get() else f"{law}(), or Pooled(curve={law}()) of several series"
            raise StudyError(
                f"{self.name} describes error rates below 1, and that of {where} in study {study.name!r} is "
                f"{observed[self.outcome][wrong[0]]:g}; leave such runs out, or fit a law without that limit, such as "
                f"{other}."
            )
        return runs, observed

    def input_arrays(self, frame: Any) -> dict[str, np.ndarray]:
        """Return N, D, steps and different tokens of each run; these two infinite where the table does not tell."""
        N, D = self.size_and_data(**self.columns_of(frame))
        return {"N": N, "D": D, **self.absent_of(frame)}

    def size_and_data(self, **columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return N and D from the columns that this law reads."""
        return columns["N"], columns["D"]


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(0 < value < math.inf)
