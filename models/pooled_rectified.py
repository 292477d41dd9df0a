"""The rectified law of fine-tuning for several models at once, partially pooled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import StudyError
from bayes_scaling.law import Arrays, Law, observe, sample_slope_error
from bayes_scaling.models.rectified import Rectified
from bayes_scaling.models.scratch import check_sizes
from bayes_scaling.pooling import assemble, pooled
from bayes_scaling.priors import Prior

if TYPE_CHECKING:
    from bayes_scaling.study import Study

__all__ = ["PooledRectified"]


class PooledRectified(Law):
    r"""Fine-tuning curves of several models on several data sets, each by a rectified law, alike but not equal.

    .. math:: L_s(D_F) = E_s + \frac{B_s}{D_{l,s} + D_F^{\beta_s}}, \qquad
              \log \theta_s \sim N(\mu_\theta, \mathrm{spread}_\theta^2)

    for every series s (column ``task``: a model on a data set) and every parameter that ``curve`` pools.  A run is one
    fine-tuning size, a row of outcomes one loss per series; sizes that a series lacks are left out.

    Parameters
    ----------
    curve : Law
        The law of one series.
    pool : float or None
        Multiplies the spread between series that ``curve`` states; None fits every series alone.
    sigma : Prior
        Relative noise of each series.  Half a per cent to one, for a loss on a large test set.
    discrepancy : Prior
        As in :class:`bayes_scaling.Law`, drawn for each series.

    References
    ----------
    .. [1] Lin et al. 2024, "Selecting Large Language Model to Fine-tune via Rectified Scaling Law", arXiv 2402.02314,
       equation 4 (there each curve alone, by least squares).

    Examples
    --------
    >>> PooledRectified().run_inputs
    ('D_F',)
    """

    curve: Law = Rectified()
    pool: float | None = 1.0
    sigma: Prior = dist.LogNormal(math.log(0.007), 0.7)

    equation = r"L_s = E_s + B_s / (D_{l,s} + D_F^{\beta_s})"

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the curve."""
        return self.curve.inputs

    def _spread(self, name: str) -> float | None:
        spread = self.curve.pooling.get(name)
        return None if spread is None or self.pool is None else spread * self.pool

    def straighten(self, u: Mapping[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:  # noqa: D102
        names = [n for n in self.curve.priors if n not in ("sigma", "discrepancy")]
        values = {n: assemble(dict(u), n, self._spread(n)) for n in names}
        known = {n: value for n, value in values.items() if value is not None}
        return {**u, **{n: value for n, value in self.curve.straighten(known, runs).items() if n in u}}

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; losses have shape (run, series)."""
        count = jnp.shape(runs["task"])[0]
        names = [n for n in self.curve.priors if n not in ("sigma", "discrepancy")]
        own = {n: pooled(n, self.curve.priors[n], self._spread(n), count) for n in names}
        sigma = pooled("sigma", self.sigma, None, count)
        columns = self._columns(runs)
        for name, value in self.curve.derived(columns, **own).items():
            numpyro.deterministic(name, value)
        mean = self.curve.at(columns, own)
        if fitted is not None:
            error = sample_slope_error(self.discrepancy, (count,))
            mean = self.curve.extrapolated(columns, self._columns(fitted), own, error)
        if observed is None:
            numpyro.deterministic("loss_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0], dim=-2), numpyro.plate("each", count, dim=-1):
            observe("loss", self.likelihood(mean, sigma), observed)

    def _columns(self, runs: Arrays) -> dict[str, Any]:
        return {name: runs[name][:, None] if name in self.run_inputs else runs[name] for name in self.inputs}

    # -- the data ---------------------------------------------------------------------------------------------------

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): one run per fine-tuning size, losses of shape (run, task), NaN where missing.

        Raises
        ------
        StudyError
            A column is missing, a size is not positive, or a run has several sizes.
        """
        frame = study.frame
        for column in ("run", "task", "finetune_data", "loss"):
            if column not in frame:
                raise StudyError(
                    f"{self.name} needs a column {column!r} in study {study.name!r}: one row per run and task."
                )
        check_sizes(self.name, study)
        if (frame.groupby("run")["finetune_data"].nunique() > 1).any():
            raise StudyError(f"A run of study {study.name!r} has several fine-tuning sizes; name runs by their size.")
        order = frame["run"].drop_duplicates()
        wide = frame.pivot(index="run", columns="task", values="loss").loc[order, study.tasks]
        sizes = frame.drop_duplicates("run")["finetune_data"].to_numpy(dtype=float)
        runs = {"D_F": sizes, "D_F0": np.exp(np.log(sizes).mean()), "task": np.zeros(len(study.tasks))}
        return runs, {"loss": wide.to_numpy()}

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        names = [n for n in self.curve.priors if n != "discrepancy"]
        sites = [*names, *(f"{n}_offset" for n in names), "D_l", "B", "learnt", "loss", "loss_mean"]
        return {name: ["task"] for name in sites}, {"task": study.tasks}
