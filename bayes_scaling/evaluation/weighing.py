"""Laws weighed by backtests inside a study, which teach the error of their slope, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, StudyError, whole
from bayes_scaling.evaluation.cuts import expanding_window, refused, usual_cuts
from bayes_scaling.evaluation.held_out import SLOPES, HeldOut, Window, hold_out
from bayes_scaling.evaluation.weights import Learnt, cut_scores, law_weights, mean_over, slope_weights, slopes_after
from bayes_scaling.forecasts.quantiles import QUANTILES, inside, quantile_columns
from bayes_scaling.forecasts.scores import of_outcome
from bayes_scaling.inference.fittable import FEWEST, check_size
from bayes_scaling.study.flops import training_flops
from bayes_scaling.study.rows import numbered

if TYPE_CHECKING:
    from bayes_scaling.law.base import Law
    from bayes_scaling.study.study import Study

__all__ = ["Weighing", "split_by_compute", "weigh"]

CELL = float(SLOPES[1] - SLOPES[0]) / np.sqrt(12)  # standard deviation of an error within its cell of the grid
SAMPLES = 2000  # draws of a mixture in the table of backtests


@dataclasses.dataclass(frozen=True, eq=False)
class Weighing:
    """Laws weighed by their backtests on one study.

    Attributes
    ----------
    laws : mapping of str to Law
        The laws, their error of the slope as the backtests leave it.
    weights : pandas.Series
        Weight of each law, by its name; they add up to one.
    backtests : pandas.DataFrame
        One row per cut and run beyond it: ``cut`` (largest FLOPs fitted), ``fitted`` (runs), ``run``, ``actual``,
        ``q05``, ``q25``, ``median``, ``q75``, ``q95`` of the mixture, ``error`` (a fraction), ``inside`` (the 90 %
        interval).  The laws are mixed with the weights that follow from these very outcomes, their errors of the slope
        are those before any cut.  A law that says NaN of a run is left out there, and a run of which all say so has no
        row.  Empty where there are too few runs.
    """

    laws: Mapping[str, Law]
    weights: pd.Series
    backtests: pd.DataFrame


def weigh(laws: Mapping[str, Law], study: Study, *, seed: int, own_cuts: Learnt, sharpness: Learnt) -> Weighing:
    r"""Weigh laws, and learn the error of their slope, by backtests inside a study.

    Each law is fitted to the half, two thirds and four fifths of the runs that took least compute, and forecasts the
    rest.  A grid over the error e of the slope gives the density of each outcome; over the n_c outcomes y of a cut c,
    k cuts in all, with p(e) the prior that the law states,

    .. math:: p(e \mid \text{cuts}) \propto p(e) \prod_c \prod_{y} p_c(y \mid e)^{\omega / k n_c}, \qquad
              w \propto \exp \Big( \tau \tfrac{1}{k} \sum_c \tfrac{1}{n_c} \sum_y \log \textstyle\int p_c(y \mid e)
              p(e) \, de \Big) ,

    the weights w averaged over Bayesian bootstraps of the outcomes.

    Outcomes beyond one cut share one error, and cuts share runs, so all of them together count as ``own_cuts``
    observations (omega), however many they are.

    Parameters
    ----------
    laws : mapping of str to Law
        Laws of one series by any names.
    study : Study
        Its training runs are split.
    seed : int
        Seed of every random draw but the bootstraps, which are the same in every call.
    own_cuts, sharpness : float or mapping of float to float
        Omega and tau; of several values, with a weight each, what follows from them is averaged.

    Raises
    ------
    LawError
        No law is given, or one whose model is its own.
    StudyError
        A law cannot be fitted to the study.
    BayesScalingError
        The seed is none.
    """
    seed = whole("seed", seed, 0)
    if not laws:
        raise LawError("There is no law to average; give at least one, such as {'chinchilla': Chinchilla()}.")
    training = study.training
    for law in laws.values():
        if law.by_task or law.own_model:
            raise LawError(
                f"{law.name} has a model of its own, and laws are weighed by the noise of one outcome around their "
                "curve; choose one by bs.choose_law where it is of one series, or fit it by itself."
            )
        check_size(law, training, *law.arrays(training))
    cuts = split_by_compute(training, tuple(laws.values()))
    windows = [Window(law, small, large) for law in laws.values() for _, small, large in cuts]
    found = hold_out(windows, seed=seed)
    by_law = {name: found[i * len(cuts) : (i + 1) * len(cuts)] for i, name in enumerate(laws)}
    scores = [cut_scores([one.log_density for one in by_law[name]], law.slope_moments) for name, law in laws.items()]
    shares = mean_over(lambda tau: law_weights(scores, tau[:, None, None]), sharpness)
    weights = pd.Series(shares, index=list(laws), name="weight")
    learnt = {name: law.with_slope(*_moments(law, by_law[name], own_cuts)) for name, law in laws.items()}
    return Weighing(learnt, weights, _table(laws, weights, cuts, by_law, seed))


def split_by_compute(training: Study, laws: tuple[Law, ...]) -> list[tuple[float, Study, Study]]:
    """Return (largest FLOPs fitted, runs up to them, runs beyond) of each cut that leaves runs enough.

    These are at least as many as the parameters of any of the laws: through fewer its curve goes whatever they are, and
    the score of what it says of the others is one of its priors, and of luck.

    Raises
    ------
    StudyError
        The columns do not tell the FLOPs of the runs.
    """
    flops = training_flops(training.frame)
    if flops is None:
        raise StudyError(
            f"Study {training.name!r} has neither FLOPs nor both of n_params and tokens, so its runs cannot be ordered "
            "by compute; add one of them."
        )
    least = max([FEWEST, *(len({*law.free_parameters} - {*law.noise}) for law in laws)])
    cuts = usual_cuts(flops)
    parts = expanding_window(training, "flops", cuts) if cuts else []
    return [part for part in parts if len(part[1]) >= least and refused(laws, part[1]) is None]


def _moments(law: Law, found: list[HeldOut], own_cuts: Learnt) -> tuple[float, float]:
    """Return mean and standard deviation of the error of the slope, given the cuts."""
    if not found:
        return law.slope_moments
    densities = [one.log_density for one in found]
    weight = mean_over(lambda omega: slopes_after(densities, law.slope_moments, omega[:, None]), own_cuts)
    mean = float(weight @ SLOPES)
    return mean, max(float(np.sqrt(weight @ np.square(SLOPES - mean))), CELL)


def _table(
    laws: Mapping[str, Law],
    weights: pd.Series,
    cuts: list[tuple[float, Study, Study]],
    by_law: Mapping[str, list[HeldOut]],
    seed: int,
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    blocks = []
    for i, (cut, small, large) in enumerate(cuts):
        parts = []
        for name, law in laws.items():
            outcomes = by_law[name][i].outcomes
            count = round(SAMPLES * weights[name])
            slopes = rng.choice(len(SLOPES), count, p=slope_weights(*law.slope_moments))
            drawn = outcomes[slopes, rng.integers(outcomes.shape[1], size=count)]
            parts.append(np.where(np.isnan(drawn).any(axis=0), np.nan, drawn))  # a law without a number has no say
        draws = np.concatenate(parts)
        told = ~np.isnan(draws).all(axis=0)
        each = [quantile_columns(of_run[~np.isnan(of_run)]) for of_run in draws.T[told]]
        actual = next(iter(laws.values())).outcomes_of(large)
        rows = large.frame
        names = rows["run"] if "run" in rows else numbered(rows)
        table = pd.DataFrame({"cut": cut, "fitted": len(small), "run": list(names), "actual": actual})[told]
        table[list(QUANTILES)] = pd.DataFrame(each, table.index, list(QUANTILES), dtype=float)
        error = of_outcome(table["median"].to_numpy() - actual[told], actual[told])
        blocks.append(table.assign(error=error, inside=inside(table, table["actual"])))
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()
