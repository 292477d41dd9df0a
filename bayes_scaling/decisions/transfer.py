"""What pre-training is worth, with intervals: for any law that says it (:attr:`bayes_scaling.Law.transfers`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import numpy as np
import pandas as pd
import xarray as xr

from bayes_scaling.decisions.inputs import one_number
from bayes_scaling.errors import LawError, TargetError
from bayes_scaling.forecasts.quantiles import QUANTILES
from bayes_scaling.forecasts.targets import require_read
from bayes_scaling.inference.posterior import require_posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.inference.programs import jit
from bayes_scaling.study.reading import SYMBOLS, as_rows, column_of
from bayes_scaling.study.validation import floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from bayes_scaling.inference.posterior import Posterior
    from bayes_scaling.law.base import Law
    from bayes_scaling.law.sites import Arrays

__all__ = ["data_unit", "trade_off", "transfer_grid", "transfer_table", "transferred"]

Amounts: TypeAlias = float | str | Sequence[float | str] | np.ndarray
"""Sizes, or data, as a user may write them: one or several, 7e9 or 7B."""

LOW_DATA = 0.1  # share of the data that are enough, up to which power laws of transfer were found to hold
FLAG = "pretrained"  # input of laws that know no amount of pre-training: 1, or 0 from scratch
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
    TargetError
        There are no sizes, or no data, or one is not positive.

    Examples
    --------
    >>> transfer_grid([1e7, 1e8], [1e5, 1e6, 1e7]).shape
    (6, 2)
    """
    cells = pd.MultiIndex.from_product([amounts(N, "N"), amounts(D_F, "D_F")], names=["N", "D_F"])
    return cells.to_frame(index=False).assign(**inputs)


def transferred(posterior: Posterior, grid: Any, *, allow_unconverged: bool = False) -> xr.Dataset:
    """Return posterior draws of what pre-training is worth in each cell of a grid.

    Parameters
    ----------
    posterior : Posterior
        A converged fit of a law of transfer.
    grid : DataFrame, mapping, or sequence of mappings
        ``N`` (parameters) and ``D_F`` (fine-tuning data, in the unit of the study), and the law's other inputs
        (``D_P``, pre-training data) where it has them; ``pretrained`` is 1.  A mapping of numbers is one cell.
    allow_unconverged : bool
        Go on with a fit that did not converge.

    Returns
    -------
    xarray.Dataset
        ``D_T``, ``D_E`` and ``low_data`` (where the power law's regime ends) in the unit of D_F, ``multiplier`` (D_E
        over D_F) and ``loss``; dims (sample, cell).  Its attribute ``data_unit`` is the unit of D_F.

    Raises
    ------
    LawError
        Something else than a fit is given, or the law says nothing of transfer.
    ConvergenceError
        The fit did not converge.
    StudyError
        The grid is no table, or has an entry that is not a number.
    TargetError
        An input is missing or not positive.
    """
    require_transfer(posterior, allow_unconverged)
    runs = as_runs(posterior, grid)
    D_T, enough, loss = evaluate(posterior, runs)
    D_E = runs["D_F"] + D_T
    data = {"D_T": D_T, "D_E": D_E, "multiplier": D_E / runs["D_F"], "low_data": LOW_DATA * enough, "loss": loss}
    cells = {name: ("cell", np.asarray(runs[name])) for name in posterior.law.run_inputs}
    return xr.Dataset(
        {k: (("sample", "cell"), np.broadcast_to(v, D_T.shape)) for k, v in data.items()}, cells, attributes(posterior)
    )


def transfer_table(posterior: Posterior, grid: Any, *, allow_unconverged: bool = False) -> pd.DataFrame:
    """Return 90 % intervals of what pre-training is worth in each cell of a grid.

    Parameters
    ----------
    posterior, grid, allow_unconverged
        As for :func:`transferred`.

    Returns
    -------
    pandas.DataFrame
        One row per cell: its inputs; median and interval of ``D_T``, ``D_E`` and ``multiplier``; ``p_helps``, the
        probability that D_T > 0; and ``in_low_data``, whether the cell lies in the regime in which the power law was
        found.

    Raises
    ------
    LawError, ConvergenceError, StudyError, TargetError
        As for :func:`transferred`.
    """
    draws = transferred(posterior, grid, allow_unconverged=allow_unconverged)
    table = pd.DataFrame({name: draws[name].to_numpy() for name in draws.coords})
    for name in ("D_T", "D_E", "multiplier"):
        for label, level in LEVELS.items():
            table[f"{name}_{label}"] = draws[name].quantile(level, "sample").to_numpy()
    table["p_helps"] = (draws["D_T"] > 0).mean("sample").to_numpy()
    table["in_low_data"] = table["D_F"] <= draws["low_data"].median("sample").to_numpy()
    return table


def trade_off(posterior: Posterior, larger: float = 10.0, *, allow_unconverged: bool = False) -> dict[str, float]:
    """Return how many times more fine-tuning data transfer as much as a ``larger`` times larger model does.

    That is of the power law ``D_T = k D_F^a N^b``: without the fading of :class:`~bayes_scaling.models.FadingTransfer`,
    and with the endless pre-training of :class:`~bayes_scaling.models.PretrainingSize`.  What a cell gains by all of a
    law says :func:`transferred`.

    Parameters
    ----------
    posterior : Posterior
        A converged fit of a law of transfer.
    larger : float
        How many times larger the model is.
    allow_unconverged : bool
        Go on with a fit that did not converge.

    Returns
    -------
    dict of str to float
        Median and 90 % interval of ``larger ** (b / a)``; infinite where more fine-tuning data transfer nothing more.

    Raises
    ------
    DecisionError
        ``larger`` is not one positive number.
    LawError
        Something else than a fit is given, or the law has no such exponents.
    ConvergenceError
        The fit did not converge.
    """
    larger = one_number(larger, "factor by which a model is larger", "10")
    known: dict[str, ArrayLike] = {**require_posterior(posterior).law.fixed_parameters, **posterior.draws}
    if not {"a", "b"} <= known.keys():
        raise LawError(f"{posterior.law.name} has no exponents a and b; fit a law of transfer.")
    posterior.require_converged(allow_unconverged)
    a, b = np.broadcast_arrays(known["a"], known["b"])
    with np.errstate(divide="ignore", over="ignore"):
        factor = np.where(a > 0, larger ** (b / np.where(a > 0, a, 1.0)), np.inf)
    values = np.quantile(factor, list(LEVELS.values()), method="nearest")
    return dict(zip(LEVELS, map(float, values), strict=True))


def data_unit(posterior: Posterior) -> str:
    """Return the unit of the fine-tuning data, from the study's card; empty where it says none."""
    return posterior.study.card.unit(SYMBOLS["D_F"], "")


def attributes(posterior: Posterior) -> dict[str, str]:
    """Return what a picture says of a dataset."""
    outcome = posterior.law.outcome
    return {"data_unit": data_unit(posterior), "outcome": outcome, "unit": posterior.units[outcome]}


def amounts(values: Any, symbol: str) -> np.ndarray:
    """Return sizes, or data, as a user may write them, as an array of shape (value,), of which each is positive.

    Raises
    ------
    StudyError
        One is not a number.
    TargetError
        There is none, or one is not positive.
    """
    column = SYMBOLS[symbol]
    if not np.size(values):
        raise TargetError(f"There is no {symbol}; give one or several, such as 1e8.")
    found = floats(pd.DataFrame({column: np.ravel(values)}), column).to_numpy()
    if (wrong := ~(np.isfinite(found) & (found > 0))).any():
        raise TargetError(f"There is the {symbol} {found[wrong][0]:g}; give positive numbers, such as 1e8.")
    return found


def require_transfer(posterior: Posterior, allow_unconverged: bool) -> None:
    """Refuse what is no fit, a law that says nothing of what pre-training is worth, and a fit that did not converge."""
    if not require_posterior(posterior).law.transfers:
        raise LawError(f"{posterior.law.name} says nothing of transfer; fit one of the laws of transfer.")
    posterior.require_converged(allow_unconverged)


def as_runs(posterior: Posterior, grid: Any, zero: bool = False) -> dict[str, Any]:
    """Return the columns of the grid and the references of the fit, which is one of a law of transfer."""
    law = posterior.law
    frame = as_rows(grid, posterior.study.names)
    if isinstance(grid, (Mapping, list, tuple)):
        require_read((law,), posterior.study, frame)
    if FLAG in law.run_inputs and FLAG not in frame:
        frame[FLAG] = 1.0
    found, _ = law.arrays(posterior.study)
    for name in law.run_inputs:
        if column_of(name) not in frame:
            raise TargetError(f"The grid lacks {name}, which {law.name} needs; give {', '.join(law.run_inputs)}.")
        values = floats(frame, column_of(name)).to_numpy()
        allowed = law.allows(name, values) & (zero | (values != 0))
        if not allowed.all():
            wanted = f"1{' or 0' if zero else ''}" if name in law.flags else "positive numbers"
            raise TargetError(f"The grid has {name} = {values[~allowed][0]:g}; give {wanted}.")
        found = {**found, name: values}
    return found


def evaluate(posterior: Posterior, runs: Mapping[str, Any], samples: int | None = None) -> tuple[np.ndarray, ...]:
    """Return (D_T, enough data, loss), each of shape (sample, cell)."""
    law = posterior.law
    with double_precision():
        found = _worth(law, law.fixed_parameters, runs, posterior.thin(samples))
        return tuple(np.asarray(x) for x in found)


@jit
def _worth(law: Law, fixed: Arrays, runs: Arrays, latent: Arrays) -> tuple[jax.Array, ...]:
    def one(parameters: Arrays) -> tuple[jax.Array, ...]:
        p = {**fixed, **parameters}
        return law.transferred(runs, p), law.enough(runs, p), law.at(runs, p)

    return jax.vmap(one)(latent)
