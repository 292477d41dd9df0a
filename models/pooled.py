"""One law for several series at once, partially pooled."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import StudyError
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import data_field, prior
from bayes_scaling.law.pooling import assemble, by_series, derived_names, edge_by_series, move, pooled, spread_of
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays, observe, with_known_error
from bayes_scaling.models.chinchilla import Chinchilla
from bayes_scaling.study.panel import one_row_each, one_value
from bayes_scaling.study.validation import LOSS_ERROR

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Pooled"]


class Pooled(Law):
    r"""Several series, each by the same law with parameters of its own, alike but not equal.

    .. math:: L_{rs} = f(x_r; \theta_s), \qquad g(\theta_s) \sim N(\mu_\theta, \mathrm{spread}_\theta^2)

    for every run r, every series s (column ``task``: a training set, a test set, a model on a data set) and every
    parameter that ``curve`` pools; g is the log of a positive parameter, the logit of a share.  Floors are free for
    each series.  A run need not be in every series: where it has no outcome, it has no row (``drop_missing=True``
    leaves out those that are empty).  Beyond the fitted runs each series errs and scatters as ``curve`` says; how far
    fitted runs scatter is ``sigma``, of this law.

    References
    ----------
    .. [1] Gelman et al. 2013, "Bayesian Data Analysis", chapter 5: hierarchical models.
    .. [2] Brandfonbrener et al. 2024, "Loss-to-Loss Prediction: Scaling Laws for All Datasets", arXiv 2411.12925: six
       training sets on one grid of sizes, there each fitted by itself.

    Examples
    --------
    >>> Pooled().run_inputs
    ('N', 'D')
    """

    curve: Law = data_field(
        default=Chinchilla(),
        about="The law of one series, with its priors: :class:`Chinchilla`, :class:`ShiftedPowerLaw`, "
        ":class:`Rectified`, or your own.",
    )
    pool: float | None = data_field(
        default=1.0,
        wanted="positive number",
        about="Multiplies the spread between series that ``curve`` states (``pooling``); None fits every series alone.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.007), 0.7),
        unit="fraction",
        reason="Relative noise of each series.  Half a per cent to one, for a loss on a large test set.",
    )

    discrepancy: Prior = prior(
        default=None,
        unit="fraction",
        reason="How wrong the slope of each series may be beyond the fitted runs: that of ``curve``, or one given.",
    )

    by_task = True
    reads_loss_error = True
    equation = r"L_s = f(x; \theta_s), \theta_s \sim N(\mu, \mathrm{spread}^2)"

    def __post_init__(self) -> None:
        self.require_held()
        if self.discrepancy is None:
            object.__setattr__(self, "discrepancy", self.curve.discrepancy)
        else:
            object.__setattr__(self, "curve", self.curve.replace(discrepancy=self.discrepancy))
        super().__post_init__()

    def replace(self, **changes: Any) -> Law:
        """Return this law with some priors (or options) changed; a new curve brings its own discrepancy."""
        return super().replace(**({"discrepancy": None} if "curve" in changes else {}) | changes)

    @property
    def slope_moments(self) -> tuple[float, float]:  # noqa: D102
        return self.curve.slope_moments

    def with_slope(self, mean: float, spread: float) -> Law:  # noqa: D102
        return self.replace(curve=self.curve.with_slope(mean, spread))

    # -- what the curve is of ---------------------------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the curve."""
        return self.curve.inputs

    @property
    def columns(self) -> dict[str, str]:
        """Where in a table the curve finds what it reads, which may make its inputs of other columns."""
        return self.curve.columns

    def input_arrays(self, frame: Any) -> dict[str, np.ndarray]:
        """Return the inputs of the curve of a table, as the curve makes them."""
        return self.curve.input_arrays(frame)

    @property
    def absent(self) -> Mapping[str, float]:  # type: ignore[override]
        """Those that runs may lack."""
        return self.curve.absent

    @property
    def flags(self) -> tuple[str, ...]:  # type: ignore[override]
        """Inputs that are 1 or 0, as in the curve."""
        return self.curve.flags

    @property
    def indicators(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those that may be zero."""
        return self.curve.indicators

    @property
    def signed(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those, and outcomes, that may be of any sign."""
        return self.curve.signed

    @property
    def outcome(self) -> str:  # type: ignore[override]
        """The outcome of the curve."""
        return self.curve.outcome

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Its unit."""
        return self.curve.unit

    @property
    def better(self) -> Mapping[str, str]:  # type: ignore[override]
        """Which way it is better."""
        return self.curve.better

    @property
    def rests_on_priors(self) -> bool:  # type: ignore[override]
        """Whether its priors carry what few runs, or an input that does not vary, cannot."""
        return self.curve.rests_on_priors

    @property
    def adapts(self) -> bool:  # type: ignore[override]
        """Whether the mode tells little of its posterior, which is about as wide as its priors."""
        return self.curve.adapts

    @property
    def published(self) -> Mapping[str, float]:  # type: ignore[override]
        """The constants of its paper, as what the series share; none where they make parameters of each series.

        Textbook constants speak of one series: what they make of the parameters (``centred``) follows its references.
        """
        constants, own = self.curve.published, self.curve.free_parameters
        if not constants.keys() <= self.curve.priors.keys():
            return {}
        told = [name for name in constants if name in own and name not in self.noise]
        shared = {name for name in told if spread_of(self.curve, name, self.pool) is not None}
        return {f"{name}_mean" if name in shared else name: constants[name] for name in told}

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array | float | None:
        """Return that of the curve, of every series."""
        return self.curve.irreducible(runs, parameters)

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        names = [n for n in self.curve.priors if n not in ("sigma", "discrepancy")]
        values = {n: assemble(u, n, spread_of(self.curve, n, self.pool)) for n in names}
        known = {n: value for n, value in values.items() if value is not None}
        straight = dict(u)
        for n, value in self.curve.straighten(known, runs).items():
            straight |= move(u, n, spread_of(self.curve, n, self.pool), value)
        return straight

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; outcomes have shape (run, series)."""
        count = jnp.shape(runs["task"])[0]
        names = [n for n in self.curve.priors if n not in ("sigma", "discrepancy")]
        own = {n: pooled(n, self.curve.priors[n], spread_of(self.curve, n, self.pool), count) for n in names}
        sigma = pooled("sigma", self.sigma, None, count)
        columns = {**runs, **by_series(self, runs)}
        self.curve.publish(runs, own)
        mean = self.curve.at(columns, own)
        if fitted is not None:
            unseen, error = self.curve.unseen((count,)), self.curve.slope_error((count,))
            edge = {**fitted, **edge_by_series(self, fitted)}
            mean = self.curve.extrapolated(columns, edge, {**own, **unseen}, error)
        if observed is None:
            numpyro.deterministic(f"{self.outcome}_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0], dim=-2), numpyro.plate("each", count, dim=-1):
            if fitted is None:
                known = with_known_error(sigma, mean, observed, self.curve.known_noise, self.curve.likelihood)
                noise = self.curve.noise_of(columns, mean, known)
            else:
                noise = self.curve.new_noise(columns, mean, {**own, "sigma": sigma})
            observe(self.outcome, self.curve.likelihood(mean, noise), observed)

    # -- the data ---------------------------------------------------------------------------------------------------

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The columns that differ between runs."""
        return self.curve.run_inputs

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): inputs of shape (run,), references (series,), outcomes (run, series).

        Raises
        ------
        StudyError
            A column is missing, a run has several rows in a series, or its series differ in an input.
        """
        frame = study.frame
        for column in ("run", "task", self.outcome):
            if column not in frame:
                raise StudyError(
                    f"{self.name} needs a column {column!r} in study {study.name!r}: one row per run and task."
                )
        one_row_each(study)
        rows = frame.drop_duplicates("run")
        columns = self.input_arrays(rows)
        one_value(study, "run", [column for column in self.readable.values() if column in frame])
        errors = [LOSS_ERROR] if LOSS_ERROR in frame and self.outcome == "loss" else []
        entries = frame.assign(**{self.outcome: self.outcomes_of(study)})
        observed = {
            name: entries.pivot(index="run", columns="task", values=name).loc[rows["run"], study.tasks].to_numpy(float)
            for name in (self.outcome, *errors)
        }
        each = [self.curve.arrays(self._series(study, task))[0] for task in study.tasks]
        references = {n: np.array([r[n] for r in each]) for n in each[0] if n not in self.run_inputs}
        return {**columns, **references, "task": np.zeros(len(study.tasks))}, observed

    def _series(self, study: Study, task: str) -> Study:
        """Return the rows of one series that hold an outcome."""
        one = study.select(task=task)
        known = one.frame[np.isfinite(self.curve.outcomes_of(one))].reset_index(drop=True)
        return dataclasses.replace(one, frame=known)

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        names = [n for n in self.curve.priors if n != "discrepancy"]
        of_runs = [self.outcome, f"{self.outcome}_mean", LOSS_ERROR]
        sites = [*names, *(f"{n}_offset" for n in names), *derived_names(self.curve), *of_runs]
        return {name: ["task"] for name in sites}, {"task": study.tasks}
