"""Sizing a ladder before its first run: simulate it, fit it, and see how wide the forecast at the target will be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pandas as pd

from bayes_scaling.decisions.inputs import costs_of, one_target
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.errors import DecisionError, LawError, StudyError, listed, whole
from bayes_scaling.forecasts.draws import predict
from bayes_scaling.forecasts.predict import forecast
from bayes_scaling.forecasts.quantiles import QUANTILES, inside, quantile_columns
from bayes_scaling.forecasts.scores import of_outcome
from bayes_scaling.forecasts.targets import to_add
from bayes_scaling.inference.batch import fit_many
from bayes_scaling.inference.fittable import check_size
from bayes_scaling.inference.padding import bucket, edge_of_data, pad
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.base import Law, require_law
from bayes_scaling.methods import LadderPlansMethods
from bayes_scaling.study.flops import FlopRule, PerToken
from bayes_scaling.study.reading import SYMBOLS, as_rows
from bayes_scaling.study.rows import absent, row_name
from bayes_scaling.study.study import Study

if TYPE_CHECKING:
    from bayes_scaling.law.sites import Arrays

__all__ = ["LadderPlans", "plan_ladders", "read_plan", "read_plans"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LadderPlans(Tabled, LadderPlansMethods):
    """How planned ladders would forecast a target, over simulated families of models.

    Attributes
    ----------
    draws : pandas.DataFrame
        One row per plan and simulated family: ``plan``, ``family``, ``width90`` (width of the 90 % interval of a new
        run over its outcome), ``error`` (median over outcome, less 1), ``in90``.
    costs : pandas.DataFrame
        One row per plan: ``plan``, ``runs``, ``flops`` (of all runs), ``largest`` (FLOPs of the largest run).
    families : int
        How many families were simulated; those whose fit did not converge, or says no outcome at the target that there
        can be, are not in ``draws``.
    target, quantity : str
        What is forecast.
    """

    draws: pd.DataFrame
    costs: pd.DataFrame
    families: int
    target: str
    quantity: str

    def table(self) -> pd.DataFrame:
        """Return one row per plan.

        Returns
        -------
        pandas.DataFrame
            ``plan``, ``runs``, ``flops``, ``largest``; ``q05`` to ``q95`` of ``width90`` over families; ``error``,
            the mean absolute relative error of the median; ``in90``, the share of outcomes inside; ``fitted``, the
            share of families whose fit converged and forecasts the target.
        """
        rows = []
        for cost in self.costs.to_dict("records"):
            own = self.draws[self.draws["plan"] == cost["plan"]]
            empty = dict.fromkeys((*QUANTILES, "error", "in90"), np.nan)
            found = {
                **quantile_columns(own["width90"].to_numpy()),
                "error": own["error"].abs().mean(),
                "in90": own["in90"].mean(),
            } if len(own) else empty  # fmt: skip
            rows.append({**cost, **found, "fitted": len(own) / self.families})
        return pd.DataFrame(rows)


def plan_ladders(
    family: Law | Posterior,
    plans: Mapping[str, Any],
    target: Mapping[str, float],
    *,
    seed: int,
    families: int = 32,
    flops: str | PerToken | FlopRule = "6ND",
    draws: int = 500,
    chains: int = 4,
    allow_unconverged: bool = False,
    progress: bool = False,
) -> LadderPlans:
    """Simulate planned ladders and return how well each would forecast the target.

    A family is one draw: of the law's priors, or of the posterior of an earlier family.  Its runs are drawn with noise,
    and beyond the data (of the earlier fit, or of all plans together) its slope is off by the law's discrepancy.  Every
    plan is tried on the same families; the few whose fit does not converge, or says no outcome at the target that there
    can be, are left out, and counted.

    Parameters
    ----------
    family : Law or Posterior
        What families are like: the priors of a law, or an earlier fit.
    plans : mapping of str to DataFrame
        The inputs of each plan's runs (``N`` and ``D``, or ``C``), and what else the law reads; ``flops`` where runs do
        not cost what the rule says.  What a plan or the target lacks of inputs that runs may lack, such as
        ``unique_tokens``, is as the law has it then.
    target : mapping of str to float
        Inputs of the run to forecast.
    seed : int
        Seed of the families and of the fits.
    families : int
        How many to simulate.
    flops : str, callable or FlopRule
        The FLOP convention of the costs.
    draws, chains : int
        Of each fit.
    allow_unconverged : bool
        Start from an earlier fit that did not converge.
    progress : bool
        Show a progress bar.

    Returns
    -------
    LadderPlans

    Raises
    ------
    DecisionError
        There are no plans, or they have no names or nothing that says what they cost; there are no families, or several
        targets.
    LawError, StudyError
        As for :func:`.read_plans`; or no fit of any plan forecasts the target, for one of which the error says why.
    TargetError
        The target lacks an input of the law.
    ConvergenceError
        The earlier fit did not converge.
    BayesScalingError
        The seed is no whole number of at least 0.

    References
    ----------
    .. [1] Bhagia et al. 2024, "Establishing Task Scaling Laws via Compute-Efficient Model Ladders", arXiv 2412.04403,
       section 5: less ladder compute, larger errors.
    """
    if not isinstance(plans, Mapping):
        raise DecisionError(
            f"The plans are a {type(plans).__name__}; give each a name, as in {{'small': table, 'large': other}}."
        )
    families, seed = whole("families", families, 1, DecisionError), whole("seed", seed, 0)
    if not plans:
        raise DecisionError("There are no plans, so nothing to simulate; give one or more.")
    law = family.law if isinstance(family, Posterior) else require_law(family)
    rule = FlopRule.of(flops, family.study if isinstance(family, Posterior) else None)
    if isinstance(family, Posterior):
        family.require_converged(allow_unconverged)
    frames = read_plans(law, plans, from_priors=not isinstance(family, Posterior))
    costs = pd.DataFrame([_cost(name, frame, rule) for name, frame in frames.items()])
    aim = one_target(law, _together(law, frames.values()), target)
    outcomes = _simulate(family, law, [*frames.values(), _read(law, aim)], families, seed)
    table, begin, refused = [], 0, None
    for name, frame in frames.items():
        own = outcomes[:, begin : begin + len(frame)]
        begin += len(frame)
        studies = [_study(law, frame, f"{name} {i}", y) for i, y in enumerate(own)]
        batch = fit_many(law, studies, seed=seed, draws=draws, chains=chains, progress=progress)
        for i, member in enumerate(batch):
            if member.posterior is None or member.verdict != "converged":
                continue
            try:
                row = forecast(member.posterior, target).intervals().iloc[0]
            except LawError as error:  # this family's law says nothing that an outcome can be there
                refused = refused or error
                continue
            actual = outcomes[i, -1]
            off = np.array([row["q95"] - row["q05"], row["median"] - actual])
            width, bias = of_outcome(off, np.full(2, actual))
            table.append({"plan": name, "family": i, "width90": width, "error": bias, "in90": inside(row, actual)})
    if refused and not table:  # no family of any plan tells of the target, and this is why
        raise refused
    columns = ["plan", "family", "width90", "error", "in90"]
    return LadderPlans(pd.DataFrame(table, columns=columns), costs, families, str(aim.index[0]), law.outcome)


def _simulate(family: Law | Posterior, law: Law, tables: Sequence[pd.DataFrame], count: int, seed: int) -> np.ndarray:
    """Return the outcomes of all rows of the plans and of the target, the last, in each family; (family, row)."""
    parts = [law.input_arrays(table) for table in tables]  # each by itself: some may lack what others have
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows, fitted = sum(map(len, tables)), sum(map(len, tables[:-1]))
    latent: Arrays = {}
    if isinstance(family, Posterior):
        edge, _ = law.arrays(family.study)
        draws = family.draws
        chosen = np.random.default_rng(seed).choice(len(next(iter(draws.values()))), count)
        latent = {name: value[chosen] for name, value in draws.items()}
    else:
        edge = {name: values[:fitted] for name, values in columns.items()} | _constants(law, tables[:-1])
    runs = pad({**edge, **columns}, bucket(rows), law.run_inputs)
    edge = edge_of_data(law, edge)
    with double_precision():
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 2), count)
        drawn = predict(law.program, keys, latent, runs, edge)
        return np.asarray(drawn[law.outcome])[:, :rows]


def read_plans(law: Law, plans: Mapping[str, Any], *, from_priors: bool) -> dict[str, pd.DataFrame]:
    """Return plans with our column names, checked as far as no target is needed.

    Parameters
    ----------
    law : Law
        The law that is to be fitted to their runs.
    plans : mapping of str to DataFrame
        The inputs of each plan's runs.
    from_priors : bool
        Whether families are draws of the law's priors.

    Raises
    ------
    LawError
        The law describes several series; or it takes from the outcomes of fitted runs what its priors need.
    StudyError
        A plan lacks an input of the law, its runs are not positive numbers, or they are too few to fit.
    """
    frames = {name: read_plan(law, plan) for name, plan in plans.items()}
    if law.by_task or law.dims(_together(law, frames.values()))[0]:
        raise LawError(f"{law.name} describes several series; plan its ladder for one of them, with the law of a loss.")
    for name, frame in frames.items():
        planned = _study(law, frame, name)
        check_size(law, planned, law.arrays(planned)[0], {law.outcome: np.full(len(frame), np.nan)})  # none yet
    if from_priors:
        _constants(law, frames.values())
    return frames


def _constants(law: Law, tables: Iterable[pd.DataFrame]) -> dict[str, np.ndarray]:
    """Return what a law reads beside its runs, such as references, where the inputs of planned runs tell it."""
    frame = pd.concat(tables, ignore_index=True).dropna(axis=1)  # of inputs that some plans lack there are none
    told = [law.arrays(_study(law, frame, "plan", y))[0] for y in (1.0, np.linspace(1e-3, 2e-3, len(frame)))]
    one, other = ({n: v for n, v in runs.items() if n not in law.run_inputs} for runs in told)
    if differ := [name for name, value in one.items() if not np.array_equal(value, other[name])]:
        raise LawError(
            f"{law.name} takes {listed(differ)} from the outcomes of fitted runs, so that its priors alone simulate no "
            "ladder; start from the fit of an earlier family."
        )
    return one


def read_plan(law: Law, plan: Any) -> pd.DataFrame:
    """Return a plan with our column names, checked.

    Parameters
    ----------
    law : Law
        What reads its runs.
    plan : DataFrame or mapping of columns
        The inputs of each run.

    Raises
    ------
    StudyError
        It has no runs, lacks an input of the law, or has one that is not a positive number.
    """
    rows = as_rows(plan)
    read = {*SYMBOLS.values(), *law.readable.values()}  # no outcomes yet, though a table of old runs may be a plan
    needed = {*SYMBOLS.values(), *law.columns.values()}
    for column in (c for c in rows if c in needed):
        if (gaps := np.flatnonzero(rows[column].map(absent))).size:
            who = f"{listed((row_name(rows, place) for place in gaps), 5)} {'have' if len(gaps) > 1 else 'has'}"
            raise StudyError(f"Of the planned runs, {who} no {column}; fill it in, or leave these out of the table.")
    if "C" in law.run_inputs and law.columns["C"] not in rows:
        cure = to_add("C", {}, rows.columns)
        raise StudyError(f"{law.name} needs the column 'flops' (C), which the planned runs lack; add {cure}.")
    if len(rows):
        law.input_arrays(rows)  # while runs, rows and the other columns are called as they are in the table
    frame = rows.reset_index(drop=True)[[column for column in rows if column in read]]
    return Study.from_frame(frame.assign(run=[f"run {i}" for i in range(len(frame))])).frame


def _together(law: Law, frames: Iterable[pd.DataFrame]) -> Study:
    """Return the runs of all plans as a study."""
    return _study(law, pd.concat(frames, ignore_index=True), "plan")


def _study(law: Law, frame: pd.DataFrame, name: str, outcome: Any = 1.0) -> Study:
    """Return a plan as a study; runs with equal inputs are repeats, told apart by their place."""
    runs = [f"run {i}" for i in range(len(frame))]
    return Study.from_frame(_read(law, frame).assign(run=runs, **{law.outcome: outcome}), name=name)


def _read(law: Law, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table that the law reads."""
    return frame[[column for column in law.readable.values() if column in frame]]


def _cost(name: str, frame: pd.DataFrame, rule: FlopRule) -> dict[str, Any]:
    flops = costs_of(frame, rule, f"Plan {name!r} has")
    return {"plan": name, "runs": len(frame), "flops": float(np.sum(flops)), "largest": float(np.max(flops))}
