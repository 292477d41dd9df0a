"""Look at the runs before fitting: what no law can learn from them, and what bends every law."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, counted, listed
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.chance import at_chance, falling, few_scores, unvaried
from bayes_scaling.study.design_columns import (
    contradicting_flops,
    copied_runs,
    counted_embeddings,
    evenly_spaced,
    few_steps,
    missing_losses,
    not_annealed,
    odd_losses,
    unread_errors,
    unused_accuracies,
)
from bayes_scaling.study.design_targets import (
    SIZES,
    already_fitted,
    out_of_reach,
    repeated_tokens,
    unfitted_tasks,
    unread_sizes,
)
from bayes_scaling.study.flops import measure_of
from bayes_scaling.study.losses import loss_columns
from bayes_scaling.study.reading import as_rows, labelled, one_row_a_run, symbol_of
from bayes_scaling.study.rows import MOST_NAMES, keys, numbered, run_names, shown
from bayes_scaling.study.shares import no_mixtures
from bayes_scaling.study.study import Study, require_study
from bayes_scaling.study.validation import LOSS_ERROR, where_known

__all__ = ["design_check"]

SMALLEST = {"n_params": 1e5, "tokens": 1e6, "flops": 1e12}  # the largest is above; else it is in millions, say
RATIOS = (0.01, 1e5)  # tokens per parameter: where all have fewer, or more, one is not a plain count
GAP = 100.0  # to these and to all others, of what is in another unit
MIN_RUNS = 10
MIN_SIZES = 4
MAX_INFLATION = 10.0  # of the variance of one exponent by the other input
MIN_RATIOS = 1.5  # largest over smallest tokens per parameter
MIN_FREEDOM = 6  # runs beyond the law's parameters: they tell sigma to within 30 %
MIN_REPEATS = 3  # runs beyond the first of equal inputs, which tell it whatever the law
PARAMETERS = 5  # of the law that is not named


def design_check(study: Study, targets: Any = None, *, law: Any = None) -> Problems:
    """Look at a design before fitting; nothing is fitted.

    Parameters
    ----------
    study : Study
        Its training runs are looked at.
    targets : Study, DataFrame, mapping or sequence of mappings, optional
        Runs to be forecast (``{"N": 7e9, "D": 4e12}``); by default those the study names with the role ``target``.
    law : Law, optional
        The law to be fitted: what it does not read is no fault of the design, and what it reads alone is the measure
        of how far a target is.

    Returns
    -------
    Problems
        Records with these codes; what the columns do not tell is not looked for:

        - ``units``: the largest N, D or C of the runs or of a target is too small to be a plain count (in millions?),
          or that of some is more than a hundred times below, and below all others; or no run has between a hundredth
          and a hundred thousand tokens per parameter
        - ``few-runs``: fewer than ten
        - ``few-sizes``: fewer than four distinct N, or D, or values of the one column that the law reads
        - ``guessed-noise``: neither repeated runs (seeds), nor known errors (column ``loss_se``) that the law reads,
          nor at least six runs more than the law has parameters say how far runs scatter
        - ``unread-error``: known errors of losses, for a law of losses that does not read them
        - ``one-ratio``: all runs within a factor of 1.5 in tokens per parameter, so that N and D cannot be told apart
        - ``collinear``: log N and log D so correlated that the variance of an exponent is inflated more than tenfold
        - ``far-target``: a target of more than 100 times the largest fitted FLOPs, or what the law reads in their place
          (of several tasks, of the one whose largest run is smallest)
        - ``unknown-distance``: a target of which the columns do not tell how far it is, for a law that reads D or C
        - ``below-runs``: a target of less than half the smallest fitted FLOPs, or what the law reads in their place
        - ``embedding-share``: embeddings are more than 20 % of N in some run, and the share changes by more than 10
          points (columns ``n_params`` and ``n_params_body``, ``n_params_nonembedding`` or ``nonembedding_params``)
        - ``flops-6nd``: runs whose FLOPs differ from 6ND by about a factor of two or more; where the ratio itself
          differs so much between runs, all that are off the ratio of the others
        - ``perplexity``: losses larger than any in nats per token, or of which the card says that they are perplexities
        - ``error-rate``: losses all below one, of which the card says that they are in nats
        - ``wrong-way``: a loss, or an accuracy, that gets worse with compute (rank correlation above 0.5)
        - ``few-scores``: tasks with accuracies (or losses, without these) of fewer than five runs, or none of half the
          most compute
        - ``unread-size``: targets with an N, in which the runs differ, for a law that reads no scale at all, or with an
          N or a D for one that reads FLOPs alone because the other is missing
        - ``fitted-target``: a target with the inputs of a fitted run
        - ``unread-repeats``: runs that see their tokens more than four times (column ``unique_tokens``), for a law that
          does not read it; or by a column ``epochs``, which no law reads
        - ``unknown-repeats``: targets without ``unique_tokens``, where runs see theirs more than four times
        - ``at-chance``: tasks of which even the runs of most compute guess (at most 3 points above chance)
        - ``below-chance``: tasks of which the runs of most compute are more than 3 points below chance
        - ``unvaried``: tasks of which every run has the same accuracy, other than chance
        - ``missing-loss``: runs that lack a loss which the law reads, where it can do without
        - ``unused-accuracy``: accuracies, but no tasks, so that no law reads them
        - ``unfitted-task``: tasks of targets that no fitted run has, which are not forecast
        - ``few-steps``: runs of fewer than 2000 optimiser steps (column ``steps``)
        - ``no-mixture``: runs whose shares, for a law of shares of the training data, do not sum to 1
        - ``not-annealed``: runs whose learning rate did not decay (column ``annealed``, 0 or false), several
          checkpoints of a run (column ``checkpoint``), or, without these columns, five or more rows of one size that
          are evenly spaced in tokens
        - ``copied-run``: runs that are the same as others in every column but their name

    Raises
    ------
    LawError, StudyError
        The law or the study is none.

    References
    ----------
    .. [1] Porian et al. 2024, "Resolving Discrepancies in Compute-Optimal Scaling of Language Models",
       arXiv 2406.19146, sections 3 and 4: embeddings in N and learning-rate schedules.

    Examples
    --------
    >>> import pandas as pd, bayes_scaling as bs
    >>> N = [1e8, 2e8, 4e8]
    >>> study = bs.Study.from_frame(pd.DataFrame({"N": N, "D": [20 * n for n in N], "loss": [3.9, 3.6, 3.3]}))
    >>> design_check(study).codes
    ['few-runs', 'few-sizes', 'guessed-noise', 'one-ratio']
    """
    if isinstance(law, (str, type)):
        raise LawError(f"The law is {shown(law)}; give a law, such as Chinchilla().")
    training = require_study(study).training
    if targets is None and "role" in study.frame and (study.frame["role"] == "target").any():
        targets = study.targets
    inputs = list(law.columns.values()) if law is not None else list(SIZES)
    series = law.series if law is not None else loss_columns(training.frame) if training.tasks else ()
    rows, runs, aims = training.frame, training.runs, _by_label(targets, study.names, {*inputs, *SMALLEST})
    along = law is not None and law.autocorrelated  # it describes one run, whose rows are its checkpoints
    if along:
        rows = runs = rows.drop(columns="checkpoint", errors="ignore")
    return Problems((
        *_units(runs, "run"), *_units(aims, "target"), *_ratios(runs), *_size(runs, inputs), *_noise(runs, inputs, law),
        *unread_errors(runs, law), *_plane(runs, inputs), *out_of_reach(training, aims, inputs, law),
        *counted_embeddings(runs), *few_steps(runs, law), *unused_accuracies(rows),
        *not_annealed(rows), *(() if along else evenly_spaced(runs)), *copied_runs(rows),
        *contradicting_flops(runs), *no_mixtures(runs, law),
        *odd_losses(rows, training.card, series), *missing_losses(rows, law.series if law is not None else ()),
        *at_chance(rows), *unvaried(rows), *falling(rows), *few_scores(rows),
        *unfitted_tasks(study, targets), *already_fitted(_each(rows), aims, inputs),
        *unread_sizes(runs, aims, inputs), *repeated_tokens(runs, aims, law),
    ))  # fmt: skip


def _by_label(targets: Any, names: Mapping[str, str], inputs: Collection[str]) -> pd.DataFrame:
    """Return runs to forecast as a table by their names, as forecasts call them; empty where there are none.

    An input that is no number, which the forecast will refuse, is NaN.
    """
    if targets is None:
        return pd.DataFrame()
    frame = as_rows(targets, names)
    if isinstance(targets, Study):
        frame = one_row_a_run(frame)
        if "run" not in frame:
            frame = frame.assign(run=numbered(frame))
    table = labelled(frame)
    return table.assign(**{column: where_known(table, column) for column in table if column in inputs})


def _units(rows: pd.DataFrame, what: str) -> Iterator[Problem]:
    """Look at whether parameters, tokens and FLOPs can be plain counts."""
    remedy = "parameters, tokens and FLOPs are plain counts, so write 7e9 for 7 billion"
    for column in filter(rows.__contains__, SMALLEST):
        smallest, values = SMALLEST[column], rows[column].to_numpy(dtype=float)
        if (largest := float(rows[column].max())) < smallest:
            sentence = f"The largest {column} of a {what} is {largest:g} (at least {smallest:g})"
            yield Problem("units", sentence, remedy, largest, column)
            continue
        low = values < smallest / GAP
        if low.any() and (others := float(values[values >= smallest / GAP].min())) > GAP * values[low].max():
            names = run_names(rows, low) if what == "run" else listed(map(shown, rows.index[low]), MOST_NAMES)
            said = " to ".join(dict.fromkeys(f"{bound:g}" for bound in (values[low].min(), values[low].max())))
            verb = "is" if low.sum() == 1 else "are"
            sentence = f"The {column} of {names} {verb} {said}, and of each other {what} at least {others:g}"
            yield Problem("units", sentence, remedy, float(values[low].min()), column)


def _each(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each fitted run once, at each of its checkpoints."""
    own = [column for column in ("run", "checkpoint") if column in rows]
    return rows.drop_duplicates(own) if "run" in rows else rows


def _ratios(runs: pd.DataFrame) -> Iterator[Problem]:
    """Look at whether parameters and tokens can both be plain counts."""
    if not {"n_params", "tokens"} <= set(runs) or not len(runs):
        return
    if any(runs[column].max() < SMALLEST[column] for column in ("n_params", "tokens")):  # which is told
        return
    ratio = where_known(runs, "tokens") / where_known(runs, "n_params")
    low, high = float(np.nanmin(ratio)), float(np.nanmax(ratio))
    if high < RATIOS[0] or low > RATIOS[1]:
        yield Problem(
            "units",
            f"Runs have {low:.3g} to {high:.3g} tokens per parameter ({RATIOS[0]:g} to {RATIOS[1]:g})",
            "parameters and tokens are plain counts, so write 7e9 for 7 billion",
            high if high < RATIOS[0] else low,
            "tokens",
        )


def _size(runs: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    if len(runs) < MIN_RUNS:
        yield Problem(
            "few-runs",
            f"{_there_are(len(runs), 'run')} (at least {MIN_RUNS})",
            "the prior will do much of the work, so add small runs",
            len(runs),
        )
    for column in inputs:
        if column not in runs or not (column in SIZES or column == measure_of(inputs)):
            continue
        if (count := runs[column].nunique()) < MIN_SIZES:
            yield Problem(
                "few-sizes",
                f"{_there_are(count, 'distinct value')} of {symbol_of(column)} (at least {MIN_SIZES})",
                "an exponent needs a range, so add runs of other sizes",
                count,
                column,
            )


def _there_are(number: int, noun: str) -> str:
    return f"There {'is' if number == 1 else 'are'} {counted(number, noun)}"


def _noise(runs: pd.DataFrame, inputs: Sequence[str], law: Any) -> Iterator[Problem]:
    """Look at whether anything measures how far runs of equal inputs scatter.

    A standard deviation from v degrees of freedom is off by a factor of about exp(1 / sqrt(2 v)).
    """
    if law is not None and (law.rests_on_priors or law.by_task or law.series):
        return  # whose sigma is learnt elsewhere, or from several series at once
    own = [column for column in dict.fromkeys((*inputs, *SIZES)) if column in runs]
    repeats = len(runs) - len(set(keys(runs, own))) if own else 0
    read = law is None or (law.reads_loss_error and law.outcome == "loss")
    told = read and LOSS_ERROR in runs and np.isfinite(where_known(runs, LOSS_ERROR)).all()
    parameters = PARAMETERS if law is None else len({*law.free_parameters} - {*law.noise})
    freedom = len(runs) - parameters
    if told or repeats >= MIN_REPEATS or freedom >= MIN_FREEDOM:
        return
    how_well = f"to a factor of {np.exp((2 * freedom) ** -0.5):.2g}" if freedom > 0 else "by its prior alone"
    yield Problem(
        "guessed-noise",
        f"How far runs scatter rests on {counted(max(freedom, 0), 'run')} beyond the {parameters} parameters of the "
        f"law (at least {MIN_FREEDOM}) and {repeats} repeated ones (at least {MIN_REPEATS}), so sigma is known "
        f"{how_well}",
        "repeat some of the smallest runs with other seeds, or give the standard errors of losses as loss_se",
        float(max(freedom, 0)),
        "sigma",
    )


def _plane(runs: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether parameters and tokens vary apart, for a law that reads both."""
    if not {"n_params", "tokens"} <= set(runs) & set(inputs):
        return
    N, D = (np.log(runs[c].to_numpy(dtype=float)) for c in ("n_params", "tokens"))
    spread = float(np.exp(np.ptp(D - N)))
    if spread < MIN_RATIOS:
        near = "" if f"{spread:.3g}" == "1" else f" up to a factor of {spread:.3g}"
        yield Problem(
            "one-ratio",
            f"All runs have {np.exp((D - N).mean()):.3g} tokens per parameter{near} (at least {MIN_RATIOS} times as "
            "many in some as in others)",
            "the effects of N and D cannot be told apart, so add runs of another ratio or use a law in FLOPs",
            spread,
        )
    elif np.ptp(N) > 0 and np.ptp(D) > 0:
        correlation = float(np.corrcoef(N, D)[0, 1])
        inflation = 1 / max(1 - correlation**2, 1e-12)
        if inflation > MAX_INFLATION:
            yield Problem(
                "collinear",
                f"log N and log D have correlation {correlation:.3f}, which inflates the variance of their exponents "
                f"{inflation:.0f} times (at most {MAX_INFLATION:.0f})",
                "add small models trained long, or large ones trained briefly",
                inflation,
            )
