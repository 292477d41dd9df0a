"""Decisions: coverage on simulated studies, the Chinchilla points, the ladder in retrospect, and how fast they come."""

from __future__ import annotations

import time

import jax
import numpy as np
import pandas as pd
from numpyro import distributions as dist
from rich.console import Console

import bayes_scaling as bs
from bayes_scaling.forecasts.quantiles import quantile
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.models import Chinchilla
from bayes_scaling.study.reading import SYMBOLS

STUDIES = 240
DESIGN = pd.DataFrame([(n, r * n) for n in (5e7, 1e8, 2e8, 4e8, 8e8) for r in (5, 10, 20, 40, 80)], columns=["N", "D"])
BUDGET = 1e22  # 33 times the largest run of the design
TARGET = {"N": 7e9, "D": 4e12}
START, CHOICE = ("190M", "370M"), ("760M", "1.3B")
ORDERS = ("ours", "by size", "largest first")
LEVELS = (3e20, 1e21, 3e21)  # FLOPs spent beyond the start, at which the orders are compared


def figures(seed: int = 0) -> dict[str, float]:
    """Run everything, print the tables and return the figures by name."""
    from benchmarks import next_run_refits, speedups  # which take their design and their worlds from here

    found = coverage(seed=seed) | chinchilla(seed) | speed(seed)
    found |= speedups.coverage(seed=seed) | speedups.coverage(seed=seed, alike=True) | speedups.seconds(seed)
    found |= next_run_refits.figures(seed)
    bought = retrospect(seed)
    plans = ladders(seed)
    console = Console(width=140)
    for title, table in (
        ("Ladder in retrospect: mean over eight tasks, after the 190M and 370M runs", at_levels(bought)),
        ("The same, averaged over what is spent", averages(bought)),
        ("Planned ladders, families from the priors", plans),
    ):
        console.print(title)
        console.print(table.to_string(index=False))
    for row in averages(bought).to_dict("records"):
        name = row["order"].replace(" ", "_")
        found |= {f"{name}_width90_pct": row["width90_pct"], f"{name}_error_pct": row["error_pct"]}
    found |= {f"ladder_{row['plan']}_width90": row["median"] for row in plans.to_dict("records")}
    return {name: float(value) for name, value in found.items()}


def coverage(studies: int = STUDIES, seed: int = 0, draws: int = 500) -> dict[str, float]:
    """Return how often 90 % intervals of N* and of a needed budget hold, in worlds drawn from the priors.

    The worlds follow the law exactly, so the discrepancy is off.  The target is the loss at the optimum of
    :data:`BUDGET`, which is therefore the needed budget.
    """
    law = Chinchilla()
    truths = [_draw(law, seed + i) for i in range(studies)]
    simulated = [bs.simulate(law, DESIGN, truth, seed=seed + i) for i, truth in enumerate(truths)]
    batch = bs.fit_many(law, simulated, seed=seed, draws=draws, adapt=False, progress=False)
    hits = []
    for truth, member in zip(truths, batch, strict=True):
        if member.posterior is None or member.verdict != "converged":
            continue
        surface = bs.Surface.of(member.posterior, discrepancy=False, samples=500)
        N, loss = optimum(law, surface.arrays, truth, BUDGET)
        size = bs.allocate(surface, BUDGET).N[:, 0]
        needed = bs.reach(surface, loss).flops
        hits.append([_inside(N, size), _inside(BUDGET, needed)])
    held = np.mean(hits, axis=0)
    return {"coverage_size": held[0], "coverage_budget": held[1], "coverage_studies": len(hits)}


def optimum(law: bs.Law, runs: dict, p: dict, C: float) -> tuple[float, float]:
    """Return N* and the loss there in closed form (Hoffmann et al. 2022, equation 4)."""
    N0, D0 = float(runs["N0"]), float(runs["D0"])
    A = p["E"] * p["reducible"] * p["split"] * N0 ** p["alpha_N"]
    B = p["E"] * p["reducible"] * (1 - p["split"]) * D0 ** p["alpha_D"]
    both = p["alpha_N"] + p["alpha_D"]
    N = (p["alpha_N"] * A / (p["alpha_D"] * B)) ** (1 / both) * (C / 6) ** (p["alpha_D"] / both)
    return N, p["E"] + A * N ** -p["alpha_N"] + B * (C / 6 / N) ** -p["alpha_D"]


def _draw(law: bs.Law, seed: int) -> dict[str, float]:
    """Draw a law's parameters from its priors."""
    with double_precision():
        keys = jax.random.split(jax.random.key(seed), len(law.free_parameters))
        priors = {name: law.priors[name] for name in law.free_parameters}
        return {
            name: float(prior.sample(key))
            for (name, prior), key in zip(priors.items(), keys, strict=True)
            if isinstance(prior, dist.Distribution)
        }


def _inside(truth: float, draws: np.ndarray) -> bool:
    return bool(quantile(draws, 0.05) <= truth <= quantile(draws, 0.95))


def chinchilla(seed: int = 0) -> dict[str, float]:
    """Return the exponent of N* and the tokens per parameter at Chinchilla's budget, from the 240 points."""
    surface = bs.Surface.of(bs.fit(Chinchilla(), bs.load_study("chinchilla", progress=False), seed=seed))
    slope = bs.allocate(surface, [1e20, 1e24]).slopes()["n_params"]
    ratio = bs.allocate(surface, 5.76e23).tokens_per_parameter[:, 0]
    return {
        "exponent_median": np.median(slope),
        "exponent_sd": slope.std(),
        "ratio_q05": quantile(ratio, 0.05),
        "ratio_median": np.median(ratio),
        "ratio_q95": quantile(ratio, 0.95),
    }


def speed(seed: int = 0) -> dict[str, float]:
    """Return the seconds of 4000 draws x 1000 budgets, tables included, and of ranking 200 candidates; warm."""
    law = Chinchilla()
    study = bs.simulate(law, DESIGN, _draw(law, seed), seed=seed)
    surface = bs.Surface.of(bs.fit(law, study, seed=seed))
    grid = [(n, r * n) for n in np.geomspace(1e8, 1e10, 20) for r in np.geomspace(2, 200, 10)]
    candidates = pd.DataFrame(grid, columns=["N", "D"])
    tasks = {
        "seconds_1000_budgets": lambda: bs.allocate(surface, np.geomspace(1e18, 1e26, 1000)).table(),
        "seconds_200_candidates": lambda: bs.next_runs(surface, candidates, TARGET),
    }
    found = {}
    for name, task in tasks.items():
        task()
        started = time.perf_counter()
        task()
        found[name] = time.perf_counter() - started
    return found


# -- the ladder -----------------------------------------------------------------------------------------------------


def retrospect(seed: int = 0, draws: int = 500, tasks: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return how error and width of the 7B-4T task loss fall as runs are bought in three orders.

    Every task starts from the eight runs of 190M and 370M.  ``ours`` buys what :func:`bayes_scaling.next_runs` ranks
    first after each fit; ``by size`` goes up the ladder as the paper's runs did; ``largest first`` is the baseline.

    Returns
    -------
    pandas.DataFrame
        One row per order, task and run bought: ``flops`` spent so far, relative ``error`` of the median, ``width90`` of
        the interval of a new run over the outcome, ``in90``.
    """
    ladder = bs.load_study("olmo_ladder")
    tasks = tasks or tuple(ladder.tasks)
    trained = {t: ladder.training.select(task=t).rename(loss="task_loss") for t in tasks}
    aims = {t: ladder.targets.select(task=t, run="7B-4T").rename(loss="task_loss") for t in tasks}
    return pd.DataFrame([step for order in ORDERS for step in _buy(order, trained, aims, seed, draws)])


def at_levels(bought: pd.DataFrame) -> pd.DataFrame:
    """Return where each order stands after what each of :data:`LEVELS` pays for: means over tasks, in per cent."""
    rows = []
    for order in ORDERS:
        for level in (0.0, *LEVELS, np.inf):
            own = bought[(bought["order"] == order) & (bought["flops"] <= level)]
            last = own.groupby("task").last()
            rows.append({"order": order, "level": level, "spent": last["flops"].mean(),
                         "error_pct": 100 * last["error"].abs().mean(),
                         "width90_pct": 100 * last["width90"].mean(), "in90": last["in90"].mean()})  # fmt: skip
    return pd.DataFrame(rows)


def averages(bought: pd.DataFrame) -> pd.DataFrame:
    """Return error and width of each order, averaged over FLOPs from nothing to all runs bought, in per cent.

    A forecast stands until the next run is paid for, so runs that teach much for little pull the average down.
    """
    rows = []
    for order in ORDERS:
        means = []
        for _, steps in bought[bought["order"] == order].groupby("task"):
            held = np.diff(steps["flops"]) / steps["flops"].max()
            standing = steps.iloc[:-1]
            means.append([held @ standing["error"].abs(), held @ standing["width90"]])
        error, width = 100 * np.mean(means, axis=0)
        rows.append({"order": order, "error_pct": error, "width90_pct": width})
    return pd.DataFrame(rows)


def _buy(
    order: str, trained: dict[str, bs.Study], aims: dict[str, bs.Study], seed: int, draws: int
) -> list[dict[str, float]]:
    """Buy the runs of one order one after another, in all tasks at once, and forecast after each."""
    have = {t: list(s.frame.loc[s.frame["size"].isin(START), "run"]) for t, s in trained.items()}
    paid = dict.fromkeys(trained, 0.0)
    steps = []
    while True:
        studies = [s.select(run=have[t]) for t, s in trained.items()]
        batch = bs.fit_many(Chinchilla(), studies, seed=seed, draws=draws, progress=False)
        done = True
        for task, member in zip(trained, batch, strict=True):
            posterior = member.posterior
            assert posterior is not None
            score = posterior.forecast(aims[task], allow_unconverged=True).score().iloc[0]
            steps.append({"order": order, "task": task, "flops": paid[task], "error": score["relative_error"],
                          "width90": score["width90"] / score["actual"], "in90": score["in90"]})  # fmt: skip
            frame = trained[task].frame
            left = frame[frame["size"].isin(CHOICE) & ~frame["run"].isin(have[task])]
            if left.empty:
                continue
            done = False
            if order == "ours":
                inputs = [*SYMBOLS.values()][:2]
                surface = bs.Surface.of(posterior, samples=1000, allow_unconverged=True)
                goal = aims[task].frame[inputs].iloc[0].to_dict()
                ranked = bs.next_runs(surface, left[["run", *inputs, "flops"]], goal)
                run = (ranked.table() if ranked.batch.empty else ranked.batch)["run"].iloc[0]  # none narrows: the first
            else:
                run = left.sort_values("flops")["run"].iloc[-1] if order == "largest first" else left["run"].iloc[0]
            have[task].append(run)
            paid[task] += float(left.set_index("run").at[run, "flops"])
        if done:
            return steps


def ladders(seed: int = 0, families: int = 24) -> pd.DataFrame:
    """Return the widths to expect of the paper's ladder and of its smaller parts, families drawn from the priors."""
    frame = bs.load_study("olmo_ladder").training.frame.drop_duplicates("run")
    sizes = list(dict.fromkeys(frame["size"]))
    plans = {
        f"to_{size}": frame[frame["size"].isin(sizes[: i + 1])][["n_params", "tokens", "flops"]]
        for i, size in enumerate(sizes)
        if i > 0
    }
    return bs.plan_ladders(Chinchilla(), plans, TARGET, seed=seed, families=families).table()
