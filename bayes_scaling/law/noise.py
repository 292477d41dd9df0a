"""Noise that the outcomes of one run share, and noise of shares, which lie between 0 and 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln, log_ndtr, ndtr
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes

__all__ = ["ClippedNormal", "SharedNoise"]


class SharedNoise(dist.Distribution):
    r"""A vector whose entries share one effect, with the effect integrated out: normal, or Student t.

    ``y_s = loc_s + u + e_s`` with ``u ~ N(0, shared^2)`` and ``e_s ~ N(0, scale_s^2)``.  Sampling u explicitly, one
    for each run, makes a posterior that NUTS cannot travel; the rank-one covariance costs a sum over the entries.  With
    ``df`` the whole vector is multivariate Student t: one that is odd counts less, in all its entries.

    Parameters
    ----------
    loc : array, shape (..., series)
        Mean.
    shared : array, shape (...)
        Standard deviation of the shared effects.
    scale : array, shape (..., series)
        Standard deviation of each entry's own noise; of shape (..., 1) where there is a tilt.
    abscissa : array, shape (..., series), optional
        Where each entry lies on the line that the tilt turns; taken from its own mean.
    df : float, optional
        Degrees of freedom of the Student t; normal by default.
    present : array of bool, shape (..., series), optional
        False where an entry is missing, and integrated out; there may be no tilt then.

    References
    ----------
    .. [1] Lange, Little and Taylor 1989, "Robust Statistical Modeling Using the t Distribution", Journal of the
       American Statistical Association 84, sections 2 and 3 (vectors with missing entries).

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
        self,
        loc: jax.Array,
        shared: jax.Array,
        scale: jax.Array,
        abscissa: jax.Array | None = None,
        *,
        df: float | None = None,
        present: jax.Array | None = None,
        validate_args: bool | None = None,
    ) -> None:
        (self.loc,) = promote_shapes(loc, shape=jnp.shape(loc))
        self.shared = shared
        self.scale = jnp.broadcast_to(scale, jnp.broadcast_shapes(jnp.shape(scale), jnp.shape(loc)[-1:]))
        self.df = df
        self.present = jnp.ones(jnp.shape(loc), bool) if present is None else present
        # Centred, the tilt is orthogonal to the level, and each effect can be integrated out by itself.
        self.loadings = [jnp.ones(jnp.shape(loc)[-1])]
        if abscissa is not None:
            self.loadings.append(abscissa - abscissa.mean(-1, keepdims=True))
        super().__init__(jnp.shape(loc)[:-1], jnp.shape(loc)[-1:], validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draw vectors, missing entries included."""
        own_key, *shared_keys, tail_key = jax.random.split(key, 2 + len(self.loadings))
        shape = sample_shape + self.batch_shape
        noise = self.scale * jax.random.normal(own_key, shape + self.event_shape)
        for loading, shared_key in zip(self.loadings, shared_keys, strict=True):
            noise += loading * (self.shared * jax.random.normal(shared_key, shape))[..., None]
        if self.df is not None:
            gamma = jax.random.gamma(tail_key, self.df / 2, shape) / (self.df / 2)
            noise /= jnp.sqrt(gamma)[..., None]
        return self.loc + noise

    def log_prob(self, value: jax.Array) -> jax.Array:
        """Return the log density of the entries that are present, shape of the batch."""
        precision, residual = self._weighed(value)
        count = self.present.sum(-1)
        log_det = 2.0 * jnp.where(self.present, jnp.log(self.scale), 0.0).sum(-1)
        square = jnp.zeros(())  # squares that add up: where a scale is tiny, their difference may come out below zero
        for loading in self.loadings:
            weight = (loading**2 * precision).sum(-1)
            effect = (loading * residual * precision).sum(-1) / jnp.where(weight > 0, weight, 1.0)
            residual = residual - loading * effect[..., None]
            gain = 1.0 + self.shared**2 * weight
            square += effect**2 * weight / gain
            log_det += jnp.log(gain)
        square += (residual**2 * precision).sum(-1)
        if self.df is None:
            return -0.5 * (square + log_det + count * jnp.log(2 * jnp.pi))
        half = (self.df + count) / 2
        constant = gammaln(half) - gammaln(self.df / 2) - 0.5 * count * jnp.log(self.df * jnp.pi)
        return constant - 0.5 * log_det - half * jnp.log1p(square / self.df)

    def conditionals(self, value: jax.Array) -> dist.Distribution:
        r"""Return each entry given the others: a normal or a Student t of the shape of ``value``.

        The others tell the shared effects, normal with precision :math:`I / \tau^2 + \sum_{j \ne i} l_j l_j^T /
        \sigma_j^2` for loadings l, and these tell entry i.  Of a Student t the rest also tells how odd the vector is:
        the scale has the factor :math:`\sqrt{(\nu + d) / (\nu + n)}`, with d the squared distance of the n others.
        All are sums over the others: what a sum over all leaves without one entry may cancel where its scale is tiny.

        References
        ----------
        .. [1] Bürkner, Gabry and Vehtari 2021, arXiv 1810.10559, equations 6 and 7, and its part on Student-t
           models.
        """
        precision, residual = self._weighed(value)
        loads = jnp.stack([jnp.broadcast_to(loading, residual.shape) for loading in self.loadings], axis=-1)
        weighted = loads * precision[..., None]
        others = 1.0 - jnp.eye(residual.shape[-1])
        variance = (jnp.asarray(self.shared) ** 2)[..., None, None]
        pull = variance * jnp.einsum("ij,...jk,...j->...ik", others, weighted, residual)
        weight = jnp.einsum("ij,...jk,...jl->...ikl", others, weighted, loads)
        weight = jnp.eye(loads.shape[-1]) + variance[..., None] * weight
        effect = _solve(weight, pull)
        spread = (loads * _solve(weight, variance * loads)).sum(-1)
        location, scale = self.loc + (loads * effect).sum(-1), jnp.sqrt(self.scale**2 + spread)
        if self.df is None:
            return dist.Normal(location, scale)
        left = residual[..., None, :] - jnp.einsum("...ik,...jk->...ij", effect, loads)
        distance = (others * precision[..., None, :] * left**2).sum(-1) + (effect**2 / variance).sum(-1)
        count = self.df + self.present.sum(-1, keepdims=True) - self.present
        return dist.StudentT(count, location, scale * jnp.sqrt((self.df + distance) / count))

    def _weighed(self, value: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return (precision, residual) of each entry, both 0 where it is missing."""
        return jnp.where(self.present, self.scale**-2.0, 0.0), jnp.where(self.present, value - self.loc, 0.0)


def _solve(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Solve small systems, [..., k, k] and [..., k]; one unknown is a division."""
    if vector.shape[-1] == 1:
        return vector / matrix[..., 0]
    return jnp.linalg.solve(matrix, vector[..., None])[..., 0]


class ClippedNormal(dist.Distribution):
    r"""A normal whose values below 0 are 0 and above 1 are 1: the noise of a share that may be exactly 0 or 1.

    .. math:: P(y = 0) = \Phi(-\mu / \sigma), \; P(y = 1) = \Phi((\mu - 1) / \sigma), \;
              p(y) = \phi((y - \mu) / \sigma) / \sigma \text{ between}

    Parameters
    ----------
    loc, scale : array
        Mean and standard deviation of the normal, fractions.

    References
    ----------
    .. [1] Tobin 1958, "Estimation of Relationships for Limited Dependent Variables", Econometrica 26, section 2.

    Examples
    --------
    >>> noise = ClippedNormal(0.0, 0.01)
    >>> round(float(jnp.exp(noise.log_prob(0.0))), 3)
    0.5
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.unit_interval
    reparametrized_params = ["loc", "scale"]

    def __init__(self, loc: jax.Array, scale: jax.Array, *, validate_args: bool | None = None) -> None:
        self.loc, self.scale = promote_shapes(loc, scale)
        shape = jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale))
        super().__init__(shape, (), validate_args=validate_args)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Draw shares."""
        noise = jax.random.normal(key, sample_shape + self.batch_shape)
        return jnp.clip(self.loc + self.scale * noise, 0.0, 1.0)

    def log_prob(self, value: jax.Array) -> jax.Array:
        """Return the log density between 0 and 1, and the log probability at 0 and at 1."""
        low, high = -self.loc / self.scale, (self.loc - 1.0) / self.scale
        between = -0.5 * ((value - self.loc) / self.scale) ** 2 - jnp.log(self.scale) - 0.5 * jnp.log(2 * jnp.pi)
        return jnp.where(value <= 0, log_ndtr(low), jnp.where(value >= 1, log_ndtr(high), between))

    def cdf(self, value: jax.Array) -> jax.Array:
        """Return the probability of a share of at most ``value``."""
        return jnp.where(value < 0, 0.0, jnp.where(value >= 1, 1.0, ndtr((value - self.loc) / self.scale)))

    def mid_cdf(self, value: jax.Array) -> jax.Array:
        """Return the place of ``value`` in the distribution, in which that of 0 and of 1 is the middle of its mass."""
        top = 1.0 - 0.5 * ndtr((self.loc - 1.0) / self.scale)
        return jnp.where(value <= 0, 0.5 * ndtr(-self.loc / self.scale), jnp.where(value >= 1, top, self.cdf(value)))
