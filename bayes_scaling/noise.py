"""Noise that the outcomes of one run share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes

__all__ = ["SharedNoise"]


class SharedNoise(dist.Distribution):
    r"""A normal vector whose entries share one effect, with the effect integrated out.

    ``y_s = loc_s + u + e_s`` with ``u ~ N(0, shared^2)`` and ``e_s ~ N(0, scale_s^2)``.  Sampling u explicitly, one
    for each run, makes a posterior that NUTS cannot travel; the rank-one covariance costs a sum over the entries.

    Parameters
    ----------
    loc : array, shape (..., series)
        Mean.
    shared : array
        Standard deviation of the shared effect.
    scale : array, shape (series,)
        Standard deviation of each entry's own noise.

    Examples
    --------
    >>> noise = SharedNoise(jnp.zeros(2), 1.0, jnp.ones(2))
    >>> round(float(noise.log_prob(jnp.zeros(2))), 4)  # covariance [[2, 1], [1, 2]]
    -2.3872
    """

    arg_constraints = {"loc": constraints.real_vector, "shared": constraints.positive, "scale": constraints.positive}
    support = constraints.real_vector
    reparametrized_params = ["loc", "shared", "scale"]

    def __init__(
        self, loc: jax.Array, shared: jax.Array, scale: jax.Array, *, validate_args: bool | None = None
    ) -> None:
        (self.loc,) = promote_shapes(loc, shape=jnp.shape(loc))
        self.shared, self.scale = shared, scale
        super().__init__(jnp.shape(loc)[:-1], jnp.shape(loc)[-1:], validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draw vectors."""
        own_key, shared_key = jax.random.split(key)
        shape = sample_shape + self.batch_shape
        own = self.scale * jax.random.normal(own_key, shape + self.event_shape)
        return self.loc + own + self.shared * jax.random.normal(shared_key, shape)[..., None]

    def log_prob(self, value: jax.Array) -> jax.Array:
        """Return the log density, shape of the batch."""
        precision = self.scale**-2.0
        residual = value - self.loc
        gain = 1.0 + self.shared**2 * precision.sum(-1)
        square = (residual**2 * precision).sum(-1) - self.shared**2 / gain * (residual * precision).sum(-1) ** 2
        log_det = 2.0 * jnp.log(self.scale).sum(-1) + jnp.log(gain)
        return -0.5 * (square + log_det + self.event_shape[0] * jnp.log(2 * jnp.pi))
