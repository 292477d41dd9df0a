"""Runs to forecast, in any form a user may give them, and how far they lie beyond the fitted runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import TargetError
from bayes_scaling.study import SYMBOLS, Study

if TYPE_CHECKING:
    from bayes_scaling.law import Law

__all__ = ["distances", "read_targets"]


def read_targets(law: Law, study: Study, targets: Any) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return (inputs by target label, outcomes as arrays; NaN where unknown) of what a user may give as targets."""
    dims, coords = law.dims(study)
    shape = {q: [len(coords[d]) for d in dims.get(q, [])] for q in law.quantities}
    if isinstance(targets, Study):
        _, outcomes = law.arrays(targets)
        rows = targets.frame.drop_duplicates("run") if "run" in targets.frame else targets.frame
        frame = pd.DataFrame(rows).set_index("run" if "run" in rows else rows.index)
        actual = {q: outcomes[q] for q in law.quantities}
    else:
        if targets is None:
            wanted = " and ".join(law.run_inputs)
            raise TargetError(f"No target was given; give {wanted}, for example {{'N': 7e9, 'D': 4e12}}.")
        if isinstance(targets, Mapping) and not any(np.ndim(v) for v in targets.values()):
            targets = [targets]
        frame = pd.DataFrame(targets).rename(columns=SYMBOLS)
        label = "target" if "target" in frame else "run"
        frame = frame.set_index(label) if label in frame else frame.set_axis([_label(r) for _, r in frame.iterrows()])
        actual = {q: np.full([len(frame), *shape[q]], np.nan) for q in law.quantities}
        for q in law.quantities:
            if q in frame and not shape[q]:
                actual[q] = frame[q].to_numpy(dtype=float)
    frame.index.name = "target"
    if frame.index.has_duplicates:
        raise TargetError(
            f"Target {frame.index[frame.index.duplicated()][0]!r} is given twice; give it once, or name each."
        )
    for symbol in law.run_inputs:
        column = SYMBOLS.get(symbol, symbol)
        if column not in frame:
            given = ", ".join(map(str, frame.columns)) or "nothing"
            raise TargetError(f"A target of {law.name} needs {symbol} ({column}), and {given} is given; add {symbol}.")
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        bad = ~(np.isfinite(values) & ((values > 0) | ((values == 0) & (symbol in law.indicators))))
        if bad.any():
            given = frame[column].iloc[int(np.argmax(bad))]
            raise TargetError(f"Target {frame.index[bad][0]!r} has {symbol} = {given!r}; give a positive number.")
    return frame, actual


def _label(row: pd.Series) -> str:
    names = {full: symbol for symbol, full in SYMBOLS.items()}
    return ", ".join(f"{names.get(str(k), k)}={v:.4g}" for k, v in row.items() if isinstance(v, (int, float)))


def distances(study: Study, frame: pd.DataFrame) -> np.ndarray:
    """Return each target's training FLOPs over the largest fitted ones: the extrapolation distance."""
    fitted, target = _flops(study.frame), _flops(frame)
    if fitted is None or target is None or ("flops" in study.frame) != ("flops" in frame):
        fitted, target = _flops(study.frame, six=True), _flops(frame, six=True)
    if fitted is None or target is None:
        return np.full(len(frame), np.nan)
    return target / np.nanmax(fitted)


def _flops(frame: pd.DataFrame, six: bool = False) -> np.ndarray | None:
    if "flops" in frame and not six:
        return frame["flops"].to_numpy(dtype=float)
    if "n_params" in frame and "tokens" in frame:
        return 6 * frame["n_params"].to_numpy(dtype=float) * frame["tokens"].to_numpy(dtype=float)
    return None
