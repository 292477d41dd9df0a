"""The Chinchilla law with noise that depends on the size of a run."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.chinchilla import Chinchilla

__all__ = ["HeteroscedasticChinchilla"]


class HeteroscedasticChinchilla(Chinchilla):
    r"""Loss as in the Chinchilla law, with noise that is a power of the compute: small runs may scatter more.

    .. math:: \log L_i \sim \mathrm{StudentT}_5(\log L(N_i, D_i), \sigma_i), \qquad
              \sigma_i = \sigma \left( \frac{N_i D_i}{N_0 D_0} \right)^{-h}

    with N in parameters, D in tokens, L and E in nats per token (or any unit of loss), N0 and D0 the geometric means of
    the fitted runs, and h the noise exponent.  Runs that scatter less count for more, and new runs beyond the fitted
    ones scatter as the power says.  Where ``posterior.diagnose()`` of a fit finds ``spread``, let backtests choose:
    ``bs.choose_law([Chinchilla(), HeteroscedasticChinchilla()], study, seed=0)``.

    References
    ----------
    .. [1] Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556, equation 2.
    .. [2] Harvey 1976, "Estimating Regression Models with Multiplicative Heteroscedasticity", Econometrica 44.

    Examples
    --------
    >>> runs = {"N": jnp.array([1e8, 1e10]), "D": jnp.array([2e9, 2e11]), "N0": 1e9, "D0": 2e10}
    >>> sigma = HeteroscedasticChinchilla().sigma_of(runs, {"sigma": 0.01, "noise_exponent": 0.1})
    >>> [round(float(s), 4) for s in sigma]
    [0.0158, 0.0063]
    """

    noise_exponent: Prior = prior(
        default=dist.Normal(0.0, 0.1),
        unit="pure number",
        reason="h, how fast noise falls with compute; ``sigma`` is that of a run at (N0, D0).  Around the same noise "
        "for all: at one standard deviation, runs of a thousandth of the compute scatter twice as much, or half.",
    )

    noise: ClassVar = ("sigma", "noise_exponent")

    def sigma_of(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        compute = jnp.log(runs["N"] / runs["N0"]) + jnp.log(runs["D"] / runs["D0"])
        return parameters["sigma"] * jnp.exp(-parameters["noise_exponent"] * compute)
