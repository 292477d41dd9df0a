"""What pre-training is worth, with intervals: for any law that says it (:attr:`bayes_scaling.Law.transfers`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.decisions.inputs import one_number, positive
from bayes_scaling.errors import LawError, StudyError, TargetError, suggest
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.study.flops import FlopRule, PerToken
from bayes_scaling.study.reading import SYMBOLS, as_rows, column_of
from bayes_scaling.study.rows import row_name
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.study.study import Study

__all__ = ["curves", "data_unit", "frontier", "read_off", "trade_off", "transfer_grid", "transfer_table", "transferred"]

Amounts: TypeAlias = float | str | Sequence[float | str] | np.ndarray
"""Sizes, or data, as a user may write them: one or several, 7e9 or 7B."""

LOW_DATA = 0.1  # share of the data that are enough, up to which power laws of transfer were found to hold
ARMS = ("scratch", "pretrained")
FLAG = "pretrained"  # input of laws that know no amount of pre-training: 1, or 0 from scratch
SAME_SIZE = 0.05  # relative difference of sizes up to which runs are shown together
LEAST, MOST = 1e-6, 1e6  # fine-tuning data to look among, over the smallest and the largest fitted
STEPS_PER_DECADE = 20  # of that search
LEVELS = {name: QUANTILES[name] for name in ("q05", "median", "q95")}


def transfer_grid(N: Amounts, D_F: Amounts, **inputs: float) -> pd.DataFrame:
    """Return every combination of sizes and fine-tuning data, a row per cell, for :func:`.transferred`.

    Parameters
    ----------
    N, D_F : float or sequence of float
        Parameters, and fine-tuning data in the unit of the study; also written as 7B.
    **inputs : float
        Further inputs of the law, the same in every cell, such as ``D_P``.

    Raises
    ------
    StudyError
        One is not a number.

    Examples
    --------
    >>> transfer_grid([1e7, 1e8], [1e5, 1e6, 1e7]).shape
    (6, 2)
    """
    cells = pd.MultiIndex.from_product([_amounts(N, "N"), _amounts(D_F, "D_F")], names=["N", "D_F"])
    return cells.to_frame(index=False).assign(**inputs)


def transferred(posterior: Posterior, grid: Any) -> xr.Dataset:
    """Return posterior draws of what pre-training is worth in each cell of a grid.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    grid : DataFrame, mapping, or sequence of mappings
        ``N`` (parameters) and ``D_F`` (fine-tuning data, in the unit of the study), and the law's other inputs
        (``D_P``, pre-training data) where it has them; ``pretrained`` is taken as 1.  A mapping of numbers is one cell.

    Returns
    -------
    xarray.Dataset
        ``D_T``, ``D_E`` and ``low_data`` (where the power law's regime ends) in the unit of D_F, ``multiplier`` (D_E
        over D_F) and ``loss``; dims (sample, cell).  Its attribute ``data_unit`` is the unit of D_F.

    Raises
    ------
    LawError
        The law says nothing of transfer.
    StudyError
        The grid is no table, or has an entry that is not a number.
    TargetError
        An input is missing or not positive.
    """
    runs = _runs(posterior, grid)
    D_T, enough, loss = _evaluate(posterior, runs)
    D_E = runs["D_F"] + D_T
    data = {"D_T": D_T, "D_E": D_E, "multiplier": D_E / runs["D_F"], "low_data": LOW_DATA * enough, "loss": loss}
    cells = {name: ("cell", np.asarray(runs[name])) for name in posterior.law.run_inputs}
    return xr.Dataset(
        {k: (("sample", "cell"), np.broadcast_to(v, D_T.shape)) for k, v in data.items()}, cells, _attributes(posterior)
    )


def transfer_table(posterior: Posterior, grid: Any) -> pd.DataFrame:
    """Return 90 % intervals of what pre-training is worth in each cell of a grid.

    Parameters
    ----------
    posterior, grid
        As for :func:`transferred`.

    Returns
    -------
    pandas.DataFrame
        One row per cell: its inputs; median and interval of ``D_T``, ``D_E`` and ``multiplier``; ``p_helps``, the
        probability that D_T > 0; and ``in_low_data``, whether the cell lies in the regime in which the power law was
        found.

    Raises
    ------
    LawError, StudyError, TargetError
        As for :func:`transferred`.
    """
    draws = transferred(posterior, grid)
    table = pd.DataFrame({name: draws[name].to_numpy() for name in draws.coords})
    for name in ("D_T", "D_E", "multiplier"):
        for label, level in LEVELS.items():
            table[f"{name}_{label}"] = draws[name].quantile(level, "sample").to_numpy()
    table["p_helps"] = (draws["D_T"] > 0).mean("sample").to_numpy()
    table["in_low_data"] = table["D_F"] <= draws["low_data"].median("sample").to_numpy()
    return table


def read_off(study: Study, outcome: str = "loss") -> pd.DataFrame:
    """Read D_T off the curves, without a law: the data at which the curve from scratch reaches the fine-tuned outcome.

    Parameters
    ----------
    study : Study
        Runs with ``n_params``, ``finetune_data`` and ``pretrained`` (1 or 0); repeated runs are averaged.
    outcome : str, default "loss"
        A positive outcome that falls with data.

    Returns
    -------
    pandas.DataFrame
        ``N``, ``D_F`` and ``D_T`` of each cell that has both arms.  The curve from scratch is interpolated in logs of
        both, for each size; D_T is negative where pre-training hurts, and NaN beyond the ends of the curve.

    Raises
    ------
    StudyError
        A column is missing or has an entry that is none of its numbers, ``pretrained`` is neither 1 nor 0, an outcome
        is not positive, or no cell has both arms.

    Examples
    --------
    >>> from bayes_scaling import Study
    >>> cells = [(1e6, 1e4, 0, 4.0), (1e6, 1e6, 0, 2.0), (1e6, 1e4, 1, 2.0), (1e6, 1e6, 1, 1.9)]
    >>> table = pd.DataFrame(cells, columns=["n_params", "finetune_data", "pretrained", "loss"])
    >>> read_off(Study.from_frame(table))["D_T"].round().tolist()
    [990000.0, nan]
    """
    size, data, arm = SYMBOLS["N"], SYMBOLS["D_F"], FLAG
    columns = {name: study.column(name) for name in (size, data, arm)}
    runs = pd.DataFrame({**columns, outcome: study.column(outcome, partial=True)}, index=study.frame.index)
    for name, wrong, works in ((arm, ~runs[arm].isin((0, 1)), "1, or 0 (from scratch)"),
                               (outcome, runs[outcome] <= 0, "a positive number")):  # fmt: skip
        if wrong.any():
            place = int(wrong.argmax())
            where = f"{name} = {runs[name].iloc[place]:g} in {row_name(study.frame, place)}"
            raise StudyError(f"Study {study.name!r} has {where}; give {works}.")
    mean = runs.groupby([size, data, arm])[outcome].mean().unstack(arm).reindex(columns=[0.0, 1.0])
    both, found = mean.dropna(), []
    if both.empty:
        raise StudyError(
            f"Study {study.name!r} has no size and data of both arms, from scratch and pre-trained; add runs of both "
            "with one n_params and finetune_data."
        )
    for _, arms in both.groupby(level=size):
        scratch = mean[0.0].dropna().loc[arms.index.get_level_values(size)[0]]
        falling = -np.minimum.accumulate(np.log(scratch.to_numpy()))
        at = np.interp(-np.log(arms[1.0]), falling, np.log(scratch.index), left=np.nan, right=np.nan)
        found.append(np.exp(at) - arms.index.get_level_values(data))
    cells = {"N": both.index.get_level_values(size), "D_F": both.index.get_level_values(data)}
    return pd.DataFrame({**cells, "D_T": np.concatenate(found)}).astype(float)


def trade_off(posterior: Posterior, larger: float = 10.0) -> dict[str, float]:
    """Return how many times more fine-tuning data transfer as much as a ``larger`` times larger model does.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    larger : float
        How many times larger the model is.

    Returns
    -------
    dict of str to float
        Median and 90 % interval of ``larger ** (b / a)``; infinite where more fine-tuning data transfer nothing more.

    Raises
    ------
    DecisionError
        ``larger`` is not one positive number.
    LawError
        The law has no such exponents.
    """
    larger = one_number(larger, "factor by which a model is larger", "10")
    draws = posterior.draws
    if not {"a", "b"} <= draws.keys():
        raise LawError(f"{posterior.law.name} has no exponents a and b; fit a law of transfer.")
    with np.errstate(divide="ignore", over="ignore"):
        factor = np.where(draws["a"] > 0, larger ** (draws["b"] / np.where(draws["a"] > 0, draws["a"], 1.0)), np.inf)
    values = np.quantile(factor, list(LEVELS.values()), method="nearest")
    return dict(zip(LEVELS, map(float, values), strict=True))


def frontier(
    posterior: Posterior,
    losses: float | Sequence[float],
    sizes: Amounts,
    *,
    unit_per_token: float = 1.0,
    pretraining: float = 0.0,
    flops: str | PerToken | FlopRule = "6ND",
    samples: int = 200,
    **inputs: float,
) -> pd.DataFrame:
    """Return the least training compute for each target loss, from scratch and from a pre-trained model.

    The law is read far below the fitted data, too, where nothing was seen: down to a millionth of the smallest.  Where
    that suffices, no fine-tuning data are needed to speak of, and none are counted.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    losses : float or sequence of float
        Target losses.
    sizes : float or sequence of float
        Model sizes to choose from, in parameters; also written as 7B.
    unit_per_token : float
        Units of D_F per token (characters per token, say).
    pretraining : float, default 0.0
        Data of the pre-training to pay for, in the unit of D_F; by default it counts as paid for.
    flops : str, callable or FlopRule
        The FLOP convention, as :meth:`bayes_scaling.FlopRule.of` reads it.
    samples : int
        Posterior draws to use.
    **inputs : float
        The law's other inputs for the pre-trained arm, such as ``D_P=64_000``.

    Returns
    -------
    pandas.DataFrame
        One row per loss and arm: median and 90 % interval of ``flops`` and ``data`` (unit of D_F), infinite where never;
        ``reached``, the share of draws in which some size reaches the loss; ``n_params``, the median of the best sizes
        of these, NaN where there are none; and ``no_data``, the share of draws in which the best size reaches the loss
        without fine-tuning data, so that these are 0.

    Raises
    ------
    DecisionError
        A loss is not a positive number.
    LawError
        The law says nothing of transfer, has no input of a name that is given, or needs one that is not.
    StudyError, TargetError
        A size or an input is not a positive number.
    """
    rule = FlopRule.of(flops, posterior.study)
    _check(posterior, inputs, "unit_per_token", "pretraining", "flops", "samples")
    goals, N = positive(losses, "loss to reach", "2.1").tolist(), _amounts(sizes, "N")
    data = posterior.study.column(SYMBOLS["D_F"])
    ends = LEAST * data.min(), MOST * data.max()
    D = np.geomspace(*ends, 1 + int(np.ceil(STEPS_PER_DECADE * np.log10(ends[1] / ends[0]))))
    cells = transfer_grid(N, D)
    rows = []
    for arm in ARMS:
        runs = _runs(posterior, cells.assign(**_arm(posterior, arm, inputs)), zero=True)
        curves = _evaluate(posterior, runs, samples)[2].reshape(-1, len(N), len(D))
        for loss in goals:
            needed = _needed(curves, D, loss)
            before = pretraining if arm == "pretrained" else 0.0
            paid = rule.cost(N, (before + needed) / unit_per_token)
            best = paid.argmin(1)
            cost, amount = (np.take_along_axis(x, best[:, None], 1)[:, 0] for x in (paid, needed))
            none = amount == D[0]
            amount = np.where(none, 0.0, amount)
            cost = np.where(none, rule.cost(N[best], np.full(len(best), before / unit_per_token)), cost)
            reached = np.isfinite(cost)
            row: dict[str, Any] = {"loss": loss, "arm": arm, "reached": float(reached.mean())}
            row["no_data"] = float(none.mean())
            row["n_params"] = float(np.median(N[best[reached]])) if reached.any() else np.nan
            for name, values in (("flops", cost), ("data", amount)):
                for label, level in LEVELS.items():
                    row[f"{name}_{label}"] = float(np.quantile(values, level, method="nearest"))
            rows.append(row)
    return pd.DataFrame(rows)


def _needed(curves: np.ndarray, D: np.ndarray, loss: float) -> np.ndarray:
    """Return the least data with which curves reach a loss, between points straight in log D; infinite where none do.

    Parameters
    ----------
    curves : array, shape (..., data)
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
    below = curves <= loss
    after = np.maximum(below.argmax(-1), 1)
    high, low = (np.take_along_axis(curves, (after - i)[..., None], -1)[..., 0] for i in (1, 0))
    part = np.clip((high - loss) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return np.where(below.any(-1), D[after - 1] * (D[1] / D[0]) ** part, np.inf)


def curves(posterior: Posterior, N: float | str, D_F: Amounts, **inputs: float) -> xr.Dataset:
    """Return the expected outcome from scratch and pre-trained over fine-tuning data, at one size.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law of transfer.
    N : float
        Parameters; also written as 7B.
    D_F : float or sequence of float
        Fine-tuning data, in the unit of the study.
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
    StudyError, TargetError
        A size or an input is not a positive number, or several sizes are given.
    """
    _check(posterior, inputs)
    sizes = _amounts(N, "N")
    if len(sizes) != 1:
        raise TargetError(f"Curves are of one size, and N gives {len(sizes)}; give one, such as 1e8.")
    grid = transfer_grid(sizes, D_F)
    found: dict[str, Any] = {}
    for arm in ARMS:
        runs = _runs(posterior, grid.assign(**_arm(posterior, arm, inputs)), zero=True)
        found[arm] = (("sample", "D_F"), _evaluate(posterior, runs)[2])
    fitted = posterior.study.training.frame
    near = fitted[np.isclose(fitted["n_params"], sizes[0], rtol=SAME_SIZE)]
    switches = near[[posterior.law.columns[name] for name in posterior.law.indicators]]
    found["run_pretrained"] = ("run", (switches > 0).any(axis=1).to_numpy())
    found["run_outcome"] = ("run", near[posterior.law.outcome].to_numpy(dtype=float))
    coords = {"D_F": grid["D_F"].to_numpy(), "run_data": ("run", near[SYMBOLS["D_F"]].to_numpy(dtype=float))}
    return xr.Dataset(found, coords, _attributes(posterior) | {"n_params": float(sizes[0])})


def data_unit(posterior: Posterior) -> str:
    """Return the unit of the fine-tuning data, from the study's card; empty where it says none."""
    return posterior.study.card.unit(SYMBOLS["D_F"], "")


def _attributes(posterior: Posterior) -> dict[str, str]:
    """Return what a picture says of a dataset."""
    outcome = posterior.law.outcome
    return {"data_unit": data_unit(posterior), "outcome": outcome, "unit": posterior.units[outcome]}


def _amounts(values: Any, symbol: str) -> np.ndarray:
    """Return sizes, or data, as a user may write them, as an array of shape (value,)."""
    column = SYMBOLS[symbol]
    return floats(pd.DataFrame({column: np.ravel(values)}), column).to_numpy()


def _check(posterior: Posterior, inputs: Mapping[str, float], *arguments: str) -> None:
    """Refuse a name that is no input which tells the arms apart (it may be an argument misspelt), and one that lacks."""
    law = posterior.law
    _require_transfer(posterior)
    for name in inputs:
        if name not in law.indicators:
            raise LawError(f"{law.name} has no further input {name!r}; {suggest(name, (*law.indicators, *arguments))}")
    for name in law.indicators:
        if name not in {*inputs, FLAG}:
            raise LawError(
                f"{law.name} needs {name} of the pre-trained arm, and it is not given; give {name}=64_000, say."
            )


def _require_transfer(posterior: Posterior) -> None:
    """Refuse a law that says nothing of what pre-training is worth."""
    if not posterior.law.transfers:
        raise LawError(f"{posterior.law.name} says nothing of transfer; fit one of the laws of transfer.")


def _arm(posterior: Posterior, arm: str, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return the inputs that tell the arms apart: 0 from scratch, otherwise as given; the flag is 1."""
    return {name: 0.0 if arm == "scratch" else {FLAG: 1.0, **inputs}[name] for name in posterior.law.indicators}


def _runs(posterior: Posterior, grid: Any, zero: bool = False) -> dict[str, Any]:
    """Return the columns of the grid and the references of the fit."""
    law = posterior.law
    _require_transfer(posterior)
    frame = as_rows(grid, posterior.study.names)
    if FLAG in law.run_inputs and FLAG not in frame:
        frame[FLAG] = 1.0
    found, _ = law.arrays(posterior.study)
    for name in law.run_inputs:
        if column_of(name) not in frame:
            raise TargetError(f"The grid lacks {name}, which {law.name} needs; give {', '.join(law.run_inputs)}.")
        values = floats(frame, column_of(name)).to_numpy()
        if not ((values > 0) | ((values == 0) & (zero and name in law.indicators))).all():
            raise TargetError(f"The grid has {name} = {values.min():g}; give positive numbers.")
        found = {**found, name: values}
    return found


def _evaluate(posterior: Posterior, runs: Mapping[str, Any], samples: int | None = None) -> tuple[np.ndarray, ...]:
    """Return (D_T, enough data, loss), each of shape (sample, cell)."""
    law = posterior.law

    def one(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        p = {**law.fixed_parameters, **parameters}
        return law.transferred(runs, p), law.enough(runs, p), law.at(runs, p)

    with double_precision():
        found = jit(jax.vmap(one))(posterior.thin(samples))
        return tuple(np.asarray(x) for x in found)
