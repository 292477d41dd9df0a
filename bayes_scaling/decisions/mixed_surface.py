"""The expected outcome by several laws at once: decisions that carry what the laws disagree about."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from bayes_scaling.decisions.inputs import further_inputs, told_to_each
from bayes_scaling.decisions.surface import Surface
from bayes_scaling.errors import DecisionError, counted, listed, whole
from bayes_scaling.forecasts.mixing import by_name, draws_of_each, shares
from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.study.rows import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MixedSurface", "mixed_surface"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MixedSurface(Surface):
    """The surfaces of several laws, as many draws of each as its weight says; :func:`.mixed_surface` makes one.

    What a surface knows of its law (``posterior``, and what is read off it) is that of the law of most weight.

    Attributes
    ----------
    parts : tuple of Surface
        The surface of each law.
    part : array of int, shape (sample,)
        Which part each draw comes from; ``place`` is its place there.
    """

    parts: tuple[Surface, ...] = ()
    part: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))

    def __len__(self) -> int:
        return len(self.part)

    @property
    def laws(self) -> str:
        """The name of each law."""
        return " + ".join(dict.fromkeys(part.posterior.law.name for part in self.parts))

    @property
    def several(self) -> bool:
        """Whether more than one law is mixed."""
        return True

    def take(self, order: np.ndarray) -> MixedSurface:
        """Return the surface of some draws, or of all in another order, each with its own slope error."""
        return dataclasses.replace(self, part=self.part[order], place=self.place[order], keys=self.keys[order])

    @property
    def origins(self) -> list[tuple[Posterior, int]]:
        """Which draw of which fit each is."""
        origins = [part.origins for part in self.parts]
        return [origins[number][place] for number, place in zip(self.part, self.place, strict=True)]

    def at(
        self,
        N: Any = None,
        D: Any = None,
        C: Any = None,
        *,
        exact: bool = False,
        fitted: Mapping[str, np.ndarray] | None = None,
        given: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Return the expected outcome of every draw by its own law, shape (sample, point); as :meth:`.Surface.at`."""
        blocks = []
        for own, surface in self.by_law:
            scale = (_rows(values, own, len(self)) for values in (N, D, C))
            further = {name: _rows(values, own, len(self)) for name, values in (given or {}).items()}
            blocks.append((own, surface.at(*scale, exact=exact, fitted=fitted, given=further)))
        found = np.empty((len(self), blocks[0][1].shape[1]))
        for own, block in blocks:
            found[own] = block
        return found

    def noise(self, **scale: np.ndarray) -> np.ndarray:
        """Return the variance of single runs around their expected outcome, averaged over draws, shape (point,)."""
        return np.sum([surface.noise(**scale) * own.mean() for own, surface in self.by_law], axis=0)

    def holding(self, values: Sequence[Mapping[str, np.ndarray]]) -> MixedSurface:
        """Return the surface with values of sites that would be drawn, for each law of :attr:`by_law`."""
        part, place = np.empty_like(self.part), np.empty_like(self.place)
        for number, (own, _) in enumerate(self.by_law):
            part[own], place[own] = number, np.arange(own.sum())
        parts = tuple(one.holding([held]) for (_, one), held in zip(self.by_law, values, strict=True))
        return dataclasses.replace(self, parts=parts, part=part, place=place)

    @cached_property
    def by_law(self) -> list[tuple[np.ndarray, Surface]]:
        """The surface of each law that is mixed and has draws here, and which draws are its own."""
        masks = {number: self.part == number for number in np.unique(self.part)}
        return [(own, self._of(number, own)) for number, own in masks.items()]

    def _of(self, number: int, own: np.ndarray) -> Surface:
        part, place = self.parts[number], self.place[own]
        latent = {name: value[place] for name, value in part.latent.items()}
        given = {**part.given, **{n: v for n, v in self.given.items() if n in further_inputs(part.posterior.law)}}
        return dataclasses.replace(
            part,
            latent=latent,
            keys=self.keys[own],
            discrepancy=self.discrepancy,
            given=given,
            exponent_error=self.exponent_error,
            place=part.place[place],
        )


def mixed_surface(
    posteriors: Mapping[str, Posterior] | Sequence[Posterior],
    weights: pd.Series | Mapping[str, float] | Sequence[float] | None = None,
    *,
    seed: int,
    given: Mapping[str, float] | None = None,
    **options: Any,
) -> Surface:
    """Return one surface of several laws fitted to the same runs, to decide on: allocation, regret, reach and more.

    Laws that forecast alike may want different models, so that a decision by one of them is surer than it should be.
    Each draw of the mixture is a draw of one law, with its error of the slope.  One fit alone has its own surface.

    Parameters
    ----------
    posteriors : mapping of str to Posterior, or sequence of Posterior
        Converged fits, such as ``posteriors`` of :func:`bayes_scaling.fit_runs`.
    weights : Series, mapping or sequence, optional
        Weight of each, such as ``weights`` of the same; equal by default.
    seed : int
        Seed of the choice of draws.
    given : mapping of str to float, optional
        Values of inputs other than scale, for the laws that read them.
    **options
        As for :meth:`.Surface.of`: ``flops``, ``quantity``, ``discrepancy``, ``exponent_error``,
        ``allow_unconverged``.

    Raises
    ------
    DecisionError
        There is no fit or no list of them, a weight is missing or negative, or the laws do not read the same inputs of
        scale or forecast different outcomes.
    ConvergenceError, LawError, TargetError, BayesScalingError
        As for :meth:`.Surface.of`.

    References
    ----------
    .. [1] Hoeting et al. 1999, "Bayesian Model Averaging: A Tutorial", Statistical Science 14, equation 1.

    Examples
    --------
    >>> import bayes_scaling as bs
    >>> fits = bs.fit_runs(study, seed=0)  # doctest: +SKIP
    >>> surface = bs.mixed_surface(fits.posteriors, fits.weights, seed=0)  # doctest: +SKIP
    >>> bs.allocate(surface, [1e22, 1e24]).table()  # doctest: +SKIP
    """
    if not isinstance(posteriors, (Mapping, Sequence)):
        raise DecisionError(f"The fits are a {type(posteriors).__name__}; give a list of what bs.fit returns.")
    named = dict(posteriors) if isinstance(posteriors, Mapping) else dict(enumerate(posteriors))
    if not named:
        raise DecisionError("There is no fit to mix; give a list of what bs.fit returns.")
    share = _shares(named, weights)
    held = told_to_each([require_posterior(fit).law for fit in named.values()], given)
    parts = tuple(Surface.of(fit, given=each, **options) for fit, each in zip(named.values(), held, strict=True))
    if len(parts) == 1:
        return parts[0]
    heaviest = parts[int(np.argmax(share))]
    for part in parts:
        if (part.quantity, part.by_compute) != (heaviest.quantity, heaviest.by_compute):
            laws = listed(sorted({p.posterior.law.name for p in parts}))
            raise DecisionError(f"{laws} differ in what they read or forecast; mix laws of one outcome and one scale.")
    size = min(len(part) for part, weight in zip(parts, share, strict=True) if weight > 0)
    counts = draws_of_each(share, size)
    rng = np.random.default_rng(whole("seed", seed, 0))
    number = np.repeat(np.arange(len(parts)), counts)
    chosen = [rng.choice(len(p), c, replace=False) for p, c in zip(parts, counts, strict=True)]
    keys = jnp.concatenate([part.keys[place] for part, place in zip(parts, chosen, strict=True)])
    shuffled = rng.permutation(size)
    own = {field.name: getattr(heaviest, field.name) for field in dataclasses.fields(Surface)}
    own |= {"keys": keys[shuffled], "place": np.concatenate(chosen)[shuffled]}
    return MixedSurface(**own, parts=parts, part=number[shuffled])


def _shares(named: Mapping[Any, Any], weights: Any) -> np.ndarray:
    """Return the share of each fit."""
    if weights is None:
        return np.full(len(named), 1 / len(named))
    if hasattr(weights, "items"):
        weights = by_name(named, weights, "fit", DecisionError)
    elif np.ndim(weights) != 1 or len(weights) != len(named):
        fits = counted(len(named), "fit")
        raise DecisionError(f"The weights are {shown(weights)}, of {fits}; give each fit one weight.")
    return shares(weights, DecisionError)


def _rows(values: Any, own: np.ndarray, size: int) -> Any:
    """Return the rows of those draws, where values have one for each draw; other values as they are."""
    if values is None or np.ndim(values) < 2 or len(values) != size:
        return values
    return np.asarray(values)[own]
