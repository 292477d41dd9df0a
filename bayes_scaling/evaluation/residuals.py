"""What a law leaves unexplained in the runs it was fitted to: residuals that follow a column, scatter that grows."""

from __future__ import annotations

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution
from scipy.stats import rankdata

from bayes_scaling.inference.posterior import Posterior, require_posterior
from bayes_scaling.inference.precision import double_precision
from bayes_scaling.law.sites import Arrays, with_known_error
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.flops import SIX_N_D, TELLING, may_be_counted, training_flops
from bayes_scaling.study.pairing import ROW

__all__ = ["misfits", "residuals"]

DRAWS = 100  # of the parameters, which are enough for a median
MIN_RUNS = 12  # to tell a pattern from scatter
MAX_SHARES = ((0.2, 1e-3), (0.08, 1e-5))
"""Shares of the variance of the residuals' ranks that a column may explain, each with a chance below which more is no
accident, over all columns looked at: in hundreds of runs a small share is none, and bends a forecast all the same.
"""
BOOKKEEPING = {"seed", "epoch", "checkpoint", "annealed", "year", ROW}
LABELS = {"run", "task", "role"}
MIN_GROUP = 4  # runs of a group, on average, that words tell apart from others
PER_TOKEN = "FLOPs per parameter and token"
COMPUTE, RATIO = "training FLOPs", "tokens per parameter"


def residuals(posterior: Posterior) -> np.ndarray | None:
    """Return how far each fitted outcome lies above what a law of one series expects, shape (run,).

    In logarithms where the law's noise is multiplicative, as it is for losses, so that the number is a fraction; None
    for a law of several series, and where an expected outcome depends on more than the columns that the law reads.
    """
    found = _left_and_noise(posterior)
    return None if found is None else found[0]


def _left_and_noise(posterior: Posterior) -> tuple[np.ndarray, np.ndarray] | None:
    """Return :func:`residuals`, and the noise of each by the law on the same scale, both of shape (run,)."""
    law, study = require_posterior(posterior).law, posterior.study.training
    if law.outcome in law.dims(study)[0] or law.outcome not in study.frame:
        return None
    draws = posterior.thin(DRAWS)
    known = {name: draws[name] for name in law.free_parameters if name in draws}
    if any(values.ndim != 1 for values in known.values()):
        return None
    runs, observed = law.arrays(study)
    observed = observed if law.reads_loss_error else {}

    def one(draw: Arrays) -> tuple[jax.Array, jax.Array]:
        parameters = {**law.fixed_parameters, **draw}
        mean = jnp.broadcast_to(law.at(runs, parameters), len(study))
        sigma = with_known_error(law.sigma_of(runs, parameters), mean, observed, law.known_noise, law.likelihood)
        return mean, jnp.broadcast_to(law.noise_of(runs, mean, sigma), len(study))

    with double_precision():
        expected, noise = (np.median(values, axis=0) for values in jax.vmap(one)(draws))
        unit = np.ones_like(expected) if law.additive else expected  # the error that is a residual of one
        noise = noise / np.asarray(law.known_noise(jnp.asarray(expected), jnp.asarray(unit)))
    outcome = law.outcomes_of(study)
    if law.additive:
        return outcome - expected, noise
    return (np.log(outcome / expected), noise) if (expected > 0).all() else None


def misfits(posterior: Posterior) -> Problems:
    """Return what the residuals of a law of one series say against it.

    The ranks of the residuals (and of their sizes) are held against a cubic in the logarithm of each column, and the
    residuals also against a quadratic surface over two of them, and against the groups of runs that a column of words
    or of flags tells apart; one for each arm of runs, where the law reads a flag such as pre-trained or not.  Nothing
    is said of laws whose errors last along a run (``autocorrelated``), where they lie off the curve in stretches.

    Parameters
    ----------
    posterior : Posterior
        A fit, converged or not.

    Returns
    -------
    Problems
        Records with these codes, where a column explains more of the variance than it would by accident: a fifth with
        a chance below one in a thousand, or 8 % with one below one in a hundred thousand, over all columns:

        - ``misfit``: the residuals follow compute, tokens per parameter or another column that the law reads: it bends
          where the runs do not
        - ``unread-column``: they follow a column that the law does not read
        - ``spread``: their size, over the noise by the law, follows one of these: small runs scatter unlike large ones
    """
    found = _left_and_noise(posterior)
    if found is None or len(found[0]) < MIN_RUNS or posterior.law.autocorrelated:  # errors that last follow anything
        return Problems()
    left, noise = found
    arms = _arms(posterior)
    read, others, groups = _columns(posterior)
    own, unread = ({name: _by_arm(_cubic(x), arms) for name, x in columns.items()} for columns in (read, others))
    unread |= {name: _by_arm(np.eye(of.max() + 1)[of], arms) for name, of in groups.items()}
    pairs = {f"{a} and {b} together": _by_arm(_surface(read[a], read[b]), arms) for a, b in combinations(read, 2)}
    trials = 2 * len(own) + len(pairs) + len(unread)
    size = np.abs(left - np.median(left)) / noise
    name = posterior.law.name
    bent = "the law bends where the runs do not, so prefer one whose backtests are better"
    follows = f"What {name} leaves unexplained follows"
    return Problems((
        *(_found("misfit", left, own, trials, follows, bent) or _found("misfit", left, pairs, trials, follows, bent)),
        *_found("unread-column", left, unread, trials, f"{name} does not read what its residuals follow:",
                "select runs that are alike in it, or use a law that reads it"),
        *_found("spread", size, own, trials, f"The scatter around {name} follows",
                "one sigma serves small and large runs, so compare a law whose noise depends on size, or fit the "
                "larger ones alone"),
    ))  # fmt: skip


def _columns(posterior: Posterior) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return logarithms of the measures a law should have used up, and of the columns it does not read, by name.

    And the number of the group of each run by those that it does not read and that hold words, flags or two numbers.
    """
    law, frame = posterior.law, posterior.study.training.frame
    read = {*law.columns.values(), *law.inputs}
    own: dict[str, np.ndarray] = {}
    others: dict[str, np.ndarray] = {}
    groups: dict[str, np.ndarray] = {}
    compute = training_flops(frame)
    if compute is not None:
        own[COMPUTE] = np.log(compute)
    if may_be_counted(frame.columns):
        own[RATIO] = np.log(frame["tokens"].to_numpy(dtype=float) / frame["n_params"].to_numpy(dtype=float))
        if "flops" in frame and "flops" not in read:
            counted = training_flops(frame, convention=SIX_N_D)
            others[PER_TOKEN] = np.log(frame["flops"].to_numpy(dtype=float) / counted)
    own, others = _varied(own), _varied(others)
    told = TELLING if compute is not None else ()  # by compute and the ratio
    for name in sorted(frame.columns.difference([law.outcome, *told, *BOOKKEEPING], sort=False), key=str):
        if "loss" in str(name):
            continue
        if found := _varied({str(name): _logarithms(frame[name])}):
            (own if name in read else others).update(found)
        elif name not in {*read, *LABELS, *TELLING}:
            number = pd.factorize(frame[name].astype(str))[0]
            if 0 < number.max() < len(frame) // MIN_GROUP:
                groups[str(name)] = number
    return own, others, groups


def _logarithms(values: pd.Series) -> np.ndarray:
    """Return the logarithms of a column of positive numbers; of another, none."""
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return np.array([])
    numbers = values.to_numpy(dtype=float)
    return np.log(numbers) if np.isfinite(numbers).all() and (numbers > 0).all() else np.array([])


def _arms(posterior: Posterior) -> np.ndarray:
    """Return the number of the arm of each run, by the flags that the law reads; all 0 where it reads none."""
    law, frame = posterior.law, posterior.study.training.frame
    flags = [column for symbol, column in law.columns.items() if symbol in law.indicators and column in frame]
    flags = [column for column in flags if set(frame[column]) == {0, 1}]
    return frame.groupby(flags).ngroup().to_numpy() if flags else np.zeros(len(frame), dtype=int)


def _varied(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values for name, values in columns.items() if len(np.unique(values.round(6))) > 2}


def _cubic(x: np.ndarray) -> np.ndarray:
    """Return the terms of a cubic in a column, shape (run, term)."""
    x = x - x.mean()
    return np.column_stack([np.ones_like(x), x, x**2, x**3])


def _surface(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the terms of a quadratic surface over two columns, shape (run, term)."""
    x, y = x - x.mean(), y - y.mean()
    return np.column_stack([np.ones_like(x), x, y, x**2, x * y, y**2])


def _by_arm(terms: np.ndarray, arms: np.ndarray) -> np.ndarray:
    """Return terms of which each arm has its own, shape (run, arm x term)."""
    return np.hstack([terms * (arms == arm)[:, None] for arm in np.unique(arms)])


def _found(
    code: str, values: np.ndarray, designs: dict[str, np.ndarray], trials: int, words: str, remedy: str
) -> list[Problem]:
    """Return the column whose terms explain most, of those whose terms explain too much."""
    found = []
    for name, design in designs.items():
        share, chance = _explained(values, design)
        limits = [most for most, accident in MAX_SHARES if share > most and chance * trials < accident]
        if limits:
            sentence = f"{words} {name} ({share:.0%} of their variance in ranks, at most {limits[0]:.0%})"
            found.append(Problem(code, sentence, remedy, share, name))
    return sorted(found, key=lambda problem: -problem.value)[:1]


def _explained(values: np.ndarray, design: np.ndarray) -> tuple[float, float]:
    """Return the share of the variance of ranks that the terms of a design explain, and its chance by accident."""
    ranks = rankdata(values)
    used = np.linalg.matrix_rank(design)
    fitted = design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    total = np.sum((ranks - ranks.mean()) ** 2)
    share = float(1 - np.sum((ranks - fitted) ** 2) / total) if total > 0 else 0.0
    freedom = len(values) - used
    ratio = share / max(1 - share, 1e-12) * freedom / (used - 1)
    return share, float(f_distribution.sf(ratio, used - 1, freedom))
