"""Loss on one domain from the shares of several in the training data, for models of several sizes at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import LawError, listed
from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import option, prior
from bayes_scaling.law.pooling import pooled
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays, observe, sample_slope_error
from bayes_scaling.study.panel import Panel, one_value

if TYPE_CHECKING:
    from bayes_scaling.study.study import Study

__all__ = ["Mixture"]


class Mixture(Law):
    r"""Loss on one domain is a floor and an exponential of the shares of all domains in the training data.

    .. math:: L_s(r) = \ell_s \left[ \phi_s + (1 - \phi_s) \left( \frac{r_o + h_s}{1 / J + h_s} \right)^{-\gamma_s}
              \exp \sum_{j} \frac{t_{sj}}{1 - \phi_s} \left( r_j - \tfrac{1}{J} \right) \right]

    for mixture r, a column for each of the J shares, and every series s (column ``task``: the sizes of the models whose
    loss on one domain this is).  l is the loss with equal shares, and the effects t, the head h and the exponent gamma
    of the series are alike, but not equal.  Without ``own`` there is no factor of the domain's own share r_o: the law
    of the paper.  Shares may be 0.

    Notes
    -----
    An exponential cannot follow a loss that falls steeply from a share of 0 to a few per cent, and slowly from there
    on.  With ``own``, the share of the domain whose loss this is counts as data: a power of it, and of a head start
    that the other domains give.  Its own effect is then left out, as shares sum to one.  At one size and one number
    of tokens the floor and the exponent cannot be told apart; ``floor=0.0`` leaves the exponent alone.

    References
    ----------
    .. [1] Ye et al. 2024, "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
       arXiv 2403.16952, equation 7.
    .. [2] Shukor et al. 2025, "Scaling Laws for Optimal Data Mixtures", arXiv 2507.09404: powers of shares.

    Examples
    --------
    >>> Mixture(shares=("share_web", "share_code"), own="share_code").run_inputs
    ('share_web', 'share_code')
    """

    level: Prior = prior(
        default=dist.LogNormal(math.log(2.5), 0.5),
        unit="unit of the loss",
        reason="Loss with equal shares, of each series.  A factor of two and a half either way around 2.5 nats.",
    )
    floor: Prior = prior(
        default=LogitNormal(0.0, 1.0),
        unit="share",
        reason="phi, what no mixture removes, as a share of ``level``.  Weak, around one half.",
    )
    effect: Prior = prior(
        default=dist.Normal(0.0, 0.5),
        unit="log loss per unit of share",
        reason="t, of each share, where shares are equal.  A share up by a tenth moves the loss by five per cent at "
        "most, mostly; either way: domains help one another, or crowd one another out.  The paper's t is this over "
        "1 - phi: of what is above the floor.",
    )
    exponent: Prior = prior(
        default=dist.LogNormal(math.log(0.1), 0.8),
        unit="pure number",
        reason="gamma, of the domain's own share.  Around a tenth, wide: an exponent of data, floor included.",
    )
    head: Prior = prior(
        default=dist.LogNormal(math.log(0.01), 1.5),
        unit="share",
        reason="h, the own share that all other domains together are worth.  A per cent, within a factor of twelve.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.005), 0.7),
        unit="fraction",
        reason="Relative noise of each series.  Half a per cent: a proxy run's loss on a test set of one domain.",
    )
    shares: tuple[str, ...] = option(
        default=("share_one", "share_two", "share_three"), about="The columns of the shares, fractions that sum to one."
    )
    own: str = option(
        default="", about="The column of the share of the domain whose loss this is; empty: the law of the paper."
    )

    by_task = True
    equation = (
        r"L_s = \ell_s (\phi_s + (1 - \phi_s) ((r_o + h_s) / (1 / J + h_s))^{-\gamma_s} "
        r"e^{\sum_j t_{sj} (r_j - 1 / J) / (1 - \phi_s)})"
    )
    pooling: ClassVar[Mapping[str, float]] = {"floor": 0.3, "effect": 0.1, "exponent": 0.1, "head": 0.3}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shares or (odd := [share for share in self.shares if not isinstance(share, str)]):
            given = f"has the share {odd[0]!r}" if self.shares else "has no shares"
            raise LawError(f"{self.name} {given}; give the names of their columns, as in shares=('share_web', ...).")
        if twice := [share for share in self.shares if self.shares.count(share) > 1]:
            raise LawError(f"{self.name} has the share {twice[0]!r} twice; give the column of each domain once.")
        if self.own and self.own not in self.shares:
            raise LawError(f"{self.name}.own is {self.own!r}, which is no share; give one of {listed(self.shares)}.")

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the shares."""
        return tuple(self.shares)

    @property
    def indicators(self) -> tuple[str, ...]:  # type: ignore[override]
        """The shares: they may be 0."""
        return tuple(self.shares)

    @property
    def _others(self) -> tuple[str, ...]:
        return tuple(share for share in self.shares if share != self.own)

    def parameters(self, runs: Arrays) -> dict[str, jax.Array]:
        """Sample the parameters of every series, shape (series,), inside a NumPyro model."""
        count = jnp.shape(runs["task"])[0]
        names = ["level", "floor", "sigma", *(["exponent", "head"] if self.own else [])]
        found = {name: pooled(name, self.priors[name], self.pooling.get(name), count) for name in names}
        for share in self._others:
            found[f"effect_{share}"] = pooled(f"effect_{share}", self.effect, self.pooling["effect"], count)
        return found

    def at(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the losses, shape (run, series)."""
        even, above = 1 / len(self.shares), 1 - parameters["floor"]
        log = sum(parameters[f"effect_{share}"] / above * (runs[share] - even)[:, None] for share in self._others)
        if self.own:
            head, own = parameters["head"], runs[self.own][:, None]
            log = log - parameters["exponent"] * (jnp.log(own + head) - jnp.log(even + head))
        return parameters["level"] * (parameters["floor"] + above * jnp.exp(log))

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the floor of every series, in the unit of the loss."""
        return parameters["level"] * parameters["floor"]

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model; losses have shape (run, series)."""
        parameters = self.parameters(runs)
        mean, count = self.at(runs, parameters), jnp.shape(runs["task"])[0]
        if fitted is not None:
            mean = self.extrapolated(runs, fitted, parameters, sample_slope_error(self.discrepancy, (count,)))
        if observed is None:
            numpyro.deterministic("loss_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0], dim=-2), numpyro.plate("each", count, dim=-1):
            observe("loss", self.likelihood(mean, parameters["sigma"]), observed)

    # -- the data ---------------------------------------------------------------------------------------------------

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed): shares of shape (run,), losses (run, series).

        Raises
        ------
        StudyError
            A column is missing, or the series of a run differ in a share.
        """
        panel = Panel.of(study)
        self.outcomes_of(study)  # refuses entries that no fit can use
        columns = self.columns_of(panel.runs)
        one_value(study, "run", self.shares)
        return {**columns, "task": np.zeros(len(study.tasks))}, {"loss": panel.wide("loss")}

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: D102
        names = ["level", "floor", "exponent", "head", "sigma", *(f"effect_{share}" for share in self._others)]
        sites = [*names, *(f"{name}_offset" for name in names), "loss", "loss_mean"]
        return {name: ["task"] for name in sites}, {"task": study.tasks}
