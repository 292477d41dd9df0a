"""Tables as Markdown, to print and to store."""

from __future__ import annotations

import pandas as pd

__all__ = ["show"]


def show(title: str, table: pd.DataFrame) -> None:
    """Print a table under a title."""
    cells = table.map(lambda v: f"{v:.4g}" if isinstance(v, float) else str(v))
    print(f"\n## {title}\n")
    for line in (list(cells.columns), ["---"] * cells.shape[1], *cells.to_numpy().tolist()):
        print(f"| {' | '.join(map(str, line))} |")
