"""The curves of NSL-PFN: every learning curve fitted by itself, in batches, and scored with its intervals.

The tables lie beside the raw files of the studies.  RMSLE, log density and MSCE are those of the benchmark: over the
target points of a curve, then the mean over curves.

The rule, settled before the targets were scored with it:

- The forecast is a mixture of two candidates: the law of a set of curves with its extrapolation discrepancy and
  without.  Their weights stack log densities (Yao et al. 2018) of the further half of each curve's training points, one
  unit of evidence a curve, shrunk to equal weights by a Dirichlet prior that counts for one curve.  They are learnt for
  each set by itself: one is of checkpoints of a run, most of the other are of widths of models.
- One law a set, because fits of several take too long: on IC the broken power law, which led by 0.19 in backtests; on
  the others M4, which led a plain power law by 0.37.  With each run left out in turn, weights of both were not better.
- Every curve is fitted by the law of its set; where it has fewer points than parameters, the priors carry the rest.
- The training points of IC never rise: they are an isotonic regression of checkpoints on a grid, and the targets are
  checkpoints.  The noise that this hides is worked out (:func:`smoothed_away`) and added to the forecasts, and to the
  outcomes of the backtests.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logsumexp, softmax
from scipy.stats import gaussian_kde

import bayes_scaling as bs
from bayes_scaling.models import BrokenPowerLaw, LearningCurve

__all__ = ["TASKS", "curve_scores", "log_density", "mixture_weights", "score_task", "smoothed_away"]


class _Curve(LearningCurve):
    """A learning curve that may have fewer points than parameters: its priors carry the rest."""

    rests_on_priors = True


class _Broken(BrokenPowerLaw):
    """A broken power law that may have fewer points than parameters."""

    rests_on_priors = True


DRAWS, WARMUP = 200, 120  # per chain
STEPS = 500  # of expectation and maximisation
STRENGTH = 1.0  # curves that the prior of the weights counts for
TAILS = 5.0  # degrees of freedom of noise, which also hold how badly its size is known
PROCESSES = 2
LENGTHS = (16, 48)  # points up to which curves are short, or of middle length
PATIENCE = 0.0  # seconds that a curve may go on for by itself: a hundred of them share two minutes
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
TASKS = {"ic": ("IC",), "nlp": ("NMT", "LM", "BB", "Nano")}
LAWS: Mapping[str, bs.Law] = {"ic": _Broken(), "nlp": _Curve()}
CANDIDATES = {"with its discrepancy": True, "without": False}
CHECKPOINT = {"IC": 4096000.0}  # images between checkpoints, of curves that the source gives smoothed
CHERNOFF = 0.26356  # variance of where two-sided Brownian motion less a parabola is largest


def curves(groups: tuple[str, ...]) -> pd.DataFrame:
    """Return the points of all curves of some groups: group, curve, run, x, y, role, and what smoothing hides."""
    folder = Path(os.environ.get("BAYES_SCALING_DATA", "")).parent / "nslpfn"
    found = [pd.read_csv(folder / "curves.csv.gz"), pd.read_csv(folder / "nano.csv").assign(group="Nano")]
    table = pd.concat(found, ignore_index=True)
    table = table[table["group"].isin(groups)].reset_index(drop=True)
    table["run"] = table["model"].fillna(table["curve"])
    hidden = {
        name: smoothed_away(points[points["role"] == "train"], CHECKPOINT[group]) if group in CHECKPOINT else 0.0
        for (group, name), points in table.groupby(["group", "curve"])
    }
    return table.assign(hidden=table["curve"].map(hidden))[["group", "curve", "run", "x", "y", "role", "hidden"]]


def smoothed_away(points: pd.DataFrame, checkpoint: float) -> float:
    """Return the relative noise of a checkpoint that the points of a curve lack, because they are smoothed.

    Isotonic regression of a curve that falls by b between checkpoints with noise s leaves errors of the variance
    0.264 (4 b s^2)^(2/3); b and what is left are read off the further half of the points, about a power law.

    Parameters
    ----------
    points : DataFrame
        ``x`` and ``y`` of the smoothed points.
    checkpoint : float
        Data between checkpoints, in the unit of ``x``.

    References
    ----------
    .. [1] Groeneboom and Wellner 2001, "Computing Chernoff's Distribution", J. Comp. Graph. Stat. 10.
    """
    late = points[points["x"] > points["x"].max() / 2]
    x, y = np.log(late["x"].to_numpy(float)), np.log(late["y"].to_numpy())
    line = np.polynomial.Polynomial.fit(x, y, 1)
    left = np.sum((y - line(x)) ** 2) / (len(x) - 2)
    fall = -line.deriv()(x.mean()) * checkpoint / np.exp(x.mean())
    return float(np.sqrt(max((left / CHERNOFF) ** 1.5 / (4 * fall) - left, 0.0)))


def earlier(table: pd.DataFrame) -> pd.DataFrame:
    """Return training points alone, those of the further half of each curve's data as targets where enough are left."""
    training = table[table["role"] == "train"]
    largest = training.groupby("curve")["x"].transform("max")
    late = training["x"] > largest / 2
    enough = (~late).groupby(training["curve"]).transform("sum") >= 4
    return training[enough].assign(role=np.where(late, "target", "train")[enough])


def roughened(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return curves with the noise of checkpoints put back to the targets, where these are smoothed, too."""
    noise = table["hidden"] * np.random.default_rng(seed).standard_t(TAILS, len(table))
    return table.assign(y=table["y"] * np.exp(noise.where(table["role"] == "target", 0.0)))


def study_of(name: str, points: pd.DataFrame) -> bs.Study:
    """Return the points of a curve as a study."""
    points = points.sort_values("x")
    frame = pd.DataFrame({"run": [f"{i}" for i in range(len(points))], "tokens": points["x"].to_numpy(float)})
    return bs.Study.from_frame(frame.assign(loss=points["y"].to_numpy()), name=name)


def fitted(law: bs.Law, table: pd.DataFrame, seed: int, executor: Executor) -> tuple[dict[str, bs.Posterior], float]:
    """Fit a law to the training points of every curve: (posteriors by curve, seconds).

    A batch is padded to its longest curve, so short and long ones are batches of their own.
    """
    training = table[table["role"] == "train"]
    length = np.searchsorted(LENGTHS, training.groupby("curve")["x"].transform("size"))
    fits: dict[str, bs.Posterior] = {}
    begun = time.perf_counter()
    for _, alike in training.groupby(length):
        studies = [study_of(str(name), points) for name, points in alike.groupby("curve", sort=False)]
        for member in bs.fit_many(
            law, studies, seed=seed, draws=DRAWS, warmup=WARMUP, patience=PATIENCE, executor=executor, progress=False
        ):
            if member.posterior is None:
                raise RuntimeError(f"The curve {member.name!r} was not fitted: {member.error}")
            fits[member.name] = member.posterior
    return fits, time.perf_counter() - begun


def log_density(draws: np.ndarray, actual: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """Return the log density of outcomes by a kernel estimate on the logarithm of draws, shape (point,).

    Parameters
    ----------
    draws : array, shape (sample, point)
        Predictive draws.
    actual : array, shape (point,)
        Outcomes.
    unit : float
        What outcomes are divided by before densities are taken.
    """
    columns = zip(np.log(draws).T, np.log(actual), strict=True)
    return np.array([gaussian_kde(column).logpdf(y)[0] for column, y in columns]) - np.log(actual) + np.log(unit)


def mixture_weights(densities: Sequence[np.ndarray], strength: float) -> np.ndarray:
    """Return the weights of candidates whose mixture has the largest log density, shrunk to equal ones.

    They are the mode of a posterior with a Dirichlet prior, found by expectation and maximisation.  A curve counts as
    one observation, however many points it has.

    Parameters
    ----------
    densities : sequence of array, shape (point, candidate)
        Log densities of the points of each curve.
    strength : float
        Curves that the prior counts for; it is even over the candidates.

    Returns
    -------
    array, shape (candidate,)
        Of sum one.

    References
    ----------
    .. [1] Yao, Vehtari, Simpson and Gelman 2018, "Using Stacking to Average Bayesian Predictive Distributions",
       Bayesian Analysis 13, arXiv 1704.02030.

    Examples
    --------
    >>> better, worse = np.zeros(5), np.full(5, -100.0)
    >>> mixture_weights([np.stack([better, worse], axis=1)], 1.0)  # one curve, against one that tells nothing
    array([0.75, 0.25])
    """
    prior = np.full(densities[0].shape[1], strength / densities[0].shape[1])
    weights = prior / strength
    for _ in range(STEPS):
        told = prior + sum(softmax(one + np.log(weights), axis=1).mean(axis=0) for one in densities)
        weights = told / told.sum()
    return weights


def curve_scores(
    draws: np.ndarray, actual: np.ndarray, density: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float]:
    """Return the benchmark's scores of a curve.

    Parameters
    ----------
    draws : array, shape (sample, point)
        Predictive draws.
    actual, density : array, shape (point,)
        Outcomes, and the log density of each.
    weights : array, shape (sample,), optional
        Weights of the draws; equal by default.

    Returns
    -------
    dict
        ``rmsle``, ``logdensity``, ``msce`` and ``cover90``.
    """
    weights = np.ones(len(draws)) if weights is None else weights
    tails = [0.5 - level / 2 for level in LEVELS]
    found = np.quantile(draws, [0.5, *tails, *(1 - np.array(tails))], axis=0, weights=weights, method="inverted_cdf")
    low, high = np.split(found[1:], 2)
    inside = ((low <= actual) & (actual <= high)).mean(axis=1)
    return {
        "rmsle": float(np.sqrt(np.mean(np.log(found[0] / actual) ** 2))),
        "logdensity": float(np.mean(density)),
        "msce": float(np.mean((inside - LEVELS) ** 2)),
        "cover90": float(inside[LEVELS.index(0.9)]),
    }


class Judged(NamedTuple):
    """The targets of a curve and what the candidates say of them.

    Attributes
    ----------
    curve, run : str
        The curve, and the training run that it is of.
    actual : array, shape (point,)
        Outcomes.
    draws : array, shape (candidate, sample, point)
        Predictive draws.
    densities : array, shape (point, candidate)
        Log density of each outcome.
    """

    curve: str
    run: str
    actual: np.ndarray
    draws: np.ndarray
    densities: np.ndarray

    def scores(self, weights: np.ndarray) -> dict[str, float]:
        """Return the scores of the mixture of the candidates."""
        mixed = np.concatenate(self.draws)
        each = np.repeat(weights / self.draws.shape[1], self.draws.shape[1])
        return curve_scores(mixed, self.actual, logsumexp(self.densities, b=weights, axis=1), each)


def judged(fits: Mapping[str, bs.Posterior], table: pd.DataFrame, seed: int) -> Iterator[Judged]:
    """Yield the targets of every curve with the forecasts of the candidates."""
    rng = np.random.default_rng(seed)
    for name, points in table.groupby("curve", sort=False):
        target = study_of(str(name), points[points["role"] == "target"])
        actual, hidden = target.column("loss"), points["hidden"].iloc[0]
        unit = points.loc[points["role"] == "train", "y"].max() if points["group"].iloc[0] == "Nano" else 1.0
        draws = []
        for discrepancy in CANDIDATES.values():
            forecast = bs.forecast(fits[str(name)], target, discrepancy=discrepancy, allow_unconverged=True)
            smooth = forecast.draws["loss_run"].to_numpy()
            draws.append(smooth * np.exp(hidden * rng.standard_t(TAILS, smooth.shape)))
        densities = np.stack([log_density(one, actual, unit) for one in draws], axis=1)
        yield Judged(str(name), str(points["run"].iloc[0]), actual, np.stack(draws), densities)


def score_task(name: str, seed: int = 0) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Weigh the candidates inside the training points of a set of curves, score their mixture: (tables, figures)."""
    table = curves(TASKS[name])
    before = roughened(earlier(table), seed)
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        backtests = list(judged(fitted(LAWS[name], before, seed, pool)[0], before, seed))
        weights = weighed(backtests)
        fits, seconds = fitted(LAWS[name], table, seed, pool)
    found = pd.DataFrame([one.scores(weights) for one in judged(fits, table, seed)]).mean()
    figures = {f"{name}_{figure}": float(value) for figure, value in found.items()}
    converged = [fit.diagnostics.converged for fit in fits.values()]
    figures |= {f"{name}_converged": float(np.mean(converged)), f"{name}_curves": float(table["curve"].nunique())}
    title = "Backtests inside the training points; the average with weights from the other runs"
    return {title: backtest_table(backtests, weights)}, figures | {f"{name}_seconds": seconds}


def weighed(backtests: Sequence[Judged]) -> np.ndarray:
    """Return the weights of the candidates from backtests."""
    return mixture_weights([one.densities for one in backtests], STRENGTH)


def backtest_table(backtests: Sequence[Judged], weights: np.ndarray) -> pd.DataFrame:
    """Return the mean scores of each candidate with its weight, and those of the average, each run left out in turn."""
    rows = [
        {"candidate": label, "weight": weight, **_mean([one.scores(alone) for one in backtests])}
        for label, weight, alone in zip(CANDIDATES, weights, np.eye(len(CANDIDATES)), strict=True)
    ]
    held_out = []
    for run in dict.fromkeys(one.run for one in backtests):
        others = weighed([one for one in backtests if one.run != run])
        held_out += [one.scores(others) for one in backtests if one.run == run]
    return pd.DataFrame([*rows, {"candidate": "average", "weight": weights.sum(), **_mean(held_out)}])


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return dict(pd.DataFrame(scores).mean())
