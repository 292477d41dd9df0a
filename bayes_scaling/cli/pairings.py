"""What the command ``pair`` is asked: two axes, the pairs of training sets between them, and the runs to forecast."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import LawError, StudyError, TargetError, listed, mapped, suggest
from bayes_scaling.forecasts.forecast import Forecast
from bayes_scaling.inference.posterior import Posterior
from bayes_scaling.law.base import Law
from bayes_scaling.models import LAWS
from bayes_scaling.models.defaults import law_by_name
from bayes_scaling.problems import Problem, Problems
from bayes_scaling.study.pairing import FEWEST, Pairing, agreeing, choose, pair, with_partners
from bayes_scaling.study.reading import last_checkpoints
from bayes_scaling.study.rows import repeated
from bayes_scaling.study.selection import SETS, named_apart, without_gaps
from bayes_scaling.study.study import Study
from bayes_scaling.study.validation import number_of

__all__ = ["Aim", "far_losses", "law_of_losses", "read_pairings", "without_missing_losses"]

ALL, SAME = "all", "same"  # sets of a pair
MAX_GAP = 1.0  # of a target's loss beyond the fitted ones, in their whole range; both in logarithms
MAX_BELOW = 0.05  # share of draws in which a target's loss lies below the floor


@dataclasses.dataclass(frozen=True)
class _Axis:
    """One axis of a pair as the user writes it: ``SET:LOSS``; the set may be ``all`` or (on the ordinate) ``same``.

    Where a table has one training set, ``LOSS`` alone will do.
    """

    name: str
    loss: str

    @classmethod
    def read(cls, text: str, option: str, sets: Sequence[str] = (), losses: Sequence[str] = ()) -> _Axis:
        """Read ``SET:LOSS``, or the ``LOSS`` of the only set; both may have a colon in them where they are known.

        Examples
        --------
        >>> _Axis.read("fineweb_edu:train_loss", "--from")
        _Axis(name='fineweb_edu', loss='train_loss')
        >>> _Axis.read("web:v2:train_loss", "--from", ["web:v2", "code"], ["train_loss"])
        _Axis(name='web:v2', loss='train_loss')
        """
        if len(sets) == 1 and text.strip() in losses:
            return cls(sets[0], text.strip())
        name, loss = _split(text, (*sets, ALL, SAME), losses)
        if not (name and loss):
            known = text.strip() in losses
            own = " or ".join(f"{one}:{text.strip() if known else 'LOSS'}" for one in sets[:2])
            near = "" if known else f" ({suggest(text.strip(), losses)[:-1]})"
            raise StudyError(f"{option} {text!r} is not a set and a loss; write {own or 'SET:LOSS'}{near}.")
        return cls(name, loss)


def _split(text: str, sets: Sequence[str], losses: Sequence[str]) -> tuple[str, str]:
    """Return a set and a loss, split at the colon that leaves the most that is known, the first of several."""
    parts = text.split(":")
    splits = [(":".join(parts[:n]).strip(), ":".join(parts[n:]).strip()) for n in range(1, len(parts) + 1)]
    return max(splits, key=lambda split: (split[0] in sets) + (split[1] in losses))


@dataclasses.dataclass(frozen=True)
class Aim:
    """Runs to forecast of every pair: losses on the abscissa, and names of runs whose loss there is known."""

    values: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()

    @classmethod
    def read(cls, values: Sequence[str], runs: Sequence[str]) -> Aim:
        """Read ``--target`` and ``--target-run``.

        Raises
        ------
        TargetError
            A value is not a positive number.

        Examples
        --------
        >>> Aim.read(["2.1"], ["7B"])
        Aim(values=(2.1,), runs=('7B',))
        """
        found = tuple(number_of(value) for value in values)
        for text, value in zip(values, found, strict=True):
            if not (np.isfinite(value) and value > 0):
                raise TargetError(f"--target {text!r} is not a loss on the axis of --from; give a number, such as 2.1.")
        if again := repeated([*(f"{value:g}" for value in found), *runs]):
            raise TargetError(f"The target {again[0]!r} is given twice; give it once.")
        return cls(found, tuple(runs))

    def named(self, study: Study) -> pd.Series:
        """Return which rows of a study are of a run that is named here; runs of several sets may share a name."""
        frame = study.frame
        if not self.runs or "run" not in frame:
            return pd.Series(False, index=frame.index)
        sets = {*map(str, frame[SETS])} if SETS in frame else {study.name}
        names = {name for run in self.runs for name in (run, *(named_apart(run, own, SETS) for own in sets))}
        return frame["run"].astype(str).isin(names)

    def check(self, study: Study) -> None:
        """Refuse names of runs of which a study has none, before anything is said of what its runs lack.

        Raises
        ------
        TargetError
            The study names no runs, or none is called so.
        """
        frame = study.frame
        for name in self.runs:
            if "run" not in frame:
                holds = [str(c) for c in frame if (frame[c].astype(str) == name).any()]
                raise TargetError(
                    f"The runs of study {study.name!r} have no names, so --target-run {name!r} is none of them; say "
                    f"which column holds the names, as in {mapped('run', holds[0] if holds else 'YOURS')}."
                )
            if not Aim(runs=(name,)).named(study).any():
                raise TargetError(f"Study {study.name!r} has no run {name!r}; {suggest(name, frame['run'].unique())}")

    def marked(self, study: Study, loss: str) -> Study:
        """Return a study in which those of the runs that lack a loss have the role ``target``: it is not known yet."""
        if loss not in study.frame:
            return study
        frame = study.frame
        unknown = pd.Series(False, index=frame.index)
        for name in self.runs:  # in every set, so that its two rows make a pair
            own = Aim(runs=(name,)).named(study)
            unknown |= own & (own & frame[loss].isna()).any()
        if not unknown.any():
            return study
        roles = frame["role"] if "role" in frame else pd.Series("train", index=frame.index)
        return dataclasses.replace(study, frame=frame.assign(role=roles.mask(unknown, "target")))

    def of(self, source: Study, loss: str, by: Sequence[str], pairing: Pairing) -> tuple[Pairing, pd.DataFrame | None]:
        """Return a pairing without the runs to forecast, and those as a table of targets; None: those of the study.

        Raises
        ------
        TargetError
            Nothing says what to forecast, or there is no such run.
        StudyError
            Too few pairs are left to fit.
        """
        if not (self.values or self.runs):
            if pairing.targets:
                return pairing, None
            raise TargetError(
                f"The pair {pairing.study.name} names no run to forecast; give --target with a value of {loss}, "
                "--target-run with the name of a run, or a column role that says train or target."
            )
        rows: list[dict[str, Any]] = [{"target": f"{loss}={value:g}", "source_loss": value} for value in self.values]
        left, right, left_out = source.frame, pairing.study.frame, pairing.left_out
        for name in self.runs:
            alike = [name, named_apart(name, source.name, SETS)]  # runs of several sets may share a name
            if "run" not in left or not (named := left["run"].astype(str).isin(alike)).any():
                known = left["run"] if "run" in left else ()
                raise TargetError(f"Study {source.name!r} has no run {name!r}; {suggest(name, known)}")
            numbers = pd.DataFrame({c: source.column(c) for c in by}, index=left.index)
            last = last_checkpoints(left[named]).index[0]
            rows.append({"target": name, "source_loss": float(pd.Series(source.column(loss), left.index)[last])})
            known = right.loc[_rows_of(right, numbers.loc[[last]]), "loss"].dropna()
            rows[-1] |= {"loss": float(known.iloc[0])} if len(known) else {}
            right = right[~_rows_of(right, numbers[named])]  # none of its checkpoints is fitted
            own = (left_out["study"] == source.name) & left_out["run"].astype(str).isin(alike)
            left_out = left_out[~own]
        if self.runs and "least_source_loss" in right:  # a run bounds the floor of its axis unpaired, too
            least = min(row["source_loss"] for row in rows[len(self.values) :])
            right = right.assign(least_source_loss=np.minimum(right["least_source_loss"], least))
        fitted = Study(right, pairing.study.card)
        count = len(fitted.training.frame)
        if count < FEWEST:
            raise StudyError(
                f"Only {count} pairs are left to fit without {listed(self.runs)}; at least {FEWEST} are needed."
            )
        return dataclasses.replace(
            pairing, study=fitted, paired=count, targets=len(rows), left_out=left_out
        ), pd.DataFrame(rows)


def _rows_of(table: pd.DataFrame, numbers: pd.DataFrame) -> np.ndarray:
    """Say of each row whether its numbers are those of one of the others'."""
    return pd.MultiIndex.from_frame(table[list(numbers)].astype(float)).isin(pd.MultiIndex.from_frame(numbers))


def law_of_losses(name: str) -> Law:
    """Return the law of ``--law``, one that reads a loss and nothing else.

    Raises
    ------
    LawError
        There is no such law, or it reads other columns.

    Examples
    --------
    >>> law_of_losses("bent_power_law").name
    'BentPowerLaw'
    """
    if not _reads_a_loss(law := law_by_name(name)):
        known = [other for other in LAWS if _reads_a_loss(law_by_name(other))]
        raise LawError(f"--law {name!r} does not forecast a loss from another; give {' or '.join(known)}.")
    return law


def _reads_a_loss(law: Law) -> bool:
    return law.outcome == "loss" and law.run_inputs == ("source_loss",)


def read_pairings(
    study: Study,
    source: str,
    target: str,
    *,
    sets: str,
    by: str | None = None,
    aim: Aim | None = None,
    unit: str | None = None,
) -> list[tuple[Pairing, pd.DataFrame | None]]:
    """Return the pairings that ``--from`` and ``--to`` ask for, each with its targets where ``aim`` gives them.

    ``unit`` is that of the loss of ``--to``; by default the card's.

    Raises
    ------
    StudyError
        A set, a loss or a column is missing, or ``by`` has an empty name.
    TargetError
        With ``aim``: nothing says what to forecast.
    """
    abscissa, ordinate, found = _asked_for(study, source, target, sets)
    study = study if unit is None else study.in_units(**{ordinate.loss: unit})
    if aim is not None:
        aim.check(study)
        study = aim.marked(study, ordinate.loss)
    names = dict.fromkeys(itertools.chain(*found))
    if by is None and all(one == two for one, two in found):
        study, agree = with_partners(study)
    else:
        agree = list(agreeing(study)) if by is None else _columns(by)
    chosen = {name: choose(study, sets, name) if sets in study.frame else study for name in names}
    pairings = []
    for one, two in found:
        pairing = pair(
            chosen[one],
            chosen[two],
            source_loss=abscissa.loss,
            loss=ordinate.loss,
            by=agree,
            name=f"{one}:{abscissa.loss} -> {two}:{ordinate.loss}",
        )
        pairings.append(aim.of(chosen[one], abscissa.loss, agree, pairing) if aim else (pairing, None))
    return pairings


def without_missing_losses(study: Study, source: str, target: str, *, sets: str, aim: Aim) -> Study:
    """Return a study without the rows that lack the loss they are paired by, but for the runs to forecast.

    ``remarks`` says which.

    Raises
    ------
    StudyError
        A set is missing, or no row has the loss.
    """
    abscissa, ordinate, found = _asked_for(study, source, target, sets)
    for loss, names in ((abscissa.loss, {one for one, _ in found}), (ordinate.loss, {two for _, two in found})):
        frame = study.frame
        of_sets = frame[sets].map(str).isin(names) if sets in frame else pd.Series(True, index=frame.index)
        looked_at = of_sets & ~aim.named(study)
        if looked_at.any():
            kept, said = without_gaps(frame[looked_at], [loss])
            frame = frame[~looked_at | frame.index.isin(kept.index)]
            study = dataclasses.replace(study, frame=frame, remarks=(*study.remarks, *said))
    return study


def _asked_for(study: Study, source: str, target: str, sets: str) -> tuple[_Axis, _Axis, list[tuple[str, str]]]:
    """Return the two axes, and the pairs of training sets that they ask for.

    Raises
    ------
    StudyError
        An axis cannot be read, no column tells training sets apart, or both axes are one.
    """
    losses = [str(column) for column in study.frame]
    known = [*dict.fromkeys(map(str, study.frame[sets]))] if sets in study.frame else [study.name]
    abscissa, ordinate = _Axis.read(source, "--from", known, losses), _Axis.read(target, "--to", known, losses)
    if sets not in study.frame and {abscissa.name, ordinate.name} - {study.name, ALL, SAME}:
        raise StudyError(
            f"Study {study.name!r} has no column {sets!r} to tell training sets apart; "
            f"{_column_of_sets(study.frame, sets, {abscissa.name, ordinate.name} - {ALL, SAME})}"
        )
    found = []
    for one in known if abscissa.name == ALL else [abscissa.name]:
        others = [one] if ordinate.name == SAME else known if ordinate.name == ALL else [ordinate.name]
        found += [(one, two) for two in others if (one, abscissa.loss) != (two, ordinate.loss)]
    if not found:
        raise StudyError(f"{source!r} and {target!r} are one axis; give two different ones.")
    return abscissa, ordinate, found


def _columns(by: str) -> list[str]:
    """Read ``--by``: names of columns with commas between them; one that is given twice counts once.

    Raises
    ------
    StudyError
        A name is empty.
    """
    names = [name.strip() for name in by.split(",")]
    if not all(names):
        raise StudyError(f"--by {by!r} has an empty name; name columns with commas between them, as n_params,flops.")
    return list(dict.fromkeys(names))


def _column_of_sets(table: pd.DataFrame, sets: str, names: set[str]) -> str:
    """Return what to do where the column that names the training sets is not there."""
    words = [str(column) for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    holds = [column for column in words if names <= set(table[column].astype(str))]
    if holds:
        return f"say --sets {holds[0]}, where {listed(map(repr, sorted(names)))} stand."
    return f"say which of yours does with --sets YOURS; {suggest(sets, words)}"


def far_losses(posterior: Posterior, forecast: Forecast) -> Problems:
    """Look at whether the losses that are known of the runs to forecast lie among those of the fitted ones.

    Parameters
    ----------
    posterior : Posterior
        Fit of a law that reads ``source_loss``.
    forecast : Forecast
        Its forecast of the runs.

    Returns
    -------
    Problems
        - ``below-floor``: in more than 5 % of the draws the loss lies below the irreducible one of its axis
        - ``far-loss``: it lies further beyond the fitted ones than these are apart, in logarithms
    """
    fitted = posterior.study.training.column("source_loss")
    least, most = float(fitted.min()), float(fitted.max())
    floor, span = np.asarray(posterior.draws["E0"]), most / least
    found = []
    for name, value in forecast.targets["source_loss"].astype(float).items():
        below = float((floor >= value).mean())
        side, end, gap = ("smallest", least, least / value) if value < least else ("largest", most, value / most)
        if below > MAX_BELOW:
            found.append(
                Problem(
                    "below-floor",
                    f"Target {str(name)!r} lies below the irreducible loss of its axis, about {np.median(floor):.4g}, "
                    f"in {below:.0%} of the draws (at most {MAX_BELOW:.0%})",
                    "its forecast there is the floor of the other loss, whatever the value, so see whether a run can "
                    "have this loss, and in which unit it is",
                    below,
                    str(name),
                )
            )
        if np.log(gap) > MAX_GAP * np.log(span):
            found.append(
                Problem(
                    "far-loss",
                    f"Target {str(name)!r} is a factor of {gap:.3g} beyond the {side} loss fitted, {end:.4g}, and all "
                    f"of these lie within a factor of {span:.3g} (at most as much again)",
                    "no pair shows that the law still holds there, so trust it less, or pair a run in between first",
                    gap,
                    str(name),
                )
            )
    return Problems(found)
