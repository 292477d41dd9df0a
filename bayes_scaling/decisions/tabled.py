"""Answers to decisions that are shown as their table, and not as the arrays of draws behind it."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

__all__ = ["Tabled"]

ROWS = 20  # that are shown of a long table


class Tabled:
    """An answer that has a table, by which Python and notebooks show it, with remarks below where there are any."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that a reader should know besides the table."""
        return ()

    def table(self) -> pd.DataFrame:
        """Return the answer in rows."""
        raise NotImplementedError

    def __repr__(self) -> str:
        table = self.table()
        return "\n".join([type(self).__name__, table.to_string(**_shown(table)), *self.remarks])

    def _repr_html_(self) -> str:
        table = self.table()
        remarks = "".join(f"<p>{escape(one)}</p>" for one in self.remarks)
        return f"<b>{type(self).__name__}</b>{table.to_html(**_shown(table))}{remarks}"


def _shown(table: pd.DataFrame) -> dict[str, Any]:
    """Return how a table is written, as text and as HTML: with the names of its rows where they have such."""
    named = not isinstance(table.index, pd.RangeIndex)
    return {"index": named, "max_rows": ROWS, "float_format": _short, "na_rep": "-"}


def _short(value: float) -> str:
    return f"{value:.4g}"
