"""Priors: NumPyro distributions, or a number for a parameter that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike
from numpyro.distributions import biject_to, transforms
from scipy import stats

__all__ = [
    "LogStudentT",
    "LogitNormal",
    "Prior",
    "RunScaled",
    "describe",
    "on_runs",
    "pack",
    "unconstrained",
    "unpack",
]

Prior: TypeAlias = dist.Distribution | float
"""What a parameter of a law is given: a scalar NumPyro distribution, or the number it is fixed at."""

EXACT = 17  # significant digits that tell any two floats apart
NUMBERS = (int, float, np.number, np.ndarray, jax.Array)


class LogitNormal(dist.TransformedDistribution):
    """A normal on the logit scale: the natural prior of a share between 0 and 1.

    Parameters
    ----------
    loc, scale : float
        Mean and standard deviation of ``log(share / (1 - share))``.

    Examples
    --------
    >>> float(LogitNormal(0.0, 0.3).support.upper_bound)
    1.0
    """

    arg_constraints = dist.Normal.arg_constraints
    reparametrized_params = ("loc", "scale")
    pytree_data_fields = ("loc", "scale")

    def __init__(self, loc: float = 0.0, scale: float = 1.0, *, validate_args: bool | None = None) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(dist.Normal(loc, scale), transforms.SigmoidTransform(), validate_args=validate_args)


class LogStudentT(dist.Distribution):
    """A Student t on the logarithm, for a positive number on which most studies agree, and from which some differ.

    Near its centre it is as informative as a log-normal; far from it, runs that say otherwise are believed.

    Parameters
    ----------
    df : float
        Degrees of freedom: the fewer, the heavier the tails.
    loc, scale : float
        Centre and scale of the logarithm.

    Examples
    --------
    >>> prior = LogStudentT(3.0, 0.0, 0.12)
    >>> [round(float(prior.icdf(q)), 2) for q in (0.05, 0.5, 0.95)]
    [0.75, 1.0, 1.33]
    """

    arg_constraints = dist.StudentT.arg_constraints
    support = dist.constraints.positive
    reparametrized_params = ("df", "loc", "scale")
    pytree_data_fields = ("df", "loc", "scale")

    def __init__(
        self, df: float = 3.0, loc: float = 0.0, scale: float = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = df, loc, scale
        super().__init__(np.broadcast_shapes(*map(np.shape, (df, loc, scale))), validate_args=validate_args)

    @property
    def on_log(self) -> dist.StudentT:
        """The distribution of the logarithm: made at use, because NumPyro's starts JAX and laws are made without it."""
        return dist.StudentT(self.df, self.loc, self.scale)

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        """Return draws, shape ``sample_shape`` and that of the prior."""
        return jnp.exp(self.on_log.sample(key, sample_shape))

    def log_prob(self, value: ArrayLike) -> jax.Array:
        """Return the log density."""
        return self.on_log.log_prob(jnp.log(value)) - jnp.log(value)

    def icdf(self, q: ArrayLike) -> jax.Array:
        """Return quantiles, by SciPy: outside of JAX transformations."""
        return jnp.exp(self.loc + self.scale * stats.t.ppf(q, self.df))


class RunScaled(dist.LogNormal):
    """A log-normal multiple of a number that the fitted runs give: a prior that follows the range of the data.

    The number is the constant ``{parameter}_scale`` of a law's arrays (``Law.arrays``).

    Parameters
    ----------
    loc, scale : float
        Centre and scale of the logarithm of the multiple.

    Examples
    --------
    >>> describe(RunScaled(0.0, 0.7)), describe(on_runs("E", RunScaled(0.0, 0.7), {"E_scale": 1.0}))
    ('RunScaled(loc=0, scale=0.7)', 'LogNormal(loc=0, scale=0.7)')
    """


def on_runs(name: str, prior: Prior, runs: Mapping[str, Any]) -> Prior:
    """Return the prior of a parameter on these runs: a log-normal for what is ``RunScaled``, others as they are.

    Parameters
    ----------
    name : str
        Name of the parameter.
    prior : Prior
        Its prior.
    runs : mapping of str to array
        Columns, references and the scales of such priors.
    """
    if not isinstance(prior, RunScaled):
        return prior
    return dist.LogNormal(prior.loc + jnp.log(runs[f"{name}_scale"]), prior.scale)


def describe(prior: Prior, digits: int = 6) -> str:
    """Return a prior as text, the same for equal priors: part of a law's identity and of a posterior's provenance.

    Parameters
    ----------
    prior : Prior
        A distribution, with what it is made of where it truncates, folds or transforms another; or a number.
    digits : int
        Of each number: 6 to be read, ``EXACT`` to tell any two numbers apart.

    Examples
    --------
    >>> describe(dist.LogNormal(0.0, 0.5)), describe(1.69)
    ('LogNormal(loc=0, scale=0.5)', '1.69')
    >>> describe(dist.TruncatedNormal(0.3, 0.1, low=0.0))
    'LeftTruncatedDistribution(low=0, base_dist=Normal(loc=0.3, scale=0.1))'
    """
    if not isinstance(prior, dist.Distribution):
        return f"{float(prior):.{digits}g}"
    names = [name for name in prior.arg_constraints if hasattr(prior, name)]
    if not (names and isinstance(prior, dist.TransformedDistribution)):  # a log-normal's own numbers say it all
        names += [name for name in ("base_dist", "transforms") if hasattr(prior, name)]
    values = [getattr(prior, name) for name in names] if names else jax.tree.leaves(prior)
    labels = [f"{name}=" for name in names] if names else [""] * len(values)
    inner = (label + _part(value, digits) for label, value in zip(labels, values, strict=True))
    return f"{type(prior).__name__}({', '.join(inner)})"


def _part(value: Any, digits: int) -> str:
    """Return as text what a prior is made of: numbers, another prior, transforms."""
    if isinstance(value, dist.Distribution):
        return describe(value, digits)
    if isinstance(value, list):
        return f"[{', '.join(_part(one, digits) for one in value)}]"
    if isinstance(value, transforms.Transform):
        held = (one for one in vars(value).values() if isinstance(one, (transforms.Transform, list, *NUMBERS)))
        return f"{type(value).__name__}({', '.join(_part(one, digits) for one in held)})"
    array = np.asarray(value, dtype=float)
    return f"{array:.{digits}g}" if array.ndim == 0 else str([float(f"{v:.{digits}g}") for v in array.ravel()])


def unconstrained(prior: dist.Distribution) -> tuple[jax.Array, jax.Array]:
    """Return the centre and the spread of a prior on the unconstrained scale, of the prior's shape.

    Exact for normal, log-normal and logit-normal priors, centre and scale of a log Student t; otherwise the image of
    the mean, and one.  It places the starts of the mode search, so a guess is enough; drawing from the priors would
    cost half of the compilation.
    """
    inner = prior
    while isinstance(inner, (dist.Independent, dist.ExpandedDistribution)):
        inner = inner.base_dist
    if isinstance(inner, (dist.LogNormal, LogitNormal)):
        inner = inner.base_dist
    if isinstance(inner, (dist.Normal, LogStudentT)):
        centre, spread = inner.loc, inner.scale
    else:
        try:
            centre = jnp.nan_to_num(biject_to(inner.support).inv(inner.mean), posinf=0.0, neginf=0.0)
        except NotImplementedError:
            centre = 0.0
        spread = 1.0
    place, width = (jnp.asarray(value, dtype=float) for value in (centre, spread))
    return jnp.broadcast_to(place, prior.shape()), jnp.broadcast_to(width, prior.shape())


def unpack(prior: Any) -> tuple[Any, Any]:
    """Return (data, structure) of a prior, its data by name.

    NumPyro's own flattening follows the order of a set, which changes with the hash seed of the process; a program
    compiled for one order would not be found on disk by a process with another.  What is no distribution is data.

    Examples
    --------
    >>> data, structure = unpack(dist.Normal(0.0, 0.5))
    >>> sorted(data.items())
    [('loc', 0.0), ('scale', 0.5)]
    >>> describe(pack(data, structure))
    'Normal(loc=0, scale=0.5)'
    """
    if not isinstance(prior, dist.Distribution):
        return prior, None
    values, fixed = prior.tree_flatten()
    parts = {name: unpack(v) for name, v in zip(type(prior).gather_pytree_data_fields(), values, strict=True)}
    inner = tuple((name, structure) for name, (_, structure) in parts.items())
    return {name: data for name, (data, _) in parts.items()}, (type(prior), fixed, inner)


def pack(data: Any, structure: Any) -> Any:
    """Return the prior that :func:`unpack` took apart; its data may be placeholders of JAX."""
    if structure is None:
        return data
    kind, fixed, inner = structure
    return kind.tree_unflatten(fixed, tuple(pack(data[name], part) for name, part in inner))
