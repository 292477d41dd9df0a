"""The sampler: mode, Laplace mass matrix, warm-up and NUTS of one law as one compiled program.

NumPyro's functional kernel (`numpyro.infer.hmc.hmc`) is made of plain functions, so the whole fit is one ``jit``: a
damped Newton search from several starts, the Hessian at the best mode as mass matrix, chains from Laplace draws, a
short warm-up of the step size, and the draws.  The program depends on the law's structure, the plan and the shapes
only: new data of the same shape, or other priors of the same families, never compile again.  Where the mode is no
guide to the posterior, ``Plan.adapt`` starts from the same modes and adapts the mass matrix in the usual way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from numpyro.infer.hmc import hmc
from numpyro.infer.util import constrain_fn, potential_energy

from bayes_scaling.inference.mode import newton
from bayes_scaling.law.priors import unconstrained
from bayes_scaling.law.trace import latent_sites

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["Plan", "Sampled", "sample"]

SIDE_BY_SIDE = 2**16
"""Outcomes up to which starts, gradients and chains are computed side by side.

Beyond it one gradient keeps the machine busy by itself, and they follow one another: memory for one at a time, and no
chain waits for the longest trajectory of the others.
"""


class Plan(NamedTuple):
    """How to sample: everything that shapes the compiled program besides the law and the data.

    Parameters
    ----------
    draws, warmup, chains : int
        Draws kept and warm-up steps, per chain; number of chains.
    thinning : int
        Transitions per kept draw.
    starts : int
        Starts of the mode search.
    adapt : bool
        Adapt a dense mass matrix during the warm-up instead of trusting the Hessian at the mode.
    max_tree_depth : int
        Longest trajectory, as a power of two.
    target_accept : float
        Acceptance probability the step size aims at.
    precision : {"double", "single"}
        In which it computes; whoever runs the program sets it (:mod:`bayes_scaling.inference.precision`).
    """

    draws: int = 1000
    warmup: int = 200
    chains: int = 4
    thinning: int = 1
    starts: int = 4
    adapt: bool = False
    max_tree_depth: int = 8
    target_accept: float = 0.85
    precision: str = "double"


class Sampled(NamedTuple):
    """What the program returns; arrays of shape (chain, draw, ...) unless stated.

    Attributes
    ----------
    posterior : dict of str to array
        Parameters and derived constants.
    steps, diverging, accept, energy : array
        Leapfrog steps, acceptance probability and energy of each kept transition; whether it or one thinned out before
        it diverged.
    mode_potential : array, shape (start,)
        Potential that each start of the mode search reached.
    curvature : array
        Smallest eigenvalue of the Hessian at the best mode.
    """

    posterior: dict[str, Any]
    steps: Any
    diverging: Any
    accept: Any
    energy: Any
    mode_potential: Any
    curvature: Any


@partial(jax.jit, static_argnames=("plan",))
def sample(law: Law, plan: Plan, key: jax.Array, runs: Arrays, observed: Arrays) -> Sampled:
    """Fit one law to one study.

    Parameters
    ----------
    law : Law
        Its class and options are part of the identity of the compiled program; its priors are data.
    plan : Plan
        Lengths and options.
    key : array
        JAX random key.
    runs, observed : mapping of str to array
        As the law takes them; NaN marks outcomes to leave out.
    """
    study = (runs, observed)
    each = jax.vmap if sum(jnp.size(v) for v in observed.values()) <= SIDE_BY_SIDE else _in_turn
    draw_key, start_key, chain_key = jax.random.split(key, 3)

    priors = {name: unconstrained(fn) for name, fn in latent_sites(law, *study).items()}
    centre, unravel = ravel_pytree({name: middle for name, (middle, _) in priors.items()})
    spread, _ = ravel_pytree({name: width for name, (_, width) in priors.items()})
    jitter = jax.random.normal(start_key, (plan.starts, centre.size)) * (jnp.arange(plan.starts) > 0)[:, None]
    starts = centre + 0.5 * spread * jitter

    @jax.jit  # traced once, wherever the program calls it
    def potential(z: jax.Array, runs: Arrays, observed: Arrays) -> jax.Array:
        return potential_energy(law, (runs, observed), {}, law.straighten(unravel(z), runs))

    modes, heights, hessians = each(lambda z: newton(lambda z: potential(z, *study), z, each))(starts)
    best = jnp.argmin(heights)
    mode = modes[best]
    curvatures, directions = jnp.linalg.eigh(hessians[best])
    scales = 1.0 / jnp.sqrt(jnp.maximum(curvatures, 1e-2))
    covariance = (directions * scales**2) @ directions.T
    chain_starts = mode + (jax.random.normal(draw_key, (plan.chains, mode.size)) * scales) @ directions.T

    init_kernel, sample_kernel = hmc(potential_fn_gen=lambda *study: lambda z: potential(z, *study), algo="NUTS")

    def chain(z: jax.Array, key: jax.Array) -> tuple[Any, ...]:
        state = init_kernel(
            z,
            num_warmup=plan.warmup,
            step_size=0.5,
            inverse_mass_matrix=covariance,
            dense_mass=True,
            adapt_mass_matrix=plan.adapt,
            target_accept_prob=plan.target_accept,
            max_tree_depth=plan.max_tree_depth,
            model_args=study,
            rng_key=key,
        )

        def advance(state: Any, _: None) -> tuple[Any, tuple[Any, ...]]:
            state = sample_kernel(state, model_args=study)
            return state, (state.z, state.num_steps, state.diverging, state.accept_prob, state.energy)

        # One loop for warm-up and draws: the kernel is most of what has to be compiled.
        states = lax.scan(advance, state, None, length=plan.warmup + plan.draws * plan.thinning)[1]
        states = jax.tree.map(lambda x: x[plan.warmup :].reshape(plan.draws, plan.thinning, *x.shape[1:]), states)
        z, steps, _, accept, energy = (x[:, -1] for x in states)
        return z, steps, states[2].any(axis=1), accept, energy

    z, steps, diverging, accept, energy = each(chain)(chain_starts, jax.random.split(chain_key, plan.chains))

    def publish(z: jax.Array) -> dict[str, Any]:
        return constrain_fn(law, study, {}, law.straighten(unravel(z), runs), return_deterministic=True)

    published = jax.vmap(publish)(z.reshape(-1, mode.size))
    posterior = jax.tree.map(lambda x: x.reshape(plan.chains, plan.draws, *x.shape[1:]), published)
    return Sampled(posterior, steps, diverging, accept, energy, heights, curvatures[0])


def _in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``jax.vmap`` returns, computed one entry after another."""
    return lambda *arrays: lax.map(lambda entry: function(*entry), arrays)
