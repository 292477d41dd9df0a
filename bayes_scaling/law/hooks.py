"""What may be asked of a law besides its equation: every hook, with the answer of a law of one loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np

from bayes_scaling.errors import LawError
from bayes_scaling.law.priors import describe
from bayes_scaling.study.card import AS_GIVEN

if TYPE_CHECKING:
    import jax

    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["Hooks"]


class Hooks:
    """The hooks of :class:`bayes_scaling.Law`: a law that differs from a law of one loss overrides them."""

    discrepancy: Any
    replace: Any
    outcome: ClassVar[str] = "loss"
    unit: ClassVar[str] = AS_GIVEN
    """Unit of the outcome where no card says one; of a loss, whatever unit it is given in."""
    better: ClassVar[Mapping[str, str]] = {"loss": "lower", "error": "lower", "accuracy": "higher"}
    """Which way each quantity is better, ``lower`` or ``higher``."""
    inputs: ClassVar[tuple[str, ...]] = ()
    equation: ClassVar[str] = ""
    indicators: ClassVar[tuple[str, ...]] = ()
    """Inputs that may be zero: pre-trained or not, pre-training data, shares of a mixture."""
    flags: ClassVar[tuple[str, ...]] = ()
    """Those of them that are 1 or 0, and nothing between."""
    absent: ClassVar[Mapping[str, float]] = {}
    """Inputs that runs may lack, each with the value that stands for it."""
    signed: ClassVar[tuple[str, ...]] = ()
    """Inputs and outcomes that may be of any sign; an outcome among them has a ``likelihood`` of additive noise."""
    noise: ClassVar[tuple[str, ...]] = ("sigma",)
    """Parameters of the noise, which ``mean`` does not take."""
    spreads: ClassVar[tuple[str, ...]] = ()
    """Further parameters of a joint law that are scatter, such as the noise of a part; they may be tiny."""
    pooling: ClassVar[Mapping[str, float]] = {}
    """Spread between series of each parameter that a joint law pools, on the unconstrained scale."""
    adapts: ClassVar[bool] = False
    """Whether a fit whose first try is not enough adapts the mass matrix at once, and does not go on before: where a
    posterior is about as wide as the priors, the mode tells little of it."""
    published: ClassVar[Mapping[str, float]] = {}
    """Constants of the law's paper, the default of a simulation."""
    transfers: ClassVar[bool] = False
    """Whether the law says what pre-training is worth, in :meth:`transferred` and :meth:`enough`."""
    rests_on_priors: ClassVar[bool] = False
    """Whether the priors, learnt elsewhere, carry what few runs, or an input that does not vary, cannot."""
    reads_loss_error: ClassVar[bool] = True
    """Whether known standard errors of losses (column ``loss_se``) are part of the noise of fitted runs; a law whose
    model is its own (``__call__``) says so where they are."""
    autocorrelated: ClassVar[bool] = False
    """Whether errors last from row to row, as along one run: the model states each outcome given the one before."""
    by_task: ClassVar[bool] = False
    """Whether the law describes all tasks of a study together; otherwise it is fitted to one at a time."""

    @classmethod
    def own_priors(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the priors that a choice of options puts in place of the defaults; what is given counts before them.

        They come and go with the options in ``replace``, too.

        Parameters
        ----------
        fields : mapping of str to object
            The fields that are given.
        """
        return {}

    @property
    def name(self) -> str:
        """The law's name, as the command line and the tables print it."""
        return type(self).__name__

    # -- its outcomes -----------------------------------------------------------------------------------------------

    @property
    def quantities(self) -> dict[str, str]:
        """What this law forecasts, with units."""
        return {self.outcome: self.unit}

    @property
    def additive(self) -> bool:
        """Whether noise adds to the outcome, an accuracy or one that may be of any sign; otherwise it is a factor."""
        return self.outcome == "accuracy" or self.outcome in self.signed

    def lower_is_better(self, quantity: str) -> bool:
        """Say whether less of a quantity is better, as ``better`` has it.

        Raises
        ------
        LawError
            The law does not say.
        """
        if quantity not in self.better:
            raise LawError(
                f"{self.name} does not say which way {quantity!r} is better; give the law "
                f"better = {{{quantity!r}: 'higher'}}, or 'lower'."
            )
        return self.better[quantity] == "lower"

    def allows(self, name: str, values: np.ndarray) -> np.ndarray:
        """Say of each value whether an input may have it: finite, and positive unless the law says otherwise.

        Parameters
        ----------
        name : str
            An input, by its symbol.
        values : array, shape (row,)
            Its values.

        Examples
        --------
        >>> from bayes_scaling.models import Chinchilla
        >>> Chinchilla().allows("N", np.array([1e9, 0.0, np.inf])).tolist()
        [True, False, False]
        """
        if name in self.signed:
            return np.isfinite(values)
        if name in self.flags:
            return np.isin(values, (0.0, 1.0))
        return np.isfinite(values) & ((values > 0) | ((values == 0) & (name in self.indicators)))

    @property
    def series(self) -> tuple[str, ...]:
        """The loss columns that a law of several series describes together; empty where it describes one outcome."""
        return ()

    @property
    def shares(self) -> tuple[str, ...]:
        """The inputs that are shares of one mixture of training data, in which its loss is convex; empty: none are."""
        return ()

    @property
    def route(self) -> str | None:
        """The loss through which a law of several steps goes from its inputs to its outcome; None: it goes directly."""
        return None

    def series_of(self, task: str, labels: Sequence[str]) -> str:
        """Return which of the labels of a quantity's series stands for a task: the task's own."""
        return task

    def dims(self, study: Study) -> tuple[dict[str, list[str]], dict[str, Any]]:
        """Return (dims, coords) of the posterior's sites, for ArviZ; scalars need none."""
        return {}, {}

    # -- its equation and its sampler -------------------------------------------------------------------------------

    relations: ClassVar[Mapping[str, str]] = {}
    """What each derived constant is made of, in LaTeX: parameters by their names, references as ``N_0``."""

    def derived(self, *runs: Any, **parameters: Any) -> dict[str, jax.Array]:
        """Return further constants to publish, such as the textbook ``A`` and ``B``."""
        return {}

    def irreducible(self, runs: Arrays, parameters: Arrays) -> jax.Array | float | None:
        """Return the irreducible outcome, above which the slope may be off beyond the data: the parameter ``E``, or 0.

        Of an outcome that is better higher it is the ceiling, below which the slope may be off.  None where there is
        none, as there is by default for what is better higher and for outcomes of any sign (``signed``).

        Parameters
        ----------
        runs : mapping of str to array
            Columns and references, as for :meth:`at`.
        parameters : mapping of str to array
            One draw of the parameters; what is fixed is in it too.
        """
        endless = self.better.get(self.outcome) == "higher" or self.outcome in self.signed
        return parameters.get("E", None if endless else 0.0)

    @property
    def slope_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the relative error of the slope beyond the data, as the law states them.

        Raises
        ------
        LawError
            The prior of ``discrepancy`` has no mean or no variance.
        """
        scale = self.discrepancy
        if isinstance(scale, (int, float)):
            return 0.0, float(scale)
        try:
            spread = math.sqrt(scale.mean**2 + scale.variance)  # the error is a standard normal times the scale
        except NotImplementedError:
            spread = math.inf
        if not math.isfinite(spread):
            raise LawError(
                f"{self.name}.discrepancy is {describe(scale)}, which has no finite mean and variance, and the spread "
                "of the error of the slope is made of them; give a number, or a prior that has both, such as a "
                "LogNormal."
            )
        return 0.0, spread

    def with_slope(self, mean: float, spread: float) -> Any:
        """Return the law with another error of the slope; one that knows no mean widens by it."""
        return self.replace(discrepancy=math.hypot(mean, spread))

    def sigma_of(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the noise that is learnt of each run: ``sigma``, the same for all.

        Parameters
        ----------
        runs : mapping of str to array
            Columns and references, as for :meth:`at`.
        parameters : mapping of str to array
            One draw of the parameters; what is fixed is in it too.
        """
        return parameters["sigma"]

    def unseen(self, shape: tuple[int, ...] = (), prefix: str = "") -> dict[str, jax.Array]:
        """Sample what else no fitted run tells of runs beyond them, for :meth:`extrapolated`: nothing.

        Parameters
        ----------
        shape : tuple of int
            Of each of it, where a law describes several series.
        prefix : str
            Of the names of its sites.
        """
        return {}

    def beyond(self, sigma: jax.Array) -> jax.Array:
        """Return the noise of runs that were not fitted, from that of fitted ones: the same."""
        return sigma

    def noise_of(self, runs: Arrays, mean: jax.Array, sigma: jax.Array) -> jax.Array:
        """Return the noise of each outcome, from what is learnt and what is known of it; by default the former alone.

        Parameters
        ----------
        runs : mapping of str to array
            Columns and references, as for :meth:`at`.
        mean : array
            Expected outcomes.
        sigma : array
            What is learnt.
        """
        return sigma

    def known_noise(self, mean: jax.Array, error: jax.Array) -> jax.Array:
        """Return what known standard errors of outcomes are on the scale of ``sigma``.

        Relative, as of a logarithm; as they are where noise adds to the outcome (``additive``).

        Parameters
        ----------
        mean : array
            Expected outcomes.
        error : array
            Their standard errors, in the unit of the outcome.
        """
        return error if self.additive else error / jnp.maximum(mean, 1e-12)

    def straighten(self, u: dict[str, jax.Array], runs: Arrays) -> dict[str, jax.Array]:
        """Map the sampler's coordinates to unconstrained parameters; override it to straighten a curved posterior.

        The map must have unit Jacobian (each coordinate shifted by a function of the others), so that priors keep
        their meaning.
        """
        return u

    @property
    def program(self) -> Any:
        """The law whose compiled program serves this one; itself, unless laws differ in their data alone."""
        return self

    # -- its paper --------------------------------------------------------------------------------------------------

    def centred(self, runs: Arrays, **constants: Any) -> dict[str, Any]:
        """Return the parameters of this law at the references of ``runs`` from the textbook constants of its paper.

        Parameters
        ----------
        runs : mapping of str to array
            Columns and references, as :meth:`arrays` returns them.
        **constants : float
            The constants; those of a law without textbook constants are its parameters themselves.
        """
        return constants

    def transferred(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the data that pre-training is worth, D_T, in the unit of ``D_F``; laws of transfer say so.

        Raises
        ------
        LawError
            This is no law of transfer.
        """
        raise LawError(f"{self.name} says nothing of transfer; fit one of the laws of transfer.")

    def enough(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Return the data with which training from scratch is near its limit, D(N), in the unit of ``D_F``.

        Raises
        ------
        LawError
            This is no law of transfer.
        """
        raise LawError(f"{self.name} says nothing of transfer; fit one of the laws of transfer.")
