"""What a law reads: the columns of a study, as the arrays of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_scaling.errors import StudyError, listed
from bayes_scaling.law.hooks import Hooks
from bayes_scaling.study.reading import column_of, remedy
from bayes_scaling.study.rows import row_name
from bayes_scaling.study.shares import by_run, not_shares
from bayes_scaling.study.validation import LOSS_ERROR, MOST_ROWS, numeric

if TYPE_CHECKING:
    from bayes_scaling.law.sites import Arrays
    from bayes_scaling.study.study import Study

__all__ = ["Inputs"]


class Inputs(Hooks):
    """The inputs of :class:`bayes_scaling.Law`: which columns they are, and what is refused among them."""

    @property
    def run_inputs(self) -> tuple[str, ...]:
        """The inputs that differ between runs: all but the references."""
        return tuple(name for name in self.inputs if not self._is_reference(name))

    @property
    def columns(self) -> dict[str, str]:
        """The column of each input that differs between runs and that all have, by symbol: ``{"N": "n_params"}``."""
        return {symbol: column_of(symbol) for symbol in self.run_inputs if symbol not in self.absent}

    @property
    def readable(self) -> dict[str, str]:
        """The column of each input that the law can read, by symbol: of those it needs, and those runs may lack."""
        return {**self.columns, **{symbol: column_of(symbol) for symbol in self.absent}}

    def _is_reference(self, name: str) -> bool:
        return name.endswith("0") and name[:-1] in self.inputs

    def arrays(self, study: Study) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (runs, observed) for this law from a study: float arrays of shape (run,), references as scalars.

        Raises
        ------
        StudyError
            A column is missing, or the study holds several tasks and this law describes one series.
        """
        if "task" in study.frame and study.frame["task"].nunique() > 1:
            raise StudyError(
                f"{self.name} describes one series, but study {study.name!r} has {len(study.tasks)} tasks; "
                "choose one with study.select(task=...)."
            )
        columns = self.input_arrays(study.frame)
        self._require_allowed(study, columns)
        observed = {self.outcome: self.outcomes_of(study)}
        if self.outcome == "loss" and LOSS_ERROR in study.frame:
            observed[LOSS_ERROR] = study.column(LOSS_ERROR)
        return columns | self.references(columns), observed

    def _require_allowed(self, study: Study, columns: Arrays) -> None:
        """Refuse inputs that a forecast would refuse; those with a reference are refused where that is made."""
        for symbol in (s for s in columns if s not in self.absent and f"{s}0" not in self.inputs):
            if (wrong := np.flatnonzero(~self.allows(symbol, columns[symbol]))).size:
                value = columns[symbol][wrong[0]]
                where = listed((row_name(study.frame, place) for place in wrong), MOST_ROWS)
                raise StudyError(
                    f"{self.columns[symbol]} is not positive in {where} (first {value:g}), and {self.name} takes "
                    f"positive numbers; give such, or let the law say otherwise (indicators = ({symbol!r},) for zero, "
                    "signed for any)."
                )

    def outcomes_of(self, study: Study) -> np.ndarray:
        """Return the outcomes of a study's rows, shape (row,); of any sign where the law says so in ``signed``."""
        return study.column(self.outcome, signed=self.outcome in self.signed)

    def references(self, columns: Arrays) -> dict[str, np.ndarray]:
        """Return the reference of each column that ``mean`` asks one for: its geometric mean over the runs.

        Raises
        ------
        StudyError
            Such a column is not positive in a run.
        """
        wanted = [name for name in self.inputs if self._is_reference(name)]
        for symbol in (name[:-1] for name in wanted):
            if not (np.asarray(columns[symbol]) > 0).all():
                raise StudyError(
                    f"{self.name} is a power law in {self.readable[symbol]}, which is {np.min(columns[symbol]):g} in a "
                    "run; give positive numbers, or leave the run out."
                )
        return {name: np.asarray(np.exp(np.mean(np.log(columns[name[:-1]])))) for name in wanted}

    def input_arrays(self, frame: Any) -> dict[str, np.ndarray]:
        """Return the law's input columns of a table as float arrays, without references."""
        return {**self.columns_of(frame), **self.absent_of(frame)}

    def absent_of(self, frame: Any) -> dict[str, np.ndarray]:
        """Return the inputs that runs may lack, by symbol; where the table lacks one, the value that stands for it."""
        found = {}
        for symbol, value in self.absent.items():
            column, signed = column_of(symbol), symbol in self.signed
            known = column in frame
            found[symbol] = numeric(frame, column, signed=signed).to_numpy() if known else np.full(len(frame), value)
        return found

    def columns_of(self, frame: Any) -> dict[str, np.ndarray]:
        """Return the columns that the law needs from a table as float arrays, by symbol.

        Raises
        ------
        StudyError
            A column is missing, has an entry that is not a number that a fit can use, or shares are none.
        """
        for symbol, column in self.columns.items():
            if column not in frame:
                raise StudyError(
                    f"{self.name} needs the column {column!r} ({symbol}), which the table lacks; "
                    f"{remedy(column, frame.columns)}"
                )
        found = {s: numeric(frame, c, signed=s in self.signed).to_numpy() for s, c in self.columns.items()}
        if problem := not_shares(found, self.shares, by_run(frame)):
            raise StudyError(f"{problem.sentence}; {problem.remedy}.")
        return found
