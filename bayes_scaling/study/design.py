"""Look at the runs before fitting: what no law can learn from them, and what bends every law."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import counted, listed, option
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.card import AS_GIVEN, Card
from bayes_scaling.study.chance import at_chance, falling, few_scores, outcome_of
from bayes_scaling.study.flops import SIX_N_D, distances, measure_of, measured, training_flops
from bayes_scaling.study.reading import SAME_INPUT, as_rows, labelled, one_row_a_run, symbol_of
from bayes_scaling.study.rows import row_number
from bayes_scaling.study.shares import no_mixtures
from bayes_scaling.study.study import Study, require_study
from bayes_scaling.study.validation import LOSS_ERROR, floats, number_of

__all__ = ["design_check"]

SIZES = ("n_params", "tokens")
COUNTED = frozenset(("tokens", "flops"))  # a law that reads one of them is far from a target in FLOPs
SMALLEST = {"n_params": 1e5, "tokens": 1e6, "flops": 1e12}  # the largest is above; else it is in millions, say
MIN_RUNS = 10
MIN_SIZES = 4
MAX_INFLATION = 10.0  # of the variance of one exponent by the other input
MIN_RATIOS = 1.5  # largest over smallest tokens per parameter
MAX_DISTANCE = 100.0  # FLOPs of a target over the largest fitted
MAX_SHARE, MAX_SHARE_CHANGE = 0.2, 0.1  # of embeddings in the parameters
MIN_STEPS = 2000
MAX_PASSES = 4.0  # over the same tokens, up to which repeats are nearly as good (Muennighoff et al. 2023)
MIN_SHARE = 0.5  # of what the smallest fitted run took
MAX_FLOPS_RATIO = 1.9  # between a column of FLOPs and 6ND, or two runs: twice is a factor that one of them forgot
SAME_RATIO = 1.1  # up to which runs agree on it
MAX_NATS = 15.0  # per token: the logarithm of a vocabulary of three millions
MIN_NATS = 1.0  # per token of text, of the worst of several runs
NATS = ("nats", "nats per token")
MAX_TREND, MIN_TREND = 0.5, 5  # rank correlation of a loss with scale, and runs to tell it from
MIN_FREEDOM = 6  # runs beyond the law's parameters: they tell sigma to within 30 %
MIN_REPEATS = 3  # runs beyond the first of equal inputs, which tell it whatever the law
PARAMETERS = 5  # of the law that is not named
MAX_NAMED = 12
WITHOUT_EMBEDDING = re.compile(r"n_params_(body|non_?embedding|without_embeddings?)|non_?embedding_params")
FALSE = {"0", "0.0", "false", "no"}


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

        - ``units``: the largest N, D or C of the runs or of a target is too small to be a plain count (in millions?)
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
        - ``missing-loss``: runs that lack a loss which the law reads, where it can do without
        - ``unused-accuracy``: accuracies, but no tasks, so that no law reads them
        - ``few-steps``: runs of fewer than 2000 optimiser steps (column ``steps``)
        - ``no-mixture``: runs whose shares, for a law of shares of the training data, do not sum to 1
        - ``not-annealed``: runs whose learning rate did not decay (column ``annealed``, 0 or false), or several
          checkpoints of a run (column ``checkpoint``)

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
    training = require_study(study).training
    if targets is None and "role" in study.frame and (study.frame["role"] == "target").any():
        targets = study.targets
    inputs = list(law.columns.values()) if law is not None else list(SIZES)
    runs, aims = training.runs, _by_label(targets, study.names, {*inputs, *SMALLEST})
    return Problems((
        *_units(runs, "run"), *_units(aims, "target"), *_size(runs, inputs), *_noise(runs, inputs, law),
        *_unread_errors(runs, law),
        *_plane(runs, inputs), *_reach(training, aims, inputs),
        *_bending(runs, training.frame, law), *_compute(runs), *no_mixtures(runs, law),
        *_outcomes(runs, training.card), *_without(training.frame, law.series if law is not None else ()),
        *at_chance(training.frame), *falling(training.frame), *few_scores(training.frame),
        *_fitted(runs, aims, inputs), *_unread(runs, aims, inputs), *_repeats(runs, aims, law),
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
            frame = frame.assign(run=[f"row {row_number(frame, place)}" for place in range(len(frame))])
    table = labelled(frame)
    return table.assign(**{column: _known(table, column) for column in table if column in inputs})


def _units(rows: pd.DataFrame, what: str) -> Iterator[Problem]:
    """Look at whether parameters, tokens and FLOPs can be plain counts."""
    for column, smallest in SMALLEST.items():
        if column in rows and (largest := float(rows[column].max())) < smallest:
            yield Problem(
                "units",
                f"The largest {column} of a {what} is {largest:g} (at least {smallest:g})",
                "parameters, tokens and FLOPs are plain counts, so write 7e9 for 7 billion",
                largest,
                column,
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
    repeats = len(runs) - len(runs[own].drop_duplicates()) if own else 0
    read = law is None or (law.reads_loss_error and law.outcome == "loss")
    told = read and LOSS_ERROR in runs and np.isfinite(_known(runs, LOSS_ERROR)).all()
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


def _unread_errors(runs: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether losses have known errors of which the law does not know."""
    if law is None or law.reads_loss_error or "loss" not in law.quantities or LOSS_ERROR not in runs:
        return
    known = int(np.isfinite(_known(runs, LOSS_ERROR)).sum())
    if known:
        yield Problem(
            "unread-error",
            f"{law.name} does not read {LOSS_ERROR}, the standard error of the loss, which {known} of {len(runs)} runs "
            "have",
            "it counts all runs as equally sure, so use a law that reads it where they are not",
            float(known),
            LOSS_ERROR,
        )


def _plane(runs: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether parameters and tokens vary apart, for a law that reads both."""
    if not {"n_params", "tokens"} <= set(runs) & set(inputs):
        return
    N, D = (np.log(runs[c].to_numpy(dtype=float)) for c in ("n_params", "tokens"))
    spread = float(np.exp(np.ptp(D - N)))
    if spread < MIN_RATIOS:
        yield Problem(
            "one-ratio",
            f"All runs have {np.exp((D - N).mean()):.3g} tokens per parameter up to a factor of {spread:.3g} "
            f"(at least {MIN_RATIOS})",
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


def _reach(training: Study, targets: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at how far the targets are."""
    if targets.empty:
        return
    what, far = measured(measure_of(inputs)), distances(training, targets, inputs)
    smallest = np.nanmin(distances(training, training.frame, inputs), initial=np.inf)
    if (unknown := np.isnan(far)).any() and not COUNTED.isdisjoint(inputs):
        names = listed((repr(str(name)) for name in targets.index[unknown]), MAX_NAMED)
        yield Problem(
            "unknown-distance",
            f"The distance of {names} from the runs cannot be told, since the columns of "
            f"{'the runs' if np.isinf(smallest) else 'the target'} do not tell {what}",
            "give parameters and tokens, or FLOPs, of runs and target",
            float(unknown.sum()),
        )
    task, behind = _furthest_behind(training, targets, inputs)
    for name, distance in zip(targets.index, far, strict=True):
        if distance < MIN_SHARE * smallest < np.inf:
            yield Problem(
                "below-runs",
                f"Target {str(name)!r} has {distance / smallest:.2g} times the {what} of the smallest run fitted "
                f"(at least {MIN_SHARE:g})",
                "the law may be off below the runs as well as beyond them, and its interval is not widened there, so "
                "trust it less",
                float(distance / smallest),
                str(name),
            )
        if distance * behind > MAX_DISTANCE:
            yield Problem(
                "far-target",
                f"Target {str(name)!r} has {distance * behind:.3g} times the {what} of the largest run "
                f"fitted{task}, and beyond "
                f"{MAX_DISTANCE:.0f} times no run shows that the law still holds",
                "its interval is widened for that by a rule of thumb, so trust it less, or make a larger run first",
                float(distance * behind),
                str(name),
            )


def _furthest_behind(training: Study, targets: pd.DataFrame, inputs: Sequence[str]) -> tuple[str, float]:
    """Return of which task the largest run is smallest, in words, and by how much that of all exceeds it.

    Nothing and 1 where each task has the largest run, or the columns do not tell it.
    """
    rows = training.frame
    if "task" not in rows or (outcome := outcome_of(rows)) not in rows:
        return "", 1.0
    reach = pd.Series(distances(training, rows[[c for c in rows if c in targets]], inputs), rows.index)
    largest = reach.where(floats(rows, outcome).notna()).groupby(rows["task"]).max().dropna()
    if largest.empty or not 0 < largest.min() < largest.max():
        return "", 1.0
    return f" in {largest.idxmin()}", float(1 / largest.min())


def _fitted(runs: pd.DataFrame, targets: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether targets are among the fitted runs."""
    read = [column for column in inputs if column in runs]
    if targets.empty or not read or not set(read) <= set(targets):
        return
    known = np.stack([_known(runs, column) for column in read], axis=1)
    for name, values in zip(targets.index, np.stack([_known(targets, column) for column in read], axis=1), strict=True):
        same = np.isclose(known, values, rtol=SAME_INPUT, atol=0).all(axis=1)
        if same.any():
            run = runs["run"][same].iloc[0] if "run" in runs else "NAME"
            yield Problem(
                "fitted-target",
                f"Target {str(name)!r} has the {' and '.join(map(symbol_of, read))} of {_names(runs, same)}, which is "
                "fitted, so this is no forecast of it",
                f"to see what would have been said of it, hold it out, as by {option('where', f'run != {str(run)!r}')}",
                float(same.sum()),
                str(name),
            )


def _unread(runs: pd.DataFrame, targets: pd.DataFrame, inputs: Sequence[str]) -> Iterator[Problem]:
    """Look at whether a size is given that the law does not read, and runs differ in it."""
    if {*SIZES, "flops"}.isdisjoint(inputs) and {"n_params"} <= set(runs) & set(targets):
        sizes = np.unique(_known(runs, "n_params"))
        if len(sizes) > 1:
            yield Problem(
                "unread-size",
                f"The law does not read N, which the target gives and in which the runs differ ({len(sizes)} sizes), "
                "so its forecast is of no size in particular",
                f"keep the runs of one size, as by {option('where', f'n_params == {sizes[-1]:g}')}, or call the size "
                "of each run its task where the law takes several",
                float(len(sizes)),
                "n_params",
            )
    if list(inputs) == ["flops"] and len(given := [name for name in SIZES if name in runs]) == 1:
        (one,), (other,) = given, set(SIZES) - {*given}
        if one in targets and (count := len(np.unique(_known(runs, one)))) > 1:
            yield Problem(
                "unread-size",
                f"The law reads FLOPs alone, because the runs have no {other}; that targets and runs differ in {one} "
                f"({count} values) does not count",
                f"give {other} too, which is flops / (6 x {one}) where FLOPs are counted as 6ND",
                float(count),
                one,
            )


def _repeats(runs: pd.DataFrame, targets: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at whether tokens are seen so often that they are worth less, and law and targets know of it."""
    told = "unique_tokens" in runs
    if law is None or "tokens" not in runs or not (told or "epochs" in runs):
        return
    passes = _known(runs, "tokens") / _known(runs, "unique_tokens") if told else _known(runs, "epochs")
    often = passes > MAX_PASSES
    if not often.any():
        return
    most, by = float(np.nanmax(passes)), "" if told else ", by the column epochs"
    seen = f"see their tokens more than {MAX_PASSES:g} times (up to {most:.3g}{by})"
    if not told:
        yield Problem(
            "unread-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and no law reads epochs",
            "give a column unique_tokens, which is tokens / epochs",
            most,
            "epochs",
        )
    elif "unique_tokens" not in law.inputs:
        yield Problem(
            "unread-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and the law counts each time as new tokens",
            "repeats are worth less and less, so use a law that reads unique_tokens, or leave these runs out",
            most,
            "unique_tokens",
        )
    elif len(targets) and "unique_tokens" not in targets:
        yield Problem(
            "unknown-repeats",
            f"{often.sum()} of {len(runs)} runs {seen}, and the target does not say how often it does",
            "it is forecast as if no token came twice, so give unique_tokens if some do",
            most,
            "unique_tokens",
        )


def _compute(runs: pd.DataFrame) -> Iterator[Problem]:
    """Hold the column of FLOPs against 6ND."""
    counted = training_flops(runs, convention=SIX_N_D)
    if counted is None or "flops" not in runs:
        return
    ratio = floats(runs, "flops").to_numpy() / counted
    off, usual = np.abs(np.log(ratio)), _usual(ratio)
    odd = off > np.log(MAX_FLOPS_RATIO)
    if np.ptp(np.log(ratio)) > np.log(MAX_FLOPS_RATIO):  # a contradiction, whatever the runs count
        odd |= np.abs(np.log(ratio / usual)) > np.log(MAX_FLOPS_RATIO) / 2
    if odd.any():
        low, high = (
            f"{bound:.2g}" if bound < 100 else f"{bound:.0f}" for bound in (ratio[odd].min(), ratio[odd].max())
        )
        others = f", those of most runs {usual:.2g} times" if f"{usual:.1f}" != "1.0" and not odd.all() else ""
        yield Problem(
            "flops-6nd",
            f"The FLOPs of {_names(runs, odd)} are {low if low == high else f'{low} to {high}'} times 6ND{others} "
            f"(within a factor of {MAX_FLOPS_RATIO:g})",
            "parameters, tokens or FLOPs are not what their columns say, so check their units and what they count",
            float(np.exp(off.max())),
            "flops",
        )


def _usual(ratio: np.ndarray) -> float:
    """Return the ratio of FLOPs to 6ND on which more than half of the runs agree; one where there is none."""
    middle = float(np.median(ratio))
    agree = np.abs(np.log(ratio / middle)) < np.log(SAME_RATIO)
    return middle if agree.mean() > 1 / 2 else 1.0


def _outcomes(runs: pd.DataFrame, card: Card) -> Iterator[Problem]:
    """Look at whether losses can be losses: their size, and which way they go."""
    if "loss" not in runs:
        return
    loss = floats(runs, "loss").reset_index(drop=True)
    largest, unit = float(loss.max()), card.unit("loss")
    if "perplexit" in unit.lower():
        remedy = "laws are of its logarithm, so give the logarithms of these losses, which are in nats"
        yield Problem("perplexity", f"The unit of the loss is {unit}", remedy, largest, "loss")
    elif largest > MAX_NATS and unit in (AS_GIVEN, *NATS):
        sentence = f"The largest loss is {largest:.4g} (at most {MAX_NATS:g} in nats per token)"
        yield Problem("perplexity", sentence, "if these are perplexities, give their logarithms", largest, "loss")
    if largest < MIN_NATS and unit in NATS:
        sentence = f"The largest loss is {largest:.4g} {unit} (at least {MIN_NATS:g} for text)"
        remedy = f"if these are error rates, say so with {option('unit', 'fraction')}"
        yield Problem("error-rate", sentence, remedy, largest, "loss")
    scale = next((c for c in ("flops", "tokens", "n_params") if c in runs), None)
    if scale is None or len(runs) < MIN_TREND:
        return
    size = floats(runs, scale).reset_index(drop=True)
    if min(loss.nunique(), size.nunique()) < 2:  # neither rises nor falls
        return
    trend = float(loss.corr(size, method="spearman"))
    if trend > MAX_TREND:
        yield Problem(
            "wrong-way",
            f"The loss rises with {scale} (rank correlation {trend:+.2f}, at most {MAX_TREND})",
            "a loss falls; if these are accuracies, forecast the error, 1 - accuracy, or give their columns in place "
            f"of a loss, as in {option('accuracy_columns', 'MMLU')} and {option('chance', 0.25)} (that of guessing)",
            trend,
            "loss",
        )


def _without(rows: pd.DataFrame, series: Sequence[str]) -> Iterator[Problem]:
    """Name the runs of a ladder that lack a loss."""
    for column in (c for c in series if c in rows):
        known = rows.groupby("run", sort=False)[column]
        shared = (known.nunique() <= 1).all()  # by the tasks of a run: one entry is enough
        lacking = known.count() == 0 if shared else known.count() < known.size()
        if lacking.any():
            names = listed(map(str, lacking.index[lacking]), MAX_NAMED)
            yield Problem(
                "missing-loss",
                f"{counted(int(lacking.sum()), 'run')} of {len(lacking)} without {column}: {names}",
                "accuracies that are read off it are not used there, so fill it in where it is known",
                float(lacking.sum()),
                column,
            )


def _names(runs: pd.DataFrame, chosen: np.ndarray) -> str:
    """Return the names of some runs, the first few of many."""
    names = [str(name) for name in (runs["run"] if "run" in runs else "row " + (runs.index + 1).astype(str))[chosen]]
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")


def _known(runs: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column that nothing has checked, NaN where it holds no number."""
    return np.array([number_of(value, size=True) for value in runs[column]], dtype=float)


def _bending(runs: pd.DataFrame, rows: pd.DataFrame, law: Any) -> Iterator[Problem]:
    """Look at what bends a law: embeddings in N, too few steps, learning rates that did not decay."""
    body = next((c for c in runs if WITHOUT_EMBEDDING.fullmatch(str(c))), None)
    if body is not None and "n_params" in runs:
        share = 1 - _known(runs, body) / _known(runs, "n_params")
        if np.isfinite(share).all() and share.max() > MAX_SHARE and np.ptp(share) > MAX_SHARE_CHANGE:
            yield Problem(
                "embedding-share",
                f"Embeddings are {share.min():.0%} to {share.max():.0%} of N (at most {MAX_SHARE:.0%}, or a change of "
                f"{MAX_SHARE_CHANGE:.0%})",
                f"this bends a law of size, so fit {body} as N, or leave the smallest models out",
                float(share.max()),
                str(body),
            )
    if "steps" in runs and (few := (steps := _known(runs, "steps")) < MIN_STEPS).any():
        if law is not None and ("steps" in law.inputs or "steps" in law.columns.values()):
            remedy = "the law has a penalty for that, so see whether the forecast stays when they are left out"
        else:
            remedy = "they have learnt less from their tokens, so leave them out or use a law with a penalty"
        yield Problem(
            "few-steps",
            f"{few.sum()} of {len(runs)} runs have fewer than {MIN_STEPS} optimiser steps "
            f"(the fewest {np.nanmin(steps):.0f}): {_names(runs, few)}",
            remedy,
            float(np.nanmin(steps)),
            "steps",
        )
    if "accuracy" in rows and "task" not in rows:
        yield Problem(
            "unused-accuracy",
            "There are accuracies, but no column 'task'",
            "the two-step law reads them from one row per run and task: run, task, task_loss, accuracy and chance",
            float(len(rows)),
            "accuracy",
        )
    early = rows["annealed"].astype(str).str.lower().isin(FALSE) if "annealed" in rows else pd.Series([False])
    if early.any():
        yield Problem(
            "not-annealed",
            f"{early.sum()} of {len(rows)} rows are of runs whose learning rate did not decay",
            "their loss is above that of a finished run, so leave them out",
            float(early.sum()),
            "annealed",
        )
    identity = [c for c in ("run", "task") if c in rows]
    if "checkpoint" in rows and "run" in rows and (repeats := rows.duplicated(identity)).any():
        yield Problem(
            "not-annealed",
            f"{repeats.sum()} of {len(rows)} rows are further checkpoints of a run",
            "checkpoints before the last are no finished runs and not independent, so keep the last of each",
            float(repeats.sum()),
            "checkpoint",
        )
