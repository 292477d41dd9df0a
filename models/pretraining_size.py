"""Effective data transferred by the amount of pre-training, with a gap that no amount of it closes."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.models.transfer import Transfer
from bayes_scaling.priors import Prior
from bayes_scaling.sites import Arrays

__all__ = ["PretrainingSize"]


class PretrainingSize(Transfer):
    r"""Transfer grows with pre-training data up to a limit that depends on fine-tuning data and size.

    .. math:: D_T = k\, D_F^{\,a} N^{\,b} \left[ 1 - \left( 1 + \frac{D_P}{G} \right)^{-c} \right], \qquad
              G = G_0 \left( \frac{D_F}{D_{F0}} \right)^{-d}

    with D_P the pre-training data (column ``pretrain_data``, 0 for a run from scratch).  Endless pre-training is worth
    k D_F^a N^b: the distance to the loss of endless fine-tuning data is the transfer gap.  G is the amount of
    pre-training that matters, and falls as fine-tuning data grow: with much of their own, a little of the other
    is all that helps.

    Parameters
    ----------
    worth, a, b : Prior
        As in :class:`Transfer`, in the limit of endless pre-training.
    gain : Prior, pure number
        c, the exponent with which the rest of the gap closes.  The source's exponents of pre-training data lie between
        0.2 and 1.
    scale : Prior, pre-training data
        G0, in pre-training data.  Very wide: a factor of a hundred either way around ten thousand images.
    ease : Prior, pure number
        d.  Weak, around one half.
    level, floor, split : Prior
        As in :class:`Scratch`.
    alpha_N, alpha_D : Prior
        As in :class:`Scratch`, but around one half: image errors fall faster in scarce data than losses of language.
    head, turn : Prior
        As in :class:`Scratch`, but free: few images leave a classifier near guessing, and the curve flat.
    sigma, discrepancy : Prior
        As in :class:`bayes_scaling.Law`.

    References
    ----------
    .. [1] Mikami et al. 2021, "A Scaling Law for Synthetic-to-Real Transfer", arXiv 2108.11018, equation 2 (a law for
       the error, with the gap; here the gap is one of effective data, so that both arms share one law).

    Examples
    --------
    >>> law = PretrainingSize()
    >>> p = dict(worth=1.0, a=0.2, b=0.4, gain=1.0, scale=1e4, ease=0.0)
    >>> runs = {"N": 1e7, "D_F": 1e5, "N0": 1e7, "D_F0": 1e5, "D_P": jnp.array([0.0, 1e4])}
    >>> law.transferred(runs, p).round().tolist()
    [0.0, 50000.0]
    """

    alpha_N: Prior = dist.LogNormal(math.log(0.5), 0.5)
    alpha_D: Prior = dist.LogNormal(math.log(0.5), 0.5)
    head: Prior = dist.LogNormal(math.log(0.3), 1.0)
    turn: Prior = dist.LogNormal(math.log(1.5), 0.5)
    gain: Prior = dist.LogNormal(math.log(0.5), 0.5)
    scale: Prior = dist.LogNormal(math.log(1e4), 2.3)
    ease: Prior = dist.Normal(0.5, 0.7)

    equation = r"L = f(N, D_F + D_T), \quad D_T = k D_F^a N^b [1 - (1 + D_P / G)^{-c}]"
    indicators: ClassVar[tuple[str, ...]] = ("D_P",)

    def mean(  # noqa: D102
        self, N, D_F, D_P, N0, D_F0,
        *, level, floor, split, alpha_N, alpha_D, head, turn, worth, a, b, gain, scale, ease,
    ):  # fmt: skip
        own = {
            "level": level,
            "floor": floor,
            "split": split,
            "alpha_N": alpha_N,
            "alpha_D": alpha_D,
            "head": head,
            "turn": turn,
        }
        runs = {"N": N, "D_F": D_F, "D_P": D_P, "N0": N0, "D_F0": D_F0}
        transfer = {"worth": worth, "a": a, "b": b, "gain": gain, "scale": scale, "ease": ease}
        effective = D_F + self.transferred(runs, {**own, **transfer})
        return super(Transfer, self).mean(N, effective, N0, D_F0, **own)

    def transferred(self, runs: Arrays, parameters: Arrays) -> jax.Array:  # noqa: D102
        log_G = jnp.log(parameters["scale"]) - parameters["ease"] * jnp.log(runs["D_F"] / runs["D_F0"])
        amount = runs["D_P"] * jnp.exp(-log_G) if "D_P" in runs else jnp.inf
        share = -jnp.expm1(-parameters["gain"] * jnp.log1p(amount))
        return super().transferred(runs, parameters) * share
