"""A forecast with its fits, caveats and provenance: the value that screen, files and page show."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import listed
from bayes_scaling.evaluation.averaging import AveragedForecast, average_problems, law_names
from bayes_scaling.evaluation.diagnose import diagnose
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.forecasts.path import ForecastPath, forecast_path
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.forecasts.registered import KEY, RegisteredForecast
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.design import design_check
from bayes_scaling.study.reading import SAME_INPUT
from bayes_scaling.study.study import Study

__all__ = ["Result", "caveat_records", "names_of", "number", "records", "worst"]

NUMBERS = ("mean", "sd", *QUANTILES, "actual")


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
    design : Problems
        What speaks against the runs and the targets before any fit.
    problems : mapping of str to Problems
        What speaks against each fit, by the name of the fit.
    path : ForecastPath or None
        The forecast on the way from the runs to the targets, for pictures; None where none are drawn.
    """

    study: Study
    law: str
    seed: int
    seconds: float
    posteriors: tuple[Posterior, ...]
    forecast: Forecast
    design: Problems
    problems: Mapping[str, Problems]
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
        design = design_check(study, forecast.targets.reset_index(), law=posteriors[0].law)
        problems = {name: diagnose(fit) for name, fit in fits_of(forecast, posteriors).items()}
        weights = list(forecast.weights) if isinstance(forecast, AveragedForecast) else None
        path = forecast_path(posteriors, forecast, weights=weights) if pictures else None
        return cls(study, law, seed, seconds, tuple(posteriors), forecast, design, problems, path)

    @property
    def averaged(self) -> AveragedForecast | None:
        """The forecast, where it tells the weights of its fits and which were left out."""
        return self.forecast if isinstance(self.forecast, AveragedForecast) else None

    @property
    def weighed(self) -> AveragedForecast | None:
        """The forecast, where laws were weighed, and not one law through several losses."""
        return None if self.averaged is None or self.averaged.through_losses else self.averaged

    @property
    def fits(self) -> dict[str, Posterior]:
        """The fits by name."""
        return fits_of(self.forecast, self.posteriors)

    @property
    def caveats(self) -> Problems:
        """Everything that speaks against the forecast, the worst first.

        What several fits say is said once; what some of them do not say is said with the names of those that do.
        """
        laws = {name: posterior.law.name for name, posterior in self.fits.items()}
        of_laws = average_problems(self.averaged) if self.averaged is not None else ()
        of_runs = {(p.code, p.where) if p.where else p: p for p in reversed(self.design)}
        return Problems((*reversed(of_runs.values()), *of_laws, *_once(self.problems, laws))).ranked()

    def rows(self) -> pd.DataFrame:
        """Return one row per task, target and quantity: intervals of a new run, and the outcome where it is known.

        Tasks come in the order of the study, the targets of a task one after another; then losses that tasks share, by
        their columns.
        """
        rows = self.forecast.intervals()
        if len(self.study.tasks) == 1:
            rows["task"] = rows["task"].fillna(self.study.tasks[0])
        place = {task: i for i, task in enumerate(self.study.tasks)}  # one order on screen, page and picture
        rows = rows.sort_values("task", key=lambda tasks: tasks.map(place), kind="stable").reset_index(drop=True)
        return rows[["target", "task", "quantity", "unit", *NUMBERS, "distance"]]

    def furthest(self) -> dict[str, tuple[str, float]]:
        """Return by target the task whose own runs it lies furthest beyond, and how far: where not all are as far."""
        rows = self.rows()
        far = rows[rows["distance"] > rows["target"].map(self.forecast.targets["distance"]) * (1 + SAME_INPUT)]
        far = far.sort_values("distance", ascending=False, kind="stable").drop_duplicates("target")
        return {row["target"]: (row["task"], row["distance"]) for row in far.to_dict("records")}

    def with_mean(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of accuracies with those of their mean over tasks below; of one task, or of losses, unchanged."""
        tasks = self.forecast.draws.sizes.get("task", 1)
        if tasks == 1 or set(rows["quantity"]) != {"accuracy"}:
            return rows
        mean = self.forecast.over_tasks().intervals().assign(task=f"mean of {tasks}")
        return pd.concat([rows, mean[mean["quantity"] == "accuracy"][list(rows)]], ignore_index=True)

    def diagnostics(self) -> dict[str, Any]:
        """Return the worst of what the fits say of themselves."""
        return worst(self.posteriors)

    def document(self, registered: RegisteredForecast | None = None) -> dict[str, Any]:
        """Return what ``forecast.json`` holds; numbers that are unknown or not finite are None.

        Parameters
        ----------
        registered : RegisteredForecast, optional
            The forecast as it is registered, where it has been made before.
        """
        registered, rows = registered or RegisteredForecast.of(self.forecast), []
        for row in self.rows().to_dict("records"):
            task = row["task"] if isinstance(row["task"], str) else None
            record = {"target": str(row["target"]), "task": task, "quantity": row["quantity"], "unit": row["unit"]}
            rows.append(record | {name: number(row[name]) for name in (*NUMBERS, "distance")})
        return {
            "study": self.study.name,
            "law": self.law,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            **self._weighing(),
            "diagnostics": plain(self.diagnostics()),
            "caveats": caveat_records(self.caveats),
            "rows": rows,
            KEY: registered.document(),
        }

    def _weighing(self) -> dict[str, Any]:
        """Return the weights of the laws and their backtests, where there are any."""
        if self.averaged is None:
            return {}
        return {
            "weights": self.averaged.weights.to_dict(),
            "left_out": list(self.averaged.left_out),
            "backtests": records(self.averaged.backtests),
        }


def _once(problems: Mapping[str, Problems], laws: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what the fits say, the first of each kind and place, named where not all of them say it.

    The class of a law, of which there may be several by other names, gives way to the name of the fit.
    """
    said: dict[tuple[str, str, int], dict[str, Problem]] = {}
    for name, found in problems.items():
        times: Counter[tuple[str, str]] = Counter()
        for problem in found:
            kind = (problem.code, problem.where)
            said.setdefault((*kind, times[kind]), {})[name] = problem
            times[kind] += 1
    for by_fit in said.values():
        name, first = next(iter(by_fit.items()))
        said_by = [] if len(by_fit) == len(problems) else list(by_fit)
        law = laws.get(name)
        if law is None or law not in first.sentence:
            sentence = first.sentence
        elif len(by_fit) == 1:
            sentence, said_by = first.sentence.replace(law, name), []
        else:
            sentence = first.sentence.replace(law, "the law")
            sentence = sentence[0].upper() + sentence[1:]
        yield dataclasses.replace(first, sentence=f"{listed(said_by)}: {sentence}" if said_by else sentence)


def fits_of(forecast: Forecast, posteriors: Sequence[Posterior]) -> dict[str, Posterior]:
    """Return the fits behind a forecast by name: as they were weighed, or as :func:`names_of` says."""
    return dict(forecast.posteriors) if isinstance(forecast, AveragedForecast) else names_of(posteriors)


def names_of(posteriors: Sequence[Posterior]) -> dict[str, Posterior]:
    """Return fits by the name of their law, and of the loss they go through where there are several."""
    return dict(zip(law_names([one.law for one in posteriors]), posteriors, strict=True))


def worst(posteriors: Iterable[Posterior]) -> dict[str, Any]:
    """Return the worst of what some fits say of themselves; what one of them cannot tell is NaN."""
    found = [p.diagnostics for p in posteriors]
    return {
        "max_rhat": float(np.max([d.max_rhat for d in found])),
        "min_ess_bulk": float(np.min([d.min_ess_bulk for d in found])),
        "min_ess_tail": float(np.min([d.min_ess_tail for d in found])),
        "divergences": sum(d.divergences for d in found),
        "converged": all(d.converged for d in found),
    }


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON holds them, None for a number that is unknown or not finite."""
    return {name: number(value) if isinstance(value, float) else value for name, value in values.items()}


def caveat_records(caveats: Problems) -> list[dict[str, str]]:
    """Return caveats as JSON holds them."""
    return [{"code": problem.code, "text": str(problem)} for problem in caveats]


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

    def simple(value: Any) -> Any:
        if isinstance(value, (bool, str)) or value is None:
            return value
        return int(value) if isinstance(value, int) else number(value)

    return [{str(k): simple(v) for k, v in row.items()} for row in table.to_dict("records")]
