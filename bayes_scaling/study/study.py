"""A study: a checked table of training runs with a card that says where it comes from and in which units."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from bayes_scaling.errors import StudyError, listed, mapped, option, suggest
from bayes_scaling.study.card import Card
from bayes_scaling.study.flops import with_flops
from bayes_scaling.study.formats import SHEETS
from bayes_scaling.study.losses import loss_columns, unread_losses
from bayes_scaling.study.reading import (
    as_table,
    by_column,
    column_of,
    contradicted,
    error_of_another,
    last_checkpoints,
    one_row_a_run,
    read_table,
    recognised,
    remedy,
    renamed,
    set_aside,
    with_least_abscissa,
)
from bayes_scaling.study.rows import shown, task_name
from bayes_scaling.study.selection import (
    asked_for,
    infinite_losses,
    kept_by,
    left_by,
    replicates,
    unfinished,
    without_gaps,
    without_role,
)
from bayes_scaling.study.validation import (
    LOSS_ERROR,
    PER_CENT,
    always_read,
    checked,
    in_per_cent,
    numeric,
    small_shares,
    with_numbers,
)
from bayes_scaling.study.wide import chance_of_others, lengthened, rules_of, unread_accuracies, with_chance

__all__ = ["Study", "require_studies", "require_study"]


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """A checked table of training runs.

    Make one with :func:`bayes_scaling.load_study`, :meth:`from_frame` or :meth:`from_file`; the constructor trusts its
    input.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per run (and per task, where there is a ``task`` column).  ``n_params`` in parameters, ``tokens`` in
        tokens, ``flops`` in FLOPs, ``loss`` in the unit of the card, ``loss_se``, its standard error where it is known
        (a part of the noise of fitted runs, beside what is learnt, for the laws whose ``reads_loss_error`` says so),
        ``accuracy`` as a fraction.  A ``role`` column tells runs to fit (``train``) from runs to forecast (``target``)
        and runs kept aside (``extra``).  Its index plus one is the number of the row in the file: rows of data count
        from 1, selections keep their numbers.
    card : Card
        Where the table comes from.
    names : mapping of str to str
        The user's own names of our columns; targets may use them.
    remarks : tuple of str
        What was done in reading that was not asked for, or leaves rows out: a sentence each.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.9, 3.6, 3.3]})
    >>> Study.from_frame(runs, name="mine", flops="6ND")
    Study('mine': 3 rows, columns n_params, tokens, loss, flops)
    """

    frame: pd.DataFrame
    card: Card = dataclasses.field(default_factory=lambda: Card("unnamed"))
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Study({self.name!r}: {len(self.frame)} rows, columns {', '.join(map(str, self.frame.columns))})"

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def name(self) -> str:
        """Short name of the study."""
        return self.card.name

    @property
    def checksum(self) -> str:
        """SHA-256 of the table's content: a posterior remembers which numbers it was fitted on."""
        text = self.frame.to_csv(index=False, float_format="%.12g")
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

    # -- ways in ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        name: str = "runs",
        card: Card | None = None,
        flops: str | None = None,
        where: str | None = None,
        drop_missing: bool = False,
        unit: str | None = None,
        accuracy_columns: str | Sequence[str] | None = None,
        chance: str | float | Mapping[str, float | str] | None = None,
        percent: bool = False,
        **columns: str,
    ) -> Study:
        """Check a table and make it a study.

        Parameters, tokens, FLOPs, the loss and the columns that are mapped are checked here, and where there are tasks
        accuracies and chance; any other column when something reads it, so that what nothing reads may hold anything.

        Parameters
        ----------
        frame : DataFrame, mapping of columns, or sequence of records
            One row per run; of pandas, polars or any other library of data frames.  Parameters, tokens and FLOPs may
            be text such as 7B or 32.0K.
        name : str
            Name of the study where no card is given.
        card : Card, optional
            Source and units.
        flops : str, optional
            ``6ND`` computes the column ``flops`` as 6 x parameters x tokens, which is never done silently; or the
            name of your column of FLOPs.
        where : str, optional
            Rows to keep, a pandas query: ``"State == 'finished'"``.  Accuracies are what they are in the table there:
            with ``percent`` numbers such as 63.5.
        drop_missing : bool
            Leave out the rows in which a column that is checked is missing or infinite; ``remarks`` says which.
        unit : str, optional
            Unit of ``loss``, or of ``task_loss`` or the first other loss where there is none: ``"nats per token"``.
            It names what forecasts are in and converts nothing; by default the card's, or "as given".
        accuracy_columns : str or sequence of str, optional
            Of a wide table, the columns that hold the accuracy of a task each: their names, or a rule such as
            ``"accuracy_TASK"`` or ``"TASK_acc"``, by which tasks are named.  The study has a row per run and task.
            What else is of a task each may have a rule, too: ``task_loss="TASK_bpb", chance="TASK_chance"``.
        chance : str, float or mapping of str to float or str, optional
            Accuracy of guessing, a fraction: of all tasks or by task, ``{"TASK": 0.25, "PIQA": 0.5}`` for all but one;
            or the name of your column of it, which ``TASK`` may stand for as well, ``{"TASK": "guess", "PIQA": 0.5}``.
            A column ``chance`` counts for the tasks that are not named.
        percent : bool
            Accuracies, error rates and chances, of the table and of ``chance``, are in per cent: 63.5, not 0.635.
        **columns : str
            Which of your columns is which of ours: ``n_params="N", tokens="train/tokens", loss="val_loss"``.  In the
            place of a column ``loss``, the one that is read has no ``loss_se`` unless that is mapped, too.

        Raises
        ------
        StudyError
            A column is missing or misspelt, a value is not a number, not finite, not positive, an accuracy is above
            1, or a run appears twice.
        """
        if not isinstance(card, (Card, NoneType)):
            raise StudyError(f"The card is a {type(card).__name__}; give a bs.Card, or the name alone as name='mine'.")
        table = as_table(frame).reset_index(drop=True).dropna(how="all")  # rows keep their numbers
        if flops is not None and flops in table:
            columns["flops"], flops = flops, None
        heading = list(table)
        column, by_task = chance_of_others(chance)
        columns |= {} if column is None else {"chance": column}
        stale, of_losses = error_of_another(table, columns)
        rules = {} if accuracy_columns is None else rules_of(columns, table)
        table = renamed(table, {ours: theirs for ours, theirs in columns.items() if ours not in rules})
        found = recognised(table)
        table = renamed(table, found)
        if accuracy_columns is not None:
            table, of_tasks = lengthened(table, accuracy_columns, by_task, rules)
        else:
            of_tasks = unread_accuracies(table.drop(columns=columns, errors="ignore"))
            table = table if by_task is None else with_chance(table, by_task)
        of_tasks += unread_losses(table, wide=accuracy_columns is not None)
        given = {} if by_task is None else {"chance": "chance"}
        given |= {column_of(ours): theirs for ours, theirs in columns.items()}
        names = {ours: theirs for ours, theirs in {**given, **found}.items() if ours != theirs}
        read = [*always_read(table), *given]
        shares = in_per_cent(table, read) if percent else {}
        as_given = with_numbers(table.assign(**shares))
        table = as_given.assign(**{column: values / PER_CENT for column, values in shares.items()})
        sheets, remarks = _of_sheets(table), [*of_losses, *of_tasks]
        remarks += contradicted(table.drop(columns=given, errors="ignore"))
        if where is not None:
            kept = asked_for(as_given, where, names)
            remarks += left_by(table, kept, where)
            table = table[kept]
        table = table.drop(columns=stale)
        if drop_missing:
            table, said = without_gaps(table, [*read, *infinite_losses(table)])
            remarks += said
        aside, passed_over = set_aside(table, found, given, heading)
        table = table.rename(columns={ours: found[ours] for ours in aside if ours in found})
        table = table.drop(columns=[ours for ours in aside if ours not in found])
        found, names = ({o: t for o, t in known.items() if o not in aside} for known in (found, names))
        remarks = [*sheets, *_adopted(found), *passed_over, *small_shares(table, shares), *remarks]
        table, said = replicates(checked(table, read, names))
        remarks += said + unfinished(table) + without_role(table)
        if flops is not None:
            table = with_flops(table, flops)
            numeric(table, "flops")
        study = cls(table, card or Card(name), names, tuple(remarks))
        return study if unit is None else study.in_units(**{_loss_of(table, unit): unit})

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Study:
        """Read a study from a file.

        Suffix and content say how: CSV, TSV, text between semicolons or bars (also compressed), JSON records or lines,
        Excel (its first sheet, or the only one with columns of ours), parquet.

        Parameters
        ----------
        path : str or Path
            The file; its name without the suffix is the name of the study, unless ``options`` has one.
        **options
            As in :meth:`from_frame`.

        Raises
        ------
        FileError
            There is no such file, or it cannot be read as a table.
        StudyError
            As in :meth:`from_frame`.
        """
        options.setdefault("name", Path(path).stem)
        return cls.from_frame(read_table(path), **options)

    from_csv = from_parquet = from_file  # the names of pandas; the file's own name says which it is

    # -- ways on ----------------------------------------------------------------------------------------------------

    def select(self, query: str | None = None, **equals: Any) -> Study:
        """Keep rows: a pandas query, and columns equal to a value or one of a list.

        Parameters
        ----------
        query : str, optional
            What holds of the rows to keep, as in ``"n_params < 1e9"``.
        **equals
            By the name of a column: the value that it has there, or several of which it has one.

        Raises
        ------
        StudyError
            A column or a value does not exist.
        """
        frame = self.frame
        for column, value in equals.items():
            if column not in frame:
                raise StudyError(f"Study {self.name!r} has no column {column!r}; {suggest(column, frame.columns)}")
            wanted = list(value) if isinstance(value, (list, tuple, set, np.ndarray, pd.Series)) else [value]
            wanted = [task_name(one) for one in wanted] if column == "task" else wanted
            for one in wanted:
                if not pd.api.types.is_scalar(one) or not (frame[column] == one).any():
                    known = frame[column].drop_duplicates().head(40)
                    raise StudyError(f"Study {self.name!r} has no {column} {shown(one)}; {suggest(one, known)}")
            frame = frame[frame[column].isin(wanted)]
        if query is not None and not frame.empty:
            frame = kept_by(frame, query, self.names)
        if frame.empty:
            raise StudyError(
                f"No run of study {self.name!r} is left after the selection {query or equals!r}; loosen it."
            )
        return dataclasses.replace(self, frame=frame)

    def rename(self, **columns: str) -> Study:
        """Use other columns under our names, with their units: ``study.rename(loss="c4_loss")``.

        Parameters
        ----------
        **columns : str
            By our name: the column of the study that it is to stand for.

        Raises
        ------
        StudyError
            There is no such column, or it does not hold what a column of our name does.
        """
        columns = by_column(columns)
        gone = {*columns, *([LOSS_ERROR] if "loss" in columns else [])} - set(columns.values())  # of another loss
        keep = self.frame.drop(columns=[column for column in self.frame if column in gone])
        frame = checked(renamed(keep, columns), columns, columns)
        names = {ours: theirs for ours, theirs in self.names.items() if ours not in columns}
        return dataclasses.replace(self, frame=frame, card=self.card.renamed(columns), names=names)

    def in_units(self, **units: str) -> Study:
        """State the units of columns, in place of the card's: ``study.in_units(loss="bits per byte")``.

        Parameters
        ----------
        **units : str
            By the name of a column: its unit.

        Raises
        ------
        StudyError
            There is no such column.
        """
        for column in units:
            if column not in self.frame:
                known = suggest(column, self.frame.columns)
                raise StudyError(f"Study {self.name!r} has no column {column!r} to state a unit of; {known}")
        return dataclasses.replace(self, card=dataclasses.replace(self.card, units={**self.card.units, **units}))

    @property
    def training(self) -> Study:
        """The runs to fit: those with role ``train``, or all where there is no ``role`` column.

        Of pairs of losses each knows the smallest abscissa of all (``least_source_loss``), targets included.
        """
        if "role" not in self.frame:
            return self
        return dataclasses.replace(self, frame=with_least_abscissa(self.frame)).select(role="train")

    @property
    def runs(self) -> pd.DataFrame:
        """The table with one row per run: its last checkpoint, and the first task there."""
        return one_row_a_run(self.frame)

    @property
    def last_checkpoints(self) -> Study:
        """The study with the last checkpoint of each run alone, in as many rows as it has tasks."""
        return dataclasses.replace(self, frame=last_checkpoints(self.frame))

    @property
    def targets(self) -> Study:
        """The runs to forecast: those with role ``target``.

        Raises
        ------
        StudyError
            There is no column ``role``, or no such run.
        """
        if "role" not in self.frame:
            raise StudyError(f"Study {self.name!r} has no column 'role', so it names no targets; give them yourself.")
        return self.select(role="target")

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order of the table; empty where there is no ``task`` column."""
        return list(self.frame["task"].drop_duplicates()) if "task" in self.frame else []

    def column(self, name: str, *, signed: bool = False, partial: bool = False) -> np.ndarray:
        """Return one numeric column, shape (row,).

        Parameters
        ----------
        name : str
            Name of the column.
        signed : bool
            Take numbers of any sign, also where columns of such a name are positive.
        partial : bool
            Some rows may have no entry, which is NaN.

        Raises
        ------
        StudyError
            There is no such column, or an entry is not a finite number, or outside the range of its name.
        """
        if name not in self.frame:
            raise StudyError(f"Study {self.name!r} has no column {name!r}; {remedy(name, self.frame.columns)}")
        return numeric(self.frame, name, self.names, signed=signed, partial=partial).to_numpy()


def require_study(value: Any) -> Study:
    """Return a study that is one.

    Raises
    ------
    StudyError
        It is something else, such as a table.
    """
    if not isinstance(value, Study):
        raise StudyError(f"The study is a {type(value).__name__}; make it one with bs.Study.from_frame(table).")
    return value


def require_studies(values: Any) -> list[Study]:
    """Return several studies as a list.

    Raises
    ------
    StudyError
        They are one study, a table, or not all studies.
    """
    if isinstance(values, (Study, str, Mapping)) or hasattr(values, "columns") or not isinstance(values, Iterable):
        raise StudyError(
            f"The studies are a {type(values).__name__}; give a list of studies, as in [bs.Study.from_frame(table)]."
        )
    return [require_study(value) for value in values]


def _loss_of(table: pd.DataFrame, unit: str) -> str:
    """Return the column that ``unit`` is about."""
    found = next((column for column in ("loss", "task_loss", *loss_columns(table)) if column in table), None)
    if found is None:
        raise StudyError(
            f"{option('unit', unit)} is the unit of a loss, which the table lacks; {remedy('loss', table.columns)}"
        )
    return found


def _of_sheets(table: pd.DataFrame) -> list[str]:
    """Return a sentence on the sheets of a file that are not read: all but one."""
    read, *others = table.attrs.get(SHEETS, [""])
    return [f"Read: the sheet {read!r}; not read: {listed(map(repr, others))}."] if others else []


def _adopted(found: Mapping[str, str]) -> list[str]:
    """Return a sentence on the columns that were read without being mapped."""
    if not found:
        return []
    read = listed(f"{theirs!r} as {ours}" for ours, theirs in found.items())
    return [f"Read without being told: the column {read}; say otherwise with {mapped(next(iter(found)), 'YOURS')}."]
