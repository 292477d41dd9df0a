"""The expected outcome over parameters and tokens, one surface per posterior draw: what every decision is taken on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from bayes_scaling.decisions.exponent_error import ExponentError
from bayes_scaling.decisions.inputs import (
    SCALE,
    exponent_spread,
    reads_compute_alone,
    require_held,
    scale_columns,
    told_to_each,
)
from bayes_scaling.errors import COMMAND_LINE, DecisionError, LawError, TargetError, listed, option, suggest, whole
from bayes_scaling.forecasts.draws import predict
from bayes_scaling.forecasts.forecast import by_rank
from bayes_scaling.inference.padding import bucket, edge_of_data, pad
from bayes_scaling.inference.posterior import Posterior, evenly_spaced, require_posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.law.trace import run_model
from bayes_scaling.study.flops import FlopRule, PerToken
from bayes_scaling.study.rows import task_name

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["SAME_CONVENTION", "Surface", "as_surface", "outcomes_at"]

CHUNK = 4_000_000  # values evaluated at once
SAME_CONVENTION = 0.05  # relative difference up to which two counts of FLOPs are one convention


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """The expected outcome of a fitted law at any scale, draw by draw; make one with :meth:`.Surface.of`.

    Attributes
    ----------
    posterior : Posterior
        The fit.
    quantity, unit : str
        The outcome and its unit.
    series_index : tuple of int
        Which series of the outcome, where the law describes several; empty where there is one.
    rule : FlopRule
        How parameters and tokens become FLOPs.
    latent : mapping of str to array, shape (sample, ...)
        The posterior draws in use.
    keys : array, shape (sample,)
        Keys of the extrapolation discrepancy: one slope error per draw, the same at every point of its surface.
    discrepancy : bool
        Whether outcomes beyond the fitted runs carry an error: that one, or ``exponent_error``.
    given : mapping of str to float
        Inputs of the law other than N, D and C, held fixed.
    exponent_error : float, optional
        Spread of errors of the law's exponents beyond the fitted runs, in place of one error of the slope.
    place : array of int, shape (sample,)
        Which draw of the fit each is.
    """

    posterior: Posterior
    quantity: str
    unit: str
    series_index: tuple[int, ...]
    rule: FlopRule
    latent: Mapping[str, np.ndarray]
    keys: Any
    discrepancy: bool
    given: Mapping[str, float]
    exponent_error: float | None = None
    place: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))

    @classmethod
    def of(
        cls,
        posterior: Posterior,
        *,
        flops: str | PerToken | FlopRule = "6ND",
        quantity: str | None = None,
        series: str | None = None,
        discrepancy: bool = True,
        samples: int | None = None,
        seed: int | None = None,
        given: Mapping[str, float] | None = None,
        exponent_error: float | None = None,
        allow_unconverged: bool = False,
    ) -> Surface:
        """Return the surface of a fit.

        The discrepancy is one error of the slope, which keeps the order of outcomes: it widens what a budget reaches,
        and leaves the best size to the law.  ``exponent_error`` is one for each input of scale, so that the best size
        is in doubt, too.

        Parameters
        ----------
        posterior : Posterior
            A converged fit of any law that reads N and D, or C.
        flops : str, callable or FlopRule
            The FLOP convention, as :meth:`bayes_scaling.FlopRule.of` reads it; 6ND by default.
        quantity : str, optional
            The outcome to decide by; by default that which answers first in a forecast, the accuracy of a task, unless
            ``series`` is one of another outcome, as the losses of a two-step law are (``task_loss:PIQA``, ``c4_loss``).
        series : str, optional
            The task or series, where the law describes several.
        discrepancy : bool
            Let the slope beyond the fitted runs be off, as forecasts do.
        samples : int, optional
            Posterior draws to use, evenly spaced; by default all.
        seed : int, optional
            Seed of the slope errors; by default the fit's, so that they are those of its forecasts.
        given : mapping of str to float, optional
            Values of the law's other inputs, such as ``{"steps": 1e5}``; what every run of a decision gives itself
            (``superiority``, ``next_runs``) may be left out.
        exponent_error : float, optional
            In place of the law's discrepancy: beyond the middle 90 % of the fitted runs, on either side, each draw
            multiplies the local exponents of N and of D (or of C, in a law of FLOPs alone) by log-normal errors of
            their own.  Their logarithm is zero at the edge and wanders from there, within a factor of e or so, to this
            standard deviation (an Ornstein-Uhlenbeck process in the log of the input).  With 0.25 one draw in three is
            off by more than a quarter; at most 1, a factor of e.
        allow_unconverged : bool
            Go on with a fit that did not converge.

        Raises
        ------
        ConvergenceError
            The fit did not converge.
        LawError
            The law makes its size or data of other columns, such as FLOPs, so that no decision is taken on it; or it
            has no input of a name that is given, or does not take its value.
        TargetError
            The law has no such outcome or series.
        DecisionError
            The FLOP convention is unknown, or the law also reads FLOPs that were counted by another one; or
            ``exponent_error`` is no positive number, or above 1, or given without a discrepancy.
        BayesScalingError
            The seed is no whole number of at least 0, or ``samples`` none of at least 1.
        """
        require_posterior(posterior).require_converged(allow_unconverged)
        law = posterior.law
        scale_columns(law)
        (held,) = told_to_each((law,), given)
        quantity = quantity or _quantity_of(posterior, series)
        if quantity not in law.quantities:
            raise TargetError(f"{law.name} does not forecast {quantity!r}; {suggest(quantity, law.quantities)}")
        if exponent_error is not None:
            exponent_error = exponent_spread(exponent_error)
            if not discrepancy:
                raise DecisionError(
                    f"Without a discrepancy the law is exact beyond the runs, and exponent_error = {exponent_error:g} "
                    "says that it is not; give one of them."
                )
        rule = FlopRule.of(flops, posterior.study)
        if {"N", "D", "C"} <= set(law.run_inputs) and rule.disagreement(posterior.study) > SAME_CONVENTION:
            raise DecisionError(
                f"{law.name} was fitted to the FLOPs of {posterior.study.name!r}, which {rule.name} does not give; "
                f"use {option('flops', 'study')}."
            )
        draws = posterior.draws
        place = evenly_spaced(len(next(iter(draws.values()))), samples)
        latent = {name: values[place] for name, values in draws.items()}
        seed = posterior.seed if seed is None else whole("seed", seed, 0)
        with double_precision():
            first = jax.random.fold_in(jax.random.key(seed), 1)
            keys = jax.random.split(first, len(place))
        return cls(
            posterior=posterior,
            quantity=quantity,
            unit=posterior.units[quantity],
            series_index=_series_index(posterior, quantity, series),
            rule=rule,
            latent=latent,
            keys=keys,
            discrepancy=discrepancy,
            given=held,
            exponent_error=exponent_error,
            place=place,
        )

    def __len__(self) -> int:
        return len(next(iter(self.latent.values())))

    def __repr__(self) -> str:
        series = f" of {self.series}" if self.series else ""
        return (
            f"{type(self).__name__}({self.laws} on {self.posterior.study.name!r}: {self.quantity}{series}; "
            f"FLOPs {self.convention}, {len(self)} draws)"
        )

    @property
    def laws(self) -> str:
        """The name of the law, or of each that is mixed."""
        return self.posterior.law.name

    @property
    def series(self) -> str:
        """The task or series that is decided by; empty where the law describes one."""
        dims, coords = self.posterior.law.dims(self.posterior.study)
        names = zip(dims.get(self.quantity, ()), self.series_index, strict=True)
        return ", ".join(str(coords[dim][place]) for dim, place in names)

    @property
    def several(self) -> bool:
        """Whether more than one law is mixed."""
        return False

    @property
    def members(self) -> tuple[Surface, ...]:
        """The surface of each law that is mixed; of one law, itself."""
        return tuple(surface for _, surface in self.by_law)

    @property
    def by_law(self) -> list[tuple[np.ndarray, Surface]]:
        """The surface of each law that is mixed, and which draws are its own, shape (sample,); of one law, itself."""
        return [(np.ones(len(self), bool), self)]

    def holding(self, values: Sequence[Mapping[str, np.ndarray]]) -> Surface:
        """Return the surface with values of sites that would be drawn, such as errors of the slope.

        Parameters
        ----------
        values : sequence of mapping of str to array, shape (own sample, ...)
            By site, for each law of :attr:`by_law`.
        """
        return dataclasses.replace(self, latent={**self.latent, **values[0]})

    def take(self, order: np.ndarray) -> Surface:
        """Return the surface of some draws, or of all in another order, each with its own slope error.

        Parameters
        ----------
        order : array of int, shape (sample,)
            Places of the draws.
        """
        latent = {name: value[order] for name, value in self.latent.items()}
        return dataclasses.replace(self, latent=latent, keys=self.keys[order], place=self.place[order])

    @property
    def origins(self) -> list[tuple[Posterior, int]]:
        """Which draw of which fit each is: two surfaces whose origins are equal stand on the same draws."""
        return [(self.posterior, place) for place in self.place.tolist()]

    @property
    def sign(self) -> float:
        """1 where less is better, as for a loss, and -1 where more is: the law says which."""
        return 1.0 if self.posterior.law.lower_is_better(self.quantity) else -1.0

    @property
    def columns(self) -> dict[str, str]:
        """The inputs of scale that the law reads, N, D or C, with the names of their columns."""
        return scale_columns(self.posterior.law)

    @property
    def by_compute(self) -> bool:
        """Whether the law reads FLOPs alone, so that every budget has one outcome."""
        return reads_compute_alone(self.posterior.law)

    @property
    def bent(self) -> bool:
        """Whether exponents err beyond the runs: best sizes then wander with the budget, and are not to be smoothed."""
        return self.discrepancy and self.exponent_error is not None

    @property
    def convention(self) -> str:
        """How FLOPs are counted, in words."""
        return "as in the study" if self.by_compute else self.rule.name

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
        """Return the expected outcome of every draw.

        Parameters
        ----------
        N, D, C : array, shape (sample, point) or (point,)
            Parameters, tokens and FLOPs, as far as the law reads them; C follows from N and D where it is not given.
        exact : bool
            Leave the discrepancy out: the law as if it were exact.
        fitted : mapping, optional
            Inputs of the runs beyond which the discrepancy sets in; by default those of the fit.
        given : mapping of str to array, shape (sample, point) or (point,), optional
            Further inputs of the law, in place of those of the surface.

        Returns
        -------
        array, shape (sample, point)
            In the unit of the outcome.

        Raises
        ------
        LawError
            The law needs an input that is not given: N, D or C, or a further one.
        """
        law = self.posterior.law
        if C is None and "C" in law.run_inputs and N is not None and D is not None:
            C = self.rule.cost(N, D)
        inputs = {**self.given, **(given or {}), "N": N, "D": D, "C": C}
        require_held(law, inputs)
        if lacking := [name for name in law.run_inputs if inputs[name] is None]:
            are, cure = ("is", "it") if len(lacking) == 1 else ("are", "them")
            cure += ", or N and D to count it by" if lacking == ["C"] else ""
            read, missing = listed(law.run_inputs), listed(lacking)
            raise LawError(f"{law.name} reads {read}, and {missing} {are} not given; give {cure}.")
        columns = {name: np.asarray(inputs[name], dtype=float) for name in law.run_inputs}
        points = np.broadcast_shapes(*(c.shape for c in columns.values()), (1,))[-1]
        scales = {n: np.broadcast_to(c, (len(self), points)) for n, c in columns.items()}
        edge = None
        if self.discrepancy and not exact:
            inside = {**self.arrays, **(fitted or {})}
            if self.exponent_error is None:
                same = all(np.array_equal(v[: len(self.arrays[n])], self.arrays[n]) for n, v in (fitted or {}).items())
                observed = self._read[1] if same else None  # of other runs nobody knows which series they have
                edge = edge_of_data(law, inside, observed)
            else:
                scales.update(self.misjudged(scales, inside))
        constants = {n: v for n, v in self.arrays.items() if n not in law.run_inputs}
        size = max(CHUNK // len(self), 16)
        parts = []
        with double_precision():
            for begin in range(0, points, size):
                part = {n: c[:, begin : begin + size] for n, c in scales.items()}
                found = _expected(
                    law.program, self.keys, self.latent, part, constants, edge, self.quantity, self.series_index
                )
                parts.append(np.asarray(found))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def ranked(self, N: Any, D: Any, *, given: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Return what the best size, or one as good as another, is decided by: lower is better, shape (sample, point).

        The expected outcome with its sign; without the discrepancy, which keeps the order of outcomes.

        Parameters
        ----------
        N, D : array, shape (sample, point) or (point,)
            Parameters and tokens.
        given : mapping of str to array, optional
            As for :meth:`at`.
        """
        return self.sign * self.at(N, D, exact=self.exponent_error is None, given=given)

    def noise(self, **scale: np.ndarray) -> np.ndarray:
        """Return the variance of single runs around their expected outcome, averaged over draws, shape (point,).

        Parameters
        ----------
        **scale : array, shape (point,)
            ``N``, ``D`` or ``C``, as far as the law reads them; further inputs, in place of those of the surface.
        """
        law = self.posterior.law
        points, runs = self.runs_at(scale)
        with double_precision():
            drawn = predict(law.program, self.keys, self.latent, runs, None)
            run, mean = (np.asarray(drawn[name]) for name in (self.quantity, f"{self.quantity}_mean"))
        one: tuple[Any, ...] = (..., *self.series_index)
        return np.mean((run - mean)[:, :points][one] ** 2, axis=0)

    def runs_at(self, scale: Mapping[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
        """Return how many runs there are at these scales, and their inputs as the law reads them, padded.

        Parameters
        ----------
        scale : mapping of str to array, shape (run,)
            ``N``, ``D`` or ``C``, as far as the law reads them; further inputs, in place of those of the surface.
        """
        require_held(self.posterior.law, {**self.given, **scale})
        points = len(next(iter(scale.values())))
        runs = {**self.arrays, **{name: np.full(points, value) for name, value in self.given.items()}, **scale}
        return points, pad(runs, bucket(points), self.posterior.law.run_inputs)

    @cached_property
    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        return self.posterior.law.arrays(self.posterior.study)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The inputs of the fitted runs, and the references, as the law reads them."""
        return self._read[0]

    @property
    def fitted_flops(self) -> np.ndarray:
        """Training FLOPs of the fitted runs, by the surface's rule, shape (run,).

        Raises
        ------
        LawError
            The law reads neither FLOPs nor both of parameters and tokens.
        """
        if not self.by_compute and not {"N", "D"} <= set(self.columns):
            read = listed(self.posterior.law.run_inputs)
            raise LawError(f"{self.laws} reads {read}, which do not tell FLOPs; fit a law of N and D, or of C.")
        return self.arrays["C"] if self.by_compute else self.rule.cost(self.arrays["N"], self.arrays["D"])

    def misjudged(
        self, scales: Mapping[str, np.ndarray], fitted: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the scales at which each draw reads its law for these, by its errors of the exponents.

        Parameters
        ----------
        scales : mapping of str to array, shape (sample, point)
            ``N`` and ``D``, or ``C``, as far as the law reads them.
        fitted : mapping, optional
            Inputs of the runs beyond which exponents are off; by default those of the fit.
        """
        return self._exponents.misjudged(scales, self.arrays if fitted is None else fitted)

    @cached_property
    def _exponents(self) -> ExponentError:
        """The errors of the law's exponents beyond the fitted runs, draw by draw."""
        names = [name for name in self.columns if name != "C"] or ["C"]
        return ExponentError.drawn(self.keys, names, self.exponent_error or 0.0)


def as_surface(source: Posterior | Surface) -> Surface:
    """Return a surface: the one given, or that of a posterior with every default."""
    return source if isinstance(source, Surface) else Surface.of(source)


def outcomes_at(surface: Surface, inputs: Mapping[str, np.ndarray], **options: Any) -> np.ndarray:
    """Return the expected outcomes of a surface at runs with all their inputs, shape (sample, run)."""
    further = {name: value for name, value in inputs.items() if name not in SCALE}
    return surface.at(*(inputs.get(name) for name in SCALE), given=further, **options)


@partial(jit, static_argnames=("quantity", "series_index"))
def _expected(
    law: Law,
    keys: jax.Array,
    latent: Arrays,
    columns: Arrays,
    constants: Arrays,
    fitted: Arrays | None,
    quantity: str,
    series_index: tuple[int, ...],
) -> jax.Array:
    def one(key: jax.Array, latent: Arrays, columns: Arrays) -> jax.Array:
        sites = run_model(law, {**constants, **columns}, None, fitted, latent=latent, key=key)
        return sites[f"{quantity}_mean"]["value"][(slice(None), *series_index)]

    return jax.vmap(one)(keys, latent, columns)


def _quantity_of(posterior: Posterior, series: str | None) -> str:
    """Return the first quantity that has a series of this name; the one that answers first where none has."""
    law, study = posterior.law, posterior.study
    ranked = by_rank(law.quantities)
    named = None if series is None else task_name(series)
    return next((quantity for quantity in ranked if named in _labels(law, study, quantity)), ranked[0])


def _labels(law: Law, study: Study, quantity: str) -> list[str]:
    """Return the names of a quantity's series; none where it has one only."""
    dims, coords = law.dims(study)
    return [str(label) for name in dims.get(quantity, [])[-1:] for label in coords[name]]


def _series_index(posterior: Posterior, quantity: str, series: str | None) -> tuple[int, ...]:
    """Return the index of a series among those of a quantity; empty where there is one series only."""
    law = posterior.law
    labels = _labels(law, posterior.study, quantity)
    if not labels:
        if series is not None:
            raise TargetError(f"{law.name} describes one series, so there is no {series!r}; leave it out.")
        return ()
    series = None if series is None else law.series_of(task_name(series), labels)
    if series is None or series not in labels:
        asked = _how_to_choose(law, quantity, labels) if series is None else suggest(series, labels)
        raise TargetError(f"{law.name} describes {len(labels)} series of {quantity}; {asked}")
    return (labels.index(series),)


def _how_to_choose(law: Law, quantity: str, labels: list[str]) -> str:
    """Return the end of a sentence: how to say which series is decided by, in the words of the interface in use."""
    if COMMAND_LINE.get():
        return f"give one with --task: {listed(labels)}."
    named = "" if quantity == by_rank(law.quantities)[0] else f"quantity={quantity!r}, "
    others = [f"quantity={other!r}" for other in law.quantities if other != quantity]
    more = f"; with {' or '.join(others)} another outcome is decided by" if others else ""
    return f"give one of {listed(labels)}, as in bs.Surface.of(posterior, {named}series={labels[0]!r}){more}."
