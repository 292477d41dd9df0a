"""What pre-training is worth, read off the curves of a study, without a law."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError
from bayes_scaling.study.reading import SYMBOLS
from bayes_scaling.study.rows import row_name
from bayes_scaling.study.study import Study, require_study

__all__ = ["read_off"]


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
    size, data, arm = SYMBOLS["N"], SYMBOLS["D_F"], "pretrained"
    columns = {name: require_study(study).column(name) for name in (size, data, arm)}
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
