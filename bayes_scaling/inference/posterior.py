"""A fitted law: its draws, its data and its diagnostics in one ``xarray.DataTree``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import arviz_base
import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.errors import ConvergenceError, FileError, LawError, whole
from bayes_scaling.files import atomic_file
from bayes_scaling.inference.diagnostics import Diagnostics
from bayes_scaling.inference.imported import imported
from bayes_scaling.law.base import require_law
from bayes_scaling.law.sites import without_known_errors
from bayes_scaling.law.trace import latent_names
from bayes_scaling.methods import PosteriorMethods
from bayes_scaling.study.rows import numbered
from bayes_scaling.study.study import require_study
from bayes_scaling.version import __version__

if TYPE_CHECKING:
    from bayes_scaling.inference.nuts import Sampled
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["CODE", "IDENTITY", "Posterior", "evenly_spaced", "other_code", "provenance", "require_posterior"]

IDENTITY = "identity"
"""Under which a result keeps its law with every digit; older files do not, and hold the digits that are read alone."""
CODE = "code"
"""Under which a result keeps the digest of a user's equations; older files do not, and none is held against none."""
TELLING = {"law": "law", IDENTITY: "law", "checksum": "study"}
"""By which of what it remembers a result is held against a law and a study, and which of them that tells of."""


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior(PosteriorMethods):
    """The posterior of a law on a study.

    What is done with it are functions: :func:`bayes_scaling.forecast`, :func:`bayes_scaling.diagnose` and so on; some
    also chain (``posterior.forecast(targets)``), as ``bayes_scaling/methods.py`` lists.

    Attributes
    ----------
    law : Law
        The law that was fitted.
    study : Study
        The runs it was fitted on.
    tree : xarray.DataTree
        Groups ``posterior``, ``derived``, ``sample_stats``, ``observed_data`` and ``constant_data``, dims ``chain``,
        ``draw``, ``run`` and those of the law (``series``, ``task``); ArviZ reads it as it is.  ``derived`` holds the
        constants that follow from the parameters, such as the textbook's A and B: they are many orders of magnitude
        larger, and would flatten every table and picture of the others.  Provenance is in its attributes.
    diagnostics : Diagnostics
        Whether the chains converged.
    """

    law: Law
    study: Study
    tree: xr.DataTree
    diagnostics: Diagnostics

    def __repr__(self) -> str:
        state = "converged" if self.diagnostics.converged else "NOT CONVERGED"
        return f"Posterior({self.law.name} on {self.study.name!r}, {self.diagnostics.draws} draws, {state})"

    @property
    def units(self) -> dict[str, str]:
        """Unit of each quantity: the study's where its card says one, otherwise the law's."""
        card = self.study.card
        return {quantity: card.unit(quantity, unit) for quantity, unit in self.law.quantities.items()}

    @property
    def series_units(self) -> dict[str, str]:
        """Unit of each loss of a law of several series: what the study's card says, or "as given"."""
        return {series: self.study.card.unit(series) for series in self.law.series}

    @classmethod
    def from_sampled(
        cls,
        law: Law,
        study: Study,
        sampled: Sampled,
        diagnostics: Diagnostics,
        *,
        seed: int,
        seconds: float,
        asked: Mapping[str, Any] | None = None,
    ) -> Posterior:
        """Put what the sampler returned, the data it saw, and the plan and effort asked for into one tree."""
        runs, observed = law.arrays(study)
        dims, coords = law.dims(study)
        by_run = {name: ["run", *dims.get(name, [])] for name in (*law.run_inputs, *observed)}
        latent = latent_names(law, runs, observed)
        derived = {n: v for n, v in sampled.posterior.items() if not {n, f"{n}_mean"} & latent}
        groups: dict[str, Any] = {
            "posterior": {n: v for n, v in sampled.posterior.items() if n not in derived},
            **({"derived": derived} if derived else {}),
            "sample_stats": {
                "diverging": sampled.diverging,
                "n_steps": sampled.steps,
                "acceptance_rate": sampled.accept,
                "energy": sampled.energy,
            },
        }
        tree = arviz_base.from_dict(groups, dims=dims, coords=coords)
        coords = {**coords, "run": run_labels(study, len(next(iter(observed.values()))))}
        outcomes = without_known_errors(observed)
        constants = {**runs, **{name: values for name, values in observed.items() if name not in outcomes}}
        for group, arrays in (("observed_data", outcomes), ("constant_data", constants)):
            shown = {k: (by_run.get(k, []), np.asarray(v)) for k, v in arrays.items() if k in by_run or np.ndim(v) == 0}
            used = {d for names, _ in shown.values() for d in names}
            tree[group] = xr.DataTree(xr.Dataset(shown, coords={k: v for k, v in coords.items() if k in used}))
        tree.attrs = {
            **provenance(law, study),
            "seed": seed,
            "seconds": seconds,
            "diagnostics": json.dumps(dataclasses.asdict(diagnostics)),
            "asked": json.dumps(asked or {}),
        }
        return cls(law, study, tree, diagnostics)

    @classmethod
    def from_draws(
        cls,
        law: Law,
        study: Study,
        draws: Any,
        *,
        diverging: Any = None,
        energy: Any = None,
        seed: int = 0,
        seconds: float = 0.0,
    ) -> Posterior:
        """Take over draws that another sampler made of a law, for forecasts, decisions, checks and reports.

        A law is a NumPyro model of ``law.arrays(study.training)``, so that anything that samples NumPyro models, or a
        log density of JAX, samples laws.

        Parameters
        ----------
        law : Law
            The law that was sampled.
        study : Study
            The study it was sampled on; its training runs count.
        draws : mapping of str to array, Dataset or DataTree
            Parameters by site, shape (chain, draw, ...), in their own units and not unconstrained; of ArviZ's tree the
            group ``posterior``.  Constants that follow from them are computed anew.
        diverging, energy : array, shape (chain, draw), optional
            What the sampler says of each draw; without them nothing is known of divergences, nor of the energy.
        seed : int
            Seed of the forecasts made from it.
        seconds : float
            How long sampling took.

        Raises
        ------
        LawError
            A site of the law is missing, or its draws have another shape, are no finite numbers, or lie where its prior
            has no mass; there are draws of a parameter that the law fixes at another value; or the tree says that its
            draws are of another law, or of other runs.

        Examples
        --------
        >>> mcmc = MCMC(NUTS(law), num_warmup=1000, num_samples=1000, num_chains=4)  # doctest: +SKIP
        >>> mcmc.run(jax.random.key(0), *law.arrays(study.training))  # doctest: +SKIP
        >>> draws = mcmc.get_samples(group_by_chain=True)  # doctest: +SKIP
        >>> bs.Posterior.from_draws(law, study, draws).forecast({"N": 7e9, "D": 4e12})  # doctest: +SKIP
        """
        seed, training = whole("seed", seed, 0), getattr(study, "training", study)
        sampled, diagnostics = imported(law, training, draws, diverging=diverging, energy=energy)
        _require_own(draws, provenance(law, training))
        return cls.from_sampled(law, training, sampled, diagnostics, seed=seed, seconds=seconds)

    # -- draws ------------------------------------------------------------------------------------------------------

    @property
    def draws(self) -> dict[str, np.ndarray]:
        """All draws of parameters and derived constants, chains put end to end: arrays of shape (sample, ...)."""
        groups = [self.tree[name].dataset for name in ("posterior", "derived") if name in self.tree.children]
        return {str(k): v.to_numpy().reshape(-1, *v.shape[2:]) for group in groups for k, v in group.data_vars.items()}

    @property
    def run_labels(self) -> np.ndarray:
        """The name of the run of each row of outcomes; ``row 4`` of the file where the study names none."""
        return self.tree["observed_data"]["run"].to_numpy()

    @property
    def seed(self) -> int:
        """The seed of the fit."""
        return int(self.tree.attrs["seed"])

    def summary(self, **options: Any) -> pd.DataFrame:
        """Return ArviZ's summary table of the parameters.

        Parameters
        ----------
        **options
            As for :func:`arviz_stats.summary`; with ``group="derived"`` it is of the constants that follow from the
            parameters.
        """
        from arviz_stats import summary

        return summary(self.tree, **options)

    def thin(self, count: int | None) -> dict[str, np.ndarray]:
        """Return some posterior draws by site, evenly spaced over all.

        Parameters
        ----------
        count : int or None
            How many; None for every draw.

        Raises
        ------
        BayesScalingError
            It is no whole number of at least 1.
        """
        draws = self.draws
        chosen = evenly_spaced(len(next(iter(draws.values()))), count)
        return {name: values[chosen] for name, values in draws.items()}

    def require_converged(self, allow_unconverged: bool = False, *, override: str = "allow_unconverged=True") -> None:
        """Refuse a fit that did not converge.

        Parameters
        ----------
        allow_unconverged : bool
            Let it pass.
        override : str
            What a user passes to use it all the same, in the words of the interface in use.

        Raises
        ------
        ConvergenceError
            With what is wrong and what to do about it.
        """
        problems = self.diagnostics.problems()
        if problems and not allow_unconverged:
            raise ConvergenceError(
                f"The fit of {self.law.name} to {self.study.name!r} did not converge: {' '.join(problems)} "
                f"To use it all the same, pass {override}."
            )

    # -- files ------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the tree to a netCDF file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file.

        Raises
        ------
        FileError
            The file cannot be written.
        """
        path = Path(path)
        with atomic_file(path) as part:
            self.tree.to_netcdf(part, engine="h5netcdf")
        return path

    @classmethod
    def load(cls, path: str | Path, law: Law, study: Study) -> Posterior:
        """Read a saved posterior back.

        Parameters
        ----------
        path : str or Path
            A file that :meth:`save` wrote.
        law : Law
            The law it was fitted with, priors included.
        study : Study
            The study it was fitted on.

        Raises
        ------
        FileError
            The file is missing or damaged, or holds another law, other priors or another study.
        LawError, StudyError
            What is given as a law or a study is none.
        """
        path, law, study = Path(path), require_law(law), require_study(study)
        if not path.is_file():
            raise FileError(f"There is no file {str(path)!r}; save a posterior there first.")
        try:
            with xr.open_datatree(path, engine="h5netcdf") as opened:
                tree = opened.load()
            diagnostics = Diagnostics(**json.loads(tree.attrs["diagnostics"]))
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise FileError(
                f"{str(path)!r} is damaged or not a saved posterior ({type(error).__name__}); fit anew."
            ) from error
        expected = provenance(law, study.training)
        for key, what in TELLING.items():
            held = tree.attrs.get(key, expected[key] if key == IDENTITY else None)
            if held != expected[key]:
                raise FileError(
                    f"{str(path)!r} does not match the {what}: it holds {held}, you gave {expected[key]}; "
                    "load it with what it was fitted with, or fit anew."
                )
        if other_code(tree.attrs, expected):
            raise FileError(
                f"{str(path)!r} does not match the law: it was fitted with other equations of the name {law.name}; "
                "load it with those, or fit anew."
            )
        return cls(law, study.training, tree, diagnostics)


def require_posterior(value: Any) -> Posterior:
    """Return a posterior that is one.

    Raises
    ------
    LawError
        It is something else, such as a study.
    """
    if not isinstance(value, Posterior):
        raise LawError(
            f"A {type(value).__name__} is given where a fit is needed; make one with bs.fit(law, study, seed=0)."
        )
    return value


def evenly_spaced(count: int, wanted: int | None) -> np.ndarray:
    """Return the places of ``wanted`` of ``count`` draws, evenly spaced over all; every place where it is None.

    Raises
    ------
    BayesScalingError
        ``wanted`` is no whole number of at least 1.

    Examples
    --------
    >>> evenly_spaced(9, 3).tolist(), evenly_spaced(3, None).tolist()
    ([0, 4, 8], [0, 1, 2])
    """
    kept = count if wanted is None else min(whole("samples", wanted, 1), count)
    return np.linspace(0, count - 1, kept).round().astype(int)


def _require_own(draws: Any, expected: Mapping[str, str]) -> None:
    """Refuse a tree that says of itself that it is of another law, or of other runs, than ``expected``."""
    held_by_tree = draws.attrs if isinstance(draws, xr.DataTree) else {}
    for key, what in (TELLING | {"checksum": "runs"}).items():
        if (held := held_by_tree.get(key, expected[key])) != expected[key]:
            raise LawError(
                f"The draws do not match the {what}: their tree says {held}, and you gave {expected[key]}; give what "
                "they were made with, or the group posterior of the tree alone to take them as they are."
            )
    if other_code(held_by_tree, expected):
        raise LawError(
            "The draws do not match the law: their tree was made with other equations of its name; give the law they "
            "were made with, or the group posterior of the tree alone to take them as they are."
        )


def other_code(held: Mapping[Any, Any], expected: Mapping[Any, Any]) -> bool:
    """Say whether two results remember different equations; what either does not know is taken to be the same."""
    one, other = held.get(CODE), expected.get(CODE)
    return bool(one and other and one != other)


def run_labels(study: Study, rows: int) -> np.ndarray:
    """Return the run of each row of outcomes: rows are runs, or checkpoints of runs, or are not named at all."""
    if "run" not in study.frame:
        return np.array(numbered(study.frame)[:rows])
    names = study.frame["run"]
    names = names.astype(str) if pd.api.types.is_datetime64_any_dtype(names) else names  # a file has dates of its own
    return (names if len(names) == rows else names.drop_duplicates()).to_numpy()


def provenance(law: Law, study: Study) -> Mapping[str, str]:
    """Return what a result must remember of its making: law with priors, study, checksum, versions."""
    return {
        "law": repr(law),
        IDENTITY: law.identity,
        CODE: law.source_digest,
        "study": study.name,
        "checksum": study.checksum,
        "bayes_scaling": __version__,
        "versions": _versions(),
    }


@cache
def _versions() -> str:
    """Return the versions of what a fit rests on; reading them takes as long as a tenth of a small fit."""
    return json.dumps({name: version(name) for name in ("jax", "numpyro", "numpy", "xarray", "arviz-base")})
