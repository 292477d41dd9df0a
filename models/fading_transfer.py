"""Effective data transferred that fades where fine-tuning data suffice, and may turn into harm."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import Prior
from bayes_scaling.law.sites import Arrays
from bayes_scaling.models.transfer import Transfer

__all__ = ["FadingTransfer"]

LEAST_LEFT = 0.01  # share of the fine-tuning data that the harm of pre-training leaves at the least


class FadingTransfer(Transfer):
    r"""Transfer fades once fine-tuning data alone suffice, and may become negative: ossification.

    .. math:: D_T = k\, D_F^{\,a} N^{\,b} \left[ 1 - (1 + \omega) \frac{r^2}{1 + r^2} \right], \qquad
              r = \frac{D_F}{h\, D(N)}

    with D(N) the data at which the from-scratch loss is within one per cent of its limit.  At D_F = D(N) / 10 and
    h = 1/2 the power law is off by 4 %; far beyond, pre-training is worth -omega of what the power law says, and
    takes at most 99 % of the fine-tuning data away.

    References
    ----------
    .. [1] Hernandez et al. 2021, "Scaling Laws for Transfer", arXiv 2102.01293, sections 1.1 (low-data regime) and 5
       (ossification).  The shape of the fading is ours.

    Examples
    --------
    >>> law = FadingTransfer(floor=0.0)
    >>> scratch = dict(level=2.0, floor=0.0, split=0.5, alpha_N=0.1, alpha_D=0.1, head=0.0, turn=1.0, sharpness=1.0)
    >>> p = {**scratch, "worth": 3.0, "a": 0.2, "b": 0.4}
    >>> far = {"N": 1e7, "D_F": 1e14, "N0": 1e7, "D_F0": 1e8}
    >>> bool(law.transferred(far, {**p, "half": 0.5, "ossification": 0.3}) < 0)
    True
    """

    half: Prior = prior(
        default=dist.LogNormal(math.log(0.5), 0.7),
        unit="multiple of D(N)",
        reason="h, where transfer is half gone, in D(N).  The paper found the power law up to a tenth of D(N): around "
        "one half.",
    )
    ossification: Prior = prior(
        default=dist.Normal(0.0, 0.5),
        unit="pure number",
        reason="omega.  0: transfer fades to nothing; positive: pre-training hurts, as the paper saw for small "
        "models; -1: the power law goes on for ever.  Even odds of either sign.",
    )

    equation = r"L = f(N, D_F + D_T), \quad D_T = k D_F^a N^b [1 - (1 + \omega) r^2 / (1 + r^2)]"

    def mean(  # noqa: D102
        self, N, D_F, pretrained, N0, D_F0,
        *, level, floor, split, alpha_N, alpha_D, head, turn, sharpness, worth, a, b, half, ossification,
    ):  # fmt: skip
        own = {
            "level": level,
            "floor": floor,
            "split": split,
            "alpha_N": alpha_N,
            "alpha_D": alpha_D,
            "head": head,
            "turn": turn,
            "sharpness": sharpness,
        }
        fade = {"worth": worth, "a": a, "b": b, "half": half, "ossification": ossification}
        runs = {"N": N, "D_F": D_F, "pretrained": pretrained, "N0": N0, "D_F0": D_F0}
        effective = D_F + self.transferred(runs, {**own, **fade})
        return super(Transfer, self).mean(N, effective, N0, D_F0, **own)

    def transferred(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return D_T, in the unit of D_F: no less than leaves a hundredth of the data, so that D_E is positive."""
        ratio = runs["D_F"] / (parameters["half"] * self.enough(runs, parameters))
        faded = jax.nn.sigmoid(2 * jnp.log(ratio))
        worth = super().transferred(runs, parameters) * (1 - (1 + parameters["ossification"]) * faded)
        return jnp.maximum(worth, (LEAST_LEFT - 1) * runs["D_F"])
