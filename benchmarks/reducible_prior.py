"""What the prior of the reducible loss does to forecasts: ``python -m benchmarks.reducible_prior``.

Laws that have their prior at the centre of the runs are fitted with it, and with the narrower one that they had before
(:data:`BEFORE`), to simulated compute-optimal ladders of small, middling and large models, of which the published
Chinchilla law is exactly true, and to backtests inside the loss-to-loss sweep (``benchmarks.loss_to_loss`` has their
cuts).  No target of a study is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpyro.distributions as dist
import pandas as pd

import bayes_scaling as bs
from bayes_scaling.forecasts.scores import score_table, summarise
from bayes_scaling.models import Chinchilla, FewSteps, PowerLaw
from benchmarks.large_ladders import NOISE, RATIO, published_loss
from benchmarks.loss_to_loss import CUTS, SETS, as_backtest, one_set
from benchmarks.markdown import as_markdown

__all__ = ["table"]

BEFORE = dist.LogNormal(0.0, 0.3)
LADDERS = {"small": (1e17, 5e19, 8), "middling": (1e18, 1e21, 12), "large": (1e21, 1e23, 12)}
"""FLOPs of the smallest and the largest run, and the number of runs."""
DISTANCES = (10, 100)  # times the FLOPs of the largest run
FAMILIES = 24
SHOWN = ["mape", "bias", "cover50", "cover90", "relative_width90"]

Case = tuple[bs.Study, bs.Study]
"""Runs to fit, and runs to forecast with their outcomes."""


def table(seed: int = 0) -> pd.DataFrame:
    """Return how each law forecasts with either prior, a row per law, prior and set of cases, in per cent."""
    rows = []
    for label, laws, cases in _settings(seed):
        for law in laws:
            for said, prior in {"before": BEFORE, "now": law.reducible}.items():
                scores, converged = _scores(law.replace(reducible=prior), cases, seed)
                (found,) = summarise(scores)[SHOWN].to_dict("records")
                rows.append({"runs": label, "law": law.name, "prior": said, "converged": converged} | found)
    found = pd.DataFrame(rows)
    return found.assign(**{name: 100 * found[name] for name in SHOWN})


def _settings(seed: int) -> Iterator[tuple[str, Sequence[bs.Law], list[Case]]]:
    for name, (low, high, count) in LADDERS.items():
        yield f"{name} ladders", [PowerLaw()], [_ladder(low, high, count, seed + i) for i in range(FAMILIES)]
    sweep = bs.load_study("loss_to_loss", full=True).rename(loss="train_loss")
    tests = [one_set(as_backtest(sweep, cut), name) for cut in CUTS for name in SETS]
    laws = [PowerLaw(), Chinchilla(), FewSteps()]
    yield "sweep, backtests", laws, [(test.training, test.targets) for test in tests]


def _ladder(low: float, high: float, count: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    studies = []
    for C in (np.geomspace(low, high, count), high * np.array(DISTANCES)):
        N = np.sqrt(C / (6 * RATIO))
        loss = published_loss(N, RATIO * N) * np.exp(rng.normal(0, NOISE, len(C)))
        frame = pd.DataFrame({"n_params": N, "tokens": RATIO * N, "flops": C, "loss": loss})
        studies.append(bs.Study.from_frame(frame, name=f"ladder {seed}"))
    return studies[0], studies[1]


def _scores(law: bs.Law, cases: list[Case], seed: int) -> tuple[pd.DataFrame, int]:
    batch = bs.fit_many(law, [runs for runs, _ in cases], seed=seed, progress=False)
    blocks = []
    for member, (_, targets) in zip(batch, cases, strict=True):
        forecast = bs.forecast(member.posterior, targets, allow_unconverged=True)
        blocks.append(score_table(forecast.draws["loss_run"].to_numpy(), targets.column("loss")))
    return pd.concat(blocks), len(batch.posteriors)


if __name__ == "__main__":
    print(as_markdown(table()))
