"""Tables as Markdown, to print and to store."""

from __future__ import annotations

import pandas as pd

__all__ = ["as_markdown", "show"]


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, its numbers to four digits."""
    cells = table.map(lambda v: f"{v:.4g}" if isinstance(v, float) else str(v))
    lines = (list(cells.columns), ["---"] * cells.shape[1], *cells.to_numpy().tolist())
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def show(title: str, table: pd.DataFrame) -> None:
    """Print a table under a title."""
    print(f"\n## {title}\n\n{as_markdown(table)}")
