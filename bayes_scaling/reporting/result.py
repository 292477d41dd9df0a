"""A forecast with its fits, caveats and provenance: the value that screen, files and page show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bayes_scaling.evaluation.diagnose import outliers
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.path import ForecastPath, forecast_path
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.problems import Problems
from bayes_scaling.study.design import design_check
from bayes_scaling.study.study import Study

__all__ = ["Result", "number", "records"]

NUMBERS = ("mean", "sd", "q05", "q25", "median", "q75", "q95", "actual")


@dataclasses.dataclass(frozen=True)
class Result:
    """A forecast with all that a reader of its file needs to know.

    Attributes
    ----------
    study : Study
        The study, targets included.
    law : str
        The law's name on the command line.
    seed : int
        Seed of fits and forecast.
    seconds : float
        Wall time of fits and forecast.
    posteriors : tuple of Posterior
        The fit, or the fits whose forecasts were averaged.
    forecast : Forecast
        Draws at the targets.
    caveats : Problems
        What speaks against the runs and the targets: design, and outcomes that a fitted law does not expect.
    path : ForecastPath or None
        The forecast on the way from the runs to the targets, for pictures; None where none are drawn.
    """

    study: Study
    law: str
    seed: int
    seconds: float
    posteriors: tuple[Posterior, ...]
    forecast: Forecast
    caveats: Problems
    path: ForecastPath | None = None

    @classmethod
    def of(
        cls,
        study: Study,
        law: str,
        posteriors: Sequence[Posterior],
        forecast: Forecast,
        *,
        seed: int,
        seconds: float,
        pictures: bool = True,
    ) -> Result:
        """Compute what a result holds besides its forecast.

        Parameters
        ----------
        study, law, posteriors, forecast, seed, seconds
            As the attributes.
        pictures : bool
            Whether pictures will be drawn of it.
        """
        caveats = design_check(study, forecast.targets.reset_index())
        for posterior in posteriors:
            caveats += outliers(posterior)
        path = forecast_path(posteriors, forecast) if pictures else None
        return cls(study, law, seed, seconds, tuple(posteriors), forecast, caveats, path)

    def rows(self) -> pd.DataFrame:
        """Return one row per target, task and quantity: intervals of a new run, and the outcome where it is known."""
        rows = self.forecast.intervals()
        if len(self.study.tasks) == 1:
            rows["task"] = rows["task"].fillna(self.study.tasks[0])
        rows = rows[rows["task"].isin(self.study.tasks) | rows["task"].isna()].reset_index(drop=True)
        return rows[["target", "task", "quantity", "unit", *NUMBERS, "distance"]]

    def diagnostics(self) -> dict[str, Any]:
        """Return the worst of what the fits say of themselves."""
        found = [p.diagnostics for p in self.posteriors]
        return {
            "max_rhat": max(d.max_rhat for d in found),
            "min_ess_bulk": min(d.min_ess_bulk for d in found),
            "min_ess_tail": min(d.min_ess_tail for d in found),
            "divergences": sum(d.divergences for d in found),
            "converged": all(d.converged for d in found),
        }

    def document(self) -> dict[str, Any]:
        """Return what ``forecast.json`` holds; numbers that are unknown or not finite are None."""
        rows = []
        for row in self.rows().to_dict("records"):
            record: dict[str, Any] = {
                name: row[name] if isinstance(row[name], str) else None for name in ("target", "task")
            }
            record |= {"quantity": row["quantity"], "unit": row["unit"]}
            rows.append(record | {name: number(row[name]) for name in (*NUMBERS, "distance")})
        diagnostics = {k: number(v) if isinstance(v, float) else v for k, v in self.diagnostics().items()}
        return {
            "study": self.study.name,
            "law": self.law,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "diagnostics": diagnostics,
            "caveats": [{"code": p.code, "text": str(p)} for p in self.caveats],
            "rows": rows,
        }


def number(value: Any) -> float | None:
    """Return a plain float, or None where there is no finite one."""
    return float(value) if math.isfinite(value) else None


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as plain Python values.

    Examples
    --------
    >>> records(pd.DataFrame({"run": ["a"], "flops": [float("inf")]}))
    [{'run': 'a', 'flops': None}]
    """

    def plain(value: Any) -> Any:
        if isinstance(value, (bool, str)) or value is None:
            return value
        return int(value) if isinstance(value, int) else number(value)

    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]
