"""What a forecast command found: rows, diagnostics and provenance in one value."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import pandas as pd

from bayes_scaling.design import design_check
from bayes_scaling.forecast import Forecast
from bayes_scaling.outliers import outliers
from bayes_scaling.posterior import Posterior
from bayes_scaling.problems import Problems
from bayes_scaling.study import Study

__all__ = ["Result", "number", "records"]

NUMBERS = ("mean", "sd", "q05", "q25", "q50", "q75", "q95", "actual")


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
    """

    study: Study
    law: str
    seed: int
    seconds: float
    posteriors: tuple[Posterior, ...]
    forecast: Forecast

    def rows(self) -> pd.DataFrame:
        """Return one row per target, task and quantity: intervals of a new run, and the outcome where it is known."""
        rows = self.forecast.intervals().rename(columns={"median": "q50"})
        if len(self.study.tasks) == 1:
            rows["task"] = rows["task"].fillna(self.study.tasks[0])
        rows = rows[rows["task"].isin(self.study.tasks) | rows["task"].isna()].reset_index(drop=True)
        return rows[["target", "task", "quantity", "unit", *NUMBERS, "distance"]]

    @property
    def head(self) -> str:
        """The quantity that answers first: accuracy where it is forecast, otherwise the law's first."""
        units = self.forecast.units
        return "accuracy" if "accuracy" in units else next(iter(units))

    @functools.cached_property
    def caveats(self) -> Problems:
        """What speaks against the runs and the targets: design, and outcomes that a fitted law does not expect."""
        unexpected = (problem for posterior in self.posteriors for problem in outliers(posterior))
        return design_check(self.study, self.forecast.targets.reset_index()) + unexpected

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
        for row in self.rows().drop(columns="distance").to_dict("records"):
            record: dict[str, Any] = {
                name: row[name] if isinstance(row[name], str) else None for name in ("target", "task")
            }
            record |= {"quantity": row["quantity"], "unit": row["unit"]}
            rows.append(record | {name: number(row[name]) for name in NUMBERS})
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
