"""Answers to decisions that are shown as their table, and not as the arrays of draws behind it."""

from __future__ import annotations

from html import escape

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

    @property
    def _names_rows(self) -> bool:
        return not isinstance(self.table().index, pd.RangeIndex)

    def __repr__(self) -> str:
        table = self.table().to_string(index=self._names_rows, max_rows=ROWS, float_format=_short, na_rep="-")
        return "\n".join([type(self).__name__, table, *self.remarks])

    def _repr_html_(self) -> str:
        table = self.table().to_html(index=self._names_rows, max_rows=ROWS, float_format=_short, na_rep="-")
        return f"<b>{type(self).__name__}</b>{table}" + "".join(f"<p>{escape(one)}</p>" for one in self.remarks)


def _short(value: float) -> str:
    return f"{value:.4g}"
