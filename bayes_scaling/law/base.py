"""The base class of every law: from priors and one equation to a NumPyro model.

A law is a frozen dataclass.  Fields annotated ``Prior`` are its parameters; the method ``mean`` is its equation,
with the study's columns as positional arguments and the parameters as keyword-only ones.  The base class writes the
generative model once; a joint law overrides ``__call__`` in plain NumPyro.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

from bayes_scaling.errors import LawError, counted
from bayes_scaling.law.code import code_of, digest
from bayes_scaling.law.fields import (
    FieldNote,
    by_name,
    data_field,
    document,
    equation_inputs,
    field_notes,
    in_support,
    is_prior,
    no_gradient,
    option,
    prior,
    require_fields,
)
from bayes_scaling.law.inputs import Inputs
from bayes_scaling.law.noise import ClippedNormal
from bayes_scaling.law.priors import EXACT, Prior, describe, on_runs, pack, unpack
from bayes_scaling.law.sites import (
    Arrays,
    extrapolate,
    observe,
    sample_or_fix,
    sample_slope_error,
    stretch,
    told_plainly,
    with_known_error,
)
from bayes_scaling.study.rows import shown

__all__ = ["Law", "require_law"]

HANDED_ON = frozenset({"__call__", "at", "parameters"})  # what hands parameters to the equation


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(prior, option, data_field))
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Law(Inputs):
    r"""A generative model of training-run outcomes.

    Subclass it, give each parameter a prior, write ``mean``; that is all.  The outcome is modelled on its logarithm
    with Student-t noise (5 degrees of freedom), so a run that went wrong does not bend the law.

    Notes
    -----
    A positional argument of ``mean`` is a column of the study: ``N`` (parameters), ``D`` (tokens), ``C`` (FLOPs), or
    any other column by its name.  An argument ``N0`` is the reference of column ``N``: its geometric mean over the
    fitted runs, so that priors speak of the centre of the data.  A parameter called ``E`` is the irreducible outcome;
    a law whose floor is called otherwise says so in ``irreducible``.

    What else the package asks of a law are hooks, all with a default (``bayes_scaling/law/hooks.py``).  A law
    of another outcome than ``loss`` names it in ``outcome`` and ``unit``, and says in ``better`` which way is better.

    Examples
    --------
    >>> import numpyro.distributions as dist, jax.numpy as jnp, bayes_scaling as bs
    >>> class Saturating(bs.Law):
    ...     E: bs.Prior = dist.LogNormal(0.5, 0.5)
    ...     log_A: bs.Prior = dist.Normal(0.0, 1.0)
    ...     alpha_N: bs.Prior = dist.LogNormal(-1.0, 0.5)
    ...     def mean(self, N, *, E, log_A, alpha_N):
    ...         return E + jnp.exp(log_A - alpha_N * jnp.log(N / 1e9))
    >>> Saturating(E=1.69).free_parameters  # a number fixes a parameter
    ['sigma', 'log_A', 'alpha_N']
    """

    sigma: Prior = prior(
        default=dist.LogNormal(math.log(0.01), 1.0),
        unit="fraction",
        reason="Relative noise of the outcome between runs of equal inputs (a fraction: 0.01 is one per cent).",
    )
    discrepancy: Prior = prior(
        default=0.2,
        unit="fraction",
        reason="How wrong the slope of the reducible loss may be beyond the fitted runs (a fraction, standard "
        "deviation): at a step ``d`` in log reducible loss beyond the edge of the data, the forecast moves by "
        "``d * discrepancy`` times a standard normal.  Used by forecasts only, where it can be switched off.",
    )

    notes: ClassVar[Mapping[str, FieldNote]] = {}
    """The unit of and the reason for each parameter, and the meaning of each option, by name."""
    summary: ClassVar[str] = ""
    """First paragraph of what somebody wrote of the law."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        written = cls.__dict__.get("__doc__") or ""  # before dataclass puts a signature in its place
        dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)
        cls.describe_itself(written)
        cls.__init__ = by_name(cls)  # type: ignore[method-assign]
        jax.tree_util.register_pytree_node(cls, Law._flatten, cls._unflatten)
        code_of(cls)  # type: ignore[arg-type]  # while its file is what was read
        if "__call__" in cls.__dict__ and "reads_loss_error" not in cls.__dict__:
            cls.reads_loss_error = False
        if cls._equation_takes_parameters():
            inputs = equation_inputs(cls, cls._prior_fields() - {*cls.noise, "discrepancy"})
            if not inputs:
                raise LawError(f"{cls.__name__}.mean reads no column; name one, as in def mean(self, N, *, E).")
            if "mean" in cls.__dict__ and not isinstance(cls.__dict__.get("inputs"), property):  # by an option
                cls.inputs = inputs

    @classmethod
    def _equation_takes_parameters(cls) -> bool:
        """Say whether all parameters reach ``mean``: it is not Law's, and no class below its own goes another way."""
        below = cls.__mro__[: next(place for place, base in enumerate(cls.__mro__) if "mean" in vars(base))]
        return cls.mean is not Law.mean and not any(HANDED_ON & vars(base).keys() for base in below)

    @classmethod
    def _prior_fields(cls) -> set[str]:
        return {f.name for f in dataclasses.fields(cls) if is_prior(f)}

    @classmethod
    def describe_itself(cls, written: str) -> None:
        """Keep what is said of each field, and put it into the docstring that somebody wrote."""
        cls.notes = field_notes(cls)
        cls.summary = inspect.cleandoc(written).partition("\n\n")[0]
        cls.__doc__ = document(written or f"The law {cls.__name__}.", cls, cls.notes)

    def __post_init__(self) -> None:
        self.require_held()
        takes_logarithm = type(self).likelihood is Law.likelihood and type(self).__call__ is Law.__call__
        if self.outcome in self.signed and takes_logarithm:
            raise LawError(
                f"{self.name} names {self.outcome} among its signed outcomes and has no likelihood of its own, so that "
                "its logarithm is taken; write one with noise that adds, such as dist.StudentT(5.0, mean, sigma)."
            )
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        for name, default in defaults.items():
            given = self.fields[name]
            if isinstance(default, tuple) and isinstance(given, Iterable) and not isinstance(given, tuple):
                object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
            elif self.notes[name].kind == "option" and isinstance(given, np.generic):
                object.__setattr__(self, name, given.item())
        require_fields(type(self), self.notes, self.fields)
        for name, own in self.priors.items():
            if isinstance(own, dist.Distribution):
                if own.batch_shape or own.event_shape:
                    raise LawError(f"{self.name}.{name} has a prior of shape {own.shape()}; give a scalar one.")
                if cure := no_gradient(own):
                    raise LawError(f"{self.name}.{name} has the prior {type(own).__name__}, {cure}.")
            elif isinstance(own, bool) or not isinstance(own, (int, float, np.number)) or not math.isfinite(own):
                raise LawError(
                    f"{self.name}.{name} is {own!r}; give a NumPyro distribution, or a finite number to fix it."
                )
            elif name == "sigma" and not own > 0:
                raise LawError(f"{self.name}.sigma is {own:g}, and runs have noise; fix it at a positive number.")
            elif name == "discrepancy" and own < 0:
                raise LawError(f"{self.name}.discrepancy is {own:g}, and a spread is 0 or more; give it such a number.")
            elif not in_support(float(own), defaults[name]):
                raise LawError(
                    f"{self.name}.{name} is {own:g}, where its prior {describe(defaults[name])} has no mass; give a "
                    "number that it allows, or a prior of your own."
                )
            else:
                object.__setattr__(self, name, float(own))  # NumPy's numbers are not all floats

    def require_held(self) -> None:
        """Refuse laws that this one cannot hold: it takes their equation, with what is asked of any law, and no more.

        Raises
        ------
        LawError
            The model of one, or its noise, is its own; or it is no law.
        """
        for field in dataclasses.fields(self):
            held, default = self.fields[field.name], field.default
            if isinstance(default, Law):
                require_law(held, f"{self.name}.{field.name}")
            if not isinstance(held, Law):
                continue
            if held.noise != Law.noise:
                raise LawError(
                    f"{self.name}.{field.name} is {held.name}, whose noise has the parameters {', '.join(held.noise)}; "
                    f"{self.name} has a noise of its own, so give a law with sigma alone."
                )
            if type(held).__call__ not in (Law.__call__, type(default).__call__):
                such = f", such as {default.name}" if isinstance(default, Law) else ""
                raise LawError(
                    f"{self.name}.{field.name} is {held.name}, whose model is more than its equation (__call__), and "
                    f"{self.name} takes the equation alone; give a law without a model of its own{such}."
                )

    # -- identity ---------------------------------------------------------------------------------------------------

    @property
    def fields(self) -> dict[str, Any]:
        """Every field of this law by name: parameters with their priors, options, and the data it holds."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @property
    def priors(self) -> dict[str, Prior]:
        """Every parameter of this law with its prior (or the number it is fixed at)."""
        names = self._prior_fields()
        return {name: value for name, value in self.fields.items() if name in names}

    def __repr__(self) -> str:
        return self._told()

    @property
    def identity(self) -> str:
        """The law with its fields as text, every digit of its numbers: the same for equal laws, and for no others."""
        return self._told(EXACT)

    @property
    def source_digest(self) -> str:
        """A digest of the equations of a user's law and of those it holds; empty where all are the package's own.

        It is empty, too, where Python cannot find the source, as of a law that was typed into a plain interpreter.
        """
        held = (own.source_digest for own in self.fields.values() if isinstance(own, Law))
        return digest([code_of(type(self)), *held])  # type: ignore[arg-type]

    def _told(self, digits: int = 6) -> str:
        """Return the law with its fields as text, the numbers of its priors to so many digits."""
        own = [f.name for f in dataclasses.fields(self)]
        own = [n for n in own if n not in ("sigma", "discrepancy")] + [n for n in own if n in ("sigma", "discrepancy")]
        priors = self._prior_fields()

        def told(name: str, value: Any) -> str:
            if name in priors:
                return describe(value, digits)
            return value._told(digits) if isinstance(value, Law) else repr(value)

        return f"{self.name}({', '.join(f'{n}={told(n, getattr(self, n))}' for n in own)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Law) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash((type(self), self.identity))

    def _flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Priors, numbers and held laws are data, options are structure: other priors never compile a program again."""
        return self._flat

    @cached_property
    def _flat(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        names = self._data_fields()
        options = tuple((f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in names)
        data, structures = zip(*(unpack(getattr(self, name)) for name in names), strict=True)
        return data, (tuple(zip(names, structures, strict=True)), options)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields: equal laws are written as the same bytes, whether or not they were used before."""
        return {name: value for name, value in vars(self).items() if name != "_flat"}

    @classmethod
    def _data_fields(cls) -> tuple[str, ...]:
        """Return the fields that hold data, told by their declaration: inside JAX their values are placeholders."""
        return tuple(f.name for f in dataclasses.fields(cls) if cls.notes[f.name].kind != "option")

    @classmethod
    def _unflatten(cls, structure: tuple[Any, ...], data: tuple[Any, ...]) -> Law:
        law = object.__new__(cls)
        fields, options = structure
        packed = ((name, pack(value, inner)) for (name, inner), value in zip(fields, data, strict=True))
        for name, value in (*packed, *options):
            object.__setattr__(law, name, value)
        return law

    def replace(self, **changes: Any) -> Law:
        """Return this law with some priors (or options) changed; others that an option brought go with that option."""
        if any(name in self.notes and self.notes[name].kind == "option" for name in changes):
            defaults = {f.name: f.default for f in dataclasses.fields(self)}
            before, after = (self.own_priors(fields) for fields in (self.fields, self.fields | changes))
            brought = {name: before.get(name, defaults[name]) for name in {**before, **after}}
            changes = {
                name: after.get(name, defaults[name])
                for name, own in brought.items()
                if describe(self.fields[name], EXACT) == describe(own, EXACT)
            } | changes
        return dataclasses.replace(self, **changes)

    @property
    def free_parameters(self) -> list[str]:
        """The parameters a fit has to learn: those with a prior, without the forecast's discrepancy."""
        return [n for n, own in self.priors.items() if n != "discrepancy" and isinstance(own, dist.Distribution)]

    @property
    def fixed_parameters(self) -> dict[str, float]:
        """The parameters fixed at a number, by name, without the forecast's discrepancy."""
        return {n: own for n, own in self.priors.items() if n != "discrepancy" and n not in self.free_parameters}

    @property
    def own_model(self) -> bool:
        """Whether ``__call__`` is its own, so that forecasts are more than a likelihood around :meth:`extrapolated`."""
        return type(self).__call__ is not Law.__call__

    # -- the model --------------------------------------------------------------------------------------------------

    def mean(self, *columns: Any, **parameters: Any) -> Any:
        """Return the law's outcome at the given columns; the one method a new law writes."""
        raise NotImplementedError(f"{self.name} has no equation; write its mean method.")

    def likelihood(self, mean: jax.Array, sigma: jax.Array) -> dist.Distribution:
        """Return the distribution of an outcome around ``mean``: Student t on the logarithm.

        Accuracies are fractions of which none is above one, and some are 0: they are normal, clipped to 0 and 1.
        """
        if self.outcome == "accuracy":
            return ClippedNormal(mean, sigma)
        log_mean = jnp.log(jnp.maximum(mean, 1e-12))
        return dist.TransformedDistribution(dist.StudentT(5.0, log_mean, sigma), dist.transforms.ExpTransform())

    def slope_error(self, shape: tuple[int, ...] = ()) -> jax.Array:
        """Sample the relative error of the slope beyond the fitted runs, of ``shape``, inside a NumPyro model."""
        return sample_slope_error(self.discrepancy, shape)

    def parameters(self, runs: Arrays) -> dict[str, jax.Array]:
        """Sample every parameter from its prior on these runs, inside a NumPyro model."""
        priors = {name: own for name, own in self.priors.items() if name != "discrepancy"}
        return {name: sample_or_fix(name, on_runs(name, own, runs)) for name, own in priors.items()}

    def publish(self, runs: Arrays, parameters: Arrays) -> None:
        """Put the constants that follow from the parameters (``derived``) beside them, inside a NumPyro model."""
        for name, value in self.derived(runs, **{k: v for k, v in parameters.items() if k not in self.noise}).items():
            numpyro.deterministic(name, value)

    def at(self, runs: Arrays, parameters: Arrays) -> jax.Array:
        """Evaluate ``mean`` at the columns of ``runs``, or at what stands for those they lack; without the noise.

        Raises
        ------
        LawError
            ``mean`` returns nothing, or fails as it is traced.
        """
        own = {k: v for k, v in parameters.items() if k in self._prior_fields() - {*self.noise, "discrepancy"}}
        runs = {**self.absent, **runs}
        with told_plainly(f"{self.name}.mean"):
            outcome = self.mean(*(runs[name] for name in self.inputs), **own)
        if outcome is None:
            raise LawError(f"{self.name}.mean returns nothing; return the outcome of each run.")
        constant = jnp.ndim(outcome) == 0 and self.run_inputs  # the same for all runs
        return jnp.broadcast_to(outcome, jnp.shape(runs[self.run_inputs[0]])) if constant else outcome

    def extrapolated(self, runs: Arrays, fitted: Arrays, parameters: Arrays, slope_error: jax.Array) -> jax.Array:
        """Return the outcome at ``runs``, the slope of its reducible part off by ``slope_error`` beyond ``fitted``.

        The reducible part of an outcome that is better higher is what lies between it and its ceiling; where it has
        none, what it gains beyond the fitted runs is stretched instead.
        """
        sign = -1.0 if self.better.get(self.outcome) == "higher" else 1.0
        there, here = self.at(runs, parameters), self.at(fitted, parameters)
        limit, edge = self.irreducible(runs, parameters), self.irreducible(fitted, parameters)
        if limit is None or edge is None:
            return sign * stretch(sign * there, sign * here, slope_error)
        return limit + sign * extrapolate(sign * (there - limit), sign * (here - edge), slope_error)

    def new_noise(self, runs: Arrays, mean: jax.Array, parameters: Arrays) -> jax.Array:
        """Return the noise of runs that were not fitted: what is learnt, how far it grows, and what is known of it.

        Parameters
        ----------
        runs : mapping of str to array
            Columns and references, as for :meth:`at`.
        mean : array, shape (run,)
            Expected outcomes.
        parameters : mapping of str to array
            One draw of the parameters; what is fixed is in it too.
        """
        return self.noise_of(runs, mean, self.beyond(self.sigma_of(runs, parameters)))

    def __call__(self, runs: Arrays, observed: Arrays | None = None, fitted: Arrays | None = None) -> None:
        """Run the NumPyro model.

        Parameters
        ----------
        runs : mapping of str to array, shape (run,)
            The columns that ``mean`` asks for, and the references as scalars.
        observed : mapping, optional
            Outcomes, shape (run,); NaN marks an outcome to leave out.  None, or an outcome that is not there, samples
            them.  ``loss_se`` is the known standard error of each loss, NaN where it is not known.
        fitted : mapping, optional
            The runs a forecast was fitted on; NaN marks padding.  When given, the extrapolation discrepancy is applied
            beyond them.
        """
        parameters = self.parameters(runs)
        mean = self.at(runs, parameters)
        if jnp.shape(mean) != jnp.shape(runs[self.run_inputs[0]]):
            raise LawError(f"{self.name}.mean returns the shape {jnp.shape(mean)}; return an outcome for each run.")
        self.publish(runs, parameters)
        if fitted is not None:
            mean = self.extrapolated(runs, fitted, {**parameters, **self.unseen()}, self.slope_error())
        if observed is None:
            numpyro.deterministic(f"{self.outcome}_mean", mean)
        with numpyro.plate("run", jnp.shape(mean)[0]):
            if fitted is None:
                learnt = self.sigma_of(runs, parameters)
                known = with_known_error(learnt, mean, observed, self.known_noise, self.likelihood)
                sigma = self.noise_of(runs, mean, known)
            else:
                sigma = self.new_noise(runs, mean, parameters)
            observe(self.outcome, self.likelihood(mean, sigma), observed)


Law.describe_itself(Law.__doc__ or "")


def require_law(law: Any, what: str = "The law") -> Law:
    """Return a law that is one.

    Parameters
    ----------
    law : Law
        What should be one.
    what : str
        What it is called, for the message.

    Raises
    ------
    LawError
        It is something else, such as the class of a law.
    """
    if not isinstance(law, Law):
        name = law.__name__ if isinstance(law, type) else "Chinchilla"
        several = isinstance(law, (list, tuple)) and law and all(isinstance(one, Law) for one in law)
        cure = f"give one of its {counted(len(law), 'law')}, such as the first, [0]" if several else f"write {name}()"
        raise LawError(f"{what} is {shown(law)}, which is a {type(law).__name__} and no law; {cure}.")
    return law
