"""The sampler: mode, Laplace mass matrix, warm-up and NUTS of one law as one compiled program.

NumPyro's functional kernel (`numpyro.infer.hmc.hmc`) is made of plain functions, so the whole fit is one ``jit``: a
damped Newton search from several starts, the Hessian at the best mode as mass matrix, chains from Laplace draws, a
short warm-up of the step size, and the draws.  The program depends on the law's structure, the plan and the shapes
only: new data of the same shape, or other priors of the same families, never compile again.  Where the mode is no
guide to the posterior, ``Plan.adapt`` starts from the same modes and adapts the mass matrix in the usual way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from numpyro.infer.hmc import hmc
from numpyro.infer.util import constrain_fn, potential_energy

from bayes_scaling.inference.mode import arrivals, search
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.priors import unconstrained
from bayes_scaling.law.trace import latent_sites

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["Plan", "Sampled", "arrived", "coordinates", "go_on", "joined", "potential_of", "sample"]

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
    starts: int = 8
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
        Leapfrog steps, acceptance probability and energy of each draw; whether it, or one that was thinned out where
        chains went on, diverged.
    mode_potential : array, shape (start,)
        Potential that each start of the mode search reached.
    curvature : array
        Smallest eigenvalue of the Hessian at the best mode.
    state : HMCState or None
        Where the chains stand, leading axis (chain,): :func:`.go_on` takes them further from there.
    energies : array, shape (chain, transition), or None
        The energy of every draw where chains went on, those thinned out too: E-BFMI is of successive ones.
    """

    posterior: dict[str, Any]
    steps: Any
    diverging: Any
    accept: Any
    energy: Any
    mode_potential: Any
    curvature: Any
    state: Any = None
    energies: Any = None


@partial(jit, static_argnames=("plan",))
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
    each = _side_by_side_or_in_turn(observed)
    draw_key, start_key, chain_key = jax.random.split(key, 3)
    centre, spread, unravel = coordinates(law, study)
    potential, init_kernel, sample_kernel = _kernels(law, unravel)

    mode, heights, hessian, rivals = search(
        lambda z: potential(z, *study), centre, spread, start_key, plan.starts, each
    )
    curvatures, directions = jnp.linalg.eigh(hessian)
    scales = 1.0 / jnp.sqrt(jnp.maximum(curvatures, 1e-2))
    covariance = (directions * scales**2) @ directions.T
    # Chains that start in different modes disagree where they cannot travel between them, and R-hat says so.
    chain_modes = rivals[jnp.arange(plan.chains) % plan.starts]
    chain_starts = chain_modes + (jax.random.normal(draw_key, (plan.chains, mode.size)) * scales) @ directions.T

    def chain(z: jax.Array, key: jax.Array) -> tuple[Any, ...]:
        state = _start(init_kernel, plan, study, z, covariance, key)
        # One loop for warm-up and draws: the kernel is most of what has to be compiled.
        return _transitions(sample_kernel, plan, study, state, plan.warmup)

    found = each(chain)(chain_starts, jax.random.split(chain_key, plan.chains))
    return _published(law, study, unravel, found, heights, curvatures[0])


@partial(jit, static_argnames=("plan",))
def go_on(law: Law, plan: Plan, state: Any, runs: Arrays, observed: Arrays) -> Sampled:
    """Take the chains of a fit further: as many draws again, from where they stand, with nothing adapted any more.

    Parameters
    ----------
    law, plan, runs, observed
        As for :func:`.sample`.
    state : HMCState
        That of what it returned, or this function.

    Returns
    -------
    Sampled
        Without the results of the mode search.
    """
    study = (runs, observed)
    *_, unravel = coordinates(law, study)
    _, init_kernel, sample_kernel = _kernels(law, unravel)

    def chain(state: Any) -> tuple[Any, ...]:
        # The kernel takes its settings when it is initialised; the state made here is not used.
        _start(init_kernel, plan, study, state.z, state.adapt_state.inverse_mass_matrix, state.rng_key)
        return _transitions(sample_kernel, plan, study, state, 0)

    found = _side_by_side_or_in_turn(observed)(chain)(state)
    return _published(law, study, unravel, found, jnp.zeros(0), jnp.zeros(()))


@partial(jit, static_argnames=("starts",))
def arrived(law: Law, starts: int, key: jax.Array, runs: Arrays, observed: Arrays) -> jax.Array:
    """Say of each start of the mode search of :func:`.sample` whether it ended at a mode, and not on its way to one.

    Parameters
    ----------
    law, key, runs, observed
        As for :func:`.sample`.
    starts : int
        Those of its plan.

    Returns
    -------
    array of bool, shape (start,)
    """
    study = (runs, observed)
    _, start_key, _ = jax.random.split(key, 3)
    centre, spread, unravel = coordinates(law, study)
    potential, each = potential_of(law, unravel), _side_by_side_or_in_turn(observed)
    return arrivals(lambda z: potential(z, *study), centre, spread, start_key, starts, each)


def joined(parts: Sequence[Sampled]) -> Sampled:
    """Return the draws of a fit and of its continuations as one, thinned to as many draws as each of them has."""
    first, last = parts[0], parts[-1]

    def every(arrays: Sequence[Any]) -> Any:
        return np.concatenate(arrays, axis=1)[:, len(parts) - 1 :: len(parts)]

    diverging = np.concatenate([part.diverging for part in parts], axis=1)
    return first._replace(
        posterior={name: every([part.posterior[name] for part in parts]) for name in first.posterior},
        steps=every([part.steps for part in parts]),
        diverging=diverging.reshape(len(diverging), -1, len(parts)).any(axis=2),
        accept=every([part.accept for part in parts]),
        energy=every([part.energy for part in parts]),
        state=last.state,
        energies=np.concatenate([part.energy for part in parts], axis=1),
    )


def coordinates(law: Law, study: tuple[Arrays, Arrays]) -> tuple[jax.Array, jax.Array, Callable[..., Any]]:
    """Return (centre, spread, function from a vector to sites) of the priors in the sampler's coordinates."""
    priors = {name: unconstrained(fn) for name, fn in latent_sites(law, *study).items()}
    centre, unravel = ravel_pytree({name: middle for name, (middle, _) in priors.items()})
    spread, _ = ravel_pytree({name: width for name, (_, width) in priors.items()})
    return centre, spread, unravel


def potential_of(law: Law, unravel: Callable[..., Any]) -> Callable[..., jax.Array]:
    """Return the potential of the law's posterior: a function of (vector, runs, observed)."""

    @jax.jit  # traced once, wherever the program calls it
    def potential(z: jax.Array, runs: Arrays, observed: Arrays) -> jax.Array:
        return potential_energy(law, (runs, observed), {}, law.straighten(unravel(z), runs))

    return potential


def _kernels(law: Law, unravel: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """Return (potential, initialisation, transition) of NUTS on the law's posterior."""
    potential = potential_of(law, unravel)
    return potential, *hmc(potential_fn_gen=lambda *study: lambda z: potential(z, *study), algo="NUTS")


def _start(init: Any, plan: Plan, study: Any, z: jax.Array, covariance: jax.Array, key: jax.Array) -> Any:
    return init(
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


def _transitions(kernel: Any, plan: Plan, study: Any, state: Any, warmup: int) -> tuple[Any, ...]:
    """Run a chain; return (places, steps, divergence, acceptance, energy) of each draw, and the last state."""

    def advance(state: Any, _: None) -> tuple[Any, tuple[Any, ...]]:
        state = kernel(state, model_args=study)
        return state, (state.z, state.num_steps, state.diverging, state.accept_prob, state.energy)

    state, states = lax.scan(advance, state, None, length=warmup + plan.draws)
    return *(x[warmup:] for x in states), state


def _published(
    law: Law, study: Any, unravel: Callable[..., Any], found: tuple[Any, ...], heights: jax.Array, curvature: jax.Array
) -> Sampled:
    """Return what chains found, with the parameters and constants of each draw in place of its coordinates."""
    z, steps, diverging, accept, energy, state = found

    def publish(z: jax.Array) -> dict[str, Any]:
        return constrain_fn(law, study, {}, law.straighten(unravel(z), study[0]), return_deterministic=True)

    sites = jax.vmap(publish)(z.reshape(-1, z.shape[-1]))
    posterior = jax.tree.map(lambda x: x.reshape(*z.shape[:2], *x.shape[1:]), sites)
    return Sampled(posterior, steps, diverging, accept, energy, heights, curvature, state)


def _side_by_side_or_in_turn(observed: Arrays) -> Callable[..., Any]:
    return jax.vmap if sum(jnp.size(v) for v in observed.values()) <= SIDE_BY_SIDE else _in_turn


def _in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what ``jax.vmap`` returns, computed one entry after another."""
    return lambda *arrays: lax.map(lambda entry: function(*entry), arrays)
