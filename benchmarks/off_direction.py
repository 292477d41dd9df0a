"""Hold-outs that lie elsewhere than towards larger runs: fewer or more tokens per parameter, and smaller runs.

Fixed before any was scored: in every collection of at least 20 runs with parameters and tokens (of the sweep and of
the ladder the first loss), the fifth of the runs that lies lowest, or highest, is forecast from the three fifths at the
other end, a fifth between them left out.  Each hold-out counts the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from rich.progress import track

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import score_table, summarise
from bayes_scaling.models.population import Population
from benchmarks.cases import Case
from benchmarks.collections import averaged
from benchmarks.markdown import show

__all__ = ["figures", "hold_outs"]

MIN_RUNS = 20
EDGE, GAP = 0.2, 0.4  # shares of the runs: to forecast, and not to fit
MEASURES = {
    "tokens per parameter": lambda runs: runs["tokens"] / runs["n_params"],
    "FLOPs": lambda runs: runs["flops"] if "flops" in runs else runs["tokens"] * runs["n_params"],
}
DIRECTIONS = (("fewer", "tokens per parameter", 1), ("more", "tokens per parameter", -1), ("smaller", "FLOPs", 1))


def figures(found: tuple[Case, ...], learnt: Mapping[str | None, Population], seed: int = 0) -> dict[str, float]:
    """Forecast every hold-out with what the other collections taught; return how often 90 and 50 % intervals hold."""
    rows = []
    for case, direction, training, held_out in track(list(hold_outs(found)), "Other directions", transient=True):
        forecast = averaged(training, held_out, learnt[case.collection], seed)
        scores = score_table(forecast.draws["loss_run"].to_numpy(), held_out.column("loss"))
        (mean,) = summarise(scores).to_dict("records")
        rows.append({
            "collection": case.collection, "direction": direction, "fitted": len(training), "forecast": len(held_out),
            "cover90": mean["cover90"], "cover50": mean["cover50"], "bias_pct": 100 * mean["bias"],
            "width90_pct": 100 * mean["relative_width90"],
        })  # fmt: skip
    table = pd.DataFrame(rows)
    show("In other directions than towards larger runs", table)
    means = {f"off_direction_{name}": float(table[name].mean()) for name in ("cover90", "cover50", "width90_pct")}
    return {**means, "off_direction_hold_outs": float(len(table))}


def hold_outs(found: tuple[Case, ...]) -> Iterator[tuple[Case, str, bs.Study, bs.Study]]:
    """Yield (case, direction, runs to fit, runs to forecast)."""
    first = {case.collection: case for case in reversed(found)}
    for case in first.values():
        runs = case.whole.frame
        if not {"n_params", "tokens"} <= set(runs) or len(runs) < MIN_RUNS:
            continue
        for direction, measure, sign in DIRECTIONS:
            place = sign * np.log(MEASURES[measure](runs))
            beyond, within = place <= place.quantile(EDGE), place > place.quantile(GAP)
            yield (
                case,
                direction,
                *(bs.Study.from_frame(runs[rows], name=case.name, card=case.study.card) for rows in (within, beyond)),
            )
