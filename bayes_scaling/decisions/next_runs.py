"""Which run to pay for next: the one that narrows the target's forecast most for its FLOPs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.decisions.inputs import costs_of, further_inputs, one_number, one_target, positive, scale_columns
from bayes_scaling.decisions.surface import Surface, as_surface, outcomes_at
from bayes_scaling.decisions.tabled import Tabled
from bayes_scaling.decisions.teaching import expected_reduction
from bayes_scaling.errors import DecisionError, listed, whole
from bayes_scaling.forecasts.targets import require_no_task, to_add
from bayes_scaling.inference.posterior import evenly_spaced
from bayes_scaling.methods import NextRunsMethods
from bayes_scaling.study.flops import FlopRule
from bayes_scaling.study.reading import as_rows
from bayes_scaling.study.rows import absent, row_name, row_number, shown
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["MIN_GAIN", "NextRuns", "achieved", "next_runs"]

MIN_GAIN = 0.01  # share of the standard deviation now: what a run must gain to be worth choosing
TINY = 1e-300
FEW_DRAWS = 500  # draws that are enough for the noise of a run, and for what moving the edge of the data does


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NextRuns(Tabled, NextRunsMethods):
    """Candidates in the order in which they are worth their FLOPs.

    Attributes
    ----------
    ranking : pandas.DataFrame
        One row per candidate, best first, each as if it were the only one: ``run``, ``n_params``, ``tokens`` (as far
        as the law reads them), ``flops``, ``sd_after`` (expected standard deviation of the target's expected outcome),
        ``narrower`` (by which share that standard deviation falls: 0.1 makes the forecast a tenth narrower; never
        negative) and ``per_flop`` (that share per FLOP).
    batch : pandas.DataFrame
        The runs to make, in their order, each given those above it; ``sd_after`` and ``narrower`` are of all so far.
        It ends before a run that narrows nothing.
    baseline : pandas.DataFrame
        The same for taking the largest affordable run every time.
    sd : float
        The standard deviation of the target's expected outcome now: the unit of every share.
    sd_law, sd_slope : float
        Its two parts, which add up in squares: what is not known of the law's parameters, which runs anywhere may
        teach, and the error of the slope beyond the fitted runs, which only a run that lies further out makes smaller.
    target, quantity, unit : str
        What is forecast.
    """

    ranking: pd.DataFrame
    batch: pd.DataFrame
    baseline: pd.DataFrame
    sd: float
    sd_law: float
    sd_slope: float
    target: str
    quantity: str
    unit: str

    @property
    def removable(self) -> float:
        """By which share the forecast would be narrower if runs like the fitted ones had taught the law entirely."""
        return 1 - self.sd_slope / self.sd

    def table(self) -> pd.DataFrame:
        """Return ``ranking`` with ``rank``, from 1."""
        return self.ranking.assign(rank=np.arange(1, len(self.ranking) + 1))


def achieved(batch: pd.DataFrame) -> float:
    """Return by which share the runs of a batch together make the forecast narrower.

    Examples
    --------
    >>> achieved(pd.DataFrame({"narrower": [0.1, 0.15]})), achieved(pd.DataFrame())
    (0.15, 0.0)
    """
    return float(batch["narrower"].iloc[-1]) if len(batch) else 0.0


def next_runs(
    source: Posterior | Surface,
    candidates: Any,
    target: Mapping[str, float],
    *,
    count: int = 1,
    spend: float | None = None,
) -> NextRuns:
    r"""Rank candidate runs by how much narrower each is expected to make the target's forecast, per FLOP.

    What a run is expected to teach of the target T is read off the posterior draws: over the outcomes y that it may
    have,

    .. math:: \mathrm{Var}(T) - E_y[\mathrm{Var}(T \mid y)] ,

    by weighing the draws with the density of each y (:func:`bayes_scaling.decisions.teaching.expected_reduction`).
    With a few thousand draws ``narrower`` is known to some thousandths.  In a batch, what runs before it leave to be
    learnt is taken as in a normal model, :math:`\mathrm{Cov}(T, y)^2 / \mathrm{Var}(y)`, times what the run alone
    teaches beside it; for a law of several series, and for a learning curve, the normal model is all.

    With the discrepancy on, a run also moves the edge of the data outwards; the variance of the slope error beyond the
    new edge is computed as a forecast after the run would, and is never more than before.  That error itself no run
    inside the data makes smaller, and the noise of the target's own run none at all, which is therefore no part of what
    is counted here.

    Parameters
    ----------
    source : Posterior or Surface
        A converged fit; a surface to choose the FLOP convention, the outcome or the discrepancy.
    candidates : DataFrame or mapping of columns
        ``N`` and ``D`` (or ``C``) of each; ``flops`` where a run's cost is not what the surface's rule says; ``run``
        for names; further inputs of the law, by default those of the surface.
    target : mapping of str to float
        Inputs of the run to forecast.
    count : int
        Runs in the batch at most, where nothing limits their cost; each may be taken once, and one that narrows the
        forecast by less than 1 % is not taken.
    spend : float, optional
        FLOPs for the whole batch.  Then two greedy batches are made, by what a run gains per FLOP and by what it gains,
        and the better one is kept: the first alone may leave most of the money unspent on many small runs.

    Returns
    -------
    NextRuns

    Raises
    ------
    DecisionError
        There are no candidates, a column is missing or not positive, none is affordable, several targets are given, or
        several laws are mixed.
    ConvergenceError
        The fit did not converge.
    TargetError
        The target lacks an input of the law.

    References
    ----------
    .. [1] MacKay 1992, "Information-based objective functions for active data selection", Neural Computation 4,
       section 4: the reduction of the predictive variance at a point of interest.
    """
    surface = as_surface(source)
    if surface.several:
        raise DecisionError("What a run teaches is asked of one law, and several are mixed; give the posterior of one.")
    frame = read_candidates(surface.posterior.law, surface.rule, candidates, surface.posterior.study)
    aim = one_target(surface.posterior.law, surface.posterior.study, target, surface.given)
    prospects = _Prospects(surface, frame, aim)
    if spend is not None:
        limit = money_for(frame, spend)
        batches = [prospects.greedy(by, limit=limit) for by in ("per_flop", "narrower")]
        batch = max(batches, key=achieved)
        baseline = prospects.greedy("flops", limit=limit)
    else:
        count = whole("count", count, 1, DecisionError)
        batch, baseline = (prospects.greedy(by, count=count) for by in ("per_flop", "flops"))
    if set(batch["run"]) == set(baseline["run"]):  # in another order, along which the edge of the data moves otherwise
        baseline = batch
    ranking = prospects.alone.drop(columns="gain").sort_values("per_flop", ascending=False, kind="stable")
    return NextRuns(
        ranking=ranking.reset_index(drop=True),
        batch=batch,
        baseline=baseline,
        sd=prospects.sd,
        sd_law=float(np.sqrt(prospects.covariance[0, 0])),
        sd_slope=float(np.sqrt(prospects.slope_now)),
        target=str(aim.index[0]),
        quantity=surface.quantity,
        unit=surface.unit,
    )


def read_candidates(law: Law, rule: FlopRule, candidates: Any, study: Study) -> pd.DataFrame:
    """Return ``run``, ``flops`` and the law's inputs of each candidate, checked; further ones where it has them.

    Parameters
    ----------
    law : Law
        What reads them.
    rule : FlopRule
        What runs cost of which the table does not say it.
    candidates : DataFrame or mapping of columns
        As for :func:`next_runs`.
    study : Study
        The fitted runs, for their tasks and the user's names of our columns.

    Raises
    ------
    DecisionError
        There are none, one gives a task, a column or an entry is missing, nothing says what they cost, a value is no
        number or not a positive one, or two have one name.
    """
    frame = as_rows(candidates, study.names)
    if frame.empty:
        raise DecisionError("There are no candidates; give at least one run, with its N and D.")
    require_no_task(law, study, frame, "candidate", DecisionError)
    columns = scale_columns(law)
    for symbol, column in (columns | {"C": "flops"}).items():
        add = to_add(symbol, study.names, frame.columns)
        if column in frame:
            lacking = frame[column].map(absent).to_numpy()
            if lacking.any() and not lacking.all():
                who = row_name(frame, int(lacking.argmax()))
                raise DecisionError(f"The candidate in {who} gives no {symbol} ({column}), and others do; add {add}.")
        elif symbol in columns:
            given = listed(map(str, frame.columns))
            raise DecisionError(f"The candidates lack {symbol} ({column}) and give only {given}; add {add}.")
    for column in filter(frame.columns.__contains__, (*columns.values(), "flops")):
        frame[column] = positive(floats(frame, column), f"candidates' column {column}", "7e9", of=frame)
    known = law.readable
    further = {name: known[name] for name in further_inputs(law) if name in known and known[name] in frame}
    for name, column in further.items():
        frame[column] = values = floats(frame, column)
        if values.isna().any():
            row = row_number(frame, int(values.isna().argmax()))
            raise DecisionError(
                f"The candidate in row {row} has no {column}; give it, or leave the column out, and all have the same."
            )
        if (wrong := ~law.allows(name, values.to_numpy()) & (values != law.absent.get(name)).to_numpy()).any():
            place = int(wrong.argmax())
            raise DecisionError(
                f"The candidate in row {row_number(frame, place)} has {column} = {values.iloc[place]:g}, which "
                f"{law.name} does not take; give one that it takes, such as a positive number."
            )
    frame["flops"] = costs_of(frame, rule, "The candidates have")
    names = frame["run"] if "run" in frame else [None] * len(frame)
    frame["run"] = [f"candidate {i}" if absent(name) else name for i, name in enumerate(names, 1)]
    if frame["run"].duplicated().any():
        name = frame.loc[frame["run"].duplicated(), "run"].iloc[0]
        raise DecisionError(f"Two candidates are called {shown(name)}; give each a name of its own.")
    return frame[list(dict.fromkeys(("run", *columns.values(), *further.values(), "flops")))].reset_index(drop=True)


def money_for(candidates: pd.DataFrame, spend: Any) -> float:
    """Return the FLOPs for a batch as a float.

    Parameters
    ----------
    candidates : pandas.DataFrame
        What :func:`read_candidates` returned.
    spend : number
        FLOPs for the whole batch.

    Raises
    ------
    DecisionError
        They are no positive number, or pay for none of the candidates.
    """
    limit = one_number(spend, "spend", "1e21 FLOPs")
    if (least := candidates["flops"].min()) > limit:
        raise DecisionError(f"No candidate costs {limit:g} FLOPs or less (the cheapest takes {least:g}); spend more.")
    return limit


def _inputs(surface: Surface, runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return every input of the law, shape (run,): a further one that the runs do not have is the surface's."""
    held = {name: np.full(len(runs), value) for name, value in surface.given.items()}
    columns = surface.posterior.law.readable
    return held | {symbol: floats(runs, c).to_numpy() for symbol, c in columns.items() if c in runs}


class _Prospects:
    """What candidates would teach of a target: moments over draws, and the edge of the data."""

    def __init__(self, surface: Surface, frame: pd.DataFrame, aim: pd.DataFrame) -> None:
        self.surface, self.frame = surface, frame
        self.inputs, self.aim = _inputs(surface, frame), _inputs(surface, aim)
        values = np.hstack([outcomes_at(surface, runs, exact=True) for runs in (self.aim, self.inputs)])
        self.covariance = np.atleast_2d(np.cov(values, rowvar=False))
        few = surface.take(evenly_spaced(len(surface), FEW_DRAWS))
        self.few = dataclasses.replace(few, keys=surface.keys[: len(few)])  # slope errors know nothing of the draws
        self.noise = self.few.noise(**self.inputs)
        self.exact = outcomes_at(self.few, self.aim, exact=True)
        share = expected_reduction(surface, values[:, 0], self.inputs)
        normal = self.normal_share(self.covariance)
        self.share = normal if share is None else share
        self.beside_normal = self.share / np.maximum(normal, TINY)
        self.slopes: dict[tuple[int, ...], float] = {}
        self.slope_now = self.slope_variance([])
        self.sd = float(np.sqrt(self.covariance[0, 0] + self.slope_now))
        if not self.sd > 0:
            raise DecisionError(
                f"The forecast of {aim.index[0]} has no spread, so no run can narrow it; let parameters be learnt."
            )
        self.alone = self.score(self.covariance[0, 0], self.share, [], frame.index)

    def slope_variance(self, chosen: list[int]) -> float:
        """Return the variance that the slope error adds at the target once the chosen runs are fitted too.

        The edge of the data is a quantile of the runs, which a small run would move inwards: it teaches nothing of the
        slope, and takes nothing away.
        """
        if not self.surface.discrepancy:
            return 0.0
        key = tuple(chosen)
        if key not in self.slopes:
            fitted = {n: np.append(self.surface.arrays[n], v[chosen]) for n, v in self.inputs.items()}
            own = float(np.mean((outcomes_at(self.few, self.aim, fitted=fitted) - self.exact) ** 2))
            self.slopes[key] = min(own, self.slope_variance(chosen[:-1])) if chosen else own
        return self.slopes[key]

    def normal_share(self, covariance: np.ndarray) -> np.ndarray:
        """Return by which share each candidate reduces the variance of the target in a normal model."""
        own = np.diag(covariance)[1:] + self.noise
        return covariance[0, 1:] ** 2 / np.maximum(own * covariance[0, 0], TINY)

    def taught(self, covariance: np.ndarray) -> np.ndarray:
        """Return by which share each candidate reduces it, given the covariance that the runs before it leave.

        It is as many times the share in a normal model as for the run alone, yet no more than both that share and the
        one alone: where the target hardly goes with an outcome in a line, the multiple is huge.
        """
        normal = self.normal_share(covariance)
        return np.clip(self.beside_normal * normal, 0.0, np.minimum(np.maximum(normal, self.share), 1.0))

    def score(self, left: float, taught: np.ndarray, chosen: list[int], who: pd.Index) -> pd.DataFrame:
        """Return some candidates with the spread that each would leave, given those chosen before it.

        ``left`` is the variance by the law that those leave, ``taught`` the share of it that each candidate takes away.
        """
        before = np.sqrt(left + self.slope_variance(chosen))
        slope = np.array([self.slope_variance([*chosen, i]) for i in who])
        sd_after = np.sqrt(left * (1 - taught[who]) + slope)
        gain = (before - sd_after) / self.sd
        own = self.frame.loc[who]
        return own.assign(sd_after=sd_after, narrower=1 - sd_after / self.sd, per_flop=gain / own["flops"], gain=gain)

    def greedy(self, by: str, *, count: int | None = None, limit: float | None = None) -> pd.DataFrame:
        """Choose runs one after another by a column of :meth:`score` (or by ``flops``).

        Chosen for what they gain, they end where none that is affordable narrows the forecast by ``MIN_GAIN``.
        """
        K, money = self.covariance, np.inf if limit is None else limit
        left, taught = K[0, 0], self.share
        chosen: list[int] = []
        rows: list[pd.Series] = []
        while len(chosen) < min(count or len(self.frame), len(self.frame)):
            open_to = self.frame.drop(index=chosen)
            open_to = open_to[open_to["flops"] <= money]
            if open_to.empty:
                break
            who = open_to.index[[open_to["flops"].argmax()]] if by == "flops" else open_to.index
            scores = self.score(left, taught, chosen, who)
            if by != "flops":
                scores = scores[scores["gain"] >= MIN_GAIN]
            if scores.empty:
                break
            best = int(scores[by].idxmax())
            chosen.append(best)
            rows.append(scores.loc[best].drop("gain"))
            money -= float(scores.at[best, "flops"])
            left *= 1 - taught[best]
            seen = K[:, 1 + best]
            K = K - np.outer(seen, seen) / (seen[1 + best] + self.noise[best])
            taught = self.taught(K)
        return pd.DataFrame(rows, columns=self.alone.columns.drop("gain")).reset_index(drop=True)
