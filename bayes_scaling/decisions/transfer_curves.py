"""Fine-tuned beside trained from scratch: outcomes over data, and the compute that a loss takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.decisions.inputs import one_number, positive
from bayes_scaling.decisions.transfer import (
    FLAG,
    LEVELS,
    Amounts,
    amounts,
    as_runs,
    attributes,
    evaluate,
    require_transfer,
    transfer_grid,
)
from bayes_scaling.errors import DecisionError, LawError, TargetError, suggest
from bayes_scaling.study.flops import FlopRule, PerToken
from bayes_scaling.study.reading import SYMBOLS
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior

__all__ = ["transfer_curves", "transfer_frontier"]

ARMS = ("scratch", "pretrained")
SAME_SIZE = 0.05  # relative difference of sizes up to which runs are shown together
LEAST, MOST = 1e-6, 1e6  # fine-tuning data to look among, over the smallest and the largest fitted
STEPS_PER_DECADE = 20  # of that search


def transfer_curves(
    posterior: Posterior, N: float | str, D_F: Amounts, *, allow_unconverged: bool = False, **inputs: float
) -> xr.Dataset:
    """Return the expected outcome from scratch and pre-trained over fine-tuning data, at one size.

    Parameters
    ----------
    posterior : Posterior
        A converged fit of a law of transfer.
    N : float
        Parameters; also written as 7B.
    D_F : float or sequence of float
        Fine-tuning data, in the unit of the study.
    allow_unconverged : bool
        Go on with a fit that did not converge.
    **inputs
        Further inputs of the law for the pre-trained arm, such as ``D_P``; ``pretrained`` is taken as 1.

    Returns
    -------
    xarray.Dataset
        ``scratch`` and ``pretrained``, dims (sample, D_F); ``run_outcome`` over ``run_data``, the fitted runs of this
        size, and ``run_pretrained``, which of them are; units and names in its attributes, for
        :func:`bayes_scaling.plots.plot_data_efficiency`.

    Raises
    ------
    LawError
        The law says nothing of transfer, has no input of a name that is given, or needs one that is not.
    ConvergenceError
        The fit did not converge.
    StudyError, TargetError
        A size or an input is not a positive number, or several sizes are given.
    """
    _check(posterior, inputs, allow_unconverged)
    sizes = amounts(N, "N")
    if len(sizes) != 1:
        raise TargetError(f"Curves are of one size, and N gives {len(sizes)}; give one, such as 1e8.")
    grid = transfer_grid(sizes, D_F)
    found: dict[str, Any] = {}
    for arm in ARMS:
        runs = as_runs(posterior, grid.assign(**_arm(posterior, arm, inputs)), zero=True)
        found[arm] = (("sample", "D_F"), evaluate(posterior, runs)[2])
    fitted = posterior.study.training.frame
    near = fitted[np.isclose(fitted["n_params"], sizes[0], rtol=SAME_SIZE)]
    switches = [floats(near, posterior.law.columns[name]).to_numpy() for name in posterior.law.indicators]
    found["run_pretrained"] = ("run", np.any([switch > 0 for switch in switches], axis=0))
    found["run_outcome"] = ("run", near[posterior.law.outcome].to_numpy(dtype=float))
    coords = {"D_F": grid["D_F"].to_numpy(), "run_data": ("run", near[SYMBOLS["D_F"]].to_numpy(dtype=float))}
    return xr.Dataset(found, coords, attributes(posterior) | {"n_params": float(sizes[0])})


def transfer_frontier(
    posterior: Posterior,
    losses: float | Sequence[float],
    sizes: Amounts,
    *,
    unit_per_token: float = 1.0,
    pretraining: float | str = 0.0,
    flops: str | PerToken | FlopRule = "6ND",
    samples: int = 200,
    allow_unconverged: bool = False,
    **inputs: float,
) -> pd.DataFrame:
    """Return the least training compute for each target loss, from scratch and from a pre-trained model.

    The law is read far below the fitted data, too, where nothing was seen: down to a millionth of the smallest.  Where
    that suffices, no fine-tuning data are needed to speak of, and none are counted.

    Parameters
    ----------
    posterior : Posterior
        A converged fit of a law of transfer.
    losses : float or sequence of float
        Target losses.
    sizes : float or sequence of float
        Model sizes to choose from, in parameters; also written as 7B.
    unit_per_token : float
        Units of D_F per token (characters per token, say).
    pretraining : float, default 0.0
        Data of the pre-training to pay for, in the unit of D_F, also written as 7B; by default it counts as paid for.
    flops : str, callable or FlopRule
        The FLOP convention, as :meth:`bayes_scaling.FlopRule.of` reads it.
    samples : int
        Posterior draws to use.
    allow_unconverged : bool
        Go on with a fit that did not converge.
    **inputs : float
        The law's other inputs for the pre-trained arm, such as ``D_P=64_000``.

    Returns
    -------
    pandas.DataFrame
        One row per loss and arm: median and 90 % interval of ``flops`` and ``data`` (unit of D_F), infinite where
        never; ``reached``, the share of draws in which some size reaches the loss; ``n_params``, the median of the best
        sizes of these, NaN where there are none; and ``no_data``, the share of draws in which the best size reaches the
        loss without fine-tuning data, so that these are 0.

    Raises
    ------
    DecisionError
        A loss or the units per token are not positive numbers, or the pre-training is negative.
    LawError
        The law says nothing of transfer, has no input of a name that is given, or needs one that is not.
    ConvergenceError
        The fit did not converge.
    StudyError, TargetError
        A size or an input is not a positive number.
    """
    _check(posterior, inputs, allow_unconverged, "unit_per_token", "pretraining", "flops", "samples")
    rule = FlopRule.of(flops, posterior.study)
    goals, N = positive(losses, "loss to reach", "2.1").tolist(), amounts(sizes, "N")
    per_token = one_number(unit_per_token, "unit_per_token", "4.0")
    spent = one_number(pretraining, "pretraining", "1e9", signed=True)
    if spent < 0:
        raise DecisionError(f"The pretraining is {spent:g}; give the data to pay for, such as 1e9, or 0 for none.")
    data = posterior.study.column(SYMBOLS["D_F"])
    ends = LEAST * data.min(), MOST * data.max()
    D = np.geomspace(*ends, 1 + int(np.ceil(STEPS_PER_DECADE * np.log10(ends[1] / ends[0]))))
    cells = transfer_grid(N, D)
    rows = []
    for arm in ARMS:
        runs = as_runs(posterior, cells.assign(**_arm(posterior, arm, inputs)), zero=True)
        expected = evaluate(posterior, runs, samples)[2].reshape(-1, len(N), len(D))
        for loss in goals:
            needed = _needed(expected, D, loss)
            before = spent if arm == "pretrained" else 0.0
            paid = rule.cost(N, (before + needed) / per_token)
            best = paid.argmin(1)
            cost, amount = (np.take_along_axis(x, best[:, None], 1)[:, 0] for x in (paid, needed))
            none = amount == D[0]
            amount = np.where(none, 0.0, amount)
            cost = np.where(none, rule.cost(N[best], np.full(len(best), before / per_token)), cost)
            reached = np.isfinite(cost)
            row: dict[str, Any] = {"loss": loss, "arm": arm, "reached": float(reached.mean())}
            row["no_data"] = float(none.mean())
            row["n_params"] = float(np.median(N[best[reached]])) if reached.any() else np.nan
            for name, values in (("flops", cost), ("data", amount)):
                for label, level in LEVELS.items():
                    row[f"{name}_{label}"] = float(np.quantile(values, level, method="nearest"))
            rows.append(row)
    return pd.DataFrame(rows)


def _needed(losses: np.ndarray, D: np.ndarray, loss: float) -> np.ndarray:
    """Return the least data with which a loss is reached, between points straight in log D; infinite where none do.

    Parameters
    ----------
    losses : array, shape (..., data)
        Losses, which fall with data.
    D : array, shape (data,)
        The data, evenly spaced in logarithms; where the first suffices, it is returned.
    loss : float
        The loss to reach.

    Examples
    --------
    >>> _needed(np.array([[3.0, 2.0, 1.0], [1.0, 0.5, 0.2], [4.0, 3.0, 2.5]]), np.array([1.0, 10.0, 100.0]), 2.0)
    array([10.,  1., inf])
    """
    below = losses <= loss
    after = np.maximum(below.argmax(-1), 1)
    high, low = (np.take_along_axis(losses, (after - i)[..., None], -1)[..., 0] for i in (1, 0))
    part = np.clip((high - loss) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.where(below.any(-1), D[after - 1] * (D[1] / D[0]) ** part, np.inf)


def _check(posterior: Posterior, inputs: Mapping[str, float], allow_unconverged: bool, *arguments: str) -> None:
    """Refuse an input that does not tell the arms apart (it may be an argument misspelt), and want of one that does."""
    require_transfer(posterior, allow_unconverged)
    law, known = posterior.law, (*posterior.law.indicators, *arguments, "allow_unconverged")
    for name in inputs:
        if name not in law.indicators:
            raise LawError(f"{law.name} has no further input {name!r}; {suggest(name, known)}")
    for name in law.indicators:
        if name not in {*inputs, FLAG}:
            raise LawError(
                f"{law.name} needs {name} of the pre-trained arm, and it is not given; give {name}=64_000, say."
            )


def _arm(posterior: Posterior, arm: str, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return the inputs that tell the arms apart: 0 from scratch, otherwise as given; the flag is 1."""
    return {name: 0.0 if arm == "scratch" else {FLAG: 1.0, **inputs}[name] for name in posterior.law.indicators}
