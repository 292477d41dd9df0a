"""A forecast: predictive draws at runs nobody fitted, with their intervals and scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.errors import TargetError, listed, suggest
from bayes_scaling.forecasts.draws import BLOCK
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.forecasts.scores import score_table
from bayes_scaling.methods import ForecastMethods
from bayes_scaling.study.panel import series_parts
from bayes_scaling.study.rows import shown, task_name
from bayes_scaling.study.validation import MOST_ROWS

__all__ = ["BANDS", "ROUNDING", "Forecast", "by_rank"]

ROUNDING = 1e-9  # relative difference of outcomes that are the same, up to rounding

BANDS = {
    "run": "a new run: law, discrepancy and noise",
    "mean": "the expected outcome: law and discrepancy",
    "law": "the law alone, as if it were exact",
}
"""The three bands of a forecast and what each holds."""


@dataclasses.dataclass(frozen=True, eq=False)
class Forecast(ForecastMethods):
    """Posterior predictive draws at targets.

    Attributes
    ----------
    targets : pandas.DataFrame
        One row per target, index its label, columns the law's inputs; ``distance`` is the target's ``measure``
        (of FLOPs 6ND, where the study has none) over the largest fitted one, NaN where it cannot be told.
    draws : xarray.Dataset
        Variables ``{quantity}_{band}`` with dims (sample, target) and those of the law; bands are in :data:`.BANDS`.
    actual : xarray.Dataset
        Outcomes of the targets where they are known, NaN elsewhere.
    units : mapping of str to str
        Unit of each quantity.
    law, study, seed : str, str, int
        What made it.
    series_units : mapping of str to str
        Units of single series, where they differ from the quantity's.
    measure : str
        The column of the distance: FLOPs, or that of a law in one column.
    discrepancy : bool
        Whether the law's slope may be wrong beyond the fitted runs; of an average, whether that of any part may.
    made : str
        When it was made: date and time, UTC, as ISO 8601 writes them.
    fits : tuple of mapping
        What each fit behind it remembers of its making: ``law`` with its priors, ``study``, ``checksum`` of the runs,
        ``bayes_scaling`` (the version); and its ``weight``, where several were averaged.
    shortfall : xarray.Dataset
        By how much the largest fitted run exceeds the largest that has an outcome in a series, a factor, by quantity:
        so many times as far as in ``targets`` is a target from the runs of that series.  Empty for one series.
    averaged : tuple of str
        The tasks of which it forecasts the mean; empty where it is of single tasks, or of none.
    """

    targets: pd.DataFrame
    draws: xr.Dataset
    actual: xr.Dataset
    units: Mapping[str, str]
    law: str
    study: str
    seed: int
    series_units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measure: str = "flops"
    discrepancy: bool = True
    made: str = ""
    fits: tuple[Mapping[str, Any], ...] = ()
    shortfall: xr.Dataset = dataclasses.field(default_factory=xr.Dataset)
    averaged: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The quantity that answers first: accuracy where it is forecast, otherwise the law's first."""
        return by_rank(self.units)[0]

    @property
    def widened(self) -> bool:
        """Whether the law's discrepancy moves what is expected of any target, as it does beyond the fitted runs."""
        exact, erring = (self.draws[f"{self.head}_{band}"].to_numpy() for band in ("law", "mean"))
        return not np.allclose(exact, erring, rtol=ROUNDING, atol=0, equal_nan=True)

    def __repr__(self) -> str:
        targets = ", ".join(map(str, self.targets.index))
        return f"Forecast({self.law} on {self.study!r}: {targets}; {', '.join(self.units)})"

    def intervals(self, band: str = "run") -> pd.DataFrame:
        """Return one row per target, quantity and task.

        Parameters
        ----------
        band : {"run", "mean", "law"}
            Which uncertainty to show.

        Returns
        -------
        pandas.DataFrame
            ``target``, ``task`` (or ``series``), ``quantity``, ``unit``, ``mean``, ``sd``, ``q05``, ``q25``,
            ``median``, ``q75``, ``q95``, ``actual`` (NaN if unknown), ``distance`` (from the largest run that has an
            outcome of this task).

        Raises
        ------
        TargetError
            There is no such band.
        """
        _require_band(band)
        blocks = []
        for quantity, unit in self.units.items():
            draws = self.draws[f"{quantity}_{band}"]
            table = xr.concat([_summary(part) for part in _parts(draws)], "target")
            table["actual"] = self.actual[quantity]
            table["distance"] = self._distance(quantity)
            frame = table.to_dataframe().reset_index()
            frame["unit"] = unit
            if "series" in frame:
                frame["unit"] = [self.series_units.get(series_parts(label)[0], unit) for label in frame["series"]]
                frame = self._name_series(frame)
            frame["quantity"] = quantity
            blocks.append(frame)
        rows = pd.concat(blocks, ignore_index=True)
        if "task" not in rows:
            rows.insert(1, "task", None)
        columns = ["target", "task", "quantity", "unit", "mean", "sd", *QUANTILES, "actual", "distance"]
        return rows[columns]

    def _distance(self, quantity: str) -> xr.DataArray:
        """Return how far each target is from the largest run of each series; of their average, from the smallest."""
        far = xr.DataArray(self.targets["distance"].to_numpy(dtype=float), dims="target")
        if quantity in self.shortfall:
            behind, actual = self.shortfall[quantity], self.actual[quantity]
            far = far * behind.max([dim for dim in behind.dims if dim not in actual.dims]).reindex_like(actual)
        return far.broadcast_like(self.actual[quantity])

    def _name_series(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Call each series by its task; a loss that tasks share, and a second one of a task, by its column."""
        parts = [series_parts(label) for label in frame.pop("series")]
        column, task = (pd.Series(names, frame.index, dtype=object) for names in zip(*parts, strict=True))
        again = pd.DataFrame({"target": frame["target"], "task": task}).duplicated()
        frame.insert(1, "task", task.where((task != "") & ~again, column))
        return frame

    def over_tasks(self, tasks: str | Sequence[str] | None = None) -> Forecast:
        """Return the forecast of the average over tasks, each counting the same: of accuracies, their mean.

        Draws are averaged, so that what errs together in the tasks of a run does not average out.

        Parameters
        ----------
        tasks : str or sequence of str, optional
            The tasks to average; by default all.

        Returns
        -------
        Forecast
            Of the quantities that are of a task each; its outcome is known where that of every task is.

        Raises
        ------
        TargetError
            The forecast has no tasks, or not these.

        Examples
        --------
        >>> forecast.over_tasks(["PIQA", "COPA"]).intervals()  # doctest: +SKIP
        """
        units = {name: unit for name, unit in self.units.items() if "task" in self.draws[f"{name}_run"].dims}
        if not units:
            raise TargetError(f"The forecast by {self.law} has no tasks to average; it is of {', '.join(self.units)}.")
        known = [str(task) for task in self.draws["task"].to_numpy()]
        named: Any = [tasks] if pd.api.types.is_scalar(tasks) else tasks
        chosen = known if tasks is None else list(dict.fromkeys(task_name(task) for task in named))
        if not chosen or (odd := [task for task in chosen if task not in known]):
            said = f"has no task {odd[0]!r}; {suggest(odd[0], known)}" if chosen else "is asked for no task; name some."
            raise TargetError(f"The forecast {said}")
        names = [f"{name}_{band}" for name in units for band in BANDS]
        return dataclasses.replace(
            self,
            draws=self.draws[names].sel(task=chosen).mean("task", skipna=False),
            actual=self.actual[list(units)].sel(task=chosen).mean("task", skipna=False),
            shortfall=self.shortfall[[name for name in units if name in self.shortfall]].sel(task=chosen),
            units=units,
            averaged=tuple(chosen),
        )

    def score(self, actual: xr.Dataset | None = None, band: str = "run") -> pd.DataFrame:
        """Score the forecast against outcomes; one row per target, task and quantity.

        Parameters
        ----------
        actual : xarray.Dataset, optional
            Outcomes, labelled as ``actual`` of the forecast, which is the default; what is not among them is not
            scored.  :func:`bayes_scaling.score` reads tables and mappings.
        band : {"run", "mean", "law"}
            Which band to score.

        Returns
        -------
        pandas.DataFrame
            ``error`` (median minus actual), ``relative_error``, ``crps``, ``pit``, ``in50``, ``in80``, ``in90``,
            ``width90`` in the quantity's unit, and the outcome itself.

        Raises
        ------
        TargetError
            The outcomes are no Dataset, lack a quantity, or have other labels; or there is no such band.
        """
        actual = self.actual if actual is None else actual
        if not isinstance(actual, xr.Dataset):
            raise TargetError(
                f"The outcomes are a {type(actual).__name__}, and this takes a Dataset, as the forecast has in actual; "
                "bs.score(forecast, outcomes) reads tables and mappings."
            )
        _require_band(band)
        blocks = []
        for quantity in self.units:
            draws = self.draws[f"{quantity}_{band}"]
            known = _in_order_of(draws, actual, quantity)
            stacked = draws.stack(outcome=[d for d in draws.dims if d != "sample"]).transpose("sample", "outcome")
            values = known.stack(outcome=[d for d in draws.dims if d != "sample"])
            table = score_table(stacked.to_numpy(), values.to_numpy())
            where = stacked["outcome"].to_index().to_frame(index=False)
            if "series" in where:
                where = self._name_series(where)
            far = self._distance(quantity).transpose(*known.dims).to_numpy().ravel()
            blocks.append(pd.concat([where, table], axis=1).assign(quantity=quantity, distance=far))
        rows = pd.concat(blocks, ignore_index=True)
        return rows[np.isfinite(rows["actual"])].reset_index(drop=True)


def by_rank(quantities: Iterable[str]) -> list[str]:
    """Return quantities in the order in which they answer: accuracy first, the others as they are.

    Examples
    --------
    >>> by_rank(["loss", "accuracy"])
    ['accuracy', 'loss']
    """
    return sorted(quantities, key="accuracy".__ne__)


def _require_band(band: str) -> None:
    """Refuse what is none of the bands."""
    if band not in BANDS:
        raise TargetError(f"There is no band {band!r}; {suggest(band, BANDS)}")


def _in_order_of(draws: xr.DataArray, actual: xr.Dataset, quantity: str) -> xr.DataArray:
    """Return the outcomes of one quantity in the order of its draws, NaN where there is none."""
    dims = [str(dim) for dim in draws.dims if dim != "sample"]
    if quantity not in actual or set(actual[quantity].dims) != set(dims):
        raise TargetError(f"The outcomes have no {quantity} by {listed(dims)}; give it as the forecast does in actual.")
    known = actual[quantity]
    for dim in dims:
        ours, labels = list(draws[dim].to_numpy()), list(known[dim].to_numpy())
        if odd := [name for place, name in enumerate(labels) if name not in ours or name in labels[:place]]:
            raise TargetError(
                f"The outcomes have the {dim} {shown(odd[0])}{' twice' if odd[0] in ours else ''}, and those of the "
                f"forecast are {listed(map(shown, ours), MOST_ROWS)}; label each as the forecast does, once."
            )
    return known.reindex({dim: draws[dim] for dim in dims}).transpose(*dims)


def _parts(draws: xr.DataArray) -> Iterator[xr.DataArray]:
    """Yield the draws of a few targets at a time: sorting them takes several times their memory."""
    for begin in range(0, draws.sizes["target"], BLOCK):
        yield draws.isel(target=slice(begin, begin + BLOCK))


def _summary(draws: xr.DataArray) -> xr.Dataset:
    """Return mean, sd and quantiles of all draws: NaN where one of them is, since the others do not stand for it."""
    moments = {"mean": draws.mean("sample", skipna=False), "sd": draws.std("sample", skipna=False)}
    table = xr.Dataset(moments)
    levels = draws.quantile(list(QUANTILES.values()), "sample", skipna=False)
    for i, name in enumerate(QUANTILES):
        table[name] = levels.isel(quantile=i, drop=True)
    return table
