"""A fitted law: its draws, its data and its diagnostics in one ``xarray.DataTree``."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import arviz_base
import numpy as np
import xarray as xr

from bayes_scaling.diagnostics import Diagnostics
from bayes_scaling.errors import ConvergenceError, FileError

if TYPE_CHECKING:
    import pandas as pd

    from bayes_scaling.forecast import Forecast
    from bayes_scaling.law import Law
    from bayes_scaling.nuts import Sampled
    from bayes_scaling.problems import Problems
    from bayes_scaling.study import Study

__all__ = ["Posterior"]


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of a law on a study.

    Attributes
    ----------
    law : Law
        The law that was fitted.
    study : Study
        The runs it was fitted on.
    tree : xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data`` and ``constant_data``, dims ``chain``, ``draw``,
        ``run`` and those of the law (``series``, ``task``); ArviZ reads it as it is.  Provenance is in its attributes.
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
        given = self.study.card.units
        return {quantity: given.get(quantity, unit) for quantity, unit in self.law.quantities.items()}

    @classmethod
    def from_sampled(
        cls, law: Law, study: Study, sampled: Sampled, diagnostics: Diagnostics, *, seed: int, seconds: float
    ) -> Posterior:
        """Put what the sampler returned, and the data it saw, into one tree."""
        runs, observed = law.arrays(study)
        dims, coords = law.dims(study)
        by_run = {name: ["run", *dims.get(name, [])] for name in (*law.run_inputs, *observed)}
        groups: dict[str, Any] = {
            "posterior": sampled.posterior,
            "sample_stats": {
                "diverging": sampled.diverging,
                "n_steps": sampled.steps,
                "acceptance_rate": sampled.accept,
                "energy": sampled.energy,
            },
        }
        tree = arviz_base.from_dict(groups, dims=dims, coords=coords)
        coords = {**coords, "run": run_labels(study, len(next(iter(observed.values()))))}
        for group, arrays in (("observed_data", observed), ("constant_data", runs)):
            shown = {k: (by_run.get(k, []), np.asarray(v)) for k, v in arrays.items() if k in by_run or np.ndim(v) == 0}
            used = {d for names, _ in shown.values() for d in names}
            tree[group] = xr.DataTree(xr.Dataset(shown, coords={k: v for k, v in coords.items() if k in used}))
        tree.attrs = {
            **provenance(law, study),
            "seed": seed,
            "seconds": seconds,
            "diagnostics": json.dumps(dataclasses.asdict(diagnostics)),
        }
        return cls(law, study, tree, diagnostics)

    # -- draws ------------------------------------------------------------------------------------------------------

    @property
    def draws(self) -> dict[str, np.ndarray]:
        """All posterior draws by site, chains put end to end: arrays of shape (sample, ...)."""
        group = self.tree["posterior"].dataset
        return {str(k): v.to_numpy().reshape(-1, *v.shape[2:]) for k, v in group.data_vars.items()}

    @property
    def run_labels(self) -> np.ndarray:
        """The name of the run of each row of outcomes; its number where the study names none."""
        return self.tree["observed_data"]["run"].to_numpy()

    @property
    def seed(self) -> int:
        """The seed of the fit."""
        return int(self.tree.attrs["seed"])

    def summary(self, **options: Any) -> pd.DataFrame:
        """Return ArviZ's summary table of the parameters; ``options`` go to :func:`arviz_stats.summary`."""
        from arviz_stats import summary

        return summary(self.tree, **options)

    def diagnose(self, *, seed: int | None = None) -> Problems:
        """Return everything that speaks against this fit, a record each; printed, a sentence each.

        Codes, numbers and limits are those of :func:`bayes_scaling.health.examine` and, for runs the law does not
        expect, :func:`bayes_scaling.outliers.outliers`; ``seed`` is that of the prior draws, by default the fit's.
        """
        from bayes_scaling.health import examine
        from bayes_scaling.outliers import outliers

        return examine(self, seed=seed) + outliers(self)

    def require_converged(self, allow_unconverged: bool = False) -> None:
        """Refuse a fit that did not converge.

        Raises
        ------
        ConvergenceError
            With what is wrong and what to do about it.
        """
        problems = self.diagnostics.problems()
        if problems and not allow_unconverged:
            raise ConvergenceError(
                f"The fit of {self.law.name} to {self.study.name!r} did not converge: {' '.join(problems)} "
                "To use it all the same, pass allow_unconverged=True."
            )

    def with_groups(self, *groups: str, seed: int | None = None) -> Posterior:
        """Return this posterior with more ArviZ groups in its tree; see :func:`bayes_scaling.complete`.

        Parameters
        ----------
        *groups : str
            Of :data:`bayes_scaling.predictive.GROUPS`: ``log_likelihood``, ``log_prior``, ``prior``,
            ``prior_predictive``, ``posterior_predictive`` ...; all of them where none is named.
        seed : int, optional
            Seed of the predictive draws; by default the fit's.
        """
        from bayes_scaling.predictive import GROUPS, complete

        return complete(self, groups or tuple(GROUPS), seed=seed)

    def forecast(self, targets: Any = None, **options: Any) -> Forecast:
        """Forecast runs nobody fitted; see :func:`bayes_scaling.forecasting.forecast`."""
        from bayes_scaling.forecasting import forecast

        return forecast(self, targets, **options)

    def forecast_chunks(self, targets: Any = None, **options: Any) -> Iterator[Forecast]:
        """Forecast many runs a few at a time; see :func:`bayes_scaling.forecasting.forecast_chunks`."""
        from bayes_scaling.forecasting import forecast_chunks

        return forecast_chunks(self, targets, **options)

    def report(self, path: str | Path, targets: Any = None, **options: Any) -> Path:
        """Forecast runs nobody fitted and write it all to one HTML page; see :func:`bayes_scaling.report.report`."""
        from bayes_scaling.report import report

        return report(self, path, targets, **options)

    # -- files ------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the tree to a netCDF file, whole or not at all.

        Raises
        ------
        FileError
            The file cannot be written.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            part.touch()
        except OSError as error:
            raise FileError(
                f"Cannot write {str(path)!r} ({error.strerror}); choose a folder you may write to."
            ) from error
        try:
            self.tree.to_netcdf(part, engine="h5netcdf")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
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
        """
        path = Path(path)
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
        for key, what in (("law", "the law"), ("checksum", "the study")):
            if tree.attrs.get(key) != expected[key]:
                raise FileError(
                    f"{str(path)!r} does not match {what}: it holds {tree.attrs.get(key)}, you gave {expected[key]}; "
                    "load it with what it was fitted with, or fit anew."
                )
        return cls(law, study.training, tree, diagnostics)


def run_labels(study: Study, rows: int) -> np.ndarray:
    """Return the run of each row of outcomes: rows are runs, or checkpoints of runs, or are not named at all."""
    if "run" not in study.frame:
        return np.arange(rows)
    names = study.frame["run"]
    return (names if len(names) == rows else names.drop_duplicates()).to_numpy()


def provenance(law: Law, study: Study) -> Mapping[str, str]:
    """Return what a result must remember of its making: law with priors, study, checksum, versions."""
    from bayes_scaling import __version__

    return {
        "law": repr(law),
        "study": study.name,
        "checksum": study.checksum,
        "bayes_scaling": __version__,
        "versions": _versions(),
    }


@cache
def _versions() -> str:
    """Return the versions of what a fit rests on; reading them takes as long as a tenth of a small fit."""
    return json.dumps({name: version(name) for name in ("jax", "numpyro", "numpy", "xarray", "arviz-base")})
