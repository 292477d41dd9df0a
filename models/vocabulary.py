"""Loss relative to a unigram model's, from vocabulary, parameters and text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from bayes_scaling.law.base import Law
from bayes_scaling.law.fields import prior
from bayes_scaling.law.priors import LogitNormal, Prior
from bayes_scaling.law.sites import Arrays, extrapolate

__all__ = ["Vocabulary"]


class Vocabulary(Law):
    r"""Relative perplexity falls as a power of parameters and of text, and larger vocabularies need more text.

    .. math:: L(N, V, H) = \ell + g \log \left[ \psi \left( \tfrac{N}{N_0} \right)^{-\alpha_N / g} + (1 - \psi) \left(
              \tfrac{H}{H_0} \left( \tfrac{V}{V_0} \right)^{-\delta} \left( \tfrac{N}{N_0} \right)^{-\eta}
              \right)^{-\alpha_D / g} \right]

    with N in parameters outside the embeddings (column ``n_params_non_vocab``), V in tokens of the vocabulary, H in
    characters of text seen, and L, the loss less that of a unigram model (column ``unigram_normalised_loss``), in nats
    per token.  Losses of different vocabularies cannot be compared; this one can, and it is negative: exp(L) is the
    perplexity as a fraction of the unigram model's.  Noise is added to L, not to its logarithm.

    Notes
    -----
    The paper adds terms of a power each, for N, for the parameters of the vocabulary and for tokens.  In its runs
    nothing shows a floor of L, and a sum of powers then misses: this law is the form of Kaplan et al. for the relative
    perplexity, whose logarithm is L.  Text runs short the sooner the larger the vocabulary, because rare tokens are
    seen less often, and the larger the model.

    References
    ----------
    .. [1] Tao et al. 2024, "Scaling Laws with Vocabulary: Larger Models Deserve Larger Vocabularies", arXiv 2407.13623,
       equation 6.
    .. [2] Kaplan et al. 2020, arXiv 2001.08361, equation 1.5 (the bracket).

    Examples
    --------
    >>> values = dict(level=-4.0, split=0.5, alpha_N=0.2, alpha_D=1.0, coupling=1.0, need=0.2, appetite=0.1)
    >>> round(float(Vocabulary().mean(1e8, 16384.0, 1e10, 1e8, 16384.0, 1e10, **values)), 6)
    -4.0
    """

    level: Prior = prior(
        default=dist.Normal(-3.0, 2.0),
        unit="nats per token",
        reason="Loss at the references.  Models that were trained lie one to seven nats below unigrams.",
    )
    split: Prior = prior(
        default=LogitNormal(0.0, 1.0),
        unit="share",
        reason="Share of the bracket at the references that more parameters would remove.  Weak, around one half.",
    )
    alpha_N: Prior = prior(
        default=dist.LogNormal(math.log(0.3), 0.7),
        unit="nats per e-fold",
        reason="By how much L falls where parameters are short.  A tenth to one nat for each e-fold, wide.",
    )
    alpha_D: Prior = prior(
        default=dist.LogNormal(math.log(0.8), 0.7),
        unit="nats per e-fold",
        reason="The same where text is short: early checkpoints fall steeply, some tenths of a nat to two.",
    )
    coupling: Prior = prior(
        default=dist.LogNormal(0.0, 0.5),
        unit="nats",
        reason="g, how softly one shortage gives way to the other.  About one nat.",
    )
    need: Prior = prior(
        default=dist.Normal(0.2, 0.3),
        unit="pure number",
        reason="delta, how the text that is needed grows with the vocabulary.  Less than in proportion: most tokens "
        "of a text are frequent ones.",
    )
    appetite: Prior = prior(
        default=dist.Normal(0.0, 0.3),
        unit="pure number",
        reason="eta, how the text that is needed grows with parameters; zero in the laws of Kaplan and Chinchilla.",
    )
    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.05), 0.7),
        unit="nats per token",
        reason="Noise, added to L.  Some hundredths of a nat: checkpoints at a high learning rate scatter.",
    )

    outcome = "unigram_normalised_loss"
    unit = "nats per token"
    better: ClassVar[Mapping[str, str]] = {"unigram_normalised_loss": "lower"}
    signed: ClassVar[tuple[str, ...]] = ("unigram_normalised_loss",)
    equation = (
        r"L = \ell + g \log (\psi (N / N_0)^{-\alpha_N / g} "
        r"+ (1 - \psi) ((H / H_0) (V / V_0)^{-\delta} (N / N_0)^{-\eta})^{-\alpha_D / g})"
    )
    pooling: ClassVar = {"split": 0.4, "alpha_N": 0.2, "alpha_D": 0.2, "coupling": 0.2, "need": 0.1, "appetite": 0.1}

    def mean(  # noqa: D102
        self,
        n_params_non_vocab,
        vocab_size,
        num_characters,
        n_params_non_vocab0,
        vocab_size0,
        num_characters0,
        *,
        level,
        split,
        alpha_N,
        alpha_D,
        coupling,
        need,
        appetite,
    ):
        n = jnp.log(n_params_non_vocab / n_params_non_vocab0)
        v, h = jnp.log(vocab_size / vocab_size0), jnp.log(num_characters / num_characters0)
        by_size = jnp.log(split) - alpha_N / coupling * n
        by_text = jnp.log1p(-split) - alpha_D / coupling * (h - need * v - appetite * n)
        return level + coupling * jnp.logaddexp(by_size, by_text)

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:
        """Return Student t noise, added to the loss: it has no logarithm."""
        return dist.StudentT(5.0, mean, sigma)

    def irreducible(self, runs: Arrays, parameters: Arrays) -> float:
        """Return minus infinity: relative perplexity has the floor 0."""
        return -jnp.inf

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:
        """Return the loss with the step in log relative perplexity, beyond the data, stretched."""
        at, edge = (jnp.exp(self.at(r, parameters)) for r in (runs, fitted))
        return jnp.log(extrapolate(at, edge, slope_error))
