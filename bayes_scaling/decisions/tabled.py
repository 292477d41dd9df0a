"""Answers to decisions that are shown as their table, and not as the arrays of draws behind it."""

from __future__ import annotations

import pandas as pd

__all__ = ["Tabled"]

ROWS = 20  # that are shown of a long table


class Tabled:
    """An answer that has a table, by which Python and notebooks show it."""

    def table(self) -> pd.DataFrame:
        """Return the answer in rows."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}\n{self.table().to_string(index=False, max_rows=ROWS, float_format=_short)}"

    def _repr_html_(self) -> str:
        return f"<b>{type(self).__name__}</b>{self.table().to_html(index=False, max_rows=ROWS, float_format=_short)}"


def _short(value: float) -> str:
    return f"{value:.4g}"
